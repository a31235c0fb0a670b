"""Figures of lesson 03_backpropagation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

from labsupport.figures import BLUE, GREY, LOOK, RED, Picture, canvas

# ---------------------------------------------------------------- one number raised


def nudged(x: np.ndarray, raised: np.ndarray, y: np.ndarray, y_raised: np.ndarray) -> Picture:
    """How far each sample moves in x and in y, both of shape (m,), from before to after."""
    figure, panels = canvas(2, height=2.7, sharey=True)
    for axes, before, after, name in ((panels[0], x, raised, "x"), (panels[1], y, y_raised, "y")):
        for row, (start, end) in enumerate(zip(before, after, strict=True)):
            axes.plot(start, row, "o", mfc="white", mec=GREY, markersize=7)
            if abs(end - start) < 1e-9:
                continue
            colour = BLUE if end > start else RED
            axes.plot([start, end], [row, row], color=colour, zorder=1)
            axes.plot(end, row, "o", color=colour, markersize=7, alpha=0.9)
            text = f"{end - start:+.2f}".replace("-", "−")
            middle = ((start + end) / 2, row - 0.24)
            axes.annotate(text, middle, color=colour, ha="center", fontsize=9.5)
        axes.set(
            xlabel=f"{name}: hollow before, filled after",
            ylim=(len(x) - 0.5, -0.7),
            yticks=range(len(x)),
        )
        axes.margins(x=0.12)
    panels[0].set_yticklabels([f"sample {i}" for i in range(1, len(x) + 1)])
    moves = ", ".join(f"{d:+.2f}" for d in y_raised - y)
    return Picture(
        figure,
        f"One of {len(x)} inputs is raised by {np.max(raised - x):g}; the outputs move by {moves}.",
    )


# ---------------------------------------------------------------- the graph

#: Symbol, and where each node of the graph stands: centre and width, in inches.
NODES = {
    "x": ("$x$", 1.15, 1.95, 2.1),
    "mu": (r"$\mu$", 3.25, 3.35, 0.95),
    "var": (r"$\sigma^2$", 3.25, 0.55, 0.95),
    "x_hat": (r"$\hat x$", 5.3, 1.95, 1.8),
    "gamma": (r"$\gamma$", 7.5, 3.35, 0.95),
    "beta": (r"$\beta$", 7.5, 0.55, 0.95),
    "y": ("$y$", 7.5, 1.95, 1.6),
    "loss": ("$L$", 9.35, 1.95, 0.85),
}
EDGES = (
    ("x", "mu", "mean"),
    ("x", "x_hat", "directly"),
    ("x", "var", r"mean of $(x-\mu)^2$"),
    ("mu", "x_hat", ""),
    ("var", "x_hat", ""),
    ("x_hat", "y", ""),
    ("gamma", "y", ""),
    ("beta", "y", ""),
    ("y", "loss", ""),
)
BOX = 0.74  # height


def graph(values: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]) -> Picture:
    """Batch norm's computation graph for one feature.

    values: what flows forward through each node of NODES; gradients: of the loss with respect to
    each node. Nodes without a gradient show none.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(LOOK):
        figure = Figure(figsize=(9.9, 3.9))
        axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 9.9), ylim=(0, 3.9), aspect="equal")
    axes.set_axis_off()
    for start, end, label in EDGES:
        _edge(axes, start, end, label)
    _edge(axes, "mu", "var", "carries 0", dashed=True)
    words = []
    for name, (symbol, *_place) in NODES.items():
        value, gradient = _numbers(values.get(name)), _numbers(gradients.get(name))
        _node(axes, name, symbol, value, gradient)
        words.append(f"{name} {value}" + (f", gradient {gradient}" if gradient else ""))
    axes.text(0.1, 0.42, "what flows forward", color=BLUE, fontsize=10)
    axes.text(0.1, 0.18, "the gradient of $L$ there", color=RED, fontsize=10)
    return Picture(
        figure,
        "Computation graph: three arrows leave x, to mu, to var and straight to x_hat, where they "
        "meet again; gamma and beta join at y, then the loss. Values: " + "; ".join(words) + ".",
    )


def _numbers(value) -> str:
    """Numbers as short as they can be said with two decimals."""
    if value is None:
        return ""
    texts = [f"{v:.2f}".rstrip("0").rstrip(".") for v in np.atleast_1d(np.round(value, 2)) + 0.0]
    return ", ".join(text.replace("-", "−") for text in texts)


def _node(axes: Axes, name: str, symbol: str, value: str, gradient: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    _, x, y, width = NODES[name]
    box = FancyBboxPatch(
        (x - width / 2, y - BOX / 2),
        width,
        BOX,
        boxstyle="round,pad=0.02,rounding_size=0.09",
        facecolor="white",
        edgecolor="#444444",
        linewidth=1.2,
        zorder=3,
    )
    axes.add_patch(box)
    middle = dict(ha="center", va="center", zorder=4)
    axes.text(x, y + 0.22, symbol, fontsize=13, **middle)
    axes.text(x, y - 0.03, value, color=BLUE, fontsize=9.5, **middle)
    axes.text(x, y - 0.25, gradient, color=RED, fontsize=9.5, **middle)


def _edge(axes: Axes, start: str, end: str, label: str, dashed: bool = False) -> None:
    from matplotlib.patches import FancyArrowPatch

    (_, x0, y0, w0), (_, x1, y1, w1) = NODES[start], NODES[end]
    if x0 == x1:  # straight up or down
        side = 1 if y1 > y0 else -1
        here, there = (x0, y0 + side * (BOX / 2 + 0.04)), (x1, y1 - side * (BOX / 2 + 0.07))
    else:
        here, there = (x0 + w0 / 2 + 0.04, y0), (x1 - w1 / 2 - 0.07, y1)
        here = (here[0], y0 + 0.22 * np.sign(y1 - y0)) if w0 > 1.5 and y0 != y1 else here
        there = (there[0], y1 + 0.22 * np.sign(y0 - y1)) if w1 > 1.5 and y0 != y1 else there
    axes.add_patch(
        FancyArrowPatch(
            here,
            there,
            arrowstyle="-|>",
            mutation_scale=13,
            linewidth=1.2 if dashed else 1.6,
            linestyle=(0, (4, 3)) if dashed else "solid",
            color=GREY if dashed else "#444444",
            zorder=1 if dashed else 2,
        )
    )
    if not label:
        return
    if dashed:
        axes.text(x0 + 0.08, 1.32, label, color=GREY, fontsize=9, style="italic", va="center")
        return
    x, y = (here[0] + there[0]) / 2, (here[1] + there[1]) / 2
    if y0 == y1:
        axes.text(here[0] + 0.08, y + 0.11, label, color=GREY, fontsize=9, va="center")
    else:
        side = 0.14 if y1 > y0 else -0.14
        axes.text(x - 0.06, y + side, label, color=GREY, fontsize=9, ha="right", va="center")


# ---------------------------------------------------------------- gradient checking


def error_by_step(steps: Sequence[float], errors: Sequence[float]) -> Picture:
    """Relative error of a measured gradient for each step h, both on logarithmic axes."""
    figure, (axes,) = canvas(height=2.8)
    axes.loglog(steps, errors, color=BLUE, marker="o", markersize=4)
    axes.set(xlabel="step h", ylabel="relative error")
    axes.invert_xaxis()
    axes.text(0.04, 0.1, "too coarse:\nthe curve bends", transform=axes.transAxes, color=GREY)
    axes.text(0.97, 0.1, "too fine:\nrounding", transform=axes.transAxes, color=GREY, ha="right")
    good = [h for h, error in zip(steps, errors, strict=True) if error < 1e-8]
    middle = f"below 1e-8 from h = {max(good):.0e} to {min(good):.0e}" if good else "never small"
    return Picture(
        figure,
        f"Relative error by step: {errors[0]:.1g} at h = {steps[0]:g}, {middle}, and growing "
        f"again towards h = {steps[-1]:.0e}.",
    )


# ---------------------------------------------------------------- the two sums


def two_sums(dx: np.ndarray, x_hat: np.ndarray, alone: np.ndarray) -> Picture:
    """One feature's gradient dx, shape (m,), and its two sums, beside those of the direct path."""
    figure, (left, right) = canvas(2, width=8.2, height=2.7)
    figure.get_layout_engine().set(rect=(0, 0, 0.8, 1))  # the words beside take the rest
    places = np.arange(1, len(dx) + 1)
    left.axhline(0, color=GREY, lw=0.8)
    left.bar(places, dx, color=BLUE, width=0.55)
    room = 0.06 * max(np.ptp(dx), 1e-3)
    for place, value in zip(places, np.round(dx, 2) + 0.0, strict=True):
        side = dict(va="bottom") if value >= 0 else dict(va="top")
        text = f"{value:.2f}".replace("-", "−")
        left.text(place, value + np.sign(value) * room / 2, text, ha="center", fontsize=9, **side)
    left.set(xlabel="sample", ylabel="dx", xticks=places)
    left.margins(y=0.18)

    sums = np.array([dx.sum(), (dx * x_hat).sum()])
    units = np.array([alone.sum(), (alone * x_hat).sum()])
    names = (r"$\sum dx$", r"$\sum dx\,\hat x$")
    right.axvline(0, color=GREY, lw=0.8)
    right.barh([0, 1], units, height=0.62, facecolor="none", edgecolor=GREY, linestyle="--")
    wrong = np.abs(sums) > 1e-3 * np.abs(units)
    right.barh([0, 1], sums, height=0.4, color=[RED if w else BLUE for w in wrong])
    reach = 1.15 * max(np.abs(units).max(), np.abs(sums).max())
    words = []
    for row, (value, unit) in enumerate(zip(sums, units, strict=True)):
        times = f"{value / unit:.2f}".rstrip("0").rstrip(".").replace("-", "−")
        said = f"{times} × the direct path's" if wrong[row] else "vanishes"
        right.text(reach * 1.08, row, said, va="center", fontsize=10, in_layout=False)
        words.append(f"{('sum of dx', 'sum of dx times x_hat')[row]}: {said}")
    right.set(
        yticks=[0, 1],
        ylim=(1.6, -0.6),
        xlim=(-reach, reach),
        xlabel="dashed: the direct path alone",
    )
    right.set_yticklabels(names)
    right.spines["left"].set_visible(False)
    right.tick_params(axis="y", length=0)
    values = ", ".join(f"{v:.2f}" for v in np.round(dx, 2) + 0.0)
    return Picture(figure, f"dx is {values}; {words[0]}; {words[1]}.")


# ---------------------------------------------------------------- the deep network


#: What was noted while a network trained: [(step, fraction right)], and for one unit
#: [(step, (15th, 50th, 85th percentile))].
History = tuple[Sequence[tuple[int, float]], Sequence[tuple[int, Sequence[float]]]]


def figure_one(histories: Mapping[str, History]) -> Picture:
    """Two trainings after figure 1 of Ioffe & Szegedy 2015: accuracy, and what one unit gets."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(LOOK):
        figure = Figure(figsize=(10.2, 3.1), layout="constrained")
        left, *panels = figure.subplots(1, 3, width_ratios=(1.35, 1, 1))
    panels[1].sharey(panels[0])
    words = []
    for axes, (label, (right, unit)), colour in zip(
        panels, histories.items(), (RED, BLUE), strict=True
    ):
        _accuracy(left, label, right, colour)
        _band(axes, label, unit, colour)
        some = range(0, len(right), max(1, (len(right) - 1) // 4))
        words += [
            f"{label}, step {step}: {100 * fraction:.0f} % right, one unit gets {low:.1f} to "
            f"{high:.1f}"
            for (step, fraction), (_, (low, _, high)) in ((right[i], unit[i]) for i in some)
        ]
    left.axhline(10, color=GREY, lw=0.8, ls=":")
    left.text(30, 11, "guessing", color=GREY, fontsize=9, va="bottom")
    left.set_title("right, % of the test images", loc="left")
    left.set(ylim=(0, 100), xlabel="training step")
    panels[0].set_ylabel("15th, 50th, 85th percentile")
    return Picture(figure, f"{'; '.join(words)}.")


def _accuracy(axes: Axes, label: str, points: Sequence[tuple[int, float]], colour: str) -> None:
    steps, right = zip(*points, strict=True)
    percent = 100 * np.array(right)
    axes.plot(steps, percent, color=colour)
    line = len(axes.lines)
    axes.text(
        0.1,
        0.72 - 0.1 * line,
        f"{label}: {percent[-1]:.0f} %",
        color=colour,
        transform=axes.transAxes,
    )
    axes.set_xlim(0, steps[-1])


def _band(
    axes: Axes, label: str, points: Sequence[tuple[int, Sequence[float]]], colour: str
) -> None:
    steps, marks = zip(*points, strict=True)
    low, middle, high = np.array(marks).T
    axes.fill_between(steps, low, high, color=colour, alpha=0.25, lw=0)
    axes.plot(steps, middle, color=colour)
    for line in (low, high):
        axes.plot(steps, line, color=colour, lw=0.9)
    axes.set_title(f"one unit, {label}", loc="left")
    axes.set(xlabel="training step", xlim=(0, steps[-1]))
