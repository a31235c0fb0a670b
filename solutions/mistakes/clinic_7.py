"""Known answers to `clinic-7`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.authoring.edits import edited


def program(*changes):
    return edited("11_clinic", "program_7", *changes)


def mended(*changes):
    return edited("11_clinic", "mended_7", *changes)


mistake(
    "not-mended",
    "All that the check sees of the program is as it was when it came",
    "Which of its lines does what your diagnosis says? If there is none, is it the right one?",
    see="H84; hunkim/DeepLearningZeroToAll#204",
)(("wrong share", program()))

mistake(
    "taken-for-healthy",
    ("The curves of patient 5 look alike, but here another share is dropped than the comment says"),
    "What does `one unit` count, and what does the comment promise?",
    see="H84",
)(("healthy", program()))

mistake(
    "taken-for-wrong-scale",
    "Averaged over masks, training and prediction agree in this program",
    "What does `two modes` show?",
    see="H73",
)(("wrong scale", program()))

mistake(
    "mended-but-misnamed",
    "Prediction dropped nothing in the program as it came",
    "What does `asked twice` show of it?",
    see="H77",
)(("noisy", mended()))

mistake(
    "never-on",
    "Nothing is dropped any more, in training either",
    "What makes `tf.layers.dropout` drop anything?",
    see="H85",
)(("wrong share", mended((", training: True})[0]", "})[0]"))))

mistake(
    "always-on",
    "The share is right, and prediction drops units too",
    "Which argument switched dropout off for prediction?",
    see="H77",
)(
    (
        "wrong share",
        program(
            (
                "tf.layers.dropout(h, rate=dropout, training=training)",
                "tf.nn.dropout(h, keep_prob=dropout)",
            )
        ),
    )
)

mistake(
    "half",
    "A rate of one half is neither what the comment says nor what it was",
    "What share is to be kept?",
    see="H82",
)(("wrong share", program(("rate=dropout", "rate=0.5"))))

variant("the number and its comment changed")(
    (
        "wrong share",
        program(("dropout = 0.75  # probability to keep units", "dropout = 0.25  # share to drop")),
    )
)

variant("tf.nn.dropout with a probability to keep")(
    (
        "wrong share",
        program(
            (
                "tf.layers.dropout(h, rate=dropout, training=training)",
                "tf.nn.dropout(h, keep_prob=tf.where(training, dropout, 1.0))",
            )
        ),
    )
)
