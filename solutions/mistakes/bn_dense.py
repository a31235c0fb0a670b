"""Known answers to `bn-dense`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or the public answers that were read for it.
"""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def affine(x_hat, gamma, beta):
    return gamma * x_hat + beta


@mistake(
    "wrong-axis",
    "You average over the features of each sample, not over the batch",
    "Each column of `x` is one feature. Along which axis do you walk down a column?",
    see="A1",
)
def wrong_axis(x, gamma, beta, eps):
    mu, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return affine((x - mu) / np.sqrt(var + eps), gamma, beta)


@mistake(
    "no-axis",
    "You take one mean and one variance of the whole batch",
    "How many means does a batch with D features have? What does `x.mean()` return?",
    see="A2; public answers: no axis",
)
def no_axis(x, gamma, beta, eps):
    return affine((x - x.mean()) / np.sqrt(x.var() + eps), gamma, beta)


@mistake(
    "variance-no-axis",
    "The mean is per feature, but the variance is one number for the whole batch",
    "What shape should σ² have?",
    see="public answers: no axis",
)
def variance_no_axis(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / np.sqrt(x.var() + eps), gamma, beta)


@mistake(
    "sums-over-everything",
    "Your sums run over the whole array, but you divide by the number of samples",
    "The page's example has one feature. Along which axis must `sum()` run when there are D?",
    see="tried by a first reader",
)
def sums_over_everything(x, gamma, beta, eps):
    mu = x.sum() / len(x)
    var = ((x - mu) ** 2).sum() / len(x)
    return affine((x - mu) / np.sqrt(var + eps), gamma, beta)


@mistake(
    "squares-over-everything",
    "The mean is per feature, but the squares are summed over the whole array",
    "What shape should σ² have, and what shape does your sum have?",
    see="tried by a first reader",
)
def squares_over_everything(x, gamma, beta, eps):
    mu = x.mean(axis=0)
    var = ((x - mu) ** 2).sum() / len(x)
    return affine((x - mu) / np.sqrt(var + eps), gamma, beta)


@mistake(
    "squares-averaged-over-everything",
    "The mean is per feature, but the squares are averaged over the whole array",
    "What shape should σ² have, and what shape does your mean of squares have?",
    see="tried by a reader",
)
def squares_averaged_over_everything(x, gamma, beta, eps):
    mu = x.mean(axis=0)
    return affine((x - mu) / np.sqrt(((x - mu) ** 2).mean() + eps), gamma, beta)


@mistake(
    "squared-too-late",
    "You average the distances from the mean and square afterwards; they average to 0",
    "Which comes first in the definition of σ²: squaring, or averaging?",
    see="tried by a first reader",
)
def squared_too_late(x, gamma, beta, eps):
    centred = x - x.mean(axis=0)
    return affine(centred / np.sqrt(np.round(centred.mean(axis=0), 9) ** 2 + eps), gamma, beta)


@mistake(
    "one-feature-only",
    "Only the first feature is normalized; the loop ends too early",
    "How far is your `return` indented? Which columns of the result are still as they were?",
    see="tried by a first reader",
)
def one_feature_only(x, gamma, beta, eps):
    out = np.zeros_like(x)
    for j in range(x.shape[1]):
        column = x[:, j]
        out[:, j] = gamma[j] * (column - column.mean()) / np.sqrt(column.var() + eps) + beta[j]
        return out


@mistake(
    "sample-variance",
    "Your variance divides by m − 1; batch norm normalizes with the one that divides by m",
    "By how much do the two differ for m = 8? What do you divide by for m = 1?",
    see="A3",
)
def sample_variance(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0, ddof=1) + eps), gamma, beta)


@mistake(
    "no-root",
    "You divide by the variance, not by its square root",
    "If a feature is in metres, in what unit is σ²? What unit should x̂ have?",
    see="A4",
)
def no_root(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / (x.var(axis=0) + eps), gamma, beta)


@mistake(
    "squared-variance",
    "You divide by the variance squared: the exponent should be ½ and not 2",
    "Which power of (σ² + ε) stands under the fraction bar in the definition?",
    see="A5",
)
def squared_variance(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / (x.var(axis=0) + eps) ** 2, gamma, beta)


@mistake(
    "std-for-sqrt",
    "You take the standard deviation of the variances, where their root is meant",
    "`np.std` and `np.sqrt` look alike. Which one turns σ² into σ?",
    see="A6; public answers: np.std typed for np.sqrt",
)
def std_for_sqrt(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / np.std(x.var(axis=0) + eps), gamma, beta)


@mistake(
    "eps-outside-root",
    "ε is added to the standard deviation; it belongs under the root, to the variance",
    "With σ² = 0 and ε = 0.0001, what does the definition divide by? And your code?",
    see="A7; public answers: eps outside the root",
)
def eps_outside_root(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / (np.sqrt(x.var(axis=0)) + eps), gamma, beta)


@mistake(
    "no-eps",
    "ε does not reach your result",
    "What does your code divide by when a feature has the same value in every sample?",
    see="A8; public answers: eps forgotten",
)
def no_eps(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0)), gamma, beta)


@mistake(
    "fixed-eps",
    "You use a fixed small ε and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="public answers: eps forgotten",
)
def fixed_eps(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5), gamma, beta)


@mistake(
    "eps-as-floor",
    "ε is a floor for the variance in your code; it should be added to it",
    "For a variance well above ε, does your ε change anything? Does the definition's?",
    see="public answers: eps forgotten",
)
def eps_as_floor(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / np.sqrt(np.maximum(x.var(axis=0), eps)), gamma, beta)


@mistake(
    "uncentred-variance",
    "Your variance is the mean of the squares, without subtracting the mean first",
    "How large is your variance for a feature that is 100 in every sample?",
    see="A9",
)
def uncentred_variance(x, gamma, beta, eps):
    return affine((x - x.mean(axis=0)) / np.sqrt((x**2).mean(axis=0) + eps), gamma, beta)


@mistake(
    "sum-of-squares",
    "Your variance is a sum of squares; it should be their mean",
    "What happens to your variance when every sample is in the batch twice?",
    see="A10",
)
def sum_of_squares(x, gamma, beta, eps):
    mu = x.mean(axis=0)
    return affine((x - mu) / np.sqrt(((x - mu) ** 2).sum(axis=0) + eps), gamma, beta)


@mistake(
    "not-centred",
    "You scale, but do not subtract the mean",
    "With γ = 1 and β = 0, what is the mean of each feature of your output?",
    see="A11",
)
def not_centred(x, gamma, beta, eps):
    return affine(x / np.sqrt(x.var(axis=0) + eps), gamma, beta)


@mistake(
    "not-scaled",
    "You subtract the mean, but do not divide by the spread",
    "With γ = 1, what is the standard deviation of each feature of your output?",
    see="A12",
)
def not_scaled(x, gamma, beta, eps):
    return affine(x - x.mean(axis=0), gamma, beta)


@mistake(
    "precedence",
    "Only the mean is divided by the spread; `x` itself is not",
    "Which is done first in `x - a / b`?",
    see="A12",
)
def precedence(x, gamma, beta, eps):
    return affine(x - x.mean(axis=0) / np.sqrt(x.var(axis=0) + eps), gamma, beta)


@mistake(
    "precedence-with-gamma",
    "γ multiplies `x`, and the mean alone is divided by the spread",
    "Where do the brackets stand in the third equation?",
    see="A12",
)
def precedence_with_gamma(x, gamma, beta, eps):
    return gamma * x - x.mean(axis=0) / np.sqrt(x.var(axis=0) + eps) + beta


@mistake(
    "beta-scaled-by-gamma",
    "β is added before the multiplication by γ, so γ scales it too",
    "What should the mean of the output be: β, or γβ?",
    see="A13",
)
def beta_scaled_by_gamma(x, gamma, beta, eps):
    return gamma * ((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta)


@mistake(
    "beta-scaled-by-everything",
    "β is added before the division, so σ and γ scale it too",
    "In which of the four equations does β appear, and after which step?",
    see="A13",
)
def beta_scaled_by_everything(x, gamma, beta, eps):
    return (x - x.mean(axis=0) + beta) / np.sqrt(x.var(axis=0) + eps) * gamma


@mistake(
    "gamma-beta-swapped",
    "γ and β have changed places",
    "Which of the two multiplies? Look at the order of the arguments.",
    see="A14",
)
def gamma_beta_swapped(x, gamma, beta, eps):
    return beta * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + gamma


@mistake(
    "no-affine",
    "The last step is missing: γ and β do not reach your result",
    "What does the layer need in order to be able to give a feature another mean and spread?",
    see="A15; public answers: gamma/beta forgotten",
)
def no_affine(x, gamma, beta, eps):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)


@mistake(
    "no-beta",
    "β does not reach your result",
    "Which mean should each feature of the output have?",
    see="A15",
)
def no_beta(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)


@mistake(
    "no-gamma",
    "γ does not reach your result",
    "Which spread should each feature of the output have?",
    see="A15",
)
def no_gamma(x, gamma, beta, eps):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta


# ---------------------------------------------------------------- right, written otherwise


@variant("np.std squared")
def with_std(x, gamma, beta, eps):
    return affine((x - np.mean(x, 0)) / np.sqrt(np.std(x, axis=0) ** 2 + eps), gamma, beta)


@variant("manual sums, keepdims")
def with_sums(x, gamma, beta, eps):
    n = x.shape[0]
    mu = np.sum(x, axis=0, keepdims=True) / n
    var = np.sum((x - mu) ** 2, axis=0, keepdims=True) / n
    return affine((x - mu) * (var + eps) ** -0.5, gamma, beta)


@variant("mean of squares minus squared mean")
def with_two_moments(x, gamma, beta, eps):
    mu = x.mean(axis=0)
    var = (x**2).mean(axis=0) - mu**2
    return affine((x - mu) / np.sqrt(var + eps), gamma, beta)


@variant("float32")
def in_float32(x, gamma, beta, eps):
    x, gamma, beta = x.astype(np.float32), gamma.astype(np.float32), beta.astype(np.float32)
    return affine((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + np.float32(eps)), gamma, beta)


@variant("a loop over features")
def with_feature_loop(x, gamma, beta, eps):
    out = np.zeros_like(x)
    for j in range(x.shape[1]):
        column = x[:, j]
        out[:, j] = gamma[j] * (column - column.mean()) / np.sqrt(column.var() + eps) + beta[j]
    return out


@variant("nested lists and plain Python")
def with_lists(x, gamma, beta, eps):
    rows, n = x.tolist(), len(x)
    columns = []
    for j, column in enumerate(zip(*rows, strict=True)):
        mu = sum(column) / n
        var = sum((value - mu) ** 2 for value in column) / n
        columns.append([gamma[j] * (v - mu) / (var + eps) ** 0.5 + beta[j] for v in column])
    return [list(row) for row in zip(*columns, strict=True)]


@variant("ddof=0 said aloud")
def with_ddof(x, gamma, beta, eps):
    return affine((x - x.mean(0)) / np.sqrt(np.var(x, axis=0, ddof=0) + eps), gamma, beta)


@variant("folded into one scale and one shift")
def folded(x, gamma, beta, eps):
    scale = gamma / np.sqrt(x.var(axis=0) + eps)
    return x * scale + (beta - x.mean(axis=0) * scale)


@variant("by matrices of ones")
def with_ones(x, gamma, beta, eps):
    ones = np.ones((x.shape[0], x.shape[0])) / x.shape[0]
    centred = x - ones @ x
    return affine(centred / np.sqrt(ones @ centred**2 + eps), gamma, beta)


@variant("in place on a copy")
def in_place_on_a_copy(x, gamma, beta, eps):
    out = x.copy()
    out -= out.mean(axis=0)
    out /= np.sqrt((out**2).mean(axis=0) + eps)
    out *= gamma
    out += beta
    return out


@variant("transposed and back")
def transposed(x, gamma, beta, eps):
    rows = x.T
    centred = rows - rows.mean(axis=1, keepdims=True)
    hat = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps)
    return affine(hat.T, gamma, beta)
