"""The entry of the command ``paddock``.

It owns the list of subcommands, how they are found, and how errors end the process. The options and deeds of a
subcommand stand with the layer that owns them, in a function ``add_parser(subparsers)`` that sets ``handler``; that
module is imported only when its subcommand was typed, so that ``paddock node status`` need not wait for more.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from paddock import __version__
from paddock.errors import PaddockError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "node": ("paddock.node.commands", "start, stop and inspect the embedded Kubernetes node"),
    "ls": ("paddock.cli.ls", "list runs, their workers, and what each of them is at"),
    "logs": ("paddock.cli.logs", "print what workers, brokers and databases have written"),
    "shell": ("paddock.cli.shell", "open a shell in a worker's pod, or run a command there"),
    "forward": ("paddock.cli.forward", "reach a worker's broker or database from this machine"),
    "plan": ("paddock.cli.plan", "print every object that a run would make, and make none"),
    "doctor": ("paddock.cli.doctor", "check what a run needs, each fault with its remedy"),
    "down": ("paddock.cli.down", "delete what ended runs have left"),
    "completion": ("paddock.cli.completion", "print the code that completes commands in bash, zsh or fish"),
    "image": ("paddock.cli.image", "list, build, push and prune images"),
    "history": ("paddock.cli.history", "show, merge and prune the times of tests"),
    "devices": ("paddock.cli.devices", "list which hardware nodes have, and who holds it"),
    "device-plugin": ("paddock.cli.device_plugin", "hand out this node's accelerators to pods"),
    "reap": ("paddock.engines.reaping", "end what a run has left behind, and account for it"),
}
"""Subcommand -> the module whose ``add_parser`` knows it, and the line of ``paddock --help``."""

INTERRUPTED = 2
"""Exit code after Ctrl-C, the same as pytest's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(given)
    except PaddockError as error:
        sys.stderr.write(f"paddock: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("paddock: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_went_away()


def _run(arguments: Sequence[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:
        _complete()
    parser = command_parser(arguments[0] if arguments else "")
    options = parser.parse_args(arguments)
    code = options.handler(options)
    sys.stdout.flush()
    return int(code or 0)


def _complete() -> None:
    """Answer a shell that asks what could stand next; that ends the process."""
    from paddock.cli import completion  # noqa: PLC0415 - only when a shell asks

    completion.answer(command_parser(completion.wanted_command()))


def _program() -> str:
    """Return what the user typed: as a plugin of kubectl the program's name is ``kubectl-paddock``."""
    return "kubectl paddock" if Path(sys.argv[0]).name == "kubectl-paddock" else "paddock"


def command_parser(wanted: str) -> argparse.ArgumentParser:
    """Return the parser with the ``wanted`` subcommand in full and only the names of the others."""
    parser = _Parser(prog=_program(), description="Every pytest worker in a Kubernetes namespace of its own.")
    parser.add_argument("--version", action="version", version=f"paddock {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, help_line) in COMMANDS.items():
        if name == wanted:
            importlib.import_module(module).add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=help_line)
    return parser


class _Parser(argparse.ArgumentParser):
    """Tells a usage error in one line and ends with exit code 4, as all of Paddock does; argparse would say 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(UsageError.exit_code, f"paddock: {message}. See: {self.prog} --help\n")


def _reader_went_away() -> int:
    """End quietly when stdout's reader has seen enough, as ``paddock node logs | head``.

    Stdout then points to nowhere, or the interpreter complains when it flushes at exit.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
