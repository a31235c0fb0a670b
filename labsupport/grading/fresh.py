"""Cases and keys for one class, drawn from its seed.

The key comes from the solved lesson and its known mistakes, observed in the sandbox by the same
code as students' answers. Only here is `solutions/` shown to a sandbox, and nothing else runs in
that one.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from labsupport import exercises, keys
from labsupport.grading import wire
from labsupport.grading.sandbox import PROJECT, Limits, Sandbox
from labsupport.grading.stacks import kind_of
from labsupport.vocabulary import Case, Exercise, Key

SOLUTIONS = PROJECT / "solutions"
KEY_SECONDS = 600


class NoKey(Exception):
    """The key of a lesson cannot be made; one sentence."""


@dataclass(frozen=True)
class ClassKey:
    """What grading a lesson needs besides the submission: all of it follows from the seed.

    texts: the key of each exercise as `keys.dumps` writes it.
    """

    lesson: str
    seed: int
    course: str
    texts: dict[str, str]

    def key(self, exercise_id: str) -> Key:
        return _loads(self.texts[exercise_id])


@lru_cache(maxsize=64)
def _loads(text: str) -> Key:
    return keys.loads(text)


def seed_of(seed: int, exercise_id: str) -> int:
    """The seed of an exercise's hidden cases."""
    return zlib.crc32(f"{seed}:{exercise_id}".encode())


def hidden_cases(exercise: Exercise, seed: int) -> list[Case]:
    """The cases that a class with this seed is graded on."""
    return exercise.cases(np.random.RandomState(seed_of(seed, exercise.id)))


def course_digest(lesson: str) -> str:
    """A digest of all that a verdict on a lesson depends on, but for submission and seed."""
    module = exercises.__name__.replace(".", "/")
    files = [
        *sorted((PROJECT / module).glob("*.py")),
        *(PROJECT / "labsupport" / f"{n}.py" for n in ("judge", "observe", "vocabulary", "keys")),
        *sorted((PROJECT / "labsupport" / "grading").glob("*.py")),
        PROJECT / "notebooks" / f"{lesson}.ipynb",
        SOLUTIONS / f"{lesson}.py",
        *(
            SOLUTIONS / "mistakes" / f"{e.id.replace('-', '_')}.py"
            for e in exercises.of_lesson(lesson)
        ),
    ]
    digest = hashlib.sha256()
    for path in files:
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def class_key(
    lesson: str, seed: int, mode: str, store: Path, say: Callable[[str], None] = lambda _: None
) -> ClassKey:
    """The key of a lesson for a class, from `store` if it was made before.

    Raises NoKey, and what `Sandbox` raises.
    """
    if not SOLUTIONS.is_dir():
        raise NoKey(
            "Grading needs the folder solutions/, which this copy of the course does not have: the "
            "key is made from it."
        )
    course = course_digest(lesson)
    folder = store / f"{lesson}-{seed}-{course}"
    own = exercises.of_lesson(lesson)
    try:
        texts = {e.id: (folder / f"{e.id}.json").read_text(encoding="utf-8") for e in own}
        return ClassKey(lesson, seed, course, texts)
    except OSError:
        pass
    say(f"Making the key of {lesson} …")
    with Sandbox(kind_of(lesson), mode=mode, also=[SOLUTIONS]) as box:
        made = ClassKey(lesson, seed, course, _texts(lesson, seed, box))
        _prove(made, box)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for exercise_id, text in made.texts.items():
        path = folder / f"{exercise_id}.json"
        partial = path.with_suffix(".part")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    return made


def _prove(key: ClassKey, box: Sandbox) -> None:
    """The solved lesson, graded as a student's would be, gets every point, or nobody is graded."""
    from labsupport.grading import trial  # which needs what is here

    result = trial.grade_solved(key, box, Limits())
    lost = [e.id for e in result.exercises if e.points < e.max_points]
    if lost:
        raise NoKey(
            f"The solved lesson {key.lesson} itself does not get all points in {', '.join(lost)}: "
            "the course on this machine is not as it should be. Run `python3 -m labsupport test`."
        )


def _texts(lesson: str, seed: int, box: Sandbox) -> dict[str, str]:
    limits = Limits(cell=KEY_SECONDS, total=KEY_SECONDS, memory=8 << 30)
    texts = {}
    with box.submission(limits) as channel:
        for exercise in exercises.of_lesson(lesson):
            question = {"do": "key", "exercise": exercise.id, "seed": seed_of(seed, exercise.id)}
            try:
                wire.send(channel, wire.pack(question))
                reply = wire.unpack(*wire.receive(channel, time.monotonic() + KEY_SECONDS))
            except (wire.Closed, wire.Late, wire.Malformed) as error:
                raise NoKey(
                    f"The key of {exercise.id} could not be made ({type(error).__name__})."
                ) from None
            if "value" not in reply:
                raise NoKey(f"The key of {exercise.id} could not be made: {reply.get('error')}.")
            texts[exercise.id] = bytes(reply["value"]).decode("utf-8")
    return texts
