"""The key of a lesson for one class, made by running the solved lesson as if a student had sent it.

The solved lesson's cells and the known mistakes are told to a submission's process like any other,
in a warm process that has never seen `solutions/` and keeps nothing of it. There they are observed
by the code that `build` uses; and the solved lesson's answers, observed and judged as a student's
would be, have to get every point, or nobody is graded. What the known mistakes of an exercise do is
found out when somebody's answer to it is wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from labsupport import exercises, keys
from labsupport.authoring import catalogue
from labsupport.authoring.answer_key import NoKey
from labsupport.grading import blanks, fresh, program, remote, trial
from labsupport.grading.fresh import ClassKey
from labsupport.grading.sandbox import Limits, Sandbox
from labsupport.grading.stacks import kind_of, where_probed
from labsupport.judge import judge
from labsupport.stub import without_solution
from labsupport.vocabulary import Exercise

__all__ = ["NoKey", "class_key", "exercise_key", "with_all_mistakes", "with_mistakes"]

SECONDS = 600
LIMITS = Limits(cell=SECONDS, total=SECONDS, memory=8 << 30)

#: Makes the keys of exercises: their ids -> texts by id.
Maker = Callable[[list[str]], Mapping[str, str]]


def class_key(
    lesson: str,
    seed: int,
    mode: str,
    store: Path,
    say: Callable[[str], None] = lambda _: None,
    maker: Maker | None = None,
) -> ClassKey:
    """The key of a lesson for a class, without mistakes; from `store` if it was made before.

    maker: by default one after another, in a sandbox of their own. Raises NoKey, and what `Sandbox`
    raises.
    """
    if not fresh.SOLUTIONS.is_dir():
        raise NoKey(
            "Grading needs the folder solutions/, which this copy of the course does not have: the "
            "key is made from it."
        )
    known = fresh.stored(lesson, seed, store)
    if known is not None:
        return known
    _look_at_blank(lesson)
    say(f"Making the key of {lesson} …")
    course = fresh.course_digest(lesson)
    own = [exercise.id for exercise in exercises.of_lesson(lesson)]
    if maker is None:
        with Sandbox(kind_of(lesson), mode=mode) as box:
            texts = {one: exercise_key(one, seed, box) for one in own}
    else:
        texts = maker(own)
    made = ClassKey(lesson, seed, course, {one: texts[one] for one in own})
    fresh.keep(made, store)
    return made


def with_mistakes(
    key: ClassKey, exercise_ids: Iterable[str], box: Sandbox, store: Path
) -> ClassKey:
    """The key with the known mistakes of these exercises, from `store` if they were made before.

    Raises NoKey, ServerFailed.
    """
    todo = [one for one in exercise_ids if one not in key.named]
    for wait in (False, True):  # what others are making comes last
        for one in todo:
            if one in key.named:
                continue
            with fresh.making(key, one, store, wait) as alone:
                key = fresh.with_stored_mistakes(key, [one], store)
                if alone and one not in key.named:
                    if fresh.course_digest(key.lesson) != key.course:
                        raise NoKey("The course has been changed meanwhile: grade once more.")
                    made = key.with_mistakes({one: _mistakes_key(one, key.seed, box)})
                    with contextlib.suppress(OSError):  # no room: this process knows them
                        fresh.keep(replace(made, texts={one: made.texts[one]}), store)
                    key = made
    return key


def with_all_mistakes(key: ClassKey, mode: str, store: Path) -> ClassKey:
    """The key with the known mistakes of all exercises; what is not there is made in one sandbox.

    Raises NoKey, and what `Sandbox` raises.
    """
    key = fresh.with_stored_mistakes(key, key.texts, store)
    if len(key.named) == len(key.texts):
        return key
    with Sandbox(kind_of(key.lesson), mode=mode) as box:
        return with_mistakes(key, list(key.texts), box, store)


def _look_at_blank(lesson: str) -> None:
    """Raises NoKey unless the blank notebook is the one that `build` makes.

    Students' code can read it, and what it says in answers would be taken for the course's own.
    """
    path = blanks.path_of(lesson)
    solved = blanks.cells_in(fresh.SOLUTIONS / path.name)
    if blanks.cells_in(path) != [without_solution(source) for source in solved]:
        raise NoKey(
            f"notebooks/{path.name} is not the blank one any more, and students' code could read "
            f"what stands in it: save your own work elsewhere, and run `python3 -m labsupport "
            f"build {lesson[:2]}`."
        )


def exercise_key(exercise_id: str, seed: int, box: Sandbox) -> str:
    """The text of an exercise's key for a class, without mistakes. Raises NoKey, ServerFailed."""
    exercise = exercises.find(exercise_id)
    cases = fresh.hidden_cases(exercise, seed)
    solved = program.solved(exercise.lesson)
    tried = trial.Tried()
    try:
        alone = where_probed(exercise) != "beside"
        with trial.processes(box, LIMITS, alone) as (session, prober):
            trial.in_one_process(
                session,
                prober,
                solved,
                range(len(solved.cells)),
                [exercise],
                {exercise.id: cases},
                LIMITS,
                SECONDS,
                tried,
                [],
            )
            text = _ask(session, exercise, seed, solved, b"")
    except remote.GONE as error:
        raise _lost(exercise, error) from None
    seen = tried.seen.get(exercise.id)
    verdict = judge(exercise, cases, keys.loads(text), seen) if seen is not None else None
    if verdict is None or verdict.points < verdict.max_points:
        raise NoKey(
            f"The solved lesson {exercise.lesson} itself does not get all points in {exercise.id}: "
            "the course on this machine is not as it should be. Run `python3 -m labsupport test`."
        )
    return text


def _mistakes_key(exercise_id: str, seed: int, box: Sandbox) -> str:
    """The text of an exercise's key for a class, with the known mistakes."""
    exercise = exercises.find(exercise_id)
    solved = program.solved(exercise.lesson)
    path = catalogue.path_of(exercise_id)
    mistakes = path.read_bytes() if path.exists() else b""
    cells = [(cell.name, cell.source) for cell in solved.cells]

    def once() -> str:
        with trial.processes(box, LIMITS, alone=True) as (session, _):
            session.run(cells, SECONDS, SECONDS)
            session.find(exercise.answer)  # errors of mistakes will speak of it
            return _ask(session, exercise, seed, solved, mistakes)

    with contextlib.suppress(*remote.GONE):  # something else may have taken all memory just then
        return once()
    try:
        return once()
    except remote.GONE as error:
        raise _lost(exercise, error) from None


def _lost(exercise: Exercise, error: Exception) -> NoKey:
    why = f"its process was lost ({type(error).__name__})"
    return NoKey(f"The key of {exercise.id} could not be made: {why}.")


def _ask(
    session: remote.Session,
    exercise: Exercise,
    seed: int,
    solved: program.Program,
    mistakes: bytes,
) -> str:
    """The key, observed in the process in which the solved lesson has been run.

    mistakes: the text of the exercise's catalogue.
    """
    question = {
        "do": "key",
        "exercise": exercise.id,
        "seed": fresh.seed_of(seed, exercise.id),
        "cells": [cell.source for cell in solved.cells],  # some mistakes are edited answers
        "mistakes": np.frombuffer(mistakes, np.uint8),
        "name": catalogue.path_of(exercise.id).name,
    }
    reply = session.ask(question, SECONDS)
    if "value" not in reply:
        raise NoKey(f"The key of {exercise.id} could not be made: {reply.get('error')}.")
    return bytes(reply["value"]).decode("utf-8")
