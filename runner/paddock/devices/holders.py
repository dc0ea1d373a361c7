"""What nodes have of each hardware, and which pods hold it.

Pure: reads manifests that others have fetched. It must not ask a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock import names
from paddock.cluster.quantities import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Manifest = Mapping[str, Any]

_OVER = ("Succeeded", "Failed")


@dataclass(frozen=True, kw_only=True)
class Supply:
    """One resource of one node."""

    resource: str
    node: str
    capacity: int
    """Devices that its plugin has ever named, as long as kubelet knows it."""
    allocatable: int
    """Those of them that are healthy, held or not."""
    holders: Mapping[str, int]
    """Who holds them -> how many: ``run/worker``, or ``namespace/pod`` where it is no worker of ours."""

    @property
    def free(self) -> int:
        """How many could be had now."""
        return max(0, self.allocatable - sum(self.holders.values()))


def supplies(nodes: Iterable[Manifest], pods: Sequence[Manifest], wanted: Iterable[str] = ()) -> list[Supply]:
    """Return what each node has of each resource that device plugins hand out, and of those ``wanted`` all the same."""
    found = []
    also = list(wanted)
    for node in nodes:
        capacity = node["status"].get("capacity", {})
        found += [
            _supply(node, resource, [pod for pod in pods if _is_on(pod, node)])
            for resource in sorted({name for name in capacity if _is_extended(name)} | set(also))
        ]
    return sorted(found, key=lambda one: (one.resource, one.node))


def _is_extended(resource: str) -> bool:
    """Return whether plugins hand it out: Kubernetes' own have no domain, or its own (IsExtendedResourceName)."""
    domain, slash, _ = resource.partition("/")
    return bool(slash) and not (domain == "kubernetes.io" or domain.endswith(".kubernetes.io"))


def _is_on(pod: Manifest, node: Manifest) -> bool:
    there = pod["spec"].get("nodeName") == node["metadata"]["name"]
    return there and pod.get("status", {}).get("phase") not in _OVER


def _supply(node: Manifest, resource: str, pods: Iterable[Manifest]) -> Supply:
    status = node["status"]
    held = {_holder(pod): count for pod in pods if (count := _count(pod, resource))}
    capacity, allocatable = (int(number(status.get(key, {}).get(resource, 0))) for key in ("capacity", "allocatable"))
    return Supply(
        resource=resource, node=node["metadata"]["name"], capacity=capacity, allocatable=allocatable, holders=held
    )


def _count(pod: Manifest, resource: str) -> int:
    limits = (one.get("resources", {}).get("limits", {}) for one in pod["spec"]["containers"])
    return sum(int(number(each.get(resource, 0))) for each in limits)


def _holder(pod: Manifest) -> str:
    labels, metadata = pod["metadata"].get("labels", {}), pod["metadata"]
    if names.RUN in labels and names.WORKER in labels:
        return f"{labels[names.RUN]}/{labels[names.WORKER]}"
    return f"{metadata['namespace']}/{metadata['name']}"
