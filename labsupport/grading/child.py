"""The process of one submission, from within: runs its cells, then does as it is told.

It belongs to the student's code; nothing that it says is taken on trust outside. Messages come and
go as frames (see wire.py), on a channel to the grader and on one to the prober, if there is one:

    {"do": "run", "cells": [[name, source], …], "seconds", "total"}
        before a cell {"cell": n}, after it {"ran": n, "trouble"}; at the end {"done", "replaced"}
    {"do": "find", "answer"}        {"found", "value", "near"}
    {"do": "call" | "get" | "set" | "names", "of": handle, …}    {"value"} or {"trouble", "error"}
    {"do": "gradients", "of": handle, …}    as with "call", of `tf.gradients`
    {"do": "observe", "exercise", "case", "inputs", "number", "seconds", "of", "guarded"}
        an observation; guarded: what has been replaced is put back before and after
    {"do": "graph", "of": number, "seed", "grown"}    a graph to build on, or what has come to it;
        without a reply: what is wrong with it, the next call tells
    {"do": "py_func", "token", "arguments"}    a function that the answer's graph calls
    {"do": "line", "name"}          the student's line that made an operation
    with any, "begin": {"number", "seconds", "answer"}    a case begins: its number, how long it may
        take, and the name of what is tried
    {"do": "key", "exercise", "seed", "cells", "mistakes", "name"}    of the solved lesson: see
        keymaker.py

While it is at a call it may ask back, {"ask": "call" | "get" | "set", "of", …}: inputs can be
functions; "run" runs a session. {"grown"} tells what the answer added to a graph, and is not
answered.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import linecache
import random
import select
import signal
import socket
import sys
import tempfile
import threading
import time
import types
from typing import Any

import numpy as np

from labsupport import exercises
from labsupport.grading import guard, wire
from labsupport.grading.stacks import modules_of
from labsupport.observe import Heard, observe_case, time_limit, trouble_of
from labsupport.vocabulary import Case, Trouble, Unusable

__all__ = ["get_ready", "modules_of", "serve"]

#: Errors that a probe may catch: what else is raised here is an Exception there.
KNOWN_ERRORS = (AttributeError, KeyError, IndexError, TypeError, ValueError, NotImplementedError)


def get_ready(kind: str) -> None:
    """What every submission would otherwise do for itself, and may be done before the fork."""
    import labsupport
    import labsupport.notebook  # noqa: F401  `needs` is part of it

    exercises.all_exercises()
    for name in ("check", "environment", "hint", "progress"):  # they would only take time
        setattr(labsupport, name, _nothing)
    from labsupport.data import load_mnist

    load_mnist()


def _nothing(*_arguments: Any, **_named: Any) -> None:
    """In place of what only shows something."""


def serve(channel: socket.socket, peer: socket.socket | None = None) -> None:
    """Do as the channel says, and the prober at `peer`, until the channel is closed."""
    np.random.seed(), random.seed()
    tempfile.tempdir = None
    Child(channel, peer).serve()


class Frames:
    """The channel, with a time limit's alarm kept out of the middle of a frame."""

    def __init__(self, channel: socket.socket):
        self.channel = channel
        self.held = b""

    def hold(self, message: Any) -> None:
        """A message to go before the next one. Raises Malformed if it is too large."""
        self.held += wire.pack(message)

    def send(self, message: Any, stand_in=None) -> None:
        with _no_alarm():
            try:
                frame = wire.pack(message, stand_in)
            except wire.Malformed as error:
                frame = wire.pack(_too_large(error))
            frame, self.held = self.held + frame, b""
            wire.send(self.channel, frame)

    def receive(self, revive=None) -> Any:
        with _no_alarm():
            return wire.unpack(*wire.receive(self.channel), revive)


@contextlib.contextmanager
def _no_alarm():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])


def _too_large(error: wire.Malformed) -> dict:
    trouble = wire.of_trouble(Trouble("unusable", f"What it returns: {error}"))
    return {"trouble": trouble, "error": "Exception"}


class Callback:
    """Something of the grader's that an answer is given: a function to call, attributes to read."""

    def __init__(self, child: Child, handle: int, kind: str):
        self.__dict__.update(_child=child, _handle=handle, _kind=kind)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._child.ask("call", self._handle, arguments, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{self._kind!r} object has no attribute {name!r}")
        return self._child.ask("get", self._handle, (name,), {})

    def __setattr__(self, name: str, value: Any) -> None:
        self._child.ask("set", self._handle, (name, value), {})

    def __copy__(self) -> Callback:  # the grader's is one of its own for every case
        return self

    def __deepcopy__(self, _memo: Any) -> Callback:
        return self


class Child:
    """What runs in a submission's process."""

    def __init__(self, channel: socket.socket, peer: socket.socket | None):
        self.lines = [Frames(one) for one in (channel, peer) if one is not None]
        self.frames = self.lines[0]
        self.graph_number, self.mirror = 0, None
        self.untaken: dict | None = None  # the trouble that there was with the graph
        self.module = types.ModuleType("__main__")
        self.names = self.module.__dict__
        self.handles: list[Any] = []
        self.answer = ""
        self.until = 0.0
        self.asked, self.asking = 0, threading.RLock()

    def serve(self) -> None:
        sys.modules["__main__"] = self.module
        sys.argv = [""]
        sys.path.append("")  # what a cell writes with `%%writefile`, another may import
        while True:
            self.frames = self.heard()
            try:
                self.obey(self.frames.receive(self.revive))
            except (wire.Closed, wire.Malformed):
                return

    def heard(self) -> Frames:
        """The line on which something comes."""
        if len(self.lines) == 1:
            return self.lines[0]
        ready, _, _ = select.select([line.channel for line in self.lines], [], [])
        return next(line for line in self.lines if line.channel in ready)

    def obey(self, message: dict) -> None:
        do = message.get("do")
        if "begin" in message:
            self.begin(message["begin"])
        if do == "run":
            self.run(message["cells"], message["seconds"], message["total"])
        elif do == "graph":
            self.take(message)
        elif do is not None:
            self.frames.send(getattr(self, f"do_{do}")(message), self.stand_in)

    # ------------------------------------------------------------ cells

    def run(self, cells: list, seconds: float, total: float) -> None:
        deadline = time.monotonic() + total
        self.names.update(
            __builtins__=__builtins__,
            display=_nothing,
            get_ipython=lambda: _Shell(self.names),
        )
        for number, (name, source) in enumerate(cells):
            self.frames.send({"cell": number})
            left = min(seconds, deadline - time.monotonic())
            trouble = self.run_cell(name, source, left)
            self.frames.send({"ran": number, "trouble": wire.of_trouble(trouble)})
        self.frames.send({"done": True, "replaced": guard.put_back(everywhere=False)})

    def run_cell(self, name: str, source: str, seconds: float) -> Trouble | None:
        if seconds <= 0:
            return Trouble("slow", "There was no time left for this cell.")
        filename = f"<{name}>"
        try:
            with Heard(), time_limit(seconds):
                source = _without_magics(source)
                linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
                code = compile(source, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
                awaited = eval(code, self.names)
                if code.co_flags & inspect.CO_COROUTINE:  # it may `await`, as in a notebook
                    asyncio.run(awaited)
        except SyntaxError as error:
            line, number = (error.text or "").strip(), error.lineno or 0
            return Trouble(
                "raised", f"{type(error).__name__}: {error.msg}"[:400], line[:400], number
            )
        except BaseException as error:
            if type(error).__name__ == "TooSlow":
                return Trouble("slow", f"Stopped after {seconds:.0f} seconds.")
            return trouble_of(error, "")
        return None

    # ------------------------------------------------------------ answers

    def do_find(self, message: dict) -> dict:
        self.answer = message["answer"]
        found = self.answer in self.names
        near = ""
        if not found:
            near = exercises.names_like(self.answer, self.names)
        return {
            "found": found,
            "value": self.names.get(self.answer),
            "handle": self.handle(self.names.get(self.answer)),
            "near": near,
        }

    def begin(self, case: dict) -> None:
        """A case: random numbers start anew."""
        np.random.set_bit_generator(np.random.MT19937())
        np.random.seed(case["number"])
        random.seed(case["number"])
        self.until, self.answer = time.monotonic() + case["seconds"], case["answer"]

    def do_call(self, message: dict, answer: Any = None) -> dict:
        if message.get("in") and self.untaken:
            told, self.untaken = self.untaken, None
            return told
        arguments, named = message["arguments"], message["named"]
        arrays = _arrays((arguments, named))
        before = [array.copy(order="K") for array in arrays]
        maps = [one for one in (*arguments, *named.values()) if type(one) is dict]
        items = [dict(one) for one in maps]
        answer = answer or self.handles[message["of"]]

        def call():
            with self.place(message):
                return answer(*arguments, **named)

        reply = self.attempt(call)
        if message.get("in") and "trouble" not in reply:
            told = self.attempt(self.tell_growth)
            reply = told if "trouble" in told else told["value"] or reply
        reply["changed"] = [
            None if _same(array, old) else array for array, old in zip(arrays, before, strict=True)
        ]
        reply["changed maps"] = [
            None if _same_items(one, old) else one for one, old in zip(maps, items, strict=True)
        ]
        return reply

    def do_gradients(self, message: dict) -> dict:
        from labsupport.grading.mirror import gradients  # TensorFlow's, from before the fork

        replaced = guard.put_back()
        return {**self.do_call(message, gradients), "replaced": replaced}

    def place(self, message: dict) -> contextlib.AbstractContextManager:
        """Where an answer is called: with a graph of its own, in the prober's, or as it is."""
        if message.get("graph"):
            return _fresh_graph()
        if not message.get("in"):
            return contextlib.nullcontext()
        from labsupport.exercises.tf_common import building
        from labsupport.grading.mirror import DistantSession, in_place
        from labsupport.tf1 import tf

        place = contextlib.ExitStack()
        given = [value for value in message["arguments"] if isinstance(value, DistantSession)]
        # Who gets no session should only build.
        place.enter_context(given[0].as_default() if given else building(tf))
        place.enter_context(in_place(self.mirror.graph, message["place"]))
        return place

    def take(self, message: dict) -> None:
        """A graph of the prober's, or what has come to it."""
        from labsupport.grading.mirror import Mirror
        from labsupport.tf1 import tf

        if message["of"] != self.graph_number:
            self.graph_number, graph = message["of"], tf.Graph()
            graph.seed = message["seed"]
            self.mirror = Mirror(graph, lambda *call: self.ask("py_func", 0, call, {}))
        told = self.attempt(lambda: self.mirror.take(message["grown"]))
        self.untaken = told if "trouble" in told else None

    def tell_growth(self) -> dict | None:
        """With the next frame. Returns a reply if that cannot be."""
        grown = self.mirror.grown()
        try:
            if grown:
                self.frames.hold({"grown": grown})
        except wire.Malformed as error:
            return _too_large(error)
        return None

    def distant_session(self, handle: int) -> Any:
        """A session that the prober has, for an answer that runs something."""
        from labsupport.grading.mirror import DistantSession

        def run(targets, fetches, feeds):
            if self.mirror.is_larger() and self.tell_growth():
                raise ValueError("The graph is too large.")
            return self.ask("run", handle, (targets, fetches, feeds), {})

        return DistantSession(self.mirror.graph, run)

    def do_py_func(self, message: dict) -> dict:
        from labsupport.grading.mirror import call_function

        return self.attempt(lambda: call_function(message["token"], message["arguments"]))

    def do_line(self, message: dict) -> dict:
        from labsupport.exercises.tf_common import line_of

        return {"value": line_of(self.mirror.graph.get_operation_by_name(message["name"]))}

    def do_get(self, message: dict) -> dict:
        return self.attempt(lambda: getattr(self.handles[message["of"]], message["name"]))

    def do_set(self, message: dict) -> dict:
        return self.attempt(
            lambda: setattr(self.handles[message["of"]], message["name"], message["value"])
        )

    def do_names(self, message: dict) -> dict:
        def names():
            return [
                n for n in getattr(self.handles[message["of"]], "__dict__", {}) if type(n) is str
            ]

        return self.attempt(lambda: names()[:200])

    def attempt(self, do) -> dict:
        """What `do` gives, or the trouble it has, as a reply."""
        heard = Heard()
        try:
            with heard, time_limit(self.until - time.monotonic()):
                value = do()
            return {"value": value, "note": heard.note}
        except BaseException as error:
            if type(error).__name__ == "TooSlow":
                return {"trouble": ["slow", "", "", 0], "error": "Exception"}
            trouble = trouble_of(_in_plain_words(error), self.answer)
            base = next(
                (e.__name__ for e in KNOWN_ERRORS if issubclass(type(error), e)), "Exception"
            )
            if _of_a_run(error):
                base = "OpError"
            return {"trouble": wire.of_trouble(trouble), "error": base, "note": heard.note}

    def do_observe(self, message: dict) -> dict:
        """Probe here: for probes that handle what cannot cross."""
        exercise = exercises.find(message["exercise"])
        case = Case(message["case"], "", message["inputs"])
        answer = self.handles[message["of"]]
        put_back = guard.put_back if message["guarded"] else list
        before = put_back()
        seen = observe_case(exercise, answer, case, message["number"], message["seconds"])
        return {**wire.of_observation(seen), "replaced": [*before, *put_back()]}

    def do_key(self, message: dict) -> dict:
        """The key of an exercise as text, in bytes. Asked of the solved lesson only."""
        from labsupport.authoring import answer_key, catalogue, edits
        from labsupport.keys import dumps

        exercise = exercises.find(message["exercise"])
        edits.told[exercise.lesson] = message["cells"]
        try:
            source = message["mistakes"].tobytes().decode("utf-8")
            known = catalogue.read_text(source, message["name"])
            cases = exercise.cases(np.random.RandomState(message["seed"]))
            answer = self.names[exercise.answer]
            text = dumps(answer_key.make(exercise, answer, known.mistakes, cases))
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"[:400]}
        return {"value": np.frombuffer(text.encode(), np.uint8)}

    # ------------------------------------------------------------ what cannot cross

    def handle(self, value: Any) -> int:
        """A number for an object, the same for the same object."""
        for number, known in enumerate(self.handles):
            if known is value:
                return number
        self.handles.append(value)
        return len(self.handles) - 1

    def stand_in(self, value: Any) -> dict | None:
        if type(value) is Callback:
            return {"c": value._handle}
        name = self.mirror.name_of(value) if self.mirror else None
        if name is not None:
            return {"g": name}
        with contextlib.suppress(Exception):
            if callable(getattr(value, "numpy", None)):
                return None  # an eager tensor: its numbers cross
        kind = type.__dict__["__name__"].__get__(type(value))
        return {
            "h": self.handle(value),
            "type": kind[:60],
            "callable": callable(value),
            "signature": _signature(value),
        }

    def revive(self, said: dict) -> Any:
        if "h" in said:
            return self.handles[said["h"]]
        if "g" in said:
            return None if self.untaken else self.mirror.element(said["g"])
        if "gd" in said:
            from labsupport.tf1 import tf

            return tf.train.GradientDescentOptimizer(said["gd"])
        if said["type"] == "Session":
            return self.distant_session(said["c"])
        return Callback(self, said["c"], said["type"])

    def ask(self, what: str, handle: int, arguments: tuple, named: dict) -> Any:
        with self.asking:  # a submission may have threads
            return self._ask(what, handle, arguments, named)

    def _ask(self, what: str, handle: int, arguments: tuple, named: dict) -> Any:
        self.asked += 1
        number = self.asked
        said = {"ask": what, "of": handle, "arguments": arguments, "named": named, "n": number}
        self.frames.send(said, self.stand_in)
        while True:
            reply = self.frames.receive(self.revive)
            if "do" in reply:  # what it runs calls a function of ours
                self.obey(reply)
            elif reply.get("answer") == number:  # else one to a question that was given up
                break
        if "code" in reply:
            from labsupport.grading.mirror import to_error

            raise to_error(reply, self.mirror.graph)
        if "raised" in reply:
            known = (*KNOWN_ERRORS, Unusable)
            kind = next((e for e in known if e.__name__ == reply["kind"]), Exception)
            raise kind(reply["raised"])
        return reply["value"]


@contextlib.contextmanager
def _fresh_graph():
    """What `exercises.tf_common.trial` gives an answer to build in."""
    from labsupport.exercises.tf_common import building
    from labsupport.tf1 import tf

    with tf.Graph().as_default(), building(tf, may_run=True):
        tf.set_random_seed(0)
        yield


def _in_plain_words(error: BaseException) -> BaseException:
    """An error of a running TensorFlow graph, as the sentence that probes make of it."""
    if not _of_a_run(error):
        return error
    from labsupport.exercises.tf_common import about_running

    return Unusable(about_running(error))


def _of_a_run(error: BaseException) -> bool:
    """Whether it is an error of a running TensorFlow graph."""
    known = sys.modules.get("tensorflow.python.framework.errors_impl")
    return known is not None and issubclass(type(error), known.OpError)


def _arrays(value: Any) -> list[np.ndarray]:
    """The arrays among arguments, in order."""
    if isinstance(value, np.ndarray):
        return [value]
    if type(value) in (list, tuple):
        return [array for item in value for array in _arrays(item)]
    if type(value) is dict:
        return [array for item in value.values() for array in _arrays(item)]
    return []


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _same_items(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(one[key] is other[key] for key in one)


def _signature(value: Any) -> list | None:
    """Parameters as [name, kind, has a default]; None if nothing is known of them."""
    try:
        parameters = inspect.signature(value).parameters.values()
        return [[p.name, int(p.kind), p.default is not p.empty] for p in parameters][:50]
    except Exception:
        return None


# ---------------------------------------------------------------- notebooks' own ways


def _without_magics(source: str) -> str:
    """Plain Python: `%magic` and `!command` become calls that do nothing."""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


class _Shell:
    """What `get_ipython()` gives here: magics that time something run it, others do nothing."""

    TIMED = ("time", "timeit", "prun", "capture")

    def __init__(self, names: dict[str, Any]):
        self.user_ns = names

    def run_line_magic(self, name: str, line: str, *_more: Any) -> Any:
        if name not in self.TIMED or name == "capture":
            return None
        names = dict(self.user_ns) if name == "timeit" else self.user_ns
        with contextlib.suppress(SyntaxError):
            return eval(compile(line.strip(), "<cell>", "eval", dont_inherit=True), names)
        exec(compile(line, "<cell>", "exec", dont_inherit=True), names)
        return None

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        if name in self.TIMED:  # what is timed again and again has names of its own
            names = dict(self.user_ns) if name == "timeit" else self.user_ns
            exec(compile(_without_magics(cell), "<cell>", "exec", dont_inherit=True), names)
        if name in ("writefile", "file"):
            flags, path = [w for w in line.split() if w == "-a"], line.split()[-1]
            with open(path, "a" if flags else "w", encoding="utf-8") as file:
                file.write(cell)

    def __getattr__(self, _name: str):
        return _nothing
