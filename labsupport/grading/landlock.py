"""Which files a submission may touch, by Landlock: rules that a process puts on itself for ever.

For where there are no namespaces (Docker's own profile forbids them, and allows this). It needs no
privilege. What is beneath a path of the list can be read, the one folder can be written, and
nothing else can be opened; nor can a process traced that is outside. What Landlock does not see
(sockets, chmod; in older kernels signals and truncate) is seccomp's: see seccomp.py.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from labsupport import exercises

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # on every machine
PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38
#: 2 came with Linux 5.19; before it, files could not be moved between folders, as TensorFlow does.
NEEDED = 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
MAKE_FIFO, MAKE_SYM, REFER, TRUNCATE = 1 << 10, 1 << 12, 1 << 13, 1 << 14
#: How many rights each version knows, from the lowest bit on.
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
TCP, SCOPED = 0b11, 0b11  # all rights to ports; abstract Unix sockets and signals

READ = EXECUTE | READ_FILE | READ_DIR
OWN = WRITE_FILE | READ_FILE | READ_DIR | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG
OWN |= MAKE_FIFO | MAKE_SYM | REFER | TRUNCATE
DEVICES = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}

#: What programs and libraries of the system read.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache")
SYSTEM += ("/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime")
SYSTEM += ("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/sys/devices/system/node")

libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def version() -> int:
    """What the kernel's Landlock can do, as its number; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def why_not() -> str:
    """Why it does not do here, as the end of a sentence; "" if it does."""
    abi = version()
    if not abi:
        return "the kernel has no Landlock, or a container's profile forbids it"
    if abi < NEEDED:
        return f"the kernel's Landlock is version {abi}, and {NEEDED} is needed (Linux 5.19)"
    return ""


def readable(project: Path, also: Iterable[Path] = ()) -> dict[str, int]:
    """What a submission may read, with its rights: the system, Python, the course but its keys."""
    python = {Path(sys.base_prefix), Path(sys.prefix), Path(sys.executable).resolve().parents[1]}
    blank = [project / "notebooks" / f"{lesson}.ipynb" for lesson in exercises.LESSONS]
    paths = [*map(Path, SYSTEM), *sorted(python), *blank, *also]
    course = project / "labsupport"
    found = dict.fromkeys(map(str, paths), READ)
    found[str(course)] = READ_DIR  # for imports; the names of the keys are no secret
    found |= {str(path): READ for path in course.iterdir() if path.name != "answer_keys"}
    return found


def restrict(folder: str, readable: dict[str, int], abi: int) -> None:
    """This process, and all that it starts, may write in `folder` only. Raises OSError."""
    handled = (1 << RIGHTS[min(abi, max(RIGHTS))]) - 1
    said = struct.pack("=QQQ", handled, TCP if abi >= 4 else 0, SCOPED if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    rules = _check(libc.syscall(CREATE_RULESET, said, ctypes.c_size_t(size), 0), "landlock")
    allowed = readable | dict.fromkeys(DEVICES, READ_FILE | WRITE_FILE) | {folder: OWN}
    for path, rights in allowed.items():
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # what is not there needs no rule
        try:
            rights &= handled
            if not os.path.isdir(path):
                rights &= OF_FILES
            rule = struct.pack("=Qi", rights, fd)
            _check(libc.syscall(ADD_RULE, rules, PATH_BENEATH, rule, 0), f"landlock {path}")
        finally:
            os.close(fd)
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    quiet = 1 if abi >= 7 else 0  # nobody's log is filled with what it is refused
    _check(libc.syscall(RESTRICT_SELF, rules, quiet), "landlock")
    os.close(rules)


def _check(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
