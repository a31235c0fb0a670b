"""Known answers to `tf-bn-cond`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def moments(x):
    return tf.nn.moments(x, list(range(len(x.shape) - 1)))


def apply(x, mu, var, gamma, beta, eps):
    return tf.nn.batch_normalization(x, mu, var, offset=beta, scale=gamma, variance_epsilon=eps)


def step(variable, new, momentum):
    return tf.assign(variable, momentum * variable + (1 - momentum) * new)


def assigns(x, pop_mean, pop_var, momentum):
    mu, var = moments(x)
    return [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]


def after(updates, y):
    with tf.control_dependencies(updates):
        return tf.identity(y)


def both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, **changes):
    """The right answer, with functions in it that a mistake may replace."""

    def train():
        mu, var = changes.get("moments", moments)(x)
        updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
        updates = changes.get("updates", lambda u: u)(updates)
        return after(updates, apply(x, mu, var, gamma, beta, eps))

    def predict():
        return apply(x, pop_mean, pop_var, gamma, beta, eps)

    return tf.cond(training, changes.get("train", train), changes.get("predict", predict))


MOVES_ANYWAY = (
    "`tf.cond` chooses among the ops made inside its two functions. Where is your `tf.assign` made?"
)


@mistake(
    "assigns-before-cond",
    "The statistics move in a prediction too: the assigns run whatever the flag says",
    MOVES_ANYWAY,
    see="F61; OlavHN/bnlstm#13; tensorflow/tensorflow#1724",
    same_as=("where",),
)
def assigns_before_cond(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    updates = assigns(x, pop_mean, pop_var, momentum)
    return tf.cond(
        training,
        lambda: after(updates, apply(x, *moments(x), gamma, beta, eps)),
        lambda: apply(x, pop_mean, pop_var, gamma, beta, eps),
    )


@mistake(
    "where",
    "`tf.where` chooses between two finished results, so both are computed, updates included",
    "Which ops does `tf.where(flag, a, b)` need: those of one of the two, or those of both?",
    see="F61",
    same_as=("assigns-before-cond",),
)
def where(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    predicted = apply(x, pop_mean, pop_var, gamma, beta, eps)
    with tf.control_dependencies([predicted]):
        updates = assigns(x, pop_mean, pop_var, momentum)
    trained = after(updates, apply(x, *moments(x), gamma, beta, eps))
    return tf.where(training, trained, predicted)


NEVER = ("no-dependency", "made-outside-the-block", "no-assign")


@mistake(
    "no-dependency",
    "The statistics never move: nothing that `y` depends on assigns to them",
    "Follow `y` backwards: is there an assign on the way? What makes an op wait for ops whose "
    "values it does not use, and was it itself made inside that block?",
    see="F56",
    same_as=NEVER[1:],
)
def no_dependency(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return both(
        x, training, gamma, beta, pop_mean, pop_var, momentum, eps, updates=lambda updates: []
    )


@mistake(
    "made-outside-the-block",
    "The output was made before the block with the dependencies, so it does not wait for them",
    "Which ops get the dependency: those used inside the block, or those made in it?",
    see="F58",
    same_as=(NEVER[0], NEVER[2]),
)
def made_outside_the_block(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        y = apply(x, *moments(x), gamma, beta, eps)
        with tf.control_dependencies(assigns(x, pop_mean, pop_var, momentum)):
            return y

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, train=train)


@mistake(
    "no-assign",
    "The new values are computed and waited for, but nothing writes them into the variables",
    "Which op puts a tensor's value into a variable?",
    see="F60",
    same_as=NEVER[:2],
)
def no_assign(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        mu, var = moments(x)
        new = [
            momentum * pop_mean + (1 - momentum) * mu,
            momentum * pop_var + (1 - momentum) * var,
        ]
        return after(new, apply(x, mu, var, gamma, beta, eps))

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, train=train)


@mistake(
    "if-in-python",
    "Python is to choose (by `if`, `and` or `max`), but no tensor has a value while you build",
    "When does Python run this line, and when is the placeholder fed? Which op chooses in a run?",
    see="F68",
)
def if_in_python(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    if training:
        updates = assigns(x, pop_mean, pop_var, momentum)
        return after(updates, apply(x, *moments(x), gamma, beta, eps))
    return apply(x, pop_mean, pop_var, gamma, beta, eps)


@mistake(
    "branches-swapped",
    "Fed True it predicts, and fed False it trains: the branches have changed places",
    "Which of the two functions does `tf.cond` take first?",
    see="own",
)
def branches_swapped(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return both(x, tf.logical_not(training), gamma, beta, pop_mean, pop_var, momentum, eps)


@mistake(
    "always-training",
    "It trains whatever the flag says",
    "What should become of `y` when `training` is fed False?",
    see="F62; public TensorFlow 1 notebooks: eval fed True",
)
def always_training(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    updates = assigns(x, pop_mean, pop_var, momentum)
    return after(updates, apply(x, *moments(x), gamma, beta, eps))


@mistake(
    "always-predicting",
    "It predicts whatever the flag says, and never moves the statistics",
    "What should become of `y` when `training` is fed True?",
    see="F62; public TensorFlow 1 notebooks: training forgotten",
)
def always_predicting(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return apply(x, pop_mean, pop_var, gamma, beta, eps)


@mistake(
    "batch-statistics-in-prediction",
    "Fed False it still normalizes with the batch's own statistics",
    "One sample comes alone. What is the variance of its batch?",
    see="C33",
)
def batch_statistics_in_prediction(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def predict():
        return apply(x, *moments(x), gamma, beta, eps)

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, predict=predict)


@mistake(
    "updates-in-both",
    "Both of your branches move the statistics",
    "Which of the two modes may change the layer?",
    see="B32",
)
def updates_in_both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def predict():
        y = apply(x, pop_mean, pop_var, gamma, beta, eps)
        with tf.control_dependencies([y]):
            mu, _var = moments(x)
            return after([step(pop_mean, mu, momentum)], y)

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, predict=predict)


@mistake(
    "stop-gradient",
    "No gradient passes through the mean and the variance of the batch: they count as constants",
    "Along how many paths does x reach `y` in training? Lesson 03 has a term for each of them.",
    see="D37",
)
def stop_gradient(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def constants(x):
        return [tf.stop_gradient(one) for one in moments(x)]

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, moments=constants)


@mistake(
    "population-in-training",
    "Fed True it normalizes with the population statistics, not with those of the batch",
    "With γ = 1 and β = 0, which mean does each feature of a training output have?",
    see="A16",
)
def population_in_training(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        y = apply(x, pop_mean, pop_var, gamma, beta, eps)
        with tf.control_dependencies([y]):
            updates = assigns(x, pop_mean, pop_var, momentum)
        return after(updates, y)

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, train=train)


@mistake(
    "new-population-in-training",
    "Fed True it normalizes with the population statistics, after their update",
    "Which statistics make a training output, and which are only collected for later?",
    see="A16",
)
def new_population_in_training(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        with tf.control_dependencies(assigns(x, pop_mean, pop_var, momentum)):
            return apply(x, pop_mean, pop_var, gamma, beta, eps)

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, train=train)


@mistake(
    "updates-twice",
    "Each training run moves the statistics twice",
    "How many ops that write into `pop_mean` are made by your code, and how many of them run?",
    see="F66",
)
def updates_twice(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        with tf.control_dependencies(assigns(x, pop_mean, pop_var, momentum)):
            updates = assigns(x, pop_mean, pop_var, momentum)
        return after(updates, apply(x, *moments(x), gamma, beta, eps))

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, train=train)


@mistake(
    "momentum-inverted",
    "The momentum weighs the batch, and 1 − momentum the old value",
    "With momentum 0.9, how much of the old value should be left after one step?",
    see="B18",
)
def momentum_inverted(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return both(x, training, gamma, beta, pop_mean, pop_var, 1 - momentum, eps)


@mistake(
    "fixed-momentum",
    "You use a fixed momentum of 0.99 and not the argument",
    "What should change when the caller passes another `momentum`?",
    see="B30",
)
def fixed_momentum(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return both(x, training, gamma, beta, pop_mean, pop_var, 0.99, eps)


@mistake(
    "only-the-mean",
    "Training moves `pop_mean` and leaves `pop_var` where it is",
    "How many variables does a prediction read, and for how many updates does `y` wait?",
    see="B22",
)
def only_the_mean(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, updates=lambda u: u[:1])


@mistake(
    "std-in-pop-var",
    "`pop_var` collects standard deviations",
    "In which unit is `pop_var`, if the feature is in metres?",
    see="B24",
)
def std_in_pop_var(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        mu, var = moments(x)
        updates = [step(pop_mean, mu, momentum), step(pop_var, tf.sqrt(var), momentum)]
        return after(updates, apply(x, mu, var, gamma, beta, eps))

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, train=train)


@mistake(
    "first-axis-only",
    "Your means of images are not one per channel: you average over too few axes",
    "Which axes of (m, p, q, C) may not have a mean of their own?",
    see="E50; public TensorFlow 1 notebooks: moments over [0] on a conv",
    same_as=("each-image-apart",),
)
def first_axis_only(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return both(
        x, training, gamma, beta, pop_mean, pop_var, momentum, eps,
        moments=lambda x: tf.nn.moments(x, [0]),
    )  # fmt: skip


@mistake(
    "each-image-apart",
    "Your means of images are not one per channel: you average over too few axes",
    "Which axes of (m, p, q, C) may not have a mean of their own?",
    see="E51",
    same_as=("first-axis-only",),
)
def each_image_apart(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return both(
        x, training, gamma, beta, pop_mean, pop_var, momentum, eps,
        moments=lambda x: tf.nn.moments(x, [1, 2] if len(x.shape) == 4 else [0]),
    )  # fmt: skip


@mistake(
    "offset-scale-swapped",
    "γ is added and β multiplies, in both branches: they have changed places",
    "In which order does `tf.nn.batch_normalization` take offset and scale?",
    see="A14",
)
def offset_scale_swapped(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return both(x, training, beta, gamma, pop_mean, pop_var, momentum, eps)


@mistake(
    "no-affine-in-prediction",
    "γ and β do not reach your prediction",
    "Training multiplied by γ and added β. What would the next layer make of it without them?",
    see="C34",
)
def no_affine_in_prediction(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def predict():
        return apply(x, pop_mean, pop_var, None, None, eps)

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, predict=predict)


@mistake(
    "fixed-eps",
    "You use a fixed ε of 0.001 and not the argument `eps`",
    "What should change in `y` when the caller passes a larger `eps`?",
    see="public answers: eps forgotten",
)
def fixed_eps(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, 1e-3)


# ---------------------------------------------------------------- right, written otherwise


@variant("tf.cond over the statistics, one normalization")
def cond_over_statistics(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = moments(x)

    def of_the_batch():
        updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
        with tf.control_dependencies(updates):
            return tf.identity(mu), tf.identity(var)

    mean, variance = tf.cond(
        training, of_the_batch, lambda: (tf.identity(pop_mean), tf.identity(pop_var))
    )
    return apply(x, mean, variance, gamma, beta, eps)


@variant("everything made inside the branch, output last")
def output_inside_the_block(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        mu, var = moments(x)
        updates = [step(pop_mean, mu, momentum), step(pop_var, var, momentum)]
        with tf.control_dependencies(updates):
            return tf.nn.batch_normalization(x, mu, var, beta, gamma, eps)

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, train=train)


@variant("a momentum of 1 in prediction, no branch at all")
def momentum_by_flag(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    kept = tf.where(training, momentum, 1.0)
    old_mean, old_var = tf.identity(pop_mean), tf.identity(pop_var)
    mu, var = moments(x)
    with tf.control_dependencies([old_mean, old_var]):
        updates = [
            tf.assign(pop_mean, kept * old_mean + (1 - kept) * mu),
            tf.assign(pop_var, kept * old_var + (1 - kept) * var),
        ]
    mean, variance = tf.where(training, mu, old_mean), tf.where(training, var, old_var)
    return after(updates, apply(x, mean, variance, gamma, beta, eps))


@variant("tf.case")
def with_case(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        updates = assigns(x, pop_mean, pop_var, momentum)
        return after(updates, apply(x, *moments(x), gamma, beta, eps))

    def predict():
        return apply(x, pop_mean, pop_var, gamma, beta, eps)

    return tf.case([(training, train)], default=predict)


@variant("assign_sub and tf.group")
def with_group(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        mu, var = moments(x)
        updates = tf.group(
            tf.assign_sub(pop_mean, (1 - momentum) * (pop_mean - mu)),
            tf.assign_sub(pop_var, (1 - momentum) * (pop_var - var)),
        )
        return after([updates], apply(x, mu, var, gamma, beta, eps))

    return both(x, training, gamma, beta, pop_mean, pop_var, momentum, eps, train=train)
