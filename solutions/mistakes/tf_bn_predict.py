"""Known answers to `tf-bn-predict`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def apply(x, mu, var, gamma, beta, eps):
    return tf.nn.batch_normalization(x, mu, var, offset=beta, scale=gamma, variance_epsilon=eps)


def moments(x):
    return tf.nn.moments(x, list(range(len(x.shape) - 1)))


@mistake(
    "batch-statistics",
    "You normalize with the statistics of the batch to be predicted",
    "One sample comes alone. What is its batch's variance, and what is your output?",
    see="C33",
)
def batch_statistics(x, gamma, beta, pop_mean, pop_var, eps):
    return apply(x, *moments(x), gamma, beta, eps)


@mistake(
    "batch-variance",
    "The mean is the population's, but the variance is the batch's",
    "How many statistics does a prediction take from the batch?",
    see="C33",
)
def batch_variance(x, gamma, beta, pop_mean, pop_var, eps):
    return apply(x, pop_mean, moments(x)[1], gamma, beta, eps)


@mistake(
    "offset-scale-swapped",
    "γ is added and β multiplies: they have changed places",
    "In which order does `tf.nn.batch_normalization` take offset and scale?",
    see="A14",
)
def offset_scale_swapped(x, gamma, beta, pop_mean, pop_var, eps):
    return tf.nn.batch_normalization(x, pop_mean, pop_var, gamma, beta, eps)


@mistake(
    "statistics-swapped",
    "`pop_var` is subtracted and `pop_mean` divides: they have changed places",
    "In which order does `tf.nn.batch_normalization` take mean and variance?",
    see="B23",
)
def statistics_swapped(x, gamma, beta, pop_mean, pop_var, eps):
    return apply(x, pop_var, pop_mean, gamma, beta, eps)


@mistake(
    "no-affine",
    "γ and β do not reach your output",
    "Training multiplied by γ and added β. What would the next layer make of it without them?",
    see="C34",
)
def no_affine(x, gamma, beta, pop_mean, pop_var, eps):
    return apply(x, pop_mean, pop_var, None, None, eps)


@mistake(
    "no-beta",
    "β does not reach your output",
    "What does `offset=None` leave out?",
    see="C34",
)
def no_beta(x, gamma, beta, pop_mean, pop_var, eps):
    return apply(x, pop_mean, pop_var, gamma, None, eps)


@mistake(
    "no-gamma",
    "γ does not reach your output",
    "What does `scale=None` leave out?",
    see="C34",
)
def no_gamma(x, gamma, beta, pop_mean, pop_var, eps):
    return apply(x, pop_mean, pop_var, None, beta, eps)


@mistake(
    "std-for-variance",
    "You pass the standard deviation where the op expects the variance",
    "Who draws the root: you, or `tf.nn.batch_normalization`?",
    see="own",
)
def std_for_variance(x, gamma, beta, pop_mean, pop_var, eps):
    return apply(x, pop_mean, tf.sqrt(pop_var), gamma, beta, eps)


@mistake(
    "no-root",
    "You divide by the variance, not by its square root",
    "If a feature is in metres, in what unit is `pop_var`? What unit should x̂ have?",
    see="C35",
)
def no_root(x, gamma, beta, pop_mean, pop_var, eps):
    return gamma * (x - pop_mean) / (pop_var + eps) + beta


@mistake(
    "eps-outside-root",
    "ε is added to the standard deviation; it belongs under the root, to the variance",
    "Does your prediction divide by the same thing as your training, if the statistics are alike?",
    see="C36",
)
def eps_outside_root(x, gamma, beta, pop_mean, pop_var, eps):
    return gamma * (x - pop_mean) / (tf.sqrt(pop_var) + eps) + beta


@mistake(
    "no-eps",
    "ε does not reach your output",
    "Training adds `eps` under the root. Why should prediction do otherwise?",
    see="C36; public answers: eps forgotten",
)
def no_eps(x, gamma, beta, pop_mean, pop_var, eps):
    return apply(x, pop_mean, pop_var, gamma, beta, 0.0)


@mistake(
    "fixed-eps",
    "You use a fixed ε of 0.001 and not the argument `eps`",
    "What should change in the output when the caller passes a larger `eps`?",
    see="public answers: eps forgotten",
)
def fixed_eps(x, gamma, beta, pop_mean, pop_var, eps):
    return apply(x, pop_mean, pop_var, gamma, beta, 1e-3)


@mistake(
    "updates-in-prediction",
    "Your prediction moves the population statistics",
    "Two people predict with the same network. Should the second one's results depend on what the "
    "first one predicted?",
    see="B32",
)
def updates_in_prediction(x, gamma, beta, pop_mean, pop_var, eps):
    y = apply(x, pop_mean, pop_var, gamma, beta, eps)
    mu, var = moments(x)
    with tf.control_dependencies([y]):
        updates = [
            tf.assign(pop_mean, 0.9 * pop_mean + 0.1 * mu),
            tf.assign(pop_var, 0.9 * pop_var + 0.1 * var),
        ]
    with tf.control_dependencies(updates):
        return tf.identity(y)


@mistake(
    "updates-first",
    "Your prediction moves the population statistics, and then uses the new ones",
    "Two people predict with the same network. Should the second one's results depend on what the "
    "first one predicted?",
    see="B32",
)
def updates_first(x, gamma, beta, pop_mean, pop_var, eps):
    mu, var = moments(x)
    updates = [
        tf.assign(pop_mean, 0.9 * pop_mean + 0.1 * mu),
        tf.assign(pop_var, 0.9 * pop_var + 0.1 * var),
    ]
    with tf.control_dependencies(updates):
        return apply(x, pop_mean, pop_var, gamma, beta, eps)


# ---------------------------------------------------------------- right, written otherwise


@variant("positional arguments in the op's order")
def positional(x, gamma, beta, pop_mean, pop_var, eps):
    return tf.nn.batch_normalization(x, pop_mean, pop_var, beta, gamma, eps)


@variant("by hand")
def by_hand(x, gamma, beta, pop_mean, pop_var, eps):
    return gamma * (x - pop_mean) * tf.rsqrt(pop_var + eps) + beta


@variant("folded into one scale and one shift")
def folded(x, gamma, beta, pop_mean, pop_var, eps):
    scale = gamma / tf.sqrt(pop_var + eps)
    return tf.multiply(x, scale) + (beta - pop_mean * scale)


@variant("the fused op, where it can be had")
def fused(x, gamma, beta, pop_mean, pop_var, eps):
    images = x if len(x.shape) == 4 else x[:, None, None, :]
    mean, var = tf.identity(pop_mean), tf.identity(pop_var)
    y, _mean, _var = tf.nn.fused_batch_norm(
        images, gamma, beta, mean=mean, variance=var, epsilon=max(eps, 1.001e-5), is_training=False
    )
    return y if len(x.shape) == 4 else tf.reshape(y, tf.shape(x))
