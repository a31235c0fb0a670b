"""A folder or zip of hostile files -> submissions. Nothing is written, nothing is run.

`find` lists what there is to grade; `load` reads one of them. A `Found` is small and can be sent to
another process. Whatever a file holds, it gives one `Submission`: with cells, or with a problem in
one sentence.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from labsupport.grading import blanks
from labsupport.grading.listing import CannotRead, Notebook, Pile, Piles, first_of, piles_in
from labsupport.grading.names import who_in
from labsupport.grading.notebooks import lesson_in_name, read
from labsupport.grading.places import Place, Unreadable, bytes_of, printable
from labsupport.grading.records import Submission
from labsupport.grading.students import keys_for

__all__ = ["CannotRead", "Found", "Place", "find", "load"]

MAX_NOTEBOOKS = 60  # of one student
MANY = 4  # more for a lesson than this one student hardly has


@dataclass(frozen=True)
class Found:
    """A notebook to be graded, or the sentence why a student has none.

    name: of the file, as the student gave it. doubts: sentences for whoever grades, who may know
    better. Other fields as in `records.Submission`.
    """

    student: str
    source: str
    name: str
    place: Place
    problem: str = ""
    remarks: tuple[str, ...] = ()
    ids: dict[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()


def find(path: Path | str) -> list[Found]:
    """What there is to grade, in the order of students and names.

    A student who has handed in no notebook is there, with a problem. Of several notebooks of one
    student for one lesson there is the latest, with a remark. Raises CannotRead, and
    `blanks.NoBlank` if the course itself is damaged.
    """
    piles = piles_in(path)
    _doubt_numbers(piles)
    keys = keys_for(piles)
    found = [item for identity in piles for item in _choose(keys[identity], piles[identity])]
    return sorted(found, key=lambda item: (item.student, item.source))


def _doubt_numbers(piles: Piles) -> None:
    """Where two of one name, in one folder, may be one student in two of Moodle's assignments."""
    alike: dict[str, list[Pile]] = defaultdict(list)
    for (name, number), pile in piles.items():
        if number and pile.who.of_assignment and pile.notebooks and not pile.doubts:
            alike[name].append(pile)
    for name, own in alike.items():
        lessons = [{lesson_in_name(n.name) for n in pile.notebooks} for pile in own]
        if len(own) > 1 and len(set.union(*lessons)) == sum(map(len, lessons)):
            numbers = ", ".join(pile.who.number for pile in own)
            own[0].doubts.append(
                f"{printable(name, 60)}: the numbers {numbers} are those of several students, who "
                "handed in different lessons. If that is one, give each assignment's export a "
                "folder of its own."
            )


def load(found: Found) -> Submission:
    """Read one submission. Whatever is there, this gives a Submission.

    Raises `blanks.NoBlank` if the course itself is damaged.
    """
    known, lesson, cells, remarks, problem = "", "", (), [], found.problem
    try:
        if not problem:
            data = bytes_of(found.place)
            known = hashlib.sha256(data).hexdigest()
            lesson, cells, remarks = read(data, found.name)
    except Unreadable as error:
        problem = str(error)
        known = known or _digest_of_unread(problem, error.size)
    except blanks.NoBlank:
        raise
    except Exception as error:  # whatever it was: the rest of the class is graded
        problem = f"It cannot be read ({type(error).__name__})."
    return Submission(
        student=found.student,
        lesson=lesson or lesson_in_name(found.name),
        source=found.source,
        digest=known or _digest_of_unread(problem, 0),
        cells=cells,
        problem=problem,
        remarks=(*found.remarks, *remarks),
        ids=dict(found.ids),
    )


def _digest_of_unread(problem: str, size: int) -> str:
    return hashlib.sha256(f"unread {size}: {problem}".encode()).hexdigest()


# ---------------------------------------------------------------- which of a student's notebooks


def _choose(key: str, pile: Pile) -> list[Found]:
    """What of one student's pile is graded."""
    remarks = [*_about_links(pile), *_about_modules(pile), *pile.remarks]
    remarks = tuple(dict.fromkeys(remarks))[:10]
    problem = ""
    if not pile.notebooks:
        problem = _no_notebook(pile)
    elif len(pile.notebooks) > MAX_NOTEBOOKS:
        problem = f"There are {len(pile.notebooks):,} notebooks; send at most {MAX_NOTEBOOKS}."
    if problem:
        nothing = Found(key, key, "", Place(""), problem, remarks, dict(pile.who.ids))
        return [replace(nothing, doubts=tuple(pile.doubts))]
    groups: dict[str, list[tuple[tuple, Found]]] = {}
    by_lesson: dict[str, list[Notebook]] = defaultdict(list)
    for notebook, source in zip(pile.notebooks, _sources(pile.notebooks), strict=True):
        entry, ids = notebook.entry, dict(notebook.who.ids)
        item = Found(key, source, notebook.name, entry.place, entry.problem, (), ids)
        submission = load(item) if len(pile.notebooks) > 1 else None
        lesson, worth = (submission.lesson, _worth(submission)) if submission else ("", 0)
        order = (worth, notebook.attempt, entry.time, entry.path, source)
        groups.setdefault(lesson, []).append((order, item))
        if worth != 1:  # nobody's work is lost with a blank one
            by_lesson[lesson].append(notebook)
    found = [item for lesson, items in groups.items() for item in _latest(lesson, items)]
    remarks, doubts = (*remarks, *found[0].remarks), (*pile.doubts, *_doubts(key, by_lesson))
    return [replace(found[0], remarks=remarks, doubts=doubts), *found[1:]]


def _doubts(key: str, by_lesson: dict[str, list[Notebook]]) -> list[str]:
    """Where notebooks that are left out may be others'."""
    held: dict[tuple[str, str], list[str]] = defaultdict(list)
    for lesson, notebooks in by_lesson.items():
        if lesson and len(notebooks) > 1 and (doubt := _doubt(notebooks)):
            held[doubt].append(f"{len(notebooks)} notebooks for {lesson}")
    return [
        f"{printable(where or key)}: {', '.join(what)} are taken for those of one student, "
        f"{key}, and only one is graded. If they are several students', {todo}."
        for (where, todo), what in held.items()
    ]


def _doubt(notebooks: list[Notebook]) -> tuple[str, str] | None:
    """Where they lie, and what to do if they are several students'; None if they hardly are."""
    numbers = {notebook.who.number for notebook in notebooks}
    if len(numbers) == 1 and numbers != {""}:
        return None
    homes = sorted({"/".join(notebook.home) for notebook in notebooks})
    if len(homes) > 1:
        apart = any(notebook.who.of_assignment for notebook in notebooks)
        todo = "grade each assignment by itself" if apart else "give those different names"
        return " and ".join(homes), todo
    if sum(notebook.unsaid for notebook in notebooks) > 1:
        return homes[0], "put their names into the names of the files"
    own = set().union(*(who_in(part) for n in notebooks for part in (n.who.name, *n.home)))
    if len({_marks(notebook) - own for notebook in notebooks}) > 1:
        where = "/".join(os.path.commonprefix([n.entry.path[:-1] for n in notebooks]))
        return where, f"name the folder {printable(where)} as SUBMISSIONS"
    name = notebooks[0].who.name
    nobody = not who_in(name) and any(map(str.isalpha, name))  # "Lesson 1", not "17"
    if nobody or len(notebooks) > MANY:
        return homes[0], "give each a folder of its own"
    return None


def _marks(notebook: Notebook) -> frozenset[str]:
    """What the names below the student's say of who it is."""
    below = notebook.entry.path[len(notebook.home) :]
    return frozenset().union(*map(who_in, below))


def _sources(notebooks: list[Notebook]) -> Iterator[str]:
    """Where they lie, for reports; no two the same."""
    seen: Counter[str] = Counter()
    for notebook in notebooks:
        source = printable("/".join(notebook.entry.path), 500)
        seen[source] += 1
        yield source if seen[source] == 1 else f"{source} ({seen[source]})"


def _latest(lesson: str, items: list[tuple[tuple, Found]]) -> list[Found]:
    """Of a student's notebooks for one lesson the latest; all of those of no lesson."""
    ranked = sorted(items, key=lambda pair: pair[0], reverse=True)
    if not lesson or len(ranked) == 1:
        return [item for _order, item in ranked]
    order, graded = ranked[0]
    newer = [_UNWORTHY[own[0]] if own[1:3] > order[1:3] else "" for own, _ in ranked[1:]]
    older = ", ".join(item.source + why for (_, item), why in zip(ranked[1:], newer, strict=True))
    which = ("latest that can be read", "latest with an answer in it")[order[0] - 1]
    which = which if any(newer) else "latest"
    remark = (
        f"Of {len(ranked)} notebooks for this lesson the {which} is graded; "
        f"left out: {printable(older)}."
    )
    return [replace(graded, remarks=(remark,))]


#: Why a newer one is left out, by `_worth`.
_UNWORTHY = (" (newer, but it cannot be read)", " (newer, but nothing was done in it)")


def _worth(submission: Submission) -> int:
    """0 if it cannot be read; 1 if nothing has been done in it; otherwise 2."""
    if submission.problem:
        return 0
    known = {blanks.essence(cell.source) for cell in blanks.of_lesson(submission.lesson).cells}
    return 1 + any(blanks.essence(cell.source) not in known for cell in submission.cells)


def _no_notebook(pile: Pile) -> str:
    others = [*pile.others, *pile.links]
    if not others:
        return "There is no notebook."
    return f"There is no notebook (.ipynb), only {first_of(others)}."


def _about_links(pile: Pile) -> list[str]:
    if not pile.links:
        return []
    return [f"Links are not followed, so nothing was looked for in {first_of(pile.links)}."]


def _about_modules(pile: Pile) -> list[str]:
    modules = [name for name in pile.others if name.endswith(".py")]
    if not pile.notebooks or not 0 < len(modules) < 4:  # more are hardly the student's own
        return []
    return [f"What is imported from {first_of(modules)} is not there: put it into the notebook."]
