"""The clinic of lesson 11: what a program is there, and instruments to examine one.

A program is a function `program(sizes, speed)`. It builds and starts a network for inputs of
`sizes[0]` numbers with `sizes[1]` hidden units and `sizes[2]` classes, and returns two functions:

    learn(images, labels)   one step with learning rate `speed` on a batch; gives back the logits
                            that the step saw, from before it changed anything
    predict(images)         the logits for new images

The instruments know nothing but these two, so they fit NumPy and TensorFlow alike; `assignments`
alone looks into a graph. None of them knows what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

#: What a program can suffer from, and the sign of it.
DIAGNOSES = {
    "healthy": "it does what it should; the report misreads it",
    "still": "training never moves the moving statistics",
    "forgetful": "the moving statistics follow the newest batch",
    "lost": "training moves the moving statistics, but prediction never gets them",
    "borrowed": "prediction uses the statistics of the batch it is given",
    "leaky": "prediction moves the moving statistics",
    "noisy": "prediction drops units",
    "never on": "training drops no units",
    "wrong share": "training drops another share of the units than was meant",
    "wrong scale": "training and prediction differ by a constant factor",
}

MNIST = (784, 100, 10)


@dataclass(frozen=True)
class Bed:
    """A program that was started, in a graph of its own."""

    learn: Callable[[Any, Any], np.ndarray]
    predict: Callable[[Any], np.ndarray]
    graph: Any


def admit(program: Callable, sizes: tuple[int, int, int] = MNIST, speed: float = 0.1) -> Bed:
    """Start a program in a fresh graph."""
    from labsupport.tf1 import tf

    with tf.Graph().as_default() as graph:
        tf.set_random_seed(1)
        np.random.seed(1)
        learn, predict = program(sizes, speed)
    return Bed(learn, predict, graph)


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(np.argmax(logits, axis=1) == labels))


@lru_cache(maxsize=1)
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """1,000 digits to train on, and 500 new ones, 50 of each class, sorted by class."""
    from labsupport.data import load_mnist

    x, y, test_x, test_y = load_mnist(flat=True)
    order = np.argsort(test_y, kind="stable")[::2]
    return x[:1000], y[:1000], test_x[order], test_y[order]


@lru_cache(maxsize=32)
def course(program: Callable, epochs: int = 4) -> tuple[Bed, dict[str, list[float]]]:
    """A program trained on batches of 10, and two accuracies after each epoch.

    "in training" is that of the logits that the steps saw; the new digits come in their order, in
    batches of 50.
    """
    x, y, new_x, new_y = digits()
    bed, rng = admit(program), np.random.RandomState(0)
    curves = {"in training": [], "on new digits": []}
    for _epoch in range(epochs):
        seen = []
        for rows in rng.permutation(len(x)).reshape(-1, 10):
            seen.append(accuracy(bed.learn(x[rows], y[rows]), y[rows]))
        logits = [bed.predict(new_x[i : i + 50]) for i in range(0, len(new_x), 50)]
        curves["in training"].append(float(np.mean(seen)))
        curves["on new digits"].append(accuracy(np.concatenate(logits), new_y))
    return bed, curves


# ---------------------------------------------------------------- instruments


def trained(program: Callable) -> Bed:
    """A bed of its own for each measurement: some measurements leave traces."""
    return course.__wrapped__(program, epochs=2)[0]


def twice(program: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the same 50 new digits, asked for twice in a row."""
    bed = trained(program)
    images = digits()[2][::10]
    return bed.predict(images), bed.predict(images)


def alone(program: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Logits of 50 new digits, asked for together and one by one."""
    bed = trained(program)
    images = digits()[2][::10]
    return bed.predict(images), np.concatenate([bed.predict(i[np.newaxis]) for i in images])


def in_between(program: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Logits of 50 new digits before and after a prediction for 500 negatives."""
    bed = trained(program)
    images = digits()[2][::10]
    before = bed.predict(images)
    for rows in range(0, 500, 10):
        bed.predict(1 - digits()[0][rows : rows + 10])
    return before, bed.predict(images)


def both_modes(program: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Logits of one batch of 200: as predicted, then as a training step sees it, averaged.

    Each digit stands 20 times in the training batch, so that what is drawn at random averages out.
    """
    bed = trained(program)
    x, y = digits()[:2]
    predicted = bed.predict(x[:200])
    seen = bed.learn(np.tile(x[:200], (20, 1)), np.tile(y[:200], 20))
    return predicted, seen.reshape(20, 200, -1).mean(axis=0)


def without_learning(program: Callable, steps: int = 60) -> np.ndarray:
    """One digit's prediction (logit of class 0) after each training step with learning rate 0."""
    x, y, test_x, _ = digits()
    bed, rng = admit(program, speed=0.0), np.random.RandomState(0)
    values = [bed.predict(test_x[:1])[0, 0]]
    for _ in range(steps):
        rows = rng.choice(len(x), 10)
        bed.learn(x[rows], y[rows])
        values.append(bed.predict(test_x[:1])[0, 0])
    return np.array(values)


def one_unit(program: Callable, copies: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Logits of one digit with a single hidden unit: `copies` in a training batch, and predicted.

    A dropped unit leaves the output at one level; a kept one lifts it to another. The digit, or
    its negative, is one that the unit answers to.
    """
    x, y = digits()[:2]
    bed = admit(program, (784, 1, 10), 0.0)
    for image in (x[:1], -x[:1]):
        images = np.repeat(image, copies, axis=0)
        seen, predicted = bed.learn(images, np.repeat(y[:1], copies)), bed.predict(images)
        if np.ptp(seen[:, 0]) > 1e-3:
            break
    column = int(np.argmax(np.ptp(seen, axis=0)))
    return seen[:, column], predicted[:, column]


def assignments(program: Callable) -> list[tuple[str, bool, bool]]:
    """What changes a variable: operation → variable, whether a step runs it, and a prediction.

    Seen by running both and asking TensorFlow what ran. Empty for a program without a graph.
    """
    from labsupport.tf1 import tf

    x, y = digits()[:2]
    session_run, ran = tf.Session.run, set()

    def run(session, fetches, feed_dict=None, **_given):
        record, options = tf.RunMetadata(), tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        found = session_run(session, fetches, feed_dict, options=options, run_metadata=record)
        stats = record.step_stats.dev_stats
        ran.update(node.node_name for device in stats for node in device.node_stats)
        return found

    bed = admit(program)
    starts = {v.initializer.name for v in bed.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)}
    there = [
        operation.name
        for operation in bed.graph.get_operations()
        if operation.type.startswith(("Assign", "ResourceApply"))
        and operation.name not in starts
        and not operation.name.startswith("save")
    ]
    noted = []
    tf.Session.run = run
    try:
        for use in (lambda: bed.learn(x[:10], y[:10]), lambda: bed.predict(x[:10])):
            ran.clear()
            use()
            noted.append(set(ran))
    finally:
        tf.Session.run = session_run
    return [
        (f"{name} → {_variable_of(bed.graph, name)}", name in noted[0], name in noted[1])
        for name in there
    ]


def _variable_of(graph: Any, name: str) -> str:
    """The variable that an assignment changes; inside a `tf.cond` it is reached by a switch."""
    source = graph.get_operation_by_name(name).inputs[0].op
    while source.type in ("Switch", "Identity"):
        source = source.inputs[0].op
    return source.name
