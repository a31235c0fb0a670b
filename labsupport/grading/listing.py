"""What lies in a folder or zip of submissions, in a pile for each student. Nothing is read yet."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator, Sequence
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

LINKED = "It is a link, and links are not followed: send the folder itself."


class CannotRead(Exception):
    """SUBMISSIONS is nothing that can be graded; one sentence."""


@dataclass(frozen=True)
class Entry:
    """Something that lies in SUBMISSIONS. path: for reports, from SUBMISSIONS. time: changed.

    linked: it is a link, perhaps to a folder, so what it leads to is not looked at.
    """

    path: tuple[str, ...]
    place: Place
    size: int = 0
    time: float = 0
    problem: str = ""
    linked: bool = False

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
    """All that one student handed in. others: names of what is no notebook. links: to folders."""

    who: Who
    notebooks: list[Notebook] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
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


def _piles_of_folder(root: str, start: tuple[str, ...] = ()) -> Piles:
    base = _base(root, start)
    folder = os.path.join(root, *base)
    names = sorted(name for name in os.listdir(folder) if _is_looked_at(folder, name))
    piles = _piles_of_exports(root, base, names)
    if piles:
        return piles
    for name in names:
        parts, path = (*base, name), os.path.join(folder, name)
        try:
            known = os.lstat(path)
        except (OSError, ValueError) as error:
            _add_file(piles, Entry(parts, Place(root, parts), problem=why_closed(error)), root)
            continue
        entry = Entry(parts, Place(root, parts), known.st_size, known.st_mtime)
        if stat.S_ISDIR(known.st_mode):
            who = who_of_folder(name)
            pile = Pile(who)
            entries = list(_walk(root, parts, pile))
            if _listed(path) >= _GRADES and not any(is_work(e.name) for e in entries):
                continue  # what an earlier run of the grader wrote
            _pile(piles, who).remarks += pile.remarks
            _add_all(_pile(piles, who), who, entries)
        elif stat.S_ISREG(known.st_mode):
            _add_file(piles, entry, os.path.basename(root))
        else:
            linked = _is_link_to_folder(path, known.st_mode)
            entry = replace(entry, problem=not_a_file(known.st_mode), linked=linked)
            _add_file(piles, entry, os.path.basename(root))
    return piles


def _piles_of_exports(root: str, base: tuple[str, ...], names: list[str]) -> Piles:
    """Where all that can be work is in what platforms made of classes, the students of all these.

    Only then: a student may hand in something that looks like an export, with others' names in it.
    """
    places = {name: os.path.join(root, *base, name) for name in names}
    folders = {name: _listed(place) for name, place in places.items()}
    works = [name for name in names if folders[name] or _may_be_work(name)]
    piles: Piles = {}
    for name in works:
        if is_from_platform(name):
            return {}
        if _is_of_platform(folders[name]):
            more = _piles_of_folder(root, (*base, name))
        elif _is_regular(places[name]) and is_zip(name) and _is_export(places[name], works):
            more = _piles_of_zip(places[name])
        else:
            return {}
        for identity, pile in more.items():
            known = piles.setdefault(identity, pile)
            if known is not pile:
                known.notebooks += pile.notebooks
                known.others += pile.others
                known.links += pile.links
                known.remarks += pile.remarks
    return piles


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


_NBGRADER = {"nbgrader_config.py", "gradebook.db", "source", "release", "autograded", "feedback"}
_GRADES = {"grading.json", "verdicts.jsonl"}


def _base(root: str, start: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Where in a folder the students are: `submitted/` in nbgrader's, or a folder around all.

    start: a folder of it that holds them, or wraps them up.
    """
    here = os.path.join(root, *start)
    names = _listed(here)
    if "submitted" in names and (len(names) == 1 or names & _NBGRADER):
        return (*start, "submitted") if _listed(os.path.join(here, "submitted")) else start
    only = next((name for name in names if _listed(os.path.join(here, name))), "")
    if only and not any(map(_may_be_work, names - {only})) and not is_from_platform(only):
        inside = _listed(os.path.join(here, only))
        below = {name for name in inside if os.path.isdir(os.path.join(here, only, name))}
        if all(not os.path.isdir(os.path.join(here, name)) for name in names - {only}) and (
            _is_of_platform(inside) or _wraps(inside, below)
        ):
            return _base(root, (*start, only)) if len(start) < MAX_DEPTH else start
    return start


def _wraps(inside: set[str], folders: set[str]) -> bool:
    """Whether a folder is one around those of several students. What is no work there is no one's.

    inside: all names in it, folders: those of them that are folders.
    """
    files = inside - folders
    return (
        len(folders) > 1
        and not any(map(_may_be_work, files))
        and not any(map(lesson_in_name, folders))
    )


def _listed(folder: str) -> set[str]:
    """The names in a folder, none if it is a link or no folder."""
    try:
        if stat.S_ISDIR(os.lstat(folder).st_mode):
            return {name for name in os.listdir(folder) if _is_looked_at(folder, name)}
    except (OSError, ValueError):
        pass
    return set()


def _is_looked_at(folder: str, name: str) -> bool:
    """Whether something is not skipped; of what is hidden, only notebooks, zips and what has some.

    A hidden link to a folder may have some: nobody looks.
    """
    if is_skipped(name) or not name.startswith(".") or is_work(name):
        return not is_skipped(name)
    path = os.path.join(folder, name)
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return False
    if not stat.S_ISDIR(mode):
        return _is_link_to_folder(path, mode)
    pile = Pile(Who(name))
    return any(is_work(e.name) for e in _walk(folder, (name,), pile)) or bool(pile.remarks)


def _is_link_to_folder(path: str, mode: int) -> bool:
    """Whether a link leads to a folder, or may: it leads nowhere now, and is called like one."""
    if not stat.S_ISLNK(mode) or os.path.exists(path):
        return stat.S_ISLNK(mode) and os.path.isdir(path)
    return "." not in os.path.basename(path)


def _walk(root: str, start: tuple[str, ...], pile: Pile) -> Iterator[Entry]:
    """The files below a folder, no link followed, in the order of their names.

    Of what is hidden there, only notebooks and zips, and links to folders.
    """
    home = os.path.realpath(os.path.join(root, *start))
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
            linked = _is_link_to_folder(entry.path, known.st_mode)
            work = is_work(entry.name)
            if linked and not work and os.path.realpath(entry.path).startswith(home + os.sep):
                continue  # what it leads to is looked at anyway
            if linked or work or not _is_hidden(below[len(start) - 1 :]):
                place = Place(root, below)
                yield Entry(below, place, known.st_size, known.st_mtime, problem, linked)
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
        linked = stat.S_ISLNK(info.external_attr >> 16)
        if not parts or any(map(is_skipped, parts)):
            continue
        if _is_hidden(parts) and not (linked or is_work(parts[-1])):
            continue
        if info.filename.endswith(("/", "\\")):
            parts.append("")  # a folder that may be empty
        inner = replace(place, members=(*place.members, (number, info.filename)))
        problem = ""
        try:
            refuse_odd(info)
        except Unreadable as error:
            problem = str(error)
        time = _time_of(info)
        entries.append(Entry((*path, *parts), inner, info.file_size, time, problem, linked))
    return sorted(entries, key=lambda e: (e.path, e.place.members))


def _time_of(info: zipfile.ZipInfo) -> float:
    """When a member was changed, in an order like that of seconds."""
    year, month, day, hour, minute, second = info.date_time
    return ((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60 + second


def _unwrapped(entries: list[Entry]) -> list[tuple[Entry, tuple[str, ...]]]:
    """Entries with their paths, without a folder that wraps up the whole class."""
    both = [(entry, entry.path) for entry in entries]
    while True:
        inner = [(e, path) for e, path in both if len(path) > 1 or _may_be_work(path[0])]
        if len({path[0] for _, path in inner}) != 1 or min(len(path) for _, path in inner) == 1:
            return both
        top = inner[0][1][0]
        inside = {path[1] for _, path in inner if path[1]}
        folders = {path[1] for _, path in inner if len(path) > 2}
        if is_from_platform(top) or not (
            top == "submitted" or _is_of_platform(inside) or _wraps(inside, folders)
        ):
            return both
        both = [(e, path[1:]) for e, path in inner if path[1]]


def _is_export(path: str, beside: Sequence[str]) -> bool:
    """Whether a zip is one that a learning platform made of a class.

    beside: what there is. One beside others may be a student's, and is held to be smaller.
    """
    try:
        if len(beside) == 1:
            entries = _entries_of(class_archive(path), Place(path), ())
        else:
            with open_file(Place(path)) as file:
                entries = _entries_of(archive_of(file), Place(path), ())
    except (Unreadable, *BROKEN_ZIP):
        return False
    return _is_of_platform({path[0] for _entry, path in _unwrapped(entries)})


def _is_of_platform(names: set[str]) -> bool:
    """Whether most of these names are ones that a learning platform gives."""
    return sum(map(is_from_platform, names)) > len(names) / 2


#: What systems, editors and tools leave behind. Nobody hands in work there.
_SKIPPED = {
    *("__macosx", "thumbs.db", "desktop.ini", "__pycache__", ".ds_store", ".appledouble"),
    *(".spotlight-v100", ".fseventsd", ".temporaryitems", ".documentrevisions-v100"),
    *(".git", ".svn", ".hg", ".idea", ".vscode", ".cache", ".config", ".local", ".npm"),
    *(".venv", ".env", ".tox", ".nox", ".conda", ".pytest_cache", ".mypy_cache", ".ruff_cache"),
    *(".ipynb_checkpoints", ".ipython", ".jupyter", ".virtual_documents", ".labsupport"),
}
_SKIPPED_STARTS = ("._", ".~", ".#", ".trash", ".nfs", ".fuse_hidden")


def is_skipped(name: str) -> bool:
    return name.lower() in _SKIPPED or name.lower().startswith(_SKIPPED_STARTS)


def is_work(name: str) -> bool:
    """Whether a file's name says that it can hold an answer."""
    return is_notebook(name) or is_zip(name)


def _is_hidden(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") for part in parts)


# ---------------------------------------------------------------- onto a pile


def _pile(piles: Piles, who: Who) -> Pile:
    pile = piles.setdefault((who.name, who.number), Pile(who))
    if who.text_only:
        pile.remarks.append("Text typed into the platform's page is not graded.")
    return pile


def _add_file(piles: Piles, entry: Entry, home: str) -> None:
    """Add a file, or a link, that lies beside those of other students."""
    who = who_of_file(entry.name, home)
    if entry.linked and not is_work(entry.name):  # a student's folder, it seems
        who = who if who.from_platform else who_of_folder(entry.name)
        entry = replace(entry, problem=LINKED)
        _pile(piles, who).notebooks.append(Notebook(entry, entry.name, who.attempt, who))
    elif who.from_platform or is_work(entry.name) or _tells_of_work(entry.name):
        pile = _pile(piles, who)
        _add(pile, entry, who.file or entry.name, who.attempt, who)


_ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")


def _may_be_work(name: str) -> bool:
    return is_work(name) or _tells_of_work(name)


def _tells_of_work(name: str) -> bool:
    """Whether a file that cannot be graded was handed in, and is not the instructor's list."""
    return name.lower().endswith(_ARCHIVES) or bool(lesson_in_name(name))


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
    if entry.linked and not is_work(name):
        pile.links.append(name)
    elif is_notebook(name):
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
            elif inner.linked and not is_zip(inner.name):
                pile.links.append(inner.name)
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
