"""Every lesson presented in a real browser on a screen of 1280 by 720: no slide is taller.

Needs Chromium. Without one it is skipped, except in CI, where it fails.
"""

from __future__ import annotations

import shutil

import nbformat
import pytest
import test_browser
from test_browser import PROJECT, Walk, address, browser  # noqa: F401  fixtures

from labsupport import exercises, launcher

pytestmark = test_browser.pytestmark
SCREEN = {"width": 1280, "height": 720}

#: The cells in sight, and everything that is longer or wider than the room it has.
LOOK = """() => {
    const hidden = ({visibility, opacity}) => visibility === 'hidden' || opacity === '0';
    const seen = [...document.querySelectorAll('.jp-Notebook .jp-Cell')]
        .map((cell, number) => ({number, cell, box: cell.getBoundingClientRect()}))
        .filter(({cell, box}) => box.height > 1 && !hidden(getComputedStyle(cell)));
    const rolls = element => ['auto', 'scroll'].includes(getComputedStyle(element).overflowY);
    const long = [...document.querySelectorAll(
        '.jp-WindowedPanel-outer, .jp-Notebook, .jp-Cell, .jp-OutputArea-output')]
        .filter(e => e.clientHeight > 20 && rolls(e) && e.scrollHeight > e.clientHeight + 1);
    const wide = [...document.querySelectorAll(
        '.jp-OutputArea-output, .cm-scroller, .jp-RenderedHTMLCommon')]
        .filter(e => e.clientWidth > 20 && e.scrollWidth > e.clientWidth + 1);
    return {
        cells: seen.map(({number}) => number),
        bottom: Math.max(0, ...seen.map(({box}) => box.bottom)),
        over: [...long, ...wide].map(e => [e.className, e.scrollHeight, e.scrollWidth]),
    };
}"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The student's part of the repository, with the solved notebooks in place of the blank."""
    folder = tmp_path_factory.mktemp("course")
    leave = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    shutil.copytree(PROJECT / "labsupport", folder / "labsupport", ignore=leave)
    for name in ("requirements.txt", "pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, folder / name)
    (folder / "notebooks").mkdir()
    for name in exercises.LESSONS:
        shutil.copy(PROJECT / "solutions" / f"{name}.ipynb", folder / "notebooks")
    return folder


@pytest.fixture
def walk(browser, address):  # noqa: F811
    context = browser.new_context(viewport=SCREEN)
    yield Walk(context.new_page(), address)
    context.close()


def start(walk):
    walk.page.locator('[data-command="deck:toggle"]').first.click()
    walk.page.locator("#jp-bottom-panel").wait_for(state="hidden")


def leave(walk):
    walk.page.keyboard.press("Escape")
    walk.page.locator("#jp-bottom-panel").wait_for(state="visible")


def slides_of(name):
    """What each press of a key is to show: numbers of cells."""
    shown = []
    for number, cell in enumerate(nbformat.read(PROJECT / "solutions" / f"{name}.ipynb", 4).cells):
        kind = cell.metadata.slideshow.slide_type
        if kind == "slide":
            shown.append([number])
        elif kind == "fragment":
            shown.append([*shown[-1], number])
    return shown


def look(walk, cells):
    """How these cells are laid out, as soon as they alone are in sight and nothing moves."""
    seen = None
    for _ in range(200):
        seen, last = walk.page.evaluate(LOOK), seen
        if seen["cells"] == cells and seen == last:
            break
        walk.page.wait_for_timeout(60)
    return seen


@pytest.mark.parametrize("name", exercises.LESSONS)
def test_every_slide_is_shown_and_fits_the_screen(walk, name):
    walk.open(name)
    start(walk)
    for number, cells in enumerate(slides_of(name)):
        if number:
            walk.page.keyboard.press("Space")
        seen = look(walk, cells)
        assert seen["cells"] == cells
        assert seen["bottom"] <= SCREEN["height"] and not seen["over"], seen
        walk.shot(f"{name}_{number}")
    leave(walk)
    walk.assert_clean()


def test_cells_run_and_sliders_slide_while_presenting(walk):
    name = "01_batch_norm_by_hand"
    walk.open(name)
    walk.run_all()
    start(walk)
    last = slides_of(name)[-1]
    assert look(walk, last)["cells"] == last, "from the selected cell on"
    leave(walk)
    walk.page.locator(".jp-Notebook .jp-Cell").first.click()
    walk.page.keyboard.press("Escape")
    start(walk)
    (number,) = (n for n, cells in enumerate(slides_of(name)) if figure_of(cells))
    for _ in range(number):
        walk.page.keyboard.press("Space")
    cells = slides_of(name)[number]
    assert look(walk, cells)["cells"] == cells
    cell = walk.page.locator(".jp-Notebook .jp-Cell").nth(cells[-1])
    figure = cell.locator("img").first
    before = figure.get_attribute("src")
    cell.get_by_role("slider").first.focus()
    walk.page.keyboard.press("ArrowRight")
    walk.page.wait_for_function(
        "([image, old]) => !image.isConnected || image.src !== old",
        arg=[figure.element_handle(), before],
    )
    count = cell.locator(".jp-InputPrompt").text_content()
    cell.locator(".cm-content").click()
    walk.page.keyboard.press("Control+Enter")
    walk.page.wait_for_function(
        "([prompt, old]) => /[0-9]/.test(prompt.textContent) && prompt.textContent !== old",
        arg=[cell.locator(".jp-InputPrompt").element_handle(), count],
    )
    assert look(walk, cells)["cells"] == cells, "still on its slide"
    walk.shot("run_while_presenting")
    walk.page.keyboard.press("Escape")  # leaves the cell, and
    leave(walk)
    walk.assert_clean()


def test_a_presentation_that_was_never_left_is_over_at_the_next_start(walk, course):
    walk.open("00_start_here")
    start(walk)
    settings = course / ".labsupport" / "jupyter" / "settings"
    (kept,) = (settings / "jupyterlab-slideshow").glob("*")
    for _ in range(50):
        if '"active": true' in kept.read_text(encoding="utf-8"):
            break
        walk.page.wait_for_timeout(100)
    launcher.end_presentation(str(settings))
    walk.open("00_start_here")  # which waits for the status bar; a presentation has none
    walk.assert_clean()


def figure_of(cells):
    """Whether a slide's last cell has the sliders for γ, β and ε."""
    page = nbformat.read(PROJECT / "solutions" / "01_batch_norm_by_hand.ipynb", 4)
    return "def with_parameters" in page.cells[cells[-1]].source
