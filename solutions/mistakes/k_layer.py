"""Known answers to `k-layer`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes.
"""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf2 import keras, tf


class Base(keras.layers.Layer):
    """The right layer, in pieces that a mistake can replace."""

    start_var = "ones"
    trainable_statistics = False

    def __init__(self, momentum=0.99, epsilon=1e-3):
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, shape):
        d, kept = (shape[-1],), dict(trainable=self.trainable_statistics)
        self.gamma = self.add_weight(shape=d, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=d, initializer="zeros", name="beta")
        self.moving_mean = self.add_weight(shape=d, initializer="zeros", name="mean", **kept)
        self.moving_variance = self.add_weight(
            shape=d, initializer=self.start_var, name="var", **kept
        )

    def is_training(self, training):
        return training and self.trainable

    def call(self, x, training=False):
        if self.is_training(training):
            mu, var = self.moments(x)
            self.note(mu, var)
        else:
            mu, var = self.moving_mean, self.moving_variance
        return self.normalize(x, mu, var)

    def moments(self, x):
        return tf.nn.moments(x, axes=[0])

    def blend(self, old, new):
        return self.momentum * old + (1 - self.momentum) * new

    def note(self, mu, var):
        self.moving_mean.assign(self.blend(self.moving_mean, mu))
        self.moving_variance.assign(self.blend(self.moving_variance, var))

    def normalize(self, x, mu, var):
        return self.gamma * (x - mu) / tf.sqrt(var + self.epsilon) + self.beta


@mistake(
    "attributes",
    "The moving statistics are Python attributes: a compiled step, traced once, leaves a symbol "
    "of the trace in them in place of numbers",
    "What kind of thing keeps its value between two runs of a graph, as `count` did in lesson 04?",
    see="G71",
)
class Attributes(Base):
    def build(self, shape):
        d = (shape[-1],)
        self.gamma = self.add_weight(shape=d, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=d, initializer="zeros", name="beta")
        self.moving_mean, self.moving_variance = tf.zeros(d), tf.ones(d)

    def note(self, mu, var):
        self.moving_mean = self.blend(self.moving_mean, mu)
        self.moving_variance = self.blend(self.moving_variance, var)


@mistake(
    "trainable-statistics",
    "The moving statistics are trainable: the optimizer will be handed them too",
    "Which of the four variables does `trainable_variables` list, and which should it?",
    see="public TensorFlow notebooks: trainable population statistics",
)
class TrainableStatistics(Base):
    trainable_statistics = True


@mistake(
    "variables-replaced",
    "The update replaces the variable by a tensor instead of assigning to it",
    "What is `self.moving_mean` after your line: still the variable that `build` made?",
    see="G71",
)
class VariablesReplaced(Base):
    def note(self, mu, var):
        object.__setattr__(self, "moving_mean", self.blend(self.moving_mean, mu))
        object.__setattr__(self, "moving_variance", self.blend(self.moving_variance, var))


@mistake(
    "always-updates",
    "Predictions move the moving statistics too",
    "In which mode may a call change the layer?",
    see="B32",
)
class AlwaysUpdates(Base):
    def call(self, x, training=False):
        mu, var = self.moments(x)
        training = self.is_training(training)
        if training or self.trainable:
            self.note(mu, var)
        if not training:
            mu, var = self.moving_mean, self.moving_variance
        return self.normalize(x, mu, var)


@mistake(
    "momentum-inverted",
    "Your momentum weighs the new value: it is PyTorch's, not Keras's",
    "With momentum 0.99, how much of the old mean should be left after one step?",
    see="B18",
)
class MomentumInverted(Base):
    def blend(self, old, new):
        return (1 - self.momentum) * old + self.momentum * new


@mistake(
    "overwritten",
    "The moving statistics are just those of the last batch",
    "What is left of the first batch after the second one?",
    see="B19",
)
class Overwritten(Base):
    def blend(self, old, new):
        return new


@mistake(
    "never-noted",
    "The moving statistics never move",
    "After a hundred training steps, where should `moving_mean` have got to?",
    see="B21",
)
class NeverNoted(Base):
    def note(self, mu, var):
        pass


@mistake(
    "variance-not-noted",
    "The moving mean moves, and the moving variance does not",
    "How many statistics does a normalized layer have?",
    see="B22",
)
class VarianceNotNoted(Base):
    def note(self, mu, var):
        self.moving_mean.assign(self.blend(self.moving_mean, mu))


@mistake(
    "deviation-noted",
    "`moving_variance` collects standard deviations",
    "What is the difference between σ and σ²?",
    see="B24",
)
class DeviationNoted(Base):
    def note(self, mu, var):
        super().note(mu, tf.sqrt(var))


@mistake(
    "unbiased",
    "The moving variance collects unbiased variances, which are larger by m/(m − 1)",
    "PyTorch and TensorFlow's fused kernel do that; what does the text say?",
    see="B31",
)
class Unbiased(Base):
    def call(self, x, training=False):
        self.count = tf.cast(tf.shape(x)[0], x.dtype)
        return super().call(x, training=training)

    def note(self, mu, var):
        super().note(mu, var * self.count / (self.count - 1))


@mistake(
    "variance-from-zero",
    "The moving variance starts at 0, so a new layer multiplies by 1/√ε",
    "What does a new layer do to its input if its variance is 1? And if it is 0?",
    see="B28",
)
class VarianceFromZero(Base):
    start_var = "zeros"


@mistake(
    "normalizes-with-moving",
    "Training normalizes with the moving statistics",
    "Which mean and variance should the batch be normalized with while training?",
    see="the training branch only notes",
)
class NormalizesWithMoving(Base):
    def call(self, x, training=False):
        if self.is_training(training):
            self.note(*self.moments(x))
        return self.normalize(x, self.moving_mean, self.moving_variance)


@mistake(
    "batch-in-prediction",
    "Prediction normalizes with the batch's own statistics",
    "What is the prediction for an image that is alone in its batch?",
    see="C33",
)
class BatchInPrediction(Base):
    def call(self, x, training=False):
        mu, var = self.moments(x)
        if self.is_training(training):
            self.note(mu, var)
        elif not self.trainable:
            mu, var = self.moving_mean, self.moving_variance
        return self.normalize(x, mu, var)


@mistake(
    "training-by-default",
    "A bare call `layer(x)` trains; in Keras it predicts",
    "What is the default of your `training`?",
    see="G69, the other way round",
)
class TrainingByDefault(Base):
    def call(self, x, training=True):
        return super().call(x, training=training)


@mistake(
    "ignores-frozen",
    "A frozen layer still normalizes with the batch, and its statistics move",
    "With `trainable = False`, which branch of your `call` runs when `training=True` comes in?",
    see="keras-team/keras#7085",
)
class IgnoresFrozen(Base):
    def is_training(self, training):
        return training


@mistake(
    "frozen-notes-only",
    "A frozen layer leaves its statistics alone, but still normalizes with the batch",
    "Which statistics should a frozen layer normalize with?",
    see="keras-team/keras#9965",
)
class FrozenNotesOnly(Base):
    def is_training(self, training):
        return training

    def note(self, mu, var):
        if self.trainable:
            super().note(mu, var)


@mistake(
    "eps-outside",
    "ε is added to the root, not under it",
    "What stands under the root in the formula?",
    see="A, C36",
)
class EpsOutside(Base):
    def normalize(self, x, mu, var):
        return self.gamma * (x - mu) / (tf.sqrt(var) + self.epsilon) + self.beta


@mistake(
    "eps-own",
    "ε is a constant of yours, and not the `epsilon` that the layer was made with",
    "Where does the number given as `epsilon=…` come into your formula?",
    see="21 of 51 wrong answers found in public show only with a large ε",
)
class EpsOwn(Base):
    def normalize(self, x, mu, var):
        return self.gamma * (x - mu) / tf.sqrt(var + 1e-3) + self.beta


@mistake(
    "eps-floor",
    "ε is a floor under the variance; in the formula it is added",
    "With a variance of 1 and an ε of 0.4, what stands under the root?",
    see="maximum(var, eps), as against a division by 0",
)
class EpsFloor(Base):
    def normalize(self, x, mu, var):
        return self.gamma * (x - mu) / tf.sqrt(tf.maximum(var, self.epsilon)) + self.beta


@mistake(
    "eps-missing",
    "ε is missing under the root",
    "What does your layer make of a feature that is the same in every row of the batch?",
    see="21 of 51 wrong answers found in public show only with a large ε",
)
class EpsMissing(Base):
    def normalize(self, x, mu, var):
        return self.gamma * (x - mu) / tf.sqrt(var) + self.beta


@mistake(
    "options-shared",
    "An option is kept in one place for all layers: that of the newest layer holds for each",
    "A network has two of your layers, with an ε each. Where does the first find its own?",
    see="options as attributes of the class or as globals",
)
class OptionsShared(Base):
    def __init__(self, momentum=0.99, epsilon=1e-3):
        keras.layers.Layer.__init__(self)
        OptionsShared.momentum, OptionsShared.epsilon = momentum, epsilon


@mistake(
    "statistics-stopped",
    "No gradient goes through the mean and the variance of the batch: they are taken for constants",
    "In lesson 03, which two sums come off the gradient for x, and where do they come from?",
    see="Ioffe & Szegedy 2015, section 2: a step that leaves the statistics out of the gradient",
)
class StatisticsStopped(Base):
    def normalize(self, x, mu, var):
        return super().normalize(x, tf.stop_gradient(mu), tf.stop_gradient(var))


@mistake(
    "output-stopped",
    "No gradient goes through the layer: neither γ and β learn, nor anything before them",
    "What does `tf.stop_gradient` around your last line do to all that stands in it?",
    see="stop_gradient meant for the moving statistics",
)
class OutputStopped(Base):
    def normalize(self, x, mu, var):
        return tf.stop_gradient(super().normalize(x, mu, var))


@mistake(
    "scales-stopped",
    "No gradient reaches γ and β: they never learn",
    "In your last line, is γ the variable itself, or a constant that was made from it?",
    see="self.gamma.numpy(), tf.stop_gradient",
)
class ScalesStopped(Base):
    def normalize(self, x, mu, var):
        gamma, beta = tf.stop_gradient(self.gamma), tf.stop_gradient(self.beta)
        return gamma * (x - mu) / tf.sqrt(var + self.epsilon) + beta


@mistake(
    "no-root",
    "You divide by the variance, not by its root",
    "Which unit has the variance of a length?",
    see="C35",
)
class NoRoot(Base):
    def normalize(self, x, mu, var):
        return self.gamma * (x - mu) / (var + self.epsilon) + self.beta


@mistake(
    "features-mixed",
    "One mean and one variance for all features together",
    "Over which axis are the rows of the batch averaged?",
    see="A: no axis",
)
class FeaturesMixed(Base):
    def moments(self, x):
        mu, var = tf.nn.moments(x, axes=[0, 1])
        return mu * tf.ones_like(x[0]), var * tf.ones_like(x[0])


@mistake(
    "no-affine-in-prediction",
    "Predictions lack γ and β",
    "Is the last line of the formula another one in prediction?",
    see="C34",
)
class NoAffineInPrediction(Base):
    def call(self, x, training=False):
        if self.is_training(training):
            return super().call(x, training=training)
        return (x - self.moving_mean) / tf.sqrt(self.moving_variance + self.epsilon)


@mistake(
    "unbiased-throughout",
    "The batch is normalized with the unbiased variance",
    "By what is the sum of squares divided in the lesson's formula, m or m − 1?",
    see="A3",
)
class UnbiasedThroughout(Base):
    def moments(self, x):
        m = tf.cast(tf.shape(x)[0], x.dtype)
        mu, var = super().moments(x)
        return mu, var * m / (m - 1)


@mistake(
    "beta-first",
    "β is added before γ multiplies",
    "With γ = 2 and β = 3, what should the mean of the output be? What is it?",
    see="A13",
)
class BetaFirst(Base):
    def normalize(self, x, mu, var):
        return self.gamma * ((x - mu) / tf.sqrt(var + self.epsilon) + self.beta)


@mistake(
    "numpy-inside",
    "A NumPy function asks for numbers: no gradient goes through them, and inside `tf.function` "
    "there are none while it is traced",
    "Which functions build a piece of the graph when they get a symbol?",
    see="np.mean of a tensor, eager habit",
)
class NumpyInside(Base):
    def moments(self, x):
        return np.mean(x, axis=0), np.var(x, axis=0)


@mistake(
    "unknown-statistics",
    "The moving statistics are variables, but Keras does not know them: they are in no list of "
    "the layer, and not in a file that the model is saved to",
    "What does Keras track: every `tf.Variable`, or what `add_weight` makes?",
    see="keras 3 tracks its own variables; lesson 07: checkpoints without statistics",
)
class UnknownStatistics(Base):
    def build(self, shape):
        d = (shape[-1],)
        self.gamma = self.add_weight(shape=d, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=d, initializer="zeros", name="beta")
        self.moving_mean = tf.Variable(tf.zeros(d), trainable=False)
        self.moving_variance = tf.Variable(tf.ones(d), trainable=False)


@mistake(
    "unknown-variables",
    "Keras knows none of the four variables: nothing of the layer is trained or saved",
    "What do `trainable_variables` and `non_trainable_variables` of your layer list?",
    see="keras 3 tracks its own variables",
)
class UnknownVariables(Base):
    def build(self, shape):
        d = (shape[-1],)
        self.gamma, self.beta = tf.Variable(tf.ones(d)), tf.Variable(tf.zeros(d))
        self.moving_mean = tf.Variable(tf.zeros(d), trainable=False)
        self.moving_variance = tf.Variable(tf.ones(d), trainable=False)


@mistake(
    "nothing-trained",
    "No variable is trainable: γ and β stay 1 and 0",
    "Which two of the four does the gradient change, and which two the call?",
    see="trainable=False copied to every line",
)
class NothingTrained(Base):
    def build(self, shape):
        d, kept = (shape[-1],), dict(trainable=False)
        self.gamma = self.add_weight(shape=d, initializer="ones", **kept)
        self.beta = self.add_weight(shape=d, initializer="zeros", **kept)
        self.moving_mean = self.add_weight(shape=d, initializer="zeros", **kept)
        self.moving_variance = self.add_weight(shape=d, initializer="ones", **kept)


@mistake(
    "no-initializers",
    "The four variables start at random numbers",
    "What does `add_weight` start a variable with if nobody says?",
    see="the default of add_weight is a random initializer",
)
class NoInitializers(Base):
    def build(self, shape):
        d, kept = (shape[-1],), dict(trainable=False)
        self.gamma, self.beta = self.add_weight(shape=d), self.add_weight(shape=d)
        self.moving_mean = self.add_weight(shape=d, **kept)
        self.moving_variance = self.add_weight(shape=d, **kept)


@variant("the lesson's")
class Lesson(Base):
    pass


@variant("keras.ops, shape (1, D) and an if at the end")
class WithOps(keras.layers.Layer):
    def __init__(self, momentum=0.99, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, shape):
        d = (1, shape[-1])
        self.gamma = self.add_weight(shape=d, initializer="ones")
        self.beta = self.add_weight(shape=d, initializer="zeros")
        self.moving_mean = self.add_weight(shape=d, initializer="zeros", trainable=False)
        self.moving_variance = self.add_weight(shape=d, initializer="ones", trainable=False)

    def call(self, x, training=None):
        ops, keep = keras.ops, self.momentum
        if not (training and self.trainable):
            mu, var = self.moving_mean, self.moving_variance
        else:
            mu = ops.mean(x, axis=0, keepdims=True)
            var = ops.var(x, axis=0, keepdims=True)
            self.moving_mean.assign(keep * self.moving_mean + (1 - keep) * mu)
            self.moving_variance.assign(keep * self.moving_variance + (1 - keep) * var)
        return self.gamma * (x - mu) * ops.rsqrt(var + self.epsilon) + self.beta


@variant("assign_add of a difference, tf.nn.batch_normalization")
class WithDifference(Base):
    def note(self, mu, var):
        self.moving_mean.assign_add((1 - self.momentum) * (mu - self.moving_mean))
        self.moving_variance.assign_sub((1 - self.momentum) * (self.moving_variance - var))

    def normalize(self, x, mu, var):
        mu, var = tf.convert_to_tensor(mu), tf.convert_to_tensor(var)
        return tf.nn.batch_normalization(x, mu, var, self.beta, self.gamma, self.epsilon)


@variant("keras.Variable")
class WithKerasVariables(Base):
    def build(self, shape):
        super().build(shape)
        d = shape[-1]
        self._untrack_variable(self.moving_mean)
        self._untrack_variable(self.moving_variance)
        self.moving_mean = keras.Variable(tf.zeros(d), trainable=False)
        self.moving_variance = keras.Variable(tf.ones(d), trainable=False)


@variant("gradients kept out of the moving statistics, and only of them")
class NotedAside(Base):
    def note(self, mu, var):
        super().note(tf.stop_gradient(mu), tf.stop_gradient(var))
