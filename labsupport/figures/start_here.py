"""Figures of lesson 00_start_here."""

from __future__ import annotations

import numpy as np

from labsupport.figures import BLUE, GREY, Picture, canvas


def box_or_bell(before: np.ndarray, after: np.ndarray) -> Picture:
    """Histograms of numbers before and after standardizing, side by side."""
    figure, axes = canvas(2, height=2.4, sharey=True)
    for one, values, colour, title in (
        (axes[0], before, GREY, "before"),
        (axes[1], after, BLUE, "after"),
    ):
        one.hist(values, bins=np.linspace(values.min(), values.max(), 11), color=colour)
        one.set(xlabel="value", xlim=(-3, 3))
        one.set_title(f"{title}: mean {values.mean():.2f}, spread {values.std():.2f}")
    axes[0].set_ylabel("how many")
    return Picture(
        figure,
        "Two histograms with flat tops: before, from 0 to 1; after, from "
        f"{after.min():.2f} to {after.max():.2f}, still flat.",
    )
