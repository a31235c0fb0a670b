"""Reports as they are seen: in Chromium, and in nbgrader's formgrader.

Without Chromium what needs it is skipped, except in CI, where it fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from dataclasses import replace

import pytest
from made_up_class import LESSONS, a_class
from test_browser import CHROMIUM, QUIET
from test_reports import HOSTILE

from labsupport.grading import reports
from labsupport.grading.paper import safe_names
from labsupport.grading.sandbox import PROJECT as ROOT

pytestmark = pytest.mark.timeout(600)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"),
    reason="no Chromium on this machine: install it (Debian: apt install chromium)",
)
SHOTS = os.environ.get("LABSUPPORT_SHOTS")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


@pytest.fixture(scope="module")
def grades(tmp_path_factory):
    """The reports of a class, in a course directory of nbgrader."""
    course = tmp_path_factory.mktemp("course")
    results = a_class()
    reports.write_all(course, results, facts={"isolation": "bubblewrap", "seed": 1})
    return course, results


def look(browser, path, width: int, height: int = 800, name: str = "", **more) -> dict:
    """Open a page. Returns how it is laid out; fails if it says or asks for anything."""
    context = browser.new_context(viewport={"width": width, "height": height}, **more)
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    seen = page.evaluate(
        """() => ({
            wide: document.documentElement.scrollWidth - window.innerWidth,
            scripts: document.scripts.length,
            styled: getComputedStyle(document.body).maxWidth !== "none",
            ink: getComputedStyle(document.body).color,
            paper: getComputedStyle(document.body).backgroundColor,
            small: [...document.querySelectorAll("body *")].filter(e =>
                e.checkVisibility() && parseFloat(getComputedStyle(e).fontSize) < 12).length,
        })"""
    )
    if SHOTS and name:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
    context.close()
    assert said == [] and asked == [path.as_uri()]
    return seen


# ---------------------------------------------------------------- pages


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_and_a_desk(browser, grades, scheme):
    course, results = grades
    own = next(r for r in results if len({p.outcome for e in r.exercises for p in e.parts}) > 2)
    page = course / "feedback" / safe_names([own.student])[own.student] / f"{own.lesson}.html"
    for width in (360, 1100):
        for path in (page, course / "class.html"):
            name = f"{path.stem}-{width}-{scheme}"
            seen = look(browser, path, width, name=name, color_scheme=scheme)
            assert seen["wide"] == 0 and seen["scripts"] == 0 and seen["styled"]
            assert seen["small"] == 0 or path.name == "class.html"
            ink, paper = (
                sum(map(float, re.findall(r"[\d.]+", seen[c])[:3])) for c in ("ink", "paper")
            )
            assert (ink < paper) == (scheme == "light") and abs(ink - paper) > 450


SPLIT = """() => [...document.querySelectorAll("td.path, td.id")].flatMap(cell => {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), split = [];
    for (let node; (node = walker.nextNode()); )
        for (const word of node.data.matchAll(/[^\\s-]+/g)) {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            if (range.getClientRects().length > 1) split.push(word[0]);
        }
    return split;
})"""


@needs_chromium
def test_paths_and_exercises_are_broken_between_words(browser, tmp_path):
    results = [
        replace(r, source=f"Bao Nguyen/week_1/{r.lesson} (2) final_version.ipynb", remarks=("A.",))
        for r in a_class()[:20]
    ]
    reports.write_all(tmp_path, results)
    for media, width in (("screen", 390), ("screen", 700), ("screen", 1100), ("print", 680)):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.emulate_media(media=media)
        page.goto((tmp_path / "class.html").as_uri())
        assert page.locator("td.path").count() == 20
        assert page.evaluate(SPLIT) == []
        wide = (
            "() => [...document.querySelectorAll('.wide')].map(e => e.scrollWidth - e.clientWidth)"
        )
        assert max(page.evaluate(wide)) <= 0, (media, width)
        page.close()


@needs_chromium
def test_hostile_pages_run_nothing_ask_for_nothing_and_fit(browser, tmp_path):
    reports.write_all(tmp_path, HOSTILE)
    pages = sorted(tmp_path.rglob("*.html"))
    for path in pages[:: max(1, len(pages) // 25)] + [tmp_path / "class.html"]:
        seen = look(browser, path, 360)
        assert seen["wide"] == 0 and seen["scripts"] == 0 and seen["styled"], path


@needs_chromium
def test_what_is_printed_has_no_names_with_the_mistakes(browser, grades, tmp_path):
    course, _results = grades
    page = browser.new_page()
    page.emulate_media(media="print")
    page.goto((course / "class.html").as_uri())
    assert page.locator("details:visible").count() == 0
    assert page.locator("text=What to teach on Monday").is_visible()
    data = page.pdf(path=tmp_path / "class.pdf", prefer_css_page_size=True)
    page.close()
    assert data.startswith(b"%PDF")
    sizes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data)
    assert sizes and all((round(float(w)), round(float(h))) == (595, 842) for w, h in sizes)


LOOSE = """() => [...document.querySelectorAll("h2, h3")].filter(e => e.checkVisibility()).flatMap(
    heading => {
        const loose = [];
        for (let e = heading; ["H2", "H3", "P"].includes(e?.tagName); e = e.nextElementSibling)
            if (e.nextElementSibling && getComputedStyle(e).breakAfter !== "avoid")
                loose.push(e.innerText);
        return loose;
    })"""


@needs_chromium
def test_no_heading_stays_alone_at_the_foot_of_a_page(browser, grades):
    course, _results = grades
    page = browser.new_page()
    page.emulate_media(media="print")
    page.goto((course / "class.html").as_uri())
    assert page.locator("h3 + p").count() and page.locator("h2 + p + p").count()
    assert page.evaluate(LOOSE) == [], "a heading is kept with all that leads to what it is about"
    page.close()


# ---------------------------------------------------------------- formgrader


@pytest.fixture(scope="module")
def formgrader(grades):
    """Address and token of a Jupyter server whose formgrader has the class's gradebook."""
    course, results = grades
    (course / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.root = {str(course)!r}\n"
        f"c.Exchange.root = {str(course / 'exchange')!r}\n"
    )
    blank = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    for lesson in LESSONS:
        (course / "source" / lesson).mkdir(parents=True)
        (course / "source" / lesson / f"{lesson}.ipynb").write_text(blank)
    for result in results:
        for step in ("submitted", "autograded"):
            folder = course / step / result.student / result.lesson
            folder.mkdir(parents=True)
            (folder / f"{result.lesson}.ipynb").write_text(blank)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = course / "home"
    home.mkdir()
    (course / "exchange").mkdir()
    (course / "exchange").chmod(0o777)
    # The course's own Jupyter settings, which the launcher hands on, are for its own server.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    environment = {
        **inherited,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home),
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
    }
    extensions = {"jpserver_extensions": {"nbgrader.server_extensions.formgrader": True}}
    (home / "jupyter_server_config.json").write_text(json.dumps({"ServerApp": extensions}))
    log = (home / "log").open("w")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
            *(f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=secret"),
            f"--ServerApp.root_dir={course}",
        ],
        cwd=course,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert process.poll() is None, (home / "log").read_text()
            try:
                get(address, "status")
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail((home / "log").read_text())
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        shutil.rmtree(home, ignore_errors=True)


def get(address: str, what: str):
    request = urllib.request.Request(
        f"{address}/formgrader/api/{what}", headers={"Authorization": "token secret"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_formgrader_has_assignments_students_and_scores(formgrader, grades):
    _course, results = grades
    assignments = {a["name"]: a for a in get(formgrader, "assignments")}
    assert set(assignments) == set(LESSONS)
    for lesson in LESSONS:
        own = {r.student: r for r in results if r.lesson == lesson}
        assert assignments[lesson]["num_submissions"] == len(own)
        assert assignments[lesson]["max_score"] == max(r.max_points for r in own.values())
        average = sum(r.points for r in own.values()) / len(own)
        assert assignments[lesson]["average_score"] == pytest.approx(average)
        rows = {s["student"]: s for s in get(formgrader, f"submissions/{lesson}")}
        assert set(rows) == set(own)
        for student, row in rows.items():
            assert (row["score"], row["max_score"]) == (
                own[student].points,
                own[student].max_points,
            )
            assert row["autograded"]
            assert row["needs_manual_grade"] == (own[student].status == "refused")
        (notebook,) = get(formgrader, f"notebooks/{lesson}")
        assert notebook["name"] == lesson and notebook["num_submissions"] == len(own)
        graded = get(formgrader, f"submitted_notebooks/{lesson}/{lesson}")
        assert {g["student"]: g["score"] for g in graded} == {s: r.points for s, r in own.items()}
        one = next(g for g in graded if 0 < g["score"] < g["max_score"])
        cells = {g["name"]: g for g in get(formgrader, f"grades?submission_id={one['id']}")}
        for exercise in own[one["student"]].exercises:
            cell = cells[f"check-{exercise.id}"]
            assert (cell["auto_score"], cell["max_score"]) == (exercise.points, exercise.max_points)
    students = {s["id"]: s["score"] for s in get(formgrader, "students")}
    assert students == {
        s: sum(r.points for r in results if r.student == s) for s in {r.student for r in results}
    }


@needs_chromium
def test_formgrader_shows_them(browser, formgrader, grades):
    _course, results = grades
    lesson = LESSONS[0]
    own = sorted((r for r in results if r.lesson == lesson), key=lambda r: r.student)
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        extra_http_headers={"Authorization": "token secret"},
    )
    page = context.new_page()
    broken = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(f"{formgrader}/formgrader/manage_submissions/{lesson}")
    page.wait_for_selector(f"text={own[0].student}")
    page.locator("select[name$=_length]").select_option("100") if page.locator(
        "select[name$=_length]"
    ).count() else None
    table = page.locator("#main-table").inner_text()
    for result in own:
        row = next(line for line in table.splitlines() if result.student in line)
        assert f"{result.points} / {result.max_points}" in row
    refused = sum(r.status == "refused" for r in own)
    assert "graded" in table and table.count("needs manual grading") == refused
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/formgrader-submissions.png", full_page=True)
    page.goto(f"{formgrader}/formgrader/gradebook")
    page.wait_for_selector(f"text={lesson}")
    table = page.locator("#main-table").inner_text()
    for name in LESSONS:
        marks = [(r.points, r.max_points) for r in results if r.lesson == name]
        average = sum(points for points, _ in marks) / len(marks)
        row = next(line for line in table.splitlines() if name in line)
        assert f"{round(average, 2):g} / {marks[0][1]}" in row
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/formgrader-gradebook.png", full_page=True)
    page.goto(f"{formgrader}/formgrader/manage_students")
    page.wait_for_selector(f"text={own[0].student}")
    table = page.locator("#main-table").inner_text()
    for student in {r.student for r in results}:
        points = sum(r.points for r in results if r.student == student)
        row = next(line for line in table.splitlines() if student in line)
        assert f"\t{points} / " in row
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/formgrader-students.png", full_page=True)
    page.goto(f"{formgrader}/formgrader/manage_students/{urllib.parse.quote(own[0].student)}")
    page.wait_for_selector(f"text={lesson}")
    assert f"{own[0].points} / {own[0].max_points}" in page.locator("#main-table").inner_text()
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/formgrader-student.png", full_page=True)
    assert broken == []
    context.close()


@needs_chromium
def test_a_submission_opens_in_formgrader_with_its_scores(browser, formgrader, grades):
    course, results = grades
    lesson = LESSONS[0]
    one = next(r for r in results if r.lesson == lesson and 0 < r.points < r.max_points)
    path = course / "autograded" / one.student / lesson / f"{lesson}.ipynb"
    shutil.copy(ROOT / "solutions" / path.name, path)
    rows = get(formgrader, f"submitted_notebooks/{lesson}/{lesson}")
    id = next(row["id"] for row in rows if row["student"] == one.student)
    page = browser.new_page(extra_http_headers={"Authorization": "token secret"})
    page.goto(f"{formgrader}/formgrader/submissions/{id}/")
    page.wait_for_function(
        "() => [...document.querySelectorAll('input.score')].some(e => e.placeholder !== '')"
    )
    shown = page.eval_on_selector_all("input.score", "all => all.map(e => Number(e.placeholder))")
    assert shown == [e.points for e in one.exercises]
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/formgrader-one.png", full_page=True)
    page.close()
