"""Figures of lesson 11_clinic: what is complained of, and what the instruments show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

from labsupport import clinic
from labsupport.figures import BLUE, CYCLE, GREY, RED, Picture, canvas
from labsupport.figures.mnist import _apart

#: The buttons, and what each one does.
INSTRUMENTS = {
    "asked twice": "the same new digits, asked about twice in a row",
    "one at a time": "new digits asked about together, and one by one",
    "after others": "new digits before and after a prediction for 500 negatives",
    "two modes": "one batch as predicted, and as a training step sees it, averaged",
    "without learning": "one prediction while training goes on at learning rate 0",
    "moving statistics": "what the program keeps of its batches, call by call",
    "one unit": "a single hidden unit: 400 copies of a digit in training, and predicted",
    "assignments": "which operations change variables, and what runs them",
}
AXES = {
    "asked twice": (clinic.twice, "first answer", "second answer"),
    "one at a time": (clinic.alone, "asked together", "asked one by one"),
    "after others": (clinic.in_between, "before", "after 500 negatives"),
    "two modes": (clinic.both_modes, "predicted", "seen by a training step"),
}


def complaint(program: Callable) -> Picture:
    """Accuracy in training and on new digits, epoch by epoch: what the report is about."""
    _, curves = clinic.course(program)
    figure, (axes,) = canvas(height=2.7)
    epochs = len(next(iter(curves.values())))
    places = _apart([values[-1] for values in curves.values()], 0.1)
    words = []
    for (label, values), colour, place in zip(curves.items(), CYCLE, places, strict=False):
        axes.plot(range(1, epochs + 1), values, color=colour, marker="o", markersize=4)
        text = f"{label}: {100 * values[-1]:.0f} %"
        axes.text(epochs + 0.12, place, text, color=colour, va="center")
        words.append(f"{label} " + ", ".join(f"{100 * v:.0f}" for v in values) + " %")
    axes.set(ylabel="accuracy", ylim=(0, 1), xlim=(0.8, epochs + 1.6))
    axes.set_xlabel("epoch", x=0.4)
    axes.set_xticks(range(1, epochs + 1))
    axes.spines["bottom"].set_bounds(0.8, epochs)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return Picture(figure, f"Accuracy after each epoch: {'; '.join(words)}.")


def by_question(program: Callable) -> Picture:
    """Accuracy on the same new digits, asked about in batches of 50, of 10, and one by one."""
    found = clinic.accuracy_by_batch(program)
    figure, (axes,) = canvas(width=6.0, height=2.7)
    heights = list(found.values())
    axes.bar(range(len(found)), heights, width=0.55, color=RED)
    for i, height in enumerate(heights):
        axes.text(i, height + 0.02, f"{100 * height:.0f} %", ha="center", color=RED)
    axes.set_xticks(range(len(found)), [f"{size} at a time" for size in found])
    axes.set(ylabel="accuracy on new digits", ylim=(0, 1))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    words = ", ".join(f"{size} at a time {100 * v:.0f} %" for size, v in found.items())
    return Picture(figure, f"Accuracy on the same 500 new digits: {words}.")


def examine(program: Callable, instrument: str) -> Picture:
    """One instrument laid on a program."""
    if instrument in AXES:
        measure, across, up = AXES[instrument]
        return _two_answers(*measure(program), across, up)
    return {
        "without learning": _trace,
        "moving statistics": _kept,
        "one unit": _levels,
        "assignments": _table,
    }[instrument](program)


def _two_answers(first: np.ndarray, second: np.ndarray, across: str, up: str) -> Picture:
    figure, (axes,) = canvas(width=5.0, height=3.4)
    ends = [min(first.min(), second.min()), max(first.max(), second.max())]
    axes.plot(ends, ends, color=GREY, lw=0.8)
    axes.plot(first.ravel(), second.ravel(), "o", markersize=3, color=BLUE, alpha=0.4, mew=0)
    axes.set(xlabel=f"logits, {across}", ylabel=f"logits, {up}")
    off = float(np.abs(first - second).max() / first.std())
    verdict = (
        "all on the diagonal" if off < 0.01 else f"up to {_rounded(off)} standard deviations off it"
    )
    same = float(np.mean(first.argmax(axis=1) == second.argmax(axis=1)))
    axes.set_title(f"{100 * same:.0f} % of the digits read alike")
    alt = f"Logits {across} against {up}: {verdict}; {100 * same:.0f} % of the digits read alike."
    return Picture(figure, alt)


def _rounded(number: float) -> str:
    """One digit that counts, and never a power of ten: 0.07, 0.9, 4, 20."""
    return f"{float(f'{number:.1g}'):g}"


def _kept(program: Callable) -> Picture:
    steps, questions = 60, 20
    kept = clinic.moving_statistics(program, steps, questions)
    figure, (axes,) = canvas(width=8.0, height=3.0)
    if not kept:
        axes.set_axis_off()
        axes.text(0, 0.5, "This program keeps nothing of its batches but what it trains.")
        return Picture(figure, "No curves: this program keeps no moving statistics.")
    low = min(v.min() for v in kept.values())
    high = max(max(v.max() for v in kept.values()), low + 1)
    places = _apart([v[-1] for v in kept.values()], 0.11 * (high - low))
    words = []
    for (name, values), colour, place in zip(kept.items(), CYCLE, places, strict=False):
        axes.plot(values, color=colour, lw=1.4)
        axes.text(steps + questions + 1, place, name, color=colour, va="center", fontsize=9.5)
        middle, jump = values[steps], np.abs(np.diff(values[steps - 20 : steps + 1])).mean()
        words.append(
            f"{name}: from {values[0]:.2f} to {middle:.2f} in training, by {jump:.2f} a step at "
            f"last; then to {values[-1]:.2f}"
        )
    axes.axvline(steps, color=GREY, lw=0.8, ls="--")
    axes.set_xlim(0, 2.1 * (steps + questions))
    axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    axes.set_xticks([0, 20, 40, 60, 80])
    axes.spines["bottom"].set_bounds(0, steps + questions)
    axes.set_title("60 training steps, then 20 predictions", fontsize=10, loc="left")
    axes.set_xlabel("calls", x=0.24)
    axes.set_ylabel("of one hidden unit")
    return Picture(figure, f"Moving statistics of one hidden unit. {'; '.join(words)}.")


def _trace(program: Callable) -> Picture:
    values = clinic.without_learning(program)
    figure, (axes,) = canvas(height=2.7)
    axes.plot(values, color=BLUE, marker=".", lw=1.2)
    axes.set(xlabel="training steps with learning rate 0", ylabel="logit of one digit")
    if np.ptp(values) < 1e-3:
        axes.set_ylim(values[0] - 1, values[0] + 1)
    jump = float(np.abs(np.diff(values[-20:])).mean())
    alt = (
        f"One logit over {len(values) - 1} steps without learning: it goes from {values[0]:.1f} to "
        f"{values[-1]:.1f}; in the last 20 steps it changes by {jump:.2f} a step."
    )
    return Picture(figure, alt)


def _levels(program: Callable) -> Picture:
    figure, all_axes = canvas(2, height=2.7, sharey=True)
    words = []
    pair = zip(all_axes, clinic.one_unit(program), ("in training", "predicted"), strict=True)
    for axes, values, name in pair:
        levels, counts = np.unique(values.round(3) + 0.0, return_counts=True)
        _bars(axes, levels, counts / counts.sum())
        axes.set(title=name, xlabel="value of one logit", ylim=(0, 1.12))
        top = ", ".join(
            f"{level:.2f} in {100 * count / counts.sum():.0f} %"
            for level, count in list(zip(levels, counts, strict=True))[:4]
        )
        words.append(f"{name}: {top}")
    all_axes[0].set_ylabel("share of 400 copies")
    return Picture(figure, f"Values of one logit with a single hidden unit. {'; '.join(words)}.")


def _bars(axes: Axes, levels: np.ndarray, shares: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.vlines(levels, 0, shares, color=BLUE, lw=6)
    for level, share in list(zip(levels, shares, strict=True))[:4]:
        axes.annotate(f"{100 * share:.0f} %", (level, share), (0, 3), textcoords="offset points",
                      ha="center")  # fmt: skip
    reach = max(np.abs(levels).max(), 0.1)
    axes.set_xlim(-1.4 * reach, 1.4 * reach)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.axvline(0, color=GREY, lw=0.7, zorder=0)


def _table(program: Callable) -> Picture:
    rows = clinic.assignments(program)
    figure, (axes,) = canvas(width=8.0, height=0.8 + 0.3 * max(len(rows), 1))
    axes.set(xlim=(0, 1), ylim=(-0.5 - max(len(rows), 1), 0.9))
    axes.set_axis_off()
    if not rows:
        axes.text(0, -0.5, "This program has no graph: read its assignments in its source.")
        return Picture(figure, "No table: this program has no TensorFlow graph.")
    for x, head in ((0, "assignment"), (0.8, "in training"), (0.95, "predicting")):
        axes.text(x, 0.3, head, weight="bold", ha="left" if x == 0 else "center")
    words = []
    for i, (name, step, prediction) in enumerate(rows):
        short = name.replace("/ResourceApplyGradientDescent", "").replace(
            "/AssignSubVariableOp", ""
        )
        axes.text(0, -0.6 - i, short, va="center", fontsize=9.5)
        for x, there in ((0.8, step), (0.95, prediction)):
            look = dict(color=BLUE, weight="bold") if there else dict(color=RED)
            axes.text(x, -0.6 - i, "runs" if there else "–", ha="center", va="center", **look)
        runs = [w for w, there in (("training", step), ("prediction", prediction)) if there]
        words.append(f"{short} ({' and '.join(runs) or 'nothing'})")
    return Picture(figure, f"Assignments, and what runs them: {'; '.join(words)}.")


def before_and_after(found: Mapping[str, Sequence[float]]) -> Picture:
    """Accuracy on new digits of each patient, as it came and as it left."""
    figure, (axes,) = canvas(height=3.4)
    words = []
    for i, (name, (before, after)) in enumerate(found.items()):
        axes.plot([before, after], [i, i], color=GREY, lw=1.5, zorder=1)
        axes.plot(before, i, "o", color=RED, markersize=8, label="as it came" if not i else None)
        axes.plot(after, i, "o", color=BLUE, markersize=6, label="as it left" if not i else None)
        words.append(f"{name} {100 * before:.0f} and {100 * after:.0f} %")
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set(xlabel="accuracy on new digits", xlim=(0, 1))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.legend(loc="center left", bbox_to_anchor=(0.0, 0.2), frameon=False)
    return Picture(figure, f"Accuracy on new digits, before and after: {'; '.join(words)}.")
