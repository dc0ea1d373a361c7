"""Why a namespace that is being deleted stays: objects that a finalizer holds, an API that does not answer.

The namespace's own conditions say which kinds remain; the objects are asked for here, so that one of them can be named.
It only reads, and what it may not read it leaves out. It must not know runs or workers.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock.cluster.requests import API_SERVICE, NAMESPACE, Kind, Request, list_objects
from paddock.cluster.retrying import ONCE
from paddock.deadlines import Deadline
from paddock.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

_REMAINING = re.compile(r"([a-z0-9-]+)\.([a-z0-9.-]*) has \d+ resource instances?")
"""What the namespace controller says of a kind: plural and group, the core group being empty."""
_CONTENT, _DISCOVERY = "NamespaceContentRemaining", "NamespaceDeletionDiscoveryFailure"
_SAID_OTHERWISE = {_CONTENT, "NamespaceFinalizersRemaining"}
"""Conditions whose content the named objects say better."""
_NAMED = 3
"""Objects that are named; more of the same would bury what to do."""
_SECONDS = 5.0
"""For all that is asked about one namespace: who explains is at the end of a wait already."""


def explain(cluster: Cluster, namespace: Manifest) -> str:
    """Return in plain words what keeps a namespace that is being deleted, and what to do about it."""
    deadline = Deadline(_SECONDS)
    found = [*_held_objects(cluster, namespace, deadline), *_silent_apis(cluster, namespace, deadline)]
    found += _messages(namespace, _SAID_OTHERWISE if found else set())
    return (
        "; ".join([*found, *_own_finalizers(namespace)]) or f"its phase is {_status(namespace).get('phase', 'unknown')}"
    )


def _held_objects(cluster: Cluster, namespace: Manifest, deadline: Deadline) -> Iterator[str]:
    name, named = namespace["metadata"]["name"], 0
    for plural, group in _REMAINING.findall(_condition(namespace, _CONTENT)):
        for held in _with_finalizers(cluster, plural, group, name, deadline):
            named += 1
            if named <= _NAMED:
                yield _held(plural, group, held["metadata"], name)
    if named > _NAMED:
        yield f"so do {named - _NAMED} more objects"


def _held(plural: str, group: str, metadata: Manifest, namespace: str) -> str:
    resource = f"{plural}.{group}" if group else plural
    finalizers = ", ".join(metadata["finalizers"])
    return (
        f"{resource}/{metadata['name']} keeps the finalizer {finalizers}. Start what is to remove it, or do so: "
        f"kubectl patch {resource} {metadata['name']} --namespace={namespace} --type=merge "
        """--patch='{"metadata":{"finalizers":null}}'"""
    )


def _with_finalizers(
    cluster: Cluster, plural: str, group: str, namespace: str, deadline: Deadline
) -> Iterator[Manifest]:
    with suppress(ClusterError):
        kind = Kind(_api(cluster, group, deadline), plural)
        answer = cluster.send(list_objects(kind, namespace=namespace), deadline=deadline, policy=ONCE)
        yield from (one for one in answer.get("items", ()) if one["metadata"].get("finalizers"))


def _api(cluster: Cluster, group: str, deadline: Deadline) -> str:
    if not group:
        return NAMESPACE.api
    answer = cluster.send(Request("GET", f"/apis/{group}"), deadline=deadline, policy=ONCE)
    return f"apis/{answer['preferredVersion']['groupVersion']}"


def _silent_apis(cluster: Cluster, namespace: Manifest, deadline: Deadline) -> Iterator[str]:
    if not _condition(namespace, _DISCOVERY):
        return
    with suppress(ClusterError):
        for service in cluster.send(list_objects(API_SERVICE), deadline=deadline, policy=ONCE).get("items", ()):
            for condition in _status(service).get("conditions", ()):
                if (condition["type"], condition["status"]) == ("Available", "False"):
                    yield (
                        f"the aggregated API {service['metadata']['name']} is down ({condition.get('message', '')}), "
                        "so nobody knows whether it has objects there. Mend what serves it, or delete its APIService"
                    )


def _own_finalizers(namespace: Manifest) -> Iterator[str]:
    own = namespace["metadata"].get("finalizers")
    if own:
        yield f"the namespace itself keeps the finalizer {', '.join(own)}"


def _messages(namespace: Manifest, without: set[str]) -> list[str]:
    return [message for kind, message in _standing(namespace) if message and kind not in without]


def _condition(namespace: Manifest, kind: str) -> str:
    return next((message for standing, message in _standing(namespace) if standing == kind), "")


def _standing(namespace: Manifest) -> Iterator[tuple[str, str]]:
    """Yield type and message of the conditions that hold."""
    for one in _status(namespace).get("conditions", ()):
        if one.get("status") == "True":
            yield one.get("type", ""), one.get("message", "")


def _status(manifest: Manifest) -> Manifest:
    return dict(manifest.get("status", {}))
