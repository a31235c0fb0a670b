"""Exercises of lesson 05_batch_norm_from_tf_ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from labsupport.exercises import tf_gradients
from labsupport.exercises.common import affine, batch, images, moments_fact, pair
from labsupport.exercises.tf_common import Trial, trial
from labsupport.vocabulary import Case, Exercise, Odd, Part, Unusable

LESSON = "05_batch_norm_from_tf_ops"
STATE = ("gamma", "beta", "pop_mean", "pop_var")
POPULATION = ("pop_mean", "pop_var")

#: TensorFlow computes in float32, and its sums run in an order of their own.
PRECISION = dict(rtol=1e-3, atol=1e-4)
WIDE = 30.0  # features beside which ε is nothing, even if it is added to σ
TINY = 0.003  # features beside which it is large
OF_TINY = "y of features that hardly vary"
VAR_OF_TINY = "the new pop_var of features that hardly vary, times 100,000"
LIMIT = 20.0  # the first check may have to wait for TensorFlow


# ---------------------------------------------------------------- tf-bn-state

TRAINED, SAVED, KEPT = "trained by the optimizer", "saved by default", "variables"
NUMBERS, FLOATS, OTHERS = "numbers", "floats in all four", "not floats in all four"
LAYERS = (" in the first layer", " in the second layer")


def _state_cases(rng: np.random.RandomState) -> list[Case]:
    size = int(rng.randint(3, 6))
    return [Case("layers", "two layers in one graph", dict(sizes=[size, size + 2]))]


def _state_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    layers = []
    with trial() as t:
        for number, size in enumerate(inputs["sizes"]):
            with t.tf.variable_scope(f"layer_{number}"):
                layers.append(_four(t, t.build(answer, size, name="batch_norm_variables")))
        starts = t.run(layers)
        found = {
            TRAINED: t.tf.trainable_variables(),
            SAVED: t.tf.global_variables(),
            KEPT: t.variables(),
        }
    values = {}
    for layer, state, start in zip(LAYERS, layers, starts, strict=True):
        values |= {name + layer: _constant(value) for name, value in start.items()}
        floats = all(one.dtype.base_dtype.is_floating for one in state.values())
        values[NUMBERS + layer] = FLOATS if floats else OTHERS
        values |= {what + layer: _names(state, variables) for what, variables in found.items()}
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
    for what in (what + layer for what in (KEPT, TRAINED, SAVED) for layer in LAYERS):
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
            tuple(f"*/{n} in *" for n in (*STATE, NUMBERS)),
        ),
        Part("trained", 2, "the optimizer changes γ and β only", (f"*/{TRAINED} in *",)),
        Part(
            "saved",
            1,
            "a Saver saves all four",
            (f"*/{SAVED} in *", f"*/{KEPT} in *", "*/inputs"),
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


def _large_eps(rng: np.random.RandomState) -> float:
    """An ε that shows beside TINY features, and not beside WIDE ones."""
    return float(rng.uniform(2e-4, 4e-4))


def _batches(inputs: Mapping[str, Any]) -> list[np.ndarray]:
    """x1, x2 … of a case, in order."""
    return [inputs[name] for name in sorted(inputs) if name[0] == "x" and name[1:].isdigit()]


def _variables(t: Trial, inputs: Mapping[str, Any]) -> list[Any]:
    """The four variables of a case, as a layer has them."""
    return t.several({name: inputs[name] for name in STATE}, trainable=STATE[:2])


def _attempt(t: Trial, fetches: Any, feed: Mapping[Any, Any]) -> Any:
    """What a run gives; where it fails, an Odd value that says why, without the student's line."""
    found = t.attempt(fetches, feed)
    return Odd(found.partition(" It is the operation")[0]) if isinstance(found, Odd) else found


def _run(t: Trial, fetches: Any, feed: Mapping[Any, Any]) -> Any:
    """As a value to be compared."""
    found = _attempt(t, fetches, feed)
    return Odd(f"nothing: {found}") if isinstance(found, Odd) else found


def _steps(
    t: Trial, state: Sequence[Any], run: Callable[[np.ndarray], Any], batches: Sequence[np.ndarray]
) -> tuple[list[Any], dict[str, Any]]:
    """What a run on each batch gives; the population statistics after the first and the last.

    After a run that failed, chance decides which of the two have moved: its sentence instead.
    """
    outs, values, failed = [], {}, None
    for step, one in enumerate(batches, 1):
        outs.append(run(one))
        if failed is None and isinstance(outs[-1], Odd):
            failed = outs[-1]
        if step in (1, len(batches)):
            values |= _population(t, state, f" after step {step}", failed)
    return outs, values


def _population(
    t: Trial, state: Sequence[Any], when: str, failed: Odd | None = None
) -> dict[str, Any]:
    now = t.state() if failed is None else {}
    both = zip(POPULATION, state[2:], strict=True)
    return {name + when: now.get(variable.name, failed) for name, variable in both}


OF_CONSTANTS = "that of a mean and a variance which are constants"


def _gradients(
    t: Trial, answer: Any, y: Any, ends: Mapping[str, Any], inputs: Mapping[str, Any]
) -> Callable[[Mapping[Any, Any]], dict[str, str]]:
    """What tells of a feed what the gradient is that reaches each of `ends` in training.

    To be made before anything runs.
    """
    held = inputs["gamma"] * inputs["dy"] / np.sqrt(inputs["x1"].var(axis=0) + inputs["eps"])
    run = partial(_attempt, t)
    look = tf_gradients.compared(t, answer, y, ends, inputs["dy"], run, {"x": {OF_CONSTANTS: held}})
    return lambda feed: {f"the gradient for {name}": said for name, said in look(feed).items()}


ALIKE = "a sample alone gets the same prediction as among others"
NOT_ALIKE = "a sample alone gets another prediction than among others"
STILL = "nothing"


def _rows(x: np.ndarray, together: Any, alone: Any) -> str:
    """Whether the first sample alone gave what it gave among the others."""
    if getattr(together, "shape", None) != x.shape:
        return Odd("not to be had without one prediction per sample")
    if getattr(alone, "shape", None) != (1, *x.shape[1:]):
        return NOT_ALIKE
    return ALIKE if np.allclose(alone[0], together[0], **PRECISION) else NOT_ALIKE


def _first_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    """A fact about the first wrong value, of a training step or of a prediction.

    Or about a gradient, if all else is right. None where values of both are wrong, or something and
    a gradient: the judge has a sentence about one of the part's own.
    """
    wrong = [name for name in right if _differ(right[name], seen.get(name))]
    if any(name.startswith("the gradient") for name in wrong) and not wrong[0].startswith("y "):
        first = wrong[0]
        return f"T{first[1:]} is {seen[first]}." if first.startswith("the gradient") else None
    predicted = [n for n in wrong if n in (PREDICTED, "rows", CHANGES) or "predictions" in n]
    if predicted:
        looks = (_rows_fact, _changes_fact) if predicted == wrong else ()
        return " ".join(filter(None, (look(inputs, right, seen) for look in looks))) or None
    name = next((name for name in wrong if name.startswith(("y ", "pop_"))), "")
    if name.startswith("y "):
        axes = tuple(range(right[name].ndim - 1))
        look = moments_fact(name, axes, "feature" if len(axes) == 1 else "channel")
        return look(inputs, right, seen).replace("your result", name)
    return _way_fact(name, inputs, right, seen) if name else None


def _differ(right: Any, seen: Any) -> bool:
    if isinstance(right, str) or isinstance(seen, str):
        return not (isinstance(right, str) and isinstance(seen, str) and right == seen)
    return not np.allclose(seen, right, **PRECISION)


def _way_fact(name: str, inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str:
    """How far a population statistic moved, compared with how far it should have."""
    variable, _space, when = name.partition(" ")
    start = f"{when.capitalize()} `{variable}`"
    way, wanted = seen[name] - inputs[variable], right[name] - inputs[variable]
    if np.allclose(way, 0, atol=1e-6):
        return f"{start} has not moved."
    factor = np.median(way / wanted) if np.all(wanted) else np.nan
    if np.allclose(way, factor * wanted, rtol=1e-2):
        twice = " Does it move twice in a run?" if 1.5 < factor < 2.1 else ""
        return f"{start} has moved {factor:.3g} times as far as it should.{twice}"
    worst = int(np.argmax(np.abs(way - wanted)))
    side = "large" if way[worst] > wanted[worst] else "small"
    return f"{start} is wrong, most of all in entry {worst}, where it is too {side}."


# ---------------------------------------------------------------- tf-bn-train

ALONE = "what running y alone changes"
OF_OTHERS = "y of batch 1 again, with another gamma and beta"
UPDATED = ("*/pop_*", f"dense/{VAR_OF_TINY}")


def _train_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, batches, momentum, eps, **more):
        xs = {f"x{i}": WIDE * x for i, x in enumerate(batches, 1)}
        given = _given(rng, batches[0].shape[-1], WIDE)
        return Case(case_id, title, {**given, **xs, **more, "momentum": momentum, "eps": eps})

    n, d = int(rng.randint(6, 9)), int(rng.randint(3, 5))
    three = [batch(rng, size, d) for size in (n, d, 5)]  # a wrong axis fits the second, too
    more = dict(x_tiny=TINY * batch(rng, 5, d), dy=rng.uniform(-1.0, 1.0, (n, d)))
    return [
        case("dense", "a dense layer", three, 0.75, _large_eps(rng), **more),
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
    batches, values = _batches(inputs), {}
    looks = {f"y of batch {i}": one for i, one in enumerate(batches, 1)}
    if "x_tiny" in inputs:
        looks[OF_TINY] = inputs["x_tiny"]
    with trial() as t:
        x, state = t.placeholder(batches[0], "x"), _variables(t, inputs)
        given = (x, *state, inputs["momentum"], inputs["eps"])
        y, updates = pair(t.build(answer, *given, name="batch_norm_train"), "`(y, updates)`")
        y, updates = t.fetchable(y, "a tensor `y`", operations=False), _updates(t, updates)
        if "dy" in inputs:
            ends = {"x": x, "gamma": state[0], "beta": state[1]}
            reach = _gradients(t, answer, y, ends, inputs)

        def look(anew=False):
            for name, one in looks.items():
                if anew:
                    t.restart()
                values[name] = _run(t, y, {x: one})

        changed = t.changed_by(look)
        if changed:
            look(anew=True)  # what one y changes should spoil no other
            t.restart()
        values[ALONE] = " and ".join(changed) or STILL
        _outs, moved = _steps(t, state, lambda one: _run(t, updates, {x: one}), batches)
        values |= moved
        if "x_tiny" in inputs:
            now = (inputs["beta"], inputs["gamma"], *2 * [np.zeros_like(inputs["gamma"])])
            t.set_all(zip(state, now, strict=True))
            failed = _run(t, updates, {x: inputs["x_tiny"]})
            var = 1e5 * t.state()[state[3].name]
            values[OF_OTHERS] = _run(t, y, {x: batches[0]})
            values[VAR_OF_TINY] = failed if isinstance(failed, Odd) else var
            t.restart()
            values |= reach({x: batches[0]})
        return values


def _updates(t: Trial, updates: Any) -> list[Any]:
    """What may be returned as updates: one op, or a list of them."""
    what = "`updates`, a list of ops"
    if not isinstance(updates, (list, tuple)):
        return [t.fetchable(updates, what)]
    if not updates:
        raise Unusable("`updates` is an empty list: there is nothing in it to run.")
    return [t.fetchable(one, what, there="in it is") for one in updates]


TRAIN = Exercise(
    id="tf-bn-train",
    lesson=LESSON,
    title="Training: an output and two updates",
    answer="batch_norm_train",
    parts=(
        Part(
            "dense",
            2,
            "`y` for a dense layer, and its gradients",
            ("dense/y of batch *", "dense/the gradient for *"),
        ),
        Part("conv", 2, "`y` for images", ("conv*/y *",)),
        Part("eps", 1, "ε does its work", (f"dense/{OF_TINY}",)),
        Part("updates", 3, "the updates move the population statistics", UPDATED),
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
    facts=(_first_fact,),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- tf-bn-predict

CHANGES = "what a prediction changes"
OF_ONE = "y of one sample"


def _predict_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, x, eps, **more):
        given = _given(rng, x.shape[-1], WIDE)
        return Case(case_id, title, {"x": WIDE * x, **given, **more, "eps": eps})

    n, d = int(rng.randint(6, 9)), int(rng.randint(3, 5))
    tiny = {f"{name}_tiny": x for name, x in _given(rng, d, TINY).items() if name in POPULATION}
    tiny["x_tiny"] = TINY * batch(rng, 4, d)
    return [
        case("dense", "a dense layer", batch(rng, n, d), _large_eps(rng), **tiny),
        case("conv", "images", images(rng, (3, 2, 4, 3), axis=3), 1e-3),
    ]


def _predict_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    rows, out = inputs["x"], []
    with trial() as t:
        x, state = t.placeholder(rows, "x"), _variables(t, inputs)
        y = t.build(answer, x, *state, inputs["eps"], name="batch_norm_predict")
        y = t.fetchable(y, "a tensor `y`", operations=False)
        changed = t.changed_by(lambda: out.append(_run(t, y, {})))
        if changed:
            t.restart()
        alone = _run(t, y, {x: rows[:1]})
        values = {"y": out[0], "rows": _rows(rows, out[0], alone)}
        values[CHANGES] = " and ".join(changed) or STILL
        if "x_tiny" in inputs:
            values[OF_ONE] = alone
            if changed:
                t.restart()
            tiny = [inputs[f"{name}_tiny"] for name in POPULATION]
            t.set_all(zip(state[2:], tiny, strict=True))
            values[OF_TINY] = _run(t, y, {x: inputs["x_tiny"]})
        return values


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
        Part(
            "values",
            2,
            "it uses the population's statistics",
            ("dense/y", "conv/y", f"dense/{OF_ONE}"),
        ),
        Part("eps", 1, "ε does its work", (f"dense/{OF_TINY}",)),
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


PREDICTED = "y of the prediction"


def _cond_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, batches, momentum, eps, **more):
        xs = {f"x{i}": x for i, x in enumerate(batches, 1)}
        given = _given(rng, batches[0].shape[-1])
        return Case(case_id, title, {**given, **xs, **more, "momentum": momentum, "eps": eps})

    n, d = int(rng.randint(6, 9)), int(rng.randint(3, 5))
    three = [batch(rng, size, d) for size in (n, d, 5)]
    pictures, dy = images(rng, (3, 3, 4, 3), axis=3), rng.uniform(-1.0, 1.0, (n, d))
    return [
        case("dense", "a dense layer, with a large ε", three, 0.75, rng.uniform(2.0, 4.0), dy=dy),
        case("conv", "images", [pictures], 0.8, 1e-3),
    ]


def _cond_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    batches, predicted = _batches(inputs), []
    with trial() as t:
        state, run, reach = _layer(t, answer, inputs, inputs["momentum"])
        outs, moved = _steps(t, state, lambda one: run(one, True), batches)
        values = {f"y of step {i}": out for i, out in enumerate(outs, 1)} | moved
        t.restart()
        changed = t.changed_by(lambda: predicted.extend(_predictions(run, batches[0])))
        still = {CHANGES: " and ".join(changed) or STILL}
        still |= _population(t, state, " after two predictions")
        if "dy" in inputs:
            t.restart()
            values |= reach()
    if changed:
        # Chance may have decided whether the statistics moved before these predictions were made or
        # after. A momentum of 1 keeps them where they are even so.
        with trial() as t:
            _state, run, _reach = _layer(t, answer, inputs, 1.0)
            predicted = _predictions(run, batches[0])
    values[PREDICTED], values["rows"] = predicted[0], _rows(batches[0], *predicted)
    return values | still


def _layer(
    t: Trial, answer: Any, inputs: Mapping[str, Any], momentum: float
) -> tuple[list[Any], Callable[[np.ndarray, bool], Any], Callable[[], dict[str, Any]]]:
    """The four variables; what runs the layer on a batch, in training or not; its gradients."""
    x, state, training = t.placeholder(inputs["x1"], "x"), _variables(t, inputs), t.flag()
    y = t.build(answer, x, training, *state, momentum, inputs["eps"], name="batch_norm")
    y = t.fetchable(y, "a tensor `y`", operations=False)

    reach = _gradients(t, answer, y, {"x": x}, inputs) if "dy" in inputs else None

    def run(one, flag):
        return _run(t, y, {x: one, training: flag})

    return state, run, lambda: reach({x: inputs["x1"], training: True})


def _predictions(run: Callable[[np.ndarray, bool], Any], x: np.ndarray) -> list[Any]:
    """For all samples together, and for the first alone."""
    return [run(x, False), run(x[:1], False)]


COND = Exercise(
    id="tf-bn-cond",
    lesson=LESSON,
    title="Both modes behind one placeholder",
    answer="batch_norm",
    parts=(
        Part(
            "train",
            2,
            "fed True, `y` is the training output, with its gradient",
            ("*/y of step *", "*/the gradient for *"),
        ),
        Part("updates", 3, "fed True, `y` moves the statistics", ("*/pop_* after step *",)),
        Part("predict", 2, "fed False, `y` is the prediction", (f"*/{PREDICTED}", "*/rows")),
        Part(
            "still",
            3,
            "fed False, it changes nothing",
            (f"*/{CHANGES}", "*/pop_* after two predictions", "*/inputs"),
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
    facts=(_first_fact,),
    limit=LIMIT,
    **PRECISION,
)

EXERCISES = (VARIABLES, TRAIN, PREDICT, COND)
