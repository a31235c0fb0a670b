"""Known answers to `bn-moving`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or the public answers that were read for it.
"""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def mix(old, new, momentum):
    return momentum * old + (1 - momentum) * new


@mistake(
    "inverted",
    "The old value gets the weight `1 - momentum` and the batch gets `momentum`",
    "With momentum 0.9, how much of the old value should be left after one step?",
    see="B18, B29; d2l-ai/d2l-en#2213",
)
def inverted(moving_mean, moving_var, x, momentum):
    m = 1 - momentum
    return mix(moving_mean, x.mean(axis=0), m), mix(moving_var, x.var(axis=0), m)


@mistake(
    "overwritten",
    "You return the statistics of the last batch; nothing of the old ones is left",
    "After a thousand batches, how many of them should the moving mean know about?",
    see="B19",
)
def overwritten(moving_mean, moving_var, x, momentum):
    return x.mean(axis=0), x.var(axis=0)


@mistake(
    "mean-only",
    "The moving mean is updated, the moving variance is not",
    "Which of the two values that you return does this batch change?",
    see="B22",
)
def mean_only(moving_mean, moving_var, x, momentum):
    return mix(moving_mean, x.mean(axis=0), momentum), moving_var


@mistake(
    "var-only",
    "The moving variance is updated, the moving mean is not",
    "Which of the two values that you return does this batch change?",
    see="B22",
)
def var_only(moving_mean, moving_var, x, momentum):
    return moving_mean, mix(moving_var, x.var(axis=0), momentum)


@mistake(
    "not-moved",
    "The old statistics come back as they were; this batch leaves no trace",
    "Which names do you return, and which hold what you computed?",
    see="B21; public answers: running stats never updated",
)
def not_moved(moving_mean, moving_var, x, momentum):
    new_mean = mix(moving_mean, x.mean(axis=0), momentum)
    new_var = mix(moving_var, x.var(axis=0), momentum)
    del new_mean, new_var
    return moving_mean, moving_var


@mistake(
    "lost",
    "You compute new arrays and give them to nobody: the caller still has the old ones",
    "After `a = a + 1` inside a function, which array does the caller have? How does a result get "
    "out?",
    see="B21",
)
def lost(moving_mean, moving_var, x, momentum):
    moving_mean = mix(moving_mean, x.mean(axis=0), momentum)
    moving_var = mix(moving_var, x.var(axis=0), momentum)


@mistake(
    "batch-at-full-weight",
    "The batch is added at full weight: the two weights do not sum to 1",
    "If every batch had mean 5, where would your moving mean end up?",
    see="B20",
)
def batch_at_full_weight(moving_mean, moving_var, x, momentum):
    return momentum * moving_mean + x.mean(axis=0), momentum * moving_var + x.var(axis=0)


@mistake(
    "old-at-full-weight",
    "The old value is kept at full weight: the two weights do not sum to 1",
    "If every batch had mean 5, where would your moving mean end up?",
    see="B20",
)
def old_at_full_weight(moving_mean, moving_var, x, momentum):
    m = 1 - momentum
    return moving_mean + m * x.mean(axis=0), moving_var + m * x.var(axis=0)


@mistake(
    "old-and-new-both-by-momentum",
    "Both the old value and the batch are multiplied by `momentum`",
    "What should the two weights of a mixture sum to?",
    see="B20",
)
def both_by_momentum(moving_mean, moving_var, x, momentum):
    mean, var = x.mean(axis=0), x.var(axis=0)
    return momentum * (moving_mean + mean), momentum * (moving_var + var)


@mistake(
    "missing-brackets",
    "Brackets are missing around `1 - momentum`, so 1 is added and the batch is subtracted",
    "In which order does Python work out `1 - momentum * mu`?",
    see="A12",
)
def missing_brackets(moving_mean, moving_var, x, momentum):
    return (
        momentum * moving_mean + 1 - momentum * x.mean(axis=0),
        momentum * moving_var + 1 - momentum * x.var(axis=0),
    )


@mistake(
    "fixed-momentum",
    "You mix with a fixed 0.9 and not with the argument `momentum`",
    "What should change in the result when the caller passes another momentum?",
    see="B30",
)
def fixed_momentum(moving_mean, moving_var, x, momentum):
    return mix(moving_mean, x.mean(axis=0), 0.9), mix(moving_var, x.var(axis=0), 0.9)


@mistake(
    "half-and-half",
    "You take the plain average of old and new; `momentum` has no say",
    "With momentum 0.99, how far should one batch be able to push the moving mean?",
    see="B30",
)
def half_and_half(moving_mean, moving_var, x, momentum):
    return (moving_mean + x.mean(axis=0)) / 2, (moving_var + x.var(axis=0)) / 2


@mistake(
    "var-overwritten",
    "The moving mean is a mixture, but the moving variance is only that of the last batch",
    "What should be left of the old moving variance after one step?",
    see="B19",
)
def var_overwritten(moving_mean, moving_var, x, momentum):
    return mix(moving_mean, x.mean(axis=0), momentum), x.var(axis=0)


@mistake(
    "returned-in-wrong-order",
    "The moving variance is returned first and the moving mean second",
    "In which order does the caller unpack the two?",
    see="B23",
)
def wrong_order(moving_mean, moving_var, x, momentum):
    mean = mix(moving_mean, x.mean(axis=0), momentum)
    return mix(moving_var, x.var(axis=0), momentum), mean


@mistake(
    "crossed",
    "The batch's mean goes into the moving variance, and its variance into the moving mean",
    "Read both of your lines aloud: which old value is mixed with which new one?",
    see="B23",
)
def crossed(moving_mean, moving_var, x, momentum):
    return mix(moving_mean, x.var(axis=0), momentum), mix(moving_var, x.mean(axis=0), momentum)


@mistake(
    "var-from-batch-mean",
    "The moving variance is mixed with the mean of the batch",
    "Which statistic of the batch belongs to the moving variance?",
    see="public answers: a running stat updated with the wrong quantity",
)
def var_from_batch_mean(moving_mean, moving_var, x, momentum):
    mean = x.mean(axis=0)
    return mix(moving_mean, mean, momentum), mix(moving_var, mean, momentum)


@mistake(
    "var-from-old-mean",
    "The moving variance starts from the old moving mean and not from the old moving variance",
    "Two lines that look alike are soon copied: which old value stands in the second one?",
    see="public answers: a running stat updated with the wrong quantity",
)
def var_from_old_mean(moving_mean, moving_var, x, momentum):
    new_mean = mix(moving_mean, x.mean(axis=0), momentum)
    return new_mean, mix(moving_mean, x.var(axis=0), momentum)


@mistake(
    "std-stored",
    "The moving variance is mixed with the standard deviation of the batch",
    "If `x` is in metres, in what unit is `moving_var`? And what do you add to it?",
    see="B24; public answers: running_var stores std",
)
def std_stored(moving_mean, moving_var, x, momentum):
    return mix(moving_mean, x.mean(axis=0), momentum), mix(moving_var, x.std(axis=0), momentum)


@mistake(
    "normalized-batch",
    "You measure the batch after normalizing it, when its mean is 0 and its variance 1",
    "What does prediction need to know: how `x` came in, or how x̂ went out?",
    see="B25",
)
def normalized_batch(moving_mean, moving_var, x, momentum):
    x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)
    return mix(moving_mean, x_hat.mean(axis=0), momentum), mix(
        moving_var, x_hat.var(axis=0), momentum
    )


@mistake(
    "batch-by-moving",
    "You measure the batch after subtracting the old moving mean from it",
    "If every batch had mean 5, at which value would your moving mean stand still?",
    see="B25",
)
def batch_by_moving(moving_mean, moving_var, x, momentum):
    x = x - moving_mean
    return mix(moving_mean, x.mean(axis=0), momentum), mix(moving_var, x.var(axis=0), momentum)


@mistake(
    "no-axis",
    "You take one mean and one variance of the whole batch, whatever the feature",
    "How many means does a batch with D features have? What does `x.mean()` return?",
    see="B26, A2; public answers: no axis",
)
def no_axis(moving_mean, moving_var, x, momentum):
    return mix(moving_mean, x.mean(), momentum), mix(moving_var, x.var(), momentum)


@mistake(
    "variance-no-axis",
    "The mean is per feature, but the variance that you mix in is that of the whole batch",
    "What shape should the variance of a batch with D features have?",
    see="tried by a reader",
)
def variance_no_axis(moving_mean, moving_var, x, momentum):
    return mix(moving_mean, x.mean(axis=0), momentum), mix(moving_var, x.var(), momentum)


@mistake(
    "squares-averaged-over-everything",
    "The mean is per feature, but the squares are averaged over the whole batch",
    "What shape should the variance have, and what shape does your mean of squares have?",
    see="tried by a reader",
)
def squares_averaged_over_everything(moving_mean, moving_var, x, momentum):
    mu = x.mean(axis=0)
    return mix(moving_mean, mu, momentum), mix(moving_var, ((x - mu) ** 2).mean(), momentum)


@mistake(
    "mean-from-batch-variance",
    "The moving mean is mixed with the variance of the batch",
    "Which statistic of the batch belongs to the moving mean?",
    see="tried by a reader",
)
def mean_from_batch_variance(moving_mean, moving_var, x, momentum):
    var = x.var(axis=0)
    return mix(moving_mean, var, momentum), mix(moving_var, var, momentum)


@mistake(
    "wrong-axis",
    "You average over the features of each sample, not over the batch",
    "Each column of `x` is one feature. Along which axis do you walk down a column?",
    see="A1",
)
def wrong_axis(moving_mean, moving_var, x, momentum):
    return mix(moving_mean, x.mean(axis=1), momentum), mix(moving_var, x.var(axis=1), momentum)


@mistake(
    "sample-variance",
    "The variance that you mix in divides by m − 1; here it should divide by m",
    "By how much do the two differ for m = 4? What does `ddof` do for a batch of one?",
    see="B31; callummcdougall/ARENA_3.0#415",
)
def sample_variance(moving_mean, moving_var, x, momentum):
    new_mean = mix(moving_mean, x.mean(axis=0), momentum)
    with np.errstate(all="ignore"):
        return new_mean, mix(moving_var, x.var(axis=0, ddof=1), momentum)


@mistake(
    "sum-of-squares",
    "The variance that you mix in is a sum of squares; it should be their mean",
    "What happens to it when every sample is in the batch twice?",
    see="A10",
)
def sum_of_squares(moving_mean, moving_var, x, momentum):
    mu = x.mean(axis=0)
    return mix(moving_mean, mu, momentum), mix(moving_var, ((x - mu) ** 2).sum(axis=0), momentum)


@mistake(
    "uncentred-variance",
    "The variance that you mix in is the mean of the squares, without subtracting the mean first",
    "How large is it for a feature that is 100 in every sample?",
    see="A9",
)
def uncentred_variance(moving_mean, moving_var, x, momentum):
    mu = x.mean(axis=0)
    return mix(moving_mean, mu, momentum), mix(moving_var, (x**2).mean(axis=0), momentum)


@mistake(
    "spread-around-old-moving-mean",
    "You measure the variance of the batch around the old moving mean, not around its own",
    "How large would your variance be for a batch whose samples are all equal?",
    see="public answers: a running stat updated with the wrong quantity",
)
def around_old_moving_mean(moving_mean, moving_var, x, momentum):
    new_mean = mix(moving_mean, x.mean(axis=0), momentum)
    return new_mean, mix(moving_var, ((x - moving_mean) ** 2).mean(axis=0), momentum)


@mistake(
    "spread-around-new-moving-mean",
    "You measure the variance of the batch around the new moving mean, not around its own",
    "How large would your variance be for a batch whose samples are all equal?",
    see="public answers: a running stat updated with the wrong quantity",
)
def around_new_moving_mean(moving_mean, moving_var, x, momentum):
    moving_mean = mix(moving_mean, x.mean(axis=0), momentum)
    return moving_mean, mix(moving_var, ((x - moving_mean) ** 2).mean(axis=0), momentum)


# ---------------------------------------------------------------- right, written otherwise


@variant("in place, nothing returned")
def in_place(moving_mean, moving_var, x, momentum):
    moving_mean *= momentum
    moving_mean += (1 - momentum) * x.mean(axis=0)
    moving_var *= momentum
    moving_var += (1 - momentum) * x.var(axis=0)


@variant("in place, and returned")
def in_place_and_returned(moving_mean, moving_var, x, momentum):
    moving_mean[:] = mix(moving_mean, x.mean(axis=0), momentum)
    moving_var[:] = mix(moving_var, x.var(axis=0), momentum)
    return moving_mean, moving_var


@variant("as a correction of the old value")
def as_correction(moving_mean, moving_var, x, momentum):
    rate = 1 - momentum
    moving_mean = moving_mean - rate * (moving_mean - x.mean(axis=0))
    moving_var = moving_var - rate * (moving_var - x.var(axis=0))
    return moving_mean, moving_var


@variant("shape (1, D)")
def with_keepdims(moving_mean, moving_var, x, momentum):
    mean, var = x.mean(axis=0, keepdims=True), x.var(axis=0, keepdims=True)
    return mix(moving_mean, mean, momentum), mix(moving_var, var, momentum)


@variant("np.std squared")
def with_std(moving_mean, moving_var, x, momentum):
    return (
        mix(moving_mean, np.mean(x, 0), momentum),
        mix(moving_var, np.std(x, 0) ** 2, momentum),
    )


@variant("mean of squares minus squared mean")
def with_two_moments(moving_mean, moving_var, x, momentum):
    mu = x.mean(axis=0)
    return mix(moving_mean, mu, momentum), mix(moving_var, (x**2).mean(0) - mu**2, momentum)


@variant("manual sums")
def with_sums(moving_mean, moving_var, x, momentum):
    n = len(x)
    mu = np.sum(x, axis=0) / n
    var = np.sum((x - mu) ** 2, axis=0) / n
    return mix(moving_mean, mu, momentum), mix(moving_var, var, momentum)


@variant("float32")
def in_float32(moving_mean, moving_var, x, momentum):
    x, m = x.astype(np.float32), np.float32(momentum)
    mean = m * moving_mean.astype(np.float32) + (1 - m) * x.mean(axis=0)
    return mean, m * moving_var.astype(np.float32) + (1 - m) * x.var(axis=0)


@variant("a loop over features, lists returned")
def with_loop(moving_mean, moving_var, x, momentum):
    means, variances = [], []
    for j in range(x.shape[1]):
        means.append(momentum * moving_mean[j] + (1 - momentum) * x[:, j].mean())
        variances.append(momentum * moving_var[j] + (1 - momentum) * x[:, j].var())
    return [means, variances]


@variant("np.average of two rows")
def with_average(moving_mean, moving_var, x, momentum):
    old = np.stack([moving_mean, moving_var])
    new = np.stack([x.mean(axis=0), np.var(x, axis=0, ddof=0)])
    return np.average([old, new], axis=0, weights=[momentum, 1 - momentum])
