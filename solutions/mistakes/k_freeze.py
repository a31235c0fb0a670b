"""Known answers to `k-freeze`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or an issue in which it was reported.
"""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf2 import keras, tf

Norm = keras.layers.BatchNormalization


def on_top(base, classes, **how):
    """A functional model; `how` is said when it is put together."""
    start = keras.Input(base.input_shape[1:])
    return keras.Model(start, keras.layers.Dense(classes)(base(start, **how)))


class Tuned(keras.Model):
    """A model whose own `call` says how the base is called."""

    def __init__(self, base, classes, activation=None, **how):
        super().__init__()
        self.base, self.how = base, how
        self.head = keras.layers.Dense(classes, activation=activation)

    def call(self, x):
        return self.head(self.base(x, **self.how))


def all_layers(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        else:
            yield layer


NOTHING = ("nothing-frozen", "python-eval", "functional-false-only")
UNTIL_THAWED = ("trainable-only", "functional-false")


@mistake(
    "nothing-frozen",
    "Nothing is frozen: the whole base trains, and its statistics move",
    "Which setting keeps the optimizer away from the base? Which one holds the statistics?",
    see="G69",
    same_as=NOTHING[1:],
)
def nothing_frozen(base, classes):
    return on_top(base, classes)


@mistake(
    "python-eval",
    "Nothing is frozen: Keras never reads an attribute `base.training`",
    "PyTorch keeps the mode in the module. Where does Keras take it from?",
    see="PyTorch's eval() in Keras",
    same_as=(NOTHING[0], NOTHING[2]),
)
def python_eval(base, classes):
    base.training = False
    return on_top(base, classes)


@mistake(
    "functional-false-only",
    "Nothing is frozen: a `training=False` said when a functional model is put together gives way "
    "to what the model is called with",
    "What does Keras 3 hand down to the layers of a functional model?",
    see="keras-team/keras#20285",
    same_as=NOTHING[:2],
)
def functional_false_only(base, classes):
    return on_top(base, classes, training=False)


@mistake(
    "trainable-only",
    "As soon as the base is thawed, its statistics go with the batch again",
    "`trainable = False` holds until somebody sets it to True. What can be said at every call of "
    "the base, so that it holds for good?",
    see="keras-team/keras#4762",
    same_as=UNTIL_THAWED[1:],
)
def trainable_only(base, classes):
    base.trainable = False
    return on_top(base, classes)


@mistake(
    "functional-false",
    "As soon as the base is thawed, its statistics go with the batch again: "
    "`training=False` was said when the functional model was put together, and gives way",
    "Whose `training` do the layers of a functional model get: the one said while building, or "
    "the one of the call?",
    see="keras-team/keras#20285",
    same_as=UNTIL_THAWED[:1],
)
def functional_false(base, classes):
    base.trainable = False
    return on_top(base, classes, training=False)


@mistake(
    "functional-true",
    "As soon as the base is thawed, its statistics go with the batch again, in a bare "
    "call too, as you asked with `training=True`",
    "What does `training=True` mean on the day the base is thawed?",
    see="G69",
)
def functional_true(base, classes):
    base.trainable = False
    return on_top(base, classes, training=True)


@mistake(
    "training-true",
    "The base is always called with `training=True`: the frozen flag hides it, and once that is "
    "gone even predictions depend on the batch",
    "What does `training=True` mean for a prediction, on the day the base is thawed?",
    see="G69",
)
def training_true(base, classes):
    base.trainable = False
    return Tuned(base, classes, training=True)


@mistake(
    "training-required",
    "A bare call `model(x)` is an error: your `call` cannot do without `training`",
    "What does Keras give your `call` when nobody has said `training`, and what if there is no "
    "default?",
    see="call(self, x, training), as one writes it in a subclass",
)
class TrainingRequired(keras.Model):
    def __init__(self, base, classes):
        super().__init__()
        base.trainable = False
        self.base, self.head = base, keras.layers.Dense(classes)

    def call(self, x, training):
        return self.head(self.base(x, training=False))


@mistake(
    "bare-trains",
    "A bare call `model(x)` calls the base with `training=True`: the frozen flag hides it, and "
    "once that is gone a prediction depends on the batch",
    "What does Keras take a bare call for, training or prediction? And your `call`?",
    see="training=None taken for True",
)
class BareTrains(TrainingRequired):
    def call(self, x, training=None):
        return self.head(self.base(x, training=training is None))


@mistake(
    "training-false-only",
    "The statistics stand still, but the base's weights train from the first step",
    "`training=False` is about statistics. What is it that the optimizer looks at?",
    see="the two settings taken for one",
)
def training_false_only(base, classes):
    return Tuned(base, classes, training=False)


@mistake(
    "kernels-only",
    "Only the dense layers are frozen: γ and β train, and the statistics move",
    "Which other layers of the base have variables?",
    see="keras-team/keras#7085",
)
def kernels_only(base, classes):
    for layer in all_layers(base):
        if isinstance(layer, keras.layers.Dense):
            layer.trainable = False
    return on_top(base, classes)


@mistake(
    "norms-only",
    "Only the normalized layers are frozen: the kernels train",
    "What of the base should change while the head learns?",
    see="freezing batch norm alone is another recipe",
)
def norms_only(base, classes):
    for layer in all_layers(base):
        if isinstance(layer, Norm):
            layer.trainable = False
    return Tuned(base, classes, training=False)


@mistake(
    "norms-only-for-now",
    "Only the normalized layers are frozen: the kernels train, and once `base.trainable = True` "
    "is said the statistics move",
    "What of the base should change while the head learns? And whose `trainable` is set later?",
    see="freezing batch norm alone is another recipe",
)
def norms_only_for_now(base, classes):
    for layer in all_layers(base):
        if isinstance(layer, Norm):
            layer.trainable = False
    return on_top(base, classes)


@mistake(
    "momentum-one",
    "With a momentum of 1 the statistics stand still, but the layer still normalizes with the "
    "batch",
    "Which statistics does a layer use in training mode, whatever its momentum?",
    see="keras-team/keras#9965",
)
def momentum_one(base, classes):
    for layer in all_layers(base):
        if isinstance(layer, Norm):
            layer.momentum = 1.0
        for weight in layer.trainable_variables:
            weight.trainable = False
    return on_top(base, classes)


@mistake(
    "sublayers-forgotten",
    "Layers inside the model inside the base are not frozen",
    "What is in `base.layers`: every layer, or are some of them models themselves?",
    see="a loop over model.layers",
)
def sublayers_forgotten(base, classes):
    for layer in base.layers:
        if isinstance(layer, (keras.layers.Dense, Norm)):
            layer.trainable = False
    return on_top(base, classes)


@mistake(
    "sublayers-forgotten-statistics-kept",
    "The statistics stand still, but weights of the model inside the base train",
    "What is in `base.layers`: every layer, or are some of them models themselves?",
    see="a loop over model.layers",
)
def sublayers_forgotten_statistics_kept(base, classes):
    for layer in base.layers:
        if isinstance(layer, (keras.layers.Dense, Norm)):
            layer.trainable = False
    return Tuned(base, classes, training=False)


@mistake(
    "all-frozen",
    "The head is frozen too: nothing learns",
    "Which variables are in `trainable_variables` of the model you return?",
    see="trainable = False on the whole model",
)
def all_frozen(base, classes):
    model = Tuned(base, classes, training=False)
    model.trainable = False
    return model


@mistake(
    "probabilities",
    "The model gives probabilities; the text asks for logits",
    "What does the activation of your last layer do?",
    see="a softmax by habit",
)
def probabilities(base, classes):
    base.trainable = False
    return Tuned(base, classes, activation="softmax", training=False)


@mistake(
    "cloned",
    "The head sits on a copy of the base with new weights; what was learned is lost",
    "What does `clone_model` copy: the layers, or their values too?",
    see="keras.models.clone_model makes new weights",
)
def cloned(base, classes):
    copy = keras.models.clone_model(base)
    copy.trainable = False
    return Tuned(copy, classes, training=False)


@mistake(
    "cut-off",
    "The base stays as it is for good: after it is thawed, its weights still do not learn",
    "How does a gradient get from the loss to the base's kernels? Are they among the model's "
    "`trainable_variables`?",
    see="tf.stop_gradient, base.predict or a Lambda layer in the way",
)
class CutOff(keras.Model):
    def __init__(self, base, classes):
        super().__init__()
        base.trainable = False
        self.base, self.head = base, keras.layers.Dense(classes)

    def call(self, x):
        return self.head(tf.stop_gradient(self.base(x, training=False)))


@mistake(
    "head-made-anew",
    "The dense layer is made anew at every call, with new weights: nothing of it can learn",
    "How many dense layers has your model made after two calls?",
    see="a layer made in call",
)
class HeadMadeAnew(keras.Model):
    def __init__(self, base, classes):
        super().__init__()
        base.trainable = False
        self.base, self.classes = base, classes

    def call(self, x):
        return keras.layers.Dense(self.classes)(self.base(x, training=False))


@variant("the lesson's")
def lesson(base, classes):
    base.trainable = False
    return Tuned(base, classes, training=False)


@variant("layer by layer")
def layer_by_layer(base, classes):
    for layer in base.layers:
        layer.trainable = False
    return Tuned(base, classes, training=False)


@variant("a class that takes training and leaves it aside")
class OwnModel(keras.Model):
    def __init__(self, base, classes):
        super().__init__()
        base.trainable = False
        self.base, self.head = base, keras.layers.Dense(classes)

    def call(self, x, training=None):
        return self.head(self.base(x, training=False))


class Predicting(keras.layers.Layer):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x, training=False)


@variant("a layer around the base, in a functional model")
def wrapped(base, classes):
    base.trainable = False
    start = keras.Input(base.input_shape[1:])
    return keras.Model(start, keras.layers.Dense(classes)(Predicting(base)(start)))


@variant("a class whose training has a default that it leaves aside")
class Predicts(OwnModel):
    def call(self, inputs, training=False, mask=None):
        return self.head(self.base(inputs, training=False))
