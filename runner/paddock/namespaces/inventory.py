"""What there is of Paddock in a cluster: runs, their workers, and what each of them is at.

Pure but for ``read``, which asks for three lists. It must not change anything, and must never look at a Secret.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.namespaces import diagnosis, expiry, records
from paddock.namespaces.annotations import from_annotations
from paddock.specs import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.specs import Doing

ENDING, MAKING, PENDING, STARTING, FAILED = "ending", "making", "pending", "starting", "failed"
KEPT, WARM, SERVING = "kept", "warm", "serving"
"""What a worker is at where it cannot say so itself; the rest stands in ``specs``."""


@dataclass(frozen=True, kw_only=True)
class PodState:
    """One pod of a worker's namespace."""

    name: str
    component: str
    state: str
    """``running``, or why it does not run."""
    node: str
    port: int | None = None
    """The first port that it says to listen on."""

    @property
    def runs(self) -> bool:
        """Whether all its containers run."""
        return self.state == "running"


@dataclass(frozen=True, kw_only=True)
class WorkerState:
    """One worker's namespace."""

    run_id: str
    name: str
    namespace: str
    phase: str
    pods: Sequence[PodState]
    doing: Doing | None
    """``None`` where nothing has been noted yet."""
    noted_at: str
    since: datetime | None

    @property
    def node(self) -> str:
        """The node of the worker's own pod; empty before it has one."""
        return next((pod.node for pod in self.pods if pod.component == "worker"), "")


@dataclass(frozen=True, kw_only=True)
class RunState:
    """One run: what is recorded of it, and its workers."""

    run_id: str
    holder: str
    """User, machine and process that leads the run; empty where the run is not recorded."""
    since: datetime | None
    workers: Sequence[WorkerState]
    left: float | None = None
    """Seconds until what nobody leads on purpose is ended; ``None`` for every other run."""


def read(cluster: Cluster) -> list[RunState]:
    """Return all runs, the oldest first."""
    ours = names.selector({names.MANAGED_BY: names.MANAGED_BY_VALUE})
    return inventory(
        cluster.list_objects(requests.NAMESPACE, selector=ours),
        cluster.list_objects(requests.POD, selector=ours),
        records.recorded(cluster),
        cluster.time(),
    )


def inventory(
    namespaces: Iterable[Manifest],
    pods: Iterable[Manifest],
    records: Iterable[Manifest],
    now: datetime | None = None,
) -> list[RunState]:
    """Return the runs that these objects, found by our label, make up; the oldest first.

    ``now`` is the API server's time, for those that have one left.
    """
    found = [one for one in pods if _label(one, names.RUN)]
    workers = [_worker(one, found) for one in namespaces if _label(one, names.RUN)]
    recorded = {_label(one, names.RUN): one for one in records}
    run_ids = sorted({*recorded, *(worker.run_id for worker in workers)})
    runs = [_run(run_id, recorded.get(run_id), [one for one in workers if one.run_id == run_id]) for run_id in run_ids]
    if now:
        runs = [_timed(run, recorded.get(run.run_id), now) for run in runs]
    runs = [_called(run, recorded.get(run.run_id)) for run in runs]
    return sorted(runs, key=lambda run: run.since.timestamp() if run.since else 0)


def _called(run: RunState, record: Manifest | None) -> RunState:
    """Return the run under the id that its user knows, if it has taken over what waited under another."""
    called = _label(record, names.ALSO) if record else ""
    workers = [replace(one, run_id=called) for one in run.workers]
    return replace(run, run_id=called, workers=workers) if called else run


def _timed(run: RunState, record: Manifest | None, now: datetime) -> RunState:
    """Return the run with the time it has left, if its record is reserved."""
    if record is None or not expiry.is_reserved(record):
        return run
    until = expiry.until(record) or now
    phase = WARM if expiry.is_warm(record) else KEPT
    workers = [one if one.phase == ENDING else replace(one, phase=phase) for one in run.workers]
    return replace(run, workers=workers, left=(until - now).total_seconds())


def _run(run_id: str, record: Manifest | None, workers: Sequence[WorkerState]) -> RunState:
    begun = [worker.since for worker in workers if worker.since]
    return RunState(
        run_id=run_id,
        holder=records.leader(record) if record else "",
        since=_created(record) if record else min(begun, default=None),
        workers=sorted(workers, key=lambda worker: (len(worker.name), worker.name)),  # gw2 before gw10
    )


def _worker(namespace: Manifest, pods: Iterable[Manifest]) -> WorkerState:
    metadata = namespace["metadata"]
    annotations = metadata.get("annotations") or {}
    own = [pod for pod in pods if pod["metadata"]["namespace"] == metadata["name"]]
    doing = from_annotations(annotations)
    return WorkerState(
        run_id=_label(namespace, names.RUN),
        name=_label(namespace, names.WORKER) or metadata["name"],
        namespace=metadata["name"],
        phase=_phase(namespace, own, doing),
        pods=sorted(map(_pod, own), key=lambda pod: (pod.component != "worker", pod.name)),
        doing=doing,
        noted_at=annotations.get(names.NOTED_AT, ""),
        since=_created(namespace),
    )


def _phase(namespace: Manifest, pods: Iterable[Manifest], doing: Doing | None) -> str:
    if "deletionTimestamp" in namespace["metadata"]:
        return ENDING
    shared = _label(namespace, names.WORKER) == names.SHARED
    main = next((pod for pod in pods if shared or _label(pod, names.COMPONENT) == "worker"), None)
    if main is None:
        return MAKING
    if diagnosis.hopeless(main):
        return ENDED if doing and doing.phase == ENDED else FAILED
    if not diagnosis.is_running(main):
        return PENDING
    return SERVING if shared else doing.phase if doing else STARTING


def _pod(pod: Manifest) -> PodState:
    return PodState(
        name=pod["metadata"]["name"],
        component=_label(pod, names.COMPONENT),
        state=_pod_state(pod),
        node=pod.get("spec", {}).get("nodeName", ""),
        port=next(_ports(pod), None),
    )


def _ports(pod: Manifest) -> Iterator[int]:
    containers = pod.get("spec", {}).get("containers", [])
    return (port["containerPort"] for container in containers for port in container.get("ports", []))


def _pod_state(pod: Manifest) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "its pod is being deleted"
    if reason := diagnosis.hopeless(pod):
        return str(reason)
    return "running" if diagnosis.is_running(pod) else diagnosis.pending(pod).sentence


def _label(manifest: Manifest, key: str) -> str:
    labels: Mapping[str, str] = manifest["metadata"].get("labels") or {}
    return labels.get(key, "")


def _created(manifest: Manifest) -> datetime | None:
    stamp = manifest["metadata"].get("creationTimestamp")
    return datetime.fromisoformat(stamp) if stamp else None
