"""``--paddock-keep``: which namespaces stay after their run to be looked into, until when, and how that is told.

Owns the choice and its writing: the run's record is handed to nobody until a time, then each namespace says why it is
there. It must not know streams or pytest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.errors import ClusterError
from paddock.namespaces import diagnosis, expiry
from paddock.namespaces.looking import Commands, indented

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.cluster.watching import Key
    from paddock.specs import Doing, RunPlan

ALL = "all"
_FAILED, _LOST, _ANY = "a test failed in it", "its worker was lost", "all are kept"
_SERVES = "workers whose namespaces are kept share its broker"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What stays, and what is to be told of it."""

    namespaces: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Keeping:
    """What is known of a run's workers, and the end of it all; ``holder`` leads the run until then."""

    def __init__(self, cluster: Cluster, plan: RunPlan, holder: str) -> None:
        self._cluster, self._plan, self._holder = cluster, plan, holder
        self._reasons: dict[str, str] = {}

    def note(self, worker: str, doing: Doing) -> None:
        """Take in what a worker is at; from any thread."""
        if doing.failed or doing.errors:
            self._reasons.setdefault(worker, _FAILED)

    def lose(self, worker: str) -> None:
        """Take in that a worker went without having ended by itself."""
        self._reasons[worker] = _LOST

    @property
    def has_lost(self) -> bool:
        """Whether a worker went without having ended by itself."""
        return _LOST in self._reasons.values()

    def end(self, workers: Iterable[str], pods: Mapping[Key, Manifest]) -> Kept:
        """Keep what is to be kept of the run's ``workers``; never raises for what the cluster refuses.

        The record comes first: once it is reserved, a client that is killed here leaves something with an expiry.
        """
        keep = self._plan.keep
        wanted = self._wanted(list(workers))
        if keep is None or not wanted:
            return Kept()
        try:
            when = self._cluster.time() + timedelta(seconds=keep.ttl)
            if not expiry.reserve(self._cluster, self._plan.run_id, self._holder, expiry.kept(self._holder), when):
                return Kept(notes=["no namespace is kept: the run was taken over from elsewhere"])
            marked = [worker for worker, why in wanted.items() if self._mark(worker, why, when)]
        except ClusterError as error:
            return Kept(notes=[f"no namespace is kept: {error}"])
        return Kept(
            namespaces=[self._namespace(worker) for worker in marked],
            notes=self._notes({worker: wanted[worker] for worker in marked}, pods, when),
        )

    def _wanted(self, workers: Sequence[str]) -> dict[str, str]:
        """Return who is kept, and why; with a worker goes what it shares with others."""
        wanted = {one: self._why(one) for one in workers if self._why(one)}
        return wanted | ({names.SHARED: _SERVES} if wanted and names.SHARED in workers else {})

    def _why(self, worker: str) -> str:
        everything = self._plan.keep is not None and self._plan.keep.which == ALL
        return self._reasons.get(worker, _ANY if everything else "")

    def _mark(self, worker: str, why: str, when: datetime) -> bool:
        annotations = {**expiry.stamp(when), names.KEPT: why}
        try:
            self._cluster.send(requests.annotate(requests.NAMESPACE, self._namespace(worker), annotations))
        except ClusterError:
            return False  # it was never made, or somebody has deleted it: the account will say
        return True

    def _notes(self, reasons: Mapping[str, str], pods: Mapping[Key, Manifest], when: datetime) -> list[str]:
        commands = Commands(self._cluster.context, self._cluster.kubeconfig)
        run_id, told = self._plan.run_id, f"until {when:%Y-%m-%d %H:%M:%S} UTC"
        notes = [
            f"kept {self._namespace(worker)} {told}, since {why}; look inside with"
            + indented(commands.inside(run_id, worker, self._running(worker, pods)))
            for worker, why in reasons.items()
        ]
        return [*notes, "end it before with" + indented([commands.end(run_id)])] if notes else []

    def _running(self, worker: str, pods: Mapping[Key, Manifest]) -> list[str]:
        namespace = self._namespace(worker)
        return [name for (place, name), pod in pods.items() if place == namespace and diagnosis.is_running(pod)]

    def _namespace(self, worker: str) -> str:
        return names.namespace_name(self._plan.run_id, worker)
