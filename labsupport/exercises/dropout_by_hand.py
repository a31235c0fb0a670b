"""Exercises of lesson 08_dropout_by_hand. Random answers are judged by words: see `masks`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from labsupport.exercises.common import call
from labsupport.exercises.masks import (
    AS_ASKED,
    AS_BEFORE,
    CALLS,
    FRESH,
    HIGH,
    LOW,
    OWN_DRAW,
    SAME,
    SCALED,
    SEEDED,
    SHARE_OF_FEW,
    array_like,
    company,
    drawn,
    draws_in,
    few_word,
    masks_probe,
    scale_word,
    share_word,
    shared_word,
    whole_word,
    why_same,
    words_fact,
)
from labsupport.observe import plain
from labsupport.vocabulary import Case, Exercise, Odd, Part, Unusable

LESSON = "08_dropout_by_hand"
INPUTS_PART = Part("inputs", 1, "the inputs are left alone", ("*/inputs",))


# ---------------------------------------------------------------- do-forward


def _forward_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, shape, drop_prob, training=True):
        inputs = dict(x=drawn(rng, shape), drop_prob=drop_prob, training=training)
        return Case(case_id, title, inputs)

    return [
        case("dense", "a batch of shape (m, D)", (50, 80), rng.uniform(*LOW)),
        case("images", "a batch of images, four axes", (8, 5, 10, 10), rng.uniform(*HIGH)),
        case("vector", "a single vector", (4000,), rng.uniform(*HIGH)),
        case("nothing", "drop_prob 0", (50, 40), 0.0),
        case("everything", "drop_prob 1", (6, 5), 1.0),
        case("predict", "training=False", (7, 5), rng.uniform(*HIGH), training=False),
        case("predict-all", "training=False with drop_prob 1", (7, 5), 1.0, training=False),
    ]


def _forward_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, str]:
    x, drop_prob, training = (inputs[name] for name in ("x", "drop_prob", "training"))

    def run(x):
        names = ("x", "drop_prob", "training")
        return call(answer, x, drop_prob, training, name="dropout", names=names)

    return _words(run, x, drop_prob, training)


def _words(run: Callable, x: np.ndarray, drop_prob: float, training=True, together=()) -> dict:
    if training and 0 < drop_prob < 1:
        return masks_probe(run, x, drop_prob, together)
    clean = x.copy()
    return {"out": whole_word(array_like(run(x), clean, "The result"), clean, drop_prob)}


FORWARD = Exercise(
    id="do-forward",
    lesson=LESSON,
    title="Dropout",
    answer="dropout",
    parts=(
        Part("share", 2, "the share `drop_prob` is set to 0", ("*/dropped",)),
        Part("scale", 2, "the promise is kept: what survives is scaled up", ("*/survivors",)),
        Part("draws", 2, "every number, at every call, has its own draw", ("*/draws", "*/calls")),
        Part("predict", 1, "`training=False` changes nothing", ("predict*/out",), ("share",)),
        Part("edges", 1, "`drop_prob` may be 0 or 1", ("nothing/out", "everything/out")),
        INPUTS_PART,
    ),
    cases=_forward_cases,
    probe=_forward_probe,
    hints=(
        "You need an array of the shape of `x` (`x.shape`, whatever its length) that is True where "
        "a number is kept. `np.random.random_sample(x.shape)` draws that many numbers, spread "
        "evenly between 0 and 1: how many of them are below 0.3?",
        "Count: `(dropout(np.ones(10000), 0.2, True) == 0).mean()` should be near 0.2, and "
        "`dropout(np.ones(10000), 0.2, True).mean()` near 1. Test at 0.2 and not at 0.5: why?",
        "For drop_prob = 1 your factor is 1/0. Which result do you want there, and can you return "
        "it before you divide?",
    ),
    facts=(words_fact(),),
)


# ---------------------------------------------------------------- do-backward


OTHERS = 0.2  # drop_prob of another layer: its factor is none of the known ones


def _backward_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, shape, drop_prob, training=True, before=None, other=False):
        """before: shape of an earlier batch; other: whether another layer is called meanwhile."""
        first = before and drawn(rng, before)
        inputs = dict(x=drawn(rng, shape), dy=drawn(rng, shape), drop_prob=drop_prob)
        inputs |= dict(other=drawn(rng, shape)) if other else {}
        return Case(case_id, title, {**inputs, "training": training, "first": first})

    train = case("train", "a batch with zeros in it, as after a ReLU", (50, 100), rng.uniform(*LOW))
    train.inputs["x"][rng.uniform(size=(50, 100)) < 0.25] = 0
    return [
        train,
        case(
            "sizes", "a second batch, of another size", (40, 25), rng.uniform(*HIGH), True, (3, 4)
        ),
        case("predict", "training=False, after training", (7, 5), rng.uniform(*LOW), False, (7, 5)),
        case("nothing", "drop_prob 0", (6, 5), 0.0),
        case("everything", "drop_prob 1", (6, 5), 1.0),
        case("predict-all", "training=False with drop_prob 1", (7, 5), 1.0, False, (7, 5)),
        case(
            "two",
            "two layers: the second goes forwards before the first goes back",
            (40, 25),
            rng.uniform(*HIGH),
            other=True,
        ),
    ]


def _backward_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, str]:
    """Trains one layer: forwards and back, once or several times, and says what came out."""
    drop_prob, training = inputs["drop_prob"], inputs["training"]
    forward, backward = _layer(answer, drop_prob)
    if "other" in inputs:
        return _words_of_two(forward, backward, _layer(answer, OTHERS)[0], inputs)

    def step(x, dy, training):
        return forward(x, training), backward(dy)

    before = None
    if inputs["first"] is not None:
        before = step(inputs["first"], inputs["first"].copy(), True)[0]
    x, dy = inputs["x"].copy(), inputs["dy"].copy()
    y, dx = step(inputs["x"], inputs["dy"], training)
    if not training or drop_prob in (0, 1):
        return {
            "out": whole_word(y, x, drop_prob),
            "dx": _whole_gradient(dx, dy, drop_prob, before),
        }

    def again():
        return backward(inputs["dy"].copy())

    if inputs["first"] is not None:
        return _gradient_words(x, dy, y, dx, drop_prob, again)
    steps = [(y, dx), *(step(x.copy(), dy.copy(), True) for _ in range(CALLS - 1))]
    y, dx = (np.array(arrays) for arrays in zip(*steps, strict=True))
    x, dy = np.broadcast_to(x, y.shape), np.broadcast_to(dy, y.shape)
    words = _gradient_words(x, dy, y, dx, drop_prob, again)

    def of_half(half):
        return step(half, dy[0][: len(half)].copy(), True)[0]

    return {**_forward_words(of_half, x, y, dx, drop_prob), **words}


def _words_of_two(
    forward: Callable, backward: Callable, other: Callable, inputs: Mapping[str, Any]
) -> dict[str, str]:
    """Words for a layer that goes back after another one, of another drop_prob, went forwards."""
    x, dy, drop_prob = inputs["x"].copy(), inputs["dy"].copy(), inputs["drop_prob"]
    y = forward(inputs["x"], True)
    elsewhere = other(inputs["other"].copy(), True)
    dx = backward(inputs["dy"])
    words = _gradient_words(x, dy, y, dx, drop_prob, lambda: backward(dy.copy()))
    if ((dx == 0) == (elsewhere == 0)).all() and ((y == 0) != (elsewhere == 0)).any():
        words["mask"] = "just where the other layer's forward pass dropped"
    return {"forward": f"survivors: {scale_word(y, x, drop_prob)}", **words}


def _whole_gradient(dx, dy, drop_prob: float, before: np.ndarray | None) -> str:
    """Words for a gradient that should be left alone. before: the training step's output."""
    word = whole_word(dx, dy, drop_prob)
    if before is None or before.shape != dx.shape or (dx != 0).all() or not dx.any():
        return word
    same = ((dx == 0) == (before == 0)).all()
    return f"{word}, just what the training step before dropped" if same else word


def _forward_words(of_half: Callable, x, y, dx, drop_prob: float) -> dict[str, str]:
    """Words for several forward passes of one batch with zeros in it, and what is hidden by them.

    of_half: a forward pass of half of the batch.
    """
    calls = SAME if (y == y[0]).all() else FRESH
    dropped, kept = (y == 0) & (x != 0), (y != 0) & (x != 0)
    draws = OWN_DRAW
    hidden = partial(share_word, tolerance=SHARE_OF_FEW)
    count = share_word if calls == FRESH else hidden
    axes = range(x.ndim - 1)
    shared = tuple(a for a in axes if not (dropped.any(a + 1) & kept.any(a + 1)).any())
    if shared and dropped.any() and kept.any():
        draws = shared_word(shared, len(axes))
        count = hidden = partial(few_word, draws=draws_in(y.shape, shared, calls))
    elif dropped.any() and kept.any():
        few = slice(None) if calls == FRESH else slice(1)
        draws = company(dropped[few], (x != 0)[few]) or draws
    share = count(dropped[x != 0], drop_prob)
    survivors = scale_word(y, x, drop_prob, calls=True)
    if calls == SAME:
        calls = why_same(of_half, x[0], (y == 0)[0])
    return {
        "forward": f"dropped: {share}; survivors: {survivors}; {draws}; {calls}",
        "where_x_is_0": hidden((dx == 0)[x == 0], drop_prob),
    }


def _layer(answer: Any, drop_prob: float) -> tuple[Callable, Callable]:
    """A new layer's two ways: functions (x, training) -> y and dy -> dx."""
    if not callable(answer) or _refusal(answer, drop_prob):
        raise Unusable("`Dropout` should be a class, and `Dropout(drop_prob)` should make a layer.")
    layer = answer(drop_prob)
    if not callable(layer) or not callable(getattr(layer, "backward", None)):
        raise Unusable("A layer needs the methods `__call__(self, x, training)` and `backward`.")

    def forward(x, training):
        refusal = _refusal(layer, x, training=training)
        if refusal:
            raise Unusable(f"The check calls `layer(x, training=…)`: {refusal}.")
        clean = x.copy()
        return np.array(array_like(layer(x, training=training), clean, "`layer(x, training)`"))

    def backward(dy):
        back = layer.backward  # it may be made anew in each forward pass
        refusal = _refusal(back, dy)
        if refusal:
            raise Unusable(f"The check calls `layer.backward(dy)`: {refusal}.")
        clean = dy.copy()
        return np.array(array_like(back(dy), clean, "`layer.backward(dy)`"))

    return forward, backward


def _refusal(function: Callable, *arguments: Any, **named: Any) -> str:
    """Why a function does not take these arguments; "" if it does, or if nobody can tell."""
    try:
        inspect.signature(function).bind(*arguments, **named)
    except TypeError as error:
        return str(error)
    except ValueError:
        return ""
    return ""


def _gradient_words(x, dy, y, dx, drop_prob: float, again: Callable) -> dict[str, str]:
    """Words for a gradient. again: goes back once more from the last forward pass."""
    kept, passed = (y != 0)[x != 0], (dx != 0)[x != 0]
    if passed.all():
        mask = "nowhere"
    elif not passed.any():
        mask = "everywhere"
    elif (kept == passed).all():
        mask = "just where the forward pass dropped"
    elif (kept != passed).all():
        mask = "just where the forward pass kept"
    else:
        mask = "not where the forward pass dropped: it is another mask"
        if _is_drawn(dx[-1] if dx.ndim > 2 else dx, again):
            mask += ", and yet another one in the next call"
    return {"mask": mask, "scale": scale_word(dx, dy, drop_prob)}


def _is_drawn(dx: np.ndarray, again: Callable) -> bool:
    """Whether a gradient is 0 in other places when it comes again."""
    try:
        return bool(((again() == 0) != (dx == 0)).any())
    except Exception:  # a right layer may go back only once; this is asked of wrong ones
        return False


BACKWARD = Exercise(
    id="do-backward",
    lesson=LESSON,
    title="The way back",
    answer="Dropout",
    parts=(
        Part("forward", 2, "`layer(x, training)` is dropout", ("*/forward", "*/out")),
        Part("mask", 2, "the gradient meets the same mask", ("*/mask", "*/where_x_is_0")),
        Part("scale", 1, "the gradient meets the same factor", ("*/scale",)),
        Part("edges", 1, "`training=False` and `drop_prob` 0 and 1", ("*/dx",)),
        INPUTS_PART,
    ),
    cases=_backward_cases,
    probe=_backward_probe,
    hints=(
        "In one forward pass every yᵢ is xᵢ times a number that does not depend on xᵢ. Which "
        "number is it for a dropped xᵢ, which for a kept one? That number is ∂yᵢ/∂xᵢ.",
        "`backward` comes later and gets only `dy`. What must `__call__` put into `self`, so that "
        "`backward` need not draw again?",
        "What is ∂yᵢ/∂xᵢ with `training=False`? Does your layer still hold the mask of the last "
        "training step then? And where x is 0, can you tell from y who was dropped?",
    ),
    facts=(words_fact(),),
    whole=True,  # what is said of one way is often about the other, too
)


# ---------------------------------------------------------------- do-noise-shape


def _spatial_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, shape, drop_prob):
        return Case(case_id, title, dict(x=drawn(rng, shape), drop_prob=drop_prob))

    return [
        case("low", "images with many channels", (50, 2, 3, 80), rng.uniform(*LOW)),
        case("high", "images as wide as high", (80, 2, 2, 50), rng.uniform(*HIGH)),
        case("nothing", "drop_prob 0", (3, 2, 4, 5), 0.0),
        case("everything", "drop_prob 1", (3, 2, 4, 5), 1.0),
    ]


def _spatial_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, str]:
    drop_prob = inputs["drop_prob"]

    def run(x):
        return call(answer, x, drop_prob, name="spatial_dropout", names=("x", "drop_prob"))

    return _words(run, inputs["x"], drop_prob, together=(1, 2))


SPATIAL = Exercise(
    id="do-noise-shape",
    lesson=LESSON,
    title="Spatial dropout",
    answer="spatial_dropout",
    parts=(
        Part("draws", 3, "each channel of each image has one draw", ("*/draws", "*/calls")),
        Part("share", 1, "the share `drop_prob` of the channels is dropped", ("*/dropped",)),
        Part("scale", 1, "what survives is scaled up", ("*/survivors",)),
        Part("edges", 1, "`drop_prob` may be 0 or 1", ("*/out",)),
        INPUTS_PART,
    ),
    cases=_spatial_cases,
    probe=_spatial_probe,
    hints=(
        "How many draws do m images of C channels need? Write down the shape of the array of "
        "draws, with a 1 for each axis along which numbers share a draw.",
        "`x.shape` is (m, p, q, C). In lesson 01 the mean of a channel had to be broadcast over "
        "its pixels; a mask of draws broadcasts in the same way.",
        "Everything but the shape of the draws is as in `dropout`, with its factor and its "
        "drop_prob = 1. Look at `spatial_dropout(np.ones((1, 2, 2, 4)), 0.5)`: what should be "
        "equal in it?",
    ),
    facts=(words_fact(),),
)


# ---------------------------------------------------------------- do-which
#
# Six broken layers. The lesson hands them out as black boxes.


def _throw(x: np.ndarray, share: float, factor: float, shape=None) -> np.ndarray:
    return np.where(np.random.random_sample(shape or x.shape) < share, 0, factor * x)


def _patient_a(x, drop_prob, training):
    return _throw(x, drop_prob, 1 / drop_prob) if training else x


def _patient_b(x, drop_prob, training):
    shape = (len(x), *[1] * (x.ndim - 1))
    return _throw(x, drop_prob, 1 / (1 - drop_prob), shape) if training else x


def _patient_c(x, drop_prob, training):
    return _throw(x, drop_prob, 1 / (1 - drop_prob)) if training else x * (1 - drop_prob)


def _patient_d(x, drop_prob, training):
    return _throw(x, 1 - drop_prob, 1 / drop_prob) if training else x


def _patient_e(x, drop_prob, training):
    draws = np.random.RandomState(7).random_sample(x.shape)
    return np.where(draws < drop_prob, 0, x / (1 - drop_prob)) if training else x


def _patient_f(x, drop_prob, training):
    return _throw(x, drop_prob, 1 / (1 - drop_prob))


#: name -> function (x, drop_prob, training) -> y, of the shape of x.
patients: Mapping[str, Callable] = {
    "A": _patient_a,
    "B": _patient_b,
    "C": _patient_c,
    "D": _patient_d,
    "E": _patient_e,
    "F": _patient_f,
}

HEALTHY = dict(dropped=AS_ASKED, survivors=SCALED, draws=OWN_DRAW, calls=FRESH, predict=AS_BEFORE)

#: word -> what it does to the measurements of a layer.
DIAGNOSES: Mapping[str, Mapping[str, str]] = {
    "healthy": {},
    "swapped": dict(dropped="1 − drop_prob of them", survivors="divided by drop_prob"),
    "unscaled": dict(survivors=AS_BEFORE),
    "wrong factor": dict(survivors="divided by drop_prob"),
    "rows": dict(draws="numbers along axis 1 share a draw", dropped=None),
    "same mask": dict(calls=SEEDED),
    "never off": dict(predict="some of it is dropped"),
    "scaled again": dict(predict="multiplied by 1 − drop_prob"),
}
ABOUT = dict(
    dropped="the share that is dropped",
    survivors="what becomes of the survivors",
    draws="who shares a draw",
    calls="two calls",
    predict="prediction",
)
FITS = "that is what it does"
UNKNOWN = f"it should be one of {', '.join(DIAGNOSES)}"


def _which_cases(rng: np.random.RandomState) -> list[Case]:
    def case(name):
        inputs = dict(patient=name, x=drawn(rng, (50, 80)), drop_prob=rng.uniform(*LOW))
        return Case(name, f"patient {name}", inputs)

    return [case(name) for name in patients]


def _which_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, str]:
    """Whether what the answer says of a patient fits what the patient does, on fresh draws."""
    word = _word_about(answer, inputs["patient"])
    if word not in DIAGNOSES:
        return {"diagnosis": UNKNOWN}
    ask, x, drop_prob = patients[inputs["patient"]], inputs["x"], inputs["drop_prob"]
    np.random.seed(3)  # whatever the answer drew, the patient draws the same
    seen = masks_probe(lambda x: ask(x, drop_prob, True), x, drop_prob)
    seen["predict"] = whole_word(ask(x, drop_prob, False), x, drop_prob)
    expected = {**HEALTHY, **DIAGNOSES[word]}
    off = [name for name in HEALTHY if expected[name] not in (None, seen[name])]
    if not off:
        return {"diagnosis": FITS}
    return {"diagnosis": f"it does not fit what the layer does, in {ABOUT[off[0]]}"}


def _word_about(answer: Any, name: str) -> str:
    if isinstance(answer, (list, tuple)) and len(answer) == len(patients):
        answer = dict(zip(patients, answer, strict=True))
    if not isinstance(answer, dict):
        raise Unusable('It should be a dictionary like `{"A": "healthy", …}`.')
    words = {str(k).strip().upper(): v for k, v in answer.items()}
    if name not in words:
        raise Unusable(f"There is no diagnosis of patient {name} in it.")
    word = plain(words[name])
    return word.strip().lower() if isinstance(word, str) and not isinstance(word, Odd) else ""


WHICH = Exercise(
    id="do-which",
    lesson=LESSON,
    title="Six layers that look like dropout",
    answer="diagnosis",
    parts=tuple(
        Part(name, 1, f"patient {name}", (f"{name}/diagnosis", f"{name}/inputs"))
        for name in patients
    ),
    cases=_which_cases,
    probe=_which_probe,
    hints=(
        "At drop_prob 0.5, 1/drop_prob and 1/(1 − drop_prob) are the same number, and so are the "
        "shares. Which drop_prob makes all four different?",
        "Fill in a table, one row per patient: share of zeros, mean, mean at prediction, whether "
        "two calls agree, whether a row is all or nothing. What should a healthy row say?",
        "Two wrongs can make the mean right: `swapped` throws away too many and makes up for it "
        "exactly. The share of zeros tells; the mean does not.",
    ),
    facts=(words_fact(),),
)

EXERCISES = (FORWARD, BACKWARD, SPATIAL, WHICH)
