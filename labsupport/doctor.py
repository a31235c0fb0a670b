"""What works on this machine, what does not, and how to mend it: ``python3 -m labsupport doctor``.

Works with no environment at all. Standard library only; must parse and run on Python 3.6, see
launcher.py. What needs the course's packages is tried in a subprocess of the environment's Python.
"""

import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile

from labsupport import launcher_setup as setup
from labsupport.launcher_messages import say

OK, MEND, OPTIONAL = "ok", "MEND", "optional"

TENSORFLOW = """\
import tensorflow as tf
mean, variance = tf.nn.moments(tf.constant([1.0, 3.0]), [0])
assert (float(mean), float(variance)) == (2.0, 1.0)
print(tf.__version__)
"""

JUPYTERLAB = """\
import sys
import ipykernel, jupyterlab
from jupyter_client.kernelspec import KernelSpecManager
spec = KernelSpecManager().get_kernel_spec("python3")
assert spec.argv[0] in ("python", sys.executable), "its kernel is " + spec.argv[0]
print(jupyterlab.__version__)
"""

UNMET = """\
import sys
from labsupport.launcher_setup import unmet_pins
print(*unmet_pins(sys.argv[1]))
"""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class Finding:
    """One line of the report.

    status: OK, MEND (the course cannot be taken before it is mended) or OPTIONAL (only a tester or
    a grader misses it). what: what was found. mend: what to do, "" when nothing is to be done.
    """

    def __init__(self, status, what, mend=""):
        self.status, self.what, self.mend = status, what, mend

    def __str__(self):
        return f"{self.status:<9} {self.what}" + (f" -> {self.mend}" if self.mend else "")


def main(arguments=(), root=None):
    """Print the findings; 0 when the course can be taken, 1 when something has to be mended first.

    root: the course's folder, by default the one this file lies in.
    """
    if arguments:
        say("usage: python3 -m labsupport doctor")
        return 0 if arguments[0] in ("-h", "--help") else 2
    root = root or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    say("The course in " + root)
    mend = 0
    for finding in examine(root):
        say(str(finding))
        mend += finding.status == MEND
    if mend:
        say(f"\nThe course cannot be taken yet: {mend} to mend.")
        return 1
    say("\nThe course can be taken: python3 -m labsupport")
    return 0


def examine(root):
    """Yield a `Finding` for everything that is looked at."""
    yield folder(root)
    yield lesson(root)
    yield digits(root)
    python, state = environment_python(root)
    if python is None:
        yield interpreter()
        yield system()
        yield venv_module()
        yield disk(root)
        yield environment(state)
    else:
        yield Finding(OK, f"Python {describe(python)}, {python}")
        yield packages(root, python)
        yield tensorflow(root, python)
        yield jupyterlab(root, python)
        yield disk_left(root)
    if not os.path.isdir(os.path.join(root, "solutions")):
        return  # the student's bundle neither tests nor grades
    if python is not None:
        yield browser(root, python)
    yield fork()
    yield bubblewrap()


def folder(root):
    """requirements.txt is there and .labsupport can be written in."""
    try:
        setup.check_folder(root)
    except setup.Stop as stop:
        return Finding(MEND, stop.sentence)
    return Finding(OK, "the course's folder can be written in")


def lesson(root):
    """The notebooks are there."""
    path = os.path.join(root, "notebooks")
    names = os.listdir(path) if os.path.isdir(path) else []
    count = len([name for name in names if re.match(r"\d\d_.*\.ipynb$", name)])
    if "00_start_here.ipynb" not in names:
        cure = "copy the course again, or run `python3 -m labsupport build`"
        return Finding(MEND, "notebooks/00_start_here.ipynb is missing", cure)
    return Finding(OK, f"{count} notebooks")


def digits(root):
    """The MNIST digits that come with the course are whole."""
    path = os.path.join(root, "labsupport", "data", "mnist_5000.npz")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (OSError, zipfile.BadZipFile):
        broken = path
    if broken:
        shown = os.path.relpath(path, root)
        return Finding(MEND, shown + " is missing or damaged", "copy the course again")
    return Finding(OK, "the MNIST digits, no download needed")


def environment_python(root):
    """(the Python the course would run with or None, the state of .venv)."""
    has_list = os.path.isfile(os.path.join(root, "requirements.txt"))
    if not has_list or setup.running_python_serves(root):
        return (sys.executable if has_list else None), "none"
    state = setup.venv_state(root)
    return (setup.venv_python(root) if state == "ready" else None), state


def describe(python):
    """A Python's version and width, "3.11.7, 64-bit"."""
    code = "import platform, sys; print(platform.python_version(), sys.maxsize > 2**32)"
    version, wide = output([python, "-I", "-S", "-c", code]).split()
    return version + (", 64-bit" if wide == "True" else ", 32-bit")


def interpreter():
    """The running Python could make .venv, as far as its version goes."""
    try:
        setup.check_python(sys.version_info)
    except setup.Stop as stop:
        return Finding(MEND, stop.sentence)
    return Finding(OK, f"Python {describe(sys.executable)}, {sys.executable}")


def system():
    """TensorFlow has a package for this system."""
    problem = setup.platform_problem()
    if problem:
        return Finding(MEND, f"TensorFlow 2.21 has no package for {problem[0]}", problem[1])
    return Finding(OK, f"{platform.system()} on {platform.machine()}")


def venv_module():
    """The running Python can make virtual environments."""
    module = setup.missing_venv_module()
    if module:
        return Finding(MEND, f"this Python's module `{module}` is missing", setup.venv_cure())
    return Finding(OK, "this Python can make virtual environments")


def disk(root):
    """The install would fit."""
    try:
        problem = setup.disk_problem(root)
    except OSError as error:
        problem = (error.filename or root, str(error))
    if problem:
        return Finding(MEND, f"the disk of {problem[0]} is too full", problem[1])
    return Finding(OK, "enough disk space for the packages")


def disk_left(root):
    """There is room for notebooks and checkpoints after the install."""
    free = shutil.disk_usage(root).free / setup.GB
    if free < 0.5:
        return Finding(MEND, f"only {free:.1f} GB are free on the disk of {root}", "free some")
    return Finding(OK, f"{free:.0f} GB free on the disk")


def environment(state):
    """.venv has to be made or mended first."""
    words = {
        "none": "there is no .venv yet",
        "broken": ".venv is broken",
        "unfinished": "the set-up of .venv did not end",
        "outdated": "requirements.txt has changed since .venv was filled",
    }
    return Finding(MEND, words[state], "run `python3 -m labsupport`, with a network")


def packages(root, python):
    """What requirements.txt pins is installed."""
    code, text, _ = attempt(root, python, UNMET, [root])
    unmet = text.split()
    if code == 0 and not unmet:
        return Finding(OK, "every package of requirements.txt")
    what = ", ".join(unmet[:3]) + (" and others" if len(unmet) > 3 else "")
    cure = "delete .venv and run `python3 -m labsupport`"
    return Finding(MEND, f"not as in requirements.txt: {what or 'the packages'}", cure)


def tensorflow(root, python):
    """TensorFlow imports and computes."""
    code, text, error = attempt(root, python, TENSORFLOW)
    if code == 0:
        return Finding(OK, "TensorFlow " + text.strip())
    if code == -getattr(signal, "SIGILL", 4) or code == 0xC000001D:
        what = "TensorFlow cannot run on this processor (it lacks AVX instructions)"
        return Finding(MEND, what, "use another machine; no setting helps")
    cure = "delete .venv and run `python3 -m labsupport`"
    if os.name == "nt" and "DLL load failed" in error:
        cure = "install Microsoft's Visual C++ Redistributable (x64)"
    return Finding(MEND, "TensorFlow does not run: " + last_line(error, code), cure)


def jupyterlab(root, python):
    """JupyterLab imports, and its kernel is the environment's own."""
    code, text, error = attempt(root, python, JUPYTERLAB)
    if code == 0:
        return Finding(OK, f"JupyterLab {text.strip()}, with this Python as its kernel")
    cure = "delete .venv and run `python3 -m labsupport`"
    return Finding(MEND, "JupyterLab does not run: " + last_line(error, code), cure)


def browser(root, python):
    """A browser for the tests."""
    path = next((shutil.which(name) for name in BROWSERS if shutil.which(name)), None)
    if not path:
        cure = "install Chromium (Debian: sudo apt install chromium); those tests are skipped"
        return Finding(OPTIONAL, "no Chromium for the tests in a browser", cure)
    if attempt(root, python, "import playwright.sync_api")[0]:
        return Finding(OPTIONAL, path + " for tests, but no playwright to drive it")
    return Finding(OK, path + " for the tests in a browser")


def fork():
    """The grader's warm server can be forked."""
    if hasattr(os, "fork") and sys.platform != "darwin":
        return Finding(OK, "fork, for grading")
    cure = "grade in WSL 2 or a Linux container"
    return Finding(OPTIONAL, "no fork on this system, for grading", cure)


def bubblewrap():
    """The grader's sandbox works here; that the program exists is not enough."""
    path = shutil.which("bwrap")
    if not path:
        cure = "for a class's notebooks, use Linux with bubblewrap (sudo apt install bubblewrap), "
        cure += "or with a kernel whose Landlock does (5.19): `grade` tries it"
        return Finding(OPTIONAL, "no bubblewrap, the sandbox for grading", cure)
    command = [path, "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    code, _, error = finish(command + ["--", path, "--version"])
    if code:
        cure = "allow user namespaces (Ubuntu: an AppArmor profile for bwrap); without them, as "
        cure += "inside Docker, `grade` tries Landlock"
        what = "bubblewrap, the sandbox for grading, is not allowed to work: "
        return Finding(OPTIONAL, what + last_line(error, code), cure)
    return Finding(OK, "bubblewrap, the sandbox for grading")


def attempt(root, python, code, arguments=()):
    """Run code in the course's environment: (exit code, standard output, standard error)."""
    from labsupport import launcher

    env = launcher.environment(root, python)
    return finish([python, "-c", code] + list(arguments), env)


def finish(command, env=None):
    """Run a command to its end, two minutes at most: (exit code, standard output, error)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            code = subprocess.call(
                command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=120
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return 1, "", str(error)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
        return code, texts[0], texts[1]


def output(command):
    """What a command prints; "? ?" when it fails."""
    code, text, _ = finish(command)
    return "? ?" if code else text


def last_line(text, code):
    """The line of a traceback that says what was wrong."""
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else f"exit code {code}"
