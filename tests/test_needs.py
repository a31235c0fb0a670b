"""`needs`: demos that go on with an answer stop until it is there, and which demos these are."""

from __future__ import annotations

import functools

import pytest

from labsupport.authoring import lessons
from labsupport.authoring.needs import Page
from labsupport.stub import STUB, is_stub

# ---------------------------------------------------------------- on the page


def unattempted(x):
    raise NotImplementedError("your answer goes here")


def nbgraders(x):
    # YOUR CODE HERE
    raise NotImplementedError()


def bare(x):
    if x.size:
        return x
    raise NotImplementedError


def refuses(x):
    if x.ndim != 2:
        raise NotImplementedError("only for two axes")
    return x


def begun(x):
    if x.size:
        return x - x.mean()
    raise NotImplementedError("your answer goes here")


def inside(x):
    def half(y):
        raise NotImplementedError("your answer goes here")

    return half(x)


def stub_left_below(x):
    return x - x.mean()
    raise NotImplementedError("your answer goes here")


def stub_left_below_both(x):
    if x.size:
        return x - x.mean()
    else:
        return x
    raise NotImplementedError("your answer goes here")


def wrong(x):
    raise ValueError("no stub")


def says_it(x):
    """your answer goes here"""
    return x


class OneMethodLeft:
    def __init__(self):
        self.count = 0

    def __call__(self, x):
        raise NotImplementedError("your answer goes here")


class StaticLeft:
    @staticmethod
    def half(x):
        raise NotImplementedError("your answer goes here")


class Whole:
    def __call__(self, x):
        return x


class Mine(Whole):
    pass


class Closed(type):
    def __getattribute__(cls, name):
        raise AttributeError(name)


class Odd(metaclass=Closed):
    pass


def wrapped(function):
    return functools.wraps(function)(lambda *arguments: function(*arguments))


@pytest.mark.parametrize(
    "answer",
    [unattempted, nbgraders, bare, begun, inside, OneMethodLeft, StaticLeft, wrapped(unattempted)],
)
def test_unfinished_answers_are_stubs(answer):
    assert is_stub(answer)


@pytest.mark.parametrize(
    "answer",
    [
        stub_left_below,
        stub_left_below_both,
        refuses,
        wrong,
        says_it,
        Whole,
        Mine,
        Whole(),
        wrapped(wrong),
    ]
    + [None, 1, "your answer goes here", [unattempted], len, int, type, Odd],
    ids=lambda answer: getattr(answer, "__name__", type(answer).__name__),
)
def test_answers_of_any_kind_are_no_stubs(answer):
    assert not is_stub(answer)


def test_functions_of_tensorflow_2_are_looked_into():
    """In an interpreter of its own: this one may come to hold TensorFlow 1."""
    import subprocess
    import sys

    code = f"""
from labsupport.stub import is_stub
from labsupport.tf2 import tf, keras
@tf.function
def open_(x):
    {STUB}
@tf.function
def given(x):
    return x
class Layer(keras.layers.Layer):
    def build(self, shape):
        {STUB}
class Whole(keras.layers.Layer):
    def build(self, shape):
        pass
print([is_stub(answer) for answer in (open_, given, Layer, Whole)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        cwd=lessons.PROJECT,
        timeout=120,
    )
    assert done.stdout.strip() == "[True, False, True, False]", done.stderr


def page(*names, **values):
    """Runs `needs` as a script does that has these values."""
    program = f"from labsupport import needs\nneeds({', '.join(map(repr, names))})"
    exec(compile(program, "<page>", "exec"), {"__name__": "__main__", **values})


def test_says_which_answer_is_missing():
    with pytest.raises(NotImplementedError) as error:
        page("bn-dense", batch_norm_dense=unattempted)
    assert str(error.value) == (
        "This cell goes on with `batch_norm_dense`: answer `bn-dense` first."
    )
    assert error.value._render_traceback_() == [f"NotImplementedError: {error.value}"]
    with pytest.raises(NotImplementedError, match="answer `bn-conv` first"):
        page("bn-dense", "bn-conv", batch_norm_dense=wrong)


def test_lets_answers_pass_right_or_wrong(capsys):
    page("bn-dense", "bn-hide", batch_norm_dense=wrong, test_batches=None)
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------- which demos


def needed(*cells):
    """What the last of these cells needs; ("name", "exercise") is an answer `name`."""
    found, last = Page(), None
    for cell in cells:
        if isinstance(cell, tuple):
            name, exercise = cell
            found.answer(f"def {name}(x):\n    helper = x\n    return helper", exercise)
        else:
            last = found.cell(cell)
    return last


F, G = ("f", "ex-f"), ("g", "ex-g")


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ([F, "f(1)"], {"ex-f"}),
        ([F, "f"], {"ex-f"}),
        ([F, "1"], set()),
        ([F, G, "f(g(1))"], {"ex-f", "ex-g"}),
        ([F, "y = f(1)", "y"], {"ex-f"}),
        ([F, "y = f(1)", "y = 1", "y"], set()),
        # A cell that stops binds none of its names.
        ([F, "a = 1\ny = f(a)", "a"], {"ex-f"}),
        ([F, "a = 1\ny = f(a)", "a = 2", "a"], set()),
        # A function needs what it looks up when it is called, whenever that was bound.
        ([F, "def h():\n    return f(1)"], set()),
        ([F, "def h():\n    return f(1)", "h()"], {"ex-f"}),
        (["def h():\n    return f(1)", F, "h()"], {"ex-f"}),
        (["def h():\n    return k()", "def k():\n    return f(1)", F, "h"], {"ex-f"}),
        ([F, "def h():\n    return h() + f(1)", "h()"], {"ex-f"}),
        ([F, "def h(f):\n    return f(1)", "h(1)"], set()),
        ([F, "def h():\n    f = 1\n    return f", "h()"], set()),
        ([F, "def h(x=f):\n    return x"], {"ex-f"}),
        ([F, "h = lambda x: f(x)"], {"ex-f"}),
        ([F, "h = lambda f: f(1)"], set()),
        ([F, "class H:\n    def m(self):\n        return f(1)", "H()"], {"ex-f"}),
        ([F, "class H(f):\n    pass"], {"ex-f"}),
        # What is bound first in a cell, is not what was bound above.
        ([F, "with open(1) as f:\n    f.read()"], set()),
        ([F, "for f in range(3):\n    print(f)"], set()),
        ([F, "for x in f(1):\n    print(x)"], {"ex-f"}),
        ([F, "[f for f in range(3)]"], set()),
        ([F, "{a: f(a) for a in range(3)}"], {"ex-f"}),
        ([F, "[a for a in range(3) if f(a)]"], {"ex-f"}),
        ([F, "import f\nf.x"], set()),
        ([F, "from a import b as f\nf"], set()),
        ([F, "a, f = 1, 2\nf"], set()),
        ([F, "f = f(1)"], {"ex-f"}),
        ([F, "y = 1", "y += f(1)", "y"], {"ex-f"}),
        ([F, "y = f(1)", "y += 1"], {"ex-f"}),
        # Values that are changed in part.
        ([F, "d = {}", "d['a'] = f(1)", "d"], {"ex-f"}),
        ([F, "d = {}", "d.a[0].b = f(1)", "d"], {"ex-f"}),
        ([F, "d = {}", "d['a'] = 1", "d"], set()),
        ([F, "x.f\nh(f=1)"], set()),
    ],
)
def test_names_are_followed(cells, wanted):
    assert needed(*cells) == wanted


def test_all_that_an_answers_cell_binds_hangs_on_it():
    found = Page()
    found.answer("def mended():\n    pass\n\n\npatient = 'diagnosis', mended", "clinic-1")
    assert found.cell("mended()") == found.cell("print(patient)") == {"clinic-1"}


def test_demos_of_a_lesson_say_what_they_need():
    lesson = lessons.read(lessons.sources()["07_mnist"])
    for notebook in (lessons.blank(lesson), lessons.solved(lesson)):
        lines = [cell.source.splitlines()[0] for cell in notebook.cells]
        said = [line for line in lines if line.startswith("needs(")]
        assert said[0] == 'needs("mnist-train-step")'
        assert 'needs("mnist-train-step", "mnist-find-the-bug", "mnist-restore")' in said
