"""``paddock plan``: every object that a run would make, as YAML or JSON; nothing is made.

Owns the command's arguments: all but its own are pytest's, and pytest reads them as it would for the run itself.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import metadata
from typing import NoReturn

_OWN = {"--json": "json"}
"""Our own flags -> the form of the plan; pytest has none of that name."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    # pytest's options are its own; no character begins one of ours, or they would have to stand behind '--'.
    parser = subparsers.add_parser("plan", help="print what a run would make", prefix_chars="\0")
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="[--json] ARGUMENT",
        help="pytest's arguments, such as -n 4 tests/; --json prints one List instead of YAML documents",
    )
    parser.set_defaults(handler=lambda given: plan(given, parser))


def plan(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Have pytest print the plan in place of running."""
    given: list[str] = arguments.arguments
    if given[:1] in (["-h"], ["--help"]):
        parser.print_help()
        return 0
    return _become([sys.executable, "-m", "pytest", *_plugin(), *pytest_arguments(given)])


def _become(command: list[str]) -> NoReturn:
    """Go on as pytest, in a process that has imported nothing of ours, as pytest is always started."""
    os.execv(command[0], command)  # noqa: S606 - see the docstring


def _plugin() -> list[str]:
    """Return what makes pytest load Paddock where it runs from its sources and is not installed."""
    return [] if metadata.entry_points(group="pytest11", name="paddock") else ["-p", "paddock.plugin"]


def pytest_arguments(given: list[str]) -> list[str]:
    """Return pytest's command line for what was given to ``paddock plan``."""
    form = next((form for flag, form in _OWN.items() if flag in given), "yaml")
    return ["--paddock", f"--paddock-plan={form}", *(one for one in given if one not in _OWN)]
