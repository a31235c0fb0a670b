"""Known answers to `cd-predict`: wrong ones with their questions, and right ones."""

from types import MappingProxyType

import numpy as np

from labsupport.authoring.catalogue import mistake, variant

RIGHT = dict(before=1, inside=6, renamed=1, copied=6, total=6)

mistake(
    "everything-runs",
    "You let `update` run whatever is fetched, as eager code would",
    "Which operations does `session.run(before)` need in order to give you its value?",
    see="F56",
)(dict.fromkeys(RIGHT, 6))

mistake(
    "nothing-runs",
    "You let `update` run only if it is fetched itself",
    "What does an operation made inside `tf.control_dependencies([update])` wait for?",
    see="the notes: add is 12 with the dependency",
)(dict.fromkeys(RIGHT, 1))

mistake(
    "a-line-inside",
    "You count `renamed = before` as made inside the block",
    "A line of Python stands inside. Is there a new operation that could wait?",
    see="F58; tensorflow/tensorflow#16766",
)({**RIGHT, "renamed": 6})

mistake(
    "copies-are-free",
    "You let `copied` run without `update`",
    "Where was the operation made that `tf.identity` adds to the graph?",
    see="F58",
)({**RIGHT, "copied": 1})

mistake(
    "once-for-each-path",
    "You let `update` run twice, once for each path that leads to it",
    "`x` feeds several operations too. Is it made several times in one run?",
    see="F66",
)({**RIGHT, "total": 11})

mistake(
    "one-after-another",
    "You let every run start where the one before it ended",
    "What is `x` at the start of each question? Read the sentence above the graph again.",
    see="the quiz itself",
)(dict(before=1, inside=6, renamed=6, copied=11, total=16))

mistake(
    "values-fetched",
    "You give the values that are fetched; asked for is the value of `x` afterwards",
    "What does `session.run(x)` give, after the fetch?",
    see="the quiz itself",
)(dict(before=2, inside=18, renamed=2, copied=2, total=20))

variant("floats")({name: float(value) for name, value in RIGHT.items()})
variant("arrays, and another order")({n: np.float32(RIGHT[n]) for n in sorted(RIGHT)})
variant("with a note of one's own")({**RIGHT, "update": 6})
variant("a mapping that cannot be changed")(MappingProxyType(RIGHT))
