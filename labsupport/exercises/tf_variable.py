"""A resource variable of a TensorFlow 1 graph, made in a third of the time of `tf.Variable`.

The probes make thousands of variables. `tf.Variable` calls Python for each of the five operations
that a variable consists of; here they are read from one GraphDef, in which only name, shape and
initial value are new.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

PATTERN = "variable_pattern"


def make(value: np.ndarray, name: str, trainable: bool) -> Any:
    """What `tf.Variable(value, trainable, name=name, use_resource=True)` makes in this graph."""
    from tensorflow.python.ops.resource_variable_ops import ResourceVariable

    from labsupport.tf1 import tf

    graph = tf.get_default_graph()
    full = graph.unique_name(name)
    nodes, definition = _pattern(value.dtype)
    nodes, variable = tf.GraphDef.FromString(nodes), type(definition)()
    variable.CopyFrom(definition)
    for node in nodes.node:
        node.name = node.name.replace(PATTERN, full)
        node.input[:] = [source.replace(PATTERN, full) for source in node.input]
        if node.op == "Const":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        if node.op == "VarHandleOp":
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
        for kind in ("shared_name", "debug_name"):
            if kind in node.attr:
                node.attr[kind].s = node.attr[kind].s.replace(PATTERN.encode(), full.encode())
        if "_class" in node.attr:
            node.attr["_class"].list.s[:] = [b"loc:@" + full.encode()]
    for field, text in variable.ListFields():
        if field.name.endswith("_name"):
            setattr(variable, field.name, text.replace(PATTERN, full))
    variable.trainable = trainable
    with tf.control_dependencies(None), tf.name_scope(None):
        tf.import_graph_def(nodes, name="")
    made = ResourceVariable.from_proto(variable)
    for collection in (tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.TRAINABLE_VARIABLES)[
        : 1 + trainable
    ]:
        graph.add_to_collection(collection, made)
    return made


@lru_cache
def _pattern(dtype: np.dtype) -> tuple[bytes, Any]:
    """The GraphDef and the VariableDef of a variable of this type, called PATTERN."""
    from labsupport.tf1 import tf

    with tf.Graph().as_default() as graph:
        made = tf.Variable(np.zeros(1, dtype), name=PATTERN, use_resource=True)
        return graph.as_graph_def().SerializeToString(), made.to_proto()
