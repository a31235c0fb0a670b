"""How verdicts, hints and progress look: an HTML card and a plain text that says the same."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from labsupport.vocabulary import Exercise, PartVerdict, Verdict

MARKS = {"right": "✓", "wrong": "✗", "open": "○"}
TICKS = {"right": "✓", "not attempted": "○", "waiting": "○"}
WIDTH = 92


@dataclass(frozen=True)
class Card:
    """Something to show: `html` for a notebook, `text` for a terminal and for comparing."""

    html: str
    text: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


@lru_cache
def templates():
    """The environment that fills templates: every value is escaped."""
    import jinja2
    from markupsafe import Markup, escape

    def code(text: str) -> Markup:
        """`name` in a message becomes <code>; everything is escaped first."""
        return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["code"] = code
    return environment


def render(template: str, **values) -> str:
    """Fill a template of `templates/`; every value is escaped."""
    return templates().get_template(template).render(**values)


# ---------------------------------------------------------------- verdicts


def verdict_card(verdict: Verdict) -> Card:
    """The card of one verdict. The same verdict always gives the same card."""
    shown = what_a_verdict_shows(verdict)
    tone, headline, groups, note, ticks = (
        shown[name] for name in ("tone", "headline", "groups", "note", "ticks")
    )
    html = render("verdict.html", **shown)
    lines = [
        f"{MARKS[tone]} {verdict.exercise}: {headline}, "
        f"{verdict.points} of {_points(verdict.max_points)}"
    ]
    for group in groups:
        lines += _wrap(group["message"], "  ")
        if group["line"]:
            lines.append(_cut(f"      line {group['line_number']}: {group['line']}"))
        lines += _wrap(group["question"], "  → ")
        lines += _wrap(group["where"] and f"Seen with {group['where']}", "    ")
    for part in verdict.parts:
        title = part.part.title.replace("`", "")
        lines.append(f"  {ticks[part.outcome]} {title} ({part.points}/{part.part.points})")
    if note and tone != "right":
        lines += _wrap(note, "  ")
    return Card(html, "\n".join(lines))


def what_a_verdict_shows(verdict: Verdict) -> dict:
    """The values of `verdict.html`, and of `verdict_body.html`, which is the card without style."""
    tone = _tone(verdict)
    return {
        "verdict": verdict,
        "tone": tone,
        "headline": _headline(verdict, tone),
        "groups": _findings(verdict),
        "note": _printable(verdict.note),
        "marks": MARKS,
        "ticks": {part.outcome: TICKS.get(part.outcome, "✗") for part in verdict.parts},
    }


def _tone(verdict: Verdict) -> str:
    if verdict.outcome == "right":
        return "right"
    return "open" if all(p.outcome == "not attempted" for p in verdict.parts) else "wrong"


def _headline(verdict: Verdict, tone: str) -> str:
    if tone == "right":
        return "Right"
    if tone == "open":
        return "Not attempted yet"
    outcomes = [part.outcome for part in verdict.parts]
    if "slow" in outcomes:
        return "Too slow"
    if all(o in ("raised", "not attempted") for o in outcomes):
        return "It stops with an error"
    return "Not right yet" if "right" not in outcomes else "Partly right"


def _findings(verdict: Verdict) -> list[dict]:
    """What to say, each thing once even if it cost several parts."""
    groups: dict[str, dict] = {}
    for part in verdict.parts:
        # Numbers may differ from case to case, and one line of code is said once.
        same = re.sub(r"\d[\d.e+-]*", "0", part.message)
        if part.outcome == "raised" and part.line:
            same = f"line {part.line_number}"
        if part.outcome != "right" and part.message and same not in groups:
            message = _printable(part.message)
            groups[same] = {
                "message": message + ("" if message[-1] in ".?!)" else "."),
                "question": _printable(part.question),
                "line": _printable(part.line),
                "line_number": part.line_number,
                "where": _where(part),
            }
    return list(groups.values())


def _where(part: PartVerdict) -> str:
    """The case that a message is about; and whether it is the only wrong one."""
    if part.only:
        return f"{_printable(part.only)}; every other case is right."
    return f"{_printable(part.where)}." if part.where else ""


# ---------------------------------------------------------------- hints and progress


def hint_card(exercise: Exercise, shown: Sequence[str]) -> Card:
    """The hints seen so far, the newest last."""
    total = len(exercise.hints)
    foot = "That was the last one." if len(shown) == total else "Run it again for the next one."
    html = render("hint.html", title=exercise.title, shown=shown, total=total, foot=foot)
    lines = [f"Hint {len(shown)} of {total} for {exercise.id}"]
    lines += [line for text in shown for line in _wrap(text, "  - ")]
    return Card(html, "\n".join([*lines, "  " + foot]))


def progress_card(rows: Sequence[Mapping], points: int, max_points: int, foot: str) -> Card:
    """One row per lesson: title, points, max_points, percent."""
    finished = points == max_points
    headline = "Course finished" if finished else "Your progress"
    html = render(
        "progress.html",
        headline=headline,
        rows=rows,
        points=points,
        max_points=max_points,
        foot=foot,
    )
    lines = [f"{headline}: {points} of {_points(max_points)}"]
    for row in rows:
        bar = "#" * round(row["percent"] / 10)
        lines.append(f"  {row['title']:<34} {bar:<10} {row['points']:>3}/{row['max_points']}")
    return Card(html, "\n".join([*lines, *_wrap(foot, "  ")]))


def environment_card(rows: Sequence[tuple[str, str, bool]]) -> Card:
    """What a kernel runs on: rows of name, version, and whether it is as it should be."""
    fine = all(there for _, _, there in rows)
    headline = "Everything is in place" if fine else "Something is missing"
    foot = "Close this page and start the course with `python3 -m labsupport` in its folder."
    html = render("environment.html", rows=rows, fine=fine, headline=headline, foot=foot)
    lines = [f"  {'✓' if there else '✗'} {name} {version}" for name, version, there in rows]
    return Card(html, "\n".join([headline, *lines, *([] if fine else _wrap(foot, "  "))]))


def message_card(text: str) -> Card:
    """One sentence, for instance about an unknown exercise."""
    text = _printable(text)
    return Card(render("message.html", text=text), "\n".join(_wrap(text, "")))


def _points(number: int) -> str:
    return f"{number} point" if number == 1 else f"{number} points"


def _printable(text: str) -> str:
    """Without what would move a terminal's cursor, turn the writing round or be no text at all."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _wrap(text: str, indent: str) -> list[str]:
    rest = " " * len(indent)
    text = text.replace("`", "")
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=rest)


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
