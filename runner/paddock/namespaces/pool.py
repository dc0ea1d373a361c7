"""``--paddock-reuse``: namespaces that wait, warm, for the next run of the same project, and how they change hands.

A run that has ended hands its namespaces on with new pods: all that its tests could write to is gone with the old ones.
The run's record, held by nobody until a time, says for which project they are. The next run takes them by an update of
that record alone, with its version as a condition: of two runs one gets them. Namespaces, labels and record keep the id
of the run that made them. Owns records and resets; it must not know streams, nor how objects are made.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.cluster.retrying import RetryPolicy
from paddock.daemons import DaemonExecutor
from paddock.deadlines import Deadline
from paddock.errors import ClusterError, Conflict, NotAllowed, NotFound
from paddock.namespaces import diagnosis, expiry, leases, records
from paddock.namespaces.release import reap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.namespaces.manifests import NamespaceObjects
    from paddock.specs import RunPlan

_SECONDS = 10.0
"""For the new pods of all namespaces to be asked for: a request takes some 10 ms."""
_LEFT = 5.0
"""Seconds that must be left of what is taken: a reaper may look at the very end."""
_DIGITS = 32  # of a digest's 64: a label's value has 63 characters at most, and 128 bits collide never


def _worth_another_try(error: ClusterError) -> bool:
    # The pod before it is just going, and the quota's controller has yet to notice.
    full = isinstance(error, NotAllowed) and "exceeded quota" in str(error)
    return isinstance(error, Conflict) or full or leases.POLICY.worth_it(error)


_POLICY = RetryPolicy(worth_it=_worth_another_try, first_pause=0.01, longest_pause=0.5)


@dataclass(frozen=True)
class Warm:
    """What a run has taken over."""

    run_id: str
    """Of the run that made it; namespaces, labels and record carry it."""
    workers: frozenset[str]
    """The workers whose namespaces are there, pods and all."""


def key(kinds: Sequence[NamespaceObjects], *words: str) -> str:
    """Return what namespaces must have in common to be handed from run to run.

    That is all objects of each kind of namespace, made without a run and without credentials, and ``words`` about
    whose they are.
    """
    said = json.dumps([[one.stages for one in kinds], words], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:_DIGITS]


def take(cluster: Cluster, wanted: str, plan: RunPlan, holder: str) -> Warm | None:
    """Take over what waits for this project, if anything does; what cannot be used is ended.

    Raises:
        ClusterError: nobody could be asked in time.
    """
    for record in _waiting(cluster, wanted):
        if not _claim(cluster, record, plan, holder):
            continue
        run_id = record["metadata"]["labels"][names.RUN]
        if workers := _sound(cluster, run_id, plan):
            return Warm(run_id, workers)
        reap(cluster, run_id, seconds=0)
    return None


def _waiting(cluster: Cluster, wanted: str) -> list[Manifest]:
    ours = names.selector({names.MANAGED_BY: names.MANAGED_BY_VALUE, names.POOL: wanted})
    found = cluster.list_objects(requests.LEASE, selector=ours, namespace=names.RUN_RECORDS_NAMESPACE)
    soon = cluster.time() + timedelta(seconds=_LEFT)
    return [one for one in found if expiry.is_warm(one) and not expiry.is_over(one, soon)]


def _claim(cluster: Cluster, record: Manifest, plan: RunPlan, holder: str) -> bool:
    metadata = {"annotations": {names.EXPIRES: None}, "labels": {names.POOL: None, names.ALSO: plan.run_id}}
    try:
        records.change(cluster, record, holder, metadata, {"leaseDurationSeconds": plan.lease_duration})
    except (Conflict, NotFound):
        return False  # another run was quicker, or a reaper
    return True


def _sound(cluster: Cluster, run_id: str, plan: RunPlan) -> frozenset[str]:
    """Return the workers of a pool; none if any of its pods cannot run, since it may be anybody's."""
    found = cluster.list_objects(requests.POD, selector=names.selector(names.labels(run_id)))
    if any("deletionTimestamp" in pod["metadata"] or diagnosis.hopeless(pod) for pod in found):
        return frozenset()
    pods = {(pod["metadata"]["labels"][names.WORKER], pod["metadata"]["name"]) for pod in found}
    every = {name for worker, name in pods if worker != names.SHARED}
    found_of = {worker for worker, _ in pods}
    whole = all((worker, name) in pods for worker in found_of - {names.SHARED} for name in every)
    whole = whole and (names.SHARED in found_of) == plan.shares_broker
    return frozenset(found_of) if whole and "worker" in every else frozenset()


def hand_on(cluster: Cluster, wanted: str, plan: RunPlan, holder: str, fresh: Sequence[NamespaceObjects]) -> bool:
    """Put new pods, those in ``fresh``, into the namespaces of a run that has ended, and hand them on.

    False if somebody else leads the run, or something could not be made: nothing may be used again then.
    """
    reuse = plan.reuse
    if reuse is None or not fresh:
        return False
    deadline = Deadline(_SECONDS)
    try:
        when = cluster.time() + timedelta(seconds=reuse)
        with DaemonExecutor(requests.AT_ONCE, "reset") as pool:
            for reset in [pool.submit(_reset, cluster, objects, when, deadline) for objects in fresh]:
                reset.result()
        labels = {names.POOL: wanted, names.ALSO: None}
        return expiry.reserve(cluster, plan.run_id, holder, expiry.warm(holder), when, labels)
    except ClusterError:
        return False


def _reset(cluster: Cluster, objects: NamespaceObjects, when: datetime, deadline: Deadline) -> None:
    """Leave nothing of the tests: all that they could write to are the pods and what runs in them.

    Pods have no right to the API, so they made no objects.
    """
    cluster.delete(requests.delete_pods(objects.name), deadline=deadline)
    for pod in (one for one in objects.all() if one["kind"] == "Pod"):
        cluster.send(requests.create(pod), deadline=deadline, policy=_POLICY)
    noted = {**dict.fromkeys((names.PHASE, names.RUNNING, names.AWAITS, names.NOTED_AT)), **expiry.stamp(when)}
    cluster.send(requests.merge(requests.NAMESPACE, objects.name, {"metadata": {"annotations": noted}}))


def known_as(cluster: Cluster, run_id: str) -> str:
    """Return the id under which a run is recorded: another one, if it has taken over what waited.

    Raises:
        ClusterError: nobody could be asked in time.
    """
    also: Mapping[str, str] = {names.MANAGED_BY: names.MANAGED_BY_VALUE, names.ALSO: run_id}
    found = cluster.list_objects(requests.LEASE, selector=names.selector(also), namespace=names.RUN_RECORDS_NAMESPACE)
    return next((str(record["metadata"]["labels"][names.RUN]) for record in found), run_id)
