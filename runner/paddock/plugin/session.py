"""A run from the first check to the account: what lies around pytest's own session.

Owns the exit codes of the run's ends and that everything is given back exactly once, whatever happened.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from paddock.errors import InfrastructureError
from paddock.plugin import checks, options, signals
from paddock.plugin.controller import Controller
from paddock.plugin.ledger import Exit

if TYPE_CHECKING:
    from collections.abc import Generator

PLUGIN = "paddock-controller"


def around(config: pytest.Config) -> Generator[None, object, object]:
    """Run pytest's session in namespaces; body of a ``pytest_cmdline_main`` wrapper.

    Raises:
        pytest.UsageError: before anything was begun.
    """
    if checks.only_informs(config):
        config.option.numprocesses = None  # what only prints something needs no workers, ours or xdist's
        return (yield)
    checks.check(config)
    controller = Controller(config, options.read(config), os.environ)
    config.pluginmanager.register(controller, PLUGIN)
    with signals.as_interrupts():
        return (yield from _released(controller))


def _released(controller: Controller) -> Generator[None, object, object]:
    result: object = Exit.INFRASTRUCTURE_FAILED
    try:
        result = yield from _ended(controller)
    finally:
        controller.close()
        released = release(controller)
    return result if released is None else released


def _ended(controller: Controller) -> Generator[None, object, object]:
    try:
        return (yield)
    except pytest.UsageError as error:
        if controller.engine is None:
            raise
        # Told here and not by pytest, so that the account comes after it.
        sys.stderr.write("".join(f"ERROR: {message}\n" for message in error.args))
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def release(controller: Controller) -> Exit | None:
    """Give everything back and tell the account; returns the run's exit code if that fails, else ``None``."""
    engine, line = controller.engine, controller.terminal.line
    if engine is None:
        return None
    try:
        with signals.held_back(lambda: line("the namespaces are being given back; interrupt again to leave them")):
            account = engine.release()
    except KeyboardInterrupt:
        line(f"interrupted; 'paddock reap --run {controller.settings.run_id}' removes the namespaces left", red=True)
        return Exit.INTERRUPTED
    except InfrastructureError as error:
        line(f"the namespaces were not given back: {error}", red=True)
        return Exit.INFRASTRUCTURE_FAILED
    for note in account.notes:
        line(note)
    line(account.sentence(), red=bool(account.left))
    return None
