"""What a cause needs to be exact and the watch of pods does not show: nodes and namespaces, asked for once.

Best effort: an account that may not see nodes is told what is known without, and nobody waits long. It must not judge:
``diagnosis`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.cluster import requests
from paddock.cluster.retrying import ONCE
from paddock.deadlines import Deadline
from paddock.errors import ClusterError, NotFound
from paddock.namespaces import diagnosis
from paddock.namespaces.causes import Kind

if TYPE_CHECKING:
    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest, Request
    from paddock.specs import Cause

_SECONDS = 2.0
"""For each question: the run waits for the answer before it goes on."""

_OF_NODES = frozenset({Kind.NODE_NOT_READY, Kind.NODE_TAINTED, Kind.UNREACHABLE, Kind.LATE})


def exact(cluster: Cluster, cause: Cause, pod: Manifest) -> Cause:
    """Return ``cause``, or the one behind it that pod and cluster together show."""
    namespace, node = pod["metadata"]["namespace"], pod["spec"].get("nodeName")
    try:
        if cause.kind == Kind.POD_DELETED:
            return diagnosis.with_namespace(
                cause, namespace, _get(cluster, requests.get(requests.NAMESPACE, namespace))
            )
        if cause.kind in _OF_NODES and node:
            return diagnosis.with_node(cause, pod, _get(cluster, requests.get(requests.NODE, node)))
    except ClusterError:
        return cause
    return cause


def nodes(cluster: Cluster) -> list[Manifest]:
    """Return the nodes, as far as this account may see them."""
    try:
        return cluster.list_objects(requests.NODE, deadline=Deadline(_SECONDS), policy=ONCE)
    except ClusterError:
        return []


def _get(cluster: Cluster, request: Request) -> Manifest | None:
    try:
        return cluster.send(request, deadline=Deadline(_SECONDS), policy=ONCE)
    except NotFound:
        return None
