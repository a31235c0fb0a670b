"""A warm process that the system keeps apart from everything, and what it may use.

    Sandbox (here, trusted)                     server.py (isolated, warm, runs no student's code)
      ├─ control: start, stop, died ──────────────┤
      ├─ a channel per submission ────────────────┼─ fork ─ a process of the submission's own
      └─ and one to its prober, if it needs one ──┴─ fork ─ a clean process beside it

How apart, in order of preference:

- "bubblewrap": the server sees a read-only system without anybody's files and has no network;
  each submission gets namespaces of its own (users, processes, mounts, network, IPC), an empty
  private /tmp, and no way to see the server. When its first process ends the kernel ends the rest.
- "landlock": no namespaces (Docker's own profile forbids them). Each submission is forbidden all
  files but the system's and the course's, for reading, and one empty folder of its own; all
  sockets; all that reaches other processes. The server ends what it leaves, and counts its files.
- "trust": no isolation, only limits. Never chosen by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from labsupport import exercises
from labsupport.grading import blanks, canary, cores, landlock, seccomp, wire

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 120  # TensorFlow from a cold disk on a busy machine
ENDING_SECONDS = 30  # for a warm process to end all that is below it
ORDINARY_USER = 65534
COURSE = "/course"  # where a sandbox sees the course, wherever it lies


class CannotIsolate(Exception):
    """This machine offers no way to keep students' code apart. One sentence, with the cure."""


class ServerFailed(Exception):
    """The warm process did not start, or is gone. One sentence."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    cell, total: seconds for one cell, and for everything. grace: seconds after which code that does
    not heed its limit is killed. memory: bytes beyond what the warm process has. processes: at one
    time, threads counted. file: bytes of a file, and of all files together.
    """

    cell: float = 20.0
    total: float = 120.0
    grace: float = 2.0
    memory: int = 2 << 30
    processes: int = 128
    file: int = 64 << 20


@dataclass(frozen=True)
class Death:
    """How a submission's process ended.

    memory: it was stopped because it used too much. excess: or because of what else it did.
    """

    code: int = 0
    signal: int = 0
    memory: bool = False
    excess: str = ""

    def __str__(self) -> str:
        if self.memory:
            return "it used more memory than it may"
        if self.excess:
            return f"it {self.excess}"
        if self.signal == signal.SIGXFSZ:
            return "it wrote a larger file than it may"
        if self.signal:
            with contextlib.suppress(ValueError):
                return f"it ended with {signal.Signals(self.signal).name}"
        return f"it ended itself with exit code {self.code}"


# ---------------------------------------------------------------- what this machine offers


def best_mode(trust: bool = False) -> str:
    """The strongest isolation that works here, tried for real. Raises CannotIsolate."""
    if trust:
        return "trust"
    why = {}
    for mode in ("bubblewrap", "landlock"):
        why[mode] = why_not(mode)
        if not why[mode]:
            return mode
    raise CannotIsolate(_cure(**why))


def why_not(mode: str) -> str:
    """Why a mode does not do here, as the end of a sentence; "" if it does."""
    if mode == "bubblewrap" and shutil.which("bwrap") is None:
        return "it is not installed"
    missing = (landlock.why_not() or seccomp.why_not()) if mode == "landlock" else ""
    if missing:
        return missing
    try:
        with Sandbox("probe", mode=mode) as box:
            return canary.what_is_wrong(box, PROJECT, Limits())
    except (ServerFailed, wire.Closed, wire.Late, wire.Malformed, OSError) as error:
        return " ".join(str(error).split())[:200] or "what was tried in it did not come back"


def _cure(bubblewrap: str, landlock: str) -> str:
    if not sys.platform.startswith("linux"):
        return (
            "Students' code can be kept apart on Linux only: grade in WSL2 or in a Linux machine, "
            "or say --trust if all submissions are your own."
        )
    if bubblewrap == "it is not installed":
        cure = "install the package `bubblewrap`"
    else:
        cure = (
            "allow unprivileged user namespaces (on Ubuntu an AppArmor profile for bwrap; inside "
            "Docker start the container with --privileged or a profile that allows them)"
        )
    return (
        f"Students' code cannot be kept apart here, neither by bubblewrap ({bubblewrap}) nor by "
        f"Landlock ({landlock}): {cure}, or say --trust if all submissions are your own."
    )


# ---------------------------------------------------------------- the warm process, from outside


class Sandbox:
    """A warm process of one kind, and at most one submission in it.

    kind: what is imported before the first fork: that of a lesson (see stacks.py), or "probe" for
    nothing. also: folders that can be read in it, beside the course; for tests.
    """

    def __init__(self, kind: str, *, mode: str, also: Sequence[Path] = (), say: str = ""):
        self.kind, self.mode = kind, mode
        self.death: Death | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self.folder = tempfile.mkdtemp(prefix="labsupport-") if mode == "landlock" else ""
        self._ready = False
        self._asked_for: set[str] = set()
        core, self._core = cores.take()
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = here
        with there:
            command = _command(mode, there.fileno(), kind, core, tuple(also), self.folder)
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=self._errors,
                    stderr=self._errors,
                    pass_fds=[there.fileno()],
                    cwd="/",
                    env=_environment(mode, self.folder),
                    start_new_session=True,
                )
            except OSError as error:
                shutil.rmtree(self.folder, ignore_errors=True)
                self._core.close()
                raise ServerFailed(f"{error.strerror}: {command[0]}") from None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the warm process, or of what keeps it."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Raises ServerFailed if the warm process does not come up."""
        if not self._ready:
            said = self._hear(START_SECONDS)
            if said is None or "ready" not in said:
                self._errors.seek(0)
                words = self._errors.read()[-2000:].decode("utf-8", "replace").strip()
                self.close()
                raise ServerFailed(words.splitlines()[-1] if words else "it did not start")
            self._ready = True

    def have(self, modules: Sequence[str]) -> None:
        """Let the warm process import some of `stacks.ON_DEMAND`, once; what cannot be is left.

        Raises ServerFailed when the warm process is gone.
        """
        self.wait_until_ready()
        wanted = [module for module in modules if module not in self._asked_for]
        if not wanted:
            return
        self._asked_for.update(wanted)
        with contextlib.suppress(OSError):
            self._control.send(json.dumps({"do": "import", "modules": wanted}).encode())
        if self._hear(START_SECONDS) is None:
            self.close()
            raise ServerFailed("the warm process is gone")

    @contextlib.contextmanager
    def submission(self, limits: Limits) -> Iterator[socket.socket]:
        """A process for one submission, as the channel to it; nothing of it is left afterwards.

        Raises ServerFailed when the warm process is gone.
        """
        with self._processes(limits, 1) as (channel,):
            yield channel

    @contextlib.contextmanager
    def submission_and_prober(
        self, limits: Limits
    ) -> Iterator[tuple[socket.socket, socket.socket]]:
        """Like `submission`, and a clean process beside it that can call its answers."""
        with self._processes(limits, 2) as (channel, prober):
            yield channel, prober

    @contextlib.contextmanager
    def _processes(self, limits: Limits, count: int) -> Iterator[list[socket.socket]]:
        self.wait_until_ready()
        self.death = None
        with contextlib.ExitStack() as stack:
            pairs = [socket.socketpair() for _ in range(count)]
            here = [stack.enter_context(one) for one, _ in pairs]
            there = [one for _, one in pairs]
            said = json.dumps({"do": "start", "limits": asdict(limits)}).encode()
            try:
                socket.send_fds(self._control, [said], [one.fileno() for one in there])
            except OSError:
                raise ServerFailed("the warm process is gone") from None
            finally:
                for one in there:
                    one.close()
            gone = False
            try:
                yield here
            except wire.Closed:
                gone = True
                raise
            finally:
                self._stop(gone)

    def _stop(self, gone: bool) -> None:
        """End all of the submission's processes; `death` says how it ended, if by itself.

        gone: it seems to have ended by itself just now.
        """
        try:
            self._control.send(json.dumps({"do": "stop", "gone": gone}).encode())
        except OSError:
            self.close()
            raise ServerFailed("the warm process is gone") from None
        said = self._hear(60)
        if said is None or "ended" not in said:
            self.close()
            raise ServerFailed("the warm process does not answer")
        if said["ended"] is not None:
            self.death = Death(**said["ended"])

    def _hear(self, seconds: float) -> dict | None:
        """What the warm process says next; None if nothing comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._control.settimeout(min(0.5, seconds))
            try:
                said = self._control.recv(1 << 16)
                return json.loads(said) if said else None
            except TimeoutError:
                if self._process.poll() is not None:
                    return None
            except (OSError, ValueError):
                return None
        return None

    def close(self) -> None:
        """End the warm process and everything in it."""
        self._control.close()
        if self.mode != "bubblewrap" and self._ready:  # else the kernel ends what is in it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING_SECONDS)
        if self.mode == "landlock":
            self._process.terminate()  # it ends what is below it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING_SECONDS)
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._errors.close()
        self._core.close()
        shutil.rmtree(self.folder, ignore_errors=True)


# ---------------------------------------------------------------- commands


def _environment(mode: str, folder: str = "") -> dict[str, str]:
    """Nothing of the grader's own environment but the path to programs.

    folder: the warm process's own, where it has no /tmp of its own.
    """
    own = folder or "/tmp"
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": own,
        "TMPDIR": own,
        "LANG": "C.UTF-8",
        "PYTHONPATH": COURSE if mode == "bubblewrap" else str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{own}/matplotlib",
        "KERAS_HOME": f"{own}/keras",
        "LABSUPPORT_STATE": f"{own}/labsupport",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",  # looks through all kernels for every kind of operation
        "CUDA_VISIBLE_DEVICES": "-1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    } | {name: os.environ[name] for name in ("OPENBLAS_CORETYPE",) if name in os.environ}


def _command(
    mode: str, control: int, kind: str, core: int, also: tuple[Path, ...], folder: str = ""
) -> list[str]:
    own_way = "-P" if sys.version_info >= (3, 11) else "-s"
    server = [own_way, "-m", "labsupport.grading.server", str(control), kind, mode, str(core)]
    if mode == "trust":
        return [sys.executable, *server]
    if mode == "landlock":
        own = {"folder": folder, "abi": landlock.version()}
        own["readable"] = landlock.readable(PROJECT, also)
        return [sys.executable, *server, json.dumps(own)]
    in_venv = sys.prefix != sys.base_prefix
    python = Path(sys.executable)
    inside = f"{COURSE}/.venv/{python.parent.name}/{python.name}" if in_venv else str(python)
    inner = [inside, *server]
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise ServerFailed("bwrap is not installed")
    tree = _tree(also)
    own = ["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    own += ["--unshare-cgroup-try", "--as-pid-1", "--die-with-parent", "--proc", "/proc"]
    own += ["--dev", "/dev", "--tmpfs", "/tmp"]  # the warm process's; submissions get their own
    if os.geteuid() != 0:
        return [bwrap, *tree, *own, "--remount-ro", "/dev", "--remount-ro", "/", "--", *inner]
    # As root: lay the tree out, become an ordinary user, and go on as everybody else.
    become = (
        f"import os, sys; os.setgroups([]); os.setresgid({ORDINARY_USER}, {ORDINARY_USER}, "
        f"{ORDINARY_USER}); os.setresuid({ORDINARY_USER}, {ORDINARY_USER}, {ORDINARY_USER}); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    outer = [bwrap, *tree, "--dev-bind", "/proc", "/proc", "--dev", "/dev", "--"]
    outer += [str(python.resolve())]
    outer += ["-I", "-S", "-c", become]
    return [*outer, bwrap, "--ro-bind", "/", "/", *own, "--remount-ro", "/dev", "--", *inner]


def _tree(also: tuple[Path, ...]) -> list[str]:
    """bubblewrap's options for the files that the warm process sees."""
    words: list[str] = []
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            words += ["--ro-bind", str(path), str(path)]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime"):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    words += ["--dir", "/tmp", "--dir", "/var/tmp"]
    own = {Path(sys.base_prefix).resolve(), Path(sys.executable).resolve().parents[1]}
    places = {path: str(path) for path in own | {Path(sys.base_prefix)}}
    if sys.prefix != sys.base_prefix:
        places[Path(sys.prefix)] = f"{COURSE}/.venv"
    # Not the whole folder of notebooks: beside the blank ones, answers may lie.
    for path in (PROJECT / "labsupport", *also):
        places[path] = f"{COURSE}/{path.name}"
    for path in filter(Path.exists, map(blanks.path_of, exercises.LESSONS)):
        places[path] = f"{COURSE}/notebooks/{path.name}"
    places = {path: there for path, there in places.items() if not there.startswith("/usr/")}
    parents = {parent for there in places.values() for parent in Path(there).parents}
    for path in sorted(parents - {Path("/")}):  # by themselves they would be closed to others
        words += ["--dir", str(path)]
    for path, there in sorted(places.items(), key=lambda pair: pair[1]):
        words += ["--ro-bind", str(path), there]
    keys = f"{COURSE}/labsupport/answer_keys"
    return [*words, "--tmpfs", keys, "--remount-ro", keys]
