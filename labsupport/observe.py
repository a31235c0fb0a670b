"""Calling an answer on its cases, whatever the answer does, and noting what came back."""

from __future__ import annotations

import contextlib
import copy
import io
import linecache
import random
import signal
import sys
import sysconfig
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from labsupport.vocabulary import (
    INPUTS,
    UNCHANGED,
    Case,
    Elsewhere,
    Exercise,
    Observation,
    Odd,
    Trouble,
    Unusable,
)

MAX_NUMBERS = 1_000_000
MAX_TEXT = 400

#: What an array of objects may hold to count as numbers.
_REAL = (bool, int, float, np.bool_, np.integer, np.floating)

#: Kinds of arrays that are no real numbers, by NumPy's letter.
_OTHER = {
    "c": "an array of complex numbers",
    "U": "an array of strings",
    "S": "an array of bytes",
    "M": "an array of dates",
    "m": "an array of time spans",
    "V": "an array of records",
}

NOT_THE_STUDENTS = tuple(
    str(Path(p)) for p in (Path(__file__).parent, *map(sysconfig.get_path, ("stdlib", "purelib")))
)


class TooSlow(BaseException):
    """Time is up. A BaseException, so that a student's `except Exception` does not catch it."""


def observe(exercise: Exercise, answer: Any, cases: Sequence[Case]) -> dict[str, Observation]:
    """Call an answer on every case.

    Never raises because of the answer: an error, an endless loop or a strange value becomes part
    of the observation. Random state, warnings and printed text are kept from leaking out.
    KeyboardInterrupt passes through.
    """
    seen: dict[str, Observation] = {}
    deadline = time.monotonic() + exercise.limit
    for number, case in enumerate(cases):
        seen[case.id] = observe_case(exercise, answer, case, number, deadline - time.monotonic())
    return seen


def observe_case(
    exercise: Exercise, answer: Any, case: Case, number: int, seconds: float
) -> Observation:
    """What `observe` does for one case. number: its place among the cases, from 0."""
    if seconds <= 0:
        return Observation(trouble=too_slow(exercise))
    with seeded(number):
        return _observe_case(exercise, answer, case, seconds)


@contextlib.contextmanager
def seeded(number: int) -> Iterator[None]:
    """Within the block, random numbers as they come for the case of this number."""
    generator, numpy_state = np.random.get_bit_generator(), np.random.get_state(legacy=False)
    python_state = random.getstate()
    try:
        np.random.set_bit_generator(np.random.MT19937())
        np.random.seed(number)
        random.seed(number)
        yield
    finally:
        np.random.set_bit_generator(generator)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _observe_case(exercise: Exercise, answer: Any, case: Case, seconds: float) -> Observation:
    inputs = copy.deepcopy(dict(case.inputs))
    trouble, values, heard = None, {}, Heard()
    try:
        # The time limit is the innermost: nothing of ours is left undone when it rings.
        with heard, time_limit(seconds):
            found = exercise.probe(answer, inputs)
            values = {name: plain(value) for name, value in found.items()}
            values[INPUTS] = _changed(exercise, case.inputs, inputs)
    except KeyboardInterrupt:
        raise
    except TooSlow:
        trouble = too_slow(exercise)
    except Elsewhere as error:
        trouble = error.trouble
    except BaseException as error:  # whatever a student's code may raise
        trouble = trouble_of(error, exercise.answer)
    return Observation({} if trouble else values, trouble, heard.note)


def trouble_of(error: BaseException, answer: str) -> Trouble:
    """What is noted of an error that an answer raised. answer: the name that was asked for."""
    if issubclass(type(error), Unusable):
        return Trouble("unusable", _text_of(error))
    return _raised(error, answer)


def too_slow(exercise: Exercise) -> Trouble:
    text = f"Stopped after {exercise.limit:g} seconds. Is there a loop that never ends?"
    return Trouble("slow", text)


def _changed(exercise: Exercise, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    names = [
        name
        for name, value in before.items()
        if name not in exercise.may_change
        and isinstance(value, np.ndarray)
        and not np.array_equal(value, after[name], equal_nan=value.dtype.kind == "f")
    ]
    return " and ".join(names) or UNCHANGED


# ---------------------------------------------------------------- what was raised


def _raised(error: BaseException, answer: str) -> Trouble:
    """The error with the last line of the student's own code that it passed through.

    answer: the name that the exercise asks for.
    """
    text = f"{_type_name(error)}: {_text_of(error)}"
    try:
        frames = traceback.extract_tb(error.__traceback__, limit=-50)
    except Exception:  # code from a file that has no sensible name
        frames = []
    own = [f for f in frames if not f.filename.startswith((*NOT_THE_STUDENTS, "<frozen"))]
    line, number = "", 0
    if own:
        number = own[-1].lineno or 0
        line = linecache.getline(own[-1].filename, number).strip()[:MAX_TEXT]
    # TensorFlow and others raise NotImplementedError too, and mean something else by it.
    own_raise = own[-1:] == frames[-1:] and (not line or "NotImplementedError" in line)
    if isinstance(error, NotImplementedError) and own_raise:
        if answer in [frame.name for frame in own[:-1]] and own[-1].name != answer:
            text = f"Your code calls `{own[-1].name}`, which still has its `raise`."
            return Trouble("unusable", f"{text} Answer that one first, or do without it.")
        return Trouble("not attempted")
    return Trouble("raised", " ".join(text.split())[:MAX_TEXT].rstrip(": "), line, number)


def _text_of(message: Any) -> str:
    """What an error or a warning says. Its `__str__` may be the student's too."""
    try:
        with time_limit(1):
            return str.__getitem__(str(message), slice(MAX_TEXT))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return "(its message cannot be shown)"


class Heard:
    """What code in a `with` block prints and warns about.

    No generator: contextlib would touch an error that passes through, and that may be hostile.
    """

    def __init__(self):
        self.sink, self.caught = _Sink(), []

    def __enter__(self) -> Heard:
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(contextlib.redirect_stdout(self.sink))
        self.stack.enter_context(contextlib.redirect_stderr(self.sink))
        self.caught = self.stack.enter_context(warnings.catch_warnings(record=True))
        # As NumPy has it, whatever the page set.
        self.stack.enter_context(np.errstate(all="warn", under="ignore"))
        warnings.simplefilter("default")
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self.stack.__exit__(*error)

    @property
    def note(self) -> str:
        """A sentence for the student, "" if there was nothing."""
        for warning in self.caught:
            if issubclass(warning.category, RuntimeWarning):
                return f"NumPy warned: {_text_of(warning.message)}."
        if self.sink.written:
            return "Your code printed something while it was checked; call it yourself to see it."
        return ""


class _Sink(io.TextIOBase):
    """Swallows text, so that a hundred megabytes of it reach neither the page nor memory."""

    written = 0

    def write(self, text: str) -> int:
        self.written += len(text)
        return len(text)


# ---------------------------------------------------------------- plain values


def plain(value: Any) -> np.ndarray | str:
    """Any value as a float64 array or a string; what is neither becomes an `Odd` sentence.

    Values may be hostile. Their own methods are called as little as possible, and what those
    return is looked at again; an error that they raise passes through.
    """
    if isinstance(value, str):
        text = str.__getitem__(value, slice(MAX_TEXT))
        return Odd(text) if type(value) is Odd else text
    if value is None:
        return Odd("None")
    if isinstance(value, (bool, int, float, np.generic, np.ndarray, list, tuple)):
        return _numbers(value)
    if callable(getattr(value, "numpy", None)):  # an eager tensor
        with contextlib.suppress(Exception):
            return _numbers(value.numpy())
    return Odd(_a(_type_name(value)))


def _numbers(value: Any) -> np.ndarray | Odd:
    kind = "array" if isinstance(value, np.ndarray) else _type_name(value)
    if isinstance(value, (list, tuple)):
        if _count(value, MAX_NUMBERS) > MAX_NUMBERS:
            return Odd(f"{_a(kind)} of more than {MAX_NUMBERS:,} items")
        try:
            array = np.array(value, subok=False)
        except (ValueError, TypeError, OverflowError):
            return Odd(f"{_a(kind)} that forms no array (its length is {len(value)})")
    elif isinstance(value, np.ndarray):
        array = np.ndarray.view(value, np.ndarray)  # not what a subclass says of itself
    elif isinstance(value, _REAL):
        array = np.array(value)
    else:
        return Odd(_a(kind))
    if array.size > MAX_NUMBERS:
        return Odd(f"an array of {array.size:,} numbers, too large to check")
    if array.dtype.kind in _OTHER:
        return Odd(_OTHER[array.dtype.kind])
    if array.dtype.kind == "O" and not all(isinstance(item, _REAL) for item in array.flat):
        return Odd(f"{_a(kind)} that holds more than numbers")
    try:
        with np.errstate(over="ignore"):
            return array.astype(np.float64)
    except OverflowError:
        return Odd(f"{_a(kind)} too large for a float")


def _count(value: Sequence, limit: int) -> int:
    """Items of nested lists, counting no further than just past the limit (lists may be cyclic)."""
    total, stack = 0, [value]
    while stack and total <= limit:
        item = stack.pop()
        if isinstance(item, np.ndarray):
            total += item.size
            continue
        total += len(item)
        if total <= limit:
            stack.extend(inner for inner in item if isinstance(inner, (list, tuple, np.ndarray)))
    return total


def _type_name(value: Any) -> str:
    return type.__dict__["__name__"].__get__(type(value))  # whatever its metaclass says


def _a(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


# ---------------------------------------------------------------- time


PAUSE = 0.05  # between two rings
PATIENCE = 3  # rings that may be swallowed before they come thick and fast


def time_limit(seconds: float) -> contextlib.AbstractContextManager:
    """Raise TooSlow inside the `with` block when the time is up, and again if it is swallowed.

    A timer that was set before goes on afterwards; it rings no earlier than the block's end.
    """
    on_main = threading.current_thread() is threading.main_thread()
    return (_Alarm if on_main and hasattr(signal, "setitimer") else _Watcher)(max(seconds, 1e-6))


class _Alarm:
    """A time limit by signal, for the main thread."""

    def __init__(self, seconds: float):
        self.seconds, self.rings = seconds, 0

    def __enter__(self) -> None:
        self.started = time.monotonic()
        self.handler = signal.signal(signal.SIGALRM, self.ring)
        self.timer = signal.setitimer(signal.ITIMER_REAL, self.seconds, PAUSE)

    def ring(self, _signum, frame) -> None:
        if frame.f_code in (_Alarm.__enter__.__code__, _Alarm.__exit__.__code__):
            return  # not yet in the block, or no longer
        self.rings += 1
        if self.rings > PATIENCE:
            # `except: pass` in a loop: ring again in the middle of that `except`, sooner or later.
            signal.setitimer(signal.ITIMER_REAL, 1e-6 * 2 ** (self.rings % 12), PAUSE)
        raise TooSlow

    def __exit__(self, *_error) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)  # before anything that a ring could interrupt
        signal.signal(signal.SIGALRM, self.handler or signal.SIG_DFL)
        left, interval = self.timer
        if left:
            left -= time.monotonic() - self.started
            signal.setitimer(signal.ITIMER_REAL, max(left, 1e-6), interval)


class _Watcher:
    """A time limit by a second thread: for Windows, and for code that is not on the main thread.

    It can interrupt neither one long call into C, such as `time.sleep`, nor a loop that catches
    everything with a bare `except`.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds

    def __enter__(self) -> None:
        self.watched, self.block = threading.get_ident(), sys._getframe(1)
        self.over, self.lock = threading.Event(), threading.Lock()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self) -> None:
        pause = self.seconds
        while not self.over.wait(pause):
            codes = self.codes_above_block()
            if codes is None:
                return
            with self.lock:
                if not self.over.is_set() and not codes & self.own_codes:
                    self.throw(TooSlow)
            pause = PAUSE

    def codes_above_block(self) -> set[CodeType] | None:
        """The code that runs inside the block now; None if the block's function has returned."""
        frame, codes = sys._current_frames().get(self.watched), set()
        while frame is not None and frame is not self.block:
            codes.add(frame.f_code)
            frame = frame.f_back
        return None if frame is None else codes

    def throw(self, error: type[BaseException] | None) -> None:
        """Have the watched thread raise an error soon; None takes back one not yet raised."""
        import ctypes

        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self.watched), ctypes.py_object(error) if error else None
        )

    def __exit__(self, *_error) -> None:
        while True:
            try:
                with self.lock:
                    self.over.set()
                self.throw(None)
                return
            except TooSlow:  # one that came while we were at it
                continue

    own_codes = {__enter__.__code__, __exit__.__code__}
