"""The whole namespace of a worker, as a person would read it.

Run with ``PADDOCK_UPDATE_GOLDEN=1`` after a change that is meant, and read the difference.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import yaml

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
