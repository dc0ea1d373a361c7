"""A run from the first check to the account: what lies around pytest's own session.

Owns the exit codes of the run's ends and that everything is given back exactly once, whatever happened.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

import pytest

from paddock.plugin import checks, engine_choice, giving_back
from paddock.plugin.controller import Controller
from paddock.plugin.giving_back import GivingBack
from paddock.plugin.ledger import Exit
from paddock.plugin.signals import Interrupts, before_the_run

if TYPE_CHECKING:
    from collections.abc import Generator

    from paddock.plugin.giving_back import Leader
    from paddock.settings.resolution import Settings

PLUGIN = "paddock-controller"


def around(config: pytest.Config) -> Generator[None, object, object]:
    """Run pytest's session in namespaces; body of a ``pytest_cmdline_main`` wrapper.

    Raises:
        pytest.UsageError: before anything was begun.
    """
    if checks.only_informs(config):
        config.option.numprocesses = None  # what only prints something needs no workers, ours or xdist's
        return (yield)
    try:
        with Interrupts(giving_back.NOTICE) as interrupts:
            with before_the_run():
                settings = engine_choice.read(config)
                checks.check(config, settings)
                leader = _leader(config, settings)
                ending = GivingBack(leader, config.rootpath, interrupts.returning)
                config.pluginmanager.register(leader, PLUGIN)
                config.pluginmanager.register(ending, giving_back.PLUGIN)
            return (yield from _released(leader, ending, interrupts))
    finally:
        gc.unfreeze()  # see GivingBack: who called pytest in its own process goes on


def _leader(config: pytest.Config, settings: Settings) -> Leader:
    """Return who leads the run: the controller of workers, or this process alone."""
    if not checks.is_alone(config, settings):
        return Controller(config, settings, os.environ)
    from paddock.plugin.alone import Alone  # noqa: PLC0415 - the local engine, which other runs do without

    return Alone(config, settings)


def _released(controller: Leader, ending: GivingBack, interrupts: Interrupts) -> Generator[None, object, object]:
    result: object = Exit.INFRASTRUCTURE_FAILED
    clean: bool | None = None
    try:
        result = yield from _ended(controller)
    finally:
        while clean is None:
            try:  # around everything: a signal may come at any moment, twice at most
                clean = _give_back(controller, ending, interrupts)
            except KeyboardInterrupt:
                continue
    return _verdict(controller, Exit.INTERRUPTED if interrupts.twice else result, clean=clean)


def _ended(controller: Leader) -> Generator[None, object, object]:
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


def _give_back(controller: Leader, ending: GivingBack, interrupts: Interrupts) -> bool:
    """Give everything back and tell the account; returns whether nothing is left."""
    interrupts.returning()
    controller.close()
    if not interrupts.twice:
        return ending.finish()
    ending.leave()
    return False


def _verdict(controller: Leader, result: object, *, clean: bool) -> object:
    """Return the exit code: what the tests came to, which a clean-up changes only where it is asked to."""
    if clean or not controller.settings.require_clean:
        return result
    return int(result) | Exit.NOT_CLEAN  # type: ignore[call-overload] # pytest's hook promises an object, and gives a number
