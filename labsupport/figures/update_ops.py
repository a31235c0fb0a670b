"""Figures of lesson 06_update_ops.

A history has one row per step: training loss, loss in prediction mode, moving mean of a feature.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from labsupport.figures import BLUE, GREEN, GREY, RED, Picture, canvas


def losses(histories: Mapping[str, np.ndarray], always_the_mean: float) -> Picture:
    """Losses on the same samples in both modes, one panel per label; logarithmic axis.

    always_the_mean: the loss of predicting every target by their mean.
    """
    figure, panels = canvas(len(histories), height=3.0, sharey=True)
    words = []
    for axes, (label, history) in zip(panels, histories.items(), strict=True):
        steps = np.arange(1, len(history) + 1)
        for column, colour in ((1, RED), (0, BLUE)):
            values = history[:, column]
            axes.semilogy(steps, values, color=colour, lw=2.4 - 0.6 * (column == 0))
        ends = history[-1]
        apart = abs(np.log10(ends[1] / ends[0])) > 0.3
        _at_the_end(
            axes, len(steps), ends[1], f"prediction {_short(ends[1])}", RED, 0 if apart else 9
        )
        _at_the_end(
            axes, len(steps), ends[0], f"training {_short(ends[0])}", BLUE, 0 if apart else -9
        )
        axes.axhline(always_the_mean, color=GREY, lw=1, ls="--")
        axes.annotate(
            f"always the mean: {_short(always_the_mean)}",
            (1.55 * len(steps), always_the_mean),
            xytext=(0, 4),
            textcoords="offset points",
            ha="right",
            color=GREY,
            fontsize=9,
        )
        axes.set(title=label, xlabel="step", xlim=(0, 1.55 * len(steps)))
        axes.set_xticks(np.linspace(0, len(steps), 4, dtype=int))
        axes.spines["bottom"].set_bounds(0, len(steps))
        words.append(f"{label}: training {_short(ends[0])}, prediction {_short(ends[1])}")
    panels[0].set_ylabel("loss on the 64 samples")
    return Picture(
        figure,
        f"Loss after {len(steps)} steps, {'; '.join(words)}; predicting the mean: "
        f"{_short(always_the_mean)}.",
    )


def _short(loss: float) -> str:
    return f"{loss:.0f}" if loss >= 10 else f"{loss:.2g}"


def _at_the_end(axes, last: int, value: float, text: str, colour: str, up: float) -> None:
    axes.annotate(
        f" {text}",
        (last, value),
        xytext=(2, up),
        textcoords="offset points",
        color=colour,
        va="center",
        fontsize=9,
    )


def way_and_losses(history: np.ndarray, target: float, momentum: float) -> Picture:
    """How far a moving mean got on its way to `target`, beside the losses in both modes."""
    steps = np.arange(1, len(history) + 1)
    way = 100 * history[:, 2] / target
    figure, (left, right) = canvas(2, height=3.0)
    left.plot([0, *steps], [0, *way], color=GREEN)
    left.axhline(100, color=GREY, lw=1, ls="--")
    left.annotate(f"{way[-1]:.1f} %", (steps[-1], way[-1]), xytext=(4, 0), va="center",
                  textcoords="offset points", color=GREEN)  # fmt: skip
    left.set(
        title=f"moving mean, momentum {momentum:g}", xlabel="step", ylabel="part of the way, %"
    )
    left.set(ylim=(-5, 115), xlim=(0, 1.2 * len(steps)))
    right.semilogy(steps, history[:, 1], color=RED)
    right.semilogy(steps, history[:, 0], color=BLUE)
    apart = abs(np.log10(history[-1, 1] / history[-1, 0])) > 0.3
    for column, colour, name, up in ((1, RED, "prediction", 9), (0, BLUE, "training", -9)):
        value = history[-1, column]
        _at_the_end(right, len(steps), value, f"{name} {_short(value)}", colour, 0 if apart else up)
    right.set(title="loss on the 64 samples", xlabel="step", xlim=(0, 1.55 * len(steps)))
    right.set(ylim=(0.02, 2000))
    for axes in (left, right):
        axes.set_xticks(np.linspace(0, len(steps), 6, dtype=int))
        axes.spines["bottom"].set_bounds(0, len(steps))
    return Picture(
        figure,
        f"With momentum {momentum:g} the moving mean has gone {way[-1]:.1f} % of the way after "
        f"{len(steps)} steps; the training loss is {_short(history[-1, 0])} and the loss in "
        f"prediction {_short(history[-1, 1])}.",
    )
