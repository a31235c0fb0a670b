"""labsupport.data: the shipped digits, the full MNIST, and the sentence when it cannot be had."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import labsupport.data
from labsupport.data import DataUnavailableError, load_mnist

FOLDER = Path(labsupport.data.__file__).parent
ROOT = FOLDER.parent.parent

FIRST_TRAIN_LABELS = [6, 0, 5, 4, 9, 9, 8, 3, 1, 2, 2, 0, 9, 8, 5, 9, 2, 9, 9, 0]
FIRST_TEST_LABELS = [6, 3, 0, 8, 8, 3, 0, 0, 7, 8, 5, 8, 7, 3, 8, 0, 9, 7, 5, 7]
TRAIN_SHA256 = "20fb4916dacea3bfe7e27216e79300fa37aaed433fc8d9e562cb3edac99e602d"


@pytest.fixture(scope="module")
def split():
    return load_mnist()


def _rows(images):
    return {image.tobytes() for image in images}


# The shipped 5,000


def test_shapes_and_dtypes(split):
    train_x, train_y, test_x, test_y = split
    assert train_x.shape == (4000, 28, 28) and test_x.shape == (1000, 28, 28)
    assert train_y.shape == (4000,) and test_y.shape == (1000,)
    assert train_x.dtype == test_x.dtype == np.float32
    assert train_y.dtype == test_y.dtype == np.int64


def test_grey_levels_fill_zero_to_one(split):
    for images in (split[0], split[2]):
        assert images.min() == 0.0 and images.max() == 1.0
        levels = images * 255
        assert np.abs(levels - np.round(levels)).max() < 1e-4
        assert images[:, :2].mean() < 0.01 < 0.3 < images[:, 12:16, 12:16].mean()
    assert 0.12 < split[0].mean() < 0.14


def test_every_class_is_equally_frequent(split):
    assert np.bincount(split[1]).tolist() == [400] * 10
    assert np.bincount(split[3]).tolist() == [100] * 10


def test_train_and_test_share_no_image_and_lose_none(split):
    train, test = _rows(split[0]), _rows(split[2])
    assert not train & test
    with np.load(FOLDER / "mnist_5000.npz", allow_pickle=False) as file:
        assert train | test == _rows(file["images"].astype(np.float32) / np.float32(255))
    assert len(train) + len(test) == 5000


def test_labels_stay_with_their_images(split):
    with np.load(FOLDER / "mnist_5000.npz", allow_pickle=False) as file:
        label_of = {i.tobytes(): y for i, y in zip(file["images"], file["labels"], strict=True)}
    for images, labels in (split[:2], split[2:]):
        raw = np.round(images * 255).astype(np.uint8)
        assert [label_of[image.tobytes()] for image in raw] == labels.tolist()


def test_shuffled(split):
    for labels in (split[1], split[3]):
        for digit in range(10):  # every class is spread evenly from the first to the last
            place = np.flatnonzero(labels == digit).mean() / len(labels)
            assert abs(place - 0.5) < 0.1
        assert np.mean(labels[1:] == labels[:-1]) < 0.15  # sorted labels would give almost 1


def test_the_split_is_the_same_for_ever(split):
    # Numbers in lessons depend on this order: if it changes, they all do.
    assert split[1][:20].tolist() == FIRST_TRAIN_LABELS
    assert split[3][:20].tolist() == FIRST_TEST_LABELS
    raw = np.round(split[0] * 255).astype(np.uint8)
    assert hashlib.sha256(raw.tobytes()).hexdigest() == TRAIN_SHA256


def test_no_global_random_state_is_read_or_moved(split):
    np.random.seed(7)
    again = load_mnist()
    drawn = np.random.rand()
    np.random.seed(7)
    assert drawn == np.random.rand()
    for a, b in zip(split, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_flat_is_the_same_images_row_by_row(split):
    flat = load_mnist(flat=True)
    assert flat[0].shape == (4000, 784) and flat[2].shape == (1000, 784)
    np.testing.assert_array_equal(flat[0].reshape(-1, 28, 28), split[0])
    np.testing.assert_array_equal(flat[3], split[3])


def test_arrays_are_fresh_at_every_call():
    first = load_mnist()
    for array in first:
        array[...] = 0
    assert load_mnist()[0].max() == 1.0


def test_import_is_cheap():
    code = "import sys, labsupport.data; print([m for m in %r if m in sys.modules])"
    heavy = ["tensorflow", "keras", "tf_keras", "matplotlib"]
    done = subprocess.run(
        [sys.executable, "-c", code % heavy], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# Provenance


def test_readme_has_the_checksums_of_the_file():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| `([^`]+)`[^|]*\| `([0-9a-f]{64})` \|$", readme, re.M))
    file = FOLDER / "mnist_5000.npz"
    assert stated["mnist_5000.npz"] == hashlib.sha256(file.read_bytes()).hexdigest()
    with np.load(file, allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["images", "labels"]
        for name in arrays.files:
            assert arrays[name].dtype == np.uint8
            sha256 = hashlib.sha256(arrays[name].tobytes()).hexdigest()
            assert stated[f"{name}.tobytes()"] == sha256
    assert file.stat().st_size < 1_000_000


# full=True. One fresh interpreter goes through it all, with Keras's cache in a folder of its own
# and every way to the network leading to a closed port.

FULL = """
import io, json, os, sys
from pathlib import Path
from unittest import mock

import numpy as np
from labsupport.data import DataUnavailableError, load_mnist

report = {}
cache = Path(os.environ["KERAS_HOME"]) / "datasets" / "mnist.npz"


def attempt():
    try:
        load_mnist(full=True)
    except DataUnavailableError as error:
        return [str(error), error.__cause__ is None and error.__context__ is None]


report["nothing"] = attempt()

cache.parent.mkdir(parents=True, exist_ok=True)
cache.write_bytes(b"half a download")
report["damaged"] = attempt()

rng = np.random.default_rng(0)
x = rng.integers(0, 256, (70, 28, 28), dtype=np.uint8)
y = (np.arange(70) % 10).astype(np.uint8)
np.savez(cache, x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
with mock.patch("keras.src.utils.file_utils.validate_file", return_value=True):
    got, flat = load_mnist(full=True), load_mnist(full=True, flat=True)
report["shapes"] = [list(a.shape) for a in got]
report["dtypes"] = [a.dtype.name for a in got]
report["flat"] = [list(a.shape) for a in flat]
report["same"] = bool(
    np.array_equal(np.round(got[0] * 255), x[:60])
    and np.array_equal(np.round(got[2] * 255), x[60:])
    and np.array_equal(got[1], y[:60])
    and np.array_equal(got[3], y[60:])
)
cache.unlink()

from IPython.core.interactiveshell import InteractiveShell

page, stdout = io.StringIO(), sys.stdout
shell = InteractiveShell()
shell.colors = "nocolor"
sys.stdout = page
shell.run_cell("from labsupport.data import load_mnist\\nload_mnist(full=True)")
sys.stdout = stdout
report["page"] = page.getvalue()

# What labsupport.tf1 needs must still be possible now that Keras 3 is imported.
keras_3 = sys.modules["keras"]
report["keras"] = keras_3.__version__
sys.stderr.flush()
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # tf.layers warns that it is deprecated
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import tensorflow as tf2

tf = tf2.compat.v1
with tf.Graph().as_default():
    x = tf.placeholder(tf.float32, (None, 3))
    tf.layers.batch_normalization(x, training=True)
    report["update_ops"] = len(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
report["tf.keras"] = tf2.keras.layers.Layer.__module__.split(".")[0]

Path(sys.argv[1]).write_text(json.dumps(report))
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    home = folder / "keras"
    closed = "http://127.0.0.1:9"
    env = {k: v for k, v in os.environ.items() if k.lower() not in ("no_proxy", "all_proxy")}
    env.pop("TF_USE_LEGACY_KERAS", None)
    env.update({name: closed for name in ("http_proxy", "https_proxy")})
    env.update({name: closed for name in ("HTTP_PROXY", "HTTPS_PROXY")})
    env.update(KERAS_HOME=str(home), IPYTHONDIR=str(folder / "ipython"), PYTHONPATH=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder / "report.json")],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "report.json").read_text())
    return report | {"home": home, "stdout": done.stdout, "stderr": done.stderr}


def test_full_from_the_cache(full):
    assert full["shapes"] == [[60, 28, 28], [60], [10, 28, 28], [10]]
    assert full["dtypes"] == ["float32", "int64", "float32", "int64"]
    assert full["flat"] == [[60, 784], [60], [10, 784], [10]]
    assert full["same"]


@pytest.mark.parametrize("case", ["nothing", "damaged"])
def test_full_without_cache_and_network_is_one_sentence(full, case):
    message, no_chain = full[case]
    assert no_chain
    assert "\n" not in message and message.endswith(".") and "Traceback" not in message
    assert "The full MNIST" in message  # what
    assert str(full["home"] / "datasets" / "mnist.npz") in message  # where
    assert "refused" in message  # why
    assert "http" not in message
    assert "load_mnist()" in message and "again" in message  # what to do


def test_full_in_a_notebook_shows_the_sentence_and_no_traceback(full):
    assert full["page"].strip() == f"{DataUnavailableError.__name__}: {full['nothing'][0]}"


def test_full_says_nothing_else(full):
    assert full["stdout"] == ""
    assert full["stderr"] == ""


def test_full_leaves_tensorflow_1_possible(full):
    assert full["keras"].startswith("3.")
    assert full["tf.keras"] == "tf_keras"
    assert full["update_ops"] == 2
