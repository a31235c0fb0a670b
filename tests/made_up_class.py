"""Results of classes that never were: for the tests of reports, and to look at."""

from __future__ import annotations

import random

from labsupport import exercises, keys
from labsupport.grading.records import ExerciseResult, PartResult, Result

LESSONS = ("01_batch_norm_by_hand", "08_dropout_by_hand")
NAMES = [
    "Amara Okafor",
    "Anna-Lena Brückner",
    "Bao Nguyễn",
    "Beatriz Carvalho",
    "Björn Åkesson",
    "Chidi Eze",
    "Chloé Dubois",
    "Daniel O'Connor",
    "Dilnoza Karimova",
    "Elif Yıldız",
    "Emre Şahin",
    "Eszter Kovács",
    "Fatima Zahra",
    "Giulia Ferrari",
    "Hana Svobodová",
    "Hiroshi Tanaka",
    "Ingrid Solberg",
    "Ivan Petrović",
    "Jamal Washington",
    "Jin-woo Park",
    "Katarzyna Wójcik",
    "Kwame Mensah",
    "Laila Haddad",
    "Liam Murphy",
    "Lucía Fernández",
    "Mariam Diallo",
    "Mateo Rossi",
    "Mei Lin",
    "Nikhil Rao",
    "Noor Rahman",
    "Oksana Shevchenko",
    "Paolo Bianchi",
    "Priya Sharma",
    "Rashid Khan",
    "Sofia Lindqvist",
    "Tomás Novák",
    "Uzoma Nwosu",
    "Valentina Ruiz",
    "Wei Zhang",
    "Zeynep Arslan",
]
UNNAMED = (
    ("wrong", "The mean of column 0 is 1.73 and should be 0.5", "", 0),
    ("raised", "ValueError: operands could not be broadcast", "    return gamma * xhat + beta", 7),
    ("raised", "NameError: name 'vra' is not defined", "    std = np.sqrt(vra + eps)", 4),
    ("slow", "It took longer than 5 seconds.", "", 0),
)
HIDDEN = "A hidden number: 41.4142"


def part_result(part, outcome: str, **more) -> PartResult:
    points = part.points if outcome == "right" else 0
    return PartResult(part.id, part.title, points, part.points, outcome, **more)


def exercise_result(exercise, skill: float, chance: random.Random) -> ExerciseResult:
    """What a student of this skill (0 to 1) gets in an exercise."""
    known = keys.load(exercise.id).mistakes
    draw = chance.random()
    if draw < skill:
        parts = [part_result(part, "right") for part in exercise.parts]
    elif draw < skill + 0.1 * (1 - skill):
        missing = f"There is no `{exercise.answer}` in this notebook."
        parts = [part_result(part, "not attempted", message=missing) for part in exercise.parts]
    elif draw < skill + 0.75 * (1 - skill) and known:
        mistake = known[min(int(chance.expovariate(0.5)), len(known) - 1)]
        spared = chance.random() < 0.4
        parts = [
            part_result(part, "right")
            if spared and number
            else part_result(
                part,
                "mistake",
                message=mistake.name,
                question=mistake.question,
                mistake=mistake.id,
                mistake_name=mistake.name,
                private=f"{mistake.name} ({HIDDEN})",
            )
            for number, part in enumerate(exercise.parts)
        ]
    else:
        outcome, message, line, number = chance.choice(UNNAMED)
        more = dict(message=message, line=line, line_number=number, private=f"{message} ({HIDDEN})")
        parts = [part_result(part, outcome, **more) for part in exercise.parts]
    return ExerciseResult(exercise.id, exercise.title, tuple(parts))


def a_class(names=NAMES, lessons=LESSONS, seed: int = 1, canvas: bool = True) -> list[Result]:
    """A class as classes are: most know a good deal, some hand in nothing, some odd things."""
    chance = random.Random(seed)
    results = []
    for number, name in enumerate(names):
        skill = chance.betavariate(3, 2)
        ids = {"canvas_user_id": str(1000 + number), "name": name} if canvas else {}
        for lesson in lessons:
            if chance.random() < 0.08:
                continue
            source = f"{name} {lesson}.ipynb"
            about = dict(student=name, lesson=lesson, source=source, digest=f"{number:064x}")
            about |= dict(seed=seed, course="c0", ids=ids)
            if chance.random() < 0.04:
                none = tuple(
                    ExerciseResult(
                        e.id, e.title, tuple(part_result(p, "not attempted") for p in e.parts)
                    )
                    for e in exercises.of_lesson(lesson)
                )
                problem = "It is not JSON (line 1), so it is no notebook."
                results.append(Result(**about, status="refused", exercises=none, problem=problem))
                continue
            marks = tuple(exercise_result(e, skill, chance) for e in exercises.of_lesson(lesson))
            remarks, events = (), ()
            if chance.random() < 0.08:
                remarks = ("The cell of `bn-conv` is there twice; the last one counts.",)
            if chance.random() < 0.06:
                events = ("cell 14 was left out: it did not heed its time limit.",)
            about |= dict(remarks=remarks, events=events)
            results.append(Result(**about, status="graded", exercises=marks))
    return results
