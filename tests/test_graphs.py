"""Pictures of graphs say what TensorFlow does: compared with its own record of what ran."""

from __future__ import annotations

import numpy as np
import pytest

from labsupport import graphs
from labsupport.figures.graphs import lay_out
from labsupport.graphs import CONTROL, DATA, IDLE, MAYBE, RUNS, draw, ran, runs, sketch


@pytest.fixture(scope="module")
def tf():
    from labsupport.tf1 import tf

    return tf


def states(found):
    return {name: box.state for name, box in found.boxes.items()}


def one_update(tf, **variable):
    """x, an update of it, and three results: made before, made inside, passed on inside."""
    x = tf.Variable(1.0, name="x", **variable)
    update = tf.assign(x, 10.0, name="update")
    before = tf.add(x, 2.0, name="before")
    with tf.control_dependencies([update]):
        inside = tf.add(x, 2.0, name="inside")
        copy = tf.identity(before, name="copy")
    return dict(x=x, update=update, before=before, inside=inside, copy=copy)


def one_cond(tf, made_inside):
    training = tf.placeholder_with_default(False, (), name="training")
    x = tf.Variable(1.0, name="x")
    update = None if made_inside else x.assign_add(1.0, name="update")

    def train():
        return x.assign_add(1.0, name="update") if made_inside else tf.identity(update)

    y = tf.cond(training, train, lambda: x.read_value(), name="y")
    return training, tf.multiply(y, 2.0, name="twice")


def batch_norm(tf):
    x = tf.placeholder_with_default(np.ones((4, 3), np.float32), (None, 3), name="x")
    training = tf.placeholder_with_default(False, (), name="training")
    y = tf.layers.batch_normalization(x, training=training, name="bn")
    loss = tf.reduce_mean(tf.square(y), name="loss")
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, name="train")
    return training, dict(y=y, loss=loss, train=train)


# ---------------------------------------------------------------- what runs


def agrees(tf, fetch, feed=None):
    """Whether the graph's reading and TensorFlow's record name the same operations.

    TensorFlow folds some operations away or merges equal ones before it runs, so it may record
    fewer; those with an effect it never drops.
    """
    nodes = graphs.read(fetches=fetch)
    config = tf.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.Session(config=config) as session:
        session.run(tf.global_variables_initializer())
        did, said = ran(session, fetch, feed), runs(fetch, feed=feed)
    effects = {name for name, node in nodes.items() if node.updates}
    assert did <= said
    assert did & effects == said & effects
    return said & effects


@pytest.mark.parametrize("resource", [True, False])
def test_only_what_a_fetch_needs(tf, resource):
    with tf.Graph().as_default():
        made = one_update(tf, use_resource=resource)
        assert agrees(tf, made["before"]) == set()
        for name in ("update", "inside", "copy"):
            assert agrees(tf, made[name]) == {"update"}
        assert agrees(tf, [made["before"], made["update"]]) == {"update"}
        assert runs(made["before"]) < runs({"one": made["before"], "other": [made["inside"]]})


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("made_inside", [True, False])
def test_a_cond_runs_one_branch(tf, made_inside, flag):
    with tf.Graph().as_default():
        training, y = one_cond(tf, made_inside)
        assert len(agrees(tf, y, {training: flag})) == (flag or not made_inside)


@pytest.mark.parametrize("flag", [True, False])
def test_a_layer_with_updates_in_a_cond(tf, flag):
    with tf.Graph().as_default():
        training, made = batch_norm(tf)
        assert agrees(tf, made["loss"], {training: flag}) == set()
        assert len(agrees(tf, made["train"], {training: flag})) == (4 if flag else 2)


def test_fetches_by_name(tf):
    with tf.Graph().as_default() as graph:
        made = one_update(tf)
        init = tf.global_variables_initializer()
        assert runs("inside:0", graph) == runs(made["inside"])
        assert runs("init", graph) == runs(init) >= {"x", "x/Assign"}
        with pytest.raises(TypeError, match="which graph"):
            draw("inside")


# ---------------------------------------------------------------- what is drawn


def test_plumbing_is_left_out(tf):
    with tf.Graph().as_default():
        made = one_update(tf)
        tf.global_variables_initializer()
        found = sketch(made["inside"])
    assert states(found) == dict(x=RUNS, update=RUNS, before=IDLE, inside=RUNS, copy=IDLE)
    assert found.edges == {
        ("x", "update"): DATA,
        ("x", "before"): DATA,
        ("x", "inside"): DATA,
        ("update", "inside"): CONTROL,
        ("before", "copy"): DATA,
        ("update", "copy"): CONTROL,
    }
    words = {name: box.word for name, box in found.boxes.items()}
    assert words["update"] == "assign 10" and words["inside"] == "add 2"
    assert [name for name, box in found.boxes.items() if box.fetched] == ["inside"]
    assert [name for name, box in found.boxes.items() if box.updates] == ["update"]


def test_reference_variables_look_the_same(tf):
    """Their read is made with them, outside the block; the adding still waits."""
    found = []
    for resource in (True, False):
        with tf.Graph().as_default():
            found.append(sketch(one_update(tf, use_resource=resource)["inside"]))
    assert states(found[0]) == states(found[1])
    assert found[0].edges == found[1].edges


def test_everything_on_demand(tf):
    with tf.Graph().as_default() as graph:
        made = one_update(tf)
        found = sketch(made["inside"], show_all=True)
        assert set(found.boxes) == {operation.name for operation in graph.get_operations()}
    assert found.boxes["inside/ReadVariableOp"].state == RUNS
    assert ("update", "inside/ReadVariableOp") in found.edges


def test_initializers_are_drawn_when_they_are_fetched(tf):
    with tf.Graph().as_default():
        tf.Variable(tf.random_normal((2,)), name="x")
        y = tf.constant(3.0, name="y")
        init = tf.global_variables_initializer()
        assert set(sketch(y).boxes) == {"x", "y"}
        assert {"x", "x/Assign", "init"} <= {
            n for n, s in states(sketch(init)).items() if s == RUNS
        }


def test_the_value_of_an_update_stands_for_the_update(tf):
    with tf.Graph().as_default():
        made = one_update(tf)
        found = sketch(made["update"])  # what is fetched is the read that follows it
        assert found.boxes["update"].fetched
        assert states(found) == dict(x=RUNS, update=RUNS, before=IDLE, inside=IDLE, copy=IDLE)
        assert sketch(made["x"]).boxes["x"].fetched


def test_branches_of_a_cond(tf):
    with tf.Graph().as_default():
        training, y = one_cond(tf, made_inside=True)
        assert states(sketch(y))["y/update"] == MAYBE
        assert states(sketch(y, feed={training: True}))["y/update"] == RUNS
        found = sketch(y, feed={training: False})
        assert states(found)["y/update"] == IDLE
        assert set(found.boxes) == {"training", "x", "y/update", "y/Merge", "twice"}
        assert found.edges["training", "y/update"] == CONTROL
        assert found.edges["x", "y/Merge"] == DATA


def test_fold_and_hide(tf):
    with tf.Graph().as_default():
        training, made = batch_norm(tf)
        found = sketch(made["train"], feed={training: True}, fold=["bn", "gradients", "train"])
        small = sketch(made["train"], fold=["bn", "gradients", "train"], hide=["Square", "loss"])
    assert {"bn", "gradients", "train", "training", "x", "loss"} <= set(found.boxes)
    assert len(found.boxes) < 12
    assert found.boxes["bn"].kind == "folded" and found.boxes["bn"].updates
    assert found.boxes["train"].fetched
    assert {"Square", "loss"}.isdisjoint(small.boxes)


def test_words_and_picture(tf):
    with tf.Graph().as_default():
        made = one_update(tf)
        picture = draw(made["before"], names={"update": "the update"}, title="a title")
    assert picture.alt == (
        "Graph of 5 operations. Fetched: before. Runs: x, before. Does not run: the update, "
        "inside, copy. Control edges: inside after the update, copy after the update."
    )
    texts = {text.get_text() for text in picture.figure.axes[0].texts}
    assert {"the update", "assign 10", "fetched", "a title"} <= texts
    assert picture.html().startswith("<img")


# ---------------------------------------------------------------- where it is drawn


@pytest.mark.parametrize("seed", range(12))
def test_boxes_do_not_overlap(seed):
    rng = np.random.RandomState(seed)
    count = rng.randint(1, 25)
    names = [f"n{i}" for i in range(count)]
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    edges = [(names[i], names[j]) for i, j in pairs if rng.rand() < 2.5 / count]
    sizes = {name: (rng.uniform(0.7, 2.5), rng.uniform(0.4, 0.8)) for name in names}
    layout = lay_out(sizes, edges)
    for i, one in enumerate(names):
        (x, y), (w, h) = layout.spots[one], sizes[one]
        assert x - w / 2 > 0 and x + w / 2 < layout.width
        assert -layout.height < y - h / 2 and y + h / 2 < 0
        for other in names[:i]:
            (u, v), (p, q) = layout.spots[other], sizes[other]
            assert abs(x - u) > (w + p) / 2 - 1e-6 or abs(y - v) > (h + q) / 2 - 1e-6
    for (one, other), chain in layout.chains.items():
        assert chain[0] == one and chain[-1] == other
        columns = [layout.columns[stop] for stop in chain]
        assert columns == list(range(columns[0], columns[-1] + 1)) and len(columns) > 1


def test_a_ring_of_folded_scopes_is_drawn():
    sizes = dict.fromkeys("abc", (1.0, 0.5))
    layout = lay_out(sizes, [("a", "b"), ("b", "c"), ("c", "a"), ("b", "a")])
    assert len({layout.spots[name] for name in sizes}) == 3
