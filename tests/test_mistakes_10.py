"""Lesson 10 is on TensorFlow 2: its known mistakes are tried in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_mistakes_of_the_lesson_on_tensorflow_2():
    file = Path(__file__).with_name("on_tf2_mistakes_10.py")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", str(file), "-q", "--numprocesses=0", "--no-header"],
        cwd=file.parents[1],
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert " passed" in run.stdout
