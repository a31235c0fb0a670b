"""Exercises of lesson 09_dropout_regression.

Masks are random, so dr-network judges frequencies. Each is put into the nearest of a few classes,
and each bound stands at least six standard deviations from what a right answer gives: of two
frequencies among `ROWS` masks, two means, and two deviations. A right answer is taken for a wrong
one less often than once in a million checks; and since a check seeds its graph, the same answer
gets the same verdict every time. dr-mc is judged exactly, by what each of its own passes gave.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labsupport.exercises.common import call, pair
from labsupport.exercises.tf_common import Trial, about_running, trial
from labsupport.observe import plain
from labsupport.vocabulary import Case, Exercise, Odd, Part, Unusable

LESSON = "09_dropout_regression"
LIMIT = 20.0  # the first check may have to wait for TensorFlow


# ---------------------------------------------------------------- dr-network

ROWS = 1200
SIGMAS = 6
WIDTH = 300
LAYERS, OUTPUT = "the layers", "the prediction"
HIDDEN = "the hidden units"
FIRST, SECOND = "dropout after hidden layer 1", "dropout after hidden layer 2"
ON_X, UNITS = "dropout on x", "the units of a layer"
TRUE, FALSE = "fed True", "fed False"
WEIGHTS = "the weights"
SEEN_IN_RUNS = (HIDDEN, OUTPUT, WEIGHTS, TRUE, FALSE, FIRST, SECOND, ON_X, UNITS)
CHAIN = f"1 → {WIDTH} → {WIDTH} → 1"
NONE, WHOLE, ONE_BY_ONE = "none", "never dropped", "dropped one by one"
SAME, VARIES = "the same prediction in every run", "another prediction in every run"
FROZEN = "the same prediction in every run, with the same units missing"
SCALED = "the same prediction in every run, but not that of the whole network"
SHARED = "one mask for all samples"
NOT_DROPPED = "not dropped"
ALTOGETHER, IN_GROUPS = "dropped all together", "not dropped one by one: their masks are alike"
SAME_NUMBER = "dropped as many in each sample: their draws are not independent"
OF_SEVERAL = "dropped one by one, but with one mask for several samples"
LEARN = "all of them learn"
RAMP = np.arange(1, WIDTH + 1)[:, None] / (WIDTH * (WIDTH + 1) / 2)  # of sum 1
LIVING = WIDTH // 4  # of a layer's units, which differ at the start and are not 0 for every x
ONE_FOR_BOTH = "the same in both layers"
ABSOLUTE = "positive where it should be negative, and as large"
NEGATED = "of the wrong sign"
OF_ANOTHER_X = "that of something else than x"
RELU, LINEAR, OTHER, NOWHERE = "ReLU", "linear", "another function", "not on the way"
CURVED = "the last layer's sum, sent through another function"
OFFSET_OF_UNITS = 40.0  # keeps a layer's sums positive while what is below it is tried
TRIED = (-20.0, -0.1, 0.0, 0.1, 20.0)  # sums of a unit


def _network_cases(rng: np.random.RandomState) -> list[Case]:
    # Halfway between 0.7 and 0.75, which are told from it by what is kept; and half of it is not
    # 1 − rate.
    return [Case("many", "a high rate", dict(rate=float(rng.uniform(0.72, 0.73))))]


def _network_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    with trial() as t:
        x = t.placeholder(np.ones((1, 1)), "x")
        training = t.flag("training")
        try:
            y = t.build(answer, x, training, inputs["rate"], name="build_network")
        except TypeError as error:
            if "Python's `if`" not in str(error):
                raise
            return dict.fromkeys((LAYERS, *SEEN_IN_RUNS), Odd(str(error)))
        y = t.fetchable(y, "the prediction, a tensor of shape (m, 1)", operations=False)
        return _Wired(t, answer, x, training, y).look(inputs["rate"])


class _Wired:
    """The answer's network with weights that make single units visible in its prediction."""

    def __init__(self, t: Trial, answer: Any, x: Any, training: Any, y: Any):
        self.t, self.answer, self.x, self.training, self.y = t, answer, x, training, y
        self.layers, self.stand_ins = CHAIN, ()  # names of biases that the answer does not have
        self.weights = _six(t) or self.with_stand_ins()
        # Before anything runs: where y comes out of a function, they change what calls it.
        self.gradients = t.gradients(answer, self.y, self.weights) if self.weights else {}
        self.no_gradient = t.no_gradient
        self.start = t.value(self.weights) if self.weights else {}
        self.sign = 1.0  # what has to be undone before anything else can be seen

    def with_stand_ins(self) -> dict[str, Any] | None:
        """The weights of a network in which only biases are missing, after it got some."""
        products, six = _kernels_and_biases(self.t)
        missing = [name for name, variable in six.items() if variable is None]
        if not products or not missing:
            return None
        for name in missing:
            product = products[name]
            users = product.consumers()
            six[name] = self.t.variable(np.zeros(product.shape[-1]), f"stand_in_{name}")
            total = self.t.tf.add(product, six[name])
            for user in users:
                for i, found in enumerate(user.inputs):
                    if found is product:
                        user._update_input(i, total)
            if self.y is product:
                self.y = total
        self.stand_ins = tuple(missing)
        where = f"without a bias in layer {' and '.join(name[1] for name in missing)}"
        self.layers = f"{CHAIN}, {where if len(missing) < 3 else 'without biases'}"
        return six

    def look(self, rate: float) -> dict[str, Any]:
        if self.weights is None:
            layers = _say_layers([tuple(v.shape.as_list()) for v in self.t.variables()])
            return {LAYERS: layers, **_unseen(f"in a network with {layers}")}
        output, scale = self.output()
        if output == CURVED:
            return {LAYERS: self.layers, **_unseen("behind that function"), OUTPUT: output}
        true, false = self.repeated(True), self.repeated(False)
        hidden, factor, at_zero = self.activations(varies=false == VARIES)
        if false == SAME:
            frozen = self.uneven(self.ramp(False))
            false = FROZEN if frozen else SCALED if abs(factor - 1) > 0.02 else SAME
        if (output, hidden, false) == (WHOLE, RELU, SAME) and not self.follows_x():
            output = OF_ANOTHER_X
        weights = self.learning() if (output, hidden) == (WHOLE, RELU) else LEARN
        seen = {LAYERS: self.layers, HIDDEN: hidden, OUTPUT: output, WEIGHTS: weights}
        seen |= {TRUE: true, FALSE: false}
        if hidden == NOWHERE:
            return {
                **seen,
                **_unseen("behind a layer that is not used", FIRST, SECOND, ON_X, UNITS),
            }
        if false == VARIES:
            seen[FALSE] += self.dropped_in_evaluation(scale)
        if at_zero > 0.01:
            return {**seen, **_unseen("behind that activation", FIRST, SECOND, ON_X, UNITS)}
        ramp = self.ramp(True, ROWS)
        if false == FROZEN or self.uneven(ramp):
            which = SHARED if false != FROZEN else "the same units in every run"
            return {**seen, FIRST: which, SECOND: which, ON_X: self.on_x(), UNITS: which}
        first, second = self.hidden(1, scale), self.hidden(2, scale)
        ramp = ramp[np.abs(ramp) > 1e-3] / scale - 1.0  # without those dropped at the very end
        odds = [_odds(zeros, rate) for zeros, _ in (first, second)]
        units = _say_units(ramp, odds[1] * np.sum(RAMP**2)) if 0 < second[0] < 1 else NOT_DROPPED
        mean = ramp.mean() if units == ONE_BY_ONE else 1.0
        if units == ONE_BY_ONE and 0 < first[0] < 1:
            units = ONE_FOR_BOTH if self.is_one_mask(scale) else self.units_of_first(scale, odds)
        return {
            **seen,
            FIRST: _say_rate(first[0], first[1] / mean, rate),
            SECOND: _say_rate(*second, rate),
            ON_X: self.on_x(),
            UNITS: units,
        }

    def run(self, training: bool, rows: int = 60, x: Any = 1.0, **weights: Any) -> np.ndarray:
        """Predictions for x, with the weights given and all others 0."""
        self.put(weights)
        feed = {self.x: np.broadcast_to(x, (rows, 1)), self.training: training}
        self.shape = np.shape(seen := self.t.run(self.y, feed))
        return self.sign * np.asarray(seen, dtype=np.float64).reshape(-1)

    def put(self, weights: Mapping[str, Any]) -> None:
        self.t.set_all(
            (variable, np.broadcast_to(weights.get(name, 0.0), variable.shape.as_list()))
            for name, variable in self.weights.items()
        )

    def output(self) -> tuple[str, float]:
        """What becomes of the last layer's numbers, and by what dropout multiplies them."""
        up, down = self.run(True, b3=5.0), self.run(True, b3=-5.0)
        scale = np.abs(up).max() / 5 or 1.0
        rows = 3
        far = np.abs(self.run(False, rows, b3=50.0)).max()
        if not np.isclose(far, [50.0, 50.0 * scale], rtol=1e-3).any():
            return CURVED, 1.0
        if down.min() > -1e-3:
            if np.abs(down).max() < 1e-3:
                return "never negative", scale
            if up.max() > 1e-3:
                return ABSOLUTE, scale
            self.sign = -1.0
            return NEGATED, scale
        if self.shape != (rows, 1):
            return f"of shape {self.shape}, for {rows} samples", scale
        dropped = np.mean(np.abs(up) < 1e-3)
        return (WHOLE if dropped == 0 else "dropped now and then"), scale

    def dropped_in_evaluation(self, scale: float) -> str:
        """The end of a sentence about predictions that vary: of which hidden layers' units."""
        layers = [str(i) for i in (1, 2) if 0 < self.hidden(i, scale, training=False)[0] < 1]
        return f", for units of hidden layer {' and '.join(layers)} are dropped" if layers else ""

    def hidden(self, layer: int, scale: float, training: bool = True) -> tuple[float, float]:
        """Of one unit: how often it is 0 in training, and how often as large otherwise."""
        unit = np.zeros(WIDTH)
        unit[7] = 1.0
        if layer == 1:
            weights = dict(b1=0.01, k2=unit[:, None] * np.ones(WIDTH), k3=1 / WIDTH, b3=1.0)
        else:
            weights = dict(b2=0.01, k3=unit[:, None], b3=1.0)
        seen = self.run(training, ROWS, **weights)
        seen = seen[np.abs(seen) > 1e-3] / scale - 1.0  # without those dropped at the very end
        zero = np.abs(seen) < 1e-5
        kept = seen[~zero].mean() / 0.01 if not zero.all() else 0.0
        return float(zero.mean()), float(kept)

    def activations(self, varies: bool) -> tuple[str, float, float]:
        """What the hidden layers make of their units' sums in evaluation: the function's name, a
        factor, and the largest value at 0. varies: dropout is on even then, and gives noise."""
        one, rows, tolerance = 1 / WIDTH, *((ROWS, 2.0) if varies else (3, 2e-3))
        above = dict(k3=one, b3=OFFSET_OF_UNITS)
        second = (
            np.array([self.run(False, rows, b2=z, **above).mean() for z in TRIED]) - OFFSET_OF_UNITS
        )
        name_2, factor_2 = _say_function(second, tolerance)
        if name_2 in (OTHER, NOWHERE):
            return name_2, 1.0, abs(second[TRIED.index(0.0)])
        above = dict(k2=one, b2=OFFSET_OF_UNITS, k3=one)
        first = np.array([self.run(False, rows, b1=z, **above).mean() for z in TRIED])
        first = first / factor_2 - OFFSET_OF_UNITS
        name_1, factor_1 = _say_function(first, tolerance)
        names = {name_1, name_2}
        if OTHER in names:
            name = OTHER
        else:
            name = name_1 if len(names) == 1 else f"{name_1} in layer 1, {name_2} in layer 2"
        at_zero = 0.0 if varies else abs(first[TRIED.index(0.0)])
        return name, min((factor_1, factor_2), key=lambda f: -abs(f - 1)), at_zero

    def ramp(self, training: bool, rows: int = 400) -> np.ndarray:
        """1 and an average of hidden layer 2, whose units count unequally, as a share of their
        sums; these are small, where many a function is nearly linear."""
        return self.run(training, rows, b2=0.01, k3=RAMP, b3=0.01) / 0.01

    def units_of_first(self, scale: float, odds: Sequence[float]) -> str:
        """How the units of layer 1 are dropped, if those of layer 2 are one by one."""
        weights = dict(b1=0.01, k2=RAMP * np.ones(WIDTH), k3=1 / WIDTH, b3=0.01)
        ramp = self.run(True, ROWS, **weights) / 0.01
        ramp = ramp[np.abs(ramp) > 1e-3] / scale - 1.0
        # Each sample has the average of layer 1, times that of layer 2, whose units are all equal.
        return _say_units(ramp, (1 + odds[0] * np.sum(RAMP**2)) * (1 + odds[1] / WIDTH) - 1)

    def learning(self) -> str:
        """Whether training could change all weights, or what is in its way."""
        trained = {variable.name for variable in self.t.tf.trainable_variables()}
        own = {name: v for name, v in self.weights.items() if name not in self.stand_ins}
        fixed = {name[1] for name, v in own.items() if v.name not in trained}
        if fixed:
            return f"not trainable in layer {' and '.join(sorted(fixed))}"
        return self.cut_off() or self.stuck() or LEARN

    def stuck(self) -> str:
        """Whether most units of a layer start alike, or with 0 for every x, and so stay; or ""."""
        h = np.linspace(-3, 3, 8, dtype=np.float32)[:, None]
        for layer in (1, 2):
            k, b, above = (self.start[n] for n in (f"k{layer}", f"b{layer}", f"k{layer + 1}"))
            h = np.maximum(h @ k + b.reshape(-1), 0)
            units = np.column_stack([k.T, b.reshape(-1), above])[h.max(axis=0) > 0]
            if len(units) < LIVING:
                nothing = not any(self.start[n].any() for n in ("k1", "k2", "k3"))
                start = "0 for every x, as all weights do" if nothing else "0 for every x"
                return f"such that the units of layer {layer} start with {start}, and stay so"
            if len({unit.tobytes() for unit in units}) < LIVING:
                return f"such that the units of layer {layer} start alike, and stay so"
        return ""

    def cut_off(self) -> str:
        """What the last layer is that not all of the gradient reaches in training; or "".

        With ReLU, the weights of a layer, each times its gradient, add up to what the kernel above
        gives in the same way, whatever units are missing; those of the last layer to y.
        """
        draw = np.random.RandomState(1)
        shapes = {name: v.shape.as_list() for name, v in self.weights.items()}
        weights = {n: draw.uniform(0.5, 1.5, shape) for n, shape in shapes.items()}
        weights |= {n: weights[n] / shapes[n][0] for n in ("k1", "k2", "k3")}
        self.put(weights)
        feed = {self.x: np.ones((4, 1)), self.training: True}
        found = self.t.attempt({"y": self.y, **self.gradients}, feed)
        failed = found if isinstance(found, Odd) else self.no_gradient
        if failed:
            return f"without gradients that could be computed. {failed}".rstrip(".")
        given = {n: np.sum(weights[n] * found[n]) if n in found else 0.0 for n in weights}
        for layer, above in ((3, found["y"].sum()), (2, given["k3"]), (1, given["k2"])):
            if not np.isclose(given[f"k{layer}"] + given[f"b{layer}"], above, rtol=1e-3):
                return f"reached by no gradient, or by a part of it, in layer {layer}"
        return ""

    def uneven(self, ramp: np.ndarray) -> bool:
        """Whether units of layer 2 are missing, the same ones for all samples of a run."""
        together = np.abs(ramp).min() > 1e-3 and np.ptp(ramp) < 1e-4 * np.abs(ramp).max()
        if not together:  # if a sample's units go as a whole, some samples are 1 and others not
            return False
        even = self.run(False, b2=0.01, k3=1 / WIDTH, b3=0.01)[0] / 0.01
        return bool(abs(ramp[0] - even) > 1e-4)

    def follows_x(self) -> bool:
        """Whether layer 1 gets x as it is: ReLU of it comes through."""
        one, x = 1 / WIDTH, np.array([[-2.0], [0.5], [3.0]])
        seen = self.run(False, 3, x, k1=1.0, k2=one, k3=one, b3=5.0)
        return np.allclose(seen - 5.0, np.maximum(x, 0)[:, 0], atol=1e-2)

    def is_one_mask(self, scale: float) -> bool:
        """Whether unit i of layer 2 goes whenever unit i of layer 1 does: then of a chain of the
        two, keep is left, and not keep², whose share of kept units makes up for both layers."""
        chains = dict(b1=1.0, k2=np.eye(WIDTH), k3=1 / WIDTH, b3=1.0)
        return bool(self.run(True, **chains).mean() / scale - 1.0 > 1.5)

    def on_x(self) -> str:
        one = 1 / WIDTH
        seen = self.run(True, k1=1.0, k2=one, k3=one, b3=1.0)
        zero = np.abs(seen - 1) < 1e-5
        return "dropped now and then" if 0 < zero.mean() < 1 else WHOLE

    def repeated(self, training: bool) -> str:
        draw = np.random.RandomState(0)
        shapes = {name: v.shape.as_list() for name, v in self.weights.items()}
        weights = {name: 0.1 * draw.randn(*shape) for name, shape in shapes.items()}
        weights["b3"] = 1.0
        one, other = self.run(training, **weights), self.run(training, **weights)
        return SAME if np.allclose(one, other, rtol=1e-5) else VARIES


def _six(t: Trial) -> dict[str, Any] | None:
    """The three weight matrices and biases, or None if the network has other layers."""
    left = t.variables()

    def take(*shapes: tuple[int, ...]) -> Any:
        found = next((v for v in left if tuple(v.shape.as_list()) in shapes), None)
        if found is not None:
            left[:] = [v for v in left if v is not found]
        return found

    names = {
        "k1": [(1, WIDTH)],
        "k2": [(WIDTH, WIDTH)],
        "k3": [(WIDTH, 1)],
        "b1": [(WIDTH,), (1, WIDTH)],
        "b2": [(WIDTH,), (1, WIDTH)],
        "b3": [(1,), (1, 1), ()],
    }
    six = {name: take(*shapes) for name, shapes in names.items()}
    return None if left or any(v is None for v in six.values()) else six


def _kernels_and_biases(t: Trial) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of a network whose only fault may be that biases are missing: by the names of the biases, the
    products of the kernels; and by name the six weights, None for a missing one. Else two {}."""
    shapes = {"k1": (1, WIDTH), "k2": (WIDTH, WIDTH), "k3": (WIDTH, 1)}
    variables = t.variables()
    kernels = {
        name: [v for v in variables if tuple(v.shape.as_list()) == shape]
        for name, shape in shapes.items()
    }
    products, six = {}, {}
    for name, found in kernels.items():
        made = [
            op.outputs[0]
            for op in t.graph.get_operations()
            if op.type == "MatMul" and found and _source(op.inputs[1]) is found[0].op
        ]
        if len(found) != 1 or len(made) != 1 or made[0].op._get_control_flow_context():
            return {}, {}
        bias = f"b{name[1]}"
        six[name], products[bias] = found[0], made[0]
        added = [
            _source(term)
            for op in made[0].consumers()
            if op.type in ("BiasAdd", "Add", "AddV2")
            for term in op.inputs
        ]
        six[bias] = next((v for v in variables if v.op in added), None)
    return (
        (products, six) if len(variables) == sum(v is not None for v in six.values()) else ({}, {})
    )


def _source(tensor: Any) -> Any:
    """The operation whose value a tensor is, as it is or in another form."""
    op = tensor.op
    while op.type in ("ReadVariableOp", "Identity", "Cast", "Reshape"):
        op = op.inputs[0].op
    return op


def _say_layers(shapes: Sequence[tuple[int, ...]]) -> str:
    matrices = [shape for shape in shapes if len(shape) == 2]
    if matrices == [(1, WIDTH), (WIDTH, WIDTH), (WIDTH, 1)]:
        return "variables of shapes " + ", ".join(map(str, shapes))
    return "weight matrices of shapes " + (", ".join(map(str, matrices)) or "none")


def _unseen(where: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names or SEEN_IN_RUNS, f"not to be seen {where}")


def _say_function(values: np.ndarray, tolerance: float) -> tuple[str, float]:
    """What takes the sums `TRIED` to these values, and its factor where that is ReLU or none."""
    tried = np.array(TRIED)
    factor = values[-1] / tried[-1]
    if np.abs(values).max() < 1e-3:
        return NOWHERE, 1.0
    for name, function in ((RELU, np.maximum(tried, 0)), (LINEAR, tried)):
        if np.allclose(values, factor * function, rtol=1e-3, atol=tolerance) and factor > 0.01:
            return name, float(factor)
    return OTHER, 1.0


def _nearest(zeros: float, rate: float) -> tuple[str, float]:
    """The class of rates that is nearest to a share of zeros, and its rate; "" if none is near."""
    classes = {
        "the given rate": rate,
        "1 − rate": 1 - rate,
        "a rate of 0.5": 0.5,
        "the given rate, twice over": 1 - (1 - rate) ** 2,
    }
    name, near = min(classes.items(), key=lambda item: abs(item[1] - zeros))
    far = abs(near - zeros) > SIGMAS * np.sqrt(near * (1 - near) / ROWS)
    return ("", 0.0) if far else (name, near)


def _say_rate(zeros: float, scale: float, rate: float) -> str:
    """The share of zeros in the words of the class that is nearest, and what the rest became."""
    if zeros == 0:
        return NONE if abs(scale - 1) < 0.05 else "none, but a factor"
    name, near = _nearest(zeros, rate)
    if not name:
        return f"a rate of about {zeros:.1f}"
    if abs(scale * (1 - near) - 1) < 0.05:
        return name
    return f"{name}, and what is kept is {'not' if abs(scale - 1) < 0.05 else 'oddly'} scaled"


def _odds(zeros: float, rate: float) -> float:
    """Variance of a unit that is dropped so often, as a share of its squared mean."""
    near = _nearest(zeros, rate)[1] or zeros
    return near / (1 - near) if near < 1 else 0.0


def _say_units(averages: np.ndarray, variance: float) -> str:
    """How units are dropped whose average should have this variance, as a share of its squared
    mean, if they are dropped one by one. averages: one for each sample."""
    if not len(averages) or averages.mean() <= 0:
        return NOT_DROPPED
    spread = averages.std() / averages.mean() / np.sqrt(variance)
    bound = SIGMAS / np.sqrt(2 * len(averages))  # a deviation is known so well
    if abs(spread - 1) > bound:
        return SAME_NUMBER if spread < 1 else IN_GROUPS if spread < 10 else ALTOGETHER
    waves = np.fft.rfft(averages - averages.mean())
    alike = np.fft.irfft(np.abs(waves) ** 2, len(averages))  # for samples at each distance
    # Two with a mask make it 1/2 at their distance; chance does not make it 1/5.
    return OF_SEVERAL if alike[1:].max() > 0.25 * alike[0] else ONE_BY_ONE


def _network_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if seen[LAYERS] != right[LAYERS]:
        return f"Your network has {seen[LAYERS]}."
    if seen[OUTPUT] != right[OUTPUT]:
        return f"The prediction is {seen[OUTPUT]}."
    if seen[HIDDEN] != right[HIDDEN]:
        return f"The activation of the hidden layers is {seen[HIDDEN]}."
    if seen[WEIGHTS] != right[WEIGHTS]:
        return f"The weights are {seen[WEIGHTS]}."
    for name in (FALSE, TRUE):
        if seen[name] != right[name]:
            return f"Fed {name[4:]} it gives {seen[name]}."
    for name in (FIRST, SECOND):
        if seen[name] != right[name]:
            return f"{name[0].upper()}{name[1:]}: {seen[name]}."
    return f"The units of a layer are {seen[UNITS]}." if seen[UNITS] != right[UNITS] else None


NETWORK = Exercise(
    id="dr-network",
    lesson=LESSON,
    title="A network with dropout behind a switch",
    answer="build_network",
    parts=(
        Part(
            "network",
            1,
            f"the layers {CHAIN}",
            (f"*/{LAYERS}", f"*/{HIDDEN}", f"*/{OUTPUT}", f"*/{WEIGHTS}"),
        ),
        Part(
            "places",
            3,
            "dropout in the right two places, at the given rate",
            (f"*/{FIRST}", f"*/{SECOND}", f"*/{ON_X}", f"*/{UNITS}"),
        ),
        Part(
            "switch",
            2,
            "random in training, not in evaluation",
            (f"*/{TRUE}", f"*/{FALSE}", "*/inputs"),
        ),
    ),
    cases=_network_cases,
    probe=_network_probe,
    hints=(
        "Five layers, one after the other: dense, dropout, dense, dropout, dense. Each takes what "
        "the one before it returned.",
        "`tf.layers.dropout(h, rate, training=…)`: what does it do if nobody mentions `training`? "
        "And `tf.layers.dense(h, 300, activation=…)`: which activation has it by default?",
        "In a fresh graph, run your network twice on the same x with `training` fed True, and "
        "twice with False. Which pairs should be equal?",
    ),
    facts=(_network_fact,),
    limit=LIMIT,
)


# ---------------------------------------------------------------- what the next two share


ANOTHER_SESSION = (
    "The prediction is run in a new session, where no variable has a value. Use the session that "
    "the function is given: it holds the trained weights."
)
INITIALIZED = (
    "The variables are initialized anew, so the trained weights are lost. Use the session that the "
    "function is given as it is."
)
OTHER_WEIGHTS = (
    "The prediction is run with other weights than the trained ones. Feed `x` and `training`, and "
    "leave the weights as they are."
)
TRAINED = "trained_weights"


def _called(
    t: Trial, network: _Trained, answer: Any, *arguments: Any, name: str, names: Sequence[str]
) -> Any:
    """What an answer that runs the network returns; where TensorFlow refuses, the sentence."""
    try:
        found = call(answer, t.session, *arguments, name=name, names=names)
    except t.tf.errors.OpError as error:
        said = about_running(error)
        if f"`{TRAINED}`" in said:
            raise Unusable(ANOTHER_SESSION) from None
        return Odd(said)
    if network.lost:
        raise Unusable(network.lost)
    return found


class _Trained:
    """A network with dropout, in NumPy: building a graph of it would cost more than all its runs.

    last: what becomes of the last layer's sums.
    on: for each run with dropout on, x and the prediction side by side, of shape (m, 2).
    lost: what to say of a run with other weights than the trained ones, "" if there was none.
    """

    def __init__(self, inputs: Mapping[str, Any], last: Callable[[np.ndarray], np.ndarray]):
        self.inputs, self.last = inputs, last
        self.draw = np.random.RandomState(inputs["seed"])
        self.on: list[np.ndarray] = []
        self.lost = ""

    def __call__(self, x: np.ndarray, training: Any, v: np.ndarray) -> np.ndarray:
        hidden = np.maximum(x * self.inputs["a"] + self.inputs["b"], 0)
        if training:
            kept = self.draw.rand(*hidden.shape) >= self.inputs["rate"]
            hidden = hidden * kept / (1 - self.inputs["rate"])
        y = self.last(hidden @ v)[:, np.newaxis].astype(np.float32)
        if not np.allclose(v, self.inputs["v"], rtol=1e-5):
            self.lost = OTHER_WEIGHTS if v.any() else INITIALIZED
        if training:
            self.on.append(np.hstack([x, y]))
        return y

    def prediction(self, t: Trial, x: Any, training: Any) -> Any:
        """The network as a tensor (m, 1). Its last weights are a variable's, which has no value in
        another session, and is 0 once it is initialized."""
        v = t.variable(np.zeros_like(self.inputs["v"]), TRAINED)
        t.set(v, self.inputs["v"])
        y = t.tf.numpy_function(self, [x, training, v], t.tf.float32, name="prediction")
        y.set_shape((None, 1))
        return y


# ---------------------------------------------------------------- dr-evaluate

LOSS, ON = "the loss", "runs with dropout on"
EVALUATE = ("session", "prediction", "x", "training", "x_test", "y_test")


def _evaluate_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, m, flat, default):
        x = rng.uniform(-2, 2, (m, 1))
        y = 1.5 * x + rng.choice([-1, 1]) * rng.uniform(1, 2) + rng.randn(m, 1)
        given = dict(x_test=x, y_test=y[:, 0] if flat else y, default=default)
        weights = {name: rng.uniform(0.5, 1.5, 6) * rng.choice([-1, 1], 6) for name in "abv"}
        given |= dict(rate=float(rng.uniform(0.25, 0.4)), seed=int(rng.randint(1000)))
        return Case(case_id, title, {**given, **weights})

    m = int(rng.randint(6, 9))
    return [
        case("column", f"{m} test points", m, False, False),
        case("flat", "targets of shape (m,), a switch that is on unless fed", m + 3, True, True),
    ]


def _evaluate_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    with trial() as t:
        x = t.unfed("x", (None, 1))
        training = t.flag("training", True) if inputs["default"] else t.unfed("training", (), bool)
        network = _Trained(inputs, lambda sums: sums)
        prediction = network.prediction(t, x, training)
        data = inputs["x_test"], inputs["y_test"]
        given = (prediction, x, training, *data)
        loss = _called(t, network, answer, *given, name="evaluate", names=EVALUATE)
    found, on = plain(loss), len(network.on)
    if not isinstance(found, str) and found.size == 1:
        found = found.reshape(())
    right = np.mean((network(data[0], False, inputs["v"])[:, 0] - data[1].reshape(-1)) ** 2)
    if on and not isinstance(found, str) and not np.allclose(found, right, rtol=1e-3):
        found = Odd("a number that was left to chance, by dropout")
    return {LOSS: found, ON: "none" if not on else "one" if on == 1 else "several"}


def _evaluate_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if seen[ON] != right[ON]:
        return f"Runs of the network with dropout on: {seen[ON]}."
    return None


EVALUATION = Exercise(
    id="dr-evaluate",
    lesson=LESSON,
    title="The test loss",
    answer="evaluate",
    parts=(
        Part("loss", 3, "the mean squared error on the test set", (f"*/{LOSS}",)),
        Part("off", 1, "dropout is off", (f"*/{ON}", "*/inputs"), needs=("loss",)),
    ),
    cases=_evaluate_cases,
    probe=_evaluate_probe,
    hints=(
        "`session.run(prediction, feed)` gives the predictions as a NumPy array. What has to be "
        "in `feed`? Two placeholders.",
        "Subtract in NumPy, and print the shape of the difference for targets of shape (m,). Is it "
        "what you expected?",
        "`np.ravel` makes one flat row of any array: then (m, 1) and (m,) look alike.",
    ),
    facts=(_evaluate_fact,),
    rtol=1e-3,
    limit=LIMIT,
)


# ---------------------------------------------------------------- dr-mc

MC = ("session", "prediction", "x", "training", "points", "T")
MEAN, STD, PASSES = "the first value", "the second value", "passes with dropout on"
UNITS_OF_MC = 8


def _mc_cases(rng: np.random.RandomState) -> list[Case]:
    return [
        _mc_case(rng, "several", "3 points", 3, int(rng.randint(12, 17))),
        # Its shape is what can go wrong.
        _mc_case(rng, "one", "a single point", 1, int(rng.randint(7, 11))),
    ]


def _mc_network(inputs: Mapping[str, Any]) -> _Trained:
    """Curved at its end, and no prediction is centred by itself."""
    return _Trained(inputs, lambda sums: np.maximum(sums, 0) + 4)


def _mc_case(rng: np.random.RandomState, case_id: str, title: str, m: int, passes: int) -> Case:
    """Draws until what a mistake would give is clearly something else."""
    while True:
        given = dict(
            points=rng.permutation(np.linspace(-2, 2, 2 * m)[::2] + rng.uniform(0, 1))[:, None],
            T=passes,
            a=rng.uniform(0.5, 1.5, UNITS_OF_MC) * rng.choice([-1, 1], UNITS_OF_MC),
            b=rng.uniform(2.5, 3.5, UNITS_OF_MC),
            v=rng.uniform(1.0, 2.0, UNITS_OF_MC) * np.tile([1, -1], UNITS_OF_MC // 2),
            rate=float(rng.uniform(0.3, 0.4)),
            seed=int(rng.randint(1000)),
        )
        network, x = _mc_network(given), given["points"]
        y = np.hstack([network(x, True, given["v"]) for _ in range(passes)])
        mean, std = y.mean(axis=1), y.std(axis=1)
        off, root = network(x, False, given["v"])[:, 0], np.hypot(mean, std)
        # 1 would be its own square, and the square of 2 is twice 2.
        if std.min() > 2.1 and np.min([np.abs(off - mean), root - mean, root - std]) > 0.1:
            return Case(case_id, title, given)


def _mc_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    points, passes = inputs["points"], inputs["T"]
    network = _mc_network(inputs)
    with trial() as t:
        x, training = t.unfed("x", (None, 1)), t.flag("training")
        given = network.prediction(t, x, training), x, training, points, passes
        found = _called(t, network, answer, *given, name="monte_carlo", names=MC)
        if isinstance(found, Odd):
            return {MEAN: found, STD: found, PASSES: Odd("nothing")}
        mean, std = (plain(value) for value in pair(found, "two arrays, `(mean, std)`"))
    counted = sum(map(len, network.on)) / len(points)
    if counted != passes:
        unseen = f"not looked at, after {counted:g} passes with dropout on"
        return {MEAN: unseen, STD: unseen, PASSES: counted}
    known = _statistics(network, inputs)
    shape = len(points), passes
    return {MEAN: _named(mean, known, *shape), STD: _named(std, known, *shape), PASSES: counted}


def _statistics(network: _Trained, inputs: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
    """What an answer can have made of the T passes that it ran, under its name: arrays (m,).

    The right two come first, so that no chance gives them another name.
    """
    points, passes = np.float32(inputs["points"]), inputs["T"]
    m = len(points)
    rows = np.concatenate(network.on).astype(np.float64)
    each = [rows[rows[:, 0] == point, 1] for point in points[:, 0]]
    if any(len(y) != passes for y in each):
        return {}
    y, root = np.stack(each), np.sqrt(passes)
    std = [y.std(axis=1), y.std(axis=1, ddof=1)]
    ways = rows.reshape(-1, m, 2).swapaxes(0, 1), rows.reshape(m, -1, 2), np.stack([rows] * m)
    mixed = [way[..., 1] for way in ways if np.ptp(way[..., 0], axis=1).any()]
    return {
        "the mean over the passes": [y.mean(axis=1)],
        "the standard deviation over the passes": std,
        "the prediction with dropout off": [network(points, False, inputs["v"])[:, 0]],
        "the variance over the passes": [s**2 for s in std],
        "the standard error of the mean": [s / root for s in std],
        "the root of the mean square": [np.sqrt((y**2).mean(axis=1))],
        "twice the standard deviation": [2 * s for s in std],
        "the root of a sum over the passes": [root * std[0]],
        "0": [0 * std[0]],
        "the mean over passes and points": [z.mean(axis=1) for z in mixed],
        "the standard deviation over passes and points": [z.std(axis=1) for z in mixed],
    }


def _named(value: Any, known: Mapping[str, list[np.ndarray]], m: int, passes: int) -> Any:
    """Which of the known statistics a value is."""
    if isinstance(value, str):
        return value
    if value.shape not in ((m,), (m, 1)):
        return _shape(value, m, passes)
    for name, forms in known.items():
        if any(np.allclose(value.reshape(-1), form, rtol=1e-3, atol=1e-4) for form in forms):
            return name
    return "none of the usual statistics"


def _shape(value: np.ndarray, m: int, passes: int) -> str:
    if value.size == 1:
        return "a single number for all points"
    return f"an array of shape {value.shape} for {m} points and {passes} passes"


def _mc_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    if not isinstance(seen[PASSES], str) and seen[PASSES] != right[PASSES]:
        return f"{seen[PASSES]:g} passes had dropout on, and {right[PASSES]:g} were asked for."
    for name in (MEAN, STD):
        if seen[name] != right[name]:
            return f"{name[0].upper()}{name[1:]} that you return is {seen[name]}."
    return None


MONTE_CARLO = Exercise(
    id="dr-mc",
    lesson=LESSON,
    title="Monte Carlo dropout",
    answer="monte_carlo",
    parts=(
        Part("passes", 1, "T passes with dropout on", (f"*/{PASSES}",)),
        Part("mean", 2, "the mean over the passes", (f"*/{MEAN}",), needs=("passes",)),
        Part("std", 2, "their standard deviation", (f"*/{STD}", "*/inputs"), needs=("passes",)),
    ),
    cases=_mc_cases,
    probe=_mc_probe,
    hints=(
        "One pass is one `session.run` of `prediction` on all points. What must `training` be for "
        "two passes to differ?",
        "Collect the T results in a list and make it one array: `np.array(passes)` has shape "
        "(T, m, 1). Which axis holds the passes?",
        "Compare with `evaluate`: there the flag had one value, here it has the other. The rest is "
        "`np.mean` and `np.std` along one axis.",
    ),
    facts=(_mc_fact,),
    limit=LIMIT,
)


# ---------------------------------------------------------------- dr-output

DRAWS = 6


def _output_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, m, rate, off):
        target = rng.choice([-1, 1]) * rng.uniform(2, 4) + 1.5 * rng.randn(m, 1)
        prediction = 0.7 * target + rng.uniform(1, 2) + rng.randn(m, 1) if off else target.copy()
        return Case(case_id, title, dict(prediction=prediction, target=target, rate=float(rate)))

    m = int(rng.randint(6, 10))
    return [
        case("perfect", "a perfect prediction", m, rng.uniform(0.15, 0.3), False),
        case("other", "a prediction with errors", m + 2, rng.uniform(0.6, 0.75), True),
        case("low", "errors and a low rate", 5, rng.uniform(0.05, 0.15), True),
        case("off", "a rate of 0", 6, 0.0, True),
    ]


def _output_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    given = inputs["prediction"], inputs["target"], inputs["rate"]
    names = ("prediction", "target", "rate")
    kept = copy.deepcopy(given)
    loss = call(answer, *given, name="expected_loss", names=names)
    found = plain(loss)
    if isinstance(found, str):
        return {"the expected loss": found}
    for _ in range(DRAWS):  # two of a few small masks are often the same
        again = plain(answer(*copy.deepcopy(kept)))
        if isinstance(again, str) or not np.array_equal(found, again, equal_nan=True):
            return {"the expected loss": Odd("another one in each call")}
    return {"the expected loss": loss}


def _output_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    (name,) = (n for n in right if n != "inputs")
    loss = np.mean((inputs["prediction"] - inputs["target"]) ** 2)
    if seen[name] < loss * (1 - 1e-6):
        return "It comes out below the loss without dropout. Can noise lower a mean squared error?"
    return None


OUTPUT_LOSS = Exercise(
    id="dr-output",
    lesson=LESSON,
    title="Dropout on the prediction itself",
    answer="expected_loss",
    parts=(
        Part("perfect", 2, "what a perfect prediction pays", ("perfect/the expected loss",)),
        Part(
            "other",
            2,
            "what any prediction pays",
            ("other/the expected loss", "low/the expected loss", "off/the expected loss"),
        ),
        Part("inputs", 1, "the arrays are left alone", ("*/inputs",)),
    ),
    cases=_output_cases,
    probe=_output_probe,
    hints=(
        "One sample first: the prediction is f, the target y. With probability `rate` the network "
        "says 0, otherwise f/keep. Write the two squared errors with their probabilities.",
        "A shorter way: the expectation of a square is the square of the expectation plus the "
        "variance. What is the expectation of f·mask/keep, and what its variance?",
        "Test yourself: draw a hundred thousand masks with `np.random.rand` and average the loss. "
        "It should be near your result for every rate below 1.",
    ),
    facts=(_output_fact,),
)

EXERCISES = (NETWORK, EVALUATION, MONTE_CARLO, OUTPUT_LOSS)
