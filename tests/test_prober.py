"""Probes beside a submission: the verdicts are those of `check`, and nothing can be forged.

A file of its own, so that another worker can take it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from grading_tools import LIMITS, SEED, TENSORFLOW, graded, key_of, open_box, parts, points, told

from labsupport import exercises, keys
from labsupport.authoring import catalogue
from labsupport.grading import fresh, program, sandbox, trial
from labsupport.grading.stacks import kind_of, where_probed
from labsupport.vocabulary import Observation

ADD = exercises.find("cd-add")
COUNTER = exercises.find("cd-counter")


@pytest.fixture(scope="module")
def box():
    with open_box(TENSORFLOW) as box:
        yield box


@pytest.fixture(scope="module")
def box_with_solutions():
    solutions = sandbox.PROJECT / "solutions"
    with sandbox.Sandbox("tf1", mode="bubblewrap", also=[solutions]) as box:
        yield box


BESIDE = [
    e
    for lesson in exercises.LESSONS
    if kind_of(lesson) == "tf1"
    for e in exercises.of_lesson(lesson)
    if where_probed(e) == "beside"
]


@pytest.mark.parametrize("exercise", BESIDE, ids=[e.id for e in BESIDE])
def test_verdicts_are_those_of_check(box_with_solutions, exercise):
    """Known mistakes are named, right variants get all points, on hidden cases.

    Every third mistake: this is about the way to the verdict; `test_mistakes_NN` tries them all.
    """
    key = key_of(exercise.lesson).key(exercise.id)
    known = catalogue.read(exercise.id)
    start = "from labsupport.authoring import catalogue\n"
    start += f"known = catalogue.read({exercise.id!r})\n{exercise.answer} = "
    wrong = []

    def verdict(source):
        cell = program.ProgramCell("cell 1", start + source, "added")
        tried = trial.attempt(
            program.Program(exercise.lesson, (cell,)),
            box_with_solutions,
            [exercise],
            {exercise.id: fresh.hidden_cases(exercise, SEED)},
            sandbox.Limits(),
        )
        cases = fresh.hidden_cases(exercise, SEED)
        return trial.judge(exercise, cases, key, tried.seen[exercise.id])

    for mistake in known.mistakes[::3]:
        found = verdict(f"next(m.answer for m in known.mistakes if m.id == {mistake.id!r})")
        named = {part.mistake for part in found.parts if part.mistake}
        if found.points == found.max_points or not (
            named and named <= {mistake.id, *mistake.same_as}
        ):
            wrong.append((mistake.id, named, found.parts[0].message))
    for title in known.variants:
        found = verdict(f"known.variants[{title!r}]")
        if found.points != found.max_points:
            wrong.append((title, [part.message for part in found.parts]))
    assert not wrong


# ---------------------------------------------------------------- forging

#: Says of itself what a right answer's observation says, and goes on answering in its stead.
FORGERY = """\
import os, socket
import numpy as np
from labsupport.exercises.control_dependencies import KEPT, NOT_TRAINED
from labsupport.grading import wire

values = {"count": np.array([0.0, 2.0]), "reading": KEPT, "training": NOT_TRAINED}
frame = wire.pack({"values": {**values, "inputs": "unchanged"}, "trouble": None, "note": ""})

def forge():
    os.write(LINE, frame)
    line = socket.socket(fileno=os.dup(LINE))
    while True:
        wire.receive(line)
        values["count"] = np.array([0.0, 5.0])
        wire.send(line, frame)

def count_runs(y):
    forge()
    return y, tf.Variable(0.0, name="count")
"""
HONEST = FORGERY.replace("    forge()\n", "")


@pytest.mark.parametrize("line", [3, 4])
def test_a_forged_observation_earns_nothing(box, line):
    honest = graded(box, TENSORFLOW, HONEST)
    forged = graded(box, TENSORFLOW, FORGERY.replace("LINE", str(line)))
    assert points(forged, "cd-counter") <= points(honest, "cd-counter") < COUNTER.points
    assert parts(forged, "cd-counter")[3].points == 0


PATCHES = {
    "the probe": "import labsupport.exercises.control_dependencies as c\n"
    "c._counter_probe = lambda *a: {}\n",
    "the mirror": "import labsupport.grading.mirror as m\nm.Mirror.grown = lambda self: {}\n",
    "the session": "from tensorflow.python.client import session\n"
    "session.BaseSession.run = lambda *a, **k: 7.0\n",
    "what a wire carries": "from labsupport.grading import wire\n"
    "wire.pack = lambda *a: wire.HEAD.pack(4, 0) + b'null'\n",
}


@pytest.mark.parametrize("what", PATCHES)
def test_what_a_submission_replaces_is_replaced_for_itself_only(box, what):
    assert graded(box, TENSORFLOW, PATCHES[what], HONEST).points <= points(
        graded(box, TENSORFLOW, HONEST), "cd-counter"
    )


def test_a_graph_that_is_too_large_costs_its_own_exercise(box):
    solved = [c.source for c in program.solved(TENSORFLOW).cells if c.name == "cd-counter"]
    large = "def add_after(x, y, new):\n    return [tf.no_op() for _ in range(25_000)]\n"
    found = graded(box, TENSORFLOW, large, *solved)
    assert points(found, "cd-counter") == COUNTER.points


NO_SUCH_OP = """\
import os
from labsupport.grading import wire

def evaluate(session, prediction, x, training, x_test, y_test):
    part = tf.GraphDef()
    part.node.add(name="weird", op="NoSuchOp")
    nodes = np.frombuffer(part.SerializeToString(), np.uint8)
    os.write(4, wire.pack({"grown": {"nodes": [nodes]}}))
    return np.mean((session.run(prediction, {x: x_test, training: False}) - y_test) ** 2)
"""


def test_growth_that_cannot_be_taken_is_a_sentence_and_costs_its_own_exercise(box):
    lesson = "09_dropout_regression"
    rest = [c.source for c in program.solved(lesson).cells if c.kind == "answer"]
    found = graded(box, lesson, *rest, NO_SUCH_OP)
    spoiled = parts(found, "dr-evaluate")
    assert not sum(part.points for part in spoiled)
    assert "NoSuchOp" in spoiled[0].private and "object has no attribute" not in spoiled[0].private
    assert points(found, "dr-output") == exercises.find("dr-output").points


#: Another answer where only words are to be had of it: there the probe is in the same process.
TWO_FACES = """\
import sys

def count_runs(y):
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_name != "observe_case":
        frame = frame.f_back
    if frame is not None:
        FOR_WORDS
    count = tf.Variable(0.0, trainable=False, name="count")
    with tf.control_dependencies([tf.assign_add(count, 3.0 if frame is None else 1.0)]):
        return tf.multiply(y, 2.0), count
"""
FOR_WORDS = {
    "right": "pass",
    "no string": """\
from labsupport.grading import wire
        told = {"inputs": np.zeros(3), "count": np.zeros(2), "out": np.zeros((2, 2))}
        wire.of_observation = lambda seen: {"values": told, "trouble": None}""",
    "no end": "sys.exit()",
}


@pytest.mark.parametrize("said", FOR_WORDS)
def test_what_is_said_in_the_run_for_words_earns_nothing(box, said):
    """Where it was right there, the visible cases are probed as the hidden ones were."""
    answer = TWO_FACES.replace("FOR_WORDS", FOR_WORDS[said])
    found = graded(box, TENSORFLOW, answer, limits=LIMITS)
    (wrong,) = [part for part in parts(found, "cd-counter") if part.outcome != "right"]
    assert wrong.points == 0 and wrong.message
    if said == "right":
        assert wrong.message.startswith("1 of the 2 numbers in count are off")


MIRRORED = {
    "eval": "return x.read_value() + y * tf.constant(1.0).eval()",
}


@pytest.mark.parametrize("what", MIRRORED)
def test_what_only_check_can_do_is_not_told_to_be_wrong_elsewhere(box, what):
    body = f"    with tf.control_dependencies([tf.assign(x, new)]):\n        {MIRRORED[what]}\n"
    found = graded(box, TENSORFLOW, "def add_after(x, y, new):\n" + body)
    for part in parts(found, "cd-add"):
        assert part.outcome == "right" or part.message not in ("", trial.ONLY_HIDDEN)


def test_what_cannot_be_judged_has_a_verdict():
    """A fact that stumbles over what a submission's own process said of itself."""
    stumbling = replace(ADD, facts=(lambda inputs, right, seen: 1 / 0,))
    cases, key = ADD.visible_cases(), keys.load(ADD.id)
    wrong = {
        case: Observation({n: v if isinstance(v, str) else v + 7 for n, v in one.values.items()})
        for case, one in key.right.items()
    }
    tried = trial.Tried(seen={ADD.id: wrong})
    verdict = trial._verdict(stumbling, cases, key, tried, program.Program(TENSORFLOW, ()))
    assert verdict.points == 0 and "cannot be judged" in verdict.parts[0].message
    assert "ZeroDivisionError" in tried.events[0]


RIGHT = """\
def add_after(x, y, new):
    with tf.control_dependencies([tf.assign(x, new)]):
        return x + y
"""
BODY = "def add_after(x, y, new):\n"
HOSTILE = {
    "a loop that never ends": BODY + "    return tf.while_loop(lambda i: i < 1.0, "
    "lambda i: i * 1.0, [tf.constant(0.0)])\n",
    "too large a graph": BODY + "    for _ in range(21_000):\n        tf.no_op()\n"
    "    return x + y\n",
    "too much memory": BODY + "    return tf.reduce_sum(tf.zeros([1 << 34])) + x + y\n",
    "its own end": BODY + "    import os\n    os._exit(0)\n",
    "noise": BODY + "    import os\n    os.write(4, os.urandom(1 << 16))\n    return x + y\n",
    "no line left": BODY + "    import os\n    os.closerange(3, 64)\n    return x + y\n",
    "a graph that is none": BODY + "    import os\n    from labsupport.grading import wire\n"
    "    import numpy as np\n    data = np.frombuffer(os.urandom(99), np.uint8)\n"
    "    said = {'ask': 'grow', 'of': 0, 'arguments': ({'nodes': [data]},), 'named': {}, 'n': 1}\n"
    "    os.write(4, wire.pack(said))\n    return x\n",
    "an element that is none": BODY + "    import os\n    from labsupport.grading import wire\n"
    "    odd = lambda value: {'g': ['variable', 'z', 'AAAA']}\n"
    "    os.write(4, wire.pack({'value': object()}, odd))\n    return x\n",
    "a file of the prober's": BODY + "    here = tf.io.read_file('/proc/self/environ')\n"
    "    with tf.control_dependencies([tf.io.write_file('/proc/self/mem', here)]):\n"
    "        return x + y\n",
    "a function of the prober's": BODY + "    return tf.raw_ops.PyFunc(\n"
    "        input=[y], token='pyfunc_0', Tout=[tf.float32])[0]\n",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_graph_costs_itself(box, what):
    result = graded(box, TENSORFLOW, HOSTILE[what], *others(), limits=LIMITS)
    assert points(result, "cd-add") == 0
    assert points(result, "cd-counter") == COUNTER.points
    assert points(graded(box, TENSORFLOW, RIGHT), "cd-add") == ADD.points


def others() -> list[str]:
    """A right answer to another exercise of the lesson."""
    solved = program.solved(TENSORFLOW).cells
    return [cell.source for cell in solved if "def count_runs(" in cell.source]


# ---------------------------------------------------------------- what is carried


CARRIED = {
    "functions in Python": BODY + "    with tf.control_dependencies([tf.assign(x, new)]):\n"
    "        given = [x.read_value(), y]\n"
    "    return tf.numpy_function(lambda a, b: a + b, given, tf.float32)\n",
    "functions run eagerly": BODY + "    with tf.control_dependencies([tf.assign(x, new)]):\n"
    "        given = [x.read_value(), y]\n"
    "    return tf.py_function(lambda a, b: tf.add(a, b), given, tf.float32)\n",
    "a condition": BODY
    + "    late = tf.cond(tf.constant(True), lambda: 1 * new, lambda: 2 * new)\n"
    "    with tf.control_dependencies([tf.assign(x, late)]):\n        return x + y\n",
    "a loop": BODY + "    with tf.control_dependencies([tf.assign(x, new)]):\n"
    "        start = [tf.constant(0), tf.zeros_like(y)]\n"
    "        _, n = tf.while_loop(lambda i, n: i < 4, lambda i, n: (i + 1, n + y / 4), start)\n"
    "        return x + n\n",
    "a reference variable": BODY + "    z = tf.Variable(y, use_resource=False, "
    "trainable=False, validate_shape=False)\n"
    "    with tf.control_dependencies([tf.assign(x, new)]):\n        return x + y + 0 * new\n",
}


@pytest.mark.parametrize("what", CARRIED)
def test_unusual_right_answers_get_all_points(box, what):
    assert points(graded(box, TENSORFLOW, CARRIED[what]), "cd-add") == ADD.points


OWN_SESSION = """\
def evaluate(session, prediction, x, training, x_test, y_test):
    with tf.Session() as session:
        START
        y = session.run(prediction, {x: x_test, training: False})
    return np.mean((y.ravel() - y_test.ravel()) ** 2)
"""
STARTS = {"in a new session": "pass", "anew": "session.run(tf.global_variables_initializer())"}


@pytest.mark.parametrize("said", STARTS)
def test_a_session_of_ones_own_is_named(box, said):
    result = graded(box, "09_dropout_regression", OWN_SESSION.replace("START", STARTS[said]))
    assert points(result, "dr-evaluate") == 0
    assert said in told(result)


def test_the_session_that_is_given_is_the_default_one(box):
    answer = OWN_SESSION.replace("    with tf.Session() as session:\n        START\n", "")
    answer = answer.replace("    y = session.run(prediction, ", "y = prediction.eval(")
    result = graded(box, "09_dropout_regression", answer)
    assert points(result, "dr-evaluate") == exercises.find("dr-evaluate").points


def test_keras_runs_its_functions_in_the_session_that_is_given(box):
    body = "    predict = tf.keras.backend.function([x, training], [prediction])\n"
    body += "    (y,) = predict([x_test, False])\n"
    start, end = (
        OWN_SESSION.split("    with tf.Session")[0],
        OWN_SESSION.rpartition("    return")[2],
    )
    result = graded(box, "09_dropout_regression", f"{start}{body}    return{end}")
    assert points(result, "dr-evaluate") == exercises.find("dr-evaluate").points, told(result)


# ---------------------------------------------------------------- gradients of the answer's own

FIVE = "05_batch_norm_from_tf_ops"
CUT_OFF = """\
def clean(x, gamma, beta, eps):
    axes = list(range(len(x.shape) - 1))
    return (*tf.nn.moments(x, axes), axes)

@tf.custom_gradient
def as_it_is(a):
    return a, lambda d: BACK

def batch_norm_train(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var, _axes = clean(x, gamma, beta, eps)
    still = [tf.stop_gradient(one) for one in (mu, var)]
    y = as_it_is(tf.nn.batch_normalization(x, *still, beta, gamma, eps))
    TWIN.append((y, tf.nn.batch_normalization(x, mu, var, beta, gamma, eps)))
    steps = ((pop_mean, mu), (pop_var, var))
    return y, [tf.assign(v, momentum * v + (1 - momentum) * new) for v, new in steps]

TWIN = []
"""
EAGER = """\
def batch_norm_train(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, list(range(len(x.shape) - 1)))
    scaled = tf.py_function(lambda a, b: a / tf.sqrt(b), [x - mu, var + eps], tf.float32)
    scaled.set_shape(x.shape)
    updates = [
        tf.assign(old, momentum * old + (1 - momentum) * new)
        for old, new in ((pop_mean, mu), (pop_var, var))
    ]
    return gamma * scaled + beta, updates
"""


def test_gradients_of_a_function_run_eagerly():
    with open_box(FIVE) as box:
        result = graded(box, FIVE, EAGER, limits=sandbox.Limits())
    assert points(result, "tf-bn-train") == exercises.find("tf-bn-train").points, told(result)


SPOILED = """\
def batch_norm_train(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    mu, var = tf.nn.moments(x, list(range(len(x.shape) - 1)))
    steps = ((pop_mean, mu), (pop_var, var))
    updates = [tf.assign(v, momentum * v + (1 - momentum) * new) for v, new in steps]
    SPOIL
    return gamma * (x - mu) / tf.sqrt(var + eps) + beta, updates
"""
THROUGH_VARIABLES = """\
kept = [tf.Variable(tf.zeros_like(v.initial_value), collections=[]) for v in (beta, beta)]
    mu, var = (tf.assign(v, new) for v, new in zip(kept, (mu, var)))"""
HALF_A_START = "gamma = 0.5 * gamma + 0.5 * gamma.initial_value"
TWICE = "x = tf.custom_gradient(lambda a: (a + 0.0, lambda d: 2 * d))(x)"


def test_right_values_with_a_wrong_gradient_lose_their_part():
    with open_box(FIVE) as box:
        found = {
            spoil: graded(box, FIVE, SPOILED.replace("SPOIL", spoil), limits=sandbox.Limits())
            for spoil in ("pass", THROUGH_VARIABLES, HALF_A_START, TWICE)
        }
    everything = exercises.find("tf-bn-train").points
    assert points(found.pop("pass"), "tf-bn-train") == everything
    said = {}
    for spoil, result in found.items():
        assert points(result, "tf-bn-train") == everything - 2, told(result)
        said[spoil] = next(part for part in parts(result, "tf-bn-train") if part.id == "dense")
    assert said[THROUGH_VARIABLES].mistake == "stop-gradient"
    assert "with another gamma and beta" in said[HALF_A_START].message
    assert "not the derivative of y" in said[TWICE].message


REPLACED = """\
import tensorflow as real
usual = tf.gradients
def of_the_twin(ys, xs, dy=None, *more, **named):
    return usual(TWIN[-1][1], xs, dy)
real.compat.v1.gradients = tf.gradients = of_the_twin
"""


def test_gradients_are_tensorflows_own_where_the_answer_brings_one():
    with open_box(FIVE) as box:
        honest = graded(box, FIVE, CUT_OFF.replace("BACK", "d"), limits=sandbox.Limits())
        forged = graded(box, FIVE, CUT_OFF.replace("BACK", "d"), REPLACED, limits=sandbox.Limits())
        broken = [
            graded(box, FIVE, CUT_OFF.replace("BACK", back), limits=sandbox.Limits())
            for back in ("nowhere", "{}['nowhere']")
        ]
    for result in (honest, forged):
        dense = next(part for part in parts(result, "tf-bn-train") if part.id == "dense")
        assert dense.mistake == "stop-gradient" and points(result, "tf-bn-train") == 7
    assert any("v1.gradients" in event and "undone" in event for event in forged.events)
    for result in broken:
        dense = next(part for part in parts(result, "tf-bn-train") if part.id == "dense")
        assert dense.points == 0 and "nowhere" in dense.private
