"""Known answers to `bn-which-path`: wrong ones with their questions, and right ones."""

from collections import UserDict

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
    "You say that the path through σ² has the wrong sign; that would leave 2 of the second sum",
    "Weight w leaves 1 − w. How much does `examine` show, and which w is that?",
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

mistake(
    "despite-the-sums",
    "A gradient whose two sums do not vanish is not healthy",
    "What should both sums of a right dx be? What are they here?",
    see="the lesson: which sum feels it",
)({**dict.fromkeys(RIGHT, "healthy"), "D": RIGHT["D"]})

variant("a mapping that is no dictionary")(UserDict(RIGHT))
variant("a list")(list(RIGHT.values()))
variant("a tuple")(tuple(RIGHT.values()))
variant("small letters and stray spaces")({k.lower(): f" {v.title()} " for k, v in RIGHT.items()})
variant("another order")(dict(reversed(RIGHT.items())))
