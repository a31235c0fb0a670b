"""Code that might replace something in shared modules is told from code that cannot."""

from __future__ import annotations

import pytest

from labsupport import exercises
from labsupport.grading import program, reaching

MIGHT = [
    "np.mean = print",
    "np.mean: object = print",
    "np.mean += 1",
    "del np.mean",
    "np.mean, x = print, 1",
    "for np.mean in [print]: pass",
    "x = [0 for np.mean in [print]]",
    "with open('x') as np.mean: pass",
    "setattr(np, 'mean', print)",
    "put = setattr",
    "np.__dict__['mean'] = print",
    "vars(np).update(mean=print)",
    "np.mean.__code__ = (lambda x: 0).__code__",
    "import sys",
    "np.sys.modules['numpy'] = None",
    "from unittest import mock",
    "import labsupport.grading.guard",
    "from labsupport.grading import guard",
    "from . import guard",
    "import helper  # of the student's own",
    "exec('np.mean = print')",
    "import builtins",
    "import dataclasses; dataclasses.dataclass(tf.Session)",
    "class A:\n    def f(self):\n        np.mean = print\n        self.x.y = 1",
    "%run helper.py",
    "def broken(:",
    "x = " + "[" * 5000 + "]" * 5000,
    "x = 1\n" * 100_000,
]


@pytest.mark.parametrize("source", MIGHT, ids=[source[:40] for source in MIGHT])
def test_what_might(source):
    assert reaching.may_replace(source)


CANNOT = [
    "import numpy as np\nimport matplotlib.pyplot as plt\nfrom labsupport.tf1 import tf\n",
    "class A:\n    def __init__(self):\n        super().__init__()\n        self.x = {}\n"
    "        self.x['a'] = 1\n",
    "x = np.zeros(3)\nx[0] = 1\nx[1:] += 2\nprint(x.mean(axis=0), np.__version__)\n",
]


@pytest.mark.parametrize("source", CANNOT)
def test_what_cannot(source):
    assert not reaching.may_replace(source)


def test_nearly_no_solved_lesson_might():
    """Or every submission is looked through for nothing."""
    might = {
        lesson
        for lesson in exercises.LESSONS
        if any(reaching.may_replace(cell.source) for cell in program.solved(lesson).cells)
    }
    assert might <= {"07_mnist", "10_today"}
