import pytest
from known_mistakes import *  # noqa: F403
from known_mistakes import verdict

LESSON = "07_mnist"


def test_what_is_kept_in_memory_is_not_saved():
    from labsupport import exercises
    from labsupport.observe import observe
    from labsupport.tf1 import tf

    kept = {}

    def save(session, path):
        kept[path] = session.run(tf.global_variables())

    def restore(session, path):
        for variable, value in zip(tf.global_variables(), kept[path], strict=True):
            variable.load(value, session)

    exercise = exercises.find("mnist-restore")
    seen = observe(exercise, (save, restore), exercise.visible_cases())
    assert all("leaves no file" in one.trouble.text for one in seen.values())


def mended(x, training, momenta=(0.9, 0.9), between=None, normal=None, **last):
    """The mended network, but for what is given otherwise."""
    from labsupport.tf1 import tf

    he, h = tf.variance_scaling_initializer(scale=2.0), x
    for units, momentum in zip((300, 100), momenta, strict=True):
        h = tf.layers.dense(h, units, use_bias=False, kernel_initializer=he)
        if normal is None:
            h = tf.layers.batch_normalization(h, momentum=momentum, training=training)
        else:
            h = normal(h, training)
        h = tf.nn.elu(h)
        if units == 300 and between is not None:
            h = between(h)
    return tf.layers.dense(h, 10, **{"kernel_initializer": he, **last})


def stopped(h):
    from labsupport.tf1 import tf

    return tf.stop_gradient(h)


def dropped(h):
    from labsupport.tf1 import tf

    return tf.nn.dropout(h, rate=0.5)


def without_slope_of_the_mean(h, training):
    """What normalizes, minus what the gradient of the batch's mean and variance brings."""
    from labsupport.tf1 import tf

    layer = tf.layers.BatchNormalization(momentum=0.9)
    out = layer(h, training=training)
    mean, variance = (tf.stop_gradient(m) for m in tf.nn.moments(h, [0]))
    plain = tf.nn.batch_normalization(h, mean, variance, layer.beta, layer.gamma, layer.epsilon)
    return plain + tf.stop_gradient(out - plain)


NOT_THE_LISTING = {
    "momentum 0.92": (dict(momenta=(0.92, 0.92)), "momentum: 0.92."),
    "momentum 0.88": (dict(momenta=(0.88, 0.88)), "momentum: 0.88."),
    "momentum 0.8": (dict(momenta=(0.8, 0.8)), "momentum: 0.8."),
    "momentum 0.8 in one layer": (
        dict(momenta=(0.8, 0.9)),
        "momentum: 0.9 with 100 numbers, 0.8 with 300 numbers.",
    ),
    "momentum 0.99 in the other": (
        dict(momenta=(0.9, 0.99)),
        "momentum: 0.99 with 100 numbers, 0.9 with 300 numbers.",
    ),
    "a gradient that stops": (dict(between=stopped), "gradient: does not reach the kernel of"),
    "statistics without a gradient": (
        dict(normal=without_slope_of_the_mean),
        "gradient of the first kernel is too",
    ),
    "momentum 1": (dict(momenta=(1.0, 1.0)), "statistics: none moves: update operations run"),
    "no numbers": (dict(normal=lambda h, training: h * float("nan")), "are NaN"),
    "dropout": (dict(between=dropped), "change from one run to the next"),
    "logits that start at 0": (dict(kernel_initializer="zeros"), "that all start alike."),
}


@pytest.mark.parametrize("title", NOT_THE_LISTING)
def test_everything_else_stays_as_it_is_in_the_listing(title, seed):
    from labsupport import exercises

    otherwise, said = NOT_THE_LISTING[title]
    found = verdict(
        exercises.find("mnist-find-the-bug"),
        lambda x, training: mended(x, training, **otherwise),
        seed,
    )
    assert found.points == 0
    assert not found.parts[0].mistake
    assert said in found.parts[0].message
    # What the other part names, if anything, is true of it.
    assert found.parts[1].mistake in ("", "own-flag", "neither")


def test_the_network_of_these_tests_is_right():
    from labsupport import exercises

    assert verdict(exercises.find("mnist-find-the-bug"), lambda x, t: mended(x, t)).points == 5
