"""Operations written into a graph in half the time of `tf.import_graph_def`.

That function adds default attributes, devices and colocations in Python, operation by operation.
Here TensorFlow's C interface alone does it, as it does in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def add(graph: Any, part: Any, earlier: Mapping[str, Any] | None = None) -> None:
    """Add the operations of a GraphDef, under the names that they have in it.

    earlier: tensors of the graph, by what stands for them among the inputs. Raises ValueError or an
    OpError if something does not fit. What has functions in it, TensorFlow's own import adds.
    """
    from tensorflow.python.client import pywrap_tf_session as c_api
    from tensorflow.python.framework import c_api_util, errors

    from labsupport.tf1 import tf

    if part.library.function:
        with graph.as_default():
            tf.import_graph_def(part, input_map=dict(earlier or {}), name="")
        return
    options = c_api_util.ScopedTFImportGraphDefOptions()
    for source, tensor in (earlier or {}).items():
        name, _colon, number = source.partition(":")
        c_api.TF_ImportGraphDefOptionsAddInputMapping(
            options.options, name, int(number or 0), tensor._as_tf_output()
        )
    with graph._mutation_lock(), graph._c_graph.get() as c_graph:
        text = c_api.TF_NewBufferFromString(part.SerializeToString())
        try:
            results = c_api.TF_GraphImportGraphDefWithResults(c_graph, text, options.options)
            c_api_util.ScopedTFImportGraphDefResults(results)  # freed with it
        except errors.InvalidArgumentError as error:
            raise ValueError(str(error)) from None
        finally:
            c_api.TF_DeleteBuffer(text)
        graph._add_new_tf_operations(compute_devices=False)
