"""Known answers to `dr-evaluate`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def predicted(session, prediction, x, training, x_test, flag=False):
    return session.run(prediction, {x: x_test, training: flag})


@mistake(
    "fed-true",
    "Dropout is on: you feed True, so the result is another one in each run",
    "Which network do you want to judge: one with half of its units, or all of it?",
    see="H77; public TensorFlow 1 notebooks: eval fed True; karpathy/nanoGPT#240",
)
def fed_true(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test, True)
    return np.mean((y.ravel() - np.ravel(y_test)) ** 2)


@mistake(
    "not-fed",
    "You leave `training` to its default, and it may have none, or one that is True",
    "Which value does a placeholder have in a run that does not feed it?",
    see="F62; public TensorFlow 1 notebooks: flag not fed at eval",
)
def not_fed(session, prediction, x, training, x_test, y_test):
    y = session.run(prediction, {x: x_test})
    return np.mean((y.ravel() - np.ravel(y_test)) ** 2)


@mistake(
    "averaged-with-dropout-on",
    "You average over runs with dropout on: that is the loss of thinned networks, not of the whole",
    "What does dropout's scaling by 1/keep promise about a single run with everything kept?",
    see="H77, H88",
)
def averaged_with_dropout_on(session, prediction, x, training, x_test, y_test):
    losses = [fed_true(session, prediction, x, training, x_test, y_test) for _ in range(50)]
    return np.mean(losses)


@mistake(
    "broadcast",
    "Where targets are (m,), predictions (m, 1) minus targets give an (m, m) table: "
    "every prediction is compared with every target",
    "What is the shape of `y - y_test` when `y_test` is one flat row?",
    see="tensorflow/tensorflow#37770; pytorch/pytorch#16045",
)
def broadcast(session, prediction, x, training, x_test, y_test):
    return np.mean((predicted(session, prediction, x, training, x_test) - y_test) ** 2)


@mistake(
    "flat-predictions",
    "Where targets are (m, 1), what you subtract gives an (m, m) table: "
    "every prediction is compared with every target",
    "Which shape has what you subtract from what, for each of the two forms of targets?",
    see="tensorflow/tensorflow#37770",
)
def flat_predictions(session, prediction, x, training, x_test, y_test):
    return np.mean((predicted(session, prediction, x, training, x_test).ravel() - y_test) ** 2)


@mistake(
    "mean-before-square",
    "You take the mean first and square it: positive and negative errors cancel",
    "What is the loss of a network that is 5 too high half of the time and 5 too low otherwise?",
    see="own",
)
def mean_before_square(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test)
    return np.mean(y.ravel() - np.ravel(y_test)) ** 2


@mistake(
    "variance-of-the-errors",
    "It is the variance of the errors: their mean is subtracted, and should count",
    "What is the loss of a network that is 5 too high everywhere?",
    see="own",
)
def variance_of_the_errors(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test)
    return np.var(y.ravel() - np.ravel(y_test))


@mistake(
    "sum",
    "It is the sum of the squared errors, not their mean",
    "If the test set were twice as large, should the loss be twice as large?",
    see="own",
)
def total(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test)
    return np.sum((y.ravel() - np.ravel(y_test)) ** 2)


@mistake(
    "root",
    "It is the root of the mean squared error",
    "If y is in metres, what unit has the loss?",
    see="own",
)
def root(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test)
    return np.sqrt(np.mean((y.ravel() - np.ravel(y_test)) ** 2))


@mistake(
    "absolute",
    "It is the mean of the absolute errors; they are to be squared",
    "What does the S in MSE stand for?",
    see="own",
)
def absolute(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test)
    return np.mean(np.abs(y.ravel() - np.ravel(y_test)))


@mistake(
    "half",
    "It is half of the mean squared error",
    "The ½ that some put before it is for tidy gradients. Is it in a mean?",
    see="own",
)
def half(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test)
    return 0.5 * np.mean((y.ravel() - np.ravel(y_test)) ** 2)


@mistake(
    "not-squared",
    "You average the errors themselves, so positive and negative ones cancel",
    "What is the loss of a network that is 5 too high half of the time and 5 too low otherwise?",
    see="own",
)
def not_squared(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test)
    return np.mean(y.ravel() - np.ravel(y_test))


@mistake(
    "one-per-sample",
    "You return one squared error per sample, not their mean",
    "How many numbers is a loss?",
    see="own",
)
def one_per_sample(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test)
    return (y.ravel() - np.ravel(y_test)) ** 2


@mistake(
    "never-run",
    "You return a tensor of the graph: nobody has run it yet",
    "Which call turns a tensor into numbers?",
    see="own",
)
def never_run(session, prediction, x, training, x_test, y_test):
    target = tf.constant(np.ravel(y_test), dtype=tf.float32)
    return tf.reduce_mean(tf.square(tf.reshape(prediction, [-1]) - target))


# ---------------------------------------------------------------- right, written otherwise


@variant("NumPy and reshape")
def with_reshape(session, prediction, x, training, x_test, y_test):
    y = session.run(prediction, feed_dict={training: False, x: x_test})
    return float(np.mean((y - y_test.reshape(-1, 1)) ** 2))


@variant("a loss made in the graph")
def in_the_graph(session, prediction, x, training, x_test, y_test):
    loss = tf.losses.mean_squared_error(np.reshape(y_test, (-1, 1)), prediction)
    return session.run(loss, {x: x_test, training: False})


@variant("one sample at a time")
def one_at_a_time(session, prediction, x, training, x_test, y_test):
    errors = []
    for x_one, y_one in zip(x_test, np.ravel(y_test), strict=True):
        errors.append(session.run(prediction, {x: [x_one], training: False})[0, 0] - y_one)
    return sum(error**2 for error in errors) / len(errors)


@variant("an array of one number")
def as_an_array(session, prediction, x, training, x_test, y_test):
    y = predicted(session, prediction, x, training, x_test)
    error = y.reshape(1, -1) - y_test.reshape(1, -1)
    return error @ error.T / len(y_test)
