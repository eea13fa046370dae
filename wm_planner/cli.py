"""The command line: one program, one verb per file in `wm_planner/commands`.

A verb is a module with NAME, HELP, `add_arguments(parser)` and `run(args) -> int`. Modules are
imported to list them, so they import anything heavy inside `run`.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from wm_planner import commands
from wm_planner.errors import WmPlannerError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130  # what a shell reports for Ctrl-C
EXIT_TERMINATED = 143  # and for SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM came: from a batch system, a container or systemd that wants us to end."""


def find_commands() -> dict[str, ModuleType]:
    """Return the modules of all verbs by name."""
    found = {}
    for info in pkgutil.iter_modules(commands.__path__):
        module = importlib.import_module(f"{commands.__name__}.{info.name}")
        if hasattr(module, "NAME"):
            found[module.NAME] = module
    return dict(sorted(found.items()))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="wm-planner",
        description="Imagine futures, invert them into actions, execute the best, look again.",
    )
    parser.add_argument("--verbose", action="store_true", help="log more, and show tracebacks")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module in find_commands().items():
        verb = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors of ours become one line.

    Args:
        arguments: words after the program's name; None reads them from the process.
    """
    args = build_parser().parse_args(arguments)
    # Others' loggers only speak up when something is wrong.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("wm_planner").setLevel(logging.DEBUG if args.verbose else logging.INFO)
    try:
        with _terminated_like_interrupted():
            return int(args.run(args) or 0)
    except WmPlannerError as error:
        if args.verbose:
            raise
        print(f"wm-planner: {error}", file=sys.stderr)
        return EXIT_ERROR
    except Terminated:
        print("wm-planner: terminated", file=sys.stderr)
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        print("wm-planner: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as in `wm-planner ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that what is done is kept there, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
