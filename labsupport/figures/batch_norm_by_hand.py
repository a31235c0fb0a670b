"""Figures of lesson 01_batch_norm_by_hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

from labsupport.figures import BLUE, CYCLE, GREY, RED, Picture, canvas


def spread_by_layer(spreads: Mapping[str, Sequence[float]]) -> Picture:
    """Standard deviation of each layer's output, one line per label, on a logarithmic axis."""
    figure, (axes,) = canvas(height=2.9)
    words = []
    for (label, values), colour in zip(spreads.items(), CYCLE, strict=False):
        axes.semilogy(range(len(values)), values, color=colour, marker="o", markersize=3)
        axes.annotate(
            f" {label}: {values[-1]:.2g}",
            (len(values) - 1, values[-1]),
            color=colour,
            va="center",
        )
        words.append(f"{label} it goes from {values[0]:.2g} to {values[-1]:.2g}")
    longest = max(len(values) for values in spreads.values())
    axes.set(xlabel="layer", ylabel="standard deviation", xlim=(0, longest * 1.35))
    axes.xaxis.set_label_coords(10 / 28, -0.14)
    axes.set_xticks(range(0, longest, 5))
    axes.spines["bottom"].set_bounds(0, longest - 1)
    layers = f"Standard deviation after each of {longest - 1} layers, logarithmic axis"
    return Picture(figure, f"{layers}: {'; '.join(words)}.")


def one_feature(x: np.ndarray, y: np.ndarray) -> Picture:
    """One feature of a batch before (x, shape (N,)) and after (y): points, mean and spread."""
    figure, (axes,) = canvas(height=2.3)
    axes.plot([x, y], [[1] * len(x), [0] * len(y)], color=GREY, lw=0.7, alpha=0.5)
    for height, values, colour in ((1, x, GREY), (0, y, BLUE)):
        mean, spread = values.mean(), values.std()
        bar = dict(facecolor=colour, alpha=0.2)
        axes.add_patch(_rectangle((mean - spread, height - 0.11), 2 * spread, 0.22, bar))
        axes.plot(values, np.full(len(values), height), "o", color=colour, markersize=6, alpha=0.8)
        axes.plot([mean] * 2, [height - 0.22, height + 0.22], color=colour)
        axes.annotate(
            f"mean {mean:.2f}, standard deviation {spread:.2f}",
            (np.clip(mean, -6, 6), 1.3 if height else -0.52),
            ha="center",
            color=colour,
        )
    axes.set(yticks=[0, 1], ylim=(-0.7, 1.7), xlim=(-11, 11))
    axes.set_xlabel("value of the feature (bars: mean ± 1 standard deviation)")
    axes.set_yticklabels(["y", "x"])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return Picture(
        figure,
        f"One feature: x has mean {x.mean():.2f} and standard deviation {x.std():.2f}; "
        f"y has mean {y.mean():.2f} and standard deviation {y.std():.2f}.",
    )


def batch_mates(positions: Mapping[str, Sequence[float]], marked: str) -> Picture:
    """Where one sample lands among different batch-mates.

    positions: for each batch, the first feature of its samples, the marked sample first.
    """
    figure, (axes,) = canvas(height=0.9 + 0.55 * len(positions))
    for row, (_label, values) in enumerate(reversed(positions.items())):
        axes.axhline(row, color=GREY, lw=0.6, zorder=0)
        axes.plot(values[1:], [row] * (len(values) - 1), "o", color=GREY, alpha=0.6)
        axes.plot(values[0], row, "D", color=RED, markersize=8)
        axes.annotate(f"{values[0]:+.2f}", (values[0], row + 0.2), color=RED, ha="center")
    axes.set(yticks=range(len(positions)), ylim=(-0.5, len(positions) - 0.3))
    axes.set_yticklabels(list(reversed(positions)))
    axes.set_xlabel(f"first feature of the output (◆ {marked})")
    axes.spines["left"].set_visible(False)
    places = "; ".join(f"{label} {values[0]:+.2f}" for label, values in positions.items())
    return Picture(figure, f"The same sample in different batches comes out at: {places}.")


def shared_means(over: Sequence[int], names: Sequence[str] = ("m", "C", "p", "q")) -> Picture:
    """Which numbers of a (3, 2, 3, 4) batch share a mean when it is taken over the axes `over`.

    One little image per sample and channel; pixels with one number go into the mean of that number.
    """
    shape = (3, 2, 3, 4)
    left = [axis for axis in range(4) if axis not in over]
    group = np.zeros(shape, dtype=int)
    for axis in left:
        position = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(4)])
        group = group * shape[axis] + position
    count = int(group.max()) + 1
    figure, all_axes = canvas(shape[0] * shape[1], width=7.5, height=1.9)
    for number, axes in enumerate(all_axes):
        sample, channel = divmod(number, shape[1])
        _pixels(axes, group[sample, channel], count)
        axes.set_title(f"image {sample}\nchannel {channel}", fontsize=9)
    averaged = ", ".join(names[axis] for axis in over) or "nothing"
    product = " · ".join(names[axis] for axis in left) or "1"
    product = f"{product} = {count} means" if left else "1 mean"
    figure.suptitle(f"mean over {averaged}: {product}", x=0.01, ha="left")
    return Picture(
        figure,
        f"Three images of two channels, 3 by 4 pixels: averaged over {averaged}, "
        f"means in all: {count}; each pixel shows the number of its mean.",
    )


def _pixels(axes: Axes, group: np.ndarray, count: int) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    shades = colormaps["cividis" if count > len(CYCLE) else "viridis"]
    colours = [CYCLE[i] if count <= len(CYCLE) else shades(i / (count - 1)) for i in range(count)]
    for (row, column), number in np.ndenumerate(group):
        square = dict(facecolor=colours[number], edgecolor="white", linewidth=1.2)
        axes.add_patch(_square(column, -row, square))
        dark = np.dot(to_rgb(colours[number]), (0.3, 0.6, 0.1)) < 0.55
        look = dict(ha="center", va="center", fontsize=7, color="white" if dark else "black")
        axes.text(column + 0.5, 0.5 - row, str(number), **look)
    axes.set(xlim=(0, group.shape[1]), ylim=(1 - group.shape[0], 1), aspect="equal")
    axes.set_axis_off()


def _square(x: float, y: float, look: dict) -> Rectangle:
    return _rectangle((x, y), 1, 1, look)


def _rectangle(corner: tuple[float, float], width: float, height: float, look: dict) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **look)
