"""The commands that run inside the course's environment. The launcher hands them over."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from importlib import import_module
from pathlib import Path


def main(argv: list[str]) -> int:
    """Run one command. Returns the exit code: 0 done, 1 something is wrong, 2 wrong usage."""
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:  # told with the command's own usage; argparse would tell all commands
        arguments.parser.error(_no_such(unknown[0], arguments.parser))
    return arguments.run(arguments)


def _no_such(word: str, parser: argparse.ArgumentParser) -> str:
    if not word.startswith("-"):
        return f"there is one word too many: {word}"
    options = sorted(set(re.findall(r"--[a-z-]+", parser.format_help())))
    near = difflib.get_close_matches(word.partition("=")[0], options, 1)
    return f"there is no option {word}." + (f" Did you mean {near[0]}?" if near else "")


class _Whole(argparse.Action):
    """A whole number, or one sentence; `type=int` would say `invalid int value`."""

    def __init__(self, *names, least: int | None = None, **more):
        super().__init__(*names, **more)
        self.least = least

    def __call__(self, parser, arguments, text, option=None):
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or (self.least is not None and number < self.least):
            bound = "" if self.least is None else f" of at least {self.least}"
            parser.error(f"{option} wants a whole number{bound}, not '{text}'.")
        setattr(arguments, self.dest, number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m labsupport")
    commands = parser.add_subparsers(dest="command", required=True)

    build = commands.add_parser(
        "build",
        help="lessons to notebooks and keys",
        description="Build notebooks and answer keys from the lessons in solutions/. What is up "
        "to date is left alone.",
        epilog="exit codes: 0 done; 1 something is stale, or a lesson cannot be built (the "
        "sentence says why); 2 wrong usage.",
    )
    build.add_argument("lesson", nargs="*", help="for instance 01; all lessons by default")
    build.add_argument("--check", action="store_true", help="only say what is stale")
    build.add_argument("--execute", action="store_true", help="run notebooks though unchanged")
    _add_jobs(build)
    build.set_defaults(run=_build, parser=build)

    grade = commands.add_parser(
        "grade",
        help="grade submissions",
        description="Grade a folder per student, a flat folder or zip from Canvas, Moodle, "
        "Brightspace or Blackboard, several of those, or one notebook. Interrupt it at any moment: "
        "the same command goes on where it was.",
        epilog="exit codes: 0 every submission has a verdict; 1 nothing was graded (the sentence "
        "says why); 2 wrong usage; 3 students' code cannot be kept apart on this machine; 130 "
        "stopped with Ctrl-C; 143 ended with SIGTERM.",
    )
    grade.add_argument("submissions", type=_path, metavar="SUBMISSIONS", help="what to grade")
    grade.add_argument(
        "-o",
        "--output",
        type=_path,
        required=True,
        metavar="GRADES",
        help="a folder for verdicts and reports; made if it is not there",
    )
    _add_jobs(grade)
    grade.add_argument(
        "--seed",
        action=_Whole,
        metavar="S",
        help="of the hidden cases; by default the one that GRADES was graded with, or a new one",
    )
    grade.add_argument("--scheduler", default="", metavar="ADDRESS", help="of a Dask cluster")
    grade.add_argument(
        "--trust",
        action="store_true",
        help="run without isolation: for your own notebooks only, never for students'",
    )
    grade.set_defaults(run=_grade, parser=grade)

    report = commands.add_parser(
        "report",
        help="rebuild the reports from stored verdicts",
        description="Write class.html, the tables and the feedback again from the verdicts that "
        "`grade` left in GRADES. Nothing is graded again.",
        epilog="exit codes: 0 done; 1 there are no verdicts, or the reports cannot be written; "
        "2 wrong usage.",
    )
    report.add_argument("grades", type=_path, metavar="GRADES", help="the folder of `grade -o`")
    report.set_defaults(run=_report, parser=report)

    release = commands.add_parser(
        "release",
        help="the student's bundle: no answer in it",
        description="Write the student's bundle, a zip file to hand out: the course without "
        "solutions/, tests/ and the grader. Nothing in it holds an answer.",
        epilog="exit codes: 0 done; 1 it cannot be written (the sentence says why); 2 wrong usage.",
    )
    release.add_argument(
        "-o", "--output", type=_path, required=True, metavar="ZIP", help="replaced if it is there"
    )
    release.set_defaults(run=_release, parser=release)

    progress = commands.add_parser(
        "progress",
        help="your points, lesson by lesson",
        description="Say how many points you have in each lesson, as `progress()` does in lesson "
        "00. Your results are in .labsupport/ of this folder.",
    )
    progress.set_defaults(run=_progress, parser=progress)
    return parser


def _path(text: str) -> Path:
    """A path, from where the user is; an empty one is a shell variable that was not set."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    start = os.environ.get("LABSUPPORT_FROM", os.getcwd())  # see launcher.start_cli
    return Path(text) if start == os.getcwd() else Path(start, text)


def _add_jobs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--jobs",
        action=_Whole,
        least=1,
        default=os.cpu_count() or 1,
        metavar="N",
        help="how many at one time; by default as many as there are cores",
    )


def _build(arguments: argparse.Namespace) -> int:
    try:
        from labsupport.authoring import answer_key, build, lessons
    except ImportError as error:
        if str(error.name).startswith("labsupport"):
            print("This is the student's bundle: it builds nothing.", file=sys.stderr)
            return 1
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
    except release.CannotRelease as error:
        print(error, file=sys.stderr)
        return 1
    for remark in release.remarks():
        print(remark)
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
