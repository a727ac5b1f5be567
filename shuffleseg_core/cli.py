"""The program `shuffleseg`: finds its commands, prints mistakes as one line.

A command is a module in the entry-point group `shuffleseg.commands` with HELP,
`add_arguments(parser)` and `run(args) -> exit status`. So the packages that build upon
shuffleseg_core add commands without it knowing them.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import entry_points

from . import __version__
from .errors import UserError

GROUP = "shuffleseg.commands"


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns its exit status: 0 success, 2 a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="shuffleseg",
        description="Semantic segmentation of street scenes for small computers.",
    )
    parser.add_argument("--version", action="version", version=f"shuffleseg {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for entry in sorted({e.name: e for e in entry_points(group=GROUP)}.values()):
        try:
            module = entry.load()
        except ImportError as error:  # a part that is not whole must not take the others along
            module = _Missing(entry.name, error)
        command = commands.add_parser(entry.name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    try:
        return args.run(args)
    except UserError as error:
        print(f"shuffleseg {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"shuffleseg {args.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe went away, as in `| head`
        sys.stderr.close()
        return 1


class _Missing:
    """Stands for a command whose module cannot be imported."""

    def __init__(self, name: str, error: ImportError):
        self.HELP = f"(not available: {error})"
        self._reason = UserError(f"{name} is not available here: {error}")

    def add_arguments(self, parser):
        parser.add_argument("anything", nargs=argparse.REMAINDER)

    def run(self, args):
        raise self._reason


if __name__ == "__main__":
    sys.exit(main())
