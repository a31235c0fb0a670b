"""Exercises of lesson 07_mnist. The probes build networks of a few dozen units, not of 300."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labsupport.exercises import tf_variable
from labsupport.exercises.common import batch, call, pair
from labsupport.exercises.tf_common import Trial, about_running, trial
from labsupport.exercises.tf_layers import batch_normalization, note
from labsupport.observe import plain
from labsupport.vocabulary import Case, Exercise, Odd, Part, Unusable

LESSON = "07_mnist"

#: Several float32 steps, whose sums run in an order of their own.
PRECISION = dict(rtol=1e-3, atol=1e-4)
LIMIT = 20.0  # the first check may have to wait for TensorFlow


def _statistics(tf: Any) -> list[Any]:
    """The moving statistics of the current graph: what is stored, but not trained."""
    trained = {v.name for v in tf.trainable_variables()}
    return [v for v in tf.global_variables() if v.name not in trained]


def _differs(a: np.ndarray, b: np.ndarray) -> bool:
    return not np.allclose(a, b, rtol=1e-6, atol=1e-9, equal_nan=True)


def _weights(rng: np.random.RandomState, *sizes: int) -> dict[str, np.ndarray]:
    """Kernels w1, w2 … between layers of the given sizes, float32."""
    steps = zip(sizes, sizes[1:], strict=False)
    return {
        f"w{i}": (rng.randn(n, k) / np.sqrt(n)).astype(np.float32)
        for i, (n, k) in enumerate(steps, 1)
    }


def _network(t: Trial, inputs: Mapping[str, Any], training: bool, x: Any, other: bool = False):
    """A network with the case's own weights; it normalizes what goes into each if it says so.

    other: start from other weights than the case's. Made of few operations and without `tf.layers`,
    since making operations and their gradients is what takes time.
    """
    tf, h = t.tf, x
    kernels = [inputs[name] for name in sorted(inputs) if name[0] == "w" and name[1:].isdigit()]
    for i, kernel in enumerate(kernels, 1):
        if inputs["momentum"]:
            with tf.variable_scope(f"bn{i}"):
                h, _ = batch_normalization(t, h, inputs["momentum"], training, (1.4, 0.3))
                h = tf.nn.elu(h)
        kernel = kernel[::-1] if other else kernel
        last = i == len(kernels)
        with tf.variable_scope("out" if last else f"hidden{i}"):
            h = tf.matmul(h, t.variable(kernel, "kernel", trainable=True))
            if last:
                return tf.nn.bias_add(h, t.variable(kernel[0], "bias", trainable=True))


# ---------------------------------------------------------------- mnist-train-step


def _train_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, sizes, batches, momentum):
        inputs = {**_weights(rng, *sizes), "momentum": momentum}
        for i, n in enumerate(batches, 1):
            inputs[f"x{i}"] = (batch(rng, n, sizes[0]) / 4).astype(np.float32)
        return Case(case_id, title, inputs)

    n = int(rng.randint(9, 13))
    return [
        case("three", "three steps, two normalized layers", (4, 3, 2), [8, n, 8], 0.8),
        case("none", "a network without batch norm", (4, 3), [n, n], 0.0),
    ]


def _train_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    with trial() as t:
        x = t.placeholder(inputs["x1"], "x")
        loss = t.tf.nn.l2_loss(_network(t, inputs, True, x), name="loss")
        weights, statistics = t.tf.trainable_variables(), _statistics(t.tf)
        updates = t.tf.get_collection(t.tf.GraphKeys.UPDATE_OPS)
        step = _one_or_several(t, t.build(answer, loss, name="make_train_op"))
        before = t.run(statistics)
        for i in range(1, 1 + sum(name[0] == "x" for name in inputs)):
            t.run(step, {x: inputs[f"x{i}"]})
        trained, after = t.run([weights, statistics])
        found = {"weights": _joined(trained)}
        if not statistics:
            return found
        moved = all(map(_differs, before, after))
        link = "the step runs the updates" if moved else _link(t.tf, step, updates)
        return {**found, "statistics": _joined(after), "link": link}


def _one_or_several(t: Trial, step: Any) -> list[Any]:
    """What can be run: an operation, a tensor, or several, and UPDATE_OPS that may be empty."""
    if isinstance(step, (list, tuple)):
        step = [one for one in step if one is not None] or step
    return t.fetchables(step, "the operation that is run at every step")


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays])


def _link(tf: Any, step: Any, updates: list[Any]) -> str:
    """How the graph ties the update operations to a step that leaves statistics unmoved."""
    wanted = {op.name for op in updates}
    reached = _needed(step)
    if wanted <= reached:
        return "the step runs the updates, and yet they change nothing"
    if wanted & reached:
        return "the step runs only some of the update operations"
    waiting = {op.name for op in tf.get_default_graph().get_operations() if wanted & _needed([op])}
    if waiting - wanted:
        return "something waits for the update operations, but the step does not need it"
    return "nothing waits for the update operations"


def _needed(fetches: Iterable[Any]) -> set[str]:
    """Names of every operation that runs when these are run."""
    todo = [getattr(one, "op", one) for one in fetches]
    seen: set[str] = set()
    while todo:
        op = todo.pop()
        if op.name not in seen:
            seen.add(op.name)
            todo += [*op.control_inputs, *(tensor.op for tensor in op.inputs)]
    return seen


TRAIN_STEP = Exercise(
    id="mnist-train-step",
    lesson=LESSON,
    title="A step that trains and keeps the books",
    answer="make_train_op",
    parts=(
        Part(
            "trains",
            2,
            "the weights take a step of gradient descent",
            ("*/weights", "*/inputs"),
        ),
        Part(
            "moves",
            2,
            "the moving statistics move with it",
            ("*/statistics", "*/link"),
            ("trains",),
        ),
    ),
    cases=_train_cases,
    probe=_train_probe,
    hints=(
        "You know both halves from lesson 06: which collection holds the update operations, and "
        "which block makes new operations wait for others?",
        "Read the collection inside the function: it is called when the network is there already. "
        "What must be created inside the `with` block, so that it waits?",
        "The optimizer's `minimize(loss)` creates the operation that is run at every step. Create "
        "it inside `with tf.control_dependencies(…)` and return that very operation.",
    ),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- mnist-audit


def _audit_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, layers, frozen=(), zero=""):
        """layers: normalized layers by name, with what each is told about training.

        frozen: those whose updates change nothing; zero: the one whose means start at 0.
        """
        d = int(rng.randint(5, 8))
        how = dict(kernel=rng.randn(d, 10), layers=layers, frozen=frozen, zero=zero)
        how |= dict(rows=batch(rng, 10, d), there=f"there_{rng.randint(100, 1000)}")
        return Case(case_id, title, dict(images=batch(rng, 10, d), **how))

    # Of so many that nobody has the names by heart.
    first, *rest = (f"norm_{n}" for n in rng.choice(np.arange(100, 1000), 5, replace=False))
    one, other = sorted(rest[:2], reverse=True)  # the order of their making is not the alphabet's
    two = {one: False, first: True, other: False}
    return [
        case("two", "a network in which two layers stand still", two, zero=one),
        case("none", "a network in which no layer stands still", {rest[2]: True}),
        case(
            "idle",
            "a layer whose updates run and change nothing",
            {rest[3]: True, first: True},
            (first,),
        ),
    ]


#: What a run of the case's network was, the best last.
PREDICTION = "the network never ran in training mode"
ALIKE = "the network ran in training mode on batches of images that are all alike, and on no others"
TRAINING = "the network ran in training mode"


def _builder(
    tf: Any, inputs: Mapping[str, Any], runs: list[str], means: list[np.ndarray]
) -> Callable[[Any, Any], Any]:
    """The case's network, as a function like the lesson's.

    `runs` notes what each run was; `means` what the first updated layer's updates take for the
    mean, in training mode. The network computes with rows of its own, and that layer has nothing
    trained before it: so right answers agree in the mean, whatever they feed and train. But if all
    images of a batch are alike nothing moves, as in a real network behind its first batch norm,
    which gives out β for each of them.
    """
    updated = next(name for name, told in inputs["layers"].items() if told)

    def note(training, fed):
        alike = not np.ptp(fed, axis=0).any() if len(fed) else True
        runs.append((ALIKE if alike else TRAINING) if training else PREDICTION)
        return np.float32(runs[-1] == TRAINING)

    def note_mean(training, mean):
        if training:
            means.append(mean)
        return mean

    def quick(_usual_way, *, initial_value, name, trainable, **_rest):
        return tf_variable.make(initial_value, name, trainable)

    def build(x, training):
        with tf.variable_creator_scope(quick):
            return network(x, training)

    def network(x, training):
        fed = tf.cast(x, tf.float32)
        if fed.shape.ndims != 2 or fed.shape.dims[1].value is None:
            raise ValueError("The network has to know D: the shape of `x` should be (None, D).")
        on = tf.py_func(note, [tf.convert_to_tensor(training), fed], tf.float32)
        on.set_shape(())
        h = inputs["rows"].astype(np.float32) + 0 * (on + tf.reduce_mean(fed, 0))
        for name, told in inputs["layers"].items():
            with tf.variable_scope(name):
                start = 0.5 * (name != inputs["zero"])
                pace = 0.1 * (name not in inputs["frozen"])
                tell = (note_mean, training) if name == updated else None
                h = tf.nn.elu(_layer(tf, h, start, pace * on if told else None, tell))
        with tf.variable_scope("logits"):
            return tf.matmul(h, _variable(tf, "kernel", inputs["kernel"], trainable=True))

    return build


def _layer(tf: Any, h: Any, start: float, pace: Any, tell: Any = None) -> Any:
    """Batch norm in few operations: its statistics go towards the batch's at this pace.

    pace: None for a layer that is told nothing about training. Others use the batch in either mode,
    since an audit looks at what moves. tell: what an update tells the batch's mean, and the mode.
    """
    d = int(h.shape[1])
    mean = _variable(tf, "moving_mean", np.full(d, start))
    variance = _variable(tf, "moving_variance", np.ones(d))
    if pace is None:
        return (h - mean) * tf.rsqrt(variance + 1e-3)
    gamma, beta = _variable(tf, "gamma", np.ones(d), trainable=True), np.zeros(d, np.float32)
    h, *of_batch = tf.nn.fused_batch_norm(tf.reshape(h, (-1, 1, 1, d)), gamma, beta)
    if tell is not None:
        note_mean, training = tell
        of_batch[0] = tf.py_func(note_mean, [training, of_batch[0]], tf.float32)
        of_batch[0].set_shape((d,))
    note(tf, (mean, variance), of_batch, pace)
    return tf.reshape(h, (-1, d))


def _variable(tf: Any, name: str, start: np.ndarray, trainable: bool = False) -> Any:
    return tf.get_variable(name, initializer=start.astype(np.float32), trainable=trainable)


def _audit_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    runs: list[str] = []
    means: list[np.ndarray] = []
    with trial() as t:
        t.tf.no_op(name=inputs["there"])
        build = _builder(t.tf, inputs, runs, means)
        try:
            found = call(answer, build, inputs["images"], name="still_layers")
        except t.tf.errors.OpError as error:
            raise Unusable(about_running(error)) from None
        left = "the network is in it" if t.variables() else f"{inputs['there']} and no network"
    ran = max(runs, key=(PREDICTION, ALIKE, TRAINING).index, default="the network never ran")
    mean = means[0] if means else Odd("not to be had: no update ran in training mode")
    names = _layer_names(found)
    return {
        "layers": ", ".join(map(_name, sorted(names))) or "none",
        "ran": ran,
        "what an update takes for the mean": mean,
        "the graph that is there": left,
        "the order of the names": "sorted" if names == sorted(names) else "not sorted",
    }


def _name(name: str) -> str:
    """A layer's name in a list of them; what might be taken for a list itself, in quotes."""
    return repr(name) if "," in name or name == "none" else name


def _layer_names(found: Any) -> list[str]:
    """Names in the order in which they come; a set has none, and is as good as sorted."""
    wanted = "It should return a list of names"
    if isinstance(found, str):
        raise Unusable(f"{wanted}, whatever their number; it returns a string.")
    if found is None:
        raise Unusable(f"{wanted}; it returns None. Is a `return` missing?")
    if not isinstance(found, (list, tuple, set, frozenset, np.ndarray)):
        what = plain(found)
        raise Unusable(f"{wanted}; it returns {what if isinstance(what, str) else 'a number'}.")
    names = list(np.ravel(found)) if isinstance(found, np.ndarray) else list(found)
    if not all(isinstance(name, str) for name in names):
        raise Unusable(f"{wanted}; some of what it returns are no strings.")
    return sorted(names) if isinstance(found, (set, frozenset)) else names


AUDIT = Exercise(
    id="mnist-audit",
    lesson=LESSON,
    title="Which layers stand still?",
    answer="still_layers",
    parts=(
        Part(
            "finds",
            2,
            "finds the layers that stand still",
            ("two/layers", "two/ran", "two/what an update*", "two/inputs"),
        ),
        Part(
            "evidence",
            2,
            "goes by what moves, in a graph of its own, and accuses nobody else",
            ("none/*", "idle/*", "two/the graph that is there", "two/the order of the names"),
            ("finds",),
        ),
    ),
    cases=_audit_cases,
    probe=_audit_probe,
    hints=(
        "Build the network in a graph of your own, with placeholders for the images and for "
        "`training`. Note the values of the moving statistics, let the updates run, look again.",
        "`tf.global_variables()` has them, under names like `bn1/moving_mean:0`. You need no loss "
        "and no optimizer: the update operations can be run by themselves.",
        "Run `tf.get_collection(tf.GraphKeys.UPDATE_OPS)`, read after the network was built, with "
        "the images and `training: True` in the feed. `np.array_equal(before, after)` says which "
        "variables stood still; the layer is what comes before `/moving_`.",
    ),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- mnist-find-the-bug


def _bug_cases(rng: np.random.RandomState) -> list[Case]:
    d = int(rng.randint(6, 12))
    inputs = {name: batch(rng, 40, d).astype(np.float32) for name in ("x", "others")}
    title = "a network in training and in prediction"
    return [Case("network", title, {**inputs, "seed": int(rng.randint(1000))})]


class _Built:
    """The student's network: `run` it, `update` its moving statistics."""

    def __init__(self, t: Trial, answer: Any, x: np.ndarray):
        self.t, self.x, self.training = t, t.placeholder(x, "x"), t.flag()
        logits = t.build(answer, self.x, self.training, name="build_network")
        self.logits = t.fetchable(logits, "the tensor of the logits", operations=False)
        self.updates = t.tf.get_collection(t.tf.GraphKeys.UPDATE_OPS)
        self.variables = t.tf.global_variables()
        self.trained = {v.name for v in t.tf.trainable_variables()}
        #: The trained matrices, in the order of their making; a γ of one row is none.
        self.kernels = [
            i
            for i, v in enumerate(self.variables)
            if v.name in self.trained and v.shape.ndims == 2 and v.shape[0] > 1
        ]

    def run(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        return self.t.run(self.logits, {self.x: x, self.training: training})

    def update(self, x: np.ndarray, times: int = 1) -> None:
        for _ in range(times):
            self.t.run(self.updates, {self.x: x, self.training: True})

    def values(self) -> list[np.ndarray]:
        return self.t.run(self.variables)

    def set(self, values: Mapping[int, np.ndarray]) -> None:
        """Give variables, told by their numbers, these values."""
        self.t.set_all((self.variables[i], value) for i, value in values.items())

    def give_weights(self, seed: int) -> None:
        """Give each kernel weights that the right network gets too."""
        shapes = {i: self.variables[i].shape.as_list() for i in self.kernels}
        self.set(
            {
                i: np.random.RandomState(seed + n).randn(n, k) / np.sqrt(n)
                for i, (n, k) in shapes.items()
            }
        )

    def paces(
        self, start: list[np.ndarray], once: list[np.ndarray], x: np.ndarray
    ) -> dict[int, float]:
        """How much of its way to the batch's value one more update leaves each moving statistic.

        start, once: all values before and after the first update.
        """
        self.update(x)
        return {
            i: _share(c - b, b - a)
            for i, (a, b, c) in enumerate(zip(start, once, self.values(), strict=True))
            if _differs(a, b)
        }

    def settle(
        self,
        x: np.ndarray,
        start: list[np.ndarray],
        once: list[np.ndarray],
        paces: Mapping[int, float],
    ) -> list[np.ndarray]:
        """Bring the moving statistics to those of x; all values then.

        Their paces tell the goal, unless one more update leaves it: then they go step by step.
        """
        goal = {
            i: start[i] + (once[i] - start[i]) / (1 - (pace if 0 <= pace < 0.9999 else 0.9))
            for i, pace in paces.items()
        }
        self.set(goal)
        self.update(x)
        after = self.values()
        if not all(_off(after[i], goal[i]) < 1e-3 * _off(start[i], goal[i]) for i in goal):
            self.set({i: once[i] for i in goal})
            self.update(x, 150)
            after = self.values()
        return after

    def pace_of_one(self, x: np.ndarray, start: list[np.ndarray], end: list[np.ndarray]) -> float:
        """How much of the way to `end` the first update operation alone leaves what it moves."""
        there = [i for i, (a, b) in enumerate(zip(start, end, strict=True)) if _differs(a, b)]
        self.set({i: start[i] for i in there})
        self.t.run(self.updates[:1], {self.x: x, self.training: True})
        after = self.values()
        self.set({i: end[i] for i in there})
        moved = [i for i in there if _differs(start[i], after[i])]
        if not moved:
            return np.nan
        a, b, c = (_joined([state[i] for i in moved]) for state in (start, after, end))
        return _share(c - b, c - a)

    def gradients(self, answer: Any, seed: int, here: np.ndarray) -> dict[str, Any]:
        """What of a gradient of the logits in training reaches kernels, and a bias of the logits.

        here: the logits in training.
        """
        sizes = {self.variables[i].shape.as_list()[-1] for i in self.kernels[-1:]}
        ends = {
            i: v
            for i, v in enumerate(self.variables)
            if v.name in self.trained and (i in self.kernels or v.shape.num_elements() in sizes)
        }
        sent = np.random.RandomState(seed).randn(*here.shape)
        found = self.t.gradients(answer, self.logits, ends, sent)
        found = self.t.attempt(found, {self.training: True})
        trouble = self.t.no_gradient or (found if isinstance(found, Odd) else "")
        if trouble or not self.kernels:
            words = trouble or "no kernels"
            return {"gradient": words, "the gradient of the first kernel": 0.0, "bias": words}
        cut = [i for i in self.kernels if i not in found or not found[i].any()]
        biased = any(gradient.any() for i, gradient in found.items() if i not in self.kernels)
        first = found.get(self.kernels[0], np.zeros(1))
        reached = "reaches every kernel"
        if cut:
            where = " × ".join(map(str, self.variables[cut[0]].shape.as_list()))
            reached = f"does not reach the kernel of {where}"
        bias = f"the logits have {'one' if biased else 'none'} that is trained"
        return {
            "gradient": reached,
            "the gradient of the first kernel": float(np.sqrt(np.mean(first**2))),
            "bias": reached if self.kernels[-1] in cut else bias,
        }


def _bug_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    x = inputs["x"]
    with trial() as t:
        built = _Built(t, answer, x)
        begins = built.values()
        built.give_weights(inputs["seed"])
        given = built.values()
        early = _predicted(built, x)
        start = built.values()  # predicting may have moved them
        built.update(x)
        once = built.values()
        paces = built.paces(start, once, x)
        end = built.settle(x, start, once, paces)
        here = built.run(x, training=True)
        still = not any(map(_differs, given, start))
        # Before other images are run in training: that alone may move the statistics, by right.
        predicting = _in_prediction(built, x, early, still, here)
        return {
            "weights": _starts([begins[i] for i in built.kernels]),
            **_in_training(built, start, once, end, here, inputs),
            "momentum": _momentum(built, x, start, end, paces),
            **built.gradients(answer, inputs["seed"], here),
            **predicting,
        }


def _starts(kernels: list[np.ndarray]) -> str:
    """Shapes of the kernels; for the hidden ones, whose many weights tell, how they start too."""
    if not kernels:
        return "no kernels"
    *hidden, last = kernels
    parts = [f"{_shape(kernel)} with variance {_spread(kernel)}" for kernel in hidden]
    alike = "" if np.ptp(last) else " that all start alike"
    return "kernels of " + ", ".join([*parts, _shape(last) + alike])


def _shape(kernel: np.ndarray) -> str:
    return f"{len(kernel)} × {kernel.shape[1]}"


def _spread(kernel: np.ndarray) -> str:
    """The variance; a normal distribution has weights beyond 2 σ, an even one ends at 1.73 σ."""
    spread = f"{round(len(kernel) * float(kernel.var()))} / n"
    evenly = np.abs(kernel).max() < 1.9 * kernel.std()
    return f"{spread} and no large weights" if evenly else spread


def _in_training(
    built: _Built,
    start: list[np.ndarray],
    once: list[np.ndarray],
    end: list[np.ndarray],
    here: np.ndarray,
    inputs: Mapping[str, Any],
) -> dict[str, Any]:
    """start, once, end: all values before updates, after one, after all; here: the logits of x."""
    x = inputs["x"]
    moved = [i for i, (a, b) in enumerate(zip(start, once, strict=True)) if _differs(a, b)]
    still = [
        a
        for v, a, b in zip(built.variables, start, end, strict=True)
        if v.name not in built.trained and a.ndim == 1 and not _differs(a, b)
    ]
    mates = built.run(np.vstack([x[:1], inputs["others"][1:]]), training=True)
    return {
        "logits": f"of shape {here.shape}",
        "statistics": _sizes([start[i] for i in moved], still, built.updates),
        "optimizer": _left_alone({built.variables[i].name for i in moved} & built.trained),
        "batch": "depends on the batch" if _apart(here[:1], mates[:1]) else "as if it were alone",
        "scale": _scale(here, *(built.run(a * x + b, training=True) for a, b in ((1, 0), (3, 2)))),
        "output": here,
    }


def _sizes(moved: list[np.ndarray], still: list[np.ndarray], updates: list[Any]) -> str:
    if not moved:
        there = "update operations run and change nothing" if updates else "no update operations"
        return f"none moves: {there}"
    return " and ".join(
        f"{sizes.count(n)} with {n} numbers each {verb}"
        for arrays, verb in ((moved, "move"), (still, "stand still"))
        for sizes in [[array.size for array in arrays]]
        for n in sorted(set(sizes))
    )


def _left_alone(trained: set[str]) -> str:
    if trained:
        return "would train the moving statistics as if they were weights"
    return "leaves the moving statistics alone"


def _momentum(
    built: _Built,
    x: np.ndarray,
    start: list[np.ndarray],
    end: list[np.ndarray],
    paces: Mapping[int, float],
) -> str:
    """Weight of the old value, of all statistics together if it is the same.

    Two updates in one step race, and leave 0.8 or 0.81: then that of one alone.
    """
    if not paces:
        return "not to be seen while nothing moves"
    by_size: dict[int, set[str]] = {}
    for i, pace in paces.items():
        by_size.setdefault(start[i].size, set()).add(f"{pace:.3g}")
    found = set().union(*by_size.values())
    if found == {"0.9"}:
        return "0.9"
    alone = built.pace_of_one(x, start, end)
    if alone > 0.02 + max(paces.values()):
        return f"{alone:.3g}, more than once in every step"
    if len(found) == 1:
        return found.pop()
    each = [f"{' and '.join(sorted(ps))} with {n} numbers" for n, ps in sorted(by_size.items())]
    return ", ".join(each)


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    """What part of a way the other is, by those that are long enough to tell; NaN if none is."""
    long = np.abs(whole) > 1e-2 * np.abs(whole).max()
    return float(np.median(part[long] / whole[long])) if long.any() else np.nan


def _off(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())


def _apart(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two outputs differ by more than rounding."""
    if a.shape != b.shape:
        return True
    large = np.nan_to_num(np.abs(a)).max()
    return not np.allclose(a, b, rtol=0.02, atol=0.02 * large, equal_nan=True)


def _scale(a: np.ndarray, again: np.ndarray, b: np.ndarray) -> str:
    """a, again: logits of the same images; b: those of brighter ones."""
    if _apart(a, again):
        return "the logits of the same images change from one run to the next"
    if _apart(a, b):
        return "the logits change when every image is made three times as bright"
    return "the logits do not care how bright the images are"


def _predicted(built: _Built, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | str:
    """Logits of x, and those of two images one at a time.

    A sentence if the network does not run: that says nothing about training.
    """
    try:
        return built.run(x), np.concatenate([built.run(x[i : i + 1]) for i in range(2)])
    except Unusable as error:
        return str(error).rstrip(".")


def _in_prediction(
    built: _Built, x: np.ndarray, early: Any, still: bool, training: np.ndarray
) -> dict[str, str]:
    """early: what was `_predicted` before any update; still: whether that left all variables alone.

    training: the logits of x in training, now that the statistics have settled.
    """
    if isinstance(early, str):
        return dict.fromkeys(("alone", "after", "source", "settled"), early)
    together, alone = early
    late = built.run(x)
    if not all(np.isfinite(logits).all() for logits in (together, late)):
        return dict.fromkeys(("alone", "after", "source", "settled"), "not all logits are numbers")
    same = not _apart(late, built.run(x))
    which = "the same" if not _apart(alone, together[:2]) else "another"
    return {
        "alone": f"one image at a time gets {which} prediction"
        if same
        else "the same images get another prediction in the next run",
        "after": "predicting leaves the statistics as they are"
        if still
        else "predicting moves the statistics",
        "source": "follows the moving statistics" if _apart(together, late) else "ignores them",
        "settled": "training and prediction agree once the statistics have settled"
        if not _apart(training, late)
        else "training and prediction disagree though the statistics have settled",
    }


FIND_THE_BUG = Exercise(
    id="mnist-find-the-bug",
    lesson=LESSON,
    title="Mend the published network",
    answer="build_network",
    parts=(
        Part(
            "moves",
            3,
            "in training, both layers use the batch and note its statistics",
            (
                *("*/weights", "*/logits", "*/statistics", "*/optimizer", "*/momentum"),
                *("*/batch", "*/scale", "*/output", "*/gradient", "*/the gradient*", "*/bias"),
                "*/inputs",
            ),
        ),
        Part(
            "predicts",
            2,
            "in prediction, both use what was noted, and each image is on its own",
            ("*/alone", "*/after", "*/source", "*/settled"),
            ("moves",),
        ),
    ),
    cases=_bug_cases,
    probe=_bug_probe,
    hints=(
        "Let your `still_layers` look at the published network. Which layer does it name, and "
        "what does that layer have in common with one in prediction mode?",
        "Compare the two lines that create the normalized layers, argument by argument. What is "
        "the default of the argument that one of them lacks?",
        "`tf.layers.batch_normalization` has `training=False` unless told otherwise. Everything "
        "else in the listing can stay as it is.",
    ),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- mnist-restore


def _restore_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, sizes, momentum=0.8):
        d, n = sizes[0], int(rng.randint(8, 11))
        inputs = {f"x{i}": batch(rng, n, d).astype(np.float32) for i in (1, 2, 3)}
        how = {"momentum": momentum, "case": case_id}
        return Case(case_id, title, {**inputs, **_weights(rng, *sizes), **how})

    return [
        case("fresh", "a restore into a fresh graph", (5, 3)),
        case("earlier", "the earlier of two checkpoints, into an initialized graph", (6, 4)),
        case("none", "a network without batch norm", (4, 2), momentum=0.0),
    ]


def _restore_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    save, restore = pair(answer, "the pair `(save_network, restore_network)`")
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "here")
        folder.mkdir()
        path = str(folder / "network")
        with trial() as t:
            update = _updating(t, inputs)
            update("x1")
            _save(t, save, path)
            if inputs["case"] == "earlier":
                update("x2")
                _save(t, save, path + "-later")
            elif inputs["case"] == "fresh":
                update("x2")
                with _away(folder):  # so `path` holds what was saved first: only files remember
                    _save(t, save, path)
        with trial() as t:
            return _restored(t, restore, path, inputs)


def _save(t: Trial, save: Any, path: str) -> None:
    _call(save, t.session, path, "save_network")
    if not list(Path(path).parent.glob(f"{Path(path).name}*")):
        raise Unusable("`save_network` leaves no file whose name begins as `path` does.")


@contextlib.contextmanager
def _away(folder: Path) -> Iterator[None]:
    """An empty folder of this name within the block; afterwards all that was in it before."""
    folder.rename(folder.with_name("aside"))
    folder.mkdir()
    yield
    folder.rename(folder.with_name("gone"))
    folder.with_name("aside").rename(folder)


def _call(function: Any, session: Any, path: str, name: str) -> None:
    """Call one of the two functions; TensorFlow's errors about Savers in plain words."""
    try:
        call(function, session, path, name=name)
    except (TypeError, ValueError) as error:
        if "not a valid checkpoint" in str(error) and name == "save_network":
            words = "The first function of the pair restores; it is called to save."
        elif "not a valid checkpoint" in str(error):
            there = ", ".join(sorted(file.name for file in Path(path).parent.iterdir()))
            words = f"There is no checkpoint at `path`; in its folder is: {there or 'nothing'}."
        elif "Cannot interpret feed_dict key" in str(error):
            words = "This Saver belongs to another graph than the session."
        else:
            raise
        raise type(error)(words).with_traceback(error.__traceback__) from None


def _updating(t: Trial, inputs: Mapping[str, Any]) -> Callable[[str], Any]:
    """The case's network with its weights; what comes back moves its statistics."""
    x = t.placeholder(inputs["x1"], "x")
    _network(t, inputs, True, x)
    updates = t.tf.get_collection(t.tf.GraphKeys.UPDATE_OPS)
    return lambda name: t.run(updates, {x: inputs[name]})


def _restored(t: Trial, restore: Any, path: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a network with other weights has and says after the restoring."""
    x = t.placeholder(inputs["x3"], "x")
    logits = _network(t, inputs, False, x, other=True)
    variables, statistics = t.tf.global_variables(), _statistics(t.tf)
    if inputs["case"] == "earlier":  # they have values, and others than an initializer would give
        t.set_all((variable, np.full(variable.shape.as_list(), 0.5)) for variable in variables)
    _call(restore, t.session, path, "restore_network")
    try:
        prediction, *kept = t.session.run([logits, *statistics], {x: inputs["x3"]})
    except t.tf.errors.FailedPreconditionError:
        missing = t.session.run(t.tf.report_uninitialized_variables(variables)).tolist()
        if not missing:
            raise
        names = ", ".join(sorted(name.decode() for name in missing))
        without = Odd(f"not to be had, because there is no value for {names}")
        return {"prediction": without, "statistics": without}
    return {"prediction": prediction, "statistics": _joined(kept) if kept else "there are none"}


RESTORE = Exercise(
    id="mnist-restore",
    lesson=LESSON,
    title="Save it all, restore it all",
    answer="checkpoint",
    parts=(
        Part("restores", 2, "a fresh network predicts as the saved one did", ("fresh/*", "none/*")),
        Part(
            "care",
            2,
            "whatever was in the graph before, and from the file that was asked for",
            ("earlier/*",),
            ("restores",),
        ),
    ),
    cases=_restore_cases,
    probe=_restore_probe,
    hints=(
        "`tf.train.Saver` writes and reads the values of variables. Which variables does the "
        "network need for a prediction? Compare `tf.trainable_variables()` and "
        "`tf.global_variables()`.",
        "A `Saver` made without arguments takes every saveable variable of the current graph. "
        "Each graph needs a `Saver` of its own, made when the network is there.",
        "`saver.save(session, path)` in one function, `saver.restore(session, path)` in the "
        "other. Nothing may write to the variables after `restore`: it needs no initializer.",
    ),
    limit=LIMIT,
    **PRECISION,
)

EXERCISES = (TRAIN_STEP, AUDIT, FIND_THE_BUG, RESTORE)
