"""A user and a folder for submissions, where no namespace gives them their own.

The warm process has a folder that only its user can open. In it each submission gets an empty one,
which is all that it can write; what it may hold is counted here, since no file system does it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

PR_SET_KEEPCAPS, PR_CAP_AMBIENT, CAP_AMBIENT_RAISE = 8, 47, 2
CAP_DAC_READ_SEARCH = 2
#: Users that nobody else has (systemd's for passing services), so that lanes differ.
USERS = range(61_184, 65_520)
MAX_FILES = 4096  # as in the other sandbox
#: What an ordinary user may start meanwhile, in other lanes too: the kernel counts a user's threads
#: together, and nobody's may fail because of another's.
SPARE = 256

libc = ctypes.CDLL(None, use_errno=True)


def settle(folder: str, readable: Iterable[str]) -> int:
    """As root become an ordinary user, to whom the folder belongs. Others stay who they are.

    Returns how many threads the user can have beside a submission's.

    Where Python or the course lies in a folder that is closed to ordinary users (root's own), the
    right to read what is closed is kept; Landlock decides of what. Exits with a sentence.
    """
    if os.geteuid() == 0:
        user = secrets.choice(USERS)
        there = [path for path in readable if os.path.exists(path)]
        os.chown(folder, user, user)
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        closed = [path for path in there if not os.access(path, os.R_OK)]
        kept = 1 << CAP_DAC_READ_SEARCH if closed else 0
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        if libc.capset(header, (ctypes.c_uint32 * 6)(kept, kept, kept)):
            sys.exit(f"{closed[0]} is closed to ordinary users, and may not be read for them")
        if kept:  # also by the programs that it starts
            libc.prctl(PR_CAP_AMBIENT, CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0)
        os.mkdir(_all(folder), 0o700)
        return 8  # the warm process, and what keeps and probes
    os.mkdir(_all(folder), 0o700)
    return _tasks_of_user() + SPARE


def move_in(folder: str) -> str:
    """An empty folder for the submission in this process, which takes it for /tmp and home."""
    own = os.path.join(_all(folder), str(os.getpid()))
    os.mkdir(own, 0o700)
    for name, value in os.environ.items():
        if value == folder or value.startswith(folder + "/"):
            os.environ[name] = own + value[len(folder) :]
    os.chdir(own)
    return own


def clear(folder: str) -> None:
    """Remove what submissions have left, however deep, whatever its rights. They have ended."""
    _empty(_all(folder))


def used(folder: str, pids: Iterable[int], deleted: bool) -> tuple[int, int]:
    """Bytes and number of the files that submissions have; counting ends where it is too much.

    deleted: count also those that only their processes still hold.
    """
    size = count = 0
    todo = [_all(folder)]
    while todo and count <= MAX_FILES:
        with contextlib.suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                count += 1
                if count > MAX_FILES:
                    break
                with contextlib.suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
    if deleted:
        size += sum(_held(pid, _all(folder)) for pid in pids)
    return size, count


def tasks(pids: Iterable[int]) -> int:
    """How many threads processes have."""
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            count += len(os.listdir(f"/proc/{pid}/task"))
    return count


def _tasks_of_user() -> int:
    """How many threads this user has on the whole machine: the kernel's limit counts them all."""
    own = f"\nUid:\t{os.getuid()}\t"
    count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            said = Path(f"/proc/{pid}/status").read_text(errors="replace")
            if own in said:
                count += int(said.partition("\nThreads:")[2].split(None, 1)[0])
    return count


def _held(pid: int, folder: str) -> int:
    """Bytes of deleted files of the folder that a process has open or mapped."""
    size = 0
    device, within = os.stat(folder).st_dev, f" {folder}/".encode()
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found = os.stat(f"/proc/{pid}/fd/{fd}")
                if stat.S_ISREG(found.st_mode) and not found.st_nlink and found.st_dev == device:
                    size += found.st_blocks * 512
        for line in Path(f"/proc/{pid}/maps").read_bytes().splitlines():
            if line.endswith(b" (deleted)") and within in line:
                start, end = line.split(b" ", 1)[0].split(b"-")
                size += int(end, 16) - int(start, 16)
    return size


def _all(folder: str) -> str:
    return os.path.join(folder, "submissions")


def _empty(folder: str) -> None:
    """Without going deeper than two levels: what lies below is first moved up."""
    while names := os.listdir(folder):
        for name in names:
            path = os.path.join(folder, name)
            if not _is_folder(path):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for inner in os.listdir(path):
                below = os.path.join(path, inner)
                if _is_folder(below):
                    os.chmod(below, 0o700)  # or it could not be moved
                    os.rename(below, os.path.join(folder, secrets.token_hex(16)))
                else:
                    os.unlink(below)
            os.rmdir(path)


def _is_folder(path: str) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode)
