"""Namespaces that nobody needs any more go while the run goes on; a run makes no more than it has tests for."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from paddock import names
from tests.cluster.on_the_node import project_folder
from tests.contract.plugin.running import clean_environment, run_pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Result
    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

LIMIT = 180.0
LONG = 20.0
"""Seconds of the test that the others do not wait for."""
CLEARLY = 5.0
"""Seconds before the run's end that are not its own clean-up."""
TESTS = f"import time\ndef test_short(): pass\ndef test_long(): time.sleep({LONG})\n"


@pytest.fixture
def project() -> Iterator[Path]:
    """A project with a short test and a long one."""
    with project_folder("paddock-early") as folder:
        (folder / "test_n.py").write_text(TESTS, encoding="utf-8")
        yield folder


def run(project: Path, *args: str) -> Result:
    """Run pytest with more workers than tests."""
    return run_pytest(["--paddock", "-n3", *args], project, clean_environment(), limit=LIMIT)


def staying(node: EmbeddedNode, run_id: str) -> set[str]:
    """Return the namespaces of a run that nobody has deleted."""
    selector = names.selector(names.labels(run_id))
    found = json.loads(node.kubectl("get", "namespaces", "--selector", selector, "--output", "json"))["items"]
    return {one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"]}


def test_namespaces_go_when_nobody_needs_them(project: Path, embedded_node: EmbeddedNode) -> None:
    """Two tests on three workers: while the long one runs its namespace is the only one left, and all are told."""
    run_id = names.new_run_id()
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(run(project, f"--paddock-run-id={run_id}")))
    thread.start()
    most, alone_at, pause = 0, float("inf"), threading.Event()
    counts: list[int] = []
    while thread.is_alive() and alone_at == float("inf"):
        count = len(staying(embedded_node, run_id))
        most = max(most, count)
        counts += [count] if counts[-1:] != [count] else []
        alone_at = time.monotonic() if (most, count) == (3, 1) else alone_at
        pause.wait(0.5)
    thread.join()
    (result,) = results
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    assert time.monotonic() - alone_at > CLEARLY, (counts, result)
    assert result.last_line == "paddock: namespaces: created 3, deleted 3, left 0"
    again = run(project, "test_n.py::test_short")
    assert again.code == 0, again
    assert "paddock: 1 of 3 workers are made: earlier runs know no more that could run at once" in again.out
    assert again.last_line == "paddock: namespaces: created 1, deleted 1, left 0"
