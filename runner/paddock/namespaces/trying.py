"""Has the API server check a run's pods before anything of the run is created.

Owns the namespaces in which that happens: pods cannot be tried in a namespace that is only to come, so there is one
for each security level, which stays, empty. It must not know runs or workers.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from paddock import names
from paddock.cluster import requests
from paddock.deadlines import Deadline
from paddock.errors import Conflict, NotAllowed, NotFound, Rejected, UsageError
from paddock.namespaces.leases import POLICY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

_SECONDS = 15.0
_NO_RIGHT = "cannot create resource"
"""In the words of a missing right; every other 403 is an admission that refuses the pod itself."""


def check(cluster: Cluster, pods: Iterable[Manifest], level: str, said: str) -> None:
    """Try every pod under the security level ``level``; ``said`` names what the user had to do with them.

    Raises:
        UsageError: the API server would refuse one of them; its reason is quoted.
    """
    deadline = Deadline(_SECONDS)
    for pod in pods:
        tried = _in(pod, f"{names.TRIALS_NAMESPACE}-{level}")
        try:
            _try(cluster, tried, level, deadline)
        except (Rejected, NotAllowed) as error:
            if _NO_RIGHT in str(error):
                return  # who may not try finds out when the namespace is made
            raise UsageError(f"The pod {pod['metadata']['name']} with {said} is refused: {_reason(error)}") from None


def _try(cluster: Cluster, pod: Manifest, level: str, deadline: Deadline) -> None:
    request = requests.try_create(pod)
    try:
        cluster.send(request, deadline=deadline, policy=POLICY)
    except NotFound:
        with contextlib.suppress(Conflict):  # another run made it meanwhile
            cluster.create(_namespace(pod["metadata"]["namespace"], level), deadline=deadline)
        cluster.send(request, deadline=deadline, policy=POLICY)


def _in(pod: Manifest, namespace: str) -> Manifest:
    metadata = pod["metadata"] | {"namespace": namespace}
    return {**pod, "metadata": metadata, "spec": pod["spec"] | {"serviceAccountName": "default"}}


def _namespace(name: str, level: str) -> Manifest:
    labels = {"pod-security.kubernetes.io/enforce": level}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _reason(error: Exception) -> str:
    text = str(error)
    return text[text.index(": ") + 2 :] if ": " in text else text
