"""The exercises: one module per lesson, with probes, cases, hints and facts. No answers.

A lesson `NN_some_name` has its exercises in `exercises/some_name.py`, in a tuple `EXERCISES`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

from labsupport.vocabulary import Exercise, Verdict

#: The course, in order.
LESSONS = (
    "00_start_here",
    "01_batch_norm_by_hand",
    "02_moving_averages",
    "03_backpropagation",
    "04_control_dependencies",
    "05_batch_norm_from_tf_ops",
    "06_update_ops",
    "07_mnist",
    "08_dropout_by_hand",
    "09_dropout_regression",
    "10_today",
    "11_clinic",
)


class UnknownExercise(LookupError):
    """There is no exercise of this name; the message suggests the nearest one."""


def of_lesson(lesson: str) -> tuple[Exercise, ...]:
    """The exercises of a lesson, in the lesson's order."""
    return import_module(f"{__name__}.{lesson[3:]}").EXERCISES


def stack_of(lesson: str) -> str:
    """What the lesson's exercises run on: "tf1" or "tf2", as its module says in `STACK`.

    "tf1" unless said otherwise: NumPy, and TensorFlow through `labsupport.tf1`. "tf2" is
    `labsupport.tf2`. A process can hold one of the two, so answers to a "tf2" lesson are never
    run in a process that runs others.
    """
    return getattr(import_module(f"{__name__}.{lesson[3:]}"), "STACK", "tf1")


@lru_cache
def all_exercises() -> dict[str, Exercise]:
    """Every exercise of the course by id, in the course's order."""
    return {exercise.id: exercise for lesson in LESSONS for exercise in of_lesson(lesson)}


def find(exercise_id: str) -> Exercise:
    """The exercise with this id. Raises UnknownExercise, with the nearest id, if there is none."""
    known = all_exercises()
    if isinstance(exercise_id, str) and exercise_id in known:
        return known[exercise_id]
    near = difflib.get_close_matches(str(exercise_id), known, n=1, cutoff=0.4)
    advice = f'Did you mean "{near[0]}"?' if near else f"There are: {', '.join(known)}."
    raise UnknownExercise(f'There is no exercise "{str(exercise_id)[:60]}". {advice}')


def called(exercise: Exercise, names: Collection[str]) -> list[Exercise]:
    """The other exercises of the lesson whose answers are among the names that an answer uses."""
    own = of_lesson(exercise.lesson)
    return [e for e in own if e.answer in names and e.answer != exercise.answer]


def begin_with(others: Iterable[Exercise], verdicts: Mapping[str, Verdict]) -> str:
    """What to say of a wrong answer that calls these, if any of them is wrong; else "".

    verdicts: by exercise. Of those without an answer the error that they raise speaks.
    """
    fine = ("right", "not attempted")
    names = [f"`{e.answer}`" for e in others if verdicts[e.id].outcome not in fine]
    if not names:
        return ""
    are, those = ("is", "that one") if len(names) == 1 else ("are", "those")
    named = " and ".join(names)
    return f"Your code calls {named}, which {are} not right either: mend {those} first."


def names_like(answer: str, names: Mapping[str, Any]) -> str:
    """The one among `names` that may be the answer's, misspelt; "" if there is none.

    What another exercise asks for is spelt as it is meant, and so is what a page imports.
    """
    others = {exercise.answer for exercise in all_exercises().values()}
    free = [
        name
        for name, value in list(names.items())
        if type(name) is str and name[:1] != "_" and name not in others and not _imported(value)
    ]
    return next(iter(difflib.get_close_matches(answer, free[:2000], n=1, cutoff=0.75)), "")


def _imported(value: Any) -> bool:
    """Whether it is a module, or a function of this package's."""
    if type(value) is not FunctionType:
        return isinstance(value, ModuleType)
    home = value.__globals__.get("__name__")
    return isinstance(home, str) and home.startswith("labsupport.")
