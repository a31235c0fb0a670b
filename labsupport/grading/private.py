"""Files for whoever grades alone: what hides the cases, and who has how many points.

Systems that know no such thing leave it out.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def open_private(path: Path, mode: str, **more):
    """As `open`; a file that is made here is its owner's only."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600), **more)


def put_private(path: Path, data: bytes) -> None:
    """Write such a file at once or not at all. Raises OSError."""
    partial = path.with_suffix(".part")
    partial.unlink(missing_ok=True)  # whatever its rights are
    try:
        with open_private(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def make_private(folder: Path) -> None:
    """A folder that is its owner's only, also if it is there already. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):  # somebody else's: who may write there may be meant to
        folder.chmod(0o700)
