"""The sandboxes' walls one by one: calls that must fail, whichever mode keeps students apart.

Every attempt is made for real, by a submission; what it says of itself is only half of the proof,
the other half is that outside nothing has changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import os
import socket
import struct
import tempfile
import time
from pathlib import Path

import pytest
from grading_tools import NUMPY, needs, open_box

from labsupport.grading import landlock, remote, sandbox, seccomp, wire

ROOT = sandbox.PROJECT
OLD, NEW = landlock.NEEDED, 7  # Landlock's versions: the oldest that will do, the newest known

SETUP = """
import ctypes, errno, fcntl, mmap, os, resource, signal, socket, stat, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {NUMBERS}
THEIRS, SERVER, GRADER, PORT, ABSTRACT = {THEM}
FILE, FOLDER = THEIRS + "/file", THEIRS + "/folder"

def call(name, *arguments):
    result = libc.syscall(NUMBERS[name], *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result

def connect(kind, address, family=socket.AF_UNIX):
    with socket.socket(family, kind) as one:
        one.settimeout(2)
        one.connect(address)
        one.send(b"x")

def send_from_a_pair(kind, address):
    one, other = socket.socketpair(type=kind)
    one.sendto(b"x", address)

def hand_over(cmd, value):  # the signals of a file of one's own go to somebody else
    reader, writer = os.pipe()
    fcntl.fcntl(reader, cmd, value)
    if fcntl.fcntl(reader, fcntl.F_GETOWN) != value:
        raise OSError

def changed(do, sees):
    before = sees()
    do()
    if sees() == before:
        raise OSError("no change")

def in_a_child(do):
    pid = os.fork()
    if pid == 0:
        try:
            do()
            os._exit(0)
        except BaseException:
            os._exit(1)
    if os.waitpid(pid, 0)[1]:
        raise OSError
"""

#: What a submission tries on the way to each harm.
FILES = {
    "read a file": "open(FILE).read()",
    "read in a child": "in_a_child(lambda: open(FILE).read())",
    "read in a program": "subprocess.run(['/bin/cat', FILE], check=True)",
    "read through a link": "os.symlink(FILE, 'way'); open('way').read()",
    "read through /proc": "open('/proc/self/root' + FILE).read()",
    "list a folder": "os.listdir(THEIRS)",
    "write": "open(FILE, 'r+').write('y')",
    "append": "open(FILE, 'a').write('y')",
    "cut while reading": "os.close(os.open(FILE, os.O_RDONLY | os.O_TRUNC))",
    "cut": "os.truncate(FILE, 0)",
    "make": "open(THEIRS + '/new', 'w')",
    "make in /tmp": "open('/tmp/labsupport-planted', 'w'); in_namespace()",
    "make in /dev/shm": "open('/dev/shm/labsupport-planted', 'w'); in_namespace()",
    "make in /var/tmp": "open('/var/tmp/labsupport-planted', 'w'); in_namespace()",
    "make a folder": "os.mkdir(THEIRS + '/new')",
    "make a pipe": "os.mkfifo(THEIRS + '/new')",
    "make a link": "os.symlink('/', THEIRS + '/new')",
    "link to it": "os.link(FILE, 'mine')",
    "take it": "os.rename(FILE, 'mine')",
    "replace it": "open('mine', 'w').close(); os.rename('mine', FILE)",
    "remove it": "os.unlink(FILE)",
    "remove a folder": "os.rmdir(FOLDER)",
    "give it rights": "changed(lambda: os.chmod(FILE, 0o777), lambda: os.stat(FILE).st_mode)",
    "give it a date": "changed(lambda: os.utime(FILE, (1, 1)), lambda: os.stat(FILE).st_mtime)",
    "label it": "os.setxattr(FILE, 'user.x', b'x')",
    "watch it": "call('inotify_add_watch', call('inotify_init1', 0), THEIRS.encode(), 0xfff)",
    "run a file of its own": "os.close(os.open('run', os.O_CREAT | os.O_WRONLY, 0o700)); "
    "open('run', 'w').write('#!/bin/sh'); subprocess.run(['./run'], check=True); in_namespace()",
}
NETWORK = {
    "TCP": "connect(socket.SOCK_STREAM, ('127.0.0.1', PORT), socket.AF_INET)",
    "UDP": "connect(socket.SOCK_DGRAM, ('127.0.0.1', PORT), socket.AF_INET)",
    "IPv6": "socket.socket(socket.AF_INET6)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "virtual machines": "socket.socket(socket.AF_VSOCK)",
    "the kernel's ciphers": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "a socket with a path": "connect(socket.SOCK_DGRAM, THEIRS + '/socket')",
    "a socket with a name": "connect(socket.SOCK_DGRAM, ABSTRACT)",
    "a path, from a pair": "send_from_a_pair(socket.SOCK_DGRAM, THEIRS + '/socket')",
    "a name, from a pair": "send_from_a_pair(socket.SOCK_DGRAM, ABSTRACT)",
    "io_uring": "call('io_uring_setup', 8, ctypes.create_string_buffer(120))",
}
PROCESSES = {
    "signal the server": "os.kill(SERVER, 0)",
    "signal its parent": "os.kill(os.getppid() or SERVER, 0)",
    "signal the grader": "os.kill(GRADER, 0)",
    "signal from a child": "in_a_child(lambda: os.kill(SERVER, 0))",
    "signal from a thread": "signals_from_a_thread()",
    "signal a thread": "call('tkill', SERVER, 0)",
    "signal with data": "call('rt_sigqueueinfo', SERVER, 10, bytes([10, 0, 0, 0] * 32))",
    "signal by a pidfd": "call('pidfd_send_signal', call('pidfd_open', SERVER, 0), 0, None, 0)",
    "signal by a file": "hand_over(8, SERVER)",
    "choose a file's signal": "fcntl.fcntl(0, 10, 9); in_namespace()",
    "trace": "call('ptrace', 0x4206, SERVER, None, None)",
    "read memory": "call('process_vm_readv', SERVER, bytes(16), 1, bytes(16), 1, 0) + 1 or 1/0",
    "see files": "os.listdir(f'/proc/{SERVER}/fd')",
    "see words": "open(f'/proc/{SERVER}/cmdline').read()",
    "see the machine's processes": "open(f'/proc/{GRADER}/stat').read()",
    "limits": "resource.prlimit(SERVER, resource.RLIMIT_NOFILE)",
    "priority": "os.setpriority(os.PRIO_PROCESS, SERVER, 19)",
    "priority of a user's": "asked_nobody(lambda: os.setpriority(os.PRIO_USER, NOBODY, 19))",
    "cores": "os.sched_setaffinity(SERVER, {0})",
    "hold a file": "fcntl.fcntl(os.open('held', os.O_CREAT), 1024, 0)",
    "see what others have read": "os.preadv(os.open('/etc/passwd' if os.path.exists("
    "'/etc/passwd') else sys.executable, 0), [bytearray(9)], 0, os.RWF_NOWAIT)",
    "its own core": "os.sched_setaffinity(0, os.sched_getaffinity(0))",
    "scheduling": "os.sched_setscheduler(SERVER, os.SCHED_BATCH, os.sched_param(0))",
    "its own visibility": "libc.prctl(4, 0, 0, 0, 0) and 1/0; in_namespace()",
}
KEPT = {
    "memory as a file": "os.memfd_create('x')",
    "shared memory": "call('shmget', 0, 4096, 0o1600)",
    "semaphores": "call('semget', 0, 1, 0o1600)",
    "messages": "call('msgget', 0, 0o1600)",
    "a message queue": "call('mq_open', b'labsupport', 0o102, 0o600, None)",
    "a key": "call('add_key', b'user', b'x', b'x', 1, -3)",
    "a keyring": "call('keyctl', 0, -3, 1)",
}
KERNEL = {
    "bpf": "call('bpf', 0, bytes(128), 128) or 1",
    "perf": "call('perf_event_open', bytes([1, 0, 0, 0, 120]) + bytes(115), 0, -1, -1, 0)",
    "userfaultfd": "call('userfaultfd', 1)",
    "namespaces": "call('unshare', 0x10000000)",
    "a namespace at birth": "born(0x10000000 | 17)",
    "a namespace at birth, the new way": "born_anew()",
    "mounts": "call('mount', b'none', FOLDER.encode(), b'tmpfs', 0, None)",
    "mounts, the new way": "call('fsopen', b'tmpfs', 0)",
    "files by handle": "call('open_by_handle_at', -100, bytes(16), 0)",
    "another root": "os.chroot('.')",
    "another machine's calls": "old_calls()",
}
HELPERS = """
def in_namespace():
    # where all that this could reach is its own
    if NAMESPACES:
        raise OSError

NOBODY = 54_321  # where nothing stops it, it must do no harm either

def asked_nobody(do):
    try:
        do()
    except ProcessLookupError:
        in_namespace()

def signals_from_a_thread():
    done = []
    def try_it():
        os.kill(SERVER, 0)
        done.append(1)
    threading.excepthook = lambda *a: None
    thread = threading.Thread(target=try_it); thread.start(); thread.join()
    done[0]

def born(flags):
    pid = call('clone', flags, None, None, None, None)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

def born_anew():
    import struct
    pid = call('clone3', struct.pack('8Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

def old_calls():
    # getpid as a program for the x32 machine asks for it
    if libc.syscall(0x40000000 | NUMBERS['getpid']) <= 0:
        raise OSError
"""
ATTEMPTS = {
    f"{group}: {name}": code
    for group, attempts in {
        "files": FILES,
        "network": NETWORK,
        "processes": PROCESSES,
        "kept": KEPT,
        "kernel": KERNEL,
    }.items()
    for name, code in attempts.items()
}

#: Of what no filter lists, and of what some do: on x86-64, and on AArch64.
CALLS = {
    "io_uring_setup": (425, 425),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "unshare": (272, 97),
    "clone3": (435, 435),
    "mount": (165, 40),
    "fsopen": (430, 430),
    "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279),
}


def numbers() -> dict[str, int]:
    """Of system calls on this machine, those of the filters' tables too."""
    column = seccomp.MACHINES[os.uname().machine][1]
    return seccomp._numbers(column) | {name: two[column - 1] for name, two in CALLS.items()}


# ---------------------------------------------------------------- attempts


class Outside:
    """What a submission could harm: somebody's files, processes, sockets that wait."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack):
        self.folder = folder
        folder.chmod(0o777)
        (folder / "file").write_text("theirs")
        (folder / "file").chmod(0o666)
        (folder / "folder").mkdir(mode=0o777)
        self.abstract = f"\0labsupport-{os.getpid()}-{time.monotonic_ns()}"
        self.sockets = []
        for kind, address in (
            (socket.SOCK_DGRAM, str(folder / "socket")),
            (socket.SOCK_DGRAM, self.abstract),
        ):
            one = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            one.bind(address)
            self.sockets.append(one)
        (folder / "socket").chmod(0o777)
        tcp = stack.enter_context(socket.socket())
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        self.port = tcp.getsockname()[1]
        udp = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", self.port))
        self.sockets += [tcp, udp]
        for one in self.sockets:
            one.setblocking(False)
        self.before = self.seen()

    def belongs_to(self, user: int) -> None:
        """As with an ordinary user's own files: it is not their owner that keeps them."""
        for path in (self.folder, *self.folder.iterdir()):
            os.chown(path, user, -1)

    def seen(self) -> list:
        found = []
        for path in sorted([self.folder, *self.folder.rglob("*")]):
            about = path.lstat()
            found.append((path.name, about.st_mode, about.st_mtime, about.st_nlink, about.st_size))
        return found

    def heard(self) -> list[str]:
        """Which sockets were reached."""
        reached = []
        for one in self.sockets:
            with contextlib.suppress(BlockingIOError):
                one.accept() if one.type == socket.SOCK_STREAM else one.recv(9)
                reached.append(str(one.getsockname()))
        return reached

    def words(self, box: sandbox.Sandbox) -> str:
        them = (str(self.folder), box.pid, os.getpid(), self.port, self.abstract)
        text = SETUP.replace("{NUMBERS}", repr(numbers())).replace("{THEM}", repr(them))
        if box.mode == "trust":  # which gives no folder
            text += f"\nos.chdir({str(self.folder / 'folder')!r})"
        return f"{text}\nNAMESPACES = {box.mode == 'bubblewrap'}\n{HELPERS}"


def said_by(box: sandbox.Sandbox, source: str, limits=None) -> list[str]:
    """The list `opened` that a cell makes."""
    limits = limits or sandbox.Limits()
    with box.submission(limits) as channel:
        session = remote.Session(channel, limits.grace)
        assert session.run([("cell 1", source)], 60, 60) == [None]
        return session.find("opened")[1]


def opened(box: sandbox.Sandbox, outside: Outside, attempts: dict[str, str]) -> set[str]:
    """Which attempts succeed, by what the submission itself says."""
    source = outside.words(box) + "opened = []\n"
    for name, code in attempts.items():
        source += f"try:\n    {code}\n    opened.append({name!r})\n"
        source += "except BaseException:\n    pass\n"
    return set(said_by(box, source))


@contextlib.contextmanager
def an_outside():
    with contextlib.ExitStack() as stack:
        yield Outside(Path(stack.enter_context(tempfile.TemporaryDirectory())), stack)


@pytest.fixture(scope="module", params=["bubblewrap", *(f"landlock {n}" for n in (OLD, 3, 5, NEW))])
def tried(request):
    """(which attempts succeeded, what had changed outside, what was reached) in a mode.

    "landlock 2": as on a kernel whose Landlock is of version 2, where the filter has more to do.
    """
    mode, _, abi = request.param.partition(" ")
    needs(mode)
    if abi and landlock.version() < int(abi):
        pytest.skip(f"this kernel's Landlock is of version {landlock.version()}")
    with pytest.MonkeyPatch.context() as patch, an_outside() as outside:
        if abi:
            patch.setattr(landlock, "version", lambda: int(abi))
        with open_box(NUMPY, mode) as box:
            outside.belongs_to(os.stat(box.folder).st_uid if box.folder else os.getuid())
            successes = opened(box, outside, ATTEMPTS)
            return successes, outside.seen() != outside.before, outside.heard()


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_wall_holds(tried, attempt):
    assert attempt not in tried[0]


def test_outside_nothing_changed_and_nobody_was_reached(tried):
    _opened, changed, reached = tried
    assert not changed and not reached


def test_the_attempts_would_succeed_without_walls():
    """Or this file would prove nothing."""
    with an_outside() as outside, sandbox.Sandbox("numpy", mode="trust") as box:
        harmless = {
            name: code
            for name, code in ATTEMPTS.items()
            if name.split(": ")[0] in ("files", "network", "processes")
            and not name.endswith(("/dev/shm", "/var/tmp", "/tmp", "take it", "remove it"))
        }
        found = opened(box, outside, harmless)
        assert outside.seen() != outside.before and len(outside.heard()) == 4
    for name in ("read a file", "write", "cut", "cut while reading", "give it rights", "make"):
        assert f"files: {name}" in found, name
    for name in ("TCP", "UDP", "a socket with a path", "a name, from a pair"):
        assert f"network: {name}" in found, name
    for name in ("signal the server", "signal by a pidfd", "limits", "see words"):
        assert f"processes: {name}" in found, name


# ---------------------------------------------------------------- what must go on working

AT_WORK = """
import asyncio, os, shutil, subprocess, sys, tempfile, threading, multiprocessing, warnings
from pathlib import Path

async def asleep():
    await asyncio.sleep(0)
    return (await asyncio.create_subprocess_exec("/bin/true")).pid

def figure():
    import matplotlib.pyplot as plt
    plt.plot([1, 2])
    plt.savefig("figure.png")
    return Path("figure.png").stat().st_size

def copies():
    folder = Path(tempfile.mkdtemp())
    (folder / "a").write_text("x")
    shutil.copy2(folder / "a", folder / "b")
    (folder / "b").rename("moved")
    shutil.rmtree(folder)
    return Path("moved").read_text() == "x" and not folder.exists()

def pool():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, [-1, -2]) == [1, 2]

def python():
    code = "import json, random, sqlite3; print(7)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True).stdout == b"7\\n"

def shell():
    said = subprocess.run("ls -l / | wc -l; exit 3", shell=True, capture_output=True)
    return said.returncode == 3

def killed():
    sleeping = subprocess.Popen(["/bin/sleep", "60"])
    sleeping.kill()
    return sleeping.wait() == -9

def threads():
    found = []
    many = [threading.Thread(target=found.append, args=(n,)) for n in range(20)]
    [t.start() for t in many], [t.join() for t in many]
    return len(found) == 20

def memory_map():
    made = np.memmap("map", dtype="f8", mode="w+", shape=(100,))
    made[:] = 1
    made.flush()
    return np.fromfile("map").sum() == 100

def late_imports():
    import csv, decimal, ftplib, http.client, sqlite3, xml.dom.minidom
    import labsupport.figures
    return True

opened = []
for name in NAMES:
    try:
        worked = asyncio.run(asleep()) if name == "asleep" else globals()[name]()
        opened.append(name if worked else f"{name} gives {worked!r}")
    except BaseException as error:
        opened.append(f"{name}: {error!r}")
"""
WORKING = ["asleep", "figure", "copies", "pool", "python", "shell", "killed", "threads"]
WORKING += ["memory_map", "late_imports"]


@pytest.mark.parametrize("mode", ["bubblewrap", f"landlock {OLD}", "landlock"])
def test_what_students_use_works(mode, monkeypatch):
    mode, _, abi = mode.partition(" ")
    if abi:
        monkeypatch.setattr(landlock, "version", lambda: int(abi))
    expected = list(WORKING)
    if mode == "landlock":  # multiprocessing's locks are files in /dev/shm
        expected.remove("pool")
    if abi:  # an old kernel's Landlock does not know one's own children from others
        expected.remove("killed")
    with open_box(NUMPY, mode) as box:
        found = said_by(box, f"import numpy as np\nNAMES = {expected}\n{AT_WORK}")
    assert found == expected


# ---------------------------------------------------------------- a folder of one's own

TOO_MUCH = {
    "files": "for n in range(100):\n    open(f'{n}', 'wb').write(b'x' * (4 << 20))",
    "small files": "for n in range(10**5):\n    open(f'{n}', 'w').close()",
    "folders": "for n in range(10**5):\n    os.mkdir(f'{n}')",
    "deleted files": "kept = []\nfor n in range(100):\n    file = open('x', 'wb+')\n"
    "    file.write(b'x' * (4 << 20)); file.flush(); os.unlink('x'); kept.append(file)",
    "deleted files in memory": "import mmap\nkept = []\nfor n in range(100):\n"
    "    file = open('x', 'wb+'); file.write(b'x' * (4 << 20)); file.flush(); os.unlink('x')\n"
    "    kept.append(mmap.mmap(file.fileno(), 0)); file.close()",
}


@pytest.fixture(scope="module")
def landlocked():
    with open_box(NUMPY, "landlock") as box:
        yield box


@pytest.mark.parametrize("what", TOO_MUCH)
def test_its_folder_holds_no_more_than_it_may(landlocked, what):
    source = f"import os, time\n{TOO_MUCH[what]}\ntime.sleep(20)\nopened = []"
    with pytest.raises(wire.Closed):
        said_by(landlocked, source)
    assert str(landlocked.death) == "it wrote more than it may"
    assert os.listdir(Path(landlocked.folder, "submissions")) == []


def test_whatever_it_leaves_is_removed(landlocked):
    """However deep, closed, oddly named."""
    said_by(
        landlocked,
        "import os\nopened = []\nos.umask(0)\nhome = os.getcwd()\n"
        "for n in range(2000):\n    os.mkdir('deep' * 20); os.chdir('deep' * 20)\n"
        "os.chdir(home)\nos.mkdir('closed', 0)\nos.mkdir('open'); os.mkdir('open/closed', 0)\n"
        "open('open/file', 'w').close()\nos.symlink('/usr', 'link'); os.mkfifo('pipe')\n"
        "os.symlink('..', 'open/up'); open(b'\\xff\\n', 'w').close()\n"
        "os.link('open/file', 'hard')\n",
    )
    assert os.listdir(Path(landlocked.folder, "submissions")) == []
    assert Path("/usr/bin").exists()


def test_who_has_too_many_processes_is_stopped(landlocked):
    source = "import os, time\ntry:\n    for n in range(200):\n        if os.fork() == 0:\n"
    source += "            time.sleep(60)\nexcept OSError:\n    pass\n"
    with pytest.raises(wire.Closed):
        said_by(landlocked, source + "time.sleep(60)\nopened = []")
    assert str(landlocked.death) == "it had more processes than it may"


# ---------------------------------------------------------------- the filter's program


def decision(program: list[bytes], number: int, arguments=(), machine="x86_64") -> int:
    """What the kernel would make of a call: the program, run step by step."""
    known_as = seccomp.MACHINES[machine][0]
    data = struct.pack("<iIQ6Q", number, known_as, 0, *[*arguments, *[0] * 6][:6])
    at = value = 0
    while True:
        code, if_so, if_not, constant = struct.unpack("HBBI", program[at])
        at += 1
        if code == seccomp.LOAD:
            (value,) = struct.unpack_from("<I", data, constant)
        elif code == seccomp.AND:
            value &= constant
        elif code == seccomp.RETURN:
            return constant
        else:
            so = value == constant if code == seccomp.EQUAL else value >= constant
            at += if_so if so else if_not


@pytest.mark.parametrize("machine", seccomp.MACHINES)
@pytest.mark.parametrize(("mode", "abi"), [("bubblewrap", 0), ("landlock", OLD), ("landlock", NEW)])
def test_the_program_does_as_the_rules_say(machine, mode, abi):
    rules = seccomp.rules(mode, abi, pid=77)
    program = seccomp.program(machine, rules)
    assert len(program) < 4096, "or the kernel would not take it"
    known = {n: name for name, n in seccomp._numbers(seccomp.MACHINES[machine][1]).items()}
    for number in [*range(700), 0x40000000, 0x40000000 | 39, -1]:
        rule = rules.get(known.get(number, ""), seccomp.ABSENT)
        found = decision(program, number, machine=machine)
        if isinstance(rule, int):
            assert found == seccomp.RET_ERRNO | rule, number
        elif not rule:
            assert found == seccomp.RET_ALLOW, number
        for check in rule if isinstance(rule, tuple) else ():
            for value in {*check.values, 0, 77, 1 << 40, 0x10000011, 0o1001}:
                arguments = [0] * 6
                for other in rule:  # the others are content
                    arguments[other.argument] = other.values[0] if other.among else 123
                arguments[check.argument] = value
                good = ((value & check.mask) in check.values) == check.among
                expected = seccomp.RET_ALLOW if good else seccomp.RET_ERRNO | check.error
                assert decision(program, number, arguments, machine) == expected, (number, value)
    other = next(m for m in seccomp.MACHINES if m != machine)
    assert decision(program, 0, machine=other) == seccomp.RET_KILL


@pytest.mark.parametrize("column", [1, 2])
def test_the_numbers_of_calls_are_right(column):
    """By the library that knows them for all machines, where it is installed."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("there is no libseccomp here to compare with")
    machine = next(known for known, number in seccomp.MACHINES.values() if number == column)
    resolve = library.seccomp_syscall_resolve_name_arch
    resolve.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    numbers = seccomp._numbers(column)
    known = {name: resolve(machine, name.encode()) for name in numbers}
    newer = {name for name, number in known.items() if number < 0}  # than the library
    assert len(newer) < 10
    assert {n: v for n, v in numbers.items() if n not in newer} == {
        n: v for n, v in known.items() if n not in newer
    }
