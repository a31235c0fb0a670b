"""Known answers to `do-which`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant

RIGHT = dict(
    A="wrong factor", B="rows", C="scaled again", D="swapped", E="same mask", F="never off"
)

mistake(
    "tested-at-a-half",
    "At drop_prob 0.5 these layers look healthy; at any other they do not",
    "Which two numbers agree at drop_prob 0.5, so that no test there can tell them apart?",
    see="public answers: 19 need p != 0.5 to show",
)({**RIGHT, "A": "healthy", "D": "healthy"})

mistake(
    "trusts-the-mean",
    "The mean of this layer is right, and that is not enough",
    "How many zeros should there be at drop_prob 0.2, and how many are there?",
    see="H74",
)({**RIGHT, "D": "healthy"})

mistake(
    "factor-for-share",
    "You took a wrong share for a wrong factor, or the other way round",
    "Which number tells you the share, and which the factor?",
    see="H73, H74",
)({**RIGHT, "A": "swapped", "D": "wrong factor"})

mistake(
    "training-only",
    "What you say of its prediction is not what it does there",
    "With `training=False`, does it give back x? And does it give the same result twice?",
    see="H75, H77",
)({**RIGHT, "C": "healthy", "F": "healthy"})

mistake(
    "sharing-mixed-up",
    "What you say of who shares a draw is not what this layer does",
    "Look at one row of its output, and at two calls: which of the two repeats itself?",
    see="H79, H83",
)({**RIGHT, "B": "same mask", "E": "rows"})

mistake(
    "one-call-only",
    "What you say of two calls to this layer is not what they do",
    "Call it twice on the same x, and compare. What should a healthy layer do?",
    see="H83",
)({**RIGHT, "E": "healthy"})

variant("a list")(list(RIGHT.values()))
variant("small letters and stray spaces")({k.lower(): f" {v.title()} " for k, v in RIGHT.items()})
variant("another order")(dict(reversed(RIGHT.items())))
