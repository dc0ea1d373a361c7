"""More workers than the node has room for: those that fit run everything, and the others hold up nobody."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from paddock import node
from tests.cluster.on_the_node import project_folder, runner
from tests.cluster.own_node import kubectl
from tests.contract.plugin.running import Interrupt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

TESTS = """
import sys, time, pytest

@pytest.mark.parametrize("n", range(6))
def test_n(n):
    print("now it runs", file=sys.stderr, flush=True)
    time.sleep(0.5)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs pytest in a project whose worker pods ask for more than half of what the node has."""
    assert node.access() is not None
    (found,) = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    size = int(found["status"]["allocatable"]["ephemeral-storage"])
    asked = {"resources": {"requests": {"ephemeral-storage": str(size * 11 // 20)}}}
    with project_folder("paddock-room") as project:
        patch = {"metadata": {"name": "worker"}, "spec": {"containers": [{"name": "worker", **asked}]}}
        (project / "patch.yaml").write_text(json.dumps(patch), encoding="utf-8")
        (project / "test_n.py").write_text(TESTS, encoding="utf-8")
        yield runner(project, tmp_path)


WIDE = ("-n3", "--paddock-pod-patch=patch.yaml", "--paddock-history=/dev/null")


def test_those_that_fit_run_everything(run: Run) -> None:
    """One of three fits: it runs all tests, the line says why the others wait, and nothing is left."""
    result = run(*WIDE)
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert "on 1 of 3 workers" in result.out
    assert "wait, holding up nobody: No node has room for its pod: it asks for ephemeral-storage " in result.out
    assert result.out.count("Insufficient ephemeral-storage") == 1, result
    assert result.last_line == "paddock: namespaces: created 3, deleted 3, left 0"


def test_auto_asks_the_node(run: Run) -> None:
    """By cores and memory, with the reason: that the patch asks for other things too is left to the scheduler."""
    result = run("-nauto", "--maxprocesses=4", *WIDE[1:])
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    header = re.search(
        r"paddock: -n auto: (\d+) (of \d+ )?workers?.*[\d.]+ cores are free, one for each until", result.out
    )
    assert header, result
    assert f"created {header[1]}, deleted {header[1]}, left 0" in result.last_line


def test_an_interrupt_waits_for_nobody(run: Run) -> None:
    """Ctrl-C while two of three are still without room."""
    result = run(*WIDE, "-s", interrupts=[Interrupt("now it runs")])
    assert result.code == 2, result
    assert result.last_line == "paddock: namespaces: created 3, deleted 3, left 0"
