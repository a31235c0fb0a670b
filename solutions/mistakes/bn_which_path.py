"""Known answers to `bn-which-path`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant

RIGHT = dict(A="variance", B="count", C="mean", D="gamma", E="half", F="both")

mistake(
    "sums-swapped",
    "You read the two sums the wrong way round",
    "Adding one number to every sample: which statistic answers that, μ or σ²? Which sum is it?",
    see="D38, D39",
)({**RIGHT, "A": "mean", "C": "variance"})

mistake(
    "wrong-strength",
    "You call a path missing that is there, with the wrong strength",
    "A missing path leaves exactly 1, the whole of the direct path's sum. What is left here?",
    see="D42, D43",
)({**RIGHT, "B": "both", "E": "variance"})

mistake(
    "sign-for-half",
    "The path through σ² is there at half its strength, with the right sign",
    "Weight w leaves 1 − w. Which w leaves ½, and which leaves 2?",
    see="D40, D42",
)({**RIGHT, "E": "sign"})

mistake(
    "trusts-the-sums",
    "Both sums of that patient vanish, but its gradient is not right",
    "Both sums of 5 · dx vanish too. With what else can you compare a gradient?",
    see="D45",
)({**RIGHT, "D": "healthy"})

mistake(
    "one-for-both",
    "Patient F fails in both sums; one missing path spoils only one of them",
    "Which sum does a missing path through μ leave alone?",
    see="D37",
)({**RIGHT, "F": "mean"})

variant("a list")(list(RIGHT.values()))
variant("a tuple")(tuple(RIGHT.values()))
variant("small letters and stray spaces")({k.lower(): f" {v.title()} " for k, v in RIGHT.items()})
variant("another order")(dict(reversed(RIGHT.items())))
