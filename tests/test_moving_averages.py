"""Lesson 02: its warm-up cases decide nothing by rounding; its sentences about odd layers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labsupport import exercises
from labsupport.authoring import catalogue
from labsupport.exercises import moving_averages
from labsupport.figures import moving_averages as figures
from labsupport.grading.fresh import hidden_cases
from labsupport.judge import judge
from labsupport.keys import load
from labsupport.observe import observe

WARM_UP = exercises.find("bn-warm-up")


def warm_up_cases(seed):
    """By id, fraction and momentum and the steps that it takes, as a real number."""
    found = {}
    for case in WARM_UP.cases(np.random.RandomState(seed)):
        fraction, momentum = case.inputs["fraction"], case.inputs["momentum"]
        found[case.id] = fraction, momentum, math.log(1 - fraction) / math.log(momentum)
    return found


@pytest.mark.parametrize("seed", range(200))
def test_no_warm_up_is_near_a_whole_number_of_steps_but_the_exact_one(seed):
    for case, (fraction, momentum, steps) in warm_up_cases(seed).items():
        if case == "exact":
            assert steps == round(steps)
        else:
            assert 0.1 < steps % 1 < 0.9
        average = np.float32(0)
        for _ in range(math.ceil(steps)):
            assert average < fraction
            average = np.float32(momentum) * average + np.float32(1 - momentum)
        assert average >= fraction


@pytest.mark.parametrize("seed", range(200))
def test_rounding_up_down_and_to_the_nearest_differ_in_every_draw(seed):
    cases = warm_up_cases(seed)
    for case, wanted in (("few", math.floor), ("nearly", math.floor), ("some", math.ceil)):
        steps = cases[case][2]
        assert round(steps) == wanted(steps)


@pytest.mark.parametrize(("whole", "momentum"), moving_averages._ON_THE_DOT)
def test_right_answers_agree_where_a_fraction_is_reached_on_the_dot(whole, momentum):
    fraction = 1 - momentum**whole
    assert 1 - fraction == momentum**whole
    for title, answer in catalogue.read("bn-warm-up").variants.items():
        assert answer(fraction, momentum) == whole, title


@pytest.mark.parametrize("seed", range(200))
def test_a_slow_start_takes_more_than_a_thousand_steps(seed):
    """No loop that ends after so many is enough."""
    assert warm_up_cases(seed)["slow"][2] > 1050


@pytest.mark.parametrize("seed", range(20))
def test_visible_warm_ups_do_not_come_again(seed):
    visible, hidden = WARM_UP.visible_cases(), hidden_cases(WARM_UP, seed)
    for one, other in zip(visible, hidden, strict=True):
        assert one.id == other.id == "exact" or one.inputs != other.inputs


class Bare:
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.gamma, self.beta = np.ones(num_features), np.zeros(num_features)
        self.moving_mean, self.moving_var = np.zeros(num_features), np.ones(num_features)


class OtherNames(Bare):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features)
        self.moving_variance = self.__dict__.pop("moving_var")


class OtherArgument(Bare):
    def __call__(self, x, is_training):
        return x


class ReadOnly(Bare):
    gamma = property(lambda self: np.ones(3), lambda self, value: self.fail())

    def fail(self):
        raise AttributeError

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.beta, self.moving_mean = np.zeros(num_features), np.zeros(num_features)
        self.moving_var = np.ones(num_features)


class TwoArguments(Bare):
    def __init__(self, num_features):
        super().__init__(num_features)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Bare, "it needs a method `__call__(self, x, training)`"),
        (OtherNames, "no attribute `moving_var`, but one named `moving_variance`"),
        (OtherArgument, "`self`, `x` and `training`, by these names"),
        (ReadOnly, "make it an ordinary attribute, `self.gamma`"),
        (TwoArguments, "`BatchNorm(num_features, momentum=0.9, eps=1e-5)` should make a layer"),
        (Bare(3), "`BatchNorm` should be a class"),
        ("BatchNorm", "`BatchNorm` should be a class"),
    ],
)
def test_an_odd_layer_is_told_what_it_lacks(answer, sentence):
    exercise = exercises.find("bn-layer")
    cases = exercise.visible_cases()
    verdict = judge(exercise, cases, load(exercise.id), observe(exercise, answer, cases))
    assert sentence in " ".join(part.message for part in verdict.parts)


def test_a_layer_without_a_call_keeps_the_point_for_its_start():
    exercise = exercises.find("bn-layer")
    cases = exercise.visible_cases()
    verdict = judge(exercise, cases, load(exercise.id), observe(exercise, Bare, cases))
    assert [part.points for part in verdict.parts] == [1, 0, 0, 0, 0, 0]


def test_a_row_handed_over_as_a_batch_is_told_its_shape():
    def by_row(layer, x):
        together = layer(x, training=False)
        return all(np.allclose(layer(x[i], training=False), together[i]) for i in range(len(x)))

    exercise = exercises.find("bn-alone")
    cases = exercise.visible_cases()
    verdict = judge(exercise, cases, load(exercise.id), observe(exercise, by_row, cases))
    assert verdict.points == 0
    for part in verdict.parts[:2]:  # the third waits for what happens to `x`
        assert "called with an array of shape (3,)" in part.message


def alone_verdict(answer):
    exercise = exercises.find("bn-alone")
    cases = exercise.visible_cases()
    return judge(exercise, cases, load(exercise.id), observe(exercise, answer, cases))


def test_a_right_test_that_changes_x_afterwards_loses_that_point_alone():
    def careless(layer, x):
        together = layer(x, training=False)
        alone = np.vstack([layer(x[i : i + 1], training=False) for i in range(len(x))])
        x *= 0
        return np.allclose(together, alone)

    assert [part.points for part in alone_verdict(careless).parts] == [2, 1, 0]


def test_a_string_is_shown_as_one():
    assert "the string 'False'" in alone_verdict(lambda layer, x: "False").parts[0].message


def test_samples_at_random_are_not_enough():
    def at_random(layer, x):
        some, y = np.random.choice(len(x), 4, replace=False), layer(x, training=False)
        return all(np.allclose(layer(x[i : i + 1], training=False), y[i]) for i in some)

    assert alone_verdict(at_random).points == 0


@pytest.mark.parametrize("exercise_id", ["bn-predict", "bn-layer"])
def test_changing_x_in_place_is_not_blamed_on_company(exercise_id):
    class Careless(Bare):
        def __call__(self, x, training):
            mean, var = self.moving_mean, self.moving_var
            if training:
                mean, var = x.mean(axis=0), x.var(axis=0)
            x -= mean
            x /= np.sqrt(var + 1e-5)
            return self.gamma * x + self.beta

    def careless(x, gamma, beta, moving_mean, moving_var, eps):
        x -= moving_mean
        x /= np.sqrt(moving_var + eps)
        return gamma * x + beta

    exercise = exercises.find(exercise_id)
    cases = exercise.visible_cases()
    answer = careless if exercise_id == "bn-predict" else Careless
    verdict = judge(exercise, cases, load(exercise.id), observe(exercise, answer, cases))
    messages = " ".join(part.message for part in verdict.parts)
    assert "in place" in messages
    assert "among others" not in messages


def test_pictures_say_their_numbers():
    picture = figures.accuracy_by_batch({"own": {100: 0.88, 1: 0.1}, "moving": {100: 0.9, 1: 0.9}})
    assert "own: 100 88.0 %, 1 10.0 %" in picture.alt
    assert [len(bars) for bars in picture.figure.axes[0].containers] == [2, 2]
    picture = figures.moving_path([5.0, 5.0], [0.0, 2.5, 3.75], [5.0, 5.0])
    assert "3.75 after 2 steps" in picture.alt
    picture = figures.accuracy_by_steps({"momentum 0.9": [0.5, 0.75]}, reference=0.8)
    assert "momentum 0.9 from 50.0 to 75.0 %" in picture.alt
    for axes in picture.figure.axes:
        assert axes.get_xlabel() and axes.get_ylabel()
