"""Grading a class from end to end: verdicts as `check` gives them, nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from grading_tools import (
    NOTHING,
    NUMPY,
    RIGHT,
    a_program,
    graded,
    key_of,
    needs_isolation,
    open_box,
    parts,
    points,
)

from labsupport import exercises
from labsupport.grading import (
    blanks,
    fresh,
    keymaker,
    program,
    reading,
    runner,
    sandbox,
    trial,
    wire,
)
from labsupport.grading.feedback import feedback_page
from labsupport.grading.gradebook import Gradebook, Locked
from labsupport.grading.records import Submission

ROOT = sandbox.PROJECT
OTHER_AXIS = "mean(axis=1, keepdims=True)"


@pytest.fixture(autouse=True)
def _isolated():
    needs_isolation()


def hand_in(folder, student: str, lesson: str = NUMPY, change=None, solved=True) -> None:
    """A student's folder with a solved (or blank) notebook, its text changed by `change`."""
    path = folder / student / f"{lesson}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (ROOT / ("solutions" if solved else "notebooks") / path.name).read_text("utf-8")
    path.write_text(change(text) if change else text, encoding="utf-8")


@pytest.fixture
def a_class(tmp_path):
    folder = tmp_path / "submissions"
    hand_in(folder, "ann")
    hand_in(folder, "bob", solved=False)
    hand_in(folder, "cy", change=lambda text: text.replace("mean(axis=0)", OTHER_AXIS))
    hand_in(folder, "dee")
    (folder / "dee" / "02_moving_averages.ipynb").write_text("no notebook")
    (folder / "eve").mkdir()
    return folder


def command(*words, **more) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "labsupport.cli", *map(str, words)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=300, **more)


# ---------------------------------------------------------------- the command


def test_a_class_gets_its_verdicts_and_a_second_run_runs_nothing(a_class, tmp_path):
    grades = tmp_path / "grades"
    done = command("grade", a_class, "-o", grades, "--seed", 1, "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert "6 submissions: 4 graded, 2 could not be. New in this run: 6, in" in done.stdout
    assert "unchanged: 0. Isolation: bubblewrap." in done.stdout
    assert "  dee, 02_moving_averages: The file is not a notebook" in done.stdout
    assert "  eve: There is no notebook." in done.stdout
    results = {(r.student, r.lesson): r for r in Gradebook(grades).load()}
    assert results["ann", NUMPY].points == results["ann", NUMPY].max_points > 0
    assert results["bob", NUMPY].points == 0
    assert 0 < results["cy", NUMPY].points < results["cy", NUMPY].max_points
    assert any(part.mistake for e in results["cy", NUMPY].exercises for part in e.parts)
    refused = results["dee", "02_moving_averages"]
    assert refused.status == "refused" and refused.problem and refused.max_points > 0
    assert [r for (student, _), r in results.items() if student == "eve"][0].problem
    verdicts = (grades / "verdicts.jsonl").read_bytes()

    again = command("grade", a_class, "-o", grades, "--jobs", 1)
    assert "New in this run: 0" in again.stdout and "unchanged: 6" in again.stdout, again.stdout
    assert (grades / "verdicts.jsonl").read_bytes() == verdicts

    hand_in(a_class, "bob")  # who hands in again is graded again, and nobody else
    third = command("grade", a_class, "-o", grades)
    assert "New in this run: 1" in third.stdout and "unchanged: 5" in third.stdout, third.stdout

    for report in ("grades.csv", "class.html"):
        (grades / report).unlink()
    assert command("report", grades).returncode == 0
    assert (grades / "grades.csv").exists() and (grades / "class.html").exists()


def test_same_seed_same_verdicts_another_seed_another_key(a_class, tmp_path):
    runs = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        runner.grade(a_class, tmp_path / name, seed=seed, jobs=2)
        runs.append((tmp_path / name / "verdicts.jsonl").read_bytes())
    assert runs[0] == runs[1] != runs[2]
    keys = [
        [p.read_text() for p in sorted((tmp_path / run / ".keys").rglob("right/bn-dense.json"))]
        for run in ("one", "two", "three")
    ]
    assert keys[0] == keys[1] != keys[2] and len(keys[2]) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["grade", "nowhere", "-o", "x"], "nowhere"),
        (["report", "nowhere"], "nowhere"),
        (["grade", "solutions", "-o", "x", "--jobs", "0"], "at least 1"),
    ],
)
def test_what_a_user_does_wrong_is_one_sentence(words, says, tmp_path):
    words = [str(tmp_path / w) if w == "x" else w for w in words]
    done = command(*words)
    assert done.returncode in (1, 2)
    assert says in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("what", ["empty folders", "no notebooks"])
def test_a_class_of_which_nobody_could_be_graded_is_no_success(what, tmp_path):
    for student in ("ann", "bob"):
        (tmp_path / "submissions" / student).mkdir(parents=True)
        if what == "no notebooks":
            (tmp_path / "submissions" / student / f"{NUMPY}.ipynb").write_text("{")
    for _ in range(2):
        done = command("grade", tmp_path / "submissions", "-o", tmp_path / "grades", "--seed", 1)
        assert done.returncode == 1 and "2 submissions: 0 graded, 2 could not be." in done.stdout
        assert done.stderr == "Nothing was graded; why not, stands above and in class.html.\n"
    assert "Nobody was graded" in (tmp_path / "grades" / "class.html").read_text("utf-8")


def test_grades_do_not_go_among_the_submissions(tmp_path):
    hand_in(tmp_path, "ann")
    before = sorted(tmp_path.rglob("*"))
    done = command("grade", tmp_path, "-o", f"{tmp_path}/.")
    assert done.returncode == 1 and "name another folder with -o" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_who_is_not_there_any_more_is_named(tmp_path):
    folder, said = tmp_path / "submissions", []
    for student in ("ann", "bob"):
        hand_in(folder, student)
    runner.grade(folder, tmp_path / "grades", seed=1, jobs=1)
    shutil.rmtree(folder / "bob")
    runner.grade(folder, tmp_path / "grades", jobs=1, say=said.append)
    assert len(said) == 1 and said[0].startswith("Graded before, and not in ")
    assert said[0].endswith("so not in the reports: bob.")


def test_who_hands_in_again_is_not_said_to_be_gone(tmp_path):
    folder, said = tmp_path / "submissions", []
    hand_in(folder, "ann")
    hand_in(folder, "ann", "02_moving_averages")
    runner.grade(folder, tmp_path / "grades", seed=1, jobs=1)
    (folder / "ann" / f"{NUMPY}.ipynb").rename(folder / "ann" / "again.ipynb")
    (folder / "ann" / "02_moving_averages.ipynb").unlink()
    runner.grade(folder, tmp_path / "grades", jobs=1, say=said.append)
    assert len(said) == 1 and said[0].endswith("the reports: ann (02_moving_averages).")


def test_a_class_that_is_taken_for_one_student_is_noticed(tmp_path):
    folder, said = tmp_path / "submissions" / "all", []
    for number in range(6):
        hand_in(folder, "all", change=lambda text: text)
        (folder / "all" / f"{NUMPY}.ipynb").rename(folder / f"{NUMPY} ({number}).ipynb")
    shutil.rmtree(folder / "all")
    runner.grade(folder.parent, tmp_path / "grades", seed=1, jobs=1, say=said.append)
    assert said[:1] == [
        f"all: 6 notebooks for {NUMPY} are taken for those of one student, all, and only one is "
        "graded. If they are several students', give each a folder of its own."
    ]


def test_what_comes_to_lie_beside_a_notebook_is_told(tmp_path):
    folder, grades = tmp_path / "submissions", tmp_path / "grades"
    hand_in(folder, "ann")
    runner.grade(folder, grades, seed=1, jobs=1)
    (folder / "ann" / "more").symlink_to(tmp_path)
    for unchanged in (0, 1):
        summary = runner.grade(folder, grades, jobs=1)
        (result,) = summary.results
        assert "Links are not followed" in result.remarks[0] and summary.unchanged == unchanged
    (folder / "ann" / "more").unlink()
    for unchanged in (0, 1):
        summary = runner.grade(folder, grades, jobs=1)
        assert not summary.results[0].remarks and summary.unchanged == unchanged


def test_two_graders_do_not_share_a_folder(tmp_path):
    book = Gradebook(tmp_path)
    with book.lock(), pytest.raises(Locked, match="Another grader"), Gradebook(tmp_path).lock():
        pass


# ---------------------------------------------------------------- never lost


def test_a_kill_at_any_moment_loses_nothing(tmp_path):
    """Killed again and again, the class ends with the verdicts of an undisturbed run."""
    folder = tmp_path / "submissions"
    for number in range(12):
        wrong = (lambda text: text.replace("axis=0", "axis=1")) if number % 3 == 0 else None
        hand_in(folder, f"student{number:02}", change=wrong)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    runner.grade(folder, undisturbed, seed=3, jobs=2)
    line = [sys.executable, "-m", "labsupport.cli", "grade", folder, "-o", killed, "--seed", "3"]
    kept = -1
    for attempt in range(40):
        process = subprocess.Popen(
            [*map(str, line), "--jobs", "2"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(2.5 + 0.71 * attempt)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        now = len(Gradebook(killed).load()) if killed.exists() else 0
        assert now >= kept, "a verdict was lost"
        kept = now
    assert process.returncode == 0
    assert attempt > 0, "it was killed at least once"
    same = [(f / "verdicts.jsonl").read_bytes() for f in (undisturbed, killed)]
    assert same[0] == same[1]
    deadline = time.monotonic() + 10
    while left_over() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left_over(), "a killed grader left processes behind"


@pytest.mark.parametrize("later", [0, 0.05, 0.1, 0.2])
def test_who_stops_it_at_once_reads_a_sentence(tmp_path, later):
    for student in ("ann", "bob"):
        hand_in(tmp_path / "submissions", student)
    line = [sys.executable, "-m", "labsupport.cli", "grade", tmp_path / "submissions"]
    line += ["-o", tmp_path / "grades", "--jobs", "2"]
    grader = subprocess.Popen(
        list(map(str, line)), cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    below = Path(f"/proc/{grader.pid}/task/{grader.pid}/children")
    while not below.read_text() and grader.poll() is None:
        time.sleep(0.005)
    time.sleep(later)
    os.killpg(grader.pid, signal.SIGINT)  # as a terminal does; lanes are importing just now
    _out, errors = grader.communicate(timeout=60)
    assert grader.returncode == 130 and "Stopped" in errors and "Traceback" not in errors


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("later", [0.1, 0.7, 2.5])
def test_who_ends_it_reads_a_sentence_and_nothing_of_semaphores(tmp_path, later, background):
    for number in range(40):
        hand_in(
            tmp_path / "submissions", f"student{number}", change=lambda t: t.replace("axis=0", "1")
        )
    line = [sys.executable, "-m", "labsupport.cli", "grade", tmp_path / "submissions"]
    line += ["-o", tmp_path / "grades", "--jobs", "2"]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if background else signal.SIG_DFL)
    try:
        grader = subprocess.Popen(list(map(str, line)), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    below = Path(f"/proc/{grader.pid}/task/{grader.pid}/children")
    while not below.read_text() and grader.poll() is None:
        time.sleep(0.005)
    time.sleep(later)
    grader.terminate()
    _out, errors = grader.communicate(timeout=60)
    assert grader.returncode == 143 and errors.startswith("\nStopped"), errors
    assert errors.count("\n") == 2 and not left_over()


def test_who_kills_the_launcher_kills_the_grader(tmp_path):
    hand_in(tmp_path / "submissions", "ann")
    words = ["grade", tmp_path / "submissions", "-o", tmp_path / "grades"]
    line = [sys.executable, "-m", "labsupport", *map(str, words)]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE) as launcher:
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
        deadline = time.monotonic() + 20
        while not (tmp_path / "grades").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        (grader,) = map(int, children.read_text().split())
        launcher.kill()
        deadline = time.monotonic() + 2  # by itself it would need longer: it has no key yet
        while _lives(grader) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _lives(grader)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def left_over() -> list[str]:
    """Warm processes whose grader is gone."""
    table = subprocess.run(["ps", "-eo", "ppid=,args="], capture_output=True, text=True).stdout
    return [
        line
        for line in table.splitlines()
        if "labsupport.grading.server" in line and line.split()[0] == "1"
    ]


@pytest.mark.skipif(os.name != "posix", reason="here files have no such rights")
def test_what_is_for_the_grader_alone_is_the_owners_only(tmp_path):
    hand_in(tmp_path / "submissions", "ann")
    grades = tmp_path / "grades"
    (grades / ".keys").mkdir(parents=True)
    (grades / ".keys").chmod(0o755)
    (grades / "grading.part").write_text("")  # of a run that was killed
    before = os.umask(0o022)
    try:
        done = command("grade", tmp_path / "submissions", "-o", grades, "--seed", 1)
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    for name in ("grading.json", "verdicts.jsonl", "gradebook.db", ".keys"):
        assert (grades / name).stat().st_mode & 0o077 == 0, name
    assert (grades / "class.html").stat().st_mode & 0o777 == 0o644


def test_half_a_line_is_passed_over(tmp_path, a_class):
    grades = tmp_path / "grades"
    runner.grade(a_class, grades, seed=1)
    path = grades / "verdicts.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"student": "ann", "les')
    summary = runner.grade(a_class, grades)
    assert summary.graded == 0 and path.read_bytes() == whole


def test_a_sandbox_that_is_lost_twice_is_a_verdict(monkeypatch):
    def lost(*_arguments):
        raise sandbox.ServerFailed("the warm process is gone")

    key = key_of(NUMPY)
    monkeypatch.setattr(trial, "grade", lost)
    (found,) = reading.find(ROOT / "solutions" / f"{NUMPY}.ipynb")
    result = runner.grade_one(reading.load(found), key, "bubblewrap", sandbox.Limits())
    runner.close_boxes()
    assert result.status == "refused" and "lost twice" in result.problem


def test_a_blank_notebook_that_is_none_any_more_is_refused(tmp_path, monkeypatch):
    written_in = tmp_path / f"{NUMPY}.ipynb"
    shutil.copy(ROOT / "solutions" / f"{NUMPY}.ipynb", written_in)
    monkeypatch.setattr(blanks, "path_of", lambda lesson: written_in)
    with pytest.raises(keymaker.NoKey, match="is not the blank one any more"):
        keymaker.class_key(NUMPY, 1, "bubblewrap", tmp_path)


def test_known_mistakes_are_tried_only_of_exercises_that_somebody_has_wrong(a_class, tmp_path):
    grades = tmp_path / "grades"
    results = {r.student: r for r in runner.grade(a_class, grades, seed=1, jobs=2).results}
    wrong = {e.id for e in results["cy"].exercises if e.points < e.max_points}
    made = {path.stem for path in (grades / ".keys").rglob("mistakes/*.json")}
    assert wrong == made and 0 < len(made) < len(results["cy"].exercises)
    assert any(part.mistake for e in results["cy"].exercises for part in e.parts)
    assert not results["bob"].points, "and a blank notebook wants none"
    verdicts = grades / "verdicts.jsonl"
    before = verdicts.read_bytes()
    for path in (grades / ".keys").rglob("*.json"):
        path.write_text(path.read_text("utf-8")[:-20], "utf-8")  # damaged, and not empty
    verdicts.unlink()
    runner.grade(a_class, grades, jobs=1)
    assert verdicts.read_bytes() == before


def test_the_time_that_known_mistakes_take_is_not_the_students(tmp_path):
    right = keymaker.class_key(NUMPY, 1, "bubblewrap", tmp_path)
    conv = next(c.source for c in program.solved(NUMPY).cells if c.name == "bn-conv")
    submission = Submission("s", NUMPY, "x", "0")
    sources = (NOTHING, conv, "del batch_norm_dense, batch_norm_conv")

    def more(ids, box):
        time.sleep(5)
        return keymaker.with_mistakes(right, ids, box, tmp_path)

    with open_box(NUMPY) as box:
        limits = sandbox.Limits(cell=2, total=4)
        result = trial.grade(submission, a_program(NUMPY, *sources), box, right, limits, more)
    assert points(result, "bn-conv") == exercises.find("bn-conv").points


def test_mistakes_of_another_course_than_the_keys_are_none(tmp_path, monkeypatch):
    right = keymaker.class_key(NUMPY, 1, "bubblewrap", tmp_path)
    monkeypatch.setattr(fresh, "course_digest", lambda lesson: "another")
    with open_box(NUMPY) as box, pytest.raises(keymaker.NoKey, match="changed meanwhile"):
        keymaker.with_mistakes(right, ["bn-dense"], box, tmp_path)
    assert not list(tmp_path.rglob("mistakes/*.json"))


def test_known_mistakes_are_made_once_more_if_their_process_is_lost(tmp_path, monkeypatch):
    right = keymaker.class_key(NUMPY, 1, "bubblewrap", tmp_path)
    ask, lost = keymaker._ask, []

    def lose_the_first(*arguments):
        if not lost:
            lost.append(True)
            raise wire.Closed
        return ask(*arguments)

    monkeypatch.setattr(keymaker, "_ask", lose_the_first)
    with open_box(NUMPY) as box:
        assert keymaker.with_mistakes(right, ["bn-dense"], box, tmp_path).named == {"bn-dense"}
    assert lost


def test_one_process_at_a_time_makes_the_known_mistakes_of_an_exercise(tmp_path):
    key = key_of(NUMPY)
    with fresh.making(key, "bn-dense", tmp_path, wait=False) as alone:
        assert alone
        with fresh.making(key, "bn-dense", tmp_path, wait=False) as second:
            assert not second
        with fresh.making(key, "bn-conv", tmp_path, wait=False) as other:
            assert other
    with fresh.making(key, "bn-dense", tmp_path, wait=True) as alone:
        assert alone


def test_what_one_submission_wants_imported_is_there_for_the_next():
    drawing = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\n"
    looking = "import sys\nassert 'mat' 'plotlib.pyplot' in sys.modules\n"
    with open_box(NUMPY) as box:
        own = exercises.of_lesson(NUMPY)[:1]
        cases = {e.id: e.visible_cases() for e in own}
        tried = [
            trial.attempt(a_program(NUMPY, source), box, own, cases, sandbox.Limits())
            for source in (looking, drawing, looking)
        ]
    assert [bool(one.cells) for one in tried] == [True, False, False]


def test_what_cannot_be_imported_for_all_is_left_to_who_wants_it():
    with open_box(NUMPY) as box:
        box.have(["labsupport.no_such_module"])
        assert points(graded(box, NUMPY, RIGHT), "bn-dense") == 7


def test_reports_that_cannot_be_written_are_a_sentence(tmp_path):
    hand_in(tmp_path / "submissions", "ann")
    (tmp_path / "grades" / "class.html").mkdir(parents=True)
    done = command("grade", tmp_path / "submissions", "-o", tmp_path / "grades", "--jobs", 1)
    assert done.returncode == 1 and "All verdicts are kept" in done.stderr
    assert "Traceback" not in done.stderr
    (tmp_path / "grades" / "class.html").rmdir()
    assert command("report", tmp_path / "grades").returncode == 0


def test_a_seed_that_was_lost_is_that_of_the_verdicts(tmp_path):
    hand_in(tmp_path / "submissions", "ann")
    runner.grade(tmp_path / "submissions", tmp_path / "grades", seed=77, jobs=1)
    (tmp_path / "grades" / "grading.json").write_text("{")
    again = runner.grade(tmp_path / "submissions", tmp_path / "grades", jobs=1)
    assert again.unchanged == 1 and again.facts["seed"] == 77


def test_a_run_that_was_not_finished_is_said_so(tmp_path, monkeypatch):
    for student in ("ann", "bob", "cy"):
        hand_in(tmp_path / "submissions", student)
    (tmp_path / "submissions" / "dee").mkdir()
    grades, graded_one = tmp_path / "grades", runner._keep
    with monkeypatch.context() as patch:

        def keep(book, summary, result):
            graded_one(book, summary, result)
            if summary.graded == 2:
                raise MemoryError  # as good as a kill, which leaves the same

        patch.setattr(runner, "_keep", keep)
        with pytest.raises(MemoryError):
            runner.grade(tmp_path / "submissions", grades, seed=77)
    sentence = "The last run was not finished: 2 of 4 submissions are still to be graded."
    page = grades / "class.html"
    done = command("report", grades)
    assert done.returncode == 0 and done.stdout.startswith(sentence)
    assert sentence in page.read_text("utf-8") and "under way" not in page.read_text("utf-8")
    assert command("grade", tmp_path / "submissions", "-o", grades).returncode == 0
    assert "finished" not in command("report", grades).stdout
    assert "finished" not in page.read_text("utf-8")
    hand_in(tmp_path / "submissions", "ann", solved=False)  # a verdict of before is none on this
    with monkeypatch.context() as patch:
        patch.setattr(runner, "_keep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            runner.grade(tmp_path / "submissions", grades)
    sentence = "The last run was not finished: 1 of 4 submissions is still to be graded."
    assert command("report", grades).stdout.startswith(sentence)


def test_a_terminal_without_signs_is_no_obstacle(tmp_path):
    hand_in(tmp_path / "submissions", "Żółć")
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = ("grade", tmp_path / "submissions", "-o", tmp_path / "grades", "--jobs", 1)
    done = command(*words, env=env)
    assert done.returncode == 0 and "1 submission: 1 graded" in done.stdout, done.stderr


def test_where_the_grader_fails_it_costs_one_submission(monkeypatch):
    def fails(*_arguments):
        raise ValueError("something unforeseen")

    key = key_of(NUMPY)
    (found,) = reading.find(ROOT / "solutions" / f"{NUMPY}.ipynb")
    with monkeypatch.context() as patch:
        patch.setattr(trial, "grade", fails)
        result = runner.grade_one(reading.load(found), key, "bubblewrap", sandbox.Limits())
    assert result.status == "refused" and result.points == 0
    assert "(ValueError: something unforeseen)" in result.problem
    again = runner.grade_one(reading.load(found), key, "bubblewrap", sandbox.Limits())
    runner.close_boxes()
    assert again.points == again.max_points


def test_what_changes_or_goes_meanwhile_is_said_so(tmp_path, monkeypatch):
    folder, submit = tmp_path / "submissions", runner.Lane.submit
    for student in ("ann", "bob", "cy", "dee"):
        hand_in(folder, student)

    def submit_and_change(lane, do, *arguments):
        if do is runner.key_one and (folder / "cy").exists():
            shutil.rmtree(folder / "cy")
            (folder / "bob" / f"{NUMPY}.ipynb").write_text("{")
            other = (ROOT / "solutions" / "02_moving_averages.ipynb").read_text("utf-8")
            (folder / "dee" / f"{NUMPY}.ipynb").write_text(other, "utf-8")
        return submit(lane, do, *arguments)

    monkeypatch.setattr(runner.Lane, "submit", submit_and_change)
    summary = runner.grade(folder, tmp_path / "grades", seed=1, jobs=1)
    ann, bob, cy, dee = summary.results
    assert ann.points == ann.max_points
    assert [r.status for r in (bob, cy, dee)] == ["refused"] * 3
    assert "not JSON" in bob.problem or "breaks off" in bob.problem
    assert cy.problem and dee.problem == runner.CHANGED


def test_a_lane_that_dies_is_replaced(tmp_path, monkeypatch):
    folder = tmp_path / "submissions"
    for student in ("ann", "bob", "cy"):
        hand_in(folder, student)
    killed = []
    submit = runner.Lane.submit

    def submit_and_kill(lane, *arguments):
        future = submit(lane, *arguments)
        if not killed:
            time.sleep(1)
            (process,) = lane.pool._processes.values()
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.pid)
        return future

    monkeypatch.setattr(runner.Lane, "submit", submit_and_kill)
    summary = runner.grade(folder, tmp_path / "grades", seed=1, jobs=1)
    assert killed and [r.points == r.max_points for r in summary.results] == [True] * 3


# ---------------------------------------------------------------- as `check` gives them


def test_feedback_of_an_unnamed_mistake_comes_from_visible_cases():
    with open_box(NUMPY) as box:
        submission = Submission("s", NUMPY, "x", "0")
        cell = program.ProgramCell(
            "bn-dense", "def batch_norm_dense(x, gamma, beta, eps):\n    return x + 1\n", "answer"
        )
        result = trial.grade(
            submission, program.Program(NUMPY, (cell,)), box, key_of(NUMPY), sandbox.Limits()
        )
    part = result.exercises[0].parts[0]
    assert part.outcome == "wrong" and part.message and part.private
    assert part.message != part.private, "one speaks of visible cases, the other of hidden ones"


def test_a_follow_up_error_is_told_where_to_begin():
    calls = (
        "def batch_norm_channels_last(x, gamma, beta, eps):\n"
        "    return batch_norm_dense(x.reshape(-1, 3), gamma, beta, eps).reshape(x.shape)\n"
    )
    with open_box(NUMPY) as box:
        result = graded(box, NUMPY, NOTHING, calls)
        notes = {e.id: e.note for e in result.exercises}
        assert notes["bn-channels-last"].startswith("Your code calls `batch_norm_dense`, which is")
        assert notes["bn-dense"] == ""
        page = feedback_page(result)
        assert "calls <code>batch_norm_dense</code>" in page and "mend that one first" in page
        assert not any(e.note for e in graded(box, NUMPY, RIGHT, calls).exercises)


def test_an_answer_that_is_not_there_is_told_why():
    later = "def batch_norm_conv(x, gamma, beta, eps):\n    return x\n"
    with open_box(NUMPY) as box:
        cut_off = graded(box, NUMPY, f"{NOTHING}wrong_name\n{later}")
        deleted = graded(box, NUMPY, RIGHT, "del batch_norm_dense")
        never = graded(box, NUMPY, f"if False:\n    {later.replace(chr(10), chr(10) + '    ')}")
    (part,) = {(p.outcome, p.message) for p in parts(cut_off, "bn-conv")}
    assert part == ("raised", "NameError: name 'wrong_name' is not defined")
    assert points(deleted, "bn-dense") == 7 and "deleted `batch_norm_dense`" in deleted.events[0]
    assert "never reached" in parts(never, "bn-conv")[0].message


def test_all_that_is_tried_after_the_first_time_shares_one_limit(monkeypatch):
    granted, attempt = [], trial.attempt

    def noted(program, box, own, cases, limits, *more):
        granted.append(limits.total)
        return attempt(program, box, own, cases, limits, *more)

    monkeypatch.setattr(trial, "attempt", noted)
    wrong = "flag = 1\ndef batch_norm_{}(x, gamma, beta, eps):\n    return flag * x\n"
    cells = [wrong.format(which) for which in ("dense", "conv", "channels_last")]
    limits = sandbox.Limits(cell=5, total=8)
    with open_box(NUMPY) as box:
        graded(box, NUMPY, "import time\ntime.sleep(1)", *cells, "flag = 2", limits=limits)
    first, *later = granted
    assert first == 8 and len(later) > 3
    assert all(b < a - 0.9 for a, b in zip([9, *later], later, strict=False) if b)


def test_a_syntax_error_is_told_with_its_line():
    with open_box(NUMPY) as box:
        cell = program.ProgramCell("bn-dense", "def batch_norm_dense(x:\n    return x\n", "answer")
        result = trial.grade(
            Submission("s", NUMPY, "x", "0"),
            program.Program(NUMPY, (cell,)),
            box,
            key_of(NUMPY),
            sandbox.Limits(),
        )
    part = result.exercises[0].parts[0]
    assert part.outcome == "raised" and "SyntaxError" in part.message and part.line_number == 1


def test_trust_grades_too(tmp_path):
    """The mode without isolation gives the same verdicts; the report says what it was."""
    hand_in(tmp_path / "submissions", "ann")
    done = command(
        "grade", tmp_path / "submissions", "-o", tmp_path / "grades", "--trust", "--seed", 1
    )
    assert done.returncode == 0, done.stderr
    assert "Isolation: trust" in done.stdout
    (result,) = Gradebook(tmp_path / "grades").load()
    assert result.points == result.max_points
    assert json.loads((tmp_path / "grades" / "grading.json").read_text())["isolation"] == "trust"


@pytest.mark.skipif(os.geteuid() != 0, reason="who is no ordinary user tries what one can do")
def test_an_ordinary_user_can_grade():
    """Without root: bubblewrap's own user namespace does it."""
    python = Path(sys.executable).resolve()
    closed = [p for p in (*ROOT.parents, ROOT, *python.parents) if not os.stat(p).st_mode & 1]
    if closed:
        pytest.skip(f"{closed[0]} is closed to ordinary users on this machine")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        hand_in(folder / "submissions", "ann")
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "nobody")
        line = [sys.executable, "-m", "labsupport.cli", "grade", str(folder / "submissions")]
        done = subprocess.run(
            [*line, "-o", str(folder / "grades"), "--seed", "1"],
            cwd=ROOT,
            user="nobody",
            group="nogroup",
            extra_groups=[],
            env={**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        (result,) = Gradebook(folder / "grades").load()
    assert result.points == result.max_points
