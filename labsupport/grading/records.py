"""What grading passes from hand to hand. Only data lives here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StudentCell:
    """A code cell as it came.

    id: the nbformat cell id, "" if there is none (or none that is a string).
    grade_id: nbgrader's, "" likewise. position: among all cells of the notebook, from 0.
    """

    source: str
    id: str = ""
    grade_id: str = ""
    position: int = 0


@dataclass(frozen=True)
class Submission:
    """One notebook of one student, read as hostile data.

    student: the key of the student in every report: the folder's name, or what the learning
        platform put before the file's name. Printable, without path separators.
    lesson: one of `exercises.LESSONS`, or "" if it cannot be told (then `problem` says so).
    source: where it lay, relative to SUBMISSIONS, for reports ("a.zip/b.ipynb" inside a zip).
    digest: sha256 (hex) of the file's bytes.
    cells: its code cells, in the notebook's order.
    problem: one sentence why it cannot be graded, "" if it can.
    remarks: sentences worth telling (duplicated cells, an older of two notebooks, …).
    ids: what the platform said of the student: "canvas_user_id", "canvas_submission_id",
        "moodle_participant", "name", "late" ("yes"); only those that are there.
    """

    student: str
    lesson: str
    source: str
    digest: str
    cells: tuple[StudentCell, ...] = ()
    problem: str = ""
    remarks: tuple[str, ...] = ()
    ids: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PartResult:
    """What is kept of the verdict on one part.

    outcome: as in `vocabulary.PartVerdict`. message, question: what the *student* may read: made
    only of the course's own words, or of a run of the answer on the visible cases in a process
    that never saw a hidden one. mistake: id of the named mistake, "" if none; mistake_name: its
    name. private: what the judge said of the hidden cases, for the instructor only; in a second
    line the code that failed there, if there is any.
    """

    id: str
    title: str
    points: int
    max_points: int
    outcome: str
    message: str = ""
    question: str = ""
    mistake: str = ""
    mistake_name: str = ""
    line: str = ""
    line_number: int = 0
    private: str = ""


@dataclass(frozen=True)
class ExerciseResult:
    """What is kept of the verdict on one exercise. note: for the student, "" if there is none."""

    id: str
    title: str
    parts: tuple[PartResult, ...]
    note: str = ""

    @property
    def points(self) -> int:
        return sum(part.points for part in self.parts)

    @property
    def max_points(self) -> int:
        return sum(part.max_points for part in self.parts)


@dataclass(frozen=True)
class Result:
    """The verdict on one submission: one line of `verdicts.jsonl`.

    status: "graded"; "refused" (the notebook cannot be read; `problem` says why; no points).
    seed, course: what the verdict depends on besides the submission: the class's seed and a digest
        of the course (exercises, key). A submission with the same digest, seed and course is not
        run again.
    problem: a sentence for student and instructor, "" if there is none.
    remarks: sentences for both. events: for the instructor only: cells that were stopped, a
        process that died, an attempt to reach the network.
    """

    student: str
    lesson: str
    source: str
    digest: str
    status: str
    seed: int
    course: str
    exercises: tuple[ExerciseResult, ...] = ()
    problem: str = ""
    remarks: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def points(self) -> int:
        return sum(exercise.points for exercise in self.exercises)

    @property
    def max_points(self) -> int:
        return sum(exercise.max_points for exercise in self.exercises)


def to_json(result: Result) -> dict[str, Any]:
    """A result as what JSON can hold, keys in a fixed order."""
    exercises = [
        {**vars(exercise), "parts": [dict(vars(part)) for part in exercise.parts]}
        for exercise in result.exercises
    ]
    return {**vars(result), "exercises": exercises, "ids": dict(result.ids)}


def from_json(stored: dict[str, Any]) -> Result:
    """The result that `to_json` was given. Raises KeyError or TypeError if it is something else."""
    exercises = tuple(
        ExerciseResult(
            e["id"],
            e["title"],
            tuple(PartResult(**part) for part in e["parts"]),
            e.get("note", ""),
        )
        for e in stored["exercises"]
    )
    rest = {name: stored[name] for name in stored if name != "exercises"}
    for name in ("remarks", "events"):
        rest[name] = tuple(rest.get(name, ()))
    return Result(**rest, exercises=exercises)
