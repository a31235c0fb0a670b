"""Known answers to `bn-layer`: wrong ones with their questions, and right ones.

Each wrong layer is a right one with a method replaced.
"""

import math
from types import SimpleNamespace

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def hat(x, mean, var, eps):
    with np.errstate(all="ignore"):
        return (x - mean) / np.sqrt(var + eps)


class Layer:
    """A right layer, in pieces that can be replaced one by one."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.moving_mean, self.moving_var = np.zeros(num_features), np.ones(num_features)

    def __call__(self, x, training):
        return self.train(x) if training else self.predict(x)

    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var)
        return self.affine(hat(x, mean, var, self.eps))

    def predict(self, x):
        return self.affine(hat(x, self.moving_mean, self.moving_var, self.eps))

    def remember(self, mean, var):
        self.moving_mean = self.mix(self.moving_mean, mean)
        self.moving_var = self.mix(self.moving_var, var)

    def mix(self, old, new):
        return self.momentum * old + (1 - self.momentum) * new

    def affine(self, x_hat):
        return self.gamma * x_hat + self.beta


# ---------------------------------------------------------------- the start


@mistake(
    "variance-starts-at-0",
    "The moving variance starts at 0, so that a new layer predicts with a division by √ε",
    "By what does your layer divide if it predicts before any training?",
    see="B28",
)
class VarianceStartsAt0(Layer):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        self.moving_var = np.zeros(num_features)


@mistake(
    "starts-with-ones-for-zeros",
    "The moving mean starts at 1 and the moving variance at 0",
    "Which mean and which variance has a feature that needs no normalizing?",
    see="B23, B28",
)
class StartsSwapped(Layer):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        self.moving_mean, self.moving_var = np.ones(num_features), np.zeros(num_features)


@mistake(
    "gamma-and-beta-start-swapped",
    "γ starts at 0 and β at 1: a new layer gives 1 whatever comes in",
    "Which γ and which β leave x̂ as it is?",
    see="A14",
)
class GammaBetaStartSwapped(Layer):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        self.gamma, self.beta = np.zeros(num_features), np.ones(num_features)


@mistake(
    "gamma-starts-at-0",
    "γ starts at 0: a new layer gives β whatever comes in",
    "Which γ leaves x̂ as it is?",
    see="A14",
)
class GammaStartsAt0(Layer):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        self.gamma = np.zeros(num_features)


@mistake(
    "starts-as-single-numbers",
    "A new layer holds single numbers; `num_features` is not used",
    "How many γ does a layer of D features have? What is `layer.gamma.shape`?",
    see="B26",
)
class StartsAsSingleNumbers(Layer):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        self.gamma, self.beta, self.moving_mean, self.moving_var = 1.0, 0.0, 0.0, 1.0


@mistake(
    "rows-from-the-start",
    "γ, β and the statistics have shape (1, D); they should have shape (D,)",
    "What does `np.ones((1, D)).shape` say, and what does `np.ones(D).shape`?",
    see="B27",
)
class RowsFromTheStart(Layer):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        one = (1, num_features)
        self.gamma, self.beta = np.ones(one), np.zeros(one)
        self.moving_mean, self.moving_var = np.zeros(one), np.ones(one)


@mistake(
    "keepdims",
    "`keepdims=True` turns the moving statistics into shape (1, D) at the first step",
    "Print `layer.moving_mean.shape` before and after a training step: what changed it?",
    see="B27",
)
class Keepdims(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0, keepdims=True), x.var(axis=0, keepdims=True)
        self.remember(mean, var)
        return self.affine(hat(x, mean, var, self.eps))


@mistake(
    "default-momentum-pytorch",
    "Your default momentum is 0.1: PyTorch's, which weighs the new value",
    "With momentum 0.1 in your update, how much of the old value is left after one step?",
    see="B29",
)
class DefaultMomentumPytorch(Layer):
    def __init__(self, num_features, momentum=0.1, eps=1e-5):
        super().__init__(num_features, momentum, eps)


@mistake(
    "default-momentum-keras",
    "Your default momentum is 0.99: the default of Keras and TensorFlow",
    "Which default does the signature in the text have?",
    see="B30",
)
class DefaultMomentumKeras(Layer):
    def __init__(self, num_features, momentum=0.99, eps=1e-5):
        super().__init__(num_features, momentum, eps)


@mistake(
    "default-eps-keras",
    "Your default ε is 0.001: the default of Keras and TensorFlow",
    "Which default does the signature in the text have?",
    see="C36",
)
class DefaultEpsKeras(Layer):
    def __init__(self, num_features, momentum=0.9, eps=1e-3):
        super().__init__(num_features, momentum, eps)


@mistake(
    "shared-between-layers",
    "All your layers share one set of moving statistics",
    "What belongs to a class, and what to each object? Where is your state created?",
    see="E55",
)
class SharedBetweenLayers(Layer):
    shared = SimpleNamespace(moving_mean=None, moving_var=None)

    @property
    def moving_mean(self):
        return self.shared.moving_mean

    @moving_mean.setter
    def moving_mean(self, value):
        self.shared.moving_mean = value

    @property
    def moving_var(self):
        return self.shared.moving_var

    @moving_var.setter
    def moving_var(self, value):
        self.shared.moving_var = value


def of_the_newest(*names):
    """A class whose options of these names are those of the layer that was made last."""

    class OfTheNewest(Layer):
        newest = SimpleNamespace()

        def __init__(self, num_features, momentum=0.9, eps=1e-5):
            super().__init__(num_features, momentum, eps)
            for name in names:
                setattr(self.newest, name, vars(self).pop(name))

        def __getattr__(self, name):  # what is not its own
            return getattr(self.newest, name)

    return OfTheNewest


mistake(
    "options-of-the-newest",
    "The momentum and ε of the layer made last hold for all your layers",
    "After `a = BatchNorm(3, 0.8)` and `b = BatchNorm(3, 0.6)`: where does `a` find its momentum?",
    see="found by an attacker; E55",
)(of_the_newest("momentum", "eps"))

mistake(
    "momentum-of-the-newest",
    "The momentum of the layer made last holds for all your layers",
    "After `a = BatchNorm(3, 0.8)` and `b = BatchNorm(3, 0.6)`: where does `a` find its momentum?",
    see="found by an attacker; E55",
)(of_the_newest("momentum"))

mistake(
    "eps-of-the-newest",
    "The ε of the layer made last holds for all your layers",
    "After `a = BatchNorm(3, eps=1)` and `b = BatchNorm(3, eps=0.1)`: where does `a` find its ε?",
    see="found by an attacker; E55",
)(of_the_newest("eps"))


class InPlace(Layer):
    """A right layer that moves its statistics in place."""

    def remember(self, mean, var):
        self.moving_mean += (1 - self.momentum) * (mean - self.moving_mean)
        self.moving_var += (1 - self.momentum) * (var - self.moving_var)


@mistake(
    "one-array-for-two",
    "β and the moving mean are one array with two names: what moves the one moves the other",
    "After `a = b = np.zeros(3)`, how many arrays are there?",
    see="public answers: a running stat updated with the wrong quantity",
)
class OneArrayForTwo(InPlace):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        self.beta = self.moving_mean


@mistake(
    "one-array-for-two-of-each",
    "γ and the moving variance are one array with two names, and so are β and the moving mean",
    "After `a = b = np.zeros(3)`, how many arrays are there?",
    see="public answers: a running stat updated with the wrong quantity",
)
class OneArrayForTwoOfEach(InPlace):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        self.beta, self.gamma = self.moving_mean, self.moving_var


# ---------------------------------------------------------------- training


@mistake(
    "moving-statistics-in-training",
    "Training normalizes with the moving statistics, after their update",
    "After the first step, how much of this batch's mean is in the moving mean? What should be the "
    "mean of the output?",
    see="A16",
)
class MovingStatisticsInTraining(Layer):
    def train(self, x):
        self.remember(x.mean(axis=0), x.var(axis=0))
        return self.predict(x)


@mistake(
    "old-moving-statistics-in-training",
    "Training normalizes with the moving statistics from before this batch",
    "What should be the mean of each feature of a training output?",
    see="A16",
)
class OldMovingStatisticsInTraining(Layer):
    def train(self, x):
        out = self.predict(x)
        self.remember(x.mean(axis=0), x.var(axis=0))
        return out


@mistake(
    "wrong-axis",
    "You average over the features of each sample, not over the batch",
    "Each column of `x` is one feature. Along which axis do you walk down a column?",
    see="A1",
)
class WrongAxis(Layer):
    def train(self, x):
        mean, var = x.mean(axis=1), x.var(axis=1)
        self.remember(mean, var)
        return self.affine(hat(x, mean, var, self.eps))


@mistake(
    "no-axis",
    "You take one mean and one variance of the whole batch, whatever the feature",
    "How many means does a batch with D features have? What does `x.mean()` return?",
    see="A2, B26; public answers: no axis",
)
class NoAxis(Layer):
    def train(self, x):
        self.remember(x.mean(), x.var())
        return self.affine(hat(x, x.mean(), x.var(), self.eps))


@mistake(
    "averaged-before-storing",
    "The batch's statistics are averaged over the features before they are stored",
    "What do two features with means 5 and −5 have in your moving mean?",
    see="B26",
)
class AveragedBeforeStoring(Layer):
    def remember(self, mean, var):
        super().remember(mean.mean(), var.mean())


@mistake(
    "sample-variance",
    "Your variance divides by m − 1, both where you normalize and where you store it",
    "By how much do m and m − 1 differ for m = 4? What happens for a batch of one?",
    see="A3, B31",
)
class SampleVariance(Layer):
    def train(self, x):
        with np.errstate(all="ignore"):
            mean = x.mean(axis=0)
            var = ((x - mean) ** 2).sum(axis=0) / np.float64(len(x) - 1)
            self.remember(mean, var)
            return self.affine(hat(x, mean, var, self.eps))


@mistake(
    "sample-variance-normalizes",
    "Training normalizes with the variance that divides by m − 1, though you store the other one",
    "Which variance makes the spread of the output γ?",
    see="A3",
)
class SampleVarianceNormalizes(Layer):
    def train(self, x):
        with np.errstate(all="ignore"):
            mean = x.mean(axis=0)
            self.remember(mean, x.var(axis=0))
            var = ((x - mean) ** 2).sum(axis=0) / np.float64(len(x) - 1)
            return self.affine(hat(x, mean, var, self.eps))


@mistake(
    "no-root",
    "You divide by the variance, not by its square root",
    "If a feature is in metres, in what unit is σ²? What unit should x̂ have?",
    see="A4, C35",
)
class NoRoot(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var)
        return self.affine((x - mean) / (var + self.eps))

    def predict(self, x):
        return self.affine((x - self.moving_mean) / (self.moving_var + self.eps))


@mistake(
    "std-for-sqrt",
    "You take the standard deviation of the variances, where their root is meant",
    "`np.std` and `np.sqrt` look alike. Which one turns σ² into σ?",
    see="A6; public answers: np.std typed for np.sqrt",
)
class StdForSqrt(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var)
        with np.errstate(all="ignore"):
            return self.affine((x - mean) / np.std(var + self.eps))

    def predict(self, x):
        return self.affine((x - self.moving_mean) / np.std(self.moving_var + self.eps))


@mistake(
    "eps-outside-root",
    "ε is added to the standard deviation; it belongs under the root, to the variance",
    "With σ² = 0 and ε = 0.0001, what does the definition divide by? And your code?",
    see="A7, C36; public answers: eps outside the root",
)
class EpsOutsideRoot(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var)
        return self.affine((x - mean) / (np.sqrt(var) + self.eps))

    def predict(self, x):
        return self.affine((x - self.moving_mean) / (np.sqrt(self.moving_var) + self.eps))


@mistake(
    "eps-outside-root-in-training",
    "In training ε is added to the standard deviation; it belongs under the root, to the variance",
    "Prediction and training should divide by the same expression: do yours?",
    see="A7; public answers: eps outside the root",
)
class EpsOutsideRootInTraining(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var)
        return self.affine((x - mean) / (np.sqrt(var) + self.eps))


@mistake(
    "no-eps",
    "ε reaches neither training nor prediction",
    "What does your layer divide by when a feature has the same value in every sample?",
    see="A8; public answers: eps forgotten",
)
class NoEps(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var)
        return self.affine(hat(x, mean, var, 0))

    def predict(self, x):
        return self.affine(hat(x, self.moving_mean, self.moving_var, 0))


@mistake(
    "no-eps-in-training",
    "ε is in the prediction, but not in training",
    "What does training divide by when a feature has the same value in every sample?",
    see="A8; public answers: eps forgotten",
)
class NoEpsInTraining(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var)
        return self.affine(hat(x, mean, var, 0))


@mistake(
    "fixed-eps",
    "You use a fixed small ε and not the argument `eps`",
    "What should change in the result when a layer is made with a larger `eps`?",
    see="public answers: eps forgotten",
)
class FixedEps(Layer):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, 1e-5)


@mistake(
    "uncentred-variance",
    "Your variance is the mean of the squares, without subtracting the mean first",
    "How large is your variance for a feature that is 100 in every sample?",
    see="A9",
)
class UncentredVariance(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), (x**2).mean(axis=0)
        self.remember(mean, var)
        return self.affine(hat(x, mean, var, self.eps))


@mistake(
    "sum-of-squares",
    "Your variance is a sum of squares; it should be their mean",
    "What happens to your variance when every sample is in the batch twice?",
    see="A10",
)
class SumOfSquares(Layer):
    def train(self, x):
        mean = x.mean(axis=0)
        var = ((x - mean) ** 2).sum(axis=0)
        self.remember(mean, var)
        return self.affine(hat(x, mean, var, self.eps))


@mistake(
    "precedence",
    "Only the mean is divided by the spread; `x` itself is not",
    "Which is done first in `x - a / b`?",
    see="A12",
)
class Precedence(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var)
        return self.affine(x - mean / np.sqrt(var + self.eps))

    def predict(self, x):
        return self.affine(x - self.moving_mean / np.sqrt(self.moving_var + self.eps))


@mistake(
    "beta-scaled-by-gamma",
    "β is added before the multiplication by γ, so γ scales it too",
    "What should the mean of a training output be: β, or γβ?",
    see="A13",
)
class BetaScaledByGamma(Layer):
    def affine(self, x_hat):
        return self.gamma * (x_hat + self.beta)


@mistake(
    "gamma-beta-swapped",
    "γ and β have changed places",
    "Which of the two multiplies?",
    see="A14",
)
class GammaBetaSwapped(Layer):
    def affine(self, x_hat):
        return self.beta * x_hat + self.gamma


@mistake(
    "no-affine",
    "γ and β reach neither the training output nor the prediction",
    "What should change in the output when `layer.beta` is set to 5?",
    see="A15, C34",
)
class NoAffine(Layer):
    def affine(self, x_hat):
        return x_hat


@mistake(
    "no-affine-in-training",
    "γ and β are in the prediction, but not in the training output",
    "What should change in a training output when `layer.beta` is set to 5?",
    see="A15",
)
class NoAffineInTraining(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.remember(mean, var)
        return hat(x, mean, var, self.eps)


@mistake(
    "training-returns-nothing",
    "Training updates the statistics but returns nothing",
    "Which branch of your code has a `return`, and which has none?",
    see="public answers: test branch missing",
)
class TrainingReturnsNothing(Layer):
    def train(self, x):
        super().train(x)


# ---------------------------------------------------------------- the moving statistics


@mistake(
    "inverted",
    "The old value gets the weight `1 - momentum` and the batch gets `momentum`",
    "With momentum 0.9, how much of the old value should be left after one step?",
    see="B18, B29; d2l-ai/d2l-en#2213",
)
class Inverted(Layer):
    def mix(self, old, new):
        return (1 - self.momentum) * old + self.momentum * new


@mistake(
    "overwritten",
    "The moving statistics are overwritten by those of the last batch",
    "After a thousand batches, how many of them should the moving mean know about?",
    see="B19",
)
class Overwritten(Layer):
    def mix(self, old, new):
        return new


@mistake(
    "first-batch-taken-whole",
    "The first batch replaces the start values instead of being mixed with them",
    "With momentum 0.9 and a start at 0, where is the moving mean after one batch of mean 5?",
    see="B19",
)
class FirstBatchTakenWhole(Layer):
    seen = False

    def remember(self, mean, var):
        if self.seen:
            return super().remember(mean, var)
        self.moving_mean, self.moving_var, self.seen = mean, var, True


@mistake(
    "batch-at-full-weight",
    "The batch is added at full weight: the two weights do not sum to 1",
    "If every batch had mean 5, where would your moving mean end up?",
    see="B20",
)
class BatchAtFullWeight(Layer):
    def mix(self, old, new):
        return self.momentum * old + new


@mistake(
    "old-at-full-weight",
    "The old value is kept at full weight: the two weights do not sum to 1",
    "If every batch had mean 5, where would your moving mean end up?",
    see="B20",
)
class OldAtFullWeight(Layer):
    def mix(self, old, new):
        return old + (1 - self.momentum) * new


@mistake(
    "fixed-momentum",
    "You mix with a fixed 0.9 and not with the momentum that the layer was made with",
    "What should `BatchNorm(4, momentum=0.5)` do differently?",
    see="B30",
)
class FixedMomentum(Layer):
    def mix(self, old, new):
        return 0.9 * old + 0.1 * new


@mistake(
    "mean-only",
    "The moving mean is updated, the moving variance is not",
    "Which of the two does a training step change in your layer?",
    see="B22",
)
class MeanOnly(Layer):
    def remember(self, mean, var):
        self.moving_mean = self.mix(self.moving_mean, mean)


@mistake(
    "var-only",
    "The moving variance is updated, the moving mean is not",
    "Which of the two does a training step change in your layer?",
    see="B22",
)
class VarOnly(Layer):
    def remember(self, mean, var):
        self.moving_var = self.mix(self.moving_var, var)


@mistake(
    "not-stored",
    "Training leaves the moving statistics as they were",
    "Which names live on after the call: `moving_mean`, or `self.moving_mean`?",
    see="B21; public answers: running stats never updated",
)
class NotStored(Layer):
    def remember(self, mean, var):
        moving_mean = self.mix(self.moving_mean, mean)
        moving_var = self.mix(self.moving_var, var)
        del moving_mean, moving_var


@mistake(
    "crossed",
    "The batch's mean goes into the moving variance, and its variance into the moving mean",
    "Read both of your lines aloud: which old value is mixed with which new one?",
    see="B23",
)
class Crossed(Layer):
    def remember(self, mean, var):
        super().remember(var, mean)


@mistake(
    "var-from-batch-mean",
    "The moving variance is mixed with the mean of the batch",
    "Which statistic of the batch belongs to the moving variance?",
    see="public answers: a running stat updated with the wrong quantity",
)
class VarFromBatchMean(Layer):
    def remember(self, mean, var):
        super().remember(mean, mean)


@mistake(
    "var-from-old-mean",
    "The moving variance starts from the old moving mean and not from the old moving variance",
    "Two lines that look alike are soon copied: which old value stands in the second one?",
    see="public answers: a running stat updated with the wrong quantity",
)
class VarFromOldMean(Layer):
    def remember(self, mean, var):
        self.moving_var = self.mix(self.moving_mean, var)
        self.moving_mean = self.mix(self.moving_mean, mean)


@mistake(
    "spread-around-new-moving-mean",
    "You measure the variance of the batch around the moving mean, not around its own",
    "How large would your variance be for a batch whose samples are all equal?",
    see="public answers: a running stat updated with the wrong quantity",
)
class SpreadAroundNewMovingMean(Layer):
    def train(self, x):
        out = hat(x, x.mean(axis=0), x.var(axis=0), self.eps)
        self.moving_mean = self.mix(self.moving_mean, x.mean(axis=0))
        spread = ((x - self.moving_mean) ** 2).mean(axis=0)
        self.moving_var = self.mix(self.moving_var, spread)
        return self.affine(out)


@mistake(
    "std-stored-and-used",
    "`moving_var` holds a standard deviation, and prediction divides by it without a root",
    "What will someone find who reads a variance out of `layer.moving_var`, or puts one in?",
    see="B24; public answers: running_var stores std",
)
class StdStoredAndUsed(Layer):
    def remember(self, mean, var):
        super().remember(mean, np.sqrt(var + self.eps))

    def predict(self, x):
        return self.affine((x - self.moving_mean) / self.moving_var)


@mistake(
    "std-stored-and-squared",
    "`moving_var` holds a standard deviation, which prediction squares again",
    "What will someone find who reads a variance out of `layer.moving_var`, or puts one in?",
    see="B24; public answers: running_var stores std",
)
class StdStoredAndSquared(Layer):
    def remember(self, mean, var):
        super().remember(mean, np.sqrt(var))

    def predict(self, x):
        return self.affine(hat(x, self.moving_mean, self.moving_var**2, self.eps))


@mistake(
    "std-stored",
    "The moving variance is mixed with the standard deviation of the batch",
    "If `x` is in metres, in what unit is `moving_var`? And what do you add to it?",
    see="B24; public answers: running_var stores std",
)
class StdStored(Layer):
    def remember(self, mean, var):
        super().remember(mean, np.sqrt(var))


@mistake(
    "eps-stored",
    "ε is added to the variance before it is stored, and once more in prediction",
    "How often does ε appear between the batch and the prediction, and how often should it?",
    see="public answers: running_var stores var+eps",
)
class EpsStored(Layer):
    def remember(self, mean, var):
        super().remember(mean, var + self.eps)


@mistake(
    "eps-stored-and-not-used",
    "ε is added to the variance before it is stored, and prediction relies on that",
    "If someone sets `layer.moving_var` to 0, what does your prediction divide by?",
    see="public answers: running_var stores var+eps",
)
class EpsStoredAndNotUsed(EpsStored):
    def predict(self, x):
        return self.affine(hat(x, self.moving_mean, self.moving_var, 0))


@mistake(
    "normalized-batch",
    "You store the mean and the variance of x̂, after normalizing, when they are 0 and 1",
    "What does prediction need to know: how `x` came in, or how x̂ went out?",
    see="B25",
)
class NormalizedBatch(Layer):
    def train(self, x):
        x_hat = hat(x, x.mean(axis=0), x.var(axis=0), self.eps)
        self.remember(x_hat.mean(axis=0), x_hat.var(axis=0))
        return self.affine(x_hat)


@mistake(
    "output-measured",
    "You store the mean and the variance of the output, which are β and γ²",
    "What does prediction need to know: how `x` came in, or how y went out?",
    see="B25",
)
class OutputMeasured(Layer):
    def train(self, x):
        out = self.affine(hat(x, x.mean(axis=0), x.var(axis=0), self.eps))
        self.remember(out.mean(axis=0), out.var(axis=0))
        return out


@mistake(
    "unbiased-stored",
    "The variance that you store divides by m − 1; in this lesson it divides by m",
    "By what factor do the two differ for m = 4? Which libraries store which?",
    see="B31; callummcdougall/ARENA_3.0#415",
)
class UnbiasedStored(Layer):
    def train(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        with np.errstate(all="ignore"):
            self.remember(mean, var * len(x) / np.float64(len(x) - 1))
        return self.affine(hat(x, mean, var, self.eps))


@mistake(
    "updated-twice",
    "Every training step updates the moving statistics twice",
    "How often does the update run in one call? Count the places that trigger it.",
    see="F66",
)
class UpdatedTwice(Layer):
    def remember(self, mean, var):
        super().remember(mean, var)
        super().remember(mean, var)


# ---------------------------------------------------------------- prediction


@mistake(
    "batch-statistics",
    "Prediction uses the statistics of the batch at hand; the moving ones go unused",
    "What does your layer predict for one sample alone? Does that depend on the sample?",
    see="C33, A17",
)
class BatchStatistics(Layer):
    def predict(self, x):
        return self.affine(hat(x, x.mean(axis=0), x.var(axis=0), self.eps))


@mistake(
    "batch-mean-in-prediction",
    "Prediction subtracts the mean of the batch; only the variance is the moving one",
    "What is x − μ for a batch of one sample?",
    see="C33",
)
class BatchMeanInPrediction(Layer):
    def predict(self, x):
        return self.affine(hat(x, x.mean(axis=0), self.moving_var, self.eps))


@mistake(
    "batch-variance-in-prediction",
    "Prediction divides by the spread of the batch; only the mean is the moving one",
    "What is the variance of a batch of one sample?",
    see="C33",
)
class BatchVarianceInPrediction(Layer):
    def predict(self, x):
        return self.affine(hat(x, self.moving_mean, x.var(axis=0), self.eps))


@mistake(
    "flag-ignored",
    "`training` changes nothing: every call is a training step",
    "Where in your code do you look at `training`?",
    see="B32, C33",
)
class FlagIgnored(Layer):
    def __call__(self, x, training):
        return self.train(x)


@mistake(
    "always-predicts",
    "`training` changes nothing: every call is a prediction",
    "Where in your code do you look at `training`?",
    see="A16",
)
class AlwaysPredicts(Layer):
    def __call__(self, x, training):
        return self.predict(x)


@mistake(
    "flag-reversed",
    "The two branches have changed places: training predicts and prediction trains",
    "Which branch does `layer(x, training=True)` take?",
    see="public answers: updated in test mode",
)
class FlagReversed(Layer):
    def __call__(self, x, training):
        return self.predict(x) if training else self.train(x)


@mistake(
    "updated-in-prediction-too",
    "Prediction uses the moving statistics, and then updates them with the batch",
    "If you predict the same sample twice, may the second prediction differ?",
    see="B32",
)
class UpdatedInPredictionToo(Layer):
    def predict(self, x):
        out = super().predict(x)
        self.remember(x.mean(axis=0), x.var(axis=0))
        return out


@mistake(
    "updated-before-prediction",
    "Prediction first updates the moving statistics with the batch, and then uses them",
    "May the prediction for one sample change because others are predicted with it?",
    see="B32",
)
class UpdatedBeforePrediction(Layer):
    def predict(self, x):
        self.remember(x.mean(axis=0), x.var(axis=0))
        return super().predict(x)


@mistake(
    "updated-only-in-prediction",
    "The moving statistics are updated in prediction, and not in training",
    "Which of the two branches holds your update?",
    see="public answers: updated in test mode",
)
class UpdatedOnlyInPrediction(Layer):
    def train(self, x):
        return self.affine(hat(x, x.mean(axis=0), x.var(axis=0), self.eps))

    def predict(self, x):
        out = super().predict(x)
        self.remember(x.mean(axis=0), x.var(axis=0))
        return out


@mistake(
    "prediction-missing",
    "There is no prediction: the layer returns nothing when `training` is False",
    "What does your code do when `training` is False?",
    see="public answers: test branch missing",
)
class PredictionMissing(Layer):
    def predict(self, x):
        return None


@mistake(
    "variable-of-training",
    "Prediction uses a variable that only the training branch assigns",
    "Which lines run when `training` is False? Where would your variable come from?",
    see="public answers: test uses a train-only variable",
)
class VariableOfTraining(Layer):
    def __call__(self, x, training):
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            x_hat = (x - mean) / np.sqrt(var + self.eps)
            self.remember(mean, var)
        return self.affine(x_hat)


@mistake(
    "last-batch-remembered",
    "Prediction uses the statistics of the last training batch, not the moving ones",
    "Where do the mean and the variance come from if someone sets `layer.moving_mean`?",
    see="B19",
)
class LastBatchRemembered(Layer):
    last = None

    def train(self, x):
        self.last = x.mean(axis=0), x.var(axis=0)
        return super().train(x)

    def predict(self, x):
        mean, var = self.last or (self.moving_mean, self.moving_var)
        return self.affine(hat(x, mean, var, self.eps))


@mistake(
    "no-affine-in-prediction",
    "γ and β are in the training output, but not in the prediction",
    "The next layer was trained on y. What does it get from you in prediction?",
    see="C34; public answers: gamma/beta forgotten in test",
)
class NoAffineInPrediction(Layer):
    def predict(self, x):
        return hat(x, self.moving_mean, self.moving_var, self.eps)


@mistake(
    "no-beta-in-prediction",
    "β is in the training output, but not in the prediction",
    "What should a sample that equals the moving mean be turned into?",
    see="C34",
)
class NoBetaInPrediction(Layer):
    def predict(self, x):
        return self.gamma * hat(x, self.moving_mean, self.moving_var, self.eps)


@mistake(
    "no-root-in-prediction",
    "Prediction divides by the moving variance, not by its square root",
    "What does `moving_var` hold: σ, or σ²? What does training divide by?",
    see="C35; public answers: test divides by running_var without root",
)
class NoRootInPrediction(Layer):
    def predict(self, x):
        return self.affine((x - self.moving_mean) / (self.moving_var + self.eps))


@mistake(
    "std-for-sqrt-in-prediction",
    "Prediction takes the standard deviation of the variances, where their root is meant",
    "`np.std` and `np.sqrt` look alike. Which one turns σ² into σ?",
    see="A6; public answers: np.std typed for np.sqrt",
)
class StdForSqrtInPrediction(Layer):
    def predict(self, x):
        return self.affine((x - self.moving_mean) / np.std(self.moving_var + self.eps))


@mistake(
    "eps-outside-root-in-prediction",
    "In prediction ε is added to the standard deviation; it belongs under the root",
    "Prediction and training should divide by the same expression: do yours?",
    see="C36; public answers: eps outside the root, test mode",
)
class EpsOutsideRootInPrediction(Layer):
    def predict(self, x):
        return self.affine((x - self.moving_mean) / (np.sqrt(self.moving_var) + self.eps))


@mistake(
    "no-eps-in-prediction",
    "ε is in training, but not in the prediction",
    "Training divided by √(σ² + ε). Should prediction divide by something else?",
    see="C36; public answers: eps forgotten, test mode",
)
class NoEpsInPrediction(Layer):
    def predict(self, x):
        return self.affine(hat(x, self.moving_mean, self.moving_var, 0))


@mistake(
    "unbiased-in-prediction",
    "Prediction stretches the moving variance by m / (m − 1) for the samples to be predicted",
    "Does the number of samples in this batch belong in a prediction?",
    see="B31",
)
class UnbiasedInPrediction(Layer):
    def predict(self, x):
        with np.errstate(all="ignore"):
            var = self.moving_var * len(x) / np.float64(len(x) - 1)
            return self.affine(hat(x, self.moving_mean, var, self.eps))


# ---------------------------------------------------------------- right, written otherwise


@variant("one path, two sources")
class OnePath:
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.num_features, self.m, self.eps = num_features, momentum, eps
        self.gamma, self.beta = np.ones((num_features,)), np.zeros((num_features,))
        self.moving_mean, self.moving_var = np.zeros(num_features), np.ones(num_features)

    def __call__(self, x, training=False):
        mean, var = self.moving_mean, self.moving_var
        if training:
            mean, var = np.mean(x, axis=0), np.var(x, axis=0)
            self.moving_mean = self.moving_mean * self.m + mean * (1 - self.m)
            self.moving_var = self.moving_var * self.m + var * (1 - self.m)
        return (x - mean) / np.sqrt(var + self.eps) * self.gamma + self.beta


@variant("state changed in place")
class InPlace:
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.moving_mean, self.moving_var = np.zeros(num_features), np.ones(num_features)

    def __call__(self, x, training=True):
        if not training:
            return (
                self.gamma * (x - self.moving_mean) / np.sqrt(self.moving_var + self.eps)
                + self.beta
            )
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.moving_mean *= self.momentum
        self.moving_mean += (1 - self.momentum) * mean
        self.moving_var += (1 - self.momentum) * (var - self.moving_var)
        return self.gamma * (x - mean) / np.sqrt(var + self.eps) + self.beta


@variant("float32")
class Float32:
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        f = np.float32
        self.momentum, self.eps = f(momentum), f(eps)
        self.gamma, self.beta = np.ones(num_features, f), np.zeros(num_features, f)
        self.moving_mean, self.moving_var = np.zeros(num_features, f), np.ones(num_features, f)

    def __call__(self, x, training):
        x = x.astype(np.float32)
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            keep = self.momentum
            self.moving_mean = (keep * self.moving_mean + (1 - keep) * mean).astype(np.float32)
            self.moving_var = (keep * self.moving_var + (1 - keep) * var).astype(np.float32)
        else:
            mean = self.moving_mean.astype(np.float32)
            var = self.moving_var.astype(np.float32)
        return self.gamma * ((x - mean) / np.sqrt(var + self.eps)) + self.beta


@variant("keepdims, then squeezed; np.std squared")
class KeepdimsSqueezed(Layer):
    def train(self, x):
        mean = x.mean(axis=0, keepdims=True)
        var = x.std(axis=0, keepdims=True) ** 2
        self.remember(mean.squeeze(axis=0), var.squeeze(axis=0))
        return self.affine(hat(x, mean, var, self.eps))


@variant("manual sums")
class ManualSums(Layer):
    def train(self, x):
        n = x.shape[0]
        mean = x.sum(axis=0) / n
        centred = x - mean
        var = np.einsum("nd,nd->d", centred, centred) / n
        self.remember(mean, var)
        return self.affine(centred / np.sqrt(var + self.eps))


@variant("mean of squares minus squared mean")
class TwoMoments(Layer):
    def train(self, x):
        mean = x.mean(axis=0)
        var = np.maximum((x * x).mean(axis=0) - mean * mean, 0)
        self.remember(mean, var)
        return self.affine(hat(x, mean, var, self.eps))


@variant("state in a dictionary, behind properties")
class DictionaryState:
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        d = num_features
        self.options = {"momentum": momentum, "eps": eps}
        self.state = dict(
            gamma=np.ones(d), beta=np.zeros(d), moving_mean=np.zeros(d), moving_var=np.ones(d)
        )

    def __call__(self, x, *, training):
        mean, var = self.state["moving_mean"], self.state["moving_var"]
        if training:
            mean, var = x.mean(0), x.var(0)
            for name, new in (("moving_mean", mean), ("moving_var", var)):
                m = self.options["momentum"]
                self.state[name] = m * self.state[name] + (1 - m) * new
        x_hat = (x - mean) / np.sqrt(var + self.options["eps"])
        return self.state["gamma"] * x_hat + self.state["beta"]


def _entry(name):
    return property(lambda self: self.state[name], lambda self, v: self.state.update({name: v}))


for _name in ("gamma", "beta", "moving_mean", "moving_var"):
    setattr(DictionaryState, _name, _entry(_name))


@variant("a loop over features, state as lists")
class FeatureLoop:
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.gamma, self.beta = [1.0] * num_features, [0.0] * num_features
        self.moving_mean, self.moving_var = [0.0] * num_features, [1.0] * num_features

    def __call__(self, x, training):
        out = np.zeros(x.shape)
        for j in range(x.shape[1]):
            mean, var = self.moving_mean[j], self.moving_var[j]
            if training:
                mean = math.fsum(x[:, j]) / len(x)
                var = math.fsum((x[:, j] - mean) ** 2) / len(x)
                keep, add = self.momentum, 1 - self.momentum
                self.moving_mean[j] = keep * self.moving_mean[j] + add * mean
                self.moving_var[j] = keep * self.moving_var[j] + add * var
            scale = self.gamma[j] / (var + self.eps) ** 0.5
            out[:, j] = scale * (x[:, j] - mean) + self.beta[j]
        return out


@variant("built from the three functions of the lesson")
class FromFunctions:
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.momentum, self.eps = momentum, eps
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.moving_mean, self.moving_var = np.zeros(num_features), np.ones(num_features)

    def __call__(self, x, training):
        if training:
            self.moving_mean, self.moving_var = self.update(x)
            return self.normalize(x, x.mean(axis=0), x.var(axis=0))
        return self.normalize(x, self.moving_mean, self.moving_var)

    def update(self, x):
        new = np.array([x.mean(axis=0), x.var(axis=0)])
        old = np.array([self.moving_mean, self.moving_var])
        return new + self.momentum * (old - new)

    def normalize(self, x, mean, var):
        return self.gamma * hat(x, mean, var, self.eps) + self.beta


@variant("a function that makes layers")
def make_layer(num_features, momentum=0.9, eps=1e-5):
    layer = Layer(num_features, momentum=momentum, eps=eps)
    layer.name = "batch_norm"
    return layer


@variant("slots and extra arguments")
class Slots:
    __slots__ = ("gamma", "beta", "moving_mean", "moving_var", "_rate", "_eps")

    def __init__(self, num_features, momentum=0.9, eps=1e-5, dtype=float):
        self.gamma = np.ones(num_features, dtype=dtype)
        self.beta = np.zeros_like(self.gamma)
        self.moving_mean, self.moving_var = self.beta.copy(), self.gamma.copy()
        self._rate, self._eps = 1 - momentum, eps

    def __call__(self, x, training=False, **ignored):
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0, ddof=0)
            self.moving_mean = self.moving_mean + self._rate * (mean - self.moving_mean)
            self.moving_var = self.moving_var + self._rate * (var - self.moving_var)
        else:
            mean, var = self.moving_mean, self.moving_var
        return x * (self.gamma / np.sqrt(var + self._eps)) + (
            self.beta - mean * self.gamma / np.sqrt(var + self._eps)
        )
