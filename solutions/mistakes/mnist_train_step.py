"""Known answers to `mnist-train-step`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or the public answers that were read for it.
"""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def updates():
    return tf.get_collection(tf.GraphKeys.UPDATE_OPS)


def descent(rate=0.01):
    return tf.train.GradientDescentOptimizer(rate)


@mistake(
    "no-updates",
    "Your step trains the weights, and nothing makes it run the update operations",
    "Which operations must run with every step besides the optimizer's, and where are they listed?",
    see="F56; public notebooks: UPDATE_OPS never used",
    same_as=("made-outside",),
)
def no_updates(loss):
    return descent().minimize(loss)


@mistake(
    "made-outside",
    "The operation you return was created outside the `with` block, so it waits for nothing",
    "Does `tf.control_dependencies` change operations that exist already, or those created in it?",
    see="F58",
    same_as=("no-updates",),
)
def made_outside(loss):
    train = descent().minimize(loss)
    with tf.control_dependencies(updates()):
        step = train
    return step


@mistake(
    "waits-elsewhere",
    "An operation in your graph waits for the updates, but your step does not need that operation",
    "Follow the step you return backwards, input by input: do you ever come past what was created "
    "in the `with` block?",
    see="F59",
)
def waits_elsewhere(loss):
    with tf.control_dependencies(updates()):
        loss = tf.identity(loss)
    return descent().minimize(loss)


@mistake(
    "some-updates",
    "Your step runs some of the update operations and leaves the others out",
    "How many update operations does one normalized layer have? And a network with two?",
    see="F56; a layer has two",
)
def some_updates(loss):
    with tf.control_dependencies(updates()[:1]):
        return descent().minimize(loss)


@mistake(
    "updates-only",
    "Your step updates the moving statistics and leaves the weights as they are",
    "Which operation changes the weights, and does the one you return run it?",
    see="F58, the other way round",
)
def updates_only(loss):
    train = descent().minimize(loss)
    with tf.control_dependencies([train]):
        step = updates()
    return step


@mistake(
    "loss-returned",
    "You return a tensor that needs neither the optimizer's operation nor the updates",
    "What does `session.run` do with operations that the fetched one does not need?",
    see="F58",
)
def loss_returned(loss):
    with tf.control_dependencies(updates()):
        descent().minimize(loss)
    return loss


@mistake(
    "ten-times",
    "The learning rate is 0.1; the text asks for 0.01",
    "What do you pass to the optimizer?",
    see="a slip of the decimal point",
)
def ten_times(loss):
    with tf.control_dependencies(updates()):
        return descent(0.1).minimize(loss)


@mistake(
    "a-tenth",
    "The learning rate is 0.001; the text asks for 0.01",
    "What do you pass to the optimizer?",
    see="a slip of the decimal point",
)
def a_tenth(loss):
    with tf.control_dependencies(updates()):
        return descent(0.001).minimize(loss)


@mistake(
    "two-momentums",
    "The optimizer has a momentum of 0.9; that number belongs to the moving averages",
    "Batch norm and optimizers both have something called momentum. Which one is 0.9 here, and "
    "what does the text say about the other?",
    see="B29, in the optimizer",
)
def two_momentums(loss):
    with tf.control_dependencies(updates()):
        return tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss)


@mistake(
    "adam",
    "Your optimizer is Adam; the text asks for plain gradient descent",
    "Which optimizer in `tf.train` subtracts learning rate times gradient, and nothing else?",
    see="the optimizer of most public notebooks",
)
def adam(loss):
    with tf.control_dependencies(updates()):
        return tf.train.AdamOptimizer(0.01).minimize(loss)


@mistake(
    "uphill",
    "Your step goes uphill: the loss rises",
    "What does `minimize` do with the sign of the gradient, and what do you do with it?",
    see="a sign too many",
)
def uphill(loss):
    with tf.control_dependencies(updates()):
        return descent().minimize(-loss)


# ---------------------------------------------------------------- right, written otherwise


@variant("tf.group of the step and the updates")
def grouped(loss):
    return tf.group(descent().minimize(loss), *updates())


@variant("a list of both")
def listed(loss):
    return [descent().minimize(loss), updates()]


@variant("the updates grouped after the step")
def grouped_after(loss):
    with tf.control_dependencies([descent().minimize(loss)]):
        return tf.group(*updates())


@variant("apply_gradients inside the block")
def applied(loss):
    optimizer = descent()
    pairs = optimizer.compute_gradients(loss)
    with tf.control_dependencies(updates()):
        return optimizer.apply_gradients(pairs)


@variant("the loss, after everything")
def loss_after_everything(loss):
    with tf.control_dependencies([descent().minimize(loss), *updates()]):
        return tf.identity(loss)


@variant("by hand, with tf.gradients and assign_sub")
def by_hand(loss):
    weights = tf.trainable_variables()
    gradients = tf.gradients(loss, weights)
    with tf.control_dependencies(updates()):
        pairs = zip(weights, gradients, strict=True)
        return tf.group(*(w.assign_sub(0.01 * g) for w, g in pairs))


@variant("the collection of the loss's own graph, and a global step")
def from_its_graph(loss):
    count = tf.train.get_or_create_global_step()
    with tf.control_dependencies(loss.graph.get_collection("update_ops")):
        return descent().minimize(loss, global_step=count)


@variant("momentum 0 is plain gradient descent")
def momentum_zero(loss):
    with tf.control_dependencies(updates()):
        return tf.train.MomentumOptimizer(0.01, 0.0).minimize(loss)


@variant("a dict of ops")
def named(loss):
    return {"step": descent().minimize(loss), "updates": updates()}
