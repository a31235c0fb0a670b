"""What the tests of the grader share: sandboxes that really isolate, and small submissions."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import pytest

from labsupport.grading import fresh, keymaker, program, sandbox, trial
from labsupport.grading.records import Result, Submission
from labsupport.grading.stacks import kind_of

SEED = 20_261
NUMPY, TENSORFLOW = "01_batch_norm_by_hand", "04_control_dependencies"
LIMITS = sandbox.Limits(cell=2, total=40, grace=1)

#: A right answer to `bn-dense`, and one that gives back what it got.
RIGHT = """\
def batch_norm_dense(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta
"""
NOTHING = "def batch_norm_dense(x, gamma, beta, eps):\n    return x\n"


@lru_cache
def why_not() -> str:
    """Why nothing can be isolated here, "" if it can."""
    try:
        sandbox.best_mode()
    except sandbox.CannotIsolate as error:
        return str(error)
    return ""


#: Where students' code is kept apart.
MODES = ("bubblewrap", "landlock")


def needs_isolation() -> None:
    """Skip where this machine has no isolation; in CI that is a failure."""
    _skip(why_not())


@lru_cache
def why_no(mode: str) -> str:
    """Why one mode does not work here, "" if it does."""
    return sandbox.why_not(mode)


def needs(mode: str) -> None:
    """Skip where this machine does not have a mode; in CI that is a failure."""
    _skip(why_no(mode) and f"{mode} does not work here: {why_no(mode)}")


def _skip(why: str) -> None:
    if why:
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)


@lru_cache
def key_of(lesson: str) -> fresh.ClassKey:
    """The key of a lesson, with all known mistakes."""
    store = Path(os.environ["LABSUPPORT_TEST_KEYS"])
    right = keymaker.class_key(lesson, SEED, "bubblewrap", store)
    return keymaker.with_all_mistakes(right, "bubblewrap", store)


def a_program(lesson: str, *sources: str) -> program.Program:
    """A program of the lesson's setup cells and these cells."""
    setup = [cell for cell in program.solved(lesson).cells if cell.kind == "setup"]
    added = [program.ProgramCell(f"cell {n}", s, "added") for n, s in enumerate(sources, 1)]
    return program.Program(lesson, (*setup, *added))


def graded(box: sandbox.Sandbox, lesson: str, *sources: str, limits=LIMITS) -> Result:
    """The verdict on cells of these sources after the lesson's setup."""
    submission = Submission("somebody", lesson, "x.ipynb", "0")
    return trial.grade(submission, a_program(lesson, *sources), box, key_of(lesson), limits)


def points(result: Result, exercise: str) -> int:
    return next(e.points for e in result.exercises if e.id == exercise)


def parts(result: Result, exercise: str):
    return next(e.parts for e in result.exercises if e.id == exercise)


def told(result: Result) -> str:
    """Everything that the student may read."""
    texts = [result.problem, *result.remarks]
    for exercise in result.exercises:
        for part in exercise.parts:
            texts += [part.message, part.question, part.line, part.title]
    return "\n".join(texts)


def open_box(lesson: str, mode: str = "bubblewrap") -> sandbox.Sandbox:
    needs(mode)
    box = sandbox.Sandbox(kind_of(lesson), mode=mode)
    box.wait_until_ready()
    return box
