"""Every lesson graded through the whole path: all points for the solved one, names for mistakes.

A file of its own, so that another worker can take it.
"""

from __future__ import annotations

import pytest
from grading_tools import NUMPY, SEED, TENSORFLOW, key_of, needs_isolation

from labsupport import exercises
from labsupport.authoring import catalogue
from labsupport.grading import fresh, program, sandbox, trial
from labsupport.grading.stacks import kind_of


@pytest.fixture(autouse=True)
def _isolated():
    needs_isolation()


@pytest.mark.parametrize("lesson", exercises.LESSONS)
def test_the_solved_lesson_gets_every_point(lesson):
    """On hidden cases, through the sandbox: `class_key` refuses to make a key otherwise."""
    key = key_of(lesson)
    assert set(key.texts) == {e.id for e in exercises.of_lesson(lesson)}


@pytest.mark.parametrize(
    ("lesson", "count", "step"),
    [(NUMPY, 9, 1), ("02_moving_averages", 9, 1), (TENSORFLOW, 9, 1), ("11_clinic", 1, 3)],
)
def test_known_mistakes_are_named_through_the_whole_path(lesson, count, step):
    """As in `check`: mistakes of the first exercises, in the sandbox, on hidden cases.

    step: 3 for every third mistake.
    """
    key = key_of(lesson)
    wrong = []
    solutions = sandbox.PROJECT / "solutions"
    with sandbox.Sandbox(kind_of(lesson), mode="bubblewrap", also=[solutions]) as box:
        for exercise in exercises.of_lesson(lesson)[:count]:
            cases = fresh.hidden_cases(exercise, SEED)
            for known in catalogue.read(exercise.id).mistakes[::step]:
                source = (
                    "from labsupport.authoring import catalogue\n"
                    f"{exercise.answer} = next(m.answer for m in catalogue.read({exercise.id!r})"
                    f".mistakes if m.id == {known.id!r})\n"
                )
                cell = program.ProgramCell("cell 1", source, "added")
                tried = trial.attempt(
                    program.Program(lesson, (cell,)),
                    box,
                    [exercise],
                    {exercise.id: cases},
                    sandbox.Limits(),
                )
                verdict = trial.judge(
                    exercise, cases, key.key(exercise.id), tried.seen[exercise.id]
                )
                named = {part.mistake for part in verdict.parts if part.mistake}
                if verdict.points == verdict.max_points or not (
                    named and named <= {known.id, *known.same_as}
                ):
                    wrong.append((exercise.id, known.id, named))
    assert not wrong
