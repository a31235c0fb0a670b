"""Known answers to `bn-cache`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or the public answers that were read for it.
"""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def moments(x):
    return x.mean(axis=0), x.var(axis=0)


def scaled(x, eps):
    mu, var = moments(x)
    s = np.sqrt(var + eps)
    return (x - mu) / s, s


@mistake(
    "s-squared",
    "Your second result is σ² + ε; s is its root",
    "By what is x − μ divided to get x̂? That is s.",
    see="D41",
)
def s_squared(x, eps):
    mu, var = moments(x)
    return (x - mu) / np.sqrt(var + eps), var + eps


@mistake(
    "s-without-eps",
    "Your second result is σ: ε does not reach your s",
    "By what is x − μ divided to get x̂? That is s.",
    see="public answers: eps dropped in backward only",
)
def s_without_eps(x, eps):
    mu, var = moments(x)
    return (x - mu) / np.sqrt(var + eps), np.sqrt(var)


@mistake(
    "variance-for-s",
    "Your second result is the variance; s is the root of σ² + ε",
    "By what is x − μ divided to get x̂? That is s.",
    see="D41",
)
def variance_for_s(x, eps):
    mu, var = moments(x)
    return (x - mu) / np.sqrt(var + eps), var


@mistake(
    "wrong-axis",
    "You average over the features of each sample, not over the batch",
    "Each column of `x` is one feature. Along which axis do you walk down a column?",
    see="A1",
)
def wrong_axis(x, eps):
    mu, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    s = np.sqrt(var + eps)
    return (x - mu) / s, s


@mistake(
    "no-axis",
    "You take one mean and one variance of the whole batch",
    "How many means does a batch with D features have? What does `x.mean()` return?",
    see="A2; public answers: no axis",
)
def no_axis(x, eps):
    s = np.sqrt(x.var() + eps)
    return (x - x.mean()) / s, s


@mistake(
    "one-variance",
    "You take one variance of the whole batch; every feature has a σ² of its own",
    "What does `((x - mu) ** 2).mean()` return, and how many variances does a batch have?",
    see="A2",
)
def one_variance(x, eps):
    centred = x - x.mean(axis=0)
    s = np.sqrt((centred**2).mean() + eps) * np.ones(x.shape[1])
    return centred / s, s


@mistake(
    "one-variance-one-number",
    "You take one variance of the whole batch; every feature has a σ² of its own",
    "What does `((x - mu) ** 2).mean()` return, and how many variances does a batch have?",
    see="A2",
)
def one_variance_one_number(x, eps):
    x_hat, s = one_variance(x, eps)
    return x_hat, s[0]


@mistake(
    "sample-variance",
    "Your variance divides by m − 1; batch norm normalizes with the one that divides by m",
    "By how much do the two differ for m = 3?",
    see="A3",
)
def sample_variance(x, eps):
    s = np.sqrt(x.var(axis=0, ddof=1) + eps)
    return (x - x.mean(axis=0)) / s, s


@mistake(
    "eps-outside-root",
    "ε is added to the standard deviation; it belongs under the root, to the variance",
    "With σ² = 0 and ε = 0.0001, what is s by its definition? And by your code?",
    see="A7; public answers: eps outside the root",
)
def eps_outside_root(x, eps):
    s = x.std(axis=0) + eps
    return (x - x.mean(axis=0)) / s, s


@mistake(
    "no-eps",
    "ε does not reach your result",
    "What does your code divide by when a feature has the same value in every sample?",
    see="A8; public answers: eps forgotten",
)
def no_eps(x, eps):
    s = x.std(axis=0)
    return (x - x.mean(axis=0)) / s, s


@mistake(
    "fixed-eps",
    "You use a fixed small ε and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="A8",
)
def fixed_eps(x, eps):
    return scaled(x, 1e-5)


@mistake(
    "fixed-eps-smaller",
    "You use a fixed small ε and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="A8",
)
def fixed_eps_smaller(x, eps):
    return scaled(x, 1e-8)


@mistake(
    "fixed-eps-larger",
    "You use a fixed ε of 0.001 and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="A8",
)
def fixed_eps_larger(x, eps):
    return scaled(x, 1e-3)


@mistake(
    "no-root",
    "You divide by σ² + ε, not by its root",
    "If a feature is in metres, in what unit is σ²? What unit should x̂ have?",
    see="A4",
)
def no_root(x, eps):
    mu, var = moments(x)
    return (x - mu) / (var + eps), var + eps


@mistake(
    "uncentred-variance",
    "Your variance is the mean of the squares, without subtracting the mean first",
    "How large is your variance for a feature that is 100 in every sample?",
    see="A9",
)
def uncentred_variance(x, eps):
    s = np.sqrt((x**2).mean(axis=0) + eps)
    return (x - x.mean(axis=0)) / s, s


@mistake(
    "not-centred",
    "You scale, but do not subtract the mean",
    "What should the mean of each feature of x̂ be?",
    see="A11",
)
def not_centred(x, eps):
    s = np.sqrt(x.var(axis=0) + eps)
    return x / s, s


@mistake(
    "not-scaled",
    "You subtract the mean, but do not divide by s",
    "What should the spread of each feature of x̂ be?",
    see="A12",
)
def not_scaled(x, eps):
    return x - x.mean(axis=0), np.sqrt(x.var(axis=0) + eps)


@mistake(
    "precedence",
    "Only the mean is divided by s; `x` itself is not",
    "Which is done first in `x - a / b`?",
    see="A12",
)
def precedence(x, eps):
    s = np.sqrt(x.var(axis=0) + eps)
    return x - x.mean(axis=0) / s, s


@mistake(
    "inverse-s",
    "x̂ is right, but the second result is 1 / s",
    "Should `x_hat * s` be larger or smaller than `x_hat`, for a feature that varies a lot?",
    see="public answers: cache misread",
)
def inverse_s(x, eps):
    mu, var = moments(x)
    return (x - mu) / np.sqrt(var + eps), 1 / np.sqrt(var + eps)


@mistake(
    "order",
    "The two results have changed places",
    "Which of the two comes first in `(x_hat, s)`?",
    see="public answers: cache misread",
)
def order(x, eps):
    mu, var = moments(x)
    s = np.sqrt(var + eps)
    return s, (x - mu) / s


# ---------------------------------------------------------------- right, written otherwise


@variant("np.std, keepdims")
def with_std(x, eps):
    s = np.sqrt(np.std(x, axis=0, keepdims=True) ** 2 + eps)
    return [(x - np.mean(x, axis=0)) / s, s]


@variant("manual sums")
def with_sums(x, eps):
    mu = np.sum(x, axis=0) / len(x)
    s = (np.sum((x - mu) ** 2, axis=0) / len(x) + eps) ** 0.5
    return (x - mu) / s, s


@variant("a loop over features")
def with_feature_loop(x, eps):
    x_hat, s = np.zeros_like(x), []
    for j in range(x.shape[1]):
        s.append(np.sqrt(x[:, j].var() + eps))
        x_hat[:, j] = (x[:, j] - x[:, j].mean()) / s[-1]
    return x_hat, s


@variant("float32")
def in_float32(x, eps):
    x = x.astype(np.float32)
    s = np.sqrt(x.var(axis=0) + np.float32(eps))
    return (x - x.mean(axis=0)) / s, s
