"""Namespaces and records with versions, as an API server keeps them: a stale version is refused."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paddock import names
from paddock.deadlines import Deadline
from paddock.errors import ClusterUnreachable, Conflict, NotAllowed, NotFound
from paddock.namespaces import records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paddock.cluster.requests import Request
    from paddock.cluster.retrying import RetryPolicy


class ApiServer:
    """As much of a cluster as clients and reapers of runs see."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.namespaces: dict[str, dict[str, Any]] = {}
        self.pods: dict[tuple[str, str], dict[str, Any]] = {}
        self.full = 0
        """So many pods are refused before one is made, as while a quota still counts those that have gone."""
        self.broken = False
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.context, self.kubeconfig = "paddock", None
        self._versions = iter(range(1, 10**9))

    def record(self, run: str, holder: str, duration: int | None = 15) -> None:
        """Keep a record as a client of this version writes it, or without a duration as earlier ones did."""
        made = records.manifest(run, holder, duration or 0)
        if duration is None:
            made["spec"] = {"holderIdentity": holder}
        self.records[made["metadata"]["name"]] = self._versioned(made)

    def reserved(self, run: str, holder: str, annotations: dict[str, str]) -> None:
        """Keep a record that nobody renews, on purpose."""
        self.record(run, holder, None)
        self.records[records.record_name(run)]["metadata"]["annotations"] = annotations

    def time(self) -> datetime:
        """Return this server's own time."""
        return self.now

    def namespace(self, run: str, worker: str, labels: dict[str, str] | None = None) -> None:
        """Keep a namespace; without ``labels`` it has those that ours have."""
        name = f"paddock-{run}-{worker}"
        found = names.labels(run, worker) if labels is None else labels
        self.namespaces[name] = {"metadata": {"name": name, "labels": found}}

    def _versioned(self, one: dict[str, Any]) -> dict[str, Any]:
        one["metadata"]["resourceVersion"] = str(next(self._versions))
        return one

    def send(
        self, request: Request, *, deadline: Deadline | None = None, policy: RetryPolicy | None = None
    ) -> dict[str, Any]:
        """Answer a look at a record or a namespace, a change of it, or the making of a pod, by the caller's policy."""
        if policy:
            return policy.run(lambda: self._answer(request), deadline or Deadline(1))
        return self._answer(request)

    def _answer(self, request: Request) -> dict[str, Any]:
        if self.broken:
            raise ClusterUnreachable("nobody there")
        if request.method == "POST" and request.body:
            return self._create(request.body)
        there = self.records if "/leases/" in request.path else self.namespaces
        name = request.path.rpartition("/")[2]
        if name not in there:
            raise NotFound("no such object", status=404)
        if request.method == "PATCH" and request.body:
            wanted = request.body.get("metadata", {}).get("resourceVersion")
            if wanted not in {None, there[name]["metadata"].get("resourceVersion")}:
                raise Conflict("it has changed", status=409)
            there[name] = self._versioned(merged(there[name], request.body))
        return copy.deepcopy(there[name])

    def _create(self, pod: dict[str, Any]) -> dict[str, Any]:
        metadata = pod["metadata"]
        if self.full:
            self.full -= 1
            raise NotAllowed("pods is forbidden: exceeded quota: bounds", status=403)
        if (metadata["namespace"], metadata["name"]) in self.pods:
            raise Conflict("it exists", status=409)
        self.pods[metadata["namespace"], metadata["name"]] = pod
        return pod

    def list_objects(self, kind: Any, *, selector: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """Return what carries all labels of a selector."""
        wanted = dict(pair.split("=") for pair in selector.split(","))
        kinds: dict[str, Iterable[dict[str, Any]]] = {
            "leases": self.records.values(),
            "namespaces": self.namespaces.values(),
            "pods": self.pods.values(),
        }
        there = kinds[kind.plural]
        assert (namespace == names.RUN_RECORDS_NAMESPACE) == (kind.plural == "leases")
        return [copy.deepcopy(one) for one in there if wanted.items() <= one["metadata"]["labels"].items()]

    def delete(self, request: Request, **_: object) -> bool:
        """Delete a namespace, all pods of one, or a record."""
        if self.broken:
            raise ClusterUnreachable("nobody there")
        if request.path.endswith("/pods"):
            place = request.path.split("/")[-2]
            self.pods = {key: pod for key, pod in self.pods.items() if key[0] != place}
            return True
        kept = self.records if "/leases/" in request.path else self.namespaces
        return kept.pop(request.path.rpartition("/")[2], None) is not None


def merged(one: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return an object with a merge patch applied (RFC 7386)."""
    result = dict(one)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key, {}), value) if isinstance(value, dict) else value
    return result
