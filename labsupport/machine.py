"""`environment`: what this notebook runs on, for the first lesson and for bug reports."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from labsupport import cards
from labsupport.data import SHIPPED

NEEDED = ("numpy", "tensorflow", "tf_keras", "matplotlib", "ipywidgets", "jupyterlab")


def environment() -> cards.Card:
    """A card with the versions that this kernel uses, and what is missing."""
    python = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 10) <= sys.version_info[:2] < (3, 14)
    rows = [("Python", f"{python} on {platform.system()}", fits)]
    for name in NEEDED:
        try:
            rows.append((name, metadata.version(name), True))
        except metadata.PackageNotFoundError:
            rows.append((name, "missing", False))
    rows.append(("MNIST digits", "5,000" if SHIPPED.exists() else "missing", SHIPPED.exists()))
    return cards.environment_card(rows)
