"""How the tests are shared out between processes.

A notebook's cells stay together (nbval runs them in one kernel), and so does a file of tests; the
long files are split by lesson.
"""

from __future__ import annotations

import pytest

from labsupport import exercises

SPLIT = {"test_mistakes.py", "test_lessons.py"}


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        group = item.path.name
        if group in SPLIT and hasattr(item, "callspec"):
            name = item.callspec.params.get("name", "")
            known = exercises.all_exercises().get(name)
            group += ":" + (known.lesson if known else str(name))
        item.add_marker(pytest.mark.xdist_group(group))
