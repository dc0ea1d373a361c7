"""The leases of a run: one namespace per worker, all made at once.

Owns the making of a namespace's objects and the waiting for its worker pod, on one watch for the whole run.
It must not know streams, services' meaning or pytest.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from paddock import names
from paddock.cluster import requests
from paddock.cluster.retrying import RetryPolicy, is_transient
from paddock.cluster.watching import Watch, key_of
from paddock.daemons import DaemonExecutor
from paddock.deadlines import Deadline
from paddock.errors import ClusterError, LeaseError, NotAllowed
from paddock.namespaces import diagnosis, inquiry
from paddock.namespaces.causes import Kind, tell
from paddock.namespaces.refusals import Refusals
from paddock.namespaces.ways import WORKER, Ways
from paddock.specs import ASKED, RUNNING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.cluster.watching import Key
    from paddock.namespaces.manifests import NamespaceObjects
    from paddock.specs import Cause, PhaseLimits, Way

_HEAD_START = 2.0
"""Seconds that services wait at most until the worker has collected its tests. On two processors everything at once
takes the worker longer; the services are ready no later for it, since the processors are the limit."""

_CONTROLLERS_BEHIND = ("serviceaccount", "service account", "unknown for quota", "not yet ready to handle request")


def _worth_another_try(error: ClusterError) -> bool:
    # A pod is forbidden until the controllers have seen its account and its quota: milliseconds, not a missing right.
    behind = isinstance(error, NotAllowed) and any(sign in str(error) for sign in _CONTROLLERS_BEHIND)
    return behind or is_transient(error)


POLICY = RetryPolicy(worth_it=_worth_another_try, first_pause=0.01, longest_pause=0.5)


class Failure(NamedTuple):
    """A pod of a service that cannot run."""

    key: Key
    cause: Cause
    refused: int = 0
    """Which refusal of its node in this place it is, the first being 1; 0 for any other cause."""
    is_followed: bool = False
    """Whether another pod is to take its place: see ``Leases.make_anew``."""


class Leases:
    """Makes namespaces and says when their worker pods run; safe to use from several threads."""

    def __init__(self, cluster: Cluster, run_id: str, limits: PhaseLimits) -> None:
        self._cluster, self._limits = cluster, limits
        self._pool = DaemonExecutor(requests.AT_ONCE, "lease-request")
        self._makers: dict[str, Future[None]] = {}
        self._refused: dict[Key, Cause] = {}
        self._refusals = Refusals()
        self._services: dict[Key, Manifest] = {}
        """The pods of services, as they are made."""
        self._closing = threading.Event()
        self._failures: dict[str, Cause] = {}
        self._head_starts: dict[str, threading.Event] = {}
        self._asked: list[str] = []
        self.ways = Ways()
        self._given_up: set[str] = set()
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

    @property
    def seen(self) -> Mapping[Key, Manifest]:
        """The latest state of all pods of the run, and of those that have gone the last one."""
        return self._pods.seen

    def begin(self, objects: NamespaceObjects) -> None:
        """Start making a namespace and return; failures are told by ``await_worker``."""
        made: Future[None] = Future()
        with self._lock:
            self._makers[objects.name] = made
            self._head_starts[objects.name] = threading.Event()
            self._asked.append(objects.name)
            pods = (one for one in objects.all() if one["kind"] == "Pod")
            self._services |= {key_of(pod): pod for pod in pods if pod["metadata"]["name"] != WORKER}
            self.ways.note(objects.name, ASKED)
            thread = threading.Thread(target=self._make, args=(objects, made), name=objects.name, daemon=True)
            self._coordinators.append(thread)
        thread.start()

    def adopt(self, namespace: str) -> None:
        """Take in a namespace that is there already, whole."""
        made: Future[None] = Future()
        made.set_result(None)
        with self._lock:
            self._makers[namespace], self._head_starts[namespace] = made, threading.Event()
            self._asked.append(namespace)
            self.ways.note(namespace, ASKED)

    def await_whole(self, seconds: float) -> bool:
        """Return whether every namespace has all its objects, waiting up to ``seconds`` for those under way."""
        deadline = Deadline(seconds)
        for head_start in list(self._head_starts.values()):
            head_start.set()
        for thread in list(self._coordinators):
            thread.join(deadline.remaining())
        made = all(one.done() and one.exception() is None for one in self._makers.values())
        return made and not self._refused and not any(thread.is_alive() for thread in self._coordinators)

    def give_up(self, namespace: str, seconds: float | None = None) -> bool:
        """Make nothing more of a namespace; return whether it may be deleted now, since its making has come to rest.

        A deletion beside its making could be overtaken: the namespace would be there afterwards. It is waited for up to
        ``seconds``, by default as long as the making of a namespace may take.
        """
        self._given_up.add(namespace)
        self._head_starts[namespace].set()
        wait([self._makers[namespace]], self._limits.namespace if seconds is None else seconds)
        return self._makers[namespace].done()

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

    def await_placed(self, namespace: str, services: Sequence[str]) -> None:
        """Wait until the pods of ``services`` have a node, and with it the hardware that they hold.

        Raises:
            LeaseError: they have none within the limit; the message names cause and remedy.
        """
        deadline = Deadline(self._limits.scheduling)
        for name in services:
            key = (namespace, name)
            if self._pods.wait(partial(self._is_placed, key), deadline) is None:
                raise self._too_late(namespace, self._pods.objects.get(key), name)

    def free(self, namespace: str, services: Sequence[str]) -> None:
        """Have the pods of ``services`` deleted, without waiting for it, so that others can have what they hold."""
        for name in services:
            self._given_up.add(namespace)
            with suppress(RuntimeError):  # closed: the namespace goes as a whole
                self._pool.submit(self._cluster.delete, requests.delete_pod(namespace, name))

    def start(self, pod: Manifest, seconds: float) -> str:
        """Make one more pod and wait until its probe passes; return its address.

        Raises:
            ClusterError: it is refused.
            LeaseError: it does not get ready within ``seconds``, or cannot run.
        """
        self._create(pod, Deadline(self._limits.namespace))
        namespace, name = key = key_of(pod)
        address = self._pods.wait(lambda pods: _address(pods.get(key), namespace, name), Deadline(seconds))
        if address is None:
            raise LeaseError(
                f"Pod {name} in namespace {namespace} did not pass its probe within {seconds:g} s: look at its log, or "
                "allow more with --paddock-service-limit."
            )
        return address

    def end(self, namespace: str, name: str) -> None:
        """End one pod, and wait until it has gone."""
        if self._cluster.delete(requests.delete_pod(namespace, name)):
            self._pods.wait(lambda pods: self._has_gone((namespace, name), pods), Deadline(self._limits.namespace))

    def _has_gone(self, key: Key, pods: Mapping[Key, Manifest]) -> bool | None:
        return key not in pods or self._closing.is_set() or None

    def way(self, namespace: str, services: Sequence[str] = ()) -> Way:
        """Return how far a worker pod has come, and what it waits for; asks nobody.

        Once it runs that may be the pods of ``services``.
        """
        way = self.ways.of(namespace, self._pods.objects.get((namespace, WORKER)))
        pods = [self._pods.objects.get((namespace, name)) for name in services] if RUNNING in way.over else []
        unplaced = next((pod for pod in pods if pod and not diagnosis.is_scheduled(pod)), None)
        return replace(way, waits_for=diagnosis.waits_for(unplaced)) if unplaced else way

    def cause(self, namespace: str) -> Cause | None:
        """Return why the worker pod of ``namespace`` is gone or never came; ``None`` while it runs. Asks nobody."""
        key = (namespace, "worker")
        pod = self._pods.objects.get(key)
        if pod or namespace in self._failures:
            return self._failures.get(namespace) or (diagnosis.ended(pod) if pod else None)
        last = self._pods.gone.get(key)
        return (diagnosis.ended(last) if last else None) or tell(Kind.POD_DELETED)

    def obstacle(self, namespace: str, services: Sequence[str] = ()) -> Cause | None:
        """Return why the scheduler has found no node for the worker pod of ``namespace`` so far. Asks nobody.

        Nor for the pods of those ``services`` without which the worker does not begin.
        """
        found = (self._pods.objects.get((namespace, name)) for name in (WORKER, *services))
        return next((cause for pod in found if pod and (cause := diagnosis.unscheduled(pod))), None)

    def explained(self, namespace: str, seconds: float, otherwise: Cause | None = None) -> Cause | None:
        """Wait up to ``seconds`` for news of a worker pod's end; return its cause, or ``otherwise``, made exact."""
        found = self.await_end(namespace, seconds) or otherwise
        key = (namespace, "worker")
        pod = self._pods.objects.get(key) or self._pods.gone.get(key)
        return inquiry.exact(self._cluster, found, pod) if found and pod else found

    def await_end(self, namespace: str, seconds: float) -> Cause | None:
        """Wait up to ``seconds`` for news of a worker pod's end and return its cause; asks nobody."""
        return self._pods.wait(lambda _: self.cause(namespace), Deadline(seconds))

    def await_failure(self, told: Collection[Key]) -> Failure | None:
        """Wait for a service's pod that cannot run and is not among ``told``; ``None`` once this is closed.

        One that its node refused is found once, whether another is to follow or not.
        """

        def find(pods: Mapping[Key, Manifest]) -> Failure | None:
            self.ways.look(pods)  # here every change of a pod comes by
            refused = (Failure(key, cause) for key, cause in list(self._refused.items()) if key not in told)
            failed = (self._failure(key, pod) for key, pod in pods.items() if key[1] != WORKER and key not in told)
            return next(refused, None) or next(filter(None, failed), None)

        return self._pods.wait(find, Deadline(threading.TIMEOUT_MAX))

    def _failure(self, key: Key, pod: Manifest) -> Failure | None:
        cause = diagnosis.hopeless(pod)
        if cause is None or self._refusals.has(key, pod):
            return None
        if not self._may_be_followed(key) or not diagnosis.is_turned_away(pod):
            return Failure(key, cause)
        is_followed = self._refusals.follows(key, pod)
        return Failure(key, cause, self._refusals.note(key, pod), is_followed)

    def make_anew(self, key: Key, pause: float) -> None:
        """Make a service's pod once more after a pause, in the background; where that fails, users of it are told."""
        thread = threading.Thread(target=self._make_anew, args=(key, pause), name=f"{key[0]} {key[1]}", daemon=True)
        thread.start()
        with self._lock:
            self._coordinators.append(thread)

    def _make_anew(self, key: Key, pause: float) -> None:
        namespace, name = key
        if self._closing.wait(pause) or namespace in self._given_up:
            return
        try:
            self.end(namespace, name)
            if self._closing.is_set():
                return
            self._create(self._services[key], Deadline(self._limits.namespace))
            if namespace in self._given_up:  # its worker was lost meanwhile: others are to have what it would hold
                self._cluster.delete(requests.delete_pod(namespace, name))
        except ClusterError as error:
            self._refused |= {key: diagnosis.refused(namespace, str(error))}
            self._pods.notify()

    def _is_followed(self, key: Key, pod: Manifest) -> bool:
        """Return whether a pod was refused by its node, and another is to take its place."""
        return self._may_be_followed(key) and self._refusals.follows(key, pod)

    def _may_be_followed(self, key: Key) -> bool:
        """Return whether a pod was made here, for a worker that is there."""
        return key in self._services and key[0] not in self._given_up

    def close(self) -> None:
        """End the watch and all threads; namespaces stay."""
        self._closing.set()
        self._pods.notify()
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
                if made.done() and objects.name in self._given_up:
                    return
                for request in [self._pool.submit(self._create, manifest, deadline) for manifest in stage]:
                    request.result()
                if any(manifest["kind"] == "Pod" for manifest in stage) and not made.done():
                    made.set_result(None)
                    self._head_starts[objects.name].wait(_HEAD_START)
        except BaseException as error:  # noqa: BLE001 - refused, cancelled by close or a defect: who waits must learn of it
            self._tell_refusal(objects, made, str(error) or type(error).__name__)

    def _tell_refusal(self, objects: NamespaceObjects, made: Future[None], reason: str) -> None:
        cause = diagnosis.refused(objects.name, reason)
        if not made.done():
            made.set_exception(self._failed(objects.name, cause, str(cause)))
        self._refused |= {(objects.name, service): cause for service in objects.services}
        self._pods.notify()

    def _failed(self, namespace: str, cause: Cause, sentence: str) -> LeaseError:
        self._failures[namespace] = cause
        return LeaseError(sentence)

    def _create(self, manifest: Manifest, deadline: Deadline) -> None:
        self._cluster.create(manifest, deadline=deadline, policy=POLICY)

    def _runs(self, pod: Manifest | None, namespace: str) -> bool | None:
        if pod is None:
            return None
        if cause := diagnosis.hopeless(pod):
            raise self._failed(namespace, cause, f"Pod worker in namespace {namespace} cannot run. {cause}")
        return diagnosis.is_running(pod) or None

    def _is_placed(self, key: Key, pods: Mapping[Key, Manifest]) -> bool | None:
        """Return whether a pod has a node; one that was refused never has, which is told to those who use it.

        One that its node refused is waited for no less than one that has none, as long as another is to follow.
        """
        pod = pods.get(key)
        there = pod is not None and diagnosis.is_scheduled(pod) and not self._is_followed(key, pod)
        return there or key in self._refused or None

    def _too_late(self, namespace: str, pod: Manifest | None, name: str = WORKER) -> LeaseError:
        waits = f"did not run within {self._limits.scheduling:.0f} s"
        if pod is None:
            return LeaseError(f"Pod {name} in namespace {namespace} {waits}: the API server has not shown it.")
        cause = inquiry.exact(self._cluster, diagnosis.pending(pod, inquiry.nodes(self._cluster)), pod)
        more = tell(Kind.LATE, message="").remedy
        text = f"Pod {name} in namespace {namespace} {waits}. {cause}"
        return self._failed(namespace, cause, text if more in text else f"{text} {more}")


def _address(pod: Manifest | None, namespace: str, name: str) -> str | None:
    if pod is None:
        return None
    if cause := diagnosis.hopeless(pod):
        raise LeaseError(f"Pod {name} in namespace {namespace} cannot run. {cause}")
    return str(pod["status"]["podIP"]) if diagnosis.is_ready(pod) else None
