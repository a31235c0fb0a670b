"""Submissions of every form, and of none: each gives one Submission, and nothing else happens."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import stat
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from labsupport import exercises
from labsupport.grading import listing, notebooks, places, reading, students
from labsupport.grading.records import StudentCell, Submission

PROJECT = Path(__file__).resolve().parents[1]
FIRST, SECOND = exercises.LESSONS[1], exercises.LESSONS[2]
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs links and pipes as POSIX has them")


def notebook(source="x = 1", lesson=FIRST, **more) -> dict:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": source, "outputs": []}
    metadata = {"labsupport": {"lesson": lesson}} if lesson else {}
    return {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5, **more}


def put(path: Path, content: dict | bytes | str | None = None) -> Path:
    content = notebook() if content is None else content
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def put_zip(path: Path, members: dict[str, dict | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            data = json.dumps(content).encode() if isinstance(content, dict) else content
            archive.writestr(name, data)
    return path


def read(path: Path) -> list[Submission]:
    """All submissions, read twice and through pickle: the same both times."""
    found = reading.find(path)
    submissions = [reading.load(item) for item in found]
    assert [reading.load(pickle.loads(pickle.dumps(item))) for item in found] == submissions
    for submission in submissions:
        proper(submission)
    keys = {s.student for s in submissions}
    assert len({unicodedata.normalize("NFC", k).casefold() for k in keys}) == len(keys)
    return submissions


def proper(submission: Submission) -> None:
    """What every submission must be, whatever it was made of."""
    assert submission.student and submission.source
    assert len(submission.digest) == 64
    assert submission.lesson in (*exercises.LESSONS, "")
    assert bool(submission.problem) or bool(submission.lesson)
    assert not (submission.problem and submission.cells)
    texts = (submission.student, submission.source, submission.problem, *submission.remarks)
    for text in (*texts, *submission.ids.values()):
        assert "\n" not in text and not any(map(places._is_odd, text))
    assert not set(submission.student) & set('/\\:*?"<>|') and len(submission.student) < 120
    for cell in submission.cells:
        cell.source.encode()


def one(path: Path) -> Submission:
    (submission,) = read(path)
    return submission


def said(submissions: list[Submission]) -> list[tuple[str, str]]:
    return [(s.student, s.lesson) for s in submissions]


# ---------------------------------------------------------------- forms of SUBMISSIONS


def test_a_folder_per_student(tmp_path):
    put(tmp_path / "ann" / "01.ipynb")
    put(tmp_path / "bob" / "deep" / "down" / "my work.ipynb", notebook(lesson=SECOND))
    put(tmp_path / "bob" / "deep" / "01.ipynb")
    put(tmp_path / "bob" / ".ipynb_checkpoints" / "01-checkpoint.ipynb")
    put(tmp_path / "bob" / "__MACOSX" / "._01.ipynb")
    put(tmp_path / "cy" / "essay.pdf", b"%PDF")
    (tmp_path / "dee").mkdir()
    put(tmp_path / "readme.txt", b"for the instructor")
    got = read(tmp_path)
    assert said(got) == [("ann", FIRST), ("bob", FIRST), ("bob", SECOND), ("cy", ""), ("dee", "")]
    assert got[1].source == "bob/deep/01.ipynb"
    assert got[3].problem == "There is no notebook (.ipynb), only essay.pdf."
    assert got[4].problem == "There is no notebook."


@pytest.mark.parametrize("beside", ["gradebook.db", "nbgrader_config.py", None])
def test_nbgrader_submitted(tmp_path, beside):
    put(tmp_path / "submitted" / "ann" / "ps1" / "problem.ipynb")
    put(tmp_path / "submitted" / "bob" / "ps1" / "problem.ipynb")
    if beside:
        put(tmp_path / "source" / "ps1" / "problem.ipynb")
        put(tmp_path / beside, b"")
    assert said(read(tmp_path)) == [("ann", FIRST), ("bob", FIRST)]
    assert said(read(tmp_path / "submitted")) == [("ann", FIRST), ("bob", FIRST)]


CANVAS = {
    "doejane_4501_90001_01_batch_norm_by_hand.ipynb": notebook(),
    "doejane_4501_90007_01_batch_norm_by_hand-1.ipynb": notebook("x = 2"),
    "roejohn_LATE_4502_90002_Copy of 01 (1).ipynb": notebook(),
    "von_berg_4503_90003_x.ipynb": notebook(),
    "poepat_4504_90004_essay.pdf": b"%PDF",
    "liwei_4505_text.html": b"<p>see my repository",
}


def check_canvas(got: list[Submission]) -> None:
    assert said(got) == [
        ("doejane", FIRST), ("liwei", ""), ("poepat", ""), ("roejohn", FIRST), ("von_berg", FIRST)
    ]  # fmt: skip
    jane, wei, pat, john, berg = got
    assert jane.cells[0].source == "x = 2"
    assert "doejane_4501_90001_01_batch_norm_by_hand.ipynb" in jane.remarks[0]
    assert jane.ids == {
        "canvas_user_id": "4501",
        "canvas_submission_id": "90007",
        "name": "doejane",
    }
    assert john.ids["late"] == "yes" and "late" not in jane.ids
    assert berg.ids["canvas_user_id"] == "4503"
    assert "essay.pdf" in pat.problem
    assert wei.problem == "There is no notebook." and "not graded" in wei.remarks[0]


def test_canvas(tmp_path):
    for name, content in CANVAS.items():
        put(tmp_path / "flat" / name, content)
        put(tmp_path / "wrapped" / "submissions" / name, content)
    check_canvas(read(tmp_path / "flat"))
    check_canvas(read(tmp_path / "wrapped"))
    check_canvas(read(put_zip(tmp_path / "submissions.zip", CANVAS)))
    wrapped = {f"submissions/{name}": content for name, content in CANVAS.items()}
    check_canvas(read(put_zip(tmp_path / "wrapped.zip", wrapped)))
    (tmp_path / "alone").mkdir()
    put_zip(tmp_path / "alone" / "submissions.zip", CANVAS)
    check_canvas(read(tmp_path / "alone"))


def test_a_list_beside_an_export_and_several_exports(tmp_path):
    (tmp_path / "one").mkdir()
    put_zip(tmp_path / "one" / "submissions.zip", CANVAS)
    put(tmp_path / "one" / "roster.csv", b"ann,1")
    check_canvas(read(tmp_path / "one"))
    (tmp_path / "two").mkdir()
    names = sorted(CANVAS)
    for half, kept in (("lab01", names[::2]), ("lab02", names[1::2])):
        put_zip(tmp_path / "two" / f"{half}.zip", {name: CANVAS[name] for name in kept})
        for name in kept:
            put(tmp_path / "open" / half / name, CANVAS[name])
    check_canvas(read(tmp_path / "two"))
    check_canvas(read(tmp_path / "open"))


def test_what_only_looks_like_an_export_hands_nothing_in_for_others(tmp_path):
    for form in ("folder", "zip"):
        home = tmp_path / form
        put(home / "ann" / "01.ipynb")
        if form == "folder":
            put(home / "bob" / "annother_4501_90001_01.ipynb")
        else:
            put_zip(home / "bob.zip", {"annother_4501_90001_01.ipynb": notebook()})
        assert said(read(home)) == [("ann", FIRST), ("bob", FIRST)]


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_a_folder_around_all_with_a_list_beside(tmp_path, form):
    members = {
        "hw1/anna/01.ipynb": notebook(),
        "hw1/bob/01.ipynb": notebook(),
        "hw1/metadata.yml": b"a: 1",
        "roster.csv": b"ann,1",
    }
    for name, content in members.items():
        put(tmp_path / "folder" / name, content)
    put_zip(tmp_path / "all.zip", members)
    got = read(tmp_path / ("all.zip" if form == "zip" else "folder"))
    assert said(got) == [("anna", FIRST), ("bob", FIRST)]


def test_a_students_folder_that_grades_were_written_to_is_still_a_students(tmp_path):
    for student in ("ann", "bob"):
        put(tmp_path / student / "01.ipynb")
    for name in ("grading.json", "verdicts.jsonl"):
        put(tmp_path / "ann" / name, b"{}")
        put(tmp_path / "grades" / name, b"{}")
    assert said(read(tmp_path)) == [("ann", FIRST), ("bob", FIRST)]


def test_cells_say_more_than_metadata_and_name(tmp_path):
    second = json.loads((PROJECT / "solutions" / f"{SECOND}.ipynb").read_text("utf-8"))
    second["metadata"]["labsupport"]["lesson"] = FIRST
    got = one(put(tmp_path / "01.ipynb", second))
    assert got.lesson == SECOND
    assert got.remarks == (f"Its metadata says {FIRST}, but its cells are those of {SECOND}.",)
    second["metadata"]["labsupport"]["lesson"] = SECOND
    got = one(put(tmp_path / "01.ipynb", second))
    assert got.lesson == SECOND
    assert got.remarks == (f"Its name says {FIRST}, but its cells are those of {SECOND}.",)


def test_what_a_student_should_know_of_what_was_handed_in(tmp_path):
    path = put(tmp_path / "ann" / "01_linear.ipynb", notebook(lesson=""))
    put(tmp_path / "ann" / "helpers.py", b"a = 1")
    path.write_bytes(path.read_bytes() + bytes(512))
    got = one(tmp_path)
    assert got.lesson == FIRST and got.remarks == (
        "What is imported from helpers.py is not there: put it into the notebook.",
        f"Its name says {FIRST}, but no cell of the course is in it.",
    )


def test_canvas_attempts_are_ordered_by_number_first(tmp_path):
    for attempt in (0, 2, 10):
        ending = f"-{attempt}" if attempt else ""
        path = put(tmp_path / f"ann_1_{90 + attempt}_01{ending}.ipynb", notebook(f"x = {attempt}"))
        os.utime(path, (100 - attempt, 100 - attempt))
    assert one(tmp_path).cells[0].source == "x = 10"


def test_canvas_hides_names(tmp_path):
    put(tmp_path / "anon_k3xYz_901_01.ipynb")
    put(tmp_path / "LATE_anon_ab12C_902_01.ipynb")
    got = read(tmp_path)
    assert [s.student for s in got] == ["anon-ab12C", "anon-k3xYz"]
    assert got[0].ids["late"] == "yes" and "canvas_user_id" not in got[0].ids


def test_two_students_of_one_name(tmp_path):
    put(tmp_path / "smithjo_11_901_01.ipynb", notebook("x = 11"))
    put(tmp_path / "smithjo_12_902_01.ipynb", notebook("x = 12"))
    got = read(tmp_path)
    assert [(s.student, s.cells[0].source) for s in got] == [
        ("smithjo-11", "x = 11"), ("smithjo-12", "x = 12")
    ]  # fmt: skip


MOODLE = {
    "Ann Ng_1234567_assignsubmission_file_": "01_batch_norm_by_hand.ipynb",
    "Bob Ó_1234568_assignsubmission_file": "sub/x.ipynb",
    "Ann Ng_1234569_assignsubmission_file_": "x.ipynb",
}


def check_moodle(got: list[Submission]) -> None:
    assert said(got) == [
        ("Ann Ng-1234567", FIRST), ("Ann Ng-1234569", FIRST), ("Bob Ó", FIRST), ("Cy", "")
    ]  # fmt: skip
    assert got[0].ids == {"moodle_participant": "1234567", "name": "Ann Ng"}
    assert any("Text typed" in remark for remark in got[0].remarks)
    assert any("Text typed" in remark for remark in got[3].remarks)


def test_moodle(tmp_path):
    files = {f"{folder}/{name}": notebook() for folder, name in MOODLE.items()}
    files["Ann Ng_1234567_assignsubmission_onlinetext_/onlinetext.html"] = b"hello"
    files["Cy_1234570_assignsubmission_onlinetext_/onlinetext.html"] = b"hello"
    flat = {name.replace("/", "_", 1).replace("__", "_"): data for name, data in files.items()}
    flat = {name.replace("/", "_").replace("file_sub", "file"): d for name, d in flat.items()}
    for kind, held in (("folders", files), ("flat", flat)):
        for name, content in held.items():
            put(tmp_path / kind / name, content)
        check_moodle(read(tmp_path / kind))
        check_moodle(read(put_zip(tmp_path / f"{kind}.zip", held)))


def put_moodle(folder: Path, lesson: str, **numbers: str) -> None:
    for number, name in numbers.items():
        home = f"{name}_{number.strip('n')}_assignsubmission_file_"
        put(folder / home / f"{lesson}.ipynb", notebook(lesson=lesson))


@pytest.mark.parametrize("form", ["folders", "zips"])
def test_moodle_numbers_everyone_anew_in_each_assignment(tmp_path, form):
    put_moodle(tmp_path / "one", FIRST, n11="Ada", n12="Jo\u0308", n13="Bob", n14="Bob", n15="Cy")
    put_moodle(tmp_path / "two", SECOND, n31="Ada", n32="J\xf6", n33="Bob")
    put(tmp_path / "two" / "Cy_35_assignsubmission_file_" / "essay.pdf", b"%PDF")
    if form == "zips":
        (tmp_path / "zips").mkdir()
        for name in ("one", "two"):
            members = {
                str(path.relative_to(tmp_path / name)): path.read_bytes()
                for path in (tmp_path / name).rglob("*.*")
            }
            put_zip(tmp_path / "zips" / f"{name}.zip", members)
        tmp_path = tmp_path / "zips"
    got = read(tmp_path)
    assert sorted(said(got)) == [
        ("Ada", FIRST), ("Ada", SECOND), ("Bob-13", FIRST), ("Bob-14", FIRST), ("Bob-33", SECOND),
        ("Cy", FIRST), ("J\xf6", FIRST), ("J\xf6", SECOND)
    ]  # fmt: skip
    numbers = {(s.student, s.lesson): s.ids["moodle_participant"] for s in got}
    assert numbers["Ada", FIRST] == "11" and numbers["Ada", SECOND] == "31"
    for submission in got:
        told = any("which lessons belong together" in remark for remark in submission.remarks)
        assert told == submission.student.startswith("Bob")
        told = "There is no notebook beside essay.pdf." in submission.remarks
        assert told == (submission.student == "Cy")
    doubts = {doubt for item in reading.find(tmp_path) for doubt in item.doubts}
    assert len(doubts) == 1 and doubts.pop().startswith("Bob: several students of this name")


def test_moodles_assignments_in_one_folder_are_noticed(tmp_path):
    put_moodle(tmp_path, FIRST, n11="Ada", n12="Bob", n13="Bob")
    put_moodle(tmp_path, SECOND, n31="Ada")
    assert len({s.student for s in read(tmp_path)}) == 4
    doubts = [doubt for item in reading.find(tmp_path) for doubt in item.doubts]
    assert len(doubts) == 1 and doubts[0].startswith("Ada: the numbers 11, 31 are")


def test_moodles_teams(tmp_path):
    put_moodle(tmp_path, FIRST, n11="Team A-Ada Roe", n12="Anne-Marie Ng", n13="Default group-Cy")
    put_moodle(tmp_path, FIRST, n14="Rockets-Dee", n15="Gruppe 2-Ann-Eve Å", n16="Team-")
    got = read(tmp_path)
    names = ["Ada Roe", "Ann-Eve Å", "Anne-Marie Ng", "Cy", "Rockets-Dee", "Team-"]
    assert [s.student for s in got] == [s.ids["name"] for s in got] == names


def check_attempts(tmp_path: Path, files: dict[str, dict | bytes]) -> list[Submission]:
    """In a folder and in a zip: Ada's and Jo's, of Jo's the second. What is written later lies."""
    for number, (name, content) in enumerate(files.items()):
        os.utime(put(tmp_path / "all" / name, content), (99 - number, 99 - number))
    got = read(tmp_path / "all")
    inside = read(put_zip(tmp_path / "all.zip", files))
    assert [(s.student, s.source) for s in got] == [(s.student, s.source) for s in inside]
    assert all(item.doubts == () for item in reading.find(tmp_path / "all"))
    return got


@pytest.mark.parametrize("between", ["/", " - "])
def test_brightspace(tmp_path, between):
    files = {
        "index.html": b"<html>",
        f"11-99 - Ada - Oct 3, 2025 1131 AM{between}01.ipynb": notebook(),
        f"12-99 - Jo Øst - Roe - Oct 9, 2025 1231 AM{between}01.ipynb": notebook("x = 1"),
        f"12-99 - Jo Øst - Roe - Oct 9, 2025 901 AM{between}01.ipynb": notebook("x = 2"),
        f"13-99 - Ada - Nov 3, 2025 1131 PM{between}01.ipynb": notebook(),
    }
    got = check_attempts(tmp_path, files)
    assert [s.student for s in got] == ["Ada-11", "Ada-13", "Jo Øst - Roe"]
    assert got[2].cells[0].source == "x = 2" and got[2].ids == {"name": "Jo Øst - Roe"}


def test_blackboard(tmp_path):
    title = "Lesson 01 Home_work"
    files = {
        f"{title}_ada_attempt_2025-10-03-11-31-22.txt": b"Name: Ada Lovelace (ada)",
        f"{title}_ada_attempt_2025-10-03-11-31-22_01_batch_norm_by_hand.ipynb": notebook(),
        f"{title}_jm123_attempt_2025-10-03-12-00-00.txt": b"",
        f"{title}_jm123_attempt_2025-10-03-12-00-00_01.ipynb": notebook("x = 1"),
        f"{title}_jm123_attempt_2025-10-04-12-00-00.txt": b"",
        f"{title}_jm123_attempt_2025-10-04-12-00-00_01.ipynb": notebook("x = 2"),
        f"{title}_zoe_attempt_2025-10-04-12-00-00.txt": b"",
    }
    got = check_attempts(tmp_path, files)
    assert said(got) == [("ada", FIRST), ("jm123", FIRST), ("zoe", "")]
    assert got[1].cells[0].source == "x = 2" and got[2].problem == "There is no notebook."


def test_one_notebook(tmp_path):
    assert said(read(put(tmp_path / "ann.ipynb"))) == [("ann", FIRST)]
    mine = put(tmp_path / "cleo" / "01_batch_norm_by_hand.ipynb")
    assert said(read(mine)) == [("cleo", FIRST)]
    mine = put(tmp_path / "00123456" / "01_batch_norm_by_hand.ipynb")
    assert said(read(mine)) == [("00123456", FIRST)]
    mine = put(tmp_path / "cleo" / "final version" / "notebooks" / "01_batch_norm_by_hand.ipynb")
    assert said(read(mine)) == [("cleo", FIRST)]
    assert said(read(put(tmp_path / "saved by a browser.ipynb.txt"))) == [
        ("saved by a browser", FIRST)
    ]


def test_a_flat_folder_with_names_of_any_kind(tmp_path):
    put(tmp_path / "ann.ipynb")
    put(tmp_path / "bob_01_batch_norm_by_hand.ipynb")
    put(tmp_path / "bob-02_moving_averages.ipynb", notebook(lesson=SECOND))
    put(tmp_path / "02_moving_averages.ipynb", notebook(lesson=SECOND))
    put_zip(tmp_path / "cy.zip", {"hw/01.ipynb": notebook()})
    assert sorted(said(read(tmp_path))) == [
        ("ann", FIRST), ("bob", FIRST), ("bob", SECOND), ("cy", FIRST), (tmp_path.name, SECOND)
    ]  # fmt: skip


def test_zips_of_students(tmp_path):
    inner = put_zip(tmp_path / "inner.zip", {"hw/01.ipynb": notebook()})
    twice = put_zip(tmp_path / "twice.zip", {"inner.zip": inner.read_bytes()})
    (tmp_path / "class" / "ann").mkdir(parents=True)
    for name, archive in (("ann/hw.zip", inner), ("bob.zip", inner), ("cy.zip", twice)):
        (tmp_path / "class" / name).write_bytes(archive.read_bytes())
    got = read(tmp_path / "class")
    assert said(got) == [("ann", FIRST), ("bob", FIRST), ("cy", "")]
    assert got[0].source == "ann/hw.zip/hw/01.ipynb"
    assert "not opened" in got[2].remarks[0] and "inner.zip" in got[2].problem
    whole = put_zip(
        tmp_path / "whole.zip",
        {"ann_1_2_hw.zip": inner.read_bytes(), "cy_3_4_hw.zip": twice.read_bytes()},
    )
    assert said(read(whole)) == [("ann", FIRST), ("cy", "")]


def test_a_zip_of_a_folder_of_folders(tmp_path):
    folder = {"hw1/ann/01.ipynb": notebook(), "hw1/bob/01.ipynb": notebook(), "hw1/cy/": b""}
    got = read(put_zip(tmp_path / "hw1.zip", folder))
    assert said(got) == [("ann", FIRST), ("bob", FIRST), ("cy", "")]
    one_student = {"ann/01/x.ipynb": notebook(), "ann/02/x.ipynb": notebook(lesson=SECOND)}
    got = read(put_zip(tmp_path / "one.zip", one_student))
    assert said(got) == [("ann", FIRST), ("ann", SECOND)]


def test_an_earlier_run_is_no_student(tmp_path):
    put(tmp_path / "ann" / "01.ipynb")
    put(tmp_path / "grades" / "verdicts.jsonl", b"")
    put(tmp_path / "grades" / "grading.json", b"{}")
    assert said(read(tmp_path)) == [("ann", FIRST)]


@pytest.mark.parametrize(
    ("name", "content"),
    [("missing", None), ("x.txt", b"text"), ("x.zip", b"no zip"), ("folder/readme.txt", b"text")],
)
def test_nothing_to_grade(tmp_path, name, content):
    if content is not None:
        put(tmp_path / name, content)
    with pytest.raises(reading.CannotRead) as caught:
        reading.find(tmp_path / name.partition("/")[0])
    assert len(str(caught.value).splitlines()) == 1 and str(tmp_path) not in str(caught.value)[300:]


# ---------------------------------------------------------------- the level of the students


def check_levels(tmp_path: Path, files: list[str], wanted: list[tuple[str, str]]) -> None:
    """The same students in a folder, in a zip, and where folders of the first level are zips."""
    members = {name: notebook(lesson=notebooks.lesson_in_name(name)) for name in files}
    for name, content in members.items():
        put(tmp_path / "all" / name, content)
    assert sorted(said(read(tmp_path / "all"))) == wanted
    assert sorted(said(read(put_zip(tmp_path / "all.zip", members)))) == wanted
    tops = {name.partition("/")[0] for name in files}
    (tmp_path / "zips").mkdir()
    for top in tops:
        inner = {n.partition("/")[2]: c for n, c in members.items() if n.startswith(f"{top}/")}
        put_zip(tmp_path / "zips" / f"{top}.zip", inner)
    assert sorted(said(read(tmp_path / "zips"))) == wanted


ONE, EIGHT = "01_batch_norm_by_hand", "08_dropout_by_hand"
BOTH_OF = [("Ada", ONE), ("Bob", ONE), ("Bob", EIGHT)]


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ([f"{ONE}/Ada/{ONE}.ipynb", f"{ONE}/Bob/{ONE}.ipynb", f"{EIGHT}/Bob/{EIGHT}.ipynb"],
         BOTH_OF),
        ([f"week1/Ada/{ONE}.ipynb", f"week2/Bob/{EIGHT}.ipynb", f"week1/Bob/{ONE}.ipynb"],
         BOTH_OF),
        ([f"groupA/Ada/{ONE}.ipynb", f"groupA/Bob/{ONE}.ipynb", f"groupB/Bob/{EIGHT}.ipynb"],
         BOTH_OF),
        ([f"week1/Ada/mit Euler/{ONE}.ipynb", f"week2/Bob/x/{EIGHT}.ipynb",
          f"week2/Bob/y/{ONE}.ipynb"], BOTH_OF),
        ([f"{day}/{who}/{ONE}.ipynb" for day, who in
          [("Mon", "Ada"), ("Mon", "Bob"), ("Tue", "Bo"), ("Tue", "Cy")]],
         [("Ada", ONE), ("Bo", ONE), ("Bob", ONE), ("Cy", ONE)]),
        ([f"Übung 1/Abgaben/Ada_1/x_{ONE}.ipynb", f"Übung 1/Abgaben/Bob_2/x_{ONE}.ipynb"],
         [("Ada_1", ONE), ("Bob_2", ONE)]),
        ([f"lesson-01-submissions/lesson-01-{who}/{name}"
          for who in ("ada", "bob") for name in ("README.md", f"notebooks/{ONE}.ipynb")],
         [("ada", ONE), ("bob", ONE)]),
        ([f"lesson-{n[:2]}-submissions/lesson-{n[:2]}-{who}/{n}.ipynb"
          for who, n in [("Ada", ONE), ("Bob", ONE), ("Bob", EIGHT), ("Cy", EIGHT)]],
         [*BOTH_OF, ("Cy", EIGHT)]),
        ([f"Lesson 1/Ada - {ONE}.ipynb", f"Lesson 1/{ONE} - Bob.ipynb", f"Lesson 1/{ONE}.ipynb"],
         [("Ada", ONE), ("Bob", ONE), ("Lesson 1", ONE)]),
    ],
)  # fmt: skip
def test_students_are_found_below_lessons_weeks_and_groups(tmp_path, files, wanted):
    check_levels(tmp_path, files, wanted)


@pytest.mark.parametrize(
    "files",
    [
        [f"Ada/old/{ONE}.ipynb", f"Ada/final/{ONE}.ipynb", f"Bob/{ONE}.ipynb",
         f"Bob/{EIGHT}.ipynb"],
        [f"Ada/{ONE}.ipynb", f"Ada/{ONE} (1).ipynb", f"Bob/hw/{ONE}.ipynb", f"Bob/x/{EIGHT}.ipynb"],
        [f"Ada/mine/{ONE}.ipynb", f"Ada/Bob/{ONE}.ipynb", f"Ada/Cy/{ONE}.ipynb",
         f"Bob/hw/{ONE}.ipynb", f"Bob/hw/{EIGHT}.ipynb"],
        [f"{who}/quiz {quiz}/{name}.ipynb" for who, quiz, name in
         [("Ada", "Euler", ONE), ("Bob", "Euler", ONE), ("Bob", "Gauss", EIGHT)]],
        [f"Ada/ada v1 {ONE}.ipynb", f"Ada/ada v2 {ONE}.ipynb", f"Bob/bob {ONE}.ipynb",
         f"Bob/{EIGHT}.ipynb"],
    ],
)  # fmt: skip
def test_a_student_may_have_folders_and_copies(tmp_path, files):
    check_levels(tmp_path, files, BOTH_OF)


def test_numbers_may_be_students(tmp_path):
    for number in ("01", "02", "03"):
        put(tmp_path / number / "hw" / f"{ONE}.ipynb")
    put(tmp_path / "03" / "Ada" / f"{ONE}.ipynb")
    put(tmp_path / "03" / "Bob" / f"{ONE}.ipynb")
    assert said(read(tmp_path)) == [("01", FIRST), ("02", FIRST), ("03", FIRST)]


def test_exports_may_lie_in_folders(tmp_path):
    for week, names in (("week1", sorted(CANVAS)[::2]), ("week2", sorted(CANVAS)[1::2])):
        (tmp_path / "all" / week).mkdir(parents=True)
        members = {name: CANVAS[name] for name in names}
        put_zip(tmp_path / "all" / week / "submissions.zip", members)
    check_canvas(read(tmp_path / "all"))


def test_a_students_folder_beside_those_of_weeks(tmp_path):
    for name in ("week1/Ada", "week1/Bob", "week2/Ada", "week2/Cy", "Zoe"):
        put(tmp_path / name / "01.ipynb", notebook(lesson=SECOND if "2" in name else FIRST))
    assert said(read(tmp_path)) == [
        ("Ada", FIRST), ("Ada", SECOND), ("Bob", FIRST), ("Cy", SECOND), ("Zoe", FIRST)
    ]  # fmt: skip


def test_exports_of_one_student(tmp_path):
    put(tmp_path / "one" / "11-99 - Ada - Oct 3, 2025 1131 AM" / "01.ipynb")
    put(
        tmp_path / "two" / "11-88 - Ada - Oct 9, 2025 1131 AM" / "01.ipynb", notebook(lesson=SECOND)
    )
    assert said(read(tmp_path)) == [("Ada", FIRST), ("Ada", SECOND)]


@pytest.mark.parametrize(
    ("files", "where", "todo"),
    [
        (["Ann/mine/01.ipynb", "Ann/Bob/01.ipynb", "Cy/01.ipynb"],
         "Ann: 2 notebooks for", "name the folder Ann as SUBMISSIONS"),
        (["Ann/hw/Eve/01.ipynb", "Ann/hw/Bob/01.ipynb", "Cy/01.ipynb"],
         "Ann/hw: 2 notebooks for", "name the folder Ann/hw as SUBMISSIONS"),
        (["week1/Ann/01.ipynb", "week2/Ann/01.ipynb"],
         "week1/Ann and week2/Ann: 2", "give those different names"),
        (["Lesson 1/01_batch_norm_by_hand.ipynb", "Lesson 1/Copy of 01_batch_norm_by_hand.ipynb"],
         "Lesson 1: 2 notebooks", "give each a folder of its own"),
        (["01_batch_norm_by_hand.ipynb", "Copy of 01_batch_norm_by_hand.ipynb"],
         "all: 2 notebooks", "put their names into the names of the files"),
        (["Ann/old/01.ipynb", "Ann/final/01.ipynb", "Ann/01.ipynb", "Bob/Bob_01.ipynb",
          "Bob/01.ipynb", "cy_1_2_01.ipynb", "cy_1_3_01-1.ipynb"], "", ""),
    ],
)  # fmt: skip
def test_nobodys_work_is_left_out_silently(tmp_path, files, where, todo):
    for name in files:
        put(tmp_path / "all" / name)
    doubts = [doubt for item in reading.find(tmp_path / "all") for doubt in item.doubts]
    assert len(doubts) == bool(where)
    for doubt in doubts:
        assert doubt.startswith(where) and FIRST in doubt and doubt.endswith(f"{todo}.")


def test_a_blank_notebook_that_is_left_out_is_nobodys_work(tmp_path):
    put(tmp_path / "Ann" / "mine" / "01.ipynb")
    blank = (PROJECT / "notebooks" / f"{FIRST}.ipynb").read_bytes()
    put(tmp_path / "Ann" / "Downloads of Ann" / "01.ipynb", blank)
    put(tmp_path / "Bob" / "01.ipynb")
    put(tmp_path / "Bob" / "Euler" / "01.ipynb", blank)
    assert [item.doubts for item in reading.find(tmp_path)] == [(), ()]


def test_who_has_no_work_is_not_lost_below(tmp_path):
    for name in ("Ada", "Bob"):
        put(tmp_path / "week1" / name / "01.ipynb")
    put(tmp_path / "week2" / "Cy" / "essay.pdf", b"%PDF")
    put(tmp_path / "week2" / "Ada" / "02.ipynb", notebook(lesson=SECOND))
    put(tmp_path / "Dee" / "essay.pdf", b"%PDF")
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    got = read(tmp_path)
    assert said(got) == [
        ("Ada", FIRST), ("Ada", SECOND), ("Bob", FIRST), ("Cy", ""), ("Dee", ""), ("broken", "")
    ]  # fmt: skip


# ---------------------------------------------------------------- one of several


def test_the_latest_is_graded_and_the_others_are_named(tmp_path):
    for number, name in enumerate(("b", "a", "c")):
        os.utime(
            put(tmp_path / "ann" / f"{name}.ipynb", notebook(f"x = {number}")), (9, 9 - number)
        )
    got = one(tmp_path)
    assert got.cells[0].source == "x = 0"
    assert got.remarks == (
        "Of 3 notebooks for this lesson the latest is graded; left out: ann/a.ipynb, ann/c.ipynb.",
    )
    for name in ("a", "b", "c"):
        os.utime(tmp_path / "ann" / f"{name}.ipynb", (9, 9))
    assert one(tmp_path).source == "ann/c.ipynb"


def test_a_blank_or_a_broken_one_does_not_push_out_an_answer(tmp_path):
    blank = (PROJECT / "notebooks" / f"{FIRST}.ipynb").read_bytes()
    os.utime(put(tmp_path / "ann" / "answered.ipynb"), (1, 1))
    os.utime(put(tmp_path / "ann" / "01_blank.ipynb", blank), (2, 2))
    os.utime(put(tmp_path / "ann" / "01_broken.ipynb", blank[:-900]), (3, 3))
    got = one(tmp_path)
    assert got.source == "ann/answered.ipynb"
    assert got.remarks == (
        "Of 3 notebooks for this lesson the latest with an answer in it is graded; left out: "
        "ann/01_blank.ipynb (newer, but nothing was done in it), "
        "ann/01_broken.ipynb (newer, but it cannot be read).",
    )
    (tmp_path / "ann" / "answered.ipynb").unlink()
    got = one(tmp_path)
    assert got.source == "ann/01_blank.ipynb"
    assert "the latest that can be read is graded" in got.remarks[0]
    (tmp_path / "ann" / "01_blank.ipynb").unlink()
    got = one(tmp_path)
    assert got.lesson == FIRST and "its JSON breaks off" in got.problem


def test_notebooks_of_no_lesson_are_all_named(tmp_path):
    put(tmp_path / "ann" / "01.ipynb")
    put(tmp_path / "ann" / "Untitled.ipynb", notebook(lesson=""))
    put(tmp_path / "ann" / "Untitled1.ipynb", notebook(lesson=""))
    got = read(tmp_path)
    assert [bool(s.problem) for s in got] == [False, True, True]
    assert "cannot be told which lesson" in got[1].problem


def test_too_many_notebooks(tmp_path):
    for number in range(reading.MAX_NOTEBOOKS + 1):
        put(tmp_path / "ann" / f"{number}.ipynb", b"")
    put(tmp_path / "bob" / "01.ipynb")
    ann, bob = read(tmp_path)
    assert "61 notebooks" in ann.problem and not bob.problem


def test_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "MAX_ENTRIES", 50)
    for number in range(60):
        put(tmp_path / "ann" / f"{number}.txt", b"")
    assert "first 50" in one(tmp_path).remarks[0]


# ---------------------------------------------------------------- lessons


@pytest.mark.parametrize(
    ("name", "lesson"),
    [
        ("01.ipynb", FIRST),
        ("01_batch_norm_by_hand-1.ipynb", FIRST),
        ("Copy of 01_batch_norm_by_hand.ipynb", FIRST),
        ("Copy of Copy of 01.ipynb", FIRST),
        ("01-Copy1.ipynb", FIRST),
        ("01 (2).ipynb", FIRST),
        ("01 - Batch Norm By Hand FINAL (final).ipynb", FIRST),
        ("batch-norm-by-hand.ipynb", FIRST),
        ("Lesson 2.ipynb", SECOND),
        ("hw02_ann.IPYNB", SECOND),
        ("mnist.ipynb", "07_mnist"),
        ("2024_01_05.ipynb", ""),
        ("12.ipynb", ""),
        ("batch_norm_by_hand and moving_averages.ipynb", ""),
        ("Untitled.ipynb", ""),
        ("01" * 5000, ""),
        (" " * 5000 + "(1)", ""),
    ],
)
def test_lesson_in_a_name(name, lesson):
    assert notebooks.lesson_in_name(name) == lesson


def test_the_notebook_says_its_lesson_before_its_name_does(tmp_path):
    assert one(put(tmp_path / "02_moving_averages.ipynb")).lesson == FIRST


@pytest.mark.parametrize("claim", ["12_none", 3, ["01_batch_norm_by_hand"], {"a": 1}, None, ""])
def test_a_lesson_that_there_is_not(tmp_path, claim):
    held = notebook(lesson="")
    held["metadata"] = {"labsupport": {"lesson": claim}}
    assert one(put(tmp_path / "01.ipynb", held)).lesson == FIRST
    assert one(put(tmp_path / "x.ipynb", held)).lesson == ""


@pytest.mark.parametrize("lesson", exercises.LESSONS)
def test_a_lesson_is_known_by_its_cells(tmp_path, lesson):
    held = json.loads((PROJECT / "solutions" / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    held["metadata"] = {}
    assert one(put(tmp_path / "Untitled.ipynb", held)).lesson == lesson
    for cell in held["cells"]:
        cell.pop("id"), cell.update(metadata={})
    assert one(put(tmp_path / "Untitled.ipynb", held)).lesson == lesson


def test_a_name_that_its_cells_deny(tmp_path):
    held = json.loads((PROJECT / "notebooks" / f"{FIRST}.ipynb").read_text(encoding="utf-8"))
    held["metadata"] = {}
    got = one(put(tmp_path / "02.ipynb", held))
    assert got.lesson == FIRST and SECOND in got.remarks[0]


# ---------------------------------------------------------------- formats


def as_version_3(cells: list[dict]) -> dict:
    return {"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}, {"cells": cells}]}


@pytest.mark.parametrize(
    ("held", "sources"),
    [
        (notebook(["a = 1\n", "b = 2"]), ["a = 1\nb = 2"]),
        (notebook(nbformat_minor=0), ["x = 1"]),
        (notebook(nbformat="four"), ["x = 1"]),
        (as_version_3([{"cell_type": "code", "input": "x = 1"}]), ["x = 1", "x = 1"]),
        (as_version_3([{"cell_type": "code", "input": ["x = ", "1"]}]), ["x = 1", "x = 1"]),
        ({"nbformat": 1, "cells": [{"cell_type": "code", "code": "x = 1"}]}, ["x = 1"]),
        ({"cells": []}, []),
        ({"cells": [{"cell_type": "raw", "source": "x"}, {"cell_type": "markdown"}]}, []),
    ],
)
def test_every_format_of_notebook(tmp_path, held, sources):
    got = one(put(tmp_path / "01.ipynb", held))
    assert [cell.source for cell in got.cells] == sources and not got.problem


def test_what_is_kept_of_a_cell(tmp_path):
    held = notebook()
    grading = {"nbgrader": {"grade_id": "bn-dense", "points": 99}, "labsupport": {"role": "setup"}}
    held["cells"] = [
        {"cell_type": "markdown", "source": "hello"},
        {"cell_type": "code", "id": "answer-bn-dense", "source": "x", "metadata": grading},
        {"cell_type": "code", "id": 7, "source": "y", "metadata": {"nbgrader": {"grade_id": []}}},
        {"cell_type": "code", "id": "no id\n", "source": "z", "metadata": 5},
    ]
    assert one(put(tmp_path / "x.ipynb", held)).cells == (
        StudentCell("x", "answer-bn-dense", "bn-dense", 1),
        StudentCell("y", "", "", 2),
        StudentCell("z", "", "", 3),
    )


def test_damaged_cells_are_left_out(tmp_path):
    held = notebook()
    held["cells"] += [
        None, 3, [], {}, {"cell_type": 3}, {"cell_type": "code"},
        {"cell_type": "code", "source": 3}, {"cell_type": "code", "source": ["a", 3]},
        {"cell_type": "code", "source": {"a": "b"}},
    ]  # fmt: skip
    got = one(put(tmp_path / "x.ipynb", held))
    assert [cell.source for cell in got.cells] == ["x = 1"]
    assert got.remarks == ("9 of its cells are damaged and were left out.",)


TEXT = json.dumps(notebook("x = 'é'"), ensure_ascii=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"])
def test_encodings(tmp_path, encoding):
    got = one(put(tmp_path / "x.ipynb", TEXT.encode(encoding)))
    assert got.cells[0].source == "x = 'é'" and not got.remarks


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (TEXT.encode("latin-1"), "x = '\ufffd'"),
        (TEXT.replace("é", r"\ud800").encode(), "x = '\ufffd'"),
        (TEXT.replace("é", r"\ud83d\ude00").encode(), "x = '\U0001f600'"),
        (TEXT.replace("é", r"\u0000").encode(), "x = '\0'"),
        (TEXT.replace("é", "\0\t\n").encode(), "x = '\0\t\n'"),
        (TEXT.replace(": 4,", ": " + "9" * 10_000 + ",").encode(), "x = 'é'"),
        (TEXT.replace(": 4,", ": -1e999999,").encode(), "x = 'é'"),
        (TEXT.replace(": 4,", ": NaN,").encode(), "x = 'é'"),
        (TEXT.replace('"nbformat"', '"cells": [], "cells"').encode(), None),
    ],
)
def test_odd_bytes(tmp_path, data, source):
    got = one(put(tmp_path / "x.ipynb", data))
    assert [cell.source for cell in got.cells] == ([source] if source else [])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\0\0\0\0", "does not begin"),
        (b"\xff" * 100, "does not begin"),
        (b"[]", "does not begin"),
        (b"3", "does not begin"),
        (b'{"cells": 3}', "no cells"),
        (b'{"cells": {}}', "no cells"),
        (b"{}", "no cells"),
        (b'{"worksheets": [3, {}, {"cells": 3}], "x": [}', "goes wrong in line 1, column 45."),
        (b'{"cells":\n[}', "goes wrong in line 2, column 2; it has 2 lines."),
        (TEXT.encode()[:-9], "breaks off"),
        (TEXT.encode() + b"}", "goes wrong"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"PK\3\4", "a zip file"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b'{"a":' * 100_000, "nested"),
        (b'{"cells":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested"),
        (b'{"a": [' + b"{}," * 400_000 + b"{}]}", "more lists and values"),
        (b'{"a": [' + b"1," * 4_000_000 + b"1]}", "more lists and values"),
        (b'{"' + b'\\"[' * 1_000_000, "JSON"),
        (b'{"' + b'\\"[' * 1_000_000 + b"\\", "JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_notebook(tmp_path, data, words):
    got = one(put(tmp_path / "x.ipynb", data))
    assert words in got.problem


def test_much_in_quotes_is_not_much(tmp_path):
    held = notebook()
    held["cells"][0]["outputs"] = [{"data": {"text/html": '{[,"\\' * 1_000_000}}]
    assert not one(put(tmp_path / "x.ipynb", held)).problem


def test_many_cells_and_much_code(tmp_path):
    cell = {"cell_type": "code", "source": ""}
    got = one(put(tmp_path / "x.ipynb", {"cells": [cell] * 100_000}))
    assert "100,000 cells" in got.problem
    got = one(put(tmp_path / "x.ipynb", notebook("x" * (notebooks.MAX_SOURCE + 1))))
    assert "characters" in got.problem


# ---------------------------------------------------------------- hostile files


@POSIX
def test_links_and_devices_are_not_opened(tmp_path, monkeypatch):
    secret = put(tmp_path / "secret.ipynb", notebook("secret = 1"))
    home = tmp_path / "class"
    put(home / "zoe" / "01.ipynb")
    (home / "ann").mkdir()
    (home / "ann" / "01.ipynb").symlink_to(secret)
    (home / "bob").symlink_to(tmp_path)
    (home / "cy").mkdir()
    os.mkfifo(home / "cy" / "01.ipynb")
    (home / "dee").mkdir()
    (home / "dee" / "inner").symlink_to(tmp_path)
    (home / "eve").mkdir()
    (home / "eve" / "eve").symlink_to("..")
    (home / "fay.ipynb").symlink_to(secret)
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(home / "eve")
        listening.bind("s.ipynb")
        got = {s.student: s for s in read(home)}
    assert sorted(got) == ["ann", "bob", "cy", "dee", "eve", "fay", "zoe"]
    assert all(got[name].problem for name in got if name != "zoe") and not got["zoe"].problem
    assert "link" in got["ann"].problem and "link" in got["bob"].problem
    assert "ordinary" in got["cy"].problem and "ordinary" in got["eve"].problem


def linked(name: str) -> zipfile.ZipInfo:
    """A link as a zip holds it: the link's name, with where it leads as the content."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


@POSIX
def test_a_student_who_is_a_link_has_a_line(tmp_path):
    put(tmp_path / "far" / "secret.ipynb")
    home = tmp_path / "class"
    put(home / "zoe" / "01.ipynb")
    for name, target in (("ann", "../far"), ("bob", "nowhere"), ("cy", "cy"), (".dee", "../far")):
        (home / name).symlink_to(target)
    (home / "list.txt").symlink_to("zoe/01.ipynb")
    in_folder = read(home)
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        archive.writestr("zoe/01.ipynb", json.dumps(notebook()))
        for name in ("ann", "bob", "cy", ".dee"):
            archive.writestr(linked(name), "../far")
    for got in (in_folder, read(tmp_path / "class.zip")):
        assert [s.student for s in got] == ["ann", "bob", "cy", "dee", "zoe"]
        assert {s.problem for s in got} == {listing.LINKED, ""} and not got[-1].problem


@POSIX
def test_a_link_to_a_folder_within_a_students_is_told(tmp_path):
    put(tmp_path / "far" / "02.ipynb", notebook(lesson=SECOND))
    home = tmp_path / "class"
    put(home / "ann" / "01.ipynb")
    (home / "ann" / "second").symlink_to(tmp_path / "far")
    (home / "bob").mkdir()
    (home / "bob" / "second").symlink_to(tmp_path / "far")
    put(home / "cy" / "in" / "01.ipynb")
    (home / "cy" / "again").symlink_to("in")  # looked at, where it leads
    (home / "eve").mkdir()
    (home / "eve" / "01.ipynb").symlink_to("gone")
    with zipfile.ZipFile(home / "dee.zip", "w") as archive:
        archive.writestr("01.ipynb", json.dumps(notebook()))
        archive.writestr(linked("second"), "../far")
    ann, bob, cy, dee, eve = read(home)
    told = "Links are not followed, so nothing was looked for in second."
    assert ann.remarks == bob.remarks == dee.remarks == (told,) and cy.remarks == ()
    assert bob.problem == "There is no notebook (.ipynb), only second."
    assert not (ann.problem or cy.problem or dee.problem) and "link" in eve.problem


def test_what_is_hidden_is_graded_and_what_systems_leave_is_not(tmp_path):
    home = tmp_path / "class"
    put(home / "zoe" / "01.ipynb")
    put(home / ".ann" / "01.ipynb")
    put(home / "bob" / ".mine" / "01.ipynb")
    put(home / ".cy.ipynb")
    put(home / ".notes" / "text.txt", "no notebook")
    left = [
        ".git",
        ".ipynb_checkpoints",
        ".Trash-1000",
        ".Trashes",
        "__MACOSX",
        ".venv",
        ".DS_Store",
    ]
    for name in left:
        put(home / name / "01.ipynb", notebook("x = 2"))
        put(home / "zoe" / name / "01.ipynb", notebook("x = 2"))
    put(home / "zoe" / "._01.ipynb", b"\0\5\x16\7")
    put(home / "zoe" / ".~01.ipynb", b"half of it")
    in_folder = read(home)
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        for path in sorted(home.rglob("*")):
            archive.write(path, path.relative_to(home))
    for got in (in_folder, read(tmp_path / "class.zip")):
        assert [s.student for s in got] == ["ann", "bob", "cy", "zoe"]
        assert all(s.cells[0].source == "x = 1" and not s.remarks for s in got)


def test_a_hidden_folder_may_lie_beside_the_only_one(tmp_path):
    put(tmp_path / "class" / "submitted" / "ann" / "01" / "01.ipynb")
    put(tmp_path / "class" / ".notes" / "text.txt", "no notebook")
    put(tmp_path / "class" / ".gitignore", "*")
    assert one(tmp_path / "class").student == "ann"


def test_what_was_handed_in_and_is_no_notebook_has_a_line(tmp_path):
    put(tmp_path / "zoe.ipynb")
    put(tmp_path / "ann.rar", b"Rar!")
    put(tmp_path / "bob_01_batch_norm_by_hand.py", "x = 1")
    put(tmp_path / "roster.csv", "name")
    ann, bob, zoe = read(tmp_path)
    assert ann.problem == "There is no notebook (.ipynb), only ann.rar."
    assert bob.student == "bob" and "only bob_01_batch_norm_by_hand.py" in bob.problem
    assert not zoe.problem


@POSIX
def test_a_file_that_becomes_a_link(tmp_path):
    secret = put(tmp_path / "secret" / "01.ipynb", notebook("secret = 1"))
    path = put(tmp_path / "class" / "ann" / "in" / "01.ipynb")
    (found,) = reading.find(tmp_path / "class")
    path.unlink()
    assert "vanished" in reading.load(found).problem
    path.symlink_to(secret)
    assert "link" in reading.load(found).problem
    path.unlink(), path.parent.rmdir(), path.parent.symlink_to(secret.parent)
    assert "link" in reading.load(found).problem
    path.parent.unlink(), path.parent.mkdir(), os.mkfifo(path)
    assert "ordinary" in reading.load(found).problem


def test_what_may_not_be_opened(tmp_path, monkeypatch):
    put(tmp_path / "ann" / "01.ipynb")
    put(tmp_path / "bob" / "01.ipynb")
    open_really = os.open

    def refusing(path, flags, *more, **named):
        if path == "bob":
            raise PermissionError(13, "Permission denied")
        return open_really(path, flags, *more, **named)

    monkeypatch.setattr(places.os, "open", refusing)
    ann, bob = (reading.load(item) for item in reading.find(tmp_path))
    assert not ann.problem and "no permission" in bob.problem


def test_a_large_file_is_not_read(tmp_path):
    path = put(tmp_path / "ann" / "01.ipynb", b"{")
    put(tmp_path / "bob" / "01.ipynb")
    os.truncate(path, 200 * places.MB)
    tracemalloc.start()
    ann, bob = read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "200 MB" in ann.problem and not bob.problem
    assert ann.lesson == FIRST and peak < 5 * places.MB


def test_a_file_that_grows_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "MAX_FILE", 100_000)
    path = put(tmp_path / "01.ipynb", TEXT.encode())
    (found,) = reading.find(path)
    known = os.fstat

    class Smaller:
        def __init__(self, real):
            self.st_mode, self.st_size = real.st_mode, 10

    monkeypatch.setattr(places.os, "fstat", lambda number: Smaller(known(number)))
    assert not reading.load(found).problem
    path.write_bytes(TEXT.encode() + b" " * 200_000)
    assert "at most" in reading.load(found).problem


NAMES = [
    "new\nline", "\x1b[31mred", "\u202egnirts", "zero\u200bwidth", "e\u0301", "\xe9", "Ann", "ANN",
    "-rf", "=cmd", "a" * 255, "b" * 255, "…", "\U0001f468\u200d\U0001f680", "con", "a?b", "a*b",
    "a:b", 'a"b', "a\\b", "a b", " a b ", "<script>alert(1)", "'; drop table", "a.",
    "%2e%2e", "student",
]  # fmt: skip


@POSIX
def test_odd_names(tmp_path):
    names = [name.encode() for name in NAMES if len(name.encode()) <= 255]
    names += [b"\xff\xfe", b"\xff\xfd", b"caf\xe9"]
    for number, name in enumerate(names):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        inner = name[:249] + b".ipynb"
        with open(os.path.join(folder, inner), "w") as file:
            json.dump(notebook(f"x = {number}"), file)
    got = read(tmp_path)
    (twice,) = [s for s in got if s.student == "\xe9"]  # the same name, composed or not
    assert "e\u0301/e\u0301.ipynb".replace("e\u0301", "\xe9") in twice.remarks[0]
    assert len({s.student for s in got}) == len(got) == len(names) - 1
    numbers = {NAMES.index("\xe9"), NAMES.index("e\u0301")}
    numbers = set(range(len(names))) - numbers | {int(twice.cells[0].source[4:])}
    assert {int(s.cells[0].source[4:]) for s in got} == numbers
    again = [s.student for s in read(tmp_path)]
    assert again == [s.student for s in got]


def test_keys_do_not_collide_with_made_ones():
    names = [("a", ""), ("A", ""), ("ann", "1"), ("ann", "2"), ("ann-1", ""), ("ANN-2", "7")]
    keys = students.keys_for(names)
    assert len({key.casefold() for key in keys.values()}) == len(names)
    assert keys[("ann-1", "")] == "ann-1"


@given(st.lists(st.tuples(st.text(max_size=6), st.sampled_from(["", "1", "2"])), unique=True))
def test_keys_are_always_different(identities):
    keys = students.keys_for(identities)
    assert len({key.casefold() for key in keys.values()}) == len(identities)
    assert keys == students.keys_for(list(reversed(identities)))


def test_folders_within_folders(tmp_path):
    deep = tmp_path.joinpath("ann", *["d"] * 60)
    put(deep / "01.ipynb")
    put(tmp_path / "bob" / "01.ipynb" / "01.ipynb")
    ann, bob = read(tmp_path)
    assert "deep" in ann.remarks[0] and ann.problem
    assert bob.source == "bob/01.ipynb/01.ipynb" and not bob.problem


# ---------------------------------------------------------------- hostile zips


def bomb(path: Path, name="ann/01.ipynb", size=60 * places.MB) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"\0" * size)
    return path


def test_zip_bombs(tmp_path, monkeypatch):
    small = put_zip(tmp_path / "good.zip", {"01.ipynb": notebook()}).read_bytes()
    home = tmp_path / "class"
    home.mkdir()
    bomb(home / "ann.zip")
    bomb(home / "bob.zip", size=40 * places.MB)
    inner = bomb(tmp_path / "inner.zip").read_bytes()
    put_zip(home / "cy.zip", {f"{n}.zip": inner for n in range(30)})
    put_zip(home / "dee.zip", {f"{n}.txt": b"" for n in range(listing.MAX_ENTRIES)})
    monkeypatch.setattr(listing, "MAX_UNPACKED", 65 * places.MB)
    bomb(home / "eve.zip", size=40 * places.MB)
    with zipfile.ZipFile(home / "eve.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("02.ipynb", b" " * 30 * places.MB)
    (home / "zoe.zip").write_bytes(small)
    tracemalloc.start()
    got = {s.student: s for s in read(home)}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * places.MB
    assert "60 MB" in got["ann"].problem
    assert "far more" in got["bob"].problem
    assert "no notebook" in got["cy"].problem
    assert "more than 10,000 files" in got["dee"].problem
    assert "unpack to more than" in got["eve"].problem
    assert not got["zoe"].problem
    whole = put_zip(tmp_path / "whole.zip", {"ann_1_2_b.zip": inner, "zoe_1_2_g.zip": small})
    ann, zoe = read(whole)
    assert ann.problem and not zoe.problem


def test_a_zip_that_lies_about_sizes(tmp_path):
    path = bomb(tmp_path / "ann.zip")
    data = bytearray(path.read_bytes())
    real = (60 * places.MB).to_bytes(4, "little")
    assert data.count(real) == 2
    path.write_bytes(data.replace(real, (1000).to_bytes(4, "little")))
    (tmp_path / "class").mkdir()
    path.rename(tmp_path / "class" / "ann.zip")
    assert one(tmp_path / "class").problem


def test_a_zip_that_claims_a_long_list(tmp_path):
    (tmp_path / "class").mkdir()
    path = put_zip(tmp_path / "class" / "ann.zip", {"01.ipynb": notebook()})
    data = bytearray(path.read_bytes() + b"\0" * 30_000_000)
    end = data.rindex(b"PK\5\6")
    data[end + 12 : end + 16] = (0x7FFFFFFF).to_bytes(4, "little")
    path.write_bytes(data[: end + 22])
    assert "zip" in one(tmp_path / "class").problem


def test_members_that_are_no_files(tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in (("ann", stat.S_IFLNK), ("bob", stat.S_IFIFO), ("cy", stat.S_IFREG)):
            info = zipfile.ZipInfo(f"{name}/01.ipynb")
            info.external_attr = (mode | 0o644) << 16
            archive.writestr(info, json.dumps(notebook()) if name == "cy" else "/etc/passwd")
        info = zipfile.ZipInfo("dee/01.ipynb")
        info.compress_type = zipfile.ZIP_LZMA
        archive.writestr(info, json.dumps(notebook()))
    got = {s.student: s.problem for s in read(path)}
    assert "link" in got["ann"] and "ordinary" in got["bob"] and not got["cy"]
    assert "packed in a way" in got["dee"]


def test_a_zip_with_a_password(tmp_path):
    path = put_zip(tmp_path / "class.zip", {"ann/01.ipynb": notebook(), "bob/01.ipynb": notebook()})
    data = path.read_bytes()
    at = data.index(b"PK\1\2") + 8
    path.write_bytes(data[:at] + b"\1" + data[at + 1 :])
    ann, bob = read(path)
    assert "password" in ann.problem and not bob.problem


def test_paths_in_a_zip_lead_nowhere(tmp_path):
    path = put_zip(
        tmp_path / "class.zip",
        {
            "../../ann/01.ipynb": notebook("x = 1"),
            "/etc/01.ipynb": notebook("x = 2"),
            "C:\\bob\\01.ipynb": notebook("x = 3"),
            "cy/../ann/01.ipynb": notebook("x = 4"),
            "dee//./01.ipynb": notebook("x = 5"),
            "..": b"",
            "/": b"",
        },
    )
    before = sorted(tmp_path.iterdir())
    assert [(s.student, s.cells[0].source) for s in read(path)] == [
        ("C", "x = 3"), ("ann", "x = 1"), ("cy", "x = 4"), ("dee", "x = 5"), ("etc", "x = 2")
    ]  # fmt: skip
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_two(tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in (1, 2):
            archive.writestr("ann/01.ipynb", json.dumps(notebook(f"x = {number}")))
    got = one(path)
    assert got.cells[0].source == "x = 2" and got.source == "ann/01.ipynb (2)"


def test_a_class_zip_that_changes(tmp_path):
    path = put_zip(tmp_path / "class.zip", {"ann/01.ipynb": notebook(), "bob/01.ipynb": notebook()})
    ann, bob = reading.find(path)
    put_zip(path, {"bob/01.ipynb": notebook()})
    assert "changed" in reading.load(ann).problem
    assert "damaged" in reading.load(bob).problem
    path.write_bytes(b"")
    assert "damaged" in reading.load(ann).problem
    path.unlink()
    assert "vanished" in reading.load(ann).problem


# ---------------------------------------------------------------- a large class


def test_a_class_of_two_thousand(tmp_path):
    members = {f"s{n}_{n + 1}_{n + 9000}_01.ipynb": notebook(f"x = {n}") for n in range(2000)}
    path = put_zip(tmp_path / "class.zip", members)
    tracemalloc.start()
    found = reading.find(path)
    for item in found:
        assert not reading.load(item).problem
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(found) == 2000 and kept < 10 * places.MB


# ---------------------------------------------------------------- fuzzing

FAST = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
CELLS = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown"]) | JSON,
        "id": st.sampled_from(["answer-bn-dense", "a", "a"]) | JSON,
        "source": st.text(max_size=30) | st.lists(st.text(max_size=9), max_size=3) | JSON,
        "input": JSON,
        "metadata": st.dictionaries(st.sampled_from(["nbgrader", "labsupport"]), JSON) | JSON,
        "outputs": JSON,
    },
)
NOTEBOOKS = st.fixed_dictionaries(
    {},
    optional={
        "cells": st.lists(CELLS | JSON, max_size=5) | JSON,
        "worksheets": st.lists(st.fixed_dictionaries({"cells": st.lists(CELLS)}), max_size=2)
        | JSON,
        "metadata": st.fixed_dictionaries({"labsupport": st.just({"lesson": FIRST})}) | JSON,
        "nbformat": JSON,
    },
)


def check_any_bytes(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / "class" / "ann"
    path.mkdir(parents=True, exist_ok=True)
    file = path / name
    file.write_bytes(data)
    try:
        (submission,) = [reading.load(item) for item in reading.find(tmp_path / "class")]
    finally:
        file.unlink()
    proper(submission)


@FAST
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda s: s.encode("utf-8", "replace")))
@example(b'{"cells":[{"cell_type":"code","source":"\\ud800"}]}')
def test_any_bytes(tmp_path, data):
    check_any_bytes(tmp_path, data, "01.ipynb")


@FAST
@given(NOTEBOOKS, st.sampled_from(["01.ipynb", "x.ipynb"]))
def test_any_json(tmp_path, held, name):
    check_any_bytes(tmp_path, json.dumps(held).encode(), name)


@FAST
@given(st.data())
def test_a_notebook_with_bytes_changed(tmp_path, data):
    whole = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole)))
        whole[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    check_any_bytes(tmp_path, bytes(whole), "01.ipynb")


@FAST
@given(st.data())
def test_a_zip_with_bytes_changed(tmp_path, data):
    path = put_zip(tmp_path / "x.zip", {"a/01.ipynb": notebook(), "a/b.txt": b"b" * 200})
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(
            st.integers(0, len(whole)) | st.integers(max(0, len(whole) - 200), len(whole))
        )
        whole[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    check_any_bytes(tmp_path, bytes(whole), "hw.zip")
    path.write_bytes(whole)
    try:
        found = reading.find(path)
    except reading.CannotRead as error:
        assert len(str(error).splitlines()) == 1
    else:
        for item in found:
            proper(reading.load(item))


FOLDERS = st.sampled_from(
    ["Ada", "Bob", "Cy Roe", "week1", "groupA", "Übung 1", "old", "notebooks", ONE, "01", "Abgaben",
     "lesson-01-submissions", "lesson-01-ada", "Ada_11_assignsubmission_file_",
     "Ada_12_assignsubmission_file_", "11-9 - Ada - Oct 3, 2025 1131 AM"]
)  # fmt: skip
FILES = st.sampled_from(
    [f"{ONE}.ipynb", f"{EIGHT}.ipynb", "Untitled.ipynb", f"Ada - {ONE}.ipynb", f"{ONE} (1).ipynb",
     f"Bob {EIGHT}.ipynb", "essay.pdf", f"ada_1_2_{ONE}.ipynb",
     f"T_bob_attempt_2025-10-03-12-00-00_{ONE}.ipynb"]
)  # fmt: skip
TREES = st.lists(st.tuples(st.lists(FOLDERS, max_size=4), FILES), min_size=1, max_size=7)


@FAST
@given(TREES)
def test_no_notebook_vanishes_and_a_zip_is_read_as_a_folder(tmp_path, tree):
    home = tmp_path / "class"
    shutil.rmtree(home, ignore_errors=True)
    names = sorted({"/".join([*folders, file]) for folders, file in tree})
    for number, name in enumerate(names):
        put(home / name, notebook(f"x = {number}", EIGHT if EIGHT in Path(name).name else ONE))
    try:
        got = [reading.load(item) for item in reading.find(home)]
    except reading.CannotRead:
        assert names == ["essay.pdf"]
        return
    remarks = " ".join(remark for submission in got for remark in submission.remarks)
    graded = {cell.source for submission in got for cell in submission.cells}
    for number, name in enumerate(names):
        if name.endswith(".ipynb"):
            assert f"x = {number}" in graded or Path(name).name in remarks
    content = {name: (home / name).read_bytes() for name in names}
    inside = [reading.load(i) for i in reading.find(put_zip(tmp_path / "class.zip", content))]
    assert sorted(said(inside)) == sorted(said(got))
