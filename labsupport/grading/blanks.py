"""What the grader knows of the course's own notebooks. Nothing of a submission is asked here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from labsupport import exercises

PROJECT = Path(__file__).resolve().parents[2]


class NoBlank(Exception):
    """A blank notebook of the course is missing or damaged; one sentence."""


@dataclass(frozen=True)
class CourseCell:
    """A code cell of a blank notebook. exercise: of an answer, check or hint cell, else ""."""

    id: str
    role: str
    exercise: str
    source: str
    grade_id: str = ""


@dataclass(frozen=True)
class Blank:
    """The code cells of a lesson's blank notebook, and the names that its exercises ask for.

    by_source: all but answers, by what they say. answers: exercise id by answer name.
    """

    lesson: str
    cells: tuple[CourseCell, ...]
    by_id: dict[str, CourseCell]
    by_grade_id: dict[str, CourseCell]
    by_source: dict[str, CourseCell]
    answers: dict[str, str]


def path_of(lesson: str) -> Path:
    return PROJECT / "notebooks" / f"{lesson}.ipynb"


@lru_cache
def of_lesson(lesson: str) -> Blank:
    """The blank notebook of a lesson. Raises NoBlank."""
    path = path_of(lesson)
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = tuple(_cell(raw) for raw in notebook["cells"] if raw["cell_type"] == "code")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise NoBlank(
            f"The course's own notebooks/{lesson}.ipynb is missing or damaged: take a fresh copy, "
            f"or run `python3 -m labsupport build {lesson[:2]}`."
        ) from None
    return Blank(
        lesson,
        cells,
        {cell.id: cell for cell in cells},
        {cell.grade_id: cell for cell in cells if cell.grade_id},
        {essence(cell.source): cell for cell in cells if cell.role != "answer"},
        {exercise.answer: exercise.id for exercise in exercises.of_lesson(lesson)},
    )


def cells_in(path: Path) -> list[str]:
    """What all cells of one of the course's notebooks say; nothing if it is damaged."""
    try:
        return [_source(raw) for raw in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def _source(raw: dict) -> str:
    return raw["source"] if isinstance(raw["source"], str) else "".join(raw["source"])


def _cell(raw: dict) -> CourseCell:
    said = raw["metadata"].get("labsupport", {})
    return CourseCell(
        raw["id"],
        said.get("role", "demo"),
        said.get("exercise", ""),
        _source(raw),
        raw["metadata"].get("nbgrader", {}).get("grade_id", ""),
    )


def essence(source: str) -> str:
    """A source without what tools change in passing: line ends, space after and around."""
    return "\n".join(line.rstrip() for line in source.splitlines()).strip("\n")


@lru_cache
def marks() -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """What tells a lesson: the lessons that have a cell id or grade id, or an answer name."""
    ids: dict[str, set[str]] = {}
    names: dict[str, set[str]] = {}
    for lesson in exercises.LESSONS:
        blank = of_lesson(lesson)
        for known in (*blank.by_id, *blank.by_grade_id):
            ids.setdefault(known, set()).add(lesson)
        for name in blank.answers:
            names.setdefault(name, set()).add(lesson)
    return ({k: frozenset(v) for k, v in ids.items()}, {k: frozenset(v) for k, v in names.items()})
