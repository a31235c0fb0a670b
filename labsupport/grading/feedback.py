"""A page of feedback for each submission: what the student may read, and nothing else.

Only public fields of a verdict are used: never `private`, never `events`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from labsupport import cards
from labsupport.grading.paper import (
    code_line,
    graded_of,
    href,
    lesson_title,
    made_by_us,
    one_line,
    page,
    put,
    safe_names,
)
from labsupport.grading.records import ExerciseResult, Result
from labsupport.vocabulary import Part, PartVerdict, Verdict

#: A student's list of pages, where there are several.
INDEX = "index.html"

#: Why a part has no points though nothing is said against it.
WAITING = "A part with ○ counts once the other parts are right."

#: Where a student's pages are, relative to GRADES: by student and number of the result.
Addresses = dict[str, list[tuple[str, str, str]]]


def addresses_of(students: Mapping[str, Sequence[Result]]) -> Addresses:
    """The parts of each page's path, in the order of the student's results."""
    folders = safe_names(students)
    return {
        student: [("feedback", folders[student], name) for name in _file_names(results)]
        for student, results in students.items()
    }


def _file_names(results: Sequence[Result]) -> list[str]:
    labels = [result.lesson or f"unknown lesson {n}" for n, result in enumerate(results, 1)]
    names = safe_names(labels, taken=("index",))
    return [f"{names[label]}.html" for label in labels]


def write(grades: Path, students: Mapping[str, Sequence[Result]], addresses: Addresses) -> None:
    """Write all pages; take away those of submissions that are no longer there."""
    wanted: set[Path] = set()
    for student, results in students.items():
        paths = [grades.joinpath(*parts) for parts in addresses[student]]
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        several = len(results) > 1
        for path, result in zip(paths, results, strict=True):
            put(path, feedback_page(result, several=several))
        wanted |= {*paths}
        if several:
            index = paths[0].parent / INDEX
            put(index, _index_page(student, results, [path.name for path in paths]))
            wanted.add(index)
    _remove_stale(grades / "feedback", wanted)


def _remove_stale(feedback: Path, wanted: set[Path]) -> None:
    """Take away pages that nobody needs: only ours, and nothing that a link leads to."""
    for folder in sorted(feedback.glob("*")):
        if folder.is_symlink():
            continue
        stale = [p for p in folder.glob("*.html") if p not in wanted and made_by_us(p)]
        for old in stale:
            old.unlink()
        if stale:
            with contextlib.suppress(OSError):  # not empty: something is somebody else's, or needed
                folder.rmdir()


def feedback_page(result: Result, *, several: bool = False) -> str:
    """The page on one submission."""
    verdicts = [public_verdict(exercise) for exercise in result.exercises]
    there = result.source != result.student  # or else the student stands for a missing notebook
    title = "A notebook of no known lesson" if there else "No notebook"
    return page(
        "feedback.html",
        "feedback.css",
        student=name_of(result),
        lesson=lesson_title(result.lesson) if result.lesson else title,
        points=result.points,
        most=result.max_points,
        problem=one_line(result.problem),
        remarks=[one_line(remark) for remark in result.remarks],
        refused=result.status != "graded",
        cards=[cards.what_a_verdict_shows(v) for v in verdicts if result.status == "graded"],
        right=sum(v.outcome == "right" for v in verdicts),
        late=result.ids.get("late") == "yes",
        file=one_line(result.source.rsplit("/", 1)[-1], 120) if there else "",
        digest_of_file=one_line(result.digest[:12]) if result.status == "graded" else "",
        index=INDEX if several else "",
    )


def _index_page(student: str, results: Sequence[Result], names: Sequence[str]) -> str:
    rows = [
        {
            "title": lesson_title(r.lesson) if r.lesson else one_line(r.source, 60),
            "href": href(name),
            "points": r.points,
            "most": r.max_points,
            "refused": r.status != "graded",
            "problem": one_line(r.problem),
        }
        for r, name in zip(results, names, strict=True)
    ]
    graded = graded_of(results)
    total = [sum(getattr(r, key) for r in graded) for key in ("points", "max_points")]
    return page(
        "index.html",
        "feedback.css",
        student=name_of(results[0]),
        rows=rows,
        points=total[0],
        most=total[1],
        lessons=len(graded),
        all_graded=len(graded) == len(results),
    )


def name_of(result: Result) -> str:
    return one_line(result.ids.get("name") or result.student, 100)


def public_verdict(exercise: ExerciseResult) -> Verdict:
    """The verdict as `check` would show it, made of the public fields only."""
    parts = []
    for part in exercise.parts:
        own = Part(one_line(part.id), part.max_points, one_line(part.title), ())
        parts.append(
            PartVerdict(
                own,
                part.outcome,
                part.points,
                one_line(part.message),
                one_line(part.question),
                line=code_line(part.line),
                line_number=part.line_number,
            )
        )
    waiting = any(part.outcome == "waiting" for part in parts)
    note = " ".join(filter(None, (one_line(exercise.note), WAITING if waiting else "")))
    return Verdict(one_line(exercise.id), one_line(exercise.title), "", tuple(parts), note)
