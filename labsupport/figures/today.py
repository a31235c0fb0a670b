"""Figures of lesson 10_today."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labsupport.figures import BLUE, GREY, RED, Picture, canvas


def modes(outputs: np.ndarray, moving_means: Sequence[float], mu: float) -> Picture:
    """What a normalized layer gives out at last, and where its moving mean went meanwhile.

    outputs: one feature of the last batch, after the layer. mu: mean of what goes in.
    """
    figure, (path, spread) = canvas(2, height=3.0)
    calls = np.arange(len(moving_means))
    path.axhline(mu, color=GREY, linestyle="--", linewidth=1.2)
    path.text(calls[-1], mu + 0.15, "mean of the data", ha="right", color=GREY)
    path.plot(calls, moving_means, color=BLUE)
    path.set(xlabel="calls", ylabel="moving mean", ylim=(-0.4, mu + 1), title="What it notes")
    spread.hist(outputs, bins=np.arange(-4, 12.5, 0.5), color=RED, alpha=0.75)
    spread.set(xlabel="output", ylabel="samples", xlim=(-4, 12), ylim=(0, 70))
    spread.set(xticks=range(-4, 13, 4), title="What it gives out")
    alt = (
        f"Left: the moving mean goes from {moving_means[0]:.1f} to {moving_means[-1]:.1f} in "
        f"{len(moving_means) - 1} calls; the mean of the data is {mu:.0f}. Right: the outputs of "
        f"the last call have mean {np.mean(outputs).round(1) + 0:.1f} and standard deviation "
        f"{np.std(outputs):.1f}."
    )
    return Picture(figure, alt)
