"""`check`, `hint` and `progress`: what a student calls."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labsupport import cards, exercises, keys
from labsupport.judge import judge, missing
from labsupport.observe import observe
from labsupport.vocabulary import Exercise, Verdict

PROJECT = Path(__file__).resolve().parent.parent

_hints_shown: dict[str, int] = {}
_points_now: dict[str, int] = {}  # of this session, kept or not


def check(exercise_id: str) -> float | None:
    """Find the answer in this notebook, try it, and show the verdict.

    Shows a card in a notebook and prints it elsewhere. Returns None; under nbgrader's autograder
    it returns the points instead, which nbgrader records as partial credit.
    """
    try:
        exercise = exercises.find(exercise_id)
    except exercises.UnknownExercise as error:
        return _show(cards.message_card(str(error)))
    try:
        keys.load(exercise.id)
    except FileNotFoundError:
        return _show(
            cards.message_card(
                f"The answer key of `{exercise.id}` is not in this copy of the course. "
                "Take a fresh copy, or run `python3 -m labsupport build` if you wrote the lesson."
            )
        )
    verdict = verdict_of(exercise, _namespace())
    _remember(verdict)
    _show(cards.verdict_card(verdict))
    return _for_nbgrader(verdict)


def verdict_of(exercise: Exercise, namespace: Mapping[str, Any]) -> Verdict:
    """Try the answer that a namespace holds on the visible cases."""
    if exercise.answer not in namespace:
        return missing(exercise, _not_found(exercise, namespace))
    cases = exercise.visible_cases()
    seen = observe(exercise, namespace[exercise.answer], cases)
    return judge(exercise, cases, keys.load(exercise.id), seen)


def hint(exercise_id: str) -> None:
    """Show the next hint for an exercise, after those already seen."""
    try:
        exercise = exercises.find(exercise_id)
    except exercises.UnknownExercise as error:
        return _show(cards.message_card(str(error)))
    count = min(_hints_shown.get(exercise.id, 0) + 1, len(exercise.hints))
    _hints_shown[exercise.id] = count
    return _show(cards.hint_card(exercise, exercise.hints[:count]))


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


def _namespace() -> Mapping[str, Any]:
    """The notebook's names; in a plain script, those of whoever called `check`."""
    shell = _shell()
    return shell.user_ns if shell is not None else sys._getframe(2).f_globals


def _shell():
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _show(card: cards.Card) -> None:
    if _shell() is None:
        print(card.text)
        return
    from IPython.display import display

    display(card)


def _not_found(exercise: Exercise, namespace: Mapping[str, Any]) -> str:
    names = [n for n in namespace if isinstance(n, str) and not n.startswith("_")]
    near = difflib.get_close_matches(exercise.answer, names, n=1, cutoff=0.75)
    if near:
        return (
            f"Looked for `{exercise.answer}` and did not find it, but there is `{near[0]}`. "
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
        return Path(folder) / "progress.json"
    if (PROJECT / "solutions") in (Path.cwd(), *Path.cwd().parents):
        return None
    return PROJECT / ".labsupport" / "progress.json"


def _stored() -> dict[str, int]:
    """Best points by exercise. An unreadable file counts as an empty one."""
    file = _state_file()
    try:
        kept = json.loads(file.read_text(encoding="utf-8")) if file else {}
        return {str(k): int(v) for k, v in kept["points"].items()} if kept else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(verdict: Verdict) -> None:
    _points_now[verdict.exercise] = max(verdict.points, _points_now.get(verdict.exercise, 0))
    file, best = _state_file(), _stored()
    if file is None or best.get(verdict.exercise, -1) >= verdict.points:
        return
    best[verdict.exercise] = verdict.points
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.write_text(json.dumps({"points": best}, indent=1), encoding="utf-8")
        os.replace(fresh, file)
    except OSError:
        pass  # a read-only course still checks; it only forgets


# ---------------------------------------------------------------- nbgrader


def _for_nbgrader(verdict: Verdict) -> float | None:
    """What nbgrader's own runs need: a score to record, or an error to show."""
    mode = os.environ.get("NBGRADER_EXECUTION")
    if mode == "autograde":
        return float(verdict.points)
    if mode == "validate" and verdict.points < verdict.max_points:
        raise AssertionError(cards.verdict_card(verdict).text)
    return None
