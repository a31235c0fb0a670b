"""What the machine must be (`check_*`), and the environment the course runs in.

`ready_environment` is the way in: it gives the Python to use, after making .venv and filling it
where that is needed. Standard library only; must parse and run on Python 3.6, see launcher.py.
"""

import contextlib
import errno
import glob
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time

from labsupport.launcher_messages import Stop, say

OLDEST, TOO_NEW = (3, 10), (3, 14)  # TensorFlow 2.21 has wheels for 3.10 <= Python < 3.14
GB = 10**9
# Measured with Python 3.11 on Linux: what .venv takes, and how much comes over the network for it.
# pip keeps each download in the temporary folder until it is unpacked, and a copy in its cache.
DISK_BYTES, DOWNLOAD_BYTES = int(2.9 * GB), int(0.8 * GB)
SPARE_BYTES = int(0.2 * GB)

# ----------------------------------------------------------------------------------- the machine


def suitable_version(version):
    """Whether the course runs on this (major, minor, ...) version of Python."""
    return OLDEST <= tuple(version[:2]) < TOO_NEW


def dotted(version):
    """(3, 11, ...) as "3.11"."""
    return f"{version[0]}.{version[1]}"


def python_version(python):
    """(major, minor) of an interpreter given by path or command list; None when it does not run."""
    command = python if isinstance(python, list) else [python]
    code = "import sys; print('%d %d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            command + ["-I", "-S", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,  # generous: a .venv whose Python does not run is thrown away
        )
        major, minor = done.stdout.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def other_python():
    """The command of a suitable Python on this machine ("python3.12", "py -3.12"), or None."""
    for minor in range(TOO_NEW[1] - 1, OLDEST[1] - 1, -1):
        names = [[f"python3.{minor}"]]
        if os.name == "nt":
            names.append(["py", f"-3.{minor}"])
        for name in names:
            # Running it tells more than finding it: version managers leave stubs on the PATH.
            if shutil.which(name[0]) and python_version(name) == (3, minor):
                return " ".join(name)
    return None


def check_python(version):
    """Raise Stop unless the course runs on this version (a tuple like sys.version_info)."""
    if suitable_version(version):
        return
    other = other_python()
    if other:
        cure = f"this machine has `{other}`, so run `{other} -m labsupport`"
    else:
        cure = "install one from python.org or your system's packages and start the course with it"
    raise Stop(
        "python",
        version=dotted(version),
        where=sys.executable,
        age="old" if tuple(version[:2]) < OLDEST else "new",
        cure=cure,
    )


def check_interpreter():
    """Raise Stop unless .venv can be made from the running Python."""
    check_python(sys.version_info)
    check_platform()


def platform_problem():
    """(what, cure) when TensorFlow has no wheel for this system, else None."""
    system, machine = platform.system(), platform.machine().lower()
    sixty_four = "install a 64-bit Python and start the course with it"
    elsewhere = "use a 64-bit Linux, Windows or macOS machine, or a container"
    if sys.maxsize < 2**32:
        return "a 32-bit Python", sixty_four
    if sys.implementation.name != "cpython":
        return sys.implementation.name, "use the Python of python.org"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "a free-threaded Python", "use the ordinary build of the same version"
    if system == "Darwin" and machine == "x86_64":
        if "ARM64" in platform.version().upper():
            return "a Python for Intel Macs", "install the Python for Apple silicon"
        return "Macs with an Intel processor", elsewhere
    if system == "Windows" and machine not in ("amd64", "x86_64"):
        return "Windows on " + machine, elsewhere
    if system == "Linux":
        if machine not in ("x86_64", "aarch64"):
            return "Linux on " + machine, elsewhere
        if "musl" in str(sysconfig.get_config_var("SOABI")):
            return "Linux with musl, such as Alpine", "use a Linux with glibc, such as Debian"
    return None


def check_platform():
    """Raise Stop where TensorFlow has no wheel."""
    problem = platform_problem()
    if problem:
        raise Stop("platform", what=problem[0], cure=problem[1], where=sys.executable)


def missing_venv_module():
    """The module that is missing for making a virtual environment, or None."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            return module
    return None


def venv_cure():
    """What to do about `missing_venv_module`."""
    package = f"python{dotted(sys.version_info)}-venv"
    if os.path.exists("/etc/debian_version"):
        return f"run `sudo apt install {package}`"
    return f"install it from your system's packages (Debian and Ubuntu call it {package})"


def check_venv_module():
    """Raise Stop when this Python cannot make virtual environments."""
    module = missing_venv_module()
    if module:
        raise Stop("no-venv", where=sys.executable, module=module, cure=venv_cure())


def check_folder(root):
    """Raise Stop unless the course is whole and .labsupport can be written in."""
    requirements = os.path.join(root, "requirements.txt")
    if not os.path.isfile(requirements):
        raise Stop("requirements", where=requirements)
    if os.pathsep in root:
        why = f"virtual environments cannot lie under a name with `{os.pathsep}`"
        raise Stop("folder", where=root, why=why)
    problem = write_problem(root)
    if problem:
        raise Stop("not-writable", where=root, why=problem)


def write_problem(root):
    """Why .labsupport cannot be written in, or None. Tries it: permission bits do not tell all."""
    folder = os.path.join(root, ".labsupport")
    try:
        os.makedirs(folder, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        os.close(handle)
        os.unlink(name)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        return error.strerror or str(error)
    return None


def folder_bytes(folder):
    """Bytes that the files under a folder take."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def disk_problem(root):
    """(folder, cure) when too little space is left for what is still to be installed, else None."""
    needs = {}  # by disk: a folder on it, the bytes needed there
    for folder, size in (
        (root, max(0, DISK_BYTES - folder_bytes(os.path.join(root, ".venv"))) + SPARE_BYTES),
        (tempfile.gettempdir(), DOWNLOAD_BYTES),
        (os.path.expanduser("~"), DOWNLOAD_BYTES),  # pip's cache
    ):
        if os.path.isdir(folder):
            disk = os.stat(folder).st_dev
            needs[disk] = (needs.get(disk, (folder,))[0], needs.get(disk, (folder, 0))[1] + size)
    for folder, need in needs.values():
        free = shutil.disk_usage(folder).free
        if free < need:
            facts = f"{free / GB:.1f} GB are free, {need / GB:.1f} GB are needed"
            return folder, facts + ", so free the difference"
    return None


def check_disk(root):
    """Raise Stop when the install would not fit."""
    problem = disk_problem(root)
    if problem:
        raise Stop("disk", where=problem[0], cure=problem[1])


# ------------------------------------------------------------------------------- the environment


def pins(text):
    """(name, version, marker) for every ``name==version ; marker`` line of a requirements file."""
    pattern = r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)[ \t]*(?:;([^\\\n]*))?"
    return [
        (normal(name), version, marker.strip())
        for name, version, marker in re.findall(pattern, text, re.M)
    ]


def normal(name):
    """A package's name as an index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(folders):
    """{name: version} of the packages found in these folders (the first one found counts).

    Read off the names of the .dist-info folders: opening 190 METADATA files takes 20 times as long.
    """
    found = {}
    for folder in folders:
        try:
            entries = os.listdir(folder or os.curdir)
        except OSError:
            continue
        for entry in entries:
            name, dash, version = entry[:-10].partition("-")
            if entry.endswith(".dist-info") and dash:
                found.setdefault(normal(name), version)
    return found


def unmet_pins(root):
    """What requirements.txt pins and the running interpreter lacks, as ["name==version", ...].

    Without `packaging` the markers cannot be evaluated: then the answer is ["packaging"].
    """
    try:
        from packaging.markers import Marker
        from packaging.version import Version
    except ImportError:
        return ["packaging"]
    with open(os.path.join(root, "requirements.txt"), encoding="utf-8") as file:
        wanted = pins(file.read())
    have = installed(sys.path)
    unmet = []
    for name, version, marker in wanted:
        if marker and not Marker(marker).evaluate():
            continue
        got = have.get(name)
        if got != version and (got is None or Version(got) != Version(version)):
            unmet.append(f"{name}=={version}")
    return unmet


def running_python_serves(root):
    """Whether the running interpreter has all that the course needs."""
    return suitable_version(sys.version_info) and not unmet_pins(root)


def venv_python(root):
    """The path .venv's Python has on this system, whether it exists or not."""
    where = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(root, ".venv", *where)


def site_packages(root, version):
    """.venv's site-packages for an interpreter version (major, minor)."""
    if os.name == "nt":
        return os.path.join(root, ".venv", "Lib", "site-packages")
    return os.path.join(root, ".venv", "lib", "python" + dotted(version), "site-packages")


def stamp_path(root):
    """The file that says an install in .venv ended well, and of which requirements.txt."""
    return os.path.join(root, ".venv", ".labsupport-installed")


def requirements_hash(root):
    """The sha256 of requirements.txt, in hex."""
    with open(os.path.join(root, "requirements.txt"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def venv_state(root):
    """One of "none", "broken", "unfinished", "outdated", "ready", said of .venv.

    broken: its Python or its pip is gone, or is of a version the course does not run on.
    unfinished: no install ended well in it. outdated: requirements.txt has changed since.
    """
    if not os.path.lexists(os.path.join(root, ".venv")):
        return "none"
    version = python_version(venv_python(root))
    # An upgrade of the system can put another version behind the same link.
    if version is None or not suitable_version(version):
        return "broken"
    if not os.path.isfile(os.path.join(site_packages(root, version), "pip", "__main__.py")):
        return "broken"
    try:
        with open(stamp_path(root), encoding="utf-8") as file:
            stamp = file.read().strip()
    except OSError:
        return "unfinished"
    return "ready" if stamp == requirements_hash(root) else "outdated"


def ready_environment(root):
    """The Python to run the course with, after making and filling .venv where that is needed."""
    if running_python_serves(root):
        return sys.executable
    if venv_state(root) != "ready":
        check_interpreter()
        with setup_lock(root) as lock:
            set_up(root, lock)
    link_project(root)
    return venv_python(root)


def set_up(root, lock):
    """Bring .venv from any state to "ready". The caller holds the lock."""
    state = venv_state(root)
    if state == "ready":  # another start did it while this one waited
        return
    check_disk(root)
    if state in ("none", "broken"):
        check_venv_module()
        make_venv(root, lock, again=state == "broken")
    elif state == "unfinished":
        say("An earlier set-up of .venv did not end; going on with it.")
    else:
        say("requirements.txt has changed; bringing .venv up to date.")
        os.unlink(stamp_path(root))  # so that an interruption shows
    install(root, lock, empty=state in ("none", "broken"))
    stamp = stamp_path(root)
    with open(stamp + ".new", "w", encoding="utf-8") as file:
        file.write(requirements_hash(root) + "\n")
    os.replace(stamp + ".new", stamp)


def make_venv(root, lock, again):
    """Make .venv with the running Python; `again` throws the old one away."""
    venv = os.path.join(root, ".venv")
    if again:
        say(".venv is broken; making it again ...")
        if os.path.islink(venv) or not os.path.isdir(venv):
            os.unlink(venv)
        else:
            shutil.rmtree(venv)
    else:
        say("Making .venv ...")
    # In a virtual environment, build on the Python below it: this one may go away.
    base = getattr(sys, "_base_executable", None) or sys.executable
    code, text = listen([base, "-m", "venv", venv], root, lock, terminal=False)
    if code:
        with open(log_path(root), "w", encoding="utf-8") as file:
            file.write(text)
        raise failure(text, root, f"venv ended with exit code {code}")


def install(root, lock, empty):
    """Install requirements.txt into .venv, with pip's progress on a terminal, ours elsewhere.

    empty: .venv was made just now, which only changes what is said.
    """
    python = venv_python(root)
    clean_half_installed(site_packages(root, python_version(python)))
    with open(os.path.join(root, "requirements.txt"), encoding="utf-8") as file:
        count = len({name for name, _, _ in pins(file.read())})
    if empty:
        say(
            f"Installing about {count} packages ({DOWNLOAD_BYTES / GB:.1f} GB to download, "
            f"{DISK_BYTES / GB:.1f} GB on disk); the first time takes some minutes ..."
        )
    else:
        say(f"Installing what is missing of about {count} packages ...")
    command = [python, "-m", "pip", "install", "--require-hashes", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
    command += ["-r", os.path.join(root, "requirements.txt")]
    began = time.time()
    code, text = listen(command, root, lock, terminal=sys.stdout.isatty(), count=count)
    with open(log_path(root), "w", encoding="utf-8") as file:
        file.write(" ".join(command) + "\n" + text)
    if code:
        raise failure(text, root, last_error(text) or f"pip ended with exit code {code}")
    say(f"Installed in {time.time() - began:.0f} s.")


def clean_half_installed(folder):
    """Remove what an interrupted pip left, or it takes a half-copied package for a whole one.

    pip writes a package's RECORD last, and renames what it replaces to a name with a tilde.
    """
    for info in glob.glob(os.path.join(glob.escape(folder), "*.dist-info")):
        if not os.path.isfile(os.path.join(info, "RECORD")):
            shutil.rmtree(info, ignore_errors=True)
    for rest in glob.glob(os.path.join(glob.escape(folder), "~*")):
        shutil.rmtree(rest, ignore_errors=True)


def log_path(root):
    """Where pip's own words of the last install are kept."""
    return os.path.join(root, ".labsupport", "install.log")


def pip_environment():
    """The environment for venv and pip: settings that would send packages elsewhere removed."""
    unwanted = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV")
    unwanted += ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")
    return {key: value for key, value in os.environ.items() if key.upper() not in unwanted}


def listen(command, root, lock, terminal, count=0):
    """Run venv or pip; (exit code, the text it printed). Raises KeyboardInterrupt after ending it.

    terminal: let its standard output through (for pip's progress bar) and keep standard error only.
    """
    child = subprocess.Popen(
        command,
        cwd=root,
        env=pip_environment(),
        stdin=subprocess.DEVNULL,
        stdout=None if terminal else subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    lock.also(child.pid)
    lines, progress = [], Progress(count)
    streams = [stream for stream in (child.stdout, child.stderr) if stream]
    readers = [
        threading.Thread(target=gather, args=(stream, lines, progress), daemon=True)
        for stream in streams
    ]
    for reader in readers:
        reader.start()
    try:
        code = child.wait()
        for reader in readers:
            reader.join(10)
        return code, "".join(lines)
    except KeyboardInterrupt:
        ended(child, 5)  # it has had the Ctrl-C too
        raise
    finally:
        end(child)


def gather(stream, lines, progress):
    """Move a child's lines into a list, telling the progress on the way."""
    for line in stream:
        lines.append(line)
        progress.saw(line)


class Progress:
    """Turns pip's lines into a line now and then."""

    EVERY = 10  # seconds

    def __init__(self, count):
        self.count, self.done, self.said, self.retrying = count, 0, time.time(), False

    def saw(self, line):
        """Take in one line of pip's output."""
        if "Retrying (" in line and not self.retrying:
            self.retrying = True
            say("  the package index does not answer; trying again ...")
        if re.match(r"\s*(Downloading|Using cached|Processing) \S+\.whl( |$)", line):
            self.done += 1
            if time.time() - self.said >= self.EVERY:
                self.said = time.time()
                say(f"  {self.done} of about {self.count} packages downloaded")
        if line.startswith("Installing collected packages"):
            say("  unpacking; a minute or two ...")


def ended(child, seconds):
    """Whether a child ends by itself within this time."""
    try:
        child.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False


def end(child):
    """Make sure that a child is gone: ask, then kill."""
    if child.poll() is None:
        child.terminate()
        if not ended(child, 5):
            child.kill()
            child.wait()


def last_error(text):
    """The last line of pip's that begins with ERROR, without that word; "" when there is none."""
    errors = re.findall(r"^(?:\x1b\[[0-9;]*m)*ERROR: (.*?)(?:\x1b\[0m)?$", text, re.M)
    return errors[-1].strip()[:200] if errors else ""


# What pip and venv print, and what it means; the first match counts.
SYMPTOMS = [
    (
        "disk",
        r"\[Errno 28\]|No space left on device|WinError 112|\[Errno 122\]|Disk quota exceeded",
    ),
    ("hash", r"DO NOT MATCH THE HASHES"),
    ("no-venv", r"ensurepip is not available|No module named '?ensurepip"),
    (
        "network",
        r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|NameResolutionError"
        r"|Connection (?:refused|reset|aborted|timed out)|Network is unreachable|name resolution"
        r"|getaddrinfo failed|CERTIFICATE_VERIFY_FAILED|SSLError|RemoteDisconnected|Max retries",
    ),
    ("long-path", r"Windows Long Path support"),
    ("not-writable", r"\[Errno 13\]|\[Errno 30\]|Permission denied|WinError 5\b"),
    ("platform", r"No matching distribution found for tensorflow\b"),
]


def failure(text, root, why):
    """The Stop for what pip or venv printed."""
    key = next((key for key, pattern in SYMPTOMS if re.search(pattern, text)), "install")
    venv, log = os.path.join(root, ".venv"), log_path(root)
    if key == "disk":
        cure = f"free at least {DISK_BYTES / GB:.1f} GB (pip's own words are in {log})"
        return Stop(key, where=venv, cure=cure)
    if key == "no-venv":
        return Stop(key, where=sys.executable, module="ensurepip", cure=venv_cure())
    if key == "not-writable":
        return Stop(key, where=venv, why=f"permission denied, or in use; see {log}")
    if key == "platform":
        what = "this system or this Python"
        cure = "`python3 -m labsupport doctor` tells what it needs, pip's own words are in " + log
        return Stop(key, what=what, where=platform.platform(), cure=cure)
    if key == "long-path":
        key, why = "install", "a path is too long for Windows; move the course to a shorter folder"
    return Stop(key, venv=venv, log=log, python=venv_python(root), why=why)


def link_project(root):
    """Let .venv's Python find labsupport wherever it is started from (VS Code, a terminal)."""
    folder = site_packages(root, python_version(venv_python(root)))
    path = os.path.join(folder, "labsupport-course.pth")
    # Relative, so that it is plain ASCII and still true when the course's folder is moved.
    line = os.path.relpath(root, folder) + "\n"
    # The course works without it, say where .venv may only be read.
    with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:
        file.write(line)


# -------------------------------------------------------------------------------------- the lock


class Lock:
    """A file with the process ids of a launcher and of the pip it started, one a line."""

    def __init__(self, path):
        self.path = path

    def take(self):
        """True when the lock is ours now."""
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w") as file:
            file.write(f"{os.getpid()}\n")
        return True

    def also(self, pid):
        """Name a child as a holder too: it may outlive a launcher that was killed."""
        with open(self.path, "a") as file:
            file.write(f"{pid}\n")

    def holders(self):
        """The process ids that hold the lock and are alive; None when there is no lock."""
        try:
            with open(self.path) as file:
                pids = [int(word) for word in file.read().split()]
            age = time.time() - os.stat(self.path).st_mtime
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            pids, age = [], 0
        if not pids and age < 5:  # just made, not yet written
            return [0]
        return [pid for pid in pids if alive(pid)]

    def drop_stale(self):
        """Remove the lock of dead processes; only one of several that try does it."""
        aside = f"{self.path}.{os.getpid()}"
        with contextlib.suppress(OSError):
            os.rename(self.path, aside)
            if Lock(aside).holders():  # somebody took it between the look and the rename
                os.rename(aside, self.path)
            else:
                os.unlink(aside)

    def release(self):
        """Give the lock back."""
        with contextlib.suppress(OSError):
            os.unlink(self.path)


def alive(pid):
    """Whether a process of ours with this id is at work (the id may belong to another by now)."""
    if os.name == "nt":
        return alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        ps = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(pid)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        )
    except OSError:
        return True
    # A process that ended and was not waited for shows as "[python] <defunct>".
    known = re.search(r"labsupport|pip|venv", ps.stdout) and "<defunct>" not in ps.stdout
    return bool(known or ps.returncode)


def alive_on_windows(pid):
    """`alive` for Windows, where os.kill(pid, 0) would send Ctrl-C."""
    import ctypes

    query, still_active = 0x1000, 259
    kernel = ctypes.windll.kernel32
    handle = kernel.OpenProcess(query, False, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == still_active


@contextlib.contextmanager
def setup_lock(root):
    """Hold .labsupport/setup.lock; waits, saying so, while another start holds it."""
    lock = Lock(os.path.join(root, ".labsupport", "setup.lock"))
    told = False
    while not lock.take():
        holders = lock.holders()
        if holders == []:
            lock.drop_stale()
        elif holders and not told:
            told = True
            say(
                f"Another start (process {holders[0]}) is setting up .venv; waiting for it. "
                f"If there is none, delete {lock.path}."
            )
        else:
            time.sleep(0.3)
    try:
        yield lock
    finally:
        lock.release()
