"""Known answers to `do-backward`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def fresh(shape, drop_prob):
    return np.random.random_sample(shape) >= drop_prob


def divide(y, by):
    return y / by if by else np.zeros_like(y)


class Right:
    """Dropout as it should be; the mistakes change one method of it."""

    def __init__(self, drop_prob):
        self.drop_prob = drop_prob

    def __call__(self, x, training):
        self.factor = np.ones(x.shape)
        if training:
            self.factor = divide(fresh(x.shape, self.drop_prob), 1 - self.drop_prob)
        return x * self.factor

    def backward(self, dy):
        return dy * self.factor

    def forget_mask(self, dy):
        """What the factor would be if it were drawn now."""
        return divide(fresh(dy.shape, self.drop_prob), 1 - self.drop_prob)


@mistake(
    "draws-again",
    "`backward` draws a new mask: the gradient goes to numbers that were dropped",
    "If xᵢ was dropped, what does a small change of it do to the loss? Who was dropped?",
    see="H80",
)
class DrawsAgain(Right):
    def __call__(self, x, training):
        self.training = training
        return super().__call__(x, training)

    def backward(self, dy):
        return dy * self.forget_mask(dy) if self.training else dy


@mistake(
    "draws-again-at-prediction-too",
    "`backward` draws a new mask: the gradient goes to numbers that were dropped",
    "If xᵢ was dropped, what does a small change of it do to the loss? Who was dropped?",
    see="H80; found by an attacker",
)
class DrawsAgainAtPredictionToo(Right):
    def backward(self, dy):
        return dy * self.forget_mask(dy)


@mistake(
    "shared-between-layers",
    "All your layers share one place for what they remember: the gradient meets another's mask",
    "After `a(x, True)` and `b(x, True)`: whose mask does `a.backward` find, and where?",
    see="found by an attacker; E55",
)
class SharedBetweenLayers(Right):
    latest = []

    def __call__(self, x, training):
        y = super().__call__(x, training)
        self.latest[:] = [vars(self).pop("factor")]
        return y

    def backward(self, dy):
        return dy * self.latest[0]


@mistake(
    "drop-prob-of-the-newest",
    "The drop_prob of the layer made last holds for all your layers",
    "After `a = Dropout(0.5)` and `b = Dropout(0.2)`: where does `a` find its drop_prob?",
    see="found by an attacker; E55",
)
class DropProbOfTheNewest(Right):
    def __init__(self, drop_prob):
        type(self).drop_prob = drop_prob


@mistake(
    "no-factor",
    "The gradient meets the mask, but not the factor 1 / (1 − drop_prob)",
    "For a kept number yᵢ = xᵢ / (1 − drop_prob). What is its derivative?",
    see="H81",
)
class NoFactor(Right):
    def backward(self, dy):
        return dy * (self.factor != 0)


@mistake(
    "factor-twice",
    "The gradient is divided by 1 − drop_prob twice",
    "Does the mask that you kept hold ones, or is it scaled already?",
    see="H81",
)
class FactorTwice(Right):
    def backward(self, dy):
        training = (self.factor != 1).any() or self.drop_prob in (0, 1)
        return divide(dy * self.factor, 1 - self.drop_prob) if training else dy


@mistake(
    "by-keep",
    "The gradient is multiplied by 1 − drop_prob where the forward pass divided by it",
    "If y = 4x, is dx larger or smaller than dy?",
    see="H81",
)
class ByKeep(Right):
    def __call__(self, x, training):
        self.keep = 1 - self.drop_prob if training else 1
        return super().__call__(x, training)

    def backward(self, dy):
        return dy * (self.factor != 0) * self.keep


@mistake(
    "no-mask",
    "The gradient passes as if nothing had been dropped",
    "If xᵢ was dropped, what does a small change of it do to the loss?",
    see="H80",
)
class NoMask(Right):
    def backward(self, dy):
        return dy


@mistake(
    "factor-without-mask",
    "The gradient is scaled, but passes to dropped numbers too",
    "If xᵢ was dropped, what does a small change of it do to the loss?",
    see="H80",
)
class FactorWithoutMask(Right):
    def __call__(self, x, training):
        self.keep = 1 - self.drop_prob if training else 1
        return super().__call__(x, training)

    def backward(self, dy):
        return divide(dy, self.keep)


@mistake(
    "opposite-mask",
    "The gradient goes to just the numbers that were dropped",
    "Is your mask True where a number is kept, or where it is dropped? In both methods?",
    see="H80",
)
class OppositeMask(Right):
    def backward(self, dy):
        if (self.factor == 1).all():
            return dy
        return divide(dy * (self.factor == 0), 1 - self.drop_prob)


@mistake(
    "opposite-mask-everywhere",
    "The gradient goes to just the numbers that were dropped",
    "Is your mask True where a number is kept, or where it is dropped? In both methods?",
    see="H80",
)
class OppositeMaskEverywhere(Right):
    def backward(self, dy):
        return divide(dy * (self.factor == 0), 1 - self.drop_prob)


@mistake(
    "opposite-mask-unscaled",
    "The gradient goes to just the numbers that were dropped",
    "Is your mask True where a number is kept, or where it is dropped? In both methods?",
    see="H80; found by an attacker",
)
class OppositeMaskUnscaled(Right):
    def backward(self, dy):
        return dy if (self.factor == 1).all() else dy * (self.factor == 0)


@mistake(
    "opposite-mask-unscaled-everywhere",
    "The gradient goes to just the numbers that were dropped",
    "Is your mask True where a number is kept, or where it is dropped? In both methods?",
    see="H80; found by an attacker",
)
class OppositeMaskUnscaledEverywhere(Right):
    def backward(self, dy):
        return dy * (1 - (self.factor > 0))


@mistake(
    "output-by-input",
    "You divide y by x: where x is 0, that is NaN",
    "After a ReLU many xᵢ are 0. Can you remember the factor itself?",
    see="public answers: cache misread",
)
class OutputByInput(Right):
    def __call__(self, x, training):
        self.x, self.y = x, super().__call__(x, training)
        return self.y

    def backward(self, dy):
        return dy * (self.y / self.x)


@mistake(
    "mask-from-output",
    "You take the mask from y: where x is 0, a kept number looks like a dropped one",
    "After a ReLU many xᵢ are 0. If such an xᵢ was kept, what is ∂yᵢ/∂xᵢ?",
    see="public answers: cache misread",
)
class MaskFromOutput(Right):
    def __call__(self, x, training):
        self.y, self.training = super().__call__(x, training), training
        return self.y

    def backward(self, dy):
        return divide(dy * (self.y != 0), 1 - self.drop_prob) if self.training else dy


@mistake(
    "times-output",
    "You multiply dy by y; it should meet what x was multiplied by",
    "yᵢ = aᵢ xᵢ. What is ∂yᵢ/∂xᵢ: yᵢ or aᵢ?",
    see="public answers: cache misread",
)
class TimesOutput(Right):
    def __call__(self, x, training):
        self.y, self.training = super().__call__(x, training), training
        return self.y

    def backward(self, dy):
        return dy * self.y if self.training else dy


@mistake(
    "stale-mask",
    "After `training=False` the gradient still meets the mask of the last training step",
    "With training=False, y = x. What is ∂yᵢ/∂xᵢ, and what does your layer hold?",
    see="H80",
)
class StaleMask(Right):
    def __call__(self, x, training):
        return super().__call__(x, True) if training else x


@mistake(
    "scales-prediction-gradient",
    "With `training=False` the gradient is divided by 1 − drop_prob",
    "With training=False, y = x. What is ∂yᵢ/∂xᵢ?",
    see="H75",
)
class ScalesPredictionGradient(Right):
    def __call__(self, x, training):
        y = super().__call__(x, training)
        if not training:
            self.factor = divide(self.factor, 1 - self.drop_prob)
        return y


@mistake(
    "scales-prediction-gradient-and-1",
    "With `training=False` the gradient is divided by 1 − drop_prob",
    "With training=False, y = x. What is ∂yᵢ/∂xᵢ?",
    see="H75",
)
class ScalesPredictionGradientAnd1(Right):
    def __call__(self, x, training):
        y = super().__call__(x, training)
        if not training:
            self.factor = self.factor / np.float64(1 - self.drop_prob)
        return y


@mistake(
    "shrinks-prediction-gradient",
    "With `training=False` the gradient is multiplied by 1 − drop_prob",
    "With training=False, y = x. What is ∂yᵢ/∂xᵢ?",
    see="H75",
)
class ShrinksPredictionGradient(Right):
    def __call__(self, x, training):
        y = super().__call__(x, training)
        if not training:
            self.factor = self.factor * (1 - self.drop_prob)
        return y


@mistake(
    "no-prediction-gradient",
    "With `training=False` the gradient is 0",
    "With training=False, y = x. What is ∂yᵢ/∂xᵢ?",
    see="H80",
)
class NoPredictionGradient(Right):
    def __call__(self, x, training):
        y = super().__call__(x, training)
        self.factor = self.factor * training
        return y


@mistake(
    "zero-at-test-with-1",
    "With drop_prob 1 everything is thrown away at prediction too",
    "Your layer looks at drop_prob and at `training`. Which of them should it ask first?",
    see="H77",
)
class ZeroAtTestWith1(Right):
    def __call__(self, x, training):
        return super().__call__(x, training or self.drop_prob == 1)


@mistake(
    "rows",
    "Whole samples are dropped: all numbers of a row share one draw",
    "How many draws does your mask hold, and how many numbers does x?",
    see="H79",
)
class Rows(Right):
    def __call__(self, x, training):
        self.factor = np.ones(x.shape)
        if training:
            self.factor = divide(fresh((len(x), 1), self.drop_prob), 1 - self.drop_prob)
        return x * self.factor


@mistake(
    "columns",
    "All samples of a batch lose the same features: they share one mask",
    "What is the shape of your mask, and what is the shape of x?",
    see="H79",
)
class Columns(Right):
    def __call__(self, x, training):
        self.factor = np.ones(x.shape)
        if training:
            self.factor = divide(fresh(x.shape[1:], self.drop_prob), 1 - self.drop_prob)
        return x * self.factor


@mistake(
    "fixed-seed",
    "Every forward pass draws the same mask: the generator starts anew each time",
    "Call your layer twice on the same x. Which line makes the results equal?",
    see="H83",
)
class FixedSeed(Right):
    def __call__(self, x, training):
        np.random.seed(7)
        return super().__call__(x, training)


@mistake(
    "drawn-once",
    "The mask is drawn once and kept for ever",
    "When does your layer draw? Which weights would never be trained?",
    see="H83",
)
class DrawnOnce(Right):
    masks = None

    def __call__(self, x, training):
        self.masks = {} if self.masks is None else self.masks
        self.factor = np.ones(x.shape)
        if training:
            if x.shape not in self.masks:
                self.masks[x.shape] = self.forget_mask(x)
            self.factor = self.masks[x.shape]
        return x * self.factor


@mistake(
    "drawn-once-one-size",
    "The mask is drawn once, and fits the first batch only",
    "When does your layer draw? Which shape has the second batch?",
    see="H83",
)
class DrawnOnceOneSize(Right):
    factor = None

    def __call__(self, x, training):
        if self.factor is None:
            self.factor = self.forget_mask(x)
        self.training = training
        return x * self.factor if training else x

    def backward(self, dy):
        return dy * self.factor if self.training else dy


@mistake(
    "unscaled",
    "Neither way is scaled: the layer drops, but does not make up for it",
    "What is the mean of `Dropout(0.2)(np.ones(10000), True)`?",
    see="H72",
)
class Unscaled(Right):
    def __call__(self, x, training):
        self.factor = fresh(x.shape, self.drop_prob) * 1.0 if training else np.ones(x.shape)
        return x * self.factor


@mistake(
    "divides-by-drop",
    "The survivors are divided by drop_prob, the share that is thrown away",
    "With drop_prob 0.2, four of five survive. By which factor must they grow to make up for one?",
    see="H73",
)
class DividesByDrop(Right):
    def __call__(self, x, training):
        self.factor = np.ones(x.shape)
        if training:
            self.factor = divide(fresh(x.shape, self.drop_prob), self.drop_prob)
        return x * self.factor


@mistake(
    "swapped",
    "Keep and drop have changed places: you drop the share 1 − drop_prob",
    "With drop_prob 0.2, how many zeros of 10,000 should there be? How many are there?",
    see="H74",
)
class Swapped(Right):
    def __call__(self, x, training):
        self.factor = np.ones(x.shape)
        if training:
            self.factor = divide(~fresh(x.shape, self.drop_prob), self.drop_prob)
        return x * self.factor


@mistake(
    "swapped-mask",
    "You drop the share 1 − drop_prob, but scale as if you had dropped drop_prob",
    "For which numbers is your comparison True, and are those kept or dropped?",
    see="H74",
)
class SwappedMask(Right):
    def __call__(self, x, training):
        self.factor = np.ones(x.shape)
        if training:
            self.factor = divide(~fresh(x.shape, self.drop_prob), 1 - self.drop_prob)
        return x * self.factor


@mistake(
    "multiplies-by-keep",
    "Both ways are multiplied by 1 − drop_prob, so the mean shrinks twice",
    "Must the survivors grow or shrink to make up for those who are gone?",
    see="public answers: no scaling",
)
class MultipliesByKeep(Right):
    def __call__(self, x, training):
        self.factor = np.ones(x.shape)
        if training:
            self.factor = fresh(x.shape, self.drop_prob) * (1 - self.drop_prob)
        return x * self.factor


@mistake(
    "odds",
    "Survivors are multiplied by drop_prob / (1 − drop_prob): dropped numbers per survivor",
    "That is by how much a survivor must grow. Grow from what?",
    see="H73",
)
class Odds(Right):
    def __call__(self, x, training):
        y = super().__call__(x, training)
        if training:
            self.factor = self.factor * self.drop_prob
        return y * self.drop_prob if training else y


@mistake(
    "never-off",
    "The layer drops at prediction too",
    "What is `training` for? Does your code look at it?",
    see="H77",
)
class NeverOff(Right):
    def __call__(self, x, training):
        return super().__call__(x, True)


@mistake(
    "nan-at-one",
    "With drop_prob 1 you divide by zero, and the result is NaN",
    "What should be left when everything is dropped? Can you say so before you divide?",
    see="google/flax#2055",
)
class NanAtOne(Right):
    def __call__(self, x, training):
        self.factor = np.ones(x.shape)
        if training:
            self.factor = fresh(x.shape, self.drop_prob) / np.float64(1 - self.drop_prob)
        return x * self.factor


@mistake(
    "nan-on-the-way-back",
    "With drop_prob 1 the forward pass is right, but `backward` divides by zero",
    "What is the gradient when everything was dropped?",
    see="google/flax#2055",
)
class NanOnTheWayBack(Right):
    def __call__(self, x, training):
        self.keep = np.float64(1 - self.drop_prob if training else 1)
        return super().__call__(x, training)

    def backward(self, dy):
        return dy * (self.factor != 0) / self.keep


@mistake(
    "in-place",
    "`backward` changes dy itself",
    "Does `dy *= mask` make a new array? Who else may still need dy?",
    see="B15",
)
class InPlace(Right):
    def backward(self, dy):
        dy *= self.factor
        return dy


# ---------------------------------------------------------------- right, written otherwise


@variant("a 0/1 mask, scaled in both methods")
class WithPlainMask:
    def __init__(self, p):
        self.keep = 1 - p

    def __call__(self, x, training=True):
        self.mask = None
        if not training or self.keep == 1:
            return x
        self.mask = np.random.binomial(1, self.keep, x.shape)
        return x * self.mask / self.keep if self.keep else np.zeros_like(x)

    def backward(self, dy):
        if self.mask is None:
            return dy
        return dy * self.mask / self.keep if self.keep else np.zeros_like(dy)


@variant("the layer keeps its own generator; boolean indexing")
class WithGenerator:
    def __init__(self, drop_prob):
        self.drop_prob, self.rng = drop_prob, np.random.default_rng()

    def _apply(self, array):
        out = np.zeros(array.shape)
        out[self.kept] = array[self.kept] / (1 - self.drop_prob)
        return out

    def __call__(self, x, training):
        self.training = training
        if not training:
            return x
        self.kept = self.rng.random(x.shape) > self.drop_prob
        return self._apply(x)

    def backward(self, dy):
        return self._apply(dy) if self.training else dy


@variant("the way back is made on the way forward")
class WithClosure:
    def __init__(self, drop_prob):
        self.drop_prob = drop_prob

    def __call__(self, x, training):
        kept = fresh(x.shape, self.drop_prob if training else 0)
        factor = divide(kept, 1 - self.drop_prob) if training else 1.0
        self.backward = lambda dy: dy * factor
        return x * factor

    def backward(self, dy):
        raise RuntimeError("nothing went forward yet")


@variant("float32")
class InFloat32(Right):
    def __call__(self, x, training):
        return super().__call__(x.astype(np.float32), training).astype(np.float32)

    def backward(self, dy):
        return super().backward(dy).astype(np.float32)
