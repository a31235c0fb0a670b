"""How long a check takes: ``python tests/benchmarks/checks.py [EXERCISE…]``.

Prints the time of `import labsupport` (fresh interpreters, less a bare start) and, for each
exercise, the median time of a check of the right answer after imports, against what it may take:
0.3 s with NumPy, 1 s with TensorFlow. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from labsupport import cards, exercises, notebook  # noqa: E402
from labsupport.authoring import lessons  # noqa: E402

IMPORTS, CHECKS = 15, 7
IMPORT_LIMIT, NUMPY_LIMIT, TENSORFLOW_LIMIT = 0.1, 0.3, 1.0


def start_seconds(code: str) -> float:
    """Median seconds that a fresh interpreter takes for this code."""
    found = []
    for _ in range(IMPORTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, check=True)
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def check_seconds(exercise, answer) -> float:
    """Median seconds from the call to the finished card; the first call, which warms up, not."""
    found = []
    for _ in range(CHECKS + 1):
        began = time.perf_counter()
        verdict = notebook.verdict_of(exercise, {exercise.answer: answer})
        cards.verdict_card(verdict)
        found.append(time.perf_counter() - began)
    if verdict.points < verdict.max_points:
        print(f"{exercise.id}: the lesson's own answer is not right; build its key first.")
    return statistics.median(found[1:])


def row(title: str, seconds: float, limit: float) -> bool:
    flag = "  TOO SLOW" if seconds > limit else ""
    print(f"{title:<32}{seconds:>9.3f}{limit:>7}{seconds / limit:>7.2f}{flag}", flush=True)
    return seconds > limit


def lesson_rows(name: str, chosen: list[str]) -> int:
    """One row for each exercise of a lesson; how many are over their limit."""
    wanted = [e for e in exercises.of_lesson(name) if not chosen or e.id in chosen]
    if not wanted:
        return 0
    lesson = lessons.read(lessons.sources()[name])
    on_tensorflow = any("labsupport.tf" in cell.source for cell in lesson.cells)
    limit = TENSORFLOW_LIMIT if on_tensorflow else NUMPY_LIMIT
    answers = lessons.answers(lesson)
    return sum(
        row(exercise.id, check_seconds(exercise, getattr(answers, exercise.answer)), limit)
        for exercise in wanted
    )


def main(chosen: list[str]) -> int:
    print(f"{'':<32}{'seconds':>9}{'limit':>7}{'ratio':>7}")
    bare, own = start_seconds("pass"), start_seconds("import labsupport")
    over = row("import labsupport", own - bare, IMPORT_LIMIT)
    for name in lessons.sources():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            over += pool.submit(lesson_rows, name, chosen).result()  # TensorFlow 1 or 2, not both
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
