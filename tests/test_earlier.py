"""`answer_to`: an answer from the notebook of an earlier lesson."""

from __future__ import annotations

import json

import pytest

from labsupport.earlier import answer_to

LESSON = "01_batch_norm_by_hand"


def cell(source, role=None, kind="code"):
    metadata = {"labsupport": {"role": role}} if role else {}
    return {"cell_type": kind, "metadata": metadata, "source": source.splitlines(keepends=True)}


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(*cells):
        (tmp_path / f"{LESSON}.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")

    return write


def test_takes_setup_answers_and_added_definitions(notebook):
    notebook(
        cell("# prose", "prose", "markdown"),
        cell("import math", "setup"),
        cell("raise RuntimeError", "demo"),
        cell("def half(x):\n    return x / 2\nraise RuntimeError"),
        cell("raise NotImplementedError", "answer"),
        cell("def batch_norm_dense(x):\n    return half(math.floor(x))", "answer"),
    )
    assert answer_to("bn-dense")(5.5) == 2.5


STUB = 'def batch_norm_dense(x):\n    raise NotImplementedError("your answer goes here")'


@pytest.mark.parametrize(
    "cells", [(), (cell("def batch_norm(x) return", "answer"),), (cell(STUB, "answer"),)]
)
def test_says_what_is_missing(notebook, cells):
    notebook(*cells)
    with pytest.raises(NotImplementedError, match="answer `bn-dense` there"):
        answer_to("bn-dense")


@pytest.mark.parametrize("text", [None, "no notebook", "[]"])
def test_says_that_there_is_no_notebook(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / f"{LESSON}.ipynb").write_text(text, encoding="utf-8")
    with pytest.raises(NotImplementedError, match="is not here"):
        answer_to("bn-dense")
