"""Devices that fall sick under tests in pods: simulated ones, and a health command of the worker's own image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.on_the_node import project_folder, runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

TABLE = """
[tool.paddock.devices.coral]
resource = "paddock.dev/simulated"
paths = ["/dev/none*"]
health = ["/bin/sh", "-c", "test ! -e /tmp/broken || { echo no answer; exit 1; }"]
"""
"""Whether a device is well is said by a file in the pod that holds it: the next pod has none."""
TESTS = """
import pathlib
import pytest

@pytest.mark.hardware("coral")
@pytest.mark.parametrize("n", range(12))
def test_uses_one(n, accelerator):
    if n == 0:
        pathlib.Path("/tmp/broken").touch()

@pytest.mark.parametrize("n", range(4))
def test_plain(n): pass
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with project_folder("paddock-sick-device") as project:
        yield runner(project, tmp_path)


@pytest.mark.parametrize("workers", ["-n1", "-n3"])
def test_the_rest_of_a_sick_devices_tests_run_on_other_workers(run: Run, workers: str) -> None:
    """On those that have another one, or on who comes in its place; the test that broke it is named and has passed."""
    asked = (workers, "-v", "--paddock-history=/dev/null", "--paddock-hardware=coral", "--paddock-simulate-hardware=2")
    result = run(*asked, files={"pyproject.toml": TABLE, "test_coral.py": TESTS})
    assert (result.code, result.counts) == (0, {"passed": 16}), result
    said = "that it held was sick after test_coral.py::test_uses_one[0]: /bin/sh ended with 1: no answer."
    assert result.out.count(said) == 1, result.out
    assert "was lost while it ran" not in result.out
