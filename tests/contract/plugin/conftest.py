"""Fixtures of the plugin's contract tests: a ``Run`` over the subprocess engine."""

from __future__ import annotations

import json
import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import paddock
from tests.contract.plugin import subprocess_engine
from tests.contract.plugin.running import clean_environment, run_pytest, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.contract.plugin.running import Interrupt, Result, Run

ENGINE = Path(subprocess_engine.__file__)
INSTALLED = bool(entry_points(group="pytest11", name="paddock"))
"""Where Paddock is installed pytest finds the plugin itself, and must not be given it twice."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs pytest with Paddock on child processes, in a project folder of the test's own."""
    project = tmp_path / "project"
    for folder in ("project", "temp", "witness"):
        (tmp_path / folder).mkdir()

    def run(
        *args: str,
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        faults: Mapping[str, Mapping[str, object]] | None = None,
        interrupts: Sequence[Interrupt] = (),
        paddock: bool = True,
    ) -> Result:
        write(project, files or {})
        (tmp_path / "witness" / subprocess_engine.GO_ON).unlink(missing_ok=True)  # of the run before
        ours, given = arguments(tmp_path, faults, paddock=paddock)
        return run_pytest([*ours, *args], project, {**given, **(environment or {})}, interrupts)

    return run


def arguments(
    folder: Path, faults: Mapping[str, Mapping[str, object]] | None, *, paddock: bool = True
) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the environment with which pytest runs on child processes."""
    ours = ["-p", ENGINE.stem, "--paddock"] if paddock else []
    return [*(() if INSTALLED else ("-p", "paddock.plugin")), *ours], {
        **clean_environment(),
        **_environment(folder, faults),
    }


def _environment(folder: Path, faults: Mapping[str, Mapping[str, object]] | None) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join([str(Path(paddock.__file__).parents[1]), str(ENGINE.parent)]),
        "PYTEST_DEBUG_TEMPROOT": str(folder / "temp"),
        "WITNESS": str(folder / "witness"),
        subprocess_engine.FAULTS: json.dumps(faults or {}),
        subprocess_engine.RECORD: str(folder / "engine.jsonl"),
    }
