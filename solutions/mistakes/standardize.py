"""Known answers to `standardize`: wrong ones with their questions, and right ones."""

import math

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


@mistake(
    "variance-for-spread",
    "You divide by the variance, not by the standard deviation",
    "If `x` is in metres, in what unit is its variance? And the result?",
    see="A4",
)
def no_root(x):
    return (x - x.mean()) / x.var()


@mistake(
    "precedence",
    "Only the mean is divided; `x` itself is not scaled",
    "Which is done first in `x - a / b`?",
    see="A12",
)
def precedence(x):
    return x - x.mean() / x.std()


@mistake(
    "not-centred",
    "You scale, but do not subtract the mean",
    "What is the mean of your result, and what should it be?",
    see="A11",
)
def not_centred(x):
    return x / x.std()


@mistake(
    "not-scaled",
    "You subtract the mean, but do not scale",
    "What is the standard deviation of your result, and what should it be?",
    see="A12",
)
def not_scaled(x):
    return x - x.mean()


@mistake(
    "sample-spread",
    "You use the sample standard deviation, which divides by N − 1",
    "Which N does the definition on this page divide by, and what does `ddof` change?",
    see="A3",
)
def sample_spread(x):
    return (x - x.mean()) / x.std(ddof=1)


@mistake(
    "sum-of-squares",
    "Your spread is a sum of squares; the variance is their mean",
    "What happens to your divisor when there are twice as many numbers?",
    see="A10",
)
def sum_of_squares(x):
    return (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).sum())


@mistake(
    "squared-too-late",
    "You average the distances from the mean and square afterwards; they average to 0",
    "Which comes first in the definition of σ: squaring, or averaging?",
    see="tried by a first reader",
)
def squared_too_late(x):
    return (x - x.mean()) / np.sqrt(np.mean(x - x.mean()) ** 2 + 1e-300)


@mistake(
    "first-histogram",
    "0.5 and 0.2887 belong to the first histogram only",
    "Which two lines would compute such numbers from `x`, whatever `x` is?",
    see="tried by a first reader",
)
def first_histogram(x):
    return (x - 0.5) / 0.2887


@mistake(
    "uncentred-variance",
    "Your variance is the mean of the squares, without subtracting the mean first",
    "How large is your variance for the numbers 100, 100, 100, which do not vary at all?",
    see="A9",
)
def uncentred(x):
    return (x - x.mean()) / np.sqrt((x**2).mean())


@mistake(
    "min-max",
    "This squeezes `x` into the range from 0 to 1; it does not standardize it",
    "Which mean and which standard deviation does your result have?",
    see="often confused",
)
def min_max(x):
    return (x - x.min()) / (x.max() - x.min())


@mistake(
    "mean-absolute",
    "You divide by the mean distance from the mean, not by the root of the mean square",
    "Write out the definition of σ from this page: are the distances squared in it?",
    see="often confused",
)
def mean_absolute(x):
    return (x - x.mean()) / np.abs(x - x.mean()).mean()


@variant("by sums")
def by_sums(x):
    mean = sum(x) / len(x)
    return (x - mean) / math.sqrt(sum((x - mean) ** 2) / len(x))


@variant("a list of floats")
def a_list(x):
    mean, spread = float(np.mean(x)), float(np.std(x))
    return [(value - mean) / spread for value in x]


@variant("float32")
def in_float32(x):
    x = x.astype(np.float32)
    return (x - x.mean()) / x.std()
