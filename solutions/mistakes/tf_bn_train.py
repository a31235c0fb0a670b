"""Known answers to `tf-bn-train`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def right_axes(x):
    return list(range(len(x.shape) - 1))


def apply(x, mu, var, gamma, beta, eps):
    return tf.nn.batch_normalization(x, mu, var, offset=beta, scale=gamma, variance_epsilon=eps)


def step(variable, new, momentum):
    return tf.assign(variable, momentum * variable + (1 - momentum) * new)


def build(x, gamma, beta, pop_mean, pop_var, momentum, eps, axes=None):
    mu, var = tf.nn.moments(x, right_axes(x) if axes is None else axes)
    updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "no-assign",
    "Your updates compute the new values, but nothing writes them into the variables",
    "`momentum * pop_mean + …` is a tensor. Which op puts a tensor's value into a variable?",
    see="F60",
)
def no_assign(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = [
        momentum * pop_mean + (1 - momentum) * mu,
        momentum * pop_var + (1 - momentum) * var,
    ]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "momentum-inverted",
    "The momentum weighs the batch, and 1 − momentum the old value",
    "With momentum 0.9, how much of the old value should be left after one step?",
    see="B18",
)
def momentum_inverted(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    return build(x, gamma, beta, pop_mean, pop_var, 1 - momentum, eps)


@mistake(
    "overwritten",
    "The statistics of the last batch take the place of the old ones altogether",
    "How much should be left of all the batches before?",
    see="B19",
)
def overwritten(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = [tf.assign(pop_mean, mu), tf.assign(pop_var, var)]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "weights-not-summing-to-one",
    "You add the whole batch statistic to a part of the old one",
    "If every batch had mean 5, where would `pop_mean` end?",
    see="B20",
)
def weights_not_summing(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = [
        tf.assign(pop_mean, momentum * pop_mean + mu),
        tf.assign(pop_var, momentum * pop_var + var),
    ]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "old-not-weighed",
    "A part of the batch's statistic is added, and all of the old value stays",
    "If every batch had mean 5, where would `pop_mean` end? Which part of the old value should go?",
    see="B20, with tf.assign_add",
)
def old_not_weighed(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = [
        tf.assign_add(pop_mean, (1 - momentum) * mu),
        tf.assign_add(pop_var, (1 - momentum) * var),
    ]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "fixed-momentum",
    "You use a fixed momentum of 0.99 and not the argument",
    "What should change when the caller passes another `momentum`?",
    see="B30",
)
def fixed_momentum(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    return build(x, gamma, beta, pop_mean, pop_var, 0.99, eps)


@mistake(
    "only-the-mean",
    "The updates move `pop_mean` and leave `pop_var` where it is",
    "How many variables does a prediction read, and how many do you assign?",
    see="B22",
)
def only_the_mean(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    y, updates = build(x, gamma, beta, pop_mean, pop_var, momentum, eps)
    return y, updates[:1]


@mistake(
    "slots-swapped",
    "The batch's variance goes into `pop_mean`, and its mean into `pop_var`",
    "In which order does `tf.nn.moments` return its two tensors, and which assign gets which?",
    see="B23",
)
def slots_swapped(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = [step(pop_mean, var, momentum), step(pop_var, mu, momentum)]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "moments-swapped",
    "You take the first moment for the variance and the second for the mean",
    "In which order does `tf.nn.moments` return its two tensors?",
    see="B23",
)
def moments_swapped(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    var, mu = tf.nn.moments(x, right_axes(x))
    updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "std-in-pop-var",
    "`pop_var` collects standard deviations",
    "In which unit is `pop_var`, if the feature is in metres?",
    see="B24",
)
def std_in_pop_var(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = [step(pop_mean, mu, momentum), step(pop_var, tf.sqrt(var), momentum)]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "eps-in-pop-var",
    "ε gets into `pop_var`, and a prediction will add it a second time",
    "Where in the definition does ε stand: in the variance, or beside it?",
    see="public answers: running_var stores var+eps",
)
def eps_in_pop_var(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = [step(pop_mean, mu, momentum), step(pop_var, var + eps, momentum)]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "unbiased",
    "`pop_var` collects variances that divide by N − 1; `tf.nn.moments` divides by N",
    "Which of the two does the text ask for? Lesson 06 has an op that does what you do.",
    see="B31",
)
def unbiased(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    n = tf.cast(tf.size(x) / tf.size(mu), tf.float32)
    updates = [step(pop_mean, mu, momentum), step(pop_var, var * n / (n - 1), momentum)]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "tracks-the-output",
    "You collect the statistics of the output `y`, which are nearly the same for every x",
    "What are the mean and the standard deviation of every feature of `y`? Whose do you want?",
    see="B25",
)
def tracks_the_output(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    y, _updates = build(x, gamma, beta, pop_mean, pop_var, momentum, eps)
    mu, var = tf.nn.moments(y, right_axes(x))
    return y, [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]


@mistake(
    "population-in-training",
    "`y` is normalized with the population statistics, not with those of the batch",
    "With γ = 1 and β = 0, which mean does each feature of a training output have?",
    see="A16",
)
def population_in_training(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    _y, updates = build(x, gamma, beta, pop_mean, pop_var, momentum, eps)
    return apply(x, pop_mean, pop_var, gamma, beta, eps), updates


@mistake(
    "new-population-in-training",
    "`y` is normalized with the population statistics after their update",
    "Which statistics make a training output, and which are only collected for later?",
    see="A16",
)
def new_population_in_training(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    _y, updates = build(x, gamma, beta, pop_mean, pop_var, momentum, eps)
    return apply(x, updates[0], updates[1], gamma, beta, eps), updates


@mistake(
    "offset-scale-swapped",
    "γ is added and β multiplies: they have changed places",
    "In which order does `tf.nn.batch_normalization` take offset and scale?",
    see="A14",
)
def offset_scale_swapped(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    return build(x, beta, gamma, pop_mean, pop_var, momentum, eps)


@mistake(
    "no-affine",
    "γ and β do not reach your `y`",
    "What do `offset=None` and `scale=None` leave out?",
    see="A15",
)
def no_affine(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    return build(x, None, None, pop_mean, pop_var, momentum, eps)


@mistake(
    "fixed-eps",
    "You use a fixed ε of 0.001 and not the argument `eps`",
    "What should change in `y` when the caller passes a larger `eps`?",
    see="public answers: eps forgotten",
)
def fixed_eps(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    return build(x, gamma, beta, pop_mean, pop_var, momentum, 1e-3)


@mistake(
    "no-eps",
    "ε does not reach your `y`",
    "What does `variance_epsilon=0` do to a feature that never varies?",
    see="A8; public answers: eps forgotten",
)
def no_eps(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    return build(x, gamma, beta, pop_mean, pop_var, momentum, 0.0)


@mistake(
    "eps-outside-root",
    "ε is added to the standard deviation; it belongs under the root, to the variance",
    "A feature with variance 0: by what do you divide, and by what does the op divide?",
    see="A7",
)
def eps_outside_root(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
    return gamma * (x - mu) / (tf.sqrt(var) + eps) + beta, updates


@mistake(
    "std-for-variance",
    "You pass the standard deviation where the op expects the variance",
    "Who draws the root: you, or `tf.nn.batch_normalization`?",
    see="own",
)
def std_for_variance(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    _y, updates = build(x, gamma, beta, pop_mean, pop_var, momentum, eps)
    mu, var = tf.nn.moments(x, right_axes(x))
    return apply(x, mu, tf.sqrt(var), gamma, beta, eps), updates


@mistake(
    "first-axis-only",
    "Your means of images are not one per channel: you average over too few axes",
    "Which axes of (m, p, q, C) may not have a mean of their own?",
    see="E50; public TensorFlow 1 notebooks: moments over [0] on a conv",
    same_as=("each-image-apart",),
)
def first_axis_only(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    return build(x, gamma, beta, pop_mean, pop_var, momentum, eps, axes=[0])


@mistake(
    "each-image-apart",
    "Your means of images are not one per channel: you average over too few axes",
    "Which axes of (m, p, q, C) may not have a mean of their own?",
    see="E51",
    same_as=("first-axis-only",),
)
def each_image_apart(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    axes = [1, 2] if len(x.shape) == 4 else [0]
    return build(x, gamma, beta, pop_mean, pop_var, momentum, eps, axes)


@mistake(
    "last-axis",
    "You average over the last axis, which mixes the features or channels of one sample",
    "In (m, D) and in (m, p, q, C), which axis numbers the features? Should it be averaged away?",
    see="A1, E52",
)
def last_axis(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    return build(x, gamma, beta, pop_mean, pop_var, momentum, eps, axes=[-1])


@mistake(
    "image-axes-only",
    "You always average over the axes 0, 1 and 2, and a dense layer's x has only two",
    "What is `len(x.shape)` for each of the two kinds of x?",
    see="own",
)
def image_axes_only(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    return build(x, gamma, beta, pop_mean, pop_var, momentum, eps, axes=[0, 1, 2])


@mistake(
    "channels-first",
    "You average as if the channels came second: over the axes 0, 2 and 3",
    "Where is the channel axis in (m, p, q, C)?",
    see="E52",
)
def channels_first(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    axes = [0, 2, 3] if len(x.shape) == 4 else [0]
    return build(x, gamma, beta, pop_mean, pop_var, momentum, eps, axes)


@mistake(
    "wrong-axis",
    "You average over the features of each sample, not over the batch",
    "Each column of a dense layer's x is one feature. Along which axis do you walk down a column?",
    see="A1",
)
def wrong_axis(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    axes = [0, 1, 2] if len(x.shape) == 4 else [1]
    return build(x, gamma, beta, pop_mean, pop_var, momentum, eps, axes)


@mistake(
    "all-axes",
    "You take one mean of everything",
    "How many means does a batch with D features have?",
    see="A2",
)
def all_axes(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, list(range(len(x.shape))))
    updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "stop-gradient",
    "No gradient passes through the mean and the variance of the batch: they count as constants",
    "Along how many paths does x reach `y`? Lesson 03 has a term for each of them.",
    see="D37",
)
def stop_gradient(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = (tf.stop_gradient(one) for one in tf.nn.moments(x, right_axes(x)))
    updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
    return apply(x, mu, var, gamma, beta, eps), updates


@mistake(
    "y-brings-the-updates",
    "Running `y` alone moves the statistics: it depends on the updates",
    "Someone runs `y` to look at it, without training. What should that change here?",
    see="own",
)
def y_brings_the_updates(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    y, updates = build(x, gamma, beta, pop_mean, pop_var, momentum, eps)
    with tf.control_dependencies(updates):
        return tf.identity(y), updates


# ---------------------------------------------------------------- right, written otherwise


@variant("tf.assign_sub, as tf.layers does it")
def with_assign_sub(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = [
        tf.assign_sub(pop_mean, (1 - momentum) * (pop_mean - mu)),
        tf.assign_sub(pop_var, (1 - momentum) * (pop_var - var)),
    ]
    return apply(x, mu, var, gamma, beta, eps), updates


@variant("variable.assign, grouped into one op")
def grouped(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    updates = tf.group(
        pop_mean.assign(pop_mean * momentum + mu * (1.0 - momentum)),
        pop_var.assign(pop_var * momentum + var * (1.0 - momentum)),
    )
    return apply(x, mu, var, gamma, beta, eps), updates


@variant("moments by hand")
def by_hand(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    axes = [0] if x.shape.ndims == 2 else [0, 1, 2]
    mu = tf.reduce_mean(x, axes)
    var = tf.reduce_mean(tf.square(x - mu), axes)
    y = gamma * (x - mu) / tf.sqrt(var + eps) + beta
    return y, (step(pop_mean, mu, momentum), step(pop_var, var, momentum))


@variant("keepdims and reshape")
def keepdims(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x), keepdims=True)
    flat = [tf.reshape(mu, [-1]), tf.reshape(var, [-1])]
    updates = [step(pop_mean, flat[0], momentum), step(pop_var, flat[1], momentum)]
    return apply(x, mu, var, gamma, beta, eps), updates


@variant("images as rows")
def images_as_rows(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    rows = tf.reshape(x, [-1, x.shape[-1]])
    mu, var = tf.nn.moments(rows, [0])
    updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
    return tf.reshape(apply(rows, mu, var, gamma, beta, eps), tf.shape(x)), updates


@variant("positional arguments in the op's order")
def positional(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, right_axes(x))
    y = tf.nn.batch_normalization(x, mu, var, beta, gamma, eps)
    return y, [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]


@variant("with a gradient written by hand, as in lesson 03")
def own_gradient(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    axes = right_axes(x)
    mu, var = tf.nn.moments(x, axes)
    s = tf.rsqrt(var + eps)

    @tf.custom_gradient
    def normalize(x):
        x_hat = (x - mu) * s

        def back(d):
            both = tf.reduce_mean(d, axes) + x_hat * tf.reduce_mean(d * x_hat, axes)
            return s * (d - both)

        return x_hat, back

    updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
    return gamma * normalize(x) + beta, updates
