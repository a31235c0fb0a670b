"""`grade` and `report` as commands: what they say, and their exit codes."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from labsupport.grading import (
    blanks,
    cluster,
    gradebook,
    keymaker,
    reading,
    reports,
    runner,
    sandbox,
)
from labsupport.grading.records import Result

CANNOT_ISOLATE = 3
INTERRUPTED, ENDED = 128 + signal.SIGINT, 128 + signal.SIGTERM


def grade(arguments: argparse.Namespace) -> int:
    """Grade, write the reports, say what there is. Returns the exit code."""
    from tqdm import tqdm

    _say_what_the_terminal_can()

    def bar(total: int):
        return tqdm(total=total, unit="notebook", disable=None if total else True)

    started = time.monotonic()
    ended: list[int] = []
    try:
        with _ended_as_interrupted(ended):
            summary = runner.grade(
                arguments.submissions,
                arguments.output,
                jobs=arguments.jobs,
                seed=arguments.seed,
                trust=arguments.trust,
                scheduler=arguments.scheduler,
                say=tqdm.write,  # which leaves a progress bar whole
                bar=bar,
            )
    except sandbox.CannotIsolate as error:
        print(error, file=sys.stderr)
        return CANNOT_ISOLATE
    except (
        reading.CannotRead,
        keymaker.NoKey,
        gradebook.Locked,
        cluster.NoCluster,
        blanks.NoBlank,
        sandbox.ServerFailed,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        where = error.filename or arguments.output
        print(f"{where}: {error.strerror or error}.", file=sys.stderr)
        return 1
    except runner.Interrupted as stopped:
        print(f"\nStopped; {stopped} verdicts are kept. The same command goes on.", file=sys.stderr)
        return ENDED if ended else INTERRUPTED
    except KeyboardInterrupt:
        print("\nStopped before anything was graded anew.", file=sys.stderr)
        return ENDED if ended else INTERRUPTED
    seconds = time.monotonic() - started
    facts = {**summary.facts, "jobs": arguments.jobs}
    try:
        runner.store_facts(arguments.output, facts)
        _write_reports(arguments.output, summary.results, facts)
    except OSError as error:
        where = error.filename or arguments.output
        print(
            f"{where}: {error.strerror or error}. All verdicts are kept; `python3 -m labsupport "
            f"report {arguments.output}` makes the reports once that is mended.",
            file=sys.stderr,
        )
        return 1
    refused = sum(r.status == "refused" for r in summary.results)
    count = len(summary.results)
    print(
        f"{_count(count, 'submission')}: {count - refused} graded, {refused} could not be. "
        f"New in this run: {summary.graded}, in {seconds:.0f} s; unchanged: {summary.unchanged}. "
        f"Isolation: {facts['isolation']}. See {arguments.output / 'class.html'}."
    )
    if count == refused:
        print("Nothing was graded; why not, stands above and in class.html.", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def _ended_as_interrupted(ended: list[int]) -> Iterator[None]:
    """Meanwhile SIGTERM is noted, and does what Ctrl-C does: lanes leave nothing behind."""

    def end(number: int, _frame: object) -> None:
        ended.append(number)
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in a shell's background
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)  # which may have to wait until a lane is there

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say_what_the_terminal_can() -> None:
    """Names and signs that its encoding lacks become question marks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def report(grades: Path) -> int:
    """Write the reports anew from the stored verdicts."""
    _say_what_the_terminal_can()
    if not grades.is_dir():
        print(f"There is no folder {grades}: name the one that `grade` wrote.", file=sys.stderr)
        return 1
    try:
        book = gradebook.Gradebook(grades)
        results = book.load()
        if book.damage:
            print(book.damage)
        if not results:
            print(f"There are no verdicts in {grades}: `grade` makes them.", file=sys.stderr)
            return 1
        facts = _stored_facts(grades)
        unfinished = _unfinished(facts.pop(runner.UNDER_WAY, None), results)
        if unfinished:
            print(unfinished)
        _write_reports(grades, results, facts, unfinished)
    except OSError as error:
        print(f"{error.filename or grades}: {error.strerror or error}.", file=sys.stderr)
        return 1
    print(f"{_count(len(results), 'verdict')}. See {grades / 'class.html'}.")
    return 0


def _unfinished(tickets: object, results: list[Result]) -> str:
    """That a run has left submissions without a verdict, in a sentence; "" if it has not."""
    if not isinstance(tickets, list):
        return ""
    there = {gradebook.ticket(result, result.seed) for result in results}
    missing = len({*map(str, tickets)} - there)
    if not missing:
        return ""
    are = "is" if missing == 1 else "are"
    return (
        f"The last run was not finished: {missing} of {_count(len(tickets), 'submission')} {are} "
        "still to be graded. The same `grade` command goes on."
    )


def _write_reports(grades: Path, results, facts, unfinished: str = "") -> None:
    for sentence in reports.write_all(grades, results, facts=facts, unfinished=unfinished):
        print(sentence)


def _stored_facts(grades: Path) -> dict:
    try:
        stored = json.loads((grades / runner.FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}
