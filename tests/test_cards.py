"""Cards: nothing from a student reaches the page unescaped, and both forms say the same."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labsupport import cards, exercises
from labsupport.judge import missing
from labsupport.notebook import verdict_of
from labsupport.vocabulary import Exercise, Part, PartVerdict, Verdict

EVIL = [
    "<script>alert(1)</script>",
    "</pre><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "</style><style>*{display:none}</style>",
    "{{ verdict }}{% raw %}",
    "`</code><b>x</b>`",
    "&lt;script&gt;",
    "<!-- -->",
    "]]>",
    "javascript:alert(1)",
    "\x00\x1b[2J\x07\x08",
    "\ud800\udfff",
    "\u202egnp.exe",
    "x" * 400,
    "http://example.com/a.png",
]
ALLOWED = {
    "root", "style", "div", "span", "pre", "table", "tr", "td", "ol", "li", "code",
    "details", "summary", "p", "b", "strong", "tbody", "thead", "th", "ul",
}  # fmt: skip
ATTRIBUTES = {"class", "role", "aria-label", "aria-hidden", "style"}

EXERCISE = Exercise(
    id="toy",
    lesson="99_toys",
    title="A toy with `code`",
    answer="answer",
    parts=(Part("a", 2, "the `values`", ("*",)), Part("b", 1, "`x` itself is left alone", ("*",))),
    cases=lambda rng: [],
    probe=lambda answer, inputs: {},
    hints=("Look at `x`.", "Look again.", "There."),
)
OUTCOMES = ["right", "mistake", "wrong", "raised", "slow", "unusable", "not attempted", "waiting"]


def verdict(*parts, note=""):
    return Verdict(EXERCISE.id, EXERCISE.title, EXERCISE.answer, parts, note)


def part(outcome="wrong", message="It is wrong.", number=0, **more):
    own = EXERCISE.parts[number]
    points = own.points if outcome == "right" else 0
    return PartVerdict(own, outcome, points, "" if outcome == "right" else message, **more)


def assert_sound(card):
    """Well-formed, harmless, nothing from outside, no line too long. Returns the visible text."""
    assert all(c.isprintable() or c in "\n" for c in card.html), "HTML holds control characters"
    root = ElementTree.fromstring(f"<root>{card.html}</root>")
    shown = []
    for element in root.iter():
        assert element.tag in ALLOWED
        assert set(element.attrib) <= ATTRIBUTES
        style = element.attrib.get("style", "")
        assert re.fullmatch(r"(width: \d+%)?", style), style
        assert all(re.fullmatch(r"[a-z -]+", n) for n in [element.attrib.get("class", "x")])
        if element.tag == "style":
            assert element.text == ElementTree.fromstring(STYLE).text
            assert not re.search(r"url\(|@import|https?:|//", element.text)
        else:
            shown.append(element.text or "")
        shown.append(element.tail or "")
    for line in card.text.splitlines():
        assert len(line) <= 100, line
    assert all(c.isprintable() or c == "\n" for c in card.text)
    card.text.encode("utf-8")
    bundle = card._repr_mimebundle_()
    assert bundle == {"text/html": card.html, "text/plain": card.text}
    return " ".join(" ".join(shown).split())


STYLE = re.search(r"<style>.*?</style>", cards.message_card("x").html, re.S)[0]


# ---------------------------------------------------------------- hostile text


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_text_everywhere_in_a_verdict(evil):
    everywhere = dict(question=evil, line=evil, line_number=3, where=evil, only=evil)
    for outcome in OUTCOMES:
        assert_sound(cards.verdict_card(verdict(part(outcome, evil, **everywhere), note=evil)))


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_text_in_other_cards(evil):
    assert_sound(cards.message_card(evil))
    assert_sound(cards.verdict_card(missing(EXERCISE, evil)))


@settings(deadline=None, derandomize=True, max_examples=30, suppress_health_check=[*HealthCheck])
@given(st.text(min_size=1), st.text(), st.text())
def test_any_text_at_all(message, line, note):
    found = part("raised", message, line=line, line_number=1, question=line)
    assert_sound(cards.verdict_card(verdict(found, part("right", number=1), note=note)))


def test_hostile_text_is_still_shown():
    """Escaped, not swallowed: a student whose error message is HTML has to see it."""
    evil = "ValueError: <script>alert(1)</script>"
    card = cards.verdict_card(verdict(part("raised", evil, line="raise X('<b>')", line_number=2)))
    visible = assert_sound(card)
    assert "<script>alert(1)</script>" in visible and "raise X('<b>')" in visible
    assert evil in card.text and "line 2: raise X('<b>')" in card.text


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('<script>alert(1)</script>')",
        "raise ValueError('</pre><img src=x onerror=alert(1)>')  # </pre><img onerror=alert(1)>",
        "raise type('<b>E</b>', (Exception,), {})('<i>')",
        "return type('<img src=x onerror=alert(1)>', (), {})()",
        "return '<script>alert(1)</script>'",
        "import warnings; warnings.warn('<script>', RuntimeWarning)",
        "raise ValueError(chr(0) + chr(27) + '[2J' + chr(0xd800) + chr(0x202e))",
        "raise ValueError('`</code><script>`')",
        "raise ValueError('x' * 10**6)",
        "raise ValueError('word ' * 10**5)",
    ],
)
def test_hostile_answers_from_end_to_end(body, tmp_path):
    file = tmp_path / "<script>.py"
    source = f"def standardize(x):\n    {body}\n"
    file.write_text(source)
    names = {}
    exec(compile(source, str(file), "exec"), names)
    assert_sound(cards.verdict_card(verdict_of(exercises.find("standardize"), names)))


@pytest.mark.parametrize("name", ["standardize<script>", "<b>standardize</b>", "standardiz\ud800"])
def test_hostile_names_on_the_page(name):
    result = verdict_of(exercises.find("standardize"), {name: 1, 3: 4, None: 5})
    assert_sound(cards.verdict_card(result))


# ---------------------------------------------------------------- what a card says


def test_right_card():
    card = cards.verdict_card(verdict(part("right"), part("right", number=1), note="printed"))
    visible = assert_sound(card)
    assert card.text.splitlines() == [
        "✓ toy: Right, 3 of 3 points",
        "  ✓ the values (2/2)",
        "  ✓ x itself is left alone (1/1)",
    ]
    assert "3 / 3" in visible and "hint" not in visible and "printed" not in visible


def test_mistake_card():
    found = part("mistake", "You forget `beta`", question="What is `y`?")
    card = cards.verdict_card(verdict(found, part("right", number=1)))
    visible = assert_sound(card)
    assert card.text.splitlines() == [
        "✗ toy: Partly right, 1 of 3 points",
        "  You forget beta.",
        "  → What is y?",
        "  ✗ the values (0/2)",
        "  ✓ x itself is left alone (1/1)",
    ]
    assert "<code>beta</code>" in card.html and 'hint("toy")' in visible


def test_the_only_wrong_case_is_said_to_be_the_only_one():
    said = "Seen with few samples; every other case is right."
    for only in ("few samples", ""):
        card = cards.verdict_card(verdict(part(where="few samples", only=only)))
        assert (said in card.text) == (said in assert_sound(card)) == bool(only)
        assert "Seen with few samples" in card.text


def test_one_line_of_code_that_fails_in_two_parts_is_said_once():
    errors = ["ValueError: shapes (8,4) (8,)", "ValueError: shapes (6,4) (6,)"]
    first, second = (
        part("raised", error, number=i, line="x - mu", line_number=3)
        for i, error in enumerate(errors)
    )
    text = cards.verdict_card(verdict(first, second)).text
    assert errors[0] in text and errors[1] not in text and text.count("line 3") == 1


def test_same_message_of_two_parts_is_said_once():
    card = cards.verdict_card(verdict(part(), part(number=1)))
    assert card.text.count("It is wrong.") == card.html.count("It is wrong.") == 1


@pytest.mark.parametrize(
    ("outcomes", "headline"),
    [
        (["right", "right"], "Right"),
        (["not attempted", "not attempted"], "Not attempted yet"),
        (["slow", "right"], "Too slow"),
        (["raised", "raised"], "It stops with an error"),
        (["raised", "not attempted"], "It stops with an error"),
        (["wrong", "mistake"], "Not right yet"),
        (["wrong", "right"], "Partly right"),
        (["wrong", "waiting"], "Not right yet"),
        (["unusable", "unusable"], "Not right yet"),
    ],
)
def test_headline(outcomes, headline):
    card = cards.verdict_card(verdict(*(part(o, number=i) for i, o in enumerate(outcomes))))
    assert card.text.splitlines()[0].startswith(("✓", "✗", "○"))
    assert f"toy: {headline}," in card.text and headline in assert_sound(card)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_both_forms_say_the_same(outcome):
    found = part(outcome, question="Why is that?", line="x = 1", line_number=7)
    card = cards.verdict_card(verdict(found, part("right", number=1), note="NumPy warned: y."))
    visible = assert_sound(card)
    for line in card.text.replace("/", " / ").splitlines()[1:]:
        for word in re.findall(r"\w+", line):
            assert word in visible, (word, visible)


def test_long_lines_of_code_are_cut_in_text_and_scroll_in_html():
    card = cards.verdict_card(verdict(part("raised", line="y" * 300, line_number=1)))
    assert "y" * 300 in card.html and "y…" in card.text
    assert_sound(card)


def test_hint_card():
    for count in (1, 2, 3):
        card = cards.hint_card(EXERCISE, EXERCISE.hints[:count])
        visible = assert_sound(card)
        assert f"Hint {count} of 3" in card.text and f"Hint {count} of 3" in visible
        assert ("That was the last one." in visible) == (count == 3)
        assert card.html.count("<li") == count and card.html.count("ls-new") >= 1


def test_progress_card():
    rows = [
        dict(title="00 start here", points=4, max_points=4, percent=100),
        dict(title="01 batch norm by hand", points=0, max_points=19, percent=0),
    ]
    card = cards.progress_card(rows, 4, 23, "Next: 01 batch norm by hand.")
    visible = assert_sound(card)
    assert card.text.splitlines()[1].endswith("##########   4/4") and "4 / 23" in visible
    assert "Next: 01 batch norm by hand." in visible
    assert "Course finished" in cards.progress_card(rows[:1], 4, 4, "Done.").text


def test_every_real_hint_makes_a_sound_card():
    for exercise in exercises.all_exercises().values():
        assert_sound(cards.hint_card(exercise, exercise.hints))


def test_points_are_counted_in_words():
    one = Verdict("t", "T", "a", (PartVerdict(Part("p", 1, "one", ()), "wrong", 0, "No."),))
    assert "0 of 1 point\n" in cards.verdict_card(one).text
