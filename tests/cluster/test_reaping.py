"""Runs that nobody leads any more, in a real cluster: ended by whoever comes next, and nothing else is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from paddock import names
from tests.cluster.waiting_run import PATIENCE, Run, is_waiting, waiting_project, waiting_run
from tests.contract.plugin.running import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

STRANGER = "somebody@far-away/1/0badcafe/1"


@pytest.fixture
def project() -> Iterator[Path]:
    """A project whose tests wait."""
    with waiting_project() as folder:
        yield folder


def paddock(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "paddock", *arguments]
    return subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)


def record(node: EmbeddedNode, run: Run) -> dict[str, str]:
    name, namespace = f"run-{run.run_id}", f"--namespace={names.RUN_RECORDS_NAMESPACE}"
    return dict(json.loads(node.kubectl("get", "lease", name, namespace, "-o", "json"))["spec"])


def test_a_run_that_beats_is_led_and_one_that_is_paused_too_long_is_ended(
    project: Path, embedded_node: EmbeddedNode
) -> None:
    """Another process ends it by state; the client that comes back learns it, fails what ran and stops."""
    with waiting_run(project, "--paddock-lease-duration=3") as run:
        run.await_workers(is_waiting)
        before = record(embedded_node, run)
        led = paddock("reap")
        assert (led.returncode, run.run_id in led.stdout) == (0, False), led
        assert record(embedded_node, run)["renewTime"] > before["renewTime"]
        run.process.send_signal(signal.SIGSTOP)
        named = paddock("reap", "--dry-run")
        assert f"run {run.run_id}: nobody leads it; the last was {before['holderIdentity']}" in named.stdout, named
        assert len(run.workers()) == 2
        ended = paddock("reap")
        assert ended.returncode == 0, ended
        assert f"run {run.run_id}: namespaces: found 2, left 0" in ended.stdout
        assert embedded_node.namespaces(run=run.run_id) == set()
        run.process.send_signal(signal.SIGCONT)
        output, _ = run.process.communicate(timeout=PATIENCE)
        assert run.process.returncode == 1, output
        assert f"paddock: The run {run.run_id} " in output
        assert "was taken over by reaper/" in output or "it was ended from elsewhere" in output
        assert "created 0, deleted 0, left 0" in output


def test_the_next_run_ends_what_a_killed_one_left(project: Path, embedded_node: EmbeddedNode) -> None:
    """It is told at its end; what another machine leads stays."""
    with waiting_run(project) as killed:
        killed.await_workers(is_waiting)
        os.killpg(killed.process.pid, signal.SIGKILL)
        killed.process.communicate()
    far = names.new_run_id()
    manifest = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": f"run-{far}",
            "namespace": names.RUN_RECORDS_NAMESPACE,
            "labels": names.labels(far),
        },
        "spec": {"holderIdentity": STRANGER, "leaseDurationSeconds": 600},
    }
    file = project / "lease.json"
    file.write_text(json.dumps(manifest), encoding="utf-8")
    embedded_node.kubectl("create", "-f", str(file))
    try:
        with waiting_run(project) as run:
            run.await_workers(is_waiting)
            await_gone(embedded_node, killed)
            code, output = run.finish()
        assert code == 0, output
        assert f"paddock: ended the run {killed.run_id}, which nobody led any more" in output
        assert far not in output
        embedded_node.kubectl("get", "lease", f"run-{far}", f"--namespace={names.RUN_RECORDS_NAMESPACE}")
    finally:
        embedded_node.kubectl("delete", "-f", str(file))


def await_gone(node: EmbeddedNode, run: Run) -> None:
    """Wait until nothing of a run is there."""
    for name in node.namespaces(run=run.run_id):
        node.kubectl("wait", "--for=delete", f"namespace/{name}", f"--timeout={PATIENCE:g}s")
