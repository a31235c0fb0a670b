"""Cases and keys for one class, drawn from its seed, and where the keys are kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from labsupport import exercises, keys
from labsupport.grading import locks
from labsupport.grading.sandbox import PROJECT
from labsupport.vocabulary import Case, Exercise, Key

SOLUTIONS = PROJECT / "solutions"


@dataclass(frozen=True)
class ClassKey:
    """What grading a lesson needs besides the submission: all of it follows from the seed.

    texts: the key of each exercise as `keys.dumps` writes it. named: exercises in whose keys there
    are the known mistakes, which take most of the time to make, and are wanted only of what is
    wrong.
    """

    lesson: str
    seed: int
    course: str
    texts: dict[str, str]
    named: frozenset[str] = frozenset()

    def key(self, exercise_id: str) -> Key:
        return _loads(self.texts[exercise_id])

    def with_mistakes(self, texts: dict[str, str]) -> ClassKey:
        """The same with these keys, which have the known mistakes."""
        return replace(self, texts={**self.texts, **texts}, named=self.named | texts.keys())


@lru_cache(maxsize=64)
def _loads(text: str) -> Key:
    return keys.loads(text)


def seed_of(seed: int, exercise_id: str) -> int:
    """The seed of an exercise's hidden cases."""
    return zlib.crc32(f"{seed}:{exercise_id}".encode())


@lru_cache(maxsize=64)
def hidden_cases(exercise: Exercise, seed: int) -> list[Case]:
    """The cases that a class with this seed is graded on. Nobody changes them."""
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
    found = ClassKey(lesson, seed, course_digest(lesson), {})
    own = exercises.of_lesson(lesson)
    texts = {e.id: _read(_file(found, e.id, store)) for e in own}
    return replace(found, texts=texts) if all(texts.values()) else None


def with_stored_mistakes(key: ClassKey, exercise_ids: Iterable[str], store: Path) -> ClassKey:
    """The key with the known mistakes of these exercises, of those for which they were made."""
    texts = {}
    for one in exercise_ids:
        text = _read(_file(key.with_mistakes({one: ""}), one, store))
        if one not in key.named and text:
            texts[one] = text
    return key.with_mistakes(texts)


def _read(path: Path) -> str:
    """The text of a key; "" if there is none, or it is damaged."""
    try:
        text = path.read_text(encoding="utf-8")
        _loads(text)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""
    return text


def keep(key: ClassKey, store: Path) -> None:
    """Write a key to where `stored` and `with_stored_mistakes` find it. Raises OSError."""
    for exercise_id, text in key.texts.items():
        path = _file(key, exercise_id, store)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)


@contextlib.contextmanager
def making(key: ClassKey, exercise_id: str, store: Path, wait: bool) -> Iterator[bool]:
    """Whether, within the block, no other process makes an exercise's known mistakes.

    wait: until that is so. Without locks two may make them, and they are the same.
    """
    path = _file(key, exercise_id, store).with_suffix(".lock")
    with contextlib.ExitStack() as stack:
        alone = True
        with contextlib.suppress(OSError):  # no room for it
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            alone = locks.hold(stack.enter_context(open(path, "w")), wait)
        yield alone


def _file(key: ClassKey, exercise_id: str, store: Path) -> Path:
    kind = "mistakes" if exercise_id in key.named else "right"
    return store / f"{key.lesson}-{key.seed}-{key.course}" / kind / f"{exercise_id}.json"
