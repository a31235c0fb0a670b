"""The stored verdicts: nothing finished is lost, and equal verdicts are equal bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_class import a_class

from labsupport.grading.gradebook import Gradebook, Locked
from labsupport.grading.records import ExerciseResult, PartResult, Result, to_json

TEXT = st.text(st.characters() | st.sampled_from("\x00\n\r\u2028\u202e\ud800=\"'<"), max_size=12)
PARTS = st.builds(
    PartResult,
    id=TEXT,
    title=TEXT,
    points=st.integers(0, 9),
    max_points=st.integers(0, 9),
    outcome=st.sampled_from(["right", "mistake", "wrong"]),
    message=TEXT,
    line=TEXT,
    line_number=st.integers(0, 10**6),
    private=TEXT,
)
EXERCISES = st.builds(
    ExerciseResult, id=TEXT, title=TEXT, parts=st.lists(PARTS, max_size=2).map(tuple)
)
RESULTS = st.builds(
    Result,
    student=TEXT,
    lesson=TEXT,
    source=TEXT,
    digest=TEXT,
    status=st.sampled_from(["graded", "refused"]),
    seed=st.integers(0, 10**9),
    course=TEXT,
    exercises=st.lists(EXERCISES, max_size=2).map(tuple),
    problem=TEXT,
    remarks=st.lists(TEXT, max_size=2).map(tuple),
    events=st.lists(TEXT, max_size=2).map(tuple),
    ids=st.dictionaries(TEXT, TEXT, max_size=3),
)
UNIQUE = st.lists(RESULTS, max_size=5, unique_by=lambda r: (r.student, r.lesson, r.source))


def place(result: Result):
    return result.student, result.lesson, result.source


@pytest.fixture
def book(tmp_path):
    return Gradebook(tmp_path)


# ---------------------------------------------------------------- writing and reading


@settings(max_examples=60, deadline=None)
@given(results=UNIQUE)
def test_what_is_added_is_read_again(tmp_path_factory, results):
    book = Gradebook(tmp_path_factory.mktemp("book"))
    for result in results:
        book.append(result)
    assert book.load() == sorted(results, key=place)
    assert book.damaged == 0


def test_there_are_no_verdicts_before_the_first(book):
    assert book.load() == [] and book.damage == ""


def test_a_line_is_one_line_whatever_it_says(book):
    result = replace(a_class()[0], problem="a\nb\r\u2028\x00\x85")
    book.append(result)
    assert book.path.read_bytes().strip().count(b"\n") == 0
    assert book.load() == [result]


def test_the_newest_verdict_on_a_submission_counts(book):
    first, other = a_class()[:2]
    again = replace(first, digest="new")
    for result in (first, other, again):
        book.append(result)
    assert {place(r): r for r in book.load()} == {place(first): again, place(other): other}


# ---------------------------------------------------------------- damage


def test_a_torn_last_line_costs_itself_only(book):
    first, second, third = a_class()[:3]
    book.append(first)
    book.append(second)
    whole = book.path.read_bytes()
    for length in range(len(whole) - 400, len(whole) - 1, 7):
        book.path.write_bytes(whole[:length])
        assert [place(r) for r in book.load()][:1] == [place(first)]
        assert book.damaged == 1
        assert book.damage.startswith("1 line of ")
        book.append(third)  # what is written after the kill is not glued to what was torn
        assert place(third) in [place(r) for r in book.load()]


@settings(max_examples=60, deadline=None)
@given(junk=st.binary(max_size=80), at=st.integers(0, 3))
def test_damaged_lines_are_counted_and_passed_over(tmp_path_factory, junk, at):
    book = Gradebook(tmp_path_factory.mktemp("book"))
    results = a_class()[:3]
    for number in range(4):
        if number == at:
            with open(book.path, "ab") as file:
                file.write(b"\n" + junk)
        if number < 3:
            book.append(results[number])
    assert book.load() == sorted(results, key=place)
    assert book.damaged == sum(bool(line) for line in junk.split(b"\n"))


@pytest.mark.parametrize(
    "change",
    [
        {"student": 7},
        {"student": None},
        {"lesson": ["a"]},
        {"seed": "1"},
        {"exercises": 3},
        {"exercises": [{"id": "a", "title": "b", "parts": [{"id": "x"}]}]},
        {"exercises": {}},
        {"ids": ["a"]},
        {"ids": {"a": 1}},
        {"remarks": [1]},
        {"events": 5},
        {"more": "than there is"},
    ],
)
def test_a_line_that_holds_something_else_is_damaged(book, change):
    good = a_class()[0]
    book.append(good)
    stored = {**to_json(a_class()[1]), **change}
    with open(book.path, "a") as file:
        file.write(json.dumps(stored) + "\n")
    if change == {"exercises": {}}:  # nothing in it, and nothing wrong with it
        assert len(book.load()) == 2
    else:
        assert book.load() == [good] and book.damaged == 1


@pytest.mark.parametrize("line", ["[" * 100_000, "null", "[]", '"x"', "1" * 5000, "{}", "NaN"])
def test_lines_that_are_no_verdicts(book, line):
    book.path.write_text(line + "\n")
    assert book.load() == [] and book.damaged == 1


# ---------------------------------------------------------------- the end of a run


@settings(max_examples=40, deadline=None)
@given(results=UNIQUE, seed=st.integers(0, 99))
def test_equal_verdicts_give_equal_bytes(tmp_path_factory, results, seed):
    one, two = Gradebook(tmp_path_factory.mktemp("a")), Gradebook(tmp_path_factory.mktemp("b"))
    one.finish(results)
    chance = random.Random(seed)
    mixed = [replace(r, ids=dict(reversed(r.ids.items()))) for r in results]
    chance.shuffle(mixed)
    for result in mixed:
        two.append(replace(result, digest="older"))
        two.append(result)
    two.finish(two.load())
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.load() == sorted(results, key=place)


def test_of_two_verdicts_on_one_submission_the_last_is_kept(book):
    first = a_class()[0]
    book.finish([first, replace(first, digest="new")])
    assert [r.digest for r in book.load()] == ["new"]


def test_what_was_there_stays_when_the_end_cannot_be_written(book, monkeypatch):
    first = a_class()[0]
    book.append(first)

    def full(_number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        book.finish([])
    assert book.load() == [first]


# ---------------------------------------------------------------- one grader at a time


HOLD = """
import sys, time
from pathlib import Path
from labsupport.grading.gradebook import Gradebook
from made_up_class import a_class
book = Gradebook(Path(sys.argv[1]))
with book.lock():
    print("held", flush=True)
    for result in a_class() * 1000:
        book.append(result)
"""


def test_a_killed_grader_lets_go_and_leaves_whole_lines(tmp_path):
    path = os.pathsep.join(map(str, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout.readline() == b"held\n"
    book = Gradebook(tmp_path)
    with pytest.raises(Locked, match="Another grader is at work in"), book.lock():
        pass
    while len(book.load()) < 5:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    known = {place(r): r for r in a_class()}
    with book.lock():
        assert all(known[place(r)] == r for r in book.load())
        assert book.damaged <= 1


def test_a_grader_that_stops_lets_go(book):
    with pytest.raises(RuntimeError), book.lock():
        raise RuntimeError
    with book.lock():
        pass


def test_where_files_cannot_be_locked_grading_goes_on(book, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def without(_file, _how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    with book.lock():
        pass
