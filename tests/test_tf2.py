"""`labsupport.tf2`: quiet, Keras 3, never beside TensorFlow 1. And the layer of lesson 10."""

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


def test_garbage_is_collected_again_after_the_import():
    out, _err = python("import gc, labsupport.tf2\nprint(gc.isenabled())")
    assert out == "True"
    out, _err = python("import gc\ngc.disable()\nimport labsupport.tf1\nprint(gc.isenabled())")
    assert out == "False"


AGREEMENT = """
import numpy as np
from labsupport.authoring import lessons
from labsupport.tf2 import keras

own = lessons.answers(lessons.read(lessons.sources()["10_today"])).BatchNorm(0.8, 0.05)
theirs = keras.layers.BatchNormalization(momentum=0.8, epsilon=0.05)
random, d = np.random.RandomState(0), 5
gamma, beta = random.uniform(0.5, 2, d), random.randn(d)
for layer in (own, theirs):
    layer(np.ones((1, d), "float32"))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
apart = []
for training in (True, True, True, False):
    x = (3 + 2 * random.randn(20, d)).astype("float32")
    outs = [layer(x, training=training).numpy() for layer in (own, theirs)]
    apart.append(np.abs(outs[0] - outs[1]).max())
for name in ("moving_mean", "moving_variance"):
    apart.append(np.abs(getattr(own, name).numpy() - getattr(theirs, name).numpy()).max())
print(bool(max(apart) < 1e-5), float(max(apart)))
"""


def test_the_layer_of_lesson_10_agrees_with_keras():
    out, err = python(AGREEMENT)
    assert out.startswith("True"), (out, err[-2000:])


EAGERLY = """
from labsupport import exercises, keys
from labsupport.grading import program
from labsupport.judge import judge
from labsupport.observe import observe
names = {}
for cell in program.solved("10_today").cells:
    if cell.kind == "setup" or cell.name == "k-train-step":
        exec(cell.source, names)
tf, right = names["tf"], names["train_step"]
exercise = exercises.find("k-train-step")
def points(answer):
    cases = exercise.visible_cases()
    seen = observe(exercise, answer, cases)
    return judge(exercise, cases, keys.load(exercise.id), seen).points
tf.config.run_functions_eagerly(True)
wrong = points(lambda *given: float(right(*given).numpy()))
print(points(right) == exercise.points, wrong < exercise.points, tf.config.functions_run_eagerly())
"""


def test_functions_are_compiled_even_where_they_run_eagerly_for_debugging():
    out, err = python(EAGERLY)
    assert out.strip().endswith("True True True"), (out, err[-2000:])
