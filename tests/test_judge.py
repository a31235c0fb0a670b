"""The judge: what it says of observations, and that no observation makes it stumble."""

from __future__ import annotations

import ast
import builtins
import copy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from labsupport import exercises, keys
from labsupport import judge as judge_module
from labsupport.judge import judge, missing
from labsupport.vocabulary import (
    UNCHANGED,
    Case,
    Exercise,
    Key,
    KnownMistake,
    Observation,
    Odd,
    Part,
    Trouble,
)

# ---------------------------------------------------------------- an exercise to judge

CASES = [
    Case("a", "three numbers", {"x": np.array([1.0, 2.0, 4.0])}),
    Case("b", "a square", {"x": np.array([[1.0, 3.0], [5.0, 9.0]])}),
    Case("c", "one number", {"x": np.array([7.0])}),
]
EXERCISE = Exercise(
    id="toy",
    lesson="99_toys",
    title="Toy",
    answer="answer",
    parts=(
        Part("values", 3, "the values", ("a/out", "b/out")),
        Part("edge", 2, "one number", ("c/out",)),
        Part("inputs", 1, "`x` is left alone", ("*/inputs",)),
    ),
    cases=lambda rng: CASES,
    probe=lambda answer, inputs: {"out": answer(inputs["x"])},
    hints=(),
)
OUT = {"a": np.array([2.0, 4.0, 8.0]), "b": np.array([[2.0, 6.0], [10.0, 18.0]]), "c": 14.0}


def seen(change=None, **by_case):
    """The right observations, with `change` done to every value, or other values for some cases."""
    found = {}
    for case, value in OUT.items():
        value = by_case.get(case, value if change is None else change(np.asarray(value)))
        if isinstance(value, Trouble):
            found[case] = Observation(trouble=value)
        else:
            value = value if isinstance(value, str) else np.asarray(value, float)
            found[case] = Observation({"out": value, "inputs": UNCHANGED})
    return found


def raised(text, line="", number=0):
    return Trouble("raised", text, line, number)


def verdict(observations, *mistakes, exercise=EXERCISE):
    return judge(exercise, CASES, Key(seen(), mistakes), observations)


def known(name, observations):
    return KnownMistake(name, f"The {name}", "Why?", observations)


def fact(observations, *mistakes):
    """What is said of the first part that is not right."""
    return next(p.message for p in verdict(observations, *mistakes).parts if p.outcome != "right")


# ---------------------------------------------------------------- outcomes


def test_right_answer_gets_all_points():
    result = verdict(seen())
    assert (result.points, result.max_points, result.outcome) == (6, 6, "right")
    assert all(part.message == "" for part in result.parts)


def test_last_digits_do_not_matter():
    assert verdict(seen(lambda x: x * (1 + 9e-5))).points == 6
    assert verdict(seen(lambda x: x * (1 + 3e-4))).outcome == "wrong"


def test_known_mistake_is_named_with_its_question():
    doubled = known("doubled", seen(lambda x: 2 * x))
    part = verdict(seen(lambda x: 2 * x), doubled).parts[0]
    assert (part.outcome, part.mistake, part.message) == ("mistake", "doubled", "The doubled")
    assert (part.question, part.points) == ("Why?", 0)


def test_mistake_costs_only_the_parts_that_it_touches():
    result = verdict(seen(c=0.0), known("edge", seen(c=0.0)))
    assert [part.outcome for part in result.parts] == ["right", "mistake", "right"]
    assert result.points == 4 and result.outcome == "mistake"


def test_two_mistakes_at_once_name_one_of_them():
    """The shift is seen in case a, the wrong square in b: nobody has seen both together."""
    shifted, squared = seen(a=OUT["a"] + 1), seen(b=OUT["b"] ** 2)
    both = seen(a=OUT["a"] + 1, b=OUT["b"] ** 2)
    part = verdict(both, known("shifted", shifted), known("squared", squared)).parts[0]
    assert part.outcome == "mistake" and part.mistake in {"shifted", "squared"}
    assert not part.only, "more than one case went wrong"


def test_part_of_a_mistake_is_not_the_mistake():
    """A mistake that is wrong in two cases does not explain an answer wrong in one of them."""
    everywhere = known("doubled", seen(lambda x: 2 * x))
    part = verdict(seen(a=OUT["a"] * 2), everywhere).parts[0]
    assert part.outcome == "wrong" and part.only == "three numbers"


def test_mistake_that_explains_everything_is_preferred_to_one_that_explains_some():
    some, all_of_it = seen(a=OUT["a"] + 1), seen(a=OUT["a"] + 1, b=OUT["b"] + 1)
    part = verdict(all_of_it, known("some", some), known("all", all_of_it)).parts[0]
    assert part.mistake == "all"


def test_mistake_is_not_named_to_whom_has_right_what_it_gets_wrong_first():
    """A mistake that is wrong in both parts is not made in the second alone."""
    values, edge, inputs = EXERCISE.parts
    needy = replace(EXERCISE, parts=(values, replace(edge, needs=("values",)), inputs))
    both = known("both", seen(a=OUT["a"] + 1, c=0.0))
    assert verdict(seen(c=0.0), both, exercise=EXERCISE).parts[1].mistake == "both"
    assert verdict(seen(c=0.0), both, exercise=needy).parts[1].outcome == "wrong"
    for first in (OUT["a"] + 1, OUT["a"] + 2):
        part = verdict(seen(a=first, c=0.0), both, exercise=needy).parts[1]
        assert part.mistake == "both", "the first part does not speak against it"


def test_among_mistakes_alike_in_a_part_the_rest_of_the_exercise_decides():
    one = seen(a=OUT["a"] + 1, b=OUT["b"] + 1, c=0.0)
    other = seen(a=OUT["a"] + 1, b=OUT["b"] + 1, c=99.0)
    mistakes = known("one", one), known("other", other)
    assert verdict(one, *mistakes).parts[0].mistake == "one"
    assert verdict(other, *mistakes).parts[0].mistake == "other"


@pytest.mark.parametrize(
    ("observations", "sentence"),
    [
        (
            seen(a=[2.0, 4.0]),
            "Your result should be an array of shape (3,); it is an array of shape (2,).",
        ),
        (seen(a=2.0), "Your result should be an array of shape (3,); it is a single number."),
        (seen(a=Odd("None")), "it is None. Is a `return` missing?"),
        (seen(a=Odd("a dict")), "Your result should be an array of shape (3,); it is a dict."),
        (seen(a=Odd("lost. It failed.")), "(3,); it is lost. It failed."),
        (seen(a="two"), "it is a string."),
        (seen(a=[2, np.nan, np.nan]), "2 of the 3 numbers in your result are NaN, first at (1,)."),
        (
            seen(a=[2, np.inf, 8]),
            "1 of the 3 numbers in your result are NaN or infinite, first at (1,).",
        ),
        (seen(a=OUT["a"] * -0.5), "Every number in your result is -0.5 times what it should be."),
        (seen(a=OUT["a"] + 3), "Every number in your result is off by the same amount, 3."),
        (
            seen(a=[2, 4, 9]),
            "1 of the 3 numbers in your result are off, most of all the one at 2, by 1.",
        ),
        (seen(c=13.0), "Your result is too small."),
        (seen(c=np.nan), "Your result is NaN."),
    ],
)
def test_wrong_answer_is_told_the_most_useful_fact(observations, sentence):
    assert sentence in fact(observations)


def test_form_comes_before_numbers_whichever_case_shows_it():
    assert "shape (4,)" in fact(seen(a=OUT["a"] + 3, b=[1, 2, 3, 4]))


def test_fact_of_the_exercise_comes_before_generic_ones_and_sees_only_sound_values():
    looked = []

    def look(inputs, right, values):
        looked.append(values["out"].shape)
        return "The sum is off." if values["out"].sum() != right["out"].sum() else None

    exercise = replace(EXERCISE, facts=(look,))
    part = verdict(seen(a=OUT["a"] + 1), exercise=exercise).parts[0]
    assert part.message == "The sum is off." and looked == [(3,)]


def test_fact_of_the_exercise_is_not_asked_about_values_of_a_wrong_form():
    """Not even if those belong to another part."""

    def look(inputs, right, values):
        raise AssertionError("asked")

    parts = (Part("out", 1, "", ("*/out",)), Part("mean", 1, "", ("*/mean",)))
    exercise = replace(EXERCISE, parts=parts, facts=(look,))
    key = Key({"a": Observation({"out": np.ones(3), "mean": np.ones(2)})})
    wrong = {"a": Observation({"out": np.array([1.0, 2.0, 5.0]), "mean": Odd("a dict")})}
    result = judge(exercise, CASES, key, wrong)
    assert result.parts[0].message.startswith("2 of the 3 numbers in your result")
    assert result.parts[1].message.endswith("it is a dict.")


def test_nan_and_infinity_may_be_right():
    right = {"a": Observation({"out": np.array([np.nan, np.inf, 1.0])})}
    exercise = replace(EXERCISE, parts=(Part("all", 1, "", ("*",)),))
    assert judge(exercise, CASES, Key(right), right).points == 1
    for wrong in ([np.nan, np.inf, np.nan], [1.0, np.inf, 1.0], [np.nan, -np.inf, 1.0]):
        seen_here = {"a": Observation({"out": np.array(wrong)})}
        assert judge(exercise, CASES, Key(right), seen_here).points == 0


def test_it_says_on_which_cases_it_went_wrong():
    part = verdict(seen(b=OUT["b"] + 1)).parts[0]
    assert part.where == part.only == "a square"
    assert not verdict(seen(lambda x: x + 1)).parts[0].only


def test_error_shows_the_students_own_line():
    trouble = raised("ValueError: no", "x = y + z", 7)
    part = verdict(seen(a=trouble, b=trouble, c=trouble)).parts[0]
    assert (part.outcome, part.message) == ("raised", "ValueError: no")
    assert (part.line, part.line_number, part.points) == ("x = y + z", 7, 0)


def test_two_value_errors_are_not_the_same_mistake():
    """That both raise ValueError everywhere says nothing about why."""
    everywhere = {case: raised("ValueError") for case in "abc"}
    mistake = known("broadcast", seen(**everywhere))
    part = verdict(seen(**{case: raised("ValueError: other") for case in "abc"}), mistake).parts[0]
    assert part.outcome == "raised" and part.mistake == ""


def test_error_on_one_case_is_evidence_only_if_the_rest_agrees():
    mistake = known("axis", seen(a=OUT["a"] + 1, b=raised("ValueError"), c=1.0))
    same = seen(a=OUT["a"] + 1, b=raised("ValueError: shapes (2,2)"), c=1.0)
    part = verdict(same, mistake).parts[0]
    assert part.mistake == "axis" and "ValueError: shapes (2,2)" in part.message
    other = seen(a=OUT["a"] - 5, b=raised("ValueError: shapes (2,2)"), c=1.0)
    assert verdict(other, mistake).parts[0].mistake == ""
    other = seen(a=OUT["a"] + 1, b=raised("TypeError: shapes (2,2)"), c=1.0)
    assert verdict(other, mistake).parts[0].mistake == ""


def test_error_that_others_may_have_too_is_called_no_more_than_that():
    two = (Part("ab", 3, "a and b", ("a/out", "b/out")), Part("c", 3, "c", ("c/out",)))
    exercise = replace(EXERCISE, parts=two)
    failing = known("axis", seen(c=raised("ValueError")))
    part = verdict(seen(c=raised("ValueError: shapes")), failing, exercise=exercise).parts[1]
    assert part.mistake == "axis" and part.likely
    assert part.message == "It fails as with this mistake: The axis (ValueError: shapes)"
    shown = known("axis", seen(a=OUT["a"] + 1, c=raised("ValueError")))
    same = seen(a=OUT["a"] + 1, c=raised("ValueError: shapes"))
    parts = verdict(same, shown, exercise=exercise).parts
    assert [(p.mistake, p.likely) for p in parts] == [("axis", False)] * 2, "the numbers show it"
    assert parts[1].message == "The axis (ValueError: shapes)"


def test_slow_answer():
    slow = Trouble("slow", "Stopped after 5 seconds.")
    result = verdict(seen(a=slow, b=slow, c=slow), known("loop", seen(a=slow, b=slow, c=slow)))
    assert [part.outcome for part in result.parts] == ["slow", "slow", "waiting"]
    assert result.points == 0 and result.parts[0].message == "Stopped after 5 seconds."


def test_not_attempted():
    empty = Trouble("not attempted")
    result = verdict(seen(a=empty, b=empty, c=empty))
    assert {(part.outcome, part.points, part.message) for part in result.parts} == {
        ("not attempted", 0, "")
    }


def test_half_attempted_is_wrong_and_says_so():
    part = verdict(seen(b=Trouble("not attempted"))).parts[0]
    assert (part.outcome, part.points) == ("wrong", 0) and "NotImplementedError" in part.message


def test_missing_name():
    result = missing(EXERCISE, "Looked for `answer`.")
    assert (result.points, result.max_points, result.outcome) == (0, 6, "not attempted")
    assert [part.message for part in result.parts] == ["Looked for `answer`.", "", ""]


@pytest.mark.parametrize(
    ("which", "told"),
    [("x", "x"), ("x1 and x2", "x"), ("x2 and gamma", "x and gamma"), ("xs and w1", "xs and w1")],
)
def test_changed_input_is_told(which, told):
    observations = seen()
    observations["b"] = Observation({"out": OUT["b"], "inputs": which})
    part = verdict(observations).parts[2]
    assert part.outcome == "wrong" and f"changes its input {told} in place" in part.message


def test_missing_case_and_missing_value_get_nothing():
    partly = {case: o for case, o in seen().items() if case != "b"}
    assert [p.outcome for p in verdict(partly).parts] == ["unusable", "right", "waiting"]
    empty = {case: Observation({}) for case in "abc"}
    assert verdict(empty).points == 0 and "There is no value for your result." in fact(empty)


def test_part_that_no_case_looks_at_gets_nothing():
    blind = replace(EXERCISE, parts=(*EXERCISE.parts, Part("blind", 5, "", ("nowhere/*",))))
    result = verdict(seen(), exercise=blind)
    assert result.points == 6 and result.parts[3].outcome == "unusable"


def test_leaving_the_inputs_alone_is_worth_nothing_alone():
    result = verdict(seen(a=0.0, b=0.0, c=0.0))
    assert result.points == 0 and result.parts[2].outcome == "waiting"


def test_part_waits_for_the_parts_it_needs():
    values, edge, inputs = EXERCISE.parts
    exercise = replace(EXERCISE, parts=(values, replace(edge, needs=("values",)), inputs))
    assert verdict(seen(), exercise=exercise).points == 6
    result = verdict(seen(a=OUT["a"] + 1), exercise=exercise)
    assert result.parts[1].outcome == "waiting" and result.points == 0


# ---------------------------------------------------------------- purity


def test_judge_touches_nothing_outside(monkeypatch):
    """No file, no print, no random number; and it imports no module that could."""
    tree = ast.parse(Path(judge_module.__file__).read_text(encoding="utf-8"))
    names = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    names |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert names <= {
        "__future__",
        "collections.abc",
        "dataclasses",
        "numpy",
        "labsupport.vocabulary",
    }

    def forbidden(*_args, **_kwargs):
        raise AssertionError("the judge is pure")

    for place, name in ((builtins, "open"), (builtins, "print"), (builtins, "input")):
        monkeypatch.setattr(place, name, forbidden)
    for name in ("seed", "rand", "randn", "random"):
        monkeypatch.setattr(np.random, name, forbidden)
    verdict(seen(a=OUT["a"] + 1), known("other", seen(a=OUT["a"] - 1)))


def test_judge_changes_neither_key_nor_observations_and_repeats_itself():
    key = Key(seen(), (known("shift", seen(a=OUT["a"] + 1)),))
    wrong = seen(a=OUT["a"] + 2, b=[np.nan])
    before = copy.deepcopy((key, wrong, [case.inputs for case in CASES]))
    first = judge(EXERCISE, CASES, key, wrong)
    assert judge(EXERCISE, CASES, key, wrong) == first
    for one, other in zip(before[1].items(), wrong.items(), strict=True):
        assert one[0] == other[0]
        np.testing.assert_equal(one[1].values, other[1].values)
    for case in "abc":
        np.testing.assert_equal(before[0].right[case].values, key.right[case].values)
    for old, case in zip(before[2], CASES, strict=True):
        np.testing.assert_equal(old, case.inputs)


def test_judge_does_not_mind_what_the_page_has_set():
    """`np.seterr(all="raise")` and warnings as errors are allowed in a notebook."""
    import warnings

    huge = seen(a=[1.7e308, -1.7e308, 1e-308], b=[[1.7e308, -1.7e308], [1e308, 0]])
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert verdict(huge).points == 3
        assert verdict(seen(a=[1e308, 1e308, 1e308])).points == 3


# ---------------------------------------------------------------- anything at all

NUMBERS = st.one_of(
    st.floats(width=64),
    st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, np.inf, -np.inf, np.nan]),
)
SHAPES = st.one_of(
    st.sampled_from([(), (1,), (3,), (2, 2), (0,), (3, 0), (1, 1, 1, 1)]),
    arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
)
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["", UNCHANGED, "x", "None"]))
VALUES = st.one_of(
    arrays.arrays(np.float64, SHAPES, elements=NUMBERS), TEXTS, TEXTS.map(Odd)
)  # fmt: skip
TROUBLES = st.builds(
    Trouble,
    st.sampled_from(["not attempted", "raised", "slow", "unusable"]),
    st.one_of(TEXTS, st.sampled_from(["ValueError: x", "ValueError", "TypeError: y"])),
    TEXTS,
    st.integers(0, 9),
)


def observations_like(right):
    """Any observations: of these cases or others, with these names or others."""
    cases = [*right, "elsewhere"]
    names = sorted({name for o in right.values() for name in o.values} | {"inputs", "other"})
    values = st.dictionaries(st.sampled_from(names), VALUES)

    def near(case):
        """The right values, one of them replaced: finds what random names and shapes do not."""
        own = dict(right[case].values) if case in right else {}
        shaped = {
            name: arrays.arrays(np.float64, value.shape, elements=NUMBERS)
            for name, value in own.items()
            if not isinstance(value, str)
        }
        kept = {name: st.just(value) for name, value in own.items()}
        return st.fixed_dictionaries({**kept, **shaped})

    return st.fixed_dictionaries(
        {},
        optional={
            case: st.one_of(
                st.builds(Observation, values, st.none() | TROUBLES, TEXTS),
                st.builds(Observation, near(case)),
                *([st.just(right[case])] if case in right else []),
            )
            for case in cases
        },
    )


@lru_cache
def real(name):
    """An exercise of the course with its cases and key."""
    exercise = exercises.find(name)
    return exercise, exercise.visible_cases(), keys.load(name)


def check_invariants(exercise, key, observations, result):
    assert [p.part for p in result.parts] == list(exercise.parts)
    assert 0 <= result.points <= result.max_points == exercise.points
    for part in result.parts:
        assert part.points in (0, part.part.points)
        assert (part.points == part.part.points) == (part.outcome == "right")
        assert isinstance(part.message, str) and isinstance(part.question, str)
        if part.outcome in ("wrong", "mistake", "unusable"):
            assert part.message
        if part.outcome == "right":
            for case, name in judge_module.cells_of(key.right, part.part):
                own = observations[case]
                assert own.trouble is None
                right, value = key.right[case].values[name], own.values[name]
                if isinstance(right, str):
                    assert type(value) is type(right) and value == right
                else:
                    np.testing.assert_allclose(value, right, exercise.rtol, exercise.atol)
    assert (result.outcome == "right") == (result.points == result.max_points)


ANYTHING = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@settings(ANYTHING, max_examples=150)
@given(observations_like(seen()), st.lists(observations_like(seen()), max_size=3))
def test_nothing_makes_the_judge_stumble(observations, mistaken):
    mistakes = tuple(known(str(i), o) for i, o in enumerate(mistaken))
    key = Key(seen(), mistakes)
    check_invariants(EXERCISE, key, observations, judge(EXERCISE, CASES, key, observations))


@settings(ANYTHING, max_examples=100)
@given(VALUES, VALUES)
def test_nothing_makes_the_judge_stumble_whatever_is_right(right, value):
    """Right answers that hold NaN or infinity, are empty, or are strings."""
    exercise = replace(EXERCISE, parts=(Part("all", 1, "", ("*",)),))
    key = Key({"a": Observation({"out": right})})
    observations = {"a": Observation({"out": value})}
    check_invariants(exercise, key, observations, judge(exercise, CASES, key, observations))


@pytest.mark.parametrize("name", [n for n in exercises.all_exercises() if keys.path_of(n).exists()])
def test_nothing_makes_a_real_exercise_stumble(name):
    """Every exercise's own facts get any values of the right form, and never others."""
    exercise, cases, key = real(name)

    @settings(ANYTHING, max_examples=25)
    @given(observations_like(key.right))
    def run(observations):
        check_invariants(exercise, key, observations, judge(exercise, cases, key, observations))

    run()
