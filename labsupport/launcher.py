"""Set the course up and start it: ``python3 -m labsupport [COMMAND]``.

`main` reads the command line, has launcher_setup.py check the machine and make the environment
ready, and starts the command in it (`start_lab`, `start_tests`, `start_cli`). All sentences and
exit codes are in launcher_messages.py.

It is started by whatever Python the reader happens to have, so these files use the standard library
only and have to parse and run on Python 3.6, if only to say that 3.6 is too old. The same goes for
doctor.py, which borrows its checks from launcher_setup.py.
"""

import contextlib
import difflib
import errno
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time

from labsupport import launcher_setup as setup
from labsupport.launcher_messages import (
    CLI_COMMANDS,
    CODE_WORDS,
    COMMANDS,
    HELP,
    IN_BUNDLE,
    MESSAGES,
    Stop,
    say,
)
from labsupport.launcher_setup import venv_python

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LESSON = "notebooks/00_start_here.ipynb"
FIRST_PORT, PORTS_TRIED = 8888, 50


class Terminated(BaseException):
    """SIGTERM or SIGHUP came; carries its number."""


# ------------------------------------------------------------------------- what is started in it


def environment(root, python):
    """The environment variables for everything that runs in the course's environment (a dict).

    Nothing here changes what Keras does. Jupyter's and IPython's own files go to .labsupport.
    """
    env = dict(os.environ)
    for name in ("PYTHONHOME", "__PYVENV_LAUNCHER__", "JUPYTER_NO_CONFIG", "JUPYTER_PATH"):
        env.pop(name, None)
    paths = [root] + [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    if os.path.abspath(python) == os.path.abspath(venv_python(root)):
        env["VIRTUAL_ENV"] = os.path.join(root, ".venv")
        env["PATH"] = os.path.dirname(python) + os.pathsep + env.get("PATH", os.defpath)
    env.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    own = os.path.join(root, ".labsupport")
    env["JUPYTER_CONFIG_PATH"] = os.path.join(root, "labsupport", "jupyter")
    env["JUPYTER_PREFER_ENV_PATH"] = "1"
    for name, folder in (
        ("JUPYTER_CONFIG_DIR", "config"),
        ("JUPYTER_DATA_DIR", "data"),
        ("JUPYTER_RUNTIME_DIR", "runtime"),
        ("JUPYTERLAB_SETTINGS_DIR", "settings"),
        ("JUPYTERLAB_WORKSPACES_DIR", "workspaces"),
    ):
        env[name] = os.path.join(own, "jupyter", folder)
    env["IPYTHONDIR"] = os.path.join(own, "ipython")
    return env


def lab_command(root, python, port, browser=False, extra=()):
    """The command list that starts JupyterLab on lesson 00; what never changes is in jupyter/."""
    command = [python, "-m", "jupyterlab"]
    command.append("--ServerApp.root_dir=" + root)
    command.append(f"--ServerApp.port={port}")
    command.append("--LabApp.default_url=/lab/tree/" + LESSON)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # containers; it listens on this machine only
    if not browser:
        command.append("--no-browser")
    return command + list(extra)


def port_free(port):
    """Whether JupyterLab could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        if os.name != "nt":  # there it would let two listen on one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def choose_port(wanted):
    """The port to use: the wanted one or Stop; for None the first free one from 8888."""
    if wanted is not None:
        if not port_free(wanted):
            raise Stop("port", port=wanted)
        return wanted
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if port_free(port):
            if port != FIRST_PORT:
                say(f"Port {FIRST_PORT} is taken; using {port}.")
            return port
    raise Stop("port", port=f"{FIRST_PORT}-{FIRST_PORT + PORTS_TRIED - 1}")


def has_display():
    """Whether a browser could show here; on a text console one would take the terminal over."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")
    return sys.platform != "linux" or any(os.environ.get(name) for name in names)


def check_lesson(root):
    """Raise Stop when lesson 00 is not there."""
    path = os.path.join(root, *LESSON.split("/"))
    if not os.path.isfile(path):
        raise Stop("lesson", where=path)


def start_lab(root, python, port, browser, extra):
    """Run JupyterLab until it ends; its exit code, or 130 after Ctrl-C."""
    port = choose_port(port)
    env = environment(root, python)
    token = env["JUPYTER_TOKEN"] = secrets.token_hex(16)  # not in the command: others can read that
    end_presentation(env["JUPYTERLAB_SETTINGS_DIR"])
    say("Starting JupyterLab ...")
    child = subprocess.Popen(
        lab_command(root, python, port, browser and has_display(), extra),
        cwd=root,
        env=env,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    stopping = threading.Event()
    relay = threading.Thread(target=pass_on, args=(child.stderr, stopping), daemon=True)
    relay.start()
    try:
        if not wait_until_ready(child, port):
            relay.join(2)
            raise Stop("lab", code=child.returncode)
        say(f"JupyterLab: http://127.0.0.1:{port}/lab/tree/{LESSON}?token={token}")
        say("Ctrl-C stops it.")
        code = child.wait()
        say("JupyterLab has stopped.")
        return shell_code(code)
    except KeyboardInterrupt:
        stopping.set()
        if os.name != "nt":  # there the console has told it already
            with contextlib.suppress(OSError):
                child.send_signal(signal.SIGINT)
        setup.ended(child, 10)
        say("\nJupyterLab has stopped; your notebooks are as you last saved them.")
        return 130
    finally:
        stopping.set()
        setup.end(child)


def end_presentation(settings):
    """So that one which was on when the browser was closed is not on at the next start."""
    path = os.path.join(settings, "jupyterlab-slideshow", "plugin.jupyterlab-settings")
    with contextlib.suppress(OSError):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if '"active": true' in text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace('"active": true', '"active": false'))


def pass_on(stream, stopping):
    """Show what JupyterLab prints (errors only, see jupyter/), but not its words of farewell."""
    shown = 0
    for line in stream:
        # After a silence, give the Ctrl-C that may have caused the line time to arrive here too.
        if time.time() - shown > 1:
            stopping.wait(0.3)
        if not stopping.is_set():
            say(line.decode("utf-8", "replace").rstrip(), sys.stderr)
            shown = time.time()


def wait_until_ready(child, port):
    """True as soon as JupyterLab answers on the port, False when it ended before."""
    while child.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/api/status")
            connection.getresponse()
            return True
        except http.client.HTTPException:
            return True  # something answers; with a certificate of the reader's own, say
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    return False


def start_tests(root, python, arguments):
    """Run pytest in the course's folder; its exit code."""
    return run([python, "-m", "pytest"] + arguments, root, python)


DELEGATE = """\
import sys
if sys.platform.startswith("linux"):  # who kills the launcher means this process
    import ctypes
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
from labsupport.cli import main
try:
    sys.exit(main(sys.argv[1:]))
except KeyboardInterrupt:
    sys.exit(130)
"""


def start_cli(root, python, arguments):
    """Run labsupport.cli.main(arguments) in the course's environment; its exit code.

    It runs in the course's folder, and names of files count from where the user is.
    """
    os.environ["LABSUPPORT_FROM"] = os.getcwd()
    return run([python, "-c", DELEGATE] + arguments, root, python)


def run(command, root, python):
    """Run a command to its end; its exit code, 130 after Ctrl-C.

    Ctrl-C reaches the child too, and the child may have things to put in order first.
    """
    child = subprocess.Popen(command, cwd=root, env=environment(root, python))
    interrupted = 0
    try:
        while True:
            try:
                code = child.wait(10 if interrupted else None)
                return 130 if interrupted else shell_code(code)
            except subprocess.TimeoutExpired:
                interrupted += 1
            except KeyboardInterrupt:
                interrupted += 1
            if interrupted == 2 and os.name != "nt":
                child.send_signal(signal.SIGINT)  # for a signal that reached this process alone
            elif interrupted > 2:
                child.kill()
    finally:
        setup.end(child)


def shell_code(code):
    """A child's exit code as a shell would tell it: 128 + n after signal n."""
    return code if code >= 0 else 128 - code


# --------------------------------------------------------------------------------------- the door


def help_text(root=ROOT):
    """The text of --help: of the student's bundle, without what is not in it."""
    whole = os.path.isdir(os.path.join(root, "solutions"))
    entries = [entry for entry in COMMANDS if whole or entry[0] in IN_BUNDLE]
    commands = "\n".join("  {:<10} {}".format(*entry) for entry in entries)
    words = [f"{MESSAGES[key][0]} {CODE_WORDS[key]}" for key in CODE_WORDS]
    codes, line = [], ""
    for word in words:
        if len(line) + len(word) > 92:
            codes.append(line)
            line = ""
        line += word + "; "
    codes.append(line.rstrip("; ") + ".")
    return HELP.format(
        commands=commands,
        codes="\n".join(text.rstrip() for text in codes),
        disk=setup.DISK_BYTES / setup.GB,
        download=setup.DOWNLOAD_BYTES / setup.GB,
    )


def parse_lab(arguments):
    """(port or None, browser, extra) from the arguments of the first form; Stop on anything odd."""
    port, browser, extra = None, True, []
    arguments = list(arguments)
    while arguments:
        word = arguments.pop(0)
        if word == "--":
            extra, arguments = arguments, []
        elif word == "--no-browser":
            browser = False
        elif word == "--port" or word.startswith("--port="):
            value = word[7:] if "=" in word else (arguments.pop(0) if arguments else "")
            if not value.isdigit() or not 0 < int(value) < 65536:
                raise Stop("usage", what=f"--port needs a number from 1 to 65535, not `{value}`.")
            port = int(value)
        else:
            near = difflib.get_close_matches(word, ["--port", "--no-browser", "--help"], 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise Stop("usage", what=f"There is no option `{word}`.{hint}")
    return port, browser, extra


def dispatch(arguments, root):
    """Do what the command line asks; an exit code, or Stop."""
    command = arguments[0] if arguments and not arguments[0].startswith("-") else None
    if arguments and arguments[0] in ("-h", "--help", "help"):
        say(help_text(root).rstrip())
        return 0
    if command == "doctor":
        from labsupport import doctor

        return doctor.main(arguments[1:], root)
    if command and command != "test" and command not in CLI_COMMANDS:
        names = ["test", "doctor", "help"] + list(CLI_COMMANDS)
        near = difflib.get_close_matches(command, names, 1, 0.5)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise Stop("usage", what=f"There is no command `{command}`.{hint}")
    if command is None:
        port, browser, extra = parse_lab(arguments)
    setup.check_folder(root)
    if command is None:  # before the long part
        if not setup.suitable_version(sys.version_info) and setup.venv_state(root) != "ready":
            setup.check_interpreter()
        check_lesson(root)
        if port is not None:
            choose_port(port)
    python = setup.ready_environment(root)
    if command is None:
        return start_lab(root, python, port, browser, extra)
    if command == "test":
        if not os.path.isdir(os.path.join(root, "tests")):
            raise Stop("usage", what="This is the student's bundle: it has no tests.")
        return start_tests(root, python, arguments[1:])
    return start_cli(root, python, arguments)


def on_signal(number, frame):
    """Leave by way of the `finally` clauses, so that no child and no lock stays behind."""
    raise Terminated(number)


def main(arguments=None, root=ROOT):
    """Run the launcher; returns the exit code, see `MESSAGES`. arguments: default sys.argv[1:]."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
            signal.signal(getattr(signal, name), on_signal)
    try:
        return dispatch(arguments, root)
    except Stop as stop:
        error = stop
    except KeyboardInterrupt:
        error = Stop("interrupted")
    except Terminated as terminated:
        return 128 + terminated.args[0]
    except OSError as problem:
        error = disk_or_access(problem, root)
        if error is None:
            raise
    say(("\n" if error.key == "interrupted" else "") + error.sentence, sys.stderr)
    return error.code


def disk_or_access(problem, root):
    """The Stop for an OSError that is the machine's and not ours, or None."""
    where = problem.filename or root
    if problem.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return Stop("disk", where=where, cure=f"free at least {setup.DISK_BYTES / setup.GB:.1f} GB")
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Stop("not-writable", where=where, why=problem.strerror)
    return None
