"""Building: the same bytes from the same lesson, one line per stale file, no solution outside.

The tests that build work in a copy of the tree that has one lesson, in an interpreter of its own.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from labsupport import cli, exercises
from labsupport.authoring import answer_key, build, digests, lessons
from labsupport.authoring.lessons import LessonError
from labsupport.observe import observe
from labsupport.stub import STUB
from labsupport.vocabulary import Part

ROOT = lessons.PROJECT
LESSON = "00_start_here"
NAMES = [name for name in exercises.LESSONS if lessons.sources()[name].exists()]
BIN = str(Path(sys.executable).parent)


def lesson_of(name):
    return lessons.read(lessons.sources()[name])


def notebooks():
    for name in NAMES:
        yield name, lessons.blank(lesson_of(name))
        yield name, lessons.solved(lesson_of(name))


# ---------------------------------------------------------------- a small tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the course with one lesson, built."""
    root = tmp_path_factory.mktemp("course")
    leave = shutil.ignore_patterns("__pycache__", "*.npz", "launcher*", "doctor.py", ".ipynb*")
    shutil.copytree(ROOT / "labsupport", root / "labsupport", ignore=leave)
    chosen = root / "labsupport" / "exercises" / "__init__.py"
    text = re.sub(
        r"LESSONS = \(.*?\n\)", f'LESSONS = ("{LESSON}",)', chosen.read_text(), flags=re.S
    )
    chosen.write_text(text)
    own = {exercise.id for exercise in exercises.of_lesson(LESSON)}
    for key in (root / "labsupport" / "answer_keys").glob("*.json"):
        if key.stem not in own:
            key.unlink()
    shutil.copytree(ROOT / "solutions" / "mistakes", root / "solutions" / "mistakes")
    shutil.copy(ROOT / "solutions" / f"{LESSON}.py", root / "solutions")
    code, out = run(root, "build")
    assert code == 0, out
    return root


def run(root, *arguments):
    """`python3 -m labsupport …` in a copy of the tree: its exit code and what it says."""
    program = "import sys; from labsupport.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=root,
        env=environment(root),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def environment(root):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("NBGRADER", "LABSUPPORT"))}
    path = os.pathsep.join([BIN, env.get("PATH", "")])
    return {**env, "PYTHONPATH": str(root), "PYTHONHASHSEED": "random", "PATH": path}


def files(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for folder in ("notebooks", "solutions", "labsupport/answer_keys")
        for path in (root / folder).rglob("*")
        if path.is_file() and path.suffix in {".ipynb", ".json", ".txt"}
    }


def test_rebuild_of_an_unchanged_lesson_changes_no_byte(tree):
    before = files(tree)
    assert sorted(before) == [
        *(f"labsupport/answer_keys/{e.id}.json" for e in exercises.of_lesson(LESSON)),
        f"notebooks/{LESSON}.ipynb",
        f"solutions/{LESSON}.ipynb",
        f"solutions/digests/{LESSON}.txt",
    ]
    code, out = run(tree, "build", "--execute")
    assert (code, out) == (0, f"ran solutions/{LESSON}.ipynb\n")
    assert files(tree) == before
    assert all(b"\r" not in content and content.endswith(b"\n") for content in before.values())
    assert run(tree, "build") == (0, ""), "and without --execute there is nothing to do"


def test_built_files_know_nothing_of_this_machine(tree):
    for name, content in files(tree).items():
        for word in (str(tree), str(ROOT), "ipykernel_", " at 0x", "/home/", sys.prefix):
            assert word.encode() not in content, (name, word)


STALE = {
    "nothing": ("", []),
    "a lesson's text": (
        "edit(lesson, lesson.read_text().replace('# # Start here', '# # Start here!'))",
        ["notebooks/{}.ipynb is not what", "solutions/{}.ipynb is not what"],
    ),
    "a lesson's answer": (
        "edit(lesson, lesson.read_text().replace('- mu) / sigma', '- mu) / sigma / 2'))",
        ["solutions/{}.ipynb is not what", "standardize.json is not what"],
    ),
    "a mistake": (
        "edit(mistakes, mistakes.read_text().replace('You divide by', 'They divide by', 1))",
        ["standardize.json is not what"],
    ),
    "a key deleted": ("key.unlink()", ["standardize.json is not what"]),
    "a key damaged": ("edit(key, '{')", ["standardize.json is not what"]),
    "a key's last digits": ("edit(key, nudged(key.read_text(), 6))", []),
    "a key's fourth digit": (
        "edit(key, nudged(key.read_text(), 3))",
        ["standardize.json is not what"],
    ),
    "a blank edited by hand": (
        "edit(blank, blank.read_text().replace('Start here', 'Stop here', 1))",
        ["notebooks/{}.ipynb is not what"],
    ),
    "a blank deleted": ("blank.unlink()", ["notebooks/{}.ipynb is not what"]),
    "a solved notebook edited by hand": (
        "edit(solved, solved.read_text().replace('Start here', 'Stop here', 1))",
        ["solutions/{}.ipynb is not what"],
    ),
    "a solved notebook damaged": ("edit(solved, '{')", ["solutions/{}.ipynb is not what"]),
    "a solved notebook that never ran": (
        "edit(solved, lessons_text(lesson))",
        ["solutions/{}.ipynb is not what"],
    ),
    "a digest deleted": ("digest.unlink()", []),
    "a digest that nobody could merge": ("edit(digest, '<<<<<<<')", []),
    "orphans": (
        "edit(blank.with_name('09_gone.ipynb'), '{}'); edit(key.with_name('gone.json'), '{}'); "
        "edit(digest.with_name('09_gone.txt'), '')",
        [
            "notebooks/09_gone.ipynb comes from no",
            "answer_keys/gone.json comes from no",
            "digests/09_gone.txt comes from no",
        ],
    ),
}
DRIVER = """
import json, re, sys
from pathlib import Path
from labsupport import keys
from labsupport.authoring import answer_key, build, digests, lessons
name, changes = json.loads(sys.stdin.read())
lesson, solved = lessons.SOURCES / f"{name}.py", lessons.SOURCES / f"{name}.ipynb"
blank, key = lessons.BLANKS / f"{name}.ipynb", keys.path_of("standardize")
mistakes = lessons.SOURCES / "mistakes" / "standardize.py"
digest = digests.path_of(name)
folders = [lessons.SOURCES, lessons.BLANKS, keys.FOLDER, mistakes.parent, digests.FOLDER]
def edit(path, text):
    assert not path.exists() or path.read_text() != text, "the edit changes nothing"
    path.write_text(text)
def nudged(text, place):
    other = lambda m: m[1] + str(int(m[2]) - 1 if m[2] == "9" else int(m[2]) + 1)
    return re.sub(rf"(\\b[1-9]\\.\\d{{{place}}})(\\d)", other, text, count=1)
def lessons_text(path):
    lessons.read.cache_clear()
    return build._text(lessons.solved(lessons.read(path)))
def snapshot():
    return {p: p.read_text() for f in folders for p in f.iterdir() if p.is_file()}
found = {}
for title, change in changes.items():
    before = snapshot()
    exec(change)
    lessons.read.cache_clear()
    found[title] = build.stale(say=lambda line: None)
    for path in snapshot():
        path.unlink()
    for path, text in before.items():
        path.write_text(text)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def stale(tree):
    """What `build --check` says after each of the changes."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps([LESSON, {title: change for title, (change, _) in STALE.items()}]),
        cwd=tree,
        env=environment(tree),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("title", STALE)
def test_one_line_for_each_stale_file(stale, title):
    wanted = [line.format(LESSON) for line in STALE[title][1]]
    assert len(stale[title]) == len(wanted), stale[title]
    for line, part in zip(sorted(stale[title]), sorted(wanted), strict=True):
        assert part in line or any(p in line for p in wanted), (line, wanted)


def test_check_says_so_and_changes_nothing(tree):
    blank = tree / "notebooks" / f"{LESSON}.ipynb"
    text = blank.read_text()
    blank.write_text(text + " ")
    before = files(tree)
    code, out = run(tree, "build", "--check", "00")
    assert (code, files(tree)) == (1, before)
    assert out.splitlines() == [
        f"notebooks/{LESSON}.ipynb is not what its lesson gives",
        "Run `python3 -m labsupport build`.",
    ]
    assert run(tree, "build", "00") == (0, f"wrote notebooks/{LESSON}.ipynb\n")
    assert blank.read_text() == text


#: Files, and whether the keys of the lesson hang on them.
BEHIND_A_KEY = {
    "labsupport/authoring/build.py": True,
    "labsupport/exercises/common.py": True,
    "labsupport/exercises/start_here.py": True,
    "labsupport/judge.py": True,
    "labsupport/keys.py": True,
    "labsupport/observe.py": True,
    "labsupport/vocabulary.py": True,
    "labsupport/answer_keys/standardize.json": True,
    "solutions/mistakes/standardize.py": True,
    "solutions/mistakes/bn_dense.py": False,
    "labsupport/exercises/masks.py": False,
    "labsupport/cards.py": False,
    "labsupport/figures/start_here.py": False,
}


def test_digest_tells_whether_keys_may_have_changed(tree):
    program = """
import json, sys
from pathlib import Path
from labsupport.authoring import digests, lessons
lesson = lessons.read(lessons.sources()[sys.argv[1]])
found = {"nothing": not digests.matches(lesson)}
for name in sys.argv[2:]:
    before = Path(name).read_bytes()
    Path(name).write_bytes(before + b"\\n")
    found[name] = not digests.matches(lesson)
    Path(name).write_bytes(before.replace(b"\\n", b"\\r\\n"))
    assert digests.matches(lesson), "an end of line is no change"
    Path(name).write_bytes(before)
print(json.dumps(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, LESSON, *BEHIND_A_KEY],
        cwd=tree,
        env=environment(tree),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"nothing": False, **BEHIND_A_KEY}


def test_digest_follows_the_imports_of_each_lesson():
    """Down to the digits that a program of the clinic is trained on; no prose, no pictures."""

    def behind(name):
        return {path for path, _ in digests._sources(lesson_of(name))}

    assert {
        "labsupport/clinic.py",
        "labsupport/tf1.py",
        "labsupport/data/mnist_5000.npz",
        "labsupport/exercises/tf_common.py",
        "labsupport/authoring/edits.py",
        "solutions/mistakes/clinic_1.py",
    } <= behind("11_clinic")
    assert "labsupport/tf2.py" in behind("10_today")
    for name in NAMES:
        assert not [path for path in behind(name) if "figures" in path]
    lesson = lesson_of(LESSON)
    cells = [c for c in lesson.cells if c.role in ("setup", "answer")]
    only = lessons.Lesson(lesson.name, tuple(cells))
    assert digests.of_sources(lesson) == digests.of_sources(only)
    assert digests.of_sources(lesson) != digests.of_sources(lessons.Lesson(LESSON, only.cells[1:]))


def test_unknown_lesson_is_one_sentence(capsys):
    assert cli.main(["build", "77"]) == 1
    out, error = capsys.readouterr()
    assert out == "" and error.startswith("There is no lesson '77'; the lessons are 00_start_here,")
    assert error.count("\n") == 1


# ---------------------------------------------------------------- rules for authors


def broken(tmp_path, change):
    source = (ROOT / "solutions" / f"{LESSON}.py").read_text(encoding="utf-8")
    text = change(source)
    assert text != source
    path = tmp_path / f"{LESSON}.py"
    path.write_text(text, encoding="utf-8")
    lessons.read.cache_clear()
    return path


def swap(old, new):
    return lambda source: source.replace(old, new, 1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (swap('role="setup"', 'rool="setup"'), "unknown metadata rool"),
        (swap('role="setup"', 'role="set-up"'), "unknown role 'set-up'"),
        (swap('slide="slide"', 'slide="subslide"'), "unknown slide 'subslide'"),
        (swap('role="check" exercise="standardize"', 'role="check"'), "have an exercise"),
        (swap('role="setup"', 'role="setup" exercise="standardize"'), "have an exercise"),
        (swap("    ### BEGIN SOLUTION\n", ""), "an answer needs"),
        (swap("    ### END SOLUTION\n", ""), "an answer needs"),
        (swap("    ### BEGIN SOLUTION\n", "    ### BEGIN SOLUTION\n" * 2), "an answer needs"),
        (swap("\n    ### END SOLUTION", "  ### END SOLUTION"), "on lines of their own"),
        (swap("    ### BEGIN", "    mu = 0  ### BEGIN"), "on lines of their own"),
        (swap('role="setup"\n', 'role="setup"\n### BEGIN SOLUTION\n'), "on lines of their own"),
        (swap('role="check"', 'role="hint"'), "check cells for [], but its exercises are"),
        (
            swap('exercise="standardize"', 'exercise="standardise"'),
            "answer cells for ['standardise'], but its exercises are ['standardize']",
        ),
        (swap('role="setup"', 'role="setup" uses="standardize"'), "unknown metadata uses"),
        (
            lambda source: source + '\n# %% role="setup"\nstandardize(1)\n',
            "a setup cell needs an answer, 'standardize'",
        ),
    ],
)
def test_lesson_that_breaks_a_rule_is_one_sentence(tmp_path, change, sentence):
    with pytest.raises(LessonError) as error:
        lessons.read(broken(tmp_path, change))
    text = str(error.value)
    assert sentence in text and text.startswith(LESSON) and "\n" not in text


def test_swapped_markers_do_not_give_the_answer_away(tmp_path):
    def change(source):
        return (
            source.replace("### BEGIN", "### X")
            .replace("### END", "### BEGIN")
            .replace("### X", "### END")
        )

    with pytest.raises(LessonError, match="on lines of their own"):
        lessons.read(broken(tmp_path, change))


def test_answer_that_fails_its_own_cases_cannot_be_built():
    exercise = exercises.of_lesson(LESSON)[0]
    with pytest.raises(answer_key.NoKey, match="standardize: the solved lesson's own answer fails"):
        answer_key.make(exercise, lambda x: 1 / 0, ())


def test_part_that_no_case_looks_at_cannot_be_built():
    from dataclasses import replace

    exercise = exercises.of_lesson(LESSON)[0]
    blind = replace(exercise, parts=(*exercise.parts, Part("blind", 1, "", ("nowhere/*",))))
    with pytest.raises(answer_key.NoKey, match="no case has a value that the part 'blind' covers"):
        answer_key.make(blind, lambda x: (x - x.mean()) / x.std(), ())


@pytest.mark.parametrize(
    ("source", "message"),
    [("1 / 0", "ZeroDivisionError"), ("import sys; sys.stderr.write('!')", "standard error")],
)
def test_lesson_that_fails_or_grumbles_cannot_be_built(tmp_path, monkeypatch, source, message):
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    page = nbformat.v4.new_notebook(metadata={"labsupport": {"lesson": "00_x"}})
    page.cells = [nbformat.v4.new_code_cell(source, id="demo-1")]
    with pytest.raises(build.BuildError, match=message):
        build.execute(page, tmp_path)


# ---------------------------------------------------------------- the notebooks


def test_notebooks_are_valid_and_their_ids_unique_and_deterministic():
    for name, page in notebooks():
        nbformat.validate(page)
        ids = [cell.id for cell in page.cells]
        assert len(set(ids)) == len(ids), name
        assert all(re.fullmatch(r"[a-z0-9-]{1,64}", cell_id) for cell_id in ids)
    for name in NAMES:
        lessons.read.cache_clear()
        again = [cell.id for cell in lesson_of(name).cells]
        assert again == [cell.id for cell in lessons.blank(lesson_of(name)).cells]
        assert again == [cell.id for cell in lessons.solved(lesson_of(name)).cells]


def test_exercises_keep_their_ids_when_cells_move(tmp_path):
    """A student's notebook is matched to its exercises by them."""
    lessons.read.cache_clear()
    before = {cell.id for cell in lesson_of(LESSON).cells if cell.exercise}
    path = broken(tmp_path, lambda source: "# %% [markdown]\n# One more.\n\n" + source)
    assert {cell.id for cell in lessons.read(path).cells if cell.exercise} == before


@pytest.mark.parametrize("name", NAMES)
def test_blank_is_the_solved_notebook_without_solutions(name):
    lesson = lesson_of(name)
    blank, solved = lessons.blank(lesson), lessons.solved(lesson)
    for source, own, full in zip(lesson.cells, blank.cells, solved.cells, strict=True):
        if source.role != "answer":
            assert own.source == full.source
            continue
        assert STUB in own.source
        assert lessons.BEGIN in full.source and lessons.END in full.source
        assert lessons.BEGIN not in own.source and lessons.END not in own.source
        ast.parse(own.source)
    assert all(cell.get("outputs", []) == [] for cell in blank.cells)


def solution_lines(exercise_id, shortest=13):
    """What stands between the markers, but for signatures and lines too short to give it away."""
    (cell,) = (
        cell
        for cell in lesson_of(exercises.find(exercise_id).lesson).cells
        if cell.role == "answer" and cell.exercise == exercise_id
    )
    inside = cell.source.split(lessons.BEGIN)[1].split(lessons.END)[0]
    lines = {line.strip() for line in inside.splitlines()}
    return {
        x
        for x in lines
        if len(re.sub(r"\W", "", x)) >= shortest and not x.startswith(("def ", "#"))
    }


ANSWERED = [exercise.id for name in NAMES for exercise in exercises.of_lesson(name)]


@pytest.fixture(scope="module")
def pages():
    """All that a student's notebooks say, by file name."""
    built = {p: nbformat.read(p, as_version=4) for p in (ROOT / "notebooks").glob("*.ipynb")}
    fresh = {name: lessons.blank(lesson_of(name)) for name in NAMES}
    return {
        **{path.name: "\n".join(c.source for c in page.cells) for path, page in built.items()},
        **{name: "\n".join(c.source for c in page.cells) for name, page in fresh.items()},
    }


@pytest.fixture(scope="module")
def package():
    """All that the package says, by path."""
    found = {}
    for pattern in ("*.py", "*.json", "*.html", "*.md"):
        for path in sorted((ROOT / "labsupport").rglob(pattern)):
            found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    return found


@pytest.mark.parametrize("exercise_id", ANSWERED)
def test_no_solution_outside_solutions(exercise_id, pages, package):
    """A lesson may show lines before it asks for them, in broken code for instance, but not all."""
    lines = solution_lines(exercise_id, shortest=1)
    for title, text in pages.items():
        assert not all(line in text for line in lines), title
    lines = solution_lines(exercise_id)
    shown = {line for line in lines if any(line in text for text in pages.values())}
    for title, text in package.items():
        there = (lines - shown) & {line.strip() for line in text.splitlines()}
        assert not there, (title, there)


def test_stub_means_not_attempted():
    names = {}
    source = f"def standardize(x):\n    {STUB}\n"
    exec(source, names)
    exercise = exercises.find("standardize")
    seen = observe(exercise, names["standardize"], exercise.visible_cases())
    assert {o.trouble.kind for o in seen.values()} == {"not attempted"}


# ---------------------------------------------------------------- nbgrader


def test_nbgrader_accepts_the_metadata_of_every_cell():
    from nbgrader.nbgraderformat import MetadataValidator
    from nbgrader.preprocessors import CheckCellMetadata

    for name, page in notebooks():
        MetadataValidator().validate_nb(page)
        CheckCellMetadata().preprocess(page, {})
        graded = [cell for cell in page.cells if cell.metadata.get("nbgrader", {}).get("grade")]
        points = [cell.metadata.nbgrader.points for cell in graded]
        assert points == [exercise.points for exercise in exercises.of_lesson(name)]


GRADING = """
import json, logging, os, shutil, sys
from pathlib import Path
import nbformat
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.validator import Validator
from traitlets.config import Config

answers = json.loads(sys.stdin.read())
config = Config(CourseDirectory={"root": os.getcwd(), "course_id": "course"})
api = NbGraderAPI(CourseDirectory(config=config), config=config)

def answered(path, source):
    page = nbformat.read(path, as_version=4)
    for cell in page.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "standardize":
            cell.source = source
    return page

made = api.generate_assignment("week1")
assert made["success"], made["log"]
released = Path("release/week1/00_start_here.ipynb")
result = {"released": [c.source for c in nbformat.read(released, as_version=4).cells]}
for student, source in answers.items():
    folder = Path("submitted") / student / "week1"
    folder.mkdir(parents=True)
    nbformat.write(answered(released, source), str(folder / released.name))
    graded = api.autograde("week1", student)
    assert graded["success"], graded["log"]
    with api.gradebook as book:
        found = book.find_submission("week1", student)
        grades = [g for n in found.notebooks for g in n.grades]
        manual = any(g.needs_manual_grade for g in grades)
        result[student] = [found.score, found.max_score, manual]
validator = Validator()
validator.ignore_checksums = True
source = "source/week1/00_start_here.ipynb"
result["solved is valid"] = validator.validate(source)
nbformat.write(answered(source, answers["partly"]), "partly.ipynb")
result["partly is valid"] = validator.validate("partly.ipynb")
print(json.dumps(result))
"""


def test_nbgrader_releases_grades_and_validates(tmp_path):
    """Full points for the right answer, some for a part, none for the release as it came."""
    source = tmp_path / "source" / "week1"
    source.mkdir(parents=True)
    page = lessons.solved(lesson_of(LESSON))
    nbformat.write(page, source / f"{LESSON}.ipynb")
    answers = {
        "right": "def standardize(x):\n    return (x - x.mean()) / x.std()",
        "partly": "def standardize(x):\n    x -= x.mean()\n    x /= x.std()\n    return x",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GRADING],
        input=json.dumps(answers),
        cwd=tmp_path,
        env=environment(ROOT),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    released = "\n".join(result["released"])
    assert not [line for line in solution_lines("standardize") if line in released]
    assert result["right"] == [4, 4, False] and result["partly"] == [3, 4, False]
    assert result["solved is valid"] == {}
    (failed,) = result["partly is valid"]["failed"]
    assert "Your code changes its input x in place." in " ".join(failed["error"].split())
