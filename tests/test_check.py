"""`check`, `hint` and `progress`, as a student meets them: in IPython, in a kernel, in a script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import labsupport
from labsupport import exercises, keys, notebook
from labsupport.notebook import PROJECT

RIGHT = """
def standardize(x):
    return (x - x.mean()) / x.std()
"""
WRONG = """
def standardize(x):
    return x - x.mean()
"""
PARTLY = """
def standardize(x):
    x -= x.mean()
    x /= x.std()
    return x
"""
BROKEN = """
def standardize(x):
    y = x.mean() / "three"  # no such thing
    return y
"""
BLANK = """
def standardize(x):
    raise NotImplementedError("your answer goes here")
"""
CALL = "from labsupport import check, hint, progress\n"


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """A folder of its own for results, and a session that has just begun."""
    folder = tmp_path / "state"
    monkeypatch.setenv("LABSUPPORT_STATE", str(folder))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(notebook, "_points_now", {})
    monkeypatch.setattr(notebook, "_hints_shown", {})
    return folder


@pytest.fixture
def script(capsys):
    """Runs code as a plain script does; returns what it prints."""

    def run(*code, **names):
        names = {"__name__": "__main__", **names}
        exec(compile(CALL + "\n".join(code), "<script>", "exec"), names)
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out

    return run


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A real IPython shell; returns a function that runs cells and gives what they display."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from traitlets.config import Config

    InteractiveShell.clear_instance()
    instance = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))

    def run(*cells):
        with capture_output() as captured:
            for cell in (CALL, *cells):
                result = instance.run_cell(cell)
        result.raise_error()
        assert captured.stderr == "" and "Traceback" not in captured.stdout
        return [output.data for output in captured.outputs]

    yield run
    instance.restore_sys_module_state()
    InteractiveShell.clear_instance()


def process(code, **environment):
    """Runs a script in a fresh interpreter."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "NBGRADER"))}
    env = {**keep, "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


# ---------------------------------------------------------------- in IPython


def test_right_answer_shows_a_card(shell):
    (card,) = shell(RIGHT, 'check("standardize")')
    assert card["text/plain"].startswith("✓ standardize: Right, 4 of 4 points")
    assert "ls-right" in card["text/html"] and "4 / 4" in card["text/html"]


def test_check_gives_back_nothing(shell):
    """An `Out[]` beside the card would say the same twice."""
    shell(RIGHT, 'assert check("standardize") is None', 'assert hint("standardize") is None')


def test_cell_with_an_error_shows_the_students_own_line(shell):
    (card,) = shell(BROKEN, 'check("standardize")')
    assert 'line 2: y = x.mean() / "three"  # no such thing' in card["text/plain"]
    assert "TypeError: ufunc 'divide' not supported" in card["text/plain"]
    assert "y = x.mean() / &#34;three&#34;" in card["text/html"]


def test_names_of_the_page_are_found_even_from_inside_a_function(shell):
    (card,) = shell(RIGHT, "def ask(): check('standardize')", "ask()")
    assert card["text/plain"].startswith("✓")


def test_missing_answer_says_which_name_was_looked_for(shell):
    (card,) = shell('check("standardize")')
    assert card["text/plain"].startswith("○ standardize: Not attempted yet")
    assert "Looked for standardize and did not find it." in card["text/plain"]
    assert "Run the cell that defines it" in card["text/plain"]


def test_the_answer_to_another_exercise_is_not_a_misspelling(shell):
    (card,) = shell("def batch_norm_dense(x): return x", 'check("bn-conv")')
    text = " ".join(card["text/plain"].split())
    assert "misspelt" not in text and "Run the cell that defines it" in text


def test_misspelt_name_is_pointed_at(shell):
    (card,) = shell("def standardise(x): return x", 'check("standardize")')
    text = " ".join(card["text/plain"].split())
    assert "but there is standardise. Is the name misspelt?" in text


def test_what_a_page_imports_is_no_misspelling(shell):
    code = "import numpy as standardise\nfrom labsupport.observe import plain as standardiz"
    (card,) = shell(code, 'check("standardize")')
    text = " ".join(card["text/plain"].split())
    assert "misspelt" not in text and "Run the cell that defines it" in text


def test_hints_come_one_at_a_time(shell):
    hints = exercises.find("standardize").hints
    cards = shell(*['hint("standardize")'] * (len(hints) + 2))
    texts = [card["text/plain"] for card in cards]
    assert [text.splitlines()[0] for text in texts] == [
        f"Hint {min(i, len(hints))} of {len(hints)} for standardize"
        for i in range(1, len(hints) + 3)
    ]
    assert [text.count("  - ") for text in texts] == [1, *range(2, len(hints) + 1)] + [3, 3]
    assert "Run it again" in texts[0] and "That was the last one." in texts[-1]


def test_progress_adds_up(shell):
    before, *_, after = shell("progress()", RIGHT, 'check("standardize")', "progress()")
    assert "Your progress: 0 of" in before["text/plain"]
    assert "Your progress: 4 of" in after["text/plain"]
    assert "Next: 00 start here." in before["text/plain"]
    assert "Next: 00 start here." not in after["text/plain"]


def test_a_real_kernel_shows_the_students_own_line(tmp_path, monkeypatch):
    """ipykernel keeps the source of cells in places of its own."""
    import nbclient
    import nbformat

    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    cells = [CALL, BROKEN, 'check("standardize")', RIGHT, 'check("standardize")']
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(page, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    ((wrong,), (right,)) = page.cells[2].outputs, page.cells[4].outputs
    assert wrong.output_type == right.output_type == "display_data"
    assert 'line 2: y = x.mean() / "three"  # no such thing' in wrong.data["text/plain"]
    assert "<span>line 2</span>y = x.mean() / &#34;three&#34;" in wrong.data["text/html"]
    assert right.data["text/plain"].startswith("✓")


# ---------------------------------------------------------------- in a script


def test_script_prints_the_text(script):
    assert script(RIGHT, 'check("standardize")').startswith("✓ standardize: Right, 4 of 4")
    assert "Not attempted yet" in script(BLANK, 'check("standardize")')
    assert "Hint 1 of" in script('hint("standardize")')
    assert "Your progress" in script("progress()")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ('check("standardise")', 'There is no exercise "standardise". Did you mean "standardize"?'),
        ('hint("bn dense")', 'There is no exercise "bn dense". Did you mean "bn-dense"?'),
        ('check("qqqq")', "There are: standardize"),
        ('check("")', "There are: standardize"),
        ("check(standardize)", 'goes in quotes, for instance "standardize".'),
        ("hint(standardize)", 'goes in quotes, for instance "standardize".'),
        ("def batch_norm_dense(): 0\ncheck(batch_norm_dense)", 'for instance "bn-dense".'),
        ("check(None)", 'goes in quotes, for instance "'),
        ("check(object())", 'goes in quotes, for instance "'),
        ("check([])", 'goes in quotes, for instance "'),
    ],
)
def test_unknown_exercise_is_answered_with_the_nearest(script, call, sentence):
    printed = script(RIGHT, call)
    assert sentence in printed and "0x" not in printed


def test_hostile_name_of_an_exercise(script):
    for name in ("<script>", "\x1b[2J", "\ud800", "x" * 10**6, "../../etc/passwd"):
        printed = script("check(name)", name=name)
        assert "There is no exercise" in printed and "\x1b" not in printed
        printed.encode("utf-8")


@pytest.mark.parametrize(
    "text", [None, "", "{}", "[]", "{", '{"right": {}}', '{"right": 1}', "null"]
)
def test_key_that_is_missing_or_damaged(script, tmp_path, monkeypatch, text):
    monkeypatch.setattr(keys, "FOLDER", tmp_path)
    keys.load.cache_clear()
    if text is not None:
        (tmp_path / "standardize.json").write_text(text)
    try:
        printed = script(RIGHT, 'check("standardize")')
    finally:
        keys.load.cache_clear()
    assert "The answer key of standardize is" in printed and "Take a fresh copy" in printed


def test_a_terminal_without_these_characters(tmp_path):
    """A Windows console, or LANG=C: `✓` cannot be written there."""
    code = CALL + RIGHT + 'check("standardize")\nhint("standardize")\nprogress()\n'
    ran = process(code, PYTHONIOENCODING="ascii", LABSUPPORT_STATE=str(tmp_path))
    out, err = ran.communicate(timeout=60)
    assert err == "" and out.startswith("? standardize: Right, 4 of 4 points")


def test_same_bytes_in_every_process(tmp_path):
    """Whatever the hash seed: text and HTML of all kinds of cards."""
    code = (
        "from labsupport import cards, exercises, notebook\n"
        "show = lambda card: print(card.text, card.html, sep='\\n')\n"
        "notebook._show = show\n" + CALL + 'check("standardize")\ncheck("standardise")\n'
        f'exec({WRONG!r})\ncheck("standardize")\nexec({BROKEN!r})\ncheck("standardize")\n'
        f'exec({RIGHT!r})\ncheck("standardize")\nhint("standardize")\nprogress()\n'
        "def batch_norm_dense(x, gamma, beta, eps):\n"
        "    x -= x.mean(axis=1, keepdims=True)\n"
        "    return x / 0\n"
        'check("bn-dense")\n'
    )
    runs = [
        process(code, PYTHONHASHSEED=seed, LABSUPPORT_STATE=str(tmp_path / seed))
        for seed in ("1", "2")
    ]
    (one, error), (other, _) = [run.communicate(timeout=100) for run in runs]
    assert error == "" and one == other and one.count("<style>") == 8


def test_import_is_light():
    """`import labsupport` loads neither NumPy nor anything else that takes its time."""
    code = (
        "import sys; before = set(sys.modules); import labsupport; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    out, _ = process(code).communicate(timeout=60)
    assert out.strip() == "['labsupport']"
    assert set(labsupport.__all__) <= set(dir(labsupport))
    with pytest.raises(AttributeError):
        labsupport.nothing  # noqa: B018


# ---------------------------------------------------------------- what is kept


def stored():
    return notebook._stored()


def test_best_result_is_kept(script, state):
    script(PARTLY, 'check("standardize")')
    assert stored() == {"standardize": 3}
    script(RIGHT, 'check("standardize")')
    script(WRONG, 'check("standardize")')
    assert stored() == {"standardize": 4}
    assert [file.name for file in state.iterdir()] == ["progress.jsonl"]


def test_progress_of_an_earlier_session_counts(script, monkeypatch):
    script(RIGHT, 'check("standardize")')
    monkeypatch.setattr(notebook, "_points_now", {})
    assert "Your progress: 4 of" in script("progress()")


def test_result_is_stored_once(script, state):
    for _ in range(5):
        script(RIGHT, 'check("standardize")')
    assert len((state / "progress.jsonl").read_text().split()) == len(
        json.dumps({"exercise": "standardize", "points": 4}).split()
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"{",
        b"[]\n1\nnull\n",
        b"[" * 10**5,
        b'{"exercise": "standardize"}',
        b'{"exercise": "standardize", "points": "many"}',
        b'{"exercise": "standardize", "points": Infinity}',
        b'{"exercise": "standardize", "points": NaN}',
        b'{"exercise": "standardize", "points": -5}',
        b'{"exercise": "gone", "points": 7}',
        b'{"exercise": "standardize", "poi',
    ],
)
def test_damaged_progress_is_no_progress_and_is_mended(script, state, content):
    state.mkdir()
    (state / "progress.jsonl").write_bytes(content)
    assert "Your progress: 0 of" in script("progress()")
    script(RIGHT, 'check("standardize")')
    assert stored()["standardize"] == 4


def test_best_line_counts_whatever_their_order(script, state):
    """Two notebooks may write at the same time."""
    state.mkdir()
    lines = [json.dumps({"exercise": "standardize", "points": p}) for p in (1, 3, 2)]
    (state / "progress.jsonl").write_text("\n".join(lines))
    assert "Your progress: 3 of" in script("progress()")


def test_too_many_points_do_not_count(script, state):
    state.mkdir()
    (state / "progress.jsonl").write_text('{"exercise": "standardize", "points": 999}')
    assert "Your progress: 4 of" in script("progress()")


@pytest.mark.parametrize("obstacle", ["folder for a file", "file for a folder", "read-only"])
def test_where_nothing_can_be_written_it_only_forgets(script, state, obstacle, monkeypatch):
    if obstacle == "folder for a file":
        (state / "progress.jsonl").mkdir(parents=True)
    elif obstacle == "file for a folder":
        state.write_text("")
    else:

        def refuse(*_args, **_kwargs):
            raise PermissionError("read-only")

        monkeypatch.setattr(Path, "mkdir", refuse)  # root may write anywhere, so it is acted
        monkeypatch.setattr(notebook, "open", refuse, raising=False)
    printed = script(RIGHT, 'check("standardize")', "progress()")
    assert "4 of 4 points" in printed and "Your progress: 4 of" in printed
    assert stored() == {}


def test_several_processes_at_once(tmp_path, monkeypatch):
    """Sixteen results written by four processes: none is lost, none is torn."""
    code = """
import sys
from labsupport import exercises, notebook
from labsupport.vocabulary import Part, PartVerdict, Verdict
sys.stdin.readline()
for i in range(10):
    for name in sys.argv[1:]:
        part = PartVerdict(Part("p", 99, "", ()), "right", i)
        notebook._remember(Verdict(name, "", "", (part,)))
"""
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "LABSUPPORT_STATE": str(tmp_path)}
    names = [[f"p{i}-{j}" for j in range(4)] for i in range(4)]
    runs = [
        subprocess.Popen([sys.executable, "-c", code, *own], env=env, stdin=subprocess.PIPE)
        for own in names
    ]
    for run in runs:
        run.stdin.write(b"\n")
        run.stdin.close()
    assert [run.wait(60) for run in runs] == [0] * 4
    monkeypatch.setenv("LABSUPPORT_STATE", str(tmp_path))
    assert notebook._stored() == {name: 9 for own in names for name in own}


def test_results_of_solved_lessons_are_nobodys(script, monkeypatch):
    monkeypatch.delenv("LABSUPPORT_STATE")
    for folder, kept in ((PROJECT / "solutions", False), (PROJECT / "notebooks", True)):
        monkeypatch.chdir(folder)
        assert (notebook._state_file() is not None) == kept
    written = []
    monkeypatch.setattr(notebook, "open", lambda *a, **k: written.append(a), raising=False)
    monkeypatch.chdir(PROJECT / "solutions")
    assert "4 of 4" in script(RIGHT, 'check("standardize")')
    assert written == []


def test_folder_that_is_gone(script, tmp_path, monkeypatch):
    """A student's code may remove the folder that it stands in."""
    monkeypatch.delenv("LABSUPPORT_STATE")
    written = []
    monkeypatch.setattr(notebook, "open", lambda *a, **k: written.append(a), raising=False)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "4 of 4" in script(RIGHT, 'check("standardize")', "progress()")


# ---------------------------------------------------------------- answers that call answers

DENSE = """
import numpy as np
def batch_norm_dense(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis={axis})) / np.sqrt(x.var(axis={axis}) + eps) + beta
"""
CALLS_DENSE = """
def batch_norm_channels_last(x, gamma, beta, eps):
    rows = lambda: batch_norm_dense(x.reshape(-1, x.shape[-1]), gamma, beta, eps)
    return rows().reshape(x.shape){more}
"""


@pytest.mark.parametrize(
    ("dense", "more", "says"),
    [
        (DENSE.format(axis=0), "", False),
        (DENSE.format(axis=0), " + 1", False),
        (DENSE.format(axis=None), "", True),
        (DENSE.format(axis=None), " + 1", True),
        ("def batch_norm_dense(*given):\n    raise NotImplementedError()", "", False),
    ],
)
def test_a_wrong_answer_that_calls_a_wrong_one_is_told_where_to_begin(script, dense, more, says):
    out = script(dense, CALLS_DENSE.format(more=more), 'check("bn-channels-last")')
    sentence = "Your code calls batch_norm_dense, which is not right either: mend that one first."
    assert (" ".join(sentence.split()) in " ".join(out.split())) == says


# ---------------------------------------------------------------- under nbgrader


def test_under_nbgraders_autograder_it_returns_the_points(script, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    script(RIGHT, 'assert check("standardize") == 4.0 and type(check("standardize")) is float')
    script(BLANK, 'assert check("standardize") == 0.0')
    script(PARTLY, 'assert check("standardize") == 3.0')
    script('assert check("standardize") == 0.0')


def test_under_nbgraders_validator_it_fails_unless_all_is_right(script, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    script(RIGHT, 'assert check("standardize") is None')
    for answer in (WRONG, PARTLY, BROKEN, BLANK, ""):
        with pytest.raises(AssertionError, match="standardize: "):
            script(answer, 'check("standardize")')
