"""The whole namespace of a worker, as a person would read it.

Run with ``PADDOCK_UPDATE_GOLDEN=1`` after a change that is meant, and read the difference.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import yaml

from paddock import names
from paddock.declared_services import DeclaredService, Holding
from paddock.namespaces import manifests
from paddock.specs import Images, PodAddition, PythonEnvironment, RunPlan

GOLDEN = Path(__file__).with_name("namespace.golden.yaml")
PLAN = RunPlan(
    run_id="k7x2mq",
    workers=("gw0",),
    root=Path("/srv/project"),
    working_directory=Path("/srv/project"),
    images=Images(
        worker="localhost:5055/paddock/worker:w",
        broker="localhost:5055/paddock/broker:b",
        database="localhost:5055/paddock/database:d",
    ),
    python=PythonEnvironment(
        executable=Path("/srv/project/.venv/bin/python"),
        links={"/srv/project/.venv": "/opt/paddock/venv"},
    ),
)
SECRETS = {
    "broker": {"USERNAME": "paddock", "PASSWORD": "drawn per worker"},
    "database": {"USERNAME": "postgres", "PASSWORD": "drawn per worker", "DATABASE": "postgres"},
}


def test_the_objects_of_a_namespace_are_as_reviewed() -> None:
    """Nothing about what Paddock creates changes unseen."""
    built = yaml.safe_dump_all(manifests.build(PLAN, "gw0", SECRETS).all(), sort_keys=False)
    if os.environ.get("PADDOCK_UPDATE_GOLDEN"):
        GOLDEN.write_text(built)
    assert built == GOLDEN.read_text()


SHARED = Path(__file__).with_name("shared.golden.yaml")


def test_a_shared_broker_has_a_namespace_as_reviewed_and_workers_the_way_to_it() -> None:
    """What serves all workers, whole; and of a worker's namespace what is not the same as with a broker of its own."""
    plan = replace(PLAN, shares_broker=True)
    shared = manifests.build(plan, names.SHARED, SECRETS).all()
    own, worker = (manifests.build(one, "gw0", SECRETS).all() for one in (PLAN, plan))
    assert {(one["kind"], one["metadata"]["name"]) for one in own if one not in worker} == {
        (kind, "broker") for kind in ("Secret", "Pod", "Service")
    }
    built = yaml.safe_dump_all([*shared, *(one for one in worker if one not in own)], sort_keys=False)
    if os.environ.get("PADDOCK_UPDATE_GOLDEN"):
        SHARED.write_text(built)
    assert built == SHARED.read_text()


ADDED = Path(__file__).with_name("added.golden.yaml")
ADDITIONS = (
    PodAddition(
        file="pyproject.toml:3",
        manifest={
            "metadata": {"annotations": {"sidecar.istio.io/inject": "false"}},
            "spec": {
                "nodeSelector": {"pool": "ci"},
                "tolerations": [{"key": "ci", "operator": "Exists"}],
                "priorityClassName": "low",
                "runtimeClassName": "gvisor",
            },
        },
    ),
    PodAddition(
        file="pods.yaml",
        pod="worker",
        manifest={
            "spec": {
                "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
                "containers": [
                    {"name": "worker", "volumeMounts": [{"name": "models", "mountPath": "/models", "readOnly": True}]},
                ],
            },
        },
    ),
)


def test_pods_with_additions_of_the_user_are_as_reviewed() -> None:
    """On a platform that assigns the user: what is added stands behind what Paddock sets, and nothing of that moves."""
    plan = replace(PLAN, uid=None, additions=ADDITIONS)
    pods = [one for one in manifests.build(plan, "gw0", SECRETS).all() if one["kind"] == "Pod"]
    built = yaml.safe_dump_all(pods, sort_keys=False)
    if os.environ.get("PADDOCK_UPDATE_GOLDEN"):
        ADDED.write_text(built)
    assert built == ADDED.read_text()


def test_hardware_is_asked_for_by_the_workers_pod_alone() -> None:
    """As a limit, which is a request as well: Kubernetes takes whole devices only."""
    pods = {
        one["metadata"]["name"]: one["spec"]["containers"][0]["resources"]
        for one in manifests.build(replace(PLAN, hardware={"paddock.dev/coral": 2}), "gw0", SECRETS).all()
        if one["kind"] == "Pod"
    }
    assert pods["worker"]["limits"] == {"memory": "1Gi", "paddock.dev/coral": "2"}
    assert all("paddock.dev/coral" not in str(pods[name]) for name in ("broker", "database"))


def test_a_services_hardware_is_asked_for_by_its_own_pod() -> None:
    """Beside its memory, whether the pod is Paddock's or one of the user's own objects."""
    held = Holding(kind="coral", count=2, resource="paddock.dev/coral")
    mine = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "mine"}, "spec": {"containers": [{"name": "mine"}]}}
    services = [
        DeclaredService(name="tpu", port=1, readiness={"tcpSocket": {"port": 1}}, command=["tpu"], hardware=held),
        DeclaredService(name="mine", port=2, readiness={"tcpSocket": {"port": 2}}, objects=[mine], hardware=held),
    ]
    built = manifests.build(replace(PLAN, services=services), "gw0", SECRETS).all()
    limits = {
        one["metadata"]["name"]: one["spec"]["containers"][0]["resources"]["limits"]
        for one in built
        if one["kind"] == "Pod"
    }
    assert limits["tpu"] == {"memory": "256Mi", "paddock.dev/coral": "2"}
    assert limits["mine"] == {"paddock.dev/coral": "2"}
    assert limits["worker"] == {"memory": "1Gi"}
    assert mine["spec"] == {"containers": [{"name": "mine"}]}
