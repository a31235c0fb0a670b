"""The student's bundle: the course without answers, and without what only its makers need."""

from __future__ import annotations

import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]

#: What goes in, and below it what stays out: grading and authoring need `solutions/`.
PARTS = ("README.md", "requirements.txt", "pyproject.toml", "notebooks", "labsupport")
LEFT_OUT = ("labsupport/grading", "labsupport/authoring", "labsupport/release.py")
SKIPPED = ("__pycache__", ".ipynb_checkpoints")
TIME = (2020, 1, 1, 0, 0, 0)  # equal trees give equal bundles


class CannotRelease(Exception):
    """The bundle cannot be made; one sentence."""


def files() -> list[Path]:
    """The bundle's files, relative to the course's folder, in order."""
    found = []
    for part in PARTS:
        path = PROJECT / part
        if not path.exists():
            raise CannotRelease(f"{part} is missing, so this is no whole copy of the course.")
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    relative = sorted(p.relative_to(PROJECT) for p in found)
    return [p for p in relative if not _stays_out(p)]


def _stays_out(path: Path) -> bool:
    name = path.as_posix()
    below = any(name == left or name.startswith(f"{left}/") for left in LEFT_OUT)
    return below or any(part in SKIPPED for part in path.parts) or path.suffix == ".pyc"


def write(target: Path) -> int:
    """Write the bundle as a zip, at once or not at all. Returns the number of files.

    Raises CannotRelease.
    """
    if target.is_dir():
        raise CannotRelease(f"{target} is a folder: name a file, for instance course.zip in it.")
    if not target.parent.is_dir():
        raise CannotRelease(f"There is no folder {target.parent}: make it, or name another.")
    chosen = files()
    try:
        _write(target, chosen)
    except OSError as error:
        raise CannotRelease(f"{target} cannot be written: {error.strerror or error}.") from None
    return len(chosen)


def _write(target: Path, chosen: list[Path]) -> None:
    partial = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bundle:
            for path in chosen:
                entry = zipfile.ZipInfo(f"batch-norm-and-dropout/{path.as_posix()}", TIME)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                bundle.writestr(entry, (PROJECT / path).read_bytes())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
