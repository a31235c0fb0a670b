"""A submission that tries what must be impossible, before any student's does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from labsupport.grading import remote, seccomp

SECONDS = 20

#: Runs as a student's cell. What it finds open, and what does not work, are two lists of words.
CELL = """
import ctypes, labsupport, os, resource, socket, subprocess, tempfile, threading
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

def write(path):
    with open(path, "a") as file:
        file.write("x")

def at_work():
    write("own")
    os.remove("own")
    with tempfile.TemporaryFile() as file:
        file.write(b"x")

def in_threads():
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()

def in_processes():
    assert subprocess.run(["/bin/sh", "-c", "exit 7"]).returncode == 7

must_not = {
    "read the grader's files": lambda: open(SECRET).close(),
    "read the answer keys": lambda: [open(path).close() for path in KEYS],
    "change the course": lambda: open(labsupport.__file__, "r+").close(),
    "change the system": lambda: open(os.__file__, "r+").close(),
    "reach the network": lambda: socket.socket(type=socket.SOCK_DGRAM).connect(("192.0.2.1", 9)),
    "signal the grader": lambda: os.kill(SERVER, 0),
    "trace the grader": lambda: call("ptrace", 0x4206, SERVER, 0, 0),
    "change the grader's limits": lambda: resource.prlimit(SERVER, resource.RLIMIT_NOFILE),
    "read of other processes": lambda: open(f"/proc/{SERVER}/status").close(),
    "make namespaces": lambda: call("unshare", 0x10000000),
}
if not NAMESPACES:  # which have a /tmp and a /dev/shm of their own
    must_not |= {
        "list other folders": lambda: os.listdir(os.path.dirname(SECRET)),
        "write outside its folder": lambda: write(SECRET),
        "make files outside its folder": lambda: write(SECRET + ".more"),
        "write in shared memory": lambda: write("/dev/shm/" + os.path.basename(SECRET)),
    }
if FILTERED:
    must_not |= {
        "have a socket": lambda: socket.socket(socket.AF_INET),
        "speak with the kernel": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "keep memory": lambda: call("shmget", 0, 4096, 0o1600),
        "have files without a folder": lambda: os.memfd_create("x"),
    }
must = {
    "write in its own folder": at_work,
    "have threads": in_threads,
    "run programs": in_processes,
}

def fails(what):
    try:
        what()
    except Exception:
        return True
    return False

opened = [name for name, what in must_not.items() if not fails(what)]
broken = [name for name, what in must.items() if fails(what)]
"""


def what_is_wrong(box: Any, project: Path, limits: Any) -> str:
    """What a submission can do in this sandbox and must not, or cannot and must; "" if nothing.

    As the end of a sentence. Raises what the wire and the sandbox raise.
    """
    keys = sorted(map(str, (project / "labsupport" / "answer_keys").glob("*.json")))[:3]
    with tempfile.NamedTemporaryFile(prefix="labsupport-secret-") as secret:
        Path(secret.name).chmod(0o666)  # so that it is not the user alone who keeps it shut
        known = f"SECRET, KEYS, SERVER = {secret.name!r}, {keys!r}, {box.pid}\n"
        known += f"NAMESPACES = {box.mode == 'bubblewrap'}; FILTERED = {not seccomp.why_not()}\n"
        with box.submission(limits) as channel:
            session = remote.Session(channel, limits.grace)
            (trouble,) = session.run([("canary", known + CELL)], SECONDS, SECONDS)
            if trouble is not None:
                return f"a submission fails: {trouble.text}"
            opened, broken = (session.find(name)[1] for name in ("opened", "broken"))
    if opened:
        return f"a submission could {', '.join(map(str, opened))}"
    if broken:
        return f"a submission could not {', '.join(map(str, broken))}"
    return ""
