"""The bytes of a notebook -> its code cells and its lesson. Any bytes, any version of the format.

It is read by hand and not by nbformat, which trusts what it reads.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from labsupport import exercises
from labsupport.grading import blanks
from labsupport.grading.places import Unreadable
from labsupport.grading.records import StudentCell

MAX_CELLS = 5_000
MAX_SOURCE = 1_000_000  # characters in all cells
MAX_GROUPS = 300_000  # lists and objects in a notebook's JSON
MAX_VALUES = 3_000_000

# ---------------------------------------------------------------- cells


_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)


def read(data: bytes, name: str) -> tuple[str, tuple[StudentCell, ...], list[str]]:
    """The lesson of a notebook, its code cells, and remarks. Raises Unreadable.

    name: of its file, which may say the lesson where the notebook does not.
    """
    notebook, remarks = _parse(data)
    cells, odd = _cells_of(notebook)
    lesson, doubt = _lesson_of(notebook, cells, name)
    return lesson, cells, [*remarks, *odd, *doubt]


def _parse(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """A notebook's JSON, and remarks. Raises Unreadable."""
    if not data.strip():
        raise Unreadable("The file is empty.")
    text, remarks = _text(data)
    text = text.rstrip("\0")  # as after a crash
    if not text.lstrip().startswith("{"):
        raise Unreadable(f"The file is not a notebook: {_what_it_is(data, text)}.")
    _refuse_crowded(text)
    try:
        notebook = json.loads(text, parse_int=_small_int, strict=False)
    except json.JSONDecodeError as error:
        lines = text.count("\n") + 1
        raise Unreadable(
            f"The file is not a whole notebook: its JSON breaks off or goes wrong in line "
            f"{error.lineno}, column {error.colno}"
            + (f"; it has {lines} lines." if lines > 1 else ".")
        ) from None
    except RecursionError:
        raise Unreadable("Its JSON is nested far too deeply for a notebook.") from None
    except ValueError:
        raise Unreadable("The file is not a notebook: its JSON cannot be read.") from None
    if not isinstance(notebook, dict):
        raise Unreadable("The file is JSON, but not a notebook.")
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
    raise Unreadable("It holds more lists and values than any notebook: clear its outputs.")


def _small_int(digits: str) -> int:
    return int(digits) if len(digits) < 20 else 0


def _cells_of(notebook: dict[str, Any]) -> tuple[tuple[StudentCell, ...], list[str]]:
    """The code cells of a notebook of any version, and remarks. Raises Unreadable."""
    raw = notebook.get("cells")
    if not isinstance(raw, list):  # version 3 and older: in worksheets
        sheets = notebook.get("worksheets")
        if not isinstance(sheets, list):
            raise Unreadable("The file is JSON, but not a notebook: it has no cells.")
        lists = [s.get("cells") for s in sheets if isinstance(s, dict)]
        raw = [cell for cells in lists if isinstance(cells, list) for cell in cells]
    if len(raw) > MAX_CELLS:
        raise Unreadable(f"It has {len(raw):,} cells; at most {MAX_CELLS:,} are read.")
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
        raise Unreadable(f"Its code has {length:,} characters; at most {MAX_SOURCE:,} are read.")
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


# ---------------------------------------------------------------- lesson


def _lesson_of(
    notebook: dict[str, Any], cells: Iterable[StudentCell], name: str
) -> tuple[str, list[str]]:
    """The lesson, and a remark if its name says another one. Raises Unreadable."""
    said = _at(notebook, "metadata", "labsupport", "lesson")
    said = said if isinstance(said, str) and said in exercises.LESSONS else ""
    named = lesson_in_name(name)
    votes = _votes(cells)
    best = max(votes.values(), default=0)
    held = [lesson for lesson in votes if votes[lesson] == best]
    for lesson in (said, named):
        if lesson and (lesson in held or not held):
            if said and named and said != named and held == [said]:
                return lesson, [_doubt("name", named, said)]
            if not said and not held:
                return lesson, [f"Its name says {named}, but no cell of the course is in it."]
            return lesson, []
    if len(held) == 1:
        what = ("metadata", said) if said else ("name", named)
        return held[0], [_doubt(*what, held[0])] if said or named else []
    if said or named:
        return said or named, []
    raise Unreadable(
        "It cannot be told which lesson this notebook belongs to: its name does not say it, and "
        "no cell or answer of the course is in it."
    )


def _doubt(what: str, said: str, lesson: str) -> str:
    return f"Its {what} says {said}, but its cells are those of {lesson}."


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


#: In the languages of the systems that students have.
_COPY_OF = (
    r"copy[ _-]*of|kopie[ _-]*v[oa]n|copie[ _-]*de|copia[ _-]*d[ei]|c[oó]pia[ _-]*de|kopi[ _-]*av"
    r"|kopia"
)
_COPY = re.compile(
    rf"(^(?:{_COPY_OF})[ _-]+)|([ _-](?:copy|kopie|copie|copia|c[oó]pia|kopia)[ _-]*\(?\d*\)?$)"
    r"|(\s*\(\d+\)$)",
    re.IGNORECASE,
)
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
    return re.sub(r"[\W_]+", "_", without_copy(stem_of(name[:300])).lower()).strip("_")


def without_copy(stem: str) -> str:
    """A file's name without what copying and downloading again add to it."""
    before = None
    while stem != before:
        before, stem = stem, _COPY.sub("", stem).strip()
    return stem


_ENDING = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)  # browsers add to it


def is_notebook(name: str) -> bool:
    """Whether a file's name is that of a notebook."""
    return bool(_ENDING.search(name))


def stem_of(name: str) -> str:
    return _ENDING.sub("", name)
