"""Figures of lesson 05_batch_norm_from_tf_ops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labsupport.figures import BLUE, GREY, RED, Picture, canvas


def path_of_the_mean(path: Sequence[float], change: int, train_on: bool) -> Picture:
    """The population mean after each run; from run `change` on, other data and the chosen flag."""
    runs = np.arange(1, len(path) + 1)
    figure, (axes,) = canvas(height=3.0)
    for start, stop, mean in ((0.5, change + 0.5, 5), (change + 0.5, len(path) + 0.5, -5)):
        axes.plot([start, stop], [mean, mean], color=GREY, lw=1, ls="--")
    axes.annotate("mean of the batches", (1, 5), xytext=(0, 4), textcoords="offset points",
                  color=GREY)  # fmt: skip
    axes.axvline(change + 0.5, color=GREY, lw=0.8)
    axes.plot(runs[:change], path[:change], color=BLUE, marker="o", markersize=3)
    colour = BLUE if train_on else RED
    axes.plot(runs[change:], path[change:], color=colour, marker="o", markersize=3)
    for place, flag in ((change / 2, True), (change * 1.5, train_on)):
        axes.annotate(f"training = {flag}", (place, -7.2), ha="center",
                      color=BLUE if flag else RED)  # fmt: skip
    axes.set(xlabel="run", ylabel="pop_mean", ylim=(-8, 7), xlim=(0, len(path) + 1))
    return Picture(
        figure,
        f"The population mean is {path[change - 1]:.2f} after {change} training runs on batches "
        f"with mean 5, and {path[-1]:.2f} after {len(path) - change} runs with the flag "
        f"{train_on} on batches with mean -5.",
    )
