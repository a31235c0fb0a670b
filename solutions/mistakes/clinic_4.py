"""Known answers to `clinic-4`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.authoring.edits import edited


def program(*changes):
    return edited("11_clinic", "program_4", *changes)


def mended(*changes):
    return edited("11_clinic", "mended_4", *changes)


mistake(
    "not-mended",
    "All that the check sees of the program is as it was when it came",
    "Which of its lines does what your diagnosis says? If there is none, is it the right one?",
    see="F62; arahusky/Tensorflow-Segmentation#15",
)(("borrowed", program()))

mistake(
    "taken-for-still",
    "The statistics do move in this program; prediction does not look at them",
    "What does `assignments` say of the two moving averages?",
    see="B21",
)(("still", program()))

mistake(
    "taken-for-noisy",
    "Asked twice, this program answers the same: nothing is drawn",
    "What does a digit's answer depend on: on chance, or on its neighbours?",
    see="H77",
)(("noisy", program()))

mistake(
    "mended-but-misnamed",
    "Prediction moved nothing in the program as it came",
    "What does `after others` show of it?",
    see="B32",
)(("leaky", mended()))

mistake(
    "never-fed",
    "Now training does not normalize either, and nothing moves",
    "What makes a step use its batch: which value has `training` in it, and who gives it?",
    see="public notebooks: flag not fed at train; F62",
)(("borrowed", mended((", training: True})[0]", "})[0]"))))

mistake(
    "updates-left-behind",
    "Prediction uses the moving statistics, and no step moves them any more",
    "Which list must the step wait for?",
    see="F56",
)(("borrowed", mended(("tf.get_collection(tf.GraphKeys.UPDATE_OPS)", "[]"))))

mistake(
    "fed-when-predicting",
    "The flag is true when predicting, and only then",
    "Which of the two functions is the one that trains?",
    see="public notebooks: eval fed True",
)(
    (
        "borrowed",
        mended(
            (", training: True})[0]", "})[0]"),
            (
                "return session.run(logits, {x: images})",
                "return session.run(logits, {x: images, training: True})",
            ),
        ),
    )
)

variant("two towers that share their variables")(
    (
        "borrowed",
        program(
            (
                """    h = tf.layers.dense(x, hidden, use_bias=False)
    h = tf.layers.batch_normalization(h, momentum=0.9, training=True)
    logits = tf.layers.dense(tf.nn.relu(h), classes)
""",
                """    def tower(training):
        with tf.variable_scope("net", reuse=tf.AUTO_REUSE):
            h = tf.layers.dense(x, hidden, use_bias=False, name="a")
            h = tf.layers.batch_normalization(h, momentum=0.9, training=training, name="b")
            return tf.layers.dense(tf.nn.relu(h), classes, name="c")

    logits, predicted = tower(True), tower(False)
""",
            ),
            (
                "return session.run(logits, {x: images})",
                "return session.run(predicted, {x: images})",
            ),
        ),
    )
)

variant("the flag is fed in both functions")(
    (
        "borrowed",
        mended(
            (
                "return session.run(logits, {x: images})",
                "return session.run(logits, {x: images, training: False})",
            )
        ),
    )
)

mistake(
    "slow",
    "The statistics now follow much more slowly than they were meant to",
    "What was the weight of the old value when the program came, and what is it now?",
    see="B30",
)(("borrowed", mended(("momentum=0.9, ", ""))))

mistake(
    "one-by-one",
    "Asked one by one, each image is its own mean: all get the same answer",
    "What is x minus its mean, in a batch of one?",
    see="A17",
)(
    (
        "borrowed",
        program(
            (
                "return session.run(logits, {x: images})",
                "return np.concatenate([session.run(logits, {x: [one]}) for one in images])",
            )
        ),
    )
)
