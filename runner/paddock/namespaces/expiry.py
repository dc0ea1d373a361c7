"""Until when namespaces and records may stay, by the API server's clock, and records that nobody leads on purpose.

Owns the annotation and the words in a record's holder that say so. A namespace that a run has just made carries an
expiry for people and for tools of others; ours judge a led run by its heart, see ``namespaces.reaper``, and only what
is reserved by its time. No machine's own clock is ever compared with it.
"""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from paddock import names
from paddock.errors import Conflict, NotFound
from paddock.moments import written
from paddock.namespaces import records
from paddock.namespaces.manifests import NamespaceObjects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

SLACK = 300
"""Seconds from the end of a run's pods by their own deadline until its namespaces expire: a pod may wait for its node
for two minutes before its deadline begins to count, and its run has a minute to give everything back."""

KEPT = "kept/"
"""What stands before the name of the one who led a run, once its namespaces are only there to be looked into.

What follows names no process: earlier versions would take the end of one for the end of the run."""
WARM = "warm/"
"""The same, where its namespaces wait for the next run of the project."""


def stamp(until: datetime) -> dict[str, str]:
    """Return the annotation."""
    return {names.EXPIRES: written(until)}


def until(manifest: Manifest) -> datetime | None:
    """Return when an object expires; ``None`` where nothing is said, or nothing that can be read."""
    text = (manifest["metadata"].get("annotations") or {}).get(names.EXPIRES, "")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def dated(objects: NamespaceObjects, now: datetime, pod_deadline: float) -> NamespaceObjects:
    """Return the objects with an expiry on their namespace: when its pods have ended by their deadline in seconds."""
    stages, when = copy.deepcopy(objects.stages), of_pods(now, pod_deadline)
    for manifest in (one for stage in stages for one in stage if one["kind"] == "Namespace"):
        manifest["metadata"].setdefault("annotations", {}).update(stamp(when))
    return NamespaceObjects(objects.name, stages)


def of_pods(now: datetime, pod_deadline: float) -> datetime:
    """Return when pods that are made now have ended by their deadline in seconds, and their run with them."""
    return now + timedelta(seconds=pod_deadline + SLACK)


def is_reserved(record: Manifest) -> bool:
    """Whether nobody leads the run on purpose: its record is judged by its expiry and not by a heart."""
    return records.leader(record).startswith((KEPT, WARM))


def is_warm(record: Manifest) -> bool:
    """Whether a record is reserved for the next run of its project."""
    return records.leader(record).startswith(WARM)


def kept(leader: str) -> str:
    """Return the holder that a kept run has after its leader, whose process it must not name."""
    return f"{KEPT}{leader.split('/', maxsplit=1)[0]}"


def warm(leader: str) -> str:
    """Return the holder that a warm run has after its leader."""
    return f"{WARM}{leader.split('/', maxsplit=1)[0]}"


def is_over(record: Manifest, now: datetime) -> bool:
    """Whether a reserved record's time is over; one that does not say until when it holds is over at once."""
    when = until(record)
    return when is None or when <= now


def kept_until(cluster: Cluster, run_id: str) -> datetime | None:
    """Return until when a run is kept; ``None`` if it is not, or its time is over.

    Raises:
        ClusterError: nobody could be asked in time.
    """
    try:
        record = records.read(cluster, run_id)
    except NotFound:
        return None
    return until(record) if is_reserved(record) and not is_over(record, cluster.time()) else None


def reserve(
    cluster: Cluster,
    run_id: str,
    led_by: str,
    holder: str,
    when: datetime,
    labels: Mapping[str, str | None] = MappingProxyType({}),
) -> bool:
    """Hand a run from its leader to ``holder`` until a time; False if somebody else has taken it over meanwhile.

    ``labels`` are set on the record with it, or taken off it where there is ``None``.

    The record says no more how often it is renewed, so that reapers of earlier versions wait for ever.

    Raises:
        NotFound: the run is not recorded any more.
        ClusterError: nobody could be asked in time.
    """
    while True:
        record = records.read(cluster, run_id)
        if records.leader(record) != led_by:
            return False
        try:
            metadata = {"annotations": stamp(when), "labels": dict(labels)}
            records.change(cluster, record, holder, metadata, {"leaseDurationSeconds": None})
        except Conflict:
            continue  # a heart's last beat came between
        return True
