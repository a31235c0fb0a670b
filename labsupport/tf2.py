"""TensorFlow 2 and Keras 3, as they are today, without a word on the page.

    from labsupport.tf2 import tf, keras

`tf` is TensorFlow in eager mode, `keras` is Keras 3 running on it. One kernel has one of the two:
`labsupport.tf1` switches eager mode off for good, and Keras 3 does not work without it.
"""

from __future__ import annotations

import os

from labsupport.quiet import quiet

__all__ = ["TensorFlow1Loaded", "keras", "tf"]


class TensorFlow1Loaded(RuntimeError):
    """This process has switched to TensorFlow 1, or Keras to another backend. One sentence."""

    def _render_traceback_(self) -> list[str]:  # IPython shows the sentence alone
        return [f"{type(self).__name__}: {self}"]


RESTART = (
    "This kernel has already {what}, and that cannot be undone: restart the kernel "
    "(Kernel → Restart Kernel) and run this cell first."
)


def _load():
    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    os.environ["KERAS_BACKEND"] = "tensorflow"  # before a keras.json of the reader's
    with quiet():
        import keras
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")
        # Asking for `tf.keras` binds it to Keras 3, so that `labsupport.tf1` will refuse later.
        bound = tensorflow.keras.layers.Layer.__module__
    if not tensorflow.executing_eagerly() or bound.startswith("tf_keras."):
        raise TensorFlow1Loaded(RESTART.format(what="switched to TensorFlow 1"))
    if keras.backend.backend() != "tensorflow":
        what = f"started Keras on {keras.backend.backend()}, not on TensorFlow"
        raise TensorFlow1Loaded(RESTART.format(what=what))
    return tensorflow, keras


tf, keras = _load()
