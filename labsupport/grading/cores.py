"""The core that a sandbox's submissions run on: one that no other sandbox of this machine has."""

from __future__ import annotations

import os
import random
import socket

NAME = "\0labsupport-core-{}"


def take() -> tuple[int, socket.socket]:
    """A core that nobody has taken, or any if all are; and what keeps it until it is closed.

    A taken core is a name among this machine's sockets: it is free again when its process ends.
    """
    cores = list(os.sched_getaffinity(0))
    random.SystemRandom().shuffle(cores)
    kept = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for core in cores:
        try:
            kept.bind(NAME.format(core))
        except OSError:
            continue
        return core, kept
    return cores[0], kept
