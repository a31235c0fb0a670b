"""Cases and keys for one class, drawn from its seed, and where the keys are kept."""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from labsupport import exercises, keys
from labsupport.grading.sandbox import PROJECT
from labsupport.vocabulary import Case, Exercise, Key

SOLUTIONS = PROJECT / "solutions"


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


#: Modules beside the exercises and the grader on which a verdict depends.
JUDGING = ("judge", "observe", "vocabulary", "keys", "tf1", "tf2", "clinic")


def course_digest(lesson: str) -> str:
    """A digest of all that a verdict on a lesson depends on, but for submission and seed."""
    module = exercises.__name__.replace(".", "/")
    files = [
        *sorted((PROJECT / module).glob("*.py")),
        *(PROJECT / "labsupport" / f"{name}.py" for name in JUDGING),
        *sorted((PROJECT / "labsupport" / "data").iterdir()),
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
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def stored(lesson: str, seed: int, store: Path) -> ClassKey | None:
    """The key of a lesson for a class, if it was made before from the course as it is."""
    course = course_digest(lesson)
    folder = _folder(lesson, seed, course, store)
    own = exercises.of_lesson(lesson)
    try:
        texts = {e.id: (folder / f"{e.id}.json").read_text(encoding="utf-8") for e in own}
    except OSError:
        return None
    return ClassKey(lesson, seed, course, texts)


def keep(key: ClassKey, store: Path) -> None:
    """Write a key to where `stored` finds it."""
    folder = _folder(key.lesson, key.seed, key.course, store)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for exercise_id, text in key.texts.items():
        path = folder / f"{exercise_id}.json"
        partial = path.with_suffix(".part")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)


def _folder(lesson: str, seed: int, course: str, store: Path) -> Path:
    return store / f"{lesson}-{seed}-{course}"
