"""Known answers to `clinic-1`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.authoring.edits import edited


def program(*changes):
    return edited("11_clinic", "program_1", *changes)


def mended(*changes):
    return edited("11_clinic", "mended_1", *changes)


mistake(
    "not-mended",
    "All that the check sees of the program is as it was when it came",
    "Which of its lines does what your diagnosis says? If there is none, is it the right one?",
    see="F56; pkmital/tensorflow_tutorials#8",
)(("still", program()))

mistake(
    "taken-for-borrowed",
    "You say that prediction uses its batch; asked one by one, this program says the same",
    "What does the instrument `one at a time` show?",
    see="C33",
)(("borrowed", program()))

mistake(
    "taken-for-forgetful",
    (
        "You say that the statistics follow the newest batch; in this program no batch "
        "changes any prediction"
    ),
    "What does `without learning` show, and what would it show if they followed a batch?",
    see="B18",
)(("forgetful", program()))

mistake(
    "mended-but-misnamed",
    "Nothing was lost on the way: the statistics never moved",
    "Is there a way from training to prediction on which something could get lost?",
    see="F67",
)(("lost", mended()))

mistake(
    "mean-only",
    "Now the mean moves, and the variance does not",
    "How many statistics does the update have to average?",
    see="B22",
)(
    (
        "still",
        mended(
            ("ema.apply([mean, var])", "ema.apply([mean])"),
            (
                "lambda: (ema.average(mean), ema.average(var))",
                "lambda: (ema.average(mean), tf.ones([hidden]))",
            ),
        ),
    )
)

mistake(
    "updates-when-predicting",
    "Now a prediction moves the statistics too",
    "What does a prediction need in your graph? Is the update among it?",
    see="B32, F61",
)(
    (
        "still",
        mended(
            (
                "return session.run(logits, {x: images})",
                # In one run it would be left to chance which of the two comes first.
                "return [session.run(one, {x: images}) for one in (logits, update)][0]",
            )
        ),
    )
)

mistake(
    "predicts-with-the-batch",
    "You had prediction use the batch: its neighbours now decide what a digit is",
    "What is the mean of a batch of one?",
    see="C33",
)(("still", program(("lambda: (ema.average(mean), ema.average(var))", "lambda: (mean, var)"))))

variant("update and step in one group")(
    (
        "still",
        program(
            ("    ema.apply([mean", "    update = ema.apply([mean"),
            (
                """    step = tf.train.GradientDescentOptimizer(speed).minimize(loss)
""",
                """    step = tf.train.GradientDescentOptimizer(speed).minimize(loss)
    step = tf.group(step, update)
""",
            ),
        ),
    )
)

variant("the update is fetched with the step")(
    (
        "Still",
        program(
            ("    ema.apply([mean", "    update = ema.apply([mean"),
            ("session.run([logits, step],", "session.run([logits, step, update],"),
        ),
    )
)

mistake(
    "slow",
    "The statistics now follow much more slowly than they were meant to",
    "What was the weight of the old value when the program came, and what is it now?",
    see="B30",
)(("still", mended(("decay=0.9", "decay=0.99"))))
