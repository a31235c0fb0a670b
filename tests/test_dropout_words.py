"""What is said of a wrong dropout, written as students write it and not as the catalogue does."""

from __future__ import annotations

import random
import textwrap

import numpy as np
import pytest

from labsupport import exercises, keys
from labsupport.judge import judge
from labsupport.observe import observe

FORWARD = """
def dropout(x, drop_prob, training):
    if not training:
        return x
    if drop_prob == 1:
        return np.zeros_like(x)
    keep = 1 - drop_prob
    mask = np.random.random_sample(x.shape) >= drop_prob
    {}
"""
BARE = """
def dropout(x, drop_prob, training):
    {}
"""
BACKWARD = """
class Dropout:
    def __init__(self, drop_prob):
        self.p = drop_prob

    def __call__(self, x, training):
        if not training:
            self.mask = np.ones_like(x)
            return x
        {}
        return x * self.mask

    def backward(self, dy):
        {}
"""
MASK = "self.mask = (np.random.rand(*x.shape) >= self.p) / max(1 - self.p, 1e-9)"
SPATIAL = """
def spatial_dropout(x, drop_prob):
    if drop_prob == 1:
        return np.zeros_like(x)
    m, p, q, C = x.shape
    {}
"""


def verdict(exercise_id, template, *code):
    exercise = exercises.find(exercise_id)
    cases = exercise.visible_cases()
    namespace = dict(np=np, random=random)
    lines = (textwrap.dedent(c).replace("\n", "\n    ") for c in code)
    exec(template.format(*lines), namespace)
    seen = observe(exercise, namespace[exercise.answer], cases)
    return judge(exercise, cases, keys.load(exercise_id), seen)


def names(result):
    return {part.mistake for part in result.parts if part.outcome not in ("right", "waiting")}


def said(result):
    return " ".join(part.message for part in result.parts)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("return x * mask * drop_prob / keep", {"odds"}),
        ("return x * mask * keep / drop_prob", {"odds-reversed"}),
        ("return x * mask * keep", {"multiplies-by-keep"}),
        ("return x * mask", {"no-scale"}),
        ("return x * mask / drop_prob", {"divides-by-drop-and-0"}),
        ("return x * mask * drop_prob", {"multiplies-by-drop"}),
        ("return x * mask / keep**0.5", {"square-root"}),
        ("return x * mask * 2", {"doubles"}),
        ("return x * (mask - drop_prob)", {"moves-mask"}),
        ("return x * mask - drop_prob", {"moves-output"}),
        ("return x * mask / keep - drop_prob", {"moves-scaled-output"}),
        ("return np.where(mask, x - drop_prob, 0)", {"moves-survivors-down"}),
        ("return np.where(mask, x + drop_prob, 0)", {"moves-survivors-up"}),
        ("return np.where(mask, x, x / keep)", {"scales-the-dropped"}),
        ("return x / keep", {"scaled-only"}),
        ("return x * ~mask / keep", {"swapped-mask"}),
        ("return x * ~mask", {"swapped-unscaled-but-at-1"}),
        ("return x * ~mask / drop_prob", {"swapped-and-0-but-at-1"}),
        ("return x * ~mask * keep", {"swapped-shrunk"}),
        ("return x * (np.random.rand(*x.shape[1:]) < keep) / keep", {"columns"}),
        ("return x * (np.random.rand(x.shape[-1]) < keep) / keep", {"last-axis"}),
        ("return x * (random.random() < keep) / keep", {"one-draw"}),
        ("return x * (np.random.default_rng(1).random(x.shape) < keep) / keep", {"fixed-seed"}),
    ],
)
def test_a_mistake_in_training_is_named_and_no_other(line, named):
    assert names(verdict("do-forward", FORWARD, line)) == named


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("return np.where(mask, x / keep, np.nan)", "as asked, but not to 0: NaN stands there"),
        ("return np.where(mask, x / keep, 0.25)", "as asked, but not to 0: 0.25 stands there"),
        ("return np.where(mask, x / keep, -x)", "but not to 0: they are multiplied by -1"),
        ("return x * (1 + np.random.randn(*x.shape))", "all of them: not one multiple"),
        ("return x * mask * np.random.rand(*x.shape)", "not one multiple of the input"),
        ("return x * mask * 7", "multiplied by 7"),
        (
            "mask = np.abs(x) > np.quantile(np.abs(x), drop_prob)\nreturn x * mask / keep",
            "every call uses the same mask, as long as the numbers are the same",
        ),
        ("y = x * mask\nreturn y * x.sum() / y.sum()", "one multiple of the input in each call"),
    ],
)
def test_what_no_mistake_explains_is_not_given_a_name(line, words):
    result = verdict("do-forward", FORWARD, line)
    assert names(result) == {""}
    assert words in said(result)


def test_too_few_draws_are_not_counted_and_the_reason_is_said():
    code = "return x * (np.random.rand(len(x), *[1] * (x.ndim - 1)) < keep) / keep * 7"
    result = verdict("do-forward", FORWARD, code)
    assert "not counted" not in said(result)  # rows of the first case are enough for a word
    assert "about as asked; 300 draws tell no more" in said(result)
    result = verdict("do-noise-shape", SPATIAL, "return x * (np.random.rand(1, p, q, 1) > 0.3) * 7")
    assert "not counted, because 36 draws are too few" in said(result)


@pytest.mark.parametrize(
    ("threshold", "lost"),
    [
        ("np.random.rand(*{}) < round(drop_prob, 1)", ["share"]),
        ("np.random.randint(0, 10, {}) < 10 * drop_prob", ["share"]),
        ("np.random.randint(0, 100, {}) < 100 * drop_prob", []),
    ],
)
def test_a_rate_rounded_to_a_tenth_is_seen(threshold, lost):
    code = f"return x * ~({threshold}) / (1 - drop_prob)"
    result = verdict("do-forward", FORWARD, code.format("x.shape"))
    assert [part.part.id for part in result.parts if part.outcome == "wrong"] == lost
    assert not names(result) - {""}
    result = verdict("do-noise-shape", SPATIAL, code.format("(m, 1, 1, C)"))
    assert [part.part.id for part in result.parts if part.outcome != "right"] == lost


HALVES = "np.concatenate([half, half, half])[: len(x)]"


def test_half_a_mask_used_twice_is_seen():
    code = f"half = mask[: (len(x) + 1) // 2]\nreturn x * {HALVES} / keep"
    result = verdict("do-forward", FORWARD, code)
    assert [part.part.id for part in result.parts if part.outcome != "right"] == ["draws"]
    assert "numbers 25 apart along axis 0 are dropped together more often" in said(result)
    code = f"""\
    half = np.random.rand((m + 1) // 2, 1, 1, C) >= drop_prob
    return x * {HALVES} / (1 - drop_prob)"""
    result = verdict("do-noise-shape", SPATIAL, code)
    assert [part.part.id for part in result.parts if part.outcome != "right"] == ["draws"]
    code = "half = np.random.rand(*x.shape)[: (len(x) + 1) // 2] >= self.p; self.mask = "
    code += f"{HALVES} / max(1 - self.p, 1e-9)"
    result = verdict("do-backward", BACKWARD, code, "return dy * self.mask")
    assert [part.part.id for part in result.parts if part.outcome != "right"] == ["forward"]


def test_a_mask_drawn_once_is_not_said_to_be_seeded():
    code = """\
    if not hasattr(dropout, 'mask') or dropout.mask.shape != x.shape:
        dropout.mask = mask
    return x * dropout.mask / keep"""
    assert names(verdict("do-forward", FORWARD, code)) == {"drawn-once"}


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("return x * (np.random.rand(*x.shape) >= drop_prob) / (1 - drop_prob)", "never-off-nan"),
        (
            "return (x if not training else x * (np.random.rand(*x.shape) >= drop_prob)"
            " / (1 - drop_prob)) if drop_prob < 1 else np.zeros_like(x)",
            "zero-at-test-with-1",
        ),
        (
            "return x if not training or drop_prob == 1 else"
            " x * (np.random.rand(*x.shape) >= drop_prob) / (1 - drop_prob)",
            "nothing-dropped-at-1",
        ),
        (
            "return x if training else x * (np.random.rand(*x.shape) >= drop_prob)"
            " / (1 - drop_prob)",
            "flag-reversed-nan",
        ),
    ],
)
def test_prediction_and_the_ends(code, named):
    assert names(verdict("do-forward", BARE, code)) == {named}


def test_a_tuple_is_told_what_is_wanted():
    sentence = "should be one array of the shape {}; it is a tuple of length 2. Return the array"
    result = verdict("do-forward", FORWARD, "return x * mask / keep, mask")
    assert f"The result {sentence.format((50, 80))}" in said(result)
    result = verdict("do-noise-shape", SPATIAL, "return x, np.ones((m, 1, 1, C))")
    assert f"The result {sentence.format((50, 2, 3, 80))}" in said(result)
    result = verdict("do-backward", BACKWARD, MASK, "return dy * self.mask, self.mask")
    assert f"`layer.backward(dy)` {sentence.format((50, 100))}" in said(result)


def test_nothing_returned_is_asked_for_its_return():
    assert "Is a `return` missing?" in said(verdict("do-forward", FORWARD, "x * mask / keep"))


@pytest.mark.parametrize(
    ("mask", "back", "named"),
    [
        (MASK.replace("*x.shape", "len(x), 1"), "return dy * self.mask", {"rows"}),
        (MASK.replace("*x.shape", "x.shape[1]"), "return dy * self.mask", {"columns"}),
        (f"np.random.seed(1); {MASK}", "return dy * self.mask", {"fixed-seed"}),
        (
            MASK,  # the second one, of the same name, is as right with drop_prob 1
            "return dy * (self.mask == 0) / (1.0 - self.p or 1)",
            {"opposite-mask-everywhere", "opposite-mask-unscaled-everywhere"},
        ),
    ],
)
def test_backward_names(mask, back, named):
    assert names(verdict("do-backward", BACKWARD, mask, back)) == named


def test_backward_says_which_argument_is_wrong():
    template = BACKWARD.replace("(self, x, training)", "(self, x, is_training)")
    assert "'is_training'" in said(verdict("do-backward", template, "", "return dy"))
    result = verdict("do-backward", BACKWARD.replace("self, dy", "self, dy, x"), MASK, "return dy")
    assert "The check calls `layer.backward(dy)`: missing a required argument: 'x'" in said(result)


LAYER = """
class Dropout:
    latest = []

    def __init__(self, drop_prob):
        self.p = drop_prob

    def __call__(self, x, training):
        self.training = training
        self.factor = self.draw(x) if training else np.ones_like(x)
        {}

    def draw(self, x):
        return (np.random.rand(*x.shape) >= self.p) / (1 - self.p) if self.p < 1 else 0 * x

    def backward(self, dy):
        {}
"""
OUT = "return x * self.factor"


@pytest.mark.parametrize(
    ("there", "back", "lost", "named", "words"),
    [
        (
            f"self.latest.append(self.factor); {OUT}",
            "return dy * self.latest.pop()",
            ["mask", "scale"],
            {"shared-between-layers"},
            "",
        ),
        (
            OUT,
            "return dy * self.draw(dy)",
            ["mask", "edges"],
            {"draws-again-at-prediction-too"},
            "",
        ),
        (
            OUT,
            "return dy * (1 - (self.factor > 0))",
            ["mask", "scale", "edges"],
            {"opposite-mask-unscaled-everywhere"},
            "",
        ),
        (OUT, "return dy * self.factor[:1]", ["mask"], {""}, "it is another mask."),
        (
            f"{OUT} * (1 - self.p)",
            "return dy * self.factor",
            ["forward"],
            {""},
            "survivors: as it was",
        ),
        (OUT, "f = self.factor; del self.factor; return dy * f", [], set(), ""),
    ],
)
def test_a_layer_of_another_kind_is_not_said_to_do_what_it_does_not(
    there, back, lost, named, words
):
    result = verdict("do-backward", LAYER, there, back)
    assert [part.part.id for part in result.parts if part.outcome != "right"] == lost
    assert names(result) == named
    assert words in said(result)


@pytest.mark.parametrize("shape", ["m, 1, q, 1", "1, p, q, 1", "1, 1, q, C"])
def test_unknown_shapes_of_draws_are_not_given_the_name_of_another(shape):
    code = f"return x * (np.random.rand({shape}) >= drop_prob) / (1 - drop_prob)"
    result = verdict("do-noise-shape", SPATIAL, code)
    assert names(result) == {""}
    assert "share a draw" in said(result)


NETWORK = """
def build_network(x, training, rate):
    from labsupport.tf1 import tf

    h = tf.layers.dense({}, 300, activation=tf.nn.relu)
    h = tf.layers.dropout(h, rate, training=training)
    h = tf.layers.dense(h, 300, activation=tf.nn.relu)
    h = tf.layers.dropout(h, rate, training=training)
    y = tf.layers.dense(h, 1)
    {}
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("return tf.nn.relu(y)", "goes through a ReLU too, so it is never negative"),
        ("return tf.abs(y)", "The prediction is positive where it should be negative"),
        ("return -y", "The prediction is of the wrong sign."),
    ],
)
def test_the_sign_of_a_prediction(line, words):
    result = verdict("dr-network", NETWORK, "x", line)
    assert words in said(result)
    assert {part.part.id: part.points for part in result.parts}["network"] == 0


@pytest.mark.parametrize("x", ["tf.ones_like(x)", "tf.square(x)", "tf.abs(x)", "2.0 * x"])
def test_a_network_of_something_else_than_x(x):
    result = verdict("dr-network", NETWORK, x, "return y")
    assert "The prediction is that of something else than x." in said(result)


LAYERS = """
def build_network(x, training, rate):
    from labsupport.tf1 import tf

    options = [{{}}, {{}}, {{}}]
    {}
    for layer in options[:2]:
        x = tf.layers.dense(x, 300, activation=tf.nn.relu, **layer)
        x = tf.layers.dropout(x, rate, training=training)
    return tf.layers.dense(x, 1, **options[2])
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("options[0] = dict(use_bias=False)", "without a bias in layer 1."),
        ("options[1] = dict(use_bias=False)", "without a bias in layer 2."),
        ("options[2] = dict(use_bias=False)", "without a bias in layer 3."),
        ("options[0] = options[1] = dict(use_bias=False)", "without a bias in layer 1 and 2."),
        ("options = [dict(use_bias=False)] * 3", "1 → 300 → 300 → 1, without biases."),
        (
            "options[0] = dict(kernel_initializer=tf.zeros_initializer())",
            "The weights are such that the units of layer 1 start with 0 for every x, and stay so.",
        ),
    ],
)
def test_a_fault_of_the_layers_costs_nothing_else(line, words):
    result = verdict("dr-network", LAYERS, line)
    assert [part.part.id for part in result.parts if part.outcome != "right"] == ["network"]
    assert names(result) == {""}
    assert words in said(result)


def network(first, second=None, between="h"):
    """The verdict on a network that takes its draws from NumPy. between: what is dropped, of h."""
    code = """
def build_network(x, training, rate):
    from labsupport.tf1 import tf

    h = x
    for draw in (first, second or first):
        h = tf.layers.dense(h, 300, activation=tf.nn.relu)
        h = {}
        draws = tf.numpy_function(draw, [tf.shape(h)[0], tf.random_uniform(())], tf.float64)
        mask = tf.reshape(tf.cast(draws >= rate, tf.float32), (-1, 300))
        h = tf.where(training, h * mask / (1 - rate), h)
    return tf.layers.dense(h, 1)
"""
    exercise = exercises.find("dr-network")
    cases, namespace = exercise.visible_cases(), dict(np=np, first=first, second=second)
    exec(code.format(between), namespace)
    seen = observe(exercise, namespace["build_network"], cases)
    return judge(exercise, cases, keys.load("dr-network"), seen)


def one_by_one(m, _draw):
    return np.random.rand(m, 300)


def in_groups(size):
    return lambda m, _draw: np.repeat(np.random.rand(m, 300 // size), size, axis=1)


def far_groups(m, _draw):
    return np.tile(np.random.rand(m, 150), (1, 2))


def as_many(m, _draw):
    return np.argsort(np.random.rand(m, 300), axis=1) / 299


def half_for_both(m, _draw):
    half = np.random.rand((m + 1) // 2, 300)
    return np.concatenate([half, half])[:m]


def neighbours_alike(m, _draw):
    return np.repeat(np.random.rand((m + 1) // 2, 300), 2, axis=0)[:m]


@pytest.mark.parametrize("seed", range(3))
def test_units_dropped_one_by_one_are_right(seed):
    rng = np.random.default_rng(seed)
    result = network(lambda m, _draw: rng.random((m, 300)))
    assert result.points == result.max_points


@pytest.mark.parametrize(
    ("draws", "words"),
    [
        ((in_groups(10),), "not dropped one by one: their masks are alike"),
        ((in_groups(2),), "not dropped one by one: their masks are alike"),
        ((far_groups,), "not dropped one by one: their masks are alike"),
        ((in_groups(10), one_by_one), "not dropped one by one: their masks are alike"),
        ((one_by_one, in_groups(10)), "not dropped one by one: their masks are alike"),
        ((as_many,), "dropped as many in each sample"),
        ((half_for_both,), "with one mask for several samples"),
        *[((neighbours_alike,), "with one mask for several samples")] * 4,
    ],
)
def test_units_that_share_draws_are_seen(draws, words):
    result = network(*draws)
    assert [part.part.id for part in result.parts if part.outcome != "right"] == ["places"]
    assert words in said(result)


@pytest.mark.parametrize(
    ("between", "words"),
    [
        ("tf.stop_gradient(h)", "reached by no gradient, or by a part of it, in layer 2"),
        ("h if draw is second else tf.stop_gradient(h)", "in layer 1"),
        ("h / 2 + tf.stop_gradient(h / 2)", "in layer 2"),
        ("tf.cond(training, lambda: tf.stop_gradient(h), lambda: h)", "in layer 2"),
        ("tf.reshape(tf.numpy_function(np.copy, [h], tf.float32), (-1, 300))", "in layer 2"),
    ],
)
def test_a_gradient_that_does_not_reach_all_weights_is_seen(between, words):
    result = network(one_by_one, lambda m, draw: one_by_one(m, draw), between=between)
    assert [part.part.id for part in result.parts if part.outcome != "right"] == ["network"]
    assert words in said(result)


# ---------------------------------------------------------------- dr-mc

NO_WEIGHTS = """\
def monte_carlo(session, prediction, x, training, points, T):
    weights = prediction.op.inputs[2]
    for _ in range(T):
        session.run(prediction, {x: points, training: True, weights: np.full(8, 1e-30)})
    return np.full(len(points), 4.0), np.zeros(len(points))
"""


def test_passes_without_the_trained_weights_earn_nothing():
    result = verdict("dr-mc", NO_WEIGHTS.replace("{", "{{").replace("}", "}}"))
    assert result.points == 0
    assert "other weights than the trained ones" in said(result)


# ---------------------------------------------------------------- dr-output

EXPECTED = """\
def expected_loss(prediction, target, rate):
    prediction MINUS target
    error = prediction
    return np.mean(error**2 + rate / (1 - rate) * (error + target) ** 2)
"""
DRAWN = """\
def expected_loss(prediction, target, rate):
    mask = np.random.rand(*prediction.shape) >= rate
    return np.mean((prediction * mask / (1 - rate) - target) ** 2)
"""


def test_a_loss_that_changes_its_prediction_is_right_all_the_same():
    for minus, lost in (("= prediction -", []), ("-=", ["inputs"])):
        found = verdict("dr-output", EXPECTED.replace("MINUS", minus))
        assert [part.part.id for part in found.parts if part.outcome != "right"] == lost


def test_a_loss_that_is_drawn_is_told_so_in_each_case():
    exercise, namespace = exercises.find("dr-output"), dict(np=np)
    exec(DRAWN, namespace)
    cases = [case for case in exercise.visible_cases() if case.id != "off"]
    for seen in observe(exercise, namespace["expected_loss"], cases).values():
        assert seen.values["the expected loss"] == "another one in each call"
