"""Calls of functions in a GraphDef, replaced by what the functions do.

The gradient of a call is known to the process alone that made the function (`tf.function` keeps it
in Python). Elsewhere TensorFlow falls back on gradients written in C++, of which it has none for a
conditional or a loop, among others. Of the operations in the function every process knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
#: Between the name of a call and the names of the operations in the function.
INSIDE = "/inside/"
MAX_DEPTH = 20


def inlined(nodes: Any, functions: Mapping[str, Any], graph: Any, most: int) -> list[Any]:
    """Nodes in which each call of one of `functions` (FunctionDefs) is what it would run.

    Under the call's own name comes an operation that passes on the function's outputs, and waits
    for all that the function does. graph: one that knows the functions. Raises ValueError if there
    are more than `most` nodes then.
    """
    done: list[Any] = []
    bodies: dict[str, tuple[Any, dict[str, str]]] = {}
    todo = [(node, 0) for node in reversed(nodes)]
    while todo:
        node, depth = todo.pop()
        function = functions.get(node.attr["f"].func.name) if node.op in CALLS else None
        if function is None or function.signature.attr or depth == MAX_DEPTH:
            done.append(node)
        else:
            name = function.signature.name
            if name not in bodies:
                with graph.as_default():
                    bodies[name] = function_def_to_graph_def(function)
            todo += [(one, depth + 1) for one in reversed(_body(node, function, *bodies[name]))]
        if len(done) + len(todo) > most:
            raise ValueError("The functions in the graph are too large.")
    return done


def call_of(name: str) -> str:
    """The name of the call in whose place an operation is; its own if it is in no function."""
    return name.partition(INSIDE)[0]


def _body(call: Any, function: Any, body: Any, flat: Mapping[str, str]) -> list[Any]:
    """The nodes that take the place of a call.

    body, flat: what `function_def_to_graph_def` makes of the function.
    """
    wanted = function.signature.input_arg
    data = [source for source in call.input if not source.startswith("^")]
    waits = [source for source in call.input if source.startswith("^")]
    if len(data) != len(wanted):
        raise ValueError("A function is called with other inputs than it takes.")
    prefix = call.name + INSIDE
    # A call does nothing before what it waits for, and nothing in a branch that is not taken.
    made = []
    for arg, source in zip(wanted, data, strict=True):
        node = NodeDef(name=f"{prefix}{arg.name}", op="Identity", input=[source, *waits])
        node.attr["T"].type = arg.type
        made.append(node)
    start = [f"^{node.name}" for node in made] or waits

    def there(source: str) -> str:
        mark, bare = ("^", source[1:]) if source.startswith("^") else ("", source)
        return mark + prefix + bare

    for node in body.node[len(wanted) :]:
        copy = NodeDef()
        copy.CopyFrom(node)
        copy.name = prefix + node.name
        copy.input[:] = [*map(there, node.input)] or start
        copy.attr.pop("_class", None)  # where to place it: nothing to choose here
        made.append(copy)
    gives = function.signature.output_arg
    last = NodeDef(name=call.name, op="IdentityN" if gives else "NoOp")
    last.input[:] = [there(flat[function.ret[arg.name]]) for arg in gives]
    last.input.extend([*(f"^{prefix}{name}" for name in function.control_ret.values()), *start])
    if gives:
        last.attr["T"].list.type.extend(arg.type for arg in gives)
    return [*made, last]
