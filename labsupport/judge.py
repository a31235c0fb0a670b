"""The judge: key + observations -> verdict. Pure: no input, no output, no state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from labsupport.vocabulary import (
    INPUTS,
    UNCHANGED,
    Case,
    Exercise,
    Key,
    KnownMistake,
    Observation,
    Observations,
    Odd,
    Part,
    PartVerdict,
    Trouble,
    Verdict,
)

Cell = tuple[str, str]  # case id, name of the value
RESULT = "out"  # what a function returns; the student knows no such name
SHAPES = "Read the two shapes: which of them is not the one you meant?"
LIKELY = "It fails as with this mistake: "
NOTHING = Observation(trouble=Trouble("unusable", "There was no observation for this case."))


def judge(
    exercise: Exercise, cases: Sequence[Case], key: Key, observations: Observations
) -> Verdict:
    """Compare observations with the key, part by part.

    A part is right when each of its values agrees with the right answer's. Otherwise it names the
    known mistake that gave the same values, or else states the most useful fact. Where only errors
    are seen, of the class that a known mistake raises too, it says no more than that.
    """
    known = {case.id: case for case in cases}
    with np.errstate(all="ignore"):  # numbers of any size come here, and pages set what they like
        wrong = differing(exercise, key.right, observations, cells_of(key.right))
        where = {case for case, _ in wrong}
        only = known[where.pop()].title if len(where) == 1 and len(key.right) > 1 else ""
        parts = [
            _judge_part(exercise, part, known, key, observations, wrong, only)
            for part in exercise.parts
        ]
    parts = _withhold(_surely(parts), key.right)
    note = next((o.note for o in observations.values() if o.note), "")
    return Verdict(exercise.id, exercise.title, exercise.answer, parts, note)


def missing(exercise: Exercise, message: str) -> Verdict:
    """The verdict when the name that the exercise asks for does not exist."""
    parts = tuple(
        PartVerdict(part, "not attempted", 0, message if i == 0 else "")
        for i, part in enumerate(exercise.parts)
    )
    return Verdict(exercise.id, exercise.title, exercise.answer, parts)


# ---------------------------------------------------------------- comparing


def same(right, seen, rtol: float, atol: float) -> bool:
    """Whether two observed values agree: same kind, same shape, same NaNs, close numbers."""
    if isinstance(right, str) or isinstance(seen, str):
        return type(right) is type(seen) and right == seen
    if right.shape != seen.shape:
        return False
    with np.errstate(all="ignore"):
        bound = atol + rtol * np.abs(right)
        if np.all((np.abs(seen - right) <= bound) & (bound < np.inf)):
            return True  # in a third of the time that this takes:
        return bool(np.allclose(seen, right, rtol=rtol, atol=atol, equal_nan=True))


def cells_of(right: Observations, part: Part | None = None) -> list[Cell]:
    """Every (case, name) of the right answer that a part covers; of all parts if None."""
    return [
        (case, name)
        for case, observation in right.items()
        for name in observation.values
        if part is None or part.has(case, name)
    ]


def agree(exercise: Exercise, one: Observations, other: Observations, cell: Cell) -> bool:
    """Whether two answers did the same in one cell; two errors agree when their classes do."""
    case, name = cell
    a, b = one.get(case, NOTHING), other.get(case, NOTHING)
    if a.trouble or b.trouble:
        if not (a.trouble and b.trouble and a.trouble.kind == b.trouble.kind):
            return False
        return a.trouble.error == b.trouble.error
    if name not in a.values or name not in b.values:
        return name not in a.values and name not in b.values
    return same(a.values[name], b.values[name], exercise.rtol, exercise.atol)


def differing(
    exercise: Exercise, right: Observations, seen: Observations, cells: Iterable[Cell]
) -> set[Cell]:
    return {cell for cell in cells if not agree(exercise, right, seen, cell)}


# ---------------------------------------------------------------- naming


def name_mistake(
    exercise: Exercise,
    key: Key,
    seen: Observations,
    cells: Sequence[Cell],
    wrong: set[Cell],
    fine: Sequence[Cell] = (),
) -> KnownMistake | None:
    """The known mistake that explains the wrong cells among `cells`.

    fine: cells in which whoever makes the mistake must be right.

    First choice: one that is wrong in just these cells, in the same way; among several, the one
    that agrees with the answer most often in the whole exercise. Second choice: one that explains
    some of them, and is right where the answer is right (two mistakes at once). Single numbers are
    no evidence of that: many a wrong answer happens to give them.
    """
    everywhere = cells_of(key.right)
    full, partial = [], []
    for mistake in key.mistakes:
        own = differing(exercise, key.right, mistake.observations, cells)
        if not own or not own <= wrong:
            continue
        if differing(exercise, key.right, mistake.observations, fine):
            continue
        if not all(agree(exercise, mistake.observations, seen, cell) for cell in own):
            continue
        score = sum(agree(exercise, mistake.observations, seen, cell) for cell in everywhere)
        if not _is_evidence(mistake.observations, own, score == len(everywhere)):
            continue
        seen_there = [cell for cell in everywhere if cell[0] in {case for case, _ in own}]
        if exercise.whole and differing(exercise, mistake.observations, seen, seen_there):
            continue
        if own != wrong and all(_is_a_number(mistake.observations, cell) for cell in own):
            continue
        (full if own == wrong else partial).append(((len(own), score), mistake))
    for found in (full, partial):
        if found:
            return max(found, key=lambda pair: pair[0])[1]  # the first of equals
    return None


def _is_a_number(seen: Observations, cell: Cell) -> bool:
    value = seen.get(cell[0], NOTHING).values.get(cell[1])
    return isinstance(value, np.ndarray) and value.size == 1


def _is_evidence(mistaken: Observations, own: set[Cell], agrees_everywhere: bool) -> bool:
    """Two answers that merely raise the same class of error need not make the same mistake.

    They do if they agree in everything else, and there is something else; or if only this mistake
    raises that class.
    """
    raises = {case for case, observation in mistaken.items() if observation.trouble}
    if any(case not in raises or mistaken[case].trouble.tells for case, _ in own):
        return True
    return agrees_everywhere and len(raises) < len(mistaken)


def _surely(verdicts: Sequence[PartVerdict]) -> list[PartVerdict]:
    """A mistake that one part knows by its numbers is no guess in another."""
    sure = {v.mistake for v in verdicts if v.mistake and not v.likely}
    return [
        replace(v, likely=False, message=v.message.removeprefix(LIKELY)) if v.mistake in sure else v
        for v in verdicts
    ]


def _withhold(verdicts: Sequence[PartVerdict], right: Observations) -> tuple[PartVerdict, ...]:
    """Take the points of parts that an answer can have got right by doing nothing."""
    fine = {verdict.part.id for verdict in verdicts if verdict.outcome == "right"}
    about_inputs = {
        verdict.part.id
        for verdict in verdicts
        if all(name == INPUTS for _, name in cells_of(right, verdict.part))
    }

    counts = set(fine)
    for _ in verdicts:  # a part that waits may keep others waiting
        counts = {v.part.id for v in verdicts if v.part.id in counts and counts >= {*v.part.needs}}
    if counts <= about_inputs:
        counts = set()
    return tuple(
        replace(v, outcome="waiting", points=0) if v.part.id in fine - counts else v
        for v in verdicts
    )


def _judge_part(
    exercise: Exercise,
    part: Part,
    cases: dict[str, Case],
    key: Key,
    seen: Observations,
    wrong_anywhere: set[Cell],
    only: str,
) -> PartVerdict:
    """The verdict on one part. only: title of the one case that went wrong, "" if more did."""
    cells = cells_of(key.right, part)
    if not cells:
        return PartVerdict(part, "unusable", 0, f"No case looks at the part {part.id}.")
    wrong = wrong_anywhere.intersection(cells)
    if not wrong:
        return PartVerdict(part, "right", part.points)
    order = [cell for cell in cells if cell in wrong]
    troubles = {c: seen.get(c, NOTHING).trouble for c, _ in order if seen.get(c, NOTHING).trouble}
    kinds = {trouble.kind for trouble in troubles.values()}
    if (
        kinds == {"not attempted"}
        and len(wrong) == len(cells)
        and len(troubles) == len({case for case, _ in order})
    ):
        return PartVerdict(part, "not attempted", 0)
    if troubles and all(name == INPUTS and case in troubles for case, name in order):
        return PartVerdict(part, "waiting", 0)  # nobody can say whether inputs were left alone
    mistake = name_mistake(
        exercise, key, seen, cells, wrong, _right_before(exercise, part, key, seen)
    )
    case, trouble = next(iter(troubles.items()), (order[0][0], None))
    verdict = dict(only=only)
    if trouble is not None:
        verdict.update(line=trouble.line, line_number=trouble.line_number)
    if mistake is not None and kinds <= {"raised"}:
        said = "" if trouble is None or trouble.tells else f" ({trouble.text})"
        likely = bool(said) and all(case in troubles for case, _ in order)
        message = f"{LIKELY if likely else ''}{mistake.name}{said}"
        verdict.update(likely=likely)
        return PartVerdict(part, "mistake", 0, message, mistake.question, mistake.id, **verdict)
    if trouble is not None:
        kind = "wrong" if trouble.kind == "not attempted" else trouble.kind
        text = trouble.text or "Some cases still raise NotImplementedError."
        question = SHAPES if "broadcast" in text and trouble.error == "ValueError" else ""
        where = cases[case].title
        return PartVerdict(part, kind, 0, text, question, where=where, **verdict)
    case, text = _fact(exercise, cases, key, seen, order)
    return PartVerdict(part, "wrong", 0, text, where=cases[case].title, **verdict)


def _right_before(exercise: Exercise, part: Part, key: Key, seen: Observations) -> list[Cell]:
    """The cells of the parts that this one needs, and that the answer has right."""
    needed = [cells_of(key.right, other) for other in exercise.parts if other.id in part.needs]
    return [c for cells in needed if not differing(exercise, key.right, seen, cells) for c in cells]


# ---------------------------------------------------------------- facts


def _fact(
    exercise: Exercise,
    cases: dict[str, Case],
    key: Key,
    seen: Observations,
    order: Sequence[Cell],
) -> tuple[str, str]:
    """The most useful fact about a wrong answer that no known mistake explains, and its case."""
    for case, name in order:
        fact = _fact_of_form(name, key.right[case].values[name], seen[case].values.get(name))
        if fact:
            return case, fact
    for case in dict.fromkeys(case for case, _ in order):
        right, values = key.right[case].values, seen[case].values
        names = [name for name in right if name != INPUTS]
        if any(_fact_of_form(name, right[name], values.get(name)) for name in names):
            continue  # what an exercise knows is about values that all have the right form
        for look in exercise.facts:
            fact = look(cases[case].inputs, right, values)
            if fact:
                return case, fact
    case, name = order[0]
    right, value = key.right[case].values[name], seen[case].values[name]
    return case, _fact_of_numbers(name, right, value, exercise)


def _fact_of_form(name: str, right, seen) -> str | None:
    """A fact about kind, shape or NaN; None if the form is as it should be."""
    if name == INPUTS and isinstance(seen, str) and seen != UNCHANGED:
        return (
            f"Your code changes its input {_inputs(seen)} in place. Whoever called it still needs "
            "the old values: build a new array instead."
        )
    what, start = _called(name)
    if seen is None:
        return f"There is no value for {what}."
    if isinstance(right, str):
        if isinstance(seen, Odd) or not isinstance(seen, str):
            return f"{start} should be a word or a sentence; it is {_kind(seen)}."
        return None
    if isinstance(seen, str):
        hint = " Is a `return` missing?" if seen == "None" else ""
        return f"{start} should be {_form(right.shape)}; it is {_kind(seen)}.{hint}"
    if right.shape != seen.shape:
        return f"{start} should be {_form(right.shape)}; it is {_form(seen.shape)}."
    bad = ~np.isfinite(seen) & np.isfinite(right)
    if bad.any():
        kinds = "NaN" if np.isnan(seen[bad]).all() else "NaN or infinite"
        if seen.ndim == 0:
            return f"{start} is {kinds}."
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        return (
            f"{int(bad.sum())} of the {seen.size} numbers in {what} are {kinds}, first at {first}."
        )
    return None


def _fact_of_numbers(name: str, right, seen, exercise: Exercise) -> str:
    """A generic fact about numbers of the right shape: scale, offset, or how many are off."""
    if isinstance(right, str):
        return f"{name}: {str(seen).rstrip('.')}."
    what, start = _called(name)
    if right.ndim == 0 or right.size == 1:
        side = "large" if seen.sum() > right.sum() else "small"
        return f"{start} is too {side}."
    close = np.isclose(seen, right, rtol=exercise.rtol, atol=exercise.atol, equal_nan=True)
    usable = np.abs(right) > 1e-6
    if usable.sum() > 1 and np.all(close | usable):
        ratio = seen[usable] / right[usable]
        if np.ptp(ratio) < 1e-3 * np.abs(ratio).max() and abs(ratio.mean() - 1) > 1e-4:
            factor = float(ratio.mean())
            if abs(factor + 1) < 1e-4:
                return f"Every number in {what} has the wrong sign."
            digits = ".3g" if abs(factor - 1) > 5e-3 else ".6g"
            return f"Every number in {what} is {factor:{digits}} times what it should be."
    shift = seen - right
    if np.ptp(shift) < 1e-3 * np.abs(shift).max():
        return f"Every number in {what} is off by the same amount, {shift.flat[0]:.3g}."
    if np.allclose(np.sort(seen, None), np.sort(right, None), exercise.rtol, exercise.atol):
        return f"The numbers in {what} are the right ones, in another order."
    wrong = ~close
    distance = np.nan_to_num(np.abs(np.where(wrong, shift, 0)), nan=np.inf)
    worst = np.unravel_index(distance.argmax(), seen.shape)
    share = f"{int(wrong.sum())} of the {wrong.size} numbers in {what} are off"
    place = tuple(int(i) for i in worst)
    place = place[0] if len(place) == 1 else place
    return f"{share}, most of all the one at {place}, by {distance[worst]:.3g}."


def _inputs(names: str) -> str:
    """Inputs as a student's code has them: x1, x2 … are one batch after another, each its x."""
    each = (n if n[:1] != "x" or not n[1:].isdigit() else "x" for n in names.split(" and "))
    return " and ".join(dict.fromkeys(each))


def _called(name: str) -> tuple[str, str]:
    """What a value is called within a sentence, and at its start."""
    name = "your result" if name == RESULT else name
    words = name.startswith(("your ", "the "))  # and not something's name in the code
    return name, name[0].upper() + name[1:] if words else name


def _form(shape: tuple[int, ...]) -> str:
    return "a single number" if shape == () else f"an array of shape {shape}"


def _kind(seen) -> str:
    if isinstance(seen, Odd):
        return seen.rstrip(".")  # the sentence around it ends by itself
    return "a string" if isinstance(seen, str) else _form(seen.shape)
