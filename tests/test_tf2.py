"""`labsupport.tf2`: quiet, Keras 3, never beside TensorFlow 1; and Keras 3 agrees with lesson 02."""

from __future__ import annotations

import subprocess
import sys

from labsupport.authoring import lessons


def python(code):
    """Run code in a fresh process; what it wrote to standard output and to standard error."""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=lessons.PROJECT
    )
    return run.stdout.strip(), run.stderr.strip()


def test_it_is_quiet_and_tensorflow_1_refuses_afterwards():
    out, err = python(
        "from labsupport.tf2 import keras, tf\n"
        "print(keras.__version__.split('.')[0], tf.executing_eagerly())\n"
        "keras.layers.BatchNormalization()(tf.ones((4, 2)), training=True)\n"
        "try:\n"
        "    import labsupport.tf1\n"
        "except RuntimeError as error:\n"
        "    print('restart the kernel' in str(error))\n"
    )
    assert out.splitlines() == ["3 True", "True"]
    assert err == ""


def test_it_refuses_after_tensorflow_1():
    out, err = python(
        "import labsupport.tf1\n"
        "try:\n"
        "    import labsupport.tf2\n"
        "except RuntimeError as error:\n"
        "    print(type(error).__name__, 'restart the kernel' in str(error))\n"
    )
    assert (out, err) == ("TensorFlow1Loaded True", "")


AGREEMENT = """
import sys
import numpy as np
from labsupport.authoring import lessons
from labsupport.tf2 import keras

layer = lessons.answers(lessons.read(lessons.sources()["02_moving_averages"])).BatchNorm
own = lessons.answers(lessons.read(lessons.sources()["10_today"])).BatchNorm
random, d = np.random.RandomState(0), 5
hand = layer(d, momentum=0.8, eps=0.05)
others = [keras.layers.BatchNormalization(momentum=0.8, epsilon=0.05), own(0.8, 0.05)]
gamma, beta = random.uniform(0.5, 2, d), random.randn(d)
hand.gamma, hand.beta = gamma, beta
for other in others:
    other(np.ones((1, d), "float32"))
    other.gamma.assign(gamma)
    other.beta.assign(beta)
apart = []
for training in (True, True, True, False):
    x = (3 + 2 * random.randn(20, d)).astype("float32")
    right = hand(x, training)
    apart += [np.abs(other(x, training=training).numpy() - right).max() for other in others]
for other in others:
    apart.append(np.abs(other.moving_mean.numpy() - hand.moving_mean).max())
    apart.append(np.abs(other.moving_variance.numpy() - hand.moving_var).max())
print(bool(max(apart) < 1e-5), float(max(apart)))
"""


def test_keras_3_and_lesson_10_agree_with_the_layer_of_lesson_02():
    out, err = python(AGREEMENT)
    assert out.startswith("True"), (out, err[-2000:])
