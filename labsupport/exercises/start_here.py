"""Exercises of lesson 00_start_here."""

from __future__ import annotations

import numpy as np

from labsupport.exercises.common import number, out_probe
from labsupport.vocabulary import Case, Exercise, Part

LESSON = "00_start_here"


def _cases(rng: np.random.RandomState) -> list[Case]:
    def numbers(n: int, centre: float, spread: float) -> np.ndarray:
        return centre + spread * rng.randn(n)

    return [
        Case("six", "six numbers", {"x": numbers(6, rng.uniform(20, 40), rng.uniform(3, 6))}),
        Case("eleven", "eleven numbers below zero", {"x": numbers(11, -9.0, rng.uniform(2, 4))}),
        Case("tiny", "small numbers", {"x": numbers(9, 0.02, rng.uniform(0.002, 0.004))}),
    ]


def _spread(inputs, right, seen) -> str | None:
    out = seen["out"]
    if abs(out.mean()) > 1e-3:
        return f"The mean of your result is {number(out.mean())}; it should be 0."
    if abs(out.std() - 1) > 1e-3:
        return f"The mean is 0, as it should be; the spread is {number(out.std())} and not 1."
    return None


EXERCISES = (
    Exercise(
        id="standardize",
        lesson=LESSON,
        title="Standardize",
        answer="standardize",
        parts=(
            Part("values", 3, "mean 0, standard deviation 1, for any `x`", ("*/out",)),
            Part("inputs", 1, "`x` itself is left alone", ("*/inputs",)),
        ),
        cases=_cases,
        probe=out_probe("standardize", "x"),
        hints=(
            "Two things are wrong with raw numbers: where they sit and how far they spread. "
            "Mend them one after the other, in that order.",
            "After subtracting the mean, by what single number must you divide so that the "
            "spread becomes 1? An array has a method for the mean, and one for this number.",
            "Print `result.mean()` and `result.std()`. If the first is not 0, look at the "
            "brackets; if the second is not 1, look at what you divide by.",
        ),
        facts=(_spread,),
    ),
)
