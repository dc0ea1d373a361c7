"""Namespaces and records with versions, as an API server keeps them: a stale version is refused."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from paddock import names
from paddock.errors import ClusterUnreachable, Conflict, NotFound
from paddock.namespaces import records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paddock.cluster.requests import Request


class ApiServer:
    """As much of a cluster as clients and reapers of runs see."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.namespaces: dict[str, dict[str, Any]] = {}
        self.broken = False
        self._versions = iter(range(1, 10**9))

    def record(self, run: str, holder: str, duration: int | None = 15) -> None:
        """Keep a record as a client of this version writes it, or without a duration as earlier ones did."""
        made = records.manifest(run, holder, duration or 0)
        if duration is None:
            made["spec"] = {"holderIdentity": holder}
        self.records[made["metadata"]["name"]] = self._versioned(made)

    def namespace(self, run: str, worker: str, labels: dict[str, str] | None = None) -> None:
        """Keep a namespace; without ``labels`` it has those that ours have."""
        name = f"paddock-{run}-{worker}"
        found = names.labels(run, worker) if labels is None else labels
        self.namespaces[name] = {"metadata": {"name": name, "labels": found}}

    def _versioned(self, one: dict[str, Any]) -> dict[str, Any]:
        one["metadata"]["resourceVersion"] = str(next(self._versions))
        return one

    def send(self, request: Request, **_: object) -> dict[str, Any]:
        """Answer a look at a record, or a change of it."""
        if self.broken:
            raise ClusterUnreachable("nobody there")
        name = request.path.rpartition("/")[2]
        if name not in self.records:
            raise NotFound("no such record", status=404)
        record = self.records[name]
        if request.method == "PATCH" and request.body:
            wanted = request.body.get("metadata", {}).get("resourceVersion")
            if wanted not in {None, record["metadata"]["resourceVersion"]}:
                raise Conflict("it has changed", status=409)
            record["spec"] |= request.body["spec"]
            self._versioned(record)
        return copy.deepcopy(record)

    def list_objects(self, kind: Any, *, selector: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """Return what carries all labels of a selector."""
        wanted = dict(pair.split("=") for pair in selector.split(","))
        there: Iterable[dict[str, Any]] = (self.records if kind.plural == "leases" else self.namespaces).values()
        assert (namespace == names.RUN_RECORDS_NAMESPACE) == (kind.plural == "leases")
        return [copy.deepcopy(one) for one in there if wanted.items() <= one["metadata"]["labels"].items()]

    def delete(self, request: Request, **_: object) -> bool:
        """Delete a namespace or a record."""
        kept = self.records if "/leases/" in request.path else self.namespaces
        return kept.pop(request.path.rpartition("/")[2], None) is not None
