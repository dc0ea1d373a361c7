"""The record of a run in the cluster: what proves that a namespace is ours.

Owns the Lease object per run. A namespace is deleted only if it carries our label and its run is recorded here.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.deadlines import Deadline
from paddock.errors import Conflict, NotFound, UsageError

if TYPE_CHECKING:
    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

_SECONDS = 15.0


def record_name(run_id: str) -> str:
    """Return the name of a run's record."""
    return f"run-{run_id}"


def write(cluster: Cluster, run_id: str, holder: str) -> None:
    """Record a run before its first namespace is made; ``holder`` says whose it is.

    Raises:
        UsageError: a run of that id exists already.
    """
    record = manifest(run_id, holder)
    deadline = Deadline(_SECONDS)
    try:
        cluster.create(record, deadline=deadline)
    except NotFound:
        _make_namespace(cluster, deadline)
        cluster.create(record, deadline=deadline)
    except Conflict:
        raise UsageError(
            f"A run with the id {run_id!r} is recorded in the cluster already. "
            f"Choose another --paddock-run-id, or end that run with 'paddock reap --run {run_id}'.",
        ) from None


def exists(cluster: Cluster, run_id: str) -> bool:
    """Whether the run is recorded."""
    try:
        cluster.send(requests.get(requests.LEASE, record_name(run_id), names.RUN_RECORDS_NAMESPACE))
    except NotFound:
        return False
    return True


def erase(cluster: Cluster, run_id: str) -> None:
    """Delete the record, once nothing of the run is left to be deleted by it."""
    cluster.delete(requests.delete(requests.LEASE, record_name(run_id), names.RUN_RECORDS_NAMESPACE))


def namespace_manifest() -> Manifest:
    """Return the namespace of all records, made with the first of them."""
    # No managed-by label: that one selects what belongs to runs and goes away with them.
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.RUN_RECORDS_NAMESPACE}}


def _make_namespace(cluster: Cluster, deadline: Deadline) -> None:
    with contextlib.suppress(Conflict):  # another run made it meanwhile
        cluster.create(namespace_manifest(), deadline=deadline)


def manifest(run_id: str, holder: str) -> Manifest:
    """Return the record of a run."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": record_name(run_id),
            "namespace": names.RUN_RECORDS_NAMESPACE,
            "labels": names.labels(run_id),
        },
        "spec": {"holderIdentity": holder},
    }
