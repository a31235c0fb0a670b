"""Known answers to `bn-alone`: wrong ones with their questions, and right ones."""

import copy

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def alone(layer, x, training=False):
    return np.vstack([layer(x[i : i + 1], training=training) for i in range(len(x))])


@mistake(
    "in-training-mode",
    "You test the layer in training mode, where it is meant to look at its batch",
    "With which value of `training` does a layer predict?",
    see="C33",
)
def in_training_mode(layer, x):
    return np.allclose(layer(x, training=True), alone(layer, x, training=True))


@mistake(
    "first-sample-only",
    "You compare only the first sample",
    "What would your test say of a layer that mixes every sample but the first?",
    see="C33",
)
def first_sample_only(layer, x):
    return np.allclose(layer(x, training=False)[:1], layer(x[:1], training=False))


@mistake(
    "ends-only",
    "You compare some of the samples, not every one",
    "What would your test say of a layer that mixes one of the others with its neighbour?",
    see="own",
)
def ends_only(layer, x):
    ends = [0, 1, -1]
    return np.allclose(layer(x, training=False)[ends], alone(layer, x)[ends])


@mistake(
    "all-but-last",
    "You never compare the last sample",
    "For 6 samples, which numbers does your loop run through, and which one should be the last?",
    see="tried by a reader",
)
def all_but_last(layer, x):
    return np.allclose(layer(x, training=False)[:-1], alone(layer, x)[:-1])


@mistake(
    "first-few",
    "You compare some of the samples, not every one",
    "What would your test say of a layer that goes wrong only for the last sample of a batch?",
    see="tried by a reader",
)
def first_few(layer, x):
    return np.allclose(layer(x, training=False)[:4], alone(layer, x)[:4])


@mistake(
    "first-middle-and-last",
    "You compare some of the samples, not every one",
    "What would your test say of a layer that mixes one of the others with its neighbour?",
    see="tried by a reader",
)
def first_middle_and_last(layer, x):
    some = [0, len(x) // 2, -1]
    return np.allclose(layer(x, training=False)[some], alone(layer, x)[some])


@mistake(
    "every-other-sample",
    "You compare some of the samples, not every one",
    "What would your test say of a layer that mixes one of the others with its neighbour?",
    see="tried by a reader",
)
def every_other_sample(layer, x):
    return np.allclose(layer(x, training=False)[::2], alone(layer, x)[::2])


@mistake(
    "first-feature-only",
    "You do not compare every feature of a prediction",
    "What would your test say of a layer that is right in feature 0 and mixes samples in the rest?",
    see="tried by a reader",
)
def first_feature_only(layer, x):
    return np.allclose(layer(x, training=False)[:, 0], alone(layer, x)[:, 0])


@mistake(
    "wide-tolerance",
    "You allow for so much that a layer may mix a little of the batch into a prediction",
    "How far apart can rounding bring two numbers near 10? How far apart may they be in your test?",
    see="tried by a reader",
)
def wide_tolerance(layer, x):
    return np.allclose(layer(x, training=False), alone(layer, x), atol=1e-2)


@mistake(
    "samples-sorted",
    "You compare what is left when nobody asks which sample a prediction belongs to",
    "What would your test say of a layer that returns its predictions in reverse order?",
    see="tried by a reader",
)
def samples_sorted(layer, x):
    return np.allclose(np.sort(layer(x, training=False), axis=0), np.sort(alone(layer, x), axis=0))


@mistake(
    "features-sorted",
    "You compare what is left when nobody asks which feature a number belongs to",
    "What would your test say of a layer that exchanges two features when a sample has company?",
    see="tried by a reader",
)
def features_sorted(layer, x):
    return np.allclose(np.sort(layer(x, training=False)), np.sort(alone(layer, x)))


@mistake(
    "all-sorted",
    "You compare what is left when nobody asks where a number belongs",
    "What would your test say of a layer that returns its predictions in reverse order?",
    see="tried by a reader",
)
def all_sorted(layer, x):
    together = layer(x, training=False)
    return np.allclose(np.sort(together, axis=None), np.sort(alone(layer, x), axis=None))


@mistake(
    "row-sums",
    "You compare the sums of the predictions, not the predictions",
    "Which other three numbers have the same sum as (1, 2, 3)?",
    see="tried by a reader",
)
def row_sums(layer, x):
    return np.allclose(layer(x, training=False).sum(axis=1), alone(layer, x).sum(axis=1))


@mistake(
    "same-call-twice",
    "You compare the whole batch with the whole batch: no sample is ever alone",
    "What would your test say of a layer that subtracts the mean of the batch?",
    see="C33",
)
def same_call_twice(layer, x):
    return np.allclose(layer(x, training=False), layer(x, training=False))


@mistake(
    "reversed-batch",
    "You only change the order of the batch, which its mean and variance do not notice",
    "What would your test say of a layer that subtracts the mean of the batch?",
    see="C33",
)
def reversed_batch(layer, x):
    return np.allclose(layer(x, training=False), layer(x[::-1], training=False)[::-1])


@mistake(
    "doubled-batch",
    "You put every sample into the batch twice, which its mean and variance do not notice",
    "What is the mean of (1, 3), and of (1, 3, 1, 3)?",
    see="A10",
)
def doubled_batch(layer, x):
    twice = layer(np.concatenate([x, x]), training=False)
    return np.allclose(layer(x, training=False), twice[: len(x)])


@mistake(
    "halves",
    "No sample is ever alone in your test: it calls the layer with several at a time",
    "What would your test say of a layer that goes wrong only for a batch of one?",
    see="A17",
)
def halves(layer, x):
    middle = len(x) // 2
    first, last = layer(x[:middle], training=False), layer(x[middle:], training=False)
    return np.allclose(layer(x, training=False), np.vstack([first, last]))


@mistake(
    "exactly-equal",
    "You ask for equality to the last digit, and floating-point numbers do not give that",
    "What is `0.1 + 0.2 == 0.3`? Must two orders of summing agree in every digit?",
    see="lesson 02",
)
def exactly_equal(layer, x):
    return np.array_equal(layer(x, training=False), alone(layer, x))


@mistake(
    "means-compared",
    "You compare the means of the predictions, not the predictions",
    "What is the mean of a feature that has its own mean subtracted, with others and alone?",
    see="E50",
)
def means_compared(layer, x):
    return np.allclose(layer(x, training=False).mean(axis=0), alone(layer, x).mean(axis=0))


@mistake(
    "all-innocent",
    "Your test says True of every layer",
    "Which numbers does your test compare? When would it say False?",
    see="lesson 02: shapes compared",
)
def all_innocent(layer, x):
    return layer(x, training=False).shape == alone(layer, x).shape


@mistake(
    "all-guilty",
    "Your test says False of every layer",
    "What would it say of a layer that multiplies by 3 and adds 1? What does it compare there?",
    see="lesson 02: shapes compared",
)
def all_guilty(layer, x):
    return layer(x, training=False).shape == layer(x[:1], training=False).shape


@mistake(
    "any-sample",
    "You say True if any number agrees; all of them must",
    "`any` or `all`: which one does a single wrong prediction turn to False?",
    see="lesson 02",
)
def any_sample(layer, x):
    return np.isclose(layer(x, training=False), alone(layer, x)).any()


@mistake(
    "any-whole-sample",
    "You say True as soon as one sample agrees; all of them must",
    "What would your test say of a layer that mixes only the last two of five samples?",
    see="lesson 02",
)
def any_whole_sample(layer, x):
    y = layer(x, training=False)
    return any(np.allclose(layer(x[i : i + 1], training=False)[0], y[i]) for i in range(len(x)))


@mistake(
    "last-sample-counts",
    "Only the last sample decides what your test says",
    "If the loop finds a difference at sample 0, what does it know of that after sample 1?",
    see="lesson 02",
)
def last_sample_counts(layer, x):
    y = layer(x, training=False)
    for i in range(len(x)):
        same = np.allclose(layer(x[i : i + 1], training=False)[0], y[i])
    return same


@mistake(
    "signed-difference",
    "A prediction that is larger alone than in company passes your test, whatever the difference",
    "What is the largest number in (−5, −3), and how far are those two from 0?",
    see="lesson 02",
)
def signed_difference(layer, x):
    return (layer(x, training=False) - alone(layer, x)).max() < 1e-6


@mistake(
    "signed-difference-reversed",
    "A prediction that is smaller alone than in company passes your test, whatever the difference",
    "What is the largest number in (−5, −3), and how far are those two from 0?",
    see="lesson 02",
)
def signed_difference_reversed(layer, x):
    return (alone(layer, x) - layer(x, training=False)).max() < 1e-6


@mistake(
    "inverted",
    "Your answers are the wrong way round",
    "What should the function say of a layer that is in order: True or False?",
    see="lesson 02",
)
def inverted(layer, x):
    return not np.allclose(layer(x, training=False), alone(layer, x))


# ---------------------------------------------------------------- right, written otherwise


@variant("a loop that stops at the first difference")
def early_exit(layer, x):
    together = layer(x, training=False)
    for i in range(len(x)):
        if np.abs(layer(x[i : i + 1], training=False) - together[i]).max() > 1e-6:
            return False
    return True


@variant("alone first, the flag by position")
def alone_first(layer, x):
    one_by_one = [layer(row[None], False)[0] for row in x]
    return np.allclose(one_by_one, layer(x, False))


@variant("np.split and np.isclose")
def by_split(layer, x):
    parts = np.concatenate([layer(part, training=False) for part in np.split(x, len(x))])
    return np.isclose(parts, layer(x, training=False)).all()


@variant("largest difference")
def largest_difference(layer, x):
    together = layer(x, training=False)
    differences = [abs(layer(x[[i]], training=False) - together[i]) for i in range(len(x))]
    return bool(np.max(differences) < 1e-5)


@variant("all, over a generator")
def by_generator(layer, x):
    y = layer(x, training=False)
    return all(
        np.allclose(layer(x[i : i + 1], training=False), y[i : i + 1]) for i in range(len(x))
    )


@variant("a copy of the layer for every call")
def by_copies(layer, x):
    y = copy.deepcopy(layer)(x, training=False)
    rows = [copy.deepcopy(layer)(x[i : i + 1], training=False) for i in range(len(x))]
    return np.allclose(y, np.concatenate(rows))


@variant("a tolerance of 0.001")
def by_a_thousandth(layer, x):
    return np.allclose(layer(x, training=False), alone(layer, x), rtol=1e-3, atol=1e-3)


@variant("equal in float32")
def equal_in_float32(layer, x):
    y = layer(x, training=False).astype(np.float32)
    return np.array_equal(y, alone(layer, x).astype(np.float32))


@variant("equal after rounding")
def equal_after_rounding(layer, x):
    return (np.round(layer(x, training=False), 6) == np.round(alone(layer, x), 6)).all()
