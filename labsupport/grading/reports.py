"""All reports of a class, from its verdicts.

paper          what the reports share
tables         grades.csv, canvas.csv, moodle.csv
feedback       a page for each submission
overview       class.html
nbgrader_book  gradebook.db
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labsupport.grading import feedback, overview, tables
from labsupport.grading.paper import by_student, lessons_of
from labsupport.grading.records import Result


def write_all(
    grades: Path,
    results: Iterable[Result],
    *,
    facts: Mapping[str, Any] | None = None,
    unfinished: str = "",
) -> list[str]:
    """Write every report into the folder `grades`. Returns sentences for the instructor.

    facts: what class.html says of the run, in this order. unfinished: that there is more to be
    graded, in a sentence. Equal verdicts (and facts) give equal
    files. Raises OSError where a file cannot be written.
    """
    students = by_student(results)
    lessons = lessons_of(result for own in students.values() for result in own)
    addresses = feedback.addresses_of(students)
    tables.write_grades(grades / "grades.csv", students, lessons)
    feedback.write(grades, students, addresses)
    overview.write(grades / "class.html", students, lessons, addresses, facts or {}, unfinished)
    said = tables.not_graded(students)
    said += tables.write_canvas(grades, students, lessons)
    said += tables.write_moodle(grades, students, lessons)
    return said + _write_gradebook(grades / "gradebook.db", students, lessons)


def _write_gradebook(path: Path, *about) -> list[str]:
    """nbgrader's gradebook; a sentence where nbgrader is not installed."""
    try:
        from labsupport.grading import nbgrader_book

        return nbgrader_book.write(path, *about)
    except ImportError as error:
        missing = (error.name or "nbgrader").partition(".")[0]
        return [f"{path.name} was not written: it needs {missing}, which is not installed."]
