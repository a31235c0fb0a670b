"""Every known mistake is rejected and named; every right variant is accepted.

The tests of one lesson; `test_mistakes_NN.py` says which, and imports all that is here: a file for
each lesson, so that workers can share them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest

from labsupport import exercises, keys
from labsupport.authoring import answer_key, catalogue, lessons
from labsupport.authoring.build import same_key
from labsupport.grading.stacks import where_probed
from labsupport.judge import agree, cells_of, differing, judge
from labsupport.observe import observe

#: The visible cases and a hidden draw: what holds must hold on both.
SEEDS = [None, 20_261]


def pytest_generate_tests(metafunc):
    """For each exercise of the module's lesson, and what is known about its answers."""
    wanted = metafunc.fixturenames
    names = [exercise.id for exercise in exercises.of_lesson(metafunc.module.LESSON)]
    if "mistake_id" in wanted:
        found = [(name, mistake.id) for name in names for mistake in catalogue_of(name).mistakes]
        metafunc.parametrize(("name", "mistake_id"), found)
    elif "variant" in wanted:
        found = [(name, title) for name in names for title in catalogue_of(name).variants]
        metafunc.parametrize(("name", "variant"), found)
    elif "name" in wanted:
        metafunc.parametrize("name", names)
    if "seed" in wanted:
        metafunc.parametrize("seed", SEEDS)


@lru_cache
def catalogue_of(name):
    return catalogue.read(name)


def draw(exercise, seed):
    if seed is None:
        return exercise.visible_cases()
    return exercise.cases(np.random.RandomState(seed))


@lru_cache
def fresh_key(name, seed):
    """The key that the lesson gives now; as slow as the exercise has mistakes."""
    exercise = exercises.find(name)
    lesson = lessons.read(lessons.sources()[exercise.lesson])
    answer = getattr(answers(lesson), exercise.answer)
    return answer_key.make(exercise, answer, catalogue_of(name).mistakes, draw(exercise, seed))


answers = lru_cache(lessons.answers)


def key_for(exercise, seed):
    return keys.load(exercise.id) if seed is None else fresh_key(exercise.id, seed)


def verdict(exercise, answer, seed=None):
    cases = draw(exercise, seed)
    return judge(exercise, cases, key_for(exercise, seed), observe(exercise, answer, cases))


def test_key_is_what_the_lesson_gives(name):
    """Whatever the digest says by which `build --check` saves its time."""
    stored, made = keys.path_of(name).read_text(encoding="utf-8"), fresh_key(name, None)
    assert same_key(exercises.find(name), stored, keys.dumps(made))


def test_mistake_is_rejected_and_named(name, mistake_id, seed):
    exercise = exercises.find(name)
    mistake = next(m for m in catalogue_of(name).mistakes if m.id == mistake_id)
    known = next(m for m in fresh_key(name, seed).mistakes if m.id == mistake_id)
    key = key_for(exercise, seed)
    result = judge(exercise, draw(exercise, seed), key, known.observations)
    assert result.points < result.max_points
    named = {part.mistake for part in result.parts if part.mistake}
    assert named & {mistake.id, *mistake.same_as}, [
        (p.part.id, p.outcome, p.mistake, p.message) for p in result.parts
    ]
    assert named <= {mistake.id, *mistake.same_as}
    assert mistake.question.endswith(("?", "."))


def test_right_variant_is_accepted(name, variant, seed):
    exercise = exercises.find(name)
    result = verdict(exercise, catalogue_of(name).variants[variant], seed)
    assert result.points == result.max_points, [
        (p.part.id, p.outcome, p.message) for p in result.parts if p.outcome != "right"
    ]


def test_cases_tell_mistakes_apart(name, seed):
    """No two mistakes look the same, unless they are said to; those that are said to, do."""
    exercise = exercises.find(name)
    key = key_for(exercise, seed)
    cells = cells_of(key.right)
    for one, other in combinations(key.mistakes, 2):
        alike = all(agree(exercise, one.observations, other.observations, c) for c in cells)
        declared = other.id in one.same_as and one.id in other.same_as
        assert alike == declared, (one.id, other.id)


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


def test_no_part_is_right_by_heart(name):
    """Probed where the answer is, it could say of itself what the visible key says.

    Either all of that, or the words of it beside the numbers that its mistake gives.
    """
    exercise, seed = exercises.find(name), 20_261
    if where_probed(exercise) != "inside":
        pytest.skip("probed where the answer is not")
    cases, key, by_heart = draw(exercise, seed), fresh_key(name, seed), keys.load(name).right
    for part in exercise.parts:
        assert differing(exercise, key.right, by_heart, cells_of(key.right, part)), part.id
    for mistake in key.mistakes:
        honest = judge(exercise, cases, key, mistake.observations)
        forged = {
            case: seen
            if seen.trouble
            else replace(seen, values={**seen.values, **words_of(by_heart[case])})
            for case, seen in mistake.observations.items()
        }
        forged = judge(exercise, cases, key, forged)
        for one, other in zip(honest.parts, forged.parts, strict=True):
            assert other.points <= one.points, (mistake.id, one.part.id)


def words_of(observation):
    return {name: value for name, value in observation.values.items() if isinstance(value, str)}


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
def test_doing_nothing_earns_nothing(name, title):
    assert verdict(exercises.find(name), TRIVIAL[title]).points == 0
