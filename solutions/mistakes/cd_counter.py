"""Known answers to `cd-counter`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def counter():
    return tf.Variable(0, name="count", trainable=False)


@mistake(
    "no-path",
    "Fetching `out` runs nothing that changes `count`",
    "Which operation stores the new count? Does an arrow lead from it to `out`, and in which line "
    "is `out` made?",
    see="F58, F60",
)
def no_path(y):
    count = counter()
    out = 2 * y
    with tf.control_dependencies([tf.assign_add(count, 1)]):
        return out, count


@mistake(
    "sum-for-count",
    "What you return as `count` is the tensor `count + 1`, and nothing puts that back into the "
    "variable",
    "Which operation writes into a variable? What does `count = count + 1` make, and when?",
    see="F60",
)
def sum_for_count(y):
    count = counter()
    count = count + 1
    return 2 * y, count


@mistake(
    "swapped",
    "The two have changed places in what you return",
    "Which of the two does the text call `out`, and does it come first?",
    see="near miss",
)
def swapped(y):
    count = counter()
    with tf.control_dependencies([count.assign_add(1)]):
        return count, 2 * y


@mistake(
    "stays-at-one",
    "`count` is set to 1 in every run",
    "What should the third run of `out` do to a `count` of 2?",
    see="B19, for a counter",
)
def stays_at_one(y):
    count = counter()
    with tf.control_dependencies([tf.assign(count, 1)]):
        return 2 * y, count


@mistake(
    "counts-itself",
    "What you return as `count` adds 1 whenever it is fetched",
    "Which operation stands behind the `count` that you return: the variable, or the addition?",
    see="F66",
)
def counts_itself(y):
    count = tf.assign_add(counter(), 1)
    with tf.control_dependencies([count]):
        return 2 * y, count


@mistake(
    "counts-twice",
    "Every run of `out` adds 2",
    "How many operations that add to `count` lead to `out`?",
    see="F66",
)
def counts_twice(y):
    count = counter()
    with (
        tf.control_dependencies([count.assign_add(1)]),
        tf.control_dependencies([count.assign_add(1)]),
    ):
        return 2 * y, count


@mistake(
    "trainable",
    "`count` is listed among the trainable variables",
    "Who reads `tf.trainable_variables()`, and what would it do with a counter?",
    see="public answers: trainable population statistics",
)
def trainable(y):
    count = tf.Variable(0.0, name="count")
    with tf.control_dependencies([count.assign_add(1.0)]):
        return 2 * y, count


@mistake(
    "starts-at-one",
    "`count` is 1 before anything has run",
    "How many runs have there been when the variable is initialized?",
    see="near miss",
)
def starts_at_one(y):
    count = tf.Variable(1, trainable=False)
    with tf.control_dependencies([count.assign_add(1)]):
        return 2 * y, count


@mistake(
    "output-not-doubled",
    "`out` is `y` and not 2·y",
    "Which operation makes the product?",
    see="near miss",
)
def output_not_doubled(y):
    count = counter()
    with tf.control_dependencies([count.assign_add(1)]):
        return tf.identity(y), count


# ---------------------------------------------------------------- right, written otherwise


@variant("tf.get_variable, floats")
def with_get_variable(y):
    count = tf.get_variable("count", (), initializer=tf.zeros_initializer(), trainable=False)
    with tf.control_dependencies([tf.assign_add(count, 1.0)]):
        out = tf.add(y, y)
    return out, count


@variant("assign of the sum")
def assign_of_sum(y):
    count = tf.Variable(0, trainable=False, dtype=tf.int64)
    with tf.control_dependencies([tf.assign(count, count + 1)]):
        return tf.multiply(y, 2.0), count


@variant("the product first, then its identity")
def identity_afterwards(y):
    count = counter()
    out = 2 * y
    with tf.control_dependencies([count.assign_add(1)]):
        out = tf.identity(out)
    return [out, count]


@variant("a read of the variable made outside")
def outside_read(y):
    count = counter()
    shown = count.read_value()
    with tf.control_dependencies([tf.group(count.assign_add(1))]):
        return 2 * y, shown


@variant("global step")
def global_step(y):
    step = tf.train.get_or_create_global_step()
    with tf.control_dependencies([tf.assign_add(step, 1)]):
        return y * 2, step


@variant("a reference variable")
def reference_variable(y):
    count = tf.Variable(0, trainable=False, use_resource=False)
    with tf.control_dependencies([tf.assign_add(count, 1)]):
        return 2 * y, count


@variant("a local variable")
def local_variable(y):
    count = tf.Variable(0, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES])
    return tf.tuple([2 * y], control_inputs=[tf.assign_add(count, 1).op])[0], count
