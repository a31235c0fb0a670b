"""What can be said of random masks without knowing a single draw. No answers.

An answer that draws at random is judged by words: which share is dropped, what becomes of the
survivors, which numbers share a draw, whether the next call draws anew. Each word is the same for
every right answer, up to a false alarm whose probability is the sum of these tails:

- the dropped share of n independent draws, with the asked probability p, is off by more than SHARE;
- two numbers, wherever they stand, are dropped or kept alike with probability p² + (1 − p)². For
  each distance, within a call or between two, and for each place in which the array might be
  mirrored, their share is off by more than AGREE;
- two slices across an axis, of at least FEWEST numbers in all calls, differ in no more of them
  than TWINS times what chance has it;
- the number dropped is the same in all CALLS calls.

Where numbers share a draw, fewer draws are left to count. Then `few_word` only says whether the
share is nearer to drop_prob or to 1 − drop_prob, and only if that is wrong less than once in a
million; if not even that, it says how few they are. All else is exact: a right answer has zeros,
one factor, and no second value where a 0 should be.

`false_alarm` adds them up. Over all drop probabilities and shapes that the exercises use it
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
WRONG_SHARE = 0.6  # of that, for a share known to be wrong: nothing is lost if it is not named
AGREE = 0.05  # how far the share of pairs alike may be from that expected by chance
TWINS = 0.25  # slices that differ in no more places than this times what chance has it are copies
FEWEST = 200  # numbers in such a slice: with fewer, chance could make two alike
SLACK = 0.004  # how far a mean product may be off because the share is not exactly as asked

CHANCE = 1e-6  # of a wrong word about few draws

#: Ranges for drop_prob in which all known ways of being wrong give shares at least 0.04 apart, and
#: factors that differ by 1 % (at 0.318, (1 − p) / p and 1 / (1 − p)² would be the same; at 1/3,
#: (1 − p) / p and 2). Rounded to a tenth, they are further away than SHARE.
LOW, HIGH = (0.326, 0.33), (0.67, 0.674)

AS_ASKED, NONE, ALL = "as asked", "none", "all"
OWN_DRAW, ONE_DRAW = "every number has its own draw", "one draw decides for the whole array"
FRESH, SAME = "every call draws a fresh mask", "every call uses the same mask"
SEEDED = f"{SAME}, and half of the array gets half of that mask"
FOLLOWS = f"{SAME}, as long as the numbers are the same: who is dropped follows from them"
KEPT = f"{SAME}, but another shape gets another one, or none"
NO_DRAWS = "nothing to see"
SCALED, AS_BEFORE = "divided by 1 − drop_prob", "as it was"
NO_SURVIVORS, NOT_FINITE, MIXED = "there are none", "not finite", "not one multiple of the input"
ONE_NUMBER = "one number, whatever the input is"
BY_SURVIVORS = "divided by the share that survived, which is another one in each call"
BY_CALL = "one multiple of the input in each call, but not the same in all"
ZERO = "all zero"
SHARES_OF_ALL = {"a little": 0.08, "less than half": 0.4, "about half": 0.6, "more than half": 1.0}


def drawn(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers between 0.5 and 4, more of them positive than negative; none is 0."""
    return rng.uniform(0.5, 4.0, shape) * np.where(rng.uniform(size=shape) < 0.3, -1, 1)


def array_like(value: Any, x: np.ndarray, what: str) -> np.ndarray:
    """What an answer returned, as an array of the shape of x; Unusable, with a sentence, if not."""
    found = plain(value)
    if isinstance(value, (tuple, list)) and np.shape(found) != x.shape:
        kind = type(value).__name__
        raise Unusable(
            f"{what} should be one array of the shape {x.shape}; it is a {kind} of length "
            f"{len(value)}. Return the array alone."
        )
    if isinstance(found, str):
        said = found if found.startswith(("a", "None")) else "a string"
        hint = " Is a `return` missing?" if found == "None" else ""
        raise Unusable(f"{what} should be an array of the shape {x.shape}; it is {said}.{hint}")
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
    if abs(known[word] - share) < (tolerance if word == AS_ASKED else WRONG_SHARE * tolerance):
        return word
    return f"{share:.0%} of them, where {drop_prob:.0%} was asked"


def _normal(z: float) -> float:
    """Probability that a standard normal draw is below z."""
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def few_word(dropped: np.ndarray, drop_prob: float, draws: int) -> str:
    """As `share_word`, for numbers that share `draws` draws: as much as these can tell."""
    share, off = float(dropped.mean()), abs(1 - 2 * drop_prob) / 2
    # Hoeffding: the share seen is further than `off` from the true one with at most this chance.
    if math.exp(-2 * draws * off**2) > CHANCE:
        return f"not counted, because {draws} draws are too few"
    nearer = (share < 0.5) == (drop_prob < 0.5)
    about = AS_ASKED if nearer else "1 − drop_prob of them"
    return f"about {about}; {draws} draws tell no more"


def factors(drop_prob: float) -> dict[str, float]:
    """By which factor survivors are known to be multiplied, rightly and wrongly."""
    p, keep = drop_prob, 1 - drop_prob
    known = {AS_BEFORE: 1.0, "multiplied by 1 − drop_prob": keep, "multiplied by drop_prob": p}
    known |= {"multiplied by 1 + drop_prob": 1 + p, "multiplied by −drop_prob": -p}
    if keep:
        known |= {SCALED: 1 / keep, "divided by (1 − drop_prob) twice": keep**-2}
        known |= {"multiplied by drop_prob / (1 − drop_prob)": p / keep}
        known |= {"divided by the square root of 1 − drop_prob": keep**-0.5}
    if p:
        known |= {"divided by drop_prob": 1 / p}
        known |= {"multiplied by (1 − drop_prob) / drop_prob": keep / p}
    if p != 0.5:
        known |= {"multiplied by 2, whatever is asked": 2.0}
    # At the ends several of these are the same number; the plain name goes first.
    return {SCALED: known.pop(SCALED, math.inf), **known} if 0 < p < 1 else known


def factor_word(factor: float, drop_prob: float) -> str:
    known = factors(drop_prob)
    close = (w for w, f in known.items() if math.isclose(factor, f, rel_tol=2e-3, abs_tol=1e-9))
    return next(close, f"multiplied by {factor:.3g}")


def number_word(number: float, drop_prob: float) -> str:
    known = {"−drop_prob": -drop_prob, "drop_prob": drop_prob}
    close = (w for w, n in known.items() if math.isclose(number, n, rel_tol=2e-3))
    return next(close, f"{number:.3g}")


def scale_word(y: np.ndarray, x: np.ndarray, drop_prob: float, calls: bool = False) -> str:
    """What y is, as a multiple of x, where neither is 0. calls: the first axis counts calls."""
    keep = 1 - drop_prob
    if not np.isfinite(y).all():
        return NOT_FINITE
    use = (y != 0) & (x != 0)
    if not use.any():
        return NO_SURVIVORS
    ratio = y[use] / x[use]
    if _equal(ratio):
        return factor_word(ratio[0], drop_prob)
    if _equal(y[use]):
        return ONE_NUMBER
    each = [(a[u] / b[u], u.mean()) for a, b, u in zip(y, x, use, strict=True) if u.any()]
    if calls and all(_equal(ratios) for ratios, _ in each):
        survived = all(math.isclose(r[0] * share, 1, rel_tol=1e-3) for r, share in each)
        return BY_SURVIVORS if survived else BY_CALL
    for word, factor in (("", 1.0), (f"{SCALED}, then ", 1 / keep if keep else 1.0)):
        shift = y[use] - factor * x[use]
        if np.ptp(shift) < 1e-3:
            return f"{word}moved by {number_word(shift[0], drop_prob)}"
    return MIXED


def _equal(numbers: np.ndarray) -> bool:
    return bool(np.ptp(numbers) <= 1e-3 * abs(numbers).max())


def stand_in(y: np.ndarray, x: np.ndarray, drop_prob: float) -> tuple[np.ndarray, str]:
    """Where a call without a single 0 dropped, and what stands there; nowhere and "" if unclear.

    y: what came out of several calls with x, shape (calls, *shape of x).
    """
    nowhere, finite = np.zeros(y.shape, bool), np.isfinite(y)
    if not finite.all():
        odd = "NaN" if np.isnan(y[~finite]).all() else "infinity"
        return (~finite, f"{odd} stands there") if finite.any() else (nowhere, "")
    numbers, counts = np.unique(y[0], return_counts=True)  # those of x are all different
    often = counts.argmax()
    if 0.05 * y[0].size < counts[often] < y[0].size:
        return y == numbers[often], f"{number_word(numbers[often], drop_prob)} stands there"
    ratio = y / x
    first = np.isclose(ratio, ratio.flat[0], rtol=1e-3)
    if first.all() or not _equal(ratio[~first]):
        return nowhere, ""
    dropped = first if abs(first.mean() - drop_prob) < abs(1 - first.mean() - drop_prob) else ~first
    return dropped, f"they are {factor_word(ratio[dropped][0], drop_prob)}"


def whole_word(y: np.ndarray, x: np.ndarray, drop_prob: float) -> str:
    """What became of an array that should be left alone, or thrown away, as a whole."""
    if not np.isfinite(y).all():
        return NOT_FINITE
    if not y.any():
        return ZERO
    if np.allclose(y, x, rtol=1e-4):
        return AS_BEFORE
    share = (y == 0).mean()
    if share and drop_prob == 0:  # nothing but the share is to be seen
        return next(f"{word} is dropped" for word, most in SHARES_OF_ALL.items() if share < most)
    return "some of it is dropped" if share else scale_word(y, x, drop_prob)


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
    if shared and shared != together:
        few = few_word(dropped, drop_prob, draws_in(dropped.shape, shared, calls))
        return dict(dropped=few, draws=shared_word(shared, dropped.ndim - 1), calls=calls)
    draws = f"one draw for all along axis {' and '.join(map(str, shared))}" if shared else OWN_DRAW
    for axis in shared:
        dropped = dropped.take([0], axis=axis + 1)
    one_by_one = dropped if calls == FRESH else dropped[:1]
    draws = company(one_by_one) or twins(one_by_one) or draws
    if calls == FRESH and np.ptp(dropped.reshape(len(dropped), -1).sum(axis=1)) == 0:
        draws = "exactly the same number is dropped in every call"
    if calls == FRESH and _company_of_calls(dropped):
        calls = "the masks of two calls are alike more or less often than chance would have it"
    share = share_word(dropped, drop_prob, SHARE if calls == FRESH else SHARE_OF_FEW)
    return dict(dropped=share, draws=draws, calls=calls)


def shared_word(shared: tuple[int, ...], axes: int) -> str:
    if len(shared) == axes:
        return ONE_DRAW
    return f"numbers along axis {' and '.join(map(str, shared))} share a draw"


def draws_in(shape: tuple[int, ...], shared: tuple[int, ...], calls: str) -> int:
    """How many draws decide, in masks of this shape (calls first), where axes share theirs."""
    lengths = [n for axis, n in enumerate(shape[1:]) if axis not in shared]
    return math.prod(lengths) * (1 if calls == SAME else shape[0])


def company(dropped: np.ndarray, known: Any = True) -> str:
    """Who is dropped together with others more or less often than by chance: "" if nobody is.

    dropped: masks of several calls; known: where they can be seen. All pairs of numbers at the same
    distance are counted together, as if the array went on from its end to its beginning; and so are
    all pairs that mirror each other in the same place.
    """
    waves, axes = _waves(dropped, known, first=1), dropped.shape[1:]
    by_distance = _surplus((np.abs(waves) ** 2).sum(axis=0), axes, dropped.size)
    by_distance.flat[0] = 0  # every number with itself
    place = np.unravel_index(np.abs(by_distance).argmax(), axes)
    who, surplus = _apart(place, axes), by_distance[place]
    if abs(surplus) < AGREE:
        mirrored = _surplus((waves**2).sum(axis=0), axes, dropped.size)
        who, surplus = "numbers that mirror each other", max(mirrored.flat, key=abs)
    if abs(surplus) < AGREE:
        return ""
    return f"{who} are dropped together {'more' if surplus > 0 else 'less'} often than by chance"


def _company_of_calls(dropped: np.ndarray) -> bool:
    """Whether numbers of two calls are dropped together more or less often than by chance."""
    surplus = _surplus(np.abs(_waves(dropped)) ** 2, dropped.shape, dropped.size)
    return bool(np.abs(surplus[1:]).max() >= AGREE)  # not those of a call with itself


def _waves(dropped: np.ndarray, known: Any = True, first: int = 0) -> np.ndarray:
    """The Fourier transform, over all axes from `first` on, of masks moved to a mean of 0."""
    known = np.broadcast_to(known, dropped.shape)
    centred = np.where(known, dropped - dropped[known].mean(), 0)
    return np.fft.rfftn(centred, axes=range(first, dropped.ndim))


def _surplus(products: np.ndarray, shape: tuple[int, ...], size: int) -> np.ndarray:
    """By how much the share of pairs that are alike is above that expected by chance, for all
    distances at once: twice the mean product of the two."""
    return 2 / size * np.fft.irfftn(products, shape, range(len(shape)))


def _apart(place: Sequence[int], shape: Sequence[int]) -> str:
    """Numbers at a distance, in words; one beyond half of an axis is a shorter one backwards."""
    steps = tuple(int(min(d, d - n, key=abs)) for d, n in zip(place, shape, strict=True))
    along = [axis for axis, step in enumerate(steps) if step]
    if len(along) != 1:
        return f"numbers {steps} apart"
    step = abs(steps[along[0]])
    who = "neighbours" if step == 1 else f"numbers {step} apart"
    return f"{who} along axis {along[0]}"


def twins(dropped: np.ndarray) -> str:
    """Which two slices across an axis are dropped nearly alike in all calls, wherever they stand:
    "" if none are, or if too few numbers would have to tell."""
    share = dropped.mean()
    by_chance = share**2 + (1 - share) ** 2
    for axis, n in enumerate(dropped.shape[1:]):
        signs = 1 - 2.0 * np.moveaxis(dropped, axis + 1, 0).reshape(n, -1)
        if signs.shape[1] < FEWEST:
            continue
        alike = (1 + signs @ signs.T / signs.shape[1]) / 2
        np.fill_diagonal(alike, 0)
        if alike.max() > 1 - TWINS * (1 - by_chance):
            one, other = np.unravel_index(alike.argmax(), alike.shape)
            return f"numbers at {one} and at {other} along axis {axis} share a draw"
    return ""


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
    y, instead = np.array(outs), ""
    dropped = y == 0
    if not dropped.any():
        dropped, instead = stand_in(y, clean, drop_prob)
        y = np.where(dropped, 0, y)
    if all(mask.all() or not mask.any() for mask in dropped):
        clean = clean[:4]
        more = [array_like(run(clean.copy()), clean, "The result") for _ in range(60)]
        y = np.array([*(out[:4] for out in outs), *more])
        dropped = y == 0
    survivors = scale_word(y, np.broadcast_to(clean, y.shape), drop_prob, calls=True)
    words = describe(dropped, drop_prob, together) | {"survivors": survivors}
    if words["dropped"] == NONE:  # the words of this answer are not those of any other such
        words["dropped"] = f"none; what comes out of all of them: {survivors}"
        words["draws"] = words["calls"] = f"{NO_DRAWS}, {survivors}"
    if instead:
        words["dropped"] += f", but not to 0: {instead}"
    if words["calls"] == SAME:
        words["calls"] = why_same(run, clean, dropped[0])
    return words


def why_same(run: Callable[[np.ndarray], Any], x: np.ndarray, mask: np.ndarray) -> str:
    """Whether a mask that comes again follows from x, is drawn from the same seed, or was kept."""

    def of(part: np.ndarray) -> np.ndarray:
        return array_like(run(part.copy()), part, "The result") == 0

    half, seen = x[: len(x) // 2], x[::-1] != 0
    try:
        if (mask[::-1] != mask)[seen].any() and (of(x[::-1]) == mask[::-1])[seen].all():
            return FOLLOWS
        return SEEDED if (of(half) == mask[: len(half)]).all() else KEPT
    except Exception:  # a mask of another shape does not fit
        return KEPT


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
    "diagnosis": "Your word for this layer: {}.",
}


def words_fact() -> Fact:
    """States every word that is not as it should be."""

    def fact(_inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
        off = [n for n in right if n in SENTENCES and n in seen and seen[n] != right[n]]
        off = [n for n in off if not seen[n].startswith(NO_DRAWS)] or off
        return " ".join(SENTENCES[name].format(seen[name]) for name in off) or None

    return fact


# ---------------------------------------------------------------- how often a right answer fails


def false_alarm(shape: Sequence[int], drop_prob: float) -> float:
    """Upper bound of the probability that `describe` finds fault with a right answer.

    shape: of the array of draws in one call.
    """
    p, alike, size = drop_prob, drop_prob**2 + (1 - drop_prob) ** 2, math.prod(shape)
    bound = outside(CALLS * size, p, SHARE)
    bound += float(np.exp(CALLS * binomial(size, p)).sum())
    # Once for each distance within a call and between calls, and for each place of a mirror.
    bound += (2 + CALLS) * size * beyond(CALLS * size, p)
    # The expected agreement is computed from the share seen, which is within SHARE of p.
    most = 1 - TWINS * (1 - alike) - (1 - TWINS) * SHARE * (2 * abs(2 * p - 1) + 2 * SHARE)
    for n in shape:
        count = CALLS * size // n
        if count >= FEWEST:
            tail = np.arange(count + 1) >= most * count
            bound += n * (n - 1) / 2 * float(np.exp(binomial(count, alike)[tail]).sum())
    return bound


def beyond(draws: int, p: float) -> float:
    """Upper bound of the probability that the pairs at one distance, among this many draws, are
    alike oftener or more rarely than expected by AGREE.

    Each number is in two pairs, in a ring. Such pairs fall into three sets without overlap, or
    fewer, and the bound for sums of independent numbers, exp(λ·sum) against its mean, holds with
    a third of the pairs (Janson 2004).
    """
    q, off = 1 - p, AGREE / 2 - SLACK
    values, chances = np.array([q * q, -p * q, p * p]), np.array([p * p, 2 * p * q, q * q])
    powers, sides = np.linspace(0, 20, 401)[:, None], []
    for side in (1, -1):
        means = np.log((chances * np.exp(side * powers * values)).sum(axis=1))
        sides.append(math.exp(-draws / 3 * (powers[:, 0] * off - means).max()))
    return sum(sides)


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
