"""Sandboxes side by side run on different cores, as long as there are enough."""

from __future__ import annotations

import os

import pytest

from labsupport.grading import cores, sandbox


@pytest.fixture(autouse=True)
def all_free(monkeypatch):
    """Names of this test's own: other tests have sandboxes too."""
    monkeypatch.setattr(cores, "NAME", f"\0test-{os.getpid()}-{{}}")


def test_a_core_is_taken_once():
    count = len(os.sched_getaffinity(0))
    taken = [cores.take() for _ in range(count + 1)]
    assert {core for core, _ in taken[:count]} == os.sched_getaffinity(0)
    assert taken[-1][0] in os.sched_getaffinity(0)
    for _core, name in taken:
        name.close()


def test_an_ended_sandbox_gives_its_core_back():
    names = [cores.NAME.format(core).encode() for core in os.sched_getaffinity(0)]
    ended = []
    for _ in range(len(names) + 1):
        with sandbox.Sandbox("probe", mode="trust") as box:
            assert box._core.getsockname() in names
        ended.append(box)  # it is `close` that gives the core back, not that nobody needs the box
