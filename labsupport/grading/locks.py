"""Files that one process at a time may hold. The system lets go of them with the process."""

from __future__ import annotations

from typing import IO


def hold(file: IO, wait: bool = False) -> bool:
    """Hold an open file until it is closed; False if another process does.

    wait: until none does. Where neither the system nor the file system knows locks, True.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
