"""The words of the course: exercise, part, case, observation, key, mistake, verdict.

Only data lives here. `observe` makes observations, `judge` makes verdicts, `keys` stores keys.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import numpy as np

#: Every observation has this name too: which inputs the answer changed in place.
INPUTS = "inputs"
UNCHANGED = "unchanged"


class Odd(str):
    """Stands in an observation for a value that is no array, number or string: says what it was."""


class Unusable(Exception):
    """Raised by a probe, with a sentence for the student, when it cannot work with the answer."""


#: Raised for one reason only where an answer builds a graph (see `exercises.tf_common`).
TELLING = frozenset({"OperatorNotAllowedInGraphError"})


@dataclass(frozen=True)
class Trouble:
    """Why a case has no observation.

    kind: "not attempted", "raised", "slow" or "unusable".
    text: the error's type and message, or a sentence.
    line: the student's own source line, if one was reached.
    """

    kind: str
    text: str = ""
    line: str = ""
    line_number: int = 0

    @property
    def error(self) -> str:
        """Name of the exception class, "" if none was raised."""
        return self.text.partition(":")[0] if self.kind == "raised" else ""

    @property
    def tells(self) -> bool:
        """Whether the error's class alone says which mistake was made."""
        return self.error in TELLING


class Elsewhere(Exception):
    """An answer that lives in another process failed there; carries the trouble noted there."""

    def __init__(self, trouble: Trouble):
        _kind, _colon, words = trouble.text.partition(": ")
        super().__init__(words if trouble.kind == "raised" else trouble.text)
        self.trouble = trouble


@dataclass(frozen=True)
class Case:
    """One set of inputs. `title` describes it to the student without giving its numbers away."""

    id: str
    title: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Observation:
    """What an answer did on one case: named float64 arrays and strings, or trouble."""

    values: Mapping[str, np.ndarray | str] = field(default_factory=dict)
    trouble: Trouble | None = None
    note: str = ""


Observations = Mapping[str, Observation]  # by case id


@dataclass(frozen=True)
class Part:
    """A separately scored part of an exercise.

    covers: patterns of "case/name" (as in `fnmatch`); a part is right when every observed value
    that it covers is.
    needs: ids of parts that must be right before this one counts, where an answer that does
    nothing would be right in it. A part about nothing but inputs left alone needs some other part.
    """

    id: str
    points: int
    title: str
    covers: tuple[str, ...]
    needs: tuple[str, ...] = ()

    def has(self, case: str, name: str) -> bool:
        return _covered(self.covers, case, name)


@lru_cache(maxsize=20_000)  # asked again and again while a class is judged
def _covered(patterns: tuple[str, ...], case: str, name: str) -> bool:
    return any(fnmatchcase(f"{case}/{name}", pattern) for pattern in patterns)


#: A fact looks at one wrong case and says something useful about it, or None.
#: Arguments: the case's inputs, the right values, the values seen.
Fact = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], "str | None"]


@dataclass(frozen=True)
class Exercise:
    """One thing a student answers.

    answer: the name that the student defines.
    cases: draws the cases from a RandomState (whose stream NumPy has frozen for good).
    probe: calls an answer on a case's inputs and returns named values.
    may_change: inputs that the text allows an answer to change in place.
    rtol, atol: a value is right within atol + rtol * |right value|.
    limit: seconds that all cases together may take.
    whole: a mistake is named only where the answer does in all else what whoever makes it does, in
        the cases that it spoils. For values so coarse that many mistakes give the same.
    """

    id: str
    lesson: str
    title: str
    answer: str
    parts: tuple[Part, ...]
    cases: Callable[[np.random.RandomState], list[Case]]
    probe: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]
    hints: tuple[str, ...]
    facts: tuple[Fact, ...] = ()
    may_change: tuple[str, ...] = ()
    rtol: float = 1e-4
    atol: float = 1e-5
    limit: float = 5.0
    whole: bool = False

    @property
    def points(self) -> int:
        return sum(part.points for part in self.parts)

    def visible_cases(self) -> list[Case]:
        """The cases that `check` uses: the same on every machine, every day."""
        return self.cases(np.random.RandomState(zlib.crc32(self.id.encode())))


@dataclass(frozen=True)
class KnownMistake:
    """A wrong answer that people really give: its name, the question that leads out, what it does.

    same_as: ids of mistakes that no case can tell from this one.
    """

    id: str
    name: str
    question: str
    observations: Observations
    same_as: tuple[str, ...] = ()


@dataclass(frozen=True)
class Key:
    """The observations of the right answer, and of every known mistake, on the same cases."""

    right: Observations
    mistakes: tuple[KnownMistake, ...] = ()


@dataclass(frozen=True)
class PartVerdict:
    """Outcome of one part.

    outcome: "right", "mistake", "wrong", "raised", "slow", "unusable", "not attempted" or
    "waiting" (right in itself, but a part that it needs is not).
    message: the mistake's name, or the most useful fact; question: what leads out of it.
    where: title of the case that the message is about; only: the same, if the exercise has
    several cases and all others are right. likely: the mistake is known only by the class of the
    error that it raises.
    """

    part: Part
    outcome: str
    points: int
    message: str = ""
    question: str = ""
    mistake: str = ""
    line: str = ""
    line_number: int = 0
    where: str = ""
    only: str = ""
    likely: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one answer."""

    exercise: str
    title: str
    answer: str
    parts: tuple[PartVerdict, ...]
    note: str = ""

    @property
    def points(self) -> int:
        return sum(part.points for part in self.parts)

    @property
    def max_points(self) -> int:
        return sum(part.part.points for part in self.parts)

    @property
    def outcome(self) -> str:
        """ "right", or the outcome of the first part that is not."""
        return next((p.outcome for p in self.parts if p.outcome != "right"), "right")
