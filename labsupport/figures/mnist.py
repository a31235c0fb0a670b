"""Figures of lesson 07_mnist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from labsupport.figures import BLUE, CYCLE, GREY, RED, Picture, canvas


def accuracy(
    runs: Mapping[str, Sequence], *, epochs: int, low: float = 0.4, high: float = 1.0
) -> Picture:
    """Accuracy on the test digits, epoch by epoch, one colour per label.

    runs: for each label the accuracies of one run, or a list of runs, shown as mean and range.
    epochs: length of the axis, so that it stays when curves grow.
    """
    figure, (axes,) = canvas(height=3.4)
    ends, words = [], []
    for (label, values), colour in zip(runs.items(), CYCLE, strict=False):
        values = np.atleast_2d(np.asarray(values, dtype=float))
        if not values.size:
            continue
        count, steps = len(values), np.arange(1, values.shape[1] + 1)
        axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2)
        axes.plot(steps, values.mean(axis=0), color=colour, marker="o", markersize=3)
        last = values[:, -1].mean()
        ends.append((last, f"{label}: {100 * last:.0f} %", colour))
        spread = f" (between {100 * values[:, -1].min():.0f} and {100 * values[:, -1].max():.0f} %)"
        words.append(f"{label} {100 * last:.0f} %{spread if count > 1 else ''}")
    for height, (_, text, colour) in zip(
        _apart([e[0] for e in ends], high - low), ends, strict=True
    ):
        axes.text(epochs + 0.25, height, text, color=colour, va="center")
    axes.set(xlabel="epoch", ylabel="test accuracy", ylim=(low, high), xlim=(0.5, 1.55 * epochs))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xticks([t for t in axes.get_xticks() if 1 <= t <= epochs])
    axes.spines["bottom"].set_bounds(0.5, epochs)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return Picture(figure, f"Accuracy on the test digits, at the end: {'; '.join(words)}.")


def _apart(heights: Sequence[float], span: float) -> list[float]:
    """Heights for labels, moved as little as it takes to keep them legible."""
    gap, placed = 0.085 * span, {}
    floor = -np.inf
    for i in np.argsort(heights, kind="stable"):
        floor = placed[int(i)] = max(heights[i], floor + gap)
    excess = max(0.0, max(placed.values(), default=0.0) - max(heights, default=0.0)) / 2
    return [placed[i] - excess for i in range(len(heights))]


def moving_statistics(layers: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Picture:
    """Each unit's moving mean and variance as a point, one panel per layer."""
    figure, all_axes = canvas(len(layers), height=3.0, sharex=True, sharey=True)
    words = []
    for axes, (name, (mean, var)) in zip(all_axes, layers.items(), strict=True):
        still = np.array_equal(mean, np.zeros_like(mean)) and np.array_equal(var, np.ones_like(var))
        axes.axhline(1, color=GREY, lw=0.7, zorder=0)
        axes.axvline(0, color=GREY, lw=0.7, zorder=0)
        axes.semilogy(mean, var, "o", markersize=4, color=RED if still else BLUE, alpha=0.5)
        axes.set_title(f"{name}: {len(mean)} units")
        axes.set_xlabel("moving mean")
        if still:
            axes.annotate(
                "every unit is here",
                (0, 1),
                (12, 14),
                textcoords="offset points",
                color=RED,
                arrowprops=dict(arrowstyle="-", color=RED),
            )
            words.append(f"in {name} every unit has mean 0 and variance 1")
        else:
            ranges = f"means from {mean.min():.1f} to {mean.max():.1f}"
            words.append(f"in {name} {ranges}, variances from {var.min():.2f} to {var.max():.1f}")
    all_axes[0].set_ylabel("moving variance")
    return Picture(figure, f"Moving statistics of each unit: {'; '.join(words)}.")


def strip(images: np.ndarray, labels: Sequence[int], rows: Mapping[str, Sequence[int]]) -> Picture:
    """Digits in a row, and under each what it was taken for, one line per label of `rows`.

    A wrong prediction is red and crossed out. Rows may be shorter than the digits are many.
    """
    count = len(images)
    figure, (axes,) = canvas(width=9.0, height=1.1 + 0.42 * len(rows))
    line = 0.5
    for i, image in enumerate(images):
        shown = 1 - np.reshape(image, (28, 28))
        axes.imshow(shown, cmap="gray", vmin=0, vmax=1, extent=(i, i + 0.94, 0, 0.94))
    for row, (label, predictions) in enumerate(rows.items(), 1):
        height = 0.28 - line * row
        axes.text(-0.2, height, label, ha="right", va="center")
        for i, digit in enumerate(predictions):
            right = digit == labels[i]
            look = dict(color=BLUE, weight="bold") if right else dict(color=RED)
            axes.text(i + 0.47, height, str(digit), ha="center", va="center", fontsize=13, **look)
            if not right:
                axes.plot([i + 0.27, i + 0.67], [height - 0.13, height + 0.13], color=RED, lw=1.2)
    axes.set(xlim=(-3.2, count), ylim=(0.05 - line * len(rows), 1))
    axes.set_aspect("equal")
    axes.set_axis_off()
    return Picture(figure, f"The digits {_listed(labels)}. {_readings(labels, rows)}")


def _readings(labels: Sequence[int], rows: Mapping[str, Sequence[int]]) -> str:
    words = []
    for label, predictions in rows.items():
        right = sum(int(p) == int(t) for p, t in zip(predictions, labels, strict=False))
        words.append(f"{label}: {_listed(predictions)}, {right} of {len(predictions)} right.")
    return " ".join(words)


def _listed(digits: Sequence[int]) -> str:
    return " ".join(str(int(digit)) for digit in digits)
