"""Grading on a Dask cluster of separate worker processes, one of them killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from grading_tools import NUMPY, needs_isolation

from labsupport.grading import cluster, runner, sandbox
from labsupport.grading.gradebook import Gradebook

ROOT = sandbox.PROJECT


@pytest.fixture
def two_workers(monkeypatch):
    needs_isolation()
    from distributed import LocalCluster

    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of the workers
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
    ) as workers:
        yield workers


def a_class(folder, count):
    text = (ROOT / "solutions" / f"{NUMPY}.ipynb").read_text("utf-8")
    for number in range(count):
        path = folder / f"student{number:02}" / f"{NUMPY}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(text if number % 3 else text.replace("axis=0", "axis=1"), "utf-8")
    return folder


def test_a_worker_that_is_killed_loses_nothing(two_workers, tmp_path):
    folder = a_class(tmp_path / "submissions", 24)
    runner.grade(folder, tmp_path / "here", seed=5, jobs=2)
    pids = [nanny.pid for nanny in two_workers.workers.values()]
    killed = []

    def kill_one():
        book = Gradebook(tmp_path / "there")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(book.load()) < 3:
            time.sleep(0.05)
        os.kill(pids[0], signal.SIGKILL)
        killed.append(len(book.load()))

    killer = threading.Thread(target=kill_one)
    killer.start()
    summary = runner.grade(
        folder, tmp_path / "there", seed=5, scheduler=two_workers.scheduler_address
    )
    killer.join()
    assert killed and killed[0] < 24, "it was killed while there was work left"
    assert summary.graded == 24
    same = [(tmp_path / f / "verdicts.jsonl").read_bytes() for f in ("here", "there")]
    assert same[0] == same[1]


def test_no_scheduler_is_one_sentence(tmp_path):
    needs_isolation()
    folder = a_class(tmp_path / "submissions", 1)
    before = cluster.CONNECT_SECONDS
    cluster.CONNECT_SECONDS = 1
    try:
        with pytest.raises(cluster.NoCluster, match="There is no Dask scheduler at"):
            runner.grade(folder, tmp_path / "grades", scheduler="tcp://127.0.0.1:9")
    finally:
        cluster.CONNECT_SECONDS = before


@pytest.mark.parametrize(
    "address", ["nonsense", "tcp://x", "foo://x:1", "x:port", "x:70000", "::1", "tcp://:8786"]
)
def test_what_is_no_address_is_one_sentence_at_once(address, tmp_path):
    line = (*(sys.executable, "-m", "labsupport.cli", "grade", ROOT / "solutions"), "-o")
    grades = tmp_path / "grades"
    ended = subprocess.run(
        [*line, grades, "--scheduler", address],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=15,
    )
    assert ended.returncode == 1 and ended.stdout == "" and not grades.exists()
    assert ended.stderr == (
        f"{address} is no address of a Dask scheduler: it needs a host and a port, for instance "
        "tcp://10.0.0.5:8786.\n"
    )


def test_an_address_that_dask_knows_is_one():
    for address in ("x:1", "tcp://127.0.0.1:9", "tls://host.example:8786", "[::1]:8786"):
        cluster.look_at(address)
