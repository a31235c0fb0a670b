"""Making an answer key. Imports nothing that a grader's sandbox would have to wait for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from labsupport.authoring.catalogue import MistakenAnswer
from labsupport.judge import cells_of
from labsupport.observe import observe
from labsupport.vocabulary import Case, Exercise, Key, KnownMistake


class NoKey(Exception):
    """The key of an exercise cannot be made; one sentence."""


def make(
    exercise: Exercise,
    answer: Any,
    mistakes: Iterable[MistakenAnswer],
    cases: Sequence[Case] | None = None,
) -> Key:
    """The key of an exercise: its right answer and every known mistake, observed on the cases.

    cases: by default those that `check` uses. Raises NoKey if the right answer fails.
    """
    cases = exercise.visible_cases() if cases is None else cases
    right = observe(exercise, answer, cases)
    broken = [f"{case}: {o.trouble.text}" for case, o in right.items() if o.trouble]
    if broken:
        raise NoKey(f"{exercise.id}: the solved lesson's own answer fails on {broken[0]}")
    unseen = [part.id for part in exercise.parts if not cells_of(right, part)]
    if unseen:
        raise NoKey(f"{exercise.id}: no case has a value that the part {unseen[0]!r} covers")
    known = tuple(
        KnownMistake(m.id, m.name, m.question, observe(exercise, m.answer, cases), m.same_as)
        for m in mistakes
    )
    return Key(right, known)
