"""The leases of a run: one namespace per worker, all made at once.

Owns the making of a namespace's objects and the waiting for its worker pod, on one watch for the whole run.
It must not know streams, services' meaning or pytest.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.cluster.retrying import RetryPolicy, is_transient
from paddock.cluster.watching import Watch
from paddock.deadlines import Deadline
from paddock.errors import ClusterError, LeaseError, NotAllowed
from paddock.namespaces import causes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.cluster.watching import Key
    from paddock.namespaces.manifests import NamespaceObjects
    from paddock.specs import PhaseLimits

_REQUESTS_AT_ONCE = 8
"""More make the API server of a small node no faster, and its priority and fairness queues slower."""

_HEAD_START = 2.0
"""Seconds that services wait at most until the worker has collected its tests. On two processors everything at once
takes the worker longer; the services are ready no later for it, since the processors are the limit."""

_CONTROLLERS_BEHIND = ("serviceaccount", "service account", "unknown for quota", "not yet ready to handle request")


def _worth_another_try(error: ClusterError) -> bool:
    # A pod is forbidden until the controllers have seen its account and its quota: milliseconds, not a missing right.
    behind = isinstance(error, NotAllowed) and any(sign in str(error) for sign in _CONTROLLERS_BEHIND)
    return behind or is_transient(error)


POLICY = RetryPolicy(worth_it=_worth_another_try, first_pause=0.01, longest_pause=0.5)


class Leases:
    """Makes namespaces and says when their worker pods run; safe to use from several threads."""

    def __init__(self, cluster: Cluster, run_id: str, limits: PhaseLimits) -> None:
        self._cluster, self._limits = cluster, limits
        self._pool = ThreadPoolExecutor(_REQUESTS_AT_ONCE, thread_name_prefix="lease-request")
        self._makers: dict[str, Future[None]] = {}
        self._refused: dict[Key, str] = {}
        self._head_starts: dict[str, threading.Event] = {}
        self._asked: list[str] = []
        self._lock = threading.Lock()
        self._coordinators: list[threading.Thread] = []
        self._pods = Watch(cluster, requests.POD, names.selector(names.labels(run_id)))

    @property
    def namespaces(self) -> list[str]:
        """Every namespace whose making was begun, in order."""
        return list(self._asked)

    @property
    def pods(self) -> Mapping[Key, Manifest]:
        """The latest state of all pods of the run."""
        return self._pods.objects

    def begin(self, objects: NamespaceObjects) -> None:
        """Start making a namespace and return; failures are told by ``await_worker``."""
        made: Future[None] = Future()
        with self._lock:
            self._makers[objects.name] = made
            self._head_starts[objects.name] = threading.Event()
            self._asked.append(objects.name)
            thread = threading.Thread(target=self._make, args=(objects, made), name=objects.name, daemon=True)
            self._coordinators.append(thread)
        thread.start()

    def end_head_start(self, namespace: str) -> None:
        """Let the services of ``namespace`` be made now: its worker is ready for tests."""
        self._head_starts[namespace].set()

    def await_asked(self, seconds: float) -> None:
        """Wait up to ``seconds`` until every worker pod is asked for, or cannot be: ``await_worker`` tells why."""
        with self._lock:
            makers = list(self._makers.values())
        wait(makers, seconds)

    def await_worker(self, namespace: str) -> None:
        """Wait until the worker pod of ``namespace`` runs.

        Raises:
            LeaseError: it does not come within the limits, or never will; the message names cause and remedy.
        """
        try:
            self._makers[namespace].result(timeout=self._limits.namespace + 1)
        except TimeoutError:
            raise LeaseError(
                f"Namespace {namespace} was not made within {self._limits.namespace:.0f} s. "
                "Look at the API server, or allow more with --paddock-namespace-limit.",
            ) from None
        deadline = Deadline(self._limits.scheduling)
        key = (namespace, "worker")
        if self._pods.wait(lambda pods: self._runs(pods.get(key), namespace), deadline) is None:
            raise self._too_late(namespace, self._pods.objects.get(key))

    def cause(self, namespace: str) -> str:
        """Return why the worker pod of ``namespace`` is gone, in plain words; empty while it runs."""
        pod = self._pods.objects.get((namespace, "worker"))
        return causes.ended(pod) if pod else f"pod worker in namespace {namespace} is gone"

    def await_end(self, namespace: str, seconds: float) -> str:
        """Wait up to ``seconds`` for news of a worker pod's end and return its cause; empty when there is none."""
        return self._pods.wait(lambda _: self.cause(namespace) or None, Deadline(seconds)) or ""

    def await_failure(self, told: Collection[Key]) -> tuple[Key, str] | None:
        """Wait for a service's pod that cannot run and is not among ``told``; ``None`` once this is closed."""

        def find(pods: Mapping[Key, Manifest]) -> tuple[Key, str] | None:
            reasons = {key: causes.hopeless(pod) for key, pod in pods.items() if key[1] != "worker"} | self._refused
            return next(((key, reason) for key, reason in reasons.items() if reason and key not in told), None)

        return self._pods.wait(find, Deadline(threading.TIMEOUT_MAX))

    def close(self) -> None:
        """End the watch and all threads; namespaces stay."""
        for head_start in self._head_starts.values():
            head_start.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for thread in self._coordinators:
            thread.join()
        self._pods.close()

    def _make(self, objects: NamespaceObjects, made: Future[None]) -> None:
        deadline = Deadline(self._limits.namespace)
        try:
            for stage in objects.stages:
                for request in [self._pool.submit(self._create, manifest, deadline) for manifest in stage]:
                    request.result()
                if any(manifest["kind"] == "Pod" for manifest in stage) and not made.done():
                    made.set_result(None)
                    self._head_starts[objects.name].wait(_HEAD_START)
        except BaseException as error:  # noqa: BLE001 - refused, cancelled by close or a defect: who waits must learn of it
            self._tell_refusal(objects, made, str(error) or type(error).__name__)

    def _tell_refusal(self, objects: NamespaceObjects, made: Future[None], reason: str) -> None:
        if not made.done():
            made.set_exception(LeaseError(f"Namespace {objects.name} could not be made: {reason}"))
            return
        self._refused |= {(objects.name, service): f"it could not be made: {reason}" for service in objects.services}
        self._pods.notify()

    def _create(self, manifest: Manifest, deadline: Deadline) -> None:
        self._cluster.create(manifest, deadline=deadline, policy=POLICY)

    @staticmethod
    def _runs(pod: Manifest | None, namespace: str) -> bool | None:
        if pod is None:
            return None
        if reason := causes.hopeless(pod):
            raise LeaseError(f"Pod worker in namespace {namespace} cannot run: {reason}")
        return causes.is_running(pod) or None

    def _too_late(self, namespace: str, pod: Manifest | None) -> LeaseError:
        reason = causes.pending(pod) if pod else "the API server has not shown it"
        return LeaseError(
            f"Pod worker in namespace {namespace} did not run within {self._limits.scheduling:.0f} s: {reason}. "
            "More time is allowed by --paddock-scheduling-limit.",
        )
