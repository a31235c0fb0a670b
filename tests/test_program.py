"""What is run of a submission: setup, answers and added cells; never the course's own demos."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport import exercises
from labsupport.grading import blanks
from labsupport.grading.program import Program, as_it_stood, blank, names_of, program_of, solved
from labsupport.grading.records import StudentCell, Submission

PROJECT = Path(__file__).resolve().parents[1]
LESSON = "01_batch_norm_by_hand"
DENSE = "def batch_norm_dense(x, gamma, beta, eps):\n    return x"
CONV = "def batch_norm_conv(x, gamma, beta, eps):\n    return x"


def cells_of(folder: str = "notebooks", lesson: str = LESSON) -> list[StudentCell]:
    """The code cells of one of the course's notebooks."""
    held = json.loads((PROJECT / folder / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [
        StudentCell(
            "".join(cell["source"]),
            cell["id"],
            cell["metadata"].get("nbgrader", {}).get("grade_id", ""),
            position,
        )
        for position, cell in enumerate(held)
        if cell["cell_type"] == "code"
    ]


def sent(cells: list[StudentCell], lesson: str = LESSON) -> Program:
    return program_of(Submission("ann", lesson, "x.ipynb", "", tuple(cells)))


def with_source(cells: list[StudentCell], cell_id: str, source: str) -> list[StudentCell]:
    assert any(cell.id == cell_id for cell in cells)
    return [replace(cell, source=source) if cell.id == cell_id else cell for cell in cells]


def first(role: str, lesson: str = LESSON) -> str:
    """The id of the first cell of a role."""
    return next(cell.id for cell in blanks.of_lesson(lesson).cells if cell.role == role)


def sources(program: Program, kind: str = "") -> list[str]:
    return [cell.source for cell in program.cells if kind in ("", cell.kind)]


def names(program: Program, kind: str = "answer") -> list[str]:
    return [cell.name for cell in program.cells if cell.kind == kind]


ANSWERED = with_source(cells_of(), "answer-bn-dense", DENSE)
OWN = [exercise.id for exercise in exercises.of_lesson(LESSON)]


# ---------------------------------------------------------------- the course's own notebooks


@pytest.mark.parametrize("lesson", exercises.LESSONS)
def test_of_the_courses_own_notebooks_setup_and_answers_are_run(lesson):
    own = blanks.of_lesson(lesson)
    wanted = [c.exercise for c in own.cells if c.role == "answer"]
    for program in (solved(lesson), blank(lesson)):
        setup = [c.source for c in own.cells if c.role == "setup"]
        assert sources(program)[: len(setup)] == setup == sources(program, "setup")
        assert names(program) == wanted and not names(program, "added")
        assert not program.remarks
    given = set().union(*(names_of(cell.source)[0] for cell in solved(lesson).cells))
    assert given >= {e.answer for e in exercises.of_lesson(lesson) if e.id in wanted}


@pytest.mark.parametrize("lesson", exercises.LESSONS)
@pytest.mark.parametrize("lost", ["ids", "grade ids", "both"])
def test_cells_without_ids_are_known_by_what_they_say(lesson, lost):
    cells = cells_of("solutions", lesson)
    if lost != "grade ids":
        cells = [replace(cell, id="") for cell in cells]
    if lost != "ids":
        cells = [replace(cell, grade_id="") for cell in cells]
    assert sent(cells, lesson) == solved(lesson)


@pytest.mark.parametrize("lesson", exercises.LESSONS)
def test_no_demo_defines_an_answer(lesson):
    own = blanks.of_lesson(lesson)
    for cell in own.cells:
        if cell.role != "answer":
            assert not names_of(cell.source)[0] & set(own.answers), cell.id


def test_a_damaged_course_is_told_of(monkeypatch, tmp_path):
    monkeypatch.setattr(blanks, "PROJECT", tmp_path)
    blanks.of_lesson.cache_clear()
    try:
        with pytest.raises(blanks.NoBlank, match="labsupport build 01"):
            sent(ANSWERED)
    finally:
        blanks.of_lesson.cache_clear()


def test_nothing_is_run_of_what_cannot_be_graded():
    cells = tuple(ANSWERED)
    assert not program_of(Submission("ann", "", "x", "", cells, "No lesson.")).cells
    assert not program_of(Submission("ann", LESSON, "x", "", cells, "Too large.")).cells


# ---------------------------------------------------------------- answers


def test_an_answer_in_a_demo_or_a_check_counts():
    for role in ("demo", "check", "hint"):
        program = sent(with_source(cells_of(), first(role), DENSE))
        assert DENSE in sources(program, "answer")
        assert [c.source for c in program.cells if c.name == "bn-dense"] == [DENSE]
        assert "holds an answer to `bn-dense`" in program.remarks[0]


def test_an_answer_that_does_not_parse_counts_as_one():
    broken = DENSE + "\n    ) oops"
    program = sent(with_source(cells_of(), first("demo"), broken))
    assert broken in sources(program, "answer")


def test_an_answer_in_a_cell_of_its_own():
    program = sent([*cells_of(), StudentCell(DENSE, "fresh", "", 99)])
    assert [c.source for c in program.cells if c.name == "bn-dense"] == [DENSE]
    program = sent([StudentCell(DENSE, "", "", 0), *cells_of()])
    assert [c.source for c in program.cells if c.name == "bn-dense"] == [DENSE]


def test_an_answer_in_the_cell_of_another():
    program = sent(with_source(cells_of(), "answer-bn-conv", DENSE))
    assert [c.name for c in program.cells if c.source == DENSE] == ["bn-dense"]


def test_an_answer_in_the_setup_is_not_taken_back_by_its_stub():
    cells = cells_of()
    setup = next(cell.source for cell in cells if cell.id == first("setup"))
    program = sent(with_source(cells, first("setup"), f"{setup}\n{DENSE}"))
    assert names(program) == [name for name in OWN if name != "bn-dense"]


def test_a_stub_is_kept_where_there_is_no_other_answer():
    assert names(sent(cells_of())) == OWN


def test_copies_are_both_run_and_told_of():
    cells = [*ANSWERED, replace(ANSWERED[3], source=DENSE + "  # again", position=50)]
    assert ANSWERED[3].id == "answer-bn-dense"
    program = sent(cells)
    assert [c.source for c in program.cells if c.name == "bn-dense"] == [DENSE, DENSE + "  # again"]
    assert "51 are copies of one cell" in program.remarks[0]


def test_a_copy_of_the_stub_does_not_take_back_the_answer():
    stub = next(cell for cell in cells_of() if cell.id == "answer-bn-dense")
    for copied in (stub, replace(stub, id="other", grade_id="")):
        program = sent([*ANSWERED, copied])
        assert [c.source for c in program.cells if c.name == "bn-dense"] == [DENSE]


def test_missing_and_reordered_answers():
    assert names(sent([cell for cell in ANSWERED if "answer" not in cell.id])) == []
    assert names(sent(list(reversed(ANSWERED)))) == list(reversed(OWN))


def test_metadata_is_not_asked_and_ids_do_not_hide_an_answer():
    claims = [replace(cell, id=first("demo"), grade_id="check-bn-dense") for cell in ANSWERED]
    assert DENSE in sources(sent(claims), "answer")


# ---------------------------------------------------------------- setup


def test_lost_setup_is_the_courses_own():
    setup = [cell.source for cell in ANSWERED if cell.id == first("setup")]
    for cells in (
        [cell for cell in ANSWERED if cell.id != first("setup")],
        with_source(ANSWERED, first("setup"), "# gone"),
        [],
    ):
        program = sent(cells)
        assert sources(program, "setup") == setup
        assert "the course's own was run" in program.remarks[0]


def test_changed_setup_is_the_students():
    cells = cells_of()
    changed = next(c.source for c in cells if c.id == first("setup")) + "\nimport math"
    assert sources(sent(with_source(cells, first("setup"), changed)), "setup") == [changed]


def test_setup_that_was_cut_down_comes_after_the_courses_own():
    program = sent(with_source(cells_of(), first("setup"), "import math"))
    assert sources(program, "setup")[1:] == ["import math"]
    assert "import numpy as np" in sources(program, "setup")[0]


def test_setup_comes_first_in_the_courses_order():
    lesson = "07_mnist"
    cells = list(reversed(cells_of("solutions", lesson)))
    assert sources(sent(cells, lesson), "setup") == sources(solved(lesson), "setup")
    kinds = [cell.kind for cell in sent(cells, lesson).cells]
    assert kinds == sorted(kinds, reverse=True)


# ---------------------------------------------------------------- what the student added


def test_added_cells_are_run_in_their_place():
    helper = StudentCell("def helper(x):\n    return x", "mine", "", 5)
    at = next(n for n, cell in enumerate(ANSWERED) if cell.id == "answer-bn-conv")
    program = sent([*ANSWERED[:at], helper, *ANSWERED[at:]])
    order = [cell.name for cell in program.cells if cell.kind != "setup"]
    assert order == ["bn-dense", "cell 6", *OWN[1:]]


@pytest.mark.parametrize(
    "source",
    [
        "", "  \n", "# only a remark", 'check("bn-dense")', 'hint("bn-dense")\n# more',
        'check("bn-dense")\ncheck("bn-conv");  # both',
    ],
)  # fmt: skip
def test_what_only_shows_is_not_run(source):
    assert sent([*ANSWERED, StudentCell(source, "mine", "", 9)]) == sent(ANSWERED)


def test_demos_of_an_older_edition_are_not_run():
    assert sent([*ANSWERED, StudentCell("x = slow()", "demo-01234567", "", 9)]) == sent(ANSWERED)


def test_a_demo_is_run_if_an_answer_uses_what_it_defines():
    uses = DENSE.replace("return x", "return spread_of_each_layer(x)")
    cells = with_source(cells_of(), "answer-bn-dense", uses)
    program = sent(cells)
    (demo,) = sources(program, "added")
    assert "def spread_of_each_layer" in demo
    (said,) = program.remarks
    assert said.endswith("only it gives `spread_of_each_layer`, which an answer uses.")
    stray = DENSE.replace("return x", "return x_in")
    stray = sent(with_source(cells_of(), "answer-bn-dense", stray))
    assert stray.remarks[0].endswith("Does the answer have an argument for that, of another name?")
    through = [*with_source(cells, "answer-bn-dense", DENSE.replace("return x", "return mine(x)"))]
    mine = StudentCell("def mine(x): return spread_of_each_layer(x)", "mine", "", 90)
    assert sources(sent([*through, mine]), "added") == [demo, mine.source]
    own = StudentCell("def spread_of_each_layer(x): return x", "mine", "", 90)
    assert sources(sent([*cells, own]), "added") == [own.source]


def test_a_scratch_cell_does_not_call_for_demos():
    scratch = StudentCell("spread_of_each_layer(1)", "mine", "", 90)
    assert sources(sent([*ANSWERED, scratch]), "added") == [scratch.source]


def test_an_answer_that_is_given_twice_is_told():
    more = StudentCell(DENSE, "mine", "", 90)
    assert sent([*ANSWERED, more]).remarks[-1].endswith("91; the last one counts.")
    assert not sent([*ANSWERED, replace(more, source="del batch_norm_dense")]).remarks


def test_what_is_deleted_later_counts_as_it_stood():
    cells = [StudentCell(DENSE, "a", "", 1), StudentCell("del batch_norm_dense", "b", "", 2)]
    program = sent(cells)
    cut, name = as_it_stood(program, "batch_norm_dense")
    assert name == "batch_norm_dense" and cut.cells == program.cells[:-1]


def test_magics_stay_in_the_source():
    source = "%%time\n%matplotlib inline\n!ls\nhelp?\n" + DENSE
    program = sent(with_source(cells_of(), "answer-bn-dense", source))
    assert source in sources(program, "answer")


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("source", "gives"),
    [
        ("a = 1", "a"),
        ("a, (b, *c) = d", "a b c"),
        ("a: int = 1", "a"),
        ("import a.b, c as d\nfrom e import f as g", "a d g"),
        ("class A:\n  b = 1", "A"),
        ("if x:\n  def f(): y = 1\nelse:\n  async def g(): pass", "f g"),
        ("for a in b:\n  with c as d:\n    (e := 1)", "a d e"),
        ("%%time\na = 1\n%timeit b = 2\n!c\nd?", "a"),
        ("%%bash\na=1", ""),
        ("%%writefile a.py\ndef f(): pass", ""),
        ("x.a = y[b] = 1", ""),
        ("def f(:\na = 1\nclass B\nc == d\ne(f=1)", "f a B"),
        ("a = !ls", "a"),
        ("a = '\0'", "a"),
        ("a = " + "-" * 90_000 + "1", "a"),
        ("a = b" + ".c" * 30_000, "a"),
        ("a = " + "(" * 3_000, "a"),
        ("a = 1\n" + "#" * 200_000, "a"),
        (" " * 50_000 + "a" * 50_000, ""),
    ],
    ids=lambda text: text[:20],
)
def test_names_that_a_cell_gives(source, gives):
    assert names_of(source)[0] == set(gives.split())


def test_names_that_a_cell_wants():
    source = "def f(a, b=c):\n  d = 1\n  def g(): return d + e\n  return a.h(i for i in j)\nk += f"
    assert names_of(source)[1] == {"c", "e", "j"}


@given(st.text(max_size=200))
def test_any_text_has_names(source):
    names_of(source)


KNOWN = [cell.id for cell in cells_of()] + ["bn-dense", "check-bn-conv", "x", "demo-01234567", ""]
SOURCES = [cell.source for cell in cells_of()] + [DENSE, CONV, "", "x = 1", "def f(:", 'check("x")']


@given(
    st.lists(
        st.builds(
            StudentCell,
            st.sampled_from(SOURCES) | st.text(max_size=20),
            st.sampled_from(KNOWN),
            st.sampled_from(KNOWN),
            st.integers(0, 99),
        ),
        max_size=8,
    )
)
def test_any_cells_make_a_program(cells):
    program = sent(cells)
    gives = set().union(*(names_of(cell.source)[0] for cell in program.cells))
    assert gives >= names_of(sources(blank(LESSON), "setup")[0])[0]
    for cell in cells:
        assert cell.source != DENSE or DENSE in sources(program)
    assert program == sent(cells)


def test_a_large_notebook_takes_no_long_time():
    stub = next(cell.source for cell in cells_of() if cell.id == "answer-bn-dense")
    chain = [StudentCell(f"a{n} = a{n + 1}\n{stub}", "answer-bn-dense", "", n) for n in range(5000)]
    start = time.process_time()
    program = sent(chain)
    assert len(program.cells) == 5001 and time.process_time() - start < 20
    assert all(len(remark) < 300 for remark in program.remarks)
