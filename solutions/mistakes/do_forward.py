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
    "divides-by-drop-and-0",
    "You divide the survivors by drop_prob, the share that is thrown away",
    "With drop_prob 0.2, four of five survive. By which factor must they grow to make up for one?",
    see="H73; public answers: keeps 1-p but scales by 1/p",
)
def divides_by_drop_and_0(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) / np.float64(drop_prob) if training else x


@mistake(
    "multiplies-by-drop",
    "You multiply the survivors by drop_prob, the share that is thrown away",
    "With drop_prob 0 everything survives. What does your factor make of it?",
    see="H73",
)
def multiplies_by_drop(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) * drop_prob if training else x


@mistake(
    "odds",
    "You multiply the survivors by drop_prob / (1 − drop_prob): dropped numbers per survivor",
    "That is by how much a survivor must grow. Grow from what?",
    see="H73",
)
def odds(x, drop_prob, training):
    return dropped(x, drop_prob) * drop_prob if training else x


@mistake(
    "odds-reversed",
    "You multiply the survivors by (1 − drop_prob) / drop_prob: survivors per dropped number",
    "With drop_prob 0.2, four of five survive. By which factor must they grow to make up for one?",
    see="H73",
)
def odds_reversed(x, drop_prob, training):
    kept = uniform(x.shape) >= drop_prob
    return x * kept * (1 - drop_prob) / np.float64(drop_prob) if training else x


@mistake(
    "square-root",
    "You divide by the square root of 1 − drop_prob: that keeps the mean of y², not of y",
    "Put your factor into E[y] = x. Where would a square come from?",
    see="H72",
)
def square_root(x, drop_prob, training):
    return divide(x * (uniform(x.shape) >= drop_prob), np.sqrt(1 - drop_prob)) if training else x


@mistake(
    "adds-what-is-lost",
    "You multiply the survivors by 1 + drop_prob, which makes up for too little",
    "With drop_prob 0.5 half of the numbers are gone. Is their sum whole again, times 1.5?",
    see="H73",
)
def adds_what_is_lost(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) * (1 + drop_prob) if training else x


@mistake(
    "doubles",
    "You double the survivors, whatever drop_prob says",
    "For which drop_prob is 2 right? What makes up for a loss of one in five?",
    see="public answers: 19 need p != 0.5 to show",
)
def doubles(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) * 2 if training else x


# ---------------------------------------------------------------- moved, not scaled


@mistake(
    "moves-mask",
    "You subtract drop_prob from the mask: where a number is dropped, no 0 is left",
    "What should stand in y where a number is dropped, and what stands there now?",
    see="singles among the public answers",
)
def moves_mask(x, drop_prob, training):
    return x * ((uniform(x.shape) >= drop_prob) - drop_prob) if training else x


@mistake(
    "moves-output",
    "You drop, and subtract drop_prob from everything: what is dropped is not 0",
    "E[y] = x for every x: does subtracting the same number from small and large x help?",
    see="singles among the public answers",
)
def moves_output(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) - drop_prob if training else x


@mistake(
    "moves-scaled-output",
    "Scaled as it should be, but then you subtract drop_prob from everything",
    "Before that subtraction E[y] = x. And after it?",
    see="singles among the public answers",
)
def moves_scaled_output(x, drop_prob, training):
    return dropped(x, drop_prob) - drop_prob if training else x


@mistake(
    "moves-survivors-down",
    "You subtract drop_prob from the survivors; they should be scaled",
    "Must the survivors grow or shrink? And a large x as much as a small one?",
    see="singles among the public answers",
)
def moves_survivors_down(x, drop_prob, training):
    return (x - drop_prob) * (uniform(x.shape) >= drop_prob) if training else x


@mistake(
    "moves-survivors-up",
    "You add drop_prob to the survivors; they should be scaled",
    "If x is 100, how much is lost on average? And if x is 1? Is drop_prob enough for both?",
    see="singles among the public answers",
)
def moves_survivors_up(x, drop_prob, training):
    return (x + drop_prob) * (uniform(x.shape) >= drop_prob) if training else x


# ---------------------------------------------------------------- a factor, but not one of x


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
    "swapped-unscaled-but-at-1",
    "You drop the share 1 − drop_prob, and do not scale what is left",
    "With drop_prob 0.2, how many zeros of 10,000 should there be? And what should the mean be?",
    see="public answers: keep/drop reversed",
)
def swapped_unscaled_but_at_1(x, drop_prob, training):
    return x * (uniform(x.shape) < drop_prob) * (drop_prob < 1) if training else x


@mistake(
    "swapped-and-0",
    "Keep and drop have changed places: you drop the share 1 − drop_prob",
    "With drop_prob 0.2, how many zeros of 10,000 should there be? How many are there?",
    see="H74; public answers: keep/drop reversed",
)
def swapped_and_0(x, drop_prob, training):
    return x * (uniform(x.shape) < drop_prob) / np.float64(drop_prob) if training else x


@mistake(
    "swapped-and-0-but-at-1",
    "Keep and drop have changed places: you drop the share 1 − drop_prob",
    "With drop_prob 0.2, how many zeros of 10,000 should there be? How many are there?",
    see="H74; public answers: keep/drop reversed",
)
def swapped_and_0_but_at_1(x, drop_prob, training):
    if drop_prob == 1 and training:
        return np.zeros_like(x)
    return swapped_and_0(x, drop_prob, training)


@mistake(
    "swapped-shrunk",
    "You drop the share 1 − drop_prob, and multiply what is left by it: the mean shrinks twice",
    "With drop_prob 0.2, how many zeros of 10,000 should there be? And what should the mean be?",
    see="public answers: keep/drop reversed",
)
def swapped_shrunk(x, drop_prob, training):
    return x * (uniform(x.shape) < drop_prob) * (1 - drop_prob) if training else x


@mistake(
    "precedence",
    "In training nothing is dropped and nothing is scaled: does your mask hold a 0?",
    "In `rand < p / p`, which comes first: the comparison or the division?",
    see="H76",
)
def precedence(x, drop_prob, training):
    keep = 1 - drop_prob
    return x * (uniform(x.shape) < keep / max(keep, 1e-9)) if training else x


@mistake(
    "scaled-only",
    "You divide by 1 − drop_prob, but drop nothing",
    "How many zeros has your result? Which line of your code makes them?",
    see="H76",
)
def scaled_only(x, drop_prob, training):
    return divide(x, 1 - drop_prob) if training else x


@mistake(
    "scales-the-dropped",
    "You divide the numbers that should be dropped, and leave the others as they were",
    "Which two things can happen to a number? What does your code do in each case?",
    see="public answers: keep/drop reversed",
)
def scales_the_dropped(x, drop_prob, training):
    scaled = divide(x, 1 - drop_prob)
    return np.where(uniform(x.shape) < drop_prob, scaled, x) if training else x


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
    "last-axis",
    "Your mask has one draw for each place along the last axis; everything else shares it",
    "What is the shape of your mask, and what is the shape of x?",
    see="H79",
)
def last_axis(x, drop_prob, training):
    return dropped(x, drop_prob, uniform(x.shape[-1]) >= drop_prob) if training else x


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
    "Every call draws the same mask: the generator starts anew each time",
    "Call your function twice on the same x. Which line makes the results equal?",
    see="H83",
)
def fixed_seed(x, drop_prob, training):
    draws = np.random.RandomState(0).random_sample(x.shape)
    return dropped(x, drop_prob, draws >= drop_prob) if training else x


_kept = {}


@mistake(
    "drawn-once",
    "The mask is made once and used again: every call drops the same places",
    "When does your code draw: in every call? Call it twice on the same x.",
    see="H83",
)
def drawn_once(x, drop_prob, training):
    known = (x.shape, drop_prob)
    if known not in _kept:
        _kept[known] = uniform(x.shape) >= drop_prob
    return dropped(x, drop_prob, _kept[known]) if training else x


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
    "never-off-nan",
    "You drop at prediction too, and with drop_prob 1 the result is NaN",
    "What is `training` for? Does your code look at it before it divides?",
    see="H77; google/flax#2055",
)
def never_off_nan(x, drop_prob, training):
    return x * (uniform(x.shape) >= drop_prob) / np.float64(1 - drop_prob)


@mistake(
    "zero-at-test-with-1",
    "With drop_prob 1 you return 0 at prediction too",
    "Your code looks at two arguments. Which of them should it ask first?",
    see="H77",
)
def zero_at_test_with_1(x, drop_prob, training):
    if drop_prob == 1:
        return np.zeros_like(x)
    return dropped(x, drop_prob) if training else x


@mistake(
    "nothing-dropped-at-1",
    "With drop_prob 1 you drop nothing",
    "With drop_prob 0.999, how much is left? And with 1?",
    see="own",
)
def nothing_dropped_at_1(x, drop_prob, training):
    return dropped(x, drop_prob) if training and drop_prob < 1 else x


@mistake(
    "flag-reversed",
    "You drop at prediction and not in training",
    "For which value of `training` does your function return x as it is?",
    see="H77, H85",
)
def flag_reversed(x, drop_prob, training):
    return x if training else dropped(x, drop_prob)


@mistake(
    "flag-reversed-nan",
    "You drop at prediction and not in training",
    "For which value of `training` does your function return x as it is?",
    see="H77, H85",
)
def flag_reversed_nan(x, drop_prob, training):
    return never_off_nan(x, drop_prob, True) if not training else x


@mistake(
    "scaled-up-at-test",
    "Training is right, but prediction is divided by 1 − drop_prob as well",
    "Who is missing at prediction, that the others must make up for?",
    see="H75",
)
def scaled_up_at_test(x, drop_prob, training):
    return dropped(x, drop_prob) if training else x / np.float64(1 - drop_prob)


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
