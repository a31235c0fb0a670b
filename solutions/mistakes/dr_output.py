"""Known answers to `dr-output`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def mse(prediction, target):
    return np.mean((prediction - target) ** 2)


@mistake(
    "variance-of-the-prediction",
    "The penalty grows with the variance of the prediction; the mean counts too",
    "A network that says 5 for every x: what does dropout make of its predictions?",
    see="H86",
)
def variance_of_the_prediction(prediction, target, rate):
    return mse(prediction, target) + np.var(prediction) * rate / (1 - rate)


@mistake(
    "square-of-the-mean",
    "You square the mean of the predictions; the mean of their squares is wanted",
    "Does each sample have a mask of its own?",
    see="own",
)
def square_of_the_mean(prediction, target, rate):
    return mse(prediction, target) + np.mean(prediction) ** 2 * rate / (1 - rate)


@mistake(
    "targets-in-the-penalty",
    "The penalty is computed from the targets: right only where the prediction is perfect",
    "What is multiplied by the mask: the prediction or the target?",
    see="H86",
)
def targets_in_the_penalty(prediction, target, rate):
    return mse(prediction, target) + np.mean(target**2) * rate / (1 - rate)


@mistake(
    "penalty-alone",
    "It is the penalty alone: the errors that the prediction makes anyway are missing",
    "What should come out for a rate of 0?",
    see="own",
)
def penalty_alone(prediction, target, rate):
    return np.mean(prediction**2) * rate / (1 - rate)


@mistake(
    "no-penalty",
    "It is the loss without dropout: you let the mask average out before the square",
    "The expectation of mask/keep is 1. Is that of its square 1 too?",
    see="own",
)
def no_penalty(prediction, target, rate):
    return mse(prediction, target)


@mistake(
    "not-over-keep",
    "The penalty is multiplied by the rate, and not divided by keep",
    "What is the variance of mask/keep? Which power of keep is left?",
    see="own",
)
def not_over_keep(prediction, target, rate):
    return mse(prediction, target) + np.mean(prediction**2) * rate


@mistake(
    "keep-over-rate",
    "Keep and rate have changed places",
    "What should the penalty be when the rate goes to 0?",
    see="H73, H74",
)
def keep_over_rate(prediction, target, rate):
    with np.errstate(divide="ignore"):
        return mse(prediction, target) + np.mean(prediction**2) * np.divide(1 - rate, rate)


@mistake(
    "keep-squared",
    "You divide by keep once too often",
    "A mask has variance rate · keep. What is left of it when it is divided by keep²?",
    see="own",
)
def keep_squared(prediction, target, rate):
    return mse(prediction, target) + np.mean(prediction**2) * rate / (1 - rate) ** 2


@mistake(
    "mask-not-scaled",
    "This is the expected loss of a mask that is not divided by keep",
    "By what does dropout multiply a prediction that it keeps?",
    see="H72",
)
def mask_not_scaled(prediction, target, rate):
    return (1 - rate) * mse(prediction, target) + rate * np.mean(target**2)


@mistake(
    "variance-not-scaled",
    "The penalty is that of a mask that is not divided by keep",
    "By what does dropout multiply a prediction that it keeps, and what does that do to variances?",
    see="H72",
)
def variance_not_scaled(prediction, target, rate):
    return mse(prediction, target) + np.mean(prediction**2) * rate * (1 - rate)


@mistake(
    "sum",
    "You take the sum over the samples, not the mean",
    "If there were twice as many samples, should the loss be twice as large?",
    see="own",
)
def total(prediction, target, rate):
    return np.sum((prediction - target) ** 2) + np.sum(prediction**2) * rate / (1 - rate)


@mistake(
    "one-per-sample",
    "You return one expected loss per sample, not their mean",
    "How many numbers is a loss?",
    see="own",
)
def one_per_sample(prediction, target, rate):
    return (prediction - target) ** 2 + prediction**2 * rate / (1 - rate)


@mistake(
    "root",
    "It is the root of the expected loss",
    "If y is in metres, what unit has the loss?",
    see="own",
)
def root(prediction, target, rate):
    return np.sqrt(mse(prediction, target) + np.mean(prediction**2) * rate / (1 - rate))


# ---------------------------------------------------------------- right, written otherwise


@variant("both outcomes with their probabilities")
def both_outcomes(prediction, target, rate):
    keep = 1 - rate
    return np.mean(rate * target**2 + keep * (prediction / keep - target) ** 2)


@variant("multiplied out")
def multiplied_out(prediction, target, rate):
    f, t = prediction.ravel(), target.ravel()
    return float((f @ f / (1 - rate) - 2 * f @ t + t @ t) / len(f))
