"""Whose turn it is to get hardware: runs that wait for some say so in their records, and who began first comes first.

Owns the order and what records say of hardware. A run whose record is renewed no more is passed over, by the reaper's
rule: whoever dies while waiting holds up nobody for longer than anything else of it stays. It must not know who holds
what.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from paddock import names
from paddock.cluster import requests
from paddock.errors import NotFound
from paddock.namespaces import records
from paddock.namespaces.reaper import Pulses, run_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.deadlines import Deadline


class Queue(NamedTuple):
    """How things stand."""

    before: Sequence[str]
    """The runs that come first, the next one at the beginning; all that wait, if one's own does not."""
    records: Mapping[str, Manifest]
    """Of all runs."""


class Need(NamedTuple):
    """What a run that waits will hold."""

    run: str
    devices: Mapping[str, int]
    """Resource -> how many of it."""
    seconds: float | None
    """For how long; ``None`` if it does not know."""


class Turns:
    """One run's place among those that wait for any of ``devices``; ``has_gone`` knows holders of this machine."""

    def __init__(
        self, cluster: Cluster, run_id: str, devices: Mapping[str, int], has_gone: Callable[[str], bool]
    ) -> None:
        self._cluster, self._run_id, self._devices = cluster, run_id, devices
        self._has_gone, self._pulses = has_gone, Pulses()

    def enter(self, seconds: float | None) -> None:
        """Say that the run waits, and for how long it will hold what it waits for.

        Raises:
            ClusterError: nobody could be asked, or the run is not recorded any more.
        """
        waits = {names.WAITS_FOR: " ".join(sorted(self._devices)), names.NEEDS: need(self._devices, seconds)}
        say(self._cluster, self._run_id, waits)

    def leave(self) -> None:
        """Say that it waits no more; a run that is not recorded does not wait either.

        Raises:
            ClusterError: nobody could be asked.
        """
        try:
            say(self._cluster, self._run_id, {names.WAITS_FOR: None, names.NEEDS: None})
        except NotFound:
            return

    def look(self) -> Queue:
        """Return how things stand.

        Raises:
            ClusterError: nobody could be asked.
        """
        found = records.recorded(self._cluster)
        stopped = self._pulses.stopped(found, time.monotonic())
        led = [one for one in found if one not in stopped and not self._has_gone(records.leader(one))]
        return Queue(ahead(led, self._run_id, self._devices), {run_of(record): record for record in found})


def say(cluster: Cluster, run_id: str, annotations: Mapping[str, str | None], deadline: Deadline | None = None) -> None:
    """Write into a run's record; ``None`` takes an annotation away.

    Raises:
        ClusterError: nobody could be asked, or the run is not recorded any more.
    """
    change = {"metadata": {"annotations": dict(annotations)}}
    name = records.record_name(run_id)
    cluster.send(requests.merge(requests.LEASE, name, change, names.RUN_RECORDS_NAMESPACE), deadline=deadline)


def ahead(found: Iterable[Manifest], run_id: str, resources: Collection[str]) -> list[str]:
    """Return which runs that wait for any of ``resources`` come before ``run_id``, by the records' ages.

    The API server dates records, and runs begin to wait when they begin: no client's clock decides.
    """
    runs = [run_of(record) for record in waiting(found) if wanted(record) & frozenset(resources)]
    return runs[: runs.index(run_id)] if run_id in runs else runs


def waiting(found: Iterable[Manifest]) -> list[Manifest]:
    """Return the records of runs that wait, in their order."""
    return sorted(filter(wanted, found), key=_age)


def wanted(record: Manifest) -> frozenset[str]:
    """Return the resources that a record's run waits for."""
    return frozenset(_annotations(record).get(names.WAITS_FOR, "").split())


def need(devices: Mapping[str, int], seconds: float | None) -> str:
    """Return what a run's record says of what it will hold."""
    return json.dumps({"devices": dict(devices), "seconds": None if seconds is None else round(seconds)})


def need_of(record: Manifest) -> Need:
    """Return what a waiting run will hold; one of each, for nobody knows how long, where its record does not say."""
    try:
        said = json.loads(_annotations(record).get(names.NEEDS, ""))
        devices = {resource: int(said["devices"][resource]) for resource in wanted(record)}
        return Need(run_of(record), devices, None if said["seconds"] is None else float(said["seconds"]))
    except (ValueError, TypeError, LookupError):
        return Need(run_of(record), dict.fromkeys(wanted(record), 1), None)


def holds_until(record: Manifest) -> datetime | None:
    """Return until when a run expects to hold hardware; ``None`` if it does not say."""
    try:
        found = datetime.fromisoformat(_annotations(record).get(names.HOLDS_UNTIL, ""))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _annotations(record: Manifest) -> Mapping[str, str]:
    return record["metadata"].get("annotations") or {}


def _age(record: Manifest) -> tuple[str, str]:
    return record["metadata"]["creationTimestamp"], record["metadata"]["name"]
