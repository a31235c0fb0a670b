"""The launcher and the doctor, mostly as a reader meets them: in subprocesses, on small projects.

The small project has the real launcher, a command line that echoes, and one requirement: a wheel
made here, whose `jupyterlab` and `pytest` are stand-ins. Nothing needs a network.
"""

import ast
import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from labsupport import doctor, launcher
from labsupport import launcher_setup as setup
from labsupport.launcher_messages import CLI_COMMANDS, COMMANDS, MESSAGES, Stop

ROOT = Path(__file__).resolve().parents[1]
FILES = ["__main__.py", "launcher.py", "launcher_setup.py", "launcher_messages.py", "doctor.py"]
BASE = getattr(sys, "_base_executable", None) or sys.executable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and links as POSIX has them")

ECHO_CLI = """\
import json, os, sys
def main(argv):
    print("cli " + json.dumps([argv, sys.executable, os.environ["PYTHONPATH"]]))
    return int(os.environ.get("CLI_CODE", "0"))
"""
FAKE_PYTEST = """\
import json, os, sys
print("pytest " + json.dumps([sys.argv[1:], os.getcwd()]))
sys.exit(5)
"""
FAKE_LAB = """\
import http.server, json, os, signal, sys
if os.environ.get("LAB_FAILS"):
    sys.exit("the lab has failed")
keys = [k for k in os.environ if k.startswith("JUPYTER")]
told = {"argv": sys.argv[1:], "pid": os.getpid(), "env": {k: os.environ[k] for k in keys}}
json.dump(told, open("told.json", "w"))
port = next(int(a.split("=")[1]) for a in sys.argv if a.startswith("--ServerApp.port="))
signal.signal(signal.SIGINT, lambda *_: sys.exit(print("farewell", file=sys.stderr)))
handler = http.server.BaseHTTPRequestHandler
handler.log_message = lambda *_: None
http.server.HTTPServer(("127.0.0.1", port), handler).serve_forever()
"""


def make_wheel(folder: Path, version: str) -> str:
    """Write labtoy's wheel; the line of a requirements file that pins it."""
    info = f"labtoy-{version}.dist-info"
    files = {
        "labtoy.py": f"version = {version!r}\n",
        "jupyterlab/__init__.py": "",
        "jupyterlab/__main__.py": FAKE_LAB,
        "pytest/__init__.py": "",
        "pytest/__main__.py": FAKE_PYTEST,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: labtoy\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        record += f"{name},sha256={digest.rstrip('=')},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"labtoy-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"labtoy=={version} \\\n    --hash=sha256:{digest}\n"


def make_project(parent: Path) -> SimpleNamespace:
    """A small project in `parent`/project, ready for its first run."""
    root = parent / "the project"  # the space is there on purpose
    package = root / "labsupport"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text(ECHO_CLI)
    for name in FILES:
        shutil.copy(ROOT / "labsupport" / name, package)
    shutil.copytree(ROOT / "labsupport" / "jupyter", package / "jupyter")
    (root / "notebooks").mkdir()
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (root / "notebooks" / "00_start_here.ipynb").write_text(json.dumps(notebook))
    (root / "requirements.txt").write_text(make_wheel(parent / "wheels", "1.0"))
    return project_at(root)


def project_at(root: Path) -> SimpleNamespace:
    """The handle the tests use: paths, and the environment variables that keep pip at home."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON", "VIRTUAL_"))}
    env.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(root.parent / "wheels"))
    env.update(PIP_CONFIG_FILE=os.devnull, PIP_NO_CACHE_DIR="1")
    return SimpleNamespace(root=root, env=env, venv=root / ".venv", own=root / ".labsupport")


def start(project, *arguments, python=BASE, **env):
    """Start the launcher in a process group of its own, as a terminal would."""
    env = {**project.env, **env}
    if "PIP_INDEX_URL" in env:
        del env["PIP_NO_INDEX"], env["PIP_FIND_LINKS"]
    return subprocess.Popen(
        [python, "-m", "labsupport", *arguments],
        cwd=project.root,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def launch(project, *arguments, python=BASE, **env):
    """Run the launcher to its end: code, out, err."""
    process = start(project, *arguments, python=python, **env)
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"the launcher hangs\n{out}\n{err}") from None
    return SimpleNamespace(code=process.returncode, out=out, err=err)


def wait_for(condition, seconds=20):
    """Wait until a condition holds; its value."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def one_sentence(result, key):
    """The launcher said one line on standard error, and left with the key's exit code."""
    assert "Traceback" not in result.err + result.out
    assert len(result.err.strip().splitlines()) == 1, result.err
    assert result.code == MESSAGES[key][0], result.err
    return result.err.strip()


def echoed(out):
    """What the echoing command line got: [argv, python, PYTHONPATH]."""
    return json.loads(re.search(r"^cli (.*)$", out, re.M)[1])


@pytest.fixture
def fresh(tmp_path):
    """A project before its first run."""
    return make_project(tmp_path)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A project after its first run, and what that run said. Not to be changed: see `made`."""
    project = make_project(tmp_path_factory.mktemp("first"))
    return project, launch(project, "build", "--check", "a b")


@pytest.fixture
def made(first_run, tmp_path):
    """A copy of a project that was set up; moving one is allowed, too."""
    shutil.copytree(first_run[0].root.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    return project_at(tmp_path / "the project")


@pytest.fixture
def silent_index():
    """The address of a package index that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


# ------------------------------------------------------------------------------------- the set-up


def test_first_run_makes_fills_and_delegates(first_run):
    project, result = first_run
    assert result.code == 0, result.out + result.err
    assert [line.split()[0] for line in result.out.splitlines()] == [
        "Making",
        "Installing",
        "unpacking;",
        "Installed",
        "cli",
    ]
    argv, python, path = echoed(result.out)
    assert argv == ["build", "--check", "a b"]
    assert python == setup.venv_python(str(project.root))
    assert path.split(os.pathsep)[0] == str(project.root)
    digest = hashlib.sha256((project.root / "requirements.txt").read_bytes()).hexdigest()
    assert (project.venv / ".labsupport-installed").read_text().strip() == digest
    assert not (project.own / "setup.lock").exists()


def test_second_run_in_a_moved_folder_installs_nothing(made):
    result = launch(made, "progress", CLI_CODE="7")
    assert result.code == 7
    assert result.out.startswith("cli ") and result.err == ""
    assert echoed(result.out)[1] == setup.venv_python(str(made.root))
    # VS Code and others start .venv's Python without our PYTHONPATH, from anywhere.
    code = "import labsupport; print(labsupport.__file__)"
    python = setup.venv_python(str(made.root))
    done = subprocess.run([python, "-c", code], cwd="/", env=made.env, stdout=subprocess.PIPE)
    assert done.stdout.decode().strip() == str(made.root / "labsupport" / "__init__.py")


def test_changed_requirements_are_installed_on_top(made):
    (made.root / "requirements.txt").write_text(make_wheel(made.root.parent / "wheels", "2.0"))
    result = launch(made, "build")
    assert result.code == 0, result.err
    assert "requirements.txt has changed" in result.out and "Making" not in result.out
    assert setup.installed([str(next(made.venv.glob("lib/*/site-packages")))])["labtoy"] == "2.0"
    assert "Installing" not in launch(made, "build").out


def test_interrupted_install_is_gone_on_with(made):
    # As a kill in the middle of copying a package leaves it: files missing, RECORD not written.
    packages = next(made.venv.glob("lib/*/site-packages"))
    (packages / "labtoy.py").unlink()
    (packages / "labtoy-1.0.dist-info" / "RECORD").unlink()
    (packages / "~abtoy-0.9.dist-info").mkdir()
    (made.venv / ".labsupport-installed").unlink()
    result = launch(made, "build")
    assert result.code == 0, result.err
    assert "did not end; going on" in result.out
    assert (packages / "labtoy.py").exists()
    assert not list(packages.glob("~*"))


def test_venv_without_python_is_rebuilt(made):
    for name in ("python", "python3"):
        (made.venv / "bin" / name).unlink()
    result = launch(made, "build")
    assert result.code == 0, result.err
    assert ".venv is broken; making it again" in result.out


def test_venv_states(made, monkeypatch):
    root = str(made.root)
    assert setup.venv_state(root) == "ready"
    monkeypatch.setattr(setup, "OLDEST", (3, 13, 99))
    assert setup.venv_state(root) == "broken"
    monkeypatch.undo()
    (made.root / "requirements.txt").write_text("# changed\n")
    assert setup.venv_state(root) == "outdated"
    (made.venv / ".labsupport-installed").unlink()
    assert setup.venv_state(root) == "unfinished"
    shutil.rmtree(next(made.venv.glob("lib/*/site-packages/pip")))
    assert setup.venv_state(root) == "broken"
    shutil.rmtree(made.venv)
    assert setup.venv_state(root) == "none"


def test_ctrl_c_while_installing(made, silent_index):
    (made.venv / ".labsupport-installed").unlink()
    (made.root / "requirements.txt").write_text(make_wheel(made.root.parent / "wheels", "3.0"))
    process = start(made, "build", PIP_INDEX_URL=silent_index)
    pip = wait_for_pip(made)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    result = SimpleNamespace(code=process.returncode, out=out, err=err)
    assert "goes on from there" in one_sentence(result, "interrupted")
    assert not alive(pip) and not (made.own / "setup.lock").exists()


def test_killed_launcher_and_the_pip_it_left(made, silent_index):
    """The next start waits for the orphan, then goes on and ends the set-up."""
    (made.venv / ".labsupport-installed").unlink()
    (made.root / "requirements.txt").write_text(make_wheel(made.root.parent / "wheels", "3.0"))
    first = start(made, "build", PIP_INDEX_URL=silent_index)
    pip = wait_for_pip(made)
    first.kill()
    first.wait()
    second = start(made, "build")
    try:
        line = second.stdout.readline()
        assert re.search(rf"Another start \(process {pip}\) is setting up .venv; waiting", line)
    finally:
        os.kill(pip, signal.SIGKILL)
        for stream in (first.stdout, first.stderr):
            stream.close()
    out, err = second.communicate(timeout=30)
    assert second.returncode == 0, err
    assert "did not end; going on with it" in out and "cli" in out


def wait_for_pip(project):
    """The process id of the pip that a launcher has started."""

    def look():
        with contextlib.suppress(OSError):
            pids = (project.own / "setup.lock").read_text().split()
            return int(pids[1]) if len(pids) > 1 else None

    pip = wait_for(look)
    wait_for(lambda: setup.alive(pip))
    return pip


def alive(pid):
    """Whether a process is there, zombies not counted."""
    with contextlib.suppress(OSError):
        return "Z" not in subprocess.getoutput(f"ps -o stat= -p {pid}") and not os.kill(pid, 0)
    return False


def test_stale_lock_is_ignored(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    own = tmp_path / ".labsupport"
    own.mkdir()
    (own / "setup.lock").write_text(f"{dead.pid}\n")
    with setup.setup_lock(str(tmp_path)) as lock:
        assert lock_pids(lock) == [os.getpid()]
    # A living process with that id which is none of ours (ids are used again after a restart).
    stranger = subprocess.Popen(["sleep", "30"])
    try:
        (own / "setup.lock").write_text(f"{stranger.pid}\n")
        with setup.setup_lock(str(tmp_path)) as lock:
            assert lock_pids(lock) == [os.getpid()]
    finally:
        stranger.kill()
        stranger.wait()
    assert list(own.iterdir()) == []


def lock_pids(lock):
    """The process ids written in a lock."""
    return [int(word) for word in Path(lock.path).read_text().split()]


# ---------------------------------------------------------------------- which Python, which machine


def test_running_python_that_has_the_requirements_is_used(fresh):
    (fresh.root / "requirements.txt").write_text(
        f"pytest=={pytest.__version__} \\\n    --hash=sha256:00\n"
        "nowhere==1.0 ; python_version < '3' \\\n    --hash=sha256:00\n"
    )
    result = launch(fresh, "build", python=sys.executable)
    assert result.code == 0, result.err
    assert echoed(result.out)[1] == sys.executable
    assert not fresh.venv.exists()


def test_unmet_pins(tmp_path):
    (tmp_path / "requirements.txt").write_text(
        f"PyTest=={pytest.__version__}\npackaging==0.1 \\\n    --hash=sha256:00\n"
        "    # via nothing\nnot-there==2.0 ; python_version >= '3' \\\n    --hash=sha256:00\n"
    )
    assert setup.unmet_pins(str(tmp_path)) == ["packaging==0.1", "not-there==2.0"]


def test_the_courses_own_requirements_are_read():
    wanted = setup.pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    names = {name for name, _, _ in wanted}
    assert {"tensorflow", "jupyterlab", "nbgrader", "tf-keras"} <= names
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert len(wanted) == sum(bool(re.match(r"\w", line)) for line in lines)
    assert any(marker == "sys_platform == 'win32'" for _, _, marker in wanted)


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 9, 18), (3, 14, 0), (4, 0, 0)])
def test_unsuitable_python_is_refused_by_name(version, tmp_path, monkeypatch):
    fake = tmp_path / "python3.12"
    fake.write_text("#!/bin/sh\necho 3 12\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Stop) as caught:
        setup.check_python(version)
    assert caught.value.code == 10
    assert "too old" in caught.value.sentence if version < (3, 10) else "too new"
    assert "`python3.12 -m labsupport`" in caught.value.sentence
    fake.write_text("#!/bin/sh\necho 'python3.12: command not found'; exit 127\n")  # a stub
    with pytest.raises(Stop) as caught:
        setup.check_python(version)
    assert "python3.12" not in caught.value.sentence


@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_suitable_python_is_accepted(minor):
    setup.check_python((3, minor, 0))


@pytest.mark.parametrize("name", FILES)
def test_parses_on_python_3_6(name):
    ast.parse((ROOT / "labsupport" / name).read_text(encoding="utf-8"), feature_version=(3, 6))


def old_python():
    """A Python older than 3.10 on this machine, or None."""
    names = [f"python3.{minor}" for minor in (6, 7, 8, 9)]
    paths = [shutil.which(name) for name in names]
    paths += sorted(Path("~/.pyenv/versions").expanduser().glob("3.[6-9].*/bin/python3"))
    return next(
        (str(p) for p in paths if p and (setup.python_version(str(p)) or (9,)) < (3, 10)), 0
    )


def test_old_python_for_real(fresh):
    python = old_python()
    if not python:
        pytest.skip("no Python older than 3.10 here")
    sentence = one_sentence(launch(fresh, python=python), "python")
    assert "is too old: TensorFlow 2.21 needs Python 3.10 to 3.13" in sentence
    assert not fresh.venv.exists()
    result = launch(fresh, "doctor", python=python)
    assert result.code == 1 and "too old" in result.out


def test_old_python_may_start_what_is_made(made):
    python = old_python()
    if not python:
        pytest.skip("no Python older than 3.10 here")
    assert echoed(launch(made, "build", python=python).out)[1] == setup.venv_python(str(made.root))


def test_only_the_standard_library_is_imported():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "import labsupport.__main__, labsupport.launcher, labsupport.doctor\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))\n"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "['labsupport']", done.stdout + done.stderr


@pytest.mark.parametrize(
    ("system", "machine", "words"),
    [
        ("Darwin", "x86_64", "Intel"),
        ("Windows", "ARM64", "arm64"),
        ("Linux", "riscv64", "riscv64"),
        ("Linux", "x86_64", None),
        ("Linux", "aarch64", None),
        ("Darwin", "arm64", None),
        ("Windows", "AMD64", None),
    ],
)
def test_platforms(system, machine, words, monkeypatch):
    monkeypatch.setattr(setup.platform, "system", lambda: system)
    monkeypatch.setattr(setup.platform, "machine", lambda: machine)
    problem = setup.platform_problem()
    assert (problem is None) if words is None else words in problem[0]


def test_32_bit_python(monkeypatch):
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    with pytest.raises(Stop) as caught:
        setup.check_platform()
    assert caught.value.code == 11 and "32-bit" in caught.value.sentence


def test_python_without_ensurepip(monkeypatch):
    find = setup.importlib.util.find_spec
    monkeypatch.setattr(
        setup.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name)
    )
    with pytest.raises(Stop) as caught:
        setup.check_venv_module()
    assert caught.value.code == 12
    assert "-venv" in caught.value.sentence


# ----------------------------------------------------------------------------- what can go wrong


def test_no_network(made):
    (made.root / "requirements.txt").write_text(make_wheel(made.root.parent / "wheels", "3.0"))
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    result = launch(made, "build", **nowhere)
    sentence = one_sentence(result, "network")
    log = made.own / "install.log"
    assert str(log) in sentence and "ERROR" in log.read_text()
    assert launch(made, "build").code == 0  # the network is back


def test_hash_mismatch(made):
    text = make_wheel(made.root.parent / "wheels", "3.0")
    (made.root / "requirements.txt").write_text(text[:-9] + "00000000\n")
    sentence = one_sentence(launch(made, "build"), "hash")
    assert "was not installed" in sentence
    assert "DO NOT MATCH" in (made.own / "install.log").read_text()


def test_full_disk_is_seen_before_the_install(tmp_path, monkeypatch, capsys):
    project = make_project(tmp_path)
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    monkeypatch.setattr(setup, "running_python_serves", lambda _: False)
    assert launcher.main(["build"], str(project.root)) == 14
    err = capsys.readouterr().err
    assert "1.0 GB are free" in err and len(err.strip().splitlines()) == 1
    assert not project.venv.exists()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("disk", "ERROR: Could not install packages due to an OSError: [Errno 28] No space left"),
        ("disk", "OSError: [WinError 112] There is not enough space on the disk"),
        ("network", "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionEr"
         "ror(...)': /simple/\nERROR: No matching distribution found for absl-py==2.5.1"),
        ("network", "Could not fetch URL: There was a problem: SSLError(... CERTIFICATE_VERIFY_FAIL"
         "ED ...)"),
        ("hash", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."),
        ("platform", "ERROR: No matching distribution found for tensorflow==2.21.0"),
        ("no-venv", "The virtual environment was not created successfully because ensurepip is not "
         "available."),
        ("not-writable", "ERROR: Could not install packages: [Errno 13] Permission denied: 'x'"),
        ("install", "ERROR: something new"),
        ("install", "HINT: This error might have occurred since this system does not have Windows "
         "Long Path support enabled."),
    ],
)  # fmt: skip
def test_what_pip_says_is_understood(key, text):
    stop = setup.failure(text, "/course", "something new")
    assert stop.code == MESSAGES[key][0]
    assert "/course" in stop.sentence or key in ("no-venv", "platform")
    assert "\n" not in stop.sentence


@pytest.fixture
def taken():
    """A port that something listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_taken_port_is_refused_before_the_install(fresh, taken):
    assert str(taken) in one_sentence(launch(fresh, "--port", str(taken)), "port")
    assert not fresh.venv.exists()


def test_next_free_port_is_used_and_said(taken, monkeypatch, capsys):
    monkeypatch.setattr(launcher, "FIRST_PORT", taken)
    port = launcher.choose_port(None)
    assert taken < port < taken + 50
    assert capsys.readouterr().out == f"Port {taken} is taken; using {port}.\n"


def test_folder_not_writable(fresh):
    fresh.own.write_text("a file where the folder should be")
    assert str(fresh.root) in one_sentence(launch(fresh), "not-writable")
    fresh.own.unlink()
    if os.geteuid() == 0:
        return  # permission bits do not stop root
    fresh.root.chmod(0o555)
    try:
        one_sentence(launch(fresh), "not-writable")
    finally:
        fresh.root.chmod(0o755)


def test_missing_files(fresh):
    (fresh.root / "notebooks" / "00_start_here.ipynb").unlink()
    assert "00_start_here.ipynb is missing" in one_sentence(launch(fresh), "lesson")
    (fresh.root / "requirements.txt").unlink()
    assert "requirements.txt is missing" in one_sentence(launch(fresh, "test"), "requirements")
    assert not fresh.venv.exists()


def test_the_students_bundle_has_no_tests_and_says_so(fresh):
    launched = launch(fresh, "test")
    assert "student's bundle" in launched.err and launched.code == 2


# ----------------------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["biuld"], "Did you mean `build`?"),
        (["garde", "x"], "Did you mean `grade`?"),
        (["zzzz"], "There is no command `zzzz`. `python3"),
        (["--no-browsr"], "Did you mean --no-browser?"),
        (["--port", "many"], "--port needs a number"),
        (["--port"], "--port needs a number"),
        (["--port=0"], "--port needs a number"),
    ],
)
def test_usage_errors(arguments, words, capsys):
    assert launcher.main(arguments) == 2
    err = capsys.readouterr().err
    assert words in err and len(err.splitlines()) == 1


def test_help_tells_commands_and_exit_codes(capsys):
    assert launcher.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, _ in COMMANDS[1:]:
        assert re.search(rf"^  {name} ", text, re.M)
    assert {name for name, _ in COMMANDS[1:]} == {"test", "doctor", *CLI_COMMANDS}
    for code, _ in MESSAGES.values():
        assert re.search(rf"\b{code} [a-zA-Z]", text), code
    assert max(map(len, text.splitlines())) <= 100


def test_codes_are_distinct():
    codes = [code for code, _ in MESSAGES.values()]
    assert len(set(codes)) == len(codes)
    assert not set(codes) & {0, 1, 3, 4, 5}  # done, doctor, pytest


def test_test_passes_arguments_and_exit_code_on(made):
    (made.root / "tests").mkdir(exist_ok=True)
    result = launch(made, "test", "-k", "a or b", "--help")
    assert result.code == 5
    told = json.loads(result.out.split("pytest ", 1)[1])
    assert told == [["-k", "a or b", "--help"], str(made.root)]


def test_lab_runs_and_stops_with_ctrl_c(made):
    process = start(made, "--no-browser", "--port", str(free_port()), "--", "--Some.option=1")
    lines = [process.stdout.readline() for _ in range(3)]
    told = json.loads((made.root / "told.json").read_text())
    assert lines[0] == "Starting JupyterLab ...\n" and lines[2] == "Ctrl-C stops it.\n"
    url = lines[1].split(": ", 1)[1].strip()
    token = told["env"]["JUPYTER_TOKEN"]
    assert url.endswith(f"/lab/tree/notebooks/00_start_here.ipynb?token={token}")
    assert token not in " ".join(told["argv"])
    assert f"--ServerApp.root_dir={made.root}" in told["argv"]
    assert told["argv"][-2:] == ["--no-browser", "--Some.option=1"]
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        assert told["env"]["JUPYTER_" + name].startswith(str(made.own))
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "JupyterLab has stopped" in out and err == ""
    assert not alive(told["pid"])


def free_port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_terminated_launcher_leaves_no_lab_behind(made):
    process = start(made, "--no-browser", "--port", str(free_port()))
    for _ in range(3):
        process.stdout.readline()
    lab = json.loads((made.root / "told.json").read_text())["pid"]
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert not alive(lab)


def test_lab_that_fails_is_told(made):
    result = launch(made, "--no-browser", LAB_FAILS="1")
    assert result.code == 20
    assert result.err.splitlines()[0] == "the lab has failed"
    assert "exit code 1" in result.err.splitlines()[1]


# --------------------------------------------------------------------------------------- doctor


def test_doctor_before_the_first_run(fresh):
    result = launch(fresh, "doctor")
    assert result.code == 1 and result.err == ""
    lines = result.out.splitlines()
    assert "MEND      there is no .venv yet -> run `python3 -m labsupport`, with a network" in lines
    assert any(line.startswith("MEND") and "mnist_5000.npz" in line for line in lines)
    assert any(re.match(r"ok +Python 3\.1[0-3]", line) for line in lines)
    assert not fresh.venv.exists()


def test_doctor_says_what_is_missing_in_an_environment(made):
    result = launch(made, "doctor")
    assert result.code == 1
    assert re.search(r"^MEND +TensorFlow does not run: ModuleNotFoundError", result.out, re.M)
    assert re.search(r"^MEND +JupyterLab does not run: ", result.out, re.M)
    assert "Traceback" not in result.out + result.err


def test_doctor_on_what_only_graders_need(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    for finding in (doctor.bubblewrap(), doctor.browser(str(ROOT), sys.executable)):
        assert finding.status == doctor.OPTIONAL and finding.mend


def test_doctor_exit_code(monkeypatch, capsys):
    found = [doctor.Finding(doctor.OK, "a"), doctor.Finding(doctor.OPTIONAL, "b", "c")]
    monkeypatch.setattr(doctor, "examine", lambda root: found)
    assert doctor.main() == 0
    assert "optional  b -> c\n" in capsys.readouterr().out
    found.append(doctor.Finding(doctor.MEND, "d"))
    assert doctor.main() == 1


def test_doctor_finds_the_courses_jupyterlab():
    finding = doctor.jupyterlab(str(ROOT), sys.executable)
    assert finding.status == doctor.OK, finding


# ------------------------------------------------------------------------------ JupyterLab for real


@pytest.fixture
def real_lab(fresh):
    """The real JupyterLab, started by the launcher on a small project; (project, its address)."""
    import nbformat

    (fresh.root / "requirements.txt").write_text(f"pytest=={pytest.__version__}\n")
    where = "import os, sys; print(sys.executable, os.getcwd())"
    cells = [nbformat.v4.new_markdown_cell("# $x^2$"), nbformat.v4.new_code_cell(where)]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, fresh.root / "notebooks" / "00_start_here.ipynb")
    home = fresh.root.parent / "home"
    home.mkdir()
    port = str(free_port())
    process = start(fresh, "--no-browser", "--port", port, python=sys.executable, HOME=str(home))
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[2:] == ["Ctrl-C stops it.\n"], lines + [process.stderr.read()]
        yield fresh, lines[1].split(": ", 1)[1].strip(), home
    finally:
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    # No noise on the terminal from the start to the end.
    assert (out.strip(), err) == (
        "JupyterLab has stopped; your notebooks are as you last saved them.",
        "",
    )


def test_jupyterlab_is_quiet_and_stays_on_this_machine(real_lab):
    project, url, home = real_lab
    sync_api = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    browser_path = next((shutil.which(name) for name in names if shutil.which(name)), None)
    if not browser_path:
        pytest.skip("no Chromium here")
    words = "no-sandbox disable-gpu disable-quic no-first-run disable-sync"
    words += " disable-background-networking disable-component-update"
    switches = ["--" + word for word in words.split()]
    asked, complaints = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=switches)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda websocket: asked.append(websocket.url))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(url)
        page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.locator(".jp-CodeCell .cm-content").click()
        page.keyboard.press("Control+Enter")
        output = page.locator(".jp-CodeCell .jp-OutputArea-output")
        output.wait_for()
        assert output.inner_text().split() == [sys.executable, *notebooks_words(project)]
        page.wait_for_timeout(1500)  # the news prompt came after about a second
        assert page.locator(".jp-Dialog").count() == 0
        assert page.locator(".Toastify__toast").count() == 0
        menus = page.locator(".lm-MenuBar-itemLabel").all_inner_texts()
        assert menus == ["File", "Edit", "View", "Run", "Kernel", "Tabs", "Settings", "Help"]
        assert page.locator(".jp-NotebookPanel-toolbar").count() == 1
        assert "Validate" not in page.locator(".jp-NotebookPanel-toolbar").inner_text()
        page.keyboard.press("Escape")
        page.keyboard.press("Control+Shift+L")  # the launcher page: one kernel, no strangers
        page.wait_for_selector(".jp-LauncherCard")
        cards = page.locator('.jp-LauncherCard[data-category="Notebook"]')
        assert cards.all_inner_texts() == ["Python 3 (ipykernel)"]
        assert page.locator(".jp-Launcher-sectionTitle").all_inner_texts() == [
            "Notebook",
            "Console",
            "Other",
        ]
        browser.close()
    assert {address.split("/")[2] for address in asked if "://" in address} == {url.split("/")[2]}
    assert complaints == []
    # Nothing went into the reader's own Jupyter and IPython folders.
    assert not [p for p in home.rglob("*") if re.search("jupyter|ipython", str(p))]


def notebooks_words(project):
    """The notebooks folder as str.split() leaves it (the project's name has a space)."""
    return str(project.root / "notebooks").split()
