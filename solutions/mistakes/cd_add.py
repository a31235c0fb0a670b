"""Known answers to `cd-add`: wrong ones with their questions, and right ones."""

from tensorflow.python.ops import control_flow_ops

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


@mistake(
    "no-path",
    "Fetching your result runs no assignment: `x` stays as it is",
    "Draw the graph. Which arrow leads from the assignment to what you return? Where is the sum "
    "made?",
    see="F58",
)
def no_path(x, y, new):
    tf.assign(x, new)
    return x + y


@mistake(
    "old-value",
    "The assignment runs, but `x` is read without waiting for it",
    "Which operation reads `x`, and was that one made inside the block?",
    see="F58; tensorflow/tensorflow#17887",
)
def old_value(x, y, new):
    add = x + y
    with tf.control_dependencies([tf.assign(x, new)]):
        return tf.identity(add)


@mistake(
    "not-assigned",
    "The sum is right, but `x` keeps its old value",
    "What is `session.run(x)` after a run? Which operation would have changed it?",
    see="F60",
)
def not_assigned(x, y, new):
    with tf.control_dependencies([new]):
        return new + y


@mistake(
    "added-on",
    "`new` is added to `x`; it should take its place",
    "What is the difference between `tf.assign_add` and `tf.assign`?",
    see="near miss of the notes' example",
)
def added_on(x, y, new):
    with tf.control_dependencies([tf.assign_add(x, new)]):
        return x + y


@mistake(
    "y-assigned",
    "`x` gets `y` in place of `new`",
    "In which order does `add_after` get its three arguments?",
    see="own",
)
def y_assigned(x, y, new):
    with tf.control_dependencies([tf.assign(x, y)]):
        return x + new


@mistake(
    "only-assigned",
    "You return the new `x`, and not the sum",
    "What is the value of `tf.assign(x, new)`? Where does `y` come in?",
    see="near miss of the notes' example",
)
def only_assigned(x, y, new):
    add = x + y
    with tf.control_dependencies([add]):
        return tf.assign(x, new)


@mistake(
    "y-added-to-x",
    "The sum itself is assigned to `x`",
    "What should `x` be after a run: `new`, or `new + y`?",
    see="near miss of the notes' example",
)
def y_added_to_x(x, y, new):
    return tf.assign(x, new + y)


# ---------------------------------------------------------------- right, written otherwise


@variant("tf.add inside the block")
def inside(x, y, new):
    update = x.assign(new)
    with tf.control_dependencies([update]):
        add = tf.add(x, y)
    return add


@variant("the value of the assignment")
def by_data(x, y, new):
    return tf.assign(x, new) + y


@variant("read_value inside, the sum outside")
def read_inside(x, y, new):
    with tf.control_dependencies([x.assign(new, read_value=False)]):
        now = x.read_value()
    return now + y


@variant("identity of the variable")
def identity_of_variable(x, y, new):
    with tf.control_dependencies([tf.group(tf.assign(x, new))]):
        return tf.identity(x) + y


@variant("the graph's own method")
def graph_method(x, y, new):
    with tf.get_default_graph().control_dependencies([tf.assign(x, new).op]):
        return y + x


@variant("tf.tuple")
def by_tuple(x, y, new):
    now, y = tf.tuple([tf.assign(x, new), y])
    return now + y


@variant("with_dependencies around a read made after")
def with_dependencies(x, y, new):
    update = tf.assign(x, new)
    with tf.control_dependencies([update]):
        add = x + y
    return control_flow_ops.with_dependencies([update], add)
