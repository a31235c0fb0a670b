"""The warm process: imports once, forks for every submission. It runs no student's code itself.

Started by `sandbox.Sandbox` as `python -m labsupport.grading.server CONTROL KIND MODE CORE [OWN]`;
OWN says what there is in place of namespaces. What a submission says and is told goes through a
channel of its own that this process only hands on, so that nothing of one submission stays in the
memory from which the next is forked. With a second channel comes a prober: a process as well shut
in as the submission's, and out of its sight, but for a channel between the two.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from labsupport.grading import landlock, quarters, seccomp

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_SET_PDEATHSIG = 4, 38, 24, 1
PR_SET_CHILD_SUBREAPER = 36
NEW_USER, NEW_PID, NEW_MOUNT = 0x10000000, 0x20000000, 0x20000
NEW_REST = NEW_MOUNT | 0x02000000 | 0x04000000 | 0x08000000 | 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 2, 4, 8, 1 << 14, 1 << 18
NICENESS = 5  # of submissions: so that this process is heard among a hundred of theirs
WATCH = 0.05  # seconds between two looks at memory
MAX_OPEN = 3000  # files of a submission's processes together; a socket may hold 0.4 MB

libc = ctypes.CDLL(None, use_errno=True)


def main(control_fd: int, kind: str, mode: str, core: int) -> None:
    """Warm up, then start and stop submissions until the other side is gone."""
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # so that nothing inside can interrupt pid 1
    if mode == "landlock":
        go_below_a_keeper(control)
        OWN["tasks"] = quarters.settle(OWN["folder"], OWN["readable"])
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # becoming another user cleared it
    if mode == "bubblewrap":
        OWN["pids"] = rule_pids(control)
    gc.set_threshold(50_000, 50, 50)  # a submission is short, and graphs are many objects
    with importing(core):
        warm_up(kind)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if not seccomp.why_not():
        seccomp.prepared(mode, OWN.get("abi", 0))
    if mode != "bubblewrap":
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    control.send(b'{"ready": true}')
    while True:
        said, fds, _flags, _address = socket.recv_fds(control, 1 << 16, 2)
        if not said:
            leave()
        message = json.loads(said)
        if message["do"] == "import":
            with importing(core):
                for module in message["modules"]:
                    with contextlib.suppress(Exception):  # who wants it, will meet the error
                        import_module(module)
            control.send(b'{"imported": true}')
        elif message["do"] == "start":
            Submission(control, fds, message["limits"], mode, core).watch()


def rule_pids(control: socket.socket) -> int:
    """Go on as the first process of a namespace in which this process may make others.

    Returns the namespace, for `setns`.
    """
    new_user(NEW_PID | NEW_MOUNT)
    ruler = os.fork()
    if ruler:
        control.close()
        os.waitpid(ruler, 0)
        os._exit(0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount /")
    mount_proc()
    return os.open("/proc/self/ns/pid", os.O_RDONLY)


def go_below_a_keeper(control: socket.socket) -> None:
    """Go on in a process of its own. This one waits for it, and leaves nothing of it behind.

    SIGTERM ends both.
    """
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    warm = os.fork()
    if not warm:
        return
    control.close()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(warm, signal.SIGKILL))
    status = os.waitpid(warm, 0)[1]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    kill_descendants()
    os._exit(0 if os.waitstatus_to_exitcode(status) == 0 else 1)


def leave() -> None:
    """The other side is gone."""
    if "folder" in OWN:
        shutil.rmtree(OWN["folder"], ignore_errors=True)
    os._exit(0)


@contextlib.contextmanager
def importing(core: int) -> Iterator[None]:
    """What is imported within the block will be every fork's.

    It stays on one core: then no library starts threads at import that a fork would lose.
    """
    cores = os.sched_getaffinity(0)
    gc.disable()  # it would look through what is imported again and again
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {core})
    yield
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cores)  # where a submission keeps its core busy, there is another
    if len(os.listdir("/proc/self/task")) != 1:
        sys.exit("There is more than one thread after the imports; forking would not be safe.")
    gc.freeze()  # at once: there is little garbage, and to find it takes a third of a second
    gc.enable()
    global OWN_MEMORY
    OWN_MEMORY = _anonymous(os.getpid())


def warm_up(kind: str) -> None:
    """Import what the lessons of a kind import, and run nothing of TensorFlow."""
    if kind == "probe":
        return
    from labsupport.grading import child, guard, prober

    for module in child.modules_of(kind):
        import_module(module)
    child.get_ready(kind)
    prober.get_ready()  # last: some imports make Python forget what is of which type
    guard.remember()


# ---------------------------------------------------------------- one submission


class Submission:
    """The processes of one submission, seen from the warm process.

    channels: the submission's, and the prober's if there is to be one.
    """

    def __init__(
        self, control: socket.socket, channels: list[int], limits: dict, mode: str, core: int
    ):
        self.control, self.limits, self.mode = control, limits, mode
        self.memory, self.excess, self.looks = False, "", 0
        self.first: list[int] = []  # pids: of the submission's first process, of the prober's
        self.held: list[int] = []  # what is to be open meanwhile
        peers = socket.socketpair() if len(channels) == 2 else ()
        for role, channel in zip(("student", "prober"), channels, strict=False):
            peer = peers[role == "prober"].fileno() if peers else None
            own = [channel] if peer is None else [channel, peer]
            others = {*channels, *(one.fileno() for one in peers), control.fileno()} - set(own)
            self.start(role, own, sorted(others), core)
        for one in peers:
            one.close()
        for channel in channels:
            os.close(channel)

    def start(self, role: str, own: list[int], others: list[int], core: int) -> None:
        if self.mode == "bubblewrap":
            _check(libc.unshare(NEW_PID), "unshare")
        first = os.fork()
        if first == 0:
            for fd in others:
                os.close(fd)
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, {core})
                os.nice(NICENESS)
            _guarded(lambda: begin(role, own, self.limits, self.mode))
        if self.mode == "bubblewrap":
            _check(libc.setns(OWN["pids"], NEW_PID), "setns")
        if self.mode == "landlock":  # or the kernel might forget the entry that Landlock knows
            self.held.append(os.open(f"/proc/{first}", os.O_PATH))
        self.first.append(first)

    def watch(self) -> None:
        """Until the other side says stop: look at memory, notice the end."""
        ended = None
        ending = {os.pidfd_open(first): first for first in self.first}
        try:
            while True:
                waiting = [self.control] if ended else [self.control, *ending]
                ready, _, _ = select.select(waiting, [], [], None if ended else WATCH)
                over = [first for fd, first in ending.items() if fd in ready]
                if over:
                    ended = self.end(over[0])
                if self.control in ready:
                    said = self.control.recv(1 << 16)
                    if not ended and said and json.loads(said).get("gone"):
                        over, _, _ = select.select([*ending], [], [], 0.2)
                        ended = self.end(ending[over[0]]) if over else None
                    by_itself = ended
                    if ended is None:
                        self.end()
                    if not said:
                        leave()
                    self.control.send(json.dumps({"ended": by_itself}).encode())
                    return
                if not ready and not ended and self.takes_too_much():
                    ended = self.end()
        finally:
            for fd in (*ending, *self.held):
                os.close(fd)

    def takes_too_much(self) -> bool:
        """Whether it has to be stopped: from this no limit of the kernel's keeps it."""
        pids = others() if self.mode == "bubblewrap" else descendants()
        self.memory = memory_used(pids) > self.limits["memory"]
        if open_files(pids) > MAX_OPEN:
            self.excess = "had more files open than it may"
        if self.mode == "landlock" and not self.memory:
            self.looks += 1  # some cost more than others
            if quarters.tasks(pids) > len(self.first) * self.limits["processes"]:
                self.excess = "had more processes than it may"
            size, count = quarters.used(OWN["folder"], pids, deleted=self.looks % 10 == 0)
            if size > self.limits["file"] or count > quarters.MAX_FILES:
                self.excess = "wrote more than it may"
        return self.memory or bool(self.excess)

    def end(self, first: int = 0) -> dict:
        """Kill what there is and wait until it is gone. Returns how a process ended.

        first: the one that ended by itself; by default the submission's.
        """
        for one in self.first:
            os.kill(one, signal.SIGKILL)  # none has been waited for
        ends = {one: os.waitpid(one, 0)[1] for one in self.first}
        kill_rest(self.mode)
        code = os.waitstatus_to_exitcode(ends[first or self.first[0]])
        ended = {"code": max(code, 0), "signal": max(-code, 0), "memory": self.memory}
        return ended | {"excess": self.excess}


def kill_rest(mode: str) -> None:
    """Nothing but this process is left afterwards. In namespaces the kernel has seen to it."""
    if mode != "bubblewrap":
        kill_descendants()
        if mode == "landlock":
            quarters.clear(OWN["folder"])
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        reap()


def kill_descendants() -> None:
    """First stop them all, so that none forks while others are killed."""
    stopped: set[int] = set()
    late = time.monotonic() + 20
    while below := descendants():
        numbers = [signal.SIGSTOP] if set(below) - stopped else [signal.SIGSTOP, signal.SIGKILL]
        for number in numbers:
            for pid in below:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        stopped = set(below)
        reap()
        if time.monotonic() > late:
            os._exit(121)  # better no warm process than a survivor
        time.sleep(0.001)


def reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    time.sleep(0)


def descendants() -> list[int]:
    """Every process below this one (it adopts those whose parents have ended)."""
    found, todo = [], [os.getpid()]
    while todo:
        pid = todo.pop()
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                words = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
                todo += map(int, words)
                found += map(int, words)
    return found


def memory_used(pids: list[int]) -> int:
    """Bytes that the submission's processes have for themselves, at the least.

    Of each, what it has beyond all that it can share with this process. Pages that its own forks
    share count for each of them.
    """
    return sum(max(0, _anonymous(pid) - OWN_MEMORY) for pid in pids)


def open_files(pids: list[int]) -> int:
    """How many files and sockets processes have open: the kernel keeps what is sent to them."""
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # of one that is ending nobody may see them
            count += len(os.listdir(f"/proc/{pid}/fd"))
    return count


def others() -> list[int]:
    """Every other process of this namespace."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _anonymous(pid: int) -> int:
    """Bytes of a process that are no file's, what it shares with its own forks included."""
    try:
        said = Path(f"/proc/{pid}/status").read_text(errors="replace")  # its name is its own choice
    except OSError:
        return 0
    lines = [line for line in said.splitlines() if line.startswith(("RssAnon:", "RssShmem:"))]
    kinds = dict(line.split(":", 1) for line in lines)
    return sum(1024 * int(words.split()[0]) for words in kinds.values())


#: What a fork can share with this process; known when it is warm.
OWN_MEMORY = 0
#: In mode "landlock": the warm process's "folder", what is "readable", Landlock's version "abi".
#: In mode "bubblewrap": the namespace of this process's "pids".
OWN: dict = {}


# ---------------------------------------------------------------- on the way to students' code


def _guarded(do) -> None:
    """Run in a forked process, whatever happens; never return into the warm process's code."""
    try:
        do()
    except BaseException as error:  # said on stderr, which the grader reads if all fails
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(120)


def begin(role: str, own: list[int], limits: dict, mode: str) -> None:
    """The submission's first process, or the prober's: shut all doors, then do as it is told."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.setsid()  # a signal to one's own process group stays at home
    if mode == "bubblewrap":
        lock_up(limits)
    if mode == "landlock":
        shut_in(limits)
    else:
        limit(limits)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    above = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in own]
    for number, fd in enumerate(above, 3):
        os.dup2(fd, number)
    os.closerange(3 + len(own), 1 << 16)
    from labsupport.grading import child, prober

    if mode == "landlock" or mode == "bubblewrap" and not seccomp.why_not():
        seccomp.install(mode, OWN.get("abi", 0))
    channels = [socket.socket(fileno=number) for number in range(3, 3 + len(own))]
    (prober if role == "prober" else child).serve(*channels)
    os._exit(0)


def lock_up(limits: dict) -> None:
    """Namespaces of one's own: an empty /tmp, a /proc without others, no way up again."""
    _check(libc.unshare(NEW_REST), "unshare")
    _check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount /")
    size = f"size={limits['file']},nr_inodes=4096,mode=700".encode()
    flags = MS_NOSUID | MS_NODEV
    _check(libc.mount(b"tmpfs", b"/tmp", b"tmpfs", flags, size), "mount /tmp")
    _check(libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", flags, size), "mount /dev/shm")
    mount_proc()
    new_user()
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _check(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    os.chdir("/tmp")


def new_user(others: int = 0) -> None:
    """A namespace of users, in which this process may do everything, and other namespaces in it."""
    uid, gid = os.getuid(), os.getgid()
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or /proc/self would be root's
    _check(libc.unshare(NEW_USER | others), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def mount_proc() -> None:
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    _check(libc.mount(b"proc", b"/proc", b"proc", flags, None), "mount /proc")


def shut_in(limits: dict) -> None:
    """Without namespaces: a folder of one's own, and the sight of no other."""
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # so that the warm process can see its open files
    Path("/proc/self/oom_score_adj").write_text("1000")  # before the warm process
    own = quarters.move_in(OWN["folder"])
    limit(limits | {"processes": OWN["tasks"] + limits["processes"]})
    of_itself = {f"/proc/{os.getpid()}": landlock.READ}  # TensorFlow asks for its command line
    landlock.restrict(own, OWN["readable"] | of_itself, OWN["abi"])


def limit(limits: dict) -> None:
    """Limits that the kernel keeps."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for name, value in (
        ("AS", size + 3 * limits["memory"]),
        ("NPROC", limits["processes"]),
        ("NOFILE", 512),
        ("FSIZE", limits["file"]),
        ("CORE", 1),  # 0 would still start a program that the system has for it
        ("MSGQUEUE", 1 << 16),
        ("MEMLOCK", 1 << 20),
        ("CPU", int(limits["total"]) + 30),
    ):
        what = getattr(resource, f"RLIMIT_{name}")
        _soft, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (value, value))


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    OWN |= json.loads(sys.argv[5]) if len(sys.argv) > 5 else {}
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
