"""A walk through the course in a real browser, in a copy that has neither solutions nor tests.

Needs Chromium. Without one the walk is skipped, except in CI, where it fails.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PROJECT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Where to leave a picture of each step; nowhere by default.
SHOTS = os.environ.get("LABSUPPORT_SHOTS")

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"),
        reason="no Chromium on this machine: install it (Debian: apt install chromium)",
    ),
]

WRONG_AXIS = """def batch_norm_dense(x, gamma, beta, eps):
mu = x.mean(axis=1, keepdims=True)
var = x.var(axis=1, keepdims=True)
return gamma * (x - mu) / np.sqrt(var + eps) + beta
"""
RIGHT = WRONG_AXIS.replace("axis=1", "axis=0")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The student's part of the repository, in a folder of its own."""
    folder = tmp_path_factory.mktemp("course")
    leave = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in ("labsupport", "notebooks"):
        shutil.copytree(PROJECT / name, folder / name, ignore=leave)
    for name in ("requirements.txt", "pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def address(course):
    """Address of a JupyterLab that the launcher started in the copy."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "labsupport", "--no-browser", "--port", str(port)],
        cwd=course,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        found = re.search(r"http://\S+", line)
        if found:
            break
    else:
        pytest.fail("the launcher ended without an address: " + "".join(said))
    yield found[0]
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)


class Walk:
    """One page of the browser, with what a reader does in JupyterLab."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.elsewhere, self.errors, self.steps = [], [], 0
        page.set_default_timeout(60_000)
        page.on("request", self._note_request)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _note_request(self, request):
        parts = urlsplit(request.url)
        here = parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost")
        if not here:
            self.elsewhere.append(request.url)

    def open(self, lesson: str | None = None):
        url = self.address
        if lesson:
            url = re.sub(r"/lab[^?]*", f"/lab/tree/notebooks/{lesson}.ipynb", url)
            url += "&reset"  # without the tabs of the walk before
        self.page.goto(url)
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        # The indicator says idle before there is a kernel; the status bar does not.
        self.page.locator("#jp-bottom-panel", has_text="| Idle").wait_for()
        return self

    def start_all(self):
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.jp-InputPrompt')]"
            ".some(p => /\\[[*0-9]/.test(p.textContent))"
        )

    def run_all(self, timeout=240):
        self.start_all()
        self.wait_idle(timeout)

    def prompts(self) -> str:
        return " ".join(self.page.locator(".jp-InputPrompt").all_inner_texts())

    def wait_idle(self, timeout=120):
        """Wait until the kernel has nothing left to do."""
        deadline = time.monotonic() + timeout
        calm = 0
        while calm < 4:
            assert time.monotonic() < deadline, "the kernel is still busy"
            busy = "[*]" in self.prompts()
            status = self.page.locator(".jp-Notebook-ExecutionIndicator").first
            idle = status.get_attribute("data-status") == "idle"
            calm = calm + 1 if idle and not busy else 0
            self.page.wait_for_timeout(150)

    def cell(self, text: str):
        return self.page.locator(".jp-CodeCell", has_text=text).first

    def write(self, text: str, code: str):
        """Replace the source of the cell that holds `text`, and run it."""
        self.cell(text).locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.press("Delete")
        for i, line in enumerate(code.rstrip().splitlines()):
            if i:
                self.page.keyboard.press("Enter")  # JupyterLab indents after a colon
            self.page.keyboard.insert_text(line)
        self.page.keyboard.press("Control+Enter")
        self.wait_idle()

    def run(self, text: str):
        self.cell(text).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        self.wait_idle()

    def card(self, text: str):
        return self.cell(text).locator(".ls-card")

    def shot(self, name: str, target=None):
        if SHOTS:
            self.steps += 1
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            (target or self.page).screenshot(path=f"{SHOTS}/{self.steps:02}_{name}.png")

    def assert_clean(self):
        assert not self.elsewhere, self.elsewhere
        assert not self.errors, self.errors


@pytest.fixture
def walk(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, device_scale_factor=2)
    yield Walk(context.new_page(), address)
    context.close()


def test_the_course_opens_at_lesson_00(walk):
    walk.open()
    walk.page.locator(".jp-RenderedMarkdown", has_text="How do these labs work?").wait_for()
    walk.page.wait_for_timeout(1500)  # a prompt about news or updates would come now
    assert walk.page.locator(".jp-Dialog, .Toastify__toast").count() == 0
    walk.shot("lesson_00")
    walk.assert_clean()


def test_a_named_mistake_then_a_green_card_then_a_slider(walk):
    walk.open("01_batch_norm_by_hand")
    walk.run_all()
    assert "Not attempted yet" in walk.card('check("bn-dense")').inner_text()
    walk.shot("not_attempted", walk.card('check("bn-dense")'))

    walk.write("def batch_norm_dense", WRONG_AXIS)
    walk.run('check("bn-dense")')
    said = walk.card('check("bn-dense")').inner_text()
    assert "You average over the features of each sample, not over the batch" in said
    assert "Along which axis do you walk down a column?" in said
    walk.shot("named_mistake", walk.card('check("bn-dense")'))

    walk.write("def batch_norm_dense", RIGHT)
    walk.run('check("bn-dense")')
    card = walk.card('check("bn-dense")')
    assert "7 / 7" in card.inner_text()
    assert "ls-right" in card.get_attribute("class")
    walk.shot("right", card)

    walk.run("def with_parameters")
    figure = walk.cell("def with_parameters").locator("img").first
    figure.wait_for()
    before, alt = figure.get_attribute("src"), figure.get_attribute("alt")
    handle = walk.cell("def with_parameters").get_by_role("slider").first
    handle.focus()
    for _ in range(5):
        walk.page.keyboard.press("ArrowRight")
    walk.page.wait_for_function(
        "([image, old]) => image.isConnected ? image.src !== old : true",
        arg=[figure.element_handle(), before],
    )
    moved = walk.cell("def with_parameters").locator("img").first
    assert moved.get_attribute("src") != before
    assert moved.get_attribute("alt") != alt
    walk.shot("slider")
    walk.assert_clean()


def test_a_live_plot_is_redrawn_in_place_while_tensorflow_trains(walk):
    walk.open("07_mnist")
    walk.start_all()
    cell = walk.cell("live.show(figures.accuracy(curves, epochs=EPOCHS))")
    seen, most, deadline = set(), 0, time.monotonic() + 240
    while time.monotonic() < deadline and "[*]" in walk.prompts():
        pictures = cell.locator(".jp-OutputArea-output img")
        sources = pictures.evaluate_all("images => images.map(image => image.src)")
        most = max(most, len(sources))
        seen.update(sources)
        walk.page.wait_for_timeout(100)
    walk.wait_idle(300)
    assert len(seen) >= 3, "the plot did not move"
    assert most == 1, "pictures pile up"
    walk.shot("live_plot", cell)
    # Errors and what is written to standard error: nothing but answers that are still to come.
    for text in walk.page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').all():
        assert "NotImplementedError" in text.inner_text()
    walk.assert_clean()


def test_the_walk_is_remembered(course, address):
    """What the browser's notebook got right is in the progress of this copy."""
    out = subprocess.run(
        [sys.executable, "-m", "labsupport", "progress"],
        cwd=course,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert re.search(r"01 batch norm by hand\s+#+\s+7/\d+", out.stdout), out.stdout + out.stderr
