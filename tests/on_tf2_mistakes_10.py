import pytest
from known_mistakes import *  # noqa: F403
from known_mistakes import catalogue_of, exercises, verdict

LESSON = "10_today"


# ------------------------------------------------ wrong answers that nobody has to be told by name


def stepping(loss_of=None, before=None, clip=None):
    """A training step with something wrong in it."""
    from labsupport.tf2 import keras, tf

    mean_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(model, optimizer, images, labels):
        variables = list(model.trainable_variables)
        if before:
            before(model)
        with tf.GradientTape() as tape:
            loss = (loss_of or mean_loss)(labels, model(images, training=True))
        gradients = tape.gradient(loss, variables)
        optimizer.apply(clip(gradients) if clip else gradients, variables)
        return loss

    return step


def counted(classes):
    """The loss for so many classes, however many logits there are."""
    from labsupport.tf2 import tf

    def loss_of(labels, logits):
        hot = tf.one_hot(labels, classes)
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(hot, logits))

    return stepping(loss_of)


def clipped_by(limit):
    from labsupport.tf2 import tf

    return stepping(clip=lambda gradients: [tf.clip_by_value(g, -limit, limit) for g in gradients])


def clipped_by_norm(limit):
    from labsupport.tf2 import tf

    return stepping(clip=lambda gradients: tf.clip_by_global_norm(gradients, limit)[0])


def thawing():
    """What was to be trained before it thaws the layers takes the step."""

    def thaw(model):
        for layer in model.layers:
            layer.trainable = layer.trainable or "batch" in layer.name

    return stepping(before=thaw)


def tuning(called):
    """A model to fine-tune. called: gives the features of a base, for x and training."""
    from labsupport.tf2 import keras

    class Tuned(keras.Model):
        def __init__(self, base, classes):
            super().__init__()
            base.trainable = False
            self.base, self.head = base, keras.layers.Dense(classes)

        def call(self, x, training=None):
            return self.head(called(self.base, x, training))

    return Tuned


def moves_when_bare(base, x, training):
    if training is None:
        base(x, training=True)
    return base(x, training=False)


def told_to_predict_only(base, x, training):
    return base(x, training=training is not None and not training)


def blocks(drop=None, frozen=None, **how):
    """Hidden layers with another dropout, batch norms made with `how`, or some layers frozen."""
    from labsupport.tf2 import keras

    kinds = keras.layers

    def hidden_layers(units, rate):
        found = []
        for size in units:
            norm = kinds.BatchNormalization(momentum=0.9, **how)
            found += [kinds.Dense(size, use_bias=False), norm, kinds.Activation("elu")]
        if frozen is not None:
            found[frozen].trainable = False
        return [*found, (drop or kinds.Dropout)(rate)]

    return hidden_layers


def tenth_dropped():
    """A dropout that scales as it should and drops one unit in ten."""
    from labsupport.tf2 import keras, tf

    class Tenth(keras.layers.Dropout):
        def call(self, x, training=False):
            kept = tf.random.uniform(tf.shape(x)) > 0.1
            return tf.where(kept, x / (1 - self.rate), 0.0) if training else x

    return blocks(Tenth)


def same_units_dropped():
    from labsupport.tf2 import keras

    return blocks(lambda rate: keras.layers.Dropout(rate, noise_shape=(1, None)))


def gaussian():
    from labsupport.tf2 import keras

    return blocks(keras.layers.GaussianDropout)


def layer_with(**methods):
    """The catalogue's right layer with other methods."""
    return type("BatchNorm", (catalogue_of("k-layer").variants["the lesson's"],), methods)


def variance_stopped():
    from labsupport.tf2 import tf

    def normalize(self, x, mu, var):
        var = tf.stop_gradient(var)
        return self.gamma * (x - mu) / tf.sqrt(var + self.epsilon) + self.beta

    return layer_with(normalize=normalize)


def global_epsilon():
    """Momentum is the layer's own; ε is the newest layer's."""
    from labsupport.tf2 import keras

    class Shared(layer_with()):
        def __init__(self, momentum, epsilon):
            keras.layers.Layer.__init__(self)
            self.momentum, Shared.epsilon = momentum, epsilon

    return Shared


#: By exercise and title: what makes the answer, and the most points that it may get.
WRONG = {
    ("k-train-step", "made for three classes"): (lambda: counted(3), 0),
    ("k-train-step", "made for five classes"): (lambda: counted(5), 0),
    ("k-train-step", "clips gradients at 5"): (lambda: clipped_by(5.0), 0),
    ("k-train-step", "clips gradients at a norm of 5"): (lambda: clipped_by_norm(5.0), 0),
    ("k-train-step", "thaws batch norm after a look at the weights"): (thawing, 0),
    ("k-dropout", "drops one unit in ten"): (tenth_dropped, 4),
    ("k-dropout", "drops the same units in all samples"): (same_units_dropped, 4),
    ("k-dropout", "Gaussian dropout"): (gaussian, 0),
    ("k-dropout", "batch norm without γ"): (lambda: blocks(scale=False), 0),
    ("k-dropout", "batch norm without β"): (lambda: blocks(center=False), 0),
    ("k-dropout", "the last batch norm frozen"): (lambda: blocks(frozen=-2), 0),
    ("k-dropout", "the first dense layer frozen"): (lambda: blocks(frozen=0), 0),
    ("k-layer", "no gradient through the variance"): (variance_stopped, 2),
    ("k-layer", "a global ε"): (global_epsilon, 6),
    ("k-freeze", "moves statistics in a bare call"): (lambda: tuning(moves_when_bare), 4),
    ("k-freeze", "trains when told to predict"): (lambda: tuning(told_to_predict_only), 4),
}


@pytest.mark.parametrize(("of", "title"), WRONG)
def test_it_gets_no_more_than_it_deserves(of, title, seed):
    make, most = WRONG[of, title]
    result = verdict(exercises.find(of), make(), seed)
    assert result.points <= most < result.max_points, [
        (p.part.id, p.outcome, p.mistake, p.message) for p in result.parts
    ]


@pytest.mark.parametrize("title", ["Gaussian dropout", "the last batch norm frozen"])
def test_it_is_not_said_to_do_what_it_does_not(title):
    """There is a dropout; and none stands before a batch norm."""
    result = verdict(exercises.find("k-dropout"), WRONG["k-dropout", title][0]())
    assert not any(part.mistake for part in result.parts), [p.message for p in result.parts]


def test_a_layer_without_a_return_is_not_said_to_stop_gradients():
    layer = layer_with(normalize=lambda self, x, mu, var: None)
    parts = {part.part.id: part for part in verdict(exercises.find("k-layer"), layer).parts}
    assert parts["state"].outcome == "right"
    assert parts["training"].message.endswith("Is a `return` missing?")
