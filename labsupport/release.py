"""The student's bundle: the course without answers, and without what only its makers need."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from labsupport.authoring import build, lessons

PROJECT = Path(__file__).resolve().parents[1]

#: What goes in beside the notebooks, and below it what stays out: what needs `solutions/`.
PARTS = ("README.md", "requirements.txt", "pyproject.toml", "labsupport")
LEFT_OUT = ("labsupport/grading", "labsupport/authoring", "labsupport/release.py")
SKIPPED = ("__pycache__", ".ipynb_checkpoints")
TIME = (2020, 1, 1, 0, 0, 0)  # equal trees give equal bundles

#: Of README: where it stops being for students, where that ends, and a line that is not for them.
NOT_THEIRS, AFTERWARDS = "## For the instructor", "MNIST's provenance"
TESTS = "python3 -m labsupport test "


class CannotRelease(Exception):
    """The bundle cannot be made; one sentence."""


def files() -> dict[str, bytes]:
    """The bundle's files: paths below the course's folder, in order, and what is in them.

    Notebooks are as the lessons give them, whatever has been done to those in the folder.
    """
    found = {build.name_of(path): text.encode() for path, text in _blanks()}
    for part in PARTS:
        path = PROJECT / part
        if not path.exists():
            raise CannotRelease(f"{part} is missing, so this is no whole copy of the course.")
        for one in [path] if path.is_file() else filter(Path.is_file, path.rglob("*")):
            if not _stays_out(one.relative_to(PROJECT)):
                found[one.relative_to(PROJECT).as_posix()] = one.read_bytes()
    found["README.md"] = _for_students(found["README.md"].decode()).encode()
    return dict(sorted(found.items()))


def _blanks() -> Iterator[tuple[Path, str]]:
    return (build.blank_file(lessons.read(path)) for path in lessons.sources().values())


def _for_students(readme: str) -> str:
    before, _, after = readme.partition(NOT_THEIRS)
    lines = [line for line in before.splitlines() if not line.startswith(TESTS)]
    return "\n".join([*lines, AFTERWARDS + after.rpartition(AFTERWARDS)[2]])


def remarks() -> list[str]:
    """A sentence about each notebook that is otherwise in the folder than in the bundle."""
    texts = dict(_blanks())
    said = []
    for path in sorted(filter(Path.is_file, lessons.BLANKS.rglob("*"))):
        if any(part in SKIPPED for part in path.parts):
            continue
        if path not in texts:
            said.append(f"{build.name_of(path)} is not of the course, and stays out.")
        elif path.read_bytes() != texts[path].encode():
            said.append(f"{build.name_of(path)} has been changed; the bundle has it as built.")
    return said


def _stays_out(path: Path) -> bool:
    name = path.as_posix()
    below = any(name == left or name.startswith(f"{left}/") for left in LEFT_OUT)
    grades = any((PROJECT / folder / "grading.json").exists() for folder in path.parents)
    return below or grades or any(p in SKIPPED for p in path.parts) or path.suffix == ".pyc"


def write(target: Path) -> int:
    """Write the bundle as a zip, whole or not at all. Returns the number of files.

    Raises CannotRelease.
    """
    if target.is_dir():
        raise CannotRelease(f"{target} is a folder: name a file, for instance course.zip in it.")
    if not target.parent.is_dir():
        raise CannotRelease(f"There is no folder {target.parent}: make it, or name another.")
    try:
        chosen = files()
    except lessons.LessonError as error:
        raise CannotRelease(f"A lesson cannot be built: {error}.") from None
    try:
        _write(target, chosen)
    except OSError as error:
        raise CannotRelease(f"{target} cannot be written: {error.strerror or error}.") from None
    return len(chosen)


def _write(target: Path, chosen: dict[str, bytes]) -> None:
    partial = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bundle:
            for name, content in chosen.items():
                entry = zipfile.ZipInfo(f"batch-norm-and-dropout/{name}", TIME)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                bundle.writestr(entry, content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
