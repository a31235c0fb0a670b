"""What the reports share: text that is safe to show, names of files, files that appear at once."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from labsupport import cards, exercises
from labsupport.grading.places import printable
from labsupport.grading.records import Result

TEMPLATES = Path(__file__).parent / "templates"
MAX_TEXT = 2_000  # characters of one message
MAX_LINE = 300  # of a line of code
MAX_MARKS = 4  # accents on one letter


# ---------------------------------------------------------------- text


def one_line(text: str, limit: int = MAX_TEXT) -> str:
    """Text on one line, without what cannot be shown or turns the writing round."""
    line = " ".join(text[: 4 * limit].split())
    if len(line) <= limit and line.isascii() and line.isprintable():
        return line  # nearly every text of a large class
    return printable(_without_towers(line), limit)


def name_list(students: Sequence[str]) -> str:
    """The names of students for a sentence; of many, the first."""
    more = f" and {len(students) - 20} more" if len(students) > 20 else ""
    return ", ".join(one_line(student, 60) for student in students[:20]) + more


def code_line(text: str) -> str:
    return printable(_without_towers(text[:MAX_LINE]).expandtabs(4).rstrip(), MAX_LINE)


def _without_towers(text: str) -> str:
    """Without marks piled on marks, which would be drawn over the lines above and below."""
    if text.isascii():
        return text
    kept, height = [], 0
    for character in text:
        height = height + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if height <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)


def lesson_title(lesson: str) -> str:
    return one_line(lesson.replace("_", " ")) or "no lesson"


def lesson_order(lesson: str) -> tuple[int, str]:
    known = lesson in exercises.LESSONS
    return (exercises.LESSONS.index(lesson) if known else len(exercises.LESSONS), lesson)


# ---------------------------------------------------------------- pages


@lru_cache
def _environment():
    import jinja2

    own = cards.templates()
    folders = jinja2.ChoiceLoader([jinja2.FileSystemLoader(TEMPLATES), own.loader])
    environment = own.overlay(loader=folders)
    environment.filters["href"] = href
    environment.filters["breakable"] = breakable
    return environment


@lru_cache
def _style(name: str) -> tuple[Markup, str]:
    """The style of a page, with that of the cards; and its hash, for the page's policy."""
    card = str(_environment().get_template("style.html").module.style())
    card = re.sub(r"</?style>", "", card).strip()
    own = [(TEMPLATES / file).read_text("utf-8") for file in ("page.css", name)]
    css = "\n".join(["", card, *own])
    return Markup(css), base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()


def page(template: str, css: str, **values) -> str:
    """A page that needs nothing but itself, and whose policy lets nothing else in."""
    style, digest = _style(css)
    return _environment().get_template(template).render(style=style, digest=digest, **values) + "\n"


def made_by_us(path: Path) -> bool:
    """Whether a file is a page that `page` made."""
    if path.is_symlink() or not path.is_file():
        return False
    with open(path, "rb") as file:
        return b'<meta name="generator" content="labsupport grade">' in file.read(1_024)


def href(*parts: str) -> str:
    """A relative address. Names are quoted, so no part can be a scheme or leave the folder."""
    return "/".join(quote(part, safe="") for part in parts)


def breakable(path: str) -> Markup:
    """A path that a narrow column breaks after a separator, and not within a word."""
    return Markup("<wbr>").join(re.findall(r"[^/_]{1,24}[/_]?|[/_]", path))


# ---------------------------------------------------------------- files


def put(path: Path, text: str, *, bom: bool = False) -> None:
    """Write a file at once or not at all; leave it alone if it says that already."""
    data = ("\ufeff" * bom + text).encode("utf-8")
    try:
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    except OSError:
        pass
    partial = path.with_name(f".{path.name[:40]}.part")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.I)
MAX_BYTES = 120  # of a name, so that a page's whole path stays short


def safe_names(names: Iterable[str], taken: Sequence[str] = ()) -> dict[str, str]:
    """A name of a file or folder for each name, the same on every system and in every order.

    Letters, digits and a few signs stay. Whatever had to be changed, and names that a file system
    might take for one another, get a mark made from the name itself.
    """
    wanted = sorted(set(names))
    plain = {name: _cleaned(name) for name in wanted}
    marks = dict.fromkeys(wanted, 0)  # how many digits of the name's hash follow it
    while True:
        made = {name: _marked(name, plain[name], marks[name]) for name in wanted}
        counts = Counter(map(_folded, made.values()))
        counts.update(map(_folded, taken))
        clashing = [n for n in wanted if counts[_folded(made[n])] > 1 and marks[n] < 64]
        for name in wanted:
            if marks[name] == 0 and plain[name] != name and name not in clashing:
                clashing.append(name)
        if not clashing:
            return made
        for name in clashing:
            marks[name] = min(64, marks[name] + 8)


def _cleaned(name: str) -> str:
    text = unicodedata.normalize("NFC", printable(name, 400))
    text = "".join(
        c if c in " -_.,()@+'" or unicodedata.category(c)[0] in "LMN" else "_" for c in text
    )
    text = re.sub(r" +", " ", text).strip(" .")
    if not text or unicodedata.category(text[0])[0] not in "LN":
        text = f"_{text}"
    if _RESERVED.fullmatch(text.replace(" ", "")):
        text = f"_{text}"
    return text.encode()[:MAX_BYTES].decode(errors="ignore").rstrip(" .")


def _marked(name: str, plain: str, digits: int) -> str:
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
    return f"{plain}-{mark}" if mark else plain


def _folded(name: str) -> str:
    """The same for names that some file system takes for one another."""
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold()).casefold()


# ---------------------------------------------------------------- results


def by_student(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Each student's results, lesson by lesson; of several on one lesson, one that was graded."""
    kept: dict[str, dict[tuple, Result]] = {}
    for result in sorted(results, key=lambda r: (r.status == "graded", r.source)):
        own = kept.setdefault(result.student, {})
        own[(result.lesson, "" if result.lesson else result.source)] = result
    return {
        student: sorted(kept[student].values(), key=lambda r: (lesson_order(r.lesson), r.source))
        for student in sorted(kept)
    }


def graded_of(results: Iterable[Result]) -> list[Result]:
    """Those that were graded. What could not be is no 0: what it means, a person decides."""
    return [result for result in results if result.status == "graded"]


def total_of(results: Sequence[Result], lessons: Sequence[str]) -> int | None:
    """A student's points in these lessons, where one that was not handed in counts 0.

    None if they may have handed in more than was graded.
    """
    graded = graded_of(results)
    if len(graded) < len(results) and {r.lesson for r in graded} < {*lessons}:
        return None
    return sum(result.points for result in graded)


def lessons_of(results: Iterable[Result]) -> dict[str, dict[str, int]]:
    """The lessons that were handed in, and of each the exercises and their points."""
    found: dict[str, dict[str, int]] = {}
    for result in results:
        if result.lesson:
            points = found.setdefault(result.lesson, {})
            for exercise in result.exercises:
                points[exercise.id] = max(points.get(exercise.id, 0), exercise.max_points)
    ordered = {}
    for lesson in sorted(found, key=lesson_order):
        known = [e.id for e in exercises.of_lesson(lesson)] if lesson in exercises.LESSONS else []
        rank = {id: number for number, id in enumerate(known)}
        ids = sorted(found[lesson], key=lambda id: (rank.get(id, len(rank)), id))
        ordered[lesson] = {id: found[lesson][id] for id in ids}
    return ordered
