"""Known answers to `bn-predict`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def affine(x_hat, gamma, beta):
    return gamma * x_hat + beta


def hat(x, mean, var, eps):
    return (x - mean) / np.sqrt(var + eps)


@mistake(
    "batch-statistics",
    "You normalize with the statistics of the batch to be predicted; the moving ones go unused",
    "What does your function return for a batch of one sample? Does it depend on the sample?",
    see="C33, A17",
)
def batch_statistics(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(hat(x, x.mean(axis=0), x.var(axis=0), eps), gamma, beta)


@mistake(
    "batch-mean",
    "You subtract the mean of the batch; only the variance is the moving one",
    "What is x − μ for a batch of one sample?",
    see="C33",
)
def batch_mean(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(hat(x, x.mean(axis=0), moving_var, eps), gamma, beta)


@mistake(
    "batch-variance",
    "You divide by the spread of the batch; only the mean is the moving one",
    "What is the variance of a batch of one sample?",
    see="C33",
)
def batch_variance(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(hat(x, moving_mean, x.var(axis=0), eps), gamma, beta)


@mistake(
    "updates-first",
    "You mix this batch into the moving statistics and predict with the result",
    "May the prediction for one sample change because others are predicted with it?",
    see="B32",
)
def updates_first(x, gamma, beta, moving_mean, moving_var, eps):
    mean = 0.9 * moving_mean + 0.1 * x.mean(axis=0)
    var = 0.9 * moving_var + 0.1 * x.var(axis=0)
    return affine(hat(x, mean, var, eps), gamma, beta)


@mistake(
    "normalized-twice",
    "You normalize with the batch's statistics and then again with the moving ones",
    "Are there two normalizations in the equations of prediction?",
    see="A16",
)
def normalized_twice(x, gamma, beta, moving_mean, moving_var, eps):
    x_hat = hat(x, x.mean(axis=0), x.var(axis=0), eps)
    return affine(hat(x_hat, moving_mean, moving_var, eps), gamma, beta)


@mistake(
    "mean-and-variance-swapped",
    "The moving mean and the moving variance have changed places",
    "Which of the two may be negative, and what does a square root make of that?",
    see="B23",
)
def mean_and_variance_swapped(x, gamma, beta, moving_mean, moving_var, eps):
    with np.errstate(invalid="ignore"):
        return affine(hat(x, moving_var, moving_mean, eps), gamma, beta)


@mistake(
    "averaged-statistics",
    "You average the moving statistics over the features, so that each gets the same ones",
    "`moving_mean` has one number per feature. Which one belongs to feature 0?",
    see="B26",
)
def averaged_statistics(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(hat(x, moving_mean.mean(), moving_var.mean(), eps), gamma, beta)


@mistake(
    "nothing-returned",
    "The prediction is computed but not returned",
    "What does a Python function return that has no `return`?",
    see="public answers: test branch missing",
)
def nothing_returned(x, gamma, beta, moving_mean, moving_var, eps):
    affine(hat(x, moving_mean, moving_var, eps), gamma, beta)


@mistake(
    "no-root",
    "You divide by the moving variance, not by its square root",
    "What does `moving_var` hold: σ, or σ²? What does the definition divide by?",
    see="C35; public answers: test divides by running_var without root",
)
def no_root(x, gamma, beta, moving_mean, moving_var, eps):
    return affine((x - moving_mean) / (moving_var + eps), gamma, beta)


@mistake(
    "std-for-sqrt",
    "You take the standard deviation of the variances, where their root is meant",
    "`np.std` and `np.sqrt` look alike. Which one turns σ² into σ?",
    see="A6; public answers: np.std typed for np.sqrt",
)
def std_for_sqrt(x, gamma, beta, moving_mean, moving_var, eps):
    return affine((x - moving_mean) / np.std(moving_var + eps), gamma, beta)


@mistake(
    "squared-variance",
    "You divide by the variance squared: the exponent should be ½ and not 2",
    "Which power of (σ² + ε) stands under the fraction bar in the definition?",
    see="A5",
)
def squared_variance(x, gamma, beta, moving_mean, moving_var, eps):
    return affine((x - moving_mean) / (moving_var + eps) ** 2, gamma, beta)


@mistake(
    "eps-outside-root",
    "ε is added to the standard deviation; it belongs under the root, to the variance",
    "With σ² = 0 and ε = 0.0001, what does the definition divide by? And your code?",
    see="C36; public answers: eps outside the root",
)
def eps_outside_root(x, gamma, beta, moving_mean, moving_var, eps):
    return affine((x - moving_mean) / (np.sqrt(moving_var) + eps), gamma, beta)


@mistake(
    "no-eps",
    "ε does not reach your result",
    "Training divided by √(σ² + ε). Should prediction divide by something else?",
    see="C36; public answers: eps forgotten",
)
def no_eps(x, gamma, beta, moving_mean, moving_var, eps):
    return affine((x - moving_mean) / np.sqrt(moving_var), gamma, beta)


@mistake(
    "fixed-eps",
    "You use a fixed small ε and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="public answers: eps forgotten",
)
def fixed_eps(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(hat(x, moving_mean, moving_var, 1e-5), gamma, beta)


@mistake(
    "eps-as-floor",
    "ε is a floor for the variance in your code; it should be added to it",
    "For a variance well above ε, does your ε change anything? Does the definition's?",
    see="public answers: eps forgotten",
)
def eps_as_floor(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(hat(x, moving_mean, np.maximum(moving_var, eps), 0), gamma, beta)


@mistake(
    "unbiased-correction",
    "You stretch the moving variance by m / (m − 1) for the m samples to be predicted",
    "Does the number of samples in this batch belong in a prediction?",
    see="B31",
)
def unbiased_correction(x, gamma, beta, moving_mean, moving_var, eps):
    n = len(x)
    with np.errstate(all="ignore"):
        var = np.float64(n) / (n - 1) * moving_var
        return affine(hat(x, moving_mean, var, eps), gamma, beta)


@mistake(
    "not-centred",
    "You scale, but do not subtract the moving mean",
    "What should a sample that equals the moving mean be turned into?",
    see="A11",
)
def not_centred(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(x / np.sqrt(moving_var + eps), gamma, beta)


@mistake(
    "not-scaled",
    "You subtract the moving mean, but do not divide by the spread",
    "Where does `moving_var` enter your result?",
    see="A12",
)
def not_scaled(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(x - moving_mean, gamma, beta)


@mistake(
    "precedence",
    "Only the moving mean is divided by the spread; `x` itself is not",
    "Which is done first in `x - a / b`?",
    see="A12",
)
def precedence(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(x - moving_mean / np.sqrt(moving_var + eps), gamma, beta)


@mistake(
    "precedence-in-one-line",
    "Only the moving mean is divided by the spread; γ multiplies `x` before it is centred",
    "Which is done first in `g * x - a / b`, and which of these should be done first?",
    see="A12",
)
def precedence_in_one_line(x, gamma, beta, moving_mean, moving_var, eps):
    return gamma * x - moving_mean / np.sqrt(moving_var + eps) + beta


@mistake(
    "mean-not-scaled-by-gamma",
    "γ multiplies `x` before the moving mean is subtracted, so the moving mean misses it",
    "Which is done first in `g * x - a`: the product or the difference?",
    see="A12",
)
def mean_not_scaled_by_gamma(x, gamma, beta, moving_mean, moving_var, eps):
    return (gamma * x - moving_mean) / np.sqrt(moving_var + eps) + beta


@mistake(
    "beta-scaled-by-gamma",
    "β is added before the multiplication by γ, so γ scales it too",
    "What should a sample that equals the moving mean be turned into: β, or γβ?",
    see="A13",
)
def beta_scaled_by_gamma(x, gamma, beta, moving_mean, moving_var, eps):
    return gamma * (hat(x, moving_mean, moving_var, eps) + beta)


@mistake(
    "gamma-beta-swapped",
    "γ and β have changed places",
    "Which of the two multiplies? Look at the order of the arguments.",
    see="A14",
)
def gamma_beta_swapped(x, gamma, beta, moving_mean, moving_var, eps):
    return affine(hat(x, moving_mean, moving_var, eps), beta, gamma)


@mistake(
    "no-affine",
    "The last step is missing: γ and β do not reach your result",
    "The next layer was trained on y. What does it get from you in prediction?",
    see="C34, A15; public answers: gamma/beta forgotten in test",
)
def no_affine(x, gamma, beta, moving_mean, moving_var, eps):
    return hat(x, moving_mean, moving_var, eps)


@mistake(
    "no-beta",
    "β does not reach your result",
    "What should a sample that equals the moving mean be turned into?",
    see="C34",
)
def no_beta(x, gamma, beta, moving_mean, moving_var, eps):
    return gamma * hat(x, moving_mean, moving_var, eps)


@mistake(
    "no-gamma",
    "γ does not reach your result",
    "By what should two samples differ in y if they differ by 1 in x̂?",
    see="C34",
)
def no_gamma(x, gamma, beta, moving_mean, moving_var, eps):
    return hat(x, moving_mean, moving_var, eps) + beta


# ---------------------------------------------------------------- right, written otherwise


@variant("folded into one scale and one shift")
def folded(x, gamma, beta, moving_mean, moving_var, eps):
    scale = gamma / np.sqrt(moving_var + eps)
    return x * scale + (beta - moving_mean * scale)


@variant("power of minus one half")
def by_power(x, gamma, beta, moving_mean, moving_var, eps):
    return beta + gamma * (x - moving_mean) * (moving_var + eps) ** -0.5


@variant("float32")
def in_float32(x, gamma, beta, moving_mean, moving_var, eps):
    x, gamma, beta, moving_mean, moving_var = (
        a.astype(np.float32) for a in (x, gamma, beta, moving_mean, moving_var)
    )
    return affine(hat(x, moving_mean, moving_var, np.float32(eps)), gamma, beta)


@variant("statistics as (1, D) rows")
def with_rows(x, gamma, beta, moving_mean, moving_var, eps):
    mean, var = moving_mean.reshape(1, -1), moving_var[np.newaxis, :]
    return gamma[None] * ((x - mean) / np.sqrt(var + eps)) + beta[None]


@variant("a sample at a time")
def sample_loop(x, gamma, beta, moving_mean, moving_var, eps):
    return np.array([affine(hat(row, moving_mean, moving_var, eps), gamma, beta) for row in x])


@variant("a feature at a time, as lists")
def feature_loop(x, gamma, beta, moving_mean, moving_var, eps):
    columns = [
        [
            gamma[j] * (value - moving_mean[j]) / (moving_var[j] + eps) ** 0.5 + beta[j]
            for value in column
        ]
        for j, column in enumerate(x.T.tolist())
    ]
    return [list(row) for row in zip(*columns, strict=True)]


@variant("by a diagonal matrix")
def by_matrix(x, gamma, beta, moving_mean, moving_var, eps):
    return (x - moving_mean) @ np.diag(gamma / np.sqrt(moving_var + eps)) + beta


@variant("in place on a copy")
def on_a_copy(x, gamma, beta, moving_mean, moving_var, eps):
    out = x.copy()
    out -= moving_mean
    out /= np.sqrt(moving_var + eps)
    out *= gamma
    out += beta
    return out
