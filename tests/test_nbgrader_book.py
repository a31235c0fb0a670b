"""nbgrader's gradebook as a file: where it lies, and what a run that was stopped leaves of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
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
    return {
        (r.student, r.lesson, f"check-{e.id}"): (e.points, e.points, e.max_points)
        for r in results
        for e in r.exercises
    }


def killed(path: Path, results) -> None:
    """Write the gradebook in a process that is killed when all is written but not committed."""
    stored = json.dumps([records.to_json(result) for result in results])
    environment = {**os.environ, "PYTHONPATH": str(Path(paper.__file__).parents[2])}
    command = [sys.executable, "-c", KILLED, str(path)]
    assert subprocess.run(command, input=stored, text=True, env=environment).returncode not in (
        0,
        1,
    )


def test_what_is_refused_gets_zero_in_every_cell(tmp_path):
    refused = [r for r in a_class() if r.status == "refused"]
    assert write(tmp_path / "gradebook.db", refused) == []
    there = marks(tmp_path / "gradebook.db")
    assert there == points(refused) and there
    assert all(given == score == 0 < most for given, score, most in there.values())


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
