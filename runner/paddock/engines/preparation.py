"""What a Kubernetes run needs before its first namespace: a cluster, images, a plan.

Owns the order of these steps. It must not make namespaces or know streams.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddock import images, node
from paddock.cluster import connect, requests, versions
from paddock.cluster.retrying import ONCE
from paddock.deadlines import Deadline
from paddock.engines import delivery, equipment, hardware, limits
from paddock.errors import ClusterError
from paddock.namespaces import manifests, trying
from paddock.node import processes
from paddock.specs import DEFAULT_UID, EVERY_WORKER, Images, PythonEnvironment, RunPlan
from paddock.workers import inpod_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.engines.request import RunRequest
    from paddock.images.destinations import Destination


_ASKED_SECONDS = 5.0
"""A cluster that takes longer to tell its version is none that a run should choose by itself."""


@dataclass(frozen=True)
class Prepared:
    """A cluster that may be used, and the plan of the run on it."""

    cluster: Cluster
    plan: RunPlan


def check(request: RunRequest) -> None:
    """Refuse what can be refused without talking to a cluster.

    Raises:
        UsageError: as ``prepare``, in the thread that can end the run with one line.
    """
    delivery.check(connect.choose(request.context, request.kubeconfig), request.images)
    delivery.pull_credentials(request.pull_credentials)
    hardware.check(request)
    if request.additions or request.services:
        sample(request, equipped=True)


def prepare(request: RunRequest, workers: Sequence[str], report: Callable[[str], None]) -> Prepared:
    """Connect to the chosen cluster, bring the embedded node up where that is the choice, and make the images.

    Raises:
        UsageError: the chosen context is not allowed, no image would reach its nodes, or it is too old.
        InfrastructureError: node, images or cluster failed.
    """
    choice = connect.choose(request.context, request.kubeconfig)
    cluster = _connected(choice, request, report)
    if not choice.embedded:  # whose version is one of ours, and the first test waits for every answer
        versions.require(cluster)
    _try_pods(cluster, request)
    to = delivery.destination(choice, request.images, lambda: cluster)
    made, python = limits.images(request.limits.image, lambda: _images(to, request, report))
    return Prepared(cluster, make_plan(request, workers, made, python))


def _images(to: Destination, request: RunRequest, report: Callable[[str], None]) -> tuple[Images, PythonEnvironment]:
    return images.ensure(
        to,
        crane=delivery.crane,
        inpod=inpod_files.files(),
        uid=pod_user(request) or DEFAULT_UID,
        report=report,
        roots=[one.root for one in request.sources],
        choices=request.images,
    )


def pod_user(request: RunRequest) -> int | None:
    """Return the user of the pods; ``None`` where the platform assigns it."""
    if isinstance(request.uid, str):
        return None
    return (os.getuid() or DEFAULT_UID) if request.uid is None else request.uid


def _try_pods(cluster: Cluster, request: RunRequest) -> None:
    """Have the API server refuse now what it would refuse then; only what the user had a part in is asked about."""
    resources = (request.worker_memory, request.worker_cpu) != (RunPlan.worker_memory, RunPlan.worker_cpu)
    if request.additions or request.services or resources:
        additions = dict.fromkeys(addition.where(()) for addition in request.additions)
        files = ", ".join([*additions, *(service.place for service in request.services)])
        said = f"what is given in {files}" if files else f"{request.worker_memory} and {request.worker_cpu}"
        trying.check(cluster, sample(request, equipped=True), request.security, said)


def sample(request: RunRequest, *, equipped: bool = False) -> list[Manifest]:
    """Return the pods of one worker as this request makes them, its own first; what they run is not known yet.

    It is one with hardware if that is asked for, and where all are.
    """
    nothing = Images(worker="paddock/worker", broker="paddock/broker", database="paddock/database")
    python = PythonEnvironment(executable=Path("/usr/bin/python3"))
    plan = make_plan(request, ["gw0"], nothing, python)
    if not equipped and request.hardware_workers != EVERY_WORKER:
        plan = equipment.without(plan)
    places = manifests.places(plan, plan.workers)
    built = (manifests.build(plan, place, {"broker": {}, "database": {}}).all() for place in places)
    return [manifest for objects in built for manifest in objects if manifest["kind"] == "Pod"]


def make_plan(
    request: RunRequest,
    workers: Sequence[str],
    made: Images,
    python: PythonEnvironment,
) -> RunPlan:
    """Return the plan of a run, once its images are known."""
    return RunPlan(
        run_id=request.run_id,
        workers=tuple(workers),
        root=request.root,
        working_directory=request.working_directory,
        images=made,
        python=python,
        uid=pod_user(request),
        security=request.security,
        pull_credentials=delivery.pull_credentials(request.pull_credentials),
        additions=request.additions,
        services=equipment.made(request.services),
        shares_broker=request.shares_broker,
        hardware=equipment.of_own_pod(request),
        hardware_workers=hardware.workers_asked(request),
        broker=request.broker,
        limits=request.limits,
        deadline=request.deadline,
        lease_duration=request.lease_duration,
        environment=request.environment,
        worker_memory=request.worker_memory,
        worker_cpu=request.worker_cpu,
        artifacts=request.artifacts,
        keep=request.keep,
        report=request.report,
        reuse=None if request.keep else request.reuse,
    )


def holder() -> str:
    """Return whose run this is, for the run's record: user, host, process id, machine, and the process' start."""
    me = processes.myself()
    return f"{getpass.getuser()}@{socket.gethostname()}/{me.pid}/{_machine()}/{me.started}"


def has_gone(recorded: str) -> bool:
    """Whether the process that a run's record names has ended; one on another machine may well be there."""
    pid, machine, started = ["", "", "", *recorded.rsplit("/", 3)][-3:]
    if machine != _machine() or not (pid.isdecimal() and started.isdecimal()):
        return False
    return not processes.ProcessIdentity(int(pid), int(started)).alive()


def _machine() -> str:
    """Return what tells this machine since its start, seen from this container, from all others: names do not."""
    seen = f"{processes.boot()} {Path('/proc/self/ns/pid').readlink()}"
    return hashlib.sha256(seen.encode()).hexdigest()[:8]


def reachable_cluster(context: str | None, kubeconfig: Path | None) -> Cluster | None:
    """Return the cluster a run would use, without starting anything; ``None`` if the embedded node is down."""
    choice = connect.choose(context, kubeconfig)
    access = node.access() if choice.embedded else None
    if choice.embedded and access is None:
        return None
    return connect.connect(choice, access.plain_kubeconfig if access else None)


def unreachable(context: str | None, kubeconfig: Path | None) -> str:
    """Return why the cluster that a run would use cannot be asked, nothing if it can; see ``reachable_cluster``."""
    cluster = reachable_cluster(context, kubeconfig)
    if cluster is None:
        return "the embedded node is not up ('paddock node up' starts it)"
    try:
        cluster.send(requests.VERSION, deadline=Deadline(_ASKED_SECONDS), policy=ONCE)
    except ClusterError as error:
        return str(error).rstrip(".")
    finally:
        cluster.close()
    return ""


def _connected(choice: connect.Choice, request: RunRequest, report: Callable[[str], None]) -> Cluster:
    """Return the chosen cluster; the embedded node is brought up where that is the choice, and never beside another."""
    if not choice.embedded:
        return connect.connect(choice)
    access = node.access() or limits.node(request.limits.node, lambda: node.up(report=report))
    return connect.connect(choice, access.plain_kubeconfig)
