"""Every lesson keeps to the rules of the course (design, sections 3, 5 and 8)."""

from __future__ import annotations

import ast
import os
import re
from functools import lru_cache
from html.parser import HTMLParser

import nbformat
import pytest

from labsupport import exercises, stub
from labsupport.authoring import lessons

ROOT = lessons.PROJECT
MAX_CODE_LINES = 15
MAX_WORDS = 120

LESSONS = pytest.mark.parametrize("name", exercises.LESSONS)
EXERCISES = pytest.mark.parametrize(
    "exercise", exercises.all_exercises().values(), ids=lambda e: e.id
)


def lesson_of(name):
    return lessons.read(lessons.sources()[name])


def prose(name):
    return [cell for cell in lesson_of(name).cells if cell.role == "prose"]


def code(name):
    return [cell for cell in lesson_of(name).cells if cell.role != "prose"]


def where(cell):
    return f"{cell.id}: {cell.source.splitlines()[0][:70] if cell.source else ''}"


def solved(name):
    return nbformat.read(ROOT / "solutions" / f"{name}.ipynb", as_version=4)


def blank(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def outputs(name):
    """Every output of the executed notebook with the cell that it belongs to."""
    for cell in solved(name).cells:
        for output in cell.get("outputs", []):
            yield cell, output


# ---------------------------------------------------------------- length


@LESSONS
def test_code_cells_are_short_unless_they_say_why(name):
    long = [where(c) for c in code(name) if len(shown(c)) > MAX_CODE_LINES and not c.long]
    assert not long


@LESSONS
def test_no_cell_says_that_it_is_long_without_need(name):
    assert not [where(c) for c in code(name) if c.long and len(shown(c)) <= MAX_CODE_LINES]


def shown(cell):
    """The lines of a code cell on the page, without the solution's markers."""
    lines = [line for line in cell.source.strip().splitlines() if "### " not in line]
    return ["needs(…)", *lines] if cell.needs else lines


@LESSONS
def test_prose_is_short(name):
    """Words; a formula counts as one, a table, a listing or an address as none."""
    long = {where(c): len(words(c)) for c in prose(name) if len(words(c)) > MAX_WORDS}
    assert not long


def words(cell):
    text = re.sub(r"```.*?```|<[^>]+>|^\|.*$", " ", cell.source, flags=re.S | re.M)
    text = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", " formula ", text, flags=re.S)
    text = re.sub(r"\]\([^)]*\)", "] ", text)
    return [word for word in text.split() if re.search(r"\w", word)]


# ---------------------------------------------------------------- anatomy


@LESSONS
def test_it_begins_with_its_question(name):
    first = prose(name)[0].source
    assert first.startswith("# ") and lesson_of(name).cells[0].role == "prose"
    assert re.search(r"\*\*[^*]+\?\*\*", first), "one question, in bold"


@LESSONS
def test_it_says_what_it_needs_and_how_long_it_takes(name):
    start = "\n".join(cell.source for cell in prose(name)[:3])
    assert re.search(r"\bYou need\b|\bPrerequisite", start)
    assert re.search(r"\bTime: (about )?\d+ minutes", start)
    assert re.search(r"\byou (will|can|know)\b", start, re.I), "what the reader will be able to do"


@LESSONS
def test_it_ends_with_a_recap_and_one_sentence_to_remember(name):
    (recap,) = [c.source for c in prose(name) if re.match(r"#+ Recap", c.source)]
    numbered = re.findall(r"^\d\. ", recap, re.M)
    assert numbered == [f"{i}. " for i in range(1, 6)], "five lines"
    assert re.search(r"\*\*To remember: [^*]+\*\*", recap)


@LESSONS
def test_it_asks_for_a_prediction_before_something_is_run(name):
    """Bold "Predict", then a cell to run, then the answer, folded away."""
    kinds = ""
    for cell in lesson_of(name).cells:
        if cell.role != "prose":
            kinds += "r"
        elif "<details>" in cell.source:
            kinds += "a"
        elif re.search(r"\bpredict\b", cell.source, re.I):
            kinds += "p"
        else:
            kinds += "t"
    assert re.search(r"pt*r+t*a", kinds), kinds


@LESSONS
def test_details_are_folded_so_that_jupyterlab_renders_them(name):
    """One <summary>, blank lines round the content, nothing left open."""
    for cell in prose(name):
        text = cell.source
        assert text.count("<details>") == text.count("</details>") == text.count("<summary>"), (
            where(cell)
        )
        for opening in re.finditer(r"<details>.*?\n", text):
            assert re.fullmatch(r"<details><summary>[^<]+</summary>\n", opening[0]), where(cell)
            assert text[opening.end() :].startswith("\n"), where(cell)
        for closing in re.finditer("</details>", text):
            assert text[: closing.start()].endswith("\n\n"), where(cell)


@LESSONS
def test_each_exercise_has_an_answer_a_check_and_a_hint_in_this_order(name):
    roles = ("answer", "check", "hint")
    own = [(cell.role, cell.exercise) for cell in code(name) if cell.role in roles]
    wanted = [(role, e.id) for e in exercises.of_lesson(name) for role in roles]
    assert own == wanted
    for cell in code(name):
        if cell.role == "check":
            assert cell.source.strip() == f'check("{cell.exercise}")'
        if cell.role == "hint":
            assert cell.source.startswith(f'# hint("{cell.exercise}")'), "hints wait to be asked"


@EXERCISES
def test_hints_lead_step_by_step(exercise):
    assert len(exercise.hints) >= 3
    assert len(set(exercise.hints)) == len(exercise.hints)
    assert all(hint[-1] in ".?:)" and len(hint) < 400 for hint in exercise.hints)


@EXERCISES
def test_exercise_is_complete(exercise):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", exercise.id)
    assert exercise.answer.isidentifier() and exercise.title
    ids = [part.id for part in exercise.parts]
    assert len(set(ids)) == len(ids) and all(part.points > 0 for part in exercise.parts)
    assert all(set(part.needs) <= set(ids) - {part.id} for part in exercise.parts)
    cases = [case.id for case in exercise.visible_cases()]
    assert len(set(cases)) == len(cases)


def test_every_answer_has_a_name_of_its_own():
    """Lessons may be read in one kernel; ids are unique by construction only within a lesson."""
    ids = [e.id for lesson in exercises.LESSONS for e in exercises.of_lesson(lesson)]
    assert len(set(ids)) == len(ids)
    for lesson in exercises.LESSONS:
        own = [exercise.answer for exercise in exercises.of_lesson(lesson)]
        assert len(set(own)) == len(own)


def test_known_mistakes_of_every_lesson_are_tried():
    files = [*ROOT.glob("tests/test_mistakes_*.py"), *ROOT.glob("tests/on_tf2_mistakes_*.py")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    tried = [name for text in texts for name in re.findall(r'^LESSON = "(.+)"$', text, re.M)]
    assert sorted(tried) == sorted(exercises.LESSONS)


# ---------------------------------------------------------------- slides


@LESSONS
def test_slides_are_flat_and_begin_with_a_slide(name):
    for page in (blank(name), solved(name)):
        kinds = [cell.metadata.slideshow.slide_type for cell in page.cells]
        assert kinds[0] == "slide"
        assert set(kinds) <= {"slide", "fragment", "notes", "skip"}


@LESSONS
def test_no_presentation_can_start_after_the_last_slide(name):
    """jupyterlab-slideshow starts at the selected cell, or the next on a slide; or shows nothing,
    and hears no key. After "Run All Cells" the last cell is the selected one."""
    for page in (blank(name), solved(name)):
        assert page.cells[-1].metadata.slideshow.slide_type in ("slide", "fragment")


@LESSONS
def test_fragments_and_notes_belong_to_a_slide(name):
    """What is not skipped follows its slide, so that an arrow key never meets an empty page."""
    kinds = [cell.slide for cell in lesson_of(name).cells if cell.slide != "skip"]
    assert len([kind for kind in kinds if kind == "slide"]) >= 3
    assert "notes" not in kinds[:1]


@LESSONS
def test_shift_enter_never_lands_on_speaker_notes(name):
    """jupyterlab-slideshow leaves a blank slide when it does, so notes follow no code cell."""
    cells = lesson_of(name).cells
    for before, cell in zip(cells, cells[1:], strict=False):
        if cell.slide == "notes":
            assert cell.role == "prose" and before.role == "prose", where(cell)


# ---------------------------------------------------------------- the executed notebook


class Images(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag in ("img", "svg"):
            self.found.append((tag, dict(attrs)))


@LESSONS
def test_every_figure_has_alt_text(name):
    for cell, output in outputs(name):
        data = output.get("data", {})
        images = Images("".join(data.get("text/html", ""))).found
        for tag, attributes in images:
            alt = attributes.get("alt") or attributes.get("aria-label") or ""
            assert len(alt) >= 20, (cell.id, tag, alt)
        bare = [kind for kind in data if kind.startswith("image/")]
        assert not bare or images, (cell.id, "an image that no <img alt=…> shows")


@LESSONS
def test_executed_notebook_holds_no_error_no_stderr_no_machine(name):
    words = (str(ROOT), os.path.expanduser("~") + os.sep, "/tmp/", "ipykernel_", "site-packages")
    for cell, output in outputs(name):
        assert output.output_type != "error", cell.id
        assert output.get("name") != "stderr", cell.id
        text = str(output.get("text", "")) + str(output.get("data", ""))
        for word in words:
            assert word not in text, (cell.id, word)
        assert not re.search(r"\b0x[0-9a-f]{6,}", text), (cell.id, "an address in memory")


@LESSONS
def test_executed_notebook_ran_from_top_to_bottom(name):
    counts = [cell.execution_count for cell in solved(name).cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@LESSONS
def test_every_check_of_the_executed_notebook_gives_full_points(name):
    cells = {cell.id: cell for cell in solved(name).cells}
    for exercise in exercises.of_lesson(name):
        (card,) = cells[f"check-{exercise.id}"].outputs
        text = card.data["text/plain"]
        points = "point" if exercise.points == 1 else "points"
        assert text.startswith(
            f"✓ {exercise.id}: Right, {exercise.points} of {exercise.points} {points}"
        )
        assert "✗" not in text and "ls-right" in card.data["text/html"]


@LESSONS
def test_built_notebooks_are_those_of_the_lesson(name):
    """Cell by cell; `build --check` compares the bytes."""
    lesson = lesson_of(name)
    assert [c.source for c in blank(name).cells] == [c.source for c in lessons.blank(lesson).cells]
    assert [c.source for c in solved(name).cells] == [
        c.source for c in lessons.solved(lesson).cells
    ]


# ---------------------------------------------------------------- the blank notebook


@LESSONS
def test_blank_notebook_holds_no_outputs(name):
    for cell in blank(name).cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None


@LESSONS
def test_no_demo_uses_the_name_of_an_answer_before_it_is_asked_for(name):
    """The check would take the demo's value for an answer."""
    open_answers = [exercise.answer for exercise in exercises.of_lesson(name)]
    for cell in code(name):
        if cell.role == "answer":
            open_answers.remove(exercises.find(cell.exercise).answer)
            continue
        assigned = {
            node.id
            for node in ast.walk(ast.parse(cell.source))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        } | {n.name for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.FunctionDef)}
        assert not assigned & {*open_answers}, (where(cell), assigned & {*open_answers})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs a blank notebook from top to bottom, once; errors do not stop it."""
    import nbclient

    @lru_cache
    def of(name):
        folder = tmp_path_factory.mktemp(name)
        page = blank(name)
        client = nbclient.NotebookClient(
            page,
            timeout=300,
            kernel_name="python3",
            allow_errors=True,
            extra_arguments=["--log-level=ERROR"],
        )
        env = {**os.environ, "PYTHONPATH": str(ROOT), "LABSUPPORT_STATE": str(folder / "state")}
        client.execute(cwd=str(folder), env=env)
        return [cell for cell in page.cells if cell.cell_type == "code"]

    return of


def errors(cell):
    return [output for output in cell.outputs if output.output_type == "error"]


@LESSONS
def test_blank_notebook_runs_to_its_end(name, run):
    """Nothing but NotImplementedError, where "Run All" goes on past it, and nothing on stderr."""
    for cell in run(name):
        assert cell.execution_count is not None, cell.id
        assert not [o for o in cell.outputs if o.get("name") == "stderr"], (cell.id, cell.outputs)
        for error in errors(cell):
            assert error.ename == "NotImplementedError", (cell.id, error)
            assert "raises-exception" in cell.metadata.tags, cell.id


@LESSONS
def test_blank_notebook_names_the_exercise_that_a_demo_waits_for(name, run):
    """In one line, without a traceback. An answer's own cell may stop at its stub."""
    ids = {exercise.id for exercise in exercises.of_lesson(name)}
    for cell in run(name):
        said = [error.evalue for error in errors(cell)]
        if cell.metadata.labsupport.role == "answer":
            assert set(said) <= {stub.TEXT}, (cell.id, said)
        elif cell.source.startswith("needs("):
            ((line,),) = [error.traceback for error in errors(cell)]
            assert re.search(r"answer `([^`]+)` first", line)[1] in ids, line
            assert line == f"NotImplementedError: {said[0]}"
        else:
            assert not said, (cell.id, said)


@LESSONS
def test_blank_notebook_is_not_attempted_yet(name, run):
    checks = [cell for cell in run(name) if cell.metadata.labsupport.role == "check"]
    assert len(checks) == len(exercises.of_lesson(name))
    for cell in checks:
        (card,) = cell.outputs
        assert card.data["text/plain"].startswith("○"), (cell.id, card.data["text/plain"])
