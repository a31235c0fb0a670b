"""Calling an answer on its cases, whatever the answer does, and noting what came back."""

from __future__ import annotations

import contextlib
import copy
import io
import linecache
import random
import signal
import sysconfig
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labsupport.vocabulary import (
    INPUTS,
    UNCHANGED,
    Case,
    Exercise,
    Observation,
    Odd,
    Trouble,
    Unusable,
)

MAX_NUMBERS = 1_000_000
MAX_TEXT = 400

_NOT_THE_STUDENTS = tuple(
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
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        for case in cases:
            left = deadline - time.monotonic()
            if left <= 0:
                seen[case.id] = Observation(trouble=_too_slow(exercise))
                continue
            np.random.seed(len(seen))
            random.seed(len(seen))
            seen[case.id] = _observe_case(exercise, answer, case, left)
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
    return seen


def _observe_case(exercise: Exercise, answer: Any, case: Case, seconds: float) -> Observation:
    inputs = copy.deepcopy(dict(case.inputs))
    sink, caught = _Sink(), []
    trouble, values = None, {}
    try:
        with (
            time_limit(seconds),
            contextlib.redirect_stdout(sink),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            found = exercise.probe(answer, inputs)
            values = {name: plain(value) for name, value in found.items()}
            values[INPUTS] = _changed(exercise, case.inputs, inputs)
    except KeyboardInterrupt:
        raise
    except TooSlow:
        trouble = _too_slow(exercise)
    except NotImplementedError:
        trouble = Trouble("not attempted")
    except Unusable as error:
        trouble = Trouble("unusable", str(error))
    except BaseException as error:  # whatever a student's code may raise
        trouble = _raised(error)
    return Observation({} if trouble else values, trouble, _note(sink, caught))


def _too_slow(exercise: Exercise) -> Trouble:
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


def _raised(error: BaseException) -> Trouble:
    """The error with the last line of the student's own code that it passed through."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = f"{type(error).__name__}: (its message cannot be shown)"
    frames = traceback.extract_tb(error.__traceback__, limit=-50)
    own = [f for f in frames if not f.filename.startswith(_NOT_THE_STUDENTS)]
    own = [f for f in own if not f.filename.startswith("<frozen")]
    line, number = "", 0
    if own:
        number = own[-1].lineno or 0
        line = linecache.getline(own[-1].filename, number).strip()[:MAX_TEXT]
    return Trouble("raised", " ".join(text.split())[:MAX_TEXT].rstrip(": "), line, number)


def _note(sink: _Sink, caught: Sequence[warnings.WarningMessage]) -> str:
    for warning in caught:
        if issubclass(warning.category, RuntimeWarning):
            return f"NumPy warned: {str(warning.message)[:MAX_TEXT]}."
    if sink.written:
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
    """Any value as a float64 array or a string; what is neither becomes an `Odd` sentence."""
    if isinstance(value, str):
        return Odd(value) if isinstance(value, Odd) else str(value)[:MAX_TEXT]
    if value is None:
        return Odd("None")
    if isinstance(value, (bool, int, float, np.generic)):
        return _numbers(value)
    if isinstance(value, (list, tuple)):
        if _count(value, MAX_NUMBERS) > MAX_NUMBERS:
            return Odd(f"a {type(value).__name__} of more than {MAX_NUMBERS:,} items")
        return _numbers(value)
    if isinstance(value, np.ndarray):
        return _numbers(value)
    if callable(getattr(value, "numpy", None)):  # an eager tensor
        with contextlib.suppress(Exception):
            return _numbers(value.numpy())
    name = type(value).__name__
    return Odd(f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}")


def _numbers(value: Any) -> np.ndarray | Odd:
    if isinstance(value, np.ndarray):
        if value.size > MAX_NUMBERS:
            return Odd(f"an array of {value.size:,} numbers, shape {value.shape}")
        if value.dtype.kind not in "biufO":
            return Odd(f"an array of type {value.dtype}")
    try:
        array = np.array(value, dtype=np.float64, copy=True, subok=False)
    except (ValueError, TypeError, OverflowError):
        if isinstance(value, (list, tuple)):
            return Odd("a list that is no rectangle of numbers")
        return Odd("something that does not turn into numbers")
    return array if array.size <= MAX_NUMBERS else Odd(f"an array of {array.size:,} numbers")


def _count(value: Sequence, limit: int) -> int:
    """Items of nested lists, counting no further than just past the limit (lists may be cyclic)."""
    total, stack = 0, [value]
    while stack and total <= limit:
        item = stack.pop()
        total += len(item)
        if total <= limit:
            stack.extend(inner for inner in item if isinstance(inner, (list, tuple)))
    return total


# ---------------------------------------------------------------- time


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow inside the block when the time is up, and again if it is swallowed."""
    on_main = threading.current_thread() is threading.main_thread()
    if on_main and hasattr(signal, "setitimer"):
        yield from _limit_by_signal(seconds)
    else:
        yield from _limit_by_thread(seconds)


def _limit_by_signal(seconds: float) -> Iterator[None]:
    def ring(_signum, _frame):
        raise TooSlow

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.05)
    try:
        yield
    finally:
        while True:  # a last ring may come while we put things back
            try:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, previous)
                break
            except TooSlow:
                continue


def _limit_by_thread(seconds: float) -> Iterator[None]:
    """For Windows, and for code that does not run on the main thread."""
    import ctypes

    target, over = threading.get_ident(), threading.Event()
    lock = threading.Lock()

    def watch():
        pause = seconds
        while not over.wait(pause):
            with lock:
                if not over.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(target), ctypes.py_object(TooSlow)
                    )
            pause = 0.05

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            over.set()
