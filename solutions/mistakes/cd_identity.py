"""Known answers to `cd-identity`: wrong ones with their questions, and right ones."""

from tensorflow.python.ops import control_flow_ops

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


@mistake(
    "same-tensor",
    "Your result does not wait for `update`, which never runs",
    "Which operation did you make inside the block? Was what you return made before it?",
    see="F58; tensorflow/tensorflow#16766",
)
def same_tensor(update, y):
    with tf.control_dependencies([update]):
        out = y
    return out


@mistake(
    "floats-only",
    "Multiplying by 1.0 makes a new operation, but only for floats",
    "Which operation passes on a tensor of any type, as it is?",
    see="tensorflow/tensorflow#16766",
)
def floats_only(update, y):
    with tf.control_dependencies([update]):
        return y * 1.0


@mistake(
    "one-type",
    "Your result is of type float32, whatever `y` is",
    "Which operation passes on a tensor of any type, as it is?",
    see="near miss",
)
def one_type(update, y):
    with tf.control_dependencies([update]):
        return tf.cast(tf.identity(y), tf.float32)


@mistake(
    "y-itself",
    "You make the old `y` wait for `update`, so everybody who fetches `y` runs it",
    "Somebody else fetches `y` as well, to evaluate. What happens then?",
    see="F61, in its effect",
)
def y_itself(update, y):
    y.op._add_control_input(update)
    return y


# ---------------------------------------------------------------- right, written otherwise


@variant("tf.identity")
def by_identity(update, y):
    with tf.control_dependencies([update]):
        return tf.identity(y, name="y_after")


@variant("plus zero")
def plus_zero(update, y):
    with tf.control_dependencies([update]):
        return y + 0


@variant("with_dependencies")
def with_dependencies(update, y):
    return control_flow_ops.with_dependencies([update], y)


@variant("tf.tuple")
def by_tuple(update, y):
    return tf.tuple([y], control_inputs=[update])[0]


@variant("tf.group around it")
def by_group(update, y):
    with tf.control_dependencies([tf.group(update, y)]):
        return tf.identity(y)


@variant("a cond")
def by_cond(update, y):
    with tf.control_dependencies([update]):
        always = tf.constant(True)
    return tf.cond(always, lambda: tf.identity(y), lambda: tf.identity(y))


@variant("tf.reshape")
def by_reshape(update, y):
    with tf.control_dependencies([update]):
        return tf.reshape(y, tf.shape(y))
