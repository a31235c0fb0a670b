"""Every known mistake is rejected and named; every right variant is accepted.

One process holds TensorFlow 1 or TensorFlow 2: lessons on the other stack are tried by
`test_mistakes_tf2.py`, which runs this file again with `LABSUPPORT_STACK=tf2`.
"""

from __future__ import annotations

import os
from itertools import combinations

import numpy as np
import pytest

from labsupport import exercises, keys
from labsupport.authoring import catalogue, lessons
from labsupport.authoring.build import make_key
from labsupport.judge import agree, cells_of, judge
from labsupport.observe import observe

STACK = os.environ.get("LABSUPPORT_STACK", "tf1")
IDS = [e.id for e in exercises.all_exercises().values() if exercises.stack_of(e.lesson) == STACK]
CATALOGUES = {name: catalogue.read(name) for name in IDS}
MISTAKES = [(name, m.id) for name in IDS for m in CATALOGUES[name].mistakes]
VARIANTS = [(name, title) for name in IDS for title in CATALOGUES[name].variants]

#: The visible cases and a hidden draw: what holds must hold on both.
SEEDS = [None, 20_261]


def draw(exercise, seed):
    if seed is None:
        return exercise.visible_cases()
    return exercise.cases(np.random.RandomState(seed))


_keys = {}


def key_for(exercise, seed):
    if seed is None:
        return keys.load(exercise.id)
    if (exercise.id, seed) not in _keys:
        lesson = lessons.read(lessons.sources()[exercise.lesson])
        answer = getattr(lessons.answers(lesson), exercise.answer)
        _keys[exercise.id, seed] = make_key(exercise, answer, draw(exercise, seed))
    return _keys[exercise.id, seed]


def verdict(exercise, answer, seed=None):
    cases = draw(exercise, seed)
    return judge(exercise, cases, key_for(exercise, seed), observe(exercise, answer, cases))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "mistake_id"), MISTAKES)
def test_mistake_is_rejected_and_named(name, mistake_id, seed):
    exercise = exercises.find(name)
    mistake = next(m for m in CATALOGUES[name].mistakes if m.id == mistake_id)
    if seed is None:
        result = verdict(exercise, mistake.answer)
    else:  # making the key has observed it already
        key = key_for(exercise, seed)
        known = next(m for m in key.mistakes if m.id == mistake_id)
        result = judge(exercise, draw(exercise, seed), key, known.observations)
    assert result.points < result.max_points
    named = {part.mistake for part in result.parts if part.mistake}
    assert named & {mistake.id, *mistake.same_as}, [
        (p.part.id, p.outcome, p.mistake, p.message) for p in result.parts
    ]
    assert named <= {mistake.id, *mistake.same_as}
    assert mistake.question.endswith(("?", "."))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "title"), VARIANTS)
def test_right_variant_is_accepted(name, title, seed):
    exercise = exercises.find(name)
    result = verdict(exercise, CATALOGUES[name].variants[title], seed)
    assert result.points == result.max_points, [
        (p.part.id, p.outcome, p.message) for p in result.parts if p.outcome != "right"
    ]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", IDS)
def test_cases_tell_mistakes_apart(name, seed):
    """No two mistakes look the same, unless they are said to; those that are said to, do."""
    exercise = exercises.find(name)
    key = key_for(exercise, seed)
    cells = cells_of(key.right)
    for one, other in combinations(key.mistakes, 2):
        alike = all(agree(exercise, one.observations, other.observations, c) for c in cells)
        declared = other.id in one.same_as and one.id in other.same_as
        assert alike == declared, (one.id, other.id)


@pytest.mark.parametrize("name", IDS)
def test_mistakes_are_not_near_misses(name):
    """What a mistake changes, it changes by at least ten times the tolerance somewhere."""
    exercise = exercises.find(name)
    wide = {**vars(exercise), "rtol": 10 * exercise.rtol, "atol": 10 * exercise.atol}
    loose = type(exercise)(**wide)
    key = keys.load(name)
    for mistake in key.mistakes:
        for part in loose.parts:
            cells = cells_of(key.right, part)
            tight = [c for c in cells if not agree(exercise, key.right, mistake.observations, c)]
            if tight:
                assert any(not agree(loose, key.right, mistake.observations, c) for c in tight), (
                    mistake.id,
                    part.id,
                )


@pytest.mark.parametrize("name", IDS)
def test_every_value_belongs_to_one_part(name):
    exercise = exercises.find(name)
    for case, value in cells_of(keys.load(name).right):
        covering = [part.id for part in exercise.parts if part.has(case, value)]
        assert len(covering) == 1, (case, value, covering)


TRIVIAL = {
    "gives back its first argument": lambda *arguments, **named: arguments[0] if arguments else 0,
    "gives back nothing": lambda *arguments, **named: None,
    "gives back zero": lambda *arguments, **named: 0,
    "gives back a pair of zeros": lambda *arguments, **named: (0, 0),
    "is a number": 1,
    "is a string": "right",
}


@pytest.mark.parametrize("title", TRIVIAL)
@pytest.mark.parametrize("name", IDS)
def test_doing_nothing_earns_nothing(name, title):
    assert verdict(exercises.find(name), TRIVIAL[title]).points == 0
