"""Runs that nobody leads any more, in a real cluster: ended by whoever comes next, and nothing else is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names, node
from paddock.cluster import connect
from paddock.engines.reaper_service import Service
from paddock.namespaces import records
from paddock.namespaces.reaper import Reaper
from tests.cluster.waiting_run import PATIENCE, Run, is_waiting, waiting_project, waiting_run
from tests.contract.plugin.running import clean_environment
from tests.plugins.cluster import without_its_reaper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

STRANGER = "somebody@far-away/1/0badcafe/1"


@pytest.fixture
def only_ours() -> Iterator[None]:
    """Nobody but the test ends runs."""
    with without_its_reaper():
        yield


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


@pytest.mark.usefixtures("only_ours")
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


def test_the_nodes_own_reaper_ends_what_a_killed_run_left(project: Path, embedded_node: EmbeddedNode) -> None:
    """Nobody has to come: it knows at its next look that the process has ended, and says so in its log."""
    reaper = next((each for each in node.status().components if each.name == "reaper"), None)
    assert reaper, "this node was started by an earlier version of Paddock: run 'paddock node up'"
    with waiting_run(project) as killed:
        killed.await_workers(is_waiting)
        os.killpg(killed.process.pid, signal.SIGKILL)
        killed.process.communicate()
    await_gone(embedded_node, killed)
    command = [sys.executable, "-m", "paddock.node", "logs", "reaper"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"paddock: run {killed.run_id}: namespaces: found 2, left 0" in log


@pytest.mark.usefixtures("only_ours")
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


def stuck(run_id: str) -> list[dict[str, Any]]:
    """Return the objects of a run whose namespace will not go: something in it waits for somebody who never comes."""
    namespace = names.namespace_name(run_id, "gw0")
    held = {"name": "held", "namespace": namespace, "finalizers": ["paddock.test/never"]}
    return [
        records.manifest(run_id, STRANGER, 600),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": names.labels(run_id)}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": held},
    ]


def test_a_reaper_explains_what_does_not_go_and_tells_when_it_has_gone(
    embedded_node: EmbeddedNode, tmp_path: Path
) -> None:
    """The object and its finalizer by name, from the service that runs in clusters; only its clock is the test's."""
    run_id, now, said = names.new_run_id(), [0.0], list[str]()
    namespace = names.namespace_name(run_id, "gw0")
    file = tmp_path / "stuck.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": stuck(run_id)}), encoding="utf-8")
    embedded_node.kubectl("create", "-f", str(file))
    access = node.access()
    assert access
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    leader = Reaper(cluster, "test", lambda holder: holder == STRANGER and not said)
    service = Service(leader, said.append, lambda: now[0])
    let_go = ("patch", "configmap", "held", f"--namespace={namespace}", "--type=merge")
    try:
        service.look()
        assert said == [f"run {run_id}: namespaces: found 1, left 0"]
        remains = "--for=condition=NamespaceContentRemaining"
        embedded_node.kubectl("wait", remains, f"namespace/{namespace}", f"--timeout={PATIENCE:g}s")
        now[0] += 61
        service.look()
        assert said[1].startswith(f"run {run_id}: the namespace {namespace} does not go: configmaps/held keeps the ")
        embedded_node.kubectl(*let_go, '--patch={"metadata":{"finalizers":null}}')
        embedded_node.kubectl("wait", "--for=delete", f"namespace/{namespace}", f"--timeout={PATIENCE:g}s")
        now[0] += 61
        service.look()
        assert said[2:] == [f"run {run_id}: its namespaces are gone now"]
    finally:
        cluster.close()
        with contextlib.suppress(subprocess.CalledProcessError):  # it has gone
            embedded_node.kubectl(*let_go, '--patch={"metadata":{"finalizers":null}}')
