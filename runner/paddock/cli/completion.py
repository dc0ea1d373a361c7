"""``paddock completion``: what a shell needs to complete commands, options, runs and workers by the Tab key.

Owns the way to argcomplete, which knows the shells, and what it cannot know: the names of runs and workers. They are
asked of the cluster; where that fails nothing is proposed, since a shell has no place for a message.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

from paddock.cli import reaching, tables
from paddock.errors import PaddockError, UsageError

if TYPE_CHECKING:
    import argparse

    from paddock.namespaces.inventory import RunState

SHELLS = ("bash", "zsh", "fish")
ASKED = "_ARGCOMPLETE"
"""Set by the shell code when a shell asks for proposals."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("completion", help="print the shell code that completes", description=__doc__)
    parser.add_argument("shell", choices=SHELLS, help='put eval "$(paddock completion bash)" into its start file')
    parser.set_defaults(handler=completion)


def completion(arguments: argparse.Namespace) -> int:
    """Print the code.

    Raises:
        UsageError: argcomplete is not installed.
    """
    try:
        from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise UsageError("Completion needs argcomplete: pip install 'paddock[completion]'.") from None
    tables.say(shellcode(["paddock"], shell=arguments.shell))
    return 0


def wanted_command() -> str:
    """Return the subcommand on the line that is being completed; empty before there is one."""
    words = os.environ.get("COMP_LINE", "").split()
    return words[1] if len(words) > 1 else ""


def for_kubectl() -> int:
    """Answer kubectl, which asks ``kubectl_complete-paddock`` with the words behind ``kubectl paddock``.

    Proposals stand one a line; ``:4`` says that no names of files belong to them (cobra's NoFileComp).
    """
    from paddock.cli.main import command_parser  # noqa: PLC0415 - it imports this module when a shell asks

    line = " ".join(["paddock", *sys.argv[1:]])
    asked = {ASKED: "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    os.environ.update({**asked, "COMP_LINE": line, "COMP_POINT": str(len(line))})
    answers = io.StringIO()
    answer(command_parser(wanted_command()), exit_method=lambda _code: None, output_stream=answers)
    tables.say("\n".join([*filter(None, answers.getvalue().split("\n")), ":4"]))
    return 0


def answer(parser: argparse.ArgumentParser, **how: Any) -> None:  # noqa: ANN401 - argcomplete's own arguments
    """Answer the shell that asks and end the process; return where argcomplete is not installed."""
    try:
        import argcomplete  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return
    for action in _actions(parser):
        proposer = _PROPOSERS.get(action.dest)
        if proposer is not None:
            action.completer = proposer  # type: ignore[attr-defined] # where argcomplete looks for it
    argcomplete.autocomplete(parser, **how)


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    own = parser._actions  # noqa: SLF001 - argparse offers no other way, and argcomplete does the same
    below = [one for action in own if isinstance(action.choices, dict) for one in action.choices.values()]
    return [*own, *(action for one in below for action in _actions(one))]


def run_names(parsed_args: Any, **_: object) -> list[str]:  # noqa: ANN401 - as argcomplete calls it
    """Return the ids of all runs."""
    return [run.run_id for run in _runs(parsed_args)]


def worker_names(parsed_args: Any, **_: object) -> list[str]:  # noqa: ANN401 - as argcomplete calls it
    """Return all that ``targets`` understands, but namespaces."""
    runs = _runs(parsed_args)
    workers = [worker for run in runs for worker in run.workers]
    plain = {worker.name for worker in workers} if len(runs) == 1 else set()
    return [*(run.run_id for run in runs), *(f"{one.run_id}/{one.name}" for one in workers), *sorted(plain)]


def services(**_: object) -> list[str]:
    """Return what can be forwarded."""
    return ["broker", "database"]


def pods(**_: object) -> list[str]:
    """Return a worker's pods."""
    return ["worker", "broker", "database"]


def checks(**_: object) -> list[str]:
    """Return the doctor's checks."""
    from paddock.cli.doctor import CHECKS  # noqa: PLC0415 - for one command

    return list(CHECKS)


_PROPOSERS: dict[str, Any] = {
    "run": run_names,
    "target": worker_names,
    "component": pods,
    "pod": pods,
    "service": services,
    "check": checks,
}
"""Name of an argument -> what may stand there."""


def _runs(parsed_args: Any) -> list[RunState]:  # noqa: ANN401 - as argcomplete calls it
    from paddock.namespaces import inventory  # noqa: PLC0415 - loads the cluster's client

    try:
        cluster = reaching.reach(parsed_args)
        return inventory.read(cluster) if cluster else []
    except PaddockError:
        return []
