"""What the names of files and folders say of who somebody is, and what says nothing of it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from labsupport import exercises
from labsupport.grading.notebooks import is_notebook, lesson_in_name, stem_of


def _known(words: str) -> set[str]:
    return set(words.split())


#: Of lessons and weeks: nobody is called so, and no group of students either.
_TIMES = _known("""
    week weeks woche kw semaine semana lesson lessons lektion leccion leçon lab labs hw homework
    homeworks hausaufgabe hausaufgaben sheet blatt übung übungen uebung uebungen ubung übungsblatt
    exercise exercises assignment assignments aufgabe aufgaben unit session day ps problem problems
    set module modul chapter kapitel part teil tp td tarea devoir quiz exam monday tuesday wednesday
    thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag sonntag
""")
#: Of what holds several students, or a group of them.
_GROUPS = _known("""
    group groups gruppe gruppen groupe grupo team teams section sections sec class classes klasse
    course courses kurs kurse tutorial tutorium cohort year jahrgang semester ws ss spring summer
    fall autumn winter students studierende submissions submitted abgaben export exports default
    download downloads uploads handins all alle everyone
""")
#: Of one's own copies, and of what holds files.
_OWN = _known("""
    old older new newer final finished draft copy copies backup backups bak version versions v ver
    rev latest last first second third attempt attempts versuch submission resubmission abgabe retry
    try test tests tmp temp original orig blank empty solved done fixed corrected correction update
    updated alt neu kopie copie copia kopia entwurf fertig korrigiert my mine mein meine work
    working solution solutions lösung lösungen answer answers antwort antworten late untitled
    unbenannt archive previous before after revised main master improved better wip save saved
    autosave checkpoint checkpoints experiment experiments play scratch sandbox notes trial again
    wrong right and or of for to in with by the a an from von und der die das mit de
    notebook notebooks nb nbs src source code jupyter ipynb ipython colab google drive python py
    data docs doc file files folder ordner dir project projekt repo repository github git desktop
    documents html pdf zip lib output outputs results images img figures pictures numpy tensorflow
    tf keras deep learning ml dl ai checked graded feedback readme
""")
_LESSONS = {word for lesson in exercises.LESSONS for word in lesson[3:].split("_")}
_LESSONS |= {"batchnorm", "bn", "gradients", "gradient"}
_NOBODY = _TIMES | _GROUPS | _OWN | _LESSONS
_DATE = re.compile(r"(19|20)\d\d[01]\d[0-3]\d(\d{2,6})?")


@lru_cache(maxsize=65536)
def who_in(name: str) -> frozenset[str]:
    """The words of a name that may say who somebody is; none of "old", "week 3", "01-Copy1"."""
    words = _words(name)
    letters = {word for word in words if len(word) == 1} if _is_of(words, _TIMES | _GROUPS) else ()
    return frozenset(w for w in words if not (w in letters or _says_nobody(w)))


def _words(name: str) -> list[str]:
    if name.lower().endswith(".zip"):
        name = name[:-4]
    name = unicodedata.normalize("NFC", stem_of(name) if is_notebook(name) else name)
    return re.findall(r"[^\W_]+", name[:300].casefold())


def _is_of(words: Sequence[str], known: set[str]) -> bool:
    """Whether one of the words is known, with a number or a letter after it or not."""
    return any(_bare(w) in known or (len(w) > 4 and w[:-1] in known) for w in words)


def _bare(word: str) -> str:
    return word.strip("0123456789")


def _says_nobody(word: str) -> bool:
    if word.isdigit():  # many are a student's number, or the day
        return len(word) < 5 or bool(_DATE.fullmatch(word))
    return _bare(word) in _NOBODY or _is_of([word], _TIMES | _GROUPS)


def is_of_a_lesson(name: str) -> bool:
    """Whether a name is a lesson's, or a week's, and says nothing else."""
    return not who_in(name) and bool(lesson_in_name(name) or _is_of(_words(name), _TIMES))


def is_of_a_group(name: str) -> bool:
    """Whether a name is one of several students together, and says nothing else."""
    return not who_in(name) and _is_of(_words(name), _GROUPS)


def is_of_files(name: str) -> bool:
    """Whether a name is only of what is in it: "notebooks", "final version"."""
    words = _words(name)
    return any(map(_bare, words)) and all(_bare(word) in _OWN | {""} for word in words)


def label(name: str) -> str:
    """What a notebook is for: its lesson, or else what it is called."""
    return lesson_in_name(name) or " ".join(_words(name))
