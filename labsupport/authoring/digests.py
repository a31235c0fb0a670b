"""Digests of all that a lesson's keys are made from, and of the keys: only what changed is remade.

They are kept in `solutions/digests/`, one file per lesson, so that work on two lessons never meets
in one file. When two people's changes to one cannot be merged, `build` writes it anew.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from labsupport import exercises, keys
from labsupport.authoring import catalogue, lessons

FOLDER = lessons.SOURCES / "digests"
PACKAGE = lessons.PROJECT / "labsupport"
STACK = r"^(?:numpy|tensorflow|keras|tf-keras)==\S+"  # lines of requirements.txt


def path_of(lesson: str) -> Path:
    return FOLDER / f"{lesson}.txt"


def matches(lesson: lessons.Lesson) -> bool:
    """Whether keys and all that they are made from are as they were when the digest was written."""
    path = path_of(lesson.name)
    return path.exists() and path.read_text(encoding="utf-8") == text(lesson, of_sources(lesson))


def text(lesson: lessons.Lesson, sources: str) -> str:
    """The content of the lesson's file, with the keys as they are now."""
    paths = {keys.path_of(exercise.id) for exercise in exercises.of_lesson(lesson.name)}
    return f"sources {sources}\nkeys {_digest(map(_read, filter(Path.exists, paths)))}\n"


def of_sources(lesson: lessons.Lesson) -> str:
    """The digest of all that the lesson's keys are made from."""
    return _digest(_sources(lesson))


def _digest(parts: Iterable[tuple[str, bytes]]) -> str:
    found = hashlib.sha256()
    for name, content in sorted(parts):
        found.update(f"{name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def _read(path: Path) -> tuple[str, bytes]:
    name = path.relative_to(lessons.PROJECT).as_posix()
    return name, path.read_bytes().replace(b"\r\n", b"\n")


def _sources(lesson: lessons.Lesson) -> Iterator[tuple[str, bytes]]:
    cells = [cell for cell in lesson.cells if cell.role in ("setup", "answer")]
    yield "cells", "\n".join(cell.source for cell in cells).encode()
    pins = lessons.PROJECT / "requirements.txt"
    if pins.exists():
        lines = re.findall(STACK, pins.read_text(encoding="utf-8"), re.MULTILINE)
        yield "stack", "\n".join(lines).encode()

    files = {PACKAGE / "authoring" / "build.py", PACKAGE / "exercises" / f"{lesson.name[3:]}.py"}
    files |= {catalogue.path_of(exercise.id) for exercise in exercises.of_lesson(lesson.name)}
    files = {path for path in files if path.exists()}
    files |= {path for cell in cells for path in _imported(cell.source)}
    todo = list(files)
    while todo:
        path = todo.pop()
        if path.suffix == ".py":
            new = _imported(path.read_text(encoding="utf-8")) - files
            files |= new
            todo += new
    yield from map(_read, files)


def _imported(source: str) -> set[Path]:
    """The files of this package that a program imports; not what only draws."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    found = set()
    for name in names:
        first, *rest = name.split(".")
        if first != "labsupport" or not rest or rest[0] == "figures":
            continue
        module = PACKAGE.joinpath(*rest)
        if module.is_dir():
            found |= {path for path in module.iterdir() if path.is_file() and _is_source(path)}
        elif module.with_suffix(".py").exists():
            found.add(module.with_suffix(".py"))
    return found


def _is_source(path: Path) -> bool:
    """Of a folder: what its import runs, and the data that lie beside it."""
    return path.suffix != ".py" or path.name == "__init__.py"
