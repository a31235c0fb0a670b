"""A trial of a TensorFlow answer: nothing leaks, and every refusal is a sentence."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from labsupport.exercises.tf_common import trial
from labsupport.observe import observe
from labsupport.vocabulary import Case, Exercise, Odd, Unusable


@pytest.fixture(scope="module", autouse=True)
def tf():
    """Imported before any time limit begins: on a slow machine it takes longer than one."""
    from labsupport.tf1 import tf

    return tf


def said(build, run=True):
    """What `observe` says of an answer that builds something from (t, x, count, training)."""

    def probe(answer, inputs):
        with trial() as t:
            x, count = t.placeholder(inputs["x"], "x"), t.variable(3.0, "count")
            out = t.build(answer, t, x, count, t.flag(), name="answer")
            out = t.fetchable(out, "a tensor")
            return {"out": t.run(out)} if run else {}

    exercise = Exercise("tried", "", "", "answer", (), lambda rng: [], probe, ())
    case = Case("one", "one case", {"x": np.ones((2, 3))})
    trouble = observe(exercise, build, [case])["one"].trouble
    return "" if trouble is None else trouble.text


REFUSED = {
    "None": (lambda t, x, count, flag: None, "returns None. Is a `return` missing?"),
    "a list": (lambda t, x, count, flag: [x], "a list of 1"),
    "a name": (lambda t, x, count, flag: "x:0", "not the name"),
    "a dict": (lambda t, x, count, flag: {"x": x}, "it returns a dict."),
    "a function": (lambda t, x, count, flag: print, "it returns a function."),
    "an array": (lambda t, x, count, flag: np.ones(3), "(3,), which has its value already"),
    "NumPy on a tensor": (lambda t, x, count, flag: np.sqrt(x), "NumPy cannot compute"),
    "a Python if": (lambda t, x, count, flag: x if flag else count, "Python's `if`"),
    "a loop": (lambda t, x, count, flag: [row for row in x], "looped over"),
    "no list": (
        lambda t, x, count, flag: t.tf.control_dependencies(count.assign(1.0)).__enter__(),
        "takes one list",
    ),
    "a list in a list": (
        lambda t, x, count, flag: t.tf.control_dependencies([[x]]).__enter__(),
        "takes one list",
    ),
    "a session": (lambda t, x, count, flag: t.tf.Session().run(count), "A session runs something"),
    "eval": (lambda t, x, count, flag: x.eval(), "A session runs something"),
    "eval of a constant": (
        lambda t, x, count, flag: x + t.tf.constant(1.0).eval(),
        "A session runs something",
    ),
    "branches that differ": (
        lambda t, x, count, flag: t.tf.cond(flag, lambda: (x, [x]), lambda: (x, [])),
        "should return alike",
    ),
    "a shape that does not fit": (
        lambda t, x, count, flag: t.tf.assign(count, x),
        "The shape of `count` is (), and that of what you assign (?, 3).",
    ),
    "the other TensorFlow": (
        lambda t, x, count, flag: sys.modules["tensorflow"].assign(count, 1.0),
        "This `tf` is TensorFlow 2, which has no `assign`",
    ),
    "a name that there is not": (
        lambda t, x, count, flag: t.tf.train.GradientDescent(0.1),
        "There is no `tf.train.GradientDescent`.",
    ),
    "eager habits": (lambda t, x, count, flag: x.numpy(), "no `.numpy()`"),
    "nobody feeds": (lambda t, x, count, flag: t.unfed("z") + 1.0, "placeholder `z`"),
    "no value": (
        lambda t, x, count, flag: t.tf.Variable(1.0, name="w", collections=[]) + 1.0,
        "`w` is read before it has a value",
    ),
    "a type": (lambda t, x, count, flag: t.tf.sqrt(t.tf.shape(x)), "of type int32 is given to"),
    "a type asked for": (
        lambda t, x, count, flag: t.tf.shape(x, out_type=t.tf.float32),
        "not in list of allowed values",
    ),
    "sizes": (lambda t, x, count, flag: t.tf.reshape(x, [t.tf.size(x), 2]), "Running it fails"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_are_sentences(what):
    build, words = REFUSED[what]
    assert words in said(build)


def test_a_session_that_an_answer_leaves_open_is_no_default(tf):
    def build(t, x, count, flag):
        t.opened = tf.InteractiveSession()
        return x + 1.0

    before = tf.get_default_session()
    assert said(build) == ""
    assert tf.get_default_session() is before


def test_only_pythons_if_is_taken_for_evidence():
    def trouble(build):
        def probe(answer, inputs):
            with trial() as t:
                return {"out": t.build(answer, t.placeholder([1.0], "x"), t.flag(), name="a")}

        exercise = Exercise("tried", "", "", "answer", (), lambda rng: [], probe, ())
        return observe(exercise, build, [Case("one", "one case", {})])["one"].trouble

    assert trouble(lambda x, flag: x if flag else 0).tells
    assert trouble(lambda x, flag: max(x[0], x[0])).tells
    assert not trouble(lambda x, flag: list(x)).tells
    assert not trouble(lambda x, flag: np.mean(x)).tells


def test_another_graph(tf):
    with tf.Graph().as_default():
        stranger = tf.constant(1.0)
    assert "another graph" in said(lambda t, x, count, flag: stranger)
    assert "another graph" in said(lambda t, x, count, flag: stranger + count)


def test_eager_tensors(tf):
    import tensorflow

    def eager(t, x, count, flag):
        with tf.init_scope(), tensorflow.__internal__.eager_context.eager_mode():
            return tensorflow.constant(1.0)

    assert "eager tensor" in said(eager)


def test_operations_only_where_they_are_allowed():
    with trial() as t:
        group = t.tf.group(t.variable(1.0, "v").assign(2.0))
        assert t.fetchable(group, "an operation") is group
        with pytest.raises(Unusable, match="which has no value"):
            t.fetchable(group, "a tensor", operations=False)


def test_what_a_run_changes():
    with trial() as t:
        x, count = t.placeholder([1.0, 2.0], "x"), t.variable(3.0, "count")
        later = t.tf.Variable(count + 1.0, name="later")
        update = count.assign_add(t.tf.reduce_sum(x))
        assert t.changed_by(lambda: t.run(x)) == ()
        assert t.changed_by(lambda: t.run(update)) == ("count",)
        assert t.value(count) == 6 and t.run(update, {x: [4.0]}) == 10
        t.set(count, 0)
        assert t.steps(update, 2) == [3, 6]
        assert t.state()["later:0"] == 4
        assert later.name in t.state()


def test_a_slow_update_is_late():
    with trial() as t:
        count = t.variable(1.0, "count")
        before = count + 0.0
        with t.tf.control_dependencies([count.assign(t.slow(np.float32(5.0)))]):
            late = t.tf.identity(before)
            ordered = count + 0.0
        assert t.run(late) == 1 and t.value(count) == 5
        t.set(count, 1)
        assert t.run(ordered) == 5


def test_attempt_gives_the_sentence():
    with trial() as t:
        failed = t.attempt(t.unfed("labels") + 1.0)
        assert isinstance(failed, Odd) and "`labels`" in failed
        assert t.attempt(t.tf.constant(2.0)) == 2


def test_trials_are_alike_and_apart(tf):
    draws = []
    for _ in range(2):
        with trial(seed=4) as t:
            draws.append(t.run(t.tf.random_normal((3,))))
            assert len(t.variables()) == 0
            t.variable(1.0, "v")
    np.testing.assert_array_equal(*draws)
    assert tf.get_default_graph() is not t.graph


def test_a_variable_is_what_tensorflow_makes(tf):
    from labsupport.exercises import tf_variable

    def one_by_tensorflow(value, name, trainable):
        return tf.Variable(value, name=name, trainable=trainable, use_resource=True)

    def graph_of(make):
        with tf.Graph().as_default() as graph:
            with tf.control_dependencies([tf.no_op()]):
                made = [
                    make(np.ones((3, 2), np.float32), "a", True),
                    make(np.float32(2), "a", False),
                ]
            with tf.variable_scope("inner"):
                made.append(make(np.arange(3.0), "a", False))
            made += [one_by_tensorflow(np.ones(3), "a", True), make(np.int64(3), "A", True)]
            tf.gradients(tf.reduce_sum(made[0]) * made[1], made[0])
            facts = [
                (v.name, v.shape, v.dtype, v.trainable, v.op.name, v.initial_value.name)
                for v in made
            ]
            collections = {
                key: [one.name for one in graph.get_collection_ref(key)]
                for key in graph.get_all_collection_keys()
            }
            return (
                graph.as_graph_def(add_shapes=True),
                [v.to_proto() for v in made],
                facts,
                collections,
            )

    for theirs, ours in zip(graph_of(one_by_tensorflow), graph_of(tf_variable.make), strict=True):
        assert ours == theirs


def a_layer(tf, x, flag):
    """A graph with what answers build: moments, updates, both branches of a condition."""
    state = tf.Variable(np.ones(3, np.float32), name="state", trainable=False)
    mean, var = tf.nn.moments(x, list(range(len(x.shape) - 1)))

    def train():
        with tf.control_dependencies([state.assign(0.5 * state + 0.5 * mean)]):
            return tf.identity((x - mean) / tf.sqrt(var + 1e-3))

    return tf.cond(flag, train, lambda: x - state)


def test_operations_are_written_as_tensorflow_imports_them(tf):
    from labsupport.exercises import tf_nodes

    @tf.function
    def double(x):
        return 2 * x

    with tf.Graph().as_default() as graph:
        x, y = tf.placeholder(tf.float32, (None, 3), name="x"), tf.ones((), name="y")
        out = a_layer(tf, x, tf.placeholder_with_default(True, (), name="flag")) + y
        plain = graph.as_graph_def(add_shapes=True)
        double(out)
        whole = graph.as_graph_def(add_shapes=True)

    def imported(how, part):
        part = tf.GraphDef.FromString(part.SerializeToString())
        part.node.remove(next(node for node in part.node if node.name == "y"))
        with tf.Graph().as_default() as graph:
            how(graph, part, {"y": tf.ones((), name="y")})
            operations = graph.get_operations()
            return graph.as_graph_def(add_shapes=True), [one.name for one in operations]

    def by_tensorflow(graph, part, known):
        tf.import_graph_def(part, known, name="")

    for part in (plain, whole):
        assert imported(tf_nodes.add, part) == imported(by_tensorflow, part)
    with pytest.raises(ValueError), tf.Graph().as_default() as graph:
        tf_nodes.add(graph, plain)
        tf_nodes.add(graph, plain)


@pytest.mark.filterwarnings("ignore:.*is deprecated")
def test_a_layer_has_the_names_that_tensorflow_gives_it(tf):
    from labsupport.exercises.tf_layers import batch_normalization

    def by_tensorflow(t, x, earlier):
        y = tf.layers.batch_normalization(x, training=True, momentum=0.8, name="bn")
        return y, ()

    def by_us(t, x, earlier):
        with tf.name_scope("bn"):
            return batch_normalization(t, x, 0.8, earlier=earlier)

    def looked_at(layer):
        with trial() as t:
            xs = [t.placeholder(np.arange(30.0).reshape(5, 2, 3) ** 2, "x") for _ in range(2)]
            with tf.variable_scope("net"):
                y, variables = layer(t, xs[0], ())
            with tf.variable_scope("net", reuse=True):
                layer(t, xs[1], variables)
            updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
            names = [v.name for v in t.variables()], [v.name for v in tf.trainable_variables()]
            out = t.run(y)
            t.run(updates[:2])
            moved = t.state()
        return out, moved, [(u.name, u.type) for u in updates], names

    ours, theirs = looked_at(by_us), looked_at(by_tensorflow)
    assert ours[2:] == theirs[2:]
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-4, atol=1e-4)
    mean, variance = ("net/bn/moving_mean:0", "net/bn/moving_variance:0")
    np.testing.assert_allclose(ours[1][mean], theirs[1][mean], rtol=1e-4)
    # The fused operation divides by N - 1, as it does in `tf.layers` for images.
    unbiased = 0.8 + (theirs[1][variance] - 0.8) * 10 / 9
    np.testing.assert_allclose(ours[1][variance], unbiased, rtol=1e-4)
