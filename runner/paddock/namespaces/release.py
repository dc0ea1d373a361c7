"""The end of namespaces: pods at once, namespaces asked for, and an account of it.

Owns what may be deleted: only namespaces with our label whose run is recorded. It must not know workers or streams.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.deadlines import Deadline
from paddock.errors import ClusterError
from paddock.namespaces import records
from paddock.specs import Account

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

_AT_ONCE = 8
_DELETED, _NEVER_MADE = "deleted", "never made"
_SECONDS = 60.0
"""Default limit of asking for the deletion of all namespaces."""

_LOOK_EVERY = 0.2  # seconds between looks at namespaces that are going away; each takes the controller over 5 s


def release(cluster: Cluster, run_id: str, namespaces: Sequence[str], *, seconds: float = _SECONDS) -> Account:
    """Delete the pods of all ``namespaces`` at once and ask for the namespaces' deletion, within ``seconds`` for all.

    The namespaces vanish some 5 s later, by the namespace controller; nobody waits for it here.
    """
    deadline = Deadline(seconds)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="release") as pool:
        ends = dict(zip(namespaces, pool.map(lambda name: _delete(cluster, name, deadline), namespaces), strict=True))
    created = [name for name, end in ends.items() if end != _NEVER_MADE]
    left = {name: end for name, end in ends.items() if end not in {_DELETED, _NEVER_MADE}}
    if not left:
        _erase(cluster, run_id, left)
    return Account(created=created, deleted=[name for name in created if name not in left], left=left)


def reap(cluster: Cluster, run_id: str, *, seconds: float) -> Account:
    """End everything of one run and wait up to ``seconds`` until it is gone; safe to call at any time, repeatedly.

    With 0 seconds nothing is waited for: what is asked to go counts as deleted, as in :func:`release`.
    """
    found = _of_run(cluster, run_id)
    ours = [_name(one) for one in found]
    alive = [_name(one) for one in found if "deletionTimestamp" not in one["metadata"]]
    strangers = alive if alive and not records.exists(cluster, run_id) else []
    account = release(cluster, run_id, [name for name in alive if name not in strangers])
    left = dict(account.left) | dict.fromkeys(strangers, f"no run {run_id} is recorded, so it may not be ours")
    if seconds:
        left |= _await_gone(cluster, run_id, {*ours} - {*left}, Deadline(seconds))
    if not found:
        _erase(cluster, run_id, left)
    return Account(created=ours, deleted=[name for name in ours if name not in left], left=left)


def _delete(cluster: Cluster, namespace: str, deadline: Deadline) -> str:
    try:
        cluster.delete(requests.delete_pods(namespace), deadline=deadline)
        existed = cluster.delete(requests.delete(requests.NAMESPACE, namespace), deadline=deadline)
    except ClusterError as error:
        return str(error)
    return _DELETED if existed else _NEVER_MADE


def _await_gone(cluster: Cluster, run_id: str, expected: Iterable[str], deadline: Deadline) -> dict[str, str]:
    waiting = set(expected)
    while waiting:
        present = {_name(one): one for one in _of_run(cluster, run_id)}
        waiting &= present.keys()
        if deadline.passed:
            return {name: _obstacle(present[name]) for name in waiting}
        if waiting:
            time.sleep(_LOOK_EVERY)
    return {}


def _obstacle(namespace: Manifest) -> str:
    conditions = namespace.get("status", {}).get("conditions", [])
    messages = [one.get("message", "") for one in conditions if one.get("status") == "True"]
    return "; ".join(filter(None, messages)) or f"its phase is {namespace.get('status', {}).get('phase', 'unknown')}"


def _of_run(cluster: Cluster, run_id: str) -> list[Manifest]:
    return cluster.list_objects(requests.NAMESPACE, selector=names.selector(names.labels(run_id)))


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def _erase(cluster: Cluster, run_id: str, left: dict[str, str]) -> None:
    try:
        records.erase(cluster, run_id)
    except ClusterError as error:
        left[records.record_name(run_id)] = str(error)
