"""Reports leave alone what is not theirs, and say so where they cannot be written."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_class import LESSONS, a_class

from labsupport.grading import paper, reports
from labsupport.grading.places import printable
from labsupport.grading.records import ExerciseResult, PartResult, Result


def result(student: str, lesson: str = LESSONS[0], **ids: str) -> Result:
    part = PartResult("p", "A part", 2, 2, "right")
    exercise = ExerciseResult("bn-dense", "An exercise", (part,))
    return Result(student, lesson, f"{student}.ipynb", "d", "graded", 1, "c", (exercise,), ids=ids)


def write(folder, *results: Result) -> list[str]:
    return reports.write_all(folder, results, facts={})


def test_a_page_that_somebody_else_put_there_stays(tmp_path):
    write(tmp_path, result("ann"), result("bob"))
    own = tmp_path / "feedback" / "ann" / "comments.html"
    own.write_text("<p>Well done.</p>")
    empty = tmp_path / "feedback" / "for the tutors"
    empty.mkdir()
    write(tmp_path, result("bob"))
    left = sorted(p.name for p in (tmp_path / "feedback").rglob("*.html"))
    assert left == [f"{LESSONS[0]}.html", "comments.html"] and empty.is_dir()


def test_nothing_behind_a_link_is_removed(tmp_path):
    grades, elsewhere = tmp_path / "grades", tmp_path / "elsewhere"
    grades.mkdir(), elsewhere.mkdir()
    write(elsewhere, result("ann"))
    write(grades, result("bob"))
    there = elsewhere / "feedback" / "ann"
    (grades / "feedback" / "last year").symlink_to(there)
    (grades / "feedback" / "bob" / "best.html").symlink_to(there / f"{LESSONS[0]}.html")
    write(grades, result("bob"))
    assert (there / f"{LESSONS[0]}.html").is_file()
    assert (grades / "feedback" / "bob" / "best.html").is_symlink()


def test_a_worksheet_that_came_from_moodle_stays(tmp_path):
    write(tmp_path, result("ann", moodle_participant="3"))
    theirs = tmp_path / "moodle-download.csv"
    theirs.write_text("Identifier,Full name,Email address,Status,Grade\r\n")
    write(tmp_path, result("ann"))
    assert theirs.is_file() and not (tmp_path / "moodle.csv").exists()


@pytest.mark.parametrize(
    "key, file", [("canvas_user_id", "canvas"), ("moodle_participant", "moodle")]
)
def test_a_class_that_cannot_be_told_apart_is_named(tmp_path, key, file):
    said = write(tmp_path, result("ann", **{key: "7"}), result("bob", **{key: "7"}))
    assert len(said) == 1 and said[0].startswith(f"Not in {file}.csv") and "ann, bob." in said[0]
    assert not (tmp_path / f"{file}.csv").exists()


def test_without_nbgrader_there_is_a_sentence_and_every_other_report(tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == "nbgrader"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    said = write(tmp_path, *a_class())[-1]
    assert "gradebook.db" in said and "nbgrader" in said and "\n" not in said
    there = {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert there == {"grades.csv", "class.html", "canvas", "feedback"}


@given(st.text() | st.text(st.characters(max_codepoint=255)), st.integers(1, 20))
def test_the_short_way_to_a_line_says_what_the_long_one_says(text, limit):
    assert paper.one_line(text, limit) == printable(" ".join(text[: 4 * limit].split()), limit)


def test_events_and_what_the_judge_saw_are_for_the_instructor(tmp_path):
    bad = PartResult("p", "A part", 0, 2, "wrong", message="Off.", private="HIDDEN 41.4142")
    ann = result("ann")
    ann = replace(ann, exercises=(replace(ann.exercises[0], parts=(bad,)),), events=("EVENT",))
    write(tmp_path, ann)
    (page,) = (tmp_path / "feedback").rglob("*.html")
    told, known = page.read_text("utf-8"), (tmp_path / "class.html").read_text("utf-8")
    assert "Off." in told and "HIDDEN" not in told and "EVENT" not in told
    assert "HIDDEN" in known and "EVENT" in known
