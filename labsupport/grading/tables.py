"""Tables for other programs: a spreadsheet, Canvas, Moodle."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from labsupport.grading.paper import (
    lesson_title,
    name_list,
    one_line,
    put,
    safe_names,
    total_of,
)
from labsupport.grading.records import Result

Students = Mapping[str, Sequence[Result]]
Lessons = Mapping[str, Mapping[str, int]]  # points of each exercise, by lesson
NAMED = 20  # of those who could not be graded, on the terminal
CANVAS_HEADER = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
MOODLE_HEADER = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]


def write_grades(path: Path, students: Students, lessons: Lessons) -> None:
    """A row per student. Empty: not handed in, or not to be graded, as `problems` says; a total
    where something was handed in that could not be.

    Excel needs the byte order mark for names.
    """
    total = sum(sum(points.values()) for points in lessons.values())
    header = ["student", f"total ({total})"]
    for lesson, points in lessons.items():
        header.append(f"{cell(lesson)} ({sum(points.values())})")
        header += [f"{cell(id)} ({most})" for id, most in points.items()]
    rows = [[*header, "late", "problems"]]
    for student, results in students.items():
        own = {result.lesson: result for result in results}
        total = total_of(results, [*lessons])
        row = [cell(student), "" if total is None else total]
        for lesson, points in lessons.items():
            if lesson not in own:
                row += [""] * (1 + len(points))
                continue
            row.append(_points(own[lesson]))
            graded = own[lesson].exercises if own[lesson].status == "graded" else ()
            got = {e.id: e.points for e in graded}
            row += [got.get(id, "") for id in points]
        late = [r.lesson or r.source for r in results if r.ids.get("late") == "yes"]
        said = [
            r.problem if r.source == student else f"{r.lesson or r.source}: {r.problem}"
            for r in results
            if r.problem
        ]
        rows.append([*row, cell(", ".join(late)), cell(" | ".join(said))])
    put(path, _csv(rows), bom=True)


def write_canvas(folder: Path, students: Students, lessons: Lessons) -> list[str]:
    """Files for Canvas: Grades, Import; one for each lesson, where there are several.

    Returns sentences about who is not in them. Canvas finds a student by `ID`, which is in the
    names of the files that it exports. An empty cell would clear a grade that is there already, so
    there is none: in a lesson's file is who has points in it.
    """
    ids = {
        student: {r.ids["canvas_user_id"] for r in results if r.ids.get("canvas_user_id")}
        for student, results in students.items()
    }
    counts = Counter(number for own in ids.values() for number in own)
    sure = {
        student: next(iter(own))
        for student, own in ids.items()
        if len(own) == 1 and counts[next(iter(own))] == 1 and re.fullmatch("[1-9][0-9]{0,18}", *own)
    }
    graded = {
        lesson: {
            student: result
            for student in sure
            for result in students[student]
            if result.lesson == lesson and result.status == "graded"
        }
        for lesson in lessons
    }
    found = {lesson: own for lesson, own in graded.items() if own}
    path = _put_each(
        folder,
        "canvas",
        {
            lesson: [
                [*CANVAS_HEADER, cell(lesson_title(lesson))],
                ["Points Possible", "", "", "", "", sum(lessons[lesson].values())],
                *[
                    [_canvas_name(students[one], sure[one]), sure[one], "", "", "", result.points]
                    for one, result in own.items()
                ],
            ]
            for lesson, own in found.items()
        },
        CANVAS_HEADER,
    )
    said = _left_out(path, students, set(sure), "it is not sure who they are in Canvas")
    if len(found) > 1:
        said.append(
            f"{path.name} is a file for each lesson, since an empty cell would clear a grade that "
            "is in Canvas already."
        )
    return said if counts else []


def _canvas_name(results: Sequence[Result], number: str) -> str:
    """A name for the reader; Canvas takes a row with these words for something else."""
    name = cell(next((r.ids["name"] for r in results if r.ids.get("name")), results[0].student))
    return f"Student {number}" if "points possible" in name.lower() else name


def write_moodle(folder: Path, students: Students, lessons: Lessons) -> list[str]:
    """A grading worksheet for each Moodle assignment; one for each lesson, where there are several.

    Moodle finds a student by `Identifier`, which is another one in every assignment.
    """
    found: dict[str, dict[str, tuple[str, Result]]] = {}
    matched = set()
    for lesson in lessons:
        rows = [
            (r.ids["moodle_participant"], student, r)
            for student, results in students.items()
            for r in results
            if r.lesson == lesson
            and re.fullmatch("[0-9]{1,18}", r.ids.get("moodle_participant", ""))
        ]
        counts = Counter(number for number, _, _ in rows)
        own = {n: (student, result) for n, student, result in rows if counts[n] == 1}
        if own:
            found[lesson] = own
            matched |= {(student, lesson) for student, _ in own.values()}
    path = _put_each(
        folder,
        "moodle",
        {
            lesson: [
                MOODLE_HEADER,
                *[
                    [
                        f"Participant {n}",
                        cell(r.ids.get("name", student)),
                        _points(r),
                        sum(lessons[lesson].values()),
                        "-",
                    ]
                    for n, (student, r) in sorted(own.items(), key=lambda item: int(item[0]))
                ],
            ]
            for lesson, own in found.items()
        },
        MOODLE_HEADER,
    )
    if not found and not any(
        r.ids.get("moodle_participant") for own in students.values() for r in own
    ):
        return []
    without = {
        student
        for student, results in students.items()
        if any(r.lesson and (student, r.lesson) not in matched for r in results)
    }
    unknown = {s for s, results in students.items() if not any(r.lesson for r in results)}
    said = _left_out(path, students, set(students) - without, "Moodle's number is missing")
    said += _left_out(path, students, set(students) - unknown, "of no lesson that is known")
    if len(found) > 1:
        said.append(
            f"{path.name} is a worksheet for each lesson, since Moodle's belong to one assignment "
            "each. Where all lessons are one assignment there, grades.csv has the totals."
        )
    return said


def _points(result: Result) -> int | str:
    """Empty where nothing was graded: what that means, a person decides."""
    return result.points if result.status == "graded" else ""


def not_graded(students: Students) -> list[str]:
    """Who handed in what could not be graded, and why: a sentence, and a line for each."""
    left = [
        f"  {one_line(student, 60)}{_which(result, results)}: {one_line(result.problem, 200)}"
        for student, results in students.items()
        for result in results
        if result.status != "graded"
    ]
    if not left:
        return []
    said = ["Could not be graded, so without points in the tables:", *left[:NAMED]]
    if len(left) > NAMED:
        said.append(f"  and {len(left) - NAMED} more; class.html has them all.")
    return ["\n".join(said)]


def _which(result: Result, results: Sequence[Result]) -> str:
    """Which of a student's submissions, where there are several."""
    return f", {one_line(result.lesson or result.source, 80)}" if len(results) > 1 else ""


def _put_each(folder: Path, kind: str, tables: Mapping[str, list], header: list[str]) -> Path:
    """Write the table of each lesson, and take away older ones of ours. Returns what to call them.

    header: how the first line of each begins.
    """
    files = safe_names(f"{kind}-{lesson}" for lesson in tables)
    names = {lesson: f"{files[f'{kind}-{lesson}']}.csv" for lesson in tables}
    if len(tables) == 1:
        names = {lesson: f"{kind}.csv" for lesson in tables}
    for old in folder.glob(f"{kind}*.csv"):
        if old.name not in names.values() and _is_ours(old, kind, header):
            old.unlink()
    for lesson, rows in tables.items():
        put(folder / names[lesson], _csv(rows))
    return folder / (f"{kind}-*.csv" if len(tables) > 1 else f"{kind}.csv")


def _is_ours(path: Path, kind: str, header: list[str]) -> bool:
    """The platforms' own tables have more columns; an instructor may keep one here."""
    if path.is_symlink() or not path.is_file():
        return False
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        first = next(csv.reader([file.readline(10_000)]), [])
    most = len(header) + (kind == "canvas")
    # An earlier version wrote all lessons into canvas.csv.
    return first[: len(header)] == header and (len(first) <= most or path.name == "canvas.csv")


def _left_out(path: Path, students: Students, there: set[str], why: str) -> list[str]:
    left = [student for student in students if student not in there]
    return [f"Not in {path.name} ({why}): {name_list(left)}."] if left else []


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula, whichever sign it splits cells at."""
    shown = one_line(text, 1_000)
    return re.sub(r"(^|[,;|\"']) *(?=[=+\-@\uff1d\uff0b\uff0d\uff20])", r"\g<0>'", shown)


def _csv(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
