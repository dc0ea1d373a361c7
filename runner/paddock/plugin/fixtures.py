"""Which modules hold fixtures, and how they learn what the user chose.

In a worker of a run of ours the controller has sent the choices, since only it knows the command line; anywhere else
they are read where they were given. What fixtures do is no matter of this module.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest

from paddock.errors import UsageError
from paddock.fixtures import (
    accelerators,
    brokers,
    choices,
    containers,
    context,
    databases,
    executors,
    file_databases,
    findings,
    isolation,
    ports,
    services,
    stepping,
    unique,
)
from paddock.plugin import options, remote
from paddock.services.choices import FixtureChoices
from paddock.settings import table

if TYPE_CHECKING:
    from collections.abc import Callable

_DECLARED = "paddock.services"
"""Stands in every pyproject.toml that declares services; only then is it worth reading as a whole."""
_PYPROJECT = pytest.StashKey[str]()
KEY = "fixtures"
"""Where the choices stand in our part of a worker's input, see ``remote.KEY``."""


_MODULES = {
    "fixtures": services,
    "accelerators": accelerators,
    "brokers": brokers,
    "containers": containers,
    "context": context,
    "databases": databases,
    "file-databases": file_databases,
    "unique-names": unique,
    "executors": executors,
    "stepping": stepping,
    "ports": ports,
    "isolation": isolation,
}


def register(config: pytest.Config) -> None:
    """Register all fixtures; what they cost is paid by the test that asks for one."""
    read: Callable[[], FixtureChoices] = cache(partial(_read, config))
    config.stash[choices.KEY] = read
    for name, module in _MODULES.items():
        config.pluginmanager.register(module, f"paddock-{name}")
    config.pluginmanager.register(unique.Constants(), "paddock-constants")
    config.pluginmanager.register(services.fixtures_of(_declared(config)), "paddock-declared-services")


def _declared(config: pytest.Config) -> tuple[str, ...]:
    """Return the names of the declared services; none where they cannot be read, which others tell."""
    if remote.KEY not in getattr(config, "workerinput", {}) and _DECLARED not in _pyproject(config):
        return ()
    try:
        return choices.of(config).service_names
    except (UsageError, pytest.UsageError):
        return ()


def _pyproject(config: pytest.Config) -> str:
    """Return the project's pyproject.toml, read once a session; every run of pytest pays for it."""
    if _PYPROJECT not in config.stash:
        try:
            config.stash[_PYPROJECT] = (config.rootpath / "pyproject.toml").read_text(encoding="utf-8")
        except (OSError, ValueError):  # told by whoever must read it
            config.stash[_PYPROJECT] = ""
    return config.stash[_PYPROJECT]


def make_executors_safe(config: pytest.Config) -> None:
    """Patch the executors of the code under test for this session, if tests run here and the user wants it."""
    if _runs_tests(config) and _may_want_safe_executors(config) and choices.of(config).safe_executors:
        late = executors.LateSubmissions(findings.of(config).add)
        config.pluginmanager.register(late, "paddock-late-submissions")
        late.patch()


def _runs_tests(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None)


def _may_want_safe_executors(config: pytest.Config) -> bool:
    """Return whether it is worth reading the settings, which a run without Paddock need not pay for."""
    option = table.BY_NAME["safe-executors"]
    if hasattr(config, "workerinput") or getattr(config.option, option.destination) or option.environment in os.environ:
        return True
    return option.name in _pyproject(config)


def told(chosen: FixtureChoices) -> dict[str, object]:
    """Return the part of a worker's input that is about fixtures."""
    return {KEY: asdict(chosen)}


def _read(config: pytest.Config) -> FixtureChoices:
    sent = getattr(config, "workerinput", {}).get(remote.KEY, {}).get(KEY)
    return options.read(config).fixture_choices() if sent is None else FixtureChoices(**sent)
