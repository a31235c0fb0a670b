"""Lessons to notebooks and keys.

A lesson whose cells have not changed keeps its executed notebook; nbval is what proves that its
outputs still hold.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import nbformat

from labsupport import exercises, keys
from labsupport.authoring import answer_key, catalogue, digests, lessons
from labsupport.vocabulary import Exercise

#: Output kinds that are of no use without the kernel that made them.
LIVE = ("application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json")


class BuildError(Exception):
    """A lesson cannot be built; the message says which one and why."""


def build(
    names: Iterable[str] = (), *, execute: bool = False, jobs: int = 1, say: Callable = print
) -> None:
    """Bring blank notebooks, executed notebooks and keys up to date with the lessons.

    names: lessons, all by default. execute: run solved notebooks though nothing changed.
    """
    chosen = _chosen(names)
    for lesson in chosen:
        path, text = blank_file(lesson)
        if not _holds(path, text):
            _write(path, text, say)
        if digests.matches(lesson):
            continue
        sources = digests.of_sources(lesson)  # as they are before the keys are made from them
        for path, text in _key_files(lesson):
            if not _holds_key(path, text):
                _write(path, text, say)
        _write(digests.path_of(lesson.name), digests.text(lesson, sources))
    todo = [name.name for name in chosen if execute or _solved_is_stale(name)]
    with ProcessPoolExecutor(max_workers=max(1, min(jobs, len(todo)))) as pool:
        for path in pool.map(_execute_lesson, todo):
            say(f"ran {name_of(path)}")


def stale(names: Iterable[str] = (), *, say: Callable = print) -> list[str]:
    """One line for each built file that does not follow from its source.

    Keys are made anew, to be compared, only where the digest of a lesson says that there may be a
    difference.
    """
    wrong = []
    chosen = _chosen(names)
    for lesson in chosen:
        path, text = blank_file(lesson)
        if not _holds(path, text):
            wrong.append(path)
        if _solved_is_stale(lesson):
            wrong.append(_solved_path(lesson.name))
        if not digests.matches(lesson):
            say(f"{lesson.name}: something has changed, so its keys are made anew to compare.")
            wrong += [path for path, text in _key_files(lesson) if not _holds_key(path, text)]
    found = [f"{name_of(path)} is not what its lesson gives" for path in wrong]
    if set(exercises.LESSONS) == {lesson.name for lesson in chosen}:
        found += [f"{name_of(path)} comes from no lesson" for path in _orphans()]
    return found


def name_of(path: Path) -> str:
    """A file of the course as sentences call it."""
    return path.relative_to(lessons.PROJECT).as_posix()


def _orphans() -> list[Path]:
    """Files that look built, but come from no lesson."""
    built = {keys.path_of(exercise_id) for exercise_id in exercises.all_exercises()}
    for name in exercises.LESSONS:
        built |= {_solved_path(name), _blank_path(name), digests.path_of(name)}
    folders = {
        lessons.BLANKS: "*.ipynb",
        lessons.SOURCES: "*.ipynb",
        keys.FOLDER: "*.json",
        digests.FOLDER: "*",
    }
    there = {path for folder, pattern in folders.items() for path in folder.glob(pattern)}
    return sorted(there - built)


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _holds_key(path: Path, text: str) -> bool:
    exercise = exercises.find(path.stem)
    return path.exists() and same_key(exercise, path.read_text(encoding="utf-8"), text)


def _write(path: Path, text: str, say: Callable = lambda line: None) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    say(f"wrote {name_of(path)}")


def _chosen(names: Iterable[str]) -> list[lessons.Lesson]:
    known, chosen = lessons.sources(), []
    for name in names or known:
        match = [k for k in known if k == name or k.startswith(f"{name}_")]
        if len(match) != 1:
            raise BuildError(f"There is no lesson {name!r}; the lessons are {', '.join(known)}.")
        chosen.append(lessons.read(known[match[0]]))
    return chosen


# ---------------------------------------------------------------- notebooks


def blank_file(lesson: lessons.Lesson) -> tuple[Path, str]:
    """A lesson's blank notebook: where it belongs, and its text."""
    return _blank_path(lesson.name), _text(lessons.blank(lesson))


def _blank_path(name: str) -> Path:
    return lessons.BLANKS / f"{name}.ipynb"


def _text(notebook: nbformat.NotebookNode) -> str:
    return nbformat.writes(notebook) + "\n"


def _solved_path(name: str) -> Path:
    return lessons.SOURCES / f"{name}.ipynb"


def _solved_is_stale(lesson: lessons.Lesson) -> bool:
    """Whether the executed notebook has other cells than the lesson, or cells that never ran."""
    path = _solved_path(lesson.name)
    try:
        built = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        return True
    if any(c.cell_type == "code" and c.execution_count is None for c in built.cells):
        return True
    for cell in built.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return _text(built) != _text(lessons.solved(lesson))


def _execute_lesson(name: str) -> Path:
    lesson = lessons.read(lessons.sources()[name])
    path = _solved_path(name)
    text = _text(execute(lessons.solved(lesson), lessons.SOURCES))
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def execute(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run a solved notebook in a fresh kernel in `folder`. Any error or word on stderr is fatal."""
    import nbclient

    paths = [str(lessons.PROJECT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],  # it would warn that it listens on this machine
    )
    name = notebook.metadata.labsupport.lesson
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        raise BuildError(f"{name}: {error}") from None
    notebook.metadata.update(lessons.KERNEL)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = lessons.KERNEL["language_info"]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            resting = [_at_rest(name, cell.id, output) for output in cell.outputs]
            cell.outputs = [output for output in resting if output is not None]
    return notebook


def _at_rest(
    name: str, cell_id: str, output: nbformat.NotebookNode
) -> nbformat.NotebookNode | None:
    """An output without what is alive only while its kernel is; None if nothing else is in it."""
    if output.output_type == "stream" and output.name == "stderr":
        raise BuildError(f"{name}, cell {cell_id} writes to standard error: {output.text[:400]}")
    data = output.get("data", {})
    was_alive = any([data.pop(kind, None) for kind in LIVE])
    return None if was_alive and set(data) <= {"text/plain"} else output


# ---------------------------------------------------------------- keys


def _key_files(lesson: lessons.Lesson) -> list[tuple[Path, str]]:
    own = exercises.of_lesson(lesson.name)
    if not own:
        return []
    if exercises.stack_of(lesson.name) == "tf1":
        texts = _keys_of(lesson.name)
    else:  # this process may be, or come to be, on TensorFlow 1
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            texts = pool.submit(_keys_of, lesson.name).result()
    return [(keys.path_of(e.id), text) for e, text in zip(own, texts, strict=True)]


def _keys_of(name: str) -> list[str]:
    """The texts of the keys of a lesson's exercises, in their order."""
    names = lessons.answers(lessons.read(lessons.sources()[name]))
    return [
        keys.dumps(answer_key.make(e, getattr(names, e.answer), catalogue.read(e.id).mistakes))
        for e in exercises.of_lesson(name)
    ]


def same_key(exercise: Exercise, one: str, other: str) -> bool:
    """Equal but for the last digits, which differ between processors.

    They may differ by a fifth of what the judge lets pass: in float32, libraries choose the order
    of a sum by the processor, and threads by the moment. Then a mistake's numbers can differ from
    the right ones, so as to be stored, or not.
    """

    def close(a, b) -> bool:
        if isinstance(a, dict) and isinstance(b, dict):
            return list(a) == list(b) and all(close(a[k], b[k]) for k in a)
        if isinstance(a, list) and isinstance(b, list):
            return len(a) == len(b) and all(map(close, a, b))
        if isinstance(a, float) and isinstance(b, float):
            both_nan = math.isnan(a) and math.isnan(b)
            allowed = dict(rel_tol=exercise.rtol / 5, abs_tol=exercise.atol / 5)
            return both_nan or math.isclose(a, b, **allowed)
        return a == b

    try:
        return one == other or close(keys.whole(one), keys.whole(other))
    except (ValueError, LookupError, TypeError, AttributeError):  # a damaged file
        return False
