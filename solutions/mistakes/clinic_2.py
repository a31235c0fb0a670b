"""Known answers to `clinic-2`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.authoring.edits import edited


def program(*changes):
    return edited("11_clinic", "program_2", *changes)


def mended(*changes):
    return edited("11_clinic", "mended_2", *changes)


mistake(
    "not-mended",
    "All that the check sees of the program is as it was when it came",
    "Which of its lines does what your diagnosis says? If there is none, is it the right one?",
    see="H77; aymericdamien/TensorFlow-Examples#133",
)(("noisy", program()))

mistake(
    "taken-for-healthy",
    "A healthy program does not give two answers to one question",
    "What does the instrument `asked twice` show?",
    see="H77",
)(("healthy", program()))

mistake(
    "taken-for-wrong-share",
    "In training the share is the one that was meant; look at prediction",
    "What does `one unit` show on its right side?",
    see="H84",
)(("wrong share", program()))

mistake(
    "mended-but-misnamed",
    "The answers did not depend on the neighbours: they were drawn anew each time",
    "Is there a mean over the batch anywhere in this program?",
    see="C33",
)(("borrowed", mended()))

mistake(
    "never-fed",
    "Nothing is dropped in prediction now, and nothing in training",
    "What is the default of `keep_prob`, and who feeds another value?",
    see="H77; public notebooks: flag not fed at train",
)(("noisy", mended(("keep_prob: dropout}", "}"))))

mistake(
    "fed-upside-down",
    "In training another share is dropped now",
    "Does `keep_prob` say what is kept or what is dropped?",
    see="H74, H84",
)(("noisy", mended(("keep_prob: dropout}", "keep_prob: 1 - dropout}"))))

mistake(
    "always-scaled",
    "Dropout is off in prediction, but what comes out is multiplied as if it were on",
    "What is the expectation of an inverted mask?",
    see="H75",
)(
    (
        "noisy",
        mended(
            (
                "return session.run(logits, {x: images, keep_prob: 1.0})",
                "return dropout * session.run(logits, {x: images, keep_prob: 1.0})",
            )
        ),
    )
)

variant("tf.layers.dropout with a flag")(
    (
        "noisy",
        mended(
            (
                "keep_prob = tf.placeholder_with_default(1.0, [])",
                "training = tf.placeholder_with_default(False, [])",
            ),
            ("tf.nn.dropout(h, keep_prob)", "tf.layers.dropout(h, 1 - dropout, training=training)"),
            ("keep_prob: dropout}", "training: True}"),
            (", keep_prob: 1.0", ""),
        ),
    )
)

mistake(
    "turned-round",
    "Prediction still drops units, and training now drops another share",
    "Which of the two numbers that the program knows changes between training and prediction?",
    see="H84",
)(("noisy", program(("tf.nn.dropout(h, dropout)", "tf.nn.dropout(h, 1 - dropout)"))))

mistake(
    "rate-for-keep",
    "Prediction now drops every unit: all images get the same answer",
    "`keep_prob` is 1.0 in prediction. What does that number mean to the argument you give it to?",
    see="H84",
)(("noisy", mended(("tf.nn.dropout(h, keep_prob)", "tf.nn.dropout(h, rate=keep_prob)"))))
