"""One batch norm, many implementations: the same numbers, wherever conventions allow it.

Each implementation is a function in `IMPLEMENTATIONS` that trains on batches and then predicts. To
add one, write such a function; where its conventions differ, add a test that names the difference,
as those at the end do.
"""

from __future__ import annotations

import inspect
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import on_keras_3
import pytest

from labsupport.authoring import lessons
from labsupport.tf1 import tf

pytestmark = pytest.mark.filterwarnings("ignore:`tf.layers")

EPS, MOMENTUM, STEPS = 0.01, 0.8, 3
EXACT = dict(rtol=1e-5, atol=1e-5)

#: Shapes of a training batch; the last axis has the features or channels.
SHAPES = {"dense": (6, 4), "conv": (3, 2, 5, 4)}


def answers(prefix):
    path = next(path for name, path in lessons.sources().items() if name.startswith(prefix))
    return lessons.answers(lessons.read(path))


BY_HAND, FROM_OPS = answers("02"), answers("05")


class Data:
    """Batches, samples to predict, γ and β, none of them of mean 0 or spread 1."""

    def __init__(self, shape):
        rng = np.random.RandomState(5)
        d = shape[-1]
        centre, spread = rng.uniform(2, 9, d) * rng.choice([-1, 1], d), rng.uniform(0.5, 4, d)
        self.batches = [centre + spread * rng.randn(*shape) for _ in range(STEPS)]
        self.new = 1 + centre + 2 * spread * rng.randn(2, *shape[1:])
        self.gamma, self.beta = rng.uniform(-2, 2, d), rng.uniform(-3, 3, d)


# ---------------------------------------------------------------- implementations


def numpy_by_hand(data):
    """Lesson 02's layer; images through its `batch_norm_images`, which wants channels first."""
    layer = BY_HAND.BatchNorm(len(data.gamma), momentum=MOMENTUM, eps=EPS)
    layer.gamma, layer.beta = data.gamma, data.beta

    def run(x, training):
        if x.ndim == 2:
            return layer(x, training=training)
        out = BY_HAND.batch_norm_images(layer, x.transpose(0, 3, 1, 2), training)
        return out.transpose(0, 2, 3, 1)

    outs = [run(x, True) for x in data.batches]
    return dict(
        outs=outs,
        moving_mean=layer.moving_mean,
        moving_var=layer.moving_var,
        prediction=run(data.new, False),
    )


def in_a_session(data, build, dtype=tf.float64):
    """Train and predict in a graph. `build(x, training)`: y, what to run along, mean, variance."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(dtype, [None, *data.new.shape[1:]])
        training = tf.placeholder(tf.bool, [])
        y, along, moving_mean, moving_var = build(x, training)
        session.run(tf.global_variables_initializer())
        outs = [session.run([y, along], {x: one, training: True})[0] for one in data.batches]
        return dict(
            outs=outs,
            moving_mean=session.run(moving_mean),
            moving_var=session.run(moving_var),
            prediction=session.run(y, {x: data.new, training: False}),
        )


def tf_ops(data):
    """Lesson 05's graph from `tf.nn.moments`, `tf.nn.batch_normalization` and `tf.assign`."""

    def build(x, training):
        zeros, ones = np.zeros_like(data.gamma), np.ones_like(data.gamma)
        state = [tf.Variable(start) for start in (data.gamma, data.beta, zeros, ones)]
        y = FROM_OPS.batch_norm(x, training, *state, MOMENTUM, EPS)
        return y, [], *state[2:]

    return in_a_session(data, build)


def tf_layers(data, dtype=tf.float64, **options):
    """`tf.layers.batch_normalization`, unfused: the fused kernel has a test of its own."""
    options = {"fused": False, **options}

    def build(x, training):
        y = tf.layers.batch_normalization(
            x,
            training=training,
            momentum=MOMENTUM,
            epsilon=EPS,
            gamma_initializer=tf.constant_initializer(data.gamma),
            beta_initializer=tf.constant_initializer(data.beta),
            **options,
        )
        statistics = tf.global_variables()[2:]
        assert ["mean" in v.name for v in statistics] == [True, False]
        return y, tf.get_collection(tf.GraphKeys.UPDATE_OPS), *statistics

    return in_a_session(data, build, dtype)


def keras_3(data):
    """`keras.layers.BatchNormalization`, in a process without TensorFlow 1."""
    settings = (data.batches, data.new, data.gamma, data.beta, MOMENTUM, EPS)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(on_keras_3.train_and_predict, *settings).result()


IMPLEMENTATIONS = {"tf.nn ops": tf_ops, "tf.layers": tf_layers, "Keras 3": keras_3}


# ---------------------------------------------------------------- agreement


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_agrees_with_numpy_by_hand(name, kind):
    data = Data(SHAPES[kind])
    ours, theirs = numpy_by_hand(data), IMPLEMENTATIONS[name](data)
    for step in range(STEPS):
        np.testing.assert_allclose(theirs["outs"][step], ours["outs"][step], **EXACT)
    for what in ("moving_mean", "moving_var", "prediction"):
        np.testing.assert_allclose(theirs[what], ours[what], **EXACT, err_msg=what)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_fixture_would_show_a_mistake(kind):
    """Outputs, statistics and predictions are far from each other's, and from 0 and 1."""
    found = numpy_by_hand(Data(SHAPES[kind]))
    assert np.abs(found["outs"][0] - found["outs"][1]).max() > 0.1
    assert np.abs(found["moving_mean"]).min() > 0.1
    assert np.abs(found["moving_var"] - 1).max() > 0.1
    assert np.abs(found["prediction"]).max() > 0.1


# ---------------------------------------------------------------- where conventions differ


def test_default_epsilon_and_momentum_differ():
    """By hand 1e-5 and 0.9; `tf.layers` 1e-3 and 0.99."""
    ours = inspect.signature(BY_HAND.BatchNorm).parameters
    theirs = inspect.signature(tf.layers.batch_normalization).parameters
    assert (ours["eps"].default, theirs["epsilon"].default) == (1e-5, 1e-3)
    assert (ours["momentum"].default, theirs["momentum"].default) == (0.9, 0.99)


def test_fused_kernel_keeps_the_unbiased_moving_variance():
    """4-D inputs, fused: output and moving mean agree; each variance counts n / (n - 1) times."""
    data = Data(SHAPES["conv"])
    ours, fused = numpy_by_hand(data), tf_layers(data, tf.float32, fused=None)
    for step in range(STEPS):
        np.testing.assert_allclose(fused["outs"][step], ours["outs"][step], **EXACT)
    np.testing.assert_allclose(fused["moving_mean"], ours["moving_mean"], **EXACT)
    n = np.prod(SHAPES["conv"][:3])
    start = MOMENTUM**STEPS  # what is left of the moving variance's start value, 1
    collected = (ours["moving_var"] - start) * n / (n - 1)
    np.testing.assert_allclose(fused["moving_var"], start + collected, **EXACT)
    assert np.abs(fused["moving_var"] / ours["moving_var"] - 1).max() > 0.01
    rescaled = np.sqrt((ours["moving_var"] + EPS) / (fused["moving_var"] + EPS))
    shifted = data.beta + (ours["prediction"] - data.beta) * rescaled
    np.testing.assert_allclose(fused["prediction"], shifted, rtol=1e-4, atol=1e-5)


def test_two_dimensional_inputs_are_never_fused():
    """`fused=True` is ignored there without a word: the moving variance stays biased."""
    data = Data(SHAPES["dense"])
    ours, theirs = numpy_by_hand(data), tf_layers(data, tf.float32, fused=True)
    np.testing.assert_allclose(theirs["moving_var"], ours["moving_var"], **EXACT)
