"""Exercises of lesson 01_batch_norm_by_hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labsupport.exercises.common import (
    affine,
    batch,
    images,
    moments_fact,
    out_probe,
    pair,
    spread_out,
)
from labsupport.observe import plain
from labsupport.vocabulary import Case, Exercise, Odd, Part

LESSON = "01_batch_norm_by_hand"
ARGUMENTS = ("x", "gamma", "beta", "eps")


# ---------------------------------------------------------------- bn-dense


def _dense_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, x, eps):
        gamma, beta = affine(rng, x.shape[1])
        return Case(case_id, title, dict(x=x, gamma=gamma, beta=beta, eps=eps))

    n, d = int(rng.randint(7, 10)), int(rng.randint(4, 6))
    varying = batch(rng, 5, 3)
    constant = spread_out(varying, 0)
    constant[:, 1] = varying[0, 1]
    # Beside these variances every fixed small ε is as good as none; one of them is under ε.
    large = 100 * batch(rng, 6, 4, scale=0.6)
    large[:, 0] *= 22 / large[:, 0].std()
    return [
        case("plain", f"{n} samples of {d} features", spread_out(batch(rng, n, d), 0), 1e-6),
        case("wide", "fewer samples than features", spread_out(batch(rng, 3, n), 0), 1e-6),
        case("large-eps", "a large ε", large, rng.uniform(1e3, 3e3)),
        case("constant", "a feature that never varies", constant, 1e-3),
        case("one", "a batch of one sample", batch(rng, 1, 4), 1e-3),
    ]


DENSE = Exercise(
    id="bn-dense",
    lesson=LESSON,
    title="Batch norm of a dense layer",
    answer="batch_norm_dense",
    parts=(
        Part("values", 4, "every feature gets mean β and spread |γ|", ("plain/out", "wide/out")),
        Part("eps", 2, "ε does its work", ("large-eps/out", "constant/out", "one/out")),
        Part("inputs", 1, "`x` itself is left alone", ("*/inputs",)),
    ),
    cases=_dense_cases,
    probe=out_probe("batch_norm_dense", *ARGUMENTS),
    hints=(
        "`x` has one row per sample and one column per feature. You need one mean and one "
        "variance for each column: what shape do they have?",
        "`x.mean()` gives one number. Its argument `axis` names the direction that disappears: "
        "which of (m, D) must go, so that (D,) is left?",
        "Test with γ = 2 and β = 3 in every feature: `.mean(axis=0)` of your result should be 3 "
        "everywhere, and `.std(axis=0)` just under 2.",
    ),
    facts=(moments_fact("out", (0,), "feature"),),
)


# ---------------------------------------------------------------- bn-conv, bn-channels-last


def _image_cases(rng: np.random.RandomState, channels_last: bool) -> list[Case]:
    def case(case_id, title, m, c, p, q, eps):
        shape = (m, p, q, c) if channels_last else (m, c, p, q)
        axes = (0, 1, 2) if channels_last else (0, 2, 3)
        x = images(rng, shape, axis=3 if channels_last else 1)
        x = 15 * x if eps > 0.01 else spread_out(x, axes)
        gamma, beta = affine(rng, c)
        return Case(case_id, title, dict(x=x, gamma=gamma, beta=beta, eps=eps))

    m, p = int(rng.randint(4, 6)), int(rng.randint(3, 5))
    return [
        case("plain", "images wider than high", m, 3, p, p + 2, 1e-6),
        case("as-wide", "images as wide as they have channels", 2, 4, 3, 4, 1e-6),
        case("as-high", "images as high as they have channels", 3, 4, 4, 2, 1e-6),
        # Beside these variances every fixed small ε is as good as none.
        case("large-eps", "a large ε", 3, 2, 4, 3, rng.uniform(1e3, 3e3)),
    ]


def _image_parts(layout: str) -> tuple[Part, ...]:
    return (
        Part("values", 3, f"one mean per channel of {layout} images", ("plain/out", "as-*/out")),
        Part("eps", 1, "ε does its work", ("large-eps/out",)),
        Part("inputs", 1, "`x` itself is left alone", ("*/inputs",)),
    )


CONV = Exercise(
    id="bn-conv",
    lesson=LESSON,
    title="Batch norm of a convolution, channels first",
    answer="batch_norm_conv",
    parts=_image_parts("NCHW"),
    cases=lambda rng: _image_cases(rng, channels_last=False),
    probe=out_probe("batch_norm_conv", *ARGUMENTS),
    hints=(
        "There are C means, not C·p·q. Over which of the four axes must you average so that only "
        "the channel axis is left? `axis` may be a tuple.",
        "What shape has the mean now, and which shape would line up with (m, C, p, q)? `mean` has "
        "an argument that keeps averaged axes as axes of length 1.",
        "γ and β have shape (C,), and NumPy lines shapes up from the right, where `x` has its "
        "width. Give them a shape that puts C in the channel's place.",
    ),
    facts=(moments_fact("out", (0, 2, 3), "channel"),),
)

CHANNELS_LAST = Exercise(
    id="bn-channels-last",
    lesson=LESSON,
    title="Batch norm of a convolution, channels last",
    answer="batch_norm_channels_last",
    parts=_image_parts("NHWC"),
    cases=lambda rng: _image_cases(rng, channels_last=True),
    probe=out_probe("batch_norm_channels_last", *ARGUMENTS),
    hints=(
        "The same idea with the axes in another order: which axis holds the channel now, and "
        "which three are left to average over?",
        "Here γ, of shape (C,), lines up with `x` by itself. Why did it not in `batch_norm_conv`?",
        "You may also move the axes, call what you have, and move them back. `transpose` moves "
        "axes; `reshape` only counts the numbers off anew.",
    ),
    facts=(moments_fact("out", (0, 1, 2), "channel"),),
)


# ---------------------------------------------------------------- bn-hide


def impostor(x: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """The lesson's broken normalization, (N, D) -> (N, D): its variance is not centred."""
    return (x - x.mean(axis=0)) / np.sqrt((x**2).mean(axis=0) + eps)


HIDES, SHOWS = "the impostor passes for right", "the impostor is caught"


def _hide_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    first, second = pair(answer, "two batches, `(x_hides, x_shows)`")
    return {
        "x_hides": _suspicion(first, "all should be within 0.01 of 1"),
        "x_shows": _suspicion(second, "all should be below 0.5"),
    }


def _suspicion(x: Any, wanted: str) -> str:
    """What a batch says about the impostor, as a sentence."""
    x = plain(x)
    if isinstance(x, str):
        what = x if isinstance(x, Odd) else f"the string {x!r}"
        return f"it should be an array of shape (m, D), and it is {what}"
    if x.ndim != 2 or x.shape[0] < 4 or x.shape[1] < 2:
        return f"it needs at least 4 samples of at least 2 features, and its shape is {x.shape}"
    if not np.isfinite(x).all():
        return "it holds numbers that are not finite"
    if x.std(axis=0).min() < 0.1:
        return (
            "one of its features hardly varies (standard deviation under 0.1), which proves little"
        )
    spread = impostor(x).std(axis=0)
    if np.abs(spread - 1).max() < 1e-2:
        return HIDES
    if spread.max() < 0.5:
        return SHOWS
    return (
        f"the impostor's features come out with standard deviations from {spread.min():.3g} to "
        f"{spread.max():.3g}; {wanted}"
    )


HIDE = Exercise(
    id="bn-hide",
    lesson=LESSON,
    title="Break it: a test that cannot see, and one that can",
    answer="test_batches",
    parts=(
        Part("hides", 1, "`x_hides` lets the impostor pass", ("*/x_hides",)),
        Part("shows", 1, "`x_shows` catches it", ("*/x_shows", "*/inputs")),
    ),
    cases=lambda rng: [Case("both", "your two batches", {})],
    probe=_hide_probe,
    hints=(
        "Compare `(x**2).mean(axis=0)` with `x.var(axis=0)`. What is the difference between the "
        "two, as a formula?",
        "For which mean of the data is that difference zero? `np.random.randn(m, D)` has a mean "
        "near that, but not at it; what makes it exact?",
        "The impostor's result has the spread σ/√(σ² + μ²). From which μ/σ on is that below ½?",
    ),
)

EXERCISES = (DENSE, CONV, CHANNELS_LAST, HIDE)
