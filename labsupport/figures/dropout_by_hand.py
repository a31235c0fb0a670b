"""Figures of lesson 08_dropout_by_hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from labsupport.figures import BLUE, GREY, RED, Picture, canvas

INK = dict(cmap="gray_r", interpolation="nearest")


def thinned(pictures: Mapping[str, np.ndarray]) -> Picture:
    """One digit, more and more of it thrown away; each picture with the sum of its ink."""
    figure, all_axes = canvas(len(pictures), height=2.3)
    words = []
    for axes, (label, image) in zip(all_axes, pictures.items(), strict=True):
        axes.imshow(image, vmin=0, vmax=1, **INK)
        axes.set_title(label, loc="center", fontsize=10)
        axes.set(xticks=[], yticks=[], xlabel=f"ink {image.sum():.0f}")
        _thin_frame(axes)
        words.append(f"{label}: ink {image.sum():.0f}")
    return Picture(figure, f"One digit, pixels thrown away at random. {'; '.join(words)}.")


def _thin_frame(axes) -> None:
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.6)


def averages(means: np.ndarray, x: float, drop_prob: float, draws: int) -> Picture:
    """Histogram of averages of `draws` outputs each, all of one input x."""
    figure, (axes,) = canvas(height=2.7)
    values, counts = np.unique(means.round(6), return_counts=True)
    axes.axvline(x, color=RED, lw=1.4, zorder=0)
    if len(values) <= 200:  # a bar for each value that occurs
        gap = np.diff(values).min(initial=1)
        axes.bar(values, counts / len(means), width=min(0.14, 0.9 * gap), color=BLUE)
    else:
        axes.hist(means, bins=60, weights=np.full(len(means), 1 / len(means)), color=BLUE)
    axes.margins(y=0.2)
    axes.annotate(f" x = {x:g}", (x, 0.9), xycoords=("data", "axes fraction"), color=RED)
    axes.set(xlim=(-0.2, max(8, 1.03 * means.max())), ylabel="share of the averages")
    axes.set_xlabel(f"average of {draws} outputs" if draws > 1 else "a single output")
    said = f"mean {means.mean():.2f}, standard deviation {means.std():.2f}"
    axes.set_title(f"drop_prob {drop_prob:g}: {said}")
    kind = f"averages of {draws} outputs" if draws > 1 else "single outputs"
    alt = f"Histogram of {len(means)} {kind} for x = {x:g} and drop_prob {drop_prob:g}: {said}."
    return Picture(figure, alt)


def channels(rows: Mapping[str, np.ndarray], names: Sequence[str]) -> Picture:
    """Images of several channels, shape (p, q, C), one row per label and one column per channel."""
    figure, all_axes = canvas(len(names), len(rows), width=7.5, height=1.3 * len(rows))
    words = []
    for row, (label, image) in enumerate(rows.items()):
        empty = [name for c, name in enumerate(names) if not image[..., c].any()]
        for c, name in enumerate(names):
            axes = all_axes[row * len(names) + c]
            axes.imshow(image[..., c], vmin=0, vmax=1, **INK)
            axes.set(xticks=[], yticks=[])
            _thin_frame(axes)
            if row == 0:
                axes.set_title(name, loc="center", fontsize=9.5)
            if c == 0:
                axes.set_ylabel(label, fontsize=9.5)
            if name in empty:
                look = dict(ha="center", va="center", color=GREY, fontsize=9)
                axes.text(0.5, 0.5, "dropped", transform=axes.transAxes, **look)
        words.append(f"{label}: channels wholly empty: {', '.join(empty) or 'none'}")
    return Picture(figure, f"Channels of one digit, row by row. {'; '.join(words)}.")
