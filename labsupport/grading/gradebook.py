"""The stored verdicts of a class: `verdicts.jsonl`, one line per submission.

While grading, lines are added, each in one write; what a kill leaves half written is passed over.
At the end the file is written anew, sorted, so that equal verdicts give equal bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from labsupport.grading import locks
from labsupport.grading.private import open_private, put_private
from labsupport.grading.records import PartResult, Result, Submission, from_json, to_json


class Locked(Exception):
    """Another grader is at work in this folder. One sentence."""


class Gradebook:
    """The verdicts in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "verdicts.jsonl"
        self.damaged = 0

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one grader. Raises Locked. A grader that dies lets go of it."""
        with open(self.folder / ".lock", "w") as file:
            if not locks.hold(file):
                raise Locked(
                    f"Another grader is at work in {self.folder}: wait until it is done, or name "
                    "another folder."
                )
            yield

    def append(self, result: Result) -> None:
        """Add a verdict: on a line of its own, even after half a one.

        It is with the system when this returns, so a kill loses nothing. Raises OSError where there
        is no room; what was written of it is passed over.
        """
        with open_private(self.path, "ab", buffering=0) as file:
            left = memoryview(b"\n" + _line(result))
            while left:
                left = left[file.write(left) :]

    def load(self) -> list[Result]:
        """All verdicts, sorted; of several on one submission the newest.

        Lines that cannot be read are passed over and counted in `damaged`.
        """
        self.damaged = 0
        found: dict[tuple[str, str, str], Result] = {}
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            lines = []
        for line in lines:
            if not line:
                continue
            try:
                result = _checked(from_json(json.loads(line)))
                found[_place(result)] = result
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                self.damaged += 1
        return [found[place] for place in sorted(found)]

    @property
    def damage(self) -> str:
        """What `load` passed over, in a sentence; "" if there was nothing."""
        if not self.damaged:
            return ""
        lines = "1 line" if self.damaged == 1 else f"{self.damaged} lines"
        return f"{lines} of {self.path} could not be read: grade again, and only those are run."

    def finish(self, results: Iterable[Result]) -> None:
        """Write these verdicts, and no others, sorted; at once or not at all.

        Of several on one submission the last stays, as in `load`.
        """
        kept = {_place(result): result for result in results}
        put_private(self.path, b"".join(_line(kept[place]) for place in sorted(kept)))


def ticket(one: Submission | Result, seed: int) -> str:
    """What stands for a submission that is to be graded with a seed, and for the verdict on it."""
    about = json.dumps([one.student, one.lesson, one.source, one.digest, seed])
    return hashlib.sha256(about.encode("ascii")).hexdigest()[:16]


def _place(result: Result) -> tuple[str, str, str]:
    return result.student, result.lesson, result.source


def _line(result: Result) -> bytes:
    stored = to_json(result)
    stored["ids"] = dict(sorted(stored["ids"].items()))
    text = json.dumps(stored, ensure_ascii=True, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


_NUMBERS = ("points", "max_points", "line_number")
_TEXTS = tuple(f.name for f in fields(PartResult) if f.name not in _NUMBERS)


def _checked(result: Result) -> Result:
    """The same result, if its fields hold what they should. Raises TypeError if not."""
    _check(result, str, "student", "lesson", "source", "digest", "status", "course", "problem")
    _check(result, int, "seed")
    _check(result, dict, "ids")
    texts = [*result.remarks, *result.events, *result.ids, *result.ids.values()]
    for exercise in result.exercises:
        _check(exercise, str, "id", "title")
        for part in exercise.parts:
            _check(part, int, *_NUMBERS)
            texts += [getattr(part, name) for name in _TEXTS]
    if not all(type(text) is str for text in texts):
        raise TypeError("a text is none")
    return result


def _check(record: object, kind: type, *names: str) -> None:
    for name in names:
        if type(getattr(record, name)) is not kind:
            raise TypeError(f"{name} is no {kind.__name__}")
