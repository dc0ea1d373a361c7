"""The record of a run in the cluster: what proves that a namespace is ours, and that somebody leads the run.

Owns the Lease object per run. A namespace is deleted only if it carries our label and its run is recorded here. Who
leads a run renews its record; the time in it is for people, others judge by its changing, see ``namespaces.reaper``.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paddock import names
from paddock.cluster import requests
from paddock.deadlines import Deadline
from paddock.errors import Conflict, NotFound, UsageError
from paddock.specs import RunPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

DURATION = RunPlan.lease_duration
"""Seconds that a record counts as renewed: as long as Kubernetes' own leaders have."""
_SECONDS = 15.0


def record_name(run_id: str) -> str:
    """Return the name of a run's record."""
    return f"run-{run_id}"


def write(cluster: Cluster, run_id: str, holder: str, duration: int = DURATION) -> None:
    """Record a run before its first namespace is made; ``holder`` says whose it is and renews it by ``beat``.

    Raises:
        UsageError: a run of that id exists already.
    """
    record = manifest(run_id, holder, duration)
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


def beat(cluster: Cluster, run_id: str) -> str:
    """Renew the record of a run and return who leads the run: somebody else, if it was taken over.

    Raises:
        NotFound: the run is not recorded any more.
        ClusterError: nobody could be asked in time.
    """
    change = {"spec": {"renewTime": now()}}
    request = requests.merge(requests.LEASE, record_name(run_id), change, names.RUN_RECORDS_NAMESPACE)
    return leader(cluster.send(request, deadline=Deadline(_SECONDS)))


def leader(record: Manifest) -> str:
    """Return who leads a run by its record; empty where nobody is named."""
    return str(record["spec"].get("holderIdentity", ""))


def owner(record: Manifest) -> str:
    """Return the leader's user and host, which is what people know it by."""
    return leader(record).partition("/")[0]


def recorded(cluster: Cluster) -> list[Manifest]:
    """Return the records of all runs."""
    ours = names.selector({names.MANAGED_BY: names.MANAGED_BY_VALUE})
    return cluster.list_objects(requests.LEASE, selector=ours, namespace=names.RUN_RECORDS_NAMESPACE)


def take_over(cluster: Cluster, record: Manifest, holder: str) -> bool:
    """Make ``holder`` the leader of a run; False if the record has changed since it was read, so somebody lives."""
    try:
        change(cluster, record, holder, {}, {"leaseDurationSeconds": DURATION})
    except (Conflict, NotFound):
        return False
    return True


def change(
    cluster: Cluster, record: Manifest, holder: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]
) -> None:
    """Write another holder into a record, and what goes with it, if it is still as it was read.

    Raises:
        Conflict: it has changed.
        NotFound: it is gone.
        ClusterError: nobody could be asked in time.
    """
    found = record["metadata"]
    change = {
        "metadata": {"resourceVersion": found["resourceVersion"], **metadata},
        "spec": {"holderIdentity": holder, "renewTime": now(), **spec},
    }
    request = requests.merge(requests.LEASE, found["name"], change, found["namespace"])
    cluster.send(request, deadline=Deadline(_SECONDS))


def read(cluster: Cluster, run_id: str) -> Manifest:
    """Return the record of a run.

    Raises:
        NotFound: there is none.
        ClusterError: nobody could be asked in time.
    """
    return cluster.send(requests.get(requests.LEASE, record_name(run_id), names.RUN_RECORDS_NAMESPACE))


def exists(cluster: Cluster, run_id: str) -> bool:
    """Whether the run is recorded."""
    try:
        read(cluster, run_id)
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


def manifest(run_id: str, holder: str, duration: int = DURATION) -> Manifest:
    """Return the record of a run."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": record_name(run_id),
            "namespace": names.RUN_RECORDS_NAMESPACE,
            "labels": names.labels(run_id),
        },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration,
            "acquireTime": (moment := now()),
            "renewTime": moment,
        },
    }


def now() -> str:
    """Return this machine's time as a MicroTime is written: for people, nobody compares it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
