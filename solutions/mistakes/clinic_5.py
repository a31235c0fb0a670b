"""Known answers to `clinic-5`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.authoring.edits import edited


def program(*changes):
    return edited("11_clinic", "program_5", *changes)


mistake(
    "taken-for-noisy",
    "You say that prediction drops units; asked twice, this program says the same",
    "What does `one unit` show on its right side?",
    see="H77",
)(("noisy", program()))

mistake(
    "taken-for-wrong-share",
    "The share is the one that was meant",
    "Which number in the program is the share, and what does `one unit` count?",
    see="H74",
)(("wrong share", program()))

mistake(
    "taken-for-wrong-scale",
    "Averaged over masks, training and prediction agree",
    "What does `two modes` show, and along which line?",
    see="H72",
)(("wrong scale", program()))

mistake(
    "dropout-off",
    (
        "You took dropout out of training; the two curves now stand as in the book, and the "
        "program has lost its dropout"
    ),
    "Was the gap between the curves a fault, or what dropout does in training?",
    see="H89",
)(
    (
        "never on",
        program(("(rng.rand(*h.shape) >= drop_prob) / (1 - drop_prob)", "np.ones(h.shape)")),
    )
)

mistake(
    "dropout-everywhere",
    "You made prediction drop units too: now both curves suffer alike",
    "Which of the two curves was wrong?",
    see="H77",
)(
    (
        "healthy",
        program(
            (
                "return np.maximum(images @ w1, 0) @ w2",
                """h = np.maximum(images @ w1, 0)
        return (h * (rng.rand(*h.shape) >= drop_prob) / (1 - drop_prob)) @ w2""",
            )
        ),
    )
)

mistake(
    "scaled-again",
    "You scaled prediction by keep; the mask is divided by keep already",
    "What is the expectation of the mask as it stands?",
    see="H75",
)(
    (
        "wrong scale",
        program(
            (
                "return np.maximum(images @ w1, 0) @ w2",
                "return (1 - drop_prob) * np.maximum(images @ w1, 0) @ w2",
            )
        ),
    )
)

mistake(
    "keep-for-drop",
    "You turned the comparison round: now the units are dropped that were kept",
    "With probability drop_prob a unit should be 0. When is `rand() < drop_prob`?",
    see="H74",
)(("wrong share", program((">= drop_prob)", "< drop_prob)"))))

mistake(
    "not-divided",
    "You took the division out of the mask: training is now weaker than prediction",
    "What is the expectation of a mask of zeros and ones?",
    see="H72",
)(
    (
        "wrong scale",
        program(
            (
                """ / (1 - drop_prob)
""",
                """
""",
            )
        ),
    )
)

variant("scaled in prediction instead of training")(
    (
        "healthy",
        program(
            (
                """ / (1 - drop_prob)
""",
                """
""",
            ),
            (
                "return np.maximum(images @ w1, 0) @ w2",
                "return (1 - drop_prob) * np.maximum(images @ w1, 0) @ w2",
            ),
        ),
    )
)

variant("capital letters")((" Healthy ", program()))
