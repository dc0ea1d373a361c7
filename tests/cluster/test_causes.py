"""Workers that go on a real cluster are told with the true cause, and replaced if that may help."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from paddock.namespaces.causes import Kind
from tests.cluster.on_the_node import project_folder, runner
from tests.cluster.struck_run import causes, strike

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.struck_run import Struck
    from tests.contract.plugin.running import Result
    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

OTHERS = "not-paddocks"
"""A namespace of somebody else's."""


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """A project folder at the same path every time."""
    with project_folder("paddock-causes") as folder:
        yield folder


def told(result: Result, worker: str = "gw0") -> str:
    """Return the line of the terminal that tells a worker's loss."""
    return "".join(re.findall(rf"^.*paddock: ({worker} was lost .*)$", result.out, flags=re.MULTILINE))


# ---- four workers, struck in one run

STRIKES = {
    "gw0": (Kind.POD_DELETED, "Its pod was deleted, and not by this run."),
    "gw1": (Kind.NAMESPACE_DELETED, "gw1 was deleted, and not by this run."),
    "gw2": (Kind.DRAINED, "Its pod was evicted on request, as 'kubectl drain' and autoscalers do: Eviction API"),
    "gw3": (Kind.SUPERVISOR_LOST, "Its pod's first process, the supervisor, was ended by SIGKILL, and the worker with"),
}


@pytest.fixture(scope="module")
def four(project: Path, embedded_node: EmbeddedNode, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run of four workers, each lost in its own way at the same time."""
    file = tmp_path_factory.mktemp("four") / "eviction.json"

    def act(run: Struck) -> None:
        metadata = {"name": "worker", "namespace": run.namespace("gw2")}
        file.write_text(json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}))
        evictions = f"/api/v1/namespaces/{run.namespace('gw2')}/pods/worker/eviction"
        run.node.kubectl("delete", "pod", "worker", "-n", run.namespace("gw0"), "--wait=false")
        run.node.kubectl("delete", "namespace", run.namespace("gw1"), "--wait=false")
        run.node.kubectl("create", "--raw", evictions, "-f", str(file))
        run.kill_first_process("gw3")

    return strike(project, embedded_node, act, workers=len(STRIKES))


@pytest.mark.parametrize("worker", STRIKES)
def test_a_worker_taken_away_is_told_with_who_took_it(four: Result, worker: str) -> None:
    """The same end of a pod, a deletion, has a cause of its own each time; terminal and JUnit say the same."""
    kind, words = STRIKES[worker]
    assert causes(four)[worker].startswith(f"{kind}: "), four
    assert words in causes(four)[worker]
    assert words in told(four, worker)
    assert f"{worker} was lost while it ran test_n.py::test_n[" in four.out


def test_each_of_them_is_replaced_after_a_pause_and_the_rest_of_the_tests_run(four: Result) -> None:
    """Four tests are lost and run again like the four others, in namespaces of their own, and nothing is left."""
    assert (four.code, four.counts) == (0, {"passed": 8}), four
    assert ", 4 rerun" in four.last_line_of_pytest
    places = re.findall(r"gw(\d) takes the place of (gw\d) in (\d) s", four.out)
    assert sorted(place for _, place, _ in places) == sorted(STRIKES)
    assert {pause for *_, pause in places} == {"1"}
    assert "left 0" in four.last_line


# ---- what the node and the scheduler do


@contextmanager
def tainted(node: EmbeddedNode, taint: str) -> Iterator[str]:
    """Have the node, whose name this is, repel all pods that do not tolerate the taint; these are Paddock's alone."""
    name = node.kubectl("get", "nodes", "-o", "name").strip().removeprefix("node/")
    node.kubectl("taint", "node", name, taint)
    try:
        yield name
    finally:
        node.kubectl("taint", "node", name, f"{taint.partition(':')[0].partition('=')[0]}-")


def test_a_taint_is_named(project: Path, embedded_node: EmbeddedNode) -> None:
    """Somebody wants pods away from the node; once that is over the worker is replaced there."""

    def act(run: Struck) -> None:
        with tainted(run.node, "example.com/maintenance=:NoExecute"):
            run.await_text("gw0 was lost")

    result = strike(project, embedded_node, act)
    assert "do not tolerate its taint example.com/maintenance, and its pod was deleted: Taint manager" in told(result)
    assert causes(result)["gw0"].startswith("node-tainted: ")
    assert (result.code, result.counts) == (0, {"passed": 2}), result


@contextmanager
def broken_node(node: EmbeddedNode, folder: Path) -> Iterator[str]:
    """Have a second node that the scheduler may use and that is not ready: nothing stands behind it."""
    name = "paddock-broken"
    labels, taint = {"paddock-test": "broken"}, {"key": "paddock-test", "effect": "NoSchedule"}
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": "KubeletNotReady",
        "message": "container runtime is down",
        "lastHeartbeatTime": "2030-01-01T00:00:00Z",
        "lastTransitionTime": "2030-01-01T00:00:00Z",
    }
    room = {"cpu": "8", "memory": "8Gi", "pods": "100"}
    manifest = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    file = folder / "node.json"
    file.write_text(json.dumps(manifest | {"spec": {"taints": [taint]}}))
    status = {"status": {"conditions": [ready], "capacity": room, "allocatable": room}}
    node.kubectl("create", "-f", str(file))
    try:
        node.kubectl("patch", "node", name, "--subresource=status", "-p", json.dumps(status))
        yield name
    finally:
        node.kubectl("delete", "node", name)


def test_a_node_that_is_not_ready_is_named_and_others_get_their_chance(
    project: Path, embedded_node: EmbeddedNode, tmp_path: Path
) -> None:
    """A pod that waits on such a node is told with the node's own reason; its place is given up after three workers."""
    settings = """
        [tool.paddock.pod.worker]
        node-selector = {paddock-test = "broken"}
        tolerations = [{operator = "Exists"}]
    """
    files = {"test_n.py": "def test_n(): pass\n", "pyproject.toml": settings}
    with broken_node(embedded_node, tmp_path) as name:
        args = ("-n1", "--paddock-scheduling-limit=2", "--junitxml=report.xml")
        try:
            result = runner(project, tmp_path)(*args, files=files)
        finally:
            (project / "pyproject.toml").unlink()
    assert result.code == 3, result
    words = f"Its node {name} is not ready since 2030-01-01T00:00:00Z: container runtime is down. Look at the node's"
    assert result.out.count(words) == 1, result
    assert causes(result)["gw2"].startswith("node-not-ready: ")
    taken = re.findall(r"(gw\d) takes the place of (gw\d) in (\d) s", result.out)
    assert taken == [("gw1", "gw0", "1"), ("gw2", "gw1", "2")]
    assert "created 3, deleted 3, left 0" in result.last_line


def test_a_pod_of_higher_priority_is_named_as_the_reason(
    project: Path, embedded_node: EmbeddedNode, tmp_path: Path
) -> None:
    """It asks for what only the worker's end can give; once it has gone, the worker is replaced."""
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OTHERS}},
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": OTHERS},
            "value": 1000,
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "urgent", "namespace": OTHERS},
            "spec": {
                "priorityClassName": OTHERS,
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "urgent", "image": "none", "resources": {"requests": {"cpu": "1200m"}}}],
            },
        },
    ]
    file = tmp_path / "urgent.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def act(run: Struck) -> None:
        try:
            run.node.kubectl("create", "-f", str(file))
            run.await_text("gw0 was lost")
        finally:
            run.node.kubectl("delete", "-f", str(file), "--ignore-not-found")

    result = strike(project, embedded_node, act, "--paddock-worker-cpu=1200m")
    assert "Its pod was preempted, to make room for one of higher priority: default-scheduler: preempting" in told(
        result
    )
    assert causes(result)["gw0"].startswith("preempted: ")
    assert (result.code, result.counts) == (0, {"passed": 2}), result


def test_a_pod_that_writes_too_much_is_evicted_with_its_limit(project: Path, embedded_node: EmbeddedNode) -> None:
    """The kubelet's own measurement and message; the worker that takes the place writes nothing."""
    suite = """
        import os, sys, threading, pytest
        @pytest.mark.parametrize("n", range(2))
        def test_n(n):
            if os.environ["PYTEST_XDIST_WORKER"] == "gw0":
                with open("/tmp/much", "wb") as file:
                    file.write(b"x" * (40 << 20))
                print("now it waits", file=sys.stderr)
                threading.Event().wait(200)
    """
    patch = """
        metadata: {name: worker}
        spec:
          containers: [{name: worker, resources: {limits: {ephemeral-storage: 10Mi}}}]
    """
    files = {"test_n.py": suite, "patch.yaml": patch}
    result = strike(project, embedded_node, lambda _: None, "--paddock-pod-patch=patch.yaml", files=files)
    assert "evicted its pod for writing more than its limit allows: " in told(result)
    assert "10Mi" in told(result)
    assert causes(result)["gw0"].startswith("storage-exceeded: ")
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 1}), result


def test_a_passed_deadline_is_told_and_nobody_tries_again(project: Path, embedded_node: EmbeddedNode) -> None:
    """The next pod would have as long, but the run has had its time."""
    result = strike(project, embedded_node, lambda _: None, "--paddock-deadline=30")
    assert "Its pod had run for as long as pods of this run may, 30 s. Allow more with --paddock-deadline" in told(
        result
    )
    assert causes(result)["gw0"].startswith("deadline: ")
    assert "worker gw1 never came: gw0, whose place it was to take, is not replaced" in result.out
    assert result.code == 3, result
    assert "1 of 2 collected tests never ran:" in result.out
    assert "created 1, deleted 1, left 0" in result.last_line


# ---- what tests do to themselves


def test_a_worker_that_ends_itself_is_told_with_signal_or_limit(project: Path, tmp_path: Path) -> None:
    """A crash in C code and a test that needs too much memory, which cgroup version 1 shows in the supervisor alone."""
    files = {
        "test_n.py": "import ctypes\ndef test_crash(): ctypes.string_at(0)\ndef test_after(): pass\n",
        "test_m.py": "def test_much(): assert len(b'x' * (400 << 20))\ndef test_after(): pass\n",
    }
    args = ("-n2", "--dist=loadfile", "--paddock-worker-memory=128Mi", "--junitxml=report.xml")
    result = runner(project, tmp_path)(*args, files=files)
    assert (result.code, result.counts) == (1, {"failed": 2, "passed": 2}), result
    words = {kind: sentence for kind, _, sentence in (one.partition(": ") for one in causes(result).values())}
    assert words["signal"].startswith("Its process was ended by SIGSEGV.")
    assert re.match(
        r"Its process was killed for exceeding its memory limit of 128 MiB, with 12\d MiB at its peak\.",
        words["out-of-memory"],
    )
    assert "was lost while it ran test_m.py::test_much: Its process was killed for exceeding" in result.out
    assert "Fatal Python error: Segmentation fault" in result.err


# ---- what keeps workers from coming


def test_workers_that_no_node_has_room_for_are_told_once_with_what_is_short(project: Path, tmp_path: Path) -> None:
    """Both resources, what is asked for and what nodes have; nobody is replaced, and exit code 3."""
    patch = """
        metadata: {name: worker}
        spec:
          containers: [{name: worker, resources: {limits: {example.com/tpu: 1}}}]
    """
    files = {"test_n.py": "def test_n(): pass\n", "patch.yaml": patch}
    args = ("--paddock-worker-cpu=64", "--paddock-scheduling-limit=3", "--paddock-pod-patch=patch.yaml")
    result = runner(project, tmp_path)("-n2", "--junitxml=report.xml", *args, files=files)
    assert result.code == 3, result
    assert result.out.count("No node has room for its pod") == 1
    assert "paddock: workers gw0, gw1 never came: Pod worker in namespace" in result.out
    assert re.search(
        r"it asks for cpu 64, and nodes have \d+ in all; it asks for example.com/tpu 1, and no", result.out
    )
    assert "takes the place" not in result.out
    assert set(causes(result)) == {"gw0", "gw1"}
    assert all(one.startswith("unschedulable: ") for one in causes(result).values())
