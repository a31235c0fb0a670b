"""What stands in a student's notebook where an answer is due."""

from __future__ import annotations

import contextlib
import dis
import re
from types import CodeType
from typing import Any

TEXT = "your answer goes here"
NO_STEPS = ("CACHE", "PRECALL", "PUSH_NULL")  # stand between others in some versions of Python
STUB = f'raise NotImplementedError("{TEXT}")'
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


def without_solution(source: str) -> str:
    """An answer of a solved lesson with a stub where the solution stands."""
    pattern = re.compile(
        rf"^([ \t]*){re.escape(BEGIN)}[^\n]*\n.*?^[ \t]*{re.escape(END)}[^\n]*$", re.M | re.S
    )
    return pattern.sub(lambda match: match[1] + STUB, source)


def is_stub(answer: Any) -> bool:
    """Whether a function, or a method of a class, can still come to the stub.

    nbgrader's own stub is one too. Looks at the code and runs nothing. A stub that is left below a
    `return` cannot be come to.
    """
    with contextlib.suppress(Exception):  # a student's class may do anything when looked at
        parts = list(vars(answer).values()) if isinstance(answer, type) else [answer]
        return any(map(_holds_stub, parts))
    return False


def names_in(answer: Any) -> set[str]:
    """The names that the code of a function, or of a class's methods, mentions. Runs nothing."""
    found: set[str] = set()
    with contextlib.suppress(Exception):  # as above
        parts = list(vars(answer).values()) if isinstance(answer, type) else [answer]
        todo = [code for code in map(_code_of, parts) if code is not None]
        while todo:
            code = todo.pop()
            found.update(code.co_names)
            todo += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
    return found


def _holds_stub(function: Any) -> bool:
    code = _code_of(function)
    return code is not None and _comes_to_stub(code)


def _code_of(function: Any) -> CodeType | None:
    for name in ("__func__", "fget", "__wrapped__"):  # methods, properties, decorated functions
        function = getattr(function, name, function)
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _comes_to_stub(code: CodeType) -> bool:
    steps = [step for step in dis.get_instructions(code) if step.opname not in NO_STEPS]
    if any(step.argval == TEXT for step in steps) or _raises_bare(steps):
        return True
    return any(_comes_to_stub(inner) for inner in code.co_consts if isinstance(inner, CodeType))


def _raises_bare(steps: list[dis.Instruction]) -> bool:
    """Whether a NotImplementedError without a message is raised: nbgrader's stub."""
    for one, two, three in zip(steps, steps[1:], [*steps[2:], steps[-1]], strict=False):
        if one.argval == "NotImplementedError":
            called = two.opname.startswith("CALL") and two.arg == 0
            if (three if called else two).opname == "RAISE_VARARGS":
                return True
    return False
