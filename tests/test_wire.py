"""Frames: what goes in comes out; what does not follow the format is refused."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from labsupport.grading import remote, wire
from labsupport.vocabulary import Observation, Odd, Trouble

QUICK = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
text = st.text(max_size=30)
arrays = npst.arrays(
    st.sampled_from([np.dtype(name) for name in wire.DTYPES]),
    npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | text | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(text, inner, max_size=4)
    ),
    max_leaves=12,
)


def parted(frame: bytes) -> tuple[bytes, bytes]:
    header, body = wire.HEAD.unpack(frame[: wire.HEAD.size])
    rest = frame[wire.HEAD.size :]
    assert len(rest) == header + body
    return rest[:header], rest[header:]


def same(one, other) -> bool:
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
        )
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@QUICK
@given(values)
def test_what_goes_in_comes_out(value):
    assert same(value, wire.unpack(*parted(wire.pack(value))))


def test_what_cannot_cross_becomes_a_sentence():
    for value in (object(), 1j, 2**70, np.array(["a"]), np.zeros(3, "M8[s]"), lambda: 0):
        assert type(wire.unpack(*parted(wire.pack(value)))) is Odd


@pytest.mark.parametrize("deep", [list, tuple, dict])
def test_nesting_has_a_limit(deep):
    value = 0
    for _ in range(10_000):
        value = {"k": value} if deep is dict else deep([value])
    with pytest.raises(wire.Malformed):
        wire.pack(value)


@QUICK
@given(st.binary(max_size=300), st.binary(max_size=100))
def test_noise_is_refused_or_plain(header, body):
    try:
        found = wire.unpack(header, body)
    except wire.Malformed:
        return
    assert type(found) in (
        type(None),
        bool,
        int,
        float,
        str,
        bytes,
        list,
        tuple,
        dict,
        Odd,
        np.ndarray,
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["a", "b", "d", "l", "t", "o", "n", "r", "h", "c", "w"]), inner
        )
    ),
    max_leaves=20,
)


@QUICK
@given(json_values, st.binary(max_size=64))
def test_headers_of_any_form_are_refused_or_plain(tree, body):
    session = remote.Session(None, 1)
    for revive in (None, session._revive):
        with contextlib.suppress(wire.Malformed):
            wire.unpack(json.dumps(tree).encode(), body, revive)


@QUICK
@given(json_values)
def test_observations_of_any_form_are_refused_or_sound(tree):
    try:
        seen = wire.to_observation({"values": {"x": tree}, "trouble": tree, "note": tree})
    except wire.Malformed:
        return
    assert isinstance(seen, Observation)
    for value in seen.values.values():
        assert isinstance(value, (str, np.ndarray))


@pytest.mark.parametrize(
    "array",
    [
        ["<f8", [10**6, 10**6], 0, False],
        ["<f8", [2], 0, False],
        ["<f8", [1], 10**9, False],
        ["<f8", [1], -8, False],
        ["<f8", [-1], 0, False],
        ["<f8", [True], 0, False],
        ["|O", [1], 0, False],
        ["<f8", [1] * 64, 0, False],
        ["<f8", "1", 0, False],
        ["V8", [1], 0, False],
    ],
)
def test_arrays_that_lie_are_refused(array):
    with pytest.raises(wire.Malformed):
        wire.unpack(json.dumps({"a": array}).encode(), b"\0" * 8)


def test_arrays_may_not_share_their_bytes():
    """Or a small frame could name one array thousands of times, each to be copied."""
    one = {"a": ["<f8", [1], 0, False, [0]]}
    assert wire.unpack(json.dumps({"l": [one]}).encode(), b"\0" * 8)[0] == 0
    with pytest.raises(wire.Malformed):
        wire.unpack(json.dumps({"l": [one, one]}).encode(), b"\0" * 8)


def test_lengths_that_lie_allocate_nothing():
    here, there = socket.socketpair()
    with here, there:
        there.sendall(struct.pack(">IQ", 2**32 - 1, 2**63))
        tracemalloc.start()
        with pytest.raises(wire.Malformed):
            wire.receive(here, time.monotonic() + 1)
        there.sendall(struct.pack(">IQ", 2, wire.MAX_BODY) + b"{}")
        with pytest.raises(wire.Late):
            wire.receive(here, time.monotonic() + 0.2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 << 20


def test_a_channel_that_ends_is_closed():
    here, there = socket.socketpair()
    with here:
        there.sendall(b"\0\0\0")
        there.close()
        with pytest.raises(wire.Closed):
            wire.receive(here, time.monotonic() + 1)


def test_observations_cross_whole():
    seen = Observation({"out": np.arange(3.0), "word": "yes", "odd": Odd("None")}, None, "a note")
    again = wire.to_observation(wire.unpack(*parted(wire.pack(wire.of_observation(seen)))))
    assert same(dict(seen.values), dict(again.values)) and again.note == "a note"
    trouble = Observation(trouble=Trouble("raised", "ValueError: x", "line", 3))
    again = wire.to_observation(wire.unpack(*parted(wire.pack(wire.of_observation(trouble)))))
    assert again == trouble


# ---------------------------------------------------------------- questions from over there


class Layer:
    def __init__(self):
        self.gamma = np.ones(2)
        self._secret = 1
        self.module = np

    def double(self, x):
        return 2 * x


@pytest.mark.parametrize(
    "question",
    [
        {"ask": "get", "of": 0, "arguments": ("_secret",), "named": {}},
        {"ask": "get", "of": 0, "arguments": ("__class__",), "named": {}},
        {"ask": "get", "of": 0, "arguments": ("module",), "named": {}},
        {"ask": "get", "of": 7, "arguments": ("gamma",), "named": {}},
        {"ask": "get", "of": 0, "arguments": (), "named": {}},
        {"ask": "call", "of": 0, "arguments": (), "named": {}},
        {"ask": "set", "of": 0, "arguments": ("_secret", 2), "named": {}},
        {"ask": "set", "of": 0, "arguments": ("double", 2), "named": {}},
        {"ask": "exec", "of": 0, "arguments": ("gamma",), "named": {}},
        {"ask": "get", "of": None, "arguments": None, "named": None},
    ],
)
def test_questions_about_our_objects_reach_nothing_else(question):
    session, layer = remote.Session(None, 1), Layer()
    session._stand_in(layer)
    reply = session._answer(question)
    assert "raised" in reply and layer._secret == 1


def test_questions_that_are_allowed():
    session, layer = remote.Session(None, 1), Layer()
    session._stand_in(layer)
    ask = {"ask": "get", "of": 0, "arguments": ("gamma",), "named": {}}
    assert np.array_equal(session._answer(ask)["value"], [1, 1])
    double = session._answer({**ask, "arguments": ("double",)})["value"]
    assert double(2) == 4
    session._answer({"ask": "set", "of": 0, "arguments": ("gamma", np.zeros(2)), "named": {}})
    assert not layer.gamma.any()


ORDERS = {
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "channels moved": np.arange(24).reshape(2, 3, 4).transpose(0, 2, 1),
    "Fortran's": np.asfortranarray(np.ones((3, 4))),
    "backwards": np.arange(5)[::-1],
    "broadcast": np.broadcast_to(np.arange(3.0), (4, 3)),
    "empty": np.zeros((2, 0, 3)),
    "a number": np.array(2.0),
    "complex": np.array([1 + 2j, 3]),
}


def over_the_wire(value):
    frame = wire.pack(value)
    header, _body = wire.HEAD.unpack(frame[: wire.HEAD.size])
    rest = frame[wire.HEAD.size :]
    return wire.unpack(rest[:header], rest[header:])


@pytest.mark.parametrize("what", ORDERS)
def test_the_order_of_axes_in_memory_crosses(what):
    array = ORDERS[what]
    other = over_the_wire(array)
    np.testing.assert_array_equal(other, array)
    assert other.shape == array.shape and other.dtype == array.dtype and other.flags.writeable
    if what in ("transposed", "channels moved", "Fortran's"):
        assert other.strides == array.strides


@pytest.mark.parametrize(
    "order", [[0], [0, 0], [1, 2], [0, 1, 2], ["0", "1"], [0.5, 1], "01", None]
)
def test_an_order_that_cannot_be_is_malformed(order):
    said = json.dumps({"a": ["<f8", [2, 3], 0, False, order]}).encode()
    with pytest.raises(wire.Malformed):
        wire.unpack(said, bytes(48))


def test_long_lists_of_numbers_cross():
    for value in (list(range(30_000)), [[0.5, 1.5]] * 15_000, [[[1.0] * 50] * 30] * 20):
        assert over_the_wire(value) == value
    short = [1, 2.0, True]
    assert [type(one) for one in over_the_wire(short)] == [int, float, bool]
    with pytest.raises(wire.Malformed):
        over_the_wire([list(range(400_000)) for _ in range(3)])


def test_dictionaries_and_words_of_other_kinds_cross():
    from collections import ChainMap, Counter, OrderedDict, defaultdict
    from types import MappingProxyType

    found = over_the_wire([OrderedDict(a=1), defaultdict(int, a=1), Counter("a"), np.str_("a")])
    assert found == [{"a": 1}, {"a": 1}, {"a": 1}, "a"] and type(found[3]) is str
    assert over_the_wire([MappingProxyType({"a": 1}), ChainMap({"b": 2}, {"a": 1})]) == [
        {"a": 1},
        {"a": 1, "b": 2},
    ]


def test_byte_strings_cross():
    words = np.array([[b"a", "b"], [b"\0", b""]], dtype=object)
    found = over_the_wire([b"\xff", np.bytes_(b"a"), words, np.array([b"a", b"bc"])])
    assert found[:2] == [b"\xff", b"a"] and type(found[1]) is bytes
    assert found[2].dtype == object and found[2].tolist() == words.tolist()
    assert found[3].tolist() == [b"a", b"bc"]
    assert (
        over_the_wire(np.array([1, "a"], dtype=object)) == "an array that holds more than numbers"
    )


@pytest.mark.parametrize(
    "array",
    [[[2], ["a"]], [[0], []], [[-1], ["a"]], [[1], [1]], [[1], [["a"]]], [[1] * 99, ["a"]], "ab"],
)
def test_words_that_lie_are_refused(array):
    with pytest.raises(wire.Malformed):
        wire.unpack(json.dumps({"w": array}).encode(), b"")


def test_a_list_in_itself_is_malformed():
    value = []
    value.append(value)
    with pytest.raises(wire.Malformed):
        wire.pack(value)
