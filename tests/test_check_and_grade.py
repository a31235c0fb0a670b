"""What `check` calls right gets all points when graded, and what it calls wrong does not.

Answers as people write them, each tried both ways.
"""

from __future__ import annotations

import numpy as np
import pytest
from grading_tools import LIMITS, graded, open_box, parts, points, told

from labsupport import exercises, keys
from labsupport.grading import program
from labsupport.grading.stacks import kind_of
from labsupport.judge import judge
from labsupport.observe import observe


@pytest.fixture(scope="module")
def boxes():
    """A sandbox for each kind of lesson, made when it is wanted first."""
    opened = {}

    def box(lesson):
        kind = kind_of(lesson)
        if kind not in opened:
            opened[kind] = open_box(lesson)
            opened[kind].__enter__()
        return opened[kind]

    yield box
    for one in opened.values():
        one.__exit__(None, None, None)


def by_check(exercise, source):
    """Points of the answer in this process, with the lesson's setup; None if a cell fails."""
    names = {"__name__": "__main__"}
    for cell in program.solved(exercise.lesson).cells:
        if cell.kind == "setup":
            exec(compile(cell.source, "<setup>", "exec", dont_inherit=True), names)
    try:
        exec(compile(source, "<answer>", "exec", dont_inherit=True), names)
    except Exception:
        return None
    cases = exercise.visible_cases()
    seen = observe(exercise, names[exercise.answer], cases)
    return judge(exercise, cases, keys.load(exercise.id), seen).points


DENSE = """\
def batch_norm_dense(x, gamma, beta, eps):
    mu, var = STATISTICS
    return gamma * (x - mu) / np.sqrt(var + eps) + beta
"""
SLOPES = """\
def numerical_gradient(f, x, h):
    g = np.zeros(x.shape)
    for i in np.ndindex(*x.shape):
        old = x[i]
        x[i] = old + h
        a = f(x)
        x[i] = old - h
        b = f(x)
        x[i] = old
        g[i] = (a - b) / (2 * h)
    return g
"""
ADDED = """\
def batch_norm_train(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, list(range(len(x.shape) - 1)))

    @tf.function
    def norm(a, m, v, g, b):
        return (a - m) / tf.sqrt(v + eps) * g + b

    def moved(old, new):
        return tf.assign(old, momentum * old + (1 - momentum) * new)

    return norm(x, mu, var, gamma, beta), [moved(pop_mean, mu), moved(pop_var, var)]
"""
NUMBERED = """\
def batch_norm_in_place(x, training, momentum, eps):
    @tf.function
    def note(value):
        return value + 1

    tf.add_to_collection("my layers", "bn")
    name = f"bn_{len(tf.get_collection('my layers'))}"
    layer = tf.layers.BatchNormalization(momentum=momentum, epsilon=eps, name=name)
    y = layer(x, training=training)
    with tf.control_dependencies([*layer.updates, note(layer.moving_mean)]):
        return tf.identity(y)
"""
MOVED = """\
def moved(session, fetch, variable):
    before = session.run(variable)
    session.run(fetch)
    after = session.run(variable)
    END
    return after - before
"""

RIGHT = {
    "gradients of a function": ("tf-bn-train", ADDED),
    "functions, and objects in a collection": ("uo-in-place", NUMBERED),
    "annotations that are looked at": (
        "bn-dense",
        "import dataclasses\n@dataclasses.dataclass\nclass Some:\n    axis: int = 0\n"
        "    def __post_init__(self):\n"
        "        self.axis = dataclasses.fields(self)[0].type(self.axis)\n"
        + DENSE.replace("STATISTICS", "x.mean(axis=Some().axis), x.var(axis=Some().axis)"),
    ),
    "a dictionary of another kind": (
        "do-which",
        "from collections import defaultdict\ndiagnosis = defaultdict(lambda: 'none', ANSWER)\n",
    ),
    "words of NumPy's": (
        "do-which",
        "diagnosis = {np.str_(name): np.array([word])[0] for name, word in ANSWER.items()}\n",
    ),
    "the values as lists": (
        "do-noise-shape",
        "def spatial_dropout(x, drop_prob):\n    m, _, _, channels = x.shape\n"
        "    mask = np.random.rand(m, 1, 1, channels) >= drop_prob\n"
        "    return (x * mask / max(1 - drop_prob, 1e-9)).tolist()\n",
    ),
    "threads": (
        "grad-check",
        "from concurrent.futures import ThreadPoolExecutor\n"
        + SLOPES.replace("    g = np", "    x = np.array(x, dtype=float)\n    g = np").replace(
            "        a = f(x)\n        x[i] = old - h\n        b = f(x)\n",
            "        up = x.copy()\n        x[i] = old - h\n"
            "        with ThreadPoolExecutor(2) as pool:\n"
            "            a, b = pool.map(f, [up, x.copy()])\n",
        ),
    ),
    "a copy of the function": (
        "grad-check",
        "import copy\n"
        + SLOPES.replace(
            "    g = np", "    x, f = np.array(x, dtype=float), copy.deepcopy(f)\n    g = np"
        ),
    ),
}
WRONG = {
    "a session that is closed": ("cd-watch", MOVED.replace("END", "session.close()")),
    "a session that is entered": (
        "cd-watch",
        MOVED.replace("END", "with session:\n        pass"),
    ),
    "a copy that ravel makes": (
        "grad-check",
        "def numerical_gradient(f, x, h):\n    x = x.astype(float)\n    flat = x.ravel()\n"
        "    g = np.zeros(flat.size)\n    for i in range(flat.size):\n        old = flat[i]\n"
        "        flat[i] = old + h\n        a = f(x)\n        flat[i] = old - h\n        b = f(x)\n"
        "        flat[i] = old\n        g[i] = (a - b) / (2 * h)\n    return g.reshape(x.shape)\n",
    ),
    "a shape set in place": (
        "bn-dense",
        DENSE.replace("    mu, var", "    gamma.shape = beta.shape = (1, -1)\n    mu, var").replace(
            "STATISTICS", "x.mean(axis=0), x.var(axis=0)"
        ),
    ),
    "annotations that are missing": (
        "bn-dense",
        DENSE.replace("(x,", "(x: List,").replace("STATISTICS", "x.mean(axis=0), x.var(axis=0)"),
    ),
}


def source_of(name, source):
    """The answer, with what the solved lesson says in place of SOLVED and ANSWER."""
    exercise = exercises.find(name)
    cells = program.solved(exercise.lesson).cells
    solved = next(c.source for c in cells if c.name == name and c.kind == "answer")
    if "ANSWER" in source:
        names = {"np": np}
        exec(solved, names)
        source = source.replace("ANSWER", repr(dict(names[exercise.answer])))
    return exercise, source.replace("SOLVED", solved)


@pytest.mark.parametrize("what", RIGHT)
def test_right_in_both(boxes, what):
    exercise, source = source_of(*RIGHT[what])
    assert by_check(exercise, source) == exercise.points
    result = graded(boxes(exercise.lesson), exercise.lesson, source, limits=LIMITS)
    assert points(result, exercise.id) == exercise.points, told(result)


@pytest.mark.parametrize("what", WRONG)
def test_wrong_in_both(boxes, what):
    exercise, source = source_of(*WRONG[what])
    result = graded(boxes(exercise.lesson), exercise.lesson, source, limits=LIMITS)
    assert (by_check(exercise, source) or 0) == points(result, exercise.id) < exercise.points


SETTINGS = """\
SOLVED
_whole = to_keras

def to_keras(layer, settings):
    found = _whole(layer, dict(settings))
    CLEAR
    return found
"""


@pytest.mark.parametrize("clear", [False, True])
def test_settings_taken_out_are_missed(boxes, clear):
    """As under `check`; whose Keras has no place beside TensorFlow 1 in this process."""
    source = SETTINGS.replace("CLEAR", "settings.clear()" if clear else "pass")
    exercise, source = source_of("k-convert", source)
    result = graded(boxes(exercise.lesson), exercise.lesson, source, limits=LIMITS)
    assert (points(result, exercise.id) < exercise.points) == clear, told(result)


# ---------------------------------------------------------------- cells, one after another

FIRST = "AXES = 0\n" + DENSE.replace("STATISTICS", "x.mean(AXES), x.var(AXES)")
LATER = "AXES = (0, 1, 2)\ndef batch_norm_channels_last(x, gamma, beta, eps):\n    return x\n"


@pytest.mark.parametrize("later", [LATER, "del AXES\n"])
def test_an_answer_counts_as_it_was_when_it_was_checked(boxes, later):
    """A later cell gives a name anew that the answer uses, or deletes it."""
    dense = exercises.find("bn-dense")
    result = graded(boxes(dense.lesson), dense.lesson, FIRST, later)
    assert points(result, "bn-dense") == dense.points
    assert any("bn-dense" in event and "`AXES`" in event for event in result.events)
    result = graded(boxes(dense.lesson), dense.lesson, FIRST.replace("AXES = 0", "AXES = 1"), later)
    assert points(result, "bn-dense") == 0


def test_two_answers_of_one_cell_count_as_they_were(boxes):
    """Both are tried up to the same cell, and both are given words."""
    dense = exercises.find("bn-dense")
    dense_too = FIRST.replace("+ eps", "+ 3 * eps")
    conv = (
        "def batch_norm_conv(x, gamma, beta, eps):\n    x = np.moveaxis(x, 1, -1)\n"
        "    flat = x.reshape(-1, x.shape[-1])\n"
        "    y = batch_norm_dense(flat, gamma, beta, eps).reshape(x.shape)\n"
        "    return np.moveaxis(y, -1, 1)\n"
    )
    found = graded(boxes(dense.lesson), dense.lesson, dense_too + conv, "AXES = 'no axis'")
    assert sum("`AXES`" in event for event in found.events) == 2
    for name in ("bn-dense", "bn-conv"):
        assert any(p.outcome == "wrong" and p.message for p in parts(found, name)), told(found)


@pytest.mark.parametrize("magic", ["%%writefile own.py", "%%time", "%%timeit -n1", "%time"])
def test_cells_with_magics(boxes, magic):
    """`%%timeit` keeps its names for itself; a module that a cell writes can be imported."""
    answer = "import numpy as np\n" + DENSE.replace("STATISTICS", "x.mean(0), x.var(0)")
    cells = [f"{magic}\n{answer}", "from own import batch_norm_dense" if "own" in magic else ""]
    if magic == "%time":
        cells = [answer.replace("def batch_norm_dense", "def own"), "batch_norm_dense = %time own"]
    dense = exercises.find("bn-dense")
    found = graded(boxes(dense.lesson), dense.lesson, *filter(None, cells))
    assert points(found, "bn-dense") == (0 if "timeit" in magic else dense.points), told(found)


def test_a_cell_may_await_as_in_a_notebook(boxes):
    cell = "import asyncio\nasync def later(v):\n    await asyncio.sleep(0.01)\n    return v\n"
    cell += "axis = await later(0)\n" + DENSE.replace("STATISTICS", "x.mean(axis), x.var(axis)")
    dense = exercises.find("bn-dense")
    found = graded(boxes(dense.lesson), dense.lesson, cell, "await later(1)")
    assert points(found, "bn-dense") == dense.points and not found.events, told(found)


def test_how_far_an_answer_stood():
    cells = ["def helper(): pass", "def answer(): return helper()", "y = 1", "helper = 2", "z = 3"]
    whole = program.Program("", tuple(program.ProgramCell("", c, "added") for c in cells))
    cut, name = program.as_it_stood(whole, "answer")
    assert (len(cut.cells), name) == (2, "helper")
    assert program.as_it_stood(whole, "y") == (whole, "")
    assert program.as_it_stood(whole, "nothing") == (whole, "")
