"""The end of a run in real namespaces: behind the prompt, in every phase, and where something does not go away."""

from __future__ import annotations

import json
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names, run_accounts
from tests.cluster.on_the_node import project_folder, runner
from tests.cluster.waiting_run import LOOK_EVERY, PATIENCE, is_waiting, waiting_project, waiting_run
from tests.contract.plugin.cases import GREEN
from tests.contract.plugin.end_cases import HANGING, WAITING
from tests.contract.plugin.running import Interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run
    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

NOWHERE = "spec:\n  nodeSelector: {paddock.dev/nowhere: here}\n"
HELD = "example.com/hold"
SILENT = "v1beta1.silent.paddock.test"
TWICE = f"configmaps/held keeps the finalizer {HELD}"


@pytest.fixture
def project() -> Iterator[Path]:
    """An empty project folder."""
    with project_folder("paddock-release") as folder:
        yield folder


@pytest.fixture
def run(tmp_path: Path, project: Path) -> Run:
    """Runs pytest with Paddock on the embedded node, in the project folder."""
    return runner(project, tmp_path)


@pytest.fixture
def waiting() -> Iterator[Path]:
    """A project whose tests wait."""
    with waiting_project() as folder:
        yield folder


def verified(folder: Path, run_id: str) -> dict[str, Any]:
    """Wait until nobody looks any more, and return the account of a run."""
    reports = folder / "paddock-report" / run_id
    run_accounts.await_verified(reports)
    return dict(json.loads((reports / "account.json").read_text(encoding="utf-8")))


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end, pause = time.monotonic() + PATIENCE, threading.Event()
    while not condition():
        assert time.monotonic() < end
        pause.wait(LOOK_EVERY)


def test_somebody_looks_behind_the_prompt_until_all_is_gone(
    run: Run, project: Path, embedded_node: EmbeddedNode
) -> None:
    """The account is complete then, and true."""
    run_id = names.new_run_id()
    result = run("-n2", f"--paddock-run-id={run_id}", files=GREEN)
    assert result.code == 0, result
    assert result.last_line == "paddock: namespaces: created 2, deleted 2, left 0"
    account = verified(project, run_id)
    assert embedded_node.namespaces(run=run_id) == set()
    assert account["created"] == account["deleted"] == [f"paddock-{run_id}-gw0", f"paddock-{run_id}-gw1"]
    assert (account["left"], account["verification"]["state"]) == ({}, run_accounts.DONE)
    assert account["release"]["ended"] <= account["verification"]["began"] <= account["verification"]["ended"]


def test_a_namespace_that_a_finalizer_keeps_is_explained(waiting: Path, embedded_node: EmbeddedNode) -> None:
    """A run that requires it waits and fails; its line, its account and the reaper name the object and the way out."""
    with waiting_run(waiting, "--paddock-require-clean", "--paddock-release-limit=8") as run:
        run.await_workers(is_waiting)
        namespace = f"paddock-{run.run_id}-gw0"
        held = {"name": "held", "namespace": namespace, "finalizers": [HELD]}
        file = waiting / "held.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held}), encoding="utf-8")
        embedded_node.kubectl("create", "-f", str(file))
        try:
            code, output = run.finish()
            assert code == 8, output
            assert f"created 2, deleted 1, left 1; {namespace}: {TWICE}" in output
            assert verified(waiting, run.run_id)["left"].keys() == {namespace}
            evidence = waiting / "paddock-report" / run.run_id / "gw0/left"
            assert TWICE in (evidence / "cause.txt").read_text()
            assert HELD in (evidence / "describe.txt").read_text()
            assert not (evidence.parent.parent / "gw1").exists()
            reaped = run.paddock("reap", "--run", run.run_id, "--wait", "1", check=False)
            assert f"found 1, left 1; {namespace}: {TWICE}" in reaped
        finally:
            free = '--patch={"metadata":{"finalizers":null}}'
            embedded_node.kubectl("patch", "configmaps", "held", f"--namespace={namespace}", "--type=merge", free)
        assert embedded_node.wait_until_gone(run=run.run_id) == set()


def test_a_namespace_that_a_silent_api_keeps_is_explained(waiting: Path, embedded_node: EmbeddedNode) -> None:
    """Nothing can be deleted in a cluster with an aggregated API that is down: it is named, and all goes without it."""
    with waiting_run(waiting, "--paddock-require-clean", "--paddock-release-limit=8") as run:
        run.await_workers(is_waiting)
        file = waiting / "silent.json"
        file.write_text(json.dumps(silent_api()), encoding="utf-8")
        embedded_node.kubectl("create", "-f", str(file))
        try:
            embedded_node.kubectl("wait", "--for=condition=Available=False", f"apiservice/{SILENT}", "--timeout=60s")
            code, output = run.finish()
            assert code == 8, output
            assert "created 2, deleted 0, left 2; " in output
            assert f'the aggregated API {SILENT} is down (service/nowhere in "default" is not present)' in output
            assert verified(waiting, run.run_id)["left"].keys() == {f"paddock-{run.run_id}-gw{n}" for n in range(2)}
            reaped = run.paddock("reap", "--run", run.run_id, "--wait", "1", check=False)
            assert f"the aggregated API {SILENT} is down" in reaped
        finally:
            embedded_node.kubectl("delete", "apiservice", SILENT)
        assert embedded_node.wait_until_gone(run=run.run_id) == set()


def silent_api() -> dict[str, Any]:
    """Return an API that a service serves which is not there."""
    version, group = SILENT.split(".", 1)
    service = {"name": "nowhere", "namespace": "default"}
    priorities = {"groupPriorityMinimum": 1000, "versionPriority": 15}
    spec = {"group": group, "version": version, "service": service, "insecureSkipTLSVerify": True, **priorities}
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": SILENT},
        "spec": spec,
    }


def test_an_interrupt_while_pods_are_pending_gives_them_back(waiting: Path, embedded_node: EmbeddedNode) -> None:
    """Nothing has come yet, and nothing stays."""
    (waiting / "nowhere.yaml").write_text(NOWHERE, encoding="utf-8")
    with waiting_run(waiting, "--paddock-pod-patch=nowhere.yaml") as run:
        selector = names.selector(names.labels(run.run_id))
        get = ("get", "pods", "--all-namespaces", f"--selector={selector}", "-o", "jsonpath={.items[*].status.phase}")
        eventually(lambda: embedded_node.kubectl(*get).split().count("Pending") >= 2)
        run.process.send_signal(signal.SIGTERM)
        output, _ = run.process.communicate(timeout=PATIENCE)
        assert run.process.returncode == 2, output
        assert "created 2, deleted 2, left 0" in output
        assert "Traceback" not in output
        assert verified(waiting, run.run_id)["left"] == {}
    assert embedded_node.namespaces(run=run.run_id) == set()


def test_a_run_that_is_left_at_once_is_ended_behind_the_prompt(
    run: Run, project: Path, embedded_node: EmbeddedNode
) -> None:
    """Two signals: nothing is waited for, the list names what is left, and that goes all the same."""
    run_id = names.new_run_id()
    stops = [Interrupt(WAITING), Interrupt("[gw0] now it tears down", signal.SIGTERM)]
    result = run("-n1", "-s", f"--paddock-run-id={run_id}", files=HANGING, interrupts=stops)
    assert result.code == 2, result
    assert "interrupted twice; " in result.out
    assert "Traceback" not in result.out + result.err
    assert result.seconds < 45, result  # fixture and test would wait for 60 each
    account = verified(project, run_id)
    assert (account["created"], account["left"]) == ([f"paddock-{run_id}-gw0"], {})
    assert embedded_node.namespaces(run=run_id) == set()
