"""``nox -s parallel`` as a user types it: real tests in four real namespaces, and nothing left."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names
from tests.e2e.conftest import is_result
from tests.plugins.cluster import without_its_reaper

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Run
    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster

WORKERS = {"gw0", "gw1", "gw2", "gw3"}


def label(item: dict[str, Any], key: str) -> str:
    return str(item["metadata"].get("labels", {}).get(key, ""))


def objects(node: EmbeddedNode, kind: str, run_id: str) -> list[dict[str, Any]]:
    answer = node.kubectl(
        "get", kind, "--all-namespaces", "--selector", names.selector(names.labels(run_id)), "-o", "json"
    )
    items: list[dict[str, Any]] = json.loads(answer)["items"]
    return items


def test_a_suite_passes_in_four_namespaces_that_go_away(
    nox_parallel: Callable[..., Run], embedded_node: EmbeddedNode
) -> None:
    """All tests pass; while they run, namespaces and pods are found by label; afterwards nothing is left."""
    run = nox_parallel()
    run.read(until=is_result)
    namespaces = objects(embedded_node, "namespaces", run.run_id)
    pods = objects(embedded_node, "pods", run.run_id)
    assert run.finish() == 0, run.output

    passed = re.search(r"=+ (\d+) passed", run.output)
    assert passed
    assert int(passed[1]) >= 60
    assert "namespaces: created 4, deleted 4, left 0" in run.output
    assert {label(namespace, names.WORKER) for namespace in namespaces} == WORKERS
    assert {label(pod, names.WORKER) for pod in pods} == WORKERS
    assert {label(pod, names.COMPONENT) for pod in pods} >= {"worker", "broker", "database"}
    assert embedded_node.wait_until_gone(run=run.run_id) == set()


def test_ctrl_c_is_orderly(nox_parallel: Callable[..., Run], embedded_node: EmbeddedNode) -> None:
    """One Ctrl-C ends the run, gives the namespaces back and accounts for them."""
    run = nox_parallel("-n", "1")  # alone, a worker is at it long enough to be interrupted
    run.read(until=is_result)
    run.interrupt()
    assert run.finish() != 0, run.output
    assert "left 0" in run.output
    assert "Traceback" not in run.output
    assert embedded_node.wait_until_gone(run=run.run_id) == set()


def pytest_process(run: Run) -> int:
    """Return the pid of the pytest that nox started, by its command line and process group."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                b"pytest\0--paddock" in (folder / "cmdline").read_bytes()
                and os.getpgid(int(folder.name)) == run.process.pid
            ):
                return int(folder.name)
    raise AssertionError(f"no pytest is running: {run.output}")


def test_namespaces_go_even_when_pytest_is_killed(
    nox_parallel: Callable[..., Run], embedded_node: EmbeddedNode
) -> None:
    """Nox reaps by run id in a ``finally``, so that a killed pytest leaves nothing."""
    run = nox_parallel("-n", "1")
    run.read(until=is_result)
    with without_its_reaper():
        os.kill(pytest_process(run), signal.SIGKILL)
        assert run.finish() != 0
        assert embedded_node.wait_until_gone(run=run.run_id) == set()


NOXFILE = """\
from paddock.sessions import parallel, serial

__all__ = ["parallel", "serial"]
"""

SUITE = """\
import os

def test_runs_in_a_pod(mqtt_broker, database_server):
    assert os.environ["PADDOCK_WORKER"] == "gw0"
    assert mqtt_broker.port and database_server.url
"""


def test_a_users_project_needs_two_lines(
    start_nox: Callable[..., Run], embedded_node: EmbeddedNode, tmp_path: Path
) -> None:
    """A project of nothing but a noxfile and a test runs in a namespace."""
    (tmp_path / "noxfile.py").write_text(NOXFILE, encoding="utf-8")
    (tmp_path / "test_it.py").write_text(SUITE, encoding="utf-8")
    run = start_nox("-s", "serial", folder=tmp_path)
    assert run.finish() == 0, run.output
    assert "namespaces: created 1, deleted 1, left 0" in run.output
    assert embedded_node.wait_until_gone(run=run.run_id) == set()
