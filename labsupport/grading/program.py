"""A submission's cells -> what is run of them.

The course's own blank notebook says what a cell is for; the metadata of a submission is never
asked. Run are the setup cells, then the answers and what the student added, in the notebook's
order. The course's demos, checks and hints are left aside, unless the student wrote an answer into
one, or what is run looks up a name that only a demo gives.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from dataclasses import dataclass, replace
from functools import lru_cache

from labsupport import exercises
from labsupport.grading import blanks, reading
from labsupport.grading.blanks import Blank, CourseCell, NoBlank, essence
from labsupport.grading.records import StudentCell, Submission

__all__ = ["NoBlank", "Program", "ProgramCell", "blank", "program_of", "solved"]

MAX_REMARKS = 12
MAX_PARSED = 100_000  # characters of one cell; beyond them definitions are found line by line


@dataclass(frozen=True)
class ProgramCell:
    """A cell that is run.

    name: for messages: the exercise it answers, or "cell 12" (counted from 1 as in the notebook),
        or "the course's own setup". kind: "setup", "answer" or "added".
    """

    name: str
    source: str
    kind: str


@dataclass(frozen=True)
class Program:
    """What is run of a submission, in this order. remarks: sentences for student and instructor."""

    lesson: str
    cells: tuple[ProgramCell, ...]
    remarks: tuple[str, ...] = ()


def program_of(submission: Submission) -> Program:
    """What is run of a submission; nothing if it cannot be graded. Raises NoBlank."""
    if submission.problem or submission.lesson not in exercises.LESSONS:
        return Program(submission.lesson, ())
    own = blanks.of_lesson(submission.lesson)
    cells = [_look_at(cell, own) for cell in submission.cells if _says_something(cell.source)]
    remarks: list[str] = []
    setup = _setup(cells, own, remarks)
    given = {a for c in cells if not c.untouched for a in c.answers}
    rest = [c for c in cells if c.kind != "setup" and not _is_spare(c, given)]
    rest = _with_needed_demos(setup, rest, remarks)
    for cell in rest:
        if cell.kind == "answer" and cell.course and cell.course.role != "answer":
            remarks.append(f"Cell {cell.number} holds an answer to `{cell.name}`; it counts.")
    remarks += _duplicates([*setup, *rest])
    remarks += _given_twice(rest, own)
    run = tuple(ProgramCell(c.name, c.source, c.kind) for c in (*setup, *rest))
    return Program(submission.lesson, run, tuple(remarks[:MAX_REMARKS]))


def solved(lesson: str) -> Program:
    """What is run of the solved lesson, as if a student had sent it in."""
    return _of_course("solutions", lesson)


def blank(lesson: str) -> Program:
    """What is run of the notebook that students get, sent back as it is."""
    return _of_course("notebooks", lesson)


def _of_course(folder: str, lesson: str) -> Program:
    (found,) = reading.find(blanks.PROJECT / folder / f"{lesson}.ipynb")
    submission = reading.load(found)
    if submission.problem:
        raise NoBlank(f"The course's own {folder}/{lesson}.ipynb: {submission.problem}")
    return program_of(submission)


# ---------------------------------------------------------------- what a cell is for


@dataclass(frozen=True)
class _Cell:
    """A student's cell as the grader sees it.

    number: from 1, in the notebook; 0 if it is the course's own. course: the cell of the course
    that it is, or was. kind: as in ProgramCell, or "aside". untouched: as the course wrote it.
    gives: names that it binds; wants: names that it looks up and does not bind; answers: ids of the
    exercises whose answers it defines.
    """

    name: str
    source: str
    kind: str
    number: int
    course: CourseCell | None
    untouched: bool
    gives: frozenset[str]
    wants: frozenset[str]
    answers: tuple[str, ...]
    id: str = ""


#: Ids that `build` gives to cells. One that the course no longer has is from an older edition.
OLDER_DEMO = re.compile(r"demo-[0-9a-f]{8}(-\d+)?")
ONLY_SHOWS = re.compile(r"(check|hint|needs|progress|environment)\([^()]*\)\s*;?\s*(#.*)?")


def _look_at(cell: StudentCell, own: Blank) -> _Cell:
    course = (
        own.by_id.get(cell.id)
        or own.by_grade_id.get(cell.grade_id)
        or own.by_source.get(essence(cell.source))
    )
    untouched = _is_untouched(cell, course, own)
    gives, wants = names_of(cell.source)
    answers = tuple(own.answers[name] for name in own.answers if name in gives)
    name, kind = f"cell {cell.position + 1}", "added"
    if course is not None and course.role == "setup":
        kind = "setup"
    elif course is not None and course.role == "answer":
        kind = "answer"
        name = answers[0] if answers and course.exercise not in answers else course.exercise
    elif answers and not (untouched and course is not None):
        name, kind = answers[0], "answer"
    elif course is not None or _is_aside(cell):
        kind = "aside"
    return _Cell(
        name,
        cell.source,
        kind,
        cell.position + 1,
        course,
        untouched,
        gives,
        wants,
        answers,
        cell.id,
    )


def _is_untouched(cell: StudentCell, course: CourseCell | None, own: Blank) -> bool:
    said = essence(cell.source)
    if course is not None and course.role != "answer":
        return said == essence(course.source)
    return any(said == essence(c.source) for c in own.cells if c.role == "answer")


def _is_aside(cell: StudentCell) -> bool:
    """Whether a cell that the course does not know only shows something."""
    lines = [line.strip() for line in cell.source.splitlines()]
    return bool(OLDER_DEMO.fullmatch(cell.id)) or all(
        not line or line.startswith("#") or (len(line) < 200 and ONLY_SHOWS.fullmatch(line))
        for line in lines
    )


def _says_something(source: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in source.splitlines())


# ---------------------------------------------------------------- which of them are run


def _setup(cells: list[_Cell], own: Blank, remarks: list[str]) -> list[_Cell]:
    """The setup cells in the course's order: the student's; the course's where one is lost."""
    run, lost = [], 0
    for course in own.cells:
        if course.role != "setup":
            continue
        theirs = [c for c in cells if c.kind == "setup" and c.course is course]
        gives, wants = names_of(course.source)
        if gives - frozenset().union(*(c.gives for c in theirs)) or not theirs:
            name = "the course's own setup"
            run.append(_Cell(name, course.source, "setup", 0, course, True, gives, wants, ()))
            lost += 1
        run += theirs
    if lost:
        what = "A setup cell was" if lost == 1 else f"{lost} setup cells were"
        remarks.append(f"{what} missing or cut down, so the course's own was run.")
    return run


def _is_spare(cell: _Cell, given: set[str]) -> bool:
    """Whether a cell is an untouched stub that would take back an answer given elsewhere."""
    answers = cell.answers or [cell.name]
    return cell.kind == "answer" and cell.untouched and given.issuperset(answers)


def _with_needed_demos(setup: list[_Cell], cells: list[_Cell], remarks: list[str]) -> list[_Cell]:
    """The cells to run: those not aside, and the demos that an answer cannot do without.

    Follows the names that answers look up, through the student's own cells, to where they come
    from. `check` passes an answer that uses what a demo defined; so must the grader.
    """
    have = set(dir(builtins)).union(*(cell.gives for cell in setup))
    givers: dict[str, list[_Cell]] = {}  # demos only of what nothing else gives
    for cell in sorted(cells, key=lambda cell: cell.kind == "aside"):
        for name in cell.gives:
            there = givers.setdefault(name, [])
            if cell.kind != "aside" or not there or there[0].kind == "aside":
                there.append(cell)
    waiting = [cell for cell in cells if cell.kind == "answer"]
    needed: dict[int, set[str]] = {}
    while waiting:
        for name in waiting.pop().wants - have:
            have.add(name)
            for cell in givers.get(name, ()):
                if cell.kind != "answer":
                    waiting.append(cell)
                    needed.setdefault(cell.number, set()).add(name)
    run = []
    for cell in cells:
        if cell.kind != "aside":
            run.append(cell)
        elif cell.number in needed:
            run.append(replace(cell, kind="added"))
            remarks.append(_why_run(cell, sorted(needed[cell.number])))
    return run


def _why_run(demo: _Cell, needed: list[str]) -> str:
    names = ", ".join(f"`{name[:40]}`" for name in needed[:5])
    remark = f"Cell {demo.number} was run too, since only it gives {names}, which an answer uses."
    tools = {found[1] for line in demo.source.splitlines() if (found := DEFINITION.match(line))}
    if tools.issuperset(needed):
        return remark
    return f"{remark} Does the answer have an argument for that, of another name?"


def _duplicates(cells: list[_Cell]) -> list[str]:
    numbers: dict[str, list[str]] = {}
    for cell in cells:
        numbers.setdefault(cell.id, []).append(str(cell.number))
    return [
        f"Cells {', '.join(same[:9])} are copies of one cell (the same id); all were run, in the "
        "notebook's order."
        for cell_id, same in numbers.items()
        if cell_id and len(same) > 1
    ]


def _given_twice(cells: list[_Cell], own: Blank) -> list[str]:
    """Answers that more than one cell gives, none of them a copy that `_duplicates` tells of."""
    remarks = []
    for answer, exercise in own.answers.items():
        giving = [c for c in cells if answer in c.gives and not _deletes(c.source, answer)]
        if len(giving) > 1 and len({cell.id or cell.number for cell in giving}) > 1:
            numbers = ", ".join(str(cell.number) for cell in giving[:9])
            remarks.append(f"`{exercise}` is answered in cells {numbers}; the last one counts.")
    return remarks


# ---------------------------------------------------------------- names


def as_it_stood(program: Program, answer: str) -> tuple[Program, str]:
    """The program up to the cell that gives an answer, and a name that a later cell takes from it.

    Takes: rebinds or deletes. "" if there is none: then the program is the whole one.
    """
    names = [names_of(cell.source) for cell in program.cells]
    giving = [n for n, (gives, _) in enumerate(names) if answer in gives]
    own = max((n for n in giving if not _deletes(program.cells[n].source, answer)), default=-1)
    used, todo = set(), {answer}
    while todo:  # what it looks up, and what that looks up
        used |= todo
        found = [gives | wants for gives, wants in names[: own + 1] if gives & todo]
        todo = set().union(*found) - used
    for cell, (gives, _) in zip(program.cells[own + 1 :], names[own + 1 :], strict=True):
        if cell.kind != "setup" and (again := sorted(gives & used)):
            return replace(program, cells=program.cells[: own + 1]), again[0]
    return program, ""


def _deletes(source: str, name: str) -> bool:
    """Whether a cell deletes a name, and does nothing else with it but what comes before."""
    if "del " not in source or len(source) > MAX_PARSED:
        return False
    try:
        top = ast.parse(_without_magics(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    deleted = [
        target.id
        for statement in top
        if isinstance(statement, ast.Delete)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]
    return name in deleted


def names_of(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a cell binds, and those that it looks up and does not bind.

    Nothing is run. Of a cell that is no Python only what looks like a definition is found.
    """
    return _cached_names(source) if len(source) < 5_000 else _names(source)


def _names(source: str) -> tuple[frozenset[str], frozenset[str]]:
    python = _without_magics(source)
    if len(python) <= MAX_PARSED:
        try:
            return _by_symbols(symtable.symtable(python, "cell", "exec"))
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError):
            pass
    return frozenset(_by_lines(python)), frozenset()


_cached_names = lru_cache(maxsize=1024)(_names)


def _by_symbols(top: symtable.SymbolTable) -> tuple[frozenset[str], frozenset[str]]:
    gives = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    wants = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    inner = list(top.get_children())
    while inner:
        table = inner.pop()
        wants |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and s.is_global()}
        inner += table.get_children()
    return frozenset(gives), frozenset(wants - gives)


#: Cell magics whose cell is run in the notebook's own names.
RUN_HERE = re.compile(r"%%(time|capture|prun)\b")
DEFINITION = re.compile(r"[ \t]*(?:async[ \t]+def|def|class)[ \t]+(\w+)")


def _without_magics(source: str) -> str:
    """The Python of a cell: IPython's own lines stand as `pass`."""
    lines = source.split("\n")
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        if not RUN_HERE.match(lines[first]):
            return ""
        lines[first] = ""
    for n, line in enumerate(lines):
        bare = line.lstrip()
        if bare[:1] in ("%", "!", "?") or (bare.rstrip()[-1:] == "?" and "#" not in bare):
            lines[n] = line[: len(line) - len(bare)] + "pass"
    return "\n".join(lines)


def _by_lines(source: str) -> set[str]:
    found: set[str] = set()
    for line in source.splitlines():
        if defined := DEFINITION.match(line):
            found.add(defined[1])
        else:
            left, sign, right = line.partition("=")
            if sign and not right.startswith("="):
                targets = left.partition(":")[0].split(",")
                found |= {name for name in map(str.strip, targets) if name.isidentifier()}
    return found
