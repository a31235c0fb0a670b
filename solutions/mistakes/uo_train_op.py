"""Known answers to `uo-train-op`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def updates():
    return tf.get_collection(tf.GraphKeys.UPDATE_OPS)


#: Read outside of any function, before there is a layer.
READ_WHEN_THE_PAGE_WAS_RUN = updates()

NEVER = ("only-minimize", "made-before-the-block", "loss-in-the-block", "read-too-early")


def others(name):
    return tuple(other for other in NEVER if other != name)


@mistake(
    "only-minimize",
    "The weights move, but the moving statistics never do: nothing you return runs the updates",
    "Which ops does a run of your train op need? Was it made inside a block that waits for the "
    "updates, and from a collection that already held them?",
    see="F56; tensorflow/tensorflow#11965",
    same_as=others("only-minimize"),
)
def only_minimize(loss, optimizer):
    return optimizer.minimize(loss)


@mistake(
    "made-before-the-block",
    "The train op was made before the block, so it does not wait for the updates",
    "Which ops get the dependency: those named inside the block, or those made in it?",
    see="F58; tensorflow/models#1487",
    same_as=others("made-before-the-block"),
)
def made_before_the_block(loss, optimizer):
    step = optimizer.minimize(loss)
    with tf.control_dependencies(updates()):
        train_op = step
    return train_op


@mistake(
    "loss-in-the-block",
    "Only a copy of the loss waits for the updates, and the gradients do not need its value",
    "Does the gradient of `tf.identity(loss)` depend on what the loss is?",
    see="F59; tensorflow/tensorflow#9179",
    same_as=others("loss-in-the-block"),
)
def loss_in_the_block(loss, optimizer):
    with tf.control_dependencies(updates()):
        loss = tf.identity(loss)
    return optimizer.minimize(loss)


@mistake(
    "read-too-early",
    "The collection is read before the layers put anything into it",
    "What is in the collection at the moment your code reads it?",
    see="F57; ageron/handson-ml#56",
    same_as=others("read-too-early"),
)
def read_too_early(loss, optimizer):
    with tf.control_dependencies(READ_WHEN_THE_PAGE_WAS_RUN):
        return optimizer.minimize(loss)


@mistake(
    "only-updates",
    "The statistics move, but the weights never do: nothing you return trains",
    "What does `optimizer.minimize` return, and does a run of your op need it?",
    see="own",
)
def only_updates(loss, optimizer):
    return tf.group(*updates())


@mistake(
    "first-update-only",
    "Some of the updates run, and others do not",
    "How many ops does one batch norm put into the collection?",
    see="own",
)
def first_update_only(loss, optimizer):
    with tf.control_dependencies(updates()[:1]):
        return optimizer.minimize(loss)


@mistake(
    "last-two-only",
    "The updates of the last batch norm run, and those of the others do not",
    "How many ops are in the collection when a network has two batch norms?",
    see="own",
)
def last_two_only(loss, optimizer):
    with tf.control_dependencies(updates()[-2:]):
        return optimizer.minimize(loss)


@mistake(
    "chosen-by-name",
    "You pick the updates by the names of batch norm's ops and leave others behind",
    "The collection is meant for the updates of any layer. Do you have to know them?",
    see="own",
)
def chosen_by_name(loss, optimizer):
    chosen = [op for op in updates() if "AssignMovingAvg" in op.name or "cond" in op.name]
    with tf.control_dependencies(chosen):
        return optimizer.minimize(loss)


@mistake(
    "two-steps",
    "Each run moves the weights twice as far as one step of the optimizer does",
    "How many steps does a run make? Each call of `minimize` makes an op that changes the weights.",
    see="own",
)
def two_steps(loss, optimizer):
    first = optimizer.minimize(loss)
    with tf.control_dependencies([first, *updates()]):
        return optimizer.minimize(loss)


@mistake(
    "own-optimizer",
    "You train with an optimizer of your own, not with the one that you are given",
    "Which learning rate did the caller choose?",
    see="own",
)
def own_optimizer(loss, optimizer):
    with tf.control_dependencies(updates()):
        return tf.train.GradientDescentOptimizer(0.01).minimize(loss)


@mistake(
    "loss-updates",
    "The loss itself waits for the updates now, so looking at it moves the statistics",
    "Someone computes the loss on validation data. What should that change?",
    see="tensorflow/tensorflow#7577",
)
def loss_updates(loss, optimizer):
    loss.op._add_control_inputs(updates())
    with tf.control_dependencies([loss]):
        return optimizer.minimize(loss)


# ---------------------------------------------------------------- right, written otherwise


@variant("tf.group of the step and the updates")
def grouped(loss, optimizer):
    return tf.group(optimizer.minimize(loss), updates())


@variant("the updates wait for the step")
def updates_after(loss, optimizer):
    step = optimizer.minimize(loss)
    with tf.control_dependencies([step]):
        return tf.group(*updates())


@variant("a list of ops")
def listed(loss, optimizer):
    return [optimizer.minimize(loss), *updates()]


@variant("a list in a list")
def listed_whole(loss, optimizer):
    return [optimizer.minimize(loss), updates()]


@variant("gradients made inside the block")
def gradients_inside(loss, optimizer):
    with tf.control_dependencies(updates()):
        gradients = optimizer.compute_gradients(loss)
    return optimizer.apply_gradients(gradients)


@variant("apply_gradients inside the block")
def apply_inside(loss, optimizer):
    gradients = optimizer.compute_gradients(loss)
    with tf.control_dependencies(updates()):
        return optimizer.apply_gradients(gradients)


@variant("by the collection's string, nested groups")
def nested(loss, optimizer):
    together = tf.group(*(tf.group(op) for op in tf.get_collection("update_ops")))
    with tf.control_dependencies([together]):
        return optimizer.minimize(loss)


@variant("the loss, after the step and the updates")
def returns_the_loss(loss, optimizer):
    with tf.control_dependencies([optimizer.minimize(loss), *updates()]):
        return tf.identity(loss)


@variant("a dict of ops")
def named(loss, optimizer):
    return {"step": optimizer.minimize(loss), "updates": updates()}
