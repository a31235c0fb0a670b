"""A folder or zip of hostile files -> submissions. Nothing is written, nothing is run.

`find` lists what there is to grade; `load` reads one of them. A `Found` is small and can be sent to
another process. A file is opened only if it is an ordinary one, reached through no link, and never
read beyond a limit. Whatever a file holds, it gives one `Submission`: with cells, or with a problem
in one sentence.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from labsupport import exercises
from labsupport.grading import blanks
from labsupport.grading.records import StudentCell, Submission

MB = 1 << 20
MAX_FILE = 50 * MB  # of a notebook, and of a zip within a zip
MAX_ZIP = 200 * MB  # of a student's zip
MAX_UNPACKED = 500 * MB  # of all notebooks in a student's zip, as it claims
MAX_RATIO = 500  # of a notebook's size to its size in the zip, beyond the first megabytes
MAX_MEMBERS = 10_000  # in a student's zip
MAX_CLASS_MEMBERS = 500_000
MAX_ENTRIES = 20_000  # files and folders of one student that are looked at
MAX_DEPTH = 40  # folders below each other
MAX_NOTEBOOKS = 60  # of one student
MAX_CELLS = 5_000
MAX_SOURCE = 5_000_000  # characters in all cells
MAX_GROUPS = 300_000  # lists and objects in a notebook's JSON
MAX_VALUES = 3_000_000
MAX_NAME = 80  # characters of a student's key


class CannotRead(Exception):
    """SUBMISSIONS is nothing that can be graded; one sentence."""


@dataclass(frozen=True)
class Place:
    """Where a file's bytes are.

    root: SUBMISSIONS, without links. parts: the path below it. members: if the file is in a zip,
    its number and name in it; twice if that zip is in a zip.
    """

    root: str
    parts: tuple[str, ...] = ()
    members: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Found:
    """A notebook to be graded, or the sentence why a student has none.

    name: of the file, as the student gave it. Other fields as in `records.Submission`.
    """

    student: str
    source: str
    name: str
    place: Place
    problem: str = ""
    remarks: tuple[str, ...] = ()
    ids: dict[str, str] = field(default_factory=dict)


class _Unreadable(Exception):
    """A file gives no notebook; one sentence for student and instructor."""

    def __init__(self, sentence: str, size: int = 0):
        super().__init__(sentence)
        self.size = size


# ---------------------------------------------------------------- load


def load(found: Found) -> Submission:
    """Read one submission. Whatever is there, this gives a Submission."""
    data = b""
    try:
        if found.problem:
            raise _Unreadable(found.problem)
        data = _bytes_of(found.place)
        digest = hashlib.sha256(data).hexdigest()
        notebook, remarks = _parse(data)
        cells, more = _cells_of(notebook)
        lesson, doubt = _lesson_of(notebook, cells, found.name)
    except _Unreadable as error:
        return _refused(found, str(error), data, error.size)
    except (Exception, RecursionError, MemoryError) as error:  # the class is graded all the same
        return _refused(found, f"It cannot be read ({type(error).__name__}).", data, 0)
    problem = "" if lesson else _NO_LESSON
    return Submission(
        student=found.student,
        lesson=lesson,
        source=found.source,
        digest=digest,
        cells=cells if lesson else (),
        problem=problem,
        remarks=(*found.remarks, *remarks, *more, *doubt),
        ids=dict(found.ids),
    )


def digest(found: Found) -> str:
    """The digest that `load` gives, without looking into the notebook."""
    try:
        if found.problem:
            raise _Unreadable(found.problem)
        return hashlib.sha256(_bytes_of(found.place)).hexdigest()
    except _Unreadable as error:
        return _digest_of_unread(str(error), error.size)


def _refused(found: Found, problem: str, data: bytes, size: int) -> Submission:
    known = hashlib.sha256(data).hexdigest() if data else _digest_of_unread(problem, size)
    lesson = lesson_in_name(found.name)
    return Submission(
        found.student, lesson, found.source, known, (), problem, found.remarks, dict(found.ids)
    )


def _digest_of_unread(problem: str, size: int) -> str:
    return hashlib.sha256(f"unread {size}: {problem}".encode()).hexdigest()


_NO_LESSON = (
    "It cannot be told which lesson this notebook belongs to: none of the course's cells or "
    "answers are in it, and its name does not say it."
)


# ---------------------------------------------------------------- bytes


def _bytes_of(place: Place) -> bytes:
    """What a file holds. Raises _Unreadable."""
    if not place.members:
        with _open(place) as file:
            return _at_most(file, MAX_FILE)
    try:
        with _open(place) as file:
            whole = not place.parts
            archive = _class_archive(place.root, _stamp(file)) if whole else _archive(file)
            data = _unpack(archive, place.members[0])
        for member in place.members[1:]:
            data = _unpack(_archive(io.BytesIO(data)), member)
        return data
    except _BROKEN_ZIP as error:
        raise _Unreadable(f"Its zip file is damaged ({_first_line(error)}).") from None


def _open(place: Place) -> io.BufferedReader:
    """An ordinary file, opened through no link. Raises _Unreadable."""
    descriptor = None
    try:
        descriptor = _descriptor(place.root, place.parts)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _Unreadable("It is not an ordinary file.")
        file = os.fdopen(descriptor, "rb")
        descriptor = None
        return file
    except (OSError, ValueError) as error:
        raise _Unreadable(_why(error)) from None
    finally:
        if descriptor is not None:
            os.close(descriptor)


_HOW = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_HOW_FILE = _HOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY")


def _descriptor(root: str, parts: tuple[str, ...]) -> int:
    if not parts:
        return _checked(root, None)
    if not _BY_DESCRIPTOR:  # Windows
        path = os.path.join(root, *parts)
        if os.path.realpath(path) != path:
            raise OSError(errno.ELOOP, "a link")
        return _checked(path, None)
    folder = os.open(root, _HOW | os.O_DIRECTORY)
    try:
        for name in parts[:-1]:
            inner = os.open(name, _HOW | os.O_DIRECTORY | _NO_LINK, dir_fd=folder)
            os.close(folder)
            folder = inner
        return _checked(parts[-1], folder)
    finally:
        os.close(folder)


def _checked(name: str, folder: int | None) -> int:
    """Open a file after a look at what it is: opening can be an act where it is a device."""
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode):
        raise _Unreadable(_not_a_file(mode))
    return os.open(name, _HOW_FILE | _NO_LINK, dir_fd=folder)


def _not_a_file(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "It is a link to a file, and links are not followed: send the file itself."
    return "It is not an ordinary file."


def _why(error: Exception) -> str:
    """Why the system will not open something."""
    number = getattr(error, "errno", None)
    if number in (errno.ELOOP, errno.EMLINK, errno.ENOTDIR):
        return "It is reached through a link, and links are not followed: send the file itself."
    if number in (errno.EACCES, errno.EPERM):
        return "It may not be opened (no permission to read it)."
    if number == errno.ENOENT:
        return "It has vanished since the submissions were listed."
    return f"It cannot be opened ({_first_line(getattr(error, 'strerror', None) or error)})."


def _at_most(file: Any, limit: int) -> bytes:
    """All of a file, if that is not more than the limit. Raises _Unreadable."""
    size = os.fstat(file.fileno()).st_size
    if size > limit:
        raise _too_large(size, limit)
    try:
        data = file.read(limit + 1)
    except OSError as error:
        raise _Unreadable(_why(error)) from None
    if data is None or len(data) > limit:
        raise _too_large(limit + 1, limit)
    return data


def _too_large(size: int, limit: int) -> _Unreadable:
    return _Unreadable(
        f"It has {size / MB:,.0f} MB, and at most {limit // MB} MB are read: clear the outputs "
        "(Kernel, Restart and Clear Outputs) and send it again.",
        size,
    )


# ---------------------------------------------------------------- zips

_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    RuntimeError,  # encrypted, or a method that zipfile does not have
    OverflowError,
    MemoryError,
    TypeError,
    AttributeError,
    struct.error,
)


class _Gentle:
    """A file of which nobody reads much at once: a zip may claim an index of gigabytes."""

    def __init__(self, file: Any, limit: int):
        self._file, self._limit = file, limit
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        if count is None or not 0 <= count <= self._limit:
            count = self._limit + 1
        data = self._file.read(count)
        if len(data) > self._limit:
            raise zipfile.BadZipFile("its list of files is too long")
        return data

    def seekable(self) -> bool:
        return True

    def __del__(self):
        self._file.close()


def _archive(file: Any, members: int = MAX_MEMBERS) -> zipfile.ZipFile:
    """A zip's list of files. Raises what is in _BROKEN_ZIP."""
    archive = zipfile.ZipFile(_Gentle(file, 400 * members))
    if len(archive.infolist()) > members:
        raise zipfile.BadZipFile(f"it holds more than {members:,} files")
    return archive


def _stamp(file: Any) -> tuple[int, int, int]:
    known = os.fstat(file.fileno())
    return known.st_ino, known.st_size, known.st_mtime_ns


@lru_cache(maxsize=2)
def _class_archive(root: str, stamp: tuple[int, int, int]) -> zipfile.ZipFile:
    """The class's own zip, whose long list of files is read once."""
    return _archive(_open(Place(root)), MAX_CLASS_MEMBERS)


def _unpack(archive: zipfile.ZipFile, member: tuple[int, str]) -> bytes:
    """What a member holds. Raises _Unreadable, and what is in _BROKEN_ZIP."""
    number, name = member
    info = archive.infolist()[number]
    if info.filename != name:
        raise _Unreadable("Its zip file has changed since the submissions were listed.")
    _refuse_odd(info)
    data = bytearray()
    with archive.open(info) as file:
        while more := file.read(MB):
            data += more
            if len(data) > MAX_FILE:
                raise _too_large(len(data), MAX_FILE)
    return bytes(data)


def _refuse_odd(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _Unreadable(_not_a_file(mode))
    if info.flag_bits & 0x1:
        raise _Unreadable("It is in a zip file with a password: send it without.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _Unreadable("It is packed in a way that is not read: send an ordinary zip file.")
    if info.file_size > MAX_FILE:
        raise _too_large(info.file_size, MAX_FILE)
    if info.file_size > 5 * MB and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise _Unreadable("It unpacks to far more than a notebook does, so it was not unpacked.")


# ---------------------------------------------------------------- a notebook


_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)


def _parse(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """A notebook's JSON, and remarks. Raises _Unreadable."""
    if not data.strip():
        raise _Unreadable("The file is empty.")
    text, remarks = _text(data)
    if not text.lstrip().startswith("{"):
        raise _Unreadable(f"The file is not a notebook: {_what_it_is(data, text)}.")
    _refuse_crowded(text)
    try:
        notebook = json.loads(text, parse_int=_small_int, strict=False)
    except json.JSONDecodeError as error:
        raise _Unreadable(
            f"The file is not a whole notebook: its JSON breaks off or goes wrong in line "
            f"{error.lineno}, column {error.colno} of {text.count(chr(10)) + 1} lines."
        ) from None
    except RecursionError:
        raise _Unreadable("Its JSON is nested far too deeply for a notebook.") from None
    except ValueError:
        raise _Unreadable("The file is not a notebook: its JSON cannot be read.") from None
    if not isinstance(notebook, dict):
        raise _Unreadable("The file is JSON, but not a notebook.")
    return notebook, remarks


def _text(data: bytes) -> tuple[str, list[str]]:
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding), []
    except UnicodeDecodeError:
        return data.decode(encoding, "replace"), [
            "The file holds bytes that are no text; each was replaced by a question mark."
        ]


def _what_it_is(data: bytes, text: str) -> str:
    start = text.lstrip()[:200].lower()
    if data.startswith(b"PK"):
        return "it is a zip file with a notebook's name"
    if start.startswith("<"):
        return "it is a web page with a notebook's name (in Jupyter, use File, Download)"
    if start.startswith("version https://git-lfs"):
        return "it is a Git LFS pointer, without the file that it points to"
    return "it does not begin as one"


def _refuse_crowded(text: str) -> None:
    """Refuse JSON that would take up many times its own size in memory."""
    for _ in range(2):
        groups = text.count("{") + text.count("[")
        if groups <= MAX_GROUPS and text.count(",") <= MAX_VALUES:
            return
        text = _STRING.sub("", text)  # once more, without what stands in quotes
    raise _Unreadable("It holds more lists and values than any notebook: clear its outputs.")


def _small_int(digits: str) -> int:
    return int(digits) if len(digits) < 20 else 0


def _cells_of(notebook: dict[str, Any]) -> tuple[tuple[StudentCell, ...], list[str]]:
    """The code cells of a notebook of any version, and remarks. Raises _Unreadable."""
    raw = notebook.get("cells")
    if not isinstance(raw, list):  # version 3 and older: in worksheets
        sheets = notebook.get("worksheets")
        if not isinstance(sheets, list):
            raise _Unreadable("The file is JSON, but not a notebook: it has no cells.")
        lists = [s.get("cells") for s in sheets if isinstance(s, dict)]
        raw = [cell for cells in lists if isinstance(cells, list) for cell in cells]
    if len(raw) > MAX_CELLS:
        raise _Unreadable(f"It has {len(raw):,} cells; at most {MAX_CELLS:,} are read.")
    cells, odd, length = [], 0, 0
    for position, cell in enumerate(raw):
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            odd += 1
        elif cell["cell_type"] == "code":
            source = _source_of(cell)
            odd += source is None
            length += len(source or "")
            if source is not None:
                cells.append(StudentCell(source, *_ids_of(cell), position))
    if length > MAX_SOURCE:
        raise _Unreadable(f"Its code has {length:,} characters; at most {MAX_SOURCE:,} are read.")
    remarks = [f"{odd} of its cells are damaged and were left out."] if odd else []
    return tuple(cells), remarks


def _source_of(cell: dict[str, Any]) -> str | None:
    """The code of a cell, or None if it has none that is text."""
    source = next((cell[key] for key in ("source", "input", "code") if key in cell), None)
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    return source.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _ids_of(cell: dict[str, Any]) -> tuple[str, str]:
    """The cell id and nbgrader's grade id, "" for what is missing or cannot be one."""
    said = [cell.get("id"), _at(cell, "metadata", "nbgrader", "grade_id")]
    return tuple(i if isinstance(i, str) and _CELL_ID.fullmatch(i) else "" for i in said)


def _at(value: Any, *path: str) -> Any:
    """What stands at a path of keys, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


# ---------------------------------------------------------------- which lesson


def _lesson_of(
    notebook: dict[str, Any], cells: Iterable[StudentCell], name: str
) -> tuple[str, list[str]]:
    """The lesson, "" if it cannot be told, and a remark if its name says something else."""
    said = _at(notebook, "metadata", "labsupport", "lesson")
    if isinstance(said, str) and said in exercises.LESSONS:
        return said, []
    named = lesson_in_name(name)
    votes = _votes(cells)
    best = max(votes.values(), default=0)
    held = [lesson for lesson in votes if votes[lesson] == best]
    if named and (named in held or not held):
        return named, []
    if len(held) == 1:
        doubt = f"Its name says {named}, but its cells are those of {held[0]}." if named else ""
        return held[0], [doubt] if doubt else []
    return named, []


def _votes(cells: Iterable[StudentCell]) -> Counter[str]:
    """How many of the course's cells and answers there are, by lesson. Shared ones say nothing."""
    ids, names = blanks.marks()
    patterns = _definitions()
    votes: Counter[str] = Counter()
    for cell in cells:
        known = [ids.get(cell.id) or ids.get(cell.grade_id) or ()]
        if len(cell.source) < 100_000:
            known += [names[name] for name in set(patterns.findall(cell.source))]
        for lessons in known:
            if len(lessons) == 1:
                votes.update(lessons)
    return votes


@lru_cache
def _definitions() -> re.Pattern[str]:
    """Where a line defines one of the course's answers."""
    names = "|".join(map(re.escape, blanks.marks()[1]))
    return re.compile(rf"^(?:def +|class +)?({names})\b(?=[ \t]*[(:=])", re.MULTILINE)


_COPY = re.compile(r"(copy[ _-]*of[ _-]+)|([ _-]*-?[ _]*copy[ _-]*\(?\d*\)?$)|(\s*\(\d+\)$)")
_NUMBER = re.compile(r"(?:^|_)(?:lesson|lab|notebook|nb|exercise|hw|homework)_?(\d{1,2})(?:_|$)")


@lru_cache(maxsize=4096)
def lesson_in_name(name: str) -> str:
    """The lesson that a file's name speaks of, or ""."""
    words = _words(name)
    for wanted in (lambda lesson: lesson, lambda lesson: lesson[3:]):
        held = [n for n in exercises.LESSONS if f"_{wanted(n)}_" in f"_{words}_"]
        if len(held) == 1:
            return held[0]
    number = re.match(r"(\d\d)(?:_|$)", words) or _NUMBER.search(words)
    if number:
        return next((n for n in exercises.LESSONS if int(n[:2]) == int(number[1])), "")
    return ""


def _words(name: str) -> str:
    """A file's name in small letters and underscores, without what copying adds."""
    stem, before = _stem(name[:300]).lower(), None
    while stem != before:
        before, stem = stem, _COPY.sub("", stem).strip()
    return re.sub(r"[\W_]+", "_", stem).strip("_")


_NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)


def _stem(name: str) -> str:
    return _NOTEBOOK.sub("", name)


# ---------------------------------------------------------------- find


@dataclass(frozen=True)
class _Entry:
    """Something that lies in SUBMISSIONS. path: for reports, from SUBMISSIONS. time: changed."""

    path: tuple[str, ...]
    place: Place
    size: int = 0
    time: float = 0
    problem: str = ""
    packed: int = 0

    @property
    def name(self) -> str:
        return self.path[-1]


@dataclass(frozen=True)
class _Who:
    """What a name in SUBMISSIONS says. file: the part that the student chose, "" of a folder.

    number: the platform's, where there is one: it tells students of one name apart.
    """

    name: str
    number: str = ""
    file: str = ""
    attempt: int = 0
    ids: tuple[tuple[str, str], ...] = ()
    from_platform: bool = False
    text_only: bool = False


@dataclass
class _Pile:
    """All that one student handed in. notebooks: with the attempt's number; others: names."""

    who: _Who
    notebooks: list[tuple[_Entry, str, int, _Who]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def find(path: Path | str) -> list[Found]:
    """What there is to grade, in the order of students and names. Raises CannotRead.

    A student who has handed in no notebook is there, with a problem. Of several notebooks of one
    student for one lesson there is the latest, with a remark.
    """
    try:
        root = os.path.realpath(path, strict=True)
        mode = os.stat(root).st_mode
        if stat.S_ISDIR(mode):
            piles = _piles_of_folder(root)
        elif not stat.S_ISREG(mode):
            raise CannotRead(f"{_printable(str(path))} is neither a folder nor a file.")
        elif root.lower().endswith(".zip"):
            piles = _piles_of_zip(root)
        elif _NOTEBOOK.search(root):
            piles = _piles_of_notebook(root)
        else:
            raise CannotRead(
                f"{_printable(str(path))} is neither a notebook (.ipynb) nor a zip file nor a "
                "folder of them."
            )
    except FileNotFoundError:
        raise CannotRead(f"There is no {_printable(str(path))}.") from None
    except (OSError, ValueError) as error:
        reason = _first_line(getattr(error, "strerror", None) or error)
        raise CannotRead(f"{_printable(str(path))} cannot be read ({reason}).") from None
    if not piles:
        raise CannotRead(
            f"There is nothing to grade in {_printable(str(path))}: no notebook, no zip file and "
            "no folder of a student."
        )
    found = [item for key, pile in _with_keys(piles) for item in _found(key, pile)]
    return sorted(found, key=lambda item: (item.student, item.source))


# ------------------------------------------------ the three kinds of SUBMISSIONS


Piles = dict[tuple[str, str], _Pile]


def _piles_of_notebook(root: str) -> Piles:
    known = os.stat(root)
    name, home = os.path.basename(root), os.path.basename(os.path.dirname(root))
    entry = _Entry((name,), Place(root), known.st_size, known.st_mtime)
    piles: Piles = {}
    _add_file(piles, entry, home)
    return piles


def _piles_of_folder(root: str) -> Piles:
    base = _submitted(root)
    folder = os.path.join(root, *base)
    names = [name for name in sorted(os.listdir(folder)) if not _is_skipped(name)]
    if len(names) == 1 and names[0].lower().endswith(".zip"):
        inner = os.path.join(folder, names[0])
        if stat.S_ISREG(os.lstat(inner).st_mode) and _is_export(inner):
            return _piles_of_zip(inner)
    piles: Piles = {}
    for name in names:
        parts = (*base, name)
        try:
            known = os.lstat(os.path.join(folder, name))
        except (OSError, ValueError) as error:
            _add_file(piles, _Entry(parts, Place(root, parts), problem=_why(error)), root)
            continue
        entry = _Entry(parts, Place(root, parts), known.st_size, known.st_mtime)
        if stat.S_ISDIR(known.st_mode):
            pile = _pile(piles, _who_of_folder(name))
            _add_all(pile, _walk(root, parts, pile))
        elif stat.S_ISREG(known.st_mode):
            _add_file(piles, entry, os.path.basename(root))
        else:
            entry = replace(entry, problem=_not_a_file(known.st_mode))
            if stat.S_ISLNK(known.st_mode) and "." not in name:  # a student's folder, it seems
                _pile(piles, _who_of_folder(name)).notebooks.append((entry, name, 0, _Who("")))
            else:
                _add_file(piles, entry, os.path.basename(root))
    return piles


def _submitted(root: str) -> tuple[str, ...]:
    """Where in the folder the students are: below `submitted/` in an nbgrader course."""
    inner = os.path.join(root, "submitted")
    try:
        others = {name for name in os.listdir(root) if not _is_skipped(name)} - {"submitted"}
        if not stat.S_ISDIR(os.lstat(inner).st_mode):
            return ()
    except OSError:
        return ()
    nbgrader = {"nbgrader_config.py", "gradebook.db", "source", "release", "autograded", "feedback"}
    return ("submitted",) if not others or others & nbgrader else ()


def _walk(root: str, start: tuple[str, ...], pile: _Pile) -> Iterator[_Entry]:
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
                    if not _is_skipped(entry.name):
                        inside.append(entry)
        except (OSError, ValueError) as error:
            pile.remarks.append(f"A folder in it could not be opened: {_why(error)}")
            continue
        for entry in sorted(inside, key=lambda e: e.name):
            below = (*parts, entry.name)
            try:
                known = entry.stat(follow_symlinks=False)
            except (OSError, ValueError) as error:
                yield _Entry(below, Place(root, below), problem=_why(error))
                continue
            if stat.S_ISDIR(known.st_mode):
                if len(below) - len(start) > MAX_DEPTH:
                    pile.remarks.append(f"Folders more than {MAX_DEPTH} deep were not opened.")
                else:
                    waiting.append(below)
                continue
            problem = "" if stat.S_ISREG(known.st_mode) else _not_a_file(known.st_mode)
            yield _Entry(below, Place(root, below), known.st_size, known.st_mtime, problem)
        if seen > MAX_ENTRIES:
            pile.remarks.append(f"Only the first {MAX_ENTRIES:,} files and folders were looked at.")
            return


def _piles_of_zip(root: str) -> Piles:
    try:
        with _open(Place(root)) as file:
            archive = _class_archive(root, _stamp(file))
        entries = _entries_of(archive, Place(root), ())
    except (_Unreadable, *_BROKEN_ZIP) as error:
        name = _printable(os.path.basename(root))
        raise CannotRead(
            f"{name} is not a zip file that can be read: {_first_line(error)}"
        ) from None
    entries = _unwrapped(entries)
    piles: Piles = {}
    home = os.path.splitext(os.path.basename(root))[0]
    folders: dict[str, list[_Entry]] = {}
    for entry, below in entries:
        if len(below) > 1:
            folders.setdefault(below[0], []).append(entry)
        else:
            _add_file(piles, entry, home)
    for name, inside in folders.items():
        pile = _pile(piles, _who_of_folder(name))
        _add_all(pile, inside[:MAX_ENTRIES])
    return piles


def _entries_of(archive: zipfile.ZipFile, place: Place, path: tuple[str, ...]) -> list[_Entry]:
    """The members of a zip. Their names are labels only: nothing is ever written."""
    entries = []
    for number, info in enumerate(archive.infolist()):
        parts = [p for p in re.split(r"[/\\]", info.filename) if p not in ("", ".", "..")]
        if not parts or any(map(_is_skipped, parts)):
            continue
        if info.filename.endswith(("/", "\\")):
            if len(parts) > 1:
                continue
            parts.append("")  # a folder that may be empty
        inner = replace(place, members=(*place.members, (number, info.filename)))
        problem = ""
        try:
            _refuse_odd(info)
        except _Unreadable as error:
            problem = str(error)
        entries.append(
            _Entry(
                (*path, *parts), inner, info.file_size, _time_of(info), problem, info.compress_size
            )
        )
    return sorted(entries, key=lambda e: (e.path, e.place.members))


def _time_of(info: zipfile.ZipInfo) -> float:
    """When a member was changed, in an order like that of seconds."""
    year, month, day, hour, minute, second = info.date_time
    return ((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60 + second


def _unwrapped(entries: list[_Entry]) -> list[tuple[_Entry, tuple[str, ...]]]:
    """Entries with their paths, without a folder that wraps up the whole class."""
    paths = [entry.path for entry in entries]
    while paths and len({path[0] for path in paths}) == 1 and min(map(len, paths)) > 1:
        inside = {path[1] for path in paths if path[1]}
        folders = {path[1] for path in paths if len(path) > 2}
        known = any(map(_is_from_platform, inside))
        if not known and (_is_from_platform(paths[0][0]) or inside != folders or len(inside) < 2):
            break
        kept = [n for n, path in enumerate(paths) if path[1]]
        entries, paths = [entries[n] for n in kept], [paths[n][1:] for n in kept]
    return list(zip(entries, paths, strict=True))


def _is_export(path: str) -> bool:
    """Whether a zip is one that a learning platform made of a class."""
    try:
        with _open(Place(path)) as file:
            entries = _entries_of(_class_archive(path, _stamp(file)), Place(path), ())
    except (_Unreadable, *_BROKEN_ZIP):
        return False
    return any(_is_from_platform(path[0]) for _entry, path in _unwrapped(entries))


_SKIPPED = {"__macosx", "thumbs.db", "desktop.ini", "__pycache__"}


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SKIPPED


# ------------------------------------------------ whose it is

_CANVAS = re.compile(
    r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<user>\d+|(?<=^anonymous_)\w{5})_(?P<submission>\d+)"
    r"_(?P<file>.+)",
    re.DOTALL,
)
_MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<file>.*))?",
    re.DOTALL,
)
_ATTEMPT = re.compile(r"(.*[^-])-([1-9]\d{0,2})", re.DOTALL)


def _is_from_platform(name: str) -> bool:
    return bool(_CANVAS.fullmatch(name) or _MOODLE.match(name))


def _who_of_folder(name: str) -> _Who:
    return _who_by_moodle(name) or _Who(name)


def _who_by_moodle(name: str) -> _Who | None:
    said = _MOODLE.match(name)
    if not said:
        return None
    ids = (("moodle_participant", said["number"]), ("name", _printable(said["name"])))
    only_text = not said["kind"].startswith("file")
    return _Who(said["name"], said["number"], said["file"] or "", 0, ids, True, only_text)


def _who_of_file(name: str, home: str) -> _Who:
    """Whose a file is that lies beside those of others. home: the name of where they lie."""
    if said := _CANVAS.fullmatch(name):
        ids = {
            "canvas_user_id": said["user"],
            "canvas_submission_id": said["submission"],
            "name": _printable(said["name"]),
        }
        if said["late"]:
            ids["late"] = "yes"
        stem, dot, rest = said["file"].partition(".ipynb")
        bare = re.sub(r" \(\d+\)$", "", stem)
        again = _ATTEMPT.fullmatch(bare)
        attempt = int(again[2]) if again else 0
        file = (again[1] if again else bare) + dot + rest
        return _Who(said["name"], said["user"], file, attempt, tuple(ids.items()), True)
    if who := _who_by_moodle(name):
        return who
    stem = _NOTEBOOK.sub("", name) if _NOTEBOOK.search(name) else os.path.splitext(name)[0]
    for lesson in exercises.LESSONS:
        if lesson in stem:
            rest = re.sub(r"[\s_-]+", " ", _COPY.sub("", stem.lower()).replace(lesson, " ")).strip()
            return _Who(rest if rest and not rest.isdigit() else home, "", name)
    return _Who(stem, "", name)


def _pile(piles: Piles, who: _Who) -> _Pile:
    pile = piles.setdefault((who.name, who.number), _Pile(who))
    if who.text_only:
        pile.remarks.append("Text typed into the platform's page is not graded.")
    return pile


def _add_file(piles: Piles, entry: _Entry, home: str) -> None:
    """Add a file that lies beside those of other students."""
    who = _who_of_file(entry.name, home)
    if who.from_platform or _NOTEBOOK.search(entry.name) or _is_zip(entry.name):
        pile = _pile(piles, who)
        _add(pile, entry, who.file or entry.name, who.attempt, who)


def _add_all(pile: _Pile, entries: Iterable[_Entry]) -> None:
    for entry in entries:
        _add(pile, entry, entry.name, 0, pile.who)


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _add(pile: _Pile, entry: _Entry, name: str, attempt: int, who: _Who) -> None:
    if pile.who.text_only and not who.text_only:
        pile.who = who
    if who.text_only or not name:
        return
    if _NOTEBOOK.search(name):
        pile.notebooks.append((entry, name, attempt, who))
    elif _is_zip(name) and len(entry.place.members) < 2 and not entry.problem:
        try:
            inside = _inside(entry)
        except (_Unreadable, *_BROKEN_ZIP) as error:
            problem = f"It cannot be read as a zip file: {_first_line(error).rstrip('.')}."
            pile.notebooks.append((replace(entry, problem=problem), name, attempt, who))
            return
        for inner in inside:
            if _NOTEBOOK.search(inner.name):
                pile.notebooks.append((inner, inner.name, attempt, who))
            elif inner.name:
                pile.others.append(inner.name)
    else:
        pile.others.append(name)


def _inside(entry: _Entry) -> list[_Entry]:
    """What lies in a student's zip. Raises _Unreadable, and what is in _BROKEN_ZIP."""
    if entry.place.members:
        entries = _entries_of(_archive(io.BytesIO(_bytes_of(entry.place))), entry.place, entry.path)
    else:
        if entry.size > MAX_ZIP:
            raise _Unreadable(f"it has more than {MAX_ZIP // MB} MB")
        with _open(entry.place) as file:
            entries = _entries_of(_archive(file), entry.place, entry.path)
    if sum(e.size for e in entries if _NOTEBOOK.search(e.name)) > MAX_UNPACKED:
        raise _Unreadable(f"its notebooks would unpack to more than {MAX_UNPACKED // MB} MB")
    return entries


# ------------------------------------------------ one key for each student


def _with_keys(piles: Piles) -> Iterator[tuple[str, _Pile]]:
    """Every pile with its student's key. No two keys are the same, in any case of letters."""
    plain = {identity: _key(identity[0]) for identity in piles}
    counts = Counter(key.casefold() for key in plain.values())
    taken: set[str] = {key.casefold() for key in plain.values() if counts[key.casefold()] == 1}
    for identity in sorted(piles, key=lambda i: (plain[i], i)):
        key = plain[identity]
        if counts[key.casefold()] > 1:
            name, number = identity
            mark = number or hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            base = key = f"{key}-{mark}"
            again = 1
            while key.casefold() in taken:
                again += 1
                key = f"{base}-{again}"
            taken.add(key.casefold())
        yield key, piles[identity]


def _key(name: str) -> str:
    """A name as a student's key: printable, of one line, with no separator of paths."""
    key = re.sub(r'[/\\:*?"<>|\s]+', " ", _printable(name, MAX_NAME)).strip(" .")
    return key or "student"


def _printable(text: str, limit: int = 300) -> str:
    """Text for reports: what cannot be shown, or turns round what follows, as a question mark."""
    shown = "".join("\N{REPLACEMENT CHARACTER}" if _is_odd(c) else c for c in text[:limit])
    return unicodedata.normalize("NFC", shown) + ("…" if len(text) > limit else "")


def _is_odd(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind[0] == "C" or kind in ("Zl", "Zp")


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return _printable(lines[0], 200) if lines else type(error).__name__


# ------------------------------------------------ which of a student's notebooks


def _found(key: str, pile: _Pile) -> list[Found]:
    """What of one student's pile is graded."""
    remarks = tuple(dict.fromkeys(pile.remarks))[:10]
    ids = dict(pile.who.ids)
    if not pile.notebooks:
        return [Found(key, key, "", Place(""), _no_notebook(pile), remarks, ids)]
    if len(pile.notebooks) > MAX_NOTEBOOKS:
        problem = f"There are {len(pile.notebooks):,} notebooks; send at most {MAX_NOTEBOOKS}."
        return [Found(key, key, "", Place(""), problem, remarks, ids)]
    names: Counter[str] = Counter()
    groups: dict[str, list[tuple[tuple, Found]]] = {}
    for entry, name, attempt, who in pile.notebooks:
        source = _printable("/".join(entry.path), 500)
        names[source] += 1
        if names[source] > 1:
            source = f"{source} ({names[source]})"
        item = Found(key, source, name, entry.place, entry.problem, (), dict(who.ids or ids))
        lesson, readable = "", True
        if len(pile.notebooks) > 1:
            submission = load(item)
            lesson, readable = submission.lesson, not submission.problem
        order = (readable, attempt, entry.time, entry.path)
        groups.setdefault(lesson, []).append((order, item))
    found = []
    for lesson, items in groups.items():
        items.sort(key=lambda pair: pair[0], reverse=True)
        if not lesson:
            found += [item for _order, item in items]
            continue
        (_, latest), *older = items
        if older:
            names_of_older = ", ".join(item.source for _order, item in older)
            latest = replace(
                latest,
                remarks=(
                    f"Of {len(items)} notebooks for this lesson this is the latest; not graded: "
                    f"{_printable(names_of_older)}.",
                ),
            )
        found.append(latest)
    found[0] = replace(found[0], remarks=(*remarks, *found[0].remarks))
    return found


def _no_notebook(pile: _Pile) -> str:
    if not pile.others:
        return "There is no notebook."
    first = _printable(pile.others[0], 80)
    more = f" and {len(pile.others) - 1} more" if len(pile.others) > 1 else ""
    return f"There is no notebook (.ipynb), only {first}{more}."
