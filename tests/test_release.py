"""The student's bundle: nothing that knows an answer, and all that the course needs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

import pytest

from labsupport import exercises, release
from labsupport.authoring import lessons


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


def test_equal_trees_give_equal_bundles(tmp_path):
    for name in ("one.zip", "two.zip"):
        release.write(tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_bundle_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(release.CannotRelease, match="There is no folder"):
        release.write(tmp_path / "missing" / "course.zip")
    assert not list(tmp_path.iterdir())
