"""Known answers to `uo-in-place`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def collection():
    return tf.get_collection(tf.GraphKeys.UPDATE_OPS)


def layer_of(momentum, eps, **options):
    return tf.layers.BatchNormalization(momentum=momentum, epsilon=eps, **options)


def after(ops, y):
    with tf.control_dependencies(ops):
        return tf.identity(y)


NEVER = ("not-asked-for", "made-outside-the-block", "read-too-early")


@mistake(
    "not-asked-for",
    "The statistics never move: nothing that `y` depends on updates them",
    "Follow `y` backwards: is an update on the way? Were the updates in your list when you made "
    "it, and was what you return made inside the block?",
    see="F56",
    same_as=NEVER[1:],
)
def not_asked_for(x, training, momentum, eps):
    return layer_of(momentum, eps)(x, training=training)


@mistake(
    "made-outside-the-block",
    "The output was made before the block with the dependencies, so it does not wait for them",
    "Which ops get the dependency: those named inside the block, or those made in it?",
    see="F58",
    same_as=(NEVER[0], NEVER[2]),
)
def made_outside_the_block(x, training, momentum, eps):
    y = tf.layers.batch_normalization(x, momentum=momentum, epsilon=eps, training=training)
    with tf.control_dependencies(collection()):
        return y


@mistake(
    "read-too-early",
    "The collection is read before your layer has put its updates there",
    "What is in the collection when you read it?",
    see="F57",
    same_as=NEVER[:2],
)
def read_too_early(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    ops = layer.updates
    return after(ops, layer(x, training=training))


@mistake(
    "everybodys-updates",
    "Your output waits for every update in the graph, those of other layers too",
    "The second of two layers is run alone. Which updates belong to it?",
    see="F64",
)
def everybodys_updates(x, training, momentum, eps):
    y = tf.layers.batch_normalization(x, momentum=momentum, epsilon=eps, training=training)
    return after(collection(), y)


@mistake(
    "always-training",
    "It trains whatever the flag says",
    "What reaches the layer's `training`: your argument, or `True`?",
    see="F62; public TensorFlow 1 notebooks: training constant",
)
def always_training(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    y = layer(x, training=True)
    return after(layer.updates, y)


@mistake(
    "flag-forgotten",
    "It predicts whatever the flag says: the layer never learns of the flag",
    "What is the default of the layer's `training`?",
    see="F62; public TensorFlow 1 notebooks: training forgotten",
)
def flag_forgotten(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    y = layer(x)
    return after(layer.updates, y)


@mistake(
    "if-in-python",
    "Python is to choose (by `if`, `and` or `max`), but no tensor has a value while you build",
    "When does Python run this line, and when is the placeholder fed? What may the layer's "
    "`training` be?",
    see="F68",
)
def if_in_python(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    if training:
        y = layer(x, training=True)
        return after(layer.updates, y)
    return layer(x, training=False)


TWICE = (
    "Each run with True moves the statistics twice",
    "How many times does your code call the layer, and for which updates does `y` wait?",
)


@mistake("updates-twice", *TWICE, see="F66")
def updates_twice(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    layer(x, training=training)
    y = layer(x, training=training)
    return after(layer.updates, y)


@mistake("updates-twice-in-a-row", *TWICE, see="F66")
def updates_twice_in_a_row(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    layer(x, training=training)
    with tf.control_dependencies(layer.updates):
        y = layer(x, training=training)
    return after(layer.updates, y)


@mistake(
    "flag-inverted",
    "Fed True it predicts, and fed False it trains",
    "What does the layer do when its `training` is True?",
    see="own",
)
def flag_inverted(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    y = layer(x, training=tf.logical_not(training))
    return after(layer.updates, y)


@mistake(
    "first-update-only",
    "The moving mean moves, and the moving variance does not",
    "How many updates does one call make, and for how many does your output wait?",
    see="B22",
)
def first_update_only(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    y = layer(x, training=training)
    return after(layer.updates[:1], y)


@mistake(
    "default-momentum",
    "The momentum that you are given does not reach the layer, which uses 0.99",
    "Which arguments do you pass on?",
    see="B30",
)
def default_momentum(x, training, momentum, eps):
    layer = layer_of(0.99, eps)
    y = layer(x, training=training)
    return after(layer.updates, y)


@mistake(
    "momentum-inverted",
    "The layer gets 1 − momentum",
    "Which of the two does TensorFlow call momentum: the weight of the old value, or of the new?",
    see="B29",
)
def momentum_inverted(x, training, momentum, eps):
    layer = layer_of(1 - momentum, eps)
    y = layer(x, training=training)
    return after(layer.updates, y)


@mistake(
    "default-eps",
    "The ε that you are given does not reach the layer, which uses 0.001",
    "Which arguments do you pass on?",
    see="public answers: eps forgotten",
)
def default_eps(x, training, momentum, eps):
    layer = layer_of(momentum, 1e-3)
    y = layer(x, training=training)
    return after(layer.updates, y)


@mistake(
    "no-affine",
    "Your layer has no γ and no β",
    "What do `center=False` and `scale=False` leave out?",
    see="A15",
)
def no_affine(x, training, momentum, eps):
    layer = layer_of(momentum, eps, center=False, scale=False)
    y = layer(x, training=training)
    return after(layer.updates, y)


@mistake(
    "updates-whatever-the-flag",
    "A prediction moves the statistics too: your updates do not look at the flag",
    "Which of your ops are made inside `tf.cond`?",
    see="F61",
)
def updates_whatever_the_flag(x, training, momentum, eps):
    d = x.shape[-1]
    gamma, beta = tf.Variable(tf.ones([d])), tf.Variable(tf.zeros([d]))
    mean = tf.Variable(tf.zeros([d]), trainable=False)
    var = tf.Variable(tf.ones([d]), trainable=False)
    mu, sigma2 = tf.nn.moments(x, [0])
    updates = [
        tf.assign(mean, momentum * mean + (1 - momentum) * mu),
        tf.assign(var, momentum * var + (1 - momentum) * sigma2),
    ]
    now = tf.cond(
        training,
        lambda: (tf.identity(mu), tf.identity(sigma2)),
        lambda: (tf.identity(mean), tf.identity(var)),
    )
    return after(updates, tf.nn.batch_normalization(x, *now, beta, gamma, eps))


def of_ops(x, training, momentum, eps, moments, beta=None):
    d = x.shape[-1]
    gamma = tf.Variable(tf.ones([d]))
    beta = tf.Variable(tf.zeros([d])) if beta is None else beta
    mean = tf.Variable(tf.zeros([d]), trainable=False)
    var = tf.Variable(tf.ones([d]), trainable=False)

    def train():
        mu, sigma2 = moments(x, [0])
        updates = [
            tf.assign(mean, momentum * mean + (1 - momentum) * mu),
            tf.assign(var, momentum * var + (1 - momentum) * sigma2),
        ]
        return after(updates, tf.nn.batch_normalization(x, mu, sigma2, beta, gamma, eps))

    return tf.cond(
        training, train, lambda: tf.nn.batch_normalization(x, mean, var, beta, gamma, eps)
    )


@mistake(
    "stop-gradient",
    "No gradient passes through the mean and the variance of the batch: they count as constants",
    "Along how many paths does x reach `y` in training? Lesson 03 has a term for each of them.",
    see="D37",
)
def stop_gradient(x, training, momentum, eps):
    def constants(x, axes):
        return [tf.stop_gradient(one) for one in tf.nn.moments(x, axes)]

    return of_ops(x, training, momentum, eps, constants)


@mistake(
    "fixed-name",
    "Your layer has a fixed name, so there can be only one of them in a graph",
    "What happens when your function is called a second time?",
    see="own",
)
def fixed_name(x, training, momentum, eps):
    before = len(collection())
    y = tf.layers.batch_normalization(
        x, training=training, momentum=momentum, epsilon=eps, name="bn"
    )
    return after(collection()[before:], y)


@mistake(
    "empties-the-collection",
    "You empty the collection, and with it go the updates of other layers",
    "Who else has put something into the collection, and who will look for it there?",
    see="near miss",
)
def empties_the_collection(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    y = layer(x, training=training)
    y = after(layer.updates, y)
    tf.get_collection_ref(tf.GraphKeys.UPDATE_OPS).clear()
    return y


# ---------------------------------------------------------------- right, written otherwise


@variant("what is new in the collection")
def new_in_the_collection(x, training, momentum, eps):
    before = len(collection())
    y = tf.layers.batch_normalization(x, training=training, momentum=momentum, epsilon=eps)
    return after(collection()[before:], y)


@variant("grouped, and a sum with zero")
def grouped(x, training, momentum, eps):
    layer = layer_of(momentum, eps)
    y = layer(x, training=training)
    with tf.control_dependencies([tf.group(*layer.updates)]):
        return y + 0.0


@variant("from lesson 05's ops")
def from_ops(x, training, momentum, eps):
    return of_ops(x, training, momentum, eps, tf.nn.moments)


@variant("from lesson 05's ops, β before γ")
def from_ops_beta_first(x, training, momentum, eps):
    beta = tf.Variable(tf.zeros([x.shape[-1]]))
    return of_ops(x, training, momentum, eps, tf.nn.moments, beta)


@variant("in a scope of its own, updates by scope")
def by_scope(x, training, momentum, eps):
    with tf.variable_scope(None, default_name="in_place") as scope:
        y = tf.layers.batch_normalization(x, training=training, momentum=momentum, epsilon=eps)
    own = tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope=f"{scope.name}/")
    return after(own, y)
