"""Answers that were given in an earlier lesson, for cells that go on with them."""

from __future__ import annotations

import ast
import contextlib
import json
from pathlib import Path
from typing import Any

from labsupport import exercises
from labsupport.stub import is_stub

DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def answer_to(exercise_id: str) -> Any:
    """Your answer to an exercise of another lesson, from that lesson's notebook beside this one.

    Runs the saved notebook's setup cells and answers, and what cells added to it define; none of
    its demonstrations. Raises NotImplementedError, with a sentence, if there is no answer yet.
    """
    exercise = exercises.find(exercise_id)
    path = Path(f"{exercise.lesson}.ipynb")
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        raise NotImplementedError(
            f"`{exercise_id}` is an exercise of {exercise.lesson}, and that notebook is not here."
        ) from None
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        role = cell["metadata"].get("labsupport", {}).get("role", "added")
        if cell["cell_type"] != "code" or role not in ("setup", "answer", "added"):
            continue
        with contextlib.suppress(Exception):  # other answers may be missing or broken
            tree = ast.parse("".join(cell["source"]))
            if role == "added":
                tree.body = [part for part in tree.body if isinstance(part, DEFINITIONS)]
            exec(compile(tree, f"<{path.stem}>", "exec"), names)
    if exercise.answer not in names or is_stub(names[exercise.answer]):
        raise NotImplementedError(
            f"There is no `{exercise.answer}` in {path.name} yet: answer `{exercise_id}` there, "
            "save that notebook, and run this cell again."
        )
    return names[exercise.answer]
