"""Whether a gradient is the derivative: seen without building it where nothing can change it."""

from __future__ import annotations

import numpy as np
import pytest

from labsupport.exercises import tf_gradients
from labsupport.exercises.tf_common import NO_GRADIENT, Trial, trial
from labsupport.exercises.tf_gradients import DERIVATIVE, PLAIN


@pytest.fixture(scope="module", autouse=True)
def tf():
    """Imported before any time limit begins: on a slow machine it takes longer than one."""
    from labsupport.tf1 import tf

    return tf


HELD = "as if they were constants"


def numbers(*shape):
    return np.random.RandomState(3).uniform(0.5, 2.0, shape)


def looked_at(monkeypatch, build):
    """What is said of y = build(tf, x, gamma), and whether gradients were built for it."""
    built = []
    usual = Trial.gradients
    monkeypatch.setattr(Trial, "gradients", lambda *a: built.append(1) or usual(*a))
    with trial() as t:
        x, gamma = t.placeholder(numbers(5, 3), "x"), t.variable(numbers(3), "gamma")
        y = build(t.tf, x, gamma)
        ends = {"x": x, "gamma": gamma}
        dy = np.random.RandomState(4).uniform(-1.0, 1.0, (5, 3))
        held = numbers(3) * dy / np.sqrt(numbers(5, 3).var(axis=0) + 0.1)
        look = tf_gradients.compared(t, build, y, ends, dy, t.attempt, {"x": {HELD: held}})
        said = look({x: numbers(5, 3)})
        np.testing.assert_allclose(t.value(gamma), numbers(3), rtol=1e-6)
    return said["x"], said["gamma"], bool(built)


def normalized(tf, x, gamma, mean, var):
    return gamma * (x - mean) / tf.sqrt(var + 0.1)


def by_moments(tf, x, gamma):
    return tf.nn.batch_normalization(x, *tf.nn.moments(x, [0]), None, gamma, 0.1)


def by_hand(tf, x, gamma):
    mean = tf.reduce_mean(x, 0, keepdims=True)
    return normalized(tf, x, gamma, mean, tf.reduce_mean((x - mean) ** 2, 0))


def by_sums(tf, x, gamma):
    m = tf.cast(tf.shape(x)[0], tf.float32)
    mean = tf.reduce_sum(x, 0) / m
    return normalized(tf, x, gamma, mean, tf.reduce_sum(tf.square(x), 0) / m - mean**2)


def in_a_branch(tf, x, gamma):
    flag = tf.placeholder_with_default(True, ())
    return tf.cond(flag, lambda: by_moments(tf, x, gamma), lambda: x)


def fused(tf, x, gamma):
    as_images = tf.reshape(x, [-1, 1, 1, 3])
    y, _mean, _var = tf.nn.fused_batch_norm(as_images, gamma, tf.zeros([3]), epsilon=0.1)
    return tf.reshape(y, [-1, 3])


def clipped(tf, x, gamma):
    mean, var = tf.nn.moments(x, [0])
    return normalized(tf, x, gamma, mean, tf.maximum(var, 0.0))


def own_gradient(factor):
    def build(tf, x, gamma):
        @tf.custom_gradient
        def square(a):
            return a * a, lambda d: factor * a * d

        return gamma * square(x)

    return build


def stopped(what):
    """Batch norm with some gradients held back. what: of "mean", "var" and "gamma"."""

    def build(tf, x, gamma):
        mean, var = tf.nn.moments(x, [0])
        parts = {"mean": mean, "var": var, "gamma": gamma}
        parts |= {name: tf.stop_gradient(parts[name]) for name in what}
        return normalized(tf, x, parts["gamma"], parts["mean"], parts["var"])

    return build


def as_in_moments(axis):
    """The mean is held back where `tf.nn.moments` does it; but its squares' mean is along axis."""

    def build(tf, x, gamma):
        mean = tf.reduce_mean(x, 0, keepdims=True)
        squares = tf.math.squared_difference(x, tf.stop_gradient(mean))
        return gamma * tf.reduce_mean(squares, axis, keepdims=True) + x

    return build


def other_squares(tf, x, gamma):
    mean = tf.reduce_mean(x, 0, keepdims=True)
    squares = tf.math.squared_difference(2.0 * x, tf.stop_gradient(mean))
    return gamma * tf.reduce_mean(squares, 0, keepdims=True) + x


def squares_alone(tf, x, gamma):
    mean = tf.reduce_mean(x, 0, keepdims=True)
    return tf.math.squared_difference(x * gamma, tf.stop_gradient(mean * gamma))


def squares_at_the_end(tf, x, gamma):
    x = gamma * x
    mean = tf.reduce_mean(x, 0, keepdims=True)
    return tf.math.squared_difference(x, tf.stop_gradient(mean))


def squares_used_twice(tf, x, gamma):
    mean = tf.reduce_mean(x, 0, keepdims=True)
    squares = tf.math.squared_difference(x, tf.stop_gradient(mean))
    return gamma * tf.reduce_mean(squares, 0, keepdims=True) + squares


def printed(tf, x, gamma):
    return tf.Print(by_moments(tf, x, gamma), [x])


def in_float64(tf, x, gamma):
    return by_moments(tf, tf.cast(x, tf.float64), tf.cast(gamma, tf.float64))


def chosen_in_float64(tf, x, gamma):
    y = in_float64(tf, x, gamma)
    return tf.where(tf.ones_like(y) > 0, y, y)


def after(*wait):
    """y waits for something of x that it does not take from."""

    def build(tf, x, gamma):
        with tf.control_dependencies([one(tf, x) for one in wait]):
            return by_moments(tf, x, gamma)  # here it reads gamma

    return build


def an_update(tf, x):
    return tf.Variable(0.0).assign(tf.reduce_mean(x))


def through_variables(tf, x, gamma):
    copies = [tf.Variable(tf.zeros([3])) for _ in range(2)]
    both = zip(copies, tf.nn.moments(x, [0]), strict=True)
    mean, var = (tf.assign(copy, one) for copy, one in both)
    return normalized(tf, x, gamma, mean, var)


def through_variables_in_a_branch(tf, x, gamma):
    copies = [tf.Variable(tf.zeros([3])) for _ in range(2)]

    def train():
        both = zip(copies, tf.nn.moments(x, [0]), strict=True)
        mean, var = (tf.assign(copy, one) for copy, one in both)
        return normalized(tf, x, gamma, mean, var)

    return tf.cond(tf.placeholder_with_default(True, ()), train, lambda: x)


def through_old_variables(tf, x, gamma):
    copies = [tf.Variable(tf.zeros([3]), use_resource=False) for _ in range(2)]
    both = zip(copies, tf.nn.moments(x, [0]), strict=True)
    with tf.control_dependencies([tf.assign(copy, one).op for copy, one in both]):
        mean, var = (copy.read_value() for copy in copies)
    return normalized(tf, x, gamma, mean, var)


def through_python_and_variables(tf, x, gamma):
    copies, kept = [tf.Variable(tf.zeros([3])) for _ in range(2)], []
    put = tf.numpy_function(lambda *both: kept.extend(both) or 0, tf.nn.moments(x, [0]), tf.int64)
    with tf.control_dependencies([tf.shape(put)]):
        both = tf.numpy_function(lambda: kept[-2:], [], [tf.float32, tf.float32])
    for one in both:
        one.set_shape([3])
    mean, var = (tf.assign(copy, one) for copy, one in zip(copies, both, strict=True))
    return normalized(tf, x, gamma, mean, var)


def through_a_queue(tf, x, gamma):
    queue = tf.FIFOQueue(1, [tf.float32, tf.float32], shapes=[[3], [3]])
    with tf.control_dependencies([queue.enqueue(tf.nn.moments(x, [0]))]):
        return normalized(tf, x, gamma, *queue.dequeue())


def through_python(tf, x, gamma):
    kept = []
    put = tf.numpy_function(lambda *both: kept.extend(both) or 0, tf.nn.moments(x, [0]), tf.int64)
    with tf.control_dependencies([put]):
        mean, var = tf.numpy_function(lambda: kept[-2:], [], [tf.float32, tf.float32])
    return normalized(tf, x, gamma, tf.reshape(mean, [3]), tf.reshape(var, [3]))


def fails_when_it_runs(tf, x, gamma):
    @tf.custom_gradient
    def square(a):
        return a * a, lambda d: tf.reshape(d, [7, tf.size(d)])

    return gamma * square(x)


RIGHT_AND_PLAIN = {
    "tf.nn.moments": by_moments,
    "by hand": by_hand,
    "sums": by_sums,
    "a branch": in_a_branch,
    "as in tf.nn.moments": as_in_moments(0),
    "printed": printed,
    "in float64": in_float64,
    "it waits for an update": after(an_update),
    "it waits for nothing of x": after(lambda tf, x: tf.constant(1.0)),
}
RIGHT = {
    "the fused operation": fused,
    "maximum": clipped,
    "an own gradient": own_gradient(2),
    "chosen, in float64": chosen_in_float64,
}
OFF = f"not {DERIVATIVE}: "
WRONG = {
    "mean and variance": (stopped(["mean", "var"]), HELD, DERIVATIVE),
    "mean": (stopped(["mean"]), OFF, DERIVATIVE),
    "variance": (stopped(["var"]), OFF, DERIVATIVE),
    "gamma": (stopped(["gamma"]), DERIVATIVE, NO_GRADIENT),
    "half an own gradient": (own_gradient(1), f"0.5 times {DERIVATIVE}", DERIVATIVE),
    "its negative": (own_gradient(-2), f"-1 times {DERIVATIVE}", DERIVATIVE),
    "NaN": (own_gradient(np.nan), "NaN or infinite in 15 of 15 numbers", DERIVATIVE),
    "it fails": (fails_when_it_runs, "not to be had: ", DERIVATIVE),
    "another axis": (as_in_moments(1), OFF, DERIVATIVE),
    "other squares": (other_squares, OFF, DERIVATIVE),
    "squares of something else": (squares_alone, OFF, OFF),
    "squares at the end": (squares_at_the_end, OFF, OFF),
    "squares that are used twice": (squares_used_twice, OFF, DERIVATIVE),
    "words": (lambda tf, x, gamma: tf.as_string(gamma * x), "not to be had: ", "not to be had: "),
    "nothing of x": (lambda tf, x, gamma: gamma * tf.ones([5, 3]), NO_GRADIENT, DERIVATIVE),
    "the start value of gamma": (
        lambda tf, x, gamma: x * gamma.initial_value,
        DERIVATIVE,
        NO_GRADIENT,
    ),
    "through variables": (through_variables, HELD, DERIVATIVE),
    "through variables in a branch": (through_variables_in_a_branch, HELD, DERIVATIVE),
    "through old variables": (through_old_variables, HELD, DERIVATIVE),
    "through Python and variables": (through_python_and_variables, HELD, DERIVATIVE),
    "through a queue": (through_a_queue, HELD, DERIVATIVE),
    "through Python": (through_python, HELD, DERIVATIVE),
}


@pytest.mark.parametrize("form", RIGHT_AND_PLAIN)
def test_no_gradients_are_built_where_nothing_changes_them(monkeypatch, form):
    assert looked_at(monkeypatch, RIGHT_AND_PLAIN[form]) == (DERIVATIVE, DERIVATIVE, False)


@pytest.mark.parametrize("form", RIGHT_AND_PLAIN)
def test_central_differences_agree_with_those(monkeypatch, form):
    monkeypatch.setattr(tf_gradients.Way, "is_plain", lambda *_: False)
    assert looked_at(monkeypatch, RIGHT_AND_PLAIN[form]) == (DERIVATIVE, DERIVATIVE, True)


@pytest.mark.parametrize("form", RIGHT)
def test_others_are_compared(monkeypatch, form):
    assert looked_at(monkeypatch, RIGHT[form]) == (DERIVATIVE, DERIVATIVE, True)


@pytest.mark.parametrize("form", WRONG)
def test_gradients_that_are_not_the_derivative(monkeypatch, form):
    build, *wanted = WRONG[form]
    *said, built = looked_at(monkeypatch, build)
    assert built
    for one, beginning in zip(said, wanted, strict=True):
        assert one.startswith(beginning), said


#: Of each operation that counts as plain, something that is made with it.
MADE_WITH = {
    "Add": lambda tf, x: tf.raw_ops.Add(x=x, y=x[0]),
    "AddN": lambda tf, x: tf.add_n([x, x * x]),
    "AddV2": lambda tf, x: x + x[0],
    "BiasAdd": lambda tf, x: tf.nn.bias_add(x, x[0]),
    "BroadcastTo": lambda tf, x: tf.broadcast_to(x[0], [4, 3]) * x,
    "CheckNumerics": lambda tf, x: tf.check_numerics(x, "x") ** 2,
    "Cast": lambda tf, x: tf.cast(tf.cast(x, tf.float32), tf.float64),
    "ConcatV2": lambda tf, x: tf.concat([x, x * x], 0),
    "Div": lambda tf, x: tf.raw_ops.Div(x=x, y=x[0]),
    "Einsum": lambda tf, x: tf.einsum("ij,kj->ik", x, x),
    "EnsureShape": lambda tf, x: tf.ensure_shape(x, [4, 3]) ** 2,
    "Exp": lambda tf, x: tf.exp(x),
    "ExpandDims": lambda tf, x: x * tf.expand_dims(x[0], 0),
    "Identity": lambda tf, x: tf.identity(x) * x,
    "IdentityN": lambda tf, x: tf.identity_n([x, 2 * x])[1],
    "Inv": lambda tf, x: tf.raw_ops.Inv(x=x),
    "Log": lambda tf, x: tf.log(x),
    "MatMul": lambda tf, x: tf.matmul(x, x, transpose_b=True),
    "Mean": lambda tf, x: x - tf.reduce_mean(x, 0),
    "Merge": lambda tf, x: tf.cond(tf.constant(True), lambda: x * x, lambda: x),
    "Mul": lambda tf, x: x * x[0],
    "Neg": lambda tf, x: -x * x,
    "Pack": lambda tf, x: tf.stack([x, x * x]),
    "Pow": lambda tf, x: x ** x[0],
    "Print": lambda tf, x: tf.Print(x, [x]) ** 2,
    "RealDiv": lambda tf, x: x / x[0],
    "Reciprocal": lambda tf, x: tf.reciprocal(x),
    "Reshape": lambda tf, x: tf.reshape(x, [3, 4]) ** 2,
    "Rsqrt": lambda tf, x: tf.rsqrt(x),
    "Sqrt": lambda tf, x: tf.sqrt(x),
    "Square": lambda tf, x: tf.square(x),
    "SquaredDifference": lambda tf, x: tf.math.squared_difference(x, x[0]),
    "Squeeze": lambda tf, x: x * tf.squeeze(x[:1]),
    "StridedSlice": lambda tf, x: x[1:, ::2] ** 2,
    "Sub": lambda tf, x: x[0] - x * x,
    "Sum": lambda tf, x: x * tf.reduce_sum(x, 0),
    "Switch": lambda tf, x: tf.cond(tf.constant(False), lambda: x, lambda: x * x),
    "Tile": lambda tf, x: tf.tile(x[:2], [2, 1]) * x,
    "Transpose": lambda tf, x: tf.transpose(x) ** 2,
    "Unpack": lambda tf, x: tf.multiply(*tf.unstack(x[:2])),
}


@pytest.mark.parametrize("kind", sorted(PLAIN - {"ReadVariableOp"}))
def test_the_gradient_of_a_plain_operation_is_the_derivative(tf, kind):
    with tf.Graph().as_default() as graph, tf.Session() as session:
        x = tf.placeholder(tf.float64, (4, 3))
        y = MADE_WITH[kind](tf, x)
        assert kind in {op.type for op in graph.get_operations()}
        start, small = numbers(4, 3), 1e-3 if kind == "Cast" else 1e-6
        weights = np.random.RandomState(1).uniform(-1, 1, session.run(y, {x: start}).shape)
        (gradient,) = session.run(tf.gradients(y, x, tf.constant(weights)), {x: start})
        for place in np.ndindex(start.shape):
            by = np.zeros(start.shape)
            by[place] = small
            above, below = session.run(y, {x: start + by}), session.run(y, {x: start - by})
            slope = np.sum(weights * (above - below)) / (2 * small)
            np.testing.assert_allclose(gradient[place], slope, rtol=1e-3, atol=1e-4)
