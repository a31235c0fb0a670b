"""Known answers to `clinic-3`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.authoring.edits import edited


def program(*changes):
    return edited("11_clinic", "program_3", *changes)


def mended(*changes):
    return edited("11_clinic", "mended_3", *changes)


mistake(
    "not-mended",
    "All that the check sees of the program is as it was when it came",
    "Which of its lines does what your diagnosis says? If there is none, is it the right one?",
    see="B18; d2l-ai/d2l-en#2213",
)(("forgetful", program()))

mistake(
    "taken-for-still",
    "You say that the statistics stand still; in this program they jump",
    "What does `without learning` show?",
    see="B21",
)(("still", program()))

mistake(
    "taken-for-borrowed",
    "You say that prediction uses its batch; asked one by one, this program says the same",
    (
        "Which batch do these statistics come from: that of the prediction, or that of the "
        "last step?"
    ),
    see="C33",
)(("borrowed", program()))

mistake(
    "mended-but-misnamed",
    "The statistics were those of the last training batch, not of the batch asked about",
    "What does `one at a time` show of the program as it came?",
    see="C33",
)(("borrowed", mended()))

mistake(
    "mean-only",
    "The mean now remembers, the variance still follows the newest batch",
    "How many lines of the program have a momentum in them?",
    see="B22",
)(
    (
        "forgetful",
        program(
            (
                "(1 - momentum) * moving_mean + momentum * mean",
                "momentum * moving_mean + (1 - momentum) * mean",
            )
        ),
    )
)

mistake(
    "variance-only",
    "The variance now remembers, the mean still follows the newest batch",
    "How many lines of the program have a momentum in them?",
    see="B22",
)(
    (
        "forgetful",
        program(
            (
                "(1 - momentum) * moving_var + momentum * var",
                "momentum * moving_var + (1 - momentum) * var",
            )
        ),
    )
)

mistake(
    "momentum-zero",
    "Now the statistics never move: the new batch has no weight",
    "What is left of the new mean when its weight is 0?",
    see="B21",
)(("forgetful", program(("np.ones(hidden), 0.9", "np.ones(hidden), 0.0"))))

mistake(
    "in-training-too",
    "Now training too normalizes with the moving statistics",
    "Which mean and variance should a training step use?",
    see="A16",
)(
    (
        "forgetful",
        mended(
            (
                "h, logits = output(images, mean, var)",
                "h, logits = output(images, moving_mean, moving_var)",
            )
        ),
    )
)

variant("PyTorch's convention with PyTorch's number")(
    ("forgetful", program(("np.ones(hidden), 0.9", "np.ones(hidden), 0.1")))
)

variant("in small steps towards the batch")(
    (
        "forgetful",
        program(
            (
                "(1 - momentum) * moving_mean + momentum * mean",
                "moving_mean + (1 - momentum) * (mean - moving_mean)",
            ),
            (
                "(1 - momentum) * moving_var + momentum * var",
                "moving_var + (1 - momentum) * (var - moving_var)",
            ),
        ),
    )
)

mistake(
    "slow",
    "The statistics now follow much more slowly than they were meant to",
    "What was the weight of the old value when the program came, and what is it now?",
    see="B30",
)(("forgetful", mended(("np.ones(hidden), 0.9", "np.ones(hidden), 0.99"))))
