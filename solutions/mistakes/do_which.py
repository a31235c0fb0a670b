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
    "The mean of D is right, but not because it drops the right share",
    "How many zeros should there be at drop_prob 0.2, and how many are there?",
    see="H74",
)({**RIGHT, "D": "healthy"})

mistake(
    "factor-for-share",
    "A drops the right share, and D does not: you took one for the other",
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
    "In B numbers of one call share a draw; in E two calls share a mask",
    "Which of the two would look different if you called it a second time?",
    see="H79, H83",
)({**RIGHT, "B": "same mask", "E": "rows"})

mistake(
    "one-call-only",
    "One call of E looks healthy; its fault shows when there are two",
    "How would you notice that a layer draws the same mask in every step?",
    see="H83",
)({**RIGHT, "E": "healthy"})

variant("a list")(list(RIGHT.values()))
variant("small letters and stray spaces")({k.lower(): f" {v.title()} " for k, v in RIGHT.items()})
variant("another order")(dict(reversed(RIGHT.items())))
