"""Figures of lesson 02_moving_averages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from labsupport.figures import BLUE, CYCLE, GREY, RED, Picture, canvas


def accuracy_by_batch(results: Mapping[str, Mapping[object, float]]) -> Picture:
    """Accuracy on the test digits, by the batches they came in.

    results: for each way to normalize, the accuracy (0 to 1) by kind of batch.
    """
    kinds = list(dict.fromkeys(kind for values in results.values() for kind in values))
    figure, (axes,) = canvas(height=3.0)
    width, words = 0.8 / max(2, len(results)), []
    for number, ((label, values), colour) in enumerate(
        zip(results.items(), (RED, BLUE, *CYCLE), strict=False)
    ):
        places = [kinds.index(k) + (number - (len(results) - 1) / 2) * width for k in values]
        percent = [100 * value for value in values.values()]
        axes.bar(places, percent, width=0.94 * width, color=colour, label=label)
        for place, value in zip(places, percent, strict=True):
            look = dict(ha="center", va="bottom", color=colour, fontsize=9.5)
            axes.annotate(f"{value:.1f}", (place, value + 1), **look)
        told = ", ".join(f"{kind} {p:.1f} %" for kind, p in zip(values, percent, strict=True))
        words.append(f"{label}: {told}")
    axes.axhline(10, color="black", lw=0.8, ls="--")
    axes.annotate(" chance", (len(kinds) - 0.45, 10), va="center", fontsize=9)
    axes.set(xlim=(-0.55, len(kinds) - 0.45), ylim=(0, 100), ylabel="accuracy, %")
    axes.set_xlabel("samples in a batch")
    axes.set_xticks(range(len(kinds)))
    axes.set_xticklabels([str(kind) for kind in kinds])
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, frameon=False)
    return Picture(figure, f"Accuracy by samples in a batch. {'; '.join(words)}.")


def moving_path(
    batch_means: Sequence[float], path: Sequence[float], truth: Sequence[float]
) -> Picture:
    """The path of a moving mean among the means of the batches that it has seen.

    batch_means, truth: one value per step; path: one more, from the start value on.
    """
    steps = np.arange(len(path))
    figure, (axes,) = canvas(height=2.9)
    axes.plot(steps[1:], batch_means, ".", color=GREY, markersize=4, alpha=0.6)
    axes.plot(steps[1:], truth, color=GREY, lw=1, ls="--")
    axes.plot(steps, path, color=BLUE)
    axes.plot(steps[-1], path[-1], "o", color=BLUE)
    axes.annotate(
        f"  {path[-1]:.2f}", (steps[-1], path[-1]), color=BLUE, va="center", annotation_clip=False
    )
    low, high = min(0.0, path[0]), max(path[0], max(truth))
    axes.set(ylim=(low - 0.8, high + 2.0), xlim=(0, len(path) * 1.09), xlabel="training step")
    axes.set_ylabel("mean of the feature")
    axes.spines["bottom"].set_bounds(0, steps[-1])
    axes.set_title(
        "grey: the mean of each batch, and the true one;  blue: the moving mean", loc="left"
    )
    return Picture(
        figure,
        f"The moving mean starts at {path[0]:.2f} and is at {path[-1]:.2f} after {steps[-1]} "
        f"steps, where the true mean is {truth[-1]:.2f}.",
    )


def accuracy_by_steps(curves: Mapping[str, Sequence[float]], reference: float) -> Picture:
    """Accuracy of predictions after each training step, one curve per label.

    reference: the accuracy with the statistics of batches of 100.
    """
    figure, (axes,) = canvas(height=3.0)
    words = []
    for (label, values), colour in zip(curves.items(), CYCLE, strict=False):
        percent = 100 * np.asarray(values)
        axes.plot(percent, color=colour)
        axes.annotate(
            f"  {label}: {percent[-1]:.1f} %",
            (len(percent) - 1, percent[-1]),
            color=colour,
            va="center",
        )
        words.append(f"{label} from {percent[0]:.1f} to {percent[-1]:.1f} %")
    longest = max(len(values) for values in curves.values())
    axes.plot([0, longest - 1], [100 * reference] * 2, color=GREY, lw=1, ls="--", zorder=0)
    axes.annotate(
        "batches of 100 by their own statistics",
        (0, 100 * reference),
        xytext=(2, 5),
        textcoords="offset points",
        color=GREY,
        fontsize=9,
    )
    axes.set(xlim=(0, longest * 1.33), ylabel="accuracy of predictions, %")
    axes.set_xlabel("training steps that the moving statistics have seen")
    axes.set_xticks(range(0, longest, 10))
    axes.spines["bottom"].set_bounds(0, longest - 1)
    return Picture(
        figure,
        f"Accuracy of predictions over {longest - 1} training steps: {'; '.join(words)}; "
        f"with the statistics of batches of 100 it is {100 * reference:.1f} %.",
    )
