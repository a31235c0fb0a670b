"""The clinic of lesson 11: what a program is there, and instruments to examine one.

A program is a function `program(sizes, speed)`. It builds and starts a network for inputs of
`sizes[0]` numbers with `sizes[1]` hidden units and `sizes[2]` classes, and returns two functions:

    learn(images, labels)   one step with learning rate `speed` on a batch; gives back the logits
                            that the step saw, from before it changed anything
    predict(images)         the logits for new images

The instruments know nothing but these two, so they fit NumPy and TensorFlow alike; two of them look
further: `moving_statistics` at what a program keeps, `assignments` into its graph. None of them
knows what is wrong.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
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


def accuracy_by_batch(program: Callable, sizes: tuple[int, ...] = (50, 10, 1)) -> dict[int, float]:
    """Accuracy on the new digits, in their order, by the size of the batches they come in.

    Trained anew for each size: a program may not be the same after it was asked.
    """
    new_x, new_y = digits()[2:]
    found = {}
    for size in sizes:
        bed = trained(program, epochs=4)
        logits = [bed.predict(new_x[i : i + size]) for i in range(0, len(new_x), size)]
        found[size] = accuracy(np.concatenate(logits), new_y)
    return found


# ---------------------------------------------------------------- instruments


def trained(program: Callable, epochs: int = 2) -> Bed:
    """A bed of its own for each measurement: some measurements leave traces."""
    return course.__wrapped__(program, epochs)[0]


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


def moving_statistics(
    program: Callable, steps: int = 60, questions: int = 20
) -> dict[str, np.ndarray]:
    """What a program keeps of its batches: one hidden unit's values, after each call.

    First come `steps` training steps, then `questions` predictions for the negatives of ten digits
    each. A moving statistic is what has a number for each hidden unit and is not trained: variables
    of the graphs that ran, or arrays that `learn` and `predict` share.
    """
    bed, (x, y), rng = admit(program), digits()[:2], np.random.RandomState(0)
    sessions: dict[Any, str] = {}
    with _sessions_watched(lambda session, _: sessions.setdefault(session, "training")):
        bed.learn(x[:10], y[:10])
    with _sessions_watched(lambda session, _: sessions.setdefault(session, "predicting")):
        bed.predict(x[:10])

    looks = _variables_kept(sessions) | _arrays_kept(bed)
    bed_looks = list(looks.items())
    kept = {name: [look()] for name, look in bed_looks}
    for i in range(steps + questions):
        if i < steps:
            rows = rng.choice(len(x), 10)
            bed.learn(x[rows], y[rows])
        else:
            bed.predict(1 - x[10 * i : 10 * i + 10])
        for name, look in bed_looks:
            kept[name].append(look())
    return {name: np.array(values) for name, values in kept.items()}


def _variables_kept(sessions: dict[Any, str]) -> dict[str, Callable[[], float]]:
    """A way to read the first unit of each moving statistic, by its name."""
    from labsupport.tf1 import tf

    looks = {}
    for session, use in sessions.items():
        with session.graph.as_default():
            trained = {v.name for v in tf.trainable_variables()}
            there = [v for v in tf.global_variables() if v.name not in trained]
            for variable in there:
                if variable.shape.as_list() == [MNIST[1]] and variable.dtype.base_dtype.is_floating:
                    name = variable.op.name + ("" if use == "training" else " (where it predicts)")
                    first = variable.value()[0]
                    looks[name] = lambda session=session, first=first: float(session.run(first))
    return looks


def _arrays_kept(bed: Bed) -> dict[str, Callable[[], float]]:
    """The same for a program without a graph: arrays that both of its functions see."""
    cells, todo = {}, [bed.learn, bed.predict]
    while todo:
        function = todo.pop()
        if not hasattr(function, "__closure__"):
            continue
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            if id(cell) not in {id(known) for known in cells.values()}:
                cells[name] = cell
                if callable(cell.cell_contents):
                    todo.append(cell.cell_contents)
    return {
        name: lambda cell=cell: float(cell.cell_contents[0])
        for name, cell in sorted(cells.items())
        if np.shape(cell.cell_contents) == (MNIST[1],)
    }


@contextlib.contextmanager
def _sessions_watched(see: Callable[[Any, Any], None]) -> Iterator[None]:
    """Within the block every `session.run` is traced; `see` gets the session and what ran in it."""
    from labsupport.tf1 import tf

    session_run = tf.Session.run

    def run(session, fetches, feed_dict=None, **_given):
        record, options = tf.RunMetadata(), tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        found = session_run(session, fetches, feed_dict, options=options, run_metadata=record)
        stats = record.step_stats.dev_stats
        see(session, {node.node_name for device in stats for node in device.node_stats})
        return found

    tf.Session.run = run
    try:
        yield
    finally:
        tf.Session.run = session_run


def assignments(program: Callable) -> list[tuple[str, bool, bool]]:
    """What changes a variable: operation → variable, whether a step runs it, and a prediction.

    Seen by running both and asking TensorFlow what ran. Empty for a program without a graph.
    """
    from labsupport.tf1 import tf

    x, y = digits()[:2]
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
    for use in (lambda: bed.learn(x[:10], y[:10]), lambda: bed.predict(x[:10])):
        ran = set()
        with _sessions_watched(lambda _, names, ran=ran: ran.update(names)):
            use()
        noted.append(ran)
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
