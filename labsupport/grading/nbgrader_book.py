"""The verdicts as an nbgrader gradebook, which nbgrader's formgrader opens."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from labsupport.grading.paper import name_list, one_line, safe_names
from labsupport.grading.private import open_private
from labsupport.grading.records import ExerciseResult, Result

Students = Mapping[str, Sequence[Result]]
Lessons = Mapping[str, Mapping[str, int]]


def write(path: Path, students: Students, lessons: Lessons) -> list[str]:
    """Write the gradebook, or bring one up to date in a single step. Returns sentences.

    An assignment, and in it a notebook, for each lesson; a graded cell `check-…` for each exercise,
    as in the notebooks. What somebody entered by hand stays: points, extra credit, comments.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if path.exists():
            kept, overruled = _bring_up_to_date(path, students, lessons)
        else:
            kept, overruled = _make(path, students, lessons)
    except SQLAlchemyError as error:
        reason = one_line(str(getattr(error, "orig", error)), 200)
        return [f"{path} was not written ({reason}): move it away, or close what has it open."]
    said = []
    if overruled:
        said.append(
            f"{path.name} keeps scores that were entered there by hand, though the verdict is "
            f"another one now; they need a manual grade again: {name_list(overruled)}."
        )
    if kept:
        names = ", ".join(kept[:20])
        said.append(
            f"{path.name} keeps submissions that are gone, for what is entered there: {names}."
        )
    return said


def _make(path: Path, students: Students, lessons: Lessons) -> tuple[list[str], list[str]]:
    """A new gradebook, its owner's only; there as a whole or not at all."""
    partial = path.with_name(f".{path.name}.part")
    # SQLite would play what a killed run left in the journal into the new file.
    left = [partial, partial.with_name(f"{partial.name}-journal")]
    try:
        for file in left:
            file.unlink(missing_ok=True)
        open_private(partial, "xb").close()  # SQLite takes it for an empty database
        kept = _bring_up_to_date(partial, students, lessons)
        os.replace(partial, path)
        return kept
    finally:
        for file in left:
            file.unlink(missing_ok=True)


def _bring_up_to_date(
    path: Path, students: Students, lessons: Lessons
) -> tuple[list[str], list[str]]:
    """One transaction in the file itself, for a formgrader may have it open.

    Returns whose submissions are kept though they are gone, and whose scores by hand need a look.
    """
    from nbgrader.api import Gradebook
    from sqlalchemy import URL

    url = URL.create("sqlite", database=str(path.resolve()))  # a folder may be called "a?b"
    _begin(url)
    with Gradebook(url) as book:
        writer = _Writer(book, students, lessons)
        return writer.write(), writer.overruled


def _begin(url) -> None:
    """Say in a new gradebook which version it has; nbgrader would look for a program on PATH."""
    import nbgrader
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine, inspect, text

    engine = create_engine(url)
    try:
        if not inspect(engine).get_table_names():
            head = ScriptDirectory(
                str(Path(nbgrader.__file__).parent / "alembic")
            ).get_current_head()
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
                connection.execute(
                    text("INSERT INTO alembic_version VALUES (:head)"), {"head": head}
                )
    finally:
        engine.dispose()


class _Writer:
    def __init__(self, book, students: Students, lessons: Lessons):
        self.book, self.db = book, book.db
        self.students, self.lessons = students, lessons
        self.ids = safe_names(students)
        self.overruled: list[str] = []
        self.names = safe_names([*lessons, *(id for own in lessons.values() for id in own)])

    def write(self) -> list[str]:
        from nbgrader import api

        db = self.db
        with db.no_autoflush:
            people = {student.id: student for student in db.query(api.Student)}
            for name, results in self.students.items():
                if self.ids[name] not in people:  # who is there may have been given a better name
                    own = api.Student(id=self.ids[name], first_name="")
                    own.last_name = _plain(_said(results, "name") or name)
                    own.lms_user_id = _plain(_said(results, "canvas_user_id"))
                    people[own.id] = own
                    db.add(own)
            kept = []
            for lesson, points in self.lessons.items():
                kept += self._lesson(api, people, lesson, points)
            there = {self.names[lesson] for lesson in self.lessons}
            kept += self._without([a for a in db.query(api.Assignment) if a.name not in there])
            self._without_the_gone(api)
        db.commit()
        return kept

    def _without_the_gone(self, api) -> None:
        """Take away students of an earlier run of whom nothing is left.

        Who was entered by hand stays: whoever is from here has a first name, which is empty.
        """
        self.db.flush()
        there = set(self.ids.values())
        busy = {submission.student_id for submission in self.db.query(api.SubmittedAssignment)}
        for student in self.db.query(api.Student):
            if student.first_name == "" and student.id not in there | busy:
                self.db.delete(student)

    def _lesson(self, api, people, lesson: str, points: Mapping[str, int]) -> list[str]:
        """An assignment with all its submissions. Returns whose is kept though it is gone."""
        db, title = self.db, self.names[lesson]
        assignment = db.query(api.Assignment).filter_by(name=title).one_or_none()
        if assignment is None:
            assignment = api.Assignment(name=title, course_id=self.book.course_id)
            db.add(assignment)
        notebook = next((n for n in assignment.notebooks if n.name == title), None)
        if notebook is None:
            notebook = api.Notebook(name=title, assignment=assignment)
            db.add(notebook)
        named = {self.names[id]: most for id, most in points.items()}
        cells = self._cells(api, notebook, named)
        there = {submission.student_id: submission for submission in assignment.submissions}
        wanted = set()
        for name, results in self.students.items():
            result = next((r for r in results if r.lesson == lesson), None)
            if result is None:
                continue
            id = self.ids[name]
            wanted.add(id)
            if id not in there:
                there[id] = api.SubmittedAssignment(assignment=assignment, student=people[id])
                db.add(there[id])
            own = next((n for n in there[id].notebooks if n.notebook is notebook), None)
            if own is None:
                own = api.SubmittedNotebook(notebook=notebook, assignment=there[id])
                db.add(own)
            graded = result.exercises if result.status == "graded" else ()
            if self._marks(api, own, cells, {self.names[e.id]: e for e in graded}):
                self.overruled.append(f"{one_line(id)} ({title})")
        gone = [submission for id, submission in there.items() if id not in wanted]
        return [one_line(s.student_id) for s in gone if not self._removed(s)]

    def _cells(self, api, notebook, points: Mapping[str, int]) -> dict:
        """The notebook's cells by name, those of other exercises taken away."""
        db = self.db
        wanted = {f"check-{id}": api.GradeCell for id in points}
        wanted |= {id: api.SolutionCell for id in points}
        cells = {}
        for cell in [*notebook.grade_cells, *notebook.solution_cells]:
            if isinstance(cell, wanted.get(cell.name, ())):
                cells[cell.name] = cell
                continue
            for entry in [*cell.grades, *cell.comments]:
                db.delete(entry)
            db.delete(cell)
        for name, kind in wanted.items():
            if name not in cells:
                cells[name] = kind(name=name, notebook=notebook)
                db.add(cells[name])
        for id, most in points.items():
            cells[f"check-{id}"].max_score = most
            cells[f"check-{id}"].cell_type = "code"
        return cells

    def _marks(self, api, own, cells, exercises: Mapping[str, ExerciseResult]) -> bool:
        """Enter the verdict on each exercise; without one, it needs a grade by hand.

        So does, as after nbgrader's own autograding, what has one by hand and another verdict now.
        Returns whether there is any such.
        """
        grades = {grade.cell_id: grade for grade in own.grades if grade.cell_id}
        comments = {comment.cell_id: comment for comment in own.comments if comment.cell_id}
        overruled = False
        for name, cell in cells.items():
            if not isinstance(cell, api.GradeCell):
                continue
            grade = grades.get(cell.id) if cell.id else None
            if grade is None:
                grade = api.Grade(cell=cell, notebook=own)
                self.db.add(grade)
            id = name.removeprefix("check-")
            comment = comments.get(cells[id].id) if cells[id].id else None
            if comment is None:
                comment = api.Comment(cell=cells[id], notebook=own)
                self.db.add(comment)
            result = exercises.get(id)
            verdict = (float(result.points), _comment(result)) if result else (None, None)
            if grade.manual_score is None:
                grade.needs_manual_grade = result is None
            elif verdict != (grade.auto_score, comment.auto_comment):
                grade.needs_manual_grade = overruled = True
            grade.auto_score, comment.auto_comment = verdict
        return overruled

    def _without(self, assignments) -> list[str]:
        """Take away assignments of lessons that nobody handed in any more."""
        kept = []
        for assignment in assignments:
            left = [s for s in list(assignment.submissions) if not self._removed(s)]
            kept += [one_line(s.student_id) for s in left]
        return kept

    def _removed(self, submission) -> bool:
        """Take a submission away, unless somebody entered something there by hand."""
        grades = [g for n in submission.notebooks for g in n.grades]
        comments = [c for n in submission.notebooks for c in n.comments]
        if any(g.manual_score is not None or g.extra_credit is not None for g in grades):
            return False
        if any(c.manual_comment for c in comments):
            return False
        for entry in [*grades, *comments, *submission.notebooks, submission]:
            self.db.delete(entry)
        return True


def _said(results: Sequence[Result], key: str) -> str:
    """What a platform said of a student, "" if nothing."""
    return next((result.ids[key] for result in results if result.ids.get(key)), "")


def _comment(result: ExerciseResult | None) -> str | None:
    """Named mistakes with their questions: the course's own words, nothing of the student's."""
    if result is None:
        return None
    said = dict.fromkeys(
        f"{one_line(p.mistake_name)}. {one_line(p.question)}" for p in result.parts if p.mistake
    )
    return "\n".join(said) or None


def _plain(text: str) -> str:
    """A name for pages that other programs make: no sign that has a meaning there."""
    return one_line(text, 100).translate(dict.fromkeys(map(ord, '<>&"`{}\\'), "_"))
