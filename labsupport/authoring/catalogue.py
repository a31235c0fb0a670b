"""Reading `solutions/mistakes/`: what is known to go wrong, and what is known to be right.

A file `solutions/mistakes/bn_dense.py` holds, for the exercise `bn-dense`, answers marked with

    @mistake("axis-1", "Averaged over the features", "Which axis runs down a column?", see="A1")
    @variant("np.std instead of np.var")

each a function or class of any name.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "solutions" / "mistakes"


@dataclass(frozen=True)
class MistakenAnswer:
    """A wrong answer. see: where it is known from; same_as: ids no case can tell from this one."""

    id: str
    name: str
    question: str
    see: str
    same_as: tuple[str, ...]
    answer: Any


@dataclass
class Catalogue:
    """What is known about the answers to one exercise."""

    mistakes: list[MistakenAnswer] = field(default_factory=list)
    variants: dict[str, Any] = field(default_factory=dict)


_current = Catalogue()


def mistake(
    mistake_id: str, name: str, question: str, *, see: str, same_as: tuple[str, ...] = ()
) -> Callable[[Any], Any]:
    """Mark an answer as a known mistake: its name and the question that leads out of it."""

    def add(answer):
        _current.mistakes.append(MistakenAnswer(mistake_id, name, question, see, same_as, answer))
        return answer

    return add


def variant(title: str) -> Callable[[Any], Any]:
    """Mark an answer as right, though it is written otherwise than the lesson's."""

    def add(answer):
        assert title not in _current.variants, title
        _current.variants[title] = answer
        return answer

    return add


def path_of(exercise_id: str, folder: Path = FOLDER) -> Path:
    return folder / f"{exercise_id.replace('-', '_')}.py"


def read(exercise_id: str, folder: Path = FOLDER) -> Catalogue:
    """The catalogue of an exercise; empty if it has no file."""
    file = path_of(exercise_id, folder)
    return read_text(file.read_text(encoding="utf-8"), str(file)) if file.exists() else Catalogue()


def read_text(source: str, filename: str) -> Catalogue:
    """The catalogue that such a file's text gives. filename: as it will stand in tracebacks."""
    _current.mistakes, _current.variants = [], {}
    module = ModuleType(f"mistakes_{Path(filename).stem}")
    # AutoGraph and `inspect` look for the source there.
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec", dont_inherit=True), vars(module))
    return Catalogue(_current.mistakes, _current.variants)
