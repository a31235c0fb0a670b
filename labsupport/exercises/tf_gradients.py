"""Whether the gradient that TensorFlow sends back is the derivative of what an answer computes.

An answer's values may be right while `tf.stop_gradient`, or a gradient written by hand, spoils what
training would make of them. To build gradients takes TensorFlow twice as long as to build what they
are of, so they are built only where something on the way may change them; and then compared with
central differences of y itself, as in lesson 03.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from labsupport.exercises.tf_common import NO_GRADIENT, Trial
from labsupport.vocabulary import Odd

DERIVATIVE, OTHER = "the derivative of y", "not the derivative of y"

#: Operations whose gradient in TensorFlow is the derivative of what they compute.
PLAIN = frozenset(
    ["Add", "AddN", "AddV2", "BiasAdd", "BroadcastTo", "Cast", "ConcatV2", "Div", "Einsum", "Exp"]
    + ["ExpandDims", "Identity", "Inv", "Log", "MatMul", "Mean", "Merge", "Mul", "Neg", "Pack"]
    + ["Pow", "ReadVariableOp", "RealDiv", "Reciprocal", "Reshape", "Rsqrt", "Sqrt", "Square"]
    + ["SquaredDifference", "Squeeze", "StridedSlice", "Sub", "Sum", "Switch", "Tile", "Transpose"]
    + ["Unpack"]
)
#: And those that tell nothing of their input's numbers.
CONSTANT = frozenset(["OnesLike", "Rank", "Shape", "ShapeN", "Size", "ZerosLike"])

#: A fetch and a feed -> its value; or an Odd value that says why there is none.
Run = Callable[[Any, Mapping[Any, Any]], Any]
STEP = 0.02  # of central differences, in spreads of what they are taken for


def compared(
    t: Trial, answer: Any, y: Any, ends: Mapping[str, Any], dy: np.ndarray, run: Run
) -> Callable[[Mapping[Any, Any]], dict[str, str]]:
    """What tells, of a run with such a feed, what reaches each of `ends` if dy reaches y.

    ends: variables, and placeholders that the feed has. To be made before anything runs: where y
    comes out of a function, the gradients change the operation that calls it. Variables keep their
    values.
    """
    on_the_way = _before(y.op)
    doubtful = {name: end for name, end in ends.items() if not _is_plain(y, end, on_the_way)}
    if not doubtful:
        return lambda feed: dict.fromkeys(ends, DERIVATIVE)
    some = t.gradients(answer, y, doubtful, t.tf.constant(dy, np.float32))
    none = t.no_gradient or NO_GRADIENT

    def look(feed):
        found = run(some, feed) if some else {}
        said = dict.fromkeys(ends, DERIVATIVE)
        for name, end in doubtful.items():
            if isinstance(found, Odd):
                said[name] = str(found)
            elif name not in found:
                said[name] = none
            elif not _is_derivative(t, found[name], y, end, dy, run, feed):
                said[name] = OTHER
        return said

    return look


# ---------------------------------------------------------------- the way from x to y


def _before(last: Any) -> list[Any]:
    """The operations that one is computed from, and it: each after those that it takes from."""
    found, seen, todo = [], set(), [(last, False)]
    while todo:
        op, done = todo.pop()
        if done:
            found.append(op)
        elif op not in seen:
            seen.add(op)
            todo.append((op, True))
            todo += [(tensor.op, False) for tensor in op.inputs]
    return found


def _is_plain(y: Any, end: Any, on_the_way: list[Any]) -> bool:
    """Whether there is a way from `end` to y, and the gradient along all ways is the derivative."""
    start = getattr(end, "handle", end)
    depend: set[Any] = set()
    for op in on_the_way:
        if op.type in CONSTANT:
            continue
        if any(tensor is start or tensor.op in depend for tensor in op.inputs):
            depend.add(op)
            if not _keeps_gradients(op):
                return False
    return y.op in depend


def _keeps_gradients(op: Any) -> bool:
    if op.type == "StopGradient":
        return _is_of_moments(op)
    kind = op.outputs[0].dtype if op.outputs else None
    usual = op.type in PLAIN and "_gradient_op_type" not in op.node_def.attr
    return usual and (kind.is_floating or op.type == "Switch" and kind.name == "resource")


def _is_of_moments(stop: Any) -> bool:
    """Whether it is the one in `tf.nn.moments`, mean((x - stop(mean(x)))²), which loses nothing.

    Through that mean nothing would come: the mean of (x - c)² has its minimum at c = mean(x).
    """
    mean = stop.inputs[0].op
    if mean.type != "Mean" or not mean.get_attr("keep_dims"):
        return False
    for squares in stop.outputs[0].consumers():
        if squares.type != "SquaredDifference" or squares.inputs[0] is not mean.inputs[0]:
            return False
        if not all(_same_mean(mean, one) for one in squares.outputs[0].consumers()):
            return False
    return True


def _same_mean(one: Any, other: Any) -> bool:
    from tensorflow.python.framework.tensor_util import constant_value

    if other.type != "Mean":
        return False
    axes, others = (constant_value(op.inputs[1]) for op in (one, other))
    return axes is not None and others is not None and np.array_equal(axes, others)


# ---------------------------------------------------------------- central differences


def _is_derivative(
    t: Trial, gradient: Any, y: Any, end: Any, dy: np.ndarray, run: Run, feed: Mapping[Any, Any]
) -> bool:
    """Whether a gradient is Σ dy ∂y/∂end, as far as float32 tells."""
    given = end in feed
    start = np.asarray(feed[end] if given else t.value(end), dtype=np.float64)
    if np.shape(gradient) != start.shape:
        return False
    spread = np.broadcast_to(start.std(axis=0) if start.ndim > 1 else np.abs(start), start.shape)
    step = STEP * np.where(spread > 0, spread, 1.0)

    def out(moved):
        if given:
            return run(y, {**feed, end: moved})
        t.set(end, moved)
        return run(y, feed)

    change = np.zeros(start.shape)
    for place in np.ndindex(start.shape):
        by = np.zeros(start.shape)
        by[place] = step[place]
        above, below = out(start + by), out(start - by)
        if np.shape(above) != dy.shape or np.shape(below) != dy.shape:
            return False
        change[place] = np.sum(dy * (above.astype(np.float64) - below)) / 2
    if not given:
        t.set(end, start)
    return np.allclose(gradient * step, change, rtol=0.01, atol=0.004 * np.abs(change).max())
