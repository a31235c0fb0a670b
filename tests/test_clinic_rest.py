"""Lesson 11's part about all that should stay as it was: what it notices, and in which words."""

from __future__ import annotations

import numpy as np
import pytest

from labsupport import exercises, keys
from labsupport.authoring.edits import edited
from labsupport.judge import judge
from labsupport.observe import observe

NORMALIZED = "tf.nn.batch_normalization(h, mean, var, beta, gamma, 1e-3)"
RELU = (f"tf.nn.relu({NORMALIZED})", NORMALIZED)
LOGITS = "logits = tf.layers.dense(h, classes)\n"
DROPPED = "    logits = tf.layers.dropout(logits, rate=1 - dropout, training=training)\n"
SOME_INPUTS = "tf.layers.dropout(x, rate=1 - dropout, training=training)"

OTHERWISE = [
    (1, "decay=0.9", "decay=0.95", "statistics move more slowly than with momentum 0.9"),
    (1, "decay=0.9", "decay=0.8", "statistics move faster than with momentum 0.9"),
    (1, *RELU, "prediction goes straight from image to image: there is no ReLU in it"),
    (7, LOGITS, LOGITS + DROPPED, "training drops 45 % of the units"),
    (
        7,
        "tf.layers.dense(x, hidden,",
        f"tf.layers.dense({SOME_INPUTS}, hidden,",
        "training drops something else than hidden units",
    ),
    (
        1,
        "GradientDescentOptimizer(speed)",
        "GradientDescentOptimizer(0.2)",
        "at a speed of 0 two training steps see different logits, though nothing is drawn",
    ),
]


@pytest.mark.parametrize(("number", "old", "new", "told"), OTHERWISE)
@pytest.mark.parametrize("seed", [None, 5])
def test_what_should_have_stayed_is_noticed(number, old, new, told, seed):
    exercise = exercises.find(f"clinic-{number}")
    cases = (
        exercise.visible_cases() if seed is None else exercise.cases(np.random.RandomState(seed))
    )
    program = edited("11_clinic", f"mended_{number}", (old, new))
    seen = observe(exercise, (diagnosis(number), program), cases)
    assert told in seen["program"].values.values()
    if seed is None:
        verdict = judge(exercise, cases, keys.load(exercise.id), seen)
        assert verdict.points < verdict.max_points


def diagnosis(number: int) -> str:
    return {1: "still", 7: "wrong share"}[number]


def test_who_mends_and_changes_the_pace_has_mended():
    exercise = exercises.find("clinic-1")
    cases = exercise.visible_cases()
    program = edited("11_clinic", "mended_1", ("decay=0.9", "decay=0.8"))
    verdict = judge(
        exercise, cases, keys.load("clinic-1"), observe(exercise, ("still", program), cases)
    )
    assert {part.part.id: part.points for part in verdict.parts} == {
        "mend": 2,
        "rest": 0,
        "diagnosis": 1,
    }
    assert "statistics move faster than with momentum 0.9" in verdict.parts[1].message
