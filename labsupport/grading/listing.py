"""What lies in a folder or zip of submissions, in a pile for each student. Nothing is read yet."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from labsupport.grading.notebooks import is_notebook, lesson_in_name
from labsupport.grading.places import (
    BROKEN_ZIP,
    MB,
    Place,
    Unreadable,
    archive_of,
    bytes_of,
    class_archive,
    first_line,
    not_a_file,
    open_file,
    printable,
    refuse_odd,
    why_closed,
)
from labsupport.grading.students import Who, is_from_platform, who_of_file, who_of_folder

MAX_ZIP = 200 * MB  # of a student's zip
MAX_UNPACKED = 500 * MB  # of all notebooks in a student's zip, as it claims
MAX_ENTRIES = 20_000  # files and folders of one student that are looked at
MAX_DEPTH = 40  # folders below each other


class CannotRead(Exception):
    """SUBMISSIONS is nothing that can be graded; one sentence."""


@dataclass(frozen=True)
class Entry:
    """Something that lies in SUBMISSIONS. path: for reports, from SUBMISSIONS. time: changed."""

    path: tuple[str, ...]
    place: Place
    size: int = 0
    time: float = 0
    problem: str = ""

    @property
    def name(self) -> str:
        return self.path[-1]


@dataclass(frozen=True)
class Notebook:
    """A notebook as it lies there. name: as the student gave it. who: said by its own name."""

    entry: Entry
    name: str
    attempt: int
    who: Who


@dataclass
class Pile:
    """All that one student handed in. others: names of what is no notebook."""

    who: Who
    notebooks: list[Notebook] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


#: By the student's name and number.
Piles = dict[tuple[str, str], Pile]


def piles_in(path: Path | str) -> Piles:
    """What is in SUBMISSIONS, student by student. Raises CannotRead."""
    shown = printable(str(path))
    try:
        root = os.path.realpath(path, strict=True)
        mode = os.stat(root).st_mode
        if stat.S_ISDIR(mode):
            piles = _piles_of_folder(root)
        elif not stat.S_ISREG(mode):
            raise CannotRead(f"{shown} is neither a folder nor a file.")
        elif is_zip(root):
            piles = _piles_of_zip(root)
        elif is_notebook(root):
            piles = _piles_of_notebook(root)
        else:
            raise CannotRead(f"{shown} is no notebook (.ipynb), no zip file and no folder of them.")
    except FileNotFoundError:
        raise CannotRead(f"There is no {shown}.") from None
    except (OSError, ValueError) as error:
        reason = first_line(getattr(error, "strerror", None) or error)
        raise CannotRead(f"{shown} cannot be read ({reason}).") from None
    if not piles:
        raise CannotRead(
            f"There is nothing to grade in {shown}: no notebook, no zip file and no folder of a "
            "student."
        )
    return piles


# ---------------------------------------------------------------- the three kinds of SUBMISSIONS


def _piles_of_notebook(root: str) -> Piles:
    known = os.stat(root)
    name, home = os.path.basename(root), os.path.basename(os.path.dirname(root))
    entry = Entry((name,), Place(root), known.st_size, known.st_mtime)
    piles: Piles = {}
    _add_file(piles, entry, home)
    return piles


def _piles_of_folder(root: str) -> Piles:
    base = _base(root)
    folder = os.path.join(root, *base)
    names = [name for name in sorted(os.listdir(folder)) if not is_skipped(name)]
    if len(names) == 1 and is_zip(names[0]):
        inner = os.path.join(folder, names[0])
        if stat.S_ISREG(os.lstat(inner).st_mode) and _is_export(inner):
            return _piles_of_zip(inner)
    piles: Piles = {}
    for name in names:
        parts = (*base, name)
        try:
            known = os.lstat(os.path.join(folder, name))
        except (OSError, ValueError) as error:
            _add_file(piles, Entry(parts, Place(root, parts), problem=why_closed(error)), root)
            continue
        entry = Entry(parts, Place(root, parts), known.st_size, known.st_mtime)
        if stat.S_ISDIR(known.st_mode):
            if _listed(os.path.join(folder, name)) >= _GRADES:
                continue  # what an earlier run of the grader wrote
            who = who_of_folder(name)
            pile = _pile(piles, who)
            _add_all(pile, who, _walk(root, parts, pile))
        elif stat.S_ISREG(known.st_mode):
            _add_file(piles, entry, os.path.basename(root))
        else:
            entry = replace(entry, problem=not_a_file(known.st_mode))
            if os.path.isdir(os.path.join(folder, name)):  # a link to a student's folder
                who = who_of_folder(name)
                _pile(piles, who).notebooks.append(Notebook(entry, name, 0, who))
            else:
                _add_file(piles, entry, os.path.basename(root))
    return piles


_NBGRADER = {"nbgrader_config.py", "gradebook.db", "source", "release", "autograded", "feedback"}
_GRADES = {"grading.json", "verdicts.jsonl"}


def _base(root: str) -> tuple[str, ...]:
    """Where in a folder the students are: `submitted/` in nbgrader's, or a folder around all."""
    names = _listed(root)
    if "submitted" in names and (len(names) == 1 or names & _NBGRADER):
        return ("submitted",) if _listed(os.path.join(root, "submitted")) else ()
    if len(names) == 1:
        (only,) = names
        if _is_of_platform(_listed(os.path.join(root, only))):
            return () if is_from_platform(only) else (only,)
    return ()


def _listed(folder: str) -> set[str]:
    """The names in a folder, none if it is a link or no folder."""
    try:
        if stat.S_ISDIR(os.lstat(folder).st_mode):
            return {name for name in os.listdir(folder) if not is_skipped(name)}
    except (OSError, ValueError):
        pass
    return set()


def _walk(root: str, start: tuple[str, ...], pile: Pile) -> Iterator[Entry]:
    """The files below a folder, no link followed, in the order of their names."""
    waiting, seen = [start], 0
    while waiting:
        parts = waiting.pop()
        try:
            with os.scandir(os.path.join(root, *parts)) as entries:
                inside = []
                for entry in entries:
                    seen += 1
                    if seen > MAX_ENTRIES:
                        break
                    if not is_skipped(entry.name):
                        inside.append(entry)
        except (OSError, ValueError) as error:
            pile.remarks.append(f"A folder in it could not be opened: {why_closed(error)}")
            continue
        for entry in sorted(inside, key=lambda e: e.name):
            below = (*parts, entry.name)
            try:
                known = entry.stat(follow_symlinks=False)
            except (OSError, ValueError) as error:
                yield Entry(below, Place(root, below), problem=why_closed(error))
                continue
            if stat.S_ISDIR(known.st_mode):
                if len(below) - len(start) > MAX_DEPTH:
                    pile.remarks.append(f"Folders more than {MAX_DEPTH} deep were not opened.")
                else:
                    waiting.append(below)
                continue
            problem = "" if stat.S_ISREG(known.st_mode) else not_a_file(known.st_mode)
            yield Entry(below, Place(root, below), known.st_size, known.st_mtime, problem)
        if seen > MAX_ENTRIES:
            pile.remarks.append(f"Only the first {MAX_ENTRIES:,} files and folders were looked at.")
            return


def _piles_of_zip(root: str) -> Piles:
    try:
        entries = _entries_of(class_archive(root), Place(root), ())
    except (Unreadable, *BROKEN_ZIP) as error:
        name = printable(os.path.basename(root))
        raise CannotRead(
            f"{name} is not a zip file that can be read: {first_line(error)}"
        ) from None
    entries = _unwrapped(entries)
    piles: Piles = {}
    home = os.path.splitext(os.path.basename(root))[0]
    folders: dict[str, list[Entry]] = {}
    for entry, below in entries:
        if len(below) > 1:
            folders.setdefault(below[0], []).append(entry)
        else:
            _add_file(piles, entry, home)
    for name, inside in folders.items():
        who = who_of_folder(name)
        _add_all(_pile(piles, who), who, inside[:MAX_ENTRIES])
    return piles


def _entries_of(archive: zipfile.ZipFile, place: Place, path: tuple[str, ...]) -> list[Entry]:
    """The members of a zip. Their names are labels only: nothing is ever written."""
    entries = []
    for number, info in enumerate(archive.infolist()):
        parts = [p[:255] for p in re.split(r"[/\\]", info.filename) if p not in ("", ".", "..")]
        if not parts or any(map(is_skipped, parts)):
            continue
        if info.filename.endswith(("/", "\\")):
            parts.append("")  # a folder that may be empty
        inner = replace(place, members=(*place.members, (number, info.filename)))
        problem = ""
        try:
            refuse_odd(info)
        except Unreadable as error:
            problem = str(error)
        entries.append(Entry((*path, *parts), inner, info.file_size, _time_of(info), problem))
    return sorted(entries, key=lambda e: (e.path, e.place.members))


def _time_of(info: zipfile.ZipInfo) -> float:
    """When a member was changed, in an order like that of seconds."""
    year, month, day, hour, minute, second = info.date_time
    return ((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60 + second


def _unwrapped(entries: list[Entry]) -> list[tuple[Entry, tuple[str, ...]]]:
    """Entries with their paths, without a folder that wraps up the whole class."""
    paths = [entry.path for entry in entries]
    while paths and len({path[0] for path in paths}) == 1 and min(map(len, paths)) > 1:
        inside = {path[1] for path in paths if path[1]}
        folders = {path[1] for path in paths if len(path) > 2}
        known = _is_of_platform(inside)
        if is_from_platform(paths[0][0]):
            break
        wraps = inside == folders and len(inside) > 1 and not any(map(lesson_in_name, inside))
        if not (known or wraps or paths[0][0] == "submitted"):
            break
        kept = [n for n, path in enumerate(paths) if path[1]]
        entries, paths = [entries[n] for n in kept], [paths[n][1:] for n in kept]
    return list(zip(entries, paths, strict=True))


def _is_export(path: str) -> bool:
    """Whether a zip is one that a learning platform made of a class."""
    try:
        entries = _entries_of(class_archive(path), Place(path), ())
    except (Unreadable, *BROKEN_ZIP):
        return False
    return _is_of_platform({path[0] for _entry, path in _unwrapped(entries)})


def _is_of_platform(names: set[str]) -> bool:
    """Whether most of these names are ones that a learning platform gives."""
    return sum(map(is_from_platform, names)) > len(names) / 2


_SKIPPED = {"__macosx", "thumbs.db", "desktop.ini", "__pycache__"}


def is_skipped(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SKIPPED


# ---------------------------------------------------------------- onto a pile


def _pile(piles: Piles, who: Who) -> Pile:
    pile = piles.setdefault((who.name, who.number), Pile(who))
    if who.text_only:
        pile.remarks.append("Text typed into the platform's page is not graded.")
    return pile


def _add_file(piles: Piles, entry: Entry, home: str) -> None:
    """Add a file that lies beside those of other students."""
    who = who_of_file(entry.name, home)
    if who.from_platform or is_notebook(entry.name) or is_zip(entry.name):
        pile = _pile(piles, who)
        _add(pile, entry, who.file or entry.name, who.attempt, who)


def _add_all(pile: Pile, who: Who, entries: Iterable[Entry]) -> None:
    for entry in entries:
        _add(pile, entry, entry.name, 0, who)


def is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _add(pile: Pile, entry: Entry, name: str, attempt: int, who: Who) -> None:
    if pile.who.text_only and not who.text_only:
        pile.who = who
    if who.text_only or not name:
        return
    if is_notebook(name):
        pile.notebooks.append(Notebook(entry, name, attempt, who))
    elif is_zip(name):
        try:
            if entry.problem:
                raise Unreadable(entry.problem)
            inside = _inside(entry)
        except (Unreadable, *BROKEN_ZIP) as error:
            problem = f"The zip file cannot be read: {first_line(error).rstrip('.')}."
            pile.notebooks.append(Notebook(replace(entry, problem=problem), name, attempt, who))
            return
        for inner in inside:
            if is_notebook(inner.name):
                pile.notebooks.append(Notebook(inner, inner.name, attempt, who))
            elif inner.name:
                pile.others.append(inner.name)
                if is_zip(inner.name):
                    pile.remarks.append("A zip file within a zip file was not opened.")
    else:
        pile.others.append(name)


def _inside(entry: Entry) -> list[Entry]:
    """What lies in a student's zip. Raises Unreadable, and what is in BROKEN_ZIP."""
    if entry.place.members:
        entries = _entries_of(
            archive_of(io.BytesIO(bytes_of(entry.place))), entry.place, entry.path
        )
    else:
        if entry.size > MAX_ZIP:
            raise Unreadable(f"it has more than {MAX_ZIP // MB} MB")
        with open_file(entry.place) as file:
            entries = _entries_of(archive_of(file), entry.place, entry.path)
    if sum(e.size for e in entries if is_notebook(e.name)) > MAX_UNPACKED:
        raise Unreadable(f"its notebooks would unpack to more than {MAX_UNPACKED // MB} MB")
    return entries
