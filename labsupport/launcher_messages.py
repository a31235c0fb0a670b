"""What the launcher says: its commands, its failures with their exit codes, its help.

Standard library only; must parse and run on Python 3.6, see launcher.py.
"""

import sys

COMMANDS = [
    ("(none)", "make .venv if there is none, then open JupyterLab at lesson 00"),
    ("test", "the same set-up, then every test; arguments go to pytest"),
    ("doctor", "what works on this machine, what does not, and how to mend it"),
    ("build", "lessons -> notebooks and keys; --check only compares"),
    ("grade", "grade submissions: grade SUBMISSIONS -o GRADES"),
    ("report", "rebuild the reports from stored verdicts: report GRADES"),
    ("release", "the student's bundle: release -o ZIP"),
    ("progress", "which exercises are solved so far"),
]
IN_BUNDLE = ("(none)", "doctor", "progress")  # what the student's bundle can do
CLI_COMMANDS = ("build", "grade", "report", "release", "progress")

# Every failure a user can meet: its exit code, and one sentence with what, where and what to do.
# Codes start at 10 so that they cannot be mistaken for pytest's (0-5).
MESSAGES = {
    "usage": (2, "{what} `python3 -m labsupport --help` lists what there is."),
    "python": (
        10,
        "Python {version} ({where}) is too {age}: TensorFlow 2.21 needs Python 3.10 to 3.13; "
        "{cure}.",
    ),
    "platform": (
        11,
        "TensorFlow 2.21 has no package for {what} ({where}), so the course cannot run here: "
        "{cure}.",
    ),
    "no-venv": (
        12,
        "This Python ({where}) cannot make a virtual environment, its module `{module}` is "
        "missing: {cure}, then start again.",
    ),
    "network": (
        13,
        "pip could not reach the package index while filling {venv}: check the network (and the "
        "proxy settings, if there is a proxy) and start again, it goes on where it stopped; "
        "pip's own words are in {log}.",
    ),
    "disk": (
        14,
        "The disk of {where} is too full: {cure}, then start again.",
    ),
    "not-writable": (
        15,
        "Cannot write in {where} ({why}): make it writable, or copy the course to a folder of "
        "yours.",
    ),
    "port": (
        16,
        "Port {port} on this machine is taken: choose another, or leave --port out and the first "
        "free one from 8888 is used.",
    ),
    "lesson": (
        17,
        "{where} is missing: copy the course again, or, where there is a solutions folder, run "
        "`python3 -m labsupport build`.",
    ),
    "hash": (
        18,
        "A downloaded package is not the one that requirements.txt names (its hash differs), so it "
        "was not installed: empty pip's cache (`{python} -m pip cache purge`) and start again; if "
        "it happens again, do not trust this network; pip's own words are in {log}.",
    ),
    "install": (
        19,
        "The packages could not be installed in {venv} ({why}): the whole message is in {log}; "
        "`python3 -m labsupport doctor` may know more.",
    ),
    "lab": (
        20,
        "JupyterLab stopped before it was ready (exit code {code}): its own words are above; "
        "`python3 -m labsupport doctor` may know more.",
    ),
    "requirements": (
        21,
        "{where} is missing: copy the course again, or start it from its own folder.",
    ),
    "folder": (
        22,
        "The course lies in {where}, and {why}: move it to a folder without that.",
    ),
    "interrupted": (
        130,
        "Stopped; what is done is kept, and the next start goes on from there.",
    ),
}

HELP = """\
usage: python3 -m labsupport [--port N] [--no-browser] [-- JUPYTERLAB ARGUMENTS]
       python3 -m labsupport COMMAND [ARGUMENTS]     (COMMAND --help tells more)

{commands}

options of the first form:
  --port N       the port JupyterLab listens on; without it, the first free one from 8888
  --no-browser   do not open a browser, only print the address
  -- ...         everything after it goes to JupyterLab

The first start makes .venv in the course's folder and fills it from requirements.txt (about
{download:.1f} GB to download, {disk:.1f} GB on disk). An environment that already has these
packages is used as it is: start the course with its Python. Settings, logs and JupyterLab's own
files stay in .labsupport; nothing is written outside the course's folder but pip's cache.

exit codes: 0 done; 1 doctor found something to mend; 130 stopped with Ctrl-C; `test` passes
pytest's code on (1-5), the other commands have their own (see COMMAND --help), and
{codes}
"""

CODE_WORDS = {
    "usage": "no such command or option",
    "python": "Python too old or too new",
    "platform": "no TensorFlow for this system",
    "no-venv": "Python without venv or ensurepip",
    "network": "package index out of reach",
    "disk": "disk full",
    "not-writable": "folder not writable",
    "port": "port taken",
    "lesson": "lesson 00 missing",
    "hash": "hash mismatch",
    "install": "install failed otherwise",
    "lab": "JupyterLab did not start",
    "requirements": "requirements.txt missing",
    "folder": "folder name unsuitable",
}


class Stop(Exception):
    """The one way out for a user's error: a key of `MESSAGES` and what its sentence needs."""

    def __init__(self, key, **facts):
        super().__init__(key)
        self.key = key
        self.code, template = MESSAGES[key]
        self.sentence = template.format(**facts)


def say(text, stream=None):
    """Print one line at once; a console that lacks a letter gets an escape, not an exception."""
    stream = stream or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
