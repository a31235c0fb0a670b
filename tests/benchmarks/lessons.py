"""How long each solved lesson takes to run in a fresh kernel, against what it may take.

    python tests/benchmarks/lessons.py [LESSON…]

Prints seconds, the limit, and their ratio. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from labsupport import exercises  # noqa: E402
from labsupport.authoring import build, lessons  # noqa: E402

#: Seconds on two cores.
LIMITS = {"00": 20, "01": 20, "02": 20}
LIMIT = 60
COURSE = 360


def main(names: list[str]) -> int:
    chosen = [n for n in exercises.LESSONS if not names or n[:2] in names or n in names]
    total, over = 0.0, 0
    print(f"{'lesson':<32}{'seconds':>8}{'limit':>7}{'ratio':>7}")
    for name in chosen:
        lesson = lessons.read(lessons.sources()[name])
        start = time.perf_counter()
        build.execute(lessons.solved(lesson), lessons.SOURCES)
        seconds = time.perf_counter() - start
        total += seconds
        limit = LIMITS.get(name[:2], LIMIT)
        over += seconds > limit
        print(f"{name:<32}{seconds:>8.1f}{limit:>7}{seconds / limit:>7.2f}", flush=True)
    print(f"{'all of these':<32}{total:>8.1f}{COURSE:>7}{total / COURSE:>7.2f}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
