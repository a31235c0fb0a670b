"""Keys on disk: what goes in comes out, equal keys are equal text, only differences are stored."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from labsupport import exercises, keys
from labsupport.authoring.build import same_key
from labsupport.judge import same
from labsupport.vocabulary import Key, KnownMistake, Observation, Odd, Trouble

NUMBERS = st.one_of(
    st.floats(width=64), st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 1e308, 5e-324])
)
SHAPES = st.one_of(
    st.sampled_from([(), (1,), (0,), (3, 0)]), arrays.array_shapes(min_dims=0, min_side=0)
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["data", "shape", "odd", "values", "trouble", "lost", "out", "inputs"]
)
VALUES = st.one_of(
    arrays.arrays(np.float64, SHAPES, elements=NUMBERS), NAMES, NAMES.map(Odd)
)  # fmt: skip
TROUBLES = st.builds(
    Trouble,
    st.just("raised"),
    st.sampled_from(["ValueError: text that is not kept", "TypeError"]),
    NAMES,
    st.integers(0, 99),
) | st.builds(Trouble, st.sampled_from(["slow", "unusable", "not attempted"]), NAMES)
OBSERVATIONS = st.builds(Observation, st.dictionaries(NAMES, VALUES, max_size=4)) | st.builds(
    lambda trouble: Observation(trouble=trouble), TROUBLES
)


@st.composite
def some_keys(draw):
    cases = draw(st.lists(NAMES, unique=True, max_size=3))
    right = {case: draw(OBSERVATIONS) for case in cases}
    mistakes = []
    for _ in range(draw(st.integers(0, 3))):
        seen = {case: draw(st.just(right[case]) | OBSERVATIONS) for case in cases}
        texts = [draw(NAMES) for _ in range(3)]
        mistakes.append(KnownMistake(*texts, seen, tuple(draw(st.lists(NAMES, max_size=2)))))
    return Key(right, tuple(mistakes))


def assert_same_observations(one, other):
    assert list(one) == list(other)
    for case in one:
        a, b = one[case], other[case]
        assert (a.trouble is None) == (b.trouble is None)
        if a.trouble:
            assert (a.trouble.kind, a.trouble.error) == (b.trouble.kind, b.trouble.error)
            continue
        assert sorted(a.values) == sorted(b.values)
        for name, value in a.values.items():
            found = b.values[name]
            assert type(found) is type(value)
            if isinstance(value, np.ndarray):
                assert found.dtype == np.float64
                with np.errstate(over="ignore"):
                    assert same(value, found, 1e-7, 1e-12), (value, found)
            else:
                assert found == value


@settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(some_keys())
def test_round_trip(key):
    text = keys.dumps(key)
    again = keys.loads(text)
    assert_same_observations(key.right, again.right)
    assert len(key.mistakes) == len(again.mistakes)
    for one, other in zip(key.mistakes, again.mistakes, strict=True):
        assert (one.id, one.name, one.question) == (other.id, other.name, other.question)
        assert one.same_as == other.same_as
        assert_same_observations(one.observations, other.observations)
    assert keys.dumps(again) == text, "and once more it is the same text"
    text.encode("utf-8")


def key_of(values, mistaken=None):
    right = {"case": Observation(values)}
    mistakes = () if mistaken is None else (KnownMistake("m", "M", "Why?", {"case": mistaken}),)
    return Key(right, mistakes)


def test_equal_keys_give_equal_text():
    """Other memory layout, last digits from another processor, dust and the sign of zero."""
    x = np.arange(12.0).reshape(3, 4) + 0.1
    one = key_of({"out": x, "zero": np.array([0.0, 1.0])})
    other = key_of({"out": np.asfortranarray(x * (1 + 1e-15)), "zero": np.array([-1e-17, 1.0])})
    assert keys.dumps(one) == keys.dumps(other)
    assert keys.dumps(one) != keys.dumps(key_of({"out": x + 1e-3, "zero": np.array([0.0, 1.0])}))


def stored(key):
    return json.loads(keys.dumps(key))["mistakes"][0]["differs"]


def test_only_differences_are_stored():
    same_array, other = np.arange(5.0), np.ones(3)
    right = {"out": same_array, "mean": np.array(2.0), "inputs": "unchanged"}
    assert stored(key_of(right, Observation(dict(right)))) == {}
    changed = stored(key_of(right, Observation({**right, "mean": other})))
    assert list(changed) == ["case"] and list(changed["case"]["values"]) == ["mean"]
    lost = stored(key_of(right, Observation({"out": same_array})))
    assert lost["case"] == {"values": {}, "lost": ["mean", "inputs"]}
    failed = stored(key_of(right, Observation(trouble=Trouble("raised", "ValueError: x"))))
    assert failed["case"] == {"trouble": {"kind": "raised", "text": "ValueError"}}


def test_keys_are_the_same_though_last_digits_make_a_difference_that_is_stored():
    """Float32 sums of threads: a number of a mistake is the right one, or nearly."""
    right, exercise = {"out": np.array([1.0, 2.0])}, exercises.find("k-train-step")
    texts = [
        keys.dumps(key_of(right, Observation({"out": right["out"] * factor})))
        for factor in (1, 1 + 1e-7, 1.01)
    ]
    assert stored(keys.loads(texts[0])) == {} != stored(keys.loads(texts[1]))
    assert same_key(exercise, texts[0], texts[1])
    assert not same_key(exercise, texts[0], texts[2])


def test_nan_equals_nan_when_differences_are_taken():
    right = {"out": np.array([np.nan, np.inf])}
    assert stored(key_of(right, Observation({"out": np.array([np.nan, np.inf])}))) == {}


def test_error_messages_are_not_kept():
    """They differ between versions of Python and NumPy, and may hold paths."""
    key = key_of({}, Observation(trouble=Trouble("raised", "OSError: /home/me", "secret()", 3)))
    assert "home" not in keys.dumps(key) and "secret" not in keys.dumps(key)


def test_text_is_readable():
    """One line for each array, letters as letters, an end of line at the end."""
    text = keys.dumps(key_of({"ε": np.zeros((2, 3)), "word": "größer"}))
    assert text.endswith("}\n") and "größer" in text and '"ε"' in text
    assert sum("data" in line for line in text.splitlines()) == 1


@pytest.mark.parametrize("name", [n for n in exercises.all_exercises() if keys.path_of(n).exists()])
def test_shipped_keys_hold_no_code_and_read_the_same(name):
    text = keys.path_of(name).read_text(encoding="utf-8")
    assert keys.dumps(keys.loads(text)) == text
    assert not {"def ", "import ", "lambda"} & set(text.split('"'))
    for word in ("/home", "/tmp", "/work", "Traceback", " at 0x"):
        assert word not in text
