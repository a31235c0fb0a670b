"""An answer that lives in the sandbox, called by a probe that does not.

A `Session` is the grader's end of a submission's channel. Everything that comes through it is
plain data, or a number that stands for an object over there (`RemoteObject`). What an answer is
given crosses the other way; functions and objects among it stay here, and the answer's calls of
them come back as questions.
"""

from __future__ import annotations

import inspect
import math
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MethodType
from typing import Any

import numpy as np

from labsupport.grading import wire
from labsupport.observe import TooSlow, observe_case, too_slow
from labsupport.vocabulary import (
    Case,
    Elsewhere,
    Exercise,
    Observation,
    Odd,
    Trouble,
    Unusable,
)

BUILTIN = {e.__name__: e for e in (AttributeError, KeyError, IndexError, TypeError, ValueError)}
#: Errors of these classes are raised here as they were there.
ERRORS = {name: type(f"Remote{name}", (Elsewhere, e), {}) for name, e in BUILTIN.items()}
GONE = (wire.Closed, wire.Late, wire.Malformed)


class Session:
    """One submission's process, as the grader talks to it. Raises what is in `GONE`."""

    def __init__(self, channel: socket.socket, grace: float):
        self.channel, self.grace = channel, grace
        self.cell: int | None = None
        self.broken: Exception | None = None
        self.replaced: list[str] = []
        self.note = ""
        self.errors = dict(ERRORS)
        self._here: list[Any] = []
        self._there: dict[int, RemoteObject] = {}
        self._until = 0.0
        self._case: dict[str, Any] | None = None  # begins with the next question
        self._held = b""  # frames that go with the next one

    # ------------------------------------------------------------ cells and answers

    def run(
        self, cells: Sequence[tuple[str, str]], seconds: float, total: float
    ) -> list[Trouble | None]:
        """Run cells (name, source), in order; what trouble each had. `cell` is the one running."""
        self._send(
            {
                "do": "run",
                "cells": [list(cell) for cell in cells],
                "seconds": seconds,
                "total": total,
            }
        )
        troubles: list[Trouble | None] = []
        end = time.monotonic() + total
        for number in range(len(cells)):
            _expect(self._reply(self.grace + 1), "cell", number)
            self.cell = number
            left = max(min(seconds, end - time.monotonic()), 0)
            reply = self._reply(left + self.grace)
            _expect(reply, "ran", number)
            troubles.append(wire.to_trouble(reply.get("trouble")))
        self.cell = None
        self._replaced(self._reply(self.grace + 2))
        return troubles

    def find(self, name: str) -> tuple[bool, Any, int, str]:
        """Whether a name is there, its value, its handle, and a name that is nearly it."""
        reply = self.ask({"do": "find", "answer": name}, self.grace + 2)
        if trouble := wire.to_trouble(reply.get("trouble")):  # it cannot cross
            return True, Odd(trouble.text), 0, ""
        near, handle = reply.get("near"), reply.get("handle")
        if not isinstance(near, str) or type(handle) is not int:
            raise wire.Malformed("An answer was not what it should be.")
        near = near[:80] if near.isidentifier() else ""
        return reply.get("found") is True, reply.get("value"), handle, near

    # ------------------------------------------------------------ probing

    def observe(
        self, exercise: Exercise, answer: Any, cases: Sequence[Case]
    ) -> dict[str, Observation]:
        """What `observe.observe` returns. A case is sent when the one before it has been observed.

        answer: from `find`.
        """

        def one(case, number, left):
            return self.observe_here(exercise, answer, case, number, left)

        return one_by_one(exercise, cases, one)

    def observe_inside(
        self, exercise: Exercise, handle: int, cases: Sequence[Case], guarded: bool
    ) -> dict[str, Observation]:
        """Like `observe`, but probed over there.

        handle: from `find`. guarded: put back first what has been replaced over there.
        """

        def one(case, number, left):
            about = _about_case(exercise, case, number, left)
            reply = self.ask({**about, "of": handle, "guarded": guarded}, left + self.grace)
            self._replaced(reply)
            return wire.to_observation(reply)

        return one_by_one(exercise, cases, one)

    def observe_here(
        self, exercise: Exercise, answer: Any, case: Case, number: int, seconds: float
    ) -> Observation:
        """What `observe.observe_case` returns."""
        self._until = time.monotonic() + seconds + self.grace
        self.note = ""
        self._case = {"number": number, "seconds": seconds, "answer": exercise.answer}
        seen = observe_case(exercise, answer, case, number, seconds + self.grace)
        if self.broken is not None:
            raise self.broken
        return replace(seen, note=self.note)

    def use(self, do: str, handle: int, **more: Any) -> Any:
        """Call, get or set something over there, and return what came of it.

        Raises Elsewhere (and AttributeError … as there), or TooSlow.
        """
        try:
            reply = self.ask({"do": do, "of": handle, **more}, self._until - time.monotonic())
            arrays = _arrays((more.get("arguments", ()), more.get("named", {})))
            for array, changed in zip(arrays, _items(reply.get("changed")), strict=False):
                if isinstance(changed, np.ndarray) and _reshaped(array, changed.shape):
                    array[...] = changed
            given = (*more.get("arguments", ()), *more.get("named", {}).values())
            maps = [one for one in given if type(one) is dict]
            for one, changed in zip(maps, _items(reply.get("changed maps")), strict=False):
                if isinstance(changed, dict):
                    one.clear()
                    one.update(changed)
            self._replaced(reply)
            if isinstance(reply.get("note"), str) and not self.note:
                self.note = reply["note"][:400]
            trouble = wire.to_trouble(reply.get("trouble"))
        except (*GONE, TooSlow) as error:
            self.broken = wire.Late() if isinstance(error, TooSlow) else error
            raise
        if trouble is None:
            return reply.get("value")
        if trouble.kind == "slow":
            raise TooSlow
        raise self.errors.get(str(reply.get("error")), Elsewhere)(trouble)

    # ------------------------------------------------------------ talking

    def _replaced(self, reply: Mapping) -> None:
        names = reply.get("replaced")
        if isinstance(names, list):
            self.replaced += [n[:100] for n in names[:20] if isinstance(n, str)]

    def _send(self, message: dict, end: float = math.inf) -> None:
        frame, self._held = self._held + wire.pack(message, self._stand_in), b""
        wire.send(self.channel, frame, min(time.monotonic() + 10, end))

    def _reply(self, seconds: float) -> dict:
        frame = wire.receive(self.channel, time.monotonic() + seconds)
        message = wire.unpack(*frame, self._revive)
        if not isinstance(message, dict):
            raise wire.Malformed("A message was not what it should be.")
        return message

    def _begun(self, message: dict) -> dict:
        """The message, with how the case begins if it is the first of one."""
        if self._case is not None:
            message, self._case = {**message, "begin": self._case}, None
        return message

    def _hold(self, message: dict) -> None:
        """Send a message that has no reply, with the next one."""
        self._held += wire.pack(self._begun(message), self._stand_in)

    def ask(self, message: dict, seconds: float) -> dict:
        """Send a message; answer the questions that come back, and return the reply."""
        end = time.monotonic() + max(seconds, 0.001)
        self._send(self._begun(message), end)
        while (left := end - time.monotonic()) > 0:  # whatever there is to be read already
            reply = self._reply(left)
            if "ask" in reply:
                self._send({"answer": reply.get("n"), **self._answer(reply)}, end)
            elif not self._takes(reply):
                return reply
        raise wire.Late

    def _takes(self, _message: dict) -> bool:
        """Whether a message was no reply, but something to be taken."""
        return False

    def _answer(self, question: dict) -> dict:
        """What a question about an object of ours gives. The question may be hostile."""
        arguments, named = question.get("arguments"), question.get("named")
        try:
            thing = self._here[question["of"]]
            if question["ask"] == "call" and callable(thing):
                return {"value": thing(*arguments, **named)}
            name = arguments[0]
            if isinstance(name, str) and not name.startswith("_"):
                if question["ask"] == "get":
                    return {"value": _harmless(getattr(thing, name), thing)}
                if question["ask"] == "set" and name in getattr(thing, "__dict__", {}):
                    setattr(thing, name, arguments[1])
                    return {"value": None}
            raise AttributeError(f"there is no {str(name)[:60]!r} to use here")
        except TooSlow:
            raise
        except Exception as error:
            known = {**BUILTIN, "Unusable": Unusable}
            kind = next((n for n, one in known.items() if isinstance(error, one)), "Exception")
            return {"raised": str(error)[:300], "kind": kind}

    def _stand_in(self, value: Any) -> dict:
        if isinstance(value, RemoteObject):
            return {"h": object.__getattribute__(value, "_handle")}
        for number, known in enumerate(self._here):
            if known is value:
                return {"c": number, "type": type(value).__name__}
        self._here.append(value)
        return {"c": len(self._here) - 1, "type": type(value).__name__}

    def _revive(self, said: Any) -> Any:
        if "c" in said:
            return self._here[said["c"]]
        handle = said["h"]
        if type(handle) is not int or not isinstance(said["type"], str):
            raise wire.Malformed("A message was not what it should be.")
        if handle not in self._there:
            if len(self._there) > 10_000:
                raise wire.Malformed("There are too many objects.")
            self._there[handle] = _remote(self, handle, said)
        return self._there[handle]


class Prober:
    """The clean process beside a submission's, which probes its answers; see prober.py."""

    def __init__(self, channel: socket.socket, grace: float):
        self.channel, self.grace = channel, grace
        self.replaced: list[str] = []

    def observe(self, exercise: Exercise, cases: Sequence[Case]) -> dict[str, Observation]:
        """What `observe.observe` returns. Raises what is in `GONE`, also for the submission's."""

        def one(case, number, left):
            question = {**_about_case(exercise, case, number, left), "grace": self.grace}
            wire.send(self.channel, wire.pack(question), time.monotonic() + 10)
            until = time.monotonic() + left + 3 * self.grace
            reply = wire.unpack(*wire.receive(self.channel, until))
            gone = next((e for e in GONE if reply.get("gone") == e.__name__), None)
            if gone is not None:
                raise gone
            self.replaced += reply.get("replaced", [])
            return wire.to_observation(reply)

        return one_by_one(exercise, cases, one)


def one_by_one(
    exercise: Exercise,
    cases: Sequence[Case],
    one: Callable[[Case, int, float], Observation],
) -> dict[str, Observation]:
    """What `one` (case, number, seconds left) says of each case, within the exercise's limit."""
    seen = {}
    end = time.monotonic() + exercise.limit
    for number, case in enumerate(cases):
        left = end - time.monotonic()
        seen[case.id] = (
            one(case, number, left) if left > 0 else Observation(trouble=too_slow(exercise))
        )
    return seen


def _about_case(exercise: Exercise, case: Case, number: int, seconds: float) -> dict[str, Any]:
    return {
        "do": "observe",
        "exercise": exercise.id,
        "case": case.id,
        "inputs": dict(case.inputs),
        "number": number,
        "seconds": seconds,
    }


def _expect(reply: Mapping, what: str, number: int) -> None:
    """Raises Malformed if a reply does not say that it is about this number."""
    said = reply.get(what)
    if type(said) is not int or said != number:
        raise wire.Malformed("A message was not what it should be.")


def _items(said: Any) -> list[Any]:
    return said if isinstance(said, list) else []


def _harmless(value: Any, owner: Any) -> Any:
    """An attribute that may be told: plain data, or one of the owner's own methods."""
    plain = (bool, int, float, str, np.ndarray, np.generic)
    if value is None or isinstance(value, plain):
        return value
    if isinstance(value, MethodType) and value.__self__ is owner:
        return value
    raise AttributeError("this attribute is not for use here")


def _reshaped(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Give an array a shape, in place. Returns whether that can be.

    Its memory stays where it is: there may be views of it.
    """
    if array.shape == shape:
        return True
    try:
        array.shape = shape
    except (AttributeError, ValueError):
        return False
    return True


def _arrays(value: Any) -> list[np.ndarray]:
    """The arrays among arguments, in the order in which the other side finds them."""
    if isinstance(value, np.ndarray):
        return [value]
    if type(value) in (list, tuple):
        return [array for item in value for array in _arrays(item)]
    if type(value) is dict:
        return [array for item in value.values() for array in _arrays(item)]
    return []


# ---------------------------------------------------------------- objects over there


class RemoteObject:
    """An object of the submission's. Its attributes are fetched, set and called over there."""

    __slots__ = ("_session", "_handle", "_signature", "__weakref__")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's and NumPy's own questions
            raise AttributeError(name)
        return self._session.use("get", self._handle, name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._session.use("set", self._handle, name=name, value=value)

    @property
    def __dict__(self) -> dict[str, None]:
        """The names of its attributes, for messages that suggest one."""
        names = self._session.use("names", self._handle)
        return {name: None for name in names if isinstance(name, str)}

    @property
    def __signature__(self) -> inspect.Signature:
        if self._signature is None:
            raise AttributeError("__signature__")
        return self._signature


class RemoteCallable(RemoteObject):
    """One that can be called."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._session.use("call", self._handle, arguments=arguments, named=named)

    def in_a_fresh_graph(self, *arguments: Any) -> Any:
        """Call it with a TensorFlow 1 graph of its own as the default one, as `trial` does."""
        return self._session.use("call", self._handle, arguments=arguments, named={}, graph=True)

    def gradients(self, y: Any, ends: list[Any], dy: Any) -> Any:
        """What `tf.gradients` makes of something that it built, in its own process."""
        return self._session.use("gradients", self._handle, arguments=(y, ends, dy), named={})


def _remote(session: Session, handle: int, said: Mapping) -> RemoteObject:
    base = RemoteCallable if said.get("callable") is True else RemoteObject
    kind = type(said["type"][:60].replace("\0", "") or "object", (base,), {"__slots__": ()})
    made = object.__new__(kind)
    object.__setattr__(made, "_session", session)
    object.__setattr__(made, "_handle", handle)
    object.__setattr__(made, "_signature", _signature(said.get("signature")))
    return made


def _signature(said: Any) -> inspect.Signature | None:
    try:
        parameters = [
            inspect.Parameter(
                name,
                inspect._ParameterKind(kind),
                default=None if has_default else inspect.Parameter.empty,
            )
            for name, kind, has_default in said
        ]
        return inspect.Signature(parameters)
    except (TypeError, ValueError):
        return None
