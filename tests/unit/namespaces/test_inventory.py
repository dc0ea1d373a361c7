"""What there is of Paddock in a cluster, out of three lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paddock import names
from paddock.namespaces import expiry
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


@pytest.mark.parametrize(
    ("pods", "phase"),
    [
        ([], "making"),
        ([{"phase": "Pending"}], "pending"),
        ([{"state": RUNNING}], "serving"),
        ([{"phase": "Failed"}], "failed"),
    ],
)
def test_what_serves_all_workers_is_at_something_without_a_worker(pods: list[Any], phase: str) -> None:
    """A shared broker has a namespace like a worker's, and no pod with tests in it."""
    found = inventory([namespace(names.SHARED)], [pod("broker", names.SHARED, **one) for one in pods], [])
    assert only(found).phase == phase


def test_what_is_kept_says_so_and_how_long_it_stays() -> None:
    """By the API server's clock; what is led has no time left, nor one that has ended."""
    now = datetime(2026, 1, 2, 4, 0, 0, tzinfo=UTC)
    kept = record()
    kept["metadata"]["annotations"] = expiry.stamp(now + timedelta(seconds=90))
    kept["spec"]["holderIdentity"] = f"{expiry.KEPT}me@here"
    going = namespace("gw1", deletionTimestamp="now")
    (run,) = inventory([namespace(doing=Doing(phase=ENDED)), going], [pod(state=RUNNING)], [kept], now)
    assert ([one.phase for one in run.workers], run.left) == (["kept", "ending"], 90)
    (led,) = inventory([namespace()], [], [record()], now)
    assert led.left is None


def test_what_waits_says_so_and_what_was_taken_is_called_as_its_user_knows_it() -> None:
    """Namespaces keep the id of the run that made them."""
    now = datetime(2026, 1, 2, 4, 0, 0, tzinfo=UTC)
    warm = record()
    warm["metadata"]["annotations"] = expiry.stamp(now + timedelta(seconds=90))
    warm["spec"]["holderIdentity"] = f"{expiry.WARM}me@here"
    (run,) = inventory([namespace()], [pod(state=RUNNING)], [warm], now)
    assert ([one.phase for one in run.workers], run.left) == (["warm"], 90)
    taken = record()
    taken["metadata"]["labels"][names.ALSO] = "bbbbbb"
    (run,) = inventory([namespace()], [pod(state=RUNNING)], [taken], now)
    assert (run.run_id, [one.run_id for one in run.workers], run.left) == ("bbbbbb", ["bbbbbb"], None)
    assert run.workers[0].namespace == names.namespace_name(RUN, "gw0")


def test_a_worker_shows_its_pods_its_own_first() -> None:
    """Node and state of each; those of other workers are not among them."""
    pods = [pod("broker", state=RUNNING), pod(state=RUNNING), pod("database", phase="Pending"), pod(worker="gw1")]
    worker = only(inventory([namespace()], pods, []))
    assert [(one.name, one.runs) for one in worker.pods] == [("worker", True), ("broker", True), ("database", False)]
    assert (worker.node, worker.pods[2].state) == ("node-1", "Its pod does not run yet: its phase is Pending.")


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
