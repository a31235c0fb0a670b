"""Runs Keras 3 for `test_agreement.py` in a process of its own: it does not go with `tf1`."""

from __future__ import annotations

import numpy as np


def train_and_predict(batches, new, gamma, beta, momentum, eps):
    """What `keras.layers.BatchNormalization` makes of these batches, then of `new`."""
    from labsupport.tf2 import keras

    constant = keras.initializers.Constant
    layer = keras.layers.BatchNormalization(
        momentum=momentum,
        epsilon=eps,
        gamma_initializer=constant(gamma),
        beta_initializer=constant(beta),
        dtype="float64",
    )
    return dict(
        outs=[layer(x, training=True).numpy() for x in batches],
        prediction=layer(np.asarray(new)).numpy(),
        moving_mean=layer.moving_mean.numpy(),
        moving_var=layer.moving_variance.numpy(),
    )
