"""Laws of making namespaces that need no cluster."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.cluster import requests
from paddock.errors import LeaseError, NotAllowed
from paddock.namespaces import leases as leases_module
from paddock.namespaces.leases import Leases
from paddock.namespaces.manifests import NamespaceObjects
from paddock.specs import ASKED, RUNNING, PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    assert failure[0] == ("paddock-k7x2mq-shared", "broker")
    assert "no more of them" in failure[1]


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
