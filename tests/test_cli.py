"""What the commands say of themselves, and of a command line that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from labsupport import cli, release
from labsupport.authoring import lessons

COMMANDS = ("build", "grade", "report", "release", "progress")


def said(capsys, *words: str) -> tuple[int, str, str]:
    """The exit code of a command line, and what it printed: to read, and as an error."""
    try:
        code = cli.main(list(words))
    except SystemExit as stop:
        code = stop.code
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_does(command, capsys):
    code, out, _ = said(capsys, command, "--help")
    usage, does, *_ = out.split("\n\n")
    assert code == 0 and usage.startswith(f"usage: python3 -m labsupport {command} ")
    assert does[0].isupper() and does.rstrip().endswith(".")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("grade x -o y --jbos 3", "there is no option --jbos. Did you mean --jobs?"),
        ("grade x -o y --jbos=3", "there is no option --jbos=3. Did you mean --jobs?"),
        ("report x --bogus", "there is no option --bogus."),
        ("release -o x.zip y", "there is one word too many: y"),
        ("progress now", "there is one word too many: now"),
        ("grade x -o y --jobs x", "--jobs wants a whole number of at least 1, not 'x'."),
        ("grade x -o y --jobs 1.5", "--jobs wants a whole number of at least 1, not '1.5'."),
        ("grade x -o y --jobs -2", "--jobs wants a whole number of at least 1, not '-2'."),
        ("build none --jobs 0", "--jobs wants a whole number of at least 1, not '0'."),
        ("grade x -o y --seed z", "--seed wants a whole number, not 'z'."),
    ],
)
def test_wrong_usage_is_told_with_the_usage_of_that_command(line, sentence, capsys):
    command = line.split()[0]
    code, out, error = said(capsys, *line.split())
    assert code == 2 and out == ""
    assert error.startswith(f"usage: python3 -m labsupport {command} ")
    assert error.endswith(f"python3 -m labsupport {command}: error: {sentence}\n")


def test_names_of_files_count_from_where_the_user_is(tmp_path):
    """The commands themselves run in the course's folder."""
    line = [sys.executable, "-m", "labsupport", "report", "grades here"]
    env = {**os.environ, "PYTHONPATH": str(lessons.PROJECT)}
    run = subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.returncode == 1 and str(tmp_path / "grades here") in run.stderr
    run = subprocess.run(line, cwd=lessons.PROJECT, env=env, capture_output=True, text=True)
    assert run.returncode == 1 and str(lessons.PROJECT) not in run.stderr


@pytest.mark.parametrize(
    "words", [("grade", "", "-o", "y"), ("grade", "x", "-o", ""), ("report", "")]
)
def test_an_empty_name_is_not_this_folder(words, capsys):
    code, _out, error = said(capsys, *words)
    assert code == 2 and error.endswith(": the name is empty\n")


def test_numbers_are_read():
    arguments = cli._parser().parse_args(["grade", "x", "-o", "y", "--jobs", "3", "--seed", "-4"])
    assert (arguments.jobs, arguments.seed) == (3, -4)
    assert cli._parser().parse_args(["build"]).jobs >= 1


def test_a_bundle_that_cannot_be_written_is_one_sentence(tmp_path, capsys, monkeypatch):
    for name, sentence in (
        ("none/dir/x.zip", f"There is no folder {tmp_path}/none/dir: make it, or name another."),
        (".", f"{tmp_path} is a folder: name a file, for instance course.zip in it."),
    ):
        assert said(capsys, "release", "-o", str(tmp_path / name)) == (1, "", f"{sentence}\n")

    def full(*_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(release, "_write", full)
    target = tmp_path / "x.zip"
    sentence = f"{target} cannot be written: No space left on device."
    assert said(capsys, "release", "-o", str(target)) == (1, "", f"{sentence}\n")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_of_grades_is_one_sentence(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    for words, sentence in (
        (("report", file), f"There is no folder {file}: name the one that `grade` wrote."),
        (("report", tmp_path), f"There are no verdicts in {tmp_path}: `grade` makes them."),
        (("grade", tmp_path, "-o", file), f"{file} is not a folder: name another with -o."),
    ):
        assert said(capsys, *map(str, words)) == (1, "", f"{sentence}\n")
