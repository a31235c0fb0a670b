"""At which level of folders and zips the students are: what the names there say. Pure.

A folder is not a student's if it holds the same lesson in several folders, or in several files,
whose names say who they are. Then the students are one level deeper, for all folders of its level
alike.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from labsupport.grading.names import is_of_a_lesson, label, who_in
from labsupport.grading.notebooks import lesson_in_name
from labsupport.grading.students import is_from_platform

#: What holds work: a folder or zip with what is in it, or a file.
Tree = Mapping[str, "Tree | None"]


# ---------------------------------------------------------------- what a folder is


def not_students(rooms: Sequence[tuple[str, Tree]]) -> list[bool]:
    """Which of these folders and zips are no students', but hold those of several.

    rooms: those of one level, with their names, and the work in them. It is all of them with work,
    or none: a student may hand in something that looks like a class, so what most of them are
    counts, and one that can only be a student's speaks against it. But a lesson's or a week's
    folder that holds several is no student beside any other. One of a platform's names is a
    student's, so all are.
    """
    if any(is_from_platform(name) for name, tree in rooms if tree):
        return [False] * len(rooms)
    inner = [_branch(tree or {}) for _name, tree in rooms]
    seen = Counter(child for _passed, tree in inner for child in tree)
    several = [
        _holds_several(tree, {c for c in tree if seen[c] > 1} if who_in(name) else set())
        for (name, _), (_, tree) in zip(rooms, inner, strict=True)
    ]
    said = [
        held or is_of_a_lesson(name) and _names_some(*found)
        for (name, _), found, held in zip(rooms, inner, several, strict=True)
    ]
    work = [
        (name, found, held)
        for (name, tree), found, held in zip(rooms, inner, said, strict=True)
        if tree
    ]
    nobodies = not any(who_in(name) for name, _found, _held in work)
    most = 2 * sum(held for _name, _found, held in work) > (0 if nobodies else len(work))
    if most and not any(not held and _is_of_one(name, *found) for name, found, held in work):
        return [bool(tree) for _name, tree in rooms]
    return [
        held and is_of_a_lesson(name) and any(map(str.isalpha, name.lower().removesuffix(".zip")))
        for (name, _), held in zip(rooms, several, strict=True)
    ]


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
        if not inside or is_from_platform(name):
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
    if tree and is_of_platform(set(tree)):
        return True
    whose: dict[str, set[frozenset[str]]] = defaultdict(set)
    for name, inside in tree.items():
        who = who_in(name)
        if not who or name in common:
            continue
        for what in {label(n) for n in _files(inside)} if inside else {lesson_in_name(name)}:
            whose[what].add(who)
    return any(what and len(some) > 1 for what, some in whose.items())


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
