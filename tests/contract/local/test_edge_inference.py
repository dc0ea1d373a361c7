"""The example with accelerators in the local engine, with device nodes that stand in for them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.engines.local import device_locks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.plugin.running import Run

ROOT = Path(__file__).resolve().parents[3]
TESTS = 57


@pytest.fixture
def terminals() -> Iterator[list[str]]:
    """Two device nodes of the test's own; their locks are removed."""
    ends = [os.openpty() for _ in range(2)]
    names = [os.ttyname(theirs) for _, theirs in ends]
    yield names
    for descriptor in (one for pair in ends for one in pair):
        os.close(descriptor)
    for name in names:
        (device_locks.shared_folder() / name.strip("/").replace("/", "-")).unlink(missing_ok=True)


@pytest.mark.parametrize("workers", ["-n4", "-n0"])
def test_the_example_passes_with_two_devices(run: Run, tmp_path: Path, terminals: list[str], workers: str) -> None:
    """One worker has both, its own and its service's; with four the others run the tests that need none."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "examples" / "edge_inference", project, dirs_exist_ok=True)
    declared = (project / "pyproject.toml").read_text(encoding="utf-8")
    for pattern, node in zip(("/dev/apex_*", "/dev/npu*"), terminals, strict=True):
        assert pattern in declared
        declared = declared.replace(pattern, node)
    path = os.pathsep.join([str(project / "src"), str(ROOT / "runner")])
    result = run(
        workers,
        "--paddock-hardware=all",
        "--strict-markers",
        files={"pyproject.toml": declared},
        environment={"PYTHONPATH": path},
    )
    assert (result.code, result.counts) == (0, {"passed": TESTS}), result
