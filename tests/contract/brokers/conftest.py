"""Runs pytest as a user would, on a broker that the worker's variables name."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

import paddock
from paddock.fixtures import waiting
from tests.contract.plugin.running import clean_environment, run_pytest, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.contract.plugin.running import Result
    from tests.plugins.mosquitto import Mosquitto

_PLUGIN = () if entry_points(group="pytest11", name="paddock") else ("-p", "paddock.plugin")
_SHARED = {"TEST_PER_WORKER_BROKERS": "false"}


class Suite(Protocol):
    """Runs a suite that stands in ``test_suite.py``."""

    def __call__(self, text: str, *args: str, environment: Mapping[str, str] | None = None, **files: str) -> Result:
        """Return what came of it."""


@pytest.fixture
def suite(tmp_path: Path, mosquitto: Mosquitto) -> Suite:
    """Runs a suite in a worker that has the broker for itself."""
    (tmp_path / "project").mkdir()

    def run(text: str, *args: str, environment: Mapping[str, str] | None = None, **files: str) -> Result:
        write(tmp_path / "project", {"test_suite.py": text, **{f"{name}.py": one for name, one in files.items()}})
        given = {
            **clean_environment(),
            "PYTHONPATH": str(Path(paddock.__file__).parents[1]),
            "PYTEST_DEBUG_TEMPROOT": str(tmp_path),
            "PADDOCK_WORKER": "gw0",
            waiting.SECONDS_VARIABLE: "2",
            **mosquitto.environment,
            **(environment or {}),
        }
        arguments = [*_PLUGIN, "-p", "no:cacheprovider", "-v", *args]
        return run_pytest(arguments, tmp_path / "project", {name: one for name, one in given.items() if one})

    return run


@pytest.fixture(params=["own", "shared"])
def in_both(request: pytest.FixtureRequest, suite: Suite) -> Suite:
    """Runs a suite in a worker that has the broker for itself, and in one that shares it: with the same outcome."""
    shared = _SHARED if request.param == "shared" else {}

    def run(text: str, *args: str, environment: Mapping[str, str] | None = None, **files: str) -> Result:
        return suite(text, *args, environment={**shared, **(environment or {})}, **files)

    return run
