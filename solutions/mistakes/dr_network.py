"""Known answers to `dr-network`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def dense(h, units=300):
    return tf.layers.dense(h, units, activation=tf.nn.relu)


def network(x, first, second=None, *, last=lambda h: tf.layers.dense(h, 1), layer=dense):
    """Two hidden layers, each followed by what is given for it."""
    h = first(layer(x))
    h = (second or first)(layer(h))
    return last(h)


def alone(h):
    return h


NEVER = ("no-training", "result-unused")


@mistake(
    "no-training",
    "Nothing is ever dropped, whatever the flag says",
    "What is the default of `training` in `tf.layers.dropout`, and who takes what dropout returns?",
    see="H85; public TensorFlow 1 notebooks: training forgotten",
    same_as=(NEVER[1],),
)
def no_training(x, training, rate):
    return network(x, lambda h: tf.layers.dropout(h, rate))


@mistake(
    "result-unused",
    "Nothing is ever dropped: the next layer takes what dense gave, not what dropout gave",
    "Follow the prediction backwards to x. Do you pass through your dropout ops?",
    see="own",
    same_as=(NEVER[0],),
)
def result_unused(x, training, rate):
    h1 = dense(x)
    tf.layers.dropout(h1, rate, training=training)
    h2 = dense(h1)
    tf.layers.dropout(h2, rate, training=training)
    return tf.layers.dense(h2, 1)


@mistake(
    "always-on",
    "It drops units whatever the flag says, in evaluation too",
    "Where does the placeholder `training` enter your graph?",
    see="H77; F62",
)
def always_on(x, training, rate):
    return network(x, lambda h: tf.nn.dropout(h, rate=rate))


@mistake(
    "flag-inverted",
    "Fed False it drops units, and fed True it does not: the switch is the wrong way round",
    "When should units be dropped: while weights are learned, or while they are used?",
    see="own",
)
def flag_inverted(x, training, rate):
    off = tf.logical_not(training)
    return network(x, lambda h: tf.layers.dropout(h, rate, training=off))


def with_flags(first, second):
    """Right but for what becomes of the flag on its way to each of the two dropouts."""

    def build_network(x, training, rate):
        flags = first(training), second(training)
        drops = [lambda h, flag=flag: tf.layers.dropout(h, rate, training=flag) for flag in flags]
        return network(x, *drops)

    return build_network


mistake(
    "flag-inverted-in-layer-1",
    "Only hidden layer 1 drops units when fed False, and it does not when fed True",
    "Which value reaches the first of your two dropout calls when `training` is fed True?",
    see="found by an attacker",
)(with_flags(tf.logical_not, alone))

mistake(
    "flag-inverted-in-layer-2",
    "Only hidden layer 2 drops units when fed False, and it does not when fed True",
    "Which value reaches the second of your two dropout calls when `training` is fed True?",
    see="found by an attacker",
)(with_flags(alone, tf.logical_not))

mistake(
    "always-on-in-layer-1",
    "Hidden layer 1 drops units whatever the flag says; layer 2 does not",
    "Which value reaches the first of your two dropout calls when `training` is fed False?",
    see="found by an attacker",
)(with_flags(lambda flag: True, alone))

mistake(
    "always-on-in-layer-2",
    "Hidden layer 2 drops units whatever the flag says; layer 1 does not",
    "Which value reaches the second of your two dropout calls when `training` is fed False?",
    see="found by an attacker",
)(with_flags(alone, lambda flag: True))


@mistake(
    "keep-for-rate",
    "It keeps the share `rate` of the units, and should drop it",
    "Is the second argument of the dropout function you call the share that goes, or that stays?",
    see="H74, H84",
)
def keep_for_rate(x, training, rate):
    return network(x, lambda h: tf.layers.dropout(h, 1 - rate, training=training))


@mistake(
    "fixed-rate",
    "It drops half of the units, whatever `rate` says",
    "Which rate does `tf.layers.dropout` take if you give it none?",
    see="own",
)
def fixed_rate(x, training, rate):
    return network(x, lambda h: tf.layers.dropout(h, training=training))


@mistake(
    "output-too",
    "The prediction itself is dropped: in training it is 0 now and then",
    "Which of your layers comes last, and what does a 0 mean in a regression's answer?",
    see="H86; weihua916/powerful-gnns#16",
)
def output_too(x, training, rate):
    def drop(h):
        return tf.layers.dropout(h, rate, training=training)

    return network(x, drop, last=lambda h: drop(tf.layers.dense(h, 1)))


@mistake(
    "output-instead",
    "The second dropout acts on the prediction, where it should act on the second hidden layer",
    "Count from x: dense, dropout, dense. What comes now?",
    see="H86",
)
def output_instead(x, training, rate):
    def drop(h):
        return tf.layers.dropout(h, rate, training=training)

    return network(x, drop, alone, last=lambda h: drop(tf.layers.dense(h, 1)))


@mistake(
    "first-only",
    "Only the first hidden layer has dropout",
    "How many hidden layers are there, and how many calls of dropout?",
    see="zygmuntz/hyperband#9",
)
def first_only(x, training, rate):
    return network(x, lambda h: tf.layers.dropout(h, rate, training=training), alone)


@mistake(
    "second-only",
    "Only the second hidden layer has dropout",
    "How many hidden layers are there, and how many calls of dropout?",
    see="own",
)
def second_only(x, training, rate):
    return network(x, alone, lambda h: tf.layers.dropout(h, rate, training=training))


@mistake(
    "both-at-the-second",
    "Both dropouts act on the second hidden layer, one after the other",
    "What does each of your dropout calls take, and what does the second dense layer take?",
    see="own",
)
def both_at_the_second(x, training, rate):
    def drop(h):
        return tf.layers.dropout(h, rate, training=training)

    return network(x, alone, lambda h: drop(drop(h)))


@mistake(
    "on-x",
    "x itself is dropped, and the second hidden layer is not",
    "x has one feature. What is left of a sample that loses it?",
    see="own",
)
def on_x(x, training, rate):
    def drop(h):
        return tf.layers.dropout(h, rate, training=training)

    return network(drop(x), drop, alone)


@mistake(
    "x-too",
    "x itself is dropped as well",
    "x has one feature. What is left of a sample that loses it?",
    see="own",
)
def x_too(x, training, rate):
    def drop(h):
        return tf.layers.dropout(h, rate, training=training)

    return network(drop(x), drop)


@mistake(
    "not-scaled",
    "Units are dropped, but what is kept is not scaled up: in training every sum comes out smaller",
    "What is the mean of mask · h if a mask is 1 with probability keep?",
    see="H72",
)
def not_scaled(x, training, rate):
    def drop(h):
        mask = tf.cast(tf.random_uniform(tf.shape(h)) >= rate, h.dtype)
        return tf.where(training, h * mask, h)

    return network(x, drop)


@mistake(
    "whole-samples",
    "A layer's units go all together: one draw per sample",
    "What shape has your mask, and what shape has the layer?",
    see="H79",
)
def whole_samples(x, training, rate):
    def drop(h):
        shape = [tf.shape(h)[0], 1]
        return tf.layers.dropout(h, rate, noise_shape=shape, training=training)

    return network(x, drop)


@mistake(
    "no-activation",
    "The hidden layers have no activation: three linear layers in a row are one straight line",
    "Which activation does `tf.layers.dense` have if you name none?",
    see="own",
)
def no_activation(x, training, rate):
    return network(
        x,
        lambda h: tf.layers.dropout(h, rate, training=training),
        layer=lambda h: tf.layers.dense(h, 300),
    )


@mistake(
    "relu-on-the-prediction",
    "The prediction goes through a ReLU too, so it is never negative",
    "Which values of y must this network be able to give?",
    see="own",
)
def relu_on_the_prediction(x, training, rate):
    return network(
        x,
        lambda h: tf.layers.dropout(h, rate, training=training),
        last=lambda h: dense(h, 1),
    )


@mistake(
    "one-hidden-layer",
    "There is one hidden layer; there should be two",
    "How many weight matrices lie on the way from x to the prediction?",
    see="own",
)
def one_hidden_layer(x, training, rate):
    h = tf.layers.dropout(dense(x), rate, training=training)
    return tf.layers.dense(h, 1)


@mistake(
    "no-last-layer",
    "The prediction is the second hidden layer: 300 numbers per sample",
    "How many numbers should the network give for one x?",
    see="own",
)
def no_last_layer(x, training, rate):
    return network(x, lambda h: tf.layers.dropout(h, rate, training=training), last=alone)


@mistake(
    "if-in-python",
    "Python's `if` asks the placeholder for a value, and it has none while the graph is built",
    "When does Python run your `if`, and when is the placeholder fed?",
    see="F68",
)
def if_in_python(x, training, rate):
    return network(x, (lambda h: tf.nn.dropout(h, rate=rate)) if training else alone)


@mistake(
    "no-activation-2",
    "The second hidden layer has no activation",
    "Which activation does `tf.layers.dense` have if you name none?",
    see="own",
)
def no_activation_2(x, training, rate):
    h = tf.layers.dropout(dense(x), rate, training=training)
    h = tf.layers.dropout(tf.layers.dense(h, 300), rate, training=training)
    return tf.layers.dense(h, 1)


@mistake(
    "no-activation-1",
    "The first hidden layer has no activation",
    "Which activation does `tf.layers.dense` have if you name none?",
    see="own",
)
def no_activation_1(x, training, rate):
    h = tf.layers.dropout(tf.layers.dense(x, 300), rate, training=training)
    h = tf.layers.dropout(dense(h), rate, training=training)
    return tf.layers.dense(h, 1)


def with_activation(function):
    def build_network(x, training, rate):
        return network(
            x,
            lambda h: tf.layers.dropout(h, rate, training=training),
            layer=lambda h: tf.layers.dense(h, 300, activation=function),
        )

    return build_network


mistake(
    "another-activation",
    "The hidden layers have an activation, and it is not ReLU",
    "What should become of a negative sum, and what of a large positive one?",
    see="own",
)(with_activation(tf.nn.tanh))

mistake(
    "sigmoid",
    "The hidden layers have an activation, and it is not ReLU",
    "What should become of a negative sum, and what of a large positive one?",
    see="own",
)(with_activation(tf.nn.sigmoid))


@mistake(
    "curved-prediction",
    "The prediction is the last layer's sum sent through another function",
    "Which values must the prediction be able to take, and which can this function give?",
    see="own",
)
def curved_prediction(x, training, rate):
    return network(
        x,
        lambda h: tf.layers.dropout(h, rate, training=training),
        last=lambda h: tf.layers.dense(h, 1, activation=tf.nn.tanh),
    )


@mistake(
    "flat-prediction",
    "The prediction has the shape (m,): its second axis is lost",
    "What is the shape of a prediction (m,) minus targets (m, 1)?",
    see="tensorflow/tensorflow#37770",
)
def flat_prediction(x, training, rate):
    y = network(x, lambda h: tf.layers.dropout(h, rate, training=training))
    return tf.squeeze(y, axis=1)


@mistake(
    "second-layer-unused",
    "The second hidden layer is made, and the prediction does not depend on it",
    "Follow the prediction backwards to x. Which layers do you pass through?",
    see="own",
)
def second_layer_unused(x, training, rate):
    h1 = tf.layers.dropout(dense(x), rate, training=training)
    tf.layers.dropout(dense(h1), rate, training=training)
    return tf.layers.dense(h1, 1)


@mistake(
    "both-from-x",
    "Both hidden layers take x: they stand side by side, and the first leads nowhere",
    "What does the second hidden layer take, and what should it take?",
    see="own",
)
def both_from_x(x, training, rate):
    h = None
    for _ in range(2):
        h = tf.layers.dropout(dense(x), rate, training=training)
    return tf.layers.dense(h, 1)


@mistake(
    "three-hidden-layers",
    "There are three hidden layers; there should be two",
    "How many weight matrices lie on the way from x to the prediction?",
    see="own",
)
def three_hidden_layers(x, training, rate):
    h = x
    for _ in range(3):
        h = tf.layers.dropout(dense(h), rate, training=training)
    return tf.layers.dense(h, 1)


@mistake(
    "mask-drawn-once",
    "The mask is drawn once, while the graph is built: the same units are missing in every run",
    "When does NumPy draw, and when does the session run?",
    see="H82",
)
def mask_drawn_once(x, training, rate):
    return network(x, lambda h: h * np.random.binomial(1, 1 - rate, 300) / (1 - rate))


@mistake(
    "one-mask-for-all-samples",
    "All samples of a run share one mask",
    "What shape has your mask, and how many samples are there?",
    see="H79",
)
def one_mask_for_all_samples(x, training, rate):
    def drop(h):
        return tf.layers.dropout(h, rate, noise_shape=[1, 300], training=training)

    return network(x, drop)


@mistake(
    "one-mask-for-both-layers",
    "One mask is drawn and used in both layers: unit i goes in both or in neither",
    "How often does your code draw, and how many dropout layers are there?",
    see="own",
)
def one_mask_for_both_layers(x, training, rate):
    mask = tf.layers.dropout(tf.ones((tf.shape(x)[0], 300)), rate, training=training)
    return network(x, lambda h: h * mask)


@mistake(
    "scaled-again",
    "Fed False, the hidden layers are multiplied by a factor, and training has scaled them already",
    "Dropout divides by keep in training. What is left to do in evaluation?",
    see="H73",
)
def scaled_again(x, training, rate):
    def drop(h):
        return tf.cond(training, lambda: tf.nn.dropout(h, rate=rate), lambda: h * (1 - rate))

    return network(x, drop)


def with_layers(**options):
    """Right but for what is passed to each dense layer."""

    def build_network(x, training, rate):
        return network(
            x,
            lambda h: tf.layers.dropout(h, rate, training=training),
            last=lambda h: tf.layers.dense(h, 1, **options),
            layer=lambda h: tf.layers.dense(h, 300, activation=tf.nn.relu, **options),
        )

    return build_network


mistake(
    "all-weights-0",
    "All weights start with 0: no gradient comes through, and the network stays a constant",
    "If all units of a layer are equal, and get equal gradients, what can make them differ?",
    see="own",
)(with_layers(kernel_initializer=tf.zeros_initializer()))

mistake(
    "all-weights-alike",
    "All weights of a layer start alike: its units get the same gradients, and stay copies",
    "If all units of a layer are equal, and get equal gradients, what can make them differ?",
    see="own",
)(with_layers(kernel_initializer=tf.constant_initializer(0.05)))

mistake(
    "not-trainable",
    "The layers are made with `trainable=False`: no optimizer changes their weights",
    "What is in `tf.trainable_variables()` after your function, and who reads that list?",
    see="own",
)(with_layers(trainable=False))


# ---------------------------------------------------------------- right, written otherwise


@variant("tf.nn.dropout in tf.cond")
def with_cond(x, training, rate):
    def drop(h):
        return tf.cond(training, lambda: tf.nn.dropout(h, rate=rate), lambda: tf.identity(h))

    return network(x, drop)


@variant("a rate that the flag sets to 0")
def rate_by_flag(x, training, rate):
    now = tf.where(training, rate, 0.0)
    return network(x, lambda h: tf.nn.dropout(h, rate=now))


@variant("keep_prob, as in version 1")
def with_keep_prob(x, training, rate):
    keep = tf.cond(training, lambda: tf.constant(1 - rate), lambda: tf.constant(1.0))
    return network(x, lambda h: tf.nn.dropout(h, keep_prob=keep))


@variant("a mask of its own")
def own_mask(x, training, rate):
    def drop(h):
        mask = tf.cast(tf.random_uniform(tf.shape(h)) < 1 - rate, tf.float32)
        return tf.where(training, h * mask / (1 - rate), h)

    return network(x, drop)


@variant("dropout before the ReLU, which keeps zeros and factors")
def before_relu(x, training, rate):
    def layer(h):
        z = tf.layers.dropout(tf.layers.dense(h, 300), rate, training=training)
        return tf.nn.relu(z)

    return network(x, alone, layer=layer)


@variant("its own variables, biases of shape (1, n), matmul")
def own_variables(x, training, rate):
    h, sizes = x, (1, 300, 300, 1)
    for i, (n, k) in enumerate(zip(sizes, sizes[1:], strict=False)):
        w = tf.get_variable(f"w{i}", [n, k])
        b = tf.get_variable(f"b{i}", [1, k], initializer=tf.zeros_initializer())
        h = tf.matmul(h, w) + b
        if i < 2:
            h = tf.layers.dropout(tf.nn.relu(h), rate=rate, training=training)
    return h


@variant("both biases start from one tensor")
def shared_start(x, training, rate):
    h, zeros = x, tf.zeros([300])
    for i, n in enumerate((1, 300)):
        w = tf.get_variable(f"w{i}", [n, 300])
        h = tf.nn.relu(tf.matmul(h, w) + tf.Variable(zeros, name=f"b{i}"))
        h = tf.layers.dropout(h, rate=rate, training=training)
    return tf.layers.dense(h, 1)


@variant("Keras layers")
def with_keras(x, training, rate):
    layers = tf.keras.layers
    h = layers.Dropout(rate)(layers.Dense(300, activation="relu")(x), training=training)
    h = layers.Dropout(rate)(layers.Dense(300, activation="relu")(h), training=training)
    return layers.Dense(1)(h)


@variant("seeds given to each layer")
def with_seeds(x, training, rate):
    h = tf.layers.dropout(dense(x), rate, seed=1, training=training)
    h = tf.layers.dropout(dense(h), rate, seed=2, training=training)
    return tf.layers.dense(h, 1)


def as_he(shape, dtype, partition_info=None):
    return tf.random_normal(shape, stddev=np.sqrt(2 / shape[0]), dtype=dtype)


variant("He's start values")(with_layers(kernel_initializer=as_he))


@variant("last layer starts with 0, small biases")
def last_layer_from_0(x, training, rate):
    def layer(h):
        bias = tf.constant_initializer(0.01)
        return tf.layers.dense(h, 300, activation=tf.nn.relu, bias_initializer=bias)

    def last(h):
        return tf.layers.dense(h, 1, kernel_initializer=tf.zeros_initializer())

    drop = tf.layers.Dropout(rate)
    return network(x, lambda h: drop(h, training=training), layer=layer, last=last)
