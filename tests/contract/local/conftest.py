"""Fixtures of the local engine's contract tests: runs on this machine, whose folders are seen."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import paddock
from tests.contract.plugin.conftest import INSTALLED
from tests.contract.plugin.running import clean_environment, run_pytest, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.contract.plugin.running import Interrupt, Result, Run

PLUGIN = () if INSTALLED else ("-p", "paddock.plugin")
LOCAL = ("--paddock", "--paddock-engine=local")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """The folder for temporary files of the runs: what they leave is seen there."""
    # Not one of pytest's own, which for root is closed to the user that servers run as.
    with tempfile.TemporaryDirectory(prefix="local-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def run(tmp_path: Path, temporary: Path) -> Run:
    """Runs pytest with Paddock's local engine, in a project folder of the test's own."""
    project = tmp_path / "project"
    for folder in (project, tmp_path / "witness"):
        folder.mkdir(exist_ok=True)

    def run(
        *args: str,
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        faults: Mapping[str, Mapping[str, object]] | None = None,
        interrupts: Sequence[Interrupt] = (),
        paddock: bool = True,
    ) -> Result:
        assert not faults, "nothing stands in this engine's place"
        write(project, files or {})
        given = {**clean_environment(), **environment_of(tmp_path, temporary), **(environment or {})}
        return run_pytest([*PLUGIN, *(LOCAL if paddock else ()), *args], project, given, interrupts)

    return run


def environment_of(folder: Path, temporary: Path) -> dict[str, str]:
    """Return the variables of a run that are the test's own."""
    return {
        "PYTHONPATH": str(Path(paddock.__file__).parents[1]),
        "TMPDIR": str(temporary),
        "WITNESS": str(folder / "witness"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def left(temporary: Path) -> list[str]:
    """Return what runs have left of their own."""
    return [str(path) for path in temporary.glob(f"paddock-{os.geteuid()}/*")]
