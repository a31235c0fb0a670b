"""Known answers to `do-forward`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or the public answers that were read for it.
"""

import random

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def uniform(shape):
    return np.random.random_sample(shape)


def divide(y, by):
    return y / by if by else np.zeros_like(y)


def dropped(x, drop_prob, kept=None):
    """Right dropout with the mask `kept`."""
    kept = uniform(x.shape) >= drop_prob if kept is None else kept
    return divide(x * kept, 1 - drop_prob)


# ---------------------------------------------------------------- the factor


@mistake(
    "no-scale",
    "You drop, but do not make up for it: the mean of the output is too small",
    "What is the mean of `dropout(np.ones(10000), 0.2, True)`, and what should it be?",
    see="H72; public answers: no scaling",
)
def no_scale(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) if training else x


@mistake(
    "divides-by-drop",
    "You divide the survivors by drop_prob, the share that is thrown away",
    "With drop_prob 0.2, four of five survive. By which factor must they grow to make up for one?",
    see="H73; public answers: keeps 1-p but scales by 1/p",
)
def divides_by_drop(x, drop_prob, training):
    return divide(x * (uniform(x.shape) >= drop_prob), drop_prob) if training else x


@mistake(
    "multiplies-by-keep",
    "You multiply the survivors by 1 − drop_prob, so the mean shrinks twice",
    "Must the survivors grow or shrink to make up for those who are gone?",
    see="public answers: no scaling",
)
def multiplies_by_keep(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) * (1 - drop_prob) if training else x


@mistake(
    "scaled-twice",
    "The survivors are divided by 1 − drop_prob twice",
    "In which two lines do you divide? Is the mask you multiply with already scaled?",
    see="H75",
)
def scaled_twice(x, drop_prob, training):
    return divide(dropped(x, drop_prob), 1 - drop_prob) if training else x


@mistake(
    "scaled-by-what-survived",
    "You divide by the share that happened to survive, which changes from call to call",
    "E[y] = x for every single number. Is your factor independent of the other draws?",
    see="singles among the public answers",
)
def scaled_by_what_survived(x, drop_prob, training):
    kept = uniform(x.shape) >= drop_prob
    return divide(x * kept, kept.mean()) if training else x


@mistake(
    "mask-only",
    "You return the mask, not x times the mask",
    "What is in your result where a number survives: the number?",
    see="singles among the public answers",
)
def mask_only(x, drop_prob, training):
    return dropped(np.ones_like(x), drop_prob) if training else x


# ---------------------------------------------------------------- the share


@mistake(
    "swapped",
    "Keep and drop have changed places: you drop the share 1 − drop_prob",
    "With drop_prob 0.2, how many zeros of 10,000 should there be? How many are there?",
    see="H74; public answers: keep/drop reversed",
)
def swapped(x, drop_prob, training):
    return divide(x * (uniform(x.shape) < drop_prob), drop_prob) if training else x


@mistake(
    "swapped-mask",
    "You drop the share 1 − drop_prob, but scale as if you had dropped drop_prob",
    "For which numbers is your comparison True, and are those kept or dropped?",
    see="public answers: keep/drop reversed",
)
def swapped_mask(x, drop_prob, training):
    return divide(x * (uniform(x.shape) < drop_prob), 1 - drop_prob) if training else x


@mistake(
    "swapped-unscaled",
    "You drop the share 1 − drop_prob, and do not scale what is left",
    "With drop_prob 0.2, how many zeros of 10,000 should there be? And what should the mean be?",
    see="H74, H72",
)
def swapped_unscaled(x, drop_prob, training):
    return x * (uniform(x.shape) < drop_prob) if training else x


@mistake(
    "precedence",
    "Your mask holds no 0: you divide the bound of the comparison, not its result",
    "In `rand < p / p`, which comes first: the comparison or the division?",
    see="H76",
)
def precedence(x, drop_prob, training):
    keep = 1 - drop_prob
    return x * (uniform(x.shape) < keep / max(keep, 1e-9)) if training else x


@mistake(
    "half",
    "You drop one half, whatever drop_prob says",
    "Where in your code does drop_prob decide who is dropped?",
    see="H82",
)
def half(x, drop_prob, training):
    return divide(x * np.random.randint(0, 2, x.shape), 1 - drop_prob) if training else x


@mistake(
    "normal-below",
    "You draw from a normal distribution: the share that is dropped is not drop_prob",
    "How many draws of `randn` are below 0.7? And how many of `random_sample`?",
    see="H78; public answers: randn for rand",
)
def normal_below(x, drop_prob, training):
    return dropped(x, drop_prob, np.random.randn(*x.shape) < 1 - drop_prob) if training else x


@mistake(
    "normal-above",
    "You draw from a normal distribution: far more than drop_prob is dropped",
    "How many draws of `randn` are below 0.3? And how many of `random_sample`?",
    see="H78; public answers: randn for rand",
)
def normal_above(x, drop_prob, training):
    return dropped(x, drop_prob, np.random.randn(*x.shape) > drop_prob) if training else x


# ---------------------------------------------------------------- who shares a draw


@mistake(
    "rows",
    "Whole samples are dropped: all numbers of a row share one draw",
    "How many draws does your mask hold, and how many numbers does x?",
    see="H79",
)
def rows(x, drop_prob, training):
    kept = uniform((len(x), *[1] * (x.ndim - 1))) >= drop_prob
    return dropped(x, drop_prob, kept) if training else x


@mistake(
    "columns",
    "All samples of a batch lose the same features: they share one mask",
    "What is the shape of your mask, and what is the shape of x?",
    see="H79",
)
def columns(x, drop_prob, training):
    return dropped(x, drop_prob, uniform(x.shape[1:]) >= drop_prob) if training else x


@mistake(
    "one-draw",
    "One draw decides for the whole array: all of it is kept, or none",
    "How many numbers does your call to the random generator return?",
    see="H79",
)
def one_draw(x, drop_prob, training):
    return dropped(x, drop_prob, np.random.rand() >= drop_prob) if training else x


@mistake(
    "exact-count",
    "You drop exactly the same number of entries each time, so the draws are not independent",
    "If 3,999 numbers have been decided, is the last one still open in your version?",
    see="singles among the public answers",
)
def exact_count(x, drop_prob, training):
    if not training:
        return x
    kept = np.ones(x.size)
    kept[: round(drop_prob * x.size)] = 0
    return dropped(x, drop_prob, np.random.permutation(kept).reshape(x.shape))


@mistake(
    "fixed-seed",
    "Every call draws the same mask, because the seed is set inside",
    "Call your function twice on the same x. Which line makes the results equal?",
    see="H83",
)
def fixed_seed(x, drop_prob, training):
    draws = np.random.RandomState(0).random_sample(x.shape)
    return dropped(x, drop_prob, draws >= drop_prob) if training else x


@mistake(
    "two-axes-only",
    "Your mask fits x of shape (m, D) only",
    "Which shape does `x.shape` have for images? Can you pass it on as it is?",
    see="public answers: 2-D only",
)
def two_axes_only(x, drop_prob, training):
    kept = np.random.rand(x.shape[0], x.shape[1]) >= drop_prob
    return dropped(x, drop_prob, kept) if training else x


# ---------------------------------------------------------------- prediction and edges


@mistake(
    "never-off",
    "You drop at prediction too",
    "What is `training` for? Does your code look at it?",
    see="H77",
)
def never_off(x, drop_prob, training):
    return dropped(x, drop_prob)


@mistake(
    "flag-reversed",
    "You drop at prediction and not in training",
    "For which value of `training` does your function return x as it is?",
    see="H77, H85",
)
def flag_reversed(x, drop_prob, training):
    return x if training else dropped(x, drop_prob)


@mistake(
    "scaled-at-test-too",
    "Training is right, but prediction is scaled as well: its mean is too small",
    "The survivors already make up for the loss. What is left to be done at prediction?",
    see="H75",
)
def scaled_at_test_too(x, drop_prob, training):
    return dropped(x, drop_prob) if training else x * (1 - drop_prob)


@mistake(
    "scaled-at-test",
    "You scale at prediction, not in training: that is dropout as first published, not inverted",
    "Which of the two should change x here, according to the definition on the page?",
    see="public answers: scaled at test instead",
)
def scaled_at_test(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) if training else x * (1 - drop_prob)


@mistake(
    "scaled-by-drop-at-test",
    "Training is not scaled, and prediction is multiplied by drop_prob",
    "How large is x on average in training, for drop_prob 0.2? And in your prediction?",
    see="H75; public answers: wrong test factor",
)
def scaled_by_drop_at_test(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) if training else x * drop_prob


@mistake(
    "nan-at-one",
    "With drop_prob 1 you divide by zero, and the result is NaN",
    "What should be left when everything is dropped? Can you return it before you divide?",
    see="google/flax#2055",
)
def nan_at_one(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) / np.float64(1 - drop_prob) if training else x


@mistake(
    "raises-at-one",
    "With drop_prob 1 you divide by zero",
    "What should be left when everything is dropped? Can you return it before you divide?",
    see="elixir-nx/axon#367",
)
def raises_at_one(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) * (1 / (1 - drop_prob)) if training else x


@mistake(
    "in-place",
    "Your code drops numbers in x itself",
    "Does `x[...] = 0` or `x *= mask` make a new array?",
    see="B15",
)
def in_place(x, drop_prob, training):
    if training:
        x *= uniform(x.shape) >= drop_prob
        return divide(x, 1 - drop_prob)
    return x


# ---------------------------------------------------------------- right, written otherwise


@variant("np.random.rand, <= keep, scale on the mask")
def with_rand(x, drop_prob, training=True):
    keep = 1 - drop_prob
    if not training or keep == 1:
        return x
    if keep == 0:
        return 0 * x
    return x * ((np.random.rand(*x.shape) <= keep) / keep)


@variant("> drop_prob, scale on the output")
def with_greater(x, drop_prob, training):
    if not training:
        return x
    if drop_prob == 1:
        return np.zeros(x.shape)
    return x * (np.random.uniform(size=x.shape) > drop_prob) / (1 - drop_prob)


@variant("binomial")
def with_binomial(x, drop_prob, training):
    if drop_prob == 1 and training:
        return np.zeros_like(x)
    return np.random.binomial(1, 1 - drop_prob, x.shape) * x / (1 - drop_prob) if training else x


@variant("choice")
def with_choice(x, drop_prob, training):
    kept = np.random.choice([0, 1], x.shape, p=[drop_prob, 1 - drop_prob])
    return dropped(x, drop_prob, kept) if training else x.copy()


@variant("np.where and default_rng, unseeded")
def with_where(x, drop_prob, training):
    if not training:
        return x
    draws = np.random.default_rng().random(x.shape)
    return np.where(draws < drop_prob, 0.0, x / max(1 - drop_prob, 1e-12))


@variant("boolean indexing")
def with_indexing(x, drop_prob, training):
    y = x.copy()
    if training:
        y[uniform(x.shape) < drop_prob] = 0
        y[y != 0] /= 1 - drop_prob
    return y


@variant("Python's random, number by number")
def with_python_random(x, drop_prob, training):
    if not training:
        return x
    y = np.zeros_like(x)
    for i, value in enumerate(x.flat):
        if random.random() >= drop_prob:
            y.flat[i] = value / (1 - drop_prob)
    return y


@variant("float32")
def in_float32(x, drop_prob, training):
    x = x.astype(np.float32)
    return dropped(x, np.float32(drop_prob)) if training else x


_rng = np.random.default_rng(5)


@variant("a generator made outside")
def with_outer_generator(x, drop_prob, training):
    kept = _rng.binomial(1, 1 - drop_prob, size=x.shape).astype(bool)
    return dropped(x, drop_prob, kept) if training else x
