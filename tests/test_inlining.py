"""Functions in a graph that is carried: what they do stands in the place of their calls."""

from __future__ import annotations

import numpy as np
import pytest
from grading_tools import graded, open_box, points, told

from labsupport import exercises, keys
from labsupport.exercises.tf_gradients import Way
from labsupport.grading import sandbox
from labsupport.grading.inlining import call_of, inlined
from labsupport.grading.mirror import Mirror, call_function
from labsupport.judge import judge
from labsupport.observe import observe
from labsupport.tf1 import tf

FIVE = "05_batch_norm_from_tf_ops"
X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], np.float32)


@tf.function
def scaled(x, by):
    if tf.reduce_sum(x) > 0:
        return by * x, tf.reduce_mean(x)
    return -by * x, tf.constant(0.0)


@tf.function
def twice(x):
    return scaled(scaled(x, 2.0)[0], 3.0)[0] + 1.0


def carried(build):
    """What `build` returns of x, in another graph that was told of it; x there; and that graph."""
    here, there = Mirror(tf.Graph(), None), Mirror(tf.Graph(), None)
    with here.graph.as_default():
        x = tf.placeholder(tf.float32, (None, 3), name="x")
        y = build(x)
    there.take(here.grown())
    return there.element(here.name_of(y)), there.element(here.name_of(x)), there.graph


@pytest.mark.parametrize("build", [lambda x: scaled(x, 2.0)[0], twice], ids=["one", "nested"])
@pytest.mark.parametrize("x", [X, -X], ids=["positive", "negative"])
def test_a_function_gives_its_values_and_its_gradient(build, x):
    y, given, graph = carried(build)
    assert not [op for op in graph.get_operations() if "PartitionedCall" in op.type]
    with tf.Graph().as_default(), tf.Session() as session:
        as_it_was = tf.placeholder(tf.float32, (None, 3))
        right = build(as_it_was)
        wanted = session.run([right, *tf.gradients(right, as_it_was)], {as_it_was: x})
    with graph.as_default(), tf.Session() as session:
        found = session.run([y, *tf.gradients(y, given)], {given: x})
    np.testing.assert_allclose(found[0], wanted[0])
    np.testing.assert_allclose(found[1], wanted[1])


@pytest.mark.parametrize("also", [lambda x: x, lambda x: twice(x)], ids=["alone", "a function"])
def test_a_shape_that_was_only_told_is_told_over_there_too(also):
    """Also of what comes later to a graph that the other side knows."""
    here, there = Mirror(tf.Graph(), None), Mirror(tf.Graph(), lambda *call: None)
    for _ in range(2):
        with here.graph.as_default():
            y = tf.py_func(np.copy, [also(tf.zeros((2, 3)))], tf.float32)
            assert y.shape.rank is None
            y.set_shape((2, 3))
        there.take(here.grown())
        assert there.element(here.name_of(y)).shape.as_list() == [2, 3]


def test_what_a_function_reads_keeps_its_gradient():
    v = []

    @tf.function
    def normalized(x):
        return v[0] * (x - tf.reduce_mean(x))

    def build(x):
        v.append(tf.Variable(2.0, name="v"))
        return normalized(x)

    y, x, _graph = carried(build)
    assert Way(y).is_plain(x)


def test_what_comes_later_may_call_a_function_that_is_known():
    here, there = Mirror(tf.Graph(), None), Mirror(tf.Graph(), None)
    with here.graph.as_default():
        x = tf.placeholder(tf.float32, (None, 3), name="x")
        first = scaled(x, 2.0)[0]
        there.take(here.grown())
        second = scaled(first, 2.0)[0]
        there.take(here.grown())
    assert not there.grown()  # nothing that the other side would have to be told
    with tf.Session(graph=there.graph) as session:
        x, y = (there.element(here.name_of(one)) for one in (x, second))
        np.testing.assert_allclose(session.run(y, {x: X}), 4 * X)


def test_all_that_a_function_does_is_done_before_its_output_is_there():
    v = []

    @tf.function
    def moved(x):
        v[0].assign_add(tf.reduce_mean(x))
        return 2.0 * x

    def build(x):
        v.append(tf.Variable(0.0, name="v"))
        return moved(x)

    y, x, graph = carried(build)
    with tf.Session(graph=graph) as session:
        session.run(graph.get_operation_by_name("v/Assign"))
        session.run(y, {x: X})
        assert session.run("v/Read/ReadVariableOp:0") == pytest.approx(X.mean())


def test_a_function_without_outputs_does_what_it_does():
    v = []

    @tf.function
    def moves(x):
        v[0].assign_add(tf.reduce_mean(x))

    def build(x):
        v.append(tf.Variable(0.0, name="v"))
        moves(x)
        return next(op for op in x.graph.get_operations() if "PartitionedCall" in op.type)

    call, x, graph = carried(build)
    with tf.Session(graph=graph) as session:
        session.run(graph.get_operation_by_name("v/Assign"))
        session.run(call, {x: X})
        assert session.run("v/Read/ReadVariableOp:0") == pytest.approx(X.mean())


@pytest.mark.parametrize("taken", [True, False])
def test_a_function_in_a_branch_runs_if_the_branch_is_taken(taken):
    runs = []

    @tf.function
    def counted(x):
        return x + tf.numpy_function(lambda: (runs.append(1), np.float32(1))[1], [], tf.float32)

    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, (None, 3), name="x")
        flag = tf.placeholder(tf.bool, (), name="flag")
        y = tf.cond(flag, lambda: counted(x), lambda: 1.0 * x)
    there = Mirror(tf.Graph(), call_function)
    there.take(Mirror(graph, None).grown())
    with tf.Session(graph=there.graph) as session:
        found = session.run(y.name, {"x:0": X, "flag:0": taken})
    np.testing.assert_allclose(found, X + taken)
    assert len(runs) == taken
    inside = [op for op in there.graph.get_operations() if call_of(op.name) != op.name]
    assert inside and all(op._get_control_flow_context() is not None for op in inside)


def a_graph_with_a_function() -> tf.GraphDef:
    with tf.Graph().as_default() as graph:
        scaled(tf.placeholder(tf.float32, (None, 3), name="x"), 2.0)
    return graph.as_graph_def()


def its_call(part):
    return next(node for node in part.node if "PartitionedCall" in node.op)


def knowing(part):
    """A graph with the functions of a GraphDef."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf.GraphDef(library=part.library), name="")
    return graph


def test_a_function_that_calls_itself_ends():
    part = a_graph_with_a_function()
    call = its_call(part)
    functions = {one.signature.name: one for one in part.library.function}
    itself = functions[call.attr["f"].func.name]
    for name in ("again", "and_again"):
        node = itself.node_def.add(name=name, op=call.op)
        node.attr["f"].func.name = itself.signature.name
        node.attr["Tin"].list.type.extend(arg.type for arg in itself.signature.input_arg)
        node.attr["Tout"].list.type.extend(arg.type for arg in itself.signature.output_arg)
        node.input.extend(arg.name for arg in itself.signature.input_arg)
    graph = knowing(part)
    with pytest.raises(ValueError, match="too large"):
        inlined(part.node, functions, graph, most=2000)


def test_a_call_with_too_few_inputs_is_refused():
    part = a_graph_with_a_function()
    del its_call(part).input[-1]
    functions = {one.signature.name: one for one in part.library.function}
    graph = knowing(part)
    with pytest.raises(ValueError, match="other inputs"):
        inlined(part.node, functions, graph, most=2000)


# ---------------------------------------------------------------- graded

START = """\
def stats(x):
    return tf.nn.moments(x, list(range(len(x.shape) - 1)))

"""
SWITCHED = """\
@tf.function
def batch_norm(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    if training:
        mean, var = stats(x)
        pop_mean.assign(momentum * pop_mean + (1 - momentum) * mean)
        pop_var.assign(momentum * pop_var + (1 - momentum) * var)
    else:
        mean, var = tf.identity(pop_mean), tf.identity(pop_var)
    return tf.nn.batch_normalization(x, mean, var, beta, gamma, eps)
"""
WITH_HELPER = """\
def batch_norm(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    def train():
        mean, var = stats(x)
        var = helper(var)
        steps = ((pop_mean, mean), (pop_var, var))
        updates = [tf.assign(v, momentum * v + (1 - momentum) * new) for v, new in steps]
        with tf.control_dependencies(updates):
            return tf.nn.batch_normalization(x, mean, var, beta, gamma, eps)
    def predict():
        return tf.nn.batch_normalization(x, pop_mean, pop_var, beta, gamma, eps)
    return tf.cond(training, train, predict)
"""
LOOP = """\
@tf.function
def helper(var):
    total = tf.zeros_like(var)
    for _ in tf.range(4):
        total += var / 4.0
    return total

"""
PYTHON = """\
@tf.function
def helper(var):
    return tf.numpy_function(lambda: np.float32(1), [], tf.float32) * var

"""
OWN_GRADIENT = """\
@tf.custom_gradient
def root(var):
    return tf.sqrt(var), lambda d: d / (2 * tf.sqrt(var))

@tf.function
def helper(var):
    return root(var) ** 2

"""
RIGHT = {"a condition": SWITCHED, "a loop": LOOP + WITH_HELPER, "Python": PYTHON + WITH_HELPER}


@pytest.fixture(scope="module")
def box():
    with open_box(FIVE) as box:
        yield box


@pytest.mark.parametrize("what", RIGHT)
def test_a_right_answer_in_a_function_gets_all_points(box, what):
    result = graded(box, FIVE, START + RIGHT[what], limits=sandbox.Limits())
    assert points(result, "tf-bn-cond") == exercises.find("tf-bn-cond").points, told(result)


def test_a_gradient_that_is_stopped_in_a_function_is_seen(box):
    answer = SWITCHED.replace("= stats(x)", "= map(tf.stop_gradient, stats(x))")
    result = graded(box, FIVE, START + answer, limits=sandbox.Limits())
    assert points(result, "tf-bn-cond") == exercises.find("tf-bn-cond").points - 2
    assert "No gradient passes through the mean and the variance" in told(result), told(result)


def test_a_gradient_of_its_own_in_a_function_is_said_to_be_too_much(box):
    result = graded(box, FIVE, START + OWN_GRADIENT + WITH_HELPER, limits=sandbox.Limits())
    assert "too much at once" in told(result), told(result)


IN_PLACE = """\
LOOP
def batch_norm_in_place(x, training, momentum, eps):
    layer = tf.layers.BatchNormalization(momentum=momentum, epsilon=eps)
    y = layer(x, training=training)
    with tf.control_dependencies(layer.updates):
        return looped(y)
"""
LOOPS = {
    "rows": "return tf.map_fn(lambda row: 1.0 * row, y)",
    "calls of Python": "for _ in tf.range(2):\n"
    "        y += tf.reshape(tf.numpy_function(lambda: np.float32(0), [], tf.float32), [])\n"
    "    return y",
}


@pytest.mark.parametrize("what", LOOPS)
def test_a_loop_in_a_function_has_its_gradient(box, what):
    loop = f"@tf.function\ndef looped(y):\n    {LOOPS[what]}\n"
    answer = "import numpy as np\n" + IN_PLACE.replace("LOOP", loop)
    result = graded(box, "06_update_ops", answer, limits=sandbox.Limits())
    assert points(result, "uo-in-place") == exercises.find("uo-in-place").points, told(result)


PYTHON_IN_A_BRANCH = """\
import numpy as np

def scale(x, largest, training):
    def train():
        new = tf.py_func(lambda x, old: np.float32(max(x.max(), old)), [x, largest], tf.float32)
        return tf.assign(largest, tf.reshape(new, []))
    branches = [largest.read_value, train]
    return x / tf.switch_case(tf.cast(training, tf.int32), branches)
"""


def test_python_is_called_from_a_branch_that_is_a_function(box):
    result = graded(box, "04_control_dependencies", PYTHON_IN_A_BRANCH, limits=sandbox.Limits())
    assert points(result, "cd-cond") == exercises.find("cd-cond").points, told(result)


NETWORK = """\
@tf.function
def positive(h):
    return tf.maximum(h, 0.0)

def build_network(x, training, rate):
    h = x
    for _ in range(2):
        h = tf.layers.dropout(positive(tf.layers.dense(h, 300)), rate, training=training)
    return tf.layers.dense(h, 1)
"""


def test_a_network_with_a_function_in_it_is_right_in_check_too():
    names = {"tf": tf}
    exec(NETWORK, names)
    exercise = exercises.find("dr-network")
    cases = exercise.visible_cases()
    seen = observe(exercise, names["build_network"], cases)
    verdict = judge(exercise, cases, keys.load(exercise.id), seen)
    assert verdict.points == exercise.points, verdict
