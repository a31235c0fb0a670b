"""Reports: what they count, what they keep to themselves, and that nothing hostile gets through."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import html.parser
import random
import re
import shutil
import sqlite3
import unicodedata
from collections import Counter
from dataclasses import fields, replace
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_class import HIDDEN, LESSONS, a_class

from labsupport import exercises
from labsupport.grading import feedback, nbgrader_book, overview, paper, reports, tables, trial
from labsupport.grading.records import ExerciseResult, PartResult, Result
from labsupport.vocabulary import Part, PartVerdict

FACTS = {"isolation": "bubblewrap", "seed": 20261}
EVIL = [
    "<script>alert(1)</script>",
    "</pre></bdi><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "</style><style>*{display:none}</style>",
    "</title><base href=//evil.example>",
    "{{ 7 * 7 }}{% raw %}",
    "`</code><b>x</b>`",
    "javascript:alert(1)",
    "../../../../etc/passwd",
    "..\\..\\windows",
    "//evil.example/x",
    "\x00\x1b[2J\x07\x08",
    "\ud800\udfff",
    "\u202egnp.exe\u2066",
    "\u05d0\u05d1\u05d2 \u0627\u0644",
    '=HYPERLINK("http://evil.example";"x")',
    "+1+1",
    "-2",
    "@SUM(1)",
    "\t=1+1",
    "a;=1+1",
    'a,"=1+1',
    "\r\n=1+1",
    "\uff1d1+1",
    "con",
    "",
    " ",
    "...",
    "~",
    "-rf",
    "Points Possible",
    "Z" + "\u0301" * 500,
    "x" * 100_000,
]


def right(exercise, **more) -> ExerciseResult:
    parts = tuple(PartResult(p.id, p.title, p.points, p.points, "right") for p in exercise.parts)
    return ExerciseResult(exercise.id, exercise.title, parts)


def result(student: str, lesson: str = LESSONS[0], **more) -> Result:
    """A right submission, changed by `more`."""
    own = exercises.of_lesson(lesson) if lesson else ()
    about = dict(source=f"{student}.ipynb", digest="d", status="graded", seed=1, course="c")
    return Result(
        **{**about, "exercises": tuple(map(right, own)), **more}, student=student, lesson=lesson
    )


def with_part(result: Result, number: int, **more) -> Result:
    """The result with the first part of one exercise changed."""
    own = list(result.exercises)
    first, *rest = own[number].parts
    own[number] = replace(own[number], parts=(replace(first, points=0, **more), *rest))
    return replace(result, exercises=tuple(own))


def hostile(text: str, number: int = 0) -> Result:
    """A result in which every text is hostile."""
    texts = {f.name: text for f in fields(PartResult) if f.type == "str"} | {"outcome": "mistake"}
    kinds = ("mistake", "wrong", "raised", "slow", "unusable", "not attempted", "waiting")
    parts = tuple(
        PartResult(**{**texts, "outcome": kind}, points=0, max_points=1, line_number=3)
        for kind in kinds
    )
    return Result(
        student=text,
        lesson=LESSONS[0] if number % 2 else text,
        source=text,
        digest=text,
        status="graded" if number % 3 else "refused",
        seed=1,
        course=text,
        exercises=(ExerciseResult(text, text, parts),),
        problem=text,
        remarks=(text, text),
        events=(text,),
        ids={"name": text, "canvas_user_id": text, "moodle_participant": text, "late": text},
    )


HOSTILE = [hostile(text, number) for number, text in enumerate(EVIL * 2)]


class Page(html.parser.HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.open.append(tag)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


TAGS = {
    "html", "head", "meta", "style", "title", "body", "nav", "header", "main", "footer",
    "section", "div", "p", "h1", "h2", "h3", "span", "strong", "bdi", "a", "br", "pre", "code",
    "table", "tr", "td", "th", "ul", "ol", "li", "i", "details", "summary", "figure", "svg",
    "desc", "rect", "line", "text", "wbr",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "href", "role", "id",
    "aria-label", "aria-hidden", "aria-labelledby", "viewbox", "preserveaspectratio", "x", "y",
    "width", "height", "x1", "x2", "y1", "y2", "transform",
}  # fmt: skip


def assert_harmless(text: str) -> None:
    """A page of nothing but known tags and attributes, that asks for nothing and runs nothing."""
    page = Page(text)
    assert set(page.tags) <= TAGS, set(page.tags) - TAGS
    assert {a[1] for a in page.attributes} <= ATTRIBUTES
    for tag, name, value in page.attributes:
        if name == "href":
            assert tag == "a" and re.fullmatch(r"#?[\w.~%/-]*", value, re.A), value
            assert ".." not in value.split("/") and not value.startswith("/")
    policy = next(v for t, n, v in page.attributes if n == "content" and "default-src" in v)
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert text.count("<style>") == 1 and "url(" not in style and "@import" not in style
    shown = page.text
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") for c in shown)


def write(folder, results, **more) -> list[str]:
    folder.mkdir(exist_ok=True)
    return reports.write_all(folder, results, facts=FACTS, **more)


def all_files(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".db"
    }


def class_text(results) -> str:
    students = paper.by_student(results)
    lessons = paper.lessons_of(r for own in students.values() for r in own)
    addresses = feedback.addresses_of(students)
    return Page(overview.class_page(students, lessons, addresses, FACTS)).text


def table(path, encoding="utf-8") -> list[list[str]]:
    with open(path, encoding=encoding, newline="") as file:
        return list(csv.reader(file))


# ---------------------------------------------------------------- all of them


def test_a_class_has_all_reports(tmp_path):
    results = a_class()
    said, of_canvas_files = write(tmp_path, results)
    assert "canvas-*.csv" in of_canvas_files
    first, *refused = said.splitlines()
    assert first == "Could not be graded, so without points in the tables:"
    assert len(refused) == sum(r.status == "refused" for r in results)
    several = Counter(r.student for r in results)
    for r in results:
        which = f", {r.lesson}" if several[r.student] > 1 else ""
        assert (r.status == "refused") == (f"  {r.student}{which}: {r.problem}" in refused)
    there = {path.name for path in tmp_path.iterdir()}
    for_canvas = {f"canvas-{lesson}.csv" for lesson in LESSONS}
    assert there == {"grades.csv", "class.html", "gradebook.db", "feedback", *for_canvas}
    pages = [p for p in (tmp_path / "feedback").rglob("*.html") if p.name != "index.html"]
    assert len(pages) == len(results)


def test_equal_verdicts_give_equal_files(tmp_path):
    results = a_class()
    write(tmp_path / "one", results)
    random.Random(5).shuffle(results)
    write(tmp_path / "two", results)
    write(tmp_path / "two", results)
    assert all_files(tmp_path / "one") == all_files(tmp_path / "two")


def test_no_results_at_all(tmp_path):
    assert write(tmp_path, []) == []
    assert_harmless((tmp_path / "class.html").read_text("utf-8"))


def test_a_rerun_changes_only_what_has_changed(tmp_path):
    results = a_class()
    write(tmp_path, results)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "feedback").rglob("*.html")}
    results[0] = replace(results[0], problem="Something else.")
    write(tmp_path, results)
    changed = [p for p, t in before.items() if p.stat().st_mtime_ns != t]
    assert 1 <= len(changed) <= 2  # the page, and the student's list of pages


def test_pages_of_those_who_are_gone_are_gone_and_nothing_else(tmp_path):
    write(tmp_path, [result("ann"), result("bob"), result("bob", LESSONS[1])])
    notes = tmp_path / "feedback" / "ann" / "notes.txt"
    notes.write_text("mine")
    write(tmp_path, [result("bob", LESSONS[1])])
    left = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "feedback").rglob("*.*")}
    assert left == {"feedback/ann/notes.txt", f"feedback/bob/{LESSONS[1]}.html"}


def test_nothing_hostile_gets_through(tmp_path):
    write(tmp_path, [*HOSTILE, result("ann")])
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(EVIL)
    for path in pages:
        assert_harmless(path.read_text("utf-8"))
        assert path.stat().st_size < 5_000_000
    assert {p.parent.parent for p in pages} <= {tmp_path, tmp_path.parent, tmp_path / "feedback"}


TEXT = st.text(
    st.characters() | st.sampled_from("<>&\"'`=+-@\x00\n\t\ud800\u202e/\\.{}%"), max_size=9
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.builds(hostile, TEXT, st.integers(0, 5)), min_size=1, max_size=5))
def test_nothing_at_all_gets_through(tmp_path_factory, results):
    folder = tmp_path_factory.mktemp("grades")
    students = paper.by_student(results)
    lessons = paper.lessons_of(r for own in students.values() for r in own)
    addresses = feedback.addresses_of(students)
    feedback.write(folder, students, addresses)
    tables.write_grades(folder / "grades.csv", students, lessons)
    overview.write(folder / "class.html", students, lessons, addresses, {})
    for path in folder.rglob("*.html"):
        assert_harmless(path.read_text("utf-8"))
    pages = [p for p in folder.glob("feedback/*/*.html") if p.name != "index.html"]
    assert len(pages) == sum(map(len, students.values()))
    assert len({len(row) for row in table(folder / "grades.csv", "utf-8-sig")}) == 1


@given(st.text(st.characters() | st.sampled_from("/_.-& <")))
def test_a_path_breaks_after_its_separators(path):
    shown = str(paper.breakable(path))
    pieces = [html.unescape(piece) for piece in shown.split("<wbr>")]
    assert "".join(pieces) == path and all(len(piece) <= 25 for piece in pieces)
    for piece, after in zip(pieces, pieces[1:], strict=False):
        assert piece[-1] in "/_" or len(piece) == 24 or after[0] in "/_"


def test_marks_are_not_piled_up():
    assert paper.one_line("Z" + "\u0336" * 500 + "x") == "Z" + "\u0336" * 4 + "x"
    for name in ("Nguyễn", "שָׁלוֹם", "กี่", "e\u0301"):
        assert paper.one_line(name) == unicodedata.normalize("NFC", name)


# ---------------------------------------------------------------- names of files


NAMES = st.text(
    st.characters() | st.sampled_from("aAäÄßSs./\\:\x00 \u0301\u212b\u1e9e-"), max_size=8
)


@settings(max_examples=200, deadline=None)
@given(st.lists(NAMES | st.sampled_from(EVIL), max_size=8))
def test_names_of_files_are_safe_everywhere(names):
    made = paper.safe_names(names, taken=("index",))
    assert set(made) == set(names)
    folded = [
        unicodedata.normalize("NFD", unicodedata.normalize("NFC", n).casefold())
        for n in made.values()
    ]
    assert len(set(folded)) == len(folded) and "index" not in folded
    for name in made.values():
        assert 0 < len(name.encode()) <= 200
        assert not set(name) & set('/\\:*?"<>|%#\0\n') and not name.startswith((".", "-", " "))
        assert not name.endswith((".", " "))
        assert not re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, re.I)
    assert paper.safe_names(reversed(names), taken=("index",)) == made


def test_ordinary_names_stay_as_they_are():
    names = ["Amara Okafor", "Daniel O'Connor", "Bao Nguyễn", "jdoe-2", "李 明", "x.y@z.org"]
    assert paper.safe_names(names) == {name: name for name in names}


def test_a_name_that_looks_like_anothers_mark_does_not_take_its_place():
    mark = paper.safe_names(["a/b"])["a/b"]
    made = paper.safe_names(["a/b", mark, "A_b", "a_B"])
    assert len({n.casefold() for n in made.values()}) == 4


# ---------------------------------------------------------------- feedback


def told(page: str) -> str:
    return Page(page).text


def test_feedback_names_the_mistake_its_question_the_points_and_the_line():
    one = with_part(
        result("ann"),
        0,
        outcome="mistake",
        message="You average over the features",
        question="Along which axis do you walk down a column of `x`?",
        mistake="wrong-axis",
        mistake_name="You average over the features",
    )
    one = with_part(
        one, 1, outcome="raised", message="NameError: vra", line="\tstd = vra ** .5", line_number=4
    )
    text = told(feedback.feedback_page(one))
    assert "You average over the features." in text
    assert "Along which axis do you walk down a column of x ?" in text
    assert "line 4 std = vra ** .5" in text
    assert f"{one.points} of {one.max_points} points" in text
    for exercise in one.exercises:
        assert f"{exercise.points} / {exercise.max_points}" in text
        for part in exercise.parts:
            assert told(part.title.replace("`", " ")) in text.replace("  ", " ")


def test_feedback_has_neither_hidden_inputs_nor_events(tmp_path):
    results = [
        replace(r, events=("EVENT: reached for the network",), remarks=("A remark.",))
        for r in a_class()
    ]
    assert any(HIDDEN in p.private for r in results for e in r.exercises for p in e.parts)
    write(tmp_path, results)
    for path in (tmp_path / "feedback").rglob("*.html"):
        text = path.read_text("utf-8")
        assert "41.4142" not in text and "EVENT" not in text
        assert path.name == "index.html" or "A remark." in text
    assert "EVENT" in (tmp_path / "class.html").read_text("utf-8")


def test_feedback_on_what_could_not_be_read_says_why():
    none = replace(result("ann"), exercises=(), status="refused", problem="It is not JSON.")
    text = told(feedback.feedback_page(none))
    assert "could not be graded" in text and "It is not JSON." in text
    assert "Not graded" in text and "of 0 points" not in text
    assert "File: ann.ipynb" in text and "SHA-256" not in text  # it may not have been read


def test_feedback_on_nothing_names_no_file():
    none = replace(result("ann", ""), source="ann", status="refused", problem="There is none.")
    text = told(feedback.feedback_page(none))
    assert "There was nothing to grade. There is none." in text and "File" not in text
    assert "ann There is none." in class_text([none]).split("to look at")[1]


def test_a_student_of_several_lessons_has_a_list_of_them(tmp_path):
    write(tmp_path, [result("ann"), result("ann", LESSONS[1]), result("bob")])
    index = (tmp_path / "feedback/ann/index.html").read_text("utf-8")
    links = [v for _, n, v in Page(index).attributes if n == "href"]
    assert links == [f"{lesson}.html" for lesson in LESSONS]
    assert all((tmp_path / "feedback/ann" / link).is_file() for link in links)
    assert not (tmp_path / "feedback/bob/index.html").exists()


def test_notebooks_of_no_known_lesson_have_pages_of_their_own(tmp_path):
    several = [
        result("ann", "", source=f"{n}.ipynb", status="refused", problem=f"Reason {n}.")
        for n in range(3)
    ]
    odd = [replace(result("ann"), lesson=lesson, source="x") for lesson in ("index", "Index")]
    write(tmp_path, [*several, *odd])
    pages = sorted(p.name for p in (tmp_path / "feedback/ann").iterdir())
    assert len(pages) == 6 and "index.html" in pages
    assert len({name.casefold() for name in pages}) == 6
    assert "Reason 2." in (tmp_path / "feedback/ann/index.html").read_text("utf-8")


# ---------------------------------------------------------------- the class


def wrong(student: str, number: int = 0, mistake="m", name="They mix up the axes", **more):
    told = dict(outcome="mistake", mistake=mistake, mistake_name=name, message=name)
    return with_part(result(student), number, **told, question="Which axis?", **more)


def test_mistakes_are_counted_most_frequent_first_each_student_once():
    twice = wrong("ann")
    first = twice.exercises[0]
    again = tuple(replace(first.parts[0], id=p.id, title=p.title) for p in first.parts)
    twice = replace(twice, exercises=(replace(first, parts=again), *twice.exercises[1:]))
    results = [twice, wrong("bob"), wrong("cy"), wrong("dee", mistake="n", name="No epsilon")]
    text = class_text([*results, result("eve")])
    assert "They mix up the axes 3 of the 5 students graded in this lesson: bn-dense ." in text
    assert text.index("They mix up the axes") < text.index("No epsilon")
    assert "3 They mix up the axes Which axis?" in text


def test_one_mistake_in_two_exercises_is_one_thing_to_teach():
    told = {
        name: getattr(wrong("x").exercises[0].parts[0], name) for name in ("outcome", "message")
    }
    told |= dict(mistake="other", mistake_name="They mix up the axes", question="Which axis?")
    text = class_text([with_part(wrong("ann", 0), 1, **told), wrong("bob", 1)])
    taught = text.split("What to teach on Monday")[1].split("Fewest right")[0]
    said = (
        "They mix up the axes 2 of the 2 students graded in this lesson: bn-dense (1), bn-conv "
        "(2). Which axis?"
    )
    assert taught.replace(" ", "") == said.replace(" ", "")


def test_a_part_that_waits_for_others_is_told_from_a_wrong_one():
    own = exercises.of_lesson(LESSONS[0])[0]
    *others, last = right(own).parts
    off = tuple(replace(p, points=0, outcome="wrong", message="Off.") for p in others)

    def with_last(student, outcome):
        parts = (*off, replace(last, points=0, outcome=outcome))
        return replace(result(student), exercises=(replace(right(own), parts=parts),))

    results = [with_last("ann", "waiting"), with_last("bob", "waiting"), with_last("cy", "wrong")]
    text = class_text([*results, result("dee")])
    said = "x itself is left alone 1/4 (2 waiting). Waiting: not wrong, but it counts only once"
    assert said in text
    why = "A part with ○ counts once the other parts are right."
    assert told(feedback.feedback_page(results[0])).count(why) == 1
    assert why not in told(feedback.feedback_page(results[2]))
    assert "waiting" not in class_text([results[2]]).lower()


def taught(results) -> str:
    return class_text(results).split("What to teach on Monday")[1].split("Fewest right")[0]


def test_a_mistake_that_only_comes_from_another_answer_is_not_taught_again():
    told = dict(outcome="mistake", mistake="d", mistake_name="The way back drops it", message="-")

    def follows(one):
        own = list(one.exercises)
        own[1] = replace(own[1], note="Your code calls `f`, which is not right either: …")
        return replace(one, exercises=tuple(own))

    both = [follows(with_part(wrong(name), 1, **told)) for name in ("ann", "bob")]
    text = taught(both)
    assert "They mix up the axes 2 of the 2 students" in text and "way back" not in text
    text = class_text(both)
    assert "The way back drops it All of them in an answer that calls another one" in text
    alone = with_part(result("cy"), 1, **told)
    assert "The way back drops it 1 of the 3 students" in taught([*both, alone])
    text = class_text([*both, alone])
    assert "The way back drops it 2 of them in an answer that calls another one" in text


def test_what_several_have_wrong_without_a_name_is_told():
    odd = [
        with_part(result(name), 1, outcome="wrong", message="Off.", private=f"{name} is too large")
        for name in ("ann", "bob", "cy")
    ]
    text = taught([*odd, wrong("dee"), wrong("eve"), result("fay")])
    assert "mix up the axes 2 of" in text
    assert "Wrong in ways that have no name: bn-conv (3)." in text
    assert "no name" not in taught(odd[:1]), "one student is not a class"


def test_how_many_are_right_partly_right_wrong_or_not_there():
    own = exercises.of_lesson(LESSONS[0])[0]
    blank = ExerciseResult(
        own.id,
        own.title,
        tuple(PartResult(p.id, p.title, 0, p.points, "not attempted") for p in own.parts),
    )
    bad = replace(
        blank, parts=tuple(replace(p, outcome="wrong", private="bad") for p in blank.parts)
    )
    results = [
        result("ann"),
        result("bob"),
        wrong("cy"),
        replace(result("dee"), exercises=(bad,)),
        *(replace(result(n), exercises=(blank,)) for n in ("eve", "fay", "gus")),
        replace(result("hal"), exercises=(blank,), status="refused", problem="Not JSON."),
    ]
    text = class_text(results)
    assert "bn-dense 2 1 1 3 bn-conv" in text
    assert "Handed in by 8 of 8 students, 1 of them not graded; 19 points" in text
    assert "8 students 8 submissions 1 that could not be graded" in text
    assert "1 with a wrong answer that has no name" in text and "bad" in text


def test_wrong_answers_without_a_name_are_gathered_by_what_the_judge_saw():
    results = [
        with_part(
            result(name),
            0,
            outcome="raised",
            message="public",
            private=f"ValueError: shapes ({n},4) and ({n},) (case {n}) y = a + b",
        )
        for n, name in enumerate(["ann", "bob", "cy"], 3)
    ]
    text = class_text(results)
    assert "3 with a wrong answer that has no name" in text
    assert "3 ValueError: shapes (3,4) and (3,) (case 3) y = a + b" in text
    assert "(4,4)" not in text and "public" not in text


def test_code_that_failed_is_set_apart_from_the_error_and_the_case(tmp_path):
    said = "NameError: name 'vra' is not defined (images wider than high)"
    judged = PartVerdict(
        Part("a", 1, "a", ()),
        "raised",
        0,
        "NameError: name 'vra' is not defined",
        line="    return vra + `x` < 3",
        where="images wider than high",
    )
    more = dict(outcome="raised", private=trial._part(judged, None, {}).private)
    write(tmp_path, [with_part(result("ann"), 0, **more)])
    page = (tmp_path / "class.html").read_text("utf-8")
    assert f"<p>{html.escape(said, quote=False).replace(chr(39), '&#39;')}</p>" in page
    assert '<p class="line"><code>return vra + `x` &lt; 3</code></p>' in page


def test_what_came_late_is_said_on_the_page_of_the_class():
    late = dict(ids={"late": "yes"})
    bad = dict(status="refused", problem="Not JSON.")
    results = [result("ann", **late), result("bob"), result("cy", **late, **bad)]
    text = class_text(results)
    assert "3 submissions 1 that could not be graded 2 handed in late" in text
    assert "Handed in by 3 of 3 students, 1 of them not graded, 2 of them late; 19" in text
    listed = text.split("link to each page of feedback")[1]
    assert "ann 19 19 , late bob 19 19 cy not graded not graded , late" in listed
    assert "late" not in class_text(results[1:2])


def test_who_made_a_mistake_is_folded_away_and_leads_to_the_feedback(tmp_path):
    write(tmp_path, [wrong("ann"), wrong("b&b <i>")])
    text = (tmp_path / "class.html").read_text("utf-8")
    inside = "".join(re.findall(r"<details>.*?</details>", text, re.S))
    outside = re.sub(r"<details>.*?</details>", "", text, flags=re.S)
    assert "b&amp;b" in inside and "b&amp;b" not in outside
    for link in {v for _, n, v in Page(text).attributes if n == "href" and not v.startswith("#")}:
        assert (tmp_path / unquote(link)).is_file(), link
    for link in {v for _, n, v in Page(text).attributes if n == "href" and v.startswith("#")}:
        assert f'id="{link[1:]}"' in text


def test_counts_are_of_those_who_handed_in_that_lesson():
    told = dict(outcome="mistake", mistake="m", mistake_name="They mix up the axes", message="-")
    other = with_part(result("cy", LESSONS[1]), 0, **told)
    results = [
        wrong("ann"),
        result("bob"),
        *[result(name, LESSONS[1]) for name in ("bob", "dee", "eve")],
        result("fay", status="refused", problem="Not JSON."),
        result("gus", "", source="gus", status="refused", problem="There is none."),
    ]
    text = class_text(results)
    assert "They mix up the axes 1 of the 2 students graded in this lesson: bn-dense" in text
    assert "Handed in by 3 of 6 students, 1 of them not graded;" in text
    assert "Handed in by 3 of 6 students; 29 points" in text
    text = class_text([*results, other])
    assert "They mix up the axes 2 of the 5 students graded in these lessons: bn-dense (1)" in text


def test_a_students_list_says_what_its_sum_is_of(tmp_path):
    results = [result("ann"), result("ann", LESSONS[1]), result("bob", "02_moving_averages")]
    results[1] = replace(results[1], status="refused", problem="Not JSON.")
    results[1] = with_part(results[1], 0)
    none = [
        replace(e, parts=tuple(replace(p, points=0) for p in e.parts)) for e in results[1].exercises
    ]
    results[1] = replace(results[1], exercises=tuple(none))
    write(tmp_path, results)
    text = told((tmp_path / "feedback" / "ann" / "index.html").read_text("utf-8"))
    assert "The sum of the lesson that could be graded 19 of 19 points" in text
    assert text.endswith("Not JSON. not graded")
    write(tmp_path, [result("ann"), result("ann", LESSONS[1])])
    text = told((tmp_path / "feedback" / "ann" / "index.html").read_text("utf-8"))
    assert "The sum of the 2 lessons handed in 48 of 48 points" in text
    write(tmp_path, [replace(results[1], lesson=lesson) for lesson in LESSONS])
    text = told((tmp_path / "feedback" / "ann" / "index.html").read_text("utf-8"))
    assert "ann Not graded 01 batch" in text and "points" not in text.split("ann Not graded")[1]


def test_each_student_in_the_list_has_a_link(tmp_path):
    none = result("cy", "", source="cy", status="refused", problem="There is none.")
    write(tmp_path, [result("ann"), result("ann", LESSONS[1]), result("bob"), none])
    text = (tmp_path / "class.html").read_text("utf-8").split("<h2>Students")[1]
    links = [v for _, n, v in Page(text).attributes if n == "href"]
    for page in ("ann/index.html", f"bob/{LESSONS[0]}.html", "cy/unknown%20lesson%201.html"):
        assert f"feedback/{page}" in links


def test_what_needs_a_look_comes_with_problems_first():
    results = [
        replace(result("ann"), remarks=("Twice there.",)),
        replace(result("bob"), events=("cell 3 was stopped.",)),
        result("cy", "", status="refused", problem="Not a notebook."),
    ]
    text = class_text(results).split("Submissions to look at")[1]
    assert text.index("Not a notebook.") < text.index("cell 3 was") < text.index("Twice there.")


def test_the_run_is_described_by_the_facts_given():
    text = class_text([result("ann")])
    assert "isolation: bubblewrap" in text and "seed: 20261" in text


def test_what_could_not_be_graded_is_no_zero(tmp_path):
    bad = dict(status="refused", problem="Not JSON.")
    results = [
        *(result("ann", lesson) for lesson in LESSONS),
        result("bob"),  # has handed in one lesson only
        result("cy", **bad),
        result("dee"),
        result("dee", LESSONS[1], **bad),
        *(result("eve", lesson) for lesson in LESSONS),
        result("eve", "", source="more.ipynb", **bad),  # nothing that she lacks
    ]
    write(tmp_path, results)
    text = told((tmp_path / "class.html").read_text("utf-8"))
    scores = text.split("Scores")[1].split("01 batch")[0]
    assert "Median 100 %" in scores and "30 to 39 %: 1; 90 to 100 %: 2" in scores
    assert "A lesson that was not handed in counts 0." in scores
    assert "Left out here: 2 students who handed in what could not be graded." in scores
    rows = table(tmp_path / "grades.csv", "utf-8-sig")[1:]
    assert {row[0]: row[1] for row in rows} == {
        "ann": "48",
        "bob": "19",
        "cy": "",
        "dee": "",
        "eve": "48",
    }
    listed = text.split("link to each page of feedback")[1]
    assert "cy not graded not graded –" in listed and "dee not all graded 19 not graded" in listed


def test_where_nobody_was_graded_nothing_is_said_of_the_class():
    bad = dict(status="refused", problem="Not JSON.")
    text = class_text([result("ann", **bad), result("bob", "", **bad)])
    assert "Nobody was graded: what happened is below." in text
    assert "Nobody made" not in text and "Scores" not in text and "Median" not in text
    text = class_text([result("ann"), result("bob", **bad)])
    assert "Nobody made a mistake that the course has a name for." in text


@pytest.mark.parametrize("percents", [[], [0], [100], [0, 100], [9.99, 10, 99.9, 100], [33] * 4321])
def test_the_distribution_is_drawn_and_told(percents):
    chart = overview.histogram(percents)
    assert sum(bar["count"] for bar in chart["bars"]) == len(percents)
    assert all(0 <= bar["y"] <= chart["base"] for bar in chart["bars"])
    assert all(bar["y"] + bar["height"] == pytest.approx(chart["base"]) for bar in chart["bars"])
    assert len(chart["ticks"]) <= 7 and chart["ticks"][0]["label"] == 0
    labels = [tick["label"] for tick in chart["ticks"]]
    assert labels == sorted(set(labels)) and labels[-1] >= max(b["count"] for b in chart["bars"])


def test_the_edges_of_the_distribution():
    counts = [bar["count"] for bar in overview.histogram([0, 9.9, 10, 89.9, 90, 100])["bars"]]
    assert counts == [2, 1, 0, 0, 0, 0, 0, 0, 1, 2]


# ---------------------------------------------------------------- tables


def test_grades_have_a_row_for_each_student_and_a_column_for_each_exercise(tmp_path):
    none = result("cy", "", status="refused", problem="Not a notebook.")
    late = replace(result("bob", LESSONS[1]), ids={"late": "yes"})
    write(tmp_path, [wrong("ann"), late, none])
    assert (tmp_path / "grades.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    header, ann, bob, cy = table(tmp_path / "grades.csv", "utf-8-sig")
    points = {lesson: [e.points for e in exercises.of_lesson(lesson)] for lesson in LESSONS}
    one, two = (sum(points[lesson]) for lesson in LESSONS)
    assert header[:4] == [
        "student",
        f"total ({one + two})",
        f"{LESSONS[0]} ({one})",
        "bn-dense (7)",
    ]
    assert header[-2:] == ["late", "problems"]
    row = dict(zip(header, ann, strict=True))
    assert int(row[f"total ({one + two})"]) == int(row[f"{LESSONS[0]} ({one})"]) < one
    assert row[f"{LESSONS[1]} ({two})"] == "" and row["do-forward (9)"] == ""
    assert bob[0] == "bob" and bob[-2] == LESSONS[1]
    assert cy[0] == "cy" and cy[1] == "" and "Not a notebook." in cy[-1]


FORMULA = re.compile(r"""(^|[,;|\t"'\n]) *[=+\-@\uff1d\uff0b\uff0d\uff20]""")


@settings(max_examples=300, deadline=None)
@given(TEXT | st.sampled_from(EVIL))
def test_no_cell_is_a_formula(text):
    shown = tables.cell(text)
    assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", shown)
    for separator in ",;|\t":
        for piece in shown.split(separator):
            assert not re.match(r"[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]", piece), (shown, piece)
    assert "\n" not in shown and "\r" not in shown and "\x00" not in shown


def test_names_with_a_hyphen_stay_as_they_are():
    for name in ("Anna-Lena", "O'Neil", "a@b.org", "c = d", "x; y"):
        assert tables.cell(name) == name


def of_canvas(name: str, number, lesson=LESSONS[0], **more) -> Result:
    return replace(result(name, lesson), ids={"canvas_user_id": str(number), "name": name}, **more)


def test_canvas_gets_what_its_importer_reads(tmp_path):
    assert write(tmp_path, [of_canvas("ann", 7), of_canvas("Points Possible", 9)]) == []
    header, possible, *rows = table(tmp_path / "canvas.csv")
    assert header[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert header[5:] == ["01 batch norm by hand"]
    assert possible == ["Points Possible", "", "", "", "", "19"]
    assert sorted(rows) == [["Student 9", "9", "", "", "", "19"], ["ann", "7", "", "", "", "19"]]


def test_nothing_that_is_given_to_canvas_clears_a_grade(tmp_path):
    """Its importer takes an empty cell for the wish that there be no grade any more."""
    refused = dict(status="refused", problem="Not JSON.")
    old = tmp_path / "canvas.csv"
    old.write_text("Student,ID,SIS User ID,SIS Login ID,Section,01 batch norm,08 dropout\r\n")
    theirs = tmp_path / "canvas-export.csv"
    theirs.write_text("Student,ID,SIS User ID,SIS Login ID,Section,Lab (12),Current Score\r\n")
    said = write(
        tmp_path,
        [
            of_canvas("ann", 7),
            of_canvas("bob", 8),
            of_canvas("bob", 8, LESSONS[1]),
            of_canvas("cid", 9, LESSONS[1], **refused),
        ],
    )
    assert not old.exists() and theirs.exists()
    first, second = (table(tmp_path / f"canvas-{lesson}.csv") for lesson in LESSONS)
    assert [row[0] for row in first[2:]] == ["ann", "bob"]
    assert [row[0] for row in second[2:]] == ["bob"]
    assert all(row[5] for one in (first, second) for row in one)
    assert said[-1].startswith("canvas-*.csv is a file for each lesson")
    write(tmp_path, [of_canvas("ann", 7)])
    assert sorted(path.name for path in tmp_path.glob("canvas*")) == [
        "canvas-export.csv",
        "canvas.csv",
    ]


def test_who_cannot_be_matched_is_not_given_to_canvas(tmp_path):
    results = [
        of_canvas("ann", 7),
        of_canvas("bob", 8),
        of_canvas("eve", 8),  # says that she is bob
        of_canvas("mallory", "=1+1"),
        of_canvas("nil", "0"),
        result("zoe"),
    ]
    (said,) = write(tmp_path, results)
    assert said.startswith("Not in canvas.csv") and "bob, eve, mallory, nil, zoe." in said
    assert [row[0] for row in table(tmp_path / "canvas.csv")[2:]] == ["ann"]
    write(tmp_path, [result("zoe")])
    assert not (tmp_path / "canvas.csv").exists()


def of_moodle(name: str, number, lesson=LESSONS[0]) -> Result:
    return replace(result(name, lesson), ids={"moodle_participant": str(number), "name": name})


def test_moodle_gets_a_grading_worksheet(tmp_path):
    assert write(tmp_path, [of_moodle("ann", 12), of_moodle("bob", 3)]) == []
    assert table(tmp_path / "moodle.csv") == [
        ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"],
        ["Participant 3", "bob", "19", "19", "-"],
        ["Participant 12", "ann", "19", "19", "-"],
    ]
    assert not (tmp_path / "moodle.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_moodle_gets_one_worksheet_for_each_assignment(tmp_path):
    write(tmp_path, [of_moodle("ann", 12)])
    said = write(tmp_path, [of_moodle("ann", 12), of_moodle("ann", 90, LESSONS[1]), result("bob")])
    there = sorted(p.name for p in tmp_path.glob("moodle*"))
    assert there == [f"moodle-{lesson}.csv" for lesson in LESSONS]
    assert table(tmp_path / there[1])[1][:3] == ["Participant 90", "ann", "29"]
    assert said[0].startswith("Not in moodle-*.csv") and said[0].endswith("missing): bob.")
    assert said[1].startswith("moodle-*.csv is a worksheet for each lesson") and len(said) == 2


def test_what_could_not_be_graded_has_no_points_anywhere(tmp_path):
    bad = dict(status="refused", problem="Not JSON.")
    of_ann = replace(of_moodle("ann", 12), **bad)
    number = replace(of_ann, ids={**of_ann.ids, "canvas_user_id": "7"})
    said = write(tmp_path, [number, of_moodle("bob", 13)])[0]
    assert said == "Could not be graded, so without points in the tables:\n  ann: Not JSON."
    assert table(tmp_path / "moodle.csv")[1][2:3] == [""]
    assert not (tmp_path / "canvas.csv").exists()
    assert set(table(tmp_path / "grades.csv", "utf-8-sig")[1][2:-2]) == {""}


def test_a_class_that_cannot_be_graded_does_not_fill_the_terminal(tmp_path):
    results = [result(f"s{n:03}", status="refused", problem="a\nb\x1b[2J" * 500) for n in range(90)]
    lines = write(tmp_path, results)[0].split("\n")
    assert len(lines) == 22 and lines[-1] == "  and 70 more; class.html has them all."
    assert all(line.isprintable() and len(line) < 300 for line in lines)


def test_moodle_is_not_said_to_lack_a_number_where_the_lesson_is_unknown(tmp_path):
    lost = replace(of_moodle("ann", 12), lesson="", status="refused", problem="Of no lesson.")
    said = write(tmp_path, [lost, of_moodle("bob", 13)])
    assert "Not in moodle.csv (of no lesson that is known): ann." in said
    assert not any("number is missing" in sentence for sentence in said)


# ---------------------------------------------------------------- nbgrader


def marks(path) -> dict[tuple[str, str, str], float]:
    from nbgrader.api import Grade, Gradebook

    with Gradebook(f"sqlite:///{path}") as book:
        return {
            (g.student.id, g.assignment.name, g.name): (g.auto_score, g.score, g.max_score)
            for g in book.db.query(Grade)
        }


def test_nbgrader_has_every_score_and_a_rerun_changes_nothing(tmp_path):
    from nbgrader.api import Gradebook

    results = a_class()
    write(tmp_path, results)
    before = marks(tmp_path / "gradebook.db")
    assert before == {
        (r.student, r.lesson, f"check-{e.id}"): (
            e.points if r.status == "graded" else None,
            e.points,
            e.max_points,
        )
        for r in results
        for e in r.exercises
    }
    size = (tmp_path / "gradebook.db").stat().st_size
    write(tmp_path, results)
    assert marks(tmp_path / "gradebook.db") == before
    assert (tmp_path / "gradebook.db").stat().st_size == size
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        for lesson in LESSONS:
            own = [r for r in results if r.lesson == lesson]
            most = sum(e.points for e in exercises.of_lesson(lesson))
            assert book.find_assignment(lesson).max_score == most
            average = sum(r.points for r in own) / len(own)
            assert book.average_assignment_score(lesson) == pytest.approx(average)
            for one in book.submission_dicts(lesson):
                mine = next(r for r in own if r.student == one["student"])
                assert one["score"] == mine.points
                assert one["needs_manual_grade"] == (mine.status == "refused")
        names = {c.name for c in book.find_notebook(LESSONS[0], LESSONS[0]).solution_cells}
        assert names == {e.id for e in exercises.of_lesson(LESSONS[0])}


def test_what_an_instructor_entered_in_nbgrader_stays(tmp_path):
    from nbgrader.api import Gradebook

    path = tmp_path / "gradebook.db"
    write(tmp_path, [wrong("ann"), result("bob"), result("cy")])
    with Gradebook(f"sqlite:///{path}") as book:
        grade = book.find_grade("check-bn-dense", LESSONS[0], LESSONS[0], "ann")
        grade.manual_score = 6
        book.find_grade("check-bn-dense", LESSONS[0], LESSONS[0], "bob").extra_credit = 1
        comment = book.find_comment("bn-dense", LESSONS[0], LESSONS[0], "ann")
        assert comment.auto_comment == "They mix up the axes. Which axis?"
        comment.manual_comment = "See me."
        book.db.commit()
    overruled, said = write(tmp_path, [result("ann")])
    assert "ann" in overruled and "bob" in said and "cy" not in said
    kept = marks(path)
    assert kept["ann", LESSONS[0], "check-bn-dense"] == (7, 6, 7)
    assert kept["bob", LESSONS[0], "check-bn-dense"] == (7, 8, 7)
    assert not any(student == "cy" for student, _, _ in kept)
    with Gradebook(f"sqlite:///{path}") as book:
        comment = book.find_comment("bn-dense", LESSONS[0], LESSONS[0], "ann")
        assert comment.manual_comment == "See me." and comment.auto_comment is None


def test_who_is_gone_is_gone_from_nbgrader_unless_entered_there(tmp_path):
    from nbgrader.api import Gradebook

    def students():
        with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
            return {student.id for student in book.students}

    write(tmp_path, [result("ann"), result("bob")])
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        book.add_student("cy")
    assert students() == {"ann", "bob", "cy"}
    write(tmp_path, [result("ann")])
    assert students() == {"ann", "cy"}


def test_nbgrader_follows_a_course_that_has_changed(tmp_path):
    write(tmp_path, [result("ann"), result("ann", LESSONS[1])])
    other = result("ann")
    other = replace(other, exercises=other.exercises[1:])
    write(tmp_path, [other])
    assert {name for _, _, name in marks(tmp_path / "gradebook.db")} == {
        f"check-{e.id}" for e in other.exercises
    }


def test_a_gradebook_that_is_none_or_is_in_use_costs_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "gradebook.db").write_bytes(b"no database" * 100)
    (said,) = write(tmp_path, [result("ann")])
    assert "gradebook.db was not written" in said and said.count("\n") == 0
    assert (tmp_path / "class.html").is_file()
    (tmp_path / "gradebook.db").unlink()
    write(tmp_path, [result("ann")])
    with sqlite3.connect(tmp_path / "gradebook.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        (said,) = write(tmp_path, [wrong("ann")])
        assert "locked" in said
        other.rollback()
    other.close()
    assert write(tmp_path, [wrong("ann")]) == []


def test_hostile_names_are_plain_in_nbgrader(tmp_path):
    from nbgrader.api import Gradebook

    write(tmp_path, HOSTILE)
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        for student in book.students:
            assert not set(student.id + student.last_name) & set('<>&"`{}\\\0\n')
            assert "/" not in student.id and student.id.strip(". ")


def test_the_programs_that_nbgrader_looks_for_are_not_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert nbgrader_book.write(tmp_path / "gradebook.db", {"ann": [result("ann")]}, {}) == []
    assert shutil.which("alembic") is None
