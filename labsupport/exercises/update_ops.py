"""Exercises of lesson 06_update_ops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from labsupport.exercises.common import affine, batch, flat, images, moments_fact, pair
from labsupport.exercises.tf_common import NO_GRADIENT, Trial, trial
from labsupport.exercises.tf_layers import batch_normalization
from labsupport.observe import plain
from labsupport.vocabulary import Case, Exercise, Odd, Part, Unusable

LESSON = "06_update_ops"
NOTHING = "nothing"

#: TensorFlow computes in float32, and its sums run in an order of their own.
PRECISION = dict(rtol=1e-3, atol=1e-4)
LIMIT = 20.0  # the first check may have to wait for TensorFlow


def _values(t: Trial, variables: Sequence[Any]) -> np.ndarray:
    """The values of variables, one after the other."""
    return np.concatenate([value.ravel() for value in t.value(list(variables))] or [np.zeros(0)])


def _frozen(t: Trial) -> list[Any]:
    """The global variables that no optimizer may change."""
    trained = {variable.name for variable in t.tf.trainable_variables()}
    return [variable for variable in t.tf.global_variables() if variable.name not in trained]


# ---------------------------------------------------------------- uo-train-op

WEIGHTS, EXTRA = "weights", "the update of the third layer"
FIRST, SECOND = (f"moving statistics of the {which} batch norm" for which in ("first", "second"))
LOSS_ALONE = "what computing the loss alone changes"


def _train_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, xs, kernels, **more):
        inputs = {f"x{i}": x for i, x in enumerate(xs, 1)}
        for i, shape in enumerate(kernels):
            inputs[f"kernel{i}"] = rng.uniform(0.3, 0.9, shape) * rng.choice([-1, 1], shape)
        return Case(case_id, title, {**inputs, "rate": float(rng.uniform(0.6, 0.9)), **more})

    n, d = int(rng.randint(6, 9)), int(rng.randint(3, 5))
    three = [images(rng, (size, 2, 2, 3), axis=3) for size in (n, 4, 5)]
    return [
        case(
            "three",
            "a batch norm of images, one of features, and a third layer with an update; three "
            "steps",
            three,
            [(12, d), (d, d)],
            momentum=0.75,
        ),
        case("none", "a network without batch norm", [0.3 * batch(rng, 5, 3)], [(3, 3)]),
    ]


def _train_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    batches = [inputs[name] for name in sorted(inputs) if name[0] == "x"]
    normalized = "momentum" in inputs
    with trial() as t:
        x = t.placeholder(batches[0], "x")
        loss = _loss(t, x, inputs)
        learned, frozen = t.tf.trainable_variables(), _frozen(t)
        if normalized:
            count = t.variable(0.0, "count")
            # At neither end: whoever leaves out the first or the last leaves out a batch norm's.
            updates = t.tf.get_collection_ref(t.tf.GraphKeys.UPDATE_OPS)
            updates.insert(-1, t.tf.assign_add(count, 1.0).op)
        optimizer = t.tf.train.GradientDescentOptimizer(inputs["rate"])
        step = t.build(answer, loss, optimizer, name="make_train_op")
        step = t.fetchables(step, "one op that trains and updates")
        start = t.state()
        alone = t.changed_by(lambda: t.run(loss))
        # Only what happens in a step counts below.
        t.set_all((v, start[v.name]) for v in t.variables() if v.op.name in alone)
        weights = []
        for one in batches:  # from the same weights: statistics follow from them
            t.set_all((v, start[v.name]) for v in learned)
            t.run(step, {x: one})
            weights.append(_values(t, learned))
        values = {LOSS_ALONE: " and ".join(alone) or NOTHING, WEIGHTS: np.concatenate(weights)}
        if normalized:
            values[FIRST], values[SECOND] = _values(t, frozen[:2]), _values(t, frozen[2:])
            values[EXTRA] = f"ran {t.value(count):.0f} times in {len(batches)} steps"
        return values


def _loss(t: Trial, x: Any, inputs: Mapping[str, Any]) -> Any:
    """The loss of a network of one dense layer, or of two with a batch norm before each."""
    h = x
    for name in sorted(name for name in inputs if name.startswith("kernel")):
        if "momentum" in inputs:
            with t.tf.name_scope("batch_normalization"):
                h, _ = batch_normalization(t, h, inputs["momentum"])
        kernel = t.variable(inputs[name], name, trainable=True)
        h = t.tf.reshape(h, (-1, len(inputs[name]))) @ kernel
    return t.tf.reduce_mean(t.tf.square(h - 1.5))


def _still_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if EXTRA in right and seen[EXTRA] != right[EXTRA]:
        return f"The update of the third layer {seen[EXTRA]}; it should have: {right[EXTRA]}."
    for name in (FIRST, SECOND, WEIGHTS):
        if name in right and not np.allclose(seen[name], right[name], **PRECISION):
            made = "one step should make" if name == WEIGHTS else "one step after the other makes"
            return f"The {name} are not what {made} of them."
    return None


TRAIN_OP = Exercise(
    id="uo-train-op",
    lesson=LESSON,
    title="A train op that also updates",
    answer="make_train_op",
    parts=(
        Part(
            "statistics",
            4,
            "each run moves the moving statistics once",
            ("*/moving statistics*",),
        ),
        Part(
            "weights",
            2,
            "each run is one step of the optimizer",
            (f"*/{WEIGHTS}",),
            ("statistics",),
        ),
        Part("collection", 1, "whatever is in the collection runs once", (f"*/{EXTRA}",)),
        Part(
            "loss",
            1,
            "computing the loss changes nothing",
            (f"*/{LOSS_ALONE}", "*/inputs"),
            ("statistics", "weights"),
        ),
    ),
    cases=_train_cases,
    probe=_train_probe,
    hints=(
        "`tf.get_collection(tf.GraphKeys.UPDATE_OPS)` gives the list of ops. Print it: how many "
        "are there for two batch norms?",
        "Running what you return must run these ops and the optimizer's step. Lesson 04 has two "
        "ways to make one op out of several.",
        "If you use `tf.control_dependencies`: only ops made **inside** the block wait. Which call "
        "makes the op that changes the weights, and where does it stand?",
    ),
    facts=(_still_fact,),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- uo-which

OWN, MOVED, NEEDS = "the network's own statistics", "others that move", "placeholders needed"
ONLY_ITS_OWN = "only its own"
NESTED = " within a scope"


def _which_cases(rng: np.random.RandomState) -> list[Case]:
    net, other = (("critic", "actor"), ("student", "teacher"))[rng.randint(2)]
    # Neither first nor last in the collection, with neighbours for each way to mistake a name: that
    # goes on, stands inside another one (at its end, or after a slash), or is like none.
    networks = [f"old_{net}", net, f"{net}_2", f"gan/{net}", f"gan/{other}"]
    xs = {f"x{i}": batch(rng, 5, 3) for i in range(len(networks))}
    xs["x_again"] = batch(rng, 5, 3)
    return [Case("names", "networks with similar names", {**xs, "networks": networks, "net": net})]


def _which_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    net, networks, values = inputs["net"], inputs["networks"], {}
    with trial() as t:
        xs, fed, made = {}, {}, {}
        for number, scope in enumerate(networks):
            xs[scope] = t.unfed(f"x_of_{scope.replace('/', '_')}", (None, 3))
            fed[xs[scope]] = inputs[f"x{number}"]
            made[scope] = _network(t, scope, xs[scope], depth=2 if scope == net else 1)
        again = t.unfed("x_of_the_second_call", (None, 3))
        fed[again] = inputs["x_again"]
        _network(t, net, again, depth=1, earlier=made[net])
        start = t.state()

        for asked, which in ((net, ""), (f"gan/{net}", NESTED)):
            found = t.fetchables(t.build(answer, asked, name="updates_of"), "a list of ops")
            needed = _needed(t, found, fed, xs[asked])
            t.restart()
            t.run(found, {x: fed[x] for x in (xs[asked], *needed)})
            now = t.state()
            moved = {
                scope
                for name in start
                for scope in networks
                if name.startswith(f"{scope}/") and not np.array_equal(now[name], start[name])
            }
            more = _names([x.op.name for x in needed])
            values[NEEDS + which] = f"its own and {more}" if needed else ONLY_ITS_OWN
            values[MOVED + which] = _names(sorted(moved - {asked})) or NOTHING
            own = [now[name].ravel() for name in start if name.startswith(f"{asked}/")]
            values[OWN + which] = (
                Odd(f"unknown: what you return does not run without {more}")
                if needed
                else np.concatenate(own)
            )
        return values


def _needed(t: Trial, found: list[Any], fed: Mapping[Any, Any], own: Any) -> list[Any]:
    """The placeholders besides its own without which what was returned cannot run."""
    if not isinstance(t.attempt(found, {own: fed[own]}), Odd):
        return []

    def fails_without(one):
        rest = {x: value for x, value in fed.items() if x is not one}
        return isinstance(t.attempt(found, rest), Odd)

    return [one for one in fed if one is not own and fails_without(one)]


def _names(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _network(
    t: Trial, scope: str, x: Any, depth: int, earlier: Sequence[list[Any]] = ()
) -> list[list[Any]]:
    """Batch norm layers, and their variables. earlier: those, if the network was called before."""
    made = []
    with t.tf.variable_scope(scope, reuse=bool(earlier)):
        for layer in range(depth):
            if layer:
                x = 3 * x + 2  # or there would be nothing to learn for this one
            known = earlier[layer] if earlier else ()
            with t.tf.name_scope("bn_0" if not layer else f"inner/bn_{layer}"):
                x, variables = batch_normalization(t, x, 0.8, affine=None, earlier=known)
            made.append(variables)
    return made


def _which_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    for asked, which in ((inputs["net"], ""), (f"gan/{inputs['net']}", NESTED)):
        run = f"Running what you return for `{asked}`"
        if seen[MOVED + which] != NOTHING:
            return f"{run} moves the statistics of others too: {seen[MOVED + which]}."
        if not np.allclose(seen[OWN + which], right[OWN + which], **PRECISION):
            return f"{run} does not move all statistics of this network by one step."
    return None


WHICH = Exercise(
    id="uo-which",
    lesson=LESSON,
    title="The updates of one network",
    answer="updates_of",
    parts=(
        Part("own", 3, "all of this network's statistics move", (f"*/{OWN}*",)),
        Part(
            "others",
            3,
            "nothing else moves or is needed",
            (f"*/{MOVED}*", f"*/{NEEDS}*", "*/inputs"),
            ("own",),
        ),
    ),
    cases=_which_cases,
    probe=_which_probe,
    hints=(
        "Look at the names: `[op.name for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS)]`. "
        "What do those of one network have in common?",
        "`tf.get_collection` has a second argument, `scope`: it keeps the names that start with "
        "it. Which names start with `net`, besides those of the network `net`?",
        "Print the names when `net` has been called a second time with `reuse=True`. Which "
        "character follows `net` in the names you want, and which in the others?",
    ),
    facts=(_which_fact,),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- uo-in-place

CHANGES, MEAN, VAR = "what a prediction changes", "moving mean", "moving variance"
START = {MEAN: 0.0, VAR: 1.0}
START_TRAINED = {"gamma": 1.0, "beta": 0.0}
LEARNED = [f"the gradient for {name}" for name in ("x", *START_TRAINED)]
EARLIER, OTHERS = "the other layer's statistics", "what others have put into the collection"
TRAINED, TRAINED_AGAIN, PREDICTED = "y, fed True", "y, fed True again", "y, fed False"
ONE_STEP, TWO_STEPS, GRADIENTS = " after one step", " after two steps", " after computing gradients"


def _in_place_cases(rng: np.random.RandomState) -> list[Case]:
    n, d, eps = int(rng.randint(6, 9)), int(rng.randint(3, 5)), float(rng.uniform(2.0, 4.0))
    gamma, beta = affine(rng, d)
    inputs = {f"x{i}": batch(rng, size, d) for i, size in enumerate((n, 4, 5), 1)}
    inputs.update(gamma=gamma, beta=beta, mean=rng.uniform(1.0, 4.0, d) * rng.choice([-1, 1], d))
    inputs.update(var=rng.uniform(2.0, 9.0, d), momentum=0.8, eps=eps)
    two = {f"x{i}": 10 * batch(rng, 5, 3) for i in (1, 2)}
    return [
        Case("layer", "a layer in training and in prediction, with a large ε", inputs),
        Case(
            "apart",
            "two layers on two inputs, the second alone",
            {**two, "momentum": 0.7, "eps": 1e-3, "apart": True},
        ),
    ]


def _in_place_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    with trial() as t:
        x, training = t.placeholder(inputs["x1"], "x"), t.flag()

        def layer(x):
            given = (x, training, inputs["momentum"], inputs["eps"])
            y = t.build(answer, *given, name="batch_norm_in_place")
            return t.fetchable(y, "a tensor", operations=False)

        if inputs.get("apart"):
            key, of_others = t.tf.GraphKeys.UPDATE_OPS, t.tf.no_op("of_others")
            t.tf.add_to_collection(key, of_others)
            first = t.unfed("x_of_the_first", (None, inputs["x2"].shape[1]))
            layer(first)
        earlier = _frozen(t)
        names = {variable.name for variable in earlier}
        # So slow that all who do not wait for the updates read the old values, each time: updates
        # made twice, and a prediction that moves something.
        late = t.slow(x, 0.01)
        y = layer(late)
        gradients = {} if inputs.get("apart") else _gradients(t, answer, y, late)
        start = t.state()
        moving = _moving([v for v in _frozen(t) if v.name not in names], start)

        if inputs.get("apart"):
            out, needs = t.attempt(y, {training: True}), ONLY_ITS_OWN
            if isinstance(out, Odd):
                needs = f"more: {out}".rstrip(".")
                t.run(y, {training: True, first: inputs["x2"]})
            left = "still there" if of_others in t.tf.get_collection(key) else "gone"
            looked = {NEEDS: needs, **_look(t, moving), EARLIER: _values(t, earlier)}
            return {**looked, OTHERS: left}

        trained = _trained(t.tf.trainable_variables(), start)
        _put(t, trained, inputs)
        values = {TRAINED: t.run(y, {training: True}), **_look(t, moving, ONE_STEP)}
        values[TRAINED_AGAIN] = t.run(y, {x: inputs["x2"], training: True})
        values.update(_look(t, moving, TWO_STEPS))

        def predict():
            out = t.attempt(y, {x: inputs["x3"], training: False})
            values[PREDICTED] = _failure(out) or out  # the other parts do not depend on it

        _set(t, moving, inputs)
        values[CHANGES] = _roles(moving, t.changed_by(predict)) or NOTHING

        _set(t, moving, inputs)  # whatever the prediction has changed
        ends = {"x": late, **trained}
        some = {name: gradients[v.name] for name, v in ends.items() if v.name in gradients}
        learned, failed = _learn(t, some, ends, training)
        if not some:  # which "train" says; what moves has been moved as well as can be
            failed = _failure(t.attempt(y, {training: True}))
        after = _look(t, moving, GRADIENTS)
        return {**values, **learned, **(dict.fromkeys(after, failed) if failed else after)}


def _gradients(t: Trial, answer: Any, y: Any, x: Any) -> dict[str, Any]:
    """Tensors of what reaches x and the trained variables, by their names, if the loss is the sum
    of y²: an optimizer computes that. To be made before anything runs: where y comes out of a
    function, they change the operation that calls it."""
    ends = [x, *t.tf.trainable_variables()]
    return t.gradients(answer, t.tf.square(y), {one.name: one for one in ends})


def _learn(
    t: Trial, some: Mapping[str, Any], ends: Iterable[str], training: Any
) -> tuple[dict[str, Any], Odd | None]:
    """What reaches each of `ends` in training, by the tensors there are. And if nothing can be
    computed, why."""
    found = t.attempt(some, {training: True}) if some else {}
    failed = _failure(found)
    if not some:
        why = t.no_gradient or f"y has no gradient for {' and '.join(ends)}"
        failed = Odd(f"unknown: {why}")
    missing = Odd(t.no_gradient or NO_GRADIENT)
    values = dict.fromkeys(LEARNED, failed or missing)
    if not failed:
        values |= {f"the gradient for {name}": flat(value) for name, value in found.items()}
    return values, failed


def _failure(out: Any) -> Odd | None:
    """What to say in the place of numbers, if an attempt failed."""
    return Odd(f"missing. {out}".rstrip(".")) if isinstance(out, Odd) else None


def _moving(variables: Sequence[Any], start: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The moving mean and variance among variables that are not trained: by their start values."""
    found = {
        name: [v for v in variables if v.shape.ndims and np.all(start[v.name] == value)]
        for name, value in START.items()
    }
    if any(len(of_name) != 1 for of_name in found.values()):
        raise Unusable(
            "One call should make one moving mean (all 0) and one moving variance (all 1), as "
            f"variables that are not trainable; there are {len(found[MEAN])} and {len(found[VAR])}."
        )
    return {name: of_name[0] for name, of_name in found.items()}


def _trained(variables: Sequence[Any], start: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """γ and β among the variables that are trained: by their start values, in whatever order."""
    found = {}
    for name, value in START_TRAINED.items():
        of_name = [v for v in variables if np.all(start[v.name] == value)]
        if len(of_name) == 1:
            found[name] = of_name[0]
    return found


def _put(t: Trial, trained: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """Give γ and β other values than those they start with."""
    t.set_all((v, inputs[name].reshape(v.shape.as_list())) for name, v in trained.items())


def _set(t: Trial, moving: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    t.set_all([(moving[MEAN], inputs["mean"]), (moving[VAR], inputs["var"])])


def _look(t: Trial, moving: Mapping[str, Any], when: str = "") -> dict[str, np.ndarray]:
    return {f"{name}{when}": value.ravel() for name, value in t.value(dict(moving)).items()}


def _roles(moving: Mapping[str, Any], changed: Sequence[str]) -> str:
    roles = {variable.name.partition(":")[0]: name for name, variable in moving.items()}
    return " and ".join(f"the {roles[name]}" if name in roles else name for name in changed)


def _in_place_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if seen.get(NEEDS, ONLY_ITS_OWN) != ONLY_ITS_OWN:
        return f"To run the second layer takes {seen[NEEDS]}."
    given = {MEAN: inputs.get("mean"), VAR: inputs.get("var")}
    for when in ("", ONE_STEP, TWO_STEPS, GRADIENTS):
        for name, start in (given if when == GRADIENTS else START).items():
            full = name + when
            if full not in right or np.allclose(seen[full], right[full], **PRECISION):
                continue
            if np.allclose(seen[full], start):
                return f"The {name} has not moved, though `y` was run with True."
            factor = np.median((seen[full] - start) / (right[full] - start))
            twice = " Does your layer update twice in a run?" if 1.5 < factor < 2.1 else ""
            return f"The {full} has moved {factor:.2g} times as far as it should.{twice}"
    for name in (TRAINED, TRAINED_AGAIN):
        if name in right and not np.allclose(seen[name], right[name], **PRECISION):
            fact = moments_fact(name, (0,), "feature")(inputs, right, seen)
            return f"Fed True: {fact[0].lower()}{fact[1:]}"
    if seen.get(CHANGES, NOTHING) != NOTHING:
        return f"A prediction should change nothing; yours changes {seen[CHANGES]}."
    return None


IN_PLACE = Exercise(
    id="uo-in-place",
    lesson=LESSON,
    title="A batch norm that brings its updates along",
    answer="batch_norm_in_place",
    parts=(
        Part(
            "train",
            1,
            "fed True, `y` is the training output, with its gradient",
            (f"*/{TRAINED}*", "*/the gradient for *"),
        ),
        Part(
            "updates",
            3,
            "fed True, running `y` moves the statistics once",
            ("layer/moving *",),
        ),
        Part(
            "predict",
            1,
            "fed False, it is the prediction and changes nothing",
            (f"*/{PREDICTED}", f"*/{CHANGES}"),
            ("updates",),
        ),
        Part(
            "apart",
            2,
            "it runs no updates but its own",
            ("apart/*", "layer/inputs"),
            ("updates",),
        ),
    ),
    cases=_in_place_cases,
    probe=_in_place_probe,
    hints=(
        "`tf.layers.batch_normalization` makes the output and, at the same time, puts its updates "
        "into the collection. Which ops have come in by your call?",
        "Make an op that passes the output on unchanged and waits for these updates. Where must "
        "that op be made?",
        "`tf.layers.BatchNormalization(…)` is the same as an object: after "
        "`y = layer(x, training=training)` its own updates are in `layer.updates`.",
    ),
    facts=(_in_place_fact,),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- uo-hide

HIDES = "training and prediction agree, though nothing was ever updated"
SHOWS = "training and prediction differ by more than 2 in every feature"
CENTRED = "training and prediction differ: its means are 0, but its variances are not 1"
A_LITTLE = "training and prediction differ a little: by less than 1 in every feature"
IN_SOME = "training and prediction differ by more than 2 in one feature, but not in every one"
BETWEEN = "training and prediction differ, but by less than 2 in every feature"
EPS = 1e-3  # the default of TensorFlow's layer


def _hide_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    first, second = pair(answer, "two batches, `(x_hides, x_shows)`")
    return {"x_hides": _gap(first), "x_shows": _gap(second)}


def _gap(x: Any) -> str:
    """What a batch says about a layer whose updates never ran, as a sentence."""
    x = plain(x)
    if isinstance(x, str):
        what = x if isinstance(x, Odd) else f"the string {x!r}"
        return f"it should be an array of shape (m, D), and it is {what}"
    if x.ndim != 2 or x.shape[0] < 4 or x.shape[1] < 2:
        return f"it needs at least 4 samples of at least 2 features, and its shape is {x.shape}"
    if not np.isfinite(x).all() or np.abs(x).max() > 1e6:
        return "it holds numbers that are not finite, or beyond a million"
    if x.std(axis=0).min() < 0.1:
        return "one of its features hardly varies (standard deviation under 0.1)"
    # What `tf.layers.batch_normalization` computes, without the time that building it takes.
    trained = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + EPS)
    gap = np.abs(trained - x / np.sqrt(1 + EPS)).max(axis=0)
    if gap.max() < 0.01:
        return HIDES
    if gap.min() > 2:
        return SHOWS
    if np.abs(x.mean(axis=0)).max() < 0.005:
        return CENTRED
    if gap.max() < 2:
        return A_LITTLE if gap.max() < 1 else BETWEEN
    return IN_SOME


HIDE = Exercise(
    id="uo-hide",
    lesson=LESSON,
    title="Break it: data on which a forgotten update does not show",
    answer="test_batches",
    parts=(
        Part("hides", 1, "`x_hides` shows no difference", ("*/x_hides",)),
        Part("shows", 1, "`x_shows` shows one in every feature", ("*/x_shows", "*/inputs")),
    ),
    cases=lambda rng: [Case("both", "your two batches", {})],
    probe=_hide_probe,
    hints=(
        "What do the moving mean and the moving variance of a layer hold that was never updated?",
        "The prediction is then x/√(1 + ε). For which batches is the training output the same?",
        "A mean of 0 and a variance of 1, exactly: `np.random.randn` gives neither, but one "
        "subtraction and one division make both. For `x_shows`, stay far away from that.",
    ),
    limit=LIMIT,
)

EXERCISES = (TRAIN_OP, WHICH, IN_PLACE, HIDE)
