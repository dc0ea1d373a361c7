"""What a cluster has free for a run that is to come: asked once, for ``-n auto``.

Owns the questions. What follows from the answers is ``engines.room``'s.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from paddock.cluster import requests
from paddock.cluster.retrying import ONCE
from paddock.deadlines import Deadline
from paddock.engines.preparation import reachable_cluster, sample
from paddock.engines.room import Resources, Room, of_cluster, room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.engines.request import RunRequest

_SECONDS = 5.0
"""For each question: nothing has begun yet, and whoever waits would rather have a wrong number than none."""
_PODS = 110
"""Pods that a kubelet takes unless it is told otherwise, the embedded node's too."""


def free(request: RunRequest) -> Room:
    """Return what is free for a run's workers; of the embedded node that is not up yet, all that the machine has.

    Raises:
        UsageError: the chosen context is not allowed.
        ClusterError: it did not answer, or this account may not see nodes and pods.
    """
    own = sample(request)
    cluster = reachable_cluster(request.context, request.kubeconfig)
    if cluster is None:
        return of_machine(own)
    try:
        return of_cluster(_listed(cluster, requests.NODE), _listed(cluster, requests.POD), own)
    finally:
        cluster.close()


def _listed(cluster: Cluster, kind: requests.Kind) -> list[Manifest]:
    return cluster.list_objects(kind, deadline=Deadline(_SECONDS), policy=ONCE)


def of_machine(own: Sequence[Manifest]) -> Room:
    """Return what this machine has, for namespaces that hold ``own`` pods."""
    memory = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return room([Resources(cpu=float(len(os.sched_getaffinity(0))), memory=memory, pods=_PODS)], own)
