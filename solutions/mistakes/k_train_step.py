"""Known answers to `k-train-step`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or an issue in which it was reported.
"""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf2 import keras, tf

mean_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@mistake(
    "training-forgotten",
    "The model is called in inference mode: it normalizes with the moving statistics, and leaves "
    "them as they are",
    "What does a bare `model(images)` take itself for: training or prediction?",
    see="G69; tensorflow/tensorflow#32864",
)
def training_forgotten(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@mistake(
    "not-logits",
    "The loss takes the logits for probabilities",
    "What does the network give out at its end, and how is the loss told?",
    see="the default of Keras's losses is from_logits=False",
)
def not_logits(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy()(labels, model(images, training=True))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@mistake(
    "sum",
    "The loss is the sum over the batch and not the mean, so the step grows with the batch",
    "How large is your loss for a batch twice the size? How large should it be?",
    see="A tf.reduce_sum in place of tf.reduce_mean",
)
def summed(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_sum(errors)
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@mistake(
    "summed-gradient",
    "The loss that you return is the mean, but the gradient is that of the sum: the step grows "
    "with the batch",
    "What did the tape see last: one number, or one per image? What is the gradient of many?",
    see="tape.gradient of a vector is the gradient of its sum",
)
def summed_gradient(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(errors, variables), variables)
    return tf.reduce_mean(errors)


@mistake(
    "loss-per-image",
    "You return one loss per image, and the gradient is that of their sum",
    "How many numbers does the text want back? And what does the step do with a batch twice the "
    "size?",
    see="keras.losses.sparse_categorical_crossentropy, in small letters",
)
def loss_per_image(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@mistake(
    "outside-the-tape",
    "No gradient reaches a weight: the tape has not seen the way from the weights to the loss",
    "Which of your lines stand inside the `with` block? And does one of them turn a tensor into "
    "a NumPy array?",
    see="G, a loss after the with block; model.predict inside it",
)
def outside_the_tape(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
    loss = mean_loss(labels, logits)
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@mistake(
    "all-weights-applied",
    "The optimizer is handed variables that are not to be trained: moving statistics, or what is "
    "frozen",
    "Which of the model's lists of variables have you taken: all of them, or those to be trained?",
    see="keras-team/keras#6752: var_list=model.weights",
)
def all_weights_applied(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    optimizer.apply_gradients(zip(tape.gradient(loss, model.weights), model.weights, strict=True))
    return loss


@mistake(
    "labels-and-logits",
    "The loss takes your logits for the labels",
    "Which of the two does a Keras loss want first? And `tf.nn`'s?",
    see="the order of y_true and y_pred",
)
def labels_and_logits(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(model(images, training=True), labels)
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@mistake(
    "own-optimizer",
    "Each call makes an optimizer of its own, which forgets its momentum, and which "
    "`tf.function` does not allow",
    "What is the argument `optimizer` for?",
    see="an argument overwritten on the first line",
)
def own_optimizer(model, optimizer, images, labels):
    optimizer = keras.optimizers.SGD(0.01)
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@mistake(
    "compiled-inside",
    "Outside `tf.function` the step is right; inside, it makes new variables at every call",
    "What does `compile` make, and how often should that happen?",
    see="train_on_batch in a step of one's own",
)
def compiled_inside(model, optimizer, images, labels):
    model.compile(optimizer=optimizer, loss=mean_loss)
    return model.train_on_batch(images, labels)


@mistake(
    "twice-after",
    "The loss that you return comes from a second call in training mode: it is another loss, and "
    "the statistics move twice",
    "How often do you call `model(…, training=True)` for one batch? Each call is an update.",
    see="a second forward pass for the report",
)
def twice_after(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return mean_loss(labels, model(images, training=True))


@mistake(
    "twice",
    "The model is called twice in training mode, and the moving statistics move twice per step",
    "How often do you call `model(…, training=True)` for one batch? Each call is an update.",
    see="in Keras the call itself is the update",
)
def twice(model, optimizer, images, labels):
    model(images, training=True)
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@mistake(
    "never-applied",
    "The gradients are computed, and nobody applies them",
    "Which line of yours changes a weight?",
    see="F58, in eager mode",
)
def never_applied(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    tape.gradient(loss, model.trainable_variables)
    return loss


@mistake(
    "all-weights",
    "The step also trains what is frozen",
    "Which of the model's lists of variables have you taken: all of them, or those to be trained?",
    see="keras-team/keras#6752: var_list=model.weights",
)
def all_weights(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    gradients = tape.gradient(loss, model.weights)
    for gradient, variable in zip(gradients, model.weights, strict=True):
        if gradient is not None and not variable.trainable:
            variable.assign_sub(optimizer.learning_rate * gradient)
    pairs = [(g, v) for g, v in zip(gradients, model.weights, strict=True) if v.trainable]
    optimizer.apply([g for g, _ in pairs], [v for _, v in pairs])
    return loss


@mistake(
    "by-hand",
    "The step is plain gradient descent; the optimizer that you are given has a momentum",
    "Who decides how a gradient becomes a step, you or `optimizer`?",
    see="a loop with assign_sub",
)
def by_hand(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    variables = model.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(optimizer.learning_rate * gradient)
    return loss


@mistake(
    "kernels-only",
    "Only the kernels are trained; γ, β and the bias stay as they are",
    "Which variables of a normalized layer does the optimizer have to touch?",
    see="G70, overdone",
)
def kernels_only(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    kernels = [v for v in model.trainable_variables if v.path.endswith("kernel")]
    for variable, gradient in zip(kernels, tape.gradient(loss, kernels), strict=True):
        old = next(o for o in optimizer.variables if _is_velocity_of(o, variable))
        old.assign(optimizer.momentum * old - optimizer.learning_rate * gradient)
        variable.assign_add(old)
    return loss


def _is_velocity_of(slot, variable):
    return slot.path.endswith(variable.path.replace("/", "_") + "_momentum")


@mistake(
    "two-modes",
    "The gradient is that of inference mode, though the statistics move",
    "The call inside the tape is the one that the gradient goes through. Which mode is it in?",
    see="G69, patched with a second call",
)
def two_modes(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=False))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    model(images, training=True)
    return loss


@mistake(
    "clipped",
    "The gradients are clipped, so the step is another one wherever they are large",
    "A step of one's own may clip. Does the text want that of this one?",
    see="a gradient is to be clipped, says the text of steps in general",
)
def clipped(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    variables = model.trainable_variables
    gradients = [tf.clip_by_value(g, -1.0, 1.0) for g in tape.gradient(loss, variables)]
    optimizer.apply(gradients, variables)
    return loss


@mistake(
    "thawed",
    "The step sets every batch norm free, also one that is frozen",
    "Who froze the layer, and why should a step know better?",
    see="trainable = True, to be sure that the statistics move",
)
def thawed(model, optimizer, images, labels):
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = True
    return training_step(model, optimizer, images, labels)


@mistake(
    "loss-later",
    "The loss that you return is that of another call, after the step",
    "Which loss is the gradient made from, and which one do you return?",
    see="a second forward pass for the report",
)
def loss_later(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return mean_loss(labels, model(images, training=False))


@mistake(
    "nothing-back",
    "The step is right, and you return nothing",
    "What does the text want back?",
    see="a missing return",
)
def nothing_back(model, optimizer, images, labels):
    training_step(model, optimizer, images, labels)


@mistake(
    "numpy-inside",
    "`.numpy()` asks for a value, and inside `tf.function` a tensor has none while it is traced",
    "What can you return that is a number in eager mode and a tensor in a compiled step?",
    see="lesson 04: building and running",
)
def numpy_inside(model, optimizer, images, labels):
    return training_step(model, optimizer, images, labels).numpy()


@mistake(
    "float-inside",
    "`float(…)` asks for a value, and inside `tf.function` a tensor has none while it is traced",
    "What can you return that is a number in eager mode and a tensor in a compiled step?",
    see="lesson 04: building and running",
)
def float_inside(model, optimizer, images, labels):
    return float(training_step(model, optimizer, images, labels))


@variant("the lesson's")
def training_step(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        loss = mean_loss(labels, model(images, training=True))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


@variant("apply_gradients with pairs")
def with_pairs(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_mean(errors)
    gradients = tape.gradient(loss, model.trainable_weights)
    optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
    return loss


@variant("watching the variables by hand")
def watched(model, optimizer, images, labels):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([v.value for v in model.trainable_variables])
        loss = mean_loss(labels, model(images, training=True))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
    return tf.identity(loss)


@variant("a log-softmax of one's own")
def own_loss(model, optimizer, images, labels):
    with tf.GradientTape() as tape:
        log_p = tf.nn.log_softmax(model(images, training=True))
        hot = tf.one_hot(labels, log_p.shape[-1])
        loss = -tf.reduce_mean(tf.reduce_sum(hot * log_p, axis=1))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss
