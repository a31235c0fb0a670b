"""Known answers to `clinic-8`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.authoring.edits import edited


def program(*changes):
    return edited("11_clinic", "program_8", *changes)


def mended(*changes):
    return edited("11_clinic", "mended_8", *changes)


mistake(
    "not-mended",
    "All that the check sees of the program is as it was when it came",
    "Which of its lines does what your diagnosis says? If there is none, is it the right one?",
    see="F61, B32; princeton-vl/pytorch_stacked_hourglass#44",
)(("leaky", program()))

mistake(
    "taken-for-borrowed",
    (
        "A batch asked about now changes what is said later, so it is not only its own batch "
        "that a prediction uses"
    ),
    "What does `after others` show?",
    see="C33",
)(("borrowed", program()))

mistake(
    "taken-for-noisy",
    "The answers change, but nothing in this program is drawn at random",
    "In which direction do the answers change from question to question?",
    see="H77",
)(("noisy", program()))

mistake(
    "mended-but-misnamed",
    "Prediction did more than look at its batch in the program as it came",
    "What does `after others` show of it?",
    see="C33",
)(("borrowed", mended()))

mistake(
    "no-updates",
    "Now nothing moves the statistics, training neither",
    "What must a training step wait for?",
    see="F56",
)(
    (
        "leaky",
        mended(("tf.control_dependencies([new_mean, new_var])", "tf.control_dependencies([])")),
    )
)

mistake(
    "predicts-with-the-batch",
    "The statistics are left alone, and prediction uses its own batch instead",
    "What does it answer to a single digit?",
    see="C33",
)(("leaky", program(("lambda: (new_mean + 0, new_var + 0)", "lambda: (mean, var)"))))

mistake(
    "forgets",
    (
        "Prediction moves nothing now, but the weights of the old and the new value have "
        "changed places"
    ),
    "Which of the two numbers belongs to the old mean?",
    see="B18",
)(
    (
        "leaky",
        mended(
            ("0.9 * moving_mean + 0.1 * mean", "0.1 * moving_mean + 0.9 * mean"),
            ("0.9 * moving_var + 0.1 * var", "0.1 * moving_var + 0.9 * var"),
        ),
    )
)

variant("tf.layers does it all")(
    (
        "leaky",
        program(
            (
                "tf.nn.batch_normalization(h, *used, beta, gamma, 1e-3)",
                "tf.layers.batch_normalization(h, momentum=0.9, training=training)",
            ),
            (
                "tf.control_dependencies([new_mean, new_var])",
                "tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS))",
            ),
        ),
    )
)

variant("the assignments inside the branch")(
    (
        "leaky",
        program(
            (
                """    new_mean = moving_mean.assign(0.9 * moving_mean + 0.1 * mean)
    new_var = moving_var.assign(0.9 * moving_var + 0.1 * var)
    used = tf.cond(training, lambda: (mean, var), lambda: (new_mean + 0, new_var + 0))
""",
                """
    def in_training():
        new_mean = moving_mean.assign(0.9 * moving_mean + 0.1 * mean)
        new_var = moving_var.assign(0.9 * moving_var + 0.1 * var)
        with tf.control_dependencies([new_mean, new_var]):
            return tf.identity(mean), tf.identity(var)

    used = tf.cond(training, in_training, lambda: (moving_mean + 0, moving_var + 0))
""",
            ),
            (
                """    with tf.control_dependencies([new_mean, new_var]):
        step = tf""",
                """    with tf.control_dependencies([]):
        step = tf""",
            ),
        ),
    )
)
