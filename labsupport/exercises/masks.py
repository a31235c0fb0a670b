"""What can be said of random masks without knowing a single draw. No answers.

An answer that draws at random is judged by words: which share is dropped, what becomes of the
survivors, which numbers share a draw, whether the next call draws anew. Each word is the same for
every right answer, up to a false alarm whose probability is the sum of binomial tails:

- the dropped share of n independent draws, with the asked probability p, is off by more than SHARE;
- two neighbours are dropped or kept alike with probability p² + (1 − p)². Pairs that do not
  overlap are independent, so the number of pairs alike is binomial too; along one axis, or
  between calls, its share is off by more than AGREE;
- the number dropped is the same in all CALLS calls.

`false_alarm` adds the three. Over all drop probabilities and shapes that the exercises use it
is below 1e-8 for one whole check, as `tests/test_dropout_statistics.py` computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labsupport.observe import plain
from labsupport.vocabulary import Fact, Unusable

CALLS = 6
SHARE = 0.02  # how far the share of many draws may be from what was asked
SHARE_OF_FEW = 0.035  # the same where there are fewer: in one call, or in one corner
AGREE = 0.05

#: Ranges for drop_prob in which all known ways of being wrong give shares at least 0.05 apart.
LOW, HIGH = (0.30, 0.32), (0.68, 0.70)

AS_ASKED, NONE, ALL = "as asked", "none", "all"
UNCOUNTED = "not counted, because numbers share a draw"
OWN_DRAW, ONE_DRAW = "every number has its own draw", "one draw decides for the whole array"
FRESH, SAME = "every call draws a fresh mask", "every call uses the same mask"
NO_DRAWS = "nothing to see"
SCALED, AS_BEFORE = "divided by 1 − drop_prob", "as it was"
NO_SURVIVORS, NOT_FINITE, MIXED = "there are none", "not finite", "not one multiple of the input"
ZERO = "all zero"


def drawn(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers between 0.5 and 4, more of them positive than negative; none is 0."""
    return rng.uniform(0.5, 4.0, shape) * np.where(rng.uniform(size=shape) < 0.3, -1, 1)


def array_like(value: Any, x: np.ndarray, what: str) -> np.ndarray:
    """What an answer returned, as an array of the shape of x; Unusable, with a sentence, if not."""
    found = plain(value)
    if isinstance(found, str):
        said = found if found.startswith(("a", "None")) else "a string"
        raise Unusable(f"{what} should be an array of the shape {x.shape}; it is {said}.")
    if found.shape != x.shape:
        raise Unusable(f"{what} should have the shape {x.shape}; its shape is {found.shape}.")
    return found


# ---------------------------------------------------------------- words


def share_word(dropped: np.ndarray, drop_prob: float, tolerance: float = SHARE) -> str:
    """Which share is dropped, as a word. dropped: True where a draw says so."""
    share, keep = float(dropped.mean()), 1 - drop_prob
    if share in (0, 1):
        return ALL if share else NONE
    known = {
        AS_ASKED: drop_prob,
        "1 − drop_prob of them": keep,
        "one half, whatever is asked": 0.5,
        "as many as normal draws are above 1 − drop_prob": 1 - _normal(keep),
        "as many as normal draws are below drop_prob": _normal(drop_prob),
    }
    word = min(known, key=lambda word: abs(known[word] - share))
    if abs(known[word] - share) < tolerance:
        return word
    return f"{share:.0%} of them, where {drop_prob:.0%} was asked"


def _normal(z: float) -> float:
    """Probability that a standard normal draw is below z."""
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def scale_word(y: np.ndarray, x: np.ndarray, drop_prob: float) -> str:
    """What y is, as a multiple of x, where neither is 0."""
    keep = 1 - drop_prob
    if not np.isfinite(y).all():
        return NOT_FINITE
    use = (y != 0) & (x != 0)
    if not use.any():
        return NO_SURVIVORS
    ratio = y[use] / x[use]
    if np.ptp(ratio) > 1e-3 * abs(ratio).max():
        return MIXED
    known = {SCALED: 1 / keep if keep else math.inf, AS_BEFORE: 1.0}
    known |= {"divided by drop_prob": 1 / drop_prob if drop_prob else math.inf}
    known |= {"multiplied by 1 − drop_prob": keep, "multiplied by drop_prob": drop_prob}
    known |= {"divided by (1 − drop_prob) twice": known[SCALED] ** 2}
    close = (w for w, factor in known.items() if math.isclose(ratio[0], factor, rel_tol=2e-3))
    return next(close, f"multiplied by {ratio[0]:.3g}")


def whole_word(y: np.ndarray, x: np.ndarray, drop_prob: float) -> str:
    """What became of an array that should be left alone, or thrown away, as a whole."""
    if not np.isfinite(y).all():
        return NOT_FINITE
    if not y.any():
        return ZERO
    if np.allclose(y, x, rtol=1e-4):
        return AS_BEFORE
    return "some of it is dropped" if (y == 0).any() else scale_word(y, x, drop_prob)


def describe(
    dropped: np.ndarray, drop_prob: float, together: tuple[int, ...] = ()
) -> dict[str, str]:
    """Words for the masks of several calls, shape (calls, *shape of x).

    together: axes of x along which all numbers should share one draw.
    """
    if dropped.all() or not dropped.any():
        words = dict(dropped=share_word(dropped, drop_prob), draws=NO_DRAWS, calls=NO_DRAWS)
        return words
    calls = SAME if (dropped == dropped[0]).all() else FRESH
    axes = range(dropped.ndim - 1)
    shared = tuple(a for a in axes if (dropped == dropped.take([0], axis=a + 1)).all())
    if len(shared) == dropped.ndim - 1:
        return dict(dropped=UNCOUNTED, draws=ONE_DRAW, calls=calls)
    if shared not in ((), together):
        names = " and ".join(map(str, shared))
        draws = f"numbers along axis {names} share a draw"
        return dict(dropped=UNCOUNTED, draws=draws, calls=calls)
    draws = f"one draw for all along axis {' and '.join(map(str, shared))}" if shared else OWN_DRAW
    for axis in reversed(shared):
        dropped = dropped.take(0, axis=axis + 1)
    for axis in range(1, dropped.ndim):
        draws = _company(dropped, axis) or draws
    if calls == FRESH and np.ptp(dropped.reshape(len(dropped), -1).sum(axis=1)) == 0:
        draws = "exactly the same number is dropped in every call"
    if calls == FRESH and _company(dropped, 0):
        calls = "the masks of two calls are alike more or less often than chance would have it"
    share = share_word(dropped, drop_prob, SHARE if calls == FRESH else SHARE_OF_FEW)
    return dict(dropped=share, draws=draws, calls=calls)


def _company(dropped: np.ndarray, axis: int) -> str:
    """Whether neighbours along an axis are alike as often as chance has it: "" if so."""
    n = dropped.shape[axis] // 2 * 2
    alike = dropped.take(range(0, n, 2), axis) == dropped.take(range(1, n, 2), axis)
    share = dropped.mean()
    surplus = alike.mean() - (share**2 + (1 - share) ** 2)
    if abs(surplus) < AGREE:
        return ""
    often = "more" if surplus > 0 else "less"
    return f"neighbours along axis {axis - 1} are dropped together {often} often than by chance"


def masks_probe(
    run: Callable[[np.ndarray], Any],
    x: np.ndarray,
    drop_prob: float,
    together: tuple[int, ...] = (),
) -> dict[str, str]:
    """Words for what `run` makes of x in several calls. The first call gets x itself."""
    clean = x.copy()
    outs = [array_like(run(x), clean, "The result")]
    outs += [array_like(run(clean.copy()), clean, "The result") for _ in range(CALLS - 1)]
    dropped = np.array([out == 0 for out in outs])
    survivors = scale_word(np.array(outs), np.broadcast_to(clean, (CALLS, *x.shape)), drop_prob)
    if all(mask.all() or not mask.any() for mask in dropped):
        small = clean[:4]
        more = [array_like(run(small.copy()), small, "The result") for _ in range(60)]
        outs = [*(out[:4] for out in outs), *more]
        dropped = np.array([out == 0 for out in outs])
        survivors = scale_word(np.array(outs), np.broadcast_to(small, dropped.shape), drop_prob)
    return describe(dropped, drop_prob, together) | {"survivors": survivors}


# ---------------------------------------------------------------- facts

SENTENCES = {
    "dropped": "Which share is dropped: {}.",
    "survivors": "What becomes of the numbers that are not dropped: {}.",
    "draws": "Who shares a draw: {}.",
    "calls": "From call to call: {}.",
    "out": "What comes out, against what went in: {}.",
    "forward": "The way forward: {}.",
    "mask": "Where the gradient is 0: {}.",
    "scale": "The gradient where it is not 0, against dy: {}.",
    "where_x_is_0": "Which share of the gradient is 0 where x itself is 0: {}.",
    "dx": "The gradient, against dy: {}.",
}


def words_fact() -> Fact:
    """States every word that is not as it should be."""

    def fact(_inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
        off = [n for n in right if n in SENTENCES and n in seen and seen[n] != right[n]]
        return " ".join(SENTENCES[name].format(seen[name]) for name in off) or None

    return fact


# ---------------------------------------------------------------- how often a right answer fails


def false_alarm(draws: int, pairs: Sequence[int], drop_prob: float) -> float:
    """Upper bound of the probability that `describe` finds fault with a right answer.

    draws: independent draws in all CALLS calls; pairs: pairs of neighbours along each axis and
    between calls, in all calls together.
    """
    p, alike = drop_prob, drop_prob**2 + (1 - drop_prob) ** 2
    # The expected agreement is computed from the share seen, which is within SHARE of p.
    slack = AGREE - SHARE * (2 * abs(2 * p - 1) + 2 * SHARE)
    bound = outside(draws, p, SHARE)
    bound += sum(outside(n, alike, slack) for n in pairs)
    return bound + float(np.exp(CALLS * binomial(draws // CALLS, p)).sum())


def binomial(n: int, p: float) -> np.ndarray:
    """Logarithms of the probabilities of 0 … n successes."""
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    ways = log_factorial[n] - log_factorial - log_factorial[::-1]
    return ways + k * math.log(p) + (n - k) * math.log1p(-p)


def outside(n: int, p: float, tolerance: float) -> float:
    """Probability that the share of successes is `tolerance` or more away from p, exactly."""
    away = np.abs(np.arange(n + 1) / n - p) >= tolerance - 1e-12
    return float(np.exp(binomial(n, p)[away]).sum())
