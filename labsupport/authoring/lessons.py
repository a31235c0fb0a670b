"""A lesson's source: percent-format Python, read with jupytext, and the two notebooks it gives.

What a cell is for stands in its metadata, on the `# %%` line:

    role="setup" | "answer" | "check" | "hint" | "demo"   (code; "demo" unless said otherwise)
    exercise="bn-dense"     with answer, check and hint
    slide="slide" | "fragment" | "notes" | "skip"         ("skip" unless said otherwise)
    long="why"              a code cell that may have more than 15 lines
    volatile="why"          a code cell whose outputs differ from run to run; nbval skips them

A demo that goes on with answers gets a first line that says so, `needs("bn-dense")`.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jupytext
import nbformat

from labsupport import exercises
from labsupport.authoring.needs import Page
from labsupport.stub import BEGIN, END, STUB, without_solution

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = PROJECT / "solutions"
BLANKS = PROJECT / "notebooks"

ROLES = {"setup", "answer", "check", "hint", "demo"}
SLIDES = {"slide", "fragment", "notes", "skip"}

KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class LessonError(Exception):
    """A lesson's source does not follow the rules; the message says which cell and which rule."""


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson's source. role is "prose" for markdown.

    needs: exercises of the lesson without whose answers a demo cannot run.
    """

    id: str
    role: str
    source: str
    exercise: str = ""
    needs: tuple[str, ...] = ()
    slide: str = "skip"
    long: str = ""
    volatile: str = ""


@dataclass(frozen=True)
class Lesson:
    """A lesson as its author wrote it."""

    name: str
    cells: tuple[Cell, ...]

    @property
    def title(self) -> str:
        return next(c.source for c in self.cells if c.role == "prose").splitlines()[0].lstrip("# ")


def sources() -> dict[str, Path]:
    """Path of every lesson's source, in the course's order."""
    return {lesson: SOURCES / f"{lesson}.py" for lesson in exercises.LESSONS}


@lru_cache
def read(path: Path) -> Lesson:
    """Read a lesson. Raises LessonError when a cell breaks a rule."""
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    name, used = path.stem, {}
    cells = tuple(_cell(name, number, raw, used) for number, raw in enumerate(notebook.cells, 1))
    lesson = Lesson(name, cells)
    _check_exercises(lesson)
    return _with_needs(lesson)


def _cell(lesson: str, number: int, raw: Any, used: dict[str, int]) -> Cell:
    said = {k: v for k, v in raw.metadata.items() if k != "lines_to_next_cell"}
    where = f"{lesson}, cell {number}"
    unknown = set(said) - {"role", "exercise", "slide", "long", "volatile"}
    if unknown:
        raise LessonError(f"{where}: unknown metadata {', '.join(sorted(unknown))}")
    role = "prose" if raw.cell_type == "markdown" else said.get("role", "demo")
    if role != "prose" and role not in ROLES:
        raise LessonError(f"{where}: unknown role {role!r}")
    if said.get("slide", "skip") not in SLIDES:
        raise LessonError(f"{where}: unknown slide {said['slide']!r}")
    exercise = said.get("exercise", "")
    if (role in {"answer", "check", "hint"}) != bool(exercise):
        raise LessonError(f"{where}: {role} cells and only answer, check and hint have an exercise")
    begins, ends = raw.source.count(BEGIN), raw.source.count(END)
    if role == "answer" and not (begins == ends > 0):
        raise LessonError(f"{where}: an answer needs {BEGIN!r} and as many {END!r}")
    left = without_solution(raw.source) if role == "answer" else raw.source
    if BEGIN in left or END in left:
        raise LessonError(f"{where}: {BEGIN!r} and {END!r} stand on lines of their own, in answers")
    return Cell(
        id=_cell_id(lesson, role, exercise, raw.source, used),
        role=role,
        source=raw.source,
        exercise=exercise,
        slide=said.get("slide", "skip"),
        long=said.get("long", ""),
        volatile=said.get("volatile", ""),
    )


def _cell_id(lesson: str, role: str, exercise: str, source: str, used: dict[str, int]) -> str:
    """Answers, checks and hints are named; the others are known by what they say."""
    if exercise:
        base = f"{role}-{exercise}"
    else:
        base = f"{role}-{hashlib.sha256(f'{lesson}:{source}'.encode()).hexdigest()[:8]}"
    used[base] = used.get(base, 0) + 1
    return base if used[base] == 1 else f"{base}-{used[base]}"


def _check_exercises(lesson: Lesson) -> None:
    for role in ("answer", "check"):
        wanted = [exercise.id for exercise in exercises.of_lesson(lesson.name)]
        there = [cell.exercise for cell in lesson.cells if cell.role == role]
        if there != wanted:
            raise LessonError(
                f"{lesson.name}: {role} cells for {there}, but its exercises are {wanted}"
            )


def _with_needs(lesson: Lesson) -> Lesson:
    """The lesson with what each demo needs. A setup cell may need no answer: graders run it."""
    page, cells = Page(), []
    order = [exercise.id for exercise in exercises.of_lesson(lesson.name)]
    for cell in lesson.cells:
        if cell.role == "answer":
            page.answer(cell.source, cell.exercise)
        elif cell.role in ("setup", "demo"):
            found = tuple(sorted(page.cell(cell.source), key=order.index))
            if found and cell.role == "setup":
                raise LessonError(f"{lesson.name}: a setup cell needs an answer, {found[0]!r}")
            cell = replace(cell, needs=found)
        cells.append(cell)
    return Lesson(lesson.name, tuple(cells))


# ---------------------------------------------------------------- the two notebooks


def blank(lesson: Lesson) -> nbformat.NotebookNode:
    """The student's notebook: no outputs, no answers."""
    return _notebook(lesson, solved=False)


def solved(lesson: Lesson) -> nbformat.NotebookNode:
    """The solved notebook, not yet executed."""
    return _notebook(lesson, solved=True)


def _notebook(lesson: Lesson, solved: bool) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(metadata={**KERNEL, "labsupport": {"lesson": lesson.name}})
    for cell in lesson.cells:
        make = nbformat.v4.new_markdown_cell if cell.role == "prose" else nbformat.v4.new_code_cell
        source = cell.source
        source = re.sub(r"\n{3,}", "\n\n", source)  # two empty lines are for files, not pages
        if cell.role == "answer" and not solved:
            source = without_solution(source)
        if cell.needs:
            source = f"{_needs_line(cell.needs)}\n{source}"
        metadata = _metadata(cell, solved, _fails_at_once(source))
        notebook.cells.append(make(source, id=cell.id, metadata=metadata))
    nbformat.validate(notebook)
    return notebook


def _needs_line(exercise_ids: tuple[str, ...]) -> str:
    return f"needs({', '.join(map(json.dumps, exercise_ids))})"


def _metadata(cell: Cell, solved: bool, fails_at_once: bool) -> dict[str, Any]:
    metadata: dict[str, Any] = {"slideshow": {"slide_type": cell.slide}}
    said = {"role": cell.role, "exercise": cell.exercise}
    metadata["labsupport"] = {key: value for key, value in said.items() if value}
    tags = ["nbval-ignore-output"] if cell.volatile else []
    if not solved and (cell.needs or fails_at_once):
        tags.append("raises-exception")  # "Run All" goes on past it
    if tags:
        metadata["tags"] = tags
    if cell.role == "answer":
        metadata["nbgrader"] = _nbgrader(cell.exercise, grade=False, solution=True)
    if cell.role == "check":
        points = exercises.find(cell.exercise).points
        metadata["nbgrader"] = {
            **_nbgrader(f"check-{cell.exercise}", grade=True, solution=False),
            "points": points,
        }
    return metadata


def _nbgrader(grade_id: str, *, grade: bool, solution: bool) -> dict[str, Any]:
    return dict(
        grade=grade,
        grade_id=grade_id,
        locked=grade,
        schema_version=3,
        solution=solution,
        task=False,
    )


def _fails_at_once(source: str) -> bool:
    """Whether a blank answer cell raises when it is run: its stub is not inside a function."""
    return any(line.startswith(STUB[:25]) for line in source.splitlines())


# ---------------------------------------------------------------- the oracle


def answers(lesson: Lesson) -> SimpleNamespace:
    """The solved lesson's names after its setup and answer cells, in order, without its demos."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in lesson.cells:
        if cell.role in ("setup", "answer"):
            exec(compile(cell.source, f"<{lesson.name}, {cell.id}>", "exec"), names)
    return SimpleNamespace(**{k: v for k, v in names.items() if k.isidentifier()})
