"""Keys on disk: one JSON file per exercise, arrays rounded so that every machine writes the same.

A key holds numbers and the mistakes' names and questions, never code. For each mistake only the
values that differ from the right ones are stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from labsupport.vocabulary import Key, KnownMistake, Observation, Odd, Trouble

FOLDER = Path(__file__).parent / "answer_keys"
DIGITS = 8  # significant; tolerances start at 1e-4


def path_of(exercise_id: str) -> Path:
    return FOLDER / f"{exercise_id}.json"


@lru_cache
def load(exercise_id: str) -> Key:
    """The key of an exercise's visible cases. FileNotFoundError if it was never built."""
    return loads(path_of(exercise_id).read_text(encoding="utf-8"))


def dumps(key: Key) -> str:
    """A key as text. Equal keys give equal text."""
    right = {case: _pack(observation) for case, observation in key.right.items()}
    stored = {
        "right": right,
        "mistakes": [
            {
                "id": mistake.id,
                "name": mistake.name,
                "question": mistake.question,
                "same_as": list(mistake.same_as),
                "differs": _difference(
                    right, {c: _pack(o) for c, o in mistake.observations.items()}
                ),
            }
            for mistake in key.mistakes
        ],
    }
    return _layout(stored) + "\n"


def loads(text: str) -> Key:
    stored = whole(text)
    mistakes = tuple(
        KnownMistake(
            m["id"],
            m["name"],
            m["question"],
            {case: _unpack(packed) for case, packed in m["observations"].items()},
            tuple(m["same_as"]),
        )
        for m in stored["mistakes"]
    )
    return Key({case: _unpack(packed) for case, packed in stored["right"].items()}, mistakes)


def whole(text: str) -> dict:
    """What is stored, with all that each mistake was seen to do in place of what differs."""
    stored = json.loads(text)
    right = stored["right"]
    for m in stored["mistakes"]:
        differs = m.pop("differs")
        m["observations"] = {c: _merge(right[c], differs.get(c, {})) for c in right}
    return stored


def _pack(observation: Observation) -> dict:
    if observation.trouble is not None:
        t = observation.trouble
        # Only what the judge compares: messages differ between versions of Python and NumPy.
        return {"trouble": {"kind": t.kind, "text": t.error}}
    return {"values": {name: _pack_value(v) for name, v in observation.values.items()}}


def _pack_value(value: np.ndarray | str):
    if isinstance(value, Odd):
        return {"odd": str(value)}
    if isinstance(value, str):
        return str(value)
    numbers = [_round(x) for x in value.ravel().tolist()]
    return numbers[0] if value.shape == () else {"shape": list(value.shape), "data": numbers}


def _round(x: float) -> float:
    x = float(f"{x:.{DIGITS - 1}e}")
    return 0.0 if abs(x) < 1e-12 else x  # the dust that summation order leaves


def _unpack(packed: Mapping) -> Observation:
    if "trouble" in packed:
        return Observation(trouble=Trouble(packed["trouble"]["kind"], packed["trouble"]["text"]))
    return Observation({name: _unpack_value(v) for name, v in packed["values"].items()})


def _unpack_value(value):
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        if "odd" in value:
            return Odd(value["odd"])
        return np.array(value["data"], dtype=np.float64).reshape(value["shape"])
    return np.array(value, dtype=np.float64)


def _difference(right: dict, other: dict) -> dict:
    """What to change in the right answer's packed observations to get the other's."""
    changes = {}
    for case, packed in other.items():
        if "trouble" in packed or "trouble" in right[case]:
            if packed != right[case]:
                changes[case] = packed
            continue
        values = {
            name: value
            for name, value in packed["values"].items()
            if json.dumps(value) != json.dumps(right[case]["values"].get(name))
        }
        lost = [name for name in right[case]["values"] if name not in packed["values"]]
        if values or lost:
            changes[case] = {"values": values, "lost": lost}
    return changes


def _merge(right: dict, change: dict) -> dict:
    if "trouble" in change:
        return change
    if not change:
        return right
    kept = {n: v for n, v in right.get("values", {}).items() if n not in change["lost"]}
    return {"values": {**kept, **change["values"]}}


def _layout(item, indent: int = 0) -> str:
    """JSON with one line per array: readable differences, no endless columns of numbers."""
    pad = " " * (indent + 1)
    if isinstance(item, dict) and item and "data" not in item:
        names = [json.dumps(name, ensure_ascii=False) for name in item]
        values = [_layout(value, indent + 1) for value in item.values()]
        rows = [f"{pad}{n}: {v}" for n, v in zip(names, values, strict=True)]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    if isinstance(item, list) and any(isinstance(x, dict) for x in item):
        rows = [pad + _layout(x, indent + 1) for x in item]
        return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"
    return json.dumps(item, ensure_ascii=False)
