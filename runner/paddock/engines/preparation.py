"""What a Kubernetes run needs before its first namespace: a cluster, images, a plan.

Owns the order of these steps. It must not make namespaces or know streams.
"""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock import images, node
from paddock.cluster import connect
from paddock.errors import UsageError
from paddock.specs import DEFAULT_UID, RunPlan
from paddock.workers import inpod_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from paddock.cluster.client import Cluster
    from paddock.engines.request import RunRequest
    from paddock.node import NodeAccess


@dataclass(frozen=True)
class Prepared:
    """A cluster that may be used, and the plan of the run on it."""

    cluster: Cluster
    plan: RunPlan


def prepare(request: RunRequest, workers: Sequence[str], report: Callable[[str], None]) -> Prepared:
    """Connect to the chosen cluster, bring the embedded node up where that is the choice, and make the images.

    Raises:
        UsageError: the chosen context is not allowed, or cannot be used by this version.
        InfrastructureError: node, images or cluster failed.
    """
    access = _embedded_access(request, report)
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    uid = os.getuid() or DEFAULT_UID
    made, python = images.ensure(
        access.registry,
        crane=lambda: node.tool("crane"),
        inpod=inpod_files.files(),
        uid=uid,
        report=report,
        roots=[one.root for one in request.sources],
    )
    plan = RunPlan(
        run_id=request.run_id,
        workers=tuple(workers),
        root=request.root,
        working_directory=request.working_directory,
        images=made,
        python=python,
        uid=uid,
        limits=request.limits,
        deadline=request.deadline,
        environment=request.environment,
        worker_memory=request.worker_memory,
        worker_cpu=request.worker_cpu,
        artifacts=request.artifacts,
    )
    return Prepared(cluster, plan)


def holder() -> str:
    """Return whose run this is, for the run's record: user, machine and process."""
    return f"{getpass.getuser()}@{socket.gethostname()}/{os.getpid()}"


def reachable_cluster(context: str | None, kubeconfig: Path | None) -> Cluster | None:
    """Return the cluster a run would use, without starting anything; ``None`` if the embedded node is down."""
    choice = connect.choose(context, kubeconfig)
    if choice.context != connect.EMBEDDED or choice.kubeconfig is not None:
        return connect.connect(choice)
    access = node.access()
    return connect.connect(choice, access.plain_kubeconfig) if access else None


def _embedded_access(request: RunRequest, report: Callable[[str], None]) -> NodeAccess:
    choice = connect.choose(request.context, request.kubeconfig)
    if choice.context != connect.EMBEDDED or choice.kubeconfig is not None:
        # Images for a foreign cluster need a registry that its nodes pull from; that is the issue after this one.
        raise UsageError(
            f"The context {choice.context!r} is allowed, but this version runs only on the embedded node. "
            f"Say --paddock-context={connect.EMBEDDED}.",
        )
    return node.access() or node.up(report=report)
