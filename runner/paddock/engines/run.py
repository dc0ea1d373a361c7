"""A run on a cluster: its leases, and the way from a lease to a worker's stream.

Owns the order lease, stream, sources, process, and the end of it. It must not know how the cluster was chosen,
nor xdist or pytest.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock import names
from paddock.deadlines import Deadline
from paddock.engines import limits, own_key
from paddock.engines.containers import Containers
from paddock.engines.credentials import derive_credentials, draw_credentials
from paddock.engines.early_returns import EarlyReturns
from paddock.engines.equipment import Equipped
from paddock.engines.parting import Parting
from paddock.engines.preparation import has_gone
from paddock.engines.service_failures import ServiceFailures
from paddock.engines.witness import Witness
from paddock.errors import LeaseError
from paddock.namespaces import causes, diagnosis, expiry, manifests, pool, records
from paddock.namespaces.annotations import Annotator
from paddock.namespaces.causes import Kind
from paddock.namespaces.heart import Heart
from paddock.namespaces.keeping import Keeping, Kept
from paddock.namespaces.leases import Leases
from paddock.namespaces.reaper import Reaper, Sweeper
from paddock.namespaces.release import Release
from paddock.services import broker, database
from paddock.services.environment import to_environment
from paddock.specs import SENT, ExitStatus
from paddock.workers.artifacts import Gathering
from paddock.workers.stream import PodStream
from paddock.workers.worker import warm_order, worker_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.streaming import ExecStream
    from paddock.engines.protocol import WorkerStream
    from paddock.specs import Account, Cause, Doing, RunPlan, Way
    from paddock.workers.sources import SharedArchive

_STOPPING = 5.0
"""Seconds that news of a pod being stopped are waited for: the kubelet writes the reason once all containers ended, and
gives each of them at least two seconds."""

_PODS_SECONDS = 0.15
"""How long the end of a run waits for the deletion of its pods: 0.03 to 0.17 s for one namespace (measured). Many take
longer, and the prompt need not: they are on their way, and go with their namespaces in any case."""


_WHOLE_SECONDS = 5.0
"""For services that are being made when the last test ends, if the next run is to have them."""


class ClusterRun:
    """All leases of a run, from the run's record to its account."""

    def __init__(
        self, cluster: Cluster, plan: RunPlan, holder: str, key: str = "", warm: frozenset[str] = frozenset()
    ) -> None:
        self._secret = own_key.read() if plan.reuse else b""
        if not warm:  # those that were taken over have a record, which is ours already
            records.write(cluster, plan.run_id, holder, plan.lease_duration)
        self.heart = Heart(cluster, plan.run_id, holder, plan.lease_duration)
        """Renews the run's record, and takes along what else is to be written there."""
        self.heart.start()
        self._sweeper = Sweeper(Reaper(cluster, holder, has_gone))
        self._cluster, self._plan, self._holder = cluster, plan, holder
        self._key, self._warm = key, warm
        self._leases = Leases(cluster, plan.run_id, plan.limits)
        self._containers = Containers(cluster, plan, self._leases)
        self._credentials: dict[str, Mapping[str, Mapping[str, str]]] = {}
        self._shared_account = self._drawn_for(names.SHARED)[broker.NAME]
        self._streams: dict[str, PodStream] = {}
        self._gathering = Gathering(plan.artifacts) if plan.artifacts else None
        self._witness = Witness(cluster, plan, plan.report, self._leases, self._credentials) if plan.report else None
        self._lock = threading.Lock()
        self._equipped = Equipped(plan)
        self._annotator = Annotator(cluster, plan.run_id, always=self._expiry() if warm else {})
        for worker in sorted(warm):  # those that this run has no use for as well, since it leads them
            self._leases.adopt(self._namespace(worker))
        self._keeping = Keeping(cluster, plan, holder)
        self._release = Release(cluster, plan.run_id)
        self._returns = EarlyReturns(self._has_ended, self._end_lease)
        self._failures = ServiceFailures(plan.run_id, self._leases)
        self._parting = Parting(lambda: list(self._streams.values()))

    def add(self, worker: str) -> None:
        """Begin a worker's lease, and that of what it shares with others; a second call does nothing."""
        if self._plan.shares_broker and worker != names.SHARED:
            self.add(names.SHARED)
        with self._lock:
            if worker in self._credentials:
                return
            if self.heart.lost:
                raise LeaseError(self.heart.lost)
            self._credentials[worker] = self._drawn(worker)
            if worker != names.SHARED:
                self._equipped.enter(worker)
        if worker in self._warm:
            return
        objects = worker_objects(self._equipped.plan_of(worker), worker, self._credentials[worker])
        self._leases.begin(expiry.dated(objects, self._cluster.time(), self._plan.pod_deadline))
        if worker == names.SHARED or self._equipped.services_of(worker):  # nobody's start to spare, or awaited by it
            self._leases.end_head_start(objects.name)

    def expect(self, worker: str) -> None:
        """Keep hardware for a worker that is added later, once it is the run's turn."""
        self._equipped.enter(worker)

    def holds_hardware(self, worker: str) -> bool:
        """Return whether the worker's place was asked for with the run's hardware."""
        return worker in self._equipped

    def _drawn(self, worker: str) -> dict[str, Mapping[str, str]]:
        """Return a worker's credentials; what may be handed on has those that the next run comes to as well."""
        drawn = self._drawn_for(worker)
        if self._plan.shares_broker:
            drawn[broker.NAME] = self._shared_account
        return drawn

    def _drawn_for(self, place: str) -> dict[str, Mapping[str, str]]:
        access = self._plan.broker
        if self._plan.reuse:
            return derive_credentials(self._secret, self._namespace(place), access)
        return draw_credentials(access)

    def _expiry(self) -> dict[str, str]:
        return expiry.stamp(expiry.of_pods(self._cluster.time(), self._plan.pod_deadline))

    def await_asked(self, seconds: float) -> None:
        """Wait up to ``seconds`` until all worker pods are asked for, or cannot be."""
        self._leases.await_asked(seconds)

    def connect(
        self,
        worker: str,
        sources: Iterable[SharedArchive],
        on_stderr: Callable[[str, bytes], None],
    ) -> WorkerStream:
        """Wait for the worker's pod, send its sources, start its process and return its stream.

        Raises:
            LeaseError: the pod does not come.
            StreamError: it came, but nobody can talk to it.
            UsageError: a source cannot be read.
        """
        hear = partial(self._on_stderr, worker, on_stderr=on_stderr)
        self._failures.enter(worker, hear)
        self._leases.await_worker(self._namespace(worker))
        self._leases.await_placed(self._namespace(worker), self._equipped.services_of(worker))
        stream = PodStream(lambda: self._dial(worker), name=worker, on_stderr=hear)
        with self._lock:
            self._streams[worker] = stream
        limits.sources(self._plan.limits.sources, lambda: self._send(stream, sources))
        if self._gathering:
            self._gathering.begin(worker, stream, str(self._plan.root))
        start = worker_start(self._plan, os.environ, time_zone=_time_zone())
        env = {**start.env, **self._facts(worker)}
        stream.start(start.argv, env=env, cwd=start.cwd, links=start.links, folders=start.folders)
        self._leases.ways.note(self._namespace(worker), SENT)
        stream.send_facts("worker", {"env": env, "cwd": start.cwd})  # for whoever opens a shell beside it
        self._failures.add(worker, stream)
        return stream

    @staticmethod
    def _send(stream: PodStream, sources: Iterable[SharedArchive]) -> None:
        for archive in sources:
            stream.send_sources(archive.chunks(), str(archive.root))

    def _facts(self, worker: str) -> dict[str, str]:
        secrets = self._credentials[worker]
        return {
            "PADDOCK_RUN": self._plan.id_for_people,
            "PADDOCK_WORKER": worker,
            "PADDOCK_NAMESPACE": self._namespace(worker),
            "PADDOCK_SERVICE_LIMIT": str(self._plan.limits.service),
            **to_environment(broker.facts(secrets[broker.NAME], self._elsewhere(), self._plan.broker)),
            **to_environment(database.facts(secrets[database.NAME])),
            **self._equipped.facts_of(worker),
        }

    def _elsewhere(self) -> str:
        """Return the namespace of the broker, where that is not the worker's own."""
        return self._namespace(names.SHARED) if self._plan.shares_broker else ""

    def _on_stderr(self, worker: str, line: bytes, on_stderr: Callable[[str, bytes], None]) -> None:
        if self._witness:
            self._witness.hear(worker, line)
        on_stderr(worker, line)

    def begun(self, worker: str) -> None:
        """Let the services of the worker's namespace start, if they have not."""
        self._leases.end_head_start(self._namespace(worker))
        if self._witness:
            self._witness.watch()

    def note(self, worker: str, doing: Doing) -> None:
        """Write what the worker is at on its namespace, in the background."""
        self._keeping.note(worker, doing)
        self._annotator.note(worker, doing)

    def obstacle(self, worker: str) -> Cause | None:
        """Return what keeps a worker's pods from being scheduled, as far as the scheduler has said so."""
        return self._leases.obstacle(self._namespace(worker), self._equipped.services_of(worker))

    def assist(self, worker: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do for a test what it asks for in its worker's namespace."""
        return self._containers.do(worker, order)

    def way(self, worker: str) -> Way:
        """Return how far the worker's place has come."""
        return self._leases.way(self._namespace(worker), self._equipped.services_of(worker))

    def lose(self, worker: str) -> None:
        """Note that a worker did not end by itself; what its services hold is for who comes in its place."""
        self._leases.free(self._namespace(worker), self._equipped.services_of(worker))
        self._equipped.leave(worker)
        self._keeping.lose(worker)

    def cause(self, worker: str, seconds: float) -> Cause | None:
        """Return why a worker's process or pod went away, waiting up to ``seconds`` for news of it."""
        if self.heart.lost:
            return causes.tell(Kind.RUN_LOST, message=self.heart.lost)
        namespace, stream = self._namespace(worker), self._streams.get(worker)
        if stream is None:
            return self._leases.explained(namespace, 0) if worker in self._credentials else None
        status = stream.wait(seconds) or ExitStatus()
        own = diagnosis.of_process(status)
        if own or status.wanted:
            return own
        lost = causes.tell(Kind.UNREACHABLE, message=status.cause) if status.cause else None
        found = self._leases.explained(namespace, _STOPPING if status.stopped else seconds, lost)
        deleted = found and found.kind in {Kind.POD_DELETED, Kind.NAMESPACE_DELETED}
        return causes.tell(Kind.RUN_LOST, message=self.heart.lost) if deleted and self.heart.ask() else found

    def give_back(self, worker: str) -> None:
        """End a worker's lease soon, unless something of it is wanted at the run's end or by the next run."""
        self._equipped.leave(worker)
        if worker in self._credentials and not self._are_wanted:
            self._returns.begin(worker)

    @property
    def _are_wanted(self) -> bool:
        """Whether leases are to be there once their workers have ended."""
        return bool(self._plan.keep or self._plan.reuse is not None or self._gathering)

    def hold(self, *, passed: bool) -> None:
        """End no lease by itself any more: pods that end keep the machine busy on which the last workers leave.

        If all is well, the deletion of namespaces is asked for meanwhile: their controller lets 5 s pass in any case.
        """
        self._returns.hold()
        if passed and not self._are_wanted and not (self._witness and self._witness.keeps_anything):
            going = [self._namespace(worker) for worker in list(self._credentials) if self._may_go(worker)]
            self._release.begin(going, seconds=self._plan.limits.release)
            self._parting.begin()

    def _may_go(self, worker: str) -> bool:
        if self._namespace(worker) not in self._leases.namespaces:
            return False
        if self._witness:
            self._witness.expect_end(worker)
        return self._leases.give_up(self._namespace(worker), 0)

    def _has_ended(self, worker: str) -> bool:
        stream = self._streams.get(worker)
        return stream is None or stream.wait(_WHOLE_SECONDS) is not None

    def _end_lease(self, worker: str) -> None:
        if self._witness:
            self._witness.expect_end(worker)
        if stream := self._streams.get(worker):
            stream.kill()
        namespace = self._namespace(worker)
        if self._leases.give_up(namespace):
            self._release.one(namespace)

    def preserve(self, worker: str, told: Mapping[str, str], *, lost: bool = False) -> None:
        """Begin to keep what explains a failure, if that is wanted."""
        if self._witness:
            self._witness.preserve(worker, told, lost=lost)

    def preserved(self) -> list[str]:
        """Wait until what explains failures is kept, and return what is to be told of it."""
        return self._witness.finish() if self._witness else []

    def release(self) -> Account:
        """End all streams and leases, ask for the deletion of every namespace and account for it."""
        self._returns.close()
        are_left = self._parting.end()
        if self._witness:
            self._witness.close()
        may_go_on = self._plan.reuse is not None and self._have_ended()
        notes = [*filter(None, [self.heart.lost]), *self._gathered()]
        for stream in list(self._streams.values()):
            stream.kill()
        self._annotator.close()
        may_go_on = may_go_on and self._leases.await_whole(_WHOLE_SECONDS)
        self._leases.close()
        kept = (
            self._keeping.end(self._credentials, self._leases.pods) if self._plan.keep else self._handed_on(may_go_on)
        )
        account = self._release.all(
            self._leases.namespaces,
            seconds=self._plan.limits.release,
            pods_seconds=None if are_left else _PODS_SECONDS,
            kept=kept.namespaces,
        )
        reused = [name for name in account.created if name in map(self._namespace, self._warm)]
        created = [name for name in account.created if name not in reused]
        return replace(account, created=created, reused=reused, notes=[*notes, *self._part(), *kept.notes])

    def _part(self) -> list[str]:
        """End what went on beside the run; none of it is waited for long, as it may be in a request."""
        self.heart.close()
        swept = self._sweeper.close()
        self._cluster.close()
        return swept

    def so_far(self) -> Account:
        """Account for the namespaces as far as their release has come; asks nobody and waits for nothing."""
        return self._release.account(self._leases.namespaces)

    def _have_ended(self) -> bool:
        """Whether all workers have ended by themselves: a stream that was cut could take new pods for its own."""
        deadline = Deadline(_WHOLE_SECONDS)
        ends = [stream.wait(deadline.remaining()) for stream in list(self._streams.values())]
        return all(end is not None and end.code is not None for end in ends)

    def _handed_on(self, may: bool) -> Kept:  # noqa: FBT001 - see release
        """Let the next run of the project have the namespaces, unless one is not whole or a worker was lost."""
        if not may or self.heart.lost or self._keeping.has_lost:
            return Kept()
        workers = sorted({*self._credentials, *self._warm})
        fresh = [worker_objects(self._plan, worker, self._drawn(worker)) for worker in workers]
        if not pool.hand_on(self._cluster, self._key, self._plan, self._holder, fresh):
            return Kept()
        note = (
            f"namespaces of run {self._plan.run_id} wait {self._plan.reuse} s for the next run; "
            f"end them with 'paddock reap --run {self._plan.run_id}'"
        )
        return Kept(namespaces=[objects.name for objects in fresh], notes=[note])

    def _gathered(self) -> list[str]:
        """Receive what is wanted back: workers that have ended are sending it, those that have not are ended first."""
        if not self._gathering:
            return []
        for stream in list(self._streams.values()):
            if stream.wait(0) is None:
                stream.kill()
        return self._gathering.finish(self._plan.limits.artifacts)

    def _namespace(self, worker: str) -> str:
        return names.namespace_name(self._plan.run_id, worker)

    def _dial(self, worker: str) -> ExecStream:
        namespace = self._namespace(worker)
        if ended := self._leases.cause(namespace):
            raise LeaseError(f"The worker {worker} cannot be reached any more. {ended}")
        return self._cluster.execute(namespace, "worker", "worker", manifests.supervisor_command(self._plan, "attach"))


def pool_key(plan: RunPlan) -> str:
    """Return what a run's namespaces must have in common with another's to be handed on to it."""
    nameless = replace(plan, run_id="any", called="")
    places = manifests.places(plan, ["gw0"])
    objects = [worker_objects(nameless, place, {broker.NAME: {}, database.NAME: {}}) for place in places]
    entered = hashlib.sha256(f"{broker.logins(plan.broker)}\n{plan.broker.acl}".encode()).hexdigest()
    return pool.key(objects, str(plan.root), own_key.fingerprint(), entered)


def worker_objects(
    plan: RunPlan,
    worker: str,
    credentials: Mapping[str, Mapping[str, str]],
) -> manifests.NamespaceObjects:
    """Return everything that is made for one worker, or for what all of them share."""
    warm = warm_order(plan, os.environ, time_zone=_time_zone())
    return manifests.build(plan, worker, credentials, warm=warm)


def _time_zone() -> str:
    """Return this machine's time zone by name; empty where it has none, which a pod takes for UTC as well."""
    local = Path("/etc/localtime")
    zones = f"{os.sep}zoneinfo{os.sep}"
    target = str(local.resolve()) if local.is_symlink() else ""
    return target.partition(zones)[2]
