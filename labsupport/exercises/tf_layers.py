"""A batch norm layer for the probes' networks, made in a third of `tf.layers`' time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labsupport.exercises.tf_common import Trial

STATISTICS = dict(moving_mean=0.0, moving_variance=1.0)
EPS = 1e-3


def batch_normalization(
    t: Trial,
    x: Any,
    momentum: float,
    training: bool = True,
    affine: tuple[float, float] | None = (1.0, 0.0),
    earlier: Sequence[Any] = (),
) -> tuple[Any, list[Any]]:
    """What `tf.layers.batch_normalization` makes of x (m, …, D), and its variables.

    The variables have the names of `tf.layers`, in the scope that is open; so have the two updates
    in UPDATE_OPS, but for a variance that always divides by N - 1. affine: what γ and β start with;
    None for a layer without. earlier: the variables, if the layer was called before.
    """
    tf, d = t.tf, int(x.shape[-1])
    starts = dict(zip(("gamma", "beta"), affine or (), strict=False)) | STATISTICS
    variables = list(earlier) or t.several(
        {name: np.full(d, start) for name, start in starts.items()}, trainable=("gamma", "beta")
    )
    gamma, beta = variables[:2] if affine else (np.ones(d, np.float32), np.zeros(d, np.float32))
    mean, variance = variables[-2:]
    used = {} if training else {"mean": mean, "variance": variance}
    rows = tf.reshape(x, (-1, 1, 1, d))
    y, *of_batch = tf.nn.fused_batch_norm(
        rows, gamma, beta, epsilon=EPS, is_training=training, **used
    )
    if training:
        note(tf, (mean, variance), of_batch[:2], 1 - momentum)
    return tf.reshape(y, (-1, *x.shape.as_list()[1:])), variables


def note(tf: Any, statistics: Sequence[Any], of_batch: Sequence[Any], pace: Any) -> None:
    """Add the updates that take moving statistics a share of the way to the batch's."""
    for old, new in zip(statistics, of_batch, strict=True):
        with tf.name_scope("AssignMovingAvg"):
            update = old.assign_sub(pace * (old - new), read_value=False)
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
