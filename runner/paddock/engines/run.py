"""A run on a cluster: its leases, and the way from a lease to a worker's stream.

Owns the order lease, stream, sources, process, and the end of it. It must not know how the cluster was chosen,
nor xdist or pytest.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paddock import names
from paddock.engines import limits
from paddock.errors import LeaseError, StreamError
from paddock.namespaces import manifests, records
from paddock.namespaces.annotations import Annotator
from paddock.namespaces.leases import Leases
from paddock.namespaces.release import release
from paddock.services import broker, database
from paddock.services.environment import to_environment
from paddock.specs import ExitStatus, ServiceFacts
from paddock.workers.artifacts import Gathering
from paddock.workers.stream import PodStream
from paddock.workers.worker import warm_order, worker_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.streaming import ExecStream
    from paddock.engines.protocol import WorkerStream
    from paddock.specs import Account, Doing, RunPlan
    from paddock.workers.sources import SharedArchive


class ClusterRun:
    """All leases of a run, from the run's record to its account."""

    def __init__(self, cluster: Cluster, plan: RunPlan, holder: str) -> None:
        records.write(cluster, plan.run_id, holder)
        self._cluster, self._plan = cluster, plan
        self._leases = Leases(cluster, plan.run_id, plan.limits)
        self._credentials: dict[str, Mapping[str, Mapping[str, str]]] = {}
        self._streams: dict[str, PodStream] = {}
        self._gathering = Gathering(plan.artifacts) if plan.artifacts else None
        self._lock = threading.Lock()
        self._annotator = Annotator(cluster, plan.run_id)
        self._teller = threading.Thread(target=self._tell_failures, name="service-failures", daemon=True)
        self._teller.start()

    def add(self, worker: str) -> None:
        """Begin a worker's lease; a second call does nothing."""
        with self._lock:
            if worker in self._credentials:
                return
            self._credentials[worker] = draw_credentials()
        self._leases.begin(worker_objects(self._plan, worker, self._credentials[worker]))

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
        self._leases.await_worker(self._namespace(worker))
        stream = PodStream(
            lambda: self._dial(worker),
            name=worker,
            on_stderr=lambda line: on_stderr(worker, line),
        )
        with self._lock:
            self._streams[worker] = stream
        limits.sources(self._plan.limits.sources, lambda: self._send(stream, sources))
        if self._gathering:
            self._gathering.begin(worker, stream, str(self._plan.root))
        start = worker_start(self._plan, os.environ, time_zone=_time_zone())
        env = {**start.env, **self._facts(worker)}
        stream.start(start.argv, env=env, cwd=start.cwd, links=start.links, folders=start.folders)
        stream.send_facts("worker", {"env": env, "cwd": start.cwd})  # for whoever opens a shell beside it
        return stream

    @staticmethod
    def _send(stream: PodStream, sources: Iterable[SharedArchive]) -> None:
        for archive in sources:
            stream.send_sources(archive.chunks(), str(archive.root))

    def _facts(self, worker: str) -> dict[str, str]:
        secrets = self._credentials[worker]
        return {
            "PADDOCK_RUN": self._plan.run_id,
            "PADDOCK_WORKER": worker,
            "PADDOCK_NAMESPACE": self._namespace(worker),
            "PADDOCK_SERVICE_LIMIT": str(self._plan.limits.service),
            **to_environment(broker.facts(secrets[broker.NAME])),
            **to_environment(database.facts(secrets[database.NAME])),
            **self._declared_facts(),
        }

    def _declared_facts(self) -> dict[str, str]:
        facts = (ServiceFacts(kind=one.name, host=one.name, port=one.port) for one in self._plan.services)
        return {name: value for one in facts for name, value in to_environment(one).items()}

    def begun(self, worker: str) -> None:
        """Let the services of the worker's namespace start, if they have not."""
        self._leases.end_head_start(self._namespace(worker))

    def note(self, worker: str, doing: Doing) -> None:
        """Write what the worker is at on its namespace, in the background."""
        self._annotator.note(worker, doing)

    def cause(self, worker: str, seconds: float) -> str:
        """Return why a worker's process or pod went away, waiting up to ``seconds`` for news of it."""
        stream = self._streams.get(worker)
        status = (stream.wait(seconds) if stream else None) or ExitStatus()
        if status.code is not None or status.signal is not None:
            return describe(status)
        return self._leases.await_end(self._namespace(worker), seconds) or status.cause

    def release(self) -> Account:
        """End all streams and leases, ask for the deletion of every namespace and account for it."""
        notes = self._gathered()
        for stream in list(self._streams.values()):
            stream.kill()
        self._annotator.close()
        self._leases.close()
        self._teller.join()
        seconds = self._plan.limits.release
        account = release(self._cluster, self._plan.run_id, self._leases.namespaces, seconds=seconds)
        self._cluster.close()
        return replace(account, notes=notes)

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
            raise LeaseError(f"The worker {worker} cannot be reached any more: {ended}.")
        return self._cluster.execute(namespace, "worker", "worker", manifests.supervisor_command(self._plan, "attach"))

    def _tell_failures(self) -> None:
        """Tell a worker when a service of its namespace cannot run, so that its tests say why instead of timing out."""
        told: set[tuple[str, str]] = set()
        while failure := self._leases.await_failure(told):
            (namespace, service), reason = failure
            told.add((namespace, service))
            for worker, stream in list(self._streams.items()):
                if self._namespace(worker) == namespace:
                    with suppress(StreamError):  # the worker has gone as well: nobody is left to be told
                        stream.send_facts(service, {"failure": reason})


def draw_credentials() -> dict[str, Mapping[str, str]]:
    """Draw the entries of all Secrets of one worker: name of the Secret -> its entries."""
    return {broker.NAME: broker.credentials(), database.NAME: database.credentials()}


def worker_objects(
    plan: RunPlan,
    worker: str,
    credentials: Mapping[str, Mapping[str, str]],
) -> manifests.NamespaceObjects:
    """Return everything that is made for one worker."""
    warm = warm_order(plan, os.environ, time_zone=_time_zone())
    return manifests.build(plan, worker, credentials, warm=warm)


def describe(status: ExitStatus) -> str:
    """Return in plain words how a worker's process ended."""
    if status.signal is not None:
        how = f"the worker process was ended by {signal.Signals(status.signal).name}"
    else:
        how = f"the worker process exited with code {status.code}"
    return f"{how}: {status.cause}" if status.cause else how


def _time_zone() -> str:
    """Return this machine's time zone by name; empty where it has none, which a pod takes for UTC as well."""
    local = Path("/etc/localtime")
    zones = f"{os.sep}zoneinfo{os.sep}"
    target = str(local.resolve()) if local.is_symlink() else ""
    return target.partition(zones)[2]
