"""One submission tried in a sandbox and judged outside it.

A process that dies, or has to be killed, costs what it was at: the cell or the exercise is noted,
and the rest is tried again in a fresh process without it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from labsupport import exercises, keys
from labsupport.grading import remote, wire
from labsupport.grading.fresh import ClassKey, hidden_cases
from labsupport.grading.program import Program, ProgramCell, as_it_stood, names_of
from labsupport.grading.records import ExerciseResult, PartResult, Result, Submission
from labsupport.grading.sandbox import Death, Limits, Sandbox
from labsupport.grading.stacks import on_demand, where_probed
from labsupport.judge import LIKELY, judge, missing
from labsupport.vocabulary import (
    Case,
    Exercise,
    Observation,
    Observations,
    PartVerdict,
    Trouble,
    Verdict,
)

RESTARTS = 8
FINE = ("right", "waiting")
NAMELESS = ("wrong", "raised")  # what the judge says where it knows no mistake like that

ONLY_HIDDEN = (
    "Right on the cases that `check` uses, but not on others. What does your code take for granted "
    "about the sizes or the numbers that it is given?"
)

#: The same where it was not the numbers. Fixed words: a submission chooses how it dies.
ONLY_HIDDEN_SLOW = (
    "Right on the cases that `check` uses, but when it was graded it did not end in the time that "
    "it has. What takes longer the larger it is, or is done again with each call?"
)
ONLY_HIDDEN_DIED = (
    "Right on the cases that `check` uses, but when it was graded its process did not survive. "
    "Does it need much memory, or end by itself?"
)
DIED = "Its process did not survive"


@dataclass
class Tried:
    """What came of trying a submission's answers on some cases.

    seen: observations by exercise. absent: for an answer that is not there, a name nearly the same.
    cells: the trouble of each cell that had one, by its number. events: for the instructor.
    """

    seen: dict[str, Observations] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    cells: dict[int, Trouble] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)


def grade(
    submission: Submission,
    program: Program,
    box: Sandbox,
    key: ClassKey,
    limits: Limits,
    more: Callable[[Sequence[str], Sandbox], ClassKey] | None = None,
) -> Result:
    """The verdict on a submission that could be read.

    more: gives the key with the known mistakes of these exercises, if `key` is without.

    Raises `ServerFailed` if the sandbox itself is gone: the submission should be tried once more
    in a new one.
    """
    own = exercises.of_lesson(submission.lesson)
    cases = {e.id: hidden_cases(e, key.seed) for e in own}
    tried = attempt(program, box, own, cases, limits)
    judging = _Judging(key, box, more)
    verdicts = judging.verdicts(own, cases, tried, program)
    end = time.monotonic() + limits.total  # for all that is tried after that
    judging.waited = 0.0

    def what_is_left() -> Limits:
        return replace(limits, total=max(end + judging.waited - time.monotonic(), 0.0))

    programs = _as_they_stood(program, box, own, cases, judging, what_is_left, tried, verdicts)

    def on_visible_cases(some: Sequence[Exercise], for_words: bool) -> dict[str, Verdict]:
        found = {}
        for one in dict.fromkeys(programs[e.id] for e in some):
            mine = [e for e in some if programs[e.id] == one]
            visible = {e.id: e.visible_cases() for e in mine}
            again = attempt(one, box, mine, visible, what_is_left(), for_words)
            for e in mine:
                found[e.id] = _verdict(e, visible[e.id], keys.load(e.id), again, one)
        return found

    unexplained = [e for e in own if e.id in tried.seen and _wants_words(verdicts[e.id])]
    public = on_visible_cases(unexplained, for_words=True)
    # Perhaps it was not the cases that made the difference, but the place of the probe.
    unsure = [e for e in unexplained if _only_hidden(verdicts[e.id], public[e.id])]
    beside = [e for e in unsure if where_probed(e) == "beside"]
    public |= on_visible_cases(beside, for_words=False)
    names = {e.id: {m.id: m.name for m in judging.key.key(e.id).mistakes} for e in own}
    results = tuple(
        replace(
            _result(verdicts[e.id], public.get(e.id), names[e.id]), note=_note(e, verdicts, program)
        )
        for e in own
    )
    return replace(
        _about(submission),
        status="graded",
        seed=key.seed,
        course=key.course,
        exercises=results,
        remarks=(*submission.remarks, *program.remarks),
        events=tuple(tried.events),
    )


def refused(submission: Submission, key: ClassKey | None, seed: int, problem: str = "") -> Result:
    """The verdict on a submission that cannot be graded: no points, and a sentence."""
    own = exercises.of_lesson(submission.lesson) if submission.lesson else ()
    return replace(
        _about(submission),
        seed=seed,
        course=key.course if key else "",
        exercises=tuple(_result(missing(e, ""), None, {}) for e in own),
        problem=problem or submission.problem,
    )


def _about(submission: Submission) -> Result:
    """A result that says only which submission it is about."""
    return Result(
        student=submission.student,
        lesson=submission.lesson,
        source=submission.source,
        digest=submission.digest,
        status="refused",
        seed=0,
        course="",
        remarks=submission.remarks,
        ids=dict(submission.ids),
    )


# ---------------------------------------------------------------- trying


def attempt(
    program: Program,
    box: Sandbox,
    own: Sequence[Exercise],
    cases: Mapping[str, Sequence[Case]],
    limits: Limits,
    for_words: bool = False,
) -> Tried:
    """Run the program and observe its answers, in as many processes as it takes.

    for_words: nothing is earned by it. What would be probed beside the submission's process is then
    probed in it, as `check` does: that takes half the time.
    """
    tried = Tried()
    box.have(on_demand(cell.source for cell in program.cells if cell.kind != "setup"))
    end = time.monotonic() + limits.total
    left_out: set[int] = set()
    todo = list(own)
    for _ in range(RESTARTS):
        todo = [e for e in todo if e.id not in tried.seen and e.id not in tried.absent]
        seconds = end - time.monotonic()
        if not todo or seconds <= 0:
            break
        chosen = [n for n in range(len(program.cells)) if n not in left_out]
        at: list[Exercise] = []
        try:
            alone = for_words or all(where_probed(e) != "beside" for e in todo)
            with processes(box, limits, alone) as (session, prober):
                in_one_process(
                    session, prober, program, chosen, todo, cases, limits, seconds, tried, at
                )
                continue
        except remote.GONE as error:
            gone, death = error, box.death
        trouble = _trouble(gone, death)
        if session.cell is not None:
            number = chosen[session.cell]
            left_out.add(number)
            tried.cells[number] = trouble
            tried.events.append(f"{program.cells[number].name} was left out: {_why(gone, death)}.")
        elif at:
            tried.seen[at[-1].id] = dict.fromkeys(
                (case.id for case in cases[at[-1].id]), Observation(trouble=trouble)
            )
            tried.events.append(f"{at[-1].id}: {_why(gone, death)}.")
        else:
            tried.events.append(f"Its process was lost before any cell: {_why(gone, death)}.")
    for e in todo:
        if e.id not in tried.seen and e.id not in tried.absent:
            late = Trouble("slow", "There was no time left for this exercise.")
            tried.seen[e.id] = {case.id: Observation(trouble=late) for case in cases[e.id]}
    return tried


@contextlib.contextmanager
def processes(
    box: Sandbox, limits: Limits, alone: bool
) -> Iterator[tuple[remote.Session, remote.Prober | None]]:
    """The submission's process, and a prober beside it unless it is to be alone."""
    if alone:
        with box.submission(limits) as channel:
            yield remote.Session(channel, limits.grace), None
    else:
        with box.submission_and_prober(limits) as (channel, beside):
            yield remote.Session(channel, limits.grace), remote.Prober(beside, limits.grace)


def in_one_process(
    session, prober, program, chosen, todo, cases, limits, seconds, tried, at
) -> None:
    """prober: None where all that needs TensorFlow is to be probed in the submission's process.

    at: grows by the exercise that is being tried, for whoever catches the process's death.
    """
    cells = [(program.cells[n].name, program.cells[n].source) for n in chosen]
    troubles = session.run(cells, min(limits.cell, seconds), seconds)
    for number, trouble in zip(chosen, troubles, strict=True):
        if trouble is not None:
            tried.cells[number] = trouble
        if trouble is not None and trouble.kind == "slow":
            tried.events.append(f"{program.cells[number].name}: {trouble.text}")
    answers = []
    for e in todo:  # all of them before a case is seen: what is near a name is told to the student
        at.append(e)
        answers.append(session.find(e.answer))
    for e, (found, value, handle, near) in zip(todo, answers, strict=True):
        at.append(e)
        if not found:
            tried.absent[e.id] = near
            continue
        where = where_probed(e)
        if where == "beside" and prober is not None:
            tried.seen[e.id] = prober.observe(e, cases[e.id])
        elif where == "outside":
            tried.seen[e.id] = session.observe(e, value, cases[e.id])
        else:
            tried.seen[e.id] = session.observe_inside(e, handle, cases[e.id], where == "inside")
    replaced = [*session.replaced, *(prober.replaced if prober else ())]
    if replaced:
        names = ", ".join(dict.fromkeys(replaced))
        tried.events.append(f"It replaced {names}; that was undone.")


def _trouble(gone: Exception, death: Death | None) -> Trouble:
    if isinstance(gone, wire.Late):
        return Trouble("slow", "Stopped: it did not end in time.")
    if isinstance(gone, wire.Malformed):
        return Trouble("unusable", "It wrote where the grader listens, so nothing of it counts.")
    return Trouble("unusable", f"{DIED}: {death or Death()}.")


def _why(gone: Exception, death: Death | None) -> str:
    if isinstance(gone, wire.Late):
        return "it did not heed its time limit"
    if isinstance(gone, wire.Malformed):
        return f"it wrote to the grader's channel ({gone})"
    return str(death or Death())


# ---------------------------------------------------------------- judging


class _Judging:
    """Verdicts with a class's key. Known mistakes are asked for where one may have been made.

    more: as `grade` has it. waited: seconds that it took, which are not the submission's.
    """

    def __init__(self, key: ClassKey, box: Sandbox, more: Callable[..., ClassKey] | None):
        self.key, self.box, self.more = key, box, more
        self.waited = 0.0

    def verdicts(
        self,
        own: Sequence[Exercise],
        cases: Mapping[str, Sequence[Case]],
        tried: Tried,
        program: Program,
    ) -> dict[str, Verdict]:
        """The verdict on each exercise, by its id."""

        def verdicts_on(some):
            key = self.key.key
            return {e.id: _verdict(e, cases[e.id], key(e.id), tried, program) for e in some}

        found = verdicts_on(own)
        nameless = [
            e
            for e in own
            if e.id in tried.seen
            and e.id not in self.key.named
            and any(part.outcome in NAMELESS for part in found[e.id].parts)
        ]
        if nameless and self.more is not None:
            start = time.monotonic()
            self.key = self.more([e.id for e in nameless], self.box)
            self.waited += time.monotonic() - start
            found |= verdicts_on(nameless)
        return found


def _verdict(
    exercise: Exercise, cases: Sequence[Case], key, tried: Tried, program: Program
) -> Verdict:
    if exercise.id in tried.seen:
        return _judged(exercise, cases, key, tried)
    own = [
        n
        for n, cell in enumerate(program.cells)
        if cell.kind != "setup" and (cell.name == exercise.id or _gives(cell, exercise.answer))
    ]
    troubles = [tried.cells[n] for n in own if n in tried.cells]
    trouble = next((t for t in reversed(troubles) if t.kind != "not attempted"), None)
    if trouble is not None:
        parts = tuple(
            PartVerdict(
                part, trouble.kind, 0, trouble.text, "", "", trouble.line, trouble.line_number
            )
            for part in exercise.parts
        )
        return Verdict(exercise.id, exercise.title, exercise.answer, parts)
    near = tried.absent.get(exercise.id, "")
    hint = f" There is `{near}`: is the name misspelt?" if near else ""
    if not troubles and any(_gives(program.cells[n], exercise.answer) for n in own):
        hint = " A cell defines it: is that code never reached, or is the name deleted later?"
    return missing(exercise, f"There is no `{exercise.answer}` in this notebook.{hint}")


def _gives(cell: ProgramCell, name: str) -> bool:
    return name in names_of(cell.source)[0]


def _judged(exercise: Exercise, cases: Sequence[Case], key, tried: Tried) -> Verdict:
    try:
        return judge(exercise, cases, key, tried.seen[exercise.id])
    except Exception as error:  # a submission's process may say that it saw whatever it likes
        kind = type(error).__name__
        tried.events.append(f"{exercise.id}: what was observed could not be judged ({kind}).")
    nothing = Observation(trouble=Trouble("unusable", "What your code gives cannot be judged."))
    return judge(exercise, cases, key, {case.id: nothing for case in cases})


def _as_they_stood(
    program: Program,
    box: Sandbox,
    own: Sequence[Exercise],
    cases: Mapping[str, Sequence[Case]],
    judging: _Judging,
    what_is_left: Callable[[], Limits],
    tried: Tried,
    verdicts: dict[str, Verdict],
) -> dict[str, Program]:
    """By which program each answer counts: the whole, or as far as to its own cell.

    In a notebook an answer is checked before later cells run. Where one of those rebinds a name
    that a wrong answer uses, or deletes one or the answer itself, the answer is tried as it stood
    before, and counts if it is better so: then `tried` and `verdicts` are changed.
    """
    programs = dict.fromkeys((e.id for e in own), program)
    for e in own:
        before = verdicts[e.id]
        slow = any(part.outcome == "slow" for part in before.parts)
        there = e.id in tried.seen or e.id in tried.absent
        if slow or not there or before.points == before.max_points:
            continue
        cut, name = as_it_stood(program, e.answer)
        limits = what_is_left()
        if not name or not limits.total:
            continue
        early = attempt(cut, box, [e], {e.id: cases[e.id]}, limits)
        verdict = judging.verdicts([e], cases, early, cut)[e.id]
        if verdict.points > before.points:
            verdicts[e.id], tried.seen[e.id], programs[e.id] = verdict, early.seen[e.id], cut
            tried.events.append(
                f"{e.id} counts as it was before a later cell rebound or deleted `{name}`."
            )
    return programs


def _note(exercise: Exercise, verdicts: Mapping[str, Verdict], program: Program) -> str:
    """Where to begin, if a wrong answer calls others that are wrong."""
    if verdicts[exercise.id].outcome == "right":
        return ""
    cells = [names_of(cell.source) for cell in program.cells if cell.kind != "setup"]
    used = {name for gives, wants in cells if exercise.answer in gives for name in wants}
    return exercises.begin_with(exercises.called(exercise, used), verdicts)


WITHOUT_WORDS = ("wrong", "raised", "slow", "unusable")


def _wants_words(verdict: Verdict) -> bool:
    """Whether a student could not be told what is wrong from the course's own words alone."""
    return any(p.outcome in WITHOUT_WORDS for p in verdict.parts)


def _only_hidden(hidden: Verdict, visible: Verdict) -> bool:
    """Whether a part is wrong on the hidden cases only, so that no words come of the visible."""
    both = zip(hidden.parts, visible.parts, strict=True)
    return any(h.outcome in WITHOUT_WORDS and v.outcome in FINE for h, v in both)


def _result(hidden: Verdict, visible: Verdict | None, names: Mapping[str, str]) -> ExerciseResult:
    """What is kept: points from the hidden cases; words that give nothing of them away.

    names: of the known mistakes, by id.
    """
    twins = {p.part.id: p for p in visible.parts} if visible else {}
    parts = tuple(_part(p, twins.get(p.part.id), names) for p in hidden.parts)
    return ExerciseResult(hidden.exercise, hidden.title, parts)


def _part(part: PartVerdict, twin: PartVerdict | None, names: Mapping[str, str]) -> PartResult:
    kept = PartResult(part.part.id, part.part.title, part.points, part.part.points, part.outcome)
    if part.outcome in FINE:
        return kept
    private = " ".join(f"{part.message} {part.where and f'({part.where})'}".split())
    kept = replace(kept, private=f"{private}\n{part.line}".rstrip())
    if part.outcome == "mistake":
        name = names[part.mistake]  # the message may go on with what an error said
        message = f"{LIKELY}{name}" if part.likely else name
        return replace(
            kept, message=message, question=part.question, mistake=part.mistake, mistake_name=name
        )
    if part.outcome == "not attempted" or twin is None:
        # Nothing of the hidden cases has been seen by whoever wrote this message.
        return replace(kept, message=part.message, line=part.line, line_number=part.line_number)
    if twin.outcome in FINE:
        died = ONLY_HIDDEN_DIED if part.message.startswith(DIED) else ONLY_HIDDEN
        return replace(kept, message=ONLY_HIDDEN_SLOW if part.outcome == "slow" else died)
    return replace(
        kept,
        message=twin.message,
        question=twin.question,
        line=twin.line,
        line_number=twin.line_number,
    )
