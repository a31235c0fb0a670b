"""Values as frames: a JSON header and raw arrays. Reading one executes nothing.

A frame is

    4 bytes   length of the header, big-endian
    8 bytes   length of the body
    header    JSON; an array stands in it as {"a": [dtype, shape, offset, scalar, order]},
              one of byte strings as {"w": [shape, items]}
    body      the arrays' bytes, one after another, little-endian; the axes in the order given

Every length is checked against a limit before anything is read, every array against the body
before it is made. What does not fit is `Malformed`, never an allocation.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import socket
import struct
import time
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from labsupport.observe import MAX_NUMBERS, MAX_TEXT, plain
from labsupport.vocabulary import INPUTS, Observation, Odd, Trouble

HEAD = struct.Struct(">IQ")
MAX_HEADER = 1 << 20
MAX_BODY = 64 << 20
MAX_DEPTH = 20
MAX_ITEMS = 20_000

#: Kinds of numbers that may cross.
DTYPES = {
    name: np.dtype(name)
    for name in (
        *("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "|u1", "<u2", "<u4", "<u8", "|b1"),
        *("<c16", "<c8"),
    )
}
#: Dictionaries that cross as what they are: plain ones.
DICTIONARIES = (dict, OrderedDict, defaultdict, Counter)
#: Those of another kind, which cross as plain ones.
MAPPINGS = (ChainMap, MappingProxyType, UserDict)
#: From so many items on, a list of numbers crosses as an array.
LONG = 500
#: What an observation may hold, before `plain`.
OBSERVED = (bool, int, float, str, bytes, np.generic, np.ndarray)
TROUBLES = ("not attempted", "raised", "slow", "unusable")


class Malformed(Exception):
    """A frame is not what it should be; one sentence."""


class Closed(Exception):
    """The other side is gone."""


class Late(Exception):
    """The other side did not answer in time."""


# ---------------------------------------------------------------- frames


def pack(message: Any, stand_in: Callable[[Any], Any] | None = None) -> bytes:
    """A message as a frame. Raises Malformed if it is too large.

    stand_in: gives, for a value that cannot cross, what stands for it (JSON); without it such a
    value crosses as an `Odd` sentence.
    """
    arrays: list[bytes] = []
    tree = _encode(message, arrays, [0, 0], 0, stand_in)
    header = json.dumps(tree, ensure_ascii=True, separators=(",", ":")).encode()
    body = b"".join(arrays)
    if len(header) > MAX_HEADER or len(body) > MAX_BODY:
        raise Malformed("The values are too large.")
    return HEAD.pack(len(header), len(body)) + header + body


def unpack(header: bytes, body: bytes, revive: Callable[[Any], Any] | None = None) -> Any:
    """The message of a frame. revive: gives, for what `stand_in` made, the value here."""
    try:
        tree = json.loads(header.decode("utf-8"))
        return _decode(tree, body, [0, 0], 0, revive)
    except Malformed:
        raise
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError, MemoryError):
        raise Malformed("A frame does not follow the format.") from None


def send(channel: socket.socket, frame: bytes, deadline: float | None = None) -> None:
    """Send a frame. Raises Closed, or Late if it cannot be sent before the deadline."""
    view = memoryview(frame)
    while view:
        channel.settimeout(_left(deadline))
        try:
            view = view[channel.send(view) :]
        except TimeoutError:
            raise Late from None
        except OSError:
            raise Closed from None


def receive(channel: socket.socket, deadline: float | None = None) -> tuple[bytes, bytes]:
    """Header and body of the next frame. Raises Closed, Late or Malformed."""
    lengths = HEAD.unpack(_exactly(channel, HEAD.size, deadline))
    if lengths[0] > MAX_HEADER or lengths[1] > MAX_BODY:
        raise Malformed("A frame claims to be larger than any may be.")
    both = _exactly(channel, sum(lengths), deadline)
    return both[: lengths[0]], both[lengths[0] :]


def _exactly(channel: socket.socket, count: int, deadline: float | None) -> bytes:
    """So many bytes; memory grows with what arrives, not with what was claimed."""
    got = bytearray()
    while len(got) < count:
        channel.settimeout(_left(deadline))
        try:
            more = channel.recv(min(count - len(got), 1 << 20))
        except TimeoutError:
            raise Late from None
        except OSError:
            raise Closed from None
        if not more:
            raise Closed
        got += more
    return bytes(got)


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise Late
    return left


# ---------------------------------------------------------------- values


def _encode(value, arrays, used, depth, stand_in):
    """JSON for a value. used: [bytes of arrays, items] so far."""
    used[1] += 1
    if depth > MAX_DEPTH or used[1] > MAX_ITEMS:
        raise Malformed("The values are nested too deeply, or too many.")
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return str.__getitem__(value, slice(MAX_HEADER // 2))
    if kind is int:
        return value if -(2**63) <= value < 2**63 else {"o": "an int too large for a float"}
    if kind is float:
        return value if math.isfinite(value) else {"n": repr(value)}
    if kind is Odd:
        return {"o": str(value)[:MAX_TEXT]}
    inner = (arrays, used, depth + 1, stand_in)
    if kind in DICTIONARIES:
        return {"d": [[_encode(k, *inner), _encode(v, *inner)] for k, v in dict.items(value)]}
    if kind in MAPPINGS:
        with contextlib.suppress(Exception):  # they may hold anything
            return _encode(dict(value), *inner)
    if isinstance(value, str):  # NumPy's too
        return str.__getitem__(value, slice(MAX_TEXT))
    if isinstance(value, bytes):
        return {"b": base64.b64encode(bytes.__getitem__(value, slice(MAX_HEADER))).decode()}
    if isinstance(value, (list, tuple)):
        if kind is list and (numbers := _as_numbers(value)) is not None:
            return {"s": _encode_array(numbers, arrays, used)["a"]}
        items = [_encode(v, *inner) for v in (list if isinstance(value, list) else tuple)(value)]
        return {"l" if isinstance(value, list) else "t": items}
    if isinstance(value, np.ndarray) and (words := _as_words(value)) is not None:
        return {"w": [list(value.shape), [_encode(word, *inner) for word in words]]}
    if isinstance(value, (np.ndarray, np.generic)):
        return _encode_array(value, arrays, used)
    if stand_in is not None:
        made = stand_in(value)
        if made is not None:
            return {"r": made}
    return _encode(plain(value), *inner)


def _encode_array(value, arrays, used):
    array = np.asarray(
        np.ndarray.view(value, np.ndarray) if isinstance(value, np.ndarray) else value
    )
    if array.size > MAX_NUMBERS:
        return {"o": f"an array of {array.size:,} numbers, too large to check"}
    dtype = array.dtype.newbyteorder("<").str
    if dtype not in DTYPES:
        found = plain(array)  # long double, objects that are numbers; or a sentence
        if isinstance(found, str):
            return {"o": str(found)[:MAX_TEXT]}
        array, dtype = found, "<f8"
    # Whether an array's `ravel` is a copy depends on the order of its axes in memory.
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    in_memory = array.transpose(order)
    data = np.ascontiguousarray(in_memory).astype(DTYPES[dtype], copy=False).tobytes()
    offset, used[0] = used[0], used[0] + len(data)
    arrays.append(data)
    scalar = isinstance(value, np.generic)
    return {"a": [dtype, list(array.shape), offset, scalar, order]}


def _as_words(value: np.ndarray) -> list | None:
    """The items of an array of byte strings, as TensorFlow has them, which may be strings too."""
    if value.dtype.kind not in "OS" or value.size > MAX_ITEMS:
        return None
    items = np.ndarray.view(value, np.ndarray).ravel().tolist()
    return items if items and all(type(one) in (bytes, str) for one in items) else None


def _as_numbers(value: list) -> np.ndarray | None:
    """A long list of numbers, or of such lists, as an array."""
    count, first = 1, value
    for _ in range(MAX_DEPTH):
        if type(first) is list and first:
            count, first = count * len(first), first[0]
    if count < LONG or type(first) not in (bool, int, float):
        return None
    try:
        found = np.array(value)
        if found.dtype.kind in "bif" and found.size <= MAX_NUMBERS and found.tolist() == value:
            return found
    except (ValueError, TypeError, OverflowError):
        pass
    return None


def _decode(tree, body, count, depth, revive):
    """The value that a header says. count: [items, bytes of arrays] so far."""
    count[0] += 1
    if depth > MAX_DEPTH or count[0] > MAX_ITEMS:
        raise Malformed("The values are nested too deeply, or too many.")
    if tree is None or isinstance(tree, (bool, int, str)):
        return tree
    if isinstance(tree, float):
        return tree
    if not isinstance(tree, dict) or len(tree) != 1:
        raise Malformed("A frame does not follow the format.")
    ((tag, inner),) = tree.items()
    if tag == "d":
        pairs = [
            (_decode(k, body, count, depth + 1, revive), _decode(v, body, count, depth + 1, revive))
            for k, v in inner
        ]
        return dict(pairs)
    if tag in ("l", "t"):
        if not isinstance(inner, list):
            raise Malformed("A frame does not follow the format.")
        items = [_decode(item, body, count, depth + 1, revive) for item in inner]
        return items if tag == "l" else tuple(items)
    if tag == "o":
        return Odd(str(inner)[:MAX_TEXT])
    if tag == "n":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[inner]
    if tag == "a":
        return _decode_array(inner, body, count)
    if tag == "s":
        found = _decode_array(inner, body, count)
        count[0] += found.size // (MAX_NUMBERS // MAX_ITEMS)  # a list takes more than an array
        if count[0] > MAX_ITEMS:
            raise Malformed("The values are nested too deeply, or too many.")
        return found.tolist()
    if tag == "b":
        return base64.b64decode(inner, validate=True)
    if tag == "w":
        return _decode_words(inner, body, count, depth)
    if tag == "r" and revive is not None:
        return revive(inner)
    raise Malformed("A frame does not follow the format.")


def _decode_words(said, body, count, depth):
    shape, items = said
    if not items or not isinstance(items, list) or math.prod(map(_size, shape)) != len(items):
        raise Malformed("An array has a shape that cannot be.")
    array = np.empty(len(items), object)
    for place, item in enumerate(items):
        array[place] = word = _decode(item, body, count, depth + 1, None)
        if type(word) not in (bytes, str):
            raise Malformed("A frame does not follow the format.")
    return array.reshape(shape)


def _size(n) -> int:
    if type(n) is not int or not 0 <= n <= MAX_NUMBERS:
        raise Malformed("An array has a shape that cannot be.")
    return n


def _decode_array(said, body, count):
    dtype, shape, offset, scalar, order = said
    kind = DTYPES[dtype]
    if len(shape) > 32 or sorted(order) != list(range(len(shape))):
        raise Malformed("An array has a shape that cannot be.")
    size = math.prod(map(_size, shape))
    if size > MAX_NUMBERS or type(offset) is not int or offset < 0:
        raise Malformed("An array is too large.")
    if offset + size * kind.itemsize > len(body):
        raise Malformed("An array reaches beyond its frame.")
    count[1] += size * kind.itemsize
    if count[1] > len(body):
        raise Malformed("The arrays are larger than their frame.")
    array = np.frombuffer(body, kind, size, offset).copy().reshape([shape[axis] for axis in order])
    array = array.transpose(np.argsort(order)) if shape else array
    return array[()] if scalar is True and shape == [] else array


# ---------------------------------------------------------------- observations


def of_trouble(trouble: Trouble | None) -> list | None:
    return trouble and [trouble.kind, trouble.text, trouble.line, trouble.line_number]


def to_trouble(said: Any) -> Trouble | None:
    """Trouble from the other side. Raises Malformed if it is none."""
    if said is None:
        return None
    if not (isinstance(said, list) and len(said) == 4):
        raise Malformed("An observation does not follow the format.")
    kind, text, line, number = said
    if not (isinstance(kind, str) and kind in TROUBLES):
        raise Malformed("An observation does not follow the format.")
    if not (isinstance(text, str) and isinstance(line, str) and type(number) is int):
        raise Malformed("An observation does not follow the format.")
    return Trouble(kind, text[:MAX_TEXT], line[:MAX_TEXT], max(0, min(number, 10**6)))


def of_observation(observation: Observation) -> dict[str, Any]:
    return {
        "values": dict(observation.values),
        "trouble": of_trouble(observation.trouble),
        "note": observation.note,
    }


def to_observation(said: Any) -> Observation:
    """An observation from the other side: float64 arrays and strings. Raises Malformed."""
    if not isinstance(said, Mapping) or not isinstance(said.get("values"), dict):
        raise Malformed("An observation does not follow the format.")
    trouble = to_trouble(said.get("trouble"))
    values = {}
    for name, value in said["values"].items():
        if not isinstance(name, str) or not isinstance(value, OBSERVED):
            raise Malformed("An observation does not follow the format.")
        values[name] = plain(value)
    if not isinstance(values.get(INPUTS, ""), str):
        raise Malformed("An observation does not follow the format.")
    note = said.get("note")
    return Observation(
        {} if trouble else values, trouble, note[:MAX_TEXT] if isinstance(note, str) else ""
    )
