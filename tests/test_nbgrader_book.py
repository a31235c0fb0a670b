"""nbgrader's gradebook as a file: where it lies, and what a run that was stopped leaves of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_class import a_class
from test_reports import marks

from labsupport.grading import nbgrader_book, paper, records

BEFORE, AFTER = (a_class(["Ann Lee", "Bo Ek", "Cy Ng"], seed=seed) for seed in (1, 2))
KILLED = """
import json, os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.orm import Session
from labsupport.grading import nbgrader_book, paper, records

results = [records.from_json(stored) for stored in json.load(sys.stdin)]
students = paper.by_student(results)
event.listen(Session, "after_flush", lambda *_: os.kill(os.getpid(), 9))
nbgrader_book.write(Path(sys.argv[1]), students, paper.lessons_of(results))
"""


def write(path: Path, results) -> list[str]:
    return nbgrader_book.write(path, paper.by_student(results), paper.lessons_of(results))


def points(results) -> dict:
    """What `marks` finds: nothing given by a machine where nothing was graded."""
    return {
        (r.student, r.lesson, f"check-{e.id}"): (
            e.points if r.status == "graded" else None,
            e.points,
            e.max_points,
        )
        for r in results
        for e in r.exercises
    }


def needs(path: Path) -> set[tuple[str, str, str]]:
    """Which cells need a manual grade, as nbgrader has it."""
    from nbgrader.api import Grade, Gradebook

    with Gradebook(f"sqlite:///{path}") as book:
        grades = book.db.query(Grade).filter(Grade.needs_manual_grade)
        return {(g.student.id, g.assignment.name, g.name) for g in grades}


def killed(path: Path, results) -> None:
    """Write the gradebook in a process that is killed when all is written but not committed."""
    stored = json.dumps([records.to_json(result) for result in results])
    environment = {**os.environ, "PYTHONPATH": str(Path(paper.__file__).parents[2])}
    command = [sys.executable, "-c", KILLED, str(path)]
    assert subprocess.run(command, input=stored, text=True, env=environment).returncode not in (
        0,
        1,
    )


def test_what_is_refused_needs_a_grade_by_hand_in_every_cell(tmp_path):
    path = tmp_path / "gradebook.db"
    results = a_class()
    refused = [r for r in results if r.status == "refused"]
    assert write(path, results) == [] and marks(path) == points(results)
    assert needs(path) == set(points(refused)) and refused
    graded = [replace(r, status="graded") for r in refused]  # handed in again
    assert write(path, [*results, *graded]) == [] and needs(path) == set()


def test_a_score_by_hand_needs_a_look_when_the_verdict_is_another_one(tmp_path):
    """As nbgrader's own autograding has it."""
    from nbgrader.api import Gradebook

    path = tmp_path / "gradebook.db"
    one = next(r for r in BEFORE if r.status == "graded" and not r.exercises[0].points)
    first = one.exercises[0]
    place = (one.student, one.lesson, f"check-{first.id}")

    def by_hand(needs_manual_grade: bool) -> None:
        """As formgrader does it."""
        with Gradebook(f"sqlite:///{path}") as book:
            grade = book.find_grade(place[2], one.lesson, one.lesson, one.student)
            grade.manual_score, grade.extra_credit = 4, 1
            grade.needs_manual_grade = needs_manual_grade
            book.db.commit()

    write(path, [one])
    by_hand(False)
    assert write(path, [one]) == [] and needs(path) == set()
    parts = tuple(replace(p, points=p.max_points, outcome="right") for p in first.parts)
    again = replace(one, exercises=(replace(first, parts=parts), *one.exercises[1:]))
    (said,) = write(path, [again])
    assert said.startswith("gradebook.db keeps scores") and one.student in said
    assert marks(path)[place] == (first.max_points, 5, first.max_points)
    assert write(path, [again]) == [] and needs(path) == {place}
    by_hand(False)
    other = tuple(
        replace(p, outcome="mistake", points=p.max_points, mistake="m", mistake_name="Other.")
        for p in first.parts
    )
    said = write(path, [replace(one, exercises=(replace(first, parts=other), *one.exercises[1:]))])
    assert said and needs(path) == {place}  # as many points, and something else is wrong
    by_hand(False)
    assert write(path, [replace(one, status="refused")]) and place in needs(path)


def test_what_formgrader_wants_beside_the_gradebook_is_what_readme_says(tmp_path):
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    def asked():
        config = Config()
        config.CourseDirectory.root = str(tmp_path)
        config.Exchange.root = str(tmp_path)
        return NbGraderAPI(CourseDirectory(config=config), config=config)

    write(tmp_path / "gradebook.db", BEFORE)
    lessons = {result.lesson for result in BEFORE}
    assert asked().get_assignments() == []
    for lesson in lessons:
        (tmp_path / "source" / lesson).mkdir(parents=True)
    assert {a["name"] for a in asked().get_assignments()} == lessons
    for lesson in lessons:
        own = {r.student: r.points for r in BEFORE if r.lesson == lesson}
        rows = asked().get_submissions(lesson)
        assert {s["student"]: s["score"] for s in rows} == own
        assert asked().get_notebook_submissions(lesson, lesson) == []
    for result in BEFORE:
        path = tmp_path / "autograded" / result.student / result.lesson / f"{result.lesson}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    for lesson in lessons:
        rows = asked().get_notebook_submissions(lesson, lesson)
        assert {s["student"] for s in rows} == {r.student for r in BEFORE if r.lesson == lesson}


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "a b", "ü", "a&b=c", "file"])
def test_the_folder_may_have_any_name(tmp_path, name):
    (tmp_path / name).mkdir()
    path = tmp_path / name / "gradebook.db"
    assert write(path, BEFORE) == [] and write(path, BEFORE) == []
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    path.rename(tmp_path / "there.db")
    assert marks(tmp_path / "there.db") == points(BEFORE)


def test_a_new_gradebook_is_there_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "gradebook.db"
    killed(path, BEFORE)
    assert not path.exists() and list(tmp_path.iterdir())
    assert write(path, AFTER) == []
    assert list(tmp_path.iterdir()) == [path] and marks(path) == points(AFTER)


def test_a_gradebook_is_as_it_was_when_a_run_is_killed(tmp_path):
    path = tmp_path / "gradebook.db"
    write(path, BEFORE)
    killed(path, AFTER)
    assert marks(path) == points(BEFORE)
    assert write(path, AFTER) == [] and marks(path) == points(AFTER)


def test_nothing_is_said_on_the_terminal(tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for results in (BEFORE, AFTER):
            write(tmp_path / "gradebook.db", results)
    assert capfd.readouterr() == ("", "")
