"""Known answers to `mnist-audit`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def updates():
    return tf.get_collection(tf.GraphKeys.UPDATE_OPS)


def is_moving(variable):
    return "/moving_" in variable.name


def layer(variable):
    return variable.name.split("/")[0]


def watch(build, images, act, of=is_moving):
    """Build, initialize, act, and give (variable, before, after) for the variables of interest.

    act(session, x, training, logits) does what there is to do between the two looks.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, (None, images.shape[1]))
        training = tf.placeholder_with_default(False, ())
        logits = build(x, training)
        variables = [v for v in tf.global_variables() if of(v)]
        session.run(tf.global_variables_initializer())
        before = session.run(variables)
        act(session, {x: images, training: True}, logits)
        return list(zip(variables, before, session.run(variables), strict=True))


def unmoved(watched):
    return sorted({layer(v) for v, a, b in watched if np.array_equal(a, b)})


def run_updates(session, feed, logits):
    session.run(updates(), feed)


@mistake(
    "nothing-runs",
    "No update operation runs in your function, so every layer seems to stand still",
    "When do you read UPDATE_OPS, and what is in the list at that moment? Print its length.",
    see="F57",
)
def nothing_runs(build, images):
    too_early = updates()

    def act(session, feed, logits):
        session.run(too_early, feed)

    return unmoved(watch(build, images, act))


@mistake(
    "forward-only",
    "You run the network in training mode, but not its update operations",
    "Does computing the logits need the update operations? What makes them run?",
    see="F56",
)
def forward_only(build, images):
    def act(session, feed, logits):
        session.run(logits, feed)

    return unmoved(watch(build, images, act))


@mistake(
    "flag-not-fed",
    "`training` is not fed, so the network you look at is in prediction mode",
    "What is the default of your placeholder `training`, and what do the updates do under it?",
    see="F62; public notebooks: flag not fed at train",
)
def flag_not_fed(build, images):
    def act(session, feed, logits):
        images_only = {k: v for k, v in feed.items() if v is not True}
        session.run(updates(), images_only)

    return unmoved(watch(build, images, act))


@mistake(
    "images-alike",
    "Every batch that you feed is one image, or the same image several times",
    "What does a batch norm layer give out for a batch whose images are all alike? What is left of "
    "`images` on the way to your feed?",
    see="an image in the place of a batch; a batch of zeros",
)
def images_alike(build, images):
    return unmoved(watch(build, images[:1], run_updates))


@mistake(
    "counts-operations",
    "You go by the list of update operations; a layer can be in it and stand still",
    "An operation that runs need not change anything. What do the values say before and after?",
    see="F62, taken as evidence",
)
def counts_operations(build, images):
    with tf.Graph().as_default():
        build(tf.placeholder(tf.float32, (None, images.shape[1])), tf.placeholder(tf.bool, ()))
        run_in = {op.name.split("/")[0] for op in updates()}
        return sorted({layer(v) for v in tf.global_variables() if is_moving(v)} - run_in)


@mistake(
    "looks-for-zeros",
    "You look for statistics that are zero; a layer stands still at its start, whatever that is",
    "Which two sets of values do you have to compare?",
    see="B28: the start is a convention",
)
def looks_for_zeros(build, images):
    watched = watch(build, images, run_updates)
    return sorted({layer(v) for v, _, after in watched if not after.any()})


@mistake(
    "those-that-move",
    "You return the layers that move; asked for are those that stand still",
    "Which way round is your comparison?",
    see="F56, the other way round",
)
def those_that_move(build, images):
    watched = watch(build, images, run_updates)
    return sorted({layer(v) for v, a, b in watched if not np.array_equal(a, b)})


@mistake(
    "all-variables",
    "You compare weights too; they stand still as long as no optimizer runs",
    "Which variables of a batch norm layer do the update operations change, and which do not?",
    see="F56; trainable against global variables",
)
def all_variables(build, images):
    return unmoved(watch(build, images, run_updates, of=lambda variable: True))


@mistake(
    "only-the-first",
    "You return the first layer that stands still; there can be more",
    "What does your loop do after it has found one?",
    see="F56",
)
def only_the_first(build, images):
    return unmoved(watch(build, images, run_updates))[:1]


@mistake(
    "finds-no-variables",
    "Your list is empty whatever the network",
    "Which variables does your function look at? Print their names, with all that belongs to them.",
    see="variable.name ends in :0; names of layers taken for granted",
)
def finds_no_variables(build, images):
    return unmoved(watch(build, images, run_updates, of=lambda v: v.name.endswith("moving_mean")))


@mistake(
    "by-heart",
    "Your answer fits the lesson's network, and does not look at the one it is given",
    "What does your function do with `build`?",
    see="the layer's name written down",
)
def by_heart(build, images):
    return ["bn1"]


@mistake(
    "names-of-variables",
    "You return the names of variables; asked for are the names of their layers",
    "Which part of `bn1/moving_mean` is the layer's name?",
    see="variable.name for the layer",
)
def names_of_variables(build, images):
    watched = watch(build, images, run_updates, of=lambda v: v.op.name.endswith("moving_mean"))
    return sorted(v.op.name for v, a, b in watched if np.array_equal(a, b))


@mistake(
    "each-layer-twice",
    "Each layer is in your list twice",
    "How many moving statistics has a layer, and how often should its name be in the list?",
    see="a layer has two statistics",
)
def each_layer_twice(build, images):
    return sorted(layer(v) for v, a, b in watch(build, images, run_updates) if np.array_equal(a, b))


@mistake(
    "not-sorted",
    "The names in your list are not in alphabetical order",
    "In which order does your function meet the layers, and which order does the text want?",
    see="the order in which the variables were made",
)
def not_sorted(build, images):
    watched = watch(build, images, run_updates)
    return list(dict.fromkeys(layer(v) for v, a, b in watched if np.array_equal(a, b)))


@mistake(
    "graph-that-is-there",
    "You build in the graph that is there: a second call meets the variables of the first",
    "In which graph are the variables when your function is done? What does it find there when it "
    "is called again?",
    see="F57; a graph for each network",
)
def graph_that_is_there(build, images):
    build(tf.constant(images, tf.float32), True)
    session = tf.Session()
    moving = [v for v in tf.global_variables() if is_moving(v)]
    session.run(tf.global_variables_initializer())
    before = session.run(moving)
    session.run(updates())
    return unmoved(zip(moving, before, session.run(moving), strict=True))


# ---------------------------------------------------------------- right, written otherwise


@variant("three steps with an optimizer")
def with_optimizer(build, images):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, (None, images.shape[1]))
        training = tf.placeholder(tf.bool, ())
        loss = tf.reduce_mean(build(x, training) ** 2)
        with tf.control_dependencies(updates()):
            step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        session.run(tf.global_variables_initializer())
        moving = [v for v in tf.global_variables() if v not in tf.trainable_variables()]
        before = session.run(moving)
        for _ in range(3):
            session.run(step, {x: images, training: True})
        after = session.run(moving)
    pairs = zip(moving, before, after, strict=True)
    return {layer(v) for v, a, b in pairs if np.allclose(a, b)}


@variant("training is the constant True")
def constant_true(build, images):
    with tf.Graph().as_default(), tf.Session() as session:
        build(tf.constant(images, tf.float32), True)
        moving = [v for v in tf.global_variables() if is_moving(v)]
        session.run(tf.global_variables_initializer())
        before = session.run(moving)
        session.run(updates())
        return unmoved(zip(moving, before, session.run(moving), strict=True))
