"""How many workers there is room for: arithmetic over what nodes have free and what a worker asks for.

Pure: reads manifests that others have fetched. It must not ask a cluster, nor know what a worker is worth.
The rules are the scheduler's own for requests (Kubernetes 1.36, pkg/scheduler/framework/plugins/noderesources), taints
and node selectors; affinity and the spreading of pods are left to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from paddock.cluster.quantities import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from paddock.cluster.requests import Manifest

_OVER = ("Succeeded", "Failed")
_REPELLING = ("NoSchedule", "NoExecute")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a pod asks for, or a node has left."""

    cpu: float = 0.0
    """Cores."""
    memory: float = 0.0
    """Bytes."""
    pods: int = 1

    def minus(self, other: Resources) -> Resources:
        """Return what is left when ``other`` is taken."""
        return Resources(cpu=self.cpu - other.cpu, memory=self.memory - other.memory, pods=self.pods - other.pods)

    def covers(self, other: Resources) -> bool:
        """Return whether ``other`` fits into it; what is compared has gone through sums of floats."""
        return self.cpu >= other.cpu - 1e-6 and self.memory >= other.memory and self.pods >= other.pods


@dataclass(frozen=True, kw_only=True)
class Room:
    """What there is for workers, and what each of them asks for."""

    free: Sequence[Resources]
    """Of each node that workers may run on."""
    worker: Resources
    """What a worker's pod asks for."""
    services: Sequence[Resources] = ()
    """What each of the other pods of its namespace asks for."""
    memory_limit: float = 0.0
    """Bytes that a worker's pod may take; 0 if there is no limit."""

    @property
    def cores(self) -> float:
        """Return the free cores of all nodes together."""
        return sum(max(0.0, one.cpu) for one in self.free)

    def holds(self, memory: float, most: int) -> int:
        """Return for how many workers, up to ``most``, there is room if each takes ``memory`` bytes.

        What a worker asks for is a lower bound. Each pod goes where most memory is left.
        """
        worker = replace(self.worker, memory=max(memory, self.worker.memory))
        left = list(self.free)
        for count in range(most):
            for pod in (worker, *self.services):
                place = max(range(len(left)), key=lambda one: (left[one].covers(pod), left[one].memory), default=None)
                if place is None or not left[place].covers(pod):
                    return count
                left[place] = left[place].minus(pod)
        return most


def of_cluster(nodes: Iterable[Manifest], pods: Sequence[Manifest], own: Sequence[Manifest]) -> Room:
    """Return the room that ``nodes`` with these ``pods`` have for namespaces that hold ``own`` pods, worker's first."""
    worker = own[0]
    taken: dict[str, list[Resources]] = {}
    for pod in pods:
        if pod.get("status", {}).get("phase") not in _OVER:
            taken.setdefault(pod["spec"].get("nodeName", ""), []).append(asked(pod))
    free = [_left(node, taken.get(node["metadata"]["name"], ())) for node in nodes if takes(node, worker)]
    return room(free, own)


def room(free: Sequence[Resources], own: Sequence[Manifest]) -> Room:
    """Return the room of places with these resources."""
    worker, *services = own
    limits = [one.get("resources", {}).get("limits", {}).get("memory", 0) for one in worker["spec"]["containers"]]
    return Room(
        free=free,
        worker=asked(worker),
        services=[asked(pod) for pod in services],
        memory_limit=sum(map(number, limits)),
    )


def _left(node: Manifest, taken: Iterable[Resources]) -> Resources:
    has = node["status"].get("allocatable", {})
    left = Resources(
        cpu=number(has.get("cpu", 0)), memory=number(has.get("memory", 0)), pods=int(number(has.get("pods", 0)))
    )
    for one in taken:
        left = left.minus(one)
    return left


def takes(node: Manifest, pod: Manifest) -> bool:
    """Return whether the scheduler would look at a node for a pod at all."""
    conditions = node["status"].get("conditions", ())
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    selected = pod["spec"].get("nodeSelector", {}).items() <= node["metadata"].get("labels", {}).items()
    taints = [one for one in node["spec"].get("taints", ()) if one.get("effect") in _REPELLING]
    tolerated = all(any(_tolerates(one, taint) for one in pod["spec"].get("tolerations", ())) for taint in taints)
    return ready and selected and tolerated and not node["spec"].get("unschedulable")


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect", taint["effect"]) != taint["effect"]:
        return False
    if toleration.get("operator") == "Exists":
        return bool(toleration.get("key", taint["key"]) == taint["key"])
    return (toleration.get("key"), toleration.get("value", "")) == (taint["key"], taint.get("value", ""))


def asked(pod: Manifest) -> Resources:
    """Return what a pod asks for: its containers together, or the one before them that asks for more."""
    spec = pod["spec"]
    before = spec.get("initContainers", ())
    beside = [one for one in before if one.get("restartPolicy") == "Always"]
    together = _sum([*spec["containers"], *beside])
    each = [_requests(one) for one in before]
    overhead = spec.get("overhead", {})
    return Resources(
        cpu=max([together.cpu, *(one.cpu for one in each)]) + number(overhead.get("cpu", 0)),
        memory=max([together.memory, *(one.memory for one in each)]) + number(overhead.get("memory", 0)),
    )


def _sum(containers: Iterable[Mapping[str, Any]]) -> Resources:
    requests = [_requests(one) for one in containers]
    return Resources(cpu=sum(one.cpu for one in requests), memory=sum(one.memory for one in requests))


def _requests(container: Mapping[str, Any]) -> Resources:
    resources = container.get("resources", {})
    asked_for = {**resources.get("limits", {}), **resources.get("requests", {})}  # a limit alone is a request as well
    return Resources(cpu=number(asked_for.get("cpu", 0)), memory=number(asked_for.get("memory", 0)))
