"""Known answers to `k-dropout`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or a paper.
"""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf2 import keras

kinds = keras.layers


def block(size, bias=False, momentum=0.9, **norm):
    return [
        kinds.Dense(size, use_bias=bias),
        kinds.BatchNormalization(momentum=momentum, **norm),
        kinds.Activation("elu"),
    ]


def blocks(units, **how):
    return [layer for size in units for layer in block(size, **how)]


@mistake(
    "in-every-block",
    "Dropout stands in every block, so the batch norm of the next block notes a variance that it "
    "does not meet in prediction",
    "What does the dense layer after dropout do to the variance that dropout adds?",
    see="H87; Li et al. 2018",
)
def in_every_block(units, rate):
    return [layer for size in units for layer in (*block(size), kinds.Dropout(rate))]


@mistake(
    "before-batch-norm",
    "Dropout stands right before batch norm: what it notes is the variance with units dropped",
    "Which variance does batch norm divide by in prediction, and which does its input have then?",
    see="H87; Li et al. 2018",
)
def before_batch_norm(units, rate):
    found = []
    for size in units:
        dense, norm, elu = block(size)
        found += [dense, kinds.Dropout(rate), norm, elu]
    return found


@mistake(
    "before-the-last-batch-norm",
    "Dropout stands before the last batch norm: what it notes is the variance with units dropped",
    "Which variance does batch norm divide by in prediction, and which does its input have then?",
    see="H87; Li et al. 2018",
)
def before_the_last_batch_norm(units, rate):
    *found, norm, elu = blocks(units)
    return [*found, kinds.Dropout(rate), norm, elu]


@mistake(
    "at-the-start",
    "Dropout stands before everything, so every batch norm comes after it",
    "Which variance does the first batch norm note, and which does it meet in prediction?",
    see="H87; Li et al. 2018",
)
def at_the_start(units, rate):
    return [kinds.Dropout(rate), *blocks(units)]


@mistake(
    "no-dropout",
    "There is no dropout in the list",
    "What is `rate` for?",
    see="the disharmony avoided",
)
def no_dropout(units, rate):
    return blocks(units)


class OnlyScales(kinds.Dropout):
    def call(self, x, training=False):
        return x / (1 - self.rate) if training else x


@mistake(
    "never-drops",
    "No unit is ever dropped: all are scaled up, as if they were those that are kept",
    "Which share of the numbers that come out in training is 0?",
    see="the factor of inverted dropout without its mask",
)
def never_drops(units, rate):
    return [*blocks(units), OnlyScales(rate)]


@mistake(
    "keep-for-rate",
    "The share that is dropped is the one to keep",
    "What does the argument of `keras.layers.Dropout` count?",
    see="H84",
)
def keep_for_rate(units, rate):
    return [*blocks(units), kinds.Dropout(1 - rate)]


@mistake(
    "bias-kept",
    "The dense layers before batch norm have a bias, whose gradient is 0",
    "What is left of a number that is added to every row of a feature, once the feature's mean is "
    "subtracted?",
    see="G70",
)
def bias_kept(units, rate):
    return [*blocks(units, bias=True), kinds.Dropout(rate)]


@mistake(
    "default-momentum",
    "The momentum is left at Keras's default",
    "What is it when nobody says anything, and what does the text want?",
    see="B30",
)
def default_momentum(units, rate):
    return [*blocks(units, momentum=0.99), kinds.Dropout(rate)]


@mistake(
    "affine-off",
    "Your batch norm has no γ and β; that of `make_network` has",
    "What does batch norm do after it has normalized, in `make_network` and in yours?",
    see="center=False, scale=False taken for parameters for nothing",
)
def affine_off(units, rate):
    return [*blocks(units, center=False, scale=False), kinds.Dropout(rate)]


@mistake(
    "dense-frozen",
    "The dense layers are frozen: their kernels never learn",
    "What does `trainable=False` take from a dense layer: its bias, or its training?",
    see="trainable=False in place of use_bias=False",
)
def dense_frozen(units, rate):
    found = blocks(units)
    for layer in found:
        layer.trainable = not isinstance(layer, kinds.Dense)
    return [*found, kinds.Dropout(rate)]


@mistake(
    "elu-before-batch-norm",
    "ELU comes before batch norm",
    "What does `make_network` normalize: the sums, or what ELU makes of them?",
    see="an activation given to Dense, out of habit",
)
def elu_before_batch_norm(units, rate):
    found = []
    for size in units:
        dense, norm, elu = block(size)
        found += [dense, elu, norm]
    return [*found, kinds.Dropout(rate)]


@mistake(
    "elu-in-dense",
    "The dense layer has an activation of its own, so ELU comes before batch norm",
    "What does `make_network` normalize: the sums, or what ELU makes of them?",
    see="an activation given to Dense, out of habit",
)
def elu_in_dense(units, rate):
    found = []
    for size in units:
        found.append(kinds.Dense(size, activation="elu", use_bias=False))
        found.append(kinds.BatchNormalization(momentum=0.9))
    return [*found, kinds.Dropout(rate)]


@mistake(
    "relu",
    "ReLU stands where `make_network` has ELU",
    "Which layer follows each batch norm in `make_network`, and which in yours?",
    see="ReLU, out of habit",
)
def relu(units, rate):
    found = [
        kinds.Activation("relu") if isinstance(one, kinds.Activation) else one
        for one in blocks(units)
    ]
    return [*found, kinds.Dropout(rate)]


@mistake(
    "one-layer",
    "Only the first number in `units` becomes a layer",
    "How many blocks does your list hold for three numbers?",
    see="a return inside the loop",
)
def one_layer(units, rate):
    for size in units:
        return [*block(size), kinds.Dropout(rate)]


@variant("the lesson's")
def lesson(units, rate):
    return [*blocks(units), kinds.Dropout(rate)]


@variant("keras.layers.ELU, dropout before the last of them, a tuple")
def before_the_last_elu(units, rate):
    *found, _ = blocks(units)
    found = [kinds.ELU() if isinstance(one, kinds.Activation) else one for one in found]
    return (*found, kinds.Dropout(rate), kinds.ELU())


@variant("a Sequential model")
def as_model(units, rate):
    model = keras.Sequential()
    for size in units:
        model.add(kinds.Dense(size, use_bias=False, kernel_initializer="he_normal"))
        model.add(kinds.BatchNormalization(momentum=0.9))
        model.add(kinds.Activation(keras.activations.elu))
    model.add(kinds.Dropout(rate))
    return model


class Elu(kinds.Layer):
    def call(self, x):
        return keras.ops.where(x > 0, x, keras.ops.exp(x) - 1)


@variant("ELU as a layer of one's own and as a Lambda, and another start for gamma")
def own_elu(units, rate):
    found = []
    for i, size in enumerate(units):
        norm = kinds.BatchNormalization(momentum=0.9, gamma_initializer="zeros")
        elu = Elu() if i % 2 else kinds.Lambda(lambda x: keras.activations.elu(x))
        found += [kinds.Dense(size, use_bias=False), norm, elu]
    return [*found, kinds.Dropout(rate)]


@variant("a seeded dropout of one's own class, and γ and β that start elsewhere")
def own_dropout(units, rate):
    norm = dict(beta_initializer="ones", gamma_initializer=keras.initializers.Constant(0.5))

    class OwnDropout(kinds.Dropout):
        pass

    return [*blocks(units, **norm), OwnDropout(rate, seed=3)]
