"""What the probes, cases and facts of several lessons share."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labsupport.observe import plain
from labsupport.vocabulary import Fact, Unusable


def call(answer: Any, *arguments: Any, name: str, names: Sequence[str] = ()) -> Any:
    """Call an answer that should be a function. Raises Unusable, with a sentence, if it is not.

    names: what the arguments are called, to say how the check calls the function.
    """
    if not callable(answer):
        raise Unusable(f"`{name}` should be a function; here it is {_what(answer)}.")
    with contextlib.suppress(ValueError):  # some built-in functions have no signature to look at
        try:
            inspect.signature(answer).bind(*arguments)
        except TypeError as error:
            how = f"{name}({', '.join(names)})" if names else f"{name}(…)"
            count = f"with {len(arguments)} argument{'s' * (len(arguments) != 1)}"
            raise Unusable(f"The check calls `{how}`, {count}: {error}.") from None
    return answer(*arguments)


def pair(value: Any, what: str) -> tuple[Any, Any]:
    """Two values that an answer should return together, or Unusable."""
    several = isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim)
    if several and len(value) == 2:  # of tensors, too, which NumPy must not be asked about
        return value[0], value[1]
    if several and not isinstance(value, np.ndarray):
        raise Unusable(f"It should be {what}; it has {len(value)} entries, not 2.")
    raise Unusable(f"It should be {what}; it is {_what(value)}.")


def flat(value: Any) -> Any:
    """Statistics of shape (1, D), (1, C, 1, 1) … as (D,): where the text allows either.

    A single number stays one.
    """
    found = plain(value)
    if isinstance(found, str) or found.ndim == 0:
        return found
    return found.reshape(-1) if found.size == max(found.shape) else found


def _what(value: Any) -> str:
    found = plain(value)
    if isinstance(found, str):
        return str(found) if type(found) is not str else "a string"
    return "a single number" if found.shape == () else f"an array of shape {found.shape}"


# ---------------------------------------------------------------- drawing inputs


def batch(rng: np.random.RandomState, n: int, d: int, scale: float = 3.0) -> np.ndarray:
    """A batch (n, d), float64, whose features have means and spreads of their own, none 0 or 1."""
    centre = rng.uniform(1.5, 6.0, d) * rng.choice([-1, 1], d)
    spread = scale * rng.uniform(0.6, 1.6, d)
    return centre + spread * rng.randn(n, d)


def images(rng: np.random.RandomState, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """Images whose channels (along `axis`) have means and spreads of their own, float64."""
    along = [1] * len(shape)
    along[axis] = shape[axis]
    centre = (rng.uniform(1.5, 6.0, along)) * rng.choice([-1, 1], along)
    rows = 1.5 * rng.randn(shape[0], 1, 1, 1) + rng.randn(*[1, *shape[1:]])  # images differ too
    return centre + rng.uniform(1.0, 4.0, along) * (rng.randn(*shape) + 0.5 * rows)


def spread_out(x: np.ndarray, axes: int | tuple[int, ...], least: float = 20.0) -> np.ndarray:
    """x with a standard deviation over `axes` of at least this: no ε up to 1e-3 is to be seen."""
    spread = x.std(axis=axes, keepdims=True)
    mean = x.mean(axis=axes, keepdims=True)
    return mean + (x - mean) * np.maximum(1.0, least / spread)


def affine(rng: np.random.RandomState, d: int) -> tuple[np.ndarray, np.ndarray]:
    """gamma and beta of shape (d,): no gamma of 1, some negative; no beta of 0."""
    gamma = rng.uniform(0.5, 2.5, d) * np.where(np.arange(d) % 3 == 1, -1, 1)
    return gamma, rng.uniform(0.5, 3.0, d) * np.where(np.arange(d) % 2 == 0, -1, 1)


# ---------------------------------------------------------------- facts


def moments_fact(value: str, axes: tuple[int, ...], unit: str) -> Fact:
    """A fact for outputs whose mean should be β and whose standard deviation near |γ|.

    value: name of the output; axes: those averaged over; unit: "feature" or "channel".
    """

    def fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
        if value not in seen or value not in right:
            return None
        rule = "|γ|·σ/√(σ² + ε)" if inputs.get("eps", 0) > 0.01 else "nearly |γ|"
        for name, symbol, moment in (("mean", "β", np.mean), ("standard deviation", rule, np.std)):
            want, have = moment(right[value], axis=axes), moment(seen[value], axis=axes)
            if not np.allclose(want, have, rtol=1e-2, atol=1e-2):
                i = int(np.argmax(np.abs(want - have)))
                return (
                    f"In {unit} {i} of your result the {name} is {number(have[i])}; "
                    f"it should be {symbol}, here {number(want[i])}."
                )
        off = np.unravel_index(np.abs(seen[value] - right[value]).argmax(), right[value].shape)
        return (
            f"The mean and the standard deviation of each {unit} come out nearly right; the number "
            f"at {tuple(map(int, off))} is off by {number(seen[value][off] - right[value][off])}."
        )

    return fact


def number(value: float) -> str:
    """A number for a sentence: three digits, and 0 for what rounding leaves."""
    return "0" if abs(value) < 1e-9 else f"{value:.3g}"


def out_probe(name: str, *arguments: str) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    """A probe that calls a function on the named inputs, in order, and keeps what it returns."""

    def probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        values = [inputs[argument] for argument in arguments]
        return {"out": call(answer, *values, name=name, names=arguments)}

    return probe
