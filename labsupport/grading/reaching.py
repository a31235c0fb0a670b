"""Whether a cell's code might replace something in modules that it shares with the probes.

To look for that after it has run takes as long as a tenth of a NumPy submission (see guard.py), and
nearly all code can be seen to do nothing of the kind. No verdict depends on it: what is replaced is
only told to the instructor, and where a probe runs in the same process, it looks for itself.
"""

from __future__ import annotations

import ast
from functools import lru_cache

MAX_PARSED = 100_000  # characters
#: What gives a way to a module's names other than by an assignment that can be seen.
WAYS = frozenset(
    ["setattr", "delattr", "getattr", "exec", "eval", "compile", "vars", "globals", "locals"]
    + ["__import__", "__builtins__", "type", "get_ipython", "breakpoint"]
)
#: What may be imported without giving such a way.
HARMLESS = frozenset(
    ["__future__", "collections", "itertools", "labsupport", "math", "matplotlib", "numpy", "os"]
    + ["random", "statistics", "string", "tempfile", "tensorflow", "time", "typing", "warnings"]
)
USUAL = ("__init__", "__name__", "__call__", "__doc__", "__version__", "__file__")


@lru_cache(maxsize=1024)
def may_replace(source: str) -> bool:
    """Whether code might replace what modules hold. Runs nothing; in doubt it might."""
    if len(source) > MAX_PARSED:
        return True
    try:
        return any(map(_might, ast.walk(ast.parse(source))))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError):
        return True


def _might(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in WAYS
    if isinstance(node, ast.Attribute):
        if node.attr.startswith("__") and node.attr not in USUAL or node.attr == "modules":
            return True
        return not isinstance(node.ctx, ast.Load) and not _is_name(node.value, "self")
    if isinstance(node, ast.Import):
        return not all(_is_harmless(one.name) for one in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or not _is_harmless(node.module or "")
    return False


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_harmless(module: str) -> bool:
    """Of this course's package only what pages import: the rest is for those who look inside."""
    first, _dot, rest = module.partition(".")
    return first in HARMLESS and not (first == "labsupport" and rest.startswith("grading"))
