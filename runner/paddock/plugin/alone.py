"""A run without workers in the local engine: pytest's own process is ``master``, and has services like any worker.

For ``-n 0``, an IDE and ``--pdb``. Owns the process's environment while the run lasts. It must not know xdist.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from paddock.engines.local.engine import LocalEngine
from paddock.errors import InfrastructureError
from paddock.plugin import engine_factory, facts, leasing, probing, remote, worker
from paddock.plugin.ledger import Exit
from paddock.plugin.options import told
from paddock.plugin.terminal import Progress, Terminal
from paddock.services import placeholders
from paddock.specs import Awaited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.settings.resolution import Settings

MASTER = "master"
"""The worker's id, as pytest-xdist calls a process without workers."""


class Alone:
    """Leads the run; the engine is there from the construction on.

    Raises:
        pytest.UsageError: something was asked for that cannot be meant.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.settings = settings
        self.terminal = Terminal(config)
        self.engine: LocalEngine | None = None
        self._config = config
        self._before: dict[str, str | None] = {}
        self._progress = Progress(self.terminal)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self) -> None:
        """Make the worker's folder and complete environment and options; no service is started.

        Raises:
            pytest.UsageError: something was given that cannot be meant.
        """
        known = placeholders.variables(self.settings.services)
        ours = facts.told(self._config, self.settings.templates, known)
        with told():
            request = engine_factory.make_request(self._config, self.settings, {})
            try:
                self.engine = LocalEngine(request, self._progress.step)
                self.engine.begin([MASTER])
                self._set(self.engine.enter(MASTER))
            except InfrastructureError as error:
                pytest.exit(f"paddock: {error}", returncode=Exit.INFRASTRUCTURE_FAILED)
        values = remote.placeholder_values(ours)
        self._set({name: remote.substituted(text, values) for name, text in self.settings.templates.items()})
        self._config.args = [remote.substituted(argument, values) for argument in self._config.args]
        worker.complete(self._config, ours)
        if probes := probing.told(self.settings.hardware, self.settings.devices):
            self._config.pluginmanager.register(probing.Probing(probes, lambda _: None), "paddock-probing")
            self._config.pluginmanager.register(leasing.Leasing(probes, self._waits), leasing.PLUGIN)

    def pytest_report_header(self) -> str:
        """Name the run, whose id its names hold."""
        return f"paddock: run {self.settings.run_id}, engine local, without workers: this process is {MASTER}"

    def _waits(self, awaited: Mapping[str, str]) -> None:
        self.terminal.line(f"{MASTER} {Awaited(**awaited).sentence}")

    def close(self) -> None:
        """Put the environment back; idempotent."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()

    def _set(self, variables: dict[str, str]) -> None:
        for name, value in variables.items():
            self._before.setdefault(name, os.environ.get(name))
            os.environ[name] = value
