"""A TensorFlow 1 graph in two processes: one builds on it, the other runs it.

The prober (see prober.py) makes a graph and runs it; the answer, in the submission's process,
builds on a graph that looks the same. What either adds is carried to the other as a GraphDef, its
collections and names: data that says what to compute, and executes nothing when it is read.

`tf.py_func`, `tf.numpy_function` and `tf.py_function` are carried as calls of the process that they
belong to; calls of a `tf.function` as what it does (see inlining.py). Changes to operations that
both sides have already are not carried, but for what these wait for.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tensorflow.python.client.session import BaseSession, Session
from tensorflow.python.eager import context
from tensorflow.python.framework import errors_impl, ops
from tensorflow.python.ops.gradients_impl import gradients  # noqa: F401  see child.py
from tensorflow.python.ops.resource_variable_ops import ResourceVariable, _UnreadVariable
from tensorflow.python.ops.script_ops import EagerFunc, _py_funcs
from tensorflow.python.ops.variables import Variable

from labsupport.exercises import tf_nodes
from labsupport.grading.inlining import call_of, inlined
from labsupport.observe import MAX_NUMBERS
from labsupport.tf1 import tf

MAX_NODES = 20_000
CALLS_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
CONTEXTS = ("cond_context", "while_context")


class Mirror:
    """One side's graph, and what the other side knows of it.

    call: calls a Python function of the other side's, from its token and arrays.
    known: operations that both sides have, and which others they wait for.
    """

    def __init__(self, graph: Any, call: Callable[[str, list[np.ndarray]], Any]):
        self.graph, self.call = graph, call
        self.known: dict[str, set[str]] = {}
        self._known_functions: set[str] = set()
        self._functions_taken: dict[str, Any] = {}
        self._inside: list[str] = []  # operations of functions, new in the graph
        self._variables: dict[str, Any] = {}
        self._written: dict[int, tuple[Any, list[str]]] = {}
        self._told: dict[str, list] = {}
        self._functions: list[Any] = []  # TensorFlow itself keeps only a weak hold on them

    # ------------------------------------------------------------ telling

    def is_larger(self) -> bool:
        """Whether operations have come to this graph since the other side last knew it."""
        return len(self.known) < self.graph.version

    def grown(self) -> dict[str, Any]:
        """What has come to this graph since the last time, for the other side's `take`."""
        said: dict[str, Any] = {}
        whole = self.graph.as_graph_def()
        with_functions = bool(whole.library.function)
        if with_functions:  # which have shapes in them, too
            whole = self.graph.as_graph_def(add_shapes=True)
        fresh = [node for node in whole.node if node.name not in self.known]
        waits = [
            [node.name, source]
            for node in whole.node
            if node.name in self.known
            for source in _waits_for(node) - self.known[node.name]
        ]
        if waits:
            said["waits"] = waits
        for name, source in waits:
            self.known[name].add(source)
        if fresh:
            if not with_functions:
                self._write_shapes(fresh)
            library = [one for one in whole.library.function if self._is_new(one.signature.name)]
            data = np.frombuffer(_definition(whole, fresh, library), np.uint8)
            said["nodes"] = [data[i : i + MAX_NUMBERS] for i in range(0, len(data), MAX_NUMBERS)]
        self.known |= {node.name: _waits_for(node) for node in fresh}
        collections = {
            name: [
                told
                for one in self.graph.get_collection_ref(name)
                if (told := self.name_of(one, name))
            ]
            for name in self.graph.get_all_collection_keys()
            if not name.startswith("__")
        }
        changed = {n: items for n, items in collections.items() if self._told.get(n) != items}
        if changed:
            self._told.update(changed)
            said["collections"] = changed
        return said

    def _write_shapes(self, nodes: list[Any]) -> None:
        """Beside operations, as `as_graph_def(add_shapes=True)` does with all: `set_shape` may have
        told them."""
        for node in nodes:
            outputs = self.graph.get_operation_by_name(node.name).outputs
            if outputs:
                shapes = [output.get_shape().as_proto() for output in outputs]
                node.attr["_output_shapes"].list.shape.extend(shapes)

    def name_of(self, value: Any, collection: str = "") -> list[str] | None:
        """What stands for an element of this graph; None for anything else."""
        if collection in CONTEXTS:
            return self._in_full("context", collection, value)
        if isinstance(value, _UnreadVariable):
            value = value._graph_element
        if not isinstance(value, tf.Tensor | tf.Operation | Variable):
            return None
        if getattr(value, "graph", None) is not self.graph:
            return None
        if isinstance(value, Variable):
            self._variables[value.name] = value
            return self._in_full("variable", value.name, value)
        return ["operation" if isinstance(value, tf.Operation) else "tensor", value.name]

    def _in_full(self, kind: str, name: str, value: Any) -> list[str]:
        """What stands for something that the other side may have to make; written out once."""
        if id(value) not in self._written:
            self._written[id(value)] = value, [kind, name, _text(value.to_proto())]
        return self._written[id(value)][1]

    # ------------------------------------------------------------ taking

    def take(self, said: dict[str, Any]) -> None:
        """Add what the other side's `grown` told. Raises ValueError if it does not fit."""
        with self.graph.as_default(), tf.control_dependencies(None), tf.name_scope(None):
            if said.get("nodes"):
                data = b"".join(part.tobytes() for part in said["nodes"])
                self._take_nodes(tf.GraphDef.FromString(data))
            for name, source in said.get("waits") or ():
                self._wait(name, source)
            for name, items in (said.get("collections") or {}).items():
                self._fill(name, iter([self.element(item) for item in items]))
                self._told[name] = items
            for name in self._inside:
                call = self.graph.get_operation_by_name(call_of(name))
                place = call._get_control_flow_context()  # gradients ask for it
                self.graph.get_operation_by_name(name)._set_control_flow_context(place)
            self._inside.clear()

    def _fill(self, name: str, elements: Iterator[Any]) -> None:
        """Put a collection's elements of the graph where there were some; all else stays."""
        collection = self.graph.get_collection_ref(name)
        kept = [
            one if self.name_of(one, name) is None else next(elements, None) for one in collection
        ]
        collection[:] = [*(one for one in kept if one is not None), *elements]

    def _is_new(self, function: str) -> bool:
        """Whether the other side does not know a function yet; from now on it does."""
        new = function not in self._known_functions
        self._known_functions.add(function)
        return new

    def _take_nodes(self, part: Any) -> None:
        self._take_functions(part)
        names = {node.name: _waits_for(node) for node in part.node}
        if len(names) > MAX_NODES or names.keys() & self.known.keys():
            raise ValueError("The graph is too large, or has a name twice.")
        earlier: dict[str, Any] = {}
        waits = []
        for node in part.node:
            for source in [s for s in node.input if _operation(s) not in names]:
                if source.startswith("^"):
                    node.input.remove(source)
                    waits.append((node.name, source[1:]))
                else:
                    full = source if ":" in source else f"{source}:0"
                    earlier[source] = self.graph.get_tensor_by_name(full)
        tf_nodes.add(self.graph, part, earlier)
        self.known |= names
        for name, source in waits:
            self._wait(name, source)

    def _take_functions(self, part: Any) -> None:
        """Add the functions of a GraphDef, and put what they do in the place of their calls."""
        new = part.library.function
        self._call_there([*part.node, *(node for one in new for node in one.node_def)])
        if new:
            self._known_functions.update(one.signature.name for one in new)
            self._functions_taken.update({one.signature.name: one for one in new})
            tf.import_graph_def(tf.GraphDef(library=part.library, versions=part.versions), name="")
        if self._functions_taken:
            nodes = inlined(part.node, self._functions_taken, self.graph, MAX_NODES)
            del part.node[:]
            part.node.extend(nodes)
            part.ClearField("library")
            self._inside += [node.name for node in nodes if call_of(node.name) != node.name]

    def _call_there(self, nodes: list[Any]) -> None:
        """Make calls of the other side's Python functions of those among nodes that call Python."""
        for node in nodes:
            if node.op in CALLS_PYTHON:
                if node.op == "EagerPyFunc":
                    node.op = "PyFunc"
                    node.attr.pop("is_async", None)
                    node.attr["_gradient_op_type"].s = b"over there"  # and not: none
                node.attr["token"].s = self._stand_in_for(node.attr["token"].s.decode()).encode()

    def _wait(self, name: str, source: str) -> None:
        operation = self.graph.get_operation_by_name(name)
        operation._add_control_inputs([self.graph.get_operation_by_name(source)])
        self.known[name].add(source)

    def element(self, said: Any) -> Any:
        """What `name_of` on the other side stands for. Raises ValueError, KeyError."""
        kind, name = said[0], said[1]
        if kind == "tensor":
            return self.graph.get_tensor_by_name(name)
        if kind == "operation":
            return self.graph.get_operation_by_name(name)
        if kind == "context" and name in CONTEXTS:
            return self._context(name, said[2])
        if kind != "variable":
            raise ValueError("This is no element of a graph.")
        self._know_own_variables()
        if name not in self._variables:
            definition = _proto(tf.GraphKeys.GLOBAL_VARIABLES, said[2])
            with self.graph.as_default():
                made = ResourceVariable if definition.is_resource else tf.Variable
                self._variables[name] = made.from_proto(definition)
        return self._variables[name]

    def _context(self, collection: str, text: str) -> Any:
        """A control flow context, which gradients of what is in it need."""
        said = ["context", collection, text]
        for known, written in self._written.values():
            if written == said:
                return known
        context = ops.get_from_proto_function(collection)(_proto(collection, text))
        self._written[id(context)] = context, said
        return context

    def _know_own_variables(self) -> None:
        for key in (tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.LOCAL_VARIABLES):
            for variable in self.graph.get_collection_ref(key):
                self._variables.setdefault(variable.name, variable)

    def _stand_in_for(self, token: str) -> str:
        """The token of a function here that calls the one of this token over there."""

        def ask(*arrays):
            return self.call(token, list(arrays))

        self._functions.append(ask)
        return _py_funcs.insert(ask)


def _definition(whole: Any, nodes: list[Any], functions: list[Any]) -> bytes:
    """A part of a GraphDef, with some functions, and what gradients all of them have."""
    part = tf.GraphDef(versions=whole.versions)
    part.node.extend(nodes)
    if functions:
        part.library.function.extend(functions)
        part.library.gradient.extend(whole.library.gradient)
    for node in part.node:
        node.attr.pop("_class", None)  # where to place it: nothing to choose here
    return part.SerializeToString()


def _waits_for(node: Any) -> set[str]:
    return {source[1:] for source in node.input if source.startswith("^")}


def _operation(source: str) -> str:
    return source.lstrip("^").partition(":")[0]


def _text(message: Any) -> str:
    """A protocol buffer as text."""
    return base64.b64encode(message.SerializeToString()).decode()


def _proto(collection: str, text: str) -> Any:
    """The protocol buffer of the kind that a collection has."""
    return ops.get_collection_proto_type(collection).FromString(base64.b64decode(text))


# ---------------------------------------------------------------- places and functions


def place_here() -> list[Any]:
    """The scopes of names and variables that are open in the default graph."""
    scope = tf.get_variable_scope()
    return [tf.get_default_graph().get_name_scope(), scope.name, bool(scope.reuse)]


@contextlib.contextmanager
def in_place(graph: Any, place: list[Any]) -> Iterator[None]:
    """With `graph` as the default one and the scopes open that `place_here` told."""
    names, variables, reuse = place
    with graph.as_default():
        if not names and not variables:
            yield
            return
        with (
            tf.variable_scope(variables, reuse=reuse or None, auxiliary_name_scope=False),
            tf.name_scope(f"{names}/" if names else None),
        ):
            yield


def call_function(token: str, arrays: list[np.ndarray]) -> Any:
    """Call a function that this process gave to `tf.py_func` or `tf.py_function`."""
    function = _py_funcs.get(token)
    if function is None:
        raise ValueError("There is no such function.")
    if not isinstance(function, EagerFunc):
        return function(*arrays)
    with context.eager_mode():
        found = function(None, token, [tf.convert_to_tensor(array) for array in arrays])
        found = found if isinstance(found, list | tuple) else [found]
        return [one.numpy() for one in found if one is not None]


# ---------------------------------------------------------------- running


class DistantSession(Session):
    """A session whose runs happen on the other side.

    ask: runs names of operations and tensors with feeds (a list of name, array); gives the values.
    """

    def __init__(self, graph: Any, ask: Callable[[list[str], list[str], list], list]):
        super().__init__(graph=graph)
        self._ask = ask

    def _do_run(self, handle, target_list, fetch_list, feed_dict, options, run_metadata):
        targets = [operation.name for operation in target_list]
        fetches = [tensor.name for tensor in fetch_list]
        feeds = [[key.deref().name, np.asarray(value)] for key, value in feed_dict.items()]
        return self._ask(targets, fetches, feeds)

    def _make_callable_from_options(self, options):  # Keras's functions use it
        targets, fetches, given = list(options.target), list(options.fetch), list(options.feed)

        def run(*values, run_metadata=None):
            feeds = [[n, np.asarray(value)] for n, value in zip(given, values, strict=True)]
            return self._ask(targets, fetches, feeds)

        return run

    def __enter__(self):  # nor may one that is the default one already, in a single process
        raise RuntimeError("This session is the default one already: use it without `with`.")

    def close(self):
        raise RuntimeError("This session is not yours to close: others go on with it.")

    def make_callable(self, fetches, feed_list=None, accept_options=False):
        return lambda *values: self.run(fetches, dict(zip(feed_list or [], values, strict=False)))


def run(session: BaseSession, targets: Any, fetches: Any, feeds: Any) -> list:
    """What a DistantSession asked for. Raises tf.errors.OpError, KeyError, ValueError."""
    graph = session.graph
    wanted = [graph.get_tensor_by_name(name) for name in fetches]
    beside = [graph.get_operation_by_name(name) for name in targets]
    given = {graph.get_tensor_by_name(name): value for name, value in feeds}
    return session.run([wanted, beside], given)[0]


def of_error(error: Any) -> dict[str, Any]:
    """An error of a run, for the other side."""
    name = error.op.name if error.op is not None else ""
    text = str(error.message)[:2000]
    return {"raised": text, "kind": "OpError", "code": error.error_code, "op": name}


def to_error(said: dict[str, Any], graph: Any) -> Exception:
    """The error that the other side had in a run."""
    operation = None
    with contextlib.suppress(KeyError, ValueError, TypeError):
        operation = graph.get_operation_by_name(said["op"])
    node = operation.node_def if operation is not None else None
    return errors_impl._make_specific_exception(
        node, operation, str(said["raised"]), int(said["code"])
    )
