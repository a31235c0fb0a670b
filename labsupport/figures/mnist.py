"""Figures of lesson 07_mnist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from labsupport.figures import BLUE, CYCLE, GREY, RED, Picture, canvas


def accuracy(
    runs: Mapping[str, Sequence], *, epochs: int, low: float = 0.5, high: float = 1.0
) -> Picture:
    """Accuracy on the test digits, epoch by epoch, one colour per label.

    runs: for each label the accuracies of one run, or a list of runs, shown as mean and range.
    epochs: length of the axis, so that it stays when curves grow.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = canvas(height=3.0)
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
        _apart([last for last, _, _ in ends], 0.07 * (high - low)), ends, strict=True
    ):
        axes.text(epochs + 0.25, height, text, color=colour, va="center")
    axes.set_xlabel("epoch", x=0.5 / 1.55)
    axes.set(ylabel="test accuracy", ylim=(low, high), xlim=(0.5, 1.55 * epochs))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xticks([t for t in axes.get_xticks() if 1 <= t <= epochs])
    axes.spines["bottom"].set_bounds(0.5, epochs)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return Picture(figure, f"Accuracy on the test digits, at the end: {'; '.join(words)}.")


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Heights for labels: those that are closer than `gap` spread around their common middle."""
    groups: list[list[int]] = []
    for i in np.argsort(heights, kind="stable").tolist():
        groups.append([i])
        while len(groups) > 1 and _spread(heights, groups[-1], gap)[0] < (
            _spread(heights, groups[-2], gap)[-1] + gap
        ):
            upper = groups.pop()
            groups[-1] += upper
    placed = [0.0] * len(heights)
    for group in groups:
        for i, height in zip(group, _spread(heights, group, gap), strict=True):
            placed[i] = height
    return placed


def _spread(heights: Sequence[float], group: Sequence[int], gap: float) -> np.ndarray:
    steps = np.arange(len(group)) - (len(group) - 1) / 2
    return np.mean([heights[i] for i in group]) + gap * steps


def moving_statistics(layers: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Picture:
    """Each unit's moving mean and variance as a point, one panel per layer."""
    figure, all_axes = canvas(len(layers), height=3.0, sharex=True, sharey=True)
    words = []
    for axes, (name, (mean, var)) in zip(all_axes, layers.items(), strict=True):
        still = np.array_equal(mean, np.zeros_like(mean)) and np.array_equal(var, np.ones_like(var))
        axes.axhline(1, color=GREY, lw=0.7, zorder=0)
        axes.axvline(0, color=GREY, lw=0.7, zorder=0)
        axes.plot(mean, var, "o", markersize=4, color=RED if still else BLUE, alpha=0.5)
        axes.set_title(f"{name}: {len(mean)} units")
        axes.set_xlabel("moving mean")
        if still:
            axes.annotate(
                "every unit is here",
                (0, 1),
                (14, -26),
                textcoords="offset points",
                color=RED,
                arrowprops=dict(arrowstyle="-", color=RED),
            )
            words.append(f"in {name} every unit has mean 0 and variance 1")
        else:
            ranges = f"means from {mean.min():.1f} to {mean.max():.1f}"
            words.append(f"in {name} {ranges}, variances from {var.min():.2f} to {var.max():.1f}")
    all_axes[0].set_ylabel("moving variance")
    all_axes[0].set_ylim(bottom=0)
    return Picture(figure, f"Moving statistics of each unit: {'; '.join(words)}.")


def strip(images: np.ndarray, labels: Sequence[int], rows: Mapping[str, Sequence[int]]) -> Picture:
    """Digits in a row, and under each what it was taken for, one line per label of `rows`.

    A wrong prediction is red and crossed out. Rows may be shorter than the digits are many.
    """
    count, left, line = len(images), 3.0, 0.5
    lowest = 0.05 - line * len(rows)
    figure, (axes,) = canvas(width=9.0, height=9.0 * (1 - lowest) / (count + left))
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
    axes.set(xlim=(-left, count), ylim=(lowest, 1))
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
