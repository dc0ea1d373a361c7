"""Laws of making namespaces that need no cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.attempts import ATTEMPTS
from paddock.cluster import requests
from paddock.errors import LeaseError, NotAllowed
from paddock.namespaces import leases as leases_module
from paddock.namespaces.leases import Leases
from paddock.namespaces.manifests import NamespaceObjects
from paddock.specs import ASKED, RUNNING, PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.deadlines import Deadline

PATIENCE = 10.0
POD = {"kind": "Pod", "metadata": {"name": "broker", "namespace": "paddock-k7x2mq-shared"}}
NAMESPACE = {"kind": "Namespace", "metadata": {"name": "paddock-k7x2mq-shared"}}


class Watch:
    """A watch of pods that shows none."""

    def __init__(self, *_: object) -> None:
        self.objects: dict[Any, Any] = {}
        self._changed = threading.Event()

    def notify(self) -> None:
        """Have who waits look again."""
        self._changed.set()

    def wait(self, find: Callable[[Any], Any], _deadline: object) -> Any:
        """Look once something has changed; of what is there, at once."""
        if self.objects:
            return find(self.objects)
        assert self._changed.wait(PATIENCE)
        return find(self.objects)

    def close(self) -> None:
        """End."""


class Refusing:
    """A cluster that makes nothing."""

    def create(self, *_: object, **__: object) -> None:
        """Refuse."""
        raise NotAllowed("namespaces is forbidden: no more of them", status=403)


def test_services_of_a_namespace_that_is_refused_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something serves all workers no worker of its own waits for it: others must learn of it."""
    monkeypatch.setattr(leases_module, "Watch", Watch)
    leases = Leases(cast("Any", Refusing()), "k7x2mq", PhaseLimits())
    leases.begin(NamespaceObjects("paddock-k7x2mq-shared", ((NAMESPACE,), (POD,))))
    failure = leases.await_failure(())
    leases.close()
    assert failure
    assert failure.key == ("paddock-k7x2mq-shared", "broker")
    assert "no more of them" in str(failure.cause)
    assert not failure.is_followed


SPACE = "paddock-k7x2mq-gw0"
RUNS = {"status": {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}]}}
TAKEN = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient a.b/coral."}


def pod(name: str, **told: Any) -> Any:
    limits = {"containers": [{"name": name, "resources": {"limits": {"a.b/coral": "1"}}}]}
    return {"metadata": {"name": name, "namespace": SPACE}, "spec": limits, **told}


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Leases]:
    """Leases of a namespace whose worker runs, while its service waits for a device."""
    monkeypatch.setattr(leases_module, "Watch", Watch)
    asked = SimpleNamespace(deleted=[], create=lambda *_, **__: None, list_objects=lambda *_, **__: [])
    asked.delete = asked.deleted.append
    made = Leases(cast("Any", asked), "k7x2mq", PhaseLimits(scheduling=0.0))
    for step in (ASKED, RUNNING):
        made.ways.note(SPACE, step)
    cast("Any", made.pods).update(
        {
            (SPACE, "worker"): pod("worker", **RUNS),
            (SPACE, "tpu"): pod("tpu", status={"phase": "Pending", "conditions": [TAKEN]}),
        }
    )
    yield made
    made.close()


def test_a_worker_whose_service_has_no_device_is_not_there(there: Leases) -> None:
    """Its way says for what it waits, its obstacle why; where it does not come in time the error names the pod."""
    assert there.way(SPACE, ["tpu"]).waits_for.startswith("a node: 0/1 nodes are available")
    assert "it asks for a.b/coral 1" in str(there.obstacle(SPACE, ["tpu"]))
    assert (there.obstacle(SPACE), there.way(SPACE).waits_for) == (None, "its sources")
    with pytest.raises(LeaseError, match=r"Pod tpu in namespace paddock-k7x2mq-gw0 did not run within 0 s\. .*coral 1"):
        there.await_placed(SPACE, ["tpu"])


def test_a_service_with_a_node_or_none_ever_is_not_waited_for(there: Leases) -> None:
    """Who uses one that was refused is told why."""
    cast("Any", there.pods)[SPACE, "tpu"] |= RUNS
    there._refused[SPACE, "other"] = cast("Any", "quota")
    there.await_placed(SPACE, ["tpu", "other"])


def test_what_services_hold_is_let_go_without_waiting(there: Leases) -> None:
    """For who comes in the place of their worker; after the end it goes with the namespace."""
    there.free(SPACE, ["tpu"])
    there.close()
    there.free(SPACE, ["late"])
    assert cast("Any", there._cluster).deleted == [requests.delete_pod(SPACE, "tpu")]


REFUSED = {
    "phase": "Failed",
    "reason": "UnexpectedAdmissionError",
    "message": "Pod was rejected: Allocate failed due to rpc error: code = Unavailable desc = not now",
    "conditions": [{"type": "PodScheduled", "status": "True"}],
}


class Node:
    """A cluster of one node, and the watch of its pods: the node refuses the first pods that it is sent."""

    def __init__(self, refuses: int) -> None:
        self.refuses, self.made, self.deleted = refuses, 0, 0
        self.objects: dict[Any, Any] = {}
        self.refusal: Exception | None = None
        self._changed = threading.Condition()

    def create(self, manifest: Any, **_: object) -> None:
        """Make an object, of which only pods matter."""
        if manifest["kind"] != "Pod":
            return
        if self.refusal:
            raise self.refusal
        self.made += 1
        assert KEY not in self.objects, "the one before has gone"
        told = {"status": REFUSED} if self.made <= self.refuses else RUNS
        made = pod("tpu", **told)
        self._change({KEY: {**made, "metadata": {**manifest["metadata"], "uid": str(self.made)}}})

    def delete(self, request: requests.Request) -> bool:
        """Delete the service's pod."""
        assert request == requests.delete_pod(SPACE, "tpu")
        self.deleted += 1
        self._change({})
        return True

    def _change(self, objects: Any) -> None:
        with self._changed:
            self.objects = objects
            self._changed.notify_all()

    def notify(self) -> None:
        """Have who waits look again."""
        self._change(self.objects)

    def wait(self, find: Callable[[Any], Any], deadline: Deadline) -> Any:
        """Return what is found, as a watch does."""
        with self._changed:
            while (found := find(self.objects)) is None and not deadline.passed:
                assert self._changed.wait(deadline.at_most(PATIENCE))
            return found

    def close(self) -> None:
        """End."""


TPU = {"kind": "Pod", "metadata": {"name": "tpu", "namespace": SPACE}}
KEY = (SPACE, "tpu")
Begin = Callable[[int], tuple[Leases, Node]]


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Begins leases of a namespace with a service, whose node refuses so many of its pods."""
    running: list[Leases] = []

    def begin_one(refuses: int) -> tuple[Leases, Node]:
        node = Node(refuses)
        monkeypatch.setattr(leases_module, "Watch", lambda *_: node)
        leases = Leases(cast("Any", node), "k7x2mq", PhaseLimits(scheduling=PATIENCE))
        running.append(leases)
        namespace = {"kind": "Namespace", "metadata": {"name": SPACE}}
        leases.begin(NamespaceObjects(SPACE, ((namespace,), (TPU,))))
        return leases, node

    yield begin_one
    for leases in running:
        leases.close()


def found(leases: Leases) -> tuple[int, bool]:
    """Return of the next failure which refusal it is, and whether another pod follows."""
    failure = leases.await_failure(())
    assert failure is not None
    assert failure.key == KEY
    return failure.refused, failure.is_followed


def test_a_pod_that_its_node_refused_is_made_anew(begin: Begin) -> None:
    """After the one before has gone; its worker waits for the one that has come, and each refusal is found once."""
    leases, node = begin(2)
    assert found(leases) == (1, True)
    assert leases._is_placed(KEY, node.objects) is None
    assert leases._failure(KEY, node.objects[KEY]) is None
    leases.make_anew(KEY, 0)
    assert found(leases) == (2, True)
    assert leases._is_placed(KEY, node.objects) is None
    leases.make_anew(KEY, 0)
    leases.await_placed(SPACE, ["tpu"])
    assert (node.made, node.deleted, node.objects[KEY]["status"]["phase"]) == (3, 2, "Running")


def test_after_some_refusals_no_other_pod_is_made(begin: Begin) -> None:
    """Its worker begins, and who uses the service is told with the last one's cause."""
    leases, node = begin(9)
    for number in range(1, ATTEMPTS):
        assert found(leases) == (number, True)
        leases.make_anew(KEY, 0)
    failure = leases.await_failure(())
    assert failure is not None
    assert (failure.refused, failure.is_followed) == (ATTEMPTS, False)
    assert "desc = not now" in failure.cause.sentence
    leases.await_placed(SPACE, ["tpu"])
    assert node.made == ATTEMPTS


def test_a_pod_that_cannot_be_made_anew_is_told_as_failed(begin: Begin) -> None:
    """With the API server's answer; nobody waits for a node of it."""
    leases, node = begin(1)
    assert found(leases) == (1, True)
    node.refusal = NotAllowed("pods is forbidden: no more of them", status=403)
    leases.make_anew(KEY, 0)
    failure = leases.await_failure(())
    assert failure is not None
    assert (failure.refused, failure.is_followed) == (0, False)
    assert "no more of them" in failure.cause.sentence
    leases.await_placed(SPACE, ["tpu"])


def test_nothing_is_made_anew_for_a_worker_that_is_lost(begin: Begin) -> None:
    """What its services hold is for who comes in its place; nor after the run's end, which cuts the pause short."""
    leases, node = begin(1)
    assert found(leases) == (1, True)
    leases._given_up.add(SPACE)
    leases.make_anew(KEY, 0)
    leases.make_anew(KEY, 3600)
    leases.close()
    assert not any(thread.is_alive() for thread in leases._coordinators)
    assert (node.made, node.deleted) == (1, 0)


def test_what_was_not_made_here_is_not_made_anew(begin: Begin) -> None:
    """A container of a test's own is told of to that test; of a lost worker's services nobody wants another."""
    leases, node = begin(1)
    leases._given_up.add(SPACE)
    assert found(leases) == (0, False)
    other = (SPACE, "other")
    node.objects = {other: {**pod("other", status=REFUSED)}}
    failure = leases.await_failure({KEY})
    assert failure is not None
    assert (failure.key, failure.refused, failure.is_followed) == (other, 0, False)


def test_a_worker_that_is_lost_while_a_pod_is_made_anew_leaves_none(begin: Begin) -> None:
    """Else the pod would hold until the end of the run what the next worker waits for."""
    leases, node = begin(1)
    assert found(leases) == (1, True)
    create = node.create

    def lost_meanwhile(manifest: Any, **options: object) -> None:
        leases._given_up.add(SPACE)
        create(manifest, **options)

    cast("Any", node).create = lost_meanwhile
    leases.make_anew(KEY, 0)
    leases._coordinators[-1].join(PATIENCE)
    assert (node.made, node.deleted, node.objects) == (2, 2, {})
