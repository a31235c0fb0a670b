"""At which level of folders and zips the students are: what the names there say. Pure.

A folder is not a student's if it holds the same lesson in several folders, or in several files,
whose names say who they are. Then the students are one level deeper, for all folders of its level
alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from labsupport import exercises
from labsupport.grading.notebooks import is_notebook, lesson_in_name, stem_of
from labsupport.grading.students import is_from_platform

#: What holds work: a folder or zip with what is in it, or a file.
Tree = Mapping[str, "Tree | None"]


# ---------------------------------------------------------------- what a name says


def _known(words: str) -> set[str]:
    return set(words.split())


#: Of lessons and weeks: nobody is called so, and no group of students either.
_TIMES = _known("""
    week weeks woche kw semaine semana lesson lessons lektion leccion leçon lab labs hw homework
    homeworks hausaufgabe hausaufgaben sheet blatt übung übungen uebung uebungen ubung übungsblatt
    exercise exercises assignment assignments aufgabe aufgaben unit session day ps problem problems
    set module modul chapter kapitel part teil tp td tarea devoir quiz exam
""")
#: Of what holds several students, or a group of them.
_GROUPS = _known("""
    group groups gruppe gruppen groupe grupo team teams section sections class classes klasse course
    courses kurs kurse tutorial tutorium cohort year jahrgang semester ws ss spring summer fall
    autumn winter students studierende submissions submitted abgaben export exports default download
    downloads uploads handins all alle everyone
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


def _is_of_a_lesson(name: str) -> bool:
    """Whether a name is a lesson's, or a week's, and says nothing else."""
    return not who_in(name) and bool(lesson_in_name(name) or _is_of(_words(name), _TIMES))


# ---------------------------------------------------------------- what a folder is


def are_below(rooms: Sequence[tuple[str, Tree]]) -> bool:
    """Whether the students are not these folders and zips, but what is in them.

    rooms: those of one level, with their names, and the work in them. One of a platform's names is
    a student's, so all are. A student may hand in something that looks like a class: what most of
    them are counts, and one that can only be a student's speaks against it.
    """
    rooms = [(name, tree) for name, tree in rooms if tree]
    if any(is_from_platform(name) for name, _tree in rooms):
        return False
    inner = [_branch(tree) for _name, tree in rooms]
    seen = Counter(child for _passed, tree in inner for child in tree)
    said = [
        _holds_several(tree, {c for c in tree if seen[c] > 1} if who_in(name) else set())
        or _is_of_a_lesson(name)
        and _names_some(passed, tree)
        for (name, _), (passed, tree) in zip(rooms, inner, strict=True)
    ]
    for (name, _), (passed, tree), held in zip(rooms, inner, said, strict=True):
        if not held and _is_of_one(name, passed, tree):
            return False
    if not any(who_in(name) for name, _tree in rooms):
        return any(said)
    return 2 * sum(map(bool, said)) > len(rooms)


def _is_of_one(name: str, passed: list[str], tree: Tree) -> bool:
    """Whether it has work of its own, or folders with work that would be students of no name."""
    if passed:
        return not any(map(who_in, passed))
    nobodies = [inside for child, inside in tree.items() if not who_in(child)]
    return any(nobodies) or bool(nobodies and who_in(name))


def _branch(tree: Tree) -> tuple[list[str], Tree]:
    """Where there is more than one folder, or a file; and the folders on the way."""
    passed: list[str] = []
    while len(tree) == 1 and len(passed) < 50:
        ((name, inside),) = tree.items()
        if not inside:
            break
        passed.append(name)
        tree = inside
    return passed, tree


def is_of_platform(names: set[str]) -> bool:
    """Whether most of these names are ones that a learning platform gives."""
    return sum(map(is_from_platform, names)) > len(names) / 2


def _holds_several(tree: Tree, common: set[str]) -> bool:
    """Whether several have handed in the same here, each under a name.

    common: names that others of the level have in them too, so nobody's.
    """
    if is_of_platform(set(tree)):
        return True
    whose: dict[str, set[frozenset[str]]] = defaultdict(set)
    for name, inside in tree.items():
        who = who_in(name)
        if not who or name in common:
            continue
        for label in {_label(n) for n in _files(inside)} if inside else {lesson_in_name(name)}:
            whose[label].add(who)
    return any(label and len(some) > 1 for label, some in whose.items())


def _names_some(passed: list[str], tree: Tree) -> bool:
    """Whether what is in a lesson's folder is somebody's."""
    if any(map(who_in, passed)):
        return True
    folders = [who_in(name) for name, inside in tree.items() if inside]
    files = {who_in(name) for name, inside in tree.items() if not inside}
    return any(folders) or len(files) > 1 and all(files)


def _files(tree: Tree) -> Iterator[str]:
    waiting = [tree]
    while waiting:
        for name, inside in waiting.pop().items():
            if inside:
                waiting.append(inside)
            else:
                yield name


def _label(name: str) -> str:
    """What a notebook is for: its lesson, or else what it is called."""
    return lesson_in_name(name) or " ".join(_words(name))
