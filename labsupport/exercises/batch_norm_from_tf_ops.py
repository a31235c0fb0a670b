"""Exercises of lesson 05_batch_norm_from_tf_ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labsupport.exercises.common import affine, batch, images, moments_fact, pair
from labsupport.exercises.tf_common import Trial, trial
from labsupport.vocabulary import Case, Exercise, Odd, Part, Unusable

LESSON = "05_batch_norm_from_tf_ops"
STATE = ("gamma", "beta", "pop_mean", "pop_var")
POPULATION = ("pop_mean", "pop_var")

#: TensorFlow computes in float32, and its sums run in an order of their own.
PRECISION = dict(rtol=1e-3, atol=1e-4)
WIDE = 10.0  # spreads beside which an ordinary ε is nothing: it has cases of its own
LIMIT = 20.0  # the first check may have to wait for TensorFlow


# ---------------------------------------------------------------- tf-bn-state

TRAINED, SAVED, KEPT = "trained by the optimizer", "saved by default", "variables"
NUMBERS, FLOATS, OTHERS = "numbers", "floats in all four", "not floats in all four"


def _state_cases(rng: np.random.RandomState) -> list[Case]:
    size = int(rng.randint(3, 6))
    return [
        Case("first", f"a layer of {size}", dict(sizes=[size])),
        Case("second", "a second layer in the same graph", dict(sizes=[2, size + 2])),
    ]


def _state_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    with trial() as t:
        for number, size in enumerate(inputs["sizes"]):
            with t.tf.variable_scope(f"layer_{number}"):
                state = t.build(answer, size, name="batch_norm_variables")
        state = _four(t, state)
        values = {name: _constant(t.run(variable)) for name, variable in state.items()}
        floats = all(one.dtype.base_dtype.is_floating for one in state.values())
        values[NUMBERS] = FLOATS if floats else OTHERS
        values[TRAINED] = _names(state, t.tf.trainable_variables())
        values[SAVED] = _names(state, t.tf.global_variables())
        values[KEPT] = _names(state, t.variables())
        return values


def _four(t: Trial, state: Any) -> dict[str, Any]:
    if not isinstance(state, (list, tuple)) or len(state) != 4:
        raise Unusable("It should return four variables: gamma, beta, pop_mean, pop_var.")
    for name, one in zip(STATE, state, strict=True):
        t.fetchable(one, f"four variables, `{name}` among them")
    return dict(zip(STATE, state, strict=True))


def _constant(value: Any) -> Any:
    """Start values, which should all be alike; random ones become a sentence."""
    if value.size and np.ptp(value) > 0:
        return Odd("an array of random numbers")
    return value


def _names(state: Mapping[str, Any], variables: Sequence[Any]) -> str:
    found = [name for name, one in state.items() if any(one is v for v in variables)]
    return " and ".join(found) or "none of the four"


def _trained_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    for what in (KEPT, TRAINED, SAVED):
        if seen[what] != right[what]:
            return f"Of the four, {seen[what]} would be {what}; it should be {right[what]}."
    return None


VARIABLES = Exercise(
    id="tf-bn-state",
    lesson=LESSON,
    title="The four variables",
    answer="batch_norm_variables",
    parts=(
        Part(
            "start",
            2,
            "the right start values, of shape (size,)",
            tuple(f"*/{n}" for n in (*STATE, NUMBERS)),
        ),
        Part("trained", 2, "the optimizer changes γ and β only", (f"*/{TRAINED}",)),
        Part(
            "saved",
            1,
            "a Saver saves all four",
            (f"*/{SAVED}", f"*/{KEPT}", "*/inputs"),
            needs=("start",),
        ),
    ),
    cases=_state_cases,
    probe=_state_probe,
    hints=(
        "`tf.Variable(start_value, name=…)` makes one; `tf.ones([size])` and `tf.zeros([size])` "
        "are start values.",
        "By default the optimizer changes every variable that the loss depends on. Which argument "
        "of `tf.Variable` keeps one out of its reach?",
        "In a fresh graph, look at `tf.trainable_variables()` and `tf.global_variables()` after "
        "calling your function: two and four.",
    ),
    facts=(_trained_fact,),
    limit=LIMIT,
)


# ---------------------------------------------------------------- what the other three share


def _given(rng: np.random.RandomState, d: int, scale: float = 1.0) -> dict[str, np.ndarray]:
    """γ, β and population statistics that belong to no batch, none of them 0 or 1."""
    gamma, beta = affine(rng, d)
    mean = rng.uniform(1.0, 4.0, d) * rng.choice([-1, 1], d)
    var = rng.uniform(2.0, 9.0, d)
    return dict(gamma=gamma, beta=beta, pop_mean=scale * mean, pop_var=scale**2 * var)


def _batches(inputs: Mapping[str, Any]) -> list[np.ndarray]:
    """x1, x2 … of a case, in order."""
    return [inputs[name] for name in sorted(inputs) if name[0] == "x" and name[1:].isdigit()]


def _variables(t: Trial, inputs: Mapping[str, Any]) -> list[Any]:
    """The four variables of a case, as a layer has them."""
    return [t.variable(inputs[name], name, trainable=name not in POPULATION) for name in STATE]


def _run(t: Trial, fetches: Any, feed: Mapping[Any, Any]) -> Any:
    """What a run gives; where it fails, an Odd value that says so, without the student's line."""
    found = t.attempt(fetches, feed)
    if isinstance(found, Odd):
        return Odd("nothing: " + found.partition(" It is the operation")[0])
    return found


ALIKE = "a sample alone gets the same prediction as among others"
NOT_ALIKE = "a sample alone gets another prediction than among others"
STILL = "nothing"


def _rows(run: Callable[[np.ndarray], Any], x: np.ndarray, together: Any) -> str:
    """Whether the first sample alone gives what it gives among the others."""
    if getattr(together, "shape", None) != x.shape:
        return Odd("not to be had without one prediction per sample")
    alone = run(x[:1])
    if getattr(alone, "shape", None) != (1, *x.shape[1:]):
        return NOT_ALIKE
    return ALIKE if np.allclose(alone[0], together[0], **PRECISION) else NOT_ALIKE


def _output_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    """Mean and spread per feature or channel, for training outputs."""
    if "x1" not in inputs or not isinstance(seen.get("y"), np.ndarray) or "y" not in right:
        return None
    if np.allclose(seen["y"], right["y"], **PRECISION):
        return None
    axes = tuple(range(right["y"].ndim - 1))
    unit = "feature" if len(axes) == 1 else "channel"
    return moments_fact("y", axes, unit)(inputs, right, seen)


def _way_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    """How far a population statistic moved, compared with how far it should have."""
    for name in POPULATION:
        if name not in right or name not in seen or isinstance(seen[name], str):
            continue
        if np.allclose(seen[name], right[name], **PRECISION):
            continue
        way, wanted = seen[name] - inputs[name], right[name] - inputs[name]
        if np.allclose(way, 0, atol=1e-6):
            return f"`{name}` has not moved."
        factor = np.median(way / wanted) if np.all(wanted) else np.nan
        if np.allclose(way, factor * wanted, rtol=1e-2):
            twice = " Does it move twice in a run?" if 1.5 < factor < 2.1 else ""
            return f"`{name}` has moved {factor:.3g} times as far as it should.{twice}"
        worst = int(np.argmax(np.abs(way - wanted)))
        side = "large" if way[worst] > wanted[worst] else "small"
        return f"`{name}` is wrong, most of all in entry {worst}, where it is too {side}."
    return None


# ---------------------------------------------------------------- tf-bn-train

ALONE = "what running y alone changes"


def _train_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, batches, momentum, eps, scale=WIDE):
        xs = {f"x{i}": scale * x for i, x in enumerate(batches, 1)}
        d = batches[0].shape[-1]
        return Case(
            case_id, title, {**_given(rng, d, scale), **xs, "momentum": momentum, "eps": eps}
        )

    n, d = int(rng.randint(6, 9)), int(rng.randint(3, 5))
    three = [batch(rng, size, 3) for size in (4, n, 5)]
    return [
        case("dense", f"{n} samples of {d} features", [batch(rng, n, d)], 0.9, 1e-4),
        case("dense-three", "three steps, three batches", three, 0.75, 1e-4),
        case("dense-square", "as many samples as features", [batch(rng, 4, 4)], 0.6, 1e-4),
        case("dense-eps", "a large ε", [batch(rng, 6, 3)], 0.8, rng.uniform(2.0, 4.0), 1.0),
        case("dense-tiny", "features that hardly vary", [batch(rng, 5, 3)], 0.8, 1e-5, 0.01),
        case("conv", "images", [images(rng, (3, 2, 4, 3), axis=3)], 0.7, 1e-4),
        case(
            "conv-high",
            "images as high as they have channels",
            [images(rng, (2, 3, 4, 3), axis=3)],
            0.8,
            1e-4,
        ),
    ]


def _train_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    batches = _batches(inputs)
    with trial() as t:
        x, state = t.placeholder(batches[0], "x"), _variables(t, inputs)
        given = (x, *state, inputs["momentum"], inputs["eps"])
        y, updates = pair(t.build(answer, *given, name="batch_norm_train"), "`(y, updates)`")
        y, updates = t.fetchable(y, "a tensor `y`", operations=False), _updates(t, updates)
        out = None

        def run_y():
            nonlocal out
            out = _run(t, y, {x: batches[-1]})

        changed = t.changed_by(run_y)
        values = {"y": out, ALONE: " and ".join(changed) or STILL}
        for name, variable in zip(STATE, state, strict=True):
            t.set(variable, inputs[name])
        for one in batches:
            failed = _run(t, updates, {x: one})
        for name, variable in zip(POPULATION, state[2:], strict=True):
            values[name] = failed if isinstance(failed, Odd) else t.value(variable)
        return values


def _updates(t: Trial, updates: Any) -> list[Any]:
    """What may be returned as updates: one op, or a list of them."""
    found = list(updates) if isinstance(updates, (list, tuple)) else [updates]
    if not found:
        raise Unusable("`updates` is an empty list: there is nothing in it to run.")
    return [t.fetchable(one, "`updates`, a list of ops") for one in found]


TRAIN = Exercise(
    id="tf-bn-train",
    lesson=LESSON,
    title="Training: an output and two updates",
    answer="batch_norm_train",
    parts=(
        Part("dense", 2, "`y` for a dense layer", ("dense/y", "dense-three/y", "dense-square/y")),
        Part("conv", 2, "`y` for images", ("conv*/y",)),
        Part("eps", 1, "ε does its work", ("dense-eps/y", "dense-tiny/y")),
        Part("updates", 3, "the updates move the population statistics", ("*/pop_*",)),
        Part("alone", 1, "`y` alone changes nothing", (f"*/{ALONE}", "*/inputs"), ("updates",)),
    ),
    cases=_train_cases,
    probe=_train_probe,
    hints=(
        "Three steps: moments of x over the right axes; the output from them; two assigns. "
        "`len(x.shape)` is 2 for a dense layer and 4 for images.",
        "`tf.assign(variable, tensor)` is an op that, when run, writes the tensor's value into the "
        "variable. Writing down `momentum * pop_mean + …` alone writes nothing anywhere.",
        "`tf.nn.batch_normalization` takes the offset (β) before the scale (γ). With `offset=`, "
        "`scale=` and `variance_epsilon=` the order does not matter.",
        "Check yourself: with momentum 1 the updates change nothing, with momentum 0 `pop_mean` "
        "becomes the mean of the batch.",
    ),
    facts=(_output_fact, _way_fact),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- tf-bn-predict

CHANGES = "what a prediction changes"


def _predict_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, x, eps, scale=WIDE):
        return Case(case_id, title, {"x": scale * x, **_given(rng, x.shape[-1], scale), "eps": eps})

    n, d = int(rng.randint(6, 9)), int(rng.randint(3, 5))
    return [
        case("dense", f"{n} samples of {d} features", batch(rng, n, d), 1e-3),
        case("conv", "images", images(rng, (3, 2, 4, 3), axis=3), 1e-3),
        case("alone", "one sample", batch(rng, 1, 4), 1e-3),
        case("eps", "a large ε", batch(rng, 5, 3), rng.uniform(2.0, 4.0), 1.0),
        case("tiny", "features that hardly vary", batch(rng, 4, 4), 1e-5, 0.01),
    ]


def _predict_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    with trial() as t:
        x, state = t.placeholder(inputs["x"], "x"), _variables(t, inputs)
        y = t.build(answer, x, *state, inputs["eps"], name="batch_norm_predict")
        y = t.fetchable(y, "a tensor `y`", operations=False)
        out = _run(t, y, {})
        rows = _rows(lambda rows: _run(t, y, {x: rows}), inputs["x"], out)
        changed = t.changed_by(lambda: _run(t, y, {}))
        return {"y": out, "rows": rows, CHANGES: " and ".join(changed) or STILL}


def _rows_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if isinstance(seen.get("rows"), str) and seen["rows"] == NOT_ALIKE:
        return f"In prediction {NOT_ALIKE}."
    return None


def _changes_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if seen.get(CHANGES, STILL) != STILL:
        return f"A prediction should change nothing; yours changes {seen[CHANGES]}."
    return None


PREDICT = Exercise(
    id="tf-bn-predict",
    lesson=LESSON,
    title="Prediction",
    answer="batch_norm_predict",
    parts=(
        Part("values", 2, "it uses the population's statistics", ("dense/y", "conv/y", "alone/y")),
        Part("eps", 1, "ε does its work", ("eps/y", "tiny/y")),
        Part(
            "rows",
            1,
            "a sample's prediction depends on that sample alone, and changes nothing",
            ("*/rows", f"*/{CHANGES}", "*/inputs"),
            ("values",),
        ),
    ),
    cases=_predict_cases,
    probe=_predict_probe,
    hints=(
        "Nothing is measured here, so `tf.nn.moments` has no place in it. What takes the place of "
        "`mu` and `var`?",
        "The order is x, mean, variance, offset, scale, variance_epsilon; or name them. The op "
        "takes the variance and draws the root itself.",
        "Check yourself: feed one sample alone and among others. Its output must be the same.",
    ),
    facts=(_rows_fact, _changes_fact),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- tf-bn-cond


def _cond_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, batches, momentum, eps, flag, scale=WIDE):
        xs = {f"x{i}": scale * x for i, x in enumerate(batches, 1)}
        given = _given(rng, batches[0].shape[-1], scale)
        return Case(
            case_id, title, {**given, **xs, "momentum": momentum, "eps": eps, "training": flag}
        )

    n, d = int(rng.randint(6, 9)), int(rng.randint(3, 5))
    three = [batch(rng, size, d) for size in (4, n, 5)]
    pictures = images(rng, (3, 3, 4, 3), axis=3)
    large = rng.uniform(2.0, 4.0)
    return [
        case("train-one", "training, one step", [batch(rng, n, d)], 0.8, 1e-3, True),
        case("train", "training, three steps", three, 0.75, 1e-3, True),
        case("train-eps", "training, a large ε", [batch(rng, 6, 3)], 0.9, large, True, 1.0),
        case("train-conv", "training on images", [pictures], 0.8, 1e-3, True),
        # The momentum of 1 keeps the statistics where they are even in an answer that moves them
        # in a prediction: otherwise chance would decide which of the two comes first there.
        case("predict", "prediction", [batch(rng, n, d)], 1.0, 1e-3, False),
        case("predict-eps", "prediction, a large ε", [batch(rng, 5, 3)], 1.0, large, False, 1.0),
        case("predict-conv", "prediction for images", [0.8 * pictures + 1], 1.0, 1e-3, False),
        case("still", "two predictions, and what they leave behind", three[:2], 0.7, 1e-3, False),
    ]


def _cond_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    batches, flag = _batches(inputs), inputs["training"]
    with trial() as t:
        x, state, training = t.placeholder(batches[0], "x"), _variables(t, inputs), t.flag()
        given = (x, training, *state, inputs["momentum"], inputs["eps"])
        y = t.build(answer, *given, name="batch_norm")
        y = t.fetchable(y, "a tensor `y`", operations=False)

        def run(one):
            return _run(t, y, {x: one, training: flag})

        if flag:
            out = [run(one) for one in batches][-1]
            return {"y": out, **_population(t, state)}
        if len(batches) > 1:
            changed = t.changed_by(lambda: [run(one) for one in batches])
            return {CHANGES: " and ".join(changed) or STILL, **_population(t, state)}
        out = run(batches[0])
        return {"y": out, "rows": _rows(run, batches[0], out)}


def _population(t: Trial, state: Sequence[Any]) -> dict[str, np.ndarray]:
    return {name: t.value(v) for name, v in zip(POPULATION, state[2:], strict=True)}


COND = Exercise(
    id="tf-bn-cond",
    lesson=LESSON,
    title="Both modes behind one placeholder",
    answer="batch_norm",
    parts=(
        Part("train", 2, "fed True, `y` is the training output", ("train*/y",)),
        Part("updates", 3, "fed True, `y` moves the statistics", ("train*/pop_*",)),
        Part("predict", 2, "fed False, `y` is the prediction", ("predict*/y", "predict*/rows")),
        Part(
            "still",
            3,
            "fed False, it changes nothing",
            ("still/*", "train*/inputs", "predict*/inputs"),
            ("updates",),
        ),
    ),
    cases=_cond_cases,
    probe=_cond_probe,
    hints=(
        "`tf.cond(training, train, predict)` wants two functions without arguments. What does "
        "each of them return?",
        "The updates should run whenever the training output does, though nobody fetches them. "
        "Lesson 04 has a way to say so, and a trap: the op that carries the dependency must be "
        "made inside the block.",
        "Where is `tf.assign` called in your code: before `tf.cond`, or in the function for "
        "training? Only what is made in there is left out when the flag is False.",
        "Check yourself: feed False a few times and look at `pop_mean` before and after.",
    ),
    facts=(_output_fact, _rows_fact, _changes_fact, _way_fact),
    limit=LIMIT,
    **PRECISION,
)

EXERCISES = (VARIABLES, TRAIN, PREDICT, COND)
