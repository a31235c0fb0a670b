"""Exercises of lesson 02_moving_averages."""

from __future__ import annotations

import copy
import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from labsupport.exercises.common import affine, batch, call, flat, images, moments_fact, pair
from labsupport.observe import plain
from labsupport.vocabulary import Case, Exercise, Fact, Odd, Part, Unusable

LESSON = "02_moving_averages"
MOVING = ("moving_mean", "moving_var")
LEARNED = ("gamma", "beta")
STATE = (*LEARNED, *MOVING)


def _training_batches(inputs: Mapping[str, Any]) -> list[np.ndarray]:
    """x1, x2 … of a case, in order."""
    return [inputs[name] for name in sorted(inputs) if name[0] == "x" and name[1:].isdigit()]


def _statistics(rng: np.random.RandomState, d: int, scale: float = 1.0) -> dict[str, np.ndarray]:
    """A moving mean and variance that belong to no batch, none of them 0 or 1."""
    mean = rng.uniform(1.0, 4.0, d) * rng.choice([-1, 1], d)
    return {"moving_mean": scale * mean, "moving_var": scale**2 * rng.uniform(2.0, 9.0, d)}


def _is_off(name: str, right: Mapping, seen: Mapping) -> bool:
    """Whether a value has the right form and other numbers than it should."""
    if name not in right or name not in seen:
        return False
    if isinstance(right[name], str) or isinstance(seen[name], str):
        return False
    if right[name].shape != seen[name].shape or not np.isfinite(seen[name]).all():
        return False
    return not np.allclose(seen[name], right[name], rtol=1e-4, atol=1e-5)


def _way_fact(start_of: Callable[[Mapping[str, Any], str], Any]) -> Fact:
    """A fact about moving statistics: how far they moved, compared with how far they should."""

    def fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
        name = next((name for name in MOVING if _is_off(name, right, seen)), None)
        if name is None:
            return None
        start = start_of(inputs, name)
        if np.allclose(seen[name], start, rtol=1e-6):
            return f"`{name}` has not moved."
        way, wanted = seen[name] - start, right[name] - start
        factor = np.median(way / wanted)
        if np.allclose(way, factor * wanted, rtol=1e-3):
            return f"`{name}` has moved {factor:.3g} times as far as it should."
        worst = int(np.argmax(np.abs(way - wanted)))
        side = "large" if way[worst] > wanted[worst] else "small"
        return f"`{name}` is wrong, most of all in feature {worst}, where it is too {side}."

    return fact


# ---------------------------------------------------------------- bn-moving


def _moving_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, d, sizes, momentum):
        batches = {f"x{i}": batch(rng, n, d) for i, n in enumerate(sizes, 1)}
        return Case(case_id, title, dict(**_statistics(rng, d), **batches, momentum=momentum))

    n, d = int(rng.randint(6, 9)), int(rng.randint(3, 5))
    return [
        case("one", "one step", d, [n], 0.9),
        case("three", "three steps, three different batches", 3, [4, n, 5], 0.75),
        case("square", "as many samples as features", 4, [4], float(rng.choice([0.6, 0.7]))),
        case("alone", "a batch of one sample", 3, [1], 0.8),
    ]


def _moving_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    mean, var = inputs["moving_mean"], inputs["moving_var"]
    for x in _training_batches(inputs):
        before = mean.copy(), var.copy()
        found = call(answer, mean, var, x, inputs["momentum"], name="update_moving")
        if found is None:  # it may have changed the arrays in place instead
            if np.array_equal(mean, before[0]) and np.array_equal(var, before[1]):
                return {"moving_mean": None, "moving_var": None}
            found = mean, var
        elif isinstance(found, np.ndarray) and len(found) == 2:
            found = tuple(found)
        mean, var = map(flat, pair(found, "the new moving mean and the new moving variance"))
        if isinstance(mean, str) or isinstance(var, str):
            break
    return {"moving_mean": mean, "moving_var": var}


MOVING_AVERAGES = Exercise(
    id="bn-moving",
    lesson=LESSON,
    title="One step of the moving averages",
    answer="update_moving",
    parts=(
        Part("mean", 2, "the moving mean, after one step and after three", ("*/moving_mean",)),
        Part("var", 2, "the moving variance, after one step and after three", ("*/moving_var",)),
        Part("inputs", 1, "`x` itself is left alone", ("*/inputs",)),
    ),
    cases=_moving_cases,
    probe=_moving_probe,
    hints=(
        "Two numbers per feature come in, two go out. First compute what this batch says: its "
        "mean and its variance per feature.",
        "Each new value is a mixture of two: `momentum` parts of the old one, and the rest, "
        "`1 - momentum`, of what the batch says.",
        "Check yourself: with momentum 1 nothing may change; with momentum 0 the result is the "
        "mean and the variance of the batch.",
    ),
    facts=(_way_fact(lambda inputs, name: inputs[name]),),
    may_change=MOVING,
)


# ---------------------------------------------------------------- bn-predict

#: Name of the value that says by how much one sample's prediction changes when it comes alone.
COMPANY = "what the others change"


def _company(predict: Callable[[np.ndarray], Any], x: np.ndarray, together: Any) -> Any:
    """By how much the prediction for one sample of x differs from that for all of x."""
    together, i = plain(together), len(x) // 2
    alone = plain(predict(x[i : i + 1]))
    for found, shape in ((together, x.shape), (alone, (1, *x.shape[1:]))):
        if isinstance(found, str):
            return found
        if found.shape != shape:
            return Odd(f"unknown: a prediction for {shape} has shape {found.shape}")
    return alone[0] - together[i]


def _predict_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, n, d, eps, scale=1.0):
        gamma, beta = affine(rng, d)
        inputs = dict(x=scale * batch(rng, n, d), gamma=gamma, beta=beta)
        return Case(case_id, title, {**inputs, **_statistics(rng, d, scale), "eps": eps})

    n, d = int(rng.randint(6, 9)), int(rng.randint(3, 5))
    # Beside variances of 10,000 every fixed small ε is as good as none.
    large = case("large-eps", "a large ε", 5, 3, rng.uniform(8e3, 15e3), scale=100)
    large.inputs["moving_var"][0] = 4e3  # one variance under ε
    return [
        case("plain", f"{n} samples of {d} features", n, d, 1e-6, scale=100),
        large,
        case("still", "features that hardly vary", 4, 4, 1e-5, scale=0.005),
        case("alone", "a batch of one sample", 1, 4, 1e-6, scale=100),
    ]


def _predict_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    def predict(x, given):
        arguments = (given[name] for name in (*STATE, "eps"))
        return call(answer, x, *arguments, name="batch_norm_predict")

    kept = copy.deepcopy(dict(inputs))  # what the first call cannot change
    out = predict(inputs["x"], inputs)
    return {"out": out, COMPANY: _company(lambda x: predict(x, kept), kept["x"], out)}


def _company_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if _is_off(COMPANY, right, seen):
        return "In prediction a sample alone gets another result than among others."
    return None


PREDICT = Exercise(
    id="bn-predict",
    lesson=LESSON,
    title="Prediction",
    answer="batch_norm_predict",
    parts=(
        Part("values", 2, "it uses the statistics it is given", ("plain/out", "alone/out")),
        Part("eps", 2, "ε does its work", ("large-eps/out", "still/out")),
        Part(
            "rows",
            2,
            "a sample's prediction depends on that sample alone",
            (f"*/{COMPANY}",),
            ("values",),
        ),
        Part("inputs", 1, "the inputs are left alone", ("*/inputs",)),
    ),
    cases=_predict_cases,
    probe=_predict_probe,
    hints=(
        "Nothing is measured here. Which lines of `batch_norm_dense` measure something, and what "
        "takes their place?",
        "The equations for x̂ and y stay as they are, root and ε included; only μ and σ² come from "
        "elsewhere.",
        "Check yourself: `batch_norm_predict(x[:1], …)` must equal `batch_norm_predict(x, …)[:1]`.",
    ),
    facts=(_company_fact,),
)


# ---------------------------------------------------------------- bn-layer

UNTOUCHED = "leaves the layer as it was"
OTHERS = dict(momentum=0.65, eps=0.02)  # options of a second layer


def _layer_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, d, sizes=(), n=0, scale=1.0, given=False, look="", **options):
        """Training batches of these sizes, then n samples to predict, by given statistics or not.

        look: "second", also at another layer than the one that trains, made after it with other
        options; "own", at the γ and β that the layer began with. options: for the constructor.
        """
        gamma, beta = affine(rng, d)
        inputs = dict(num_features=d, options=options, gamma=gamma, beta=beta, look=look)
        for i, size in enumerate(sizes, 1):
            inputs[f"x{i}"] = scale * batch(rng, size, d)
        if given:
            inputs.update(_statistics(rng, d, scale))
        if n:
            inputs["x"] = scale * batch(rng, n, d)
        return Case(case_id, title, inputs)

    def constant(case):
        case.inputs["x1"][:, 1] = case.inputs["x1"][0, 1]
        return case

    n, d = int(rng.randint(5, 7)), int(rng.randint(3, 5))
    eps, tiny = rng.uniform(0.8, 1.5), 0.005
    return [
        case("start", "a new layer", d, momentum=0.8, eps=1e-4),
        case(
            "second",
            "a second layer, while the first one trains",
            3,
            [4],
            look="second",
            momentum=0.85,
            eps=eps,
        ),
        case("own", "γ and β of a new layer, after it has trained", 3, [4, 5], look="own"),
        case("train-one", "training, one step", d, [n], momentum=0.9, eps=1e-5),
        case("train-three", "training, three steps", 3, [4, n, 5], momentum=0.75, eps=1e-4),
        case("train-eps", "training, a large ε", 3, [4], momentum=0.8, eps=eps),
        case("train-square", "as many samples as features", 3, [3], momentum=0.6, eps=1e-4),
        constant(case("train-still", "training, a feature that never varies", 3, [4], eps=1e-3)),
        case("train-alone", "training, a batch of one", 3, [1], momentum=0.7, eps=1e-3),
        case("train-default", "training, momentum and ε not given", 3, [4], scale=tiny),
        case("predict", "prediction", d, n=4, given=True, momentum=0.8, eps=1e-5),
        case("predict-eps", "prediction, a large ε", 3, n=2, given=True, momentum=0.7, eps=eps),
        case("predict-default", "prediction, ε not given", 3, n=2, scale=tiny, given=True),
        case("predict-alone", "prediction, one sample", 3, n=1, given=True, eps=1e-3),
        case("predict-next", "prediction after two steps", 3, [5, 4], n=2, momentum=0.7, eps=0.01),
    ]


def _layer_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Plays a scenario: make a layer, give it γ and β, train, set its statistics, predict."""
    layer = _new_layer(answer, inputs)
    others = OTHERS if inputs["look"] == "second" else inputs["options"]
    second = _new_layer(answer, {**inputs, "options": others})
    batches, values = _training_batches(inputs), {}
    if not batches and "x" not in inputs:
        return _look(layer, STATE)
    if inputs["look"] == "own":
        learned = _state(layer, LEARNED)
    else:
        _put(layer, inputs, LEARNED)
    for x in batches:
        values["out"] = _run(layer, x, training=True)
    if inputs["look"] == "second":
        trained = {f"the first layer's {k}": flat(v) for k, v in _state(layer, MOVING).items()}
        return values | _look(second, MOVING) | trained
    if inputs["look"] == "own":
        return {"learned": _changes("training", learned, _state(layer, LEARNED))}
    if "x" not in inputs:
        return values | _look(layer, MOVING)
    if "moving_mean" in inputs:
        _put(layer, inputs, MOVING)
    before, x = _state(layer, STATE), inputs["x"].copy()
    values["out"] = _run(layer, inputs["x"], training=False)
    values["state"] = _changes("prediction", before, _state(layer, STATE))
    predict = functools.partial(_run, layer, training=False)
    values[COMPANY] = _company(predict, x, values["out"])
    return values


def _new_layer(answer: Any, inputs: Mapping[str, Any]) -> Any:
    d, options = inputs["num_features"], inputs["options"]
    if not callable(answer) or not _takes(answer, d, **options):
        how = "BatchNorm(num_features, momentum=0.9, eps=1e-5)"
        raise Unusable(f"`BatchNorm` should be a class, and `{how}` should make a layer.")
    return answer(d, **options)


def _run(layer: Any, x: np.ndarray, training: bool) -> Any:
    if not callable(layer):
        raise Unusable("A layer must be callable: it needs a method `__call__(self, x, training)`.")
    if not _takes(layer, x, training=training):
        raise Unusable(
            "`layer(x, training=True)` does not work: `__call__` should take `self`, `x` and "
            "`training`, by these names."
        )
    return layer(x, training=training)


def _takes(function: Callable, *arguments: Any, **named: Any) -> bool:
    """Whether a signature accepts these arguments; True where there is none to look at."""
    try:
        inspect.signature(function).bind(*arguments, **named)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _put(layer: Any, inputs: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        try:
            setattr(layer, name, inputs[name].copy())
        except AttributeError:
            raise Unusable(
                f"`layer.{name} = …` does not work, and whoever loads a trained layer needs it: "
                f"make it an ordinary attribute, `self.{name}`."
            ) from None


def _state(layer: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The layer's attributes of these names, as plain values."""
    found = {}
    for name in names:
        if not hasattr(layer, name):
            own = [n for n in getattr(layer, "__dict__", {}) if isinstance(n, str)]
            near = difflib.get_close_matches(name, own, n=1, cutoff=0.6)
            there = f", but one named `{near[0]}`" if near else ""
            raise Unusable(f"The layer has no attribute `{name}`{there}.")
        found[name] = plain(getattr(layer, name))
    return found


def _look(layer: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The layer's attributes as if they all had shape (D,), and apart from them their shapes."""
    state = _state(layer, names)
    forms = {name: v if isinstance(v, str) else v.shape for name, v in state.items()}
    shapes = ", ".join(f"{name} {form}" for name, form in forms.items())
    return {name: flat(value) for name, value in state.items()} | {"shapes": shapes}


def _changes(who: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    names = [name for name in before if not _equal(before[name], after[name])]
    return f"{who} changes {' and '.join(names)}" if names else f"{who} {UNTOUCHED}"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str) and one == other
    return np.array_equal(one, other, equal_nan=True)


def _start_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if "gamma" not in right:
        return None
    for name in STATE:
        if _is_off(name, right, seen):
            i = int(np.argmax(np.abs(seen[name] - right[name])))
            have, want = seen[name][i], right[name][i]
            return f"`{name}` of a new layer is {have:.3g}; it should be {want:.0f}."
    return None


def _training_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if "x" in inputs or not _is_off("out", right, seen):
        return None
    return moments_fact("out", (0,), "feature")(inputs, right, seen)


def _learned_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if "learned" not in right or seen["learned"] == right["learned"]:
        return None
    return f"Only a gradient may change γ and β, but {seen['learned']}."


def _prediction_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if "state" in right and seen["state"] != right["state"]:
        return f"Only training may change the layer, but {seen['state']}."
    return _company_fact(inputs, right, seen)


def _shapes_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if "shapes" not in right or seen["shapes"] == right["shapes"]:
        return None
    d = inputs["num_features"]
    return f"For {d} features the shapes should be ({d},); they are: {seen['shapes']}."


_START = ("start/gamma", "start/beta", "start/moving_*")
_MOVED = ("train-*/moving_*", "second/*moving_*", "own/learned")

LAYER = Exercise(
    id="bn-layer",
    lesson=LESSON,
    title="The layer",
    answer="BatchNorm",
    parts=(
        Part("start", 1, "a new layer has γ 1, β 0, moving mean 0, moving variance 1", _START),
        Part("train", 2, "training normalizes with the batch", ("train-*/out", "second/out")),
        Part("moving", 3, "training moves the moving statistics, and nothing else", _MOVED),
        Part("predict", 2, "prediction uses the moving statistics", ("predict*/out",)),
        Part(
            "frozen",
            2,
            "prediction changes nothing",
            ("predict*/state", f"predict*/{COMPANY}"),
            ("moving",),
        ),
        Part(
            "form",
            1,
            "the shapes are (D,), and `x` is left alone",
            ("*/shapes", "*/inputs"),
            ("moving",),
        ),
    ),
    cases=_layer_cases,
    probe=_layer_probe,
    hints=(
        "You have written all of it: `batch_norm_dense` and `update_moving` for training, "
        "`batch_norm_predict` for prediction. The layer remembers what you had to pass in.",
        "What must outlive a call goes into `self`. Which four arrays are these, and which two of "
        "them does a call with `training=True` change?",
        "Training writes the moving statistics and does not read them for its output; prediction "
        "reads them and does not write them.",
    ),
    facts=(
        _start_fact,
        _training_fact,
        _way_fact(lambda inputs, name: 0.0 if name == "moving_mean" else 1.0),
        _learned_fact,
        _prediction_fact,
        _shapes_fact,
    ),
)


# ---------------------------------------------------------------- bn-warm-up

#: (whole steps, momentum) whose fraction is reached on the dot. All of it is exact in binary, and
#: the quotient of the logarithms is a whole number, so that right answers of all kinds agree (13/16
#: is left out: log1p is a digit off there).
_ON_THE_DOT = [
    *((1, sixteenths / 16) for sixteenths in (5, 6, 7, 8, 9, 10, 11, 12, 14, 15)),
    *((2, 0.5), (4, 0.5)),
]


def _warm_up_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, momentum, whole, part):
        """A fraction that takes `whole` steps and a part of a step, the part between these two.

        None is within a tenth of a step of a whole number, so that no rounding decides; in `few`
        and `nearly` a part below a half makes rounding to the nearest a step short.
        """
        fraction = round(1 - momentum ** float(whole + rng.uniform(*part)), 6)
        return Case(case_id, title, dict(fraction=fraction, momentum=momentum))

    def drawn(low, high):
        return round(rng.uniform(low, high), 3)

    # 1 / (1 − momentum), a known wrong answer, is rounded down here.
    first = round(1 - 1 / float(rng.randint(2, 5) + rng.uniform(0.15, 0.4)), 3)
    # A loop of a thousand steps ends early; many more, and a float32 would be a step off.
    near, slow = drawn(0.9, 0.97), round(rng.uniform(0.998, 0.9982), 5)
    whole, exact = _ON_THE_DOT[rng.randint(len(_ON_THE_DOT))]
    on_the_dot = dict(fraction=1 - exact**whole, momentum=exact)
    return [
        case("first", "a small part of the way", first, 0, (0.3, 0.7)),
        case(
            "few",
            "most of the way, a handful of steps",
            drawn(0.75, 0.85),
            rng.randint(10, 16),
            (0.25, 0.45),
        ),
        case(
            "some",
            "more than half of the way",
            drawn(0.9, 0.93),
            rng.randint(10, 26),
            (0.55, 0.85),
        ),
        Case("exact", "a fraction that is reached on the dot", on_the_dot),
        case(
            "slow",
            "a momentum near 1",
            slow,
            int(rng.uniform(2.2, 2.4) / (1 - slow)),
            (0.35, 0.65),
        ),
        case(
            "nearly",
            "almost all the way",
            near,
            int(rng.uniform(3.2, 4.4) / (1 - near)),
            (0.15, 0.45),
        ),
    ]


def _warm_up_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    steps = call(answer, inputs["fraction"], inputs["momentum"], name="steps_to_reach")
    return {"steps": steps}


def _whole_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    steps = seen["steps"]
    if isinstance(steps, str) or steps.shape != () or not np.isfinite(steps):
        return None
    if abs(steps - np.round(steps)) > 1e-6:
        return f"There is no such thing as {steps:.4g} steps: the answer is a whole number."
    if steps < 0:
        return "A number of steps cannot be negative."
    return None


WARM_UP = Exercise(
    id="bn-warm-up",
    lesson=LESSON,
    title="How long is a cold start?",
    answer="steps_to_reach",
    parts=(
        Part("quick", 2, "right for the first steps", ("first/*", "few/*", "some/*", "exact/*")),
        Part("slow", 2, "right for long ways", ("slow/*", "nearly/*")),
    ),
    cases=_warm_up_cases,
    probe=_warm_up_probe,
    hints=(
        "Follow the part of the way that is still missing, not the part covered. By what factor "
        "does one step change it?",
        "After n steps the missing part is `momentum ** n`. Which n is the first one with "
        "`1 - momentum ** n >= fraction`?",
        "A loop that counts is a fine answer. With logarithms: think about which way to round, and "
        "which way an inequality turns when you divide by a negative number.",
    ),
    facts=(_whole_fact,),
)


# ---------------------------------------------------------------- bn-spatial


GIVEN = "`layer`'s input"


class DenseStandIn:
    """Takes the place of a dense layer: notes what it gets first, and marks every column.

    It is no batch norm: it gives 3x plus ten times the number of the column. What it has noted is
    private: an answer may set what else an object has.
    """

    def __init__(self):
        self._first: np.ndarray | None = None
        self._calls = 0
        self._flags: set[str] = set()

    def __call__(self, x, training=None):
        if not isinstance(x, np.ndarray) or x.ndim == 0:
            raise Unusable("`layer` was called with something that is not an array.")
        self._calls += 1
        self._first = x.copy() if self._calls == 1 else self._first
        self._flags.add("nothing" if training is None else str(bool(training)))
        return 3 * x + 10 * np.arange(x.shape[-1])


def _spatial_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, shape, training):
        return Case(case_id, title, dict(x=images(rng, shape, axis=1), training=training))

    c = int(rng.randint(2, 4))
    return [
        case("train", "images wider than high, training", (2, c, 3, 5), True),
        case("predict", "images higher than wide, prediction", (3, 2, 5, 4), False),
        case("alike", "as many channels as rows and columns", (2, 3, 3, 3), True),
        case("alone", "one image, prediction", (1, 3, 2, 4), False),
    ]


def _spatial_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    layer = DenseStandIn()
    x, training = inputs["x"], inputs["training"]
    out = call(answer, layer, x, training, name="batch_norm_images")
    return {
        GIVEN: _given(layer),
        "training": " and ".join(sorted(layer._flags)) or "nothing, for it was not called",
        "out": out,
    }


def _given(layer: DenseStandIn) -> np.ndarray | Odd:
    """What the layer was called with; its rows sorted column by column, for their order is free."""
    if layer._first is None:
        return Odd("missing, for `layer` was never called")
    if layer._calls > 1:
        return Odd(f"{layer._calls} arrays, the first of shape {layer._first.shape}")
    return np.sort(layer._first, axis=0)


def _given_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if _is_off(GIVEN, right, seen):
        return "`layer`'s input has the right shape, but its columns are not the channels in order."
    return None


def _flag_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if seen["training"] != right["training"]:
        wanted = f"`training` was {inputs['training']}"
        return f"{wanted}, but what reached `layer` was {seen['training']}."
    return None


SPATIAL = Exercise(
    id="bn-spatial",
    lesson=LESSON,
    title="Images through a dense layer",
    answer="batch_norm_images",
    parts=(
        Part("given", 2, "`layer` gets one column per channel, in one call", (f"*/{GIVEN}",)),
        Part("out", 2, "every number comes back to its place", ("*/out",)),
        Part("training", 1, "`training` is passed on", ("*/training",)),
        Part("inputs", 1, "`x` itself is left alone", ("*/inputs",)),
    ),
    cases=_spatial_cases,
    probe=_spatial_probe,
    hints=(
        "The layer wants one column per channel and does not care how many rows there are. Which "
        "axis must come last before you flatten the others?",
        "`transpose` moves axes, `reshape` only counts the numbers off anew. On the way there: "
        "first the one, then the other.",
        "The way back undoes both steps in reverse order. Which order of axes undoes (0, 2, 3, 1)?",
    ),
    facts=(_given_fact, _flag_fact),
)

# ---------------------------------------------------------------- bn-alone


class Suspect:
    """A layer to be tested. It is no batch norm: its rule says what it does to a batch."""

    def __init__(self, rule: Callable[[np.ndarray, bool, int], np.ndarray]):
        self._rule, self._calls = rule, 0

    def __copy__(self):
        return self  # or a test that copies it for every call would never see it drift

    def __deepcopy__(self, memo):
        return self

    def __call__(self, x, training):
        x = np.asarray(x, dtype=float)
        if x.ndim != 2:
            raise Unusable(
                "A layer takes a batch of shape (m, D), and one sample is a batch of shape (1, D); "
                f"yours was called with an array of shape {x.shape}."
            )
        self._calls += 1
        return self._rule(x, bool(training), self._calls)


def _honest(x, training, calls):
    return 3 * x + 1


def _neighbourly(x, training, calls):
    out = 3 * x + 1
    out[1:] += 0.1 * x[:-1]
    return out


def _one_mixed(place: Callable[[int], int]) -> Callable:
    """A rule that mixes one sample with the one before it. place: of how many, which one."""

    def rule(x, training, calls):
        out, i = 3 * x + 1, place(len(x))
        if 0 < i < len(x):
            out[i] += 0.1 * x[i - 1]
        return out

    return rule


def _first_with_last(x, training, calls):
    out = 3 * x + 1
    out[:1] += 0.1 * (x[-1:] - x[:1])
    return out


def _last_feature_mixed(x, training, calls):
    out = 3 * x + 1
    out[:, -1] += 0.1 * (x[:, -1].mean() - x[:, -1])
    return out


def _features_exchanged(x, training, calls):
    return (3 * x + 1)[:, ::-1] if len(x) > 1 else 3 * x + 1


def _from_feature_to_feature(x, training, calls):
    out = 3 * x + 1
    if len(x) > 1:
        out[:, :2] += [0.3, -0.3]
    return out


#: What the suspects do, each with a description that completes "a layer that …".
_SUSPECTS: dict[str, tuple[str, Callable]] = {
    "good-plain": ("treats every sample alike", _honest),
    # Rounding is some 40 units in the last place here: so few that equality in float32 allows it.
    "good-rounding": ("rounds differently in batches", lambda x, t, n: 3 * x + 1 + 2e-14 * len(x)),
    "good-training": (
        "mixes samples in training only",
        lambda x, t, n: x - x.mean(axis=0) if t else 3 * x + 1,
    ),
    "bad-mean": ("subtracts the mean of the batch", lambda x, t, n: x - x.mean(axis=0)),
    "bad-scale": (
        "divides by the largest number of the batch",
        lambda x, t, n: x / (1 + np.abs(x).max(axis=0)),
    ),
    "bad-size": ("looks at the size of the batch", lambda x, t, n: x * (1 + 1 / len(x))),
    "bad-neighbour": ("mixes every sample but the first with its neighbour", _neighbourly),
    "bad-first": ("mixes the first sample with the last one", _first_with_last),
    "bad-second": ("mixes the second sample with the first one", _one_mixed(lambda n: 1)),
    "bad-middle": (
        "mixes one sample in the middle with its neighbour",
        _one_mixed(lambda n: n // 2),
    ),
    "bad-last": ("mixes the last sample with its neighbour", _one_mixed(lambda n: n - 1)),
    "bad-feature": ("mixes samples in their last feature only", _last_feature_mixed),
    "bad-order": ("returns the samples in reverse order", lambda x, t, n: 3 * x[::-1] + 1),
    "bad-columns": ("returns the features in reverse order in company", _features_exchanged),
    "bad-transfer": (
        "takes a little from one feature and gives it to another in company",
        _from_feature_to_feature,
    ),
    # Less than a hundredth, and more than a thousandth, also of what it is added to.
    "bad-little": (
        "adds 0.003 to what is above the mean of the batch",
        lambda x, t, n: 0.1 * x + 0.003 * (x > x.mean(axis=0)),
    ),
    "bad-more": ("gives more in company", lambda x, t, n: 3 * x + 1 + 0.3 * (len(x) > 1)),
    "bad-less": ("gives less in company", lambda x, t, n: 3 * x + 1 - 0.3 * (len(x) > 1)),
    "bad-drift": ("changes a little at every call", lambda x, t, n: 3 * x + 1 + 0.01 * n),
    "bad-single": (
        "gives zeros for a batch of one",
        lambda x, t, n: 3 * x + 1 if len(x) > 1 else 0 * x,
    ),
}


def _alone_cases(rng: np.random.RandomState) -> list[Case]:
    cases = []
    for place in rng.permutation(len(_SUSPECTS)):  # or who counts calls would know whom to accuse
        name = list(_SUSPECTS)[place]
        # Many, so that a few at random are not enough; an even number, so that the last one is not
        # at an even place, as the first is.
        x = batch(rng, 2 * int(rng.randint(5, 8)), 3)
        cases.append(Case(name, f"a layer that {_SUSPECTS[name][0]}", dict(x=x, rule=name)))
    return cases


def _alone_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    suspect = Suspect(_SUSPECTS[inputs["rule"]][1])
    found = call(answer, suspect, inputs["x"], name="predicts_alone")
    if isinstance(found, (bool, np.bool_)):
        return {"answer": str(bool(found))}
    raise Unusable(f"`predicts_alone` should return True or False; it returns {_described(found)}.")


def _described(value: Any) -> str:
    found = plain(value)
    if isinstance(found, str):
        return str(found) if isinstance(found, Odd) else f"the string {found!r}"
    return "a number" if found.shape == () else f"an array of shape {found.shape}"


def _alone_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if seen.get("answer") == right.get("answer"):
        return None
    what = _SUSPECTS[inputs["rule"]][0]
    return f"Of a layer that {what} your function says {seen['answer']}."


ALONE = Exercise(
    id="bn-alone",
    lesson=LESSON,
    title="Break it: one test for any layer",
    answer="predicts_alone",
    parts=(
        Part("caught", 2, "layers that mix samples are caught", ("bad-*/answer",), ("cleared",)),
        Part("cleared", 1, "layers that do not are cleared", ("good-*/answer",), ("caught",)),
        Part("inputs", 1, "`x` itself is left alone", ("*/inputs",)),
    ),
    cases=_alone_cases,
    probe=_alone_probe,
    hints=(
        "You need two sets of predictions for the same samples: one with all of them together, "
        "and one in which nobody has company.",
        "`x[i]` has shape (D,), `x[i : i + 1]` has shape (1, D). A layer takes batches.",
        "Compare every sample, not only the first, and allow for rounding: `np.allclose`.",
    ),
    facts=(_alone_fact,),
)

EXERCISES = (MOVING_AVERAGES, WARM_UP, PREDICT, LAYER, ALONE, SPATIAL)
