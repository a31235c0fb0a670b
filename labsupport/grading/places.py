"""Where a file of a submission lies, and what it holds. Nothing is written.

A file is opened only if it is an ordinary one, reached through no link, and never read beyond a
limit, be it in a folder or in a zip.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MB = 1 << 20
MAX_FILE = 50 * MB  # of a notebook, and of a zip within a zip
MAX_RATIO = 500  # of a notebook's size to its size in the zip, beyond the first megabytes
MAX_MEMBERS = 10_000  # in a student's zip
MAX_CLASS_MEMBERS = 500_000


@dataclass(frozen=True)
class Place:
    """Where a file's bytes are.

    root: SUBMISSIONS, without links. parts: the path below it. members: if the file is in a zip,
    its number and name in it; twice if that zip is in a zip.
    """

    root: str
    parts: tuple[str, ...] = ()
    members: tuple[tuple[int, str], ...] = ()


class Unreadable(Exception):
    """A file gives no notebook; one sentence for student and instructor."""

    def __init__(self, sentence: str, size: int = 0):
        super().__init__(sentence)
        self.size = size


def printable(text: str, limit: int = 300) -> str:
    """Text for reports: what cannot be shown, or turns round what follows, as a question mark."""
    shown = "".join("\N{REPLACEMENT CHARACTER}" if _is_odd(c) else c for c in text[:limit])
    return unicodedata.normalize("NFC", shown) + ("…" if len(text) > limit else "")


def _is_odd(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind[0] == "C" or kind in ("Zl", "Zp")


def first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0], 200) if lines else type(error).__name__


# ---------------------------------------------------------------- files


def bytes_of(place: Place) -> bytes:
    """What a file holds. Raises Unreadable."""
    if not place.members:
        with open_file(place) as file:
            return _at_most(file, MAX_FILE)
    try:
        with open_file(place) as file:
            archive = archive_of(file) if place.parts else _class_archive(place.root, _stamp(file))
            data = _unpack(archive, place.members[0])
        for member in place.members[1:]:
            data = _unpack(archive_of(io.BytesIO(data)), member)
        return data
    except BROKEN_ZIP as error:
        raise Unreadable(f"Its zip file is damaged ({first_line(error)}).") from None


def open_file(place: Place) -> io.BufferedReader:
    """An ordinary file, opened through no link. Raises Unreadable."""
    descriptor = None
    try:
        descriptor = _descriptor(place.root, place.parts)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("It is not an ordinary file.")
        file = os.fdopen(descriptor, "rb")
        descriptor = None
        return file
    except (OSError, ValueError) as error:
        raise Unreadable(why_closed(error)) from None
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
        raise Unreadable(not_a_file(mode))
    return os.open(name, _HOW_FILE | _NO_LINK, dir_fd=folder)


def not_a_file(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "It is a link to a file, and links are not followed: send the file itself."
    return "It is not an ordinary file."


def why_closed(error: Exception) -> str:
    """Why the system will not open something."""
    number = getattr(error, "errno", None)
    if number in (errno.ELOOP, errno.EMLINK, errno.ENOTDIR):
        return "It is reached through a link, and links are not followed: send the file itself."
    if number in (errno.EACCES, errno.EPERM):
        return "It may not be opened (no permission to read it)."
    if number == errno.ENOENT:
        return "It has vanished since the submissions were listed."
    return f"It cannot be opened ({first_line(getattr(error, 'strerror', None) or error)})."


def _at_most(file: Any, limit: int) -> bytes:
    """All of a file, if that is not more than the limit. Raises Unreadable."""
    size = os.fstat(file.fileno()).st_size
    if size > limit:
        raise _too_large(size, limit)
    try:
        data = file.read(size + 1)
        if len(data) > size:  # it grows, or its size was not known
            data += file.read(limit + 1 - len(data))
    except OSError as error:
        raise Unreadable(why_closed(error)) from None
    if len(data) > limit:
        raise _too_large(limit + 1, limit)
    return data


def _too_large(size: int, limit: int) -> Unreadable:
    return Unreadable(
        f"It has {size / MB:,.0f} MB, and at most {limit // MB} MB are read. A notebook gets small "
        "when its outputs are cleared.",
        size,
    )


# ---------------------------------------------------------------- zips


BROKEN_ZIP = (
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


def archive_of(file: Any, members: int = MAX_MEMBERS) -> zipfile.ZipFile:
    """A zip's list of files. Raises what is in BROKEN_ZIP."""
    archive = zipfile.ZipFile(_Gentle(file, 400 * members))
    if len(archive.infolist()) > members:
        raise zipfile.BadZipFile(f"it holds more than {members:,} files")
    return archive


def class_archive(root: str) -> zipfile.ZipFile:
    """The class's own zip. Raises Unreadable, and what is in BROKEN_ZIP."""
    with open_file(Place(root)) as file:
        return _class_archive(root, _stamp(file))


def _stamp(file: Any) -> tuple[int, int, int]:
    known = os.fstat(file.fileno())
    return known.st_ino, known.st_size, known.st_mtime_ns


@lru_cache(maxsize=8)
def _class_archive(root: str, stamp: tuple[int, int, int]) -> zipfile.ZipFile:
    """Its list of files is long, and is read once for as long as the file is the same."""
    return archive_of(open_file(Place(root)), MAX_CLASS_MEMBERS)


def _unpack(archive: zipfile.ZipFile, member: tuple[int, str]) -> bytes:
    """What a member holds. Raises Unreadable, and what is in BROKEN_ZIP."""
    number, name = member
    info = archive.infolist()[number]
    if info.filename != name:
        raise Unreadable("Its zip file has changed since the submissions were listed.")
    refuse_odd(info)
    data = bytearray()
    with archive.open(info) as file:
        while more := file.read(MB):
            data += more
            if len(data) > MAX_FILE:
                raise _too_large(len(data), MAX_FILE)
    return bytes(data)


def refuse_odd(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise Unreadable(not_a_file(mode))
    if info.flag_bits & 0x1:
        raise Unreadable("It is in a zip file with a password: send it without.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unreadable("It is packed in a way that is not read: send an ordinary zip file.")
    if info.file_size > MAX_FILE:
        raise _too_large(info.file_size, MAX_FILE)
    if info.file_size > 5 * MB and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise Unreadable("It unpacks to far more than a notebook does, so it was not unpacked.")
