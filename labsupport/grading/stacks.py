"""Which warm process a lesson needs: what its setup cells import decides."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from labsupport import exercises
from labsupport.vocabulary import Exercise

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

#: Exercises whose probes handle what cannot be handed out of the process that made it (Keras's
#: objects, files): they run where the answer is, which could say of itself what they would. So
#: whatever part is looked at, there are numbers or names that follow from the case's inputs.
PROBED_INSIDE = frozenset(
    {"mnist-audit", "mnist-restore", "k-train-step", "k-dropout", "k-layer", "k-freeze"}
)
#: Of lessons with TensorFlow, those whose probes only handle numbers: they run in the grader.
PROBED_OUTSIDE = frozenset({"cd-predict", "dr-output"})


def where_probed(exercise: Exercise) -> str:
    """Where the probe of an exercise runs.

    "outside": in the grader. "beside": in a clean process beside the submission's, since it needs
    TensorFlow. "inside": in the submission's process.
    """
    if exercise.id in PROBED_INSIDE:
        return "inside"
    numbers = exercise.lesson == "11_clinic" or exercise.id in PROBED_OUTSIDE
    if numbers or kind_of(exercise.lesson) == "numpy":
        return "outside"
    return "beside"


#: What students' own cells often import beside what the lesson does.
USUAL = ("IPython.display", "IPython.core.inputtransformer2")
#: What takes time to import and few of them want: when the first does, it is imported for all.
ON_DEMAND = ("matplotlib.pyplot", "matplotlib.font_manager")
_DRAWS = re.compile(r"matplotlib|pylab|\b(figures\.\w+|explore|draw)\(")


def on_demand(sources: Iterable[str]) -> tuple[str, ...]:
    """What of ON_DEMAND the code of these cells seems to want."""
    return ON_DEMAND if any(map(_DRAWS.search, sources)) else ()


@lru_cache
def imports_of(lesson: str) -> frozenset[str]:
    """The modules that the setup cells of a lesson's blank notebook import."""
    notebook = json.loads((NOTEBOOKS / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    found: set[str] = set()
    for cell in notebook["cells"]:
        if cell["metadata"].get("labsupport", {}).get("role") != "setup":
            continue
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{name.name}" for name in node.names}
                found |= {node.module, *filter(_is_own_module, inner)}
    return frozenset(found)


def _is_own_module(name: str) -> bool:
    """Whether a name is a module of this package, and not a function in one."""
    path = NOTEBOOKS.parent.joinpath(*name.split("."))
    return name.startswith("labsupport.") and (path.is_dir() or path.with_suffix(".py").exists())


@lru_cache
def kind_of(lesson: str) -> str:
    """The kind of warm process that runs a lesson: "numpy", "tf1" or "tf2"."""
    imported = imports_of(lesson)
    for kind in ("tf1", "tf2"):
        if f"labsupport.{kind}" in imported:
            return kind
    return "numpy"


def modules_of(kind: str) -> list[str]:
    """What a warm process of a kind imports, TensorFlow first."""
    found = {
        module
        for lesson in exercises.LESSONS
        if kind_of(lesson) == kind
        for module in imports_of(lesson)
    }
    stack = [m for m in ("labsupport.tf1", "labsupport.tf2") if m in found]
    return [*stack, *sorted(found - set(stack)), *USUAL]
