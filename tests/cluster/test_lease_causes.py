"""Leases that fail on a real cluster say why: a quota, an image, a container over its limit."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names, node
from paddock.cluster import connect, requests
from paddock.deadlines import Deadline
from paddock.errors import LeaseError, NotAllowed
from paddock.fixtures.conditions import wait_until
from paddock.namespaces import manifests, records
from paddock.namespaces.causes import Kind
from paddock.namespaces.leases import POLICY, Leases
from paddock.namespaces.release import release
from paddock.specs import Cause, Images, PhaseLimits, PythonEnvironment, RunPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

    Lost = Callable[..., Cause]

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

PATIENCE = 30.0


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A connection to the embedded node's cluster."""
    access = node.access()
    assert access is not None
    made = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    yield made
    made.close()


@pytest.fixture
def lost(cluster: Cluster) -> Iterator[Lost]:
    """Begins a lease whose worker's pod is changed, under a quota if there is one, and returns why it failed."""
    run_id = names.new_run_id()
    namespace = names.namespace_name(run_id, "gw0")
    records.write(cluster, run_id, "tests")
    leases = Leases(cluster, run_id, PhaseLimits(scheduling=PATIENCE))

    def begin(image: str, change: dict[str, Any], quota: Manifest | None = None) -> Cause:
        made = objects(run_id, image, change)
        leases.begin(put_under(cluster, made, quota) if quota else made)
        message = ""
        try:
            leases.await_worker(namespace)
        except LeaseError as error:
            message = str(error)
        found = leases.explained(namespace, PATIENCE)  # it may have run for a moment
        assert found is not None
        assert not message or str(found) in message
        return found

    yield begin
    leases.close()
    release(cluster, run_id, [namespace])


def objects(run_id: str, image: str, change: dict[str, Any]) -> manifests.NamespaceObjects:
    """Return a namespace with an account and the worker's pod, its container changed."""
    images = Images(worker=image, broker=image, database=image)
    python = PythonEnvironment(executable=Path("/bin/python"))
    place = Path("/")
    plan = RunPlan(run_id=run_id, workers=["gw0"], root=place, working_directory=place, images=images, python=python)
    made = manifests.build(plan, "gw0", {"broker": {}, "database": {}})
    first, account, worker = made.stages[0], made.stages[1], made.stages[2]
    worker[0]["spec"]["containers"][0] |= change
    return manifests.NamespaceObjects(made.name, tuple(stage for stage in (first, account, worker) if stage))


def put_under(cluster: Cluster, made: manifests.NamespaceObjects, quota: Manifest) -> manifests.NamespaceObjects:
    """Make all but the pod beforehand, and the quota; return the pod alone, once the quota counts.

    The API server learns of a new quota by its own watch, and admits for some moments what exceeds it.
    """
    *before, (pod,) = made.stages
    mine = {**quota, "metadata": {**quota["metadata"], "namespace": made.name}}
    for manifest in [*itertools.chain.from_iterable(before), mine]:
        cluster.create(manifest, deadline=Deadline(PATIENCE), policy=POLICY)
    wait_until(lambda: is_over_quota(cluster, pod), PATIENCE)
    return manifests.NamespaceObjects(made.name, ((pod,),))


def is_over_quota(cluster: Cluster, pod: Manifest) -> bool:
    """Return whether the API server refuses a pod because of a quota, without making it."""
    try:
        cluster.send(requests.try_create(pod))
    except NotAllowed as error:
        return "exceeded quota" in str(error)
    return False


def test_a_quota_that_leaves_no_room_is_told_with_its_figures(lost: Lost) -> None:
    """The API server refuses the pod; which resource, how much was asked for and what the quota allows."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"hard": {"pods": "0", "requests.cpu": "10m"}},
    }
    cause = lost("none", {}, quota)
    assert cause.kind == Kind.QUOTA
    assert "The quota 'team' of namespace paddock-" in cause.sentence
    assert "leaves no room for pod worker: " in cause.sentence
    assert "1 pods asked for, 0 of 0 used" in cause.sentence
    assert "100m requests.cpu asked for, 0 of 10m used" in cause.sentence


def test_a_missing_image_is_told_with_its_name(lost: Lost) -> None:
    """At once, and not when the time for scheduling is over: waiting would not help."""
    access = node.access()
    assert access is not None
    image = f"{access.registry}/paddock/no-such-image:1"
    cause = lost(image, {})
    assert cause.kind == Kind.IMAGE
    assert f"Container worker cannot have its image {image}: ErrImagePull: " in cause.sentence
    assert "not found" in cause.sentence


def test_a_container_over_its_limit_is_told_with_the_limit(lost: Lost, pushed_shell: str) -> None:
    """Its first process is killed, so that nobody in the pod is left to say anything: the pod's status does."""
    greedy = {
        "command": ["/bin/sh", "-c", "x=aaaaaaaa; while :; do x=$x$x; done"],
        "resources": {"requests": {"memory": "16Mi"}, "limits": {"memory": "16Mi"}},
    }
    cause = lost(pushed_shell, greedy)
    assert cause.kind == Kind.OUT_OF_MEMORY
    assert cause.sentence == "Container worker was killed for exceeding its memory limit of 16Mi."


def test_a_container_that_cannot_be_started_is_told_with_the_runtimes_words(lost: Lost, pushed_shell: str) -> None:
    """A program that the image does not have."""
    cause = lost(pushed_shell, {"command": ["/no/such/program"]})
    assert cause.kind == Kind.NOT_STARTED
    assert "/no/such/program" in cause.sentence
