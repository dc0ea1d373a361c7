"""Requests to the API server as pure values.

Owns paths, queries and verbs of the kinds that Paddock uses. It must not send anything:
the same values are sent by the client, compared in tests and counted for the role of the chart.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Manifest = dict[str, Any]
"""A Kubernetes object as data, in the API's own spelling."""


@dataclass(frozen=True)
class Kind:
    """Where the API server keeps a kind of object."""

    api: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Return the URL path of the collection, or of one object in it."""
        parts = [self.api, *(("namespaces", namespace) if self.namespaced and namespace else ()), self.plural]
        return "/" + "/".join([*parts, *([name] if name else [])])


AT_ONCE = 8
"""More requests at once make the API server of a small node no faster, and its priority and fairness queues slower."""

API_SERVICE = Kind("apis/apiregistration.k8s.io/v1", "apiservices", namespaced=False)
CONFIG_MAP = Kind("api/v1", "configmaps")
EVENT = Kind("api/v1", "events")
LEASE = Kind("apis/coordination.k8s.io/v1", "leases")
LIMIT_RANGE = Kind("api/v1", "limitranges")
NAMESPACE = Kind("api/v1", "namespaces", namespaced=False)
NODE = Kind("api/v1", "nodes", namespaced=False)
NETWORK_POLICY = Kind("apis/networking.k8s.io/v1", "networkpolicies")
POD = Kind("api/v1", "pods")
RESOURCE_QUOTA = Kind("api/v1", "resourcequotas")
SECRET = Kind("api/v1", "secrets")
SERVICE = Kind("api/v1", "services")
SERVICE_ACCOUNT = Kind("api/v1", "serviceaccounts")

KINDS: Mapping[str, Kind] = {
    "ConfigMap": CONFIG_MAP,
    "Event": EVENT,
    "Lease": LEASE,
    "LimitRange": LIMIT_RANGE,
    "Namespace": NAMESPACE,
    "NetworkPolicy": NETWORK_POLICY,
    "Pod": POD,
    "ResourceQuota": RESOURCE_QUOTA,
    "Secret": SECRET,
    "Service": SERVICE,
    "ServiceAccount": SERVICE_ACCOUNT,
}


@dataclass(frozen=True)
class Request:
    """One HTTP request, without server and credentials."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Manifest | None = None
    content_type: str = "application/json"

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def __str__(self) -> str:
        """Name verb and path only: bodies may hold credentials."""
        return f"{self.method} {self.path}"


VERSION = Request("GET", "/version")
"""The question that every account may ask."""


def create(manifest: Manifest) -> Request:
    """Return the request that creates ``manifest`` in its own namespace."""
    namespace = manifest["metadata"].get("namespace")
    return Request("POST", KINDS[manifest["kind"]].path(namespace), body=manifest)


def try_create(manifest: Manifest) -> Request:
    """Return the request that has everything checked as if ``manifest`` were created, unknown fields too."""
    return replace(create(manifest), query={"dryRun": "All", "fieldValidation": "Strict"})


def get(kind: Kind, name: str, namespace: str | None = None) -> Request:
    """Return the request that reads one object."""
    return Request("GET", kind.path(namespace, name))


def list_objects(kind: Kind, *, selector: str = "", fields: str = "", namespace: str | None = None) -> Request:
    """Return the request that lists a kind, in one namespace or in all."""
    return Request("GET", kind.path(namespace), _given({"labelSelector": selector, "fieldSelector": fields}))


def watch(kind: Kind, *, selector: str, resource_version: str, seconds: int) -> Request:
    """Return the request that streams changes for at most ``seconds``; an empty version replays what exists.

    Bookmarks keep the version fresh where nothing happens, so that it can be gone on from.
    """
    query = _given({"labelSelector": selector, "resourceVersion": resource_version})
    fixed = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
    return Request("GET", kind.path(), {**fixed, **query})


def annotate(kind: Kind, name: str, annotations: Mapping[str, str], namespace: str | None = None) -> Request:
    """Return the request that sets ``annotations`` on an object and leaves all else as it is."""
    return merge(kind, name, {"metadata": {"annotations": dict(annotations)}}, namespace)


def merge(kind: Kind, name: str, change: Manifest, namespace: str | None = None) -> Request:
    """Return the request that merges ``change`` into an object; a resourceVersion in it must be the object's own."""
    return Request("PATCH", kind.path(namespace, name), body=change, content_type="application/merge-patch+json")


def delete(kind: Kind, name: str, namespace: str | None = None) -> Request:
    """Return the request that deletes one object in the background."""
    return Request("DELETE", kind.path(namespace, name), {"propagationPolicy": "Background"})


def delete_pods(namespace: str) -> Request:
    """Return the request that ends all pods of a namespace at once.

    Grace 0: deleting the pods first takes 0.03-0.17 s and makes the namespace's own deletion no slower (measured).
    """
    return Request("DELETE", POD.path(namespace), {"gracePeriodSeconds": "0"})


def delete_pod(namespace: str, name: str) -> Request:
    """Return the request that ends one pod, by the right that ends them all.

    Grace 1, the least with which a pod's object goes after its processes, and not before.
    """
    return Request("DELETE", POD.path(namespace), {"gracePeriodSeconds": "1", "fieldSelector": f"metadata.name={name}"})


def execute(namespace: str, pod: str, container: str, command: Sequence[str]) -> str:
    """Return the request target of a duplex exec stream."""
    query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    return f"{POD.path(namespace, pod)}/exec?{urlencode([*query, *(('command', part) for part in command)])}"


def logs(
    namespace: str,
    pod: str,
    *,
    container: str = "",
    previous: bool = False,
    follow: bool = False,
    tail: int | None = None,
) -> Request:
    """Return the request that streams a container's log, by default that of the pod's only one.

    ``previous`` is the log of the container before its last restart; ``tail`` begins with so many lines.
    """
    query = {"container": container, "previous": "true" if previous else "", "follow": "true" if follow else ""}
    lines = {"tailLines": "" if tail is None else str(tail)}
    return Request("GET", f"{POD.path(namespace, pod)}/log", _given(query | lines))


def review(verb: str, kind: Kind, *, subresource: str = "", namespace: str = "") -> Request:
    """Return the question whether this account may do something; the answer is in its ``status``."""
    group = kind.api.split("/")[1] if kind.api.startswith("apis/") else ""
    attributes = {"verb": verb, "resource": kind.plural, "group": group}
    asked = attributes | _given({"subresource": subresource, "namespace": namespace})
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return Request("POST", path, body={**body, "spec": {"resourceAttributes": asked}})


def _given(query: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in query.items() if value}
