"""What Paddock asks an API server for, as rights: of a run, and of the reaper. Pure.

The doctor asks for these, and the chart's roles hold exactly them; a test compares the reaper's with its requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.cluster.requests import Kind


@dataclass(frozen=True)
class Right:
    """Some verbs on a kind of object."""

    kind: Kind
    verbs: Sequence[str]
    subresource: str = ""

    @property
    def resource(self) -> str:
        """The kind as rules name it, such as ``pods/exec``."""
        return "/".join(filter(None, (self.kind.plural, self.subresource)))

    @property
    def namespace(self) -> str:
        """Where the right is needed; empty: everywhere, since names of namespaces are not known beforehand."""
        return names.RUN_RECORDS_NAMESPACE if self.kind is requests.LEASE else ""


REAPER = (
    Right(requests.NAMESPACE, ("delete", "list")),
    Right(requests.POD, ("deletecollection",)),
    Right(requests.LEASE, ("delete", "get", "list", "patch")),
)
"""What ends a run that nobody leads."""

RUN = (
    Right(requests.NAMESPACE, ("create", "delete", "get", "list", "patch", "watch")),
    Right(requests.POD, ("create", "deletecollection", "get", "list", "watch")),
    Right(requests.POD, ("create", "get"), "exec"),  # a WebSocket asks by GET, and both are checked
    Right(requests.POD, ("get",), "log"),
    Right(requests.EVENT, ("list",)),
    Right(requests.SECRET, ("create",)),
    Right(requests.CONFIG_MAP, ("create",)),
    Right(requests.SERVICE, ("create",)),
    Right(requests.SERVICE_ACCOUNT, ("create",)),
    Right(requests.LIMIT_RANGE, ("create",)),
    Right(requests.RESOURCE_QUOTA, ("create",)),
    Right(requests.NETWORK_POLICY, ("create",)),
    Right(requests.LEASE, ("create", "delete", "get", "list", "patch")),
)
"""What a run does, what it asks for when something goes wrong, and ``paddock ls``, ``logs`` and ``shell``."""

HELPFUL = (Right(requests.NODE, ("get", "list")),)
"""What a run does without where it may not: why a worker's node failed, and which images kind, k3d or minikube have."""
