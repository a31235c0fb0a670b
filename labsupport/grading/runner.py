"""All submissions of a class, on all cores or on a cluster. Nothing finished is lost.

A lane is a process of its own with a warm sandbox; a lane that dies is known by the one
submission that was in it. Verdicts are written as they come, so that a run which is interrupted,
or killed, goes on where it was.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from labsupport.grading import fresh, reading, sandbox, trial
from labsupport.grading.gradebook import Gradebook
from labsupport.grading.program import program_of
from labsupport.grading.records import Result, Submission
from labsupport.grading.stacks import kind_of

TRIES = 2
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class KeyRef:
    """Where a lane finds a key that was made before."""

    lesson: str
    seed: int
    mode: str
    store: str

    def load(self) -> fresh.ClassKey:
        return _load_key(self)


@lru_cache(maxsize=16)
def _load_key(ref: KeyRef) -> fresh.ClassKey:
    return fresh.class_key(ref.lesson, ref.seed, ref.mode, Path(ref.store))


@dataclass
class Summary:
    """What a run did. facts: for the reports."""

    results: list[Result] = field(default_factory=list)
    graded: int = 0
    unchanged: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


class Interrupted(Exception):
    """Ctrl-C; carries how many verdicts are there."""


# ---------------------------------------------------------------- in a lane

_boxes: dict[str, sandbox.Sandbox] = {}


def grade_one(
    submission: Submission, key: KeyRef | fresh.ClassKey, mode: str, limits: sandbox.Limits
) -> Result:
    """The verdict on a submission, in this process's warm sandbox. A lost sandbox is replaced."""
    key = key.load() if isinstance(key, KeyRef) else key
    program = program_of(submission)
    why = ""
    for _ in range(TRIES):
        try:
            box = _box(kind_of(submission.lesson), mode)
            return trial.grade(submission, program, box, key, limits)
        except sandbox.ServerFailed as error:
            why = str(error)
            close_boxes()
    return trial.refused(submission, key, key.seed, f"Its sandbox was lost twice: {why}.")


def warm(kind: str, mode: str) -> None:
    """Start the sandbox that will be needed first."""
    _box(kind, mode)


def _box(kind: str, mode: str) -> sandbox.Sandbox:
    if kind not in _boxes:
        close_boxes()  # one at a time: each is half a gigabyte
        _boxes[kind] = sandbox.Sandbox(kind, mode=mode)
    return _boxes[kind]


def close_boxes() -> None:
    """End this process's warm sandboxes."""
    for box in _boxes.values():
        box.close()
    _boxes.clear()


def _begin_lane() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the grader decides what Ctrl-C means
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == 1:
            os._exit(1)


class Lane:
    """One process that grades, replaced when it dies."""

    def __init__(self, first: tuple[str, str] | None = None):
        self._start()
        if first is not None:
            self.pool.submit(warm, *first)

    def _start(self) -> None:
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin_lane)

    def submit(self, *arguments: Any) -> Future:
        try:
            return self.pool.submit(grade_one, *arguments)
        except BrokenProcessPool:
            self.replace()
            return self.pool.submit(grade_one, *arguments)

    def replace(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        for process in list((self.pool._processes or {}).values()):
            process.kill()
        self.pool.shutdown(wait=True, cancel_futures=True)


# ---------------------------------------------------------------- the whole class


def grade(
    path: Path,
    grades: Path,
    *,
    jobs: int = 1,
    seed: int | None = None,
    trust: bool = False,
    scheduler: str = "",
    limits: sandbox.Limits | None = None,
    say: Callable[[str], None] = lambda _line: None,
    bar: Callable[..., Any] | None = None,
) -> Summary:
    """Grade what is in `path` into the folder `grades`.

    seed: of the hidden cases; by default the one this folder was graded with before, or a new one.
    scheduler: address of a Dask scheduler, to grade on its workers. bar: makes a progress bar, as
    `tqdm.tqdm` does. Raises `reading.CannotRead`, `sandbox.CannotIsolate`, `fresh.NoKey`,
    `gradebook.Locked`, Interrupted; each says what to do.
    """
    limits = limits or sandbox.Limits()
    found = reading.find(path)
    mode = sandbox.best_mode(trust)
    grades.mkdir(parents=True, exist_ok=True)
    book = Gradebook(grades)
    with book.lock():
        seed = _seed(grades, seed)
        known = {(r.student, r.lesson, r.source): r for r in book.load()}
        summary = Summary(facts={"isolation": mode, "seed": seed})
        todo: list[tuple[reading.Found, str]] = []
        for item in found:
            submission = reading.load(item)
            before = known.get((submission.student, submission.lesson, submission.source))
            if before is not None and _still_holds(before, submission, seed):
                summary.results.append(before)
                summary.unchanged += 1
            elif submission.problem or not submission.lesson:
                _keep(book, summary, trial.refused(submission, None, seed))
            else:
                todo.append((item, submission.lesson))
        todo.sort(key=lambda pair: (kind_of(pair[1]), pair[1]))
        work = _work(todo, seed, mode, grades / ".keys", limits, say)
        if scheduler:
            run = _on_cluster(scheduler, work)
        else:
            first = (kind_of(todo[0][1]), mode) if todo else None
            run = _on_lanes(min(jobs, len(todo)), work, first)
        progress = bar(total=len(todo)) if bar else contextlib.nullcontext()
        try:
            with progress as shown, contextlib.closing(run):
                for result in run:
                    _keep(book, summary, result)
                    if shown is not None:
                        shown.update(1)
        except KeyboardInterrupt:
            raise Interrupted(str(len(summary.results))) from None
        summary.results.sort(key=lambda r: (r.student, r.lesson, r.source))
        book.finish(summary.results)
    return summary


def _keep(book: Gradebook, summary: Summary, result: Result) -> None:
    book.append(result)
    summary.results.append(result)
    summary.graded += 1


def _seed(grades: Path, wanted: int | None) -> int:
    """The class's seed; it stays with the folder, so that a rerun gives the same verdicts."""
    file = grades / "grading.json"
    try:
        stored = int(json.loads(file.read_text(encoding="utf-8"))["seed"])
    except (OSError, ValueError, LookupError, TypeError):
        stored = None
    seed = wanted if wanted is not None else stored
    if seed is None:
        seed = secrets.randbelow(10**9)
    if seed != stored:
        partial = file.with_suffix(".part")
        partial.write_text(json.dumps({"seed": seed}) + "\n", encoding="utf-8")
        os.replace(partial, file)
    return seed


def _still_holds(before: Result, submission: Submission, seed: int) -> bool:
    if before.digest != submission.digest or before.seed != seed:
        return False
    if before.status == "refused":
        return before.problem == submission.problem
    return bool(submission.lesson) and before.course == _course(submission.lesson)


@lru_cache(maxsize=64)
def _course(lesson: str) -> str:
    return fresh.course_digest(lesson)


Work = tuple[reading.Found, KeyRef, str, sandbox.Limits]


def _work(todo, seed, mode, store, limits, say) -> Iterator[Work]:
    """What there is to do, lesson by lesson; a lesson's key is made, and tried, when it is due."""
    ready: set[str] = set()
    for item, lesson in todo:
        ref = KeyRef(lesson, seed, mode, str(store))
        if lesson not in ready:
            fresh.class_key(lesson, seed, mode, store, say)
            ready.add(lesson)
        yield item, ref, mode, limits


def _on_lanes(
    jobs: int, work: Iterable[Work], first: tuple[str, str] | None = None
) -> Iterator[Result]:
    """Results as they come from `jobs` processes of this machine.

    first: kind and mode of the sandboxes to start while the first key is made.
    """
    lanes = [Lane(first) for _ in range(jobs)]
    free = list(lanes)
    running: dict[Future, tuple[Lane, Work, int]] = {}

    def start(lane: Lane, task: Work, tries: int) -> None:
        item, key, mode, limits = task
        running[lane.submit(reading.load(item), key, mode, limits)] = (lane, task, tries)

    try:
        for task in work:
            if free:
                start(free.pop(), task, 1)
                continue
            lane, result = _next(running, start)
            start(lane, task, 1)
            yield result
        while running:
            yield _next(running, start)[1]
    finally:
        for lane in lanes:
            lane.end()


def _next(running, start) -> tuple[Lane, Result]:
    """The next lane that is free, with its result. A lane that died is replaced."""
    while True:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        lane, task, tries = running.pop(next(iter(done)))
        future = next(iter(done))
        try:
            return lane, future.result()
        except BrokenProcessPool:
            lane.replace()
            if tries < TRIES:
                start(lane, task, tries + 1)
                continue
            item, key, _mode, _limits = task
            problem = "The grader's own process was lost twice while this was in it."
            return lane, trial.refused(reading.load(item), key.load(), key.seed, problem)


def _on_cluster(address: str, work: Iterable[Work]) -> Iterator[Result]:
    from labsupport.grading.cluster import grade_on

    return grade_on(address, work)
