"""Random answers are judged by statistics; how often does a right one fail?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from labsupport import exercises
from labsupport.exercises import dropout_by_hand, masks
from labsupport.exercises.masks import AGREE, CALLS, HIGH, LOW, SHARE, SHARE_OF_FEW, outside
from labsupport.observe import observe

LIMIT = 1e-8  # promised is 1e-6
BANDS = [*LOW, *HIGH]


def cases_of(exercise_id):
    return [c for c in exercises.find(exercise_id).cases(np.random.RandomState(0))]


def is_random(case):
    return case.inputs["training"] and 0 < case.inputs["drop_prob"] < 1


def worst(shape):
    return max(masks.false_alarm(shape, p) for p in BANDS)


def test_forward_false_alarm():
    shapes = [c.inputs["x"].shape for c in cases_of("do-forward") if is_random(c)]
    assert len(shapes) == 3
    assert 0 < sum(worst(shape) for shape in shapes) < LIMIT


def test_spatial_false_alarm():
    shapes = [c.inputs["x"].shape for c in cases_of("do-noise-shape")]
    draws = [(m, channels) for m, p, _, channels in shapes if m > 10]
    assert len(draws) == 2
    assert 0 < sum(worst(shape) for shape in draws) < LIMIT


@pytest.mark.parametrize("seed", range(5))
def test_backward_false_alarm(seed):
    train = exercises.find("do-backward").cases(np.random.RandomState(seed))[0]
    zeros = int((train.inputs["x"] == 0).sum())
    others = train.inputs["x"].size - zeros
    for p in LOW:
        alarm = outside(CALLS * others, p, SHARE) + outside(CALLS * zeros, p, SHARE_OF_FEW)
        assert 0 < alarm < LIMIT


def test_middle_of_the_bands_is_no_worse_than_ten_times_their_ends():
    """Only the ends are summed above; in between nothing happens."""
    for band in (LOW, HIGH):
        alarm = [masks.false_alarm((80, 50), p) for p in np.linspace(*band, 5)]
        assert max(alarm) < 10 * max(alarm[0], alarm[-1]) < LIMIT


@pytest.mark.parametrize("seed", range(5))
def test_backward_sees_shared_draws_and_nothing_else(seed):
    """A right layer seems to share draws along an axis if no two numbers on any line differ."""
    x = exercises.find("do-backward").cases(np.random.RandomState(seed))[0].inputs["x"]
    for p in LOW:
        for axis in (0, 1):
            seen = (x != 0).sum(axis=axis)
            assert seen.min() > 10
            alarm = (p**seen + (1 - p) ** seen).prod() ** CALLS
            assert alarm < LIMIT


def test_a_right_answer_has_zeros_and_calls_that_differ():
    """Only without a 0, or with six masks alike, are other words looked for."""
    for case in filter(is_random, cases_of("do-forward")):
        n = case.inputs["x"].size
        for p in BANDS:
            assert (1 - p) ** (CALLS * n) < LIMIT
            assert (p**2 + (1 - p) ** 2) ** (n * (CALLS - 1) // 2) < LIMIT


@pytest.mark.parametrize("p", BANDS)
def test_few_draws_tell_what_they_can(p):
    """As many draws as are counted at all confuse p and 1 − p less often than CHANCE."""
    few = next(n for n in range(1, 10_000) if "too few" not in masks.few_word(np.ones(1), p, n))
    assert outside(few, p, abs(0.5 - p)) < masks.CHANCE
    assert "too few" in masks.few_word(np.ones(1), p, few - 1)
    rng = np.random.default_rng(few)
    for share, word in ((p, "about as asked"), (1 - p, "about 1 − drop_prob of them")):
        said = {masks.few_word(rng.random(few) < share, p, few) for _ in range(100)}
        assert said == {f"{word}; {few} draws tell no more"}


def test_known_factors_stay_apart():
    """No two ways of scaling the survivors are within five times the tolerance."""
    for p in np.linspace(*LOW, 5).tolist() + np.linspace(*HIGH, 5).tolist():
        found = np.sort([f for f in masks.factors(p).values() if f > 0])
        assert len(found) == 11
        assert min(found[1:] / found[:-1]) > 1.01


def test_tails_are_exact():
    """Against the sum written out with whole numbers."""
    n, p, tolerance = 20, 0.25, 0.2
    exact = sum(math.comb(n, k) * 3 ** (n - k) for k in range(n + 1) if abs(k - 5) >= 4) / 4**n
    assert outside(n, p, tolerance) == pytest.approx(exact, rel=1e-12)
    assert sum(map(math.exp, masks.binomial(n, p).tolist())) == pytest.approx(1)


def test_known_wrong_shares_stay_apart():
    """No share that a known mistake gives is mistaken for another's."""
    for p in np.linspace(*LOW, 5).tolist() + np.linspace(*HIGH, 5).tolist():
        shares = sorted([p, 1 - p, 0.5, 1 - masks._normal(1 - p), masks._normal(p)])
        assert min(np.diff(shares)) > 2 * SHARE


@pytest.mark.parametrize("p", BANDS)
def test_right_masks_stay_well_inside(p):
    """150 right sets of masks: none fails, and no share comes near its bound."""
    rng = np.random.default_rng(int(1000 * p))
    for _ in range(150):
        dropped = rng.random((CALLS, 80, 50)) < p
        assert masks.describe(dropped, p) == dict(
            dropped=masks.AS_ASKED, draws=masks.OWN_DRAW, calls=masks.FRESH
        )
        assert abs(dropped.mean() - p) < 0.75 * SHARE


def unseeded(x, drop_prob, training):
    if not training:
        return x
    draws = np.random.default_rng().random(x.shape)
    return np.where(draws < drop_prob, 0.0, x / max(1 - drop_prob, 1e-12))


def test_right_answer_gives_one_observation_whatever_it_draws():
    exercise = exercises.find("do-forward")
    seen = [observe(exercise, unseeded, exercise.visible_cases()) for _ in range(20)]
    for other in seen[1:]:
        for case, observation in other.items():
            assert dict(observation.values) == dict(seen[0][case].values)


def from_halves(rng, second):
    """Draws of which only one half are new."""
    half = rng.random((CALLS, 40, 50))
    return np.concatenate([half, second(half)], axis=1)


@pytest.mark.parametrize(
    ("mask", "word"),
    [
        (lambda rng: rng.random((CALLS, 80, 1)) < 0.3, "numbers along axis 1 share a draw"),
        (lambda rng: rng.random((CALLS, 1, 50)) < 0.3, "numbers along axis 0 share a draw"),
        (lambda rng: rng.random((CALLS, 1, 1)) < [[[0.3]]], masks.ONE_DRAW),
        (
            lambda rng: np.repeat(rng.random((CALLS, 40, 50)) < 0.3, 2, axis=1),
            "neighbours along axis 0 are dropped together more often than by chance",
        ),
        (
            lambda rng: np.tile(rng.random((CALLS, 80, 25)) < 0.3, (1, 1, 2)),
            "numbers 25 apart along axis 1 are dropped together more often than by chance",
        ),
        (
            lambda rng: np.array([np.resize(rng.random(130) < 0.3, (80, 50)) for _ in range(6)]),
            "numbers 13 apart along axis 0 are dropped together more often than by chance",
        ),
        (
            lambda rng: from_halves(rng, lambda half: half) < 0.3,
            "numbers 40 apart along axis 0 are dropped together more often than by chance",
        ),
        (
            lambda rng: from_halves(rng, lambda half: 1 - half) < 0.3,
            "numbers 40 apart along axis 0 are dropped together less often than by chance",
        ),
        (
            lambda rng: from_halves(rng, lambda half: half[:, ::-1, ::-1]) < 0.3,
            "numbers that mirror each other are dropped together more often than by chance",
        ),
        (
            lambda rng: from_halves(rng, lambda half: half[:, ::-1]) < 0.3,
            "numbers at 0 and at 79 along axis 0 share a draw",
        ),
    ],
)
def test_shared_draws_are_seen(mask, word):
    dropped = np.broadcast_to(mask(np.random.default_rng(4)), (CALLS, 80, 50))
    assert masks.describe(dropped, 0.3)["draws"] == word


@pytest.mark.parametrize("step", [1, 3])
def test_masks_that_come_again_are_seen(step):
    """In another call, moved along or not."""
    new = np.random.default_rng(5).random((CALLS, 80, 50)) < 0.3
    for moved in (0, 7):
        new[step] = np.roll(new[0], moved, axis=1)
        assert "two calls" in masks.describe(new, 0.3)["calls"]
        assert masks.describe(new, 0.3)["draws"] == masks.OWN_DRAW


@pytest.mark.parametrize("p", BANDS)
def test_no_distance_is_near_its_bound_by_chance(p):
    rng = np.random.default_rng(int(100 * p))
    for shape in [(80, 50), (8, 5, 10, 10), (4000,)] * 20:
        dropped, seen = rng.random((CALLS, *shape)) < p, rng.random(shape) < 0.75
        assert not masks.company(dropped) and not masks.twins(dropped)
        assert not masks.company(dropped & seen, np.broadcast_to(seen, dropped.shape))
        waves = masks._waves(dropped, first=1)
        for products in (np.abs(waves) ** 2, waves**2):
            surplus = masks._surplus(products.sum(axis=0), shape, dropped.size)
            assert np.abs(surplus).flat[1:].max() < 0.75 * AGREE


def test_each_patient_has_one_diagnosis():
    """Of all the words that may be said of a patient, one fits."""
    exercise = exercises.find("do-which")
    for case in exercise.visible_cases():
        name = case.inputs["patient"]
        fits = [
            word
            for word in dropout_by_hand.DIAGNOSES
            if observe(exercise, dict.fromkeys("ABCDEF", word), [case])[name].values["diagnosis"]
            == dropout_by_hand.FITS
        ]
        assert len(fits) == 1, (name, fits)
        assert fits != ["healthy"]
