"""`test_mistakes.py` once more, for the lessons on TensorFlow 2, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_mistakes_of_lessons_on_tensorflow_2():
    file = Path(__file__).with_name("test_mistakes.py")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", str(file), "-q", "--numprocesses=0", "--no-header"],
        env={**os.environ, "LABSUPPORT_STACK": "tf2"},
        cwd=file.parents[1],
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert " passed" in run.stdout
