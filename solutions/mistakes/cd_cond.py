"""Known answers to `cd-cond`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def grown(x, largest):
    return tf.assign(largest, tf.maximum(largest, tf.reduce_max(x)))


@mistake(
    "assigned-outside",
    "Prediction runs the assignment too",
    "When is `tf.assign` called: while one of `tf.cond`'s functions runs, or before?",
    see="F61; tensorflow/tensorflow#2062",
)
def assigned_outside(x, largest, training):
    new = grown(x, largest)
    return x / tf.cond(training, lambda: tf.identity(new), lambda: largest.read_value())


@mistake(
    "never-reached",
    "Nothing is ever assigned, in training neither",
    "Which operation assigns, and does an arrow lead from it to what you return? Who chooses: "
    "Python while it builds the graph, or `tf.cond` in each run?",
    see="F58; F68, with `is True`",
)
def never_reached(x, largest, training):
    tf.cond(training, lambda: grown(x, largest), lambda: largest.read_value())
    return x / largest


@mistake(
    "if-in-python",
    "Python is to choose (by `if`, `and` or `max`), but no tensor has a value while you build",
    "When does Python run this line, and when does `training` get a value? Which operation chooses "
    "in a run?",
    see="F68",
)
def if_in_python(x, largest, training):
    if training:
        return x / grown(x, largest)
    return x / largest


@mistake(
    "branches-swapped",
    "Prediction updates and training does not",
    "Which of the two functions does `tf.cond` call when `training` is true?",
    see="F61, swapped",
)
def branches_swapped(x, largest, training):
    return x / tf.cond(training, lambda: largest.read_value(), lambda: grown(x, largest))


@mistake(
    "old-value",
    "Training divides by the number that was there before the update",
    "Where is the `largest` read that you divide by, and does that read wait?",
    see="F58",
)
def old_value(x, largest, training):
    y = x / largest
    update = tf.cond(training, lambda: grown(x, largest), lambda: largest.read_value())
    with tf.control_dependencies([update]):
        return tf.identity(y)


@mistake(
    "last-batch",
    "The largest number of the last batch replaces what was there, even if it is smaller",
    "What should a batch of small numbers do to `largest`?",
    see="B19",
)
def last_batch(x, largest, training):
    def train():
        return tf.assign(largest, tf.reduce_max(x))

    return x / tf.cond(training, train, lambda: largest.read_value())


@mistake(
    "batch-largest",
    "Training divides by the largest number of the batch; `largest` may be larger",
    "By what should a batch of small numbers be divided?",
    see="A16, the other way round",
)
def batch_largest(x, largest, training):
    def train():
        with tf.control_dependencies([grown(x, largest)]):
            return tf.reduce_max(x)

    return x / tf.cond(training, train, lambda: largest.read_value())


@mistake(
    "batch-in-prediction",
    "Prediction takes the batch's largest number into account",
    "What does prediction divide by if a number larger than all before comes along?",
    see="C33, for a maximum",
)
def batch_in_prediction(x, largest, training):
    def predict():
        return tf.maximum(largest, tf.reduce_max(x))

    return x / tf.cond(training, lambda: grown(x, largest), predict)


@mistake(
    "not-stored",
    "The new largest number is used, and not stored",
    "What is `session.run(largest)` after a step of training?",
    see="F60",
)
def not_stored(x, largest, training):
    def train():
        return tf.maximum(largest, tf.reduce_max(x))

    return x / tf.cond(training, train, lambda: largest.read_value())


@mistake(
    "along-one-axis",
    "You look for the largest number along one axis of `x`, and `x` may have several",
    "What does `tf.reduce_max(x, axis=0)` give for a matrix, and can `largest` hold it?",
    see="near miss",
)
def along_one_axis(x, largest, training):
    def train():
        return tf.assign(largest, tf.maximum(largest, tf.reduce_max(x, axis=0)))

    return x / tf.cond(training, train, lambda: largest.read_value())


@mistake(
    "not-divided",
    "You return `largest`, or `x`, and not their quotient",
    "What should the largest number of a batch come out as, right after it was seen?",
    see="near miss",
)
def not_divided(x, largest, training):
    update = tf.cond(training, lambda: grown(x, largest), lambda: largest.read_value())
    with tf.control_dependencies([update]):
        return tf.identity(x)


# ---------------------------------------------------------------- right, written otherwise


@variant("control dependencies in the branch")
def dependencies_in_branch(x, largest, training):
    def train():
        with tf.control_dependencies([grown(x, largest)]):
            return x / largest

    return tf.cond(training, train, lambda: x / largest)


@variant("the dependency on the whole cond")
def dependency_on_cond(x, largest, training):
    update = tf.cond(training, lambda: grown(x, largest), lambda: largest.read_value())
    with tf.control_dependencies([update]):
        return tf.divide(x, largest)


@variant("a cond of groups")
def cond_of_groups(x, largest, training):
    update = tf.cond(training, lambda: tf.group(grown(x, largest)), lambda: tf.no_op())
    with tf.control_dependencies([update]):
        return x / largest.read_value()


@variant("the old value stored again")
def old_value_stored(x, largest, training):
    most = tf.maximum(largest, tf.reduce_max(x))
    return x / tf.assign(largest, tf.where(training, most, largest))


@variant("assign of a cond")
def assign_of_cond(x, largest, training):
    most = tf.cond(
        training, lambda: tf.maximum(largest, tf.reduce_max(x)), lambda: tf.identity(largest)
    )
    with tf.control_dependencies([largest.assign(most)]):
        return x / tf.identity(largest)


@variant("the maximum outside, the assignment inside")
def maximum_outside(x, largest, training):
    most = tf.maximum(largest, tf.reduce_max(x))
    return x / tf.cond(training, lambda: tf.assign(largest, most), lambda: tf.identity(largest))
