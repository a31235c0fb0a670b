"""The commands that run inside the course's environment. The launcher hands them over."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path


def main(argv: list[str]) -> int:
    """Run one command. Returns the exit code: 0 done, 1 something is wrong, 2 wrong usage."""
    arguments = _parser().parse_args(argv)
    return arguments.run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m labsupport")
    commands = parser.add_subparsers(dest="command", required=True)

    build = commands.add_parser("build", help="lessons to notebooks and keys")
    build.add_argument("lesson", nargs="*", help="for instance 01; all lessons by default")
    build.add_argument("--check", action="store_true", help="only say what is stale")
    build.add_argument("--execute", action="store_true", help="run notebooks though unchanged")
    build.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    build.set_defaults(run=_build)

    grade = commands.add_parser(
        "grade",
        help="grade submissions",
        description="Grade a folder per student, a flat folder or zip from Canvas or Moodle, or "
        "one notebook. Interrupt it at any moment: the same command goes on where it was.",
        epilog="exit codes: 0 every submission has a verdict; 1 nothing was graded (the sentence "
        "says why); 2 wrong usage; 3 students' code cannot be kept apart on this machine; 130 "
        "stopped with Ctrl-C.",
    )
    grade.add_argument("submissions", type=Path, metavar="SUBMISSIONS")
    grade.add_argument("-o", "--output", type=Path, required=True, metavar="GRADES")
    grade.add_argument(
        "--jobs", type=_positive, default=os.cpu_count() or 1, metavar="N", help="at one time"
    )
    grade.add_argument(
        "--seed",
        type=int,
        metavar="S",
        help="of the hidden cases; by default the one that GRADES was graded with, or a new one",
    )
    grade.add_argument("--scheduler", default="", metavar="ADDRESS", help="of a Dask cluster")
    grade.add_argument(
        "--trust",
        action="store_true",
        help="run without isolation: for your own notebooks only, never for students'",
    )
    grade.set_defaults(run=_grade)

    report = commands.add_parser("report", help="rebuild the reports from stored verdicts")
    report.add_argument("grades", type=Path, metavar="GRADES")
    report.set_defaults(run=_report)

    release = commands.add_parser("release", help="the student's bundle: no answer in it")
    release.add_argument("-o", "--output", type=Path, required=True, metavar="ZIP")
    release.set_defaults(run=_release)

    progress = commands.add_parser("progress", help="your points, lesson by lesson")
    progress.set_defaults(run=_progress)
    return parser


def _build(arguments: argparse.Namespace) -> int:
    try:
        from labsupport.authoring import answer_key, build, lessons
    except ImportError as error:
        print(f"Building needs the whole environment: {error}.", file=sys.stderr)
        return 1
    if not lessons.SOURCES.is_dir():
        print("There is no solutions/ folder in this copy, so nothing to build.", file=sys.stderr)
        return 1
    try:
        if arguments.check:
            stale = build.stale(arguments.lesson)
            for line in stale:
                print(line)
            print("Run `python3 -m labsupport build`." if stale else "Everything is up to date.")
            return 1 if stale else 0
        build.build(arguments.lesson, execute=arguments.execute, jobs=arguments.jobs)
    except (build.BuildError, answer_key.NoKey, lessons.LessonError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


def _grade(arguments: argparse.Namespace) -> int:
    command = _from_whole_course("labsupport.grading.command")
    return command.grade(arguments) if command else 1


def _report(arguments: argparse.Namespace) -> int:
    command = _from_whole_course("labsupport.grading.command")
    return command.report(arguments.grades) if command else 1


def _release(arguments: argparse.Namespace) -> int:
    release = _from_whole_course("labsupport.release")
    if release is None:
        return 1
    try:
        written = release.write(arguments.output)
    except (release.CannotRelease, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{arguments.output}: {written} files, no answers.")
    return 0


def _from_whole_course(module: str):
    """A module that the student's bundle does not have; None after a sentence that says so."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("labsupport"):
            raise
        print("This is the student's bundle: it grades and releases nothing.", file=sys.stderr)
        return None


def _progress(_arguments: argparse.Namespace) -> int:
    from labsupport.notebook import progress_card

    print(progress_card().text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
