"""What lies in a folder or zip of submissions, in a pile for each student. Nothing is read yet."""

from __future__ import annotations

import io
import os
import re
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from labsupport.grading.levels import Tree, is_of_platform, not_students
from labsupport.grading.names import is_of_files
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
    """A notebook as it lies there. name: as the student gave it. who: said by its own name.

    home: the path of the student's folder or zip, or of what a file lies in beside others'.
    unsaid: no name says whose it is, only that of the folder it lies in beside others'.
    """

    entry: Entry
    name: str
    attempt: int
    who: Who
    home: tuple[str, ...]
    unsaid: bool = False


def first_of(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return printable(names[0], 80) + more


@dataclass
class Pile:
    """All that one student handed in. others: names of what is no notebook. links: to folders.

    doubts: sentences for whoever grades, about who this is.
    """

    who: Who
    notebooks: list[Notebook] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


#: By the student's name and number.
Piles = dict[tuple[str, str], Pile]


def piles_in(path: Path | str) -> Piles:
    """What is in SUBMISSIONS, student by student. Raises CannotRead."""
    shown = printable(str(path))
    try:
        root = os.path.realpath(path, strict=True)
        mode = os.stat(root).st_mode
        if stat.S_ISDIR(mode):
            level = _level_of_folder(root)
        elif not stat.S_ISREG(mode):
            raise CannotRead(f"{shown} is neither a folder nor a file.")
        elif is_zip(root):
            level = _level_of_zip(root)
        elif is_notebook(root):
            level = _level_of_notebook(root)
        else:
            raise CannotRead(f"{shown} is no notebook (.ipynb), no zip file and no folder of them.")
        piles = _merged([_piles_of(level) for level in _students_levels(level)])
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


# ---------------------------------------------------------------- levels


@dataclass
class Room:
    """A folder, or a zip, that is a student's or holds those of several.

    entries: what is in it, with the path below it. file: the zip file itself. opened: what there
    is in it if it holds those of several.
    """

    name: str
    entries: list[tuple[Entry, tuple[str, ...]]]
    opened: Callable[[], Level]
    remarks: list[str] = field(default_factory=list)
    file: Entry | None = None

    def tree(self) -> Tree:
        """The work in it, and what has a platform's name. Zips are opened where all work is."""
        files = [(e, below) for e, below in self.entries if not (e.linked or e.name == "")]
        only_zips = self.file is None and not any(is_notebook(e.name) for e, _below in files)
        tree: dict = {}
        for entry, below in files:
            if not (_may_hold_work(entry.name) or any(map(is_from_platform, below))):
                continue
            inner = tree
            for part in below[:-1][: 2 * MAX_LEVELS]:  # a zip may claim thousands
                if inner.get(part) is None:
                    inner[part] = {}
                inner = inner[part]
            if only_zips and is_zip(entry.name) and not is_from_platform(entry.name):
                inner.setdefault(below[-1], _room_of_zip(entry).tree() or None)
            else:
                inner.setdefault(below[-1], None)
        return tree


@dataclass
class Level:
    """What lies side by side in one folder or zip: of students, or of what holds them.

    home: whose a file is that does not say it. name: of the folder or zip.
    """

    home: str
    name: str
    rooms: list[Room] = field(default_factory=list)
    files: list[Entry] = field(default_factory=list)


MAX_LEVELS = 6  # folders around folders of students


def _students_levels(level: Level) -> list[Level]:
    """Where the students are, deeper and deeper for as long as the names say so."""
    done, levels = [], [level]
    for _ in range(MAX_LEVELS):
        if any(is_from_platform(e.name) for level in levels for e in level.files):
            break
        zips = [
            (level, _room_of_zip(entry))
            for level in levels
            for entry in level.files
            if is_zip(entry.name)
        ]
        rooms = [(level, room) for level in levels for room in level.rooms]
        trees = [(level, room, room.tree()) for level, room in [*rooms, *zips]]
        several = not_students([(room.name, tree) for _level, room, tree in trees])
        if not any(several):
            break
        inner = []
        for (level, room, _tree), is_opened in zip(trees, several, strict=True):
            below = _opened(room) if is_opened else None
            if below is None:
                continue
            inner.append(below)
            if room.file is None:
                level.rooms.remove(room)
            else:
                level.files.remove(room.file)
        done += [level for level in levels if level.rooms or level.files]
        levels = inner
    return [*done, *levels]


def _opened(room: Room) -> Level | None:
    try:
        inside = room.opened()
    except (CannotRead, Unreadable, *BROKEN_ZIP):
        return None
    return inside if inside.rooms or inside.files else None


def _piles_of(level: Level) -> Piles:
    piles: Piles = {}
    lesson = level.name.removesuffix("submissions")  # GitHub's "hw1-submissions/hw1-ada"
    of_github = lesson != level.name and lesson.endswith("-")
    for room in level.rooms:
        name = room.name.removeprefix(lesson) if of_github else room.name
        who = who_of_folder(name or room.name)
        pile = _pile(piles, who)
        pile.remarks += room.remarks
        for entry, below in room.entries[:MAX_ENTRIES]:
            _add(
                pile,
                entry,
                entry.name,
                who.attempt,
                who,
                entry.path[: len(entry.path) - len(below)],
            )
    for entry in level.files:
        _add_file(piles, entry, level.home)
    return piles


def _merged(several: list[Piles]) -> Piles:
    """The students of all levels. Nobody is two because of lying in two.

    Where a number is one assignment's, the same name is the same student, unless two of them are
    in one assignment.
    """
    several = [piles for piles in several if piles]
    namesakes = _namesakes(several) if len(several) > 1 else {}
    piles: Piles = {}
    for more in several:
        for (name, number), pile in more.items():
            if len(several) > 1 and pile.who.of_assignment:
                if name not in namesakes:
                    number = ""
                elif namesakes[name]:
                    pile.remarks.append(_NAMESAKES)
                    pile.doubts.append(f"{printable(name, 60)}: {_NAMESAKES_TOLD}")
            known = piles.setdefault((name, number), pile)
            if known is pile:
                continue
            for one, other in ((known, pile), (pile, known)):
                if other.notebooks and not one.notebooks and (left := [*one.others, *one.links]):
                    known.remarks.append(f"There is no notebook beside {first_of(left)}.")
            known.notebooks += pile.notebooks
            known.others += pile.others
            known.links += pile.links
            known.remarks += pile.remarks
            known.doubts += pile.doubts
    return piles


_NAMESAKES = (
    "Several students of this name are in one assignment, so it cannot be told which lessons "
    "belong together."
)
_NAMESAKES_TOLD = (
    "several students of this name are in one assignment, and Moodle's numbers are other ones in "
    "the next, so it cannot be told which lessons belong together. Each number is a student."
)


def _namesakes(several: list[Piles]) -> dict[str, bool]:
    """Names that several students have in one assignment; whether they are in others as well."""
    counts = Counter(
        (number_of, name)
        for number_of, piles in enumerate(several)
        for (name, _number), pile in piles.items()
        if pile.who.of_assignment
    )
    places = Counter(name for _, name in counts)
    return {name: places[name] > 1 for (_, name), count in counts.items() if count > 1}


# ---------------------------------------------------------------- the three kinds of SUBMISSIONS


def _level_of_notebook(root: str) -> Level:
    known = os.stat(root)
    entry = Entry((os.path.basename(root),), Place(root), known.st_size, known.st_mtime)
    above = Path(root).parents
    homes = [folder.name for folder in above if not is_of_files(folder.name)]  # not "notebooks"
    return Level(homes[0] or above[0].name, above[0].name, files=[entry])


def _level_of_folder(root: str, start: tuple[str, ...] = ()) -> Level:
    """start: a folder of it that holds what several handed in."""
    base = start or _base(root)
    folder = os.path.join(root, *base)
    top = os.path.basename(root)
    level = Level(base[-1] if start else top, base[-1] if base else top)
    for name in sorted(name for name in os.listdir(folder) if _is_looked_at(folder, name)):
        parts, path = (*base, name), os.path.join(folder, name)
        try:
            known = os.lstat(path)
        except (OSError, ValueError) as error:
            level.files.append(Entry(parts, Place(root, parts), problem=why_closed(error)))
            continue
        entry = Entry(parts, Place(root, parts), known.st_size, known.st_mtime)
        if stat.S_ISDIR(known.st_mode):
            pile = Pile(Who(name))
            entries = [(e, e.path[len(parts) :]) for e in _walk(root, parts, pile)]
            if _listed(path) >= _GRADES and not any(is_work(e.name) for e, _below in entries):
                continue  # what an earlier run of the grader wrote
            opened = partial(_level_of_folder, root, parts)
            level.rooms.append(Room(name, entries, opened, pile.remarks))
        elif stat.S_ISREG(known.st_mode):
            level.files.append(entry)
        else:
            linked = _is_link_to_folder(path, known.st_mode)
            entry = replace(entry, problem=not_a_file(known.st_mode), linked=linked)
            level.files.append(entry)
    return level


def _level_of_zip(root: str, shown: tuple[str, ...] = ()) -> Level:
    """shown: what it is called in reports, where it is not all there is."""
    try:
        entries = _entries_of(class_archive(root), Place(root), ())
    except (Unreadable, *BROKEN_ZIP) as error:
        name = printable(os.path.basename(root))
        raise CannotRead(
            f"{name} is not a zip file that can be read: {first_line(error)}"
        ) from None
    if not shown:
        both = _unwrapped(entries)
    elif any(is_from_platform(part) for entry in entries for part in entry.path):
        both = [(e, e.path) for e in entries]  # whose names say enough
    else:
        both = [(replace(e, path=(*shown, *e.path)), e.path) for e in entries]
    return _level_of_entries(os.path.splitext(os.path.basename(root))[0], both)


def _level_of_entries(home: str, entries: list[tuple[Entry, tuple[str, ...]]]) -> Level:
    """entries: members of a zip, with the path from here."""
    folders: dict[str, list[tuple[Entry, tuple[str, ...]]]] = {}
    level = Level(home, home)
    for entry, below in entries:
        if len(below) > 1:
            folders.setdefault(below[0], []).append((entry, below[1:]))
        elif below[0]:
            level.files.append(entry)
    for name, inside in folders.items():
        level.rooms.append(Room(name, inside, partial(_level_of_entries, name, inside)))
    return level


def _room_of_zip(entry: Entry) -> Room:
    """A zip that lies where students' folders may lie. It has no entries if it cannot be read."""
    home = os.path.splitext(entry.name)[0]
    room = Room(entry.name, [], partial(Level, home, home), file=entry)
    try:
        if entry.problem:
            return room
        if entry.place.members:
            inside = [(e, e.path[len(entry.path) :]) for e in _inside(entry)]
            room.opened = partial(_level_of_entries, home, inside)
        else:
            path = os.path.join(entry.place.root, *entry.place.parts)
            room.opened = partial(_level_of_zip, path, entry.path)
            with open_file(entry.place) as file:
                inside = [(e, e.path) for e in _entries_of(archive_of(file), Place(path), ())]
        room.entries = inside
    except (Unreadable, *BROKEN_ZIP):
        pass
    return room


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
            is_of_platform(inside) or _wraps(inside, below)
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
            top == "submitted" or is_of_platform(inside) or _wraps(inside, folders)
        ):
            return both
        both = [(e, path[1:]) for e, path in inner if path[1]]


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
    name = unicodedata.normalize("NFC", who.name)  # systems write one name in two ways
    pile = piles.setdefault((name, who.number), Pile(who))
    if who.text_only:
        pile.remarks.append("Text typed into the platform's page is not graded.")
    return pile


def _add_file(piles: Piles, entry: Entry, home: str) -> None:
    """Add a file, or a link, that lies beside those of other students."""
    who = who_of_file(entry.name, home)
    if entry.linked and not is_work(entry.name):  # a student's folder, it seems
        who = who if who.from_platform else who_of_folder(entry.name)
        entry = replace(entry, problem=LINKED)
        found = Notebook(entry, entry.name, who.attempt, who, entry.path)
        _pile(piles, who).notebooks.append(found)
    elif who.receipt:
        _pile(piles, who)
    elif who.from_platform or is_work(entry.name) or _tells_of_work(entry.name):
        pile = _pile(piles, who)
        where = entry.path if is_zip(entry.name) else entry.path[:-1]
        unsaid = who.name == home and not is_zip(entry.name)
        _add(pile, entry, who.file or entry.name, who.attempt, who, where, unsaid)


_ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")


def _may_hold_work(name: str) -> bool:
    return is_work(name) or name.lower().endswith(_ARCHIVES)


def _may_be_work(name: str) -> bool:
    return is_work(name) or _tells_of_work(name)


def _tells_of_work(name: str) -> bool:
    """Whether a file that cannot be graded was handed in, and is not the instructor's list."""
    return name.lower().endswith(_ARCHIVES) or bool(lesson_in_name(name))


def is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _add(
    pile: Pile,
    entry: Entry,
    name: str,
    attempt: int,
    who: Who,
    home: tuple[str, ...],
    unsaid: bool = False,
) -> None:
    """home, unsaid: as in Notebook."""
    if pile.who.text_only and not who.text_only:
        pile.who = who
    if who.text_only or not name:
        return
    if entry.linked and not is_work(name):
        pile.links.append(name)
    elif is_notebook(name):
        pile.notebooks.append(Notebook(entry, name, attempt, who, home, unsaid))
    elif is_zip(name):
        try:
            if entry.problem:
                raise Unreadable(entry.problem)
            inside = _inside(entry)
        except (Unreadable, *BROKEN_ZIP) as error:
            problem = f"The zip file cannot be read: {first_line(error).rstrip('.')}."
            broken = replace(entry, problem=problem)
            pile.notebooks.append(Notebook(broken, name, attempt, who, home, unsaid))
            return
        for inner in inside:
            if is_notebook(inner.name):
                pile.notebooks.append(Notebook(inner, inner.name, attempt, who, home, unsaid))
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
