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


def dropped_and_kept(prediction, target, rate):
    """The squared errors of a sample that is dropped, and of one that is kept."""
    return target**2, (prediction / (1 - rate) - target) ** 2


@mistake(
    "kept-alone",
    "Only the samples that are kept count; those that are dropped cost something too",
    "What does the network say of a dropped sample, and what does that cost?",
    see="own",
)
def kept_alone(prediction, target, rate):
    return np.mean((1 - rate) * dropped_and_kept(prediction, target, rate)[1])


@mistake(
    "kept-always",
    "Every prediction is divided by keep, and none is dropped",
    "Which two values can f · mask/keep have, and how often each?",
    see="own",
)
def kept_always(prediction, target, rate):
    return np.mean(dropped_and_kept(prediction, target, rate)[1])


@mistake(
    "kept-not-weighted",
    "The squared error of a kept sample is added in full, not with its probability",
    "Do the probabilities of the two cases add up to 1 in your sum?",
    see="own",
)
def kept_not_weighted(prediction, target, rate):
    dropped, kept = dropped_and_kept(prediction, target, rate)
    return np.mean(rate * dropped + kept)


@mistake(
    "probabilities-exchanged",
    "The two cases have each other's probability",
    "How likely is it that a sample is dropped: rate, or keep?",
    see="H74",
)
def probabilities_exchanged(prediction, target, rate):
    dropped, kept = dropped_and_kept(prediction, target, rate)
    return np.mean((1 - rate) * dropped + rate * kept)


@mistake(
    "dropped-added-to-the-loss",
    "You add the cost of dropped samples to the loss without dropout",
    "What does the network say of a kept sample: f? And how often is one kept?",
    see="own",
)
def dropped_added_to_the_loss(prediction, target, rate):
    return mse(prediction, target) + rate * np.mean(target**2)


@mistake(
    "mean-of-the-square-for-the-variance",
    "The penalty is the mean of the square of mask/keep; it should be the variance",
    "What should the penalty be when the rate goes to 0?",
    see="own",
)
def mean_of_the_square_for_the_variance(prediction, target, rate):
    return mse(prediction, target) + np.mean(prediction**2) / (1 - rate)


@mistake(
    "mask-on-the-error",
    "You multiply the error by mask/keep, so that a dropped sample costs nothing",
    "The mask acts on the prediction. What is the error of a sample whose prediction becomes 0?",
    see="own",
)
def mask_on_the_error(prediction, target, rate):
    return mse(prediction, target) / (1 - rate)


@mistake(
    "probability-of-the-square-forgotten",
    "In the mean of the squared prediction the probability of being kept is missing",
    "(f/keep)² occurs with which probability? Which power of keep is left?",
    see="own",
)
def probability_of_the_square_forgotten(prediction, target, rate):
    f, y = prediction / (1 - rate), target
    return np.mean(f**2 - 2 * prediction * y + y**2)


@mistake(
    "drawn",
    "You draw masks, so the result is another one in each call",
    "Which values can a mask have, and with which probabilities? Can you do without drawing?",
    see="own",
)
def drawn(prediction, target, rate):
    mask = np.random.rand(*prediction.shape) >= rate
    return mse(prediction * mask / (1 - rate), target)


# ---------------------------------------------------------------- right, written otherwise


@variant("both outcomes with their probabilities")
def both_outcomes(prediction, target, rate):
    keep = 1 - rate
    return np.mean(rate * target**2 + keep * (prediction / keep - target) ** 2)


@variant("multiplied out")
def multiplied_out(prediction, target, rate):
    f, t = prediction.ravel(), target.ravel()
    return float((f @ f / (1 - rate) - 2 * f @ t + t @ t) / len(f))
