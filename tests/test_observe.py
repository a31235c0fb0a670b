"""Observing answers that do anything at all: no traceback of ours, nothing left behind."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import sys
import threading
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest

from labsupport import observe as observe_module
from labsupport.judge import judge
from labsupport.observe import TooSlow, observe, plain, time_limit
from labsupport.vocabulary import (
    UNCHANGED,
    Case,
    Exercise,
    Key,
    Observation,
    Odd,
    Part,
    Trouble,
    Unusable,
)

HAS_ALARM = hasattr(signal, "setitimer")

CASES = [
    Case("one", "three numbers", {"x": np.array([1.0, 2.0, 4.0]), "n": 2}),
    Case("two", "a square", {"x": np.array([[1.0, 3.0], [5.0, 9.0]]), "n": 3}),
]
RIGHT = Key({c.id: Observation({"out": 2 * c.inputs["x"], "inputs": UNCHANGED}) for c in CASES})


def exercise(limit=5.0, may_change=()):
    return Exercise(
        id="toy",
        lesson="99_toys",
        title="Toy",
        answer="answer",
        parts=(Part("all", 1, "all of it", ("*",)),),
        cases=lambda rng: CASES,
        probe=lambda answer, inputs: {"out": answer(inputs["x"])},
        hints=(),
        limit=limit,
        may_change=may_change,
    )


def look(answer, limit=5.0, **options):
    """The first case's observation, after checking what holds for every observation."""
    toy = exercise(limit, **options)
    np.random.seed(3)
    np.random.randn()  # NumPy keeps a second number for the next call
    left_alone = [
        lambda: str(np.random.get_state(legacy=False)),
        random.getstate,
        lambda: (sys.stdout, sys.stderr, warnings.filters[:], warnings.showwarning, np.geterr()),
        lambda: signal.getsignal(signal.SIGALRM) if HAS_ALARM else None,
        lambda: signal.getitimer(signal.ITIMER_REAL) if HAS_ALARM else None,
    ]
    before = [state() for state in left_alone]
    seen = observe(toy, answer, CASES)
    for state in before, [state() for state in left_alone]:
        assert state == before
    assert list(seen) == [case.id for case in CASES]
    for observation in seen.values():
        for value in observation.values.values():
            assert type(value) in (str, Odd) or (
                type(value) is np.ndarray and value.dtype == np.float64 and value.size <= 1_000_000
            )
        assert not (observation.trouble and observation.values)
    verdict = judge(toy, CASES, RIGHT, seen)  # and the judge copes with it
    assert verdict.outcome == "right" or verdict.points == 0
    return seen["one"]


def out(answer, **options):
    observation = look(answer, **options)
    assert observation.trouble is None, observation.trouble
    return observation.values["out"]


def trouble(answer, **options):
    observation = look(answer, **options)
    assert observation.trouble is not None, observation.values
    return observation.trouble


def gives(value):
    return out(lambda x: value)


# ---------------------------------------------------------------- what comes back


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (3, ()),
        (2.5, ()),
        (True, ()),
        (np.float16(1.5), ()),
        (np.int8(3), ()),
        (np.bool_(True), ()),
        (np.array(7), ()),
        ([7], (1,)),
        ([1, 2.5, np.float32(3)], (3,)),
        ([[1, 2], (3, 4)], (2, 2)),
        ([np.ones(2), [0, 1]], (2, 2)),
        ([], (0,)),
        ([[], []], (2, 0)),
        (np.ones((2, 0, 3)), (2, 0, 3)),
        (np.array([1, 2.5, np.float32(3)], dtype=object), (3,)),
        (np.ones(3, np.float16), (3,)),
        (np.ones(3, ">f4"), (3,)),
        (np.arange(6).reshape(2, 3).T, (3, 2)),
        (np.array([True, False]), (2,)),
        (np.ma.array([1.0, 2.0], mask=[0, 0]), (2,)),
        (np.broadcast_to(1.0, (1000, 1000)), (1000, 1000)),
        (range(3), None),
    ],
)
def test_numbers(value, shape):
    found = gives(value)
    if shape is None:
        assert isinstance(found, Odd)
        return
    assert found.shape == shape
    np.testing.assert_array_equal(found, np.array(value, float))


def test_matrix_becomes_an_array():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = np.matrix("1 2; 3 4")
    assert type(gives(value)) is np.ndarray


cyclic = [1.0]
cyclic.append(cyclic)
deep = [1.0]
for _ in range(5000):
    deep = [deep]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "None"),
        ({}, "a dict"),
        ({1: 2}, "a dict"),
        ({1, 2}, "a set"),
        (object(), "an object"),
        ((i for i in range(3)), "a generator"),
        (len, "a builtin_function_or_method"),
        (np, "a module"),
        (int, "a type"),
        (b"1.5", "a bytes"),
        (1j, "a complex"),
        (np.complex64(1), "a complex64"),
        (np.datetime64("2020-01-01"), "a datetime64"),
        (np.bytes_(b"1.5"), "a bytes_"),
        (np.array("1.5"), "an array of strings"),
        (["1.5", "2"], "an array of strings"),
        ([1, "2"], "an array of strings"),
        ([b"1.5"], "an array of bytes"),
        (np.array(["1.5"], dtype=object), "an array that holds more than numbers"),
        ([None, 1.0], "a list that holds more than numbers"),
        ([{}, {}], "a list that holds more than numbers"),
        ((1, None), "a tuple that holds more than numbers"),
        ([1j], "an array of complex numbers"),
        (np.ones(2, complex), "an array of complex numbers"),
        (np.array(["2020-01-01"], "datetime64[D]"), "an array of dates"),
        (np.array([1], "timedelta64[D]"), "an array of time spans"),
        (np.zeros(2, [("a", float), ("b", int)]), "an array of records"),
        ([[1, 2], [3]], "a list that forms no array (its length is 2)"),
        ([[1, 2], 3], "a list that forms no array (its length is 2)"),
        (deep, "a list that forms no array (its length is 1)"),
        (cyclic, "a list of more than 1,000,000 items"),
        ([0.0] * 1_000_001, "a list of more than 1,000,000 items"),
        ([np.broadcast_to(0.0, (10**6, 10**6))], "a list of more than 1,000,000 items"),
        (10**400, "an int too large for a float"),
        ([10**400, 1], "a list too large for a float"),
        (np.broadcast_to(1.0, (10**6, 10**6)), "an array of 1,000,000,000,000 numbers"),
        (np.zeros(1_000_001), "an array of 1,000,001 numbers"),
    ],
)
def test_what_is_no_number_is_described(value, sentence):
    found = gives(value)
    assert isinstance(found, Odd) and found.startswith(sentence)


def test_numbers_too_large_for_a_float_become_infinite():
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        assert np.isinf(gives(np.longdouble("1e4000")))


@pytest.mark.parametrize("text", ["", "two", "1.5", "nan", "<b>", "\x00\ud800", "x" * 400])
def test_strings_stay_strings(text):
    found = gives(text)
    assert type(found) is str and found == text
    assert gives(np.str_(text)) == text


def test_long_strings_are_cut():
    assert len(gives("x" * 10**7)) == observe_module.MAX_TEXT


def test_an_odd_of_the_students_own_is_no_way_round():
    assert type(gives(Odd("x" * 10**6))) is Odd and len(gives(Odd("x" * 10**6))) <= 400


class Hostile:
    """Raises whatever it is asked."""

    def refuse(self, *_args, **_kwargs):
        raise ZeroDivisionError("hostile")

    __array__ = __float__ = __int__ = __index__ = __bool__ = __len__ = __iter__ = refuse
    __eq__ = __lt__ = __gt__ = __str__ = __repr__ = __format__ = __getitem__ = refuse
    __add__ = __radd__ = __mul__ = __hash__ = __array_ufunc__ = __array_function__ = refuse
    numpy = refuse


class NotQuiteFloat(float):
    __float__ = __array__ = Hostile.refuse


class NotQuiteInt(int):
    __float__ = __index__ = __int__ = __array__ = Hostile.refuse


class NotQuiteList(list):
    __len__ = __iter__ = __getitem__ = __array__ = Hostile.refuse


class NotQuiteString(str):
    def __getitem__(self, _key):
        return 5

    def __str__(self):
        return self

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


class NotQuiteArray(np.ndarray):
    """A subclass that says all is well, whatever is asked."""

    def agree(self, *_args, **_kwargs):
        return True

    __eq__ = __ne__ = __array__ = __array_ufunc__ = __array_function__ = __len__ = agree
    __float__ = __getitem__ = astype = copy = view = ravel = tolist = agree
    shape = size = dtype = ndim = flat = property(agree)
    __hash__ = None

    def __array_finalize__(self, _other):
        pass


class Shapeshifter:
    """Says that it is a float, an array, a list …"""

    def __init__(self, kind):
        self.kind = kind

    @property
    def __class__(self):
        if self.kind is None:
            raise ZeroDivisionError
        return self.kind


class Tensor:
    """Like an eager tensor, with anything inside."""

    def __init__(self, inside):
        self.inside = inside

    def numpy(self):
        return self.inside


class Nameless(type):
    __name__ = property(Hostile.refuse)


def objects(*items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


HOSTILE = {
    "refuses everything": Hostile(),
    "list of refusals": [Hostile(), Hostile()],
    "object array of refusals": objects(Hostile(), 1.0),
    "tensor of refusals": Tensor(Hostile()),
    "float": NotQuiteFloat(2.0),
    "list of floats": [NotQuiteFloat(2.0)],
    "int": NotQuiteInt(2),
    "list of ints": [NotQuiteInt(2)],
    "object array of ints": objects(NotQuiteInt(2), 1.0),
    "list": NotQuiteList([1.0, 2.0]),
    "array": np.arange(3.0).view(NotQuiteArray),
    "list of arrays": [np.arange(3.0).view(NotQuiteArray)],
    "masked": np.ma.array([2.0, 4.0, 8.0], mask=[0, 1, 0]),
    "masked number": np.ma.masked,
    "list of masked": [np.ma.masked],
    "nameless": Nameless("Hidden", (), {})(),
    "tensor of a huge array": Tensor(np.broadcast_to(1.0, (10**6, 10**6))),
    "tensor of a string": Tensor("1.5"),
    "tensor of itself": Tensor(Tensor(1)),
    "class without a class": Shapeshifter(None),
    "says it is a float": Shapeshifter(float),
    "says it is an array": Shapeshifter(np.ndarray),
    "says it is a list": Shapeshifter(list),
    "says it is a string": Shapeshifter(str),
    "says it is an Odd": Shapeshifter(Odd),
    "says it is a tuple": Shapeshifter(tuple),
}


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_values_do_no_harm(title):
    observation = look(lambda x: HOSTILE[title])
    assert observation.trouble or "out" in observation.values


def test_string_that_equals_everything_is_an_ordinary_string():
    found = gives(NotQuiteString("two"))
    assert type(found) is str and found == "two" and found != "three"


def test_array_that_agrees_to_everything_is_an_ordinary_array():
    np.testing.assert_array_equal(gives(np.arange(3.0).view(NotQuiteArray)), [0.0, 1.0, 2.0])


def test_value_is_kept_as_it_was_when_the_answer_returned():
    kept = np.zeros(3)

    def answer(x):
        kept[:] += 1
        return kept

    seen = observe(exercise(), answer, CASES)
    assert seen["one"].values["out"].tolist() == [1, 1, 1]
    assert seen["two"].values["out"].tolist() == [2, 2, 2]


def test_endless_value_is_cut_short():
    class Endless(list):
        def __len__(self):
            return 1

        def __iter__(self):
            while True:
                yield 1.0

    assert look(lambda x: Endless([1]), limit=0.2)


# ---------------------------------------------------------------- inputs


def test_changed_inputs_are_noted_unless_allowed():
    def answer(x):
        x *= 2
        return x

    assert look(answer).values["inputs"] == "x"
    assert look(answer, may_change=("x",)).values["inputs"] == UNCHANGED
    assert look(lambda x: 2 * x).values["inputs"] == UNCHANGED
    assert CASES[0].inputs["x"].tolist() == [1, 2, 4], "the case itself is never touched"


def test_reshaped_and_poisoned_inputs_are_noted():
    def reshape(x):
        x.resize((1, x.size), refcheck=False)
        return x

    def poison(x):
        x[:] = np.nan
        return x

    assert look(reshape).values["inputs"] == look(poison).values["inputs"] == "x"


# ---------------------------------------------------------------- what is raised


def raises(error):
    def answer(x):
        raise error

    return answer


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        SystemExit(1),
        SystemExit("bye"),
        GeneratorExit(),
        RecursionError(),
        MemoryError(),
        StopIteration(),
        BaseException("base"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        Warning("careful"),
        OSError(2, "No such file"),
    ],
)
def test_errors_become_trouble(error):
    found = trouble(raises(error))
    assert found.kind == "raised" and found.error == type(error).__name__
    assert found.line == "raise error"


def test_keyboard_interrupt_passes_through_and_everything_is_put_back():
    before = sys.stdout, np.random.get_state()[1].copy(), warnings.filters[:]
    with pytest.raises(KeyboardInterrupt):
        observe(exercise(), raises(KeyboardInterrupt()), CASES)
    assert sys.stdout is before[0] and warnings.filters == before[2]
    assert (np.random.get_state()[1] == before[1]).all()
    if HAS_ALARM:
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_not_implemented_is_not_attempted():
    assert trouble(raises(NotImplementedError())).kind == "raised", "its line does not say so"

    def blank(x):
        raise NotImplementedError("your answer goes here")

    assert trouble(blank) == Trouble("not attempted")

    def inner(x):
        return blank(x)

    assert trouble(inner) == Trouble("not attempted")


def test_not_implemented_in_a_cell_without_source_is_not_attempted():
    names = {}
    exec("def answer(x):\n    raise NotImplementedError", names)
    assert trouble(names["answer"]) == Trouble("not attempted")


def test_a_library_may_mean_something_else_by_not_implemented():
    """TensorFlow raises it when a symbolic tensor meets NumPy: that is an attempt, and an error."""
    names = {}
    exec(compile("raise NotImplementedError('symbolic')", os.__file__, "exec"), {}, {}) if 0 else 0
    code = compile("def f():\n raise NotImplementedError('symbolic')", os.__file__, "exec")
    exec(code, names)
    found = trouble(lambda x: names["f"]())
    assert (found.kind, found.text) == ("raised", "NotImplementedError: symbolic")


def test_recursion_without_end():
    def answer(x):
        return answer(x)

    found = trouble(answer)
    assert found.error == "RecursionError" and found.line == "return answer(x)"


def test_memory_that_is_not_there():
    assert trouble(lambda x: np.ones((10**6, 10**6, 10**3))).error in {
        "MemoryError",
        "_ArrayMemoryError",
        "ValueError",
    }


class BadText(Exception):
    def __init__(self, behaviour):
        super().__init__()
        self.behaviour = behaviour

    def __str__(self):
        return self.behaviour()


def loop():
    while True:
        pass


def exit_now():
    raise SystemExit


@pytest.mark.parametrize("behaviour", [loop, exit_now, lambda: 5, lambda: NotQuiteString("x")])
def test_error_whose_text_is_hostile(behaviour):
    found = trouble(raises(BadText(behaviour)))
    assert found.kind == "raised" and found.error == "BadText"


def test_error_with_a_long_or_strange_text():
    assert len(trouble(raises(ValueError("x" * 10**7))).text) <= 400
    assert trouble(raises(ValueError("two\n\tlines"))).text == "ValueError: two lines"
    assert trouble(raises(ValueError())).text == "ValueError"
    found = trouble(raises(ValueError("<script>alert(1)</script>")))
    assert found.text == "ValueError: <script>alert(1)</script>", "cards escape; observers do not"


def test_error_of_a_class_that_hides_its_name_or_its_traceback():
    class Hidden(Exception, metaclass=Nameless):
        __traceback__ = property(Hostile.refuse)

    assert trouble(raises(Hidden("x"))).text == "Hidden: x"


def test_unusable_is_a_sentence_for_the_student():
    assert trouble(raises(Unusable("It should be a pair."))) == Trouble(
        "unusable", "It should be a pair."
    )


def test_line_is_the_last_of_the_students_own():
    def helper(x):
        return np.concatenate([x, None])  # the line wanted

    found = trouble(lambda x: helper(x))
    assert found.line == "return np.concatenate([x, None])  # the line wanted"
    assert found.line_number == helper.__code__.co_firstlineno + 1


def test_line_may_be_missing():
    names = {}
    exec("def answer(x):\n    return 1 / 0", names)
    answer = names["answer"]
    for filename in ("<cell>", "no/such/file", "a\0b", ""):
        answer.__code__ = answer.__code__.replace(co_filename=filename)
        assert trouble(answer).text == "ZeroDivisionError: division by zero"
        assert trouble(answer).line == ""
    assert trouble(None).text.startswith("TypeError")


@pytest.mark.parametrize(
    "answer",
    [
        type("Answer", (), {"__init__": lambda self, x: None}),
        lambda x: 2 * x,
        np.sqrt,
        np.vectorize(lambda x: x),
        len,
        functools.partial(np.multiply, 2),
        staticmethod(lambda x: x),
        int,
    ],
)
def test_anything_that_can_be_called_is_called(answer):
    look(answer)


@pytest.mark.parametrize("answer", [None, 3, "text", np.ones(2), {}, NotImplemented, ...])
def test_what_cannot_be_called_is_trouble(answer):
    assert trouble(answer).kind == "raised"


# ---------------------------------------------------------------- time


def plain_loop(x):
    while True:
        x = x + 0


def loop_catching_exceptions(x):
    while True:
        try:
            while True:
                x = x + 0
        except Exception:
            continue


def loop_catching_everything(x):
    while True:
        try:
            while True:
                x = x + 0
        except:  # noqa: E722
            pass


def loops_catching_everything(x):
    def inner():
        try:
            while True:
                sum(range(50))
        except:  # noqa: E722
            return

    while True:
        try:
            inner()
        except BaseException:
            continue


def loop_in_a_finally(x):
    try:
        return x
    finally:
        while True:
            x = x + 0


def loop_in_a_generator(x):
    def count():
        while True:
            yield 1

    return sum(count())


def loop_in_a_comparison(x):
    class Forever:
        def __lt__(self, other):
            while True:
                pass

    return sorted([Forever(), Forever()])


ENDLESS = [
    plain_loop,
    loop_catching_exceptions,
    loop_catching_everything,
    loops_catching_everything,
    loop_in_a_finally,
    loop_in_a_generator,
    loop_in_a_comparison,
]


@pytest.mark.parametrize("answer", ENDLESS)
def test_endless_loops_are_stopped(answer):
    started = time.monotonic()
    found = trouble(answer, limit=0.1)
    assert found.kind == "slow" and found.text.startswith("Stopped after 0.1 seconds")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("answer", [f for f in ENDLESS if "everything" not in f.__name__])
def test_endless_loops_are_stopped_off_the_main_thread(answer):
    """The form used on Windows too."""
    seen, threads = {}, threading.active_count()
    started = time.monotonic()

    def work():
        seen.update(observe(exercise(0.1), answer, CASES))
        for _ in range(20_000):
            pass  # a stray TooSlow would come here
        seen["finished"] = True

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(60)
    assert seen["finished"] and seen["one"].trouble.kind == "slow"
    assert time.monotonic() - started < 60
    while threading.active_count() > threads and time.monotonic() - started < 60:
        time.sleep(0.01)
    assert threading.active_count() == threads, "the watcher has gone"


def test_windows_has_no_alarm(monkeypatch):
    """Without `setitimer`, the main thread is watched by another."""
    monkeypatch.delattr(signal, "setitimer", raising=False)
    assert observe(exercise(0.1), plain_loop, CASES)["one"].trouble.kind == "slow"


def test_time_is_shared_by_all_cases():
    """The first case takes it all; the second is not even called."""
    called = []

    def answer(x):
        called.append(1)
        plain_loop(x)

    seen = observe(exercise(0.1), answer, CASES)
    assert [o.trouble.kind for o in seen.values()] == ["slow", "slow"] and len(called) == 1


FORMS = [observe_module._Alarm] * HAS_ALARM + [observe_module._Watcher]


@pytest.mark.parametrize("form", FORMS)
def test_time_limit_rings_only_inside(form):
    """Many blocks that end just when the time is up: TooSlow comes inside one, or not at all."""

    def block(seconds):
        with form(seconds):
            for _ in range(300):
                sum(range(10))

    for i in range(200):
        with contextlib.suppress(TooSlow):
            block(i * 2e-6)
    deadline = time.monotonic() + 3 * observe_module.PAUSE
    while time.monotonic() < deadline:
        pass  # a stray TooSlow would come here


@pytest.mark.parametrize("form", FORMS)
def test_time_limits_may_be_nested(form):
    with pytest.raises(TooSlow), form(0.2):
        with pytest.raises(TooSlow), form(0.02):
            loop()
        loop()


@pytest.mark.parametrize("form", FORMS)
def test_errors_pass_through_a_time_limit(form):
    with pytest.raises(ZeroDivisionError), form(5):
        1 / 0  # noqa: B018


@pytest.mark.skipif(not HAS_ALARM, reason="there is no alarm on this system")
def test_a_timer_of_the_page_goes_on_afterwards():
    rung = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: rung.set())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        look_only = observe(exercise(), lambda x: 2 * x, CASES)
        assert look_only["one"].trouble is None
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.15
        assert rung.wait(5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not HAS_ALARM, reason="there is no alarm on this system")
def test_a_handler_that_was_not_set_from_python_does_no_harm(monkeypatch):
    """`signal.signal` returns None for those, and does not take None back."""
    real = signal.signal
    monkeypatch.setattr(signal, "signal", lambda n, h: (real(n, h), None)[1])
    with time_limit(5):
        pass
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


@pytest.mark.skipif(not HAS_ALARM, reason="there is no alarm on this system")
def test_answer_that_sets_an_alarm_of_its_own():
    def answer(x):
        signal.signal(signal.SIGALRM, lambda *_: 1 / 0)
        signal.setitimer(signal.ITIMER_REAL, 100)
        return 2 * x

    assert look(answer).trouble is None


# ---------------------------------------------------------------- side effects


def test_print_reaches_neither_the_page_nor_memory(capsys):
    def answer(x):
        for _ in range(100):
            print("x" * 10**6)
            print("y" * 10**4, file=sys.stderr)
        return 2 * x

    observation = look(answer)
    assert "printed something" in observation.note and observation.trouble is None
    assert capsys.readouterr() == ("", "")


def test_closed_and_replaced_output():
    def close(x):
        sys.stdout.close()
        sys.stderr.close()
        print("still here")
        return 2 * x

    def replace_it(x):
        sys.stdout = sys.stderr = None
        return 2 * x

    assert look(close).trouble is None and look(replace_it).trouble is None


def test_random_numbers_are_the_same_at_every_check_and_untouched_after():
    first = out(lambda x: np.random.rand(3) + random.random())
    np.random.seed(5)
    np.testing.assert_array_equal(first, out(lambda x: np.random.rand(3) + random.random()))

    def reseed(x):
        np.random.seed(1)
        random.seed(1)
        return 2 * x

    look(reseed)  # `look` compares the states


def test_another_bit_generator_does_no_harm():
    def answer(x):
        np.random.set_bit_generator(np.random.PCG64(1))
        return 2 * x + np.random.rand()

    first = out(answer)
    own = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.SFC64(1))
    try:
        np.testing.assert_array_equal(out(answer), first)
        assert isinstance(np.random.get_bit_generator(), np.random.SFC64)
    finally:
        np.random.set_bit_generator(own)


def test_settings_of_numpy_and_warnings_are_put_back():
    def answer(x):
        np.seterr(all="raise")
        warnings.simplefilter("error")
        warnings.showwarning = None
        return 2 * x

    look(answer)  # `look` compares the settings


def test_settings_of_the_page_do_not_change_an_observation():
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        observation = look(lambda x: x / 0)
    assert observation.trouble is None
    assert observation.note == "NumPy warned: divide by zero encountered in divide."


def test_flood_of_warnings():
    def answer(x):
        for _ in range(10**5):
            warnings.warn("again", RuntimeWarning, stacklevel=1)
        return 2 * x

    assert look(answer, limit=20).note == "NumPy warned: again."


def test_warning_whose_text_is_hostile():
    class Hidden(RuntimeWarning):
        asked = 0

        def __str__(self):
            self.asked += 1  # Python itself asks once
            return "shown" if self.asked == 1 else exit_now()

    def answer(x):
        warnings.warn(Hidden(), stacklevel=1)
        return 2 * x

    assert "cannot be shown" in look(answer).note


def test_change_of_folder_threads_and_signals(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    stop = threading.Event()
    interrupt = signal.getsignal(signal.SIGINT)

    def answer(x):
        if gone.exists():
            os.chdir(gone)
            gone.rmdir()
        threading.Thread(target=stop.wait, daemon=True).start()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return 2 * x

    try:
        assert look(answer).trouble is None
    finally:
        stop.set()
        signal.signal(signal.SIGINT, interrupt)


def test_eager_tensors_are_arrays():
    np.testing.assert_array_equal(plain(Tensor(np.arange(3, dtype=np.float32))), [0, 1, 2])
    assert isinstance(plain(Tensor("1.5")), Odd)


def test_a_probe_that_returns_nothing_is_our_own_mistake_but_no_traceback():
    toy = replace(exercise(), probe=lambda answer, inputs: None)
    assert observe(toy, None, CASES)["one"].trouble.kind == "raised"
