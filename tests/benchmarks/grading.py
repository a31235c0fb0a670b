"""Grading a class with nbgrader's autograde and with `labsupport grade`, side by side.

    python tests/benchmarks/grading.py [--students 40] [--jobs 2] [--lessons 01 05] [--memory 0]

A class is generated: every student hands in a NumPy lesson and a TensorFlow lesson, reduced to
setup, answers and checks so that nbgrader runs no more than we do. Every other student has the
first answer wrong. Both graders get the same notebooks on the same machine, one after the other.
Wall time and the machine's CPU time are printed (so leave it alone meanwhile), with their ratios,
and beside them the floor: the same probes in a fork of a warm process, with no isolation around it.
A quarter of the class is graded too: the difference tells what each further submission takes, when
all has been started and the key is made.
`--memory N` then grades N submissions in one lane and prints what the processes hold after every
tenth of them.

Nothing here is a test: read the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from labsupport import exercises  # noqa: E402
from labsupport.grading import program, reading, runner, sandbox  # noqa: E402
from labsupport.grading.stacks import kind_of  # noqa: E402

KEPT = ("setup", "answer", "check")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--lessons", nargs="+", default=["01", "05"])
    parser.add_argument("--memory", type=int, default=0, metavar="N")
    parser.add_argument("--without-nbgrader", action="store_true")
    arguments = parser.parse_args()
    lessons = [next(n for n in exercises.LESSONS if n.startswith(k)) for k in arguments.lessons]
    with tempfile.TemporaryDirectory() as folder:
        for lesson in lessons:
            compare(lesson, arguments, Path(folder) / lesson)
        if arguments.memory:
            memory(lessons[-1], arguments.memory, Path(folder) / "memory")


def compare(lesson: str, arguments, folder: Path) -> None:
    count = arguments.students
    submitted = make_class(lesson, count, folder / "submitted")
    quarter = max(count // 4, 1)
    few = make_class(lesson, quarter, folder / "few")
    print(f"\n{lesson}: {count} submissions, {os.cpu_count()} cores")
    rows = {}
    if not arguments.without_nbgrader:
        rows["nbgrader autograde"] = timed(lambda: with_nbgrader(lesson, submitted, folder / "nb"))
        few_by_nbgrader = timed(lambda: with_nbgrader(lesson, few, folder / "nb of few"))
    key_store = folder / "grades"
    several = sorted({1, arguments.jobs})
    further = {}
    for jobs in several:
        shutil.rmtree(key_store, ignore_errors=True)
        lanes = f"{jobs} lane{'s' * (jobs > 1)}"
        rows[f"labsupport grade, {lanes}"] = timed(
            lambda n=jobs: with_ours(submitted, key_store, n)
        )
        again = f"all anew in {lanes}, with the key"
        forget_verdicts(key_store)
        rows[again] = timed(lambda n=jobs: with_ours(submitted, key_store, n))
        forget_verdicts(key_store)
        few_by_us = timed(lambda n=jobs: with_ours(few, key_store, n))
        further[jobs] = (rows[again][0] - few_by_us[0]) / max(count - quarter, 1)
    rows["the key, once per class"] = timed(lambda: the_key(lesson, folder / "key"))
    rows["what it takes with all known mistakes"] = timed(
        lambda: the_key(lesson, folder / "key", with_mistakes=True)
    )
    rows["floor: warm fork, no isolation, 1 lane"] = floor(lesson, submitted, "trust")
    rows["the same lane, isolated"] = floor(lesson, submitted, "bubblewrap")
    print(f"  {'':42} {'wall s':>8} {'each':>8} {'CPU s':>8} {'each':>8}")
    for name, (wall, cpu) in rows.items():
        print(f"  {name:42} {wall:8.1f} {wall / count:8.3f} {cpu:8.1f} {cpu / count:8.3f}")
    ours = [rows[n] for n in rows if n.startswith("labsupport grade")]
    if not arguments.without_nbgrader:
        ratio = rows["nbgrader autograde"][0] / ours[-1][0]
        print(f"  throughput, ours over nbgrader's (wall): {ratio:.1f}")
        ratio = rows["nbgrader autograde"][0] / rows[again][0]
        print(f"  the same, with the key made before: {ratio:.1f}")
    each = further[arguments.jobs]
    print(f"  each further submission: {each:.3f} s")
    if not arguments.without_nbgrader:
        theirs = (rows["nbgrader autograde"][0] - few_by_nbgrader[0]) / max(count - quarter, 1)
        print(f"  the same by nbgrader: {theirs:.3f} s, {theirs / each:.1f} times as long")
        print(f"  CPU, nbgrader's over ours: {rows['nbgrader autograde'][1] / ours[-1][1]:.1f}")
    if len(ours) > 1:
        print(
            f"  {arguments.jobs} lanes over one: {ours[0][0] / ours[-1][0]:.2f}; for each further "
            f"submission, when all has been started: {further[1] / each:.2f}"
        )
    above = rows["the same lane, isolated"][1] - rows["floor: warm fork, no isolation, 1 lane"][1]
    print(f"  CPU of isolation above the floor, each: {1000 * above / count:.0f} ms")


def forget_verdicts(grades: Path) -> None:
    """All but the key."""
    for path in grades.iterdir():
        if path.name not in (".keys", "grading.json"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def timed(do) -> tuple[float, float]:
    """Wall seconds, and the CPU seconds that the whole machine spent meanwhile."""
    started, used = time.monotonic(), busy()
    do()
    return time.monotonic() - started, busy() - used


def busy() -> float:
    """CPU seconds that this machine has spent so far (user, nice, system, interrupts)."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(words[i]) for i in (0, 1, 2, 5, 6)) / os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------- the class


def make_class(lesson: str, count: int, folder: Path) -> Path:
    """submitted/<student>/<lesson>/<lesson>.ipynb; every other student's first answer is wrong."""
    notebook = json.loads((ROOT / "solutions" / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    notebook["cells"] = [c for c in notebook["cells"] if role(c) in KEPT]
    for cell in notebook["cells"]:
        cell["outputs"], cell["execution_count"] = [], None
    wrong = json.loads(json.dumps(notebook))
    first = next(c for c in wrong["cells"] if role(c) == "answer")
    first["source"] = spoiled("".join(first["source"]))
    for number in range(count):
        path = folder / f"student{number:03}" / lesson / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(wrong if number % 2 else notebook), encoding="utf-8")
    return folder


def role(cell) -> str:
    return cell["metadata"].get("labsupport", {}).get("role", "")


def spoiled(source: str) -> str:
    """The answer, wrong in a way that people are: another axis, or one more at the end."""
    changed = re.sub(r"axis=0", "axis=1", source)
    if changed != source:
        return changed
    return re.sub(r"return (.+)", r"return 2 * (\1)", source)


# ---------------------------------------------------------------- the graders


def with_nbgrader(lesson: str, submitted: Path, course: Path) -> None:
    source = course / "source" / lesson
    source.mkdir(parents=True)
    shutil.copy(submitted / "student000" / lesson / f"{lesson}.ipynb", source)
    shutil.copytree(submitted, course / "submitted")
    (course / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.root = {str(course)!r}\n"
        "c.ClearSolutions.code_stub = {'python': 'raise NotImplementedError()'}\n"
        "c.ExecutePreprocessor.timeout = 120\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"  # it calls alembic
    for words in (["generate_assignment", lesson, "--force"], ["autograde", lesson]):
        command = [sys.executable, "-m", "nbgrader", *words]
        done = subprocess.run(command, cwd=course, env=env, capture_output=True, text=True)
        if done.returncode:
            print(done.stderr[-2000:])
            raise SystemExit(f"nbgrader {words[0]} failed")


def with_ours(submitted: Path, grades: Path, jobs: int) -> None:
    summary = runner.grade(submitted, grades, jobs=jobs, seed=1)
    right = sum(r.points == r.max_points for r in summary.results)
    assert right == (len(summary.results) + 1) // 2, (right, len(summary.results))


def the_key(lesson: str, store: Path, with_mistakes: bool = False):
    """In one sandbox that is started for it."""
    from labsupport.grading import keymaker

    shutil.rmtree(store, ignore_errors=True)
    key = keymaker.class_key(lesson, 1, "bubblewrap", store)
    return keymaker.with_all_mistakes(key, "bubblewrap", store) if with_mistakes else key


def floor(lesson: str, submitted: Path, mode: str) -> tuple[float, float]:
    """The hidden probes of every submission in one warm process, judged nowhere."""
    from labsupport.grading import fresh, trial

    own = exercises.of_lesson(lesson)
    cases = {e.id: fresh.hidden_cases(e, 1) for e in own}
    with sandbox.Sandbox(kind_of(lesson), mode=mode) as box:
        box.wait_until_ready()

        def all_of_them():
            for found in reading.find(submitted):
                submitted_program = program.program_of(reading.load(found))
                trial.attempt(submitted_program, box, own, cases, sandbox.Limits())

        return timed(all_of_them)


# ---------------------------------------------------------------- memory


def memory(lesson: str, count: int, folder: Path) -> None:
    """What this process and its sandbox hold, after every tenth of `count` submissions."""
    submitted = make_class(lesson, 2, folder / "submitted")
    key = the_key(lesson, folder / "keys", with_mistakes=True)
    two = [reading.load(found) for found in reading.find(submitted)]
    print(f"\nmemory over {count} submissions of {lesson}, MB (grader, warm process)")
    for number in range(count):
        runner.grade_one(two[number % 2], key, "bubblewrap", sandbox.Limits())
        if number % max(count // 10, 1) == 0 or number == count - 1:
            print(f"  {number:6} {held(os.getpid()):8.0f} {held(warm_process()):8.0f}")
    runner.close_boxes()


def held(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def warm_process() -> int:
    """The innermost of the sandbox's processes."""
    (box,) = runner._boxes.values()
    pid = box._process.pid
    while True:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not below:
            return pid
        pid = int(below[0])


if __name__ == "__main__":
    main()
