"""Grading on a Dask cluster: the same function on many machines, a warm sandbox in each worker.

A worker that dies takes nothing with it: Dask gives what it had to another one. A submission that
several workers died of is recorded as such.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from labsupport.grading import fresh, keymaker, reading, runner, sandbox, trial
from labsupport.grading.records import Result, Submission

CONNECT_SECONDS = 20
AHEAD = 4  # submissions handed out per place, so that a worker never waits for the next


class NoCluster(Exception):
    """The cluster cannot be used; one sentence."""


def look_at(address: str) -> None:
    """Raises NoCluster if this is no address: Dask's client would hang on it."""
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.comm.registry import backends

    try:
        kind, place = parse_address(address)
        host, port = parse_host_port(place)
    except ValueError:
        kind, host, port = "", "", 0
    if kind not in set(backends) - {"inproc"} or not host or not 0 < port < 65_536:
        raise NoCluster(
            f"{address} is no address of a Dask scheduler: it needs a host and a port, for "
            "instance tcp://10.0.0.5:8786."
        )


def grade_on(address: str, work: Iterable[runner.Work]) -> Iterator[Result]:
    """Results as they come from the workers of the scheduler at `address`. Raises NoCluster."""
    from distributed import Client, as_completed
    from distributed.scheduler import KilledWorker

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise NoCluster(f"There is no Dask scheduler at {address}: {error}.") from None
    with client:
        places = sum(client.nthreads().values())
        if not places:
            raise NoCluster(f"The Dask scheduler at {address} has no workers.")
        keys: dict[str, tuple[fresh.ClassKey, object]] = {}
        tasks: dict[object, tuple[Submission, fresh.ClassKey]] = {}

        def start(item: runner.Work):
            found, ref, mode, limits = item
            if ref.lesson not in keys:
                key = ref.load()  # a worker has no folder in which others would look
                key = keymaker.with_all_mistakes(key, ref.mode, Path(ref.store))
                keys[ref.lesson] = key, client.scatter(key, broadcast=True, hash=False)
            key, there = keys[ref.lesson]
            submission = reading.load(found)  # `grade_one` looks whether it has changed
            trust = mode == "trust"
            future = client.submit(on_worker, submission, there, trust, limits, pure=False)
            tasks[future] = submission, key
            return future

        work = iter(work)
        first = [start(item) for item in itertools.islice(work, AHEAD * places)]
        waiting = as_completed(first, loop=client.loop)
        for future in waiting:
            submission, key = tasks.pop(future)
            try:
                result = future.result()
            except KilledWorker:
                problem = "Every worker that tried this was lost with it."
                result = trial.refused(submission, key, key.seed, problem)
            except (sandbox.CannotIsolate, NoCluster) as error:
                raise NoCluster(str(error)) from None
            except Exception as error:  # of what cannot even be sent from there
                result = trial.refused(submission, key, key.seed, runner.failed(error))
            yield result
            for item in itertools.islice(work, 1):
                waiting.add(start(item))


# ---------------------------------------------------------------- on a worker


def on_worker(
    submission: Submission, key: fresh.ClassKey, trust: bool, limits: sandbox.Limits
) -> Result:
    """What a task does: one submission at a time in this worker's own warm sandbox."""
    if fresh.course_digest(key.lesson) != key.course:
        raise NoCluster(f"The worker on {socket.gethostname()} has another copy of the course.")
    return _thread().submit(runner.grade_one, submission, key, _mode(trust), limits).result()


@lru_cache
def _mode(trust: bool) -> str:
    return _thread().submit(sandbox.best_mode, trust).result()


_lock = threading.Lock()
_threads: list[ThreadPoolExecutor] = []


def _thread() -> ThreadPoolExecutor:
    """One thread for all of a worker's sandboxes: they end with the thread that started them."""
    with _lock:
        if not _threads:
            _threads.append(ThreadPoolExecutor(1))
    return _threads[0]
