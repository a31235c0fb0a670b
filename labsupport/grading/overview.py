"""`class.html`: what an instructor wants to know of a class, on one page without JavaScript."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from labsupport.grading.feedback import INDEX, Addresses
from labsupport.grading.paper import (
    code_line,
    graded_of,
    href,
    lesson_title,
    one_line,
    page,
    put,
    total_of,
)
from labsupport.grading.records import ExerciseResult, PartResult, Result

TO_TEACH = 5  # mistakes on Monday's list
GROUPS = 12  # of unnamed wrong answers, in each exercise
KINDS = ("right", "partly", "wrong", "open")  # of an exercise, in the order of the bars
UNNAMED = ("wrong", "raised", "slow", "unusable")


@dataclass(frozen=True)
class Who:
    """A student as the page names them, and the address of the page of feedback."""

    name: str
    href: str


@dataclass
class Finding:
    """A mistake, or wrong answers without a name, and who gave it. Each student once.

    after: those of them whose answer calls others that are wrong. among: the students graded in
    the lessons where it was made.
    """

    text: str
    question: str = ""
    code: str = ""
    who: dict[str, Who] = field(default_factory=dict)
    where: Counter[str] = field(default_factory=Counter)
    after: set[str] = field(default_factory=set)
    lessons: int = 0
    among: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.who)


@dataclass
class ExerciseView:
    """What a class did with one exercise."""

    id: str
    title: str
    points: int
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    parts: dict[str, list] = field(default_factory=dict)  # title, right, of, waiting
    mistakes: dict[str, Finding] = field(default_factory=dict)
    unnamed: dict[str, Finding] = field(default_factory=dict)
    unexplained: dict[str, Who] = field(default_factory=dict)
    after: set[str] = field(default_factory=set)  # whose wrong answer calls others that are wrong

    @property
    def tried(self) -> int:
        return sum(self.counts.values())

    @property
    def waits(self) -> bool:
        return any(waiting for *_, waiting in self.parts.values())

    @property
    def says_more(self) -> bool:
        """Whether there is more to say of it than its row in the table."""
        return bool(self.mistakes or self.unnamed or self.counts["partly"])


@dataclass
class LessonView:
    title: str
    points: int
    graded: set[str] = field(default_factory=set)  # students
    refused: int = 0
    late: int = 0
    scores: list[float] = field(default_factory=list)
    exercises: dict[str, ExerciseView] = field(default_factory=dict)

    @property
    def handed_in(self) -> int:
        return len(self.graded) + self.refused

    @property
    def median(self) -> str:
        return f"{median(self.scores):.0f}"


def write(
    path: Path,
    students: Mapping[str, Sequence[Result]],
    lessons: Mapping[str, Mapping[str, int]],
    addresses: Addresses,
    facts: Mapping[str, Any],
    unfinished: str = "",
) -> None:
    put(path, class_page(students, lessons, addresses, facts, unfinished))


def class_page(
    students: Mapping[str, Sequence[Result]],
    lessons: Mapping[str, Mapping[str, int]],
    addresses: Addresses,
    facts: Mapping[str, Any],
    unfinished: str = "",
) -> str:
    """The page. Equal verdicts and facts give equal pages.

    unfinished: that there is more to be graded, in a sentence.
    """
    views = {
        lesson: LessonView(lesson_title(lesson), sum(points.values()))
        for lesson, points in lessons.items()
    }
    rows, troubles, percents = [], [], []
    most = sum(view.points for view in views.values())
    for student, results in students.items():
        places = [href(*parts) for parts in addresses[student]]
        shown = one_line(student, 80)
        for result, place in zip(results, places, strict=True):
            who = Who(shown, place)
            if result.lesson:
                _add(views[result.lesson], result, lessons[result.lesson], who)
            if result.problem or result.events or result.remarks:
                troubles.append(_trouble(result, who))
        own = {r.lesson: (r, place) for r, place in zip(results, places, strict=True)}
        total = total_of(results, [*lessons])
        percents += [] if total is None else [100 * total / most if most else 0]
        rows.append(
            {
                "name": shown,
                "href": _first_page(addresses[student]),
                "points": "not graded" if not graded_of(results) else total,
                "cells": [_cell(own.get(lesson)) for lesson in lessons],
            }
        )
    return page(
        "class.html",
        "class.css",
        students=rows,
        lessons=list(views.values()),
        most=most,
        unfinished=one_line(unfinished),
        submissions=sum(map(len, students.values())),
        refused=sum(r.status != "graded" for results in students.values() for r in results),
        summary=_summary(percents),
        chart=histogram(percents) if percents else None,
        graded=sum(len(graded_of(results)) for results in students.values()),
        late=sum(_late(r) for results in students.values() for r in results),
        left_out=len(rows) - len(percents),
        teach=_teach(views.values()),
        nameless=_nameless(views.values()),
        hardest=_hardest(views.values()),
        troubles=sorted(troubles, key=lambda t: (not t["problem"], not t["events"])),
        facts={one_line(str(k), 40): one_line(str(v), 200) for k, v in facts.items()},
        kinds=KINDS,
        groups=GROUPS,
        ranked=_ranked,
    )


# ---------------------------------------------------------------- counting


def _add(view: LessonView, result: Result, points: Mapping[str, int], who: Who) -> None:
    view.late += _late(result)
    if result.status != "graded":
        view.refused += 1
        return
    view.graded.add(result.student)
    view.scores.append(100 * result.points / view.points if view.points else 0)
    found = {exercise.id: exercise for exercise in result.exercises}
    for id, most in points.items():
        if id not in view.exercises:
            view.exercises[id] = ExerciseView(one_line(id, 60), "", most)
        if id in found:
            _add_exercise(view.exercises[id], found[id], result.student, who)


def _add_exercise(view: ExerciseView, result: ExerciseResult, student: str, who: Who) -> None:
    view.title = view.title or one_line(result.title, 200)
    view.counts[_kind(result)] += 1
    if result.note:
        view.after.add(student)
    for part in result.parts:
        counted = view.parts.setdefault(part.id, [one_line(part.title, 200), 0, 0, 0])
        counted[1] += part.outcome == "right"
        counted[2] += 1
        counted[3] += part.outcome == "waiting"
        if part.mistake:
            own = view.mistakes
            finding = own.setdefault(
                part.mistake,
                Finding(one_line(part.mistake_name or part.message), one_line(part.question)),
            )
            finding.who[student] = who
            finding.after |= view.after & {student}
        elif part.outcome in UNNAMED:
            text, code = _private(part)
            own = view.unnamed.setdefault(_gist(f"{text} {code}"), Finding(text, code=code))
            own.who[student] = who
            view.unexplained[student] = who


def _late(result: Result) -> bool:
    return result.ids.get("late") == "yes"


def _kind(result: ExerciseResult) -> str:
    if all(part.outcome == "right" for part in result.parts):
        return "right"
    if all(part.outcome == "not attempted" for part in result.parts):
        return "open"
    return "partly" if result.points else "wrong"


def _private(part: PartResult) -> tuple[str, str]:
    """What the judge said, for the instructor; and the code that failed, "" if there is none."""
    text, _, code = (part.private or part.message).partition("\n")
    return one_line(text, 400) or part.outcome, code_line(code.strip())


def _gist(text: str) -> str:
    """The same for answers that are wrong in the same way: without numbers and cases."""
    text = re.sub(r"\d[\d.e+-]*", "0", text)
    return re.sub(r"\([^()]*\)", "", text)


def _ranked(findings: Mapping[str, Finding]) -> list[Finding]:
    """Most frequent first."""
    return sorted(findings.values(), key=lambda f: (-f.count, f.text))


def _teach(views: Iterable[LessonView]) -> list[Finding]:
    """What most students got wrong, one mistake counted once though it is made in two places.

    Not where an answer only calls another one that is wrong. Of those that equally many made, first
    what is made in most exercises, then in the course's order.
    """
    merged: dict[str, Finding] = {}
    for view in views:
        made = set()
        for exercise in view.exercises.values():
            for mistake in exercise.mistakes.values():
                own = {s: who for s, who in mistake.who.items() if s not in exercise.after}
                if not own:
                    continue
                one = merged.setdefault(mistake.text, Finding(mistake.text, mistake.question))
                one.who.update(own)
                one.where[exercise.id] += len(own)
                made.add(mistake.text)
        for text in made:
            merged[text].lessons += 1
            merged[text].among |= view.graded
    return sorted(merged.values(), key=lambda f: (-f.count, -len(f.where)))[:TO_TEACH]


def _nameless(views: Iterable[LessonView]) -> list[tuple[str, int]]:
    """The exercises that several students got wrong without a mistake that has a name; how many.

    Most first. Not who made one with a name, too, or only calls another answer that is wrong.
    """
    counts = {}
    for exercise in (exercise for view in views for exercise in view.exercises.values()):
        named = {student for mistake in exercise.mistakes.values() for student in mistake.who}
        counts[exercise.id] = len(exercise.unexplained.keys() - named - exercise.after)
    several = [(name, count) for name, count in counts.items() if count > 1]
    return sorted(several, key=lambda pair: -pair[1])[:TO_TEACH]


def _hardest(views: Iterable[LessonView]) -> ExerciseView | None:
    """The exercise with the smallest share of right answers, if anybody got one wrong."""
    tried = [e for view in views for e in view.exercises.values() if e.counts["right"] < e.tried]
    return min(tried, key=lambda e: (e.counts["right"] / e.tried, e.id), default=None)


def _trouble(result: Result, who: Who) -> dict[str, Any]:
    return {
        "who": who,
        "lesson": lesson_title(result.lesson) if result.lesson else "",
        "source": one_line(result.source, 200) if result.source != result.student else "",
        "problem": one_line(result.problem),
        "events": [one_line(event) for event in result.events],
        "remarks": [one_line(remark) for remark in result.remarks],
    }


def _first_page(places: Sequence[tuple[str, str, str]]) -> str:
    """A student's only page of feedback, or the list of them."""
    first = places[0]
    return href(*first) if len(places) == 1 else href(*first[:-1], INDEX)


def _cell(own: tuple[Result, str] | None) -> dict[str, Any]:
    if own is None:
        return {"text": "–", "href": "", "late": False}
    result, place = own
    text = str(result.points) if result.status == "graded" else "not graded"
    return {"text": text, "href": place, "late": _late(result)}


# ---------------------------------------------------------------- distribution


def _summary(percents: Sequence[float]) -> str:
    """The distribution in words."""
    if len(percents) < 2:
        return ""
    ordered = sorted(percents)
    half = len(ordered) // 2
    low, high = median(ordered[:half]), median(ordered[-half:])
    return (
        f"Median {median(ordered):.0f} %; the middle half of the class lies between {low:.0f} % "
        f"and {high:.0f} %."
    )


def histogram(percents: Sequence[float]) -> dict[str, Any]:
    """Ten bars as numbers to draw: of 0-9 %, 10-19 %, … and 90-100 %."""
    counts = [0] * 10
    for percent in percents:
        counts[max(0, min(9, int(percent // 10)))] += 1
    top = max(1, *counts)
    step = next(s for s in _steps() if top / s <= 5)
    ceiling = step * -(-top // step)
    height, width, left, base = 150, 54, 46, 170
    bars = [
        {
            "x": left + n * width + 3,
            "y": round(base - height * count / ceiling, 1),
            "width": width - 6,
            "height": round(height * count / ceiling, 1),
            "count": count,
            "label": f"{10 * n} to {10 * n + 9 if n < 9 else 100} %: {count}",
        }
        for n, count in enumerate(counts)
    ]
    ticks = [
        {"y": round(base - height * n / ceiling, 1), "label": n}
        for n in range(0, ceiling + 1, step)
    ]
    edges = [{"x": left + n * width, "label": 10 * n} for n in range(11)]
    return {
        "bars": bars,
        "ticks": ticks,
        "edges": edges,
        "left": left,
        "right": left + 10 * width,
        "base": base,
        "text": "; ".join(bar["label"] for bar in bars if bar["count"]),
    }


def _steps():
    size = 1
    while True:
        yield from (size, 2 * size, 5 * size)
        size *= 10
