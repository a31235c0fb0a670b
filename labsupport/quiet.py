"""Keeping the start-up noise of TensorFlow and Keras off the page."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what Python prints in the block, and what TensorFlow's C++ code writes to stderr.

    TF_CPP_MIN_LOG_LEVEL alone does not: TensorFlow 2.21 writes its first lines to descriptor 2
    regardless. If the block raises, what went to stderr is passed on after all.

    The garbage collector rests meanwhile: it would look through all that is imported again and
    again, for an eighth of the time.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        _descriptor_2_set_aside(),
        _garbage_left(),
    ):
        yield


@contextlib.contextmanager
def _garbage_left() -> Iterator[None]:
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def _descriptor_2_set_aside() -> Iterator[None]:
    try:
        stderr = os.dup(2)
    except OSError:  # a process without a stderr has nothing to silence
        yield
        return
    if sys.__stderr__ is not None:
        sys.__stderr__.flush()
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
