"""The oldest Kubernetes that Paddock runs on, declared once, and the refusal of older ones.

Owns how a server's version is read. It must not know which cluster was chosen, nor why.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from paddock.cluster.requests import VERSION
from paddock.errors import UsageError

if TYPE_CHECKING:
    from paddock.cluster.client import Cluster
    from paddock.deadlines import Deadline

MINIMUM = (1, 34)
"""The oldest minor version that is tested: ``nox -s oldest`` builds it and runs tests on it."""


def require(cluster: Cluster, *, deadline: Deadline | None = None) -> str:
    """Return the version that the API server tells, such as ``v1.36.4``.

    Raises:
        UsageError: it is older than :data:`MINIMUM`.
        ClusterError: it was not told.
    """
    told = str(cluster.send(VERSION, deadline=deadline).get("gitVersion", ""))
    if minor(told) < MINIMUM:
        raise UsageError(
            f"The cluster of the context {cluster.context!r} at {cluster.server} runs Kubernetes {told or 'unknown'}, "
            f"and {shown()} or newer is needed. Upgrade it, or choose another with --paddock-context."
        )
    return told


def minor(told: str) -> tuple[int, ...]:
    """Return major and minor of a version as servers tell it, such as ``v1.34.1-eks-3025e55``; ``()`` of other text.

    The fields of their own name are not used: some providers write ``34+`` there.
    """
    found = re.match(r"v(\d+)\.(\d+)", told)
    return tuple(map(int, found.groups())) if found else ()


def shown() -> str:
    """Return :data:`MINIMUM` for people."""
    return ".".join(map(str, MINIMUM))
