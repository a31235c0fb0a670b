"""Known answers to `mnist-find-the-bug`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf

HE = tf.variance_scaling_initializer(scale=2.0)


def network(x, norm, reuse=None, act=tf.nn.elu, init=HE):
    """The lesson's network with `norm(h, name)` as its batch norm."""
    h = x
    for units, number in ((300, 1), (100, 2)):
        name = f"hidden{number}"
        h = tf.layers.dense(
            h, units, use_bias=False, kernel_initializer=init, name=name, reuse=reuse
        )
        h = act(norm(h, f"bn{number}"))
    return tf.layers.dense(h, 10, kernel_initializer=HE, name="logits", reuse=reuse)


def batch_norm(h, name, momentum=0.9, **given):
    return tf.layers.batch_normalization(h, momentum=momentum, name=name, **given)


@mistake(
    "as-published",
    "The first normalized layer stands still, as in the published listing",
    "Which argument does the second normalized layer get that the first does not?",
    see="public notebooks: training= forgotten",
)
def as_published(x, training):
    def norm(h, name):
        return batch_norm(h, name) if name == "bn1" else batch_norm(h, name, training=training)

    return network(x, norm)


@mistake(
    "the-other-one",
    "Now the first layer moves, and the second stands still",
    "How many normalized layers does the network have, and how many must know about training?",
    see="public notebooks: training= forgotten",
)
def the_other_one(x, training):
    def norm(h, name):
        return batch_norm(h, name) if name == "bn2" else batch_norm(h, name, training=training)

    return network(x, norm)


@mistake(
    "neither",
    "Neither of your normalized layers has an update operation",
    "What is the default of `training` in `tf.layers.batch_normalization`?",
    see="public notebooks: training= forgotten; F62",
)
def neither(x, training):
    return network(x, batch_norm)


@mistake(
    "own-flag",
    "Your update operations change nothing, whatever is fed to `training`",
    "Where does the value of your flag come from? What is the argument `training` for?",
    see="public notebooks: flag not fed at train; F62",
)
def own_flag(x, training):
    flag = tf.placeholder_with_default(False, ())
    return network(x, lambda h, name: batch_norm(h, name, training=flag))


@mistake(
    "always-training",
    "`training` is always true in your network: its predictions use the batch",
    "What are the mean and the variance of a batch that holds a single image?",
    see="F62; public notebooks: eval fed True",
)
def always_training(x, training):
    return network(x, lambda h, name: batch_norm(h, name, training=True))


@mistake(
    "one-always-training",
    "When your network predicts, one of its two normalized layers uses the batch",
    "Compare the two layers argument by argument: what does each do when `training` is false?",
    see="F62; public notebooks: eval fed True",
)
def one_always_training(x, training):
    def norm(h, name):
        return batch_norm(h, name, training=True if name == "bn1" else training)

    return network(x, norm)


@mistake(
    "one-layer-left",
    "One of the two normalized layers is gone",
    "Which lines of the listing are missing in yours?",
    see="public notebooks: the layer taken out in place of the bug",
)
def one_layer_left(x, training):
    def norm(h, name):
        return h if name == "bn1" else batch_norm(h, name, training=training)

    return network(x, norm)


@mistake(
    "elu-first",
    "Your layers normalize what comes out of ELU; the listing normalizes what goes into it",
    "In which order do dense layer, batch norm and ELU stand in the listing?",
    see="activation given to the dense layer",
)
def elu_first(x, training):
    def norm(h, name):
        return batch_norm(tf.nn.elu(h), name, training=training)

    return network(x, norm, act=tf.identity)


@mistake(
    "relu",
    "The activation is ReLU; in the listing it is ELU",
    "What do the two functions give out below 0?",
    see="the activation of most public notebooks",
)
def relu(x, training):
    return network(x, lambda h, name: batch_norm(h, name, training=training), act=tf.nn.relu)


@mistake(
    "softmax",
    "You return probabilities; asked for are the logits",
    "What does the loss do with what your network returns?",
    see="softmax twice",
)
def softmax(x, training):
    return tf.nn.softmax(network(x, lambda h, name: batch_norm(h, name, training=training)))


@mistake(
    "default-scale",
    "The weights start with variance 1/n, the default, and no longer with 2/n",
    "Which argument of the listing's initializer got lost?",
    see="variance_scaling_initializer without scale",
)
def default_scale(x, training):
    init = tf.variance_scaling_initializer()
    return network(x, lambda h, name: batch_norm(h, name, training=training), init=init)


@mistake(
    "even-weights",
    "The hidden layers' weights have no normal distribution at the start; the listing's have",
    "Which `distribution` has the listing's initializer by default, and which has yours?",
    see="he_uniform for variance_scaling_initializer",
)
def even_weights(x, training):
    init = tf.keras.initializers.he_uniform()
    return network(x, lambda h, name: batch_norm(h, name, training=training), init=init)


@mistake(
    "logits-without-bias",
    "The logits have no bias; in the listing they have one",
    "Which of the dense layers have `use_bias=False` in the listing, and why not all three?",
    see="use_bias=False copied to the last layer",
)
def logits_without_bias(x, training):
    h = x
    for units in (300, 100):
        h = tf.layers.dense(h, units, use_bias=False, kernel_initializer=HE)
        h = tf.nn.elu(tf.layers.batch_normalization(h, momentum=0.9, training=training))
    return tf.layers.dense(h, 10, use_bias=False, kernel_initializer=HE)


@mistake(
    "upside-down",
    "The flag is upside down: your layers use the batch when predicting, and only then",
    "What should a layer do when `training` is true?",
    see="F62; public notebooks: eval fed True",
)
def upside_down(x, training):
    flag = tf.logical_not(training)
    return network(x, lambda h, name: batch_norm(h, name, training=flag))


@mistake(
    "default-momentum",
    "The momentum of the moving averages is 0.99, the default, and no longer 0.9",
    "Which argument of the published layers got lost?",
    see="B30",
)
def default_momentum(x, training):
    return network(x, lambda h, name: batch_norm(h, name, momentum=0.99, training=training))


@mistake(
    "pytorch-momentum",
    "The momentum is 0.1: nine tenths of each moving statistic come from the newest batch",
    "Whose weight is `momentum` in TensorFlow: that of the old value, or that of the new one?",
    see="B29",
)
def pytorch_momentum(x, training):
    return network(x, lambda h, name: batch_norm(h, name, momentum=0.1, training=training))


@mistake(
    "two-towers",
    "Every step updates the statistics twice, as where the network is there twice in training mode",
    "How many update operations does your graph hold? Which of the two towers should have any?",
    see="F65, F66",
)
def two_towers(x, training):
    network(x, lambda h, name: batch_norm(h, name, training=training))
    return network(
        x, lambda h, name: batch_norm(h, name, training=training, reuse=True), reuse=True
    )


@mistake(
    "trained-statistics",
    "Your moving statistics are trainable variables: the optimizer would change them too",
    "Which of a batch norm layer's four variables belong to `tf.trainable_variables()`?",
    see="public notebooks: trainable population statistics",
)
def trained_statistics(x, training):
    def norm(h, name):
        size = int(h.shape[1])
        mean, var = tf.Variable(tf.zeros(size)), tf.Variable(tf.ones(size))
        return by_hand(h, training, mean, var)

    return network(x, norm)


@mistake(
    "updates-in-prediction",
    "Your moving statistics move in prediction too: an update runs whatever `training` says",
    "Which operations does a prediction need in your graph? Is an update among them?",
    see="B32, F61",
)
def updates_in_prediction(x, training):
    def norm(h, name):
        mean, var = statistics(h)
        batch_mean, batch_var = tf.nn.moments(h, [0])
        new = mean.assign(0.9 * mean + 0.1 * batch_mean), var.assign(0.9 * var + 0.1 * batch_var)
        for update in new:
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        with tf.control_dependencies(new):
            used = tf.cond(training, lambda: (batch_mean, batch_var), lambda: (mean + 0, var + 0))
        return tf.nn.batch_normalization(h, *used, tf.zeros(h.shape[1]), tf.ones(h.shape[1]), 1e-3)

    return network(x, norm)


def statistics(h):
    size = int(h.shape[1])
    return (
        tf.Variable(tf.zeros(size), trainable=False),
        tf.Variable(tf.ones(size), trainable=False),
    )


def by_hand(h, training, mean, var):
    batch_mean, batch_var = tf.nn.moments(h, [0])

    def in_training():
        with tf.control_dependencies(
            [
                mean.assign(0.9 * mean + 0.1 * batch_mean),
                var.assign(0.9 * var + 0.1 * batch_var),
            ]
        ):
            return tf.identity(batch_mean), tf.identity(batch_var)

    mu, var = tf.cond(training, in_training, lambda: (tf.identity(mean), tf.identity(var)))
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, mu)
    return tf.nn.batch_normalization(h, mu, var, None, None, 1e-3)


# ---------------------------------------------------------------- right, written otherwise


@variant("in a loop, with names by TensorFlow")
def in_a_loop(x, training):
    h = tf.identity(x)
    for units in (300, 100):
        h = tf.layers.dense(h, units, kernel_initializer=tf.keras.initializers.he_normal())
        h = tf.nn.elu(tf.layers.batch_normalization(h, momentum=0.9, training=training))
    return tf.layers.dense(h, 10)


@variant("training by position in a layer object")
def layer_objects(x, training):
    def norm(h, name):
        return tf.layers.BatchNormalization(momentum=0.9, name=name)(h, training=training)

    return network(x, norm)


@variant("Keras layers, their updates collected by hand")
def keras_layers(x, training):
    def norm(h, name):
        layer = tf.keras.layers.BatchNormalization(momentum=0.9, name=name)
        h = layer(h, training=training)
        for update in layer.updates:
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        return h

    return network(x, norm)


@variant("by hand, with tf.nn.moments and tf.cond")
def with_moments(x, training):
    return network(x, lambda h, name: by_hand(h, training, *statistics(h)))


@variant("with tf.where in place of a condition")
def with_where(x, training):
    def norm(h, name):
        moving, now = statistics(h), tf.nn.moments(h, [0])
        for old, new in zip(moving, now, strict=True):
            changed = tf.where(training, 0.9 * old + 0.1 * new, old)
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, old.assign(changed))
        used = [tf.where(training, n, o) for o, n in zip(moving, now, strict=True)]
        return tf.nn.batch_normalization(h, *used, None, None, 1e-3)

    return network(x, norm)


@variant("two towers, one for each mode")
def tower_for_each_mode(x, training):
    one = network(x, lambda h, name: batch_norm(h, name, training=True))
    other = network(x, lambda h, name: batch_norm(h, name, training=False, reuse=True), reuse=True)
    return tf.cond(training, lambda: one, lambda: other)
