"""Known answers to `bn-backward-short`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or the public answers that were read for it.
"""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def short(dy, x_hat, gamma, s, mean=1.0, along=1.0):
    """The closed form with its second and third term weighted."""
    g = gamma * dy
    return (g - mean * g.mean(axis=0) - along * x_hat * (g * x_hat).mean(axis=0)) / s


@mistake(
    "first-term-only",
    "You treat μ and σ² as constants: only the first of the three terms is there",
    "When one xᵢ grows, what do μ and σ² do?",
    see="D37; facebookresearch/CrypTen#143",
)
def first_term_only(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s, 0, 0)


@mistake(
    "no-mean",
    "The mean of dx̂ is not taken away: the path through μ is missing",
    "What is the sum of your dx over the batch?",
    see="D38",
)
def no_mean(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s, mean=0)


@mistake(
    "no-projection",
    "The part along x̂ is not taken away: the path through σ² is missing",
    "What is the sum of your dx times x̂ over the batch?",
    see="D39",
)
def no_projection(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s, along=0)


@mistake(
    "projection-added",
    "The part along x̂ is added; it should be taken away",
    "What is the sum of your dx times x̂ over the batch, compared with that of dx̂ / s?",
    see="D40",
)
def projection_added(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s, along=-1)


@mistake(
    "mean-added",
    "The mean of dx̂ is added; it should be taken away",
    "What is the sum of your dx over the batch, compared with that of dx̂ / s?",
    see="D38",
)
def mean_added(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s, mean=-1)


@mistake(
    "half-projection",
    "The part along x̂ is taken away by half only",
    "A 2 from the square and a ½ from the root: what becomes of them?",
    see="D42",
)
def half_projection(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s, along=0.5)


@mistake(
    "sums-for-means",
    "You take sums where the two brackets are means: 1/m is lost",
    "What becomes of the sum of your dx when m is 100?",
    see="D43",
)
def sums_for_means(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s, len(dy), len(dy))


@mistake(
    "sum-for-mean",
    "You take a sum for the mean of dx̂: 1/m is lost in the second term",
    "What becomes of the sum of your dx when m is 100?",
    see="D43",
)
def sum_for_mean(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s, mean=len(dy))


@mistake(
    "sum-for-projection",
    "You take a sum for the mean of dx̂ · x̂: 1/m is lost in the third term",
    "What is the sum of your dx times x̂ when m is 100?",
    see="D43",
)
def sum_for_projection(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s, along=len(dy))


@mistake(
    "m-times-too-large",
    "dx is m times what it should be: the last 1/m is lost",
    "With m dx̂ᵢ and two sums in the brackets, what has all of it been multiplied by?",
    see="D43",
)
def m_times_too_large(dy, x_hat, gamma, s):
    return len(dy) * short(dy, x_hat, gamma, s)


@mistake(
    "m-lost-in-first-term",
    "All is divided by m, the first term too, which should not be",
    "With (m dx̂ᵢ − Σ dx̂ − …) / m, what stands before the first term?",
    see="D43",
)
def m_lost_in_first_term(dy, x_hat, gamma, s):
    m = len(dy)
    return short(dy, x_hat, gamma, s, m, m) / m


@mistake(
    "count-minus-one",
    "In the third term you divide by m − 1; the variance was taken with m",
    "Which variance did the forward pass use?",
    see="D44",
)
def count_minus_one(dy, x_hat, gamma, s):
    with np.errstate(all="ignore"):
        return short(dy, x_hat, gamma, s, along=np.float64(len(dy)) / (len(dy) - 1))


@mistake(
    "count-of-features",
    "You divide by the number of features; the means are over the batch",
    "Which of the two numbers in `dy.shape` is m?",
    see="D46",
)
def count_of_features(dy, x_hat, gamma, s):
    ratio = dy.shape[0] / dy.shape[1]
    return short(dy, x_hat, gamma, s, ratio, ratio)


@mistake(
    "no-gamma",
    "γ does not reach dx",
    "y = γ x̂ + β. What is the derivative of y with respect to x̂?",
    see="D45; denizyuret/Knet.jl#288",
)
def no_gamma(dy, x_hat, gamma, s):
    return short(dy, x_hat, np.ones_like(gamma), s)


@mistake(
    "gamma-twice",
    "γ comes in twice",
    "If dx̂ already holds γ, where else does it stand in your line?",
    see="D45",
)
def gamma_twice(dy, x_hat, gamma, s):
    return gamma * short(dy, x_hat, gamma, s)


@mistake(
    "gamma-in-first-term",
    "γ is in the first term only; all three terms are made of dx̂",
    "What stands in the two brackets: dy, or dx̂?",
    see="D45",
)
def gamma_in_first_term(dy, x_hat, gamma, s):
    return (gamma * dy - dy.mean(axis=0) - x_hat * (dy * x_hat).mean(axis=0)) / s


@mistake(
    "times-s",
    "You multiply by s; it divides",
    "If a feature spreads ten times as far, does one unit more of x matter more, or less?",
    see="D41",
)
def times_s(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s) * s**2


@mistake(
    "no-s",
    "The division by s is missing",
    "If a feature spreads ten times as far, does one unit more of x matter more, or less?",
    see="D41",
)
def no_s(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s) * s


@mistake(
    "root-of-s",
    "You divide by the root of s; s is already a root",
    "In s = √(σ² + ε), how often has the root been taken?",
    see="public answers: cache misread",
)
def root_of_s(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, np.sqrt(s))


@mistake(
    "s-squared",
    "You divide by s²",
    "Which power of s stands under the fraction bar?",
    see="D41",
)
def s_squared(dy, x_hat, gamma, s):
    return short(dy, x_hat, gamma, s**2)


@mistake(
    "s-in-first-term",
    "Only the last term is divided by s: a pair of brackets is missing",
    "Which is done first in `a - b / s`?",
    see="A12",
)
def s_in_last_term(dy, x_hat, gamma, s):
    g = gamma * dy
    return g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0) / s


@mistake(
    "no-axis",
    "Your means have no `axis`: they mix the features",
    "How many numbers should each of the two brackets be?",
    see="public answers: missing reduction axis",
)
def no_axis(dy, x_hat, gamma, s):
    g = gamma * dy
    return (g - g.mean() - x_hat * (g * x_hat).mean()) / s


@mistake(
    "wrong-axis",
    "Your means run over the features of each sample, not over the batch",
    "How many numbers should each of the two brackets be?",
    see="A1",
)
def wrong_axis(dy, x_hat, gamma, s):
    g = gamma * dy
    along = (g * x_hat).mean(axis=1, keepdims=True)
    return (g - g.mean(axis=1, keepdims=True) - x_hat * along) / s


@mistake(
    "x-hat-inside-the-mean",
    "In the third term both x̂ are inside the mean, which makes it the same for every sample",
    "Which of the two x̂ has the index i, and stands before the angle bracket?",
    see="A12",
)
def x_hat_inside_the_mean(dy, x_hat, gamma, s):
    g = gamma * dy
    return (g - g.mean(axis=0) - (x_hat * g * x_hat).mean(axis=0)) / s


@mistake(
    "x-hat-missing",
    "In the third term the x̂ before the angle bracket is missing",
    "Which direction is the third term to be taken away along?",
    see="D39",
)
def x_hat_missing(dy, x_hat, gamma, s):
    g = gamma * dy
    return (g - g.mean(axis=0) - (g * x_hat).mean(axis=0)) / s


@mistake(
    "squared-x-hat",
    "In the third term each sample has its own dx̂ · x̂²: the mean over the batch is missing",
    "What is in the angle brackets, and what should be done with it?",
    see="public answers: diagonal Jacobian",
)
def squared_x_hat(dy, x_hat, gamma, s):
    g = gamma * dy
    return (g - g.mean(axis=0) - g * x_hat**2) / s


@mistake(
    "diagonal",
    "You keep only how each xᵢ moves its own yᵢ; it moves those of its batch-mates too",
    "When x₁ grows, what happens to y₂? Where in your line is dy₂?",
    see="public answers: diagonal Jacobian",
)
def diagonal(dy, x_hat, gamma, s):
    m = len(dy)
    return gamma * dy * (1 - 1 / m - x_hat**2 / m) / s


@mistake(
    "exact-projection",
    "You take away all of dx̂ that lies along x̂; with ε, a little of it has to stay",
    "What is the mean of x̂² when ε is as large as σ²? Does the formula divide by it?",
    see="the lesson: how nearly the second sum vanishes",
)
def exact_projection(dy, x_hat, gamma, s):
    with np.errstate(all="ignore"):
        return short(dy, x_hat, gamma, s, along=1 / (x_hat**2).mean(axis=0))


@mistake(
    "changes-dy",
    "You multiply `dy` by γ in place; whoever called you still needs it",
    "After `dx_hat = dy` and `dx_hat *= gamma`, what is in `dy`?",
    see="public answers: cache misread",
)
def changes_dy(dy, x_hat, gamma, s):
    dy *= gamma
    return short(dy, x_hat, np.ones_like(gamma), s)


# ---------------------------------------------------------------- right, written otherwise


@variant("sums and one division by m")
def with_sums(dy, x_hat, gamma, s):
    m, g = len(dy), dy * gamma
    return (m * g - g.sum(axis=0) - x_hat * (g * x_hat).sum(axis=0)) / (m * s)


@variant("by way of dγ and dβ")
def by_way_of_dgamma(dy, x_hat, gamma, s):
    m = dy.shape[0]
    return gamma / s / m * (m * dy - dy.sum(axis=0) - x_hat * (dy * x_hat).sum(axis=0))


@variant("matrices of ones and .dot")
def with_ones(dy, x_hat, gamma, s):
    m = len(dy)
    ones = np.ones((m, m)) / m
    g = dy * gamma
    return (g - ones.dot(g) - x_hat * ones.dot(g * x_hat)) / s


@variant("the Jacobian of each feature")
def with_jacobians(dy, x_hat, gamma, s):
    m, d = dy.shape
    dx = np.empty((m, d))
    for j in range(d):
        v = x_hat[:, j]
        dx[:, j] = gamma[j] / s[j] * (np.eye(m) - 1 / m - np.outer(v, v) / m) @ dy[:, j]
    return dx


@variant("a loop over rows")
def with_row_loop(dy, x_hat, gamma, s):
    m = len(dy)
    first = sum(gamma * row for row in dy) / m
    second = sum(gamma * row * hat for row, hat in zip(dy, x_hat, strict=True)) / m
    return [(gamma * dy[i] - first - x_hat[i] * second) / s for i in range(m)]


@variant("x̂ centred once more")
def centred_again(dy, x_hat, gamma, s):
    x_hat = x_hat - x_hat.mean(axis=0)
    return short(dy, x_hat, gamma, s)


@variant("float32")
def in_float32(dy, x_hat, gamma, s):
    return short(*(a.astype(np.float32) for a in (dy, x_hat, gamma, s)))
