"""Exercises of lesson 03_backpropagation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from labsupport.exercises.common import affine, batch, call, flat, pair
from labsupport.observe import plain
from labsupport.vocabulary import Case, Exercise, Fact, Part, Unusable

LESSON = "03_backpropagation"


# ---------------------------------------------------------------- grad-check


def _landscape(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> Callable[[Any], float]:
    """A smooth function of an array, whose entries all depend on each other."""

    def f(x):
        x = np.asarray(x, dtype=np.float64)
        if x.shape != a.shape:
            raise ValueError(f"f was called with shape {x.shape}; it takes shape {a.shape}")
        return float((a * np.sin(x)).sum() + (b * x**3).sum() / 3 + (c * x).sum() ** 2 / 2)

    return f


def _gradient_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, x, h):
        a, b, c = (rng.uniform(0.5, 2.0, x.shape) * rng.choice([-1, 1], x.shape) for _ in range(3))
        return Case(case_id, title, dict(x=x, a=a, b=b, c=c, h=h))

    def points(*shape):
        # Sixty-fourths, and steps that are powers of two: adding a step and taking it away again
        # then brings the very same number back.
        return rng.choice([-1, 1], shape) * rng.randint(32, 128, shape) / 64

    whole = rng.permutation([-1, -1, 1, 1]) * rng.randint(1, 4, 4)  # ints are cut off towards 0
    return [
        case("matrix", "a matrix", points(3, 4), 2.0**-5),
        case("vector", "a vector, the largest h", points(5), 0.25),
        case("tensor", "an array with three axes", points(2, 3, 2), 0.25),
        case("whole", "whole numbers", whole, 0.125),
        case("view", "a transposed matrix", points(4, 2).T, 0.125),
    ]


def _gradient_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    f = _landscape(inputs["a"], inputs["b"], inputs["c"])
    return {"gradient": call(answer, f, inputs["x"], inputs["h"], name="numerical_gradient")}


GRADIENT = Exercise(
    id="grad-check",
    lesson=LESSON,
    title="Measure a gradient",
    answer="numerical_gradient",
    parts=(
        Part(
            "values", 3, "every entry is nudged both ways", ("matrix/gradient", "vector/gradient")
        ),
        Part(
            "shapes",
            2,
            "any shape, any numbers",
            ("tensor/gradient", "whole/gradient", "view/gradient"),
        ),
        Part("inputs", 1, "`x` is left as it was", ("*/inputs",)),
    ),
    cases=_gradient_cases,
    probe=_gradient_probe,
    hints=(
        "The result has the shape of `x`: one number per entry. Begin with an array of zeros of "
        "that shape, and of floats. `np.ndindex(x.shape)` walks over all entries, however many "
        "axes there are.",
        "For one entry: make two copies of `x`, as floats; raise that entry by `h` in one and "
        "lower it by `h` in the other; leave all the others alone.",
        "Between the two points `f` has changed by `f(up) - f(down)`. How far apart are they?",
    ),
    rtol=1e-6,  # nothing but the formula itself is asked for, and f works in float64
    atol=1e-7,
    whole=True,  # inputs can be spoiled in a few ways only: the slopes say which mistake it was
)


# ---------------------------------------------------------------- bn-cache


def _well_spread(rng: np.random.RandomState, n: int, d: int) -> np.ndarray:
    """A batch (n, d) in which σ is above 6 in every feature: no ε up to 0.001 is to be seen."""
    steps = np.array([rng.permutation(np.linspace(-1, 1, n)) for _ in range(d)]).T
    centre = rng.uniform(6.0, 18.0, d) * rng.choice([-1, 1], d)
    return centre + rng.uniform(12.0, 18.0, d) * (steps + rng.uniform(-0.15, 0.15, (n, d)))


def _normalize_cases(rng: np.random.RandomState) -> list[Case]:
    n = int(rng.randint(7, 10))
    constant = batch(rng, 5, 3)
    constant[:, 2] = rng.randint(2, 6) + 0.25  # its mean is exact in float32 too
    return [
        Case("plain", f"{n} samples of 4 features", dict(x=_well_spread(rng, n, 4), eps=1e-5)),
        Case("wide", "fewer samples than features", dict(x=_well_spread(rng, 3, 5), eps=1e-6)),
        Case(
            "large-eps",
            "a large ε",
            dict(x=batch(rng, 6, 4, scale=0.6), eps=rng.uniform(0.1, 0.3)),
        ),
        Case("constant", "a feature that never varies", dict(x=constant, eps=1e-3)),
    ]


def _normalize_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = call(answer, inputs["x"], inputs["eps"], name="normalize")
    x_hat, s = pair(found, "the pair `(x_hat, s)`")
    return {"x_hat": x_hat, "s": flat(s)}


def _eps_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    """Which ε it was, by a feature that never varies."""
    still = np.flatnonzero(np.ptp(inputs["x"], axis=0) == 0)
    if not still.size:
        return None
    i, used = int(still[0]), float(seen["s"][still[0]]) ** 2
    if np.isclose(used, inputs["eps"], rtol=1e-3):
        return None
    return (
        f"Feature {i} never varies, so that s² is ε there, here {inputs['eps']:.3g}. Yours is "
        f"{used:.3g}."
    )


NORMALIZE = Exercise(
    id="bn-cache",
    lesson=LESSON,
    title="Forwards, keeping what the way back needs",
    answer="normalize",
    parts=(
        Part("x_hat", 1, "x̂, feature by feature", ("plain/x_hat", "wide/x_hat")),
        Part("s", 1, "s, what x̂ was divided by", ("plain/s", "wide/s")),
        Part(
            "eps",
            1,
            "ε does its work",
            ("large-eps/x_hat", "large-eps/s", "constant/x_hat", "constant/s"),
        ),
        Part("inputs", 1, "`x` itself is left alone", ("*/inputs",)),
    ),
    cases=_normalize_cases,
    probe=_normalize_probe,
    hints=(
        "These are the first three lines of `batch_norm_dense` of lesson 01, without γ and β.",
        "`s` has one number per feature: shape (D,). ε is part of it.",
        "Check yourself: `x_hat * s` plus the mean of each feature must give `x` back.",
    ),
    facts=(_eps_fact,),
)


# ---------------------------------------------------------------- bn-backward, bn-backward-short


def _upstream(rng: np.random.RandomState, x: np.ndarray) -> np.ndarray:
    """A dy that leans on x, with a mean of its own: both sums of each path are far from 0."""
    lean = rng.uniform(0.4, 0.8, x.shape[1]) * rng.choice([-1, 1], x.shape[1])
    shift = rng.uniform(0.6, 1.2, x.shape[1]) * rng.choice([-1, 1], x.shape[1])
    middle, spread = x.mean(axis=0), np.ptp(x, axis=0) / 3 + 1e-9
    return shift + lean * (x - middle) / spread + 0.5 * rng.randn(*x.shape)


def _backward_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, x, eps):
        gamma, _ = affine(rng, x.shape[1])
        gamma = gamma + 0.7 * np.sign(gamma)  # far from 1
        return Case(case_id, title, dict(dy=_upstream(rng, x), x=x, gamma=gamma, eps=eps))

    n, d = int(rng.randint(7, 10)), int(rng.randint(4, 6))
    constant = batch(rng, 5, 3)
    constant[:, 1] = rng.randint(2, 6) + 0.25  # its mean is exact in float32 too
    return [
        case("plain", f"{n} samples of {d} features", _well_spread(rng, n, d), 1e-6),
        case("wide", "fewer samples than features", _well_spread(rng, 3, n), 1e-6),
        case("large-eps", "a large ε", batch(rng, 6, 4, scale=0.6), rng.uniform(0.1, 0.3)),
        case("constant", "a feature that never varies", constant, 0.02),
        case("one", "a batch of one sample", batch(rng, 1, 4), 0.05),
    ]


def _copied(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.copy(value) if np.ndim(value) else value for name, value in inputs.items()}


def _backward_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    if len(inputs["x"]) > 1:
        return _three_gradients(answer, inputs, "batch_norm_backward")
    # Some honest code stops at a batch of one. It shall lose nothing but what is said of ε.
    return {"dx": _three_gradients(answer, _copied(inputs), "batch_norm_backward")["dx"]}


def _three_gradients(answer: Any, inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    arguments = (inputs[argument] for argument in ("dy", "x", "gamma", "eps"))
    found = call(answer, *arguments, name=name)
    if not isinstance(found, (tuple, list)) or len(found) != 3:
        several = isinstance(found, (tuple, list))
        what = f"{len(found)} things" if several else "one thing"
        raise Unusable(f"It should return three arrays, `(dx, dgamma, dbeta)`; it returns {what}.")
    dx, dgamma, dbeta = found
    return {"dx": dx, "dgamma": flat(dgamma), "dbeta": flat(dbeta)}


def _off(seen: np.ndarray, right: np.ndarray) -> bool:
    return not np.allclose(seen, right, rtol=1e-4, atol=1e-5)


def _whole_off(dx: np.ndarray, wanted: np.ndarray) -> str | None:
    """What is wrong with all of dx, if in every feature it is a multiple of what it should be."""
    if not dx.any():
        return "Your dx is 0 everywhere. Which of the three paths do you add up?"
    size = (wanted**2).sum(axis=0)
    factor = (dx * wanted).sum(axis=0) / np.maximum(size, 1e-12)
    if not np.allclose(dx, factor * wanted, rtol=1e-3, atol=1e-4):
        return None
    three = "The three paths of your dx are there in the right proportion, but the whole"
    if np.allclose(factor[size > 1e-12], -1, rtol=1e-3):
        return f"{three} has the wrong sign."
    return f"{three} comes with a wrong factor. What scales them all?"


def _blamed(error: np.ndarray, by: np.ndarray, dy: np.ndarray) -> str:
    """Which paths an error of dx comes by: "direct", "statistics", or "" where it does not show.

    A wrong weight of the direct path gives a multiple of dy; wrong weights of those through μ and
    σ² add to every sample the same number, and a multiple of its distance from the mean.
    """
    if len(by) < 4:
        return ""  # so few numbers are made of anything
    centred, least = by - by.mean(axis=0), 1e-3 * np.abs(error).max()

    def without(rest, along):
        return rest - along * (rest * along).sum(axis=0) / ((along**2).sum(axis=0) + 1e-12)

    if np.abs(without(error, dy)).max() < least:
        return "direct"
    rest = without(error - error.mean(axis=0), centred)
    return "statistics" if np.abs(rest).max() < least else ""


FOLLOW = " Follow the path through {}."


def _sums_fact(along: str, unit: str = "feature") -> Fact:
    """A fact about the two sums of dx; along: the input that the second sum is weighted with.

    The first sum is 0 when dx is right, so that x serves as well as x̂ for the second.
    """

    def fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
        if any(_off(seen[name], right[name]) for name in ("dgamma", "dbeta") if name in right):
            return None  # first things first
        dx, wanted, by = seen["dx"], right["dx"], inputs[along]
        if not _off(dx, wanted):
            return None
        whole = _whole_off(dx, wanted)
        if whole:
            return whole
        blamed = _blamed(dx - wanted, by, inputs["dy"])
        first, size = dx.sum(axis=0), np.abs(wanted).sum(axis=0) + 1e-3
        if np.any(np.abs(first) > 1e-3 * size):
            i = int(np.argmax(np.abs(first) / size))
            follow = {"direct": " Look at the direct path.", "statistics": FOLLOW.format("μ")}
            return (
                f"In {unit} {i} your dx adds up to {first[i]:.3g} over the batch. It should add up "
                "to 0, since adding one number to every sample changes no output."
                f"{follow.get(blamed, '')}"
            )
        second, should = ((g * by).sum(axis=0) for g in (dx, wanted))
        size = np.abs(wanted * by).sum(axis=0) + 1e-3
        if np.any(np.abs(second - should) > 1e-3 * size):
            i = int(np.argmax(np.abs(second - should) / size))
            zero = abs(should[i]) < 1e-3 * size[i]
            follow = FOLLOW.format("σ²") if blamed == "statistics" else ""
            return (
                f"The path through μ closes: dx adds up to 0. But in {unit} {i} the sum of dx "
                f"times {along} is {second[i]:.3g}; it should be "
                f"{0 if zero else should[i]:.3g}.{follow}"
            )
        return "Both sums of dx come out right, but dx does not. Look at γ and s."

    return fact


def _in_batches(name: str) -> tuple[str, ...]:
    """Where a value is looked at: in all cases but the batch of one (see `_backward_probe`)."""
    return tuple(f"{case}/{name}" for case in ("plain", "wide", "large-eps", "constant"))


BACKWARD = Exercise(
    id="bn-backward",
    lesson=LESSON,
    title="Back through the graph",
    answer="batch_norm_backward",
    parts=(
        Part("dbeta", 1, "the gradient of β", _in_batches("dbeta")),
        Part("dgamma", 2, "the gradient of γ", _in_batches("dgamma")),
        Part("dx", 5, "the gradient of x, along all three paths", ("plain/dx", "wide/dx")),
        Part("eps", 2, "ε does its work", ("large-eps/dx", "constant/dx", "one/*")),
        Part("inputs", 1, "the inputs are left alone", _in_batches("inputs")),
    ),
    cases=_backward_cases,
    probe=_backward_probe,
    hints=(
        "Walk the graph from right to left, one line of code per node: first the gradients of β, "
        "γ and x̂, then of σ², then of μ, and of x last. Give each the name of its node with a d.",
        "γ, β, μ and σ² have one number per feature, used by all samples. Whatever is shared on "
        "the way forward is summed on the way back: over which axis?",
        "Three arrows leave x: to x̂, to μ and to σ². So dx is a sum of three terms. What are the "
        "derivatives of μ and of σ² with respect to one xᵢ?",
        "Stuck on a number? Run your lines on the five values of the graph: dσ² must be 0.75 and "
        "dμ must be −2.",
    ),
    facts=(_sums_fact("x"),),
)


def _short_cases(rng: np.random.RandomState) -> list[Case]:
    """x̂ with mean 0 and mean square below 1, as a large ε leaves it, and a spread of its own."""

    def case(case_id, title, n, d, low, high, still=None):
        x_hat = rng.randn(n, d) if n > 1 else np.zeros((n, d))
        if n > 1:
            x_hat -= x_hat.mean(axis=0)
            x_hat *= np.sqrt(rng.uniform(low, high, d) / np.mean(x_hat**2, axis=0))
        if still is not None:
            x_hat[:, still] = 0
        dy = _upstream(rng, x_hat)
        gamma, _ = affine(rng, d)
        gamma = gamma + 0.7 * np.sign(gamma)
        s = rng.uniform(0.3, 0.7, d) * rng.choice([1, 4], d)
        return Case(case_id, title, dict(dy=dy, x_hat=x_hat, gamma=gamma, s=s))

    n, d = int(rng.randint(7, 10)), int(rng.randint(4, 6))
    return [
        case("plain", f"{n} samples of {d} features", n, d, 1 - 2e-7, 1 - 1e-7),
        case("wide", "fewer samples than features", 3, n, 1 - 2e-7, 1 - 1e-7),
        case("large-eps", "a large ε", 6, 4, 0.4, 0.8),
        case("constant", "a feature that never varies", 5, 3, 0.8, 0.9, still=1),
        case("one", "a batch of one sample", 1, 4, 0, 0),
    ]


def _short_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    if len(inputs["x_hat"]) == 1:  # as in `_backward_probe`
        inputs = _copied(inputs)
    arguments = (inputs[name] for name in ("dy", "x_hat", "gamma", "s"))
    return {"dx": call(answer, *arguments, name="batch_norm_backward_short")}


SHORT = Exercise(
    id="bn-backward-short",
    lesson=LESSON,
    title="Back in one line",
    answer="batch_norm_backward_short",
    parts=(
        Part("dx", 3, "the gradient of x", ("plain/dx", "wide/dx")),
        Part("eps", 1, "ε does its work", ("large-eps/dx", "constant/dx", "one/*")),
        Part("inputs", 1, "the inputs are left alone", _in_batches("inputs")),
    ),
    cases=_short_cases,
    probe=_short_probe,
    hints=(
        "Name dx̂ first; it appears three times. The two angle brackets are means over the batch.",
        "Each bracket is one number per feature, shape (D,). Only x̂ᵢ and dx̂ᵢ differ from sample "
        "to sample.",
        "Check yourself: `dx.sum(axis=0)` must be 0, and the result must equal the first of the "
        "three that `batch_norm_backward` returns.",
    ),
    facts=(_sums_fact("x_hat"),),
)


# ---------------------------------------------------------------- bn-backward-images


def _rows(a: np.ndarray) -> np.ndarray:
    """Images (m, C, p, q) as rows (m·p·q, C)."""
    return a.transpose(0, 2, 3, 1).reshape(-1, a.shape[1])


def _pictures(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Rows (m·p·q, C) as images of a shape (m, C, p, q), laid out in memory as images are."""
    m, c, p, q = shape
    return np.ascontiguousarray(rows.reshape(m, p, q, c).transpose(0, 3, 1, 2))


def _images_cases(rng: np.random.RandomState) -> list[Case]:
    def case(case_id, title, shape, eps, rows=_well_spread):
        m, c, p, q = shape
        x = rows(rng, m * p * q, c)
        gamma, _ = affine(rng, c)
        gamma = gamma + 0.7 * np.sign(gamma)  # far from 1
        inputs = dict(dy=_pictures(_upstream(rng, x), shape), x=_pictures(x, shape))
        return Case(case_id, title, dict(**inputs, gamma=gamma, eps=eps))

    def close(rng, n, d):
        return batch(rng, n, d, scale=0.6)

    c = int(rng.randint(4, 6))
    return [
        case("plain", f"3 images of 2 × 4 pixels, {c} channels", (3, c, 2, 4), 1e-6),
        case("alike", "as many channels as rows and columns", (2, 3, 3, 3), 1e-6),
        case("large-eps", "a large ε", (2, 4, 3, 2), rng.uniform(0.1, 0.3), close),
        case("one", "a single image", (1, 2, 3, 4), 1e-6),
    ]


def _images_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return _three_gradients(answer, inputs, "batch_norm_backward_images")


def _images_fact(inputs: Mapping[str, Any], right: Mapping, seen: Mapping) -> str | None:
    dx, wanted = seen["dx"], right["dx"]
    if _off(dx, wanted) and not _off(np.sort(dx, None), np.sort(wanted, None)):
        return None  # the right numbers in other places: the judge says so
    rows = dict(right, dx=_rows(wanted)), dict(seen, dx=_rows(dx))
    flat = {name: _rows(inputs[name]) for name in ("x", "dy")}
    return _sums_fact("x", "channel")(flat, *rows)


IMAGES = Exercise(
    id="bn-backward-images",
    lesson=LESSON,
    title="Back through images",
    answer="batch_norm_backward_images",
    parts=(
        Part("dbeta", 1, "the gradient of β", ("*/dbeta",)),
        Part("dgamma", 1, "the gradient of γ", ("*/dgamma",)),
        Part("dx", 3, "the gradient of x", ("plain/dx", "alike/dx", "one/dx")),
        Part("eps", 1, "ε does its work", ("large-eps/dx",)),
        Part("inputs", 1, "the inputs are left alone", ("*/inputs",)),
    ),
    cases=_images_cases,
    probe=_images_probe,
    hints=(
        "Every formula of this lesson holds for one channel as it held for one feature. Which "
        "numbers of `x` share a μ, and along which axes do they lie?",
        "Two ways: give every mean and sum those axes, with `keepdims=True`, and γ the shape "
        "(C, 1, 1); or bring `x` and `dy` into rows of C columns, as in lesson 02, and use "
        "`batch_norm_backward`.",
        "Check yourself: `dx.sum(axis=(0, 2, 3))` must be 0 for every channel. For a single image "
        "too?",
    ),
    facts=(_images_fact,),
)


# ---------------------------------------------------------------- bn-which-path
#
# Six broken gradients. The lesson hands them out as black boxes; each is wrong in one way.


def _parts_of(dy, x, gamma, eps):
    centred = x - x.mean(axis=0)
    s = np.sqrt((centred**2).mean(axis=0) + eps)
    return gamma * dy / s, centred / s


def _patient_a(dy, x, gamma, eps):
    g, _ = _parts_of(dy, x, gamma, eps)
    return g - g.mean(axis=0)


def _patient_b(dy, x, gamma, eps):
    g, x_hat = _parts_of(dy, x, gamma, eps)
    return g - g.sum(axis=0) - x_hat * (g * x_hat).sum(axis=0)


def _patient_c(dy, x, gamma, eps):
    g, x_hat = _parts_of(dy, x, gamma, eps)
    return g - x_hat * (g * x_hat).mean(axis=0)


def _patient_d(dy, x, gamma, eps):
    g, x_hat = _parts_of(dy, x, np.ones_like(gamma), eps)
    return g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)


def _patient_e(dy, x, gamma, eps):
    g, x_hat = _parts_of(dy, x, gamma, eps)
    return g - g.mean(axis=0) - 0.5 * x_hat * (g * x_hat).mean(axis=0)


def _patient_f(dy, x, gamma, eps):
    return _parts_of(dy, x, gamma, eps)[0]


#: name -> function (dy, x, gamma, eps) -> dx, of shape (m, D).
patients = dict(A=_patient_a, B=_patient_b, C=_patient_c, D=_patient_d, E=_patient_e, F=_patient_f)

#: What each diagnosis says of the two sums, in units of those of the direct path alone, m samples.
DIAGNOSES: dict[str, Callable[[int], tuple[float, float]]] = {
    "mean": lambda m: (1, 0),
    "variance": lambda m: (0, 1),
    "both": lambda m: (1, 1),
    "count": lambda m: (1 - m, 1 - m),
    "sign": lambda m: (0, 2),
    "half": lambda m: (0, 0.5),
    "gamma": lambda m: (0, 0),
    "healthy": lambda m: (0, 0),
}

FITS = "it fits all that can be seen"
UNKNOWN = f"it should be one of the words {', '.join(DIAGNOSES)}"

#: Three columns of mean 0 and mean square 1, so that x̂ is known without computing it.
_SIGNS = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [1, -1, -1]])
_PATTERN = np.vstack([_SIGNS, -_SIGNS]).astype(float)


def _which_cases(rng: np.random.RandomState) -> list[Case]:
    def case(name):
        s, middle = rng.uniform(0.5, 3.0, 3), rng.uniform(1.0, 4.0, 3)
        inputs = dict(patient=name, x=middle + s * _PATTERN, s=s, gamma=rng.uniform(1.5, 3.0, 3))
        dy = rng.uniform(0.6, 1.2, 3) + 0.7 * _PATTERN + 0.3 * rng.uniform(-1, 1, _PATTERN.shape)
        return Case(name, f"patient {name}", {**inputs, "dy": dy})

    return [case(name) for name in patients]


def _which_probe(answer: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Whether what the answer says of a patient fits what the patient does, on a fresh batch."""
    word = _word_about(answer, inputs["patient"])
    if word not in DIAGNOSES:
        return {"diagnosis": UNKNOWN}
    return {"diagnosis": _contradiction(word, **inputs)}


def _word_about(answer: Any, name: str) -> str:
    if isinstance(answer, (list, tuple)) and len(answer) == len(patients):
        answer = dict(zip(patients, answer, strict=True))
    if not isinstance(answer, Mapping):
        raise Unusable('It should be a dictionary like `{"A": "healthy", …}`.')
    words = {str(k).strip().upper(): v for k, v in answer.items()}
    if name not in words:
        raise Unusable(f"There is no diagnosis of patient {name} in it.")
    word = plain(words[name])
    return word.strip().lower() if isinstance(word, str) else ""


def _contradiction(word: str, patient: str, x, s, gamma, dy) -> str:
    def sums(dx):
        return np.array([dx.sum(axis=0), (dx * _PATTERN).sum(axis=0)])

    ask = patients[patient]
    dx, direct = ask(dy, x, gamma, 1e-9), gamma * dy / s
    should = np.array(DIAGNOSES[word](len(x)))[:, None] * sums(direct)
    first, second = np.all(np.abs(sums(dx) - should) < 1e-3, axis=1)
    said = f"you say `{word}`, and"
    if not first and not second:
        return f"{said} neither sum is what that would give"
    if not first or not second:
        return f"{said} the {'second' if first else 'first'} sum is not what that would give"
    knows_gamma = np.allclose(ask(dy, x, 2 * gamma, 1e-9), 2 * dx)
    if knows_gamma != (word != "gamma"):
        return f"{said} both sums agree with that, but the gradient itself does not"
    return FITS


WHICH = Exercise(
    id="bn-which-path",
    lesson=LESSON,
    title="Six patients",
    answer="diagnosis",
    parts=tuple(
        Part(name, 1, f"patient {name}", (f"{name}/diagnosis", f"{name}/inputs"))
        for name in patients
    ),
    cases=_which_cases,
    probe=_which_probe,
    hints=(
        "Run `examine` on all six and write the two numbers of each into a table. Compare the "
        "rows with what you saw when you moved the controls.",
        "A path that comes with weight w leaves 1 − w of the direct path's sum. Solve for w: 0 is "
        "a missing path, −1 a wrong sign, ½ a lost factor 2, m a lost 1/m.",
        "Both sums 0 does not mean healthy: 5 · dx has both sums 0 as well. Compare such a "
        "patient's dx with `numerical_gradient(layer_loss, x, 1e-5)`.",
    ),
)

EXERCISES = (GRADIENT, NORMALIZE, BACKWARD, SHORT, IMAGES, WHICH)
