"""The clean process beside a submission's: probes TensorFlow answers, and never runs their code.

It is forked from the same warm process, into namespaces of its own. The grader tells it what to
observe; the answer is called through a channel to the submission's process, with a mirror of the
probe's graph (see mirror.py). What the answer built comes back as a graph, and is run here. So
nothing that a student's Python does can reach the probe, or what it says.
"""

from __future__ import annotations

import socket
import sys
import threading
from typing import Any

import numpy as np

from labsupport import exercises
from labsupport.grading import remote, wire
from labsupport.observe import MAX_TEXT, TooSlow
from labsupport.vocabulary import Case, Elsewhere, Trouble


def get_ready() -> None:
    """What every process would otherwise import or look up for itself, and may before the fork."""
    if "tensorflow" in sys.modules:
        _look_up()
    if "labsupport.tf1" in sys.modules:
        from labsupport.grading import mirror  # noqa: F401


def _look_up() -> None:
    """Fill what TensorFlow keeps of kernels and of types of values; it starts no thread."""
    from collections import abc

    from tensorflow.python.framework import (
        composite_tensor,
        dtypes,
        indexed_slices,
        kernels,
        ops,
        sparse_tensor,
        tensor,
        tensor_shape,
        type_spec,
    )
    from tensorflow.python.framework import tensor_conversion_registry as conversions
    from tensorflow.python.ops import control_flow_ops, resource_variable_ops
    from tensorflow.python.ops.ragged import dynamic_ragged_shape, ragged_tensor
    from tensorflow.python.types import core
    from tensorflow.python.util import nest, pywrap_xla_ops

    kernels.get_registered_kernels_for_op("NoOp")
    pywrap_xla_ops.get_cpu_kernel_names()  # or the first run of a session registers them
    nest.flatten([[0, 0.0, True, "", None, np.zeros(1)], (), {}])
    graph = (
        ops.SymbolicTensor,
        resource_variable_ops.ResourceVariable,
        resource_variable_ops._UnreadVariable,
        ops.Operation,
        tensor.Tensor,
    )
    numbers = (bool, int, float, np.float32, np.float64, np.int64)
    python = (*numbers, list, tuple, dict, str, type, type(None), np.ndarray)
    of_numpy = tuple(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?"))
    asked = (  # whether something is one of these
        composite_tensor.CompositeTensor,
        dtypes.DType,
        dynamic_ragged_shape.DynamicRaggedShape,
        indexed_slices.IndexedSlices,
        ragged_tensor.RaggedTensor,
        resource_variable_ops.BaseResourceVariable,
        sparse_tensor.SparseTensor,
        tensor_shape.TensorShape,
        type_spec.TypeSpec,
        control_flow_ops.CondContext,
        control_flow_ops.WhileContext,
        abc.Mapping,
        abc.MappingView,
        abc.MutableMapping,
        abc.Sequence,
        core.TensorProtocol,
    )
    others = (*of_numpy, core.Tensor, core.TensorProtocol, control_flow_ops.CondContext)
    for kind in (*graph, *python, *others):
        for one in asked:
            issubclass(kind, one)
    for kind in (*graph[:2], *python[:9], np.ndarray):
        conversions.get(kind)


def serve(channel: socket.socket, peer: socket.socket) -> None:
    """Observe as the channel says, through `peer`, until it is closed."""
    prober = Prober(peer)
    while True:
        try:
            message = wire.unpack(*wire.receive(channel))
            frame = wire.pack(prober.observe(message))
        except (wire.Closed, wire.Malformed):
            return
        wire.send(channel, frame)


class Prober:
    """Probes the answers of one submission."""

    def __init__(self, peer: socket.socket):
        self.peer = peer
        self.session: remote.Session | None = None
        self.answers: dict[str, Any] = {}

    def observe(self, message: dict) -> dict:
        """An observation as the grader wants it, or how the submission's process was lost."""
        exercise = exercises.find(message["exercise"])
        case = Case(message["case"], "", message["inputs"])
        try:
            if self.session is None:
                self.session = _session(self.peer, message["grace"])
            if exercise.id not in self.answers:
                self.answers[exercise.id] = self.session.find(exercise.answer)[1]
            seen = self.session.observe_here(
                exercise, self.answers[exercise.id], case, message["number"], message["seconds"]
            )
        except remote.GONE as error:
            return {"gone": type(error).__name__}
        replaced, self.session.replaced = self.session.replaced, []
        return {**wire.of_observation(seen), "replaced": replaced}


def _session(peer: socket.socket, grace: float) -> remote.Session:
    graphs = "labsupport.tf1" in sys.modules  # imported before the fork, or of no use here
    return GraphSession(peer, grace) if graphs else remote.Session(peer, grace)


class GraphSession(remote.Session):
    """A session whose answers may build on the default graph here, and run its sessions."""

    def __init__(self, channel: socket.socket, grace: float):
        from tensorflow.python.client.session import BaseSession
        from tensorflow.python.framework.ops import _default_graph_stack

        from labsupport.grading import mirror
        from labsupport.tf1 import tf

        super().__init__(channel, grace)
        self.tf, self.mirrors, self.sessions = tf, mirror, BaseSession
        self.graphs = _default_graph_stack
        self.mirror: mirror.Mirror | None = None
        self.number = 0
        self.using = False
        self.untaken: Exception | None = None  # why what grew over there is not here
        self.talking = threading.Lock()

        class RemoteOpError(Elsewhere, tf.errors.OpError):
            """An error that a running graph had, caught nowhere over there."""

            def __init__(self, trouble):
                Exception.__init__(self, trouble.text)
                self.trouble = trouble

        self.errors["OpError"] = RemoteOpError

    def use(self, do: str, handle: int, **more: Any) -> Any:
        if do in ("call", "gradients") and self.graphs.stack:
            more["in"] = self.share()
            more["place"] = self.mirrors.place_here()
        self.using = True
        try:
            value = super().use(do, handle, **more)
            error = self.untaken
        finally:
            self.using, self.untaken = False, None
        if error is not None:
            raise self.elsewhere(error)
        return value

    def elsewhere(self, error: Exception) -> Elsewhere:
        """Why what grew over there is not here, as an error that the answer raised."""
        from labsupport.exercises.tf_common import about_running

        if isinstance(error, self.tf.errors.OpError):
            return self.errors["OpError"](Trouble("unusable", about_running(error)))
        return self.errors["ValueError"](Trouble("raised", f"ValueError: {error}"[:MAX_TEXT]))

    def share(self) -> int:
        """Tell what has come to the default graph here, with the next message.

        Returns the graph's number.
        """
        graph = self.tf.get_default_graph()
        if self.mirror is None or self.mirror.graph is not graph:
            self.mirror = self.mirrors.Mirror(graph, self.call_there)
            self.number += 1
            graph.line_elsewhere = self.line_of
        grown = self.mirror.grown()
        self._hold({"do": "graph", "of": self.number, "seed": graph.seed, "grown": grown})
        return self.number

    def call_there(self, token: str, arrays: list[np.ndarray]) -> Any:
        """A function that `tf.py_func` was given over there. Comes from TensorFlow's threads."""
        with self.talking:
            return super().use("py_func", 0, token=token, arguments=tuple(arrays))

    def line_of(self, name: str) -> str:
        """The student's line that made an operation."""
        name = self.mirrors.call_of(name)
        if name not in self.mirror.known:
            return ""  # an operation of a gradient that was made here
        said = super().use("line", 0, name=name)
        return said[:120] if isinstance(said, str) else ""

    def _answer(self, question: dict) -> dict:
        asked, arguments = question.get("ask"), question.get("arguments")
        if not isinstance(asked, str) or asked not in ("run", "py_func"):
            return super()._answer(question)
        try:
            if self.untaken is not None:
                error, self.untaken = self.untaken, None
                raise error
            if asked == "py_func":
                return {"value": self.mirrors.call_function(*arguments)}
            session = self._here[question["of"]]
            if not isinstance(session, self.sessions):
                raise TypeError("this is no session")
            return {"value": self.mirrors.run(session, *arguments)}
        except self.tf.errors.OpError as error:
            return self.mirrors.of_error(error)
        except TooSlow:
            raise
        except Exception as error:
            return {"raised": f"{error}"[:300], "kind": "ValueError"}

    def _takes(self, message: dict) -> bool:
        """Whether it was what has grown over there. That is here now, or `untaken` says why not."""
        if "grown" not in message or self.mirror is None or not self.using:
            return False
        try:
            self.mirror.take(message["grown"])
        except TooSlow:
            raise
        except Exception as error:
            self.untaken = error
        return True

    def _stand_in(self, value: Any) -> dict:
        name = self.mirror.name_of(value) if self.mirror else None
        if name is not None:
            return {"g": name}
        if isinstance(value, self.tf.train.GradientDescentOptimizer):
            return {"gd": float(value._learning_rate)}
        if isinstance(value, self.sessions):
            return {**super()._stand_in(value), "type": "Session"}
        return super()._stand_in(value)

    def _revive(self, said: Any) -> Any:
        if "g" not in said:
            return super()._revive(said)
        if self.untaken is not None:
            return None  # it stands for something that is not here
        try:
            return self.mirror.element(said["g"])
        except Exception:
            raise wire.Malformed("There is no such element of the graph.") from None
