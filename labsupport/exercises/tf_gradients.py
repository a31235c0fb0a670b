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

DERIVATIVE = "the derivative of y"

#: Operations whose gradient in TensorFlow is the derivative of what they compute, if it has one.
PLAIN = frozenset(
    ["Add", "AddN", "AddV2", "BiasAdd", "BroadcastTo", "Cast", "CheckNumerics", "ConcatV2", "Div"]
    + ["Einsum", "EnsureShape", "Exp", "ExpandDims", "Identity", "IdentityN", "Inv", "Log"]
    + ["MatMul", "Mean", "Merge", "Mul", "Neg", "Pack", "Pow", "Print", "ReadVariableOp", "RealDiv"]
    + ["Reciprocal", "Reshape", "Rsqrt", "Sqrt", "Square", "SquaredDifference", "Squeeze"]
    + ["StridedSlice", "Sub", "Sum", "Switch", "Tile", "Transpose", "Unpack"]
)
#: And those that tell nothing of their input's numbers.
CONSTANT = frozenset(["OnesLike", "Rank", "Shape", "ShapeN", "Size", "ZerosLike"])

#: A fetch and a feed -> its value; or an Odd value that says why there is none.
Run = Callable[[Any, Mapping[Any, Any]], Any]
STEP = 0.02  # of central differences, in spreads of what they are taken for


def compared(
    t: Trial,
    answer: Any,
    y: Any,
    ends: Mapping[str, Any],
    dy: np.ndarray,
    run: Run,
    others: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Callable[[Mapping[Any, Any]], dict[str, str]]:
    """A function of a feed that says, for each of `ends`, what reaches it if dy is sent into y.

    In words: DERIVATIVE; or a multiple of that, one of `others` (for an end, gradients by words for
    them), not to be had and why.
    ends: variables, which keep their values, and placeholders that the feed has. dy: of y's shape.
    To be called before anything runs: where y comes out of a function, gradients change the
    operation that calls it.
    """
    y = t.graph.as_graph_element(y)
    way = Way(y)
    doubtful = {name: end for name, end in ends.items() if not way.is_plain(end)}
    if not doubtful:
        return lambda feed: dict.fromkeys(ends, DERIVATIVE)
    some = t.gradients(answer, y, doubtful, dy)
    none = t.no_gradient or NO_GRADIENT

    def look(feed):
        found = run(some, feed) if some else {}
        said = dict.fromkeys(ends, DERIVATIVE)
        for name, end in doubtful.items():
            if isinstance(found, Odd):
                said[name] = f"not to be had: {found}".rstrip(".")
            elif name not in found:
                said[name] = none
            else:
                change, step = _differences(t, y, end, dy, run, feed)
                said[name] = _word(found[name], change, step, (others or {}).get(name, {}))
        return said

    return look


# ---------------------------------------------------------------- the way from x to y


class Way:
    """What y is computed from: `data`, by inputs alone; `all`, also by what waits for what.

    In `all` each operation comes after those that it takes from or waits for.
    """

    def __init__(self, y: Any):
        self.y = y
        self.data = set(_before(y.op, lambda op: [tensor.op for tensor in op.inputs]))
        self.all = _before(
            y.op, lambda op: [*(tensor.op for tensor in op.inputs), *op.control_inputs]
        )

    def is_plain(self, end: Any) -> bool:
        """Whether `end` reaches y, and its gradient along all ways is the derivative."""
        start = getattr(end, "handle", end)
        depends: set[Any] = set()  # on end
        later: set[Any] = set()  # no more than that it waits for something that depends
        written: set[Any] = set()  # what makes the variables that such operations may write
        for op in self.all:
            before = (*(tensor.op for tensor in op.inputs), *op.control_inputs)
            if op.type not in CONSTANT and any(
                tensor is start or tensor.op in depends for tensor in op.inputs
            ):
                depends.add(op)
                if op in self.data and not _keeps_gradients(op, self.y.op):
                    return False
            elif any(one in depends or one in later for one in before):
                later.add(op)
                if op in self.data and _remembers(op, written):
                    return False
            else:
                continue
            if op.type not in ("Identity", "ReadVariableOp"):
                written.update(_variables_of(op))
        return self.y.op in depends


def _before(last: Any, sources: Callable[[Any], list[Any]]) -> list[Any]:
    """The operations that one has for sources, directly or not, and it."""
    found, seen, todo = [], set(), [(last, False)]
    while todo:
        op, done = todo.pop()
        if done:
            found.append(op)
        elif op not in seen:
            seen.add(op)
            todo.append((op, True))
            todo += [(one, False) for one in sources(op)]
    return found


def _keeps_gradients(op: Any, last: Any) -> bool:
    if op.type == "StopGradient":
        return _is_of_moments(op, last)
    usual = op.type in PLAIN and "_gradient_op_type" not in op.node_def.attr
    kind = op.outputs[0].dtype
    handed_on = op.type in ("Identity", "Switch") and kind.name == "resource"
    return usual and (kind.is_floating or handed_on)


def _variables_of(op: Any) -> list[Any]:
    """What makes the variables, queues and the like that an operation is given."""
    return [_maker(tensor) for tensor in op.inputs if tensor.dtype.name == "resource"]


def _maker(handle: Any) -> Any:
    while handle.op.type in ("Switch", "Identity", "Enter"):
        handle = handle.op.inputs[0]
    return handle.op


def _remembers(op: Any, written: set[Any]) -> bool:
    """Whether it may give what was put away before: in one of these variables, or elsewhere."""
    if op.type == "ReadVariableOp":
        return not written.isdisjoint(_variables_of(op))
    return op.op_def.is_stateful or any(tensor.dtype._is_ref_dtype for tensor in op.inputs)


def _is_of_moments(stop: Any, last: Any) -> bool:
    """Whether it is the one in `tf.nn.moments`, mean((x - stop(mean(x)))²), which loses nothing.

    Through that mean nothing would come: the mean of (x - c)² has its minimum at c = mean(x).
    last: the operation whose output is y.
    """
    mean = stop.inputs[0].op
    if mean.type != "Mean" or not mean.get_attr("keep_dims"):
        return False
    for squares in stop.outputs[0].consumers():
        if squares.type != "SquaredDifference" or squares.inputs[0] is not mean.inputs[0]:
            return False
        if squares is last:
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


def _differences(
    t: Trial, y: Any, end: Any, dy: np.ndarray, run: Run, feed: Mapping[Any, Any]
) -> tuple[np.ndarray | str, np.ndarray]:
    """How Σ dy y changes if each number of `end` grows by its step; and the steps.

    In place of the change, why y cannot be had.
    """
    given = end in feed
    start = np.asarray(feed[end] if given else t.value(end), dtype=np.float64)
    spread = np.broadcast_to(start.std(axis=0) if start.ndim > 1 else np.abs(start), start.shape)
    step = STEP * np.where(spread > 0, spread, 1.0)

    def out(moved):
        if given:
            return run(y, {**feed, end: moved})
        t.set(end, moved)
        return run(y, feed)

    change: np.ndarray | str = np.zeros(start.shape)
    for place in np.ndindex(start.shape):
        by = np.zeros(start.shape)
        by[place] = step[place]
        both = [out(start + by), out(start - by)]
        odd = next((one for one in both if isinstance(one, Odd)), None)
        if odd is not None or any(one.shape != dy.shape for one in both):
            change = f"not to be compared: {odd or 'y has another shape'}".rstrip(".")
            break
        change[place] = np.sum(dy * (both[0].astype(np.float64) - both[1])) / 2
    if not given:
        t.set(end, start)
    return change, step


def _word(
    gradient: Any, change: np.ndarray | str, step: np.ndarray, others: Mapping[str, np.ndarray]
) -> str:
    """What a gradient is, as far as float32 tells."""
    if isinstance(change, str):
        return change
    if np.shape(gradient) != step.shape:
        return f"an array of shape {np.shape(gradient)}"
    if not np.isfinite(gradient).all():
        return f"NaN or infinite in {np.sum(~np.isfinite(gradient))} of {step.size} numbers"
    by_step = gradient * step
    if _near(by_step, change):
        return DERIVATIVE
    for word, other in others.items():
        if _near(by_step, other * step):
            return word
    factor = np.sum(by_step * change) / max(np.sum(change**2), 1e-30)
    if abs(factor) > 1e-3 and _near(by_step, factor * change):
        return f"{factor:.3g} times {DERIVATIVE}"
    off = ~np.isclose(by_step, change, **_tolerance(change))
    return f"not {DERIVATIVE}: {off.sum()} of its {off.size} numbers are off"


def _near(seen: np.ndarray, right: np.ndarray) -> bool:
    return np.allclose(seen, right, **_tolerance(right))


def _tolerance(right: np.ndarray) -> dict[str, float]:
    return dict(rtol=0.01, atol=0.004 * np.abs(right).max())
