"""Exercises of lesson 10_today: TensorFlow 2 in eager mode and Keras 3, never beside `tf1`."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from labsupport.exercises.common import batch, call, flat
from labsupport.observe import plain
from labsupport.vocabulary import Case, Exercise, Odd, Part, Unusable

LESSON = "10_today"
STACK = "tf2"

#: Several float32 steps, whose sums run in an order of their own.
PRECISION = dict(rtol=1e-3, atol=1e-4)
LIMIT = 20.0  # the first check may have to wait for TensorFlow


def _numpy(value: Any) -> Any:
    """A Keras variable or tensor as an array; anything else as it is."""
    return value.numpy() if callable(getattr(value, "numpy", None)) else value


def _joined(variables: list[Any]) -> np.ndarray:
    return np.concatenate([_numpy(v).ravel() for v in variables] or [np.zeros(0)])


def _is_statistic(variable: Any) -> bool:
    return variable.path.rpartition("/")[2].startswith("moving_")


@contextlib.contextmanager
def _plain_words() -> Iterator[None]:
    """Errors of Keras and TensorFlow without colours, and without what surrounds the sentence."""
    try:
        yield
    except Exception as error:
        text = str(error)
        inner = re.search(r"\x1b\[1m(.*?)\x1b\[0m", text, re.DOTALL)
        text = re.sub(r"\{\{.*?\}\} ?|\x1b\[\d*m", "", inner[1] if inner else text)
        if text == str(error):
            raise
        try:
            plainer = type(error)(text)
        except TypeError:  # a class that wants more than a text
            plainer = ValueError(text)
        raise plainer.with_traceback(error.__traceback__) from None


def _compiled(tf: Any, do: Any) -> Any:
    """`tf.function`, even after `tf.config.run_functions_eagerly(True)`, a help when debugging."""
    made = tf.function(do, autograph=False)

    def run(*arguments: Any) -> Any:
        before = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(False)
        try:
            return made(*arguments)
        finally:
            tf.config.run_functions_eagerly(before)

    return run


# ---------------------------------------------------------------- k-train-step

#: What a step stops with, and what that says of it: seen in every case, so it can be named.
STOPS = {
    "No gradients provided": "it stops: no gradient reaches a weight",
    "Unknown variable": "it stops: the optimizer gets what is not to be trained",
    "must have rank (ndim) `target.ndim - 1`": "it stops: the loss takes logits for labels",
    "singleton tf.Variable": "it stops: it makes variables at every call",
}


def _step_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, sizes, sizes_of_batches, rate, spread=1.0):
        inputs = {"steps": len(sizes_of_batches), "mode": case_id, "rate": rate}
        for i, (n, k) in enumerate(zip(sizes, sizes[1:], strict=False), 1):
            inputs[f"w{i}"] = (rng.randn(n, k) / np.sqrt(n)).astype(np.float32)
        inputs[f"w{len(sizes) - 1}"] *= np.float32(spread)
        for i, n in enumerate(sizes_of_batches, 1):
            inputs[f"x{i}"] = batch(rng, n, sizes[0]).astype(np.float32)
            inputs[f"y{i}"] = rng.randint(0, sizes[-1], n)
        return Case(case_id, title, inputs)

    n = int(rng.randint(9, 13))
    a, b = (int(k) for k in rng.choice([3, 4, 5, 6], 2, replace=False))  # classes
    first = "two steps, the first kernel and its batch norm frozen"
    return [
        case("frozen", first, (4, 7, 5, a), [8, n], 0.8, 3.0),
        case("compiled", "three steps inside `tf.function`", (4, 6, b), [n, n, n], 0.02, 60.0),
    ]


def _network(keras: Any, inputs: Mapping[str, Any]) -> Any:
    """Dense layers with the case's kernels, batch-normalized in between; logits at the end."""
    kernels = [inputs[name] for name in sorted(inputs) if name[0] == "w"]
    constant = keras.initializers.Constant
    h = start = keras.Input((kernels[0].shape[0],))
    for i, kernel in enumerate(kernels, 1):
        last = i == len(kernels)
        made = keras.layers.Dense(
            kernel.shape[1], use_bias=last, kernel_initializer=constant(kernel)
        )
        h = made(h)
        frozen = i == 1 and inputs["mode"] == "frozen"
        made.trainable = not frozen
        if not last:
            norm = keras.layers.BatchNormalization(
                momentum=0.8,
                gamma_initializer=constant(1.4),
                beta_initializer=constant(0.3),
                moving_mean_initializer=constant(0.6),
                moving_variance_initializer=constant(2.5),
            )
            norm.trainable = not frozen
            h = keras.layers.Activation("elu")(norm(h))
    return keras.Model(start, h)


def _step_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    from labsupport.tf2 import keras, tf

    model = _network(keras, inputs)
    optimizer = keras.optimizers.SGD(inputs["rate"], momentum=0.7)
    weights = list(model.trainable_variables)  # as they are now: a step may set `trainable`
    others = [v for v in model.non_trainable_variables if not _is_statistic(v)]
    optimizer.build(weights)
    names = ("model", "optimizer", "images", "labels")

    def step(images, labels):
        return call(answer, model, optimizer, images, labels, name="train_step", names=names)

    if inputs["mode"] == "compiled":
        step = _compiled(tf, step)
    losses = []
    for i in range(1, inputs["steps"] + 1):
        batch = tf.constant(inputs[f"x{i}"]), tf.constant(inputs[f"y{i}"])
        try:
            with _plain_words():
                losses.append(step(*batch))
        except ValueError as error:
            reason = next((STOPS[sign] for sign in STOPS if sign in str(error)), None)
            if reason is None:
                raise
            return {"steps": reason}
    found = {
        "steps": "done",
        "loss": _losses(losses, inputs),
        "weights": _joined(weights),
        "statistics": _joined([v for v in model.variables if _is_statistic(v)]),
    }
    return {**found, "frozen": _joined(others)} if others else found


def _losses(losses: list[Any], inputs: Mapping[str, Any]) -> np.ndarray | str:
    """What came back from each step: numbers, one a step, or else what they are instead."""
    seen = [plain(loss) for loss in losses]
    odd = [loss for loss in seen if isinstance(loss, str)]
    if odd:
        return odd[0]
    if all(loss.shape == (len(inputs[f"y{i}"]),) for i, loss in enumerate(seen, 1)):
        return "one number per image"
    shapes = {loss.shape for loss in seen} - {()}
    return Odd(f"an array of shape {shapes.pop()}") if shapes else np.stack(seen)


TRAIN_STEP = Exercise(
    id="k-train-step",
    lesson=LESSON,
    title="A training step with GradientTape",
    answer="train_step",
    parts=(
        Part(
            "trains", 2, "the trainable weights take a step", ("*/steps", "*/weights", "*/inputs")
        ),
        Part(
            "moves", 2, "the moving statistics move with it, once", ("*/statistics",), ("trains",)
        ),
        Part("loss", 1, "gives back the mean loss of the batch", ("*/loss",), ("trains",)),
        Part("rest", 1, "what is frozen stays as it is", ("frozen/frozen",), ("trains",)),
    ),
    cases=_step_cases,
    probe=_step_probe,
    hints=(
        "There are four lines: a `with tf.GradientTape() as tape:` block, the gradients, the "
        "optimizer, the return. What has to happen inside the block, so that the tape sees it?",
        "Nobody but you tells the model that this is training. How is a Keras model told, and what "
        "happens to the moving statistics if it is not?",
        "`keras.losses.SparseCategoricalCrossentropy(from_logits=True)` takes labels and logits. "
        "`tape.gradient(loss, variables)` goes with `optimizer.apply(gradients, variables)`: "
        "which list of the model's variables leaves out what is frozen?",
    ),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- k-dropout


def _block_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, units):
        inputs = {
            "units": units,
            "rate": float(rng.choice([0.3, 0.35, 0.4, 0.6]) + rng.randint(10) / 1000),
            "x": (batch(rng, 200, 9) + 1).astype(np.float32),
            "gamma": round(float(rng.uniform(1.2, 1.6)), 3),
            "beta": round(float(rng.uniform(0.2, 0.5)), 3),
        }
        for i, (n, k) in enumerate(zip([9, *units], units, strict=False), 1):
            inputs[f"w{i}"] = (rng.randn(n, k) / np.sqrt(n)).astype(np.float32)
        return Case(case_id, title, inputs)

    a, b, c = (int(n) for n in rng.choice(np.arange(20, 40), 3, replace=False))
    return [
        case("one", "one hidden layer", [a]),
        case("three", "three hidden layers", [a, b, c]),
    ]


def _block_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    from labsupport.tf2 import keras, tf

    units, rate = list(inputs["units"]), inputs["rate"]
    layers = call(answer, units, rate, name="hidden_layers", names=("units", "rate"))
    if isinstance(layers, keras.Sequential):
        layers = layers.layers
    if not isinstance(layers, (list, tuple)):
        raise Unusable(
            f"`hidden_layers` should return a list of layers; it returns {_kind(layers)}."
        )
    odd = [one for one in layers if not isinstance(one, keras.layers.Layer)]
    if odd:
        what = f"a {type(odd[0]).__name__}"
        raise Unusable(f"Everything in the list should be a Keras layer; {what} is not.")
    if any(getattr(one, "axis", -1) == 0 for one in layers):
        raise Unusable(
            "A batch norm of yours takes axis 0, the rows, for its features. Which argument of "
            "`BatchNormalization` comes first?"
        )
    if len({id(one) for one in layers}) < len(layers):
        raise Unusable("The same layer stands twice in the list; make a new one for each place.")
    x = tf.constant(inputs["x"])
    with _plain_words():
        keras.Sequential([keras.Input((x.shape[1],)), *layers])  # gives every layer its shape
        return {**_order(keras, list(layers)), **_with_kernels(keras, list(layers), x, inputs)}


def _order(keras: Any, layers: list[Any]) -> dict[str, str]:
    """The layers but for dropout; where dropout is; and what of batch norm's is to be told."""
    words, places, momenta, biases, count, before = [], [], set(), [], 0, None
    norms = [i for i, one in enumerate(layers) if isinstance(one, keras.layers.BatchNormalization)]
    for i, one in enumerate(layers):
        if isinstance(one, keras.layers.Dropout):
            behind = f"after {words[-1]}, {count} in" if words else "at the start"
            last = norms and i > norms[-1]
            places.append(f"{one.rate:.3g} {'after the last batch norm' if last else behind}")
            continue
        words.append(_word(keras, one))
        count += isinstance(one, keras.layers.Dense)
        if isinstance(one, keras.layers.BatchNormalization):
            momenta.add(f"{one.momentum:.3g}")
            if before is not None and before.use_bias and words[-2] == f"dense {before.units}":
                biases.append(words[-2])
        before = one if isinstance(one, keras.layers.Dense) else None
    kinds = [type(one).__name__ for one in layers]
    others = next((f"{kind}, not Dropout" for kind in kinds if "drop" in kind.lower()), "none")
    return {
        "layers": ", ".join(words),
        "dropout": "; ".join(places) or others,
        "momentum": " and ".join(sorted(momenta)) or "no batch norm",
        "biases": ", ".join(biases) or "none before batch norm",
        "what does not train": ", ".join(_stays(keras, layers)) or "nothing",
    }


def _stays(keras: Any, layers: list[Any]) -> list[str]:
    """What of dense layers and batch norms is not there to be trained, and what is frozen."""
    found = []
    for one in layers:
        norm = isinstance(one, keras.layers.BatchNormalization)
        if (norm or isinstance(one, keras.layers.Dense)) and not one.trainable:
            found.append(f"{_word(keras, one)} (frozen)")
        elif norm and not (one.scale and one.center):
            lacks = [name for name, has in (("γ", one.scale), ("β", one.center)) if not has]
            found.append(f"{_word(keras, one)} (without {' and '.join(lacks)})")
    return found


def _word(keras: Any, layer: Any) -> str:
    kinds = keras.layers
    if isinstance(layer, kinds.ELU):
        return "elu"
    if isinstance(layer, kinds.Activation):
        return _name_of(keras, layer.activation)
    if isinstance(layer, kinds.BatchNormalization):
        return "batch norm"
    if isinstance(layer, kinds.Dense):
        own = _name_of(keras, layer.activation)
        return f"dense {layer.units}" + ("" if own == "linear" else f" with {own}")
    own = isinstance(layer, kinds.Lambda) or not type(layer).__module__.startswith("keras.")
    return _computed(keras, layer, type(layer).__name__) if own else type(layer).__name__


ACTIVATIONS = ("linear", "elu", "relu", "selu", "tanh", "sigmoid", "leaky_relu", "silu", "softplus")


def _name_of(keras: Any, activation: Any) -> str:
    name = getattr(activation, "__name__", type(activation).__name__)
    keras_own = getattr(activation, "__module__", "").startswith("keras.")
    return name if keras_own else _computed(keras, activation, name)


def _computed(keras: Any, activation: Any, name: str) -> str:
    """Keras's name of the activation that this computes; name: if it is none of them."""
    x = np.linspace(-3, 3, 24, dtype=np.float32).reshape(-1, 1)
    with contextlib.suppress(Exception):
        y = np.asarray(activation(keras.ops.convert_to_tensor(x)))
        for known in ACTIVATIONS:
            wanted = np.asarray(getattr(keras.activations, known)(x))
            if y.shape == wanted.shape and np.allclose(y, wanted, atol=1e-5):
                return known
    return name


#: Stands for numbers that would come out otherwise every time.
CHANCE = Odd("of chance: a batch norm comes after dropout")


def _with_kernels(
    keras: Any, layers: list[Any], x: Any, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Whether batch norm meets in prediction what it noted; and what the layers make of x.

    They get the case's kernels: the numbers that go with the right words are others in each case,
    so nobody has them by heart.
    """
    dense = [one for one in layers if isinstance(one, keras.layers.Dense)]
    norms = [one for one in layers if isinstance(one, keras.layers.BatchNormalization)]
    drops = [one for one in layers if isinstance(one, keras.layers.Dropout)]
    others = [one for one in layers if not isinstance(one, keras.layers.Dropout)]
    kernels = [inputs[name] for name in sorted(inputs) if name[0] == "w"]
    known = [one.kernel.shape for one in dense] == [kernel.shape for kernel in kernels]
    if known:
        for one, kernel in zip(dense, kernels, strict=True):
            one.kernel.assign(kernel)
            _set_bias(one, 0.0)
    for norm in norms:
        norm.epsilon = 1e-3  # the text leaves it open
        norm.moving_mean.assign(np.zeros(norm.moving_mean.shape))  # they may have been tried out
        norm.moving_variance.assign(np.ones(norm.moving_variance.shape))
    sums = _sums_of_trained(dense, norms, inputs)
    for one in layers:
        one.trainable = True  # as told above; what follows is about the rest
    found = {
        "the sums of the weights that train": sums,
        "the output": _through(others, x, training=True)[:3],
        "the moving statistics after a batch": _noted(norms),
    }
    for one in dense:
        _set_bias(one, 1.0)
    found["the output with biases"] = _through(others, x[3:6], training=False)
    found["met"], h = _met(layers, norms, x)
    settled = found["met"] == "what it noted"
    found["the statistics that batch norm notes"] = _noted(norms) if settled else CHANCE
    after = max((layers.index(norm) for norm in norms), default=-1)
    rows = np.repeat(h[:1], len(x), axis=0)  # one of so many is kept: the largest
    out = _through(drops, rows, training=True)
    kept = np.abs(out).max(axis=0)
    share = 1 - np.prod([1 - drop.rate for drop in drops])
    if np.mean(~out.any(axis=1)) > 0.1:  # by chance that is one row in a hundred, at the most
        kept = Odd("of samples that are dropped as a whole")
    elif drops and out.all():
        kept = Odd("of units of which none is dropped")
    elif drops and not np.std(out == 0, axis=0).any():
        kept = Odd("of units of which each is dropped in all samples or in none")
    elif abs(np.mean(out == 0) - share) > 0.05:  # of 4000 units and more, by chance 0.01
        kept = Odd("of another share of units dropped than the layer's rate says")
    found["the output with dropout"] = (
        kept if all(layers.index(drop) > after for drop in drops) else CHANCE
    )
    if known:
        return found
    sizes = ", ".join(str(one.units) for one in dense) or "none"
    unseen = Odd(f"not seen: the sizes of the dense layers are {sizes}")  # their weights are drawn
    return {k: v if type(v) is str else unseen for k, v in found.items()}


def _sums_of_trained(dense: list[Any], norms: list[Any], inputs: Mapping[str, Any]) -> np.ndarray:
    """The sum of each kernel, and of γ and β with the case's numbers in them; 0 if it is frozen."""
    found = [(one, one.kernel) for one in dense]
    for norm in norms:
        for name in ("gamma", "beta"):
            variable = getattr(norm, name)
            if variable is not None:
                variable.assign(np.full(variable.shape, inputs[name]))
            found.append((norm, variable))
    sums = [
        np.sum(variable) if any(variable is one for one in layer.trainable_variables) else 0.0
        for layer, variable in found
    ]
    for norm in norms:
        for variable, start in ((norm.gamma, 1.0), (norm.beta, 0.0)):
            if variable is not None:
                variable.assign(np.full(variable.shape, start))
    return np.array(sums)


def _set_bias(layer: Any, value: float) -> None:
    if layer.bias is not None:
        layer.bias.assign(np.full(layer.bias.shape, value))


def _through(layers: list[Any], h: Any, training: bool) -> np.ndarray:
    for one in layers:
        h = one(h, training=training)
    return np.asarray(h)


def _noted(norms: list[Any]) -> np.ndarray:
    return _joined([v for norm in norms for v in (norm.moving_mean, norm.moving_variance)])


def _met(layers: list[Any], norms: list[Any], x: Any) -> tuple[str, np.ndarray]:
    """Whether batch norm meets in prediction the variance that it noted; and the prediction."""
    for norm in norms:
        norm.momentum = 0.0  # notes the batch that it gets, and nothing else
    _through(layers, x, training=True)
    h, ratios = x, []
    for one in layers:
        if any(one is norm for norm in norms):
            noted = one.moving_variance.numpy()
            ratios.append(float(np.mean(noted) / (np.mean(np.var(h.numpy(), axis=0)) + 1e-9)))
        h = one(h, training=False)
    if not ratios:
        return "there is no batch norm", h.numpy()
    far = max(max(ratio, 1 / max(ratio, 1e-9)) for ratio in ratios)
    return "what it noted" if far < 1.1 else "another variance than it noted", h.numpy()


BLOCK = Exercise(
    id="k-dropout",
    lesson=LESSON,
    title="Dropout beside batch norm",
    answer="hidden_layers",
    parts=(
        Part(
            "layers",
            1,
            "the layers and their order",
            (
                *("*/layers", "*/momentum", "*/what does not train", "*/the output"),
                *("*/the sums of *", "*/the moving statistics*", "*/inputs"),
            ),
        ),
        Part(
            "met",
            2,
            "batch norm meets in prediction what it noted",
            ("*/met", "*/the statistics that batch norm notes"),
            ("layers",),
        ),
        Part(
            "dropout",
            1,
            "dropout, once and with the rate",
            ("*/dropout", "*/the output with dropout"),
            ("layers",),
        ),
        Part(
            "biases",
            1,
            "no parameter is for nothing",
            ("*/biases", "*/the output with biases"),
            ("layers",),
        ),
    ),
    cases=_block_cases,
    probe=_block_probe,
    hints=(
        "`make_network` above has the layers and their order. Which of its arguments do you need "
        "here too?",
        "With one hidden layer there are few places for dropout. Which of them come before a batch "
        "norm? With three hidden layers, what does the second batch norm see of a dropout in the "
        "first block?",
        "A dense layer hands on the variance of what it gets. So no batch norm may come after "
        "dropout, near or far: which is the first place where none does?",
    ),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- k-layer


def _layer_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title):
        d, n = int(rng.randint(3, 5)), int(rng.randint(6, 9))
        inputs = {
            "mode": case_id,
            "momentum": float(rng.uniform(0.6, 0.9)),
            "epsilon": float(rng.uniform(0.1, 0.4)),
            "gamma": (rng.uniform(0.5, 2.5, d) * np.where(np.arange(d) % 2, -1, 1)),
            "beta": rng.uniform(0.5, 3.0, d),
            "mean": rng.uniform(-3.0, 3.0, d),
            "var": rng.uniform(0.5, 4.0, d),
        }
        inputs["var"][0] = inputs["epsilon"] * rng.uniform(0.2, 0.6)
        for i in (1, 2, 3):
            inputs[f"x{i}"] = batch(rng, n, d)
            inputs[f"x{i}"][:, 0] *= 0.05  # a variance below ε
        inputs = {
            k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in inputs.items()
        }
        return Case(case_id, title, inputs)

    return [
        case("fresh", "a new layer, before and after its first steps"),
        case("training", "training, from given statistics"),
        case("prediction", "prediction, with given statistics"),
        case("compiled", "three steps inside `tf.function`, then a prediction"),
        case("frozen", "`trainable = False`, called with `training=True`"),
    ]


STATE = ("gamma", "beta", "moving_mean", "moving_variance")
#: By case: what is different, and how much, in a second layer that is made after the first.
NEWER = {"training": ("momentum", 0.5), "prediction": ("epsilon", 3.0)}


def _layer_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    from labsupport.tf2 import keras, tf

    if not (isinstance(answer, type) and issubclass(answer, keras.layers.Layer)):
        raise Unusable("`BatchNorm` should be a class made from `keras.layers.Layer`.")
    options = {"momentum": inputs["momentum"], "epsilon": inputs["epsilon"]}
    layer = answer(**options)
    if inputs["mode"] in NEWER:  # a network has several layers, each with options of its own
        name, factor = NEWER[inputs["mode"]]
        answer(**options | {name: factor * options[name]})
    x = [tf.constant(inputs[f"x{i}"]) for i in (1, 2, 3)]
    with _plain_words():
        return _layer_found(layer, x, inputs)


def _layer_found(layer: Any, x: list[Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    from labsupport.tf2 import keras, tf

    with contextlib.suppress(Exception):  # the call will say what is wrong
        layer.build(x[0].shape)
    start = _start(layer)
    fresh = layer(x[0], training=False)
    missing = [name for name in STATE if not hasattr(layer, name)]
    if missing:
        raise Unusable(f"After its first call the layer should have `{missing[0]}`.")
    if any(isinstance(one, keras.layers.BatchNormalization) for one in layer._flatten_layers()):
        raise Unusable("The work is done by Keras's own layer; write the formula yourself.")
    mode, found = inputs["mode"], {}
    if mode == "fresh":
        found = {"variables": _variables(tf, layer), "start": start}
        if "not" in start:
            return found  # the rest would be drawn anew each time
        found["before"] = _numpy(fresh)
    else:
        for name, key in zip(STATE, ("gamma", "beta", "mean", "var"), strict=True):
            _put(tf, layer, name, inputs[key])
    if mode == "frozen":
        layer.trainable = False
    if mode == "prediction":
        found["out"] = layer(x[0], training=False)
        found["bare"] = layer(x[1])
        found["alone"] = layer(x[0][:1], training=False)
    elif mode == "compiled":
        step = _compiled(tf, lambda batch: layer(batch, training=True))
        found["out"] = [_numpy(step(one)) for one in x][-1]
        found["after"] = _try(lambda: layer(x[0], training=False))
    elif mode == "training":
        for one in x[:2]:
            layer(one, training=True)
        found |= _with_gradients(keras, tf, layer, x[2], x[1])
    else:
        found["out"] = [_numpy(layer(one, training=True)) for one in x][-1]
    found |= {"mean": flat(_numpy(layer.moving_mean)), "var": flat(_numpy(layer.moving_variance))}
    if mode == "training":  # what the lists hold then is other numbers in each case
        found["the contents of trainable_variables"] = np.sort(_joined(layer.trainable_variables))
        found["the contents of non_trainable_variables"] = np.sort(
            _joined(layer.non_trainable_variables)
        )
    return {name: _numpy(value) for name, value in found.items()}


def _with_gradients(keras: Any, tf: Any, layer: Any, x: Any, weights: Any) -> dict[str, Any]:
    """A step's output, the gradient for x of its sum with these weights, and whether γ and β get
    one: if so, numbers of the case's own, since the right ones hang on what is told elsewhere.

    γ and β are watched, in case they are not trainable: that is told elsewhere too.
    """
    state, loss = {"γ": layer.gamma, "β": layer.beta}, None
    scales = [v.value if isinstance(v, keras.Variable) else v for v in state.values()]
    with tf.GradientTape() as recorder:
        recorder.watch([x, *scales])
        out = layer(x, training=True)
        with contextlib.suppress(Exception):  # no numbers in the shape of x: `out` says so
            loss = tf.reduce_sum(weights * tf.cast(out, x.dtype))
    known = tf.reduce_sum(weights, axis=0)
    if loss is None:
        unseen = Odd("not seen: the result is no batch like x")
        return {"out": out, "the gradient for x": unseen, "the gradient for γ and β": known}
    slope, *slopes = recorder.gradient(loss, [x, *scales])
    none = [name for name, one in zip(state, slopes, strict=True) if one is None]
    return {
        "out": out,
        "the gradient for x": Odd("none at all") if slope is None else slope,
        "the gradient for γ and β": Odd(f"none for {' and '.join(none)}") if none else known,
    }


def _variables(tf: Any, layer: Any) -> str:
    """What the layer lists, and what of its state it does not know of."""
    trained, other = len(layer.trainable_variables), len(layer.non_trainable_variables)
    known = {id(v) for v in layer.variables}
    strange = [
        name
        for name in STATE
        if isinstance(getattr(layer, name), tf.Variable) and id(getattr(layer, name)) not in known
    ]
    found = f"{trained} trainable, {other} not"
    return f"{found}; not among them: {', '.join(strange)}" if strange else found


def _start(layer: Any) -> str:
    """Where γ, β and the moving statistics of a new layer start."""
    values = {
        name: np.asarray(_numpy(getattr(layer, name))) for name in STATE if hasattr(layer, name)
    }
    return ", ".join(
        f"`{name}` all {value.flat[0]:g}"
        if value.size and np.ptp(value) == 0
        else f"`{name}` not all the same"
        for name, value in values.items()
    )


def _put(tf: Any, layer: Any, name: str, value: np.ndarray) -> None:
    """Give the layer's variable a value; if it is no variable, replace it."""
    old = getattr(layer, name)
    if np.shape(old)[-1:] != value.shape:
        raise Unusable(
            f"`{name}` should have one number per feature; its shape is {np.shape(old)}."
        )
    value = np.reshape(value, np.shape(old))
    if hasattr(old, "assign"):
        old.assign(value)
    else:
        setattr(layer, name, tf.constant(value))


def _try(do: Callable[[], Any]) -> Any:
    try:
        return do()
    except Exception as error:  # what was made while tracing must not be used afterwards
        return Odd(f"an error, {type(error).__name__}")


LAYER = Exercise(
    id="k-layer",
    lesson=LESSON,
    title="A Keras layer of your own",
    answer="BatchNorm",
    parts=(
        Part(
            "training",
            2,
            "normalizes with the batch in training",
            ("training/out", "training/the gradient for x", "fresh/out"),
        ),
        Part(
            "state",
            2,
            "notes the moving statistics, and keeps them out of training's hands",
            (
                "training/mean",
                "training/var",
                "training/the contents of *",
                "training/the gradient for γ and β",
                "fresh/mean",
                "fresh/var",
                "fresh/variables",
                "fresh/start",
            ),
        ),
        Part(
            "prediction",
            2,
            "predicts with what it noted, and changes nothing",
            ("prediction/*", "fresh/before", "*/inputs"),
            ("training",),
        ),
        Part("compiled", 2, "works inside `tf.function`", ("compiled/[!i]*",), ("training",)),
        Part("frozen", 1, "a frozen layer predicts", ("frozen/[!i]*",), ("prediction",)),
    ),
    cases=_layer_cases,
    probe=_layer_probe,
    hints=(
        "`build` knows the number of features: make the four variables there, with "
        "`self.add_weight(shape=…, initializer=…)`. Which two of them must no optimizer touch?",
        "In `call`, both modes end in the same line; they differ in the mean and the variance that "
        "go into it. A variable is changed with `assign`; a Python attribute that is set to a new "
        "tensor holds that tensor, not a number that a compiled step would change.",
        "`tf.nn.moments(x, axes=[0])` gives the mean and the (biased) variance. "
        "`if training and self.trainable:` decides for both modes and for the frozen layer; "
        "momentum is the weight of the old value.",
    ),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- k-freeze


def _freeze_cases(rng: np.random.RandomState) -> list[Case]:
    d, f = int(rng.randint(4, 6)), int(rng.randint(5, 8))
    inputs = {
        "classes": int(rng.randint(2, 5)),
        "w1": rng.randn(d, 6) / 2,
        "w2": rng.randn(6, f) / 2,
        "x": batch(rng, 12, d),
        "new": batch(rng, 8, d),
        "statistics": rng.uniform(0.5, 3.0, 4),
    }
    inputs["head"] = rng.randn(f, inputs["classes"]) / np.sqrt(f)
    inputs = {
        k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in inputs.items()
    }
    return [Case("both", "a frozen base, and later `base.trainable = True`", inputs)]


def _base(keras: Any, inputs: Mapping[str, Any]) -> Any:
    """A "pretrained" model: a normalized layer, and another one inside a model of its own."""
    m1, v1, m2, v2 = inputs["statistics"]

    def block(kernel):
        return [
            keras.layers.Dense(kernel.shape[1], use_bias=False),
            keras.layers.BatchNormalization(momentum=0.7),
            keras.layers.Activation("elu"),
        ]

    start = keras.Input((inputs["w1"].shape[0],))
    first, second = block(inputs["w1"]), block(inputs["w2"])
    inner = keras.Sequential([keras.Input((6,)), *second], name="inner")
    h = start
    for layer in (*first, inner):
        h = layer(h)
    learned = (first, "w1", m1, v1), (second, "w2", m2, v2)
    for (dense, norm, _), kernel, mean, var in learned:  # in no initializer: a copy starts afresh
        dense.kernel.assign(inputs[kernel])
        state = norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance
        for variable, value in zip(state, (1.3, 0.4, mean, var), strict=True):
            variable.assign(np.full(variable.shape, value))
    return keras.Model(start, h, name="base")


def _freeze_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What `_tuned` sees while the base is frozen and, named "…, later", when it is thawed.

    The words name what went wrong. The numbers follow from the case's head and rows, and come out
    right only where the words are true: nobody has them by heart.
    """
    from labsupport.tf2 import keras, tf

    base, classes, x = _base(keras, inputs), inputs["classes"], tf.constant(inputs["x"])
    features = base(x, training=False).numpy()
    with _plain_words():
        model = call(answer, base, classes, name="fine_tune", names=("base", "classes"))
        if not isinstance(model, keras.Model):
            raise Unusable(f"`fine_tune` should return a Keras model; it returns {_kind(model)}.")
        logits = model(x, training=False)
    if tuple(logits.shape) != (len(features), classes):
        return {"logits": logits}
    groups = {
        "kernels": [v for v in base.variables if v.path.endswith("kernel")],
        "scales": [v for v in base.variables if v.path.endswith(("gamma", "beta"))],
        "statistics": [v for v in base.variables if _is_statistic(v)],
        "head": [v for v in model.variables if id(v) not in {id(w) for w in base.variables}],
    }
    logits, stepped = _headed(tf, model, x, features, groups["head"], inputs["head"])

    def seen():
        return _tuned(tf, model, x, groups, inputs, lambda new: base(new, training=False).numpy())

    found = {"logits": logits, **seen(), "the head's kernel after a step": stepped}
    base.trainable = False  # so that the next line reaches every layer
    base.trainable = True
    found |= {f"{k}, later": v for k, v in seen().items()}
    if isinstance(stepped, str):  # no head of ours moved the base
        found["the output after a step, later"] = stepped
    if not groups["head"]:  # each output is that of a head of its own
        found |= {name: stepped for name in found if name.startswith(DRAWN)}
    return found


def _headed(
    tf: Any, model: Any, x: Any, features: np.ndarray, head: list[Any], kernel: np.ndarray
) -> tuple[Any, Any]:
    """The logits of a head with this kernel and no bias, and the kernel after a step.

    The step is one in prediction mode: it is about the head, whatever the base does in training.
    """
    kernels = [v for v in head if tuple(v.shape) == kernel.shape]
    if not kernels:
        what = "is not one dense layer" if head else "has no variables"
        return Odd("no dense layer on the features of the base"), Odd(f"not seen: the head {what}")
    kernels[-1].assign(kernel)
    for variable in head:
        if tuple(variable.shape) == kernel.shape[1:] and "float" in variable.dtype:
            variable.assign(np.zeros(variable.shape))
    with tf.GradientTape() as recorder:
        logits = model(x, training=False)
        loss = tf.reduce_mean((logits - 1.0) ** 2)
    explained = _explained(logits.numpy(), features @ kernel)
    slope = None
    if any(v is kernels[-1] for v in model.trainable_variables):
        slope = recorder.gradient(loss, kernels[-1])
    return explained, kernel if slope is None else kernel - PACE * slope.numpy()


#: Numbers that a head made at every call would draw.
DRAWN = ("the output in training", "the output of a bare call")

#: The share of a slope that a step takes.
PACE = 0.1


def _tuned(
    tf: Any,
    model: Any,
    x: Any,
    groups: Mapping[str, list[Any]],
    inputs: Mapping[str, Any],
    features: Callable[[Any], np.ndarray],
) -> dict[str, Any]:
    """Whose outputs depend on the batch, and which groups of variables a step moves.

    And what the case's head makes of the base's `features`: of new rows before the step, shifted by
    what training mode does to the outputs, and of others after it. Variables get their values back.
    """
    before = {name: [v.numpy() for v in group] for name, group in groups.items()}
    new, kernel, alone, found = tf.constant(inputs["new"]), inputs["head"], {}, {}
    modes = {"training": {"training": True}, "prediction": {"training": False}, "a bare call": {}}
    for mode, said in modes.items():
        found[mode], alone[mode] = _company(model, new, said)
    for mode, name in (("training", "in training"), ("a bare call", "of a bare call")):
        if alone[mode] is None:
            found[f"the output {name}"] = Odd(found[mode])
            continue
        shift = alone[mode] - alone["prediction"]
        found[f"the output {name}"] = features(new[:3]) @ kernel + shift
    learned = list(model.trainable_variables)
    with tf.GradientTape() as recorder:
        loss = tf.reduce_mean((model(x, training=True) - 1.0) ** 2)
    for variable, slope in zip(learned, recorder.gradient(loss, learned), strict=True):
        if slope is not None:
            variable.assign_sub(PACE * slope)
    for name, group in groups.items():
        found[name] = _moved(before[name], [v.numpy() for v in group])
    found["the output after a step"] = features(new[3:]) @ kernel
    for name, group in groups.items():
        _give_back(group, before[name])
    return found


def _give_back(variables: list[Any], values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _moved(before: list[np.ndarray], after: list[np.ndarray]) -> str:
    pairs = list(zip(before, after, strict=True))
    if not pairs:
        return "there is none"
    moved = sum(not np.allclose(a, b, rtol=1e-6, atol=1e-7) for a, b in pairs)
    return "moved" if moved == len(pairs) else "some moved" if moved else "stood still"


def _explained(logits: np.ndarray, want: np.ndarray) -> np.ndarray | str:
    """The logits, if they are a dense layer of the pretrained features and nothing else."""
    if np.allclose(logits, want, rtol=1e-3, atol=1e-3):
        return logits
    odds = np.exp(want - want.max(axis=1, keepdims=True))
    if np.allclose(logits, odds / odds.sum(axis=1, keepdims=True), rtol=1e-3, atol=1e-3):
        return Odd("probabilities")
    return Odd("not what a dense layer makes of the pretrained features")


def _company(model: Any, x: Any, said: Mapping[str, bool]) -> tuple[str, np.ndarray | None]:
    """Whether the first row's output depends on the rest of the batch; and three rows' output.

    said: what the model is called with beside x. Without it, it may not be callable at all.
    """
    values = [v.numpy() for v in model.variables]
    try:
        together, fewer = model(x, **said), model(x[:3], **said)
    except TypeError:
        if said:
            raise
        return "an error, TypeError", None
    _give_back(model.variables, values)  # looking must not move what is looked at
    same = np.allclose(together[:1].numpy(), fewer[:1].numpy(), rtol=1e-3, atol=1e-4)
    return f"{'does not depend' if same else 'depends'} on the batch", fewer.numpy()


def _kind(value: Any) -> str:
    found = plain(value)
    return "a tensor or an array" if not isinstance(found, str) else str(found) or "a string"


FREEZE = Exercise(
    id="k-freeze",
    lesson=LESSON,
    title="Freeze a model for fine-tuning",
    answer="fine_tune",
    parts=(
        Part(
            "model",
            1,
            "a new head on the pretrained features, which learns",
            ("*/logits", "*/head", "*/the head's kernel after a step", "*/head, later"),
        ),
        Part(
            "frozen",
            2,
            "nothing of the base moves, statistics included",
            ("*/kernels", "*/scales", "*/statistics", "*/the output after a step", "*/inputs"),
            ("model",),
        ),
        Part(
            "company",
            1,
            "no output depends on the rest of the batch",
            (
                "*/training",
                "*/prediction",
                "*/a bare call",
                "*/the output in training",
                "*/the output of a bare call",
            ),
            ("model",),
        ),
        Part(
            "thawed",
            2,
            "later the base's weights learn, and its statistics still stand",
            (
                "*/kernels, later",
                "*/scales, later",
                "*/statistics, later",
                "*/training, later",
                "*/prediction, later",
                "*/a bare call, later",
                "*/the output in training, later",
                "*/the output of a bare call, later",
                "*/the output after a step, later",
            ),
            ("model",),
        ),
    ),
    cases=_freeze_cases,
    probe=_freeze_probe,
    hints=(
        "Two things are to be settled: which variables the optimizer may touch, and which "
        "statistics the base normalizes with. Keras has a setting for each.",
        "`trainable` on a model reaches every layer inside it, also inside models within models. "
        "What will it say to batch norm on the day it is set back to True?",
        "In a functional model the outer call's `training` goes down to every layer, whatever was "
        "said when the model was put together. In the `call` method of a `keras.Model` of your "
        "own you say at each call what the base is called with.",
    ),
    limit=LIMIT,
    **PRECISION,
)


# ---------------------------------------------------------------- k-convert

TORCH, FLAX = "torch.nn.BatchNorm2d", "flax.linen.BatchNorm"
MXNET, DROPOUT = "mxnet.npx.batch_norm", "tf.compat.v1.nn.dropout"
LINEAR = "torch.nn.Linear before BatchNorm1d"


def _convert_cases(rng: np.random.RandomState) -> list[Case]:
    def number(low, high):
        return round(float(rng.uniform(low, high)), 3)

    def case(case_id, title, layer, **settings):
        return Case(case_id, title, {"layer": layer, "settings": settings})

    width = int(rng.randint(20, 60))

    return [
        case("torch", "PyTorch's", TORCH, momentum=number(0.02, 0.3), eps=number(0.01, 0.2)),
        case("plain", "PyTorch's, nothing given", TORCH),
        case("flax", "Flax's", FLAX, momentum=number(0.7, 0.97), epsilon=number(0.01, 0.2)),
        case("mxnet", "MXNet's", MXNET, momentum=number(0.7, 0.97), eps=number(0.01, 0.2)),
        case("plain-flax", "Flax's, nothing given", FLAX),
        case("plain-mxnet", "MXNet's, nothing given", MXNET),
        case(
            "plain-torch-alone", "PyTorch's, only momentum given", TORCH, momentum=number(0.02, 0.3)
        ),
        case("plain-flax-alone", "Flax's, only ε given", FLAX, epsilon=number(0.01, 0.2)),
        case(
            "plain-mxnet-alone", "MXNet's, only momentum given", MXNET, momentum=number(0.6, 0.85)
        ),
        case("keep", "dropout's", DROPOUT, keep_prob=number(0.7, 0.9)),
        case("linear", "a linear layer before batch norm", LINEAR, out_features=width),
    ]


def _convert_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    from labsupport.tf2 import keras

    settings = dict(inputs["settings"])
    found = call(answer, inputs["layer"], settings, name="to_keras", names=("layer", "settings"))
    if not isinstance(found, dict):
        raise Unusable(f"`to_keras` should return a dict of arguments; it returns {_kind(found)}.")
    layer_class = {DROPOUT: keras.layers.Dropout, LINEAR: keras.layers.Dense}.get(
        inputs["layer"], keras.layers.BatchNormalization
    )
    known = KNOWN[layer_class.__name__]
    others = {name: value for name, value in found.items() if name not in known}
    strangers = sorted(str(n) for n, v in others.items() if not _says_nothing(layer_class, n, v))
    given = {name: value for name, value in found.items() if name in known}
    changed = "changed" if settings != inputs["settings"] else "left alone"
    seen = {"unknown": ", ".join(strangers) or "none", "settings": changed}
    if layer_class is keras.layers.Dropout:
        return {**seen, "rate": given.get("rate", _not_given(strangers, layer_class))}
    if layer_class is keras.layers.Dense and "units" not in given:
        return {**seen, "units": _not_given(strangers, layer_class), "bias": "not seen"}
    try:
        layer = layer_class(**given)
    except Exception as error:
        raise Unusable(f"Keras does not take these arguments: {error}.") from None
    if layer_class is keras.layers.Dense:
        return {**seen, "units": layer.units, "bias": "a bias" if layer.use_bias else "no bias"}
    axis = layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis
    return {
        **seen,
        "momentum": layer.momentum,
        "epsilon": layer.epsilon,
        "axis": f"axis {axis % 4} of 4",
        "what is trained": _affine(inputs["layer"], layer),
    }


def _affine(framework: str, layer: Any) -> str:
    """Which of γ and β a batch norm has. MXNet's γ may be missing: it stays 1 (`fix_gamma`)."""
    gamma = "γ" if layer.scale or framework == MXNET else "no γ"
    return f"{gamma}, {'β' if layer.center else 'no β'}"


#: Arguments in which a conversion may differ from what Keras does by itself.
KNOWN = {
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Dropout": ("rate",),
    "Dense": ("units", "use_bias"),
}


def _says_nothing(layer_class: Any, name: str, value: Any) -> bool:
    """Whether an argument is a name for the layer, or what Keras does without it."""
    if name == "name" or (name, value) == ("activation", "linear"):
        return isinstance(value, str)
    parameters = inspect.signature(layer_class).parameters
    default = parameters[name].default if name in parameters else inspect.Parameter.empty
    plainly = isinstance(value, (str, int, float, type(None))) and type(value) is type(default)
    return plainly and value == default


def _not_given(strangers: list[str], layer_class: Any) -> Odd:
    what = f"; {layer_class.__name__} knows no `{strangers[0]}`" if strangers else ""
    return Odd(f"not given{what}")


CONVERT = Exercise(
    id="k-convert",
    lesson=LESSON,
    title="The same settings in Keras",
    answer="to_keras",
    parts=(
        Part("torch", 2, "PyTorch's batch norm", ("torch/*",)),
        Part("others", 2, "Flax's and MXNet's batch norm", ("flax/*", "mxnet/*")),
        Part("defaults", 1, "what nobody gives: each framework's defaults", ("plain*/*",)),
        Part("dropout", 1, "version 1's dropout", ("keep/*",)),
        Part("linear", 1, "a linear layer before batch norm", ("linear/*",)),
    ),
    cases=_convert_cases,
    probe=_convert_probe,
    hints=(
        "Take the two tables above and go through them row by row: what a number means, what the "
        "argument is called, what it is when nobody says anything.",
        "Put PyTorch's and Keras's update of the moving mean side by side. Which factor multiplies "
        "the old value in each? Is that different in Flax?",
        "Start from the other layer's defaults and put the given settings over them: "
        "`{**defaults, **settings}`. Then translate. Where do PyTorch and MXNet have the channels?",
    ),
    rtol=1e-5,
    atol=1e-8,
    limit=LIMIT,
)

EXERCISES = (BLOCK, TRAIN_STEP, LAYER, FREEZE, CONVERT)
