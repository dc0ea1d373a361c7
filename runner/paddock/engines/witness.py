"""What a run on a cluster knows of its own failures: keeps it, with what the failed worker's namespace still has.

Owns the watch of the run's namespaces, by which it learns that one is being deleted under the run: the namespace
controller waits 5 s before it deletes what is in it. It must not know why a worker or a test failed.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.cluster.watching import Watch
from paddock.deadlines import Deadline
from paddock.engines.evidence import Evidence, secrets_of
from paddock.errors import ClusterError
from paddock.namespaces.evidence import Collector
from paddock.report_folder import ReportFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.cluster.watching import Key
    from paddock.engines.evidence import Look
    from paddock.namespaces.leases import Leases
    from paddock.specs import Report, RunPlan

    Credentials = Mapping[str, Mapping[str, Mapping[str, str]]]

_WORKERS_LOG = "logs/worker.txt"
_NEWS_SECONDS = 2.0
"""How long a lost worker's pod is waited for to say how it ended: the kubelet reports it within a second or two."""
_LAST_WORDS = 64 << 10
"""Bytes of each worker's stderr that are kept here, in case that its pod goes with the log."""


class Witness:
    """Keeps evidence of a run in ``report``; ``credentials`` are each worker's own, by the name of the Secret."""

    def __init__(
        self, cluster: Cluster, plan: RunPlan, report: Report, leases: Leases, credentials: Credentials
    ) -> None:
        self._cluster, self._plan, self._report = cluster, plan, report
        self._leases, self._credentials = leases, credentials
        folder = ReportFolder(report.folder, plan.id_for_people)
        folder.clear()
        self._evidence = Evidence(self._secrets, folder, plan.limits.evidence)
        self._last_words: dict[str, Tail] = {}
        self._expected: set[str] = set()
        """Workers whose namespaces the run itself deletes."""
        self._lock = threading.Lock()
        self._watch: Watch | None = None
        self._closed = False

    def watch(self) -> None:
        """Look out for namespaces that are deleted under the run, from now on."""
        with self._lock:
            if self._watch or self._closed:
                return
            self._watch = Watch(self._cluster, requests.NAMESPACE, names.selector(names.labels(self._plan.run_id)))
            threading.Thread(target=self._guard, args=(self._watch,), name="namespace-guard", daemon=True).start()

    def hear(self, worker: str, line: bytes) -> None:
        """Take in a line of a worker's stderr."""
        self._last_words.setdefault(worker, Tail(_LAST_WORDS)).add(line)

    def preserve(self, worker: str, told: Mapping[str, str], *, lost: bool) -> None:
        """Begin to keep what is told of a worker and what its namespace has."""
        self._evidence.begin(worker, told, self._look(worker, lost=lost))
        if self._plan.shares_broker:
            self._evidence.begin(names.SHARED, {}, self._look(names.SHARED, lost=False))

    @property
    def keeps_anything(self) -> bool:
        """Whether anything was to be kept so far."""
        return self._evidence.begun

    def finish(self) -> list[str]:
        """Wait for what is under way, no longer than its limit; return what is to be told of it."""
        return self._evidence.finish(self._plan.limits.evidence)

    def expect_end(self, worker: str) -> None:
        """Note that the run itself deletes a worker's namespace from now on."""
        self._expected.add(worker)

    def close(self) -> None:
        """Look out no more: the run itself deletes its namespaces from now on."""
        with self._lock:
            self._closed, watch = True, self._watch
        if watch:
            watch.close()

    def _secrets(self, worker: str) -> set[str]:
        return secrets_of(self._plan, self._credentials.get(worker, {}))

    def _look(self, worker: str, *, lost: bool) -> Look:
        return lambda deadline: self._found(worker, deadline, _NEWS_SECONDS if lost else 0)

    def _found(self, worker: str, deadline: Deadline, patience: float) -> Iterator[tuple[str, str]]:
        namespace = names.namespace_name(self._plan.run_id, worker)
        found = set()

        def seen() -> dict[str, Manifest]:
            self._leases.await_end(namespace, deadline.at_most(patience))
            return {key[1]: pod for key, pod in self._leases.seen.items() if key[0] == namespace}

        for file in Collector(self._cluster, namespace, size=self._report.size, deadline=deadline).files(seen):
            found.add(file[0])
            yield file
        if _WORKERS_LOG not in found and worker in self._last_words:
            yield "stderr.txt", self._last_words[worker].text()

    def _guard(self, watch: Watch) -> None:
        told: set[Key] = set()

        def find(namespaces: Mapping[Key, Manifest]) -> tuple[Key, str] | None:
            going = ((key, one["metadata"]) for key, one in namespaces.items() if key not in told)
            found = ((key, _worker(one)) for key, one in going if one.get("deletionTimestamp") and _worker(one))
            return next(found, None)

        with suppress(ClusterError):  # no right to watch: the run goes on without a guard
            while found := watch.wait(find, Deadline(threading.TIMEOUT_MAX)):
                (_, namespace), worker = found
                told.add(found[0])
                if worker in self._expected:
                    continue
                cause = f"The namespace {namespace} was being deleted from outside while the run used it.\n"
                self.preserve(worker, {"deleted.txt": cause}, lost=False)


def _worker(metadata: Manifest) -> str:
    return str(metadata.get("labels", {}).get(names.WORKER, ""))


class Tail:
    """The last lines of a stream, at most ``size`` bytes; one thread adds, others read."""

    def __init__(self, size: int) -> None:
        self._room = size
        self._lines: deque[bytes] = deque()

    def add(self, line: bytes) -> None:
        """Take in a line; the oldest ones make room for it."""
        self._lines.append(line)
        self._room -= len(line) + 1
        while self._room < 0 and self._lines:
            self._room += len(self._lines.popleft()) + 1

    def text(self) -> str:
        """Return what there is."""
        return b"".join(line + b"\n" for line in self._lines.copy()).decode(errors="replace")
