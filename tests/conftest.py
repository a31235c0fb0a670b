from __future__ import annotations

import os
import tempfile

import pytest

pytest.register_assert_rewrite("known_mistakes")


def pytest_configure(config):
    """One folder for the keys that several files and workers need: each is made once."""
    if not hasattr(config, "workerinput"):
        config.stash[KEYS] = tempfile.TemporaryDirectory(prefix="labsupport-keys-")
        os.environ["LABSUPPORT_TEST_KEYS"] = config.stash[KEYS].name


def pytest_unconfigure(config):
    if KEYS in config.stash:
        config.stash[KEYS].cleanup()


KEYS = pytest.StashKey[tempfile.TemporaryDirectory]()
