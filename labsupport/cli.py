"""The commands that run inside the course's environment. The launcher hands them over."""

from __future__ import annotations

import argparse
import os
import sys


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

    progress = commands.add_parser("progress", help="your points, lesson by lesson")
    progress.set_defaults(run=_progress)
    return parser


def _build(arguments: argparse.Namespace) -> int:
    try:
        from labsupport.authoring import build, lessons
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
    except (build.BuildError, lessons.LessonError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _progress(_arguments: argparse.Namespace) -> int:
    from labsupport.notebook import progress_card

    print(progress_card().text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
