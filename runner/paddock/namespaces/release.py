"""The end of namespaces: their deletion is asked for, their pods are deleted at once, and an account of it.

The namespace controller looks after 5 s for the first time, so that pods which are deleted by then cost it nothing.
Owns what may be deleted: only namespaces with our label whose run is recorded. It must not know workers or streams.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.daemons import DaemonExecutor
from paddock.deadlines import Deadline
from paddock.errors import ClusterError
from paddock.namespaces import obstacles, records
from paddock.specs import Account

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

_DELETED, _NEVER_MADE, _KEPT = "deleted", "never made", "kept"
_NOT_ASKED = "the run was left before its deletion was asked for"
_SECONDS = 60.0
"""Default limit of asking for the deletion of all namespaces."""

LAST_MOMENTS = 1.5
"""Seconds that pods have which the run has left to themselves: interpreters of workers may be ending in them. The
namespace controller lets 5 pass, so that it finds them empty all the same."""

_LOOK_EVERY = 0.2  # seconds between looks at namespaces that are going away; each takes the controller over 5 s


class Release:
    """The end of some namespaces, under way: what was reached can be asked at any time, from any thread."""

    def __init__(self, cluster: Cluster, run_id: str) -> None:
        self._cluster, self._run_id = cluster, run_id
        self._ends: dict[str, str] = {}
        self._asked: dict[str, Future[None]] = {}

    def begin(self, namespaces: Collection[str], *, seconds: float = _SECONDS) -> None:
        """Ask for the deletion of ``namespaces`` in the background; their pods stay until ``all`` deletes them.

        The namespace controller would delete them 5 s later. ``all`` asks again for what was refused.
        """
        deadline = Deadline(seconds)
        ending = [name for name in namespaces if self._ends.get(name) != _DELETED]
        pool = DaemonExecutor(requests.AT_ONCE, "release")
        self._asked |= {name: pool.submit(self._end, name, deadline) for name in ending}
        pool.shutdown(wait=False)

    def all(
        self,
        namespaces: Sequence[str],
        *,
        seconds: float = _SECONDS,
        pods_seconds: float | None = _SECONDS,
        kept: Collection[str] = (),
    ) -> Account:
        """Ask for the deletion of ``namespaces``, then delete all their pods at once, within ``seconds`` for all.

        The namespaces vanish some 5 s later, by the namespace controller; nobody waits for it here. The answers about
        pods are waited for up to ``pods_seconds``: whatever becomes of them, they go with their namespace, and who
        looks behind the prompt hastens those that are left; with ``None`` all are left to that. Pods come second,
        because their end keeps the node busy: with twenty namespaces the answers about these would take twice as long.
        Namespaces that are ``kept`` stay, and with them the record of the run.
        """
        deadline = Deadline(seconds)
        self._ends |= dict.fromkeys(kept, _KEPT)
        self._answered()
        self.begin([name for name in namespaces if name not in kept], seconds=deadline.remaining())
        self._answered()
        pods_of = list(self._asked) if pods_seconds is not None else []
        with _pods_deleted(self._cluster, pods_of, deadline, pods_seconds or 0.0):
            return self._closed(namespaces)

    def _answered(self) -> None:
        for one in list(self._asked.values()):
            one.result()

    def one(self, namespace: str, *, seconds: float = _SECONDS) -> None:
        """End one namespace while the others stay, as ``all`` does; nobody waits for it or its pods to vanish."""
        deadline = Deadline(seconds)
        with _pods_deleted(self._cluster, [namespace], deadline, 0.0):
            self._end(namespace, deadline)

    def _closed(self, namespaces: Sequence[str]) -> Account:
        account = self.account(namespaces)
        left = dict(account.left)
        if not left and not account.kept:
            _erase(self._cluster, self._run_id, left)
        return replace(account, left=left)

    def account(self, namespaces: Sequence[str]) -> Account:
        """Account for ``namespaces`` as far as it has come; one whose deletion was not asked for yet is left."""
        ends = {name: self._ends.get(name, _NOT_ASKED) for name in namespaces}
        kept, deleted = (tuple(name for name, end in ends.items() if end == one) for one in (_KEPT, _DELETED))
        left = {name: end for name, end in ends.items() if end not in {_DELETED, _NEVER_MADE, _KEPT}}
        created = tuple(name for name, end in ends.items() if end != _NEVER_MADE)
        return Account(created=created, deleted=deleted, left=left, kept=kept)

    def _end(self, namespace: str, deadline: Deadline) -> None:
        end = _delete(self._cluster, namespace, deadline)
        if end != _NEVER_MADE or self._ends.get(namespace) != _DELETED:  # gone by now is not never made
            self._ends[namespace] = end


def release(
    cluster: Cluster,
    run_id: str,
    namespaces: Sequence[str],
    *,
    seconds: float = _SECONDS,
    kept: Collection[str] = (),
) -> Account:
    """Release ``namespaces`` as :class:`Release` does."""
    return Release(cluster, run_id).all(namespaces, seconds=seconds, kept=kept)


def reap(cluster: Cluster, run_id: str, *, seconds: float) -> Account:
    """End everything of one run and wait up to ``seconds`` until it is gone; safe to call at any time, repeatedly.

    With 0 seconds nothing is waited for: what is asked to go counts as deleted, as in :func:`release`.
    """
    found = _of_run(cluster, run_id)
    ours = [_name(one) for one in found]
    alive = [_name(one) for one in found if not _is_going(one)]
    strangers = alive if alive and not records.exists(cluster, run_id) else []
    account = release(cluster, run_id, [name for name in alive if name not in strangers])
    left = dict(account.left) | dict.fromkeys(strangers, f"no run {run_id} is recorded, so it may not be ours")
    if seconds:
        left |= await_gone(cluster, run_id, seconds)
    if not found:
        _erase(cluster, run_id, left)
    return Account(created=ours, deleted=[name for name in ours if name not in left], left=left)


def _delete(cluster: Cluster, namespace: str, deadline: Deadline) -> str:
    try:
        existed = cluster.delete(requests.delete(requests.NAMESPACE, namespace), deadline=deadline)
    except ClusterError as error:
        return str(error)
    return _DELETED if existed else _NEVER_MADE


@contextlib.contextmanager
def _pods_deleted(cluster: Cluster, namespaces: Sequence[str], deadline: Deadline, seconds: float) -> Iterator[None]:
    """Have all pods of ``namespaces`` deleted meanwhile, and wait for it at the end, up to ``seconds`` from now."""
    patience = Deadline(seconds)
    pool = DaemonExecutor(requests.AT_ONCE, "release-pods")
    asked = [pool.submit(_delete_pods, cluster, name, deadline) for name in namespaces]
    try:
        yield
    finally:
        wait(asked, patience.remaining())
        pool.shutdown(wait=False)


def _delete_pods(cluster: Cluster, namespace: str, deadline: Deadline) -> None:
    with contextlib.suppress(ClusterError):  # what stands in the way will be told of the namespace
        cluster.delete(requests.delete_pods(namespace), deadline=deadline)


def hasten(cluster: Cluster, run_id: str) -> None:
    """Delete the pods of a run's namespaces that are being deleted, where that was not done yet.

    They have their last moments first: see ``LAST_MOMENTS``.

    Raises:
        ClusterError: nobody could be asked.
    """
    time.sleep(LAST_MOMENTS)
    going = [_name(one) for one in _of_run(cluster, run_id) if _is_going(one)]
    with _pods_deleted(cluster, going, Deadline(_SECONDS), _SECONDS):
        pass


def await_gone(cluster: Cluster, run_id: str, seconds: float) -> Mapping[str, str]:
    """Wait up to ``seconds`` until the namespaces of a run that are being deleted are gone; return why others stay.

    It only looks. One that is not being deleted is not waited for: it was left for a reason, or is another run's.

    Raises:
        ClusterError: nobody could be asked.
    """
    deadline = Deadline(seconds)
    while True:
        going = [one for one in _of_run(cluster, run_id) if _is_going(one)]
        if deadline.passed or not going:
            return {_name(one): obstacles.explain(cluster, one) for one in going}
        time.sleep(deadline.at_most(_LOOK_EVERY))


def _is_going(namespace: Manifest) -> bool:
    return "deletionTimestamp" in namespace["metadata"]


def _of_run(cluster: Cluster, run_id: str) -> list[Manifest]:
    return cluster.list_objects(requests.NAMESPACE, selector=names.selector(names.labels(run_id)))


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def _erase(cluster: Cluster, run_id: str, left: dict[str, str]) -> None:
    try:
        records.erase(cluster, run_id)
    except ClusterError as error:
        left[records.record_name(run_id)] = str(error)
