"""Whose a submission is: what the names of files and folders say, and one key for each student."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from labsupport import exercises
from labsupport.grading.names import is_of_a_group
from labsupport.grading.notebooks import is_notebook, stem_of, without_copy
from labsupport.grading.places import printable

MAX_NAME = 80  # characters of a student's key


@dataclass(frozen=True)
class Who:
    """What a name in SUBMISSIONS says. file: the part that the student chose, "" of a folder.

    number: the platform's, where there is one: it tells students of one name apart. of_assignment:
    it does so in one assignment only, and is another one in the next. receipt: the platform wrote
    the file.
    """

    name: str
    number: str = ""
    file: str = ""
    attempt: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    from_platform: bool = False
    text_only: bool = False
    of_assignment: bool = False
    receipt: bool = False


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
_BRIGHTSPACE = re.compile(
    r"(?P<number>\d+)-\d+ - (?P<name>.+?) - (?P<time>(?:(?! - ).)*\b20\d\d\b(?:(?! - ).)*)"
    r"(?: - (?P<file>.+))?",
    re.DOTALL,
)
_BLACKBOARD = re.compile(
    r".+_(?P<name>[^_]+)_attempt_(?P<time>20\d\d(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)", re.DOTALL
)
_ATTEMPT = re.compile(r"(.*[^-])-([1-9]\d{0,2})", re.DOTALL)


def is_from_platform(name: str) -> bool:
    return _who_by_platform(name) is not None


def who_of_folder(name: str) -> Who:
    return _who_by_moodle(name) or _who_by_brightspace(name) or Who(name)


def _who_by_platform(name: str) -> Who | None:
    readers = (_who_by_brightspace, _who_by_blackboard, _who_by_canvas, _who_by_moodle)
    return next((who for reader in readers if (who := reader(name))), None)


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
    team, _, member = said["name"].partition("-")
    name = member if member.strip() and is_of_a_group(team) else said["name"]  # "Team A-Ada"
    ids = {"moodle_participant": said["number"], "name": printable(name)}
    only_text = not said["kind"].startswith("file")
    return Who(name, said["number"], said["file"] or "", 0, ids, True, only_text, True)


def _who_by_brightspace(name: str) -> Who | None:
    """`12346-67890 - Ada Lovelace - Oct 3, 2025 1131 AM`, and ` - file` where all lie flat."""
    said = _BRIGHTSPACE.fullmatch(name)
    if not said:
        return None
    ids = {"name": printable(said["name"])}
    attempt = _minute(said["time"])
    return Who(said["name"], said["number"], said["file"] or "", attempt, ids, True)


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def _minute(text: str) -> int:
    """A time such as `Oct 3, 2025 1131 AM` as a number that grows with it, 0 if it is none."""
    said = re.fullmatch(
        r"([A-Z][a-z]{2})[a-z]* (\d{1,2}), (20\d\d) (\d{1,2}):?(\d\d) ?([AP])M", text.strip()
    )
    month = _MONTHS.index(said[1]) if said and said[1] in _MONTHS else -1
    if month < 0:
        return 0
    day, year, hour, minute = map(int, said.group(2, 3, 4, 5))
    hour = hour % 12 + 12 * (said[6] == "P")
    return (((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute


def _who_by_blackboard(name: str) -> Who | None:
    """`Title_user_attempt_2025-10-03-12-00-00_file`; without a file it is Blackboard's receipt."""
    said = _BLACKBOARD.fullmatch(name)
    if not said:
        return None
    attempt = int(said["time"].replace("-", ""))
    file, ids = said["file"] or "", {"name": printable(said["name"])}
    return Who(said["name"], "", file, attempt, ids, True, receipt=not file)


def who_of_file(name: str, home: str) -> Who:
    """Whose a file is that lies beside those of others. home: the name of where they lie."""
    if who := _who_by_platform(name):
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
