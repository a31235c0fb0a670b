"""Resource variables of a TensorFlow 1 graph, made in a fraction of the time of `tf.Variable`.

The probes make thousands of variables. `tf.Variable` calls Python for each of the five operations
that a variable consists of; here those of several variables are written into one GraphDef.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labsupport.exercises import tf_nodes


def make(value: np.ndarray, name: str, trainable: bool) -> Any:
    """What `tf.Variable(value, trainable, name=name, use_resource=True)` makes in this graph."""
    return make_all({name: value}, [name] if trainable else [])[0]


def make_all(values: Mapping[str, np.ndarray], trainable: Any = ()) -> list[Any]:
    """What `make` makes of each name and start value. trainable: the names of those that are."""
    from tensorflow.core.framework.variable_pb2 import VariableDef
    from tensorflow.python.ops.resource_variable_ops import ResourceVariable

    from labsupport.tf1 import tf

    graph, part, definitions = tf.get_default_graph(), tf.GraphDef(), []
    part.versions.producer = tf.GRAPH_DEF_VERSION
    for name, value in values.items():
        full = graph.unique_name(name)
        _write(part, full, value, tf)
        definitions.append(
            VariableDef(
                variable_name=f"{full}:0",
                initializer_name=f"{full}/Assign",
                snapshot_name=f"{full}/Read/ReadVariableOp:0",
                initial_value_name=f"{full}/Initializer/initial_value:0",
                is_resource=True,
                trainable=name in trainable,
            )
        )
    with tf.control_dependencies(None):
        tf_nodes.add(graph, part)
    made = []
    for definition in definitions:
        made.append(ResourceVariable.from_proto(definition))
        graph.add_to_collection(tf.GraphKeys.GLOBAL_VARIABLES, made[-1])
        if definition.trainable:
            graph.add_to_collection(tf.GraphKeys.TRAINABLE_VARIABLES, made[-1])
    return made


def _write(part: Any, full: str, value: np.ndarray, tf: Any) -> None:
    """Add the operations of a variable to a GraphDef."""
    kind, beside = tf.as_dtype(value.dtype).as_datatype_enum, b"loc:@" + full.encode()

    start = part.node.add(name=f"{full}/Initializer/initial_value", op="Const")
    start.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    start.attr["_class"].list.s.append(beside)
    handle = part.node.add(name=full, op="VarHandleOp")
    handle.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
    handle.attr["shared_name"].s = full.encode()
    handle.attr["debug_name"].s = full.encode() + b"/"
    handle.attr["_class"].list.s.append(beside)
    told = part.node.add(name=f"{full}/IsInitialized/VarIsInitializedOp", op="VarIsInitializedOp")
    told.input[:] = [full]
    assign = part.node.add(name=f"{full}/Assign", op="AssignVariableOp")
    assign.input[:] = [full, start.name]
    read = part.node.add(name=f"{full}/Read/ReadVariableOp", op="ReadVariableOp")
    read.input[:] = [full]
    for node in (start, handle, assign, read):
        node.attr["dtype"].type = kind
