"""Exercises of lesson 04_control_dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labsupport.exercises.common import call, pair
from labsupport.exercises.tf_common import trial
from labsupport.vocabulary import Case, Exercise, Fact, Odd, Part, Unusable

LESSON = "04_control_dependencies"


def _vector(rng: np.random.RandomState, d: int, low: float = 1.0, high: float = 9.0) -> np.ndarray:
    """Numbers in steps of 1/8, so that float32 adds them without an error."""
    return np.round(8 * rng.uniform(low, high, d)) / 8


def _still(variable: str, update: str) -> Fact:
    """A fact for a variable that should have moved and did not."""

    def fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
        if variable not in seen or isinstance(seen[variable], str):
            return None
        if np.ptp(seen[variable], axis=0).max() == 0 and np.ptp(right[variable], axis=0).max() > 0:
            return f"`{variable}` never changes: {update} is not run."
        return None

    return fact


# ---------------------------------------------------------------- cd-add


def _add_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, d, runs):
        news = np.stack([_vector(rng, d, 10, 90) for _ in range(runs)])
        return Case(case_id, title, dict(x=_vector(rng, d), y=_vector(rng, d), new=news))

    return [
        case("once", "one run", 1, 1),
        case("thrice", "three runs, each with another `new`", int(rng.randint(2, 5)), 3),
    ]


def _add_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    seen: dict[str, list] = {"out": [], "x": [inputs["x"]]}
    with trial() as t:
        x = t.variable(inputs["x"], "x")
        y = t.placeholder(inputs["y"], "y", shape=inputs["y"].shape)
        new = t.placeholder(inputs["new"][0], "new", shape=inputs["y"].shape)
        out = t.build(answer, x, y, t.slow(new), name="add_after")
        out = t.fetchable(out, "the tensor x + y", operations=False)
        for value in inputs["new"]:
            seen["out"].append(t.run(out, {new: value}))
            seen["x"].append(t.value(x))
    return seen


ADD = Exercise(
    id="cd-add",
    lesson=LESSON,
    title="Update first, then add",
    answer="add_after",
    parts=(
        Part("update", 2, "fetching the sum puts `new` into `x`", ("*/x",)),
        Part("sum", 2, "the sum is that of the new `x`", ("*/out", "*/inputs")),
    ),
    cases=_add_cases,
    probe=_add_probe,
    hints=(
        "Two operations are needed: one that assigns, one that adds. What makes the second need "
        "the first?",
        "`with tf.control_dependencies([…]):` takes a list, and holds for the operations that are "
        "made inside it. Which of the two goes inside?",
        "The read of `x` must be made inside as well. In `x + y` it is, if `x` is the variable.",
    ),
    facts=(_still("x", "the assignment"),),
)


# ---------------------------------------------------------------- cd-predict

FETCHES = ("before", "inside", "renamed", "copied", "total")


def _predict_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(answer, Mapping):
        raise Unusable('`x_after` should be a dict, such as {"before": 0, "inside": 0, …}.')
    return {name: answer.get(name, Odd("missing")) for name in FETCHES}


PREDICT = Exercise(
    id="cd-predict",
    lesson=LESSON,
    title="Predict what runs",
    answer="x_after",
    parts=(
        Part("path", 2, "what a path leads to", ("*/before", "*/inside", "*/inputs")),
        Part("outside", 2, "what was made outside the block", ("*/renamed", "*/copied")),
        Part("both", 1, "two paths to one operation", ("*/total",)),
    ),
    cases=lambda rng: [Case("quiz", "the graph on the page", {})],
    probe=_predict_probe,
    hints=(
        "For each fetch ask one question: does a path of data or control edges lead from `update` "
        "to it?",
        "`renamed = before` is Python. Which operation does it add to the graph?",
        "An operation runs at most once in one `session.run`, however many paths lead to it.",
    ),
)


# ---------------------------------------------------------------- cd-identity


def _identity_cases(rng: np.random.RandomState) -> list[Case]:
    d = int(rng.randint(2, 5))

    def case(case_id, title, y, step):
        return Case(case_id, title, dict(y=y, start=float(rng.randint(2, 9)), step=float(step)))

    step = rng.randint(2, 7)
    return [
        case("floats", "a tensor of floats", _vector(rng, d), step),
        case("integers", "a tensor of integers", rng.randint(5, 50, d).astype(float), step + 1),
    ]


def _identity_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    whole = np.array_equal(inputs["y"], inputs["y"].astype(int))
    with trial() as t:
        count = t.variable(inputs["start"], "count")
        update = t.tf.group(count.assign_add(t.slow(np.float32(inputs["step"]))), name="update")
        given = t.placeholder(inputs["y"] + 1, "x", dtype=np.int32 if whole else np.float32)
        y = t.tf.subtract(given, 1, name="y")
        out = t.build(answer, update, y, name="after")
        out = t.fetchable(out, "a tensor with the value of y", operations=False)
        outs, counts = [], [t.value(count)]
        for _ in range(3):
            outs.append(t.run(out))
            counts.append(t.value(count))
        t.run(y)
        alone = t.value(count) - counts[-1]
        kind = f"your result is of type {out.dtype.base_dtype.name}"
        return {"out": outs, "type": kind, "count": counts, "after y alone": alone}


def _alone_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if np.any(seen.get("after y alone", 0.0)):
        return "Fetching the old `y` runs `update` now. Leave it alone and make a new operation."
    return None


IDENTITY = Exercise(
    id="cd-identity",
    lesson=LESSON,
    title="A tensor that was there before",
    answer="after",
    parts=(
        Part("update", 3, "every run of the result runs `update`, once", ("*/count",)),
        Part("value", 1, "the value is that of `y`", ("*/out", "*/type", "*/inputs")),
        Part("alone", 1, "fetching `y` itself still runs nothing else", ("*/after y alone",)),
    ),
    cases=_identity_cases,
    probe=_identity_probe,
    hints=(
        "`y` has been made already, outside of any block. Nothing that you write makes it wait.",
        "You need a new operation, made inside the block, that gives out what it gets.",
        "`tf.identity` is that operation.",
    ),
    facts=(_alone_fact, _still("count", "`update`")),
)


# ---------------------------------------------------------------- cd-counter

KEPT, MOVED = "fetching `count` leaves it alone", "fetching `count` changes it"
NOT_TRAINED, TRAINED = "an optimizer leaves `count` alone", "`count` is a trainable variable"


def _counter_cases(rng: np.random.RandomState) -> list[Case]:
    d = int(rng.randint(2, 5))
    return [
        Case("few", "two runs of `out`", dict(y=_vector(rng, d), runs=2)),
        Case("many", "five runs of `out`", dict(y=_vector(rng, 3), runs=5)),
    ]


def _counter_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    with trial() as t:
        y = t.placeholder(inputs["y"], "y")
        what = "the pair `(out, count)`"
        out, count = pair(t.build(answer, y, name="count_runs"), what)
        out = t.fetchable(out, f"{what}, and `out` should be a tensor", operations=False)
        count = t.fetchable(count, f"{what}, and `count` should be a variable", operations=False)
        start = t.run(count)
        outs = t.steps(out, inputs["runs"])
        counts = t.steps(count, 3)
        trainable = bool(t.tf.trainable_variables())
    return {
        "out": outs,
        "count": [start, counts[0]],
        "reading": KEPT if np.array_equal(counts[0], counts[-1]) else MOVED,
        "training": TRAINED if trainable else NOT_TRAINED,
    }


COUNTER = Exercise(
    id="cd-counter",
    lesson=LESSON,
    title="A counter",
    answer="count_runs",
    parts=(
        Part("count", 2, "every run of `out` adds 1", ("*/count",)),
        Part("out", 1, "`out` is 2·y", ("*/out", "*/inputs")),
        Part("reading", 1, "looking at `count` does not change it", ("*/reading",)),
        Part("training", 1, "`count` is no parameter", ("*/training",)),
    ),
    cases=_counter_cases,
    probe=_counter_probe,
    hints=(
        "Three things are to be made: a variable that starts at 0, an operation that adds 1 to it, "
        "and the product. In which order, and which of them inside a block?",
        "Return the variable itself as `count`. What does the result of `tf.assign_add` do when it "
        "is fetched?",
        "`tf.Variable(…, trainable=False)` keeps a variable out of "
        "`tf.GraphKeys.TRAINABLE_VARIABLES`.",
    ),
    facts=(_still("count", "the addition"),),
)


# ---------------------------------------------------------------- cd-cond


def _cond_cases(rng: np.random.RandomState) -> list[Case]:
    n, start = 2 * int(rng.randint(2, 4)), float(rng.randint(4, 7))

    def batch(most):
        x = np.round(8 * rng.uniform(0.1, 0.8, n) * most) / 8
        place = rng.randint(n)
        x[place], x[place - 1] = most, -2 * most  # whose size says nothing
        return x

    def case(case_id, title, training, *most, shape=(-1,)):
        x = np.stack([batch(m).reshape(shape) for m in most])
        return Case(case_id, title, dict(x=x, largest=start, training=np.array(training)))

    return [
        case("train", "training, three batches", [1, 1, 1], 2 * start, start + 1, 4 * start),
        case("predict", "prediction, with larger numbers than ever", [0, 0], 3 * start, 2.0),
        case("both", "training, then prediction", [1, 0, 0], 2 * start, 8 * start, start),
        case("small", "training, a matrix of small numbers", [1], start - 2, shape=(-1, 2)),
    ]


def _cond_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    seen: dict[str, list] = {"out": [], "largest": [inputs["largest"]]}
    with trial() as t:
        largest = t.variable(inputs["largest"], "largest")
        x, training = t.placeholder(inputs["x"][0], "x"), t.flag("training")
        late = t.slow(x)
        out = t.build(answer, late, largest, training, name="scale")
        out = t.fetchable(out, "the tensor x / largest", operations=False)
        for values, flag in zip(inputs["x"], inputs["training"], strict=True):
            seen["out"].append(t.run(out, {x: values, training: bool(flag)}))
            seen["largest"].append(t.value(largest))
    return seen


COND = Exercise(
    id="cd-cond",
    lesson=LESSON,
    title="Update in training only",
    answer="scale",
    parts=(
        Part("train", 3, "training keeps the largest number so far", ("train/largest", "small/*")),
        Part("out", 1, "training divides by it", ("train/out",)),
        Part("predict", 3, "prediction changes nothing", ("predict/*", "both/*")),
        Part("inputs", 1, "the inputs are left alone", ("train/inputs",)),
    ),
    cases=_cond_cases,
    probe=_cond_probe,
    hints=(
        "`tf.cond(training, a, b)` takes two functions. What should each of them return, so that "
        "dividing by the result is right in training and in prediction?",
        "An operation belongs to a branch only if it is made while that branch's function runs. "
        "Where do you call `tf.assign`?",
        "`tf.assign(…)` has a value: that of the variable after the assignment. A function may "
        "return it.",
    ),
    facts=(_still("largest", "the assignment"),),
)


# ---------------------------------------------------------------- cd-watch


def _watch_cases(rng: np.random.RandomState) -> list[Case]:
    d = int(rng.randint(2, 5))

    def case(case_id, title, kind, size):
        step = _vector(rng, size) * (-1) ** np.arange(size)
        return Case(case_id, title, dict(kind=kind, start=_vector(rng, size), step=step))

    return [
        case("update", "an update", "update", d),
        case("after", "a tensor that waits for an update", "after", 1),
        case("beside", "a tensor that no update leads to", "beside", d),
        case("quick", "an update that is quicker than a read", "quick", d),
    ]


def _watch_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    with trial() as t:
        tf = t.tf
        variable = t.variable(np.zeros_like(inputs["start"]), "watched")
        step = tf.constant(inputs["step"], tf.float32)
        if inputs["kind"] == "quick":  # a read that is fetched with the update sees the new value
            variable._as_graph_element().op._add_control_input(t.slow(np.float32(0.0)).op)
        else:  # and here, the old one
            step = t.slow(step)
        update = tf.group(variable.assign_add(step))
        fetch = beside = tf.constant(7.0, name="beside")
        if inputs["kind"] in ("update", "quick"):
            fetch = update
        elif inputs["kind"] == "after":
            with tf.control_dependencies([update]):
                fetch = tf.identity(beside)
        t.set(variable, inputs["start"])
        moved = call(answer, t.session, fetch, variable, name="moved")
        return {"moved": moved, "left": t.value(variable)}


WATCH = Exercise(
    id="cd-watch",
    lesson=LESSON,
    title="Catch it: a tool that tells",
    answer="moved",
    parts=(
        Part("moved", 3, "it tells by how much the variable moves", ("*/moved", "*/inputs")),
        Part("once", 2, "it runs the fetch once, and nothing else", ("*/left",)),
    ),
    cases=_watch_cases,
    probe=_watch_probe,
    hints=(
        "You need the variable's value before and after. `session.run(variable)` reads it.",
        "How many calls of `session.run` does it take? What do you know about the order within "
        "one call?",
        "Check yourself: for `tf.assign_add(x, 3.0)` it should give 3, and leave `x` 3 larger.",
    ),
)

EXERCISES = (ADD, PREDICT, IDENTITY, COUNTER, COND, WATCH)
