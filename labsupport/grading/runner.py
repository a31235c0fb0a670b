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
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from labsupport import exercises, keys
from labsupport.grading import fresh, keymaker, reading, sandbox, trial
from labsupport.grading.gradebook import Gradebook, ticket
from labsupport.grading.private import make_private, put_private
from labsupport.grading.program import NoBlank, program_of
from labsupport.grading.records import Result, Submission
from labsupport.grading.stacks import kind_of

FACTS = "grading.json"
UNDER_WAY = "under way"  # in it, until a run has ended: the tickets of all that it was to grade
TRIES = 2
MOST_TOLD = 20  # sentences about who a student is
CHANGED = "It was changed while the class was graded: grade once more."
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class KeyRef:
    """Where a lane finds a key that was made before."""

    lesson: str
    seed: int
    mode: str
    store: str

    def load(self) -> fresh.ClassKey:
        if self not in _keys:
            _keys[self] = keymaker.class_key(self.lesson, self.seed, self.mode, Path(self.store))
        return _keys[self]

    def with_mistakes(self, exercise_ids: Iterable[str], box: sandbox.Sandbox) -> fresh.ClassKey:
        """The key with the known mistakes of these exercises, made in a sandbox if need be."""
        _keys[self] = keymaker.with_mistakes(self.load(), exercise_ids, box, Path(self.store))
        return _keys[self]


_keys: dict[KeyRef, fresh.ClassKey] = {}


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
    """The verdict on a submission, in this process's warm sandbox. A lost sandbox is replaced.

    Whatever goes wrong in between costs this submission alone.
    """
    more = key.with_mistakes if isinstance(key, KeyRef) else None
    key = key.load() if isinstance(key, KeyRef) else key
    if _has_changed(submission, key):
        return _refused(submission, key, "")
    try:
        program = program_of(submission)
        return _in_box(
            kind_of(submission.lesson),
            mode,
            lambda box: trial.grade(submission, program, box, key, limits, more),
        )
    except sandbox.ServerFailed as error:
        return _refused(submission, key, f"Its sandbox was lost twice: {error}.")
    except (sandbox.CannotIsolate, NoBlank, keymaker.NoKey):
        raise
    except Exception as error:
        return _refused(submission, key, failed(error))


def _has_changed(submission: Submission, key: KeyRef | fresh.ClassKey) -> bool:
    """Whether it is not, any more, what it was when it was listed for this key."""
    return bool(submission.problem) or submission.lesson != key.lesson


def _refused(submission: Submission, key: KeyRef | fresh.ClassKey, problem: str) -> Result:
    """No verdict on it, for this reason; or for its own, if it has changed meanwhile."""
    if _has_changed(submission, key):
        return trial.refused(submission, None, key.seed, submission.problem or CHANGED)
    key = key.load() if isinstance(key, KeyRef) else key
    return trial.refused(submission, key, key.seed, problem)


def failed(error: Exception) -> str:
    """What is said of a submission at which the grader itself failed."""
    said = " ".join(f"{type(error).__name__}: {error}".split())[:200].rstrip(".")
    return f"The grader itself failed at it ({said}): please report this."


def key_one(exercise_id: str, seed: int, mode: str) -> str:
    """What `keymaker.exercise_key` gives, made in this process's warm sandbox."""
    kind = kind_of(exercises.find(exercise_id).lesson)
    return _in_box(kind, mode, lambda box: keymaker.exercise_key(exercise_id, seed, box))


def _in_box(kind: str, mode: str, do: Callable[[sandbox.Sandbox], Any]) -> Any:
    """What `do` makes of the warm sandbox; of a new one if it is lost meanwhile."""
    for number in range(TRIES):
        try:
            return do(_box(kind, mode))
        except sandbox.ServerFailed:
            close_boxes()
            if number == TRIES - 1:
                raise
        except Exception:
            close_boxes()  # nobody knows where it was
            raise
    return None


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
    _block_interrupts(False)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == 1:
            os._exit(1)


class Lane:
    """One process that grades and makes keys, replaced when it dies."""

    def __init__(self):
        self._start()

    def _start(self) -> None:
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin_lane)
        try:
            with _starting_a_lane():
                self.pool.submit(os.getpid)  # or no process is started before there is work
        except KeyboardInterrupt:
            self.end()
            raise

    def submit(self, do: Callable[..., Any], *arguments: Any) -> Future:
        try:
            return self.pool.submit(do, *arguments)
        except BrokenProcessPool:
            self.replace()
            return self.pool.submit(do, *arguments)

    def replace(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        for process in list((self.pool._processes or {}).values()):
            process.kill()
        self.pool.shutdown(wait=True, cancel_futures=True)


def _block_interrupts(block: bool) -> None:
    """In this thread, and in what it starts."""
    if hasattr(signal, "pthread_sigmask"):
        how = signal.SIG_BLOCK if block else signal.SIG_UNBLOCK
        signal.pthread_sigmask(how, [signal.SIGINT])


@contextlib.contextmanager
def _starting_a_lane() -> Iterator[None]:
    """What is started meanwhile never hears Ctrl-C, and has no threads for matrix products.

    The grader decides what Ctrl-C means, and a core is all that a lane has.
    """
    name = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    pressed: list[int] = []
    handler = None  # of other threads it cannot be changed, and need not
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGINT)
    if handler is not None:
        signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    _block_interrupts(True)
    try:
        yield
    finally:
        _block_interrupts(False)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
    if pressed:
        raise KeyboardInterrupt


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
    `tqdm.tqdm` does. Raises `reading.CannotRead`, `sandbox.CannotIsolate`, `keymaker.NoKey`,
    `gradebook.Locked`, `cluster.NoCluster`, Interrupted; each says what to do.
    """
    limits = limits or sandbox.Limits()
    if path.resolve() == grades.resolve():
        raise reading.CannotRead(f"{grades} holds the submissions: name another folder with -o.")
    if grades.exists() and not grades.is_dir():
        raise reading.CannotRead(f"{grades} is not a folder: name another with -o.")
    if scheduler:
        from labsupport.grading import cluster  # not for every lane

        cluster.look_at(scheduler)
    found = reading.find(path)
    with contextlib.ExitStack() as stack:
        grades.mkdir(parents=True, exist_ok=True)
        book = Gradebook(grades)
        stack.enter_context(book.lock())
        known = {(r.student, r.lesson, r.source): r for r in book.load()}
        lanes = None if scheduler else stack.enter_context(Lanes(jobs))
        _compile_course()
        if lanes and not known:
            lanes.open(len(found))  # they import while the submissions are read
        seed = _seed(grades, seed, [r.seed for r in known.values()])
        summary = Summary()
        todo: list[tuple[reading.Found, str]] = []
        unreadable: list[Submission] = []
        places: set[tuple[str, str, str]] = set()
        tickets: list[str] = []
        for item in found:
            submission = reading.load(item)
            place = (submission.student, submission.lesson, submission.source)
            places.add(place)
            tickets.append(ticket(submission, seed))
            before = known.get(place)
            if before is not None and _still_holds(before, submission, seed):
                summary.results.append(before)
                summary.unchanged += 1
            elif submission.problem or not submission.lesson:
                unreadable.append(submission)
            else:
                todo.append((item, submission.lesson))
        for remark in _to_tell(found, known, places, path):
            say(remark)
        todo.sort(key=lambda pair: (kind_of(pair[1]), pair[1]))
        store = grades / ".keys"
        if todo:
            make_private(store)
        if lanes:
            lanes.open(len(todo))
        mode = sandbox.best_mode(trust)  # while the lanes import what they need
        summary.facts = {"isolation": mode, "seed": seed}
        if todo or unreadable:
            store_facts(grades, {**summary.facts, UNDER_WAY: tickets})
        for submission in unreadable:
            _keep(book, summary, trial.refused(submission, None, seed))
        if lanes is None:
            run = _on_cluster(scheduler, _work(todo, seed, mode, store, limits, say))
        else:
            if todo:
                lanes.warm(kind_of(todo[0][1]), mode)
            make = partial(lanes.keys, seed=seed, mode=mode)
            run = lanes.results(_work(todo, seed, mode, store, limits, say, make))
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
        if todo or unreadable:
            store_facts(grades, summary.facts)
    return summary


def store_facts(grades: Path, facts: Mapping[str, Any]) -> None:
    """Keep what is known of a run, at once or not at all. Raises OSError."""
    put_private(grades / FACTS, json.dumps(facts).encode() + b"\n")


def _compile_course() -> None:
    """Once and for all, or each sandbox does it, and has no place to write it down."""
    import compileall  # not for every lane

    folder = sandbox.PROJECT / "labsupport"
    kept = folder / "__pycache__"
    writable = os.access(kept if kept.is_dir() else folder, os.W_OK)
    if writable and not sys.dont_write_bytecode:
        compileall.compile_dir(folder, quiet=2)


def _to_tell(found, known, places, path) -> Iterator[str]:
    """What whoever grades should know at once. places: where there are submissions now."""
    from labsupport.grading.paper import name_list  # not for every lane

    there = {place[:2] for place in places}
    students = {student for student, _ in there}
    gone = {(student, lesson) for student, lesson, _ in known} - there
    if gone:
        names = name_list(sorted({s if s not in students else f"{s} ({n})" for s, n in gone}))
        yield f"Graded before, and not in {path} any more, so not in the reports: {names}."
    doubts = list(dict.fromkeys(doubt for item in found for doubt in item.doubts))
    yield from doubts[:MOST_TOLD]
    if len(doubts) > MOST_TOLD:
        yield f"And {len(doubts) - MOST_TOLD} more like these."


def _keep(book: Gradebook, summary: Summary, result: Result) -> None:
    book.append(result)
    summary.results.append(result)
    summary.graded += 1


def _seed(grades: Path, wanted: int | None, known: list[int]) -> int:
    """The class's seed; it stays with the folder, so that a rerun gives the same verdicts.

    known: those of the verdicts that are there, the last one last.
    """
    try:
        stored = int(json.loads((grades / FACTS).read_text(encoding="utf-8"))["seed"])
    except (OSError, ValueError, LookupError, TypeError):
        stored = None
        wanted = known[-1] if wanted is None and known else wanted
    seed = wanted if wanted is not None else stored
    if seed is None:
        seed = secrets.randbelow(10**9)
    if seed != stored:
        store_facts(grades, {"seed": seed})
    return seed


def _still_holds(before: Result, submission: Submission, seed: int) -> bool:
    if before.digest != submission.digest or before.seed != seed:
        return False
    if (before.remarks or submission.remarks) and before.remarks != _remarks(before, submission):
        return False  # there is something new beside it, or no longer
    if before.status == "refused":
        return before.problem == submission.problem
    return bool(submission.lesson) and before.course == _course(submission.lesson)


def _remarks(before: Result, submission: Submission) -> tuple[str, ...]:
    """The remarks that a verdict like that would have now."""
    own = program_of(submission).remarks if before.status == "graded" else ()
    return (*submission.remarks, *own)


@lru_cache(maxsize=64)
def _course(lesson: str) -> str:
    return fresh.course_digest(lesson)


Work = tuple[reading.Found, KeyRef, str, sandbox.Limits]


def _work(todo, seed, mode, store, limits, say, maker=None) -> Iterator[Work]:
    """What there is to do, lesson by lesson; a lesson's key is made, and tried, when it is due."""
    ready: set[str] = set()
    for item, lesson in todo:
        ref = KeyRef(lesson, seed, mode, str(store))
        if lesson not in ready:
            keymaker.class_key(lesson, seed, mode, store, say, maker)
            ready.add(lesson)
        yield item, ref, mode, limits


class Lanes:
    """The lanes on this machine, `jobs` at most."""

    def __init__(self, jobs: int):
        self.jobs = jobs
        self.lanes: list[Lane] = []
        self.running: dict[Future, tuple[Lane, Work, int]] = {}

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *_error) -> None:
        for lane in self.lanes:
            lane.end()

    def open(self, count: int) -> None:
        """Have lanes for so many submissions."""
        while len(self.lanes) < min(count, self.jobs):
            self.lanes.append(Lane())

    def warm(self, kind: str, mode: str) -> None:
        """Start the sandboxes that will be needed first."""
        for lane in self.lanes:
            lane.submit(warm, kind, mode)

    def results(self, work: Iterable[Work]) -> Iterator[Result]:
        """Results as they come."""
        free = list(self.lanes)
        for task in work:
            if free:
                self.start(free.pop(), task, 1)
                continue
            lane, result = self.next()
            self.start(lane, task, 1)
            yield result
        while self.running:
            yield self.next()[1]

    def start(self, lane: Lane, task: Work, tries: int) -> None:
        item, key, mode, limits = task
        future = lane.submit(grade_one, reading.load(item), key, mode, limits)
        self.running[future] = (lane, task, tries)

    def next(self) -> tuple[Lane, Result]:
        """The next lane that is free, with its result. A lane that died is replaced."""
        while True:
            done, _ = wait(self.running, return_when=FIRST_COMPLETED)
            future = next(iter(done))
            lane, task, tries = self.running.pop(future)
            try:
                return lane, future.result()
            except BrokenProcessPool:
                lane.replace()
                if tries < TRIES:
                    self.start(lane, task, tries + 1)
                    continue
                problem = "Its lane was lost twice while this was in it."
                return lane, _refused(reading.load(task[0]), task[1], problem)
            except (sandbox.CannotIsolate, NoBlank, keymaker.NoKey):
                raise
            except Exception as error:  # of what cannot even be sent from there
                return lane, _refused(reading.load(task[0]), task[1], failed(error))

    def keys(self, exercise_ids: Iterable[str], seed: int, mode: str) -> dict[str, str]:
        """The keys of exercises, from all lanes; a lane first ends what it is at."""
        longest_first = sorted(exercise_ids, key=_size_of_key, reverse=True)
        todo = [(one, 1) for one in longest_first]
        free, running, made = list(self.lanes), {}, {}
        while todo or running:
            while todo and free:
                (one, tries), lane = todo.pop(0), free.pop()
                running[lane.submit(key_one, one, seed, mode)] = lane, one, tries
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                lane, one, tries = running.pop(future)
                free.append(lane)
                try:
                    made[one] = future.result()
                except BrokenProcessPool:
                    lane.replace()
                    if tries == TRIES:
                        why = "the process that makes it was lost twice"
                        raise keymaker.NoKey(f"There is no key of {one}: {why}.") from None
                    todo.append((one, tries + 1))
        return made


def _size_of_key(exercise_id: str) -> int:
    """Bytes of the visible key: the more mistakes and cases, the longer a key takes to make."""
    path = keys.path_of(exercise_id)
    return path.stat().st_size if path.exists() else 0


def _on_cluster(address: str, work: Iterable[Work]) -> Iterator[Result]:
    from labsupport.grading.cluster import grade_on

    return grade_on(address, work)
