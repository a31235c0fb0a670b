"""Exercises of lesson 11_clinic: eight programs to diagnose and to mend.

An answer is a pair `("diagnosis", program)`, and has a case for each half. The program is examined
by what its two functions `learn` and `predict` do (see `labsupport.clinic`), so it may be written
in any way. Everything that is observed is a sentence about its behaviour; thresholds lie far from
what either kind does. Time plays no part in it, so a slow machine changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from labsupport.clinic import DIAGNOSES
from labsupport.exercises.common import call, pair
from labsupport.exercises.tf_common import about_running, trial
from labsupport.vocabulary import Case, Exercise, Part, Unusable

LESSON = "11_clinic"
LIMIT = 30.0  # a loaded machine, and TensorFlow's import
MOMENTUM = 0.9  # of all programs' statistics
SETTLED = 60  # steps: what is left of the start is 0.9 to the 60th
SOON = 3  # steps, after which statistics still remember if they ever do
LATE = (20, 30, 40)  # steps, ten from one to the next, by which their pace is measured
SLOWLY = 600  # more of them, for whoever has another momentum
COPIES = 500  # of each image, where the share of dropped units is counted

DIAGNOSIS = "the diagnosis"
TWICE, ALONE, AFTER = "asked twice", "one at a time", "after other images"
IMAGES = "two images"
NOISE, BRIGHT, SETTLE = "the same step twice", "brighter images", "once settled"
MEAN, VARIANCE = "a batch with another mean", "a batch with another variance"
PACE = "how fast statistics move"
#: The share of the way that is left after SOON steps, if half of the statistics is new each time.
FORGOTTEN = {MEAN: 0.15, VARIANCE: 0.04}
SHARE, LEARNING, BENT = "what is dropped", "learning", "between two images"
FINDINGS = (TWICE, ALONE, AFTER, IMAGES, BENT)
FINDINGS += (NOISE, BRIGHT, SETTLE, MEAN, VARIANCE, PACE, SHARE, LEARNING)


def _cases(rng: np.random.RandomState) -> list[Case]:
    d, hidden, classes = int(rng.randint(6, 9)), int(rng.randint(20, 25)), 3
    centres = 2.5 * np.eye(classes, d) + rng.uniform(-0.3, 0.3, (classes, d)) + 0.6

    def images(n):
        labels = np.arange(n) % classes
        return centres[labels] + 0.4 * rng.randn(n, d), labels

    x1, labels1 = images(18)
    x2, labels2 = images(12)
    other = 3 * rng.uniform(0.5, 1.0, d) * rng.choice([-1, 1], d)
    given = dict(x1=x1, labels1=labels1, x2=x2, labels2=labels2, other=other)
    program = {"half": "program", **given, "sizes": (d, hidden, classes)}
    return [
        Case("program", "small images", program),
        Case("word", "the word that you chose", {"half": "word"}),
    ]


# ---------------------------------------------------------------- examining


class _Patient:
    """A started program whose two functions are called as the lesson says."""

    def __init__(self, program: Any, sizes: tuple[int, int, int], speed: float):
        self.classes = sizes[2]
        self.errors: Any = ()
        if hasattr(type(program), "in_a_fresh_graph"):  # it lives in another process
            made = program.in_a_fresh_graph(sizes, speed)
        else:
            with trial() as t:
                self.errors = t.tf.errors.OpError
                with self.plain_words():
                    made = t.build(program, sizes, speed, name="program", may_run=True)
        self.functions = pair(made, "the pair `(learn, predict)` that the program returns")

    @contextlib.contextmanager
    def plain_words(self) -> Iterator[None]:
        try:
            yield
        except self.errors as error:
            raise Unusable(about_running(error)) from None

    def learn(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        with self.plain_words():
            found = call(self.functions[0], x.copy(), labels.copy(), name="learn")
        return self.logits(found, len(x), "learn")

    def predict(self, x: np.ndarray) -> np.ndarray:
        with self.plain_words():
            found = call(self.functions[1], x.copy(), name="predict")
        return self.logits(found, len(x), "predict")

    def logits(self, found: Any, m: int, name: str) -> np.ndarray:
        found = np.asarray(found)
        if found.shape != (m, self.classes) or found.dtype.kind != "f":
            wanted = f"`{name}` should return the logits, an array of shape (m, classes)"
            raise Unusable(f"{wanted}; for {m} images it returns shape {found.shape}.")
        return np.array(found, dtype=np.float64)


def _apart(a: np.ndarray, b: np.ndarray, by: float = 0.01) -> bool:
    """Whether logits differ by more than `by` of their spread."""
    return not float(np.abs(a - b).max()) <= by * float(a.std() + 1e-9)


def _probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, str]:
    said, program = pair(answer, 'a pair `"diagnosis", program`')
    if not callable(program):
        raise Unusable("The second entry of the pair should be the program, a function.")
    if not isinstance(said, str) or said.strip().lower() not in DIAGNOSES:
        words = ", ".join(DIAGNOSES)
        raise Unusable(f"The first entry of the pair should be one of: {words}.")
    if inputs["half"] == "word":
        return {DIAGNOSIS: said.strip().lower()}
    return _examined(program, inputs)


def _examined(program: Any, inputs: Mapping[str, Any]) -> dict[str, str]:
    x1, x2, labels, sizes = inputs["x1"], inputs["x2"], inputs["labels1"], inputs["sizes"]
    at_rest = _Patient(program, sizes, 0.0)
    first = at_rest.predict(x2)
    second = at_rest.predict(x2)
    noisy = _apart(first, second, 1e-4)
    alone = np.concatenate([at_rest.predict(x2[i : i + 1]) for i in range(4)])
    before = at_rest.predict(x2)
    at_rest.predict(3 * x2 + 5), at_rest.predict(3 * x2 + 5)
    after = at_rest.predict(x2)
    steps = [at_rest.learn(x, labels) for x in (x1, x1, 2 * x1 + 0.5)]
    moves = _apart(steps[0], steps[1], 1e-4)
    drops = _apart(*np.split(at_rest.learn(np.tile(x1, (2, 1)), np.tile(labels, 2)), 2), 1e-4)
    there, opposite, origin = np.split(at_rest.predict(np.concatenate([x2, -x2, 0 * x2])), 3)
    found = {
        TWICE: "asked twice, it predicts something else"
        if noisy
        else "asked twice, it predicts the same",
        ALONE: "an image alone gets another prediction than among others"
        if _apart(second[:4], alone)
        else "an image alone gets the same prediction as among others",
        AFTER: "a prediction is another after other images were asked about"
        if _apart(before, after)
        else "a prediction is the same after other images were asked about",
        IMAGES: "all images get the same prediction"
        if float(np.abs(alone - alone[0]).max()) < 1e-5
        else "different images get different predictions",
        BENT: "not to be seen, because predictions are random"
        if noisy
        else "prediction bends between two images, as a ReLU makes it"
        if _apart((there + opposite) / 2, origin, 0.05)
        else "prediction goes straight from image to image: there is no ReLU in it",
        NOISE: "two training steps on a batch see different logits"
        if drops
        else "at a speed of 0 two training steps see different logits, though nothing is drawn"
        if moves
        else "two training steps on a batch see the same logits",
        BRIGHT: "not to be seen, because training steps differ anyway"
        if drops or moves
        else "training sees other logits when all images are brighter"
        if _apart(steps[0], steps[2], 0.1)
        else "training sees the same logits when all images are brighter",
    }
    found |= _settled(at_rest, noisy, inputs)
    found[SHARE] = "training drops nothing"
    if drops:
        found[SHARE] = _share(_Patient(program, (sizes[0], 1, sizes[2]), 0.0), x1, labels)
    found[LEARNING] = _learning(_Patient(program, sizes, 0.2), 30 if noisy else 1, inputs)
    return found


AS_USUAL = f"no statistics move at another pace than with momentum {MOMENTUM}"


def _settled(patient: _Patient, noisy: bool, inputs: Mapping[str, Any]) -> dict[str, str]:
    """What the moving statistics do, by what they make of predictions."""
    x1, x2, labels = inputs["x1"], inputs["x2"], inputs["labels1"]
    if noisy:
        hidden = "not to be seen, because predictions are random"
        return {**dict.fromkeys((SETTLE, MEAN, VARIANCE), hidden), PACE: AS_USUAL}

    def settle(x):
        for _ in range(SETTLED):
            patient.learn(x, labels)
        return patient.predict(x2)

    old = settle(x1)
    found = {SETTLE: _agreement(*_both(patient, x1, labels)), PACE: AS_USUAL}
    if found[SETTLE] == DISAGREE and _apart(patient.predict(x2), old, 1e-3):
        for _ in range(SLOWLY):
            patient.learn(x1, labels)
        if _agreement(*_both(patient, x1, labels)) == AGREE:
            found[SETTLE] = "training and prediction agree only after hundreds of steps"
        old = patient.predict(x2)
    centre, paces = x1.mean(axis=0), []
    others = {MEAN: x1 + inputs["other"], VARIANCE: centre + 3 * (x1 - centre)}
    for name, x in others.items():
        after = {0: old}
        for step in range(1, SETTLED + 1):
            patient.learn(x, labels)
            if step in (SOON, *LATE, SETTLED):
                after[step] = patient.predict(x2)
        if not _apart(old, after[SETTLED], 0.05):
            found[name] = f"{name} does not change predictions"
        elif _way(after, SOON, SETTLED) < FORGOTTEN[name] * _way(after, 0, SETTLED):
            found[name] = f"{name} changes predictions at once"
        else:
            found[name] = f"{name} changes predictions little by little"
            paces.append(_kept(after))
        if name == MEAN:
            old = settle(x1)
    off = [pace - MOMENTUM for pace in paces if abs(pace - MOMENTUM) > 0.02]
    if off:
        side = "more slowly" if off[0] > 0 else "faster"
        found[PACE] = f"statistics move {side} than with momentum {MOMENTUM}"
    return found


def _way(after: Mapping[int, np.ndarray], first: int, last: int) -> float:
    """How far predictions have moved from one step to another."""
    return float(np.abs(after[last] - after[first]).mean())


def _kept(after: Mapping[int, np.ndarray]) -> float:
    """The share of the old statistics that one step leaves, by the predictions after some steps.

    Those follow the statistics in proportion near the end. There momentum 0.9 is found to 0.02.
    """
    first, middle, last = LATE
    before, then = _way(after, first, middle), _way(after, middle, last)
    # Of what moves fast nothing is left by then.
    return (then / before) ** 0.1 if before > 2e-3 * _way(after, 0, SETTLED) else 0.0


def _both(patient: _Patient, x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a batch as training sees it, averaged over what it draws, and as predicted."""
    predicted, copies = patient.predict(x), 1200
    seen = patient.learn(np.tile(x, (copies, 1)), np.tile(labels, copies))
    return seen.reshape(copies, *predicted.shape).mean(axis=0), predicted


AGREE = "training and prediction agree once the statistics have settled"
DISAGREE = "training and prediction disagree however long they settle"


def _agreement(seen: np.ndarray, predicted: np.ndarray) -> str:
    if not _apart(seen, predicted, 0.35):
        return AGREE
    slope = float((seen * predicted).sum() / (seen**2).sum())
    if slope > 0.02 and not _apart(seen, predicted / slope, 0.35):
        size = "smaller" if slope < 1 else "larger"
        return f"prediction is {size} than training by a factor"
    return DISAGREE


def _share(patient: _Patient, x1: np.ndarray, labels: np.ndarray) -> str:
    """The share of draws in which the one hidden unit is dropped, if it is that what is dropped.

    Nothing but the output's bias is left of a dropped unit: that is the commonest value. 18 images
    and their negatives, half of them with an active unit: 9,000 draws or more, so rounding to 0.05
    errs with a probability below 1e-5 at 4.7 standard deviations.
    """
    x = np.concatenate([x1, -x1])
    many = patient.learn(np.repeat(x, COPIES, axis=0), np.repeat(np.tile(labels, 2), COPIES))
    values = many[:, np.argmax(np.ptp(many, axis=0))]
    values = values / (np.abs(values).max() + 1e-9)
    rounded, count = np.unique(values.round(3), return_counts=True)
    nothing = np.abs(values - rounded[count.argmax()]) < 2e-3
    by_image = nothing.reshape(len(x), COPIES)
    active = by_image[~by_image.all(axis=1)]
    levels = np.ma.masked_array(values.reshape(len(x), COPIES), by_image)
    if np.ma.max(np.ma.ptp(levels, axis=1)) > 0.01:
        return "training drops something else than hidden units"
    share = round(20 * float(active.mean())) / 20 if active.size else 0.0
    return f"training drops {100 * share:.0f} % of the units" if share else "training drops nothing"


def _learning(patient: _Patient, times: int, inputs: Mapping[str, Any]) -> str:
    """Whether most new images are read after 60 steps, by the mean of so many predictions."""
    for _ in range(60):
        patient.learn(inputs["x1"], inputs["labels1"])
    logits = np.mean([patient.predict(inputs["x2"]) for _ in range(times)], axis=0)
    right = logits.argmax(axis=1) == inputs["labels2"]
    return "it learns" if right.mean() > 0.7 else "it does not learn"


#: What the instruments show of a program that suffers from it.
WOULD_SHOW = {
    "healthy": "no instrument would show anything that a good program does not do",
    "still": "`moving statistics` would stay where they started while training goes on",
    "forgetful": "`moving statistics` would jump with every batch",
    "lost": "`moving statistics` would move in training, and a prediction would not know of it",
    "borrowed": "`one at a time` would show other answers, and `after others` the same ones",
    "leaky": "`moving statistics` would go on moving during predictions",
    "noisy": "`asked twice` would show two answers, and `one unit` two levels when predicted",
    "never on": "`one unit` would show a single level in training",
    "wrong share": "`one unit` would count another share in training than the program says",
    "wrong scale": "`two modes` would lie along a straight line that is not the diagonal",
}


def _fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    wrong = [name for name in FINDINGS if name in right and seen.get(name) != right[name]]
    if wrong:
        return f"Of the program that you give: {seen[wrong[0]]}."
    said = seen.get(DIAGNOSIS)
    if said in WOULD_SHOW and said != right.get(DIAGNOSIS):
        return f"If the program as it came were `{said}`, {WOULD_SHOW[said]}. Does it?"
    return None


# ---------------------------------------------------------------- the eight


def _clinic(number: int, title: str, signs: tuple[str, ...], hints: tuple[str, ...], **more):
    """An exercise whose part "mend" is about these signs."""
    others = tuple(name for name in FINDINGS if name not in signs)
    rest = ("program/inputs", *(f"program/{name}" for name in others))
    return Exercise(
        id=f"clinic-{number}",
        lesson=LESSON,
        title=title,
        answer=f"patient_{number}",
        parts=(
            Part("mend", 2, "the trouble is gone", tuple(f"program/{n}" for n in signs), **more),
            Part("rest", 1, "the rest is as it was, as far as the check sees", rest, ("mend",)),
            Part("diagnosis", 1, "the diagnosis", ("word/*",), ("mend",)),
        ),
        cases=_cases,
        probe=_probe,
        hints=hints,
        facts=(_fact,),
        limit=LIMIT,
        whole=True,  # what is seen is coarse: most of it is alike in many programs
    )


EXERCISES = (
    _clinic(
        1,
        "Patient 1: good in training, poor on new digits",
        (MEAN, VARIANCE, SETTLE, BRIGHT),
        (
            "Look at `moving statistics`: batch after batch goes through training. What should "
            "they do meanwhile?",
            "Look at `assignments`. Which operations are there that no run ever needs?",
            "`ema.apply` returns an operation. Who runs it? Lesson 04 has the tool.",
        ),
    ),
    _clinic(
        2,
        "Patient 2: nobody gets the same answer twice",
        (TWICE, ALONE, AFTER, SHARE),
        (
            "Ask for the same prediction twice. What in a network can make the answers differ?",
            "Follow `keep_prob` from the line that makes it to the line that uses it.",
            "Which number does `tf.nn.dropout` get in training, and which in prediction? Who feeds "
            "what is not used?",
        ),
    ),
    _clinic(
        3,
        "Patient 3: an accuracy that wobbles",
        (MEAN, VARIANCE, BRIGHT),
        (
            "Look at `moving statistics` over the last steps. How far should one batch of 10 move "
            "what rests on hundreds of batches?",
            "Put numbers in: the old mean is 5, the batch's is 6. What is the new one?",
            "In this course and in TensorFlow, momentum is the weight of the old value, in PyTorch "
            "that of the new one. Which of the two does 0.9 belong to?",
        ),
    ),
    _clinic(
        4,
        "Patient 4: worse than bad on a sorted file",
        (ALONE, BRIGHT, MEAN, VARIANCE),
        (
            "Compare digits that are asked about together and one by one.",
            "If a prediction depends on its neighbours, where does the layer get its mean from?",
            "A constant cannot be one thing in training and another in prediction. What can, and "
            "who feeds it?",
        ),
    ),
    _clinic(
        5,
        "Patient 5: better on new digits than in training",
        FINDINGS,
        (
            "Name what differs between the two curves: the digits, the network, or both?",
            "Go through every instrument before you change a line. Which one shows something that "
            "a good program would not do?",
            "Measure the share and the factor of the mask, and compare training and prediction on "
            "the same digits. What would a change make better?",
        ),
        needs=("diagnosis",),
    ),
    _clinic(
        6,
        "Patient 6: well at home, ill on the server",
        (MEAN, VARIANCE, SETTLE, BRIGHT),
        (
            "Look at `without learning` and at `moving statistics`: do they agree on whether "
            "anything moves?",
            "A prediction here takes a journey. List what it packs.",
            "Which of a batch norm layer's four variables are trainable? Which two does a "
            "prediction need besides?",
        ),
    ),
    _clinic(
        7,
        "Patient 7: slow to learn",
        (SHARE, NOISE),
        (
            "Look at `one unit`: how often does the unit say nothing?",
            "Read the comment beside the number, then the name of the argument that it is given "
            "to.",
            "If a unit is kept with probability k, with what probability is it dropped?",
        ),
    ),
    _clinic(
        8,
        "Patient 8: the more you ask, the worse it gets",
        (ALONE, AFTER, MEAN, VARIANCE, BRIGHT),
        (
            "Compare a prediction before and after other images were asked about.",
            "Look at `assignments`: what does a prediction run that it should not?",
            "What is made outside a branch of `tf.cond` runs whichever branch is taken. Where must "
            "the assignments be made?",
        ),
    ),
)
