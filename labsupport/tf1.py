"""TensorFlow's version 1 API on today's TensorFlow.

    from labsupport.tf1 import tf

`tf` is `tensorflow.compat.v1` in graph mode: placeholders, sessions, collections and `tf.layers`
work as in the notes that the course grew from. `tf.layers` needs the legacy Keras, which
TensorFlow picks by an environment variable; it is set here, so that nobody has to know about it.

Variables are resource variables: a read is an operation of its own, made where the variable is
used, so control dependencies order it. Version 1's own default was a reference to the variable's
memory, which leaves the moment of reading to chance; `use_resource=False` still gives that kind.
"""

from __future__ import annotations

import os
import warnings

from labsupport.quiet import quiet

__all__ = ["KerasAlreadyBound", "tf"]


class KerasAlreadyBound(RuntimeError):
    """TensorFlow took Keras 3 for `tf.keras` before this module could choose. One sentence."""

    def _render_traceback_(self) -> list[str]:  # IPython shows the sentence alone
        return [f"{type(self).__name__}: {self}"]


RESTART = (
    "TensorFlow has already loaded Keras 3 as `tf.keras`, and `tf.layers` would silently use "
    "another Keras: restart the kernel (Kernel → Restart Kernel) and run this cell first."
)


def _load():
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    with quiet():
        import tensorflow

        v1 = tensorflow.compat.v1
        if not _is_legacy(tensorflow):
            raise KerasAlreadyBound(RESTART)
        v1.logging.set_verbosity(v1.logging.ERROR)  # first: in a notebook it logs to stdout
        v1.disable_v2_behavior()
        v1.enable_resource_variables()
        warnings.filterwarnings("ignore", message=r"`tf\.layers\.\w+` is deprecated")
        v1.layers.batch_normalization  # noqa: B018  resolves the lazy module while stderr is quiet
    return v1


def _is_legacy(tensorflow) -> bool:
    """Whether `tf.keras` is the legacy Keras (asking binds it, if nothing else has)."""
    return tensorflow.keras.layers.Layer.__module__.startswith("tf_keras.")


tf = _load()
