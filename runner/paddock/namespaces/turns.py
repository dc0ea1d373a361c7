"""Whose turn it is to get hardware: runs that wait for some say so in their records, and who began first comes first.

Owns that annotation and the order. A run whose record is renewed no more is passed over, by the reaper's rule: whoever
dies while waiting holds up nobody for longer than anything else of it stays. It must not know who holds what.
"""

from __future__ import annotations

import time
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


class Queue(NamedTuple):
    """How things stand."""

    before: Sequence[str]
    """The runs that come first, the next one at the beginning; all that wait, if one's own does not."""
    records: Mapping[str, Manifest]
    """Of all runs."""


class Turns:
    """One run's place among those that wait for any of ``resources``; ``has_gone`` knows holders of this machine."""

    def __init__(
        self, cluster: Cluster, run_id: str, resources: Collection[str], has_gone: Callable[[str], bool]
    ) -> None:
        self._cluster, self._run_id, self._resources = cluster, run_id, frozenset(resources)
        self._has_gone, self._pulses = has_gone, Pulses()

    def enter(self) -> None:
        """Say that the run waits.

        Raises:
            ClusterError: nobody could be asked, or the run is not recorded any more.
        """
        self._say(" ".join(sorted(self._resources)))

    def leave(self) -> None:
        """Say that it waits no more; a run that is not recorded does not wait either.

        Raises:
            ClusterError: nobody could be asked.
        """
        try:
            self._say(None)
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
        return Queue(ahead(led, self._run_id, self._resources), {run_of(record): record for record in found})

    def _say(self, resources: str | None) -> None:
        change = {"metadata": {"annotations": {names.WAITS_FOR: resources}}}
        name = records.record_name(self._run_id)
        self._cluster.send(requests.merge(requests.LEASE, name, change, names.RUN_RECORDS_NAMESPACE))


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
    annotations = record["metadata"].get("annotations") or {}
    return frozenset(annotations.get(names.WAITS_FOR, "").split())


def _age(record: Manifest) -> tuple[str, str]:
    return record["metadata"]["creationTimestamp"], record["metadata"]["name"]
