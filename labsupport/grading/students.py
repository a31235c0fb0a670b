"""Whose a submission is: what the names of files and folders say, and one key for each student."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from labsupport import exercises
from labsupport.grading.notebooks import is_notebook, stem_of, without_copy
from labsupport.grading.places import printable

MAX_NAME = 80  # characters of a student's key


@dataclass(frozen=True)
class Who:
    """What a name in SUBMISSIONS says. file: the part that the student chose, "" of a folder.

    number: the platform's, where there is one: it tells students of one name apart. of_assignment:
    it does so in one assignment only, and is another one in the next.
    """

    name: str
    number: str = ""
    file: str = ""
    attempt: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    from_platform: bool = False
    text_only: bool = False
    of_assignment: bool = False


# ---------------------------------------------------------------- what a name says


# As Canvas writes them: name, LATE, user, file; where it hides names, an anonymous id.
_CANVAS = re.compile(
    r"(?P<name>.+?)(?P<late>_LATE)?_(?P<user>[1-9]\d*)_(?P<submission>[1-9]\d*)_(?P<file>.+)",
    re.DOTALL,
)
_CANVAS_ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?(?P<name>anon)_(?P<user>[0-9A-Za-z]+)_(?P<submission>[1-9]\d*)_(?P<file>.+)",
    re.DOTALL,
)
_CANVAS_TEXT = re.compile(r"(?P<name>.+?)(?P<late>_LATE)?_(?P<user>[1-9]\d*)_(?:text|link)\.html")
_MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<file>.*))?",
    re.DOTALL,
)
_ATTEMPT = re.compile(r"(.*[^-])-([1-9]\d{0,2})", re.DOTALL)


def is_from_platform(name: str) -> bool:
    return bool(_who_by_canvas(name) or _who_by_moodle(name))


def who_of_folder(name: str) -> Who:
    return _who_by_moodle(name) or Who(name)


def _who_by_canvas(name: str) -> Who | None:
    anonymous = _CANVAS_ANONYMOUS.fullmatch(name)
    said = anonymous or _CANVAS.fullmatch(name) or _CANVAS_TEXT.fullmatch(name)
    if not said:
        return None
    held = said.groupdict()
    ids = {
        "canvas_user_id": "" if anonymous else held["user"],
        "canvas_submission_id": held.get("submission", ""),
        "name": f"anon_{held['user']}" if anonymous else printable(held["name"]),
        "late": "yes" if held["late"] else "",
    }
    stem, dot, rest = held.get("file", "").partition(".ipynb")
    bare = re.sub(r" \(\d+\)$", "", stem)
    again = _ATTEMPT.fullmatch(bare)
    return Who(
        name=held["name"],
        number=held["user"],
        file=(again[1] if again else bare) + dot + rest,
        attempt=int(again[2]) if again else 0,
        ids={key: value for key, value in ids.items() if value},
        from_platform=True,
        text_only="file" not in held,
    )


def _who_by_moodle(name: str) -> Who | None:
    said = _MOODLE.match(name)
    if not said:
        return None
    ids = {"moodle_participant": said["number"], "name": printable(said["name"])}
    only_text = not said["kind"].startswith("file")
    return Who(said["name"], said["number"], said["file"] or "", 0, ids, True, only_text, True)


def who_of_file(name: str, home: str) -> Who:
    """Whose a file is that lies beside those of others. home: the name of where they lie."""
    if who := _who_by_canvas(name) or _who_by_moodle(name):
        return who
    stem = stem_of(name) if is_notebook(name) else os.path.splitext(name)[0]
    for lesson in exercises.LESSONS:
        if lesson in stem:
            rest = re.sub(r"[\s_-]+", " ", without_copy(stem).replace(lesson, " ")).strip()
            return Who(rest if rest and not rest.isdigit() else home, "", name)
    return Who(stem, "", name)


# ---------------------------------------------------------------- one key for each


def keys_for(identities: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """A key for each student, who is known by name and number.

    No two keys are the same, not even where capitals do not count. Students of one name are told
    apart by the platform's number, or else by a mark made from the name as it was before it was
    made printable.
    """
    plain = {identity: _key(identity[0]) for identity in identities}
    counts = Counter(key.casefold() for key in plain.values())
    taken = {key.casefold() for key in plain.values() if counts[key.casefold()] == 1}
    keys = {}
    for identity in sorted(plain, key=lambda i: (plain[i], i)):
        name, number = identity
        key = plain[identity]
        if counts[key.casefold()] > 1:
            mark = number or hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            base = key = f"{key}-{mark}"
            again = 1
            while key.casefold() in taken:
                again += 1
                key = f"{base}-{again}"
            taken.add(key.casefold())
        keys[identity] = key
    return keys


def _key(name: str) -> str:
    """A name as a student's key: printable, of one line, with no separator of paths."""
    key = re.sub(r'[/\\:*?"<>|\s]+', " ", printable(name, MAX_NAME)).strip(" .")
    return key or "student"
