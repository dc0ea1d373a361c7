"""Looking inside a run while it is under way, from a second terminal, in real namespaces."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from paddock import names
from tests.cluster.waiting_run import PATIENCE, WORKERS, Run, is_waiting, waiting_project, waiting_run
from tests.contract.plugin.running import clean_environment
from tests.plugins.cluster import without_its_reaper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]


@pytest.fixture
def project() -> Iterator[Path]:
    """A project whose tests wait."""
    with waiting_project() as folder:
        yield folder


@pytest.fixture
def run(project: Path) -> Iterator[Run]:
    """A run whose two workers wait in a test, seen from outside."""
    with waiting_run(project) as under_way:
        yield under_way


@contextmanager
def forwarded(run: Run, service: str) -> Iterator[dict[str, Any]]:
    """Forward a service of gw0 and yield the way in, the password fetched as a person would."""
    command = [sys.executable, "-m", "paddock", "forward", f"{run.run_id}/gw0", service, "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, text=True, cwd=run.folder, env=clean_environment()) as process:
        assert process.stdout
        try:
            lines = iter(process.stdout.readline, "")
            way = json.loads("".join(line for line in _until_closed(lines)))
            yield way
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0


def _until_closed(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line == "}\n":
            return


def password(node: EmbeddedNode, run: Run, service: str) -> str:
    template = "--output=go-template={{.data.PASSWORD | base64decode}}"
    return node.kubectl("get", "secret", service, f"--namespace=paddock-{run.run_id}-gw0", template)


def test_a_run_can_be_looked_into_while_it_is_under_way(run: Run, embedded_node: EmbeddedNode) -> None:
    """Everything a person wants to know, from a second terminal, and the run ends as if nobody had looked."""
    workers = run.await_workers(is_waiting)
    assert {worker["phase"] for worker in workers.values()} == {"testing"}
    assert sum(worker["passed"] for worker in workers.values()) == 4
    annotated = json.loads(embedded_node.kubectl("get", "ns", f"paddock-{run.run_id}-gw0", "-o", "json"))
    assert annotated["metadata"]["annotations"][names.RUNNING] in {"test_a.py::test_waits", "test_b.py::test_waits"}
    assert "test_a.py::test_waits" in run.paddock("ls", run.run_id)

    secret = password(embedded_node, run, "broker")
    logs = run.paddock("logs", run.run_id)
    assert "[gw0 worker] paddock: worker started pid" in logs
    assert "[gw0 worker] waiting, with ***" in logs
    assert "[gw1 database] " in logs
    assert secret not in logs

    told = run.paddock(
        "shell", f"{run.run_id}/gw0", "--", "sh", "-c", "pwd; echo $PADDOCK_WORKER; python -m pytest --version"
    )
    assert told.split()[:3] == [str(run.folder), "gw0", "pytest"]

    with forwarded(run, "database") as way:
        given = {name: way[name] for name in ("host", "port")} | {"user": way["username"], "dbname": way["database"]}
        with psycopg.connect(**given, password=password(embedded_node, run, "database")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    with forwarded(run, "broker") as way:
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        client.username_pw_set(way["username"], secret)
        assert client.connect(way["host"], way["port"]) == 0
        client.disconnect()
    assert secret not in json.dumps(way)

    assert f"run {run.run_id}: led by " in run.paddock("down")
    code, output = run.finish()
    assert code == 0, output
    assert "6 passed" in output
    assert "namespaces: created 2, deleted 2, left 0" in output


def test_kubectl_finds_it_as_a_plugin(embedded_node: EmbeddedNode) -> None:
    """``kubectl paddock`` is ``paddock``, and kubectl's own completion knows its commands."""
    environment = {**clean_environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def kubectl(*arguments: str) -> str:
        command = [str(embedded_node.program), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert "runs" in json.loads(kubectl("paddock", "ls", "--json"))
    assert kubectl("__complete", "paddock", "do").split()[:2] == ["doctor", "down"]


def test_what_a_killed_run_left_is_deleted_by_its_record(run: Run, embedded_node: EmbeddedNode) -> None:
    """Nobody leads it any more: the doctor names it, ``down`` ends it, and a stranger's namespace stays."""
    run.await_workers(is_waiting)
    stranger = f"paddock-{run.run_id}-gw9"
    embedded_node.kubectl("create", "namespace", stranger)
    try:
        with without_its_reaper():
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait(PATIENCE)
            findings = {one["check"]: one for one in json.loads(run.paddock("doctor", "--json"))["checks"]}
            assert run.run_id in findings["leftovers"]["message"]
            assert findings["rights"]["status"] == "ok"
            ended = json.loads(run.paddock("down", "--json"))["ended"]
        assert {one["run"]: (len(one["found"]), one["left"]) for one in ended}[run.run_id] == (2, {})
        assert run.workers() == {}
        assert stranger in embedded_node.kubectl("get", "namespaces", "--output", "name")
    finally:
        embedded_node.kubectl("delete", "namespace", stranger)


def test_a_plan_is_what_a_cluster_accepts(project: Path, embedded_node: EmbeddedNode) -> None:
    """The API server takes every printed object, and none of them is there afterwards."""
    shown = subprocess.run(
        [sys.executable, "-m", "paddock", "plan", "--json", "-n2"],
        cwd=project, env=clean_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    listed = json.loads(shown.stdout)
    # The namespace of the records is there already, as on every cluster after its first run.
    made = [one for one in listed["items"] if one["metadata"]["name"] != names.RUN_RECORDS_NAMESPACE]
    cluster_wide = [one for one in made if one["kind"] == "Namespace"]
    file = project / "plan.json"
    file.write_text(json.dumps({**listed, "items": cluster_wide}), encoding="utf-8")
    accepted = embedded_node.kubectl("create", "--dry-run=server", "--validate=strict", "-f", str(file), "-o", "name")
    assert accepted.split() == [f"namespace/{one['metadata']['name']}" for one in cluster_wide]
    assert len(cluster_wide) == len(WORKERS)
    rest = [one for one in made if one["kind"] != "Namespace"]
    file.write_text(json.dumps({**listed, "items": rest}), encoding="utf-8")
    checked = embedded_node.kubectl("create", "--dry-run=client", "--validate=strict", "-f", str(file), "-o", "name")
    assert len(checked.split()) == len(rest)
    run_id = next(one["metadata"]["labels"][names.RUN] for one in rest if one["kind"] == "Lease")
    assert embedded_node.namespaces(run=run_id) == set()
