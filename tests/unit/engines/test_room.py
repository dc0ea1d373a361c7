"""What nodes have free for workers, by the scheduler's own rules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.cluster.quantities import number
from paddock.engines import capacity
from paddock.engines.room import Resources, Room, asked, of_cluster, takes
from paddock.errors import NotAllowed

JSON = dict[str, Any]
MIB = 1 << 20


def node(name: str = "a", *, ready: bool = True, taints: tuple[JSON, ...] = (), **labels: str) -> JSON:
    """Return a node of two cores, as the API server shows it."""
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": list(taints)},
        "status": {
            "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"},
            "conditions": [{"type": "MemoryPressure", "status": "False"}, condition],
        },
    }


def pod(cpu: str = "100m", memory: str = "128Mi", *, on: str = "", phase: str = "Running", **spec: Any) -> JSON:
    """Return a pod with one container."""
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": "1Gi"}}
    given = {"containers": [{"name": "worker", "resources": resources}], **({"nodeName": on} if on else {}), **spec}
    return {"metadata": {"name": "worker"}, "spec": given, "status": {"phase": phase}}


def test_quantities_are_numbers() -> None:
    """As the official client reads them, without the client."""
    assert [number(one) for one in ("100m", "2", "512Mi", "1k", 3)] == [0.1, 2.0, 512 * MIB, 1000.0, 3.0]
    with pytest.raises(ValueError, match="much"):
        number("much")


def test_what_is_requested_already_is_not_free() -> None:
    """By pods that run or are to run there; not by those that are over, nor by those elsewhere."""
    pods = [pod("1500m", "1Gi", on="a"), pod("1", on="a", phase="Succeeded"), pod("1", on="b"), pod("1")]
    found = of_cluster([node()], pods, [pod(), pod("20m", "64Mi")])
    assert found.free == [Resources(cpu=0.5, memory=3 << 30, pods=109)]
    assert (found.cores, found.memory_limit) == (0.5, 1 << 30)
    assert found.worker == Resources(cpu=0.1, memory=128 * MIB)
    assert found.services == [Resources(cpu=0.02, memory=64 * MIB)]


def test_nodes_that_take_no_worker_have_no_room() -> None:
    """Not ready, cordoned, tainted or of another pool; a toleration and a selector count."""
    taint = {"key": "ci", "value": "yes", "effect": "NoSchedule"}
    soft = {"key": "ci", "effect": "PreferNoSchedule"}
    cordoned = node()
    cordoned["spec"]["unschedulable"] = True
    assert takes(node(taints=(soft,)), pod())
    for refused in (node(ready=False), cordoned, node(taints=(taint,))):
        assert not takes(refused, pod())
    for toleration in ({"operator": "Exists"}, {"key": "ci", "operator": "Exists"}, {"key": "ci", "value": "yes"}):
        assert takes(node(taints=(taint,)), pod(tolerations=[toleration])), toleration
    for other in ({"key": "ci", "value": "no"}, {"operator": "Exists", "effect": "NoExecute"}):
        assert not takes(node(taints=(taint,)), pod(tolerations=[other])), other
    assert takes(node(pool="ci"), pod(nodeSelector={"pool": "ci"}))
    assert not takes(node(pool="web"), pod(nodeSelector={"pool": "ci"}))


def test_a_pod_asks_for_its_containers_or_for_what_comes_before_them() -> None:
    """Sidecars beside, the largest init container, overhead, and limits where there are no requests."""
    first = {"resources": {"requests": {"cpu": "1", "memory": "1Mi"}}}
    sidecar = {"restartPolicy": "Always", "resources": {"limits": {"cpu": "50m", "memory": "1Mi"}}}
    one = pod("100m", "2Mi", initContainers=[first, sidecar], overhead={"cpu": "10m", "memory": "1Mi"})
    assert asked(one) == Resources(cpu=1.01, memory=4 * MIB)


@given(
    free=st.lists(st.tuples(st.integers(0, 8000), st.integers(0, 16000), st.integers(0, 20)), min_size=0, max_size=4),
    memory=st.integers(1, 4000),
    most=st.integers(0, 40),
)
def test_what_room_holds_fits(free: list[tuple[int, int, int]], memory: int, most: int) -> None:
    """Never more than the sums allow, never more than asked about, and less memory a worker never makes it fewer."""
    places = [Resources(cpu=cpu / 1000, memory=size * MIB, pods=pods) for cpu, size, pods in free]
    room = Room(
        free=places,
        worker=Resources(cpu=0.1, memory=128 * MIB),
        services=[Resources(cpu=0.03, memory=80 * MIB)],
    )
    held = room.holds(memory * MIB, most)
    assert 0 <= held <= most
    assert held * 0.13 <= sum(one.cpu for one in places) + 1e-6
    assert held * (max(memory, 128) + 80) * MIB <= sum(one.memory for one in places)
    assert held * 2 <= sum(one.pods for one in places)
    if len(places) == 1:  # where pods go is of no account, so that it is exact
        again = places[0].minus(Resources(cpu=held * 0.13, memory=held * (max(memory, 128) + 80) * MIB, pods=held * 2))
        next_one = Resources(cpu=0.13, memory=(max(memory, 128) + 80) * MIB, pods=2)
        assert held == most or not again.covers(next_one)


def test_a_node_that_is_not_up_is_taken_for_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started to answer; what the machine has is what the node will have."""
    monkeypatch.setattr(capacity, "sample", lambda _: [pod(), pod("20m")])
    monkeypatch.setattr(capacity, "reachable_cluster", lambda *_: None)
    request = SimpleNamespace(context=None, kubeconfig=None)
    found = capacity.free(request)  # type: ignore[arg-type] # only these are read
    assert found.cores >= 1
    assert found.holds(0, 1) == 1


def test_a_connection_is_closed_whatever_the_cluster_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that may not see nodes is an error that the caller tells."""
    closed: list[bool] = []

    def refuse(kind: object, **_: object) -> JSON:
        raise NotAllowed(f"{kind} is forbidden")

    cluster = SimpleNamespace(list_objects=refuse, close=lambda: closed.append(True))
    monkeypatch.setattr(capacity, "sample", lambda _: [pod()])
    monkeypatch.setattr(capacity, "reachable_cluster", lambda *_: cluster)
    with pytest.raises(NotAllowed, match="forbidden"):
        capacity.free(SimpleNamespace(context=None, kubeconfig=None))  # type: ignore[arg-type] # as above
    assert closed == [True]
