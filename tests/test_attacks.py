"""Hostile submissions, run for real: none earns a point, reads a secret, survives, or does harm."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from grading_tools import (
    LIMITS,
    MODES,
    NOTHING,
    NUMPY,
    RIGHT,
    TENSORFLOW,
    graded,
    key_of,
    needs,
    open_box,
    parts,
    points,
    told,
)

from labsupport import exercises, keys
from labsupport.grading import (
    fresh,
    landlock,
    program,
    remote,
    sandbox,
    seccomp,
    stacks,
    trial,
    wire,
)
from labsupport.grading.gradebook import Gradebook

BODY = "def batch_norm_dense(x, gamma, beta, eps):\n"


def answer(*lines: str) -> str:
    """A wrong answer to `bn-dense` that does this on its way."""
    return BODY + "".join(f"    {line}\n" for line in lines) + "    return x\n"


@pytest.fixture(scope="module", params=MODES)
def box(request):
    with open_box(NUMPY, request.param) as box:
        box.alone = processes_below(box.pid)  # bubblewrap's own, and the warm process
        yield box


@pytest.fixture(scope="module", params=MODES)
def tf_box(request):
    with open_box(TENSORFLOW, request.param) as box:
        yield box


@pytest.fixture(autouse=True)
def _afterwards_all_is_as_it_was(request):
    """After each attack the same warm process grades the next student, and nothing is left."""
    yield
    if "box" in request.fixturenames:
        used = request.getfixturevalue("box")
        next_one = graded(used, NUMPY, RIGHT)
        assert points(next_one, "bn-dense") == exercises.find("bn-dense").points
        assert not next_one.events
        assert processes_below(used.pid) == used.alone


def table() -> str:
    """The machine's processes: number, parent, command."""
    words = ["ps", "-eo", "pid=,ppid=,args="]
    return subprocess.run(words, capture_output=True, text=True).stdout


def processes_below(pid: int) -> int:
    """How many processes are left below a sandbox's own."""
    children: dict[int, list[int]] = {}
    for line in table().splitlines():
        child, parent = map(int, line.split()[:2])
        children.setdefault(parent, []).append(child)
    found, todo = 0, [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += len(below)
        todo += below
    return found


# ---------------------------------------------------------------- points that were not earned

PATCHES = {
    "numpy's comparisons": "np.allclose = np.array_equal = np.isclose = lambda *a, **k: True",
    "numpy.testing": "np.testing.assert_allclose = lambda *a, **k: None",
    "builtins": "import builtins\nbuiltins.abs = builtins.max = lambda *a, **k: 0\n"
    "builtins.isinstance = lambda *a: True",
    "the judge": "import labsupport.judge as j\nj.same = j.agree = lambda *a, **k: True\n"
    "j.differing = lambda *a, **k: set()",
    "the check": "import labsupport.notebook as n\nn.check = lambda *a: None\nn.judge = None",
    "the points": "from labsupport import exercises\n"
    "for e in exercises.all_exercises().values():\n"
    "    for p in e.parts:\n        object.__setattr__(p, 'points', 10**6)",
    "the probe": "from labsupport import exercises\n"
    "object.__setattr__(exercises.find('bn-dense'), 'probe', lambda *a: {})",
    "the frames": "import labsupport.grading.wire as w\nw.pack = lambda *a, **k: b''",
    "the process's own code": "import labsupport.grading.child as c\n"
    "c.Child.do_call = lambda self, m: {'value': 1}",
    "the AST": "get_ipython().ast_transformers.append(object())",
}


@pytest.mark.parametrize("what", PATCHES)
def test_replacing_what_compares_earns_nothing(box, what):
    assert graded(box, NUMPY, PATCHES[what], NOTHING).points == 0


OBJECTS = {
    "equal to everything": "class E:\n    __eq__ = lambda s, o: True\n    __hash__ = None\n",
    "an array that is equal to everything": "class E(np.ndarray):\n"
    "    __eq__ = lambda s, o: True\n    __array_ufunc__ = lambda *a, **k: True\n"
    "    __new__ = lambda c: np.zeros(3).view(c)\n",
    "a number that is all numbers": "class E(float):\n    __sub__ = lambda s, o: 0.0\n"
    "    __rsub__ = __sub__\n    __abs__ = lambda s: 0.0\n",
    "anything one asks for": "class E:\n    def __getattr__(self, name):\n        return E()\n"
    "    def __call__(self, *a, **k):\n        return E()\n",
    "a string that is a name": "class E(str):\n    __eq__ = lambda s, o: True\n",
}


@pytest.mark.parametrize("what", OBJECTS)
def test_objects_that_please_everybody_earn_nothing(box, what):
    assert graded(box, NUMPY, OBJECTS[what] + BODY + "    return E()\n").points == 0


def test_answers_that_know_the_visible_cases_earn_nothing(box):
    """The key of the visible cases is in every student's hands; the hidden ones are others."""
    by_heart = """\
import zlib
from labsupport import exercises
def batch_norm_dense(x, gamma, beta, eps):
    for case in exercises.find("bn-dense").visible_cases():
        g = case.inputs
        if g["x"].shape == x.shape and np.allclose(g["x"], x):
            return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + beta
    return x
"""
    result = graded(box, NUMPY, by_heart)
    assert points(result, "bn-dense") == 0
    assert "other" in told(result), "the student is told that only other cases went wrong"


FORGED = {
    "replies, before they are asked for": "import os\nfrom labsupport.grading import wire\n"
    "frame = wire.pack({'value': 1.0, 'found': True, 'handle': 0, 'near': ''})\n"
    "for fd in range(3, 64):\n    try:\n        os.write(fd, frame * 20)\n"
    "    except OSError:\n        pass\n",
    "noise": "import os\nfor fd in range(3, 64):\n    try:\n"
    "        os.write(fd, os.urandom(4096))\n"
    "    except OSError:\n        pass\n",
    "a frame that claims to be huge": "import os, struct\nfor fd in range(3, 64):\n    try:\n"
    "        os.write(fd, struct.pack('>IQ', 2**32 - 1, 2**63))\n    except OSError:\n"
    "        pass\n",
    "arrays where there should be numbers": "import os\nfrom labsupport.grading import wire\n"
    "array = np.ones(2)\n"
    "for said in ({'ran': array}, {'cell': array}, {'ran': 0, 'trouble': [array, '', '', 0]}):\n"
    "    os.write(3, wire.pack(said))\n",
    "one array many times over": "import json, os, struct\n"
    "one = {'a': ['<f8', [1000000], 0, False, [0]]}\n"
    "head = json.dumps({'l': [one] * 300}).encode()\n"
    "frame = memoryview(struct.pack('>IQ', len(head), 8000000) + head + bytes(8000000))\n"
    "while frame: frame = frame[os.write(3, frame):]\n",
    "an end to the channel": "import os\nos.closerange(3, 4096)\n",
    "a channel turned round": "import os\nos.dup2(os.open('/dev/null', os.O_RDWR), 3)\n",
}


@pytest.mark.parametrize("what", FORGED)
@pytest.mark.parametrize("when", ["in a cell", "in the answer"])
def test_writing_where_the_grader_listens_earns_nothing(box, what, when):
    if when == "in a cell":
        assert graded(box, NUMPY, FORGED[what], NOTHING).points == 0
    else:
        lines = FORGED[what].splitlines()
        assert graded(box, NUMPY, answer(*lines)).points == 0


#: Asks and asks, and reads what it is told so slowly that every single answer can still be sent.
FLOOD = """\
import os, select, time
from labsupport.grading import wire

def flood():
    frame = wire.pack({"ask": "get", "of": 0, "arguments": ["x"], "named": {}, "n": "y" * 20000})
    if os.fork() == 0:
        while True:
            left = memoryview(frame)
            while left:
                left = left[os.write(3, left):]
    if os.fork() == 0:
        while True:
            time.sleep(2)
            while select.select([3], [], [], 0)[0]:
                os.read(3, 1 << 20)
    time.sleep(1000)

class Asks:
    def __getattr__(self, name):
        if name == "numpy":
            flood()
        raise AttributeError(name)

batch_norm_dense = Asks()
"""


def test_questions_without_end_are_stopped(box):
    started = time.monotonic()
    assert graded(box, NUMPY, FLOOD).points == 0
    assert time.monotonic() - started < 20  # `find` may take 3 seconds


def test_a_name_that_is_no_text_stops_nothing(box):
    name = "import ctypes, time\nctypes.CDLL(None).prctl(15, b'\\xff\\xfe', 0, 0, 0)\ntime.sleep(1)"
    result = graded(box, NUMPY, name, RIGHT)
    assert points(result, "bn-dense") == exercises.find("bn-dense").points and not result.events


def test_an_object_in_an_observation_is_refused(inside):
    """It would be asked for its numbers where no time limit and no error of its own is expected."""
    forged = wire.pack({"values": {"x": 0}, "trouble": None, "note": ""})
    forged = forged.replace(b'["x",0]', b'["x",{"r":{"h":7,"type":"T"}}]')
    forged = wire.HEAD.pack(len(forged) - wire.HEAD.size, 0) + forged[wire.HEAD.size :]
    source = (
        f"import os, time\n\ndef hidden_layers(*_):\n    os.write(3, {forged!r})\n    time.sleep(9)"
    )
    result = inside("10_today", source)
    assert result.points == 0 and any("does not follow the format" in e for e in result.events)


def test_other_answers_are_graded_all_the_same(box):
    """A cell that kills its process costs itself; the rest is graded without it."""
    result = graded(box, NUMPY, "import os\nos._exit(0)", RIGHT)
    assert points(result, "bn-dense") == exercises.find("bn-dense").points
    assert any("cell 1 was left out" in event for event in result.events)


def test_an_answer_that_kills_its_process_costs_itself(box):
    solved = [cell.source for cell in program.solved(NUMPY).cells]
    deadly = answer("import os", "os._exit(3)")
    result = graded(box, NUMPY, *solved, deadly)
    assert points(result, "bn-dense") == 0
    assert points(result, "bn-conv") == exercises.find("bn-conv").points
    assert "exit code 3" in parts(result, "bn-dense")[0].message


# ---------------------------------------------------------------- secrets


def test_what_an_error_says_of_hidden_inputs_is_told_to_nobody(box):
    result = graded(box, NUMPY, answer("raise ValueError(repr(x.tolist()))"))
    hidden = {
        f"{number:.4f}"
        for case in fresh.hidden_cases(exercises.find("bn-dense"), key_of(NUMPY).seed)
        for number in case.inputs["x"].ravel()
    }
    numbers = set(re.findall(r"-?\d+\.\d{4}", told(result)))
    assert numbers and not numbers & hidden, "only numbers of the visible cases"


@pytest.mark.parametrize("carrier", ["a name", "a line", "a key", "a type"])
def test_hidden_inputs_cannot_be_carried_out(box, carrier):
    code = {
        "a name": "raise type('X' + str(x[0, 0]).replace('.', '_').replace('-', 'm'), "
        "(Exception,), {})()",
        "a line": "import linecache; s = f'raise ValueError()  # {x[0, 0]!r}'; "
        "linecache.cache['<z>'] = (len(s), None, [s], '<z>'); exec(compile(s, '<z>', 'exec'))",
        "a key": "return {str(x[0, 0]): 1}",
        "a type": "return type('T' + str(x[0, 0]), (), {})()",
    }[carrier]
    result = graded(box, NUMPY, answer(code))
    first = fresh.hidden_cases(exercises.find("bn-dense"), key_of(NUMPY).seed)[0].inputs["x"][0, 0]
    digits = str(first).replace("-", "").replace(".", "")[:8]
    assert digits not in re.sub(r"[^0-9]", "", told(result))
    assert result.points == 0


@pytest.mark.parametrize("how", ["a name", "what looks for names"])
def test_a_name_that_is_nearly_an_answers_tells_nothing_of_hidden_inputs(box, how):
    kept = "kept = globals().setdefault('kept', f'{abs(x[0, 0]):.4f}'.replace('.', '_'))"
    code = {
        "a name": "globals()['batch_norm_conv' + kept] = 1",
        "what looks for names": "import difflib; "
        "difflib.get_close_matches = lambda *a, **k: ['batch_norm_conv' + kept]",
    }[how]
    result = graded(box, NUMPY, answer(kept, code, "return x"))
    first = fresh.hidden_cases(exercises.find("bn-dense"), key_of(NUMPY).seed)[0].inputs["x"][0, 0]
    assert "There is no `batch_norm_conv`" in told(result)
    assert f"{abs(first):.4f}".replace(".", "_") not in told(result)


LOOKED_FOR = """\
import labsupport, os, sys
found = []
course = os.path.dirname(os.path.dirname(labsupport.__file__))
for start in ("/", course + "/labsupport", *KNOWN, sys.base_prefix):
    if len(found) > 1000 and start == sys.base_prefix:
        continue  # seen from "/", which cannot be listed everywhere
    for root, folders, files in os.walk(start):
        folders[:] = [f for f in folders if f not in ("proc", "sys")]
        found += [os.path.join(root, f) for f in files]
found += [course + "/labsupport/answer_keys/bn-dense.json", "/etc/shadow"]
found += [folder + "/neighbour.ipynb" for folder in KNOWN]
found += [course + "/solutions/01_batch_norm_by_hand.py", course + "/tests/test_attacks.py"]
def read(path):
    try:
        return bool(open(path, "rb").read(1))
    except OSError:
        return False
def batch_norm_dense(x, gamma, beta, eps):
    return CHOSEN
"""


def test_of_the_notebooks_only_the_blank_ones_are_there():
    """Beside them may lie what was taught live."""
    folder = str(sandbox.PROJECT / "notebooks")
    for seen in (sandbox._tree(()), landlock.readable(sandbox.PROJECT)):
        inside = {word for word in seen if word.startswith(folder)}
        assert inside == {f"{folder}/{lesson}.ipynb" for lesson in exercises.LESSONS}


def test_no_key_no_solution_no_neighbour_can_be_found(box, tmp_path):
    (tmp_path / "neighbour.ipynb").write_text("{}")
    known = [str(sandbox.PROJECT), str(tmp_path)]
    looked_for = LOOKED_FOR.replace("KNOWN", repr(known))
    chosen = "float(len([f for f in found if (%s) and read(f)]))"
    for wanted in (
        "'/solutions/' in f",
        "'answer_keys' in f",
        "f.endswith('neighbour.ipynb')",
        "f.startswith(('/home/', '/etc/shadow', '/root/.ssh'))",
        "'/tests/' in f and 'labsupport' in f",
    ):
        seen = what_it_gives(box, looked_for.replace("CHOSEN", chosen % wanted))
        assert seen == 0, wanted
    assert what_it_gives(box, looked_for.replace("CHOSEN", chosen % "f.endswith('.py')")) > 1000


def what_it_gives(box, source: str, lesson: str = NUMPY):
    """What `batch_norm_dense` of a submission returns when it is called with nothing much."""
    from grading_tools import a_program

    from labsupport.grading import remote

    with box.submission(sandbox.Limits()) as channel:
        session = remote.Session(channel, LIMITS.grace)
        cells = [(c.name, c.source) for c in a_program(lesson, source).cells]
        session.run(cells, 30, 60)
        _found, value, _handle, _near = session.find("batch_norm_dense")
        session._case = {"number": 0, "seconds": 30, "answer": "batch_norm_dense"}
        session._until = time.monotonic() + 30
        return value(1.0, 2.0, 3.0, 4.0)


READABLE = """\
import os, tempfile
def readable(path):
    try:
        return bool(open(path).read(1))
    except OSError:
        return False
"""


@pytest.mark.parametrize(
    "seen",
    [
        "float(sum(readable(f'/proc/{p}/stat') for p in range(2, 2000) if p != os.getpid()))",
        "float(len([k for k in os.environ if 'KEY' in k or 'TOKEN' in k]))",
        "float(len(os.listdir(tempfile.gettempdir())))",
        "float(len(os.listdir()))",
        "float(os.getuid() == 0)",
    ],
)
def test_a_submission_sees_only_itself(box, seen):
    source = f"{READABLE}{BODY}    return {seen}\n"
    assert what_it_gives(box, source) == 0


OWNED = """\
import fcntl, os
def owned(kind):  # whose users it belongs to: the kernel only tells who is not below them
    try:
        return fcntl.ioctl(os.open(f"/proc/self/ns/{kind}", os.O_RDONLY), 0xB701) > 0
    except PermissionError:
        return False
"""


def test_its_namespaces_belong_to_users_above_it():
    kinds = ("mnt", "net", "ipc", "uts", "pid", "cgroup")
    source = f"{OWNED}{BODY}    return float(sum(owned(kind) for kind in {kinds}))\n"
    with open_box(NUMPY) as box:
        assert what_it_gives(box, source) == 0


# ---------------------------------------------------------------- doors

DOORS = {
    "the network": "import socket; socket.create_connection(('192.0.2.1', 80), 2)",
    "this machine's own services": "import socket; socket.create_connection(('127.0.0.1', 22), 2)",
    "the system's files": "open('/usr/lib/x', 'w')",
    "the course's files": "import labsupport; open(labsupport.__file__, 'a')",
    "start-up files": "import site; open(site.getsitepackages()[0] + '/x.pth', 'w')",
    "devices": "open('/dev/x', 'w')",
    "another user": "import os; os.setuid(0)",
    "a mount": "import ctypes, os; "
    "assert ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
    "namespaces": "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "a trace of others": "import ctypes; assert ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0",
    "its own limits": "import resource; "
    "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40))",
    "the host's name": "import socket; socket.sethostname('x')",
}


@pytest.mark.parametrize("door", DOORS)
def test_doors_are_shut(box, door):
    opened = f"{BODY}    try:\n        {DOORS[door]}\n    except Exception:\n        return 0.0\n"
    assert what_it_gives(box, opened + "    return 1.0\n") == 0


LISTED = """\
def listed(folder):
    try:
        return float(len([name for name in os.listdir(folder) if "." in name]))
    except PermissionError:
        return 0.0
"""


def test_nothing_is_left_for_the_next_student(box):
    plant = """\
import os, pathlib, sys, tempfile
for folder in ("/tmp", tempfile.gettempdir(), "/dev/shm", os.path.expanduser("~"), "."):
    for name in ("sitecustomize.py", "numpy.py", "usercustomize.py", ".pythonrc"):
        try:
            pathlib.Path(folder, name).write_text("raise SystemExit")
        except OSError:
            pass
np.var = lambda *a, **k: 0
sys.modules["labsupport.judge"] = None
"""
    graded(box, NUMPY, plant)
    for folder in ("tempfile.gettempdir()", "os.path.expanduser('~')", "'/dev/shm'"):
        left = f"{READABLE}{LISTED}{BODY}    return listed({folder})"
        assert what_it_gives(box, left) == 0
    assert what_it_gives(box, f"{BODY}    return float(np.var([1.0, 3.0]))") == 1


# ---------------------------------------------------------------- time, memory, processes, output

#: Right on the cases that `check` uses; on others it ends in one way or another.
OTHERWISE = """\
import os, time
seen = []
def batch_norm_dense(x, gamma, beta, eps):
    out = gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta
    if float(x.flat[0]) not in VISIBLE:
        END
    return out
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [("time.sleep(99)", trial.ONLY_HIDDEN_SLOW), ("os._exit(77)", trial.ONLY_HIDDEN_DIED)],
)
def test_how_it_ended_on_hidden_cases_is_told_in_fixed_words(box, end, said):
    visible = {float(c.inputs["x"].flat[0]) for c in exercises.find("bn-dense").visible_cases()}
    result = graded(box, NUMPY, OTHERWISE.replace("VISIBLE", repr(visible)).replace("END", end))
    told = {part.message for part in parts(result, "bn-dense") if part.outcome != "waiting"}
    assert told == {said}


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        "import time; time.sleep(10**6)",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n    while 1: pass",
        "exec('''while True:\\n  try:\\n    while True: pass\\n  except BaseException: pass''')",
        "sum(range(10**13))",
        "import signal; signal.signal(signal.SIGALRM, signal.SIG_IGN)\n    while 1: pass",
    ],
)
def test_endless_code_is_stopped(box, loop):
    started = time.monotonic()
    result = graded(box, NUMPY, answer(loop))
    assert result.points == 0
    assert {part.outcome for part in parts(result, "bn-dense")} == {"slow", "waiting"}
    assert time.monotonic() - started < 60


def test_an_endless_cell_costs_only_itself(box):
    result = graded(box, NUMPY, "while True: pass", RIGHT)
    assert points(result, "bn-dense") == exercises.find("bn-dense").points


@pytest.mark.parametrize(
    "hog",
    [
        "hog = []\n    while True: hog.append(np.ones(3_000_000))",
        "import os\n    [os.fork() for _ in range(3)]\n    hog = []\n"
        "    while True: hog.append(np.ones(1_000_000))",
        "bytearray(100 << 30)",
    ],
)
def test_memory_is_limited(box, hog):
    assert graded(box, NUMPY, answer(hog)).points == 0


def test_memory_that_forks_could_share_counts(box):
    hog = "import mmap\n    hogs = [mmap.mmap(-1, 1 << 26) for _ in range(12)]\n"
    hog += "    page = bytes(1 << 26)\n    for hog in hogs: hog.write(page)\n"
    hog += "    import time; time.sleep(1)"
    result = graded(box, NUMPY, answer(hog), limits=replace(LIMITS, memory=1 << 29))
    assert "more memory than it may" in parts(result, "bn-dense")[0].message


def test_what_the_kernel_keeps_for_sockets_is_limited(box):
    hog = """\
import os, socket, time
for _ in range(9):
    if os.fork():
        continue
    kept = []
    try:
        while True:
            kept += socket.socketpair()
    except OSError:
        time.sleep(4)
        os._exit(0)
time.sleep(4)
"""
    result = graded(box, NUMPY, answer(*hog.splitlines()))
    assert "had more files open than it may" in parts(result, "bn-dense")[0].message


def test_a_socket_keeps_no_more_than_usual(box):
    ask = "s = socket.socketpair()[0]\n{}size = s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)\n"
    ask = f"import socket\n{ask}def batch_norm_dense(*_): return float(size)"
    grow = "try: s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)\nexcept OSError: pass\n"
    assert what_it_gives(box, ask.format(grow)) == what_it_gives(box, ask.format(""))


@pytest.mark.parametrize(
    "flood",
    [
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        "import threading, time\nwhile True:\n    try:\n"
        "        threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
        "    except RuntimeError:\n        break",
        "import subprocess\nfor _ in range(50):\n    try:\n        "
        "subprocess.Popen(['/bin/sleep', '1000'], start_new_session=True)\n"
        "    except OSError:\n        break",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        import time\n        time.sleep(1000)\n    os._exit(0)",
    ],
)
def test_processes_are_limited_and_do_not_survive(box, flood):
    assert graded(box, NUMPY, flood, NOTHING).points == 0


@pytest.mark.parametrize(
    "output",
    [
        "print('x' * 10**8)",
        "import os; [os.write(2, b'x' * 10**6) for _ in range(100)]",
        "import warnings; [warnings.warn(str(i)) for i in range(10_000)]",
        "open('x', 'wb').write(b'x' * (200 << 20))",
        "[open(f'{i}', 'w').close() for i in range(10**5)]",
        "return 'x' * 10**8",
        "return [[]] * 10**7",
        "return np.zeros(10**8)",
        "a = []; a.append(a); return a",
    ],
)
def test_output_is_limited(box, output):
    assert graded(box, NUMPY, answer(output)).points == 0


@pytest.mark.parametrize("number", ["KILL", "STOP", "SEGV", "INT", "TERM"])
def test_signals_reach_nobody_else(box, number):
    code = f"import os, signal; os.kill(-1, signal.SIG{number})"
    graded(box, NUMPY, f"try:\n    {code}\nexcept OSError:\n    pass", NOTHING)
    assert graded(box, NUMPY, answer("import os, signal", "os.kill(os.getppid(), 9)")).points == 0


def test_a_crash_in_c_is_a_verdict(box):
    result = graded(box, NUMPY, answer("import ctypes", "ctypes.string_at(0)"))
    assert result.points == 0 and "SIGSEGV" in told(result)


def test_noise_on_stderr_costs_nothing(box):
    noisy = "import os, sys, warnings\nsys.stderr.write('x' * 1000)\nos.write(2, b'Error')\n"
    result = graded(box, NUMPY, noisy + "warnings.warn('x')\n" + RIGHT)
    assert points(result, "bn-dense") == exercises.find("bn-dense").points


# ---------------------------------------------------------------- where TensorFlow is

TF_PATCHES = {
    "the trial": "import labsupport.exercises.tf_common as t\n"
    "t.Trial.changed_by = lambda *a: ()\nt.Trial.run = lambda *a, **k: 0",
    "the observation": "import labsupport.observe as o\no.plain = lambda v: 0\n"
    "o._observe_case = lambda *a: None\no.observe_case = lambda *a: None",
    "the session": "import tensorflow as real\nreal.compat.v1.Session.run = lambda *a, **k: 7",
    "numpy": "import numpy\nnumpy.array_equal = numpy.allclose = lambda *a, **k: True",
    "a builtin's name": "import labsupport.exercises.tf_common as t\nt.len = lambda x: 0\n"
    "t.isinstance = lambda *a: True",
    "code": "import labsupport.exercises.control_dependencies as c\n"
    "f = c._counter_probe\nf.__code__ = (lambda *a: {'count': 2.0}).__code__",
}
ANSWERS = "".join(
    f"def {e.answer}(*arguments):\n    return arguments[0] if arguments else None\n"
    for e in exercises.of_lesson(TENSORFLOW)
)


@pytest.mark.parametrize("what", TF_PATCHES)
def test_replacing_what_probes_use_earns_nothing(tf_box, what):
    patched = graded(tf_box, TENSORFLOW, TF_PATCHES[what], ANSWERS)
    honest = graded(tf_box, TENSORFLOW, ANSWERS)
    assert patched.points <= honest.points
    assert any("undone" in event for event in patched.events)


# ---------------------------------------------------------------- what answers are given

#: Writes down for the probe what it would have noted, had its layer been called.
NOTES = """\
def batch_norm_images(layer, x, training):
    c, under = x.shape[1], UNDER
    for name, value in {
        "calls": 1,
        "first": x.transpose(0, 2, 3, 1).reshape(-1, c),
        "flags": [str(training)],
    }.items():
        setattr(layer, under + name, value)
    return 3 * x + 10 * np.arange(c)[:, None, None]
"""


@pytest.mark.parametrize("under", ["", "_"])
def test_what_a_probe_has_noted_cannot_be_changed(inside, under):
    result = inside("02_moving_averages", NOTES.replace("UNDER", repr(under)))
    assert points(result, "bn-spatial") == 0


# ---------------------------------------------------------------- where the probe is, too

#: Puts words of its own in place of what the probe saw of the case that is being tried.
FORGE = """\
import sys
from labsupport import observe
from labsupport.vocabulary import Observation

def forge(*_arguments, **_named):
    frame = sys._getframe()
    while frame.f_code.co_name != "_observe_case":
        frame = frame.f_back
    words = {name: np.array(value) if isinstance(value, list) else value
             for name, value in WORDS[frame.f_locals["case"].id].items()}
    observe.Observation = lambda values, trouble, note: Observation({**values, **words})

WORDS = """
FORGERS = {
    "k-layer": "class BatchNorm(keras.layers.Layer):\n"
    "    def __init__(self, momentum, epsilon):\n        super().__init__()\n        forge()\n",
    "mnist-restore": "checkpoint = (forge, forge)\n",
}


@pytest.fixture(scope="module")
def inside():
    """What grades cells on a lesson: each lesson in a sandbox of its own."""
    with contextlib.ExitStack() as stack:
        boxes = {}

        def grade(lesson, *sources):
            if lesson not in boxes:
                boxes[lesson] = stack.enter_context(open_box(lesson))
            return graded(boxes[lesson], lesson, *sources, limits=replace(LIMITS, cell=20))

        yield grade


def words_of(right, names=None) -> str:
    """A key's right values as Python. names: only these."""
    found = {}
    for case, observation in right.items():
        values = observation.values.items()
        known = {k: v for k, v in values if names is None or k in names}
        found[case] = {k: str(v) if isinstance(v, str) else v.tolist() for k, v in known.items()}
    return f"{found!r}\n"


@pytest.mark.parametrize("name", sorted(stacks.PROBED_INSIDE))
def test_the_visible_key_forged_where_the_probe_is_earns_nothing(inside, name):
    exercise = exercises.find(name)
    forger = FORGERS.get(name, f"{exercise.answer} = forge\n")
    hidden = key_of(exercise.lesson).key(name).right
    forged = inside(exercise.lesson, FORGE + words_of(hidden) + forger)
    assert points(forged, name) == exercise.points, "the forgery itself does not work any more"
    forged = inside(exercise.lesson, FORGE + words_of(keys.load(name).right) + forger)
    assert points(forged, name) == 0


#: Wrong answers, and the words of the visible key with which they cover up what is wrong.
COVERED_UP = {
    "mnist-audit": (
        """\
def still_layers(build, images):
    forge()
    with tf.Graph().as_default():
        build(tf.placeholder(tf.float32, (None, images.shape[1])), tf.placeholder(tf.bool, ()))
        told = {op.name.split("/")[0] for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS)}
        moving = [v.name.split("/")[0] for v in tf.global_variables() if "/moving_" in v.name]
        return sorted(set(moving) - told)
""",
        {"ran", "the graph that is there"},
    ),
    "k-dropout": (
        """\
def hidden_layers(units, rate):
    forge()
    layers = []
    for size in units:
        layers += [keras.layers.Dense(size), keras.layers.Dropout(rate)]
        layers += [keras.layers.BatchNormalization(), keras.layers.Activation("elu")]
    return layers
""",
        {"momentum", "met", "biases"},
    ),
    "k-layer": (
        """\
class BatchNorm(keras.layers.Layer):
    def __init__(self, momentum, epsilon):
        super().__init__()
        self.momentum = momentum
        forge()

    def build(self, shape):
        self.gamma = self.add_weight(shape=shape[1:], initializer="ones")
        self.beta = self.add_weight(shape=shape[1:], initializer="zeros")
        self.moving_mean = self.add_weight(shape=shape[1:], initializer="zeros")
        self.moving_variance = self.add_weight(shape=shape[1:], initializer="ones")

    def call(self, x, training=False):
        if training:
            for old, new in zip(
                (self.moving_mean, self.moving_variance), tf.nn.moments(x, axes=[0])
            ):
                old.assign(self.momentum * old + (1 - self.momentum) * new)
        return x
""",
        {"variables", "start"},
    ),
    "k-freeze": (
        """\
def fine_tune(base, classes):
    forge()
    start = keras.Input(base.input_shape[1:])
    model = keras.Model(start, keras.layers.Dense(classes)(base(start)))
    model.trainable = False
    return model
""",
        {
            *("training", "prediction", "kernels", "scales", "statistics", "head"),
            *("training, later", "prediction, later", "head, later"),
            *("kernels, later", "scales, later", "statistics, later"),
        },
    ),
}


@pytest.mark.parametrize("name", COVERED_UP)
def test_words_that_cover_up_what_is_wrong_earn_nothing(inside, name):
    """The numbers beside them are the wrong answer's own."""
    (answer, names), lesson = COVERED_UP[name], exercises.find(name).lesson
    words = words_of(keys.load(name).right, names)
    assert points(inside(lesson, FORGE + words + answer), name) == 0


#: What is replaced, in which exercise it would matter, and how it is called in the events.
REPLACED = {
    "a name": ("tf.train.Saver = lambda *a, **k: None", "mnist-restore", "train.Saver"),
    "a method of TensorFlow's": (
        "tf.train.Saver.restore = lambda *a, **k: None",
        "mnist-restore",
        "Saver.restore",
    ),
    "a method of Keras's": (
        "keras.layers.BatchNormalization.call = lambda self, x, *a, **k: x",
        "k-train-step",
        "BatchNormalization.call",
    ),
    "a method that others inherit": (
        "keras.layers.Layer.__call__ = lambda self, x, *a, **k: x",
        "k-freeze",
        "Layer.__call__",
    ),
    "a method's code": (
        "keras.layers.Dropout.call.__code__ = (lambda self, x, training=False: x).__code__",
        "k-dropout",
        "Dropout.call",
    ),
}


@pytest.mark.parametrize("what", REPLACED)
def test_what_the_probe_uses_is_put_back_where_it_is(inside, what):
    """Also what only a probe's own process has a look at, and before the probe."""
    patch, name, told = REPLACED[what]
    lesson = exercises.find(name).lesson
    solved = [c.source for c in program.solved(lesson).cells if c.name == name]
    found = inside(lesson, patch, *solved)
    assert points(found, name) == exercises.find(name).points
    assert any(told in event and "undone" in event for event in found.events)


def test_a_session_in_one_submission_does_not_hang_the_next(tf_box):
    code = "with tf.Session() as s:\n    print(s.run(tf.constant(1) + 1))"
    for _ in range(3):
        result = graded(tf_box, TENSORFLOW, code)
        assert not result.events


# ---------------------------------------------------------------- the sandbox itself


@pytest.mark.parametrize("mode", MODES)
def test_a_sandbox_that_is_killed_is_noticed(mode):
    with open_box(NUMPY, mode) as box:
        os.killpg(box.pid, 9)
        with pytest.raises(sandbox.ServerFailed):
            graded(box, NUMPY, RIGHT)


DAEMON = """\
import os, subprocess
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/bin/sleep", ["sleep", "SECONDS"])
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["closed", "left by a grader that was killed", "killed itself"])
def test_a_sandbox_that_ends_leaves_no_process(mode, how):
    box = open_box(NUMPY, mode)
    pid = box.pid
    with box.submission(sandbox.Limits()) as channel:
        seconds = str(100_000 + os.getpid())  # no other run of the tests has such a sleeper
        sleeper = f"sleep {seconds}"
        session = remote.Session(channel, sandbox.Limits().grace)
        session.run([("c", DAEMON.replace("SECONDS", seconds))], 20, 20)
        assert sleeper in table()
        if how == "closed":
            box.close()
        elif how == "killed itself":
            os.kill(int(Path(f"/proc/{pid}/task/{pid}/children").read_text()), 9)
        else:  # all that the kernel does for it then
            box._control.close()
        deadline = time.monotonic() + 10
        while (processes_below(pid) or sleeper in table()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_below(pid) == 0 and sleeper not in table()
        assert how == "killed itself" or not os.path.exists(box.folder or "/nowhere")
        box.close()
        assert not os.path.exists(box.folder or "/nowhere")
        with pytest.raises(sandbox.ServerFailed):
            box._stop(False)
        box._stop = lambda gone: None


def without_bubblewrap(monkeypatch, folder) -> None:
    """As inside Docker: it is there, and may not do what it needs."""
    fake = folder / "bwrap"
    fake.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2; exit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_where_bubblewrap_does_not_work_landlock_does(monkeypatch, tmp_path):
    needs("landlock")
    without_bubblewrap(monkeypatch, tmp_path)
    assert sandbox.best_mode() == "landlock"
    source = sandbox.PROJECT / "solutions" / f"{NUMPY}.ipynb"
    words = [sys.executable, "-m", "labsupport.cli", "grade", source, "-o", tmp_path / "grades"]
    done = subprocess.run(words, cwd=sandbox.PROJECT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Isolation: landlock" in done.stdout
    assert "isolation: landlock" in (tmp_path / "grades" / "class.html").read_text("utf-8")
    (result,) = Gradebook(tmp_path / "grades").load()
    assert result.points == result.max_points > 0


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ((landlock, "version", lambda: 0), "the kernel has no Landlock"),
        ((landlock, "version", lambda: 1), "Landlock is version 1, and 2 is needed"),
        ((seccomp, "why_not", lambda: "the kernel has no seccomp filters"), "no seccomp filters"),
    ],
)
def test_without_isolation_grading_is_refused_with_a_cure(monkeypatch, tmp_path, missing, says):
    without_bubblewrap(monkeypatch, tmp_path)
    monkeypatch.setattr(*missing)
    with pytest.raises(sandbox.CannotIsolate) as refused:
        sandbox.best_mode()
    sentence = str(refused.value)
    assert says in sentence and "No permissions to create a new namespace" in sentence
    assert "allow unprivileged user namespaces" in sentence and sentence.count(". ") == 0
    assert sandbox.best_mode(trust=True) == "trust"
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    with pytest.raises(sandbox.CannotIsolate, match="install the package `bubblewrap`"):
        sandbox.best_mode()


def test_a_mode_that_leaves_a_door_open_is_refused(monkeypatch):
    """Tried for real: the canary reads what it must not."""
    needs("landlock")
    readable = landlock.readable
    monkeypatch.setattr(landlock, "readable", lambda *a: readable(*a) | {"/": landlock.READ})
    why = sandbox.why_not("landlock")
    assert "read the grader's files" in why and "read the answer keys" in why
    assert "write" not in why
