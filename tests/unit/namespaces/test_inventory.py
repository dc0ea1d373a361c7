"""What there is of Paddock in a cluster, out of three lists."""

from __future__ import annotations

from typing import Any

import pytest

from paddock import names
from paddock.namespaces.annotations import to_annotations
from paddock.namespaces.inventory import RunState, inventory
from paddock.specs import ENDED, TESTING, Doing

RUN = "k7x2mq"
RUNNING: dict[str, Any] = {"running": {}}


def namespace(worker: str = "gw0", doing: Doing | None = None, **metadata: Any) -> dict[str, Any]:
    annotations = to_annotations(RUN, worker, doing) if doing else {}
    named = {"name": names.namespace_name(RUN, worker), "creationTimestamp": "2026-01-02T03:04:05Z"}
    return {"metadata": {**named, "labels": names.labels(RUN, worker), "annotations": annotations, **metadata}}


def pod(component: str = "worker", worker: str = "gw0", state: dict[str, Any] | None = None, **status: Any) -> Any:
    containers = [{"name": component, "state": state}] if state else []
    return {
        "metadata": {
            "name": component,
            "namespace": names.namespace_name(RUN, worker),
            "labels": names.labels(RUN, worker, component),
        },
        "spec": {"nodeName": "node-1", "containers": []},
        "status": {"containerStatuses": containers, **status},
    }


def record(run_id: str = RUN, created: str = "2026-01-02T03:04:05Z") -> dict[str, Any]:
    labels = names.labels(run_id)
    return {"metadata": {"labels": labels, "creationTimestamp": created}, "spec": {"holderIdentity": "me@here/7"}}


def only(runs: list[RunState]) -> Any:
    ((worker,),) = [run.workers for run in runs]
    return worker


@pytest.mark.parametrize(
    ("found", "pods", "phase"),
    [
        (namespace(deletionTimestamp="now"), [pod(state=RUNNING)], "ending"),
        (namespace(), [], "making"),
        (namespace(), [pod(phase="Pending")], "pending"),
        (namespace(), [pod(state=RUNNING)], "starting"),
        (namespace(doing=Doing(phase=TESTING)), [pod(state=RUNNING)], "testing"),
        (namespace(doing=Doing(phase=TESTING)), [pod(phase="Failed")], "failed"),
        (namespace(doing=Doing(phase=ENDED)), [pod(phase="Failed")], "ended"),
    ],
)
def test_a_worker_is_at_something(found: dict[str, Any], pods: list[Any], phase: str) -> None:
    """What a worker says of itself counts only while it can say it."""
    assert only(inventory([found], pods, [])).phase == phase


def test_a_worker_shows_its_pods_its_own_first() -> None:
    """Node and state of each; those of other workers are not among them."""
    pods = [pod("broker", state=RUNNING), pod(state=RUNNING), pod("database", phase="Pending"), pod(worker="gw1")]
    worker = only(inventory([namespace()], pods, []))
    assert [(one.name, one.runs) for one in worker.pods] == [("worker", True), ("broker", True), ("database", False)]
    assert (worker.node, worker.pods[2].state) == ("node-1", "its phase is Pending")


def test_workers_stand_in_the_order_of_their_numbers() -> None:
    """gw10 comes after gw2."""
    (run,) = inventory([namespace(f"gw{number}") for number in (10, 2, 0)], [], [record()])
    assert [worker.name for worker in run.workers] == ["gw0", "gw2", "gw10"]
    assert run.holder == "me@here/7"


def test_a_record_without_namespaces_is_a_run_and_the_oldest_comes_first() -> None:
    """What a run left behind shows, even if it is its record only."""
    older = record("b2b2b2", "2026-01-01T00:00:00Z")
    assert [run.run_id for run in inventory([namespace()], [], [record(), older])] == ["b2b2b2", RUN]


def test_what_nobody_recorded_is_shown_and_has_no_holder() -> None:
    """A namespace with our label is seen, whoever made it; it is deleted by its record only."""
    (run,) = inventory([namespace()], [], [])
    assert (run.holder, run.workers[0].doing) == ("", None)
