"""Known answers to `dr-mc`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def run_passes(session, prediction, x, training, points, T, flag=True):
    feed = {x: points, training: flag}
    return np.array([session.run(prediction, feed) for _ in range(T)])


def statistics(of_mean, of_std):
    """An answer that takes these two of the passes, an array (T, m, 1)."""

    def monte_carlo(session, prediction, x, training, points, T):
        passes = run_passes(session, prediction, x, training, points, T)
        return of_mean(passes), of_std(passes)

    return monte_carlo


def mean(passes):
    return passes.mean(axis=0)


def std(passes):
    return passes.std(axis=0)


@mistake(
    "dropout-off",
    "Dropout is off in all passes: they are equal, and the standard deviation is 0",
    "What makes two passes over the same points differ?",
    see="H88; TiagoCortinhal/SalsaNext#40",
)
def dropout_off(session, prediction, x, training, points, T):
    passes = run_passes(session, prediction, x, training, points, T, flag=False)
    return mean(passes), std(passes)


@mistake(
    "one-pass-repeated",
    "You run the network once and repeat its result: one draw of masks for all passes",
    "How often is `session.run` called? When are new masks drawn?",
    see="H83",
)
def one_pass_repeated(session, prediction, x, training, points, T):
    passes = np.array([session.run(prediction, {x: points, training: True})] * T)
    return mean(passes), std(passes)


@mistake(
    "fixed-T",
    "You make 100 passes, whatever T says",
    "What should change when the caller asks for more passes?",
    see="own",
)
def fixed_T(session, prediction, x, training, points, T):
    passes = run_passes(session, prediction, x, training, points, 100)
    return mean(passes), std(passes)


@mistake(
    "one-too-few",
    "You make one pass less than T",
    "How many numbers does `range(1, T)` give?",
    see="own",
)
def one_too_few(session, prediction, x, training, points, T):
    passes = run_passes(session, prediction, x, training, points, T - 1)
    return mean(passes), std(passes)


@mistake(
    "mean-of-dropout-off",
    "Your mean is the prediction with dropout off, not the mean over the passes",
    "Does a network of curved functions give, for the average mask, the average prediction?",
    see="own",
)
def mean_of_dropout_off(session, prediction, x, training, points, T):
    passes = run_passes(session, prediction, x, training, points, T)
    return session.run(prediction, {x: points, training: False}), std(passes)


mistake(
    "variance",
    "You return the variance, not the standard deviation",
    "A band is drawn in the unit of y. Which unit has the mean of squared distances?",
    see="own",
)(statistics(mean, lambda passes: passes.var(axis=0)))

mistake(
    "standard-error",
    "You divide the standard deviation by √T: that tells how well you know the mean",
    "Should the band become narrower when you make more passes?",
    see="own",
)(statistics(mean, lambda passes: passes.std(axis=0) / np.sqrt(len(passes))))

mistake(
    "over-the-points",
    "You average over the points, once per pass; the passes are to be averaged",
    "Axis 0 of (T, m, 1) counts passes, axis 1 points. Which of the two should disappear?",
    see="own",
)(statistics(lambda passes: passes.mean(axis=1), lambda passes: passes.std(axis=1)))

mistake(
    "std-over-the-points",
    "Your mean is over the passes, but your standard deviation is over the points",
    "Axis 0 of (T, m, 1) counts passes, axis 1 points. Which of the two should disappear?",
    see="own",
)(statistics(mean, lambda passes: passes.std(axis=1)))

mistake(
    "no-axis",
    "You take one mean and one standard deviation of all numbers, points and passes alike",
    "How many numbers do you need to draw a band over m points?",
    see="own",
)(statistics(np.mean, np.std))

mistake(
    "std-of-the-means",
    "Your second value is the spread of the means from point to point: one number, no band",
    "Which values should be compared: those of one point in T passes, or those of m points?",
    see="own",
    same_as=("std-no-axis",),
)(statistics(mean, lambda passes: np.std(passes.mean(axis=0))))

mistake(
    "std-no-axis",
    "Your standard deviation is over passes and points together, last axis and all",
    "Which axes does `np.std` average over if you name none?",
    see="own",
    same_as=("std-of-the-means",),
)(statistics(mean, np.std))

mistake(
    "not-centred",
    "You take the root of the mean square: the mean was not subtracted first",
    "What should come out if all passes agree on 5?",
    see="own",
)(statistics(mean, lambda passes: np.sqrt(np.mean(passes**2, axis=0))))

mistake(
    "swapped",
    "The mean and the standard deviation have changed places",
    "In which order are the two to be returned?",
    see="own",
)(statistics(std, mean))

mistake(
    "twice-the-std",
    "Your second value is twice the standard deviation",
    "Who doubles it: the function, or whoever draws a band of mean ± 2 standard deviations?",
    see="own",
)(statistics(mean, lambda passes: 2 * passes.std(axis=0)))

mistake(
    "sum-under-the-root",
    "Under the root stands the sum of the squared distances, not their mean",
    "Should the band become wider when you make more passes?",
    see="own",
)(statistics(mean, lambda passes: np.sqrt(np.sum((passes - mean(passes)) ** 2, axis=0))))

mistake(
    "stacked-along-the-points",
    "You return one number where there should be one for each point",
    "What shape has the array of all your passes? Which of its axes counts passes only?",
    see="own",
)(statistics(lambda ys: np.concatenate(ys).mean(axis=0), lambda ys: np.concatenate(ys).std(axis=0)))


@mistake(
    "points-mixed",
    "Each of your numbers is taken over several points: they have been put in the wrong order",
    "If every point is repeated T times in a row, which shape puts one point into one row?",
    see="own",
)
def points_mixed(session, prediction, x, training, points, T):
    many = np.repeat(points, T, axis=0)
    passes = session.run(prediction, {x: many, training: True}).reshape(T, -1)
    return passes.mean(axis=0), passes.std(axis=0)


# ---------------------------------------------------------------- right, written otherwise


@variant("all passes in one run, on repeated points")
def repeated_points(session, prediction, x, training, points, T):
    many = np.tile(points, (T, 1))
    passes = session.run(prediction, {x: many, training: True}).reshape(T, -1)
    return passes.mean(axis=0), passes.std(axis=0)


@variant("each point repeated, flat results")
def repeated_each(session, prediction, x, training, points, T):
    many = np.repeat(points, T, axis=0)
    passes = session.run(prediction, {x: many, training: True}).reshape(-1, T)
    return passes.mean(axis=1), passes.std(axis=1, ddof=1)


@variant("running sums")
def running_sums(session, prediction, x, training, points, T):
    total, squares = 0.0, 0.0
    for _ in range(T):
        y = session.run(prediction, feed_dict={training: True, x: points}).astype(float)
        total, squares = total + y, squares + y**2
    return total / T, np.sqrt(squares / T - (total / T) ** 2)


@variant("a list of columns, and the prediction with dropout off besides")
def columns(session, prediction, x, training, points, T):
    session.run(prediction, {x: points, training: False})
    passes = np.hstack(run_passes(session, prediction, x, training, points, T))
    return [passes.mean(axis=1), passes.std(axis=1)]
