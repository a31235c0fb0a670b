"""The student's bundle: nothing that knows an answer, and all that the course needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from labsupport import exercises, release
from labsupport.authoring import lessons
from labsupport.authoring.build import blank_file


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    release.write(folder / "course.zip")
    with zipfile.ZipFile(folder / "course.zip") as whole:
        whole.extractall(folder)
    return folder / "batch-norm-and-dropout"


def run(bundle, *words, code=None):
    line = (
        [sys.executable, "-c", code] if code else [sys.executable, "-m", "labsupport.cli", *words]
    )
    return subprocess.run(
        line,
        cwd=bundle / "notebooks",
        env={**os.environ, "PYTHONPATH": str(bundle)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_it_has_every_blank_notebook_and_key_and_no_answer(bundle):
    names = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    assert {f"notebooks/{lesson}.ipynb" for lesson in exercises.LESSONS} <= names
    assert {f"labsupport/answer_keys/{e}.json" for e in exercises.all_exercises()} <= names
    assert {"README.md", "requirements.txt", "labsupport/data/mnist_5000.npz"} <= names
    assert not [n for n in names if n.startswith(("solutions", "tests", ".ci", ".git"))]
    assert not [n for n in names if "grading/" in n or "authoring/" in n or "__pycache__" in n]


def test_no_line_of_a_solution_is_in_it(bundle):
    texts = [
        p.read_text(encoding="utf-8")
        for p in bundle.rglob("*")
        if p.suffix in (".py", ".ipynb", ".md", ".html")
    ]
    for name, path in lessons.sources().items():
        for cell in lessons.read(path).cells:
            if cell.role != "answer":
                continue
            blank = lessons.without_solution(cell.source)
            inside = [line.strip() for line in cell.source.splitlines() if line not in blank]
            block = "\n".join(line for line in inside if line and not line.startswith("###"))
            assert not block or not [t for t in texts if block in t], (name, cell.exercise)


def test_a_check_works_in_it(bundle):
    code = (
        "import numpy as np\nfrom labsupport import check\n"
        "def batch_norm_dense(x, gamma, beta, eps):\n"
        "    return gamma * (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(0) + eps) + beta\n"
        "check('bn-dense')\n"
    )
    done = run(bundle, code=code)
    assert done.returncode == 0, done.stderr
    assert "bn-dense" in done.stdout and "0 of 7" in done.stdout


@pytest.mark.parametrize(
    "words", [("grade", "x", "-o", "y"), ("release", "-o", "z.zip"), ("build",)]
)
def test_what_it_cannot_do_is_one_sentence(bundle, words):
    done = run(bundle, *words)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("This is the student's bundle: it ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_its_readme_is_for_students(bundle):
    text = (bundle / "README.md").read_text(encoding="utf-8")
    assert "## For the student" in text and "python3 -m labsupport  " in text
    for other in ("instructor", "grader", "grade ", "labsupport test", "solutions/", "tests/"):
        assert other not in text, other
    assert "provenance and licence: `labsupport/data/README.md`" in text


def test_its_help_and_doctor_tell_what_it_can_do(bundle):
    line = [sys.executable, "-m", "labsupport"]
    told = [
        subprocess.run(
            [*line, word], cwd=bundle, capture_output=True, text=True, timeout=120
        ).stdout
        for word in ("--help", "doctor")
    ]
    names = re.findall(r"^  (\S+)   ", told[0].partition("options")[0], re.M)
    assert names == ["(none)", "doctor", "progress"]
    assert "can be written in" in told[1]
    assert not re.search("grading|tests|bubblewrap", told[1])


@pytest.fixture
def with_strangers(tmp_path):
    """A course in whose folder of notebooks one is solved, and things lie that are not its own."""
    folder = tmp_path / "course"
    leave = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for part in ("labsupport", "notebooks", "solutions"):
        shutil.copytree(release.PROJECT / part, folder / part, ignore=leave)
    for part in ("README.md", "requirements.txt", "pyproject.toml"):
        shutil.copy(release.PROJECT / part, folder)
    solved = folder / "solutions" / "01_batch_norm_by_hand.ipynb"
    shutil.copy(solved, folder / "notebooks")
    shutil.copy(solved, folder / "notebooks" / "01 mine.ipynb")
    for grades in (folder / "notebooks" / "grades", folder / "labsupport" / "grades"):
        (grades / ".keys").mkdir(parents=True)
        for name in ("grading.json", "verdicts.jsonl", ".keys/bn-dense.json"):
            (grades / name).write_text("{}")
    return folder


def test_what_else_lies_among_the_notebooks_stays_out(with_strangers):
    line = [sys.executable, "-m", "labsupport.cli", "release", "-o", str(with_strangers / "b.zip")]
    done = subprocess.run(line, cwd=with_strangers, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert "notebooks/01 mine.ipynb is not of the course, and stays out." in said
    changed = "notebooks/01_batch_norm_by_hand.ipynb has been changed; the bundle has it as built."
    assert changed in said
    with zipfile.ZipFile(with_strangers / "b.zip") as whole:
        names = {name.partition("/")[2] for name in whole.namelist()}
        text = whole.read("batch-norm-and-dropout/notebooks/01_batch_norm_by_hand.ipynb").decode()
    assert text == blank_file(lessons.read(lessons.sources()["01_batch_norm_by_hand"]))[1]
    assert not [n for n in names if "mine" in n or "grades" in n or ".keys" in n]


def test_equal_trees_give_equal_bundles(tmp_path):
    for name in ("one.zip", "two.zip"):
        release.write(tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_bundle_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(release.CannotRelease, match="There is no folder"):
        release.write(tmp_path / "missing" / "course.zip")
    assert not list(tmp_path.iterdir())
