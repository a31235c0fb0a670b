"""Figures of lesson 09_dropout_regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

from labsupport.figures import BLUE, GREEN, GREY, ORANGE, RED, Picture, canvas

COLOURS = {"without dropout": RED, "with dropout": BLUE}


def fits(
    x: np.ndarray,
    targets: Mapping[str, np.ndarray],
    curves: Mapping[str, np.ndarray],
    steps: Sequence[int],
    losses: Mapping[str, Sequence[float]],
    last: int,
) -> Picture:
    """Left: the points and what the networks say of them; right: test losses so far.

    targets: "train" and "test"; last: the step at which training will end.
    """
    losses = {label: np.ravel(values) for label, values in losses.items()}  # some are of shape (1,)
    figure, (left, right) = canvas(2, width=8.4, height=3.3)
    _points(left, x, targets)
    for label, curve in curves.items():
        left.plot(x, curve, color=COLOURS[label], label=label)
    left.set(xlabel="x", ylabel="y", ylim=(-2, 2))
    left.set_title(f"after {steps[-1]} steps", loc="left")
    left.legend(fontsize=8.5, loc="upper left", frameon=False)
    for label, values in losses.items():
        right.plot(steps, values, color=COLOURS[label])
        right.annotate(f" {values[-1]:.2f}", (steps[-1], values[-1]), color=COLOURS[label])
    right.set(xlabel="step", ylabel="test loss", xlim=(0, last * 1.15), ylim=(0, 0.4))
    now = "; ".join(f"{label} {values[-1]:.2f}" for label, values in losses.items())
    return Picture(
        figure, f"Twenty points and fitted curves after {steps[-1]} steps. Test loss: {now}."
    )


def _points(axes: Axes, x: np.ndarray, targets: Mapping[str, np.ndarray]) -> None:
    for (label, y), (marker, colour) in zip(
        targets.items(), (("o", "#222222"), ("x", GREY)), strict=False
    ):
        axes.plot(x, y, marker, color=colour, markersize=5, alpha=0.8, label=label)


def paired(
    steps: Sequence[int], losses: Mapping[str, np.ndarray], reference: float, step: int, runs: int
) -> Picture:
    """Left: in each run, by how much dropout lowers the test loss at a step; right: mean losses.

    losses: label to an array (steps, runs), without dropout first; reference: the mean test loss
    of a straight line, over all runs.
    """
    at = list(steps).index(step)
    (_, without), (_, having) = losses.items()
    gains = (without - having)[at, :runs]
    mean, error = gains.mean(), gains.std(ddof=1) / np.sqrt(runs)
    figure, (left, right) = canvas(2, width=8.4, height=3.4)
    order = np.sort(gains)
    left.axvline(0, color=GREY, lw=0.8)
    left.scatter(order, np.arange(runs), color=np.where(order > 0, BLUE, RED), s=22)
    left.errorbar(mean, -2.2, xerr=2 * error, color=GREEN, marker="D", capsize=4)
    left.annotate("  mean ± 2 s.e.", (mean + 2 * error, -2.2), color=GREEN, va="center", fontsize=9)
    left.set(
        xlabel="test loss without dropout − with dropout",
        yticks=[],
        ylim=(-4.5, 20),
        xlim=(-0.3, 0.3),
    )
    left.set_title(f"{runs} runs, stopped at step {step}", loc="left")
    left.spines["left"].set_visible(False)
    left.text(
        0.02, 0.98, "dropout worse", color=RED, transform=left.transAxes, va="top", fontsize=9
    )
    left.text(
        0.98, 0.98, "better", color=BLUE, transform=left.transAxes, va="top", ha="right", fontsize=9
    )
    for label, values in losses.items():
        right.plot(steps, values.mean(axis=1), color=COLOURS[label], label=label)
    right.axhline(reference, color=ORANGE, ls="--", label="straight line")
    right.axvline(step, color=GREEN, lw=0.8)
    right.set(xlabel="step", ylabel="test loss, mean of all runs", ylim=(0.08, 0.2))
    right.legend(fontsize=8.5, loc="upper left", frameon=False)
    return Picture(
        figure,
        f"Stopped at step {step}, dropout has the lower test loss in {int((gains > 0).sum())} of "
        f"{runs} runs; mean gain {mean:.3f}, from {mean - 2 * error:.3f} to "
        f"{mean + 2 * error:.3f}. Mean test losses at this step: "
        f"{without[at].mean():.3f} without and {having[at].mean():.3f} with dropout, "
        f"{reference:.3f} for a straight line.",
    )


def band(
    x: np.ndarray, mean: np.ndarray, std: np.ndarray, x_train: np.ndarray, y_train: np.ndarray
) -> Picture:
    """Mean ± 2 standard deviations over stochastic passes, at x (m, 1), with the training data."""
    x, mean, std = x.ravel(), np.ravel(mean), np.ravel(std)
    figure, (axes,) = canvas(height=3.2)
    axes.fill_between(x, mean - 2 * std, mean + 2 * std, color=BLUE, alpha=0.2, lw=0)
    axes.plot(x, mean, color=BLUE, label="mean ± 2 standard deviations")
    axes.plot(x, x, color=GREY, ls=":", label="truth, y = x")
    axes.plot(x_train, y_train, "o", color="#222222", markersize=4, label="train")
    axes.set(xlabel="x", ylabel="y")
    axes.legend(fontsize=8.5, loc="upper left", frameon=False)
    near, far = np.interp([0.0, x.max()], x, std)
    return Picture(
        figure,
        f"A band around the fitted curve: its standard deviation is {near:.2f} at x = 0 and "
        f"{far:.2f} at x = {x.max():.1f}, where there are no data.",
    )


def loss_by_factor(
    factors: Sequence[float], on: Sequence[float], off: Sequence[float], rate: float
) -> Picture:
    """Loss of the prediction a·y for factors a, with dropout on the prediction on and off."""
    figure, (axes,) = canvas(height=2.9)
    best = int(np.argmin(on))
    axes.plot(factors, on, color=BLUE)
    axes.plot(factors, off, color=GREY)
    axes.plot(factors[best], on[best], "D", color=BLUE)
    axes.annotate(
        f"lowest at a = {factors[best]:.2f}",
        (factors[best], on[best]),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        color=BLUE,
    )
    axes.annotate("dropout on", (factors[0], on[0]), xytext=(6, 4), textcoords="offset points",
                  color=BLUE)  # fmt: skip
    axes.annotate("dropout off", (factors[-1], off[-1]), xytext=(-4, 5),
                  textcoords="offset points", color=GREY, ha="right", va="bottom")  # fmt: skip
    axes.set(xlabel="factor a: the network says a · y", ylabel="expected loss")
    axes.set(ylim=(0, 2.2))
    axes.set_title(f"rate {rate:.2f}", loc="left")
    return Picture(
        figure,
        f"With rate {rate:.2f} on the prediction the expected loss is lowest at a factor of "
        f"{factors[best]:.2f}, where it is {on[best]:.2f}; at factor 1 it is "
        f"{np.interp(1, factors, on):.2f}. Without dropout it is 0 at factor 1.",
    )
