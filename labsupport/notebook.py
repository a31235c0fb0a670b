"""`check`, `hint`, `needs` and `progress`: what a notebook calls."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

from labsupport import cards, exercises, keys
from labsupport.judge import judge, missing
from labsupport.observe import observe
from labsupport.stub import is_stub, names_in
from labsupport.vocabulary import Exercise, Verdict

PROJECT = Path(__file__).resolve().parent.parent

_hints_shown: dict[str, int] = {}
_points_now: dict[str, int] = {}  # of this session, kept or not


def check(exercise_id: str) -> float | None:
    """Find the answer in this notebook, try it, and show the verdict.

    Shows a card in a notebook and prints it elsewhere. Returns None; under nbgrader's autograder
    it returns the points instead, which nbgrader records as partial credit.
    """
    exercise = _find(exercise_id)
    if exercise is None:
        return _for_nbgrader(0, 1, f"There is no exercise {exercise_id!r}.")
    try:
        keys.load(exercise.id)
    except (OSError, ValueError, LookupError, TypeError) as error:
        what = "not in this copy of the course" if isinstance(error, OSError) else "damaged"
        sentence = (
            f"The answer key of `{exercise.id}` is {what}. "
            "Take a fresh copy, or run `python3 -m labsupport build` if you wrote the lesson."
        )
        _show(cards.message_card(sentence))
        return _for_nbgrader(0, exercise.points, sentence)
    if _failed_before(exercise.answer):
        _show(
            cards.message_card(
                f"The last run of the cell with `{exercise.answer}` failed, so this is about the "
                "version before it. Mend the cell, run it, and check again."
            )
        )
    verdict = verdict_of(exercise, _namespace())
    _remember(verdict)
    card = cards.verdict_card(verdict)
    _show(card)
    return _for_nbgrader(verdict.points, verdict.max_points, card.text)


def verdict_of(exercise: Exercise, namespace: Mapping[str, Any]) -> Verdict:
    """Try the answer that a namespace holds on the visible cases."""
    if exercise.answer not in namespace:
        return missing(exercise, _not_found(exercise, namespace))
    answer = namespace[exercise.answer]
    verdict = _judged(exercise, answer)
    if verdict.outcome in ("right", "not attempted", "slow"):
        return verdict
    used = [e for e in exercises.called(exercise, names_in(answer)) if e.answer in namespace]
    begin = exercises.begin_with(used, {e.id: _judged(e, namespace[e.answer]) for e in used})
    note = " ".join(filter(None, (begin, verdict.note)))
    return replace(verdict, note=note)


def _judged(exercise: Exercise, answer: Any) -> Verdict:
    cases = exercise.visible_cases()
    return judge(exercise, cases, keys.load(exercise.id), observe(exercise, answer, cases))


def hint(exercise_id: str) -> None:
    """Show the next hint for an exercise, after those already seen."""
    exercise = _find(exercise_id)
    if exercise is None:
        return None
    count = min(_hints_shown.get(exercise.id, 0) + 1, len(exercise.hints))
    _hints_shown[exercise.id] = count
    return _show(cards.hint_card(exercise, exercise.hints[:count]))


def needs(*exercise_ids: str) -> None:
    """Go on only if these exercises have answers, right or wrong.

    Raises NotImplementedError, with a sentence and no traceback, for the first that has none.
    """
    names = _namespace()
    for exercise in map(exercises.find, exercise_ids):
        if exercise.answer not in names or is_stub(names[exercise.answer]):
            raise _not_answered(exercise)


def _not_answered(exercise: Exercise) -> NotImplementedError:
    sentence = f"This cell goes on with `{exercise.answer}`: answer `{exercise.id}` first."
    error = NotImplementedError(sentence)
    error._render_traceback_ = lambda: [f"NotImplementedError: {sentence}"]  # IPython asks for it
    return error


def progress() -> None:
    """Show the best result so far, lesson by lesson."""
    _show(progress_card())


def progress_card() -> cards.Card:
    """The progress card from the stored results and this session's."""
    best = _stored()
    for exercise_id, points in _points_now.items():
        best[exercise_id] = max(points, best.get(exercise_id, 0))
    rows = []
    for lesson in exercises.LESSONS:
        of_lesson = exercises.of_lesson(lesson)
        points = sum(min(best.get(e.id, 0), e.points) for e in of_lesson)
        full = sum(e.points for e in of_lesson)
        title = lesson.replace("_", " ")
        percent = 100 * points // full
        rows.append(dict(title=title, points=points, max_points=full, percent=percent))
    points, full = sum(r["points"] for r in rows), sum(r["max_points"] for r in rows)
    todo = next((r["title"] for r in rows if r["points"] < r["max_points"]), None)
    foot = f"Next: {todo}." if todo else "Every exercise is right."
    return cards.progress_card(rows, points, full, foot)


# ---------------------------------------------------------------- where things are


def _find(exercise_id: Any) -> Exercise | None:
    """The exercise, or None after saying what is wrong with its name."""
    try:
        return exercises.find(exercise_id)
    except exercises.UnknownExercise as error:
        sentence = str(error)
    if not isinstance(exercise_id, str):
        named = [e for e in exercises.all_exercises().values() if _is_named(exercise_id, e.answer)]
        example = named[0].id if named else next(iter(exercises.all_exercises()))
        sentence = f'The name of an exercise goes in quotes, for instance `"{example}"`.'
    return _show(cards.message_card(sentence))


def _is_named(answer: Any, name: str) -> bool:
    return isinstance(answer, FunctionType) and answer.__name__ == name


def _namespace() -> Mapping[str, Any]:
    """The notebook's names; in a plain script, those of whoever called `check`."""
    shell = _shell()
    return shell.user_ns if shell is not None else sys._getframe(2).f_globals


def _shell():
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _failed_before(answer: str) -> bool:
    """Whether the cell that ran before this one was to define the answer, and failed."""
    shell = _shell()
    if getattr(shell, "last_execution_succeeded", True):
        return False
    ran = shell.user_ns.get("In") or [""]
    pattern = rf"^\s*(def|class)\s+{answer}\b|^{answer}\s*="
    return re.search(pattern, ran[-2] if len(ran) > 1 else "", re.MULTILINE) is not None


def _show(card: cards.Card) -> None:
    if _shell() is None:
        coding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(card.text.encode(coding, "replace").decode(coding))  # no ✓ on some terminals
        return
    from IPython.display import display

    display(card)


def _not_found(exercise: Exercise, namespace: Mapping[str, Any]) -> str:
    near = exercises.names_like(exercise.answer, namespace)
    if near:
        return (
            f"Looked for `{exercise.answer}` and did not find it, but there is `{near}`. "
            "Is the name misspelt?"
        )
    return (
        f"Looked for `{exercise.answer}` and did not find it. "
        "Run the cell that defines it, then check again."
    )


# ---------------------------------------------------------------- remembering


def _state_file() -> Path | None:
    """Where results are kept; None for solved lessons, whose results are nobody's."""
    folder = os.environ.get("LABSUPPORT_STATE")
    if folder:
        return Path(folder) / "progress.jsonl"
    here = Path(os.getcwd())
    if (PROJECT / "solutions") in (here, *here.parents):
        return None
    return PROJECT / ".labsupport" / "progress.jsonl"


def _stored() -> dict[str, int]:
    """Best points by exercise. A line that cannot be read counts for nothing, so does a file."""
    best: dict[str, int] = {}
    try:
        file = _state_file()
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file else []
    except OSError:
        return best
    for line in lines:
        try:
            result = json.loads(line)
            exercise_id, points = str(result["exercise"]), int(result["points"])
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
            continue
        best[exercise_id] = max(points, best.get(exercise_id, 0))
    return best


def _remember(verdict: Verdict) -> None:
    """Add a line if the result is the best so far: one write, so notebooks may do it at once."""
    _points_now[verdict.exercise] = max(verdict.points, _points_now.get(verdict.exercise, 0))
    if verdict.points <= _stored().get(verdict.exercise, -1):
        return
    line = json.dumps({"exercise": verdict.exercise, "points": verdict.points})
    try:
        file = _state_file()
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "ab", buffering=0) as out:
                out.write(f"\n{line}\n".encode())  # its own line, even after half a one
    except OSError:
        pass  # a read-only course still checks; it only forgets


# ---------------------------------------------------------------- nbgrader


def _for_nbgrader(points: int, max_points: int, text: str) -> float | None:
    """What nbgrader's own runs need: a score to record, or an error to show."""
    mode = os.environ.get("NBGRADER_EXECUTION")
    if mode == "autograde":
        return float(points)
    if mode == "validate" and points < max_points:
        raise AssertionError(text)
    return None
