"""Known answers to `tf-bn-state`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def variables(size, starts=(1.0, 0.0, 0.0, 1.0), trained=(True, True, False, False), **options):
    return tuple(
        tf.Variable(tf.fill([size], start), trainable=how, **options)
        for start, how in zip(starts, trained, strict=True)
    )


@mistake(
    "all-trainable",
    "The optimizer may change your population statistics: they are trainable variables",
    "Which variables does `tf.trainable_variables()` list? What would weight decay on all of them "
    "do to `pop_var`?",
    see="public TensorFlow 1 notebooks: trainable population statistics",
)
def all_trainable(size):
    return variables(size, trained=(True, True, True, True))


@mistake(
    "nothing-trainable",
    "None of your variables is trainable, so γ and β stay what they are for ever",
    "Which two of the four should learn from the loss?",
    see="own",
)
def nothing_trainable(size):
    return variables(size, trained=(False, False, False, False))


@mistake(
    "trainable-inverted",
    "The optimizer may change the population statistics, and not γ and β",
    "Who measures `pop_mean`, and who learns `gamma`?",
    see="own",
)
def trainable_inverted(size):
    return variables(size, trained=(False, False, True, True))


@mistake(
    "var-from-zero",
    "`pop_var` starts at 0",
    "What does a prediction divide by before the first update, with ε = 0.00001?",
    see="B28",
)
def var_from_zero(size):
    return variables(size, starts=(1.0, 0.0, 0.0, 0.0))


@mistake(
    "integers",
    "Your variables hold integers: no mean but a whole number fits into them",
    "What type does `tf.Variable([0, 0])` make, and what type is a mean?",
    see="own",
)
def integers(size):
    return tuple(
        tf.Variable([start] * size, trainable=how)
        for start, how in zip((1, 0, 0, 1), (True, True, False, False), strict=True)
    )


@mistake(
    "gamma-from-zero",
    "`gamma` starts at 0",
    "What does the layer give out as long as γ is 0?",
    see="own",
)
def gamma_from_zero(size):
    return variables(size, starts=(0.0, 0.0, 0.0, 1.0))


@mistake(
    "statistics-swapped",
    "The mean starts at 1 and the variance at 0: they have changed places",
    "In which order does the text ask for the four? What should a mean start at?",
    see="B23",
)
def statistics_swapped(size):
    return variables(size, starts=(1.0, 0.0, 1.0, 0.0))


@mistake(
    "gamma-beta-swapped",
    "γ starts at 0 and β at 1: they have changed places",
    "In which order does the text ask for the four? Which of them multiplies?",
    see="A14",
)
def gamma_beta_swapped(size):
    return variables(size, starts=(0.0, 1.0, 0.0, 1.0))


@mistake(
    "pairs-swapped",
    "The population statistics come first in what you return, γ and β after them",
    "In which order does the text ask for the four?",
    see="own",
)
def pairs_swapped(size):
    gamma, beta, pop_mean, pop_var = variables(size)
    return pop_mean, pop_var, gamma, beta


@mistake(
    "random-start",
    "Your variables start at random numbers",
    "What does `tf.get_variable` start a variable with when it gets no `initializer`?",
    see="own",
)
def random_start(size):
    return (
        tf.get_variable("gamma", [size]),
        tf.get_variable("beta", [size]),
        tf.get_variable("pop_mean", [size], trainable=False),
        tf.get_variable("pop_var", [size], trainable=False),
    )


@mistake(
    "one-number",
    "Each of your variables is a single number, shared by all features",
    "How many means does a batch with `size` features have?",
    see="B26",
)
def one_number(size):
    return tuple(
        tf.Variable(start, trainable=how)
        for start, how in zip((1.0, 0.0, 0.0, 1.0), (True, True, False, False), strict=True)
    )


@mistake(
    "row-vectors",
    "Your variables have shape (1, size); a feature's number needs one axis only",
    "What does the text say of the shape? What shape does `tf.nn.moments` give?",
    see="B27",
)
def row_vectors(size):
    return tuple(
        tf.Variable(tf.fill([1, size], start), trainable=how)
        for start, how in zip((1.0, 0.0, 0.0, 1.0), (True, True, False, False), strict=True)
    )


@mistake(
    "tensors",
    "You return tensors, which nothing can assign to: variables are wanted",
    "`tf.zeros([size])` is 0 in every run. What in a graph keeps a value from one run to the next?",
    see="F60",
)
def tensors(size):
    return tf.ones([size]), tf.zeros([size]), tf.zeros([size]), tf.ones([size])


@mistake(
    "statistics-as-tensors",
    "γ and β are variables, but the population statistics are not",
    "What will `tf.assign(pop_mean, …)` say to a tensor?",
    see="F60",
)
def statistics_as_tensors(size):
    gamma, beta, _mean, _var = variables(size)
    return gamma, beta, tf.zeros([size]), tf.ones([size])


@mistake(
    "local-variables",
    "Your statistics are local variables, which a `Saver` leaves out by default",
    "Which collection does a `Saver` save? What would a restored network predict with?",
    see="F67",
)
def local_variables(size):
    gamma, beta, _mean, _var = variables(size)
    local = dict(trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES])
    return (
        gamma,
        beta,
        tf.Variable(tf.zeros([size]), **local),
        tf.Variable(tf.ones([size]), **local),
    )


# ---------------------------------------------------------------- right, written otherwise


@variant("tf.get_variable with initializers")
def with_get_variable(size):
    ones, zeros = tf.ones_initializer(), tf.zeros_initializer()
    return (
        tf.get_variable("gamma", [size], initializer=ones),
        tf.get_variable("beta", [size], initializer=zeros),
        tf.get_variable("pop_mean", [size], initializer=zeros, trainable=False),
        tf.get_variable("pop_var", [size], initializer=ones, trainable=False),
    )


@variant("resource variables, in a list")
def resource_variables(size):
    return list(variables(size, use_resource=True))


@variant("from constants")
def from_constants(size):
    gamma = tf.Variable(tf.constant(1.0, shape=[size]))
    beta = tf.Variable([0.0] * size)
    pop_mean = tf.Variable(tf.constant(0.0, shape=(size,)), trainable=False)
    pop_var = tf.Variable([1.0] * size, False)
    return gamma, beta, pop_mean, pop_var


@variant("float64, from NumPy")
def from_numpy(size):
    gamma, beta = tf.Variable(np.ones(size)), tf.Variable(np.zeros(size))
    pop_mean = tf.Variable(np.zeros(size), trainable=False)
    return gamma, beta, pop_mean, tf.Variable(np.ones(size), trainable=False)


@variant("in a scope of its own")
def in_a_scope(size):
    with tf.variable_scope(None, default_name="batch_norm"):
        return with_get_variable(size)
