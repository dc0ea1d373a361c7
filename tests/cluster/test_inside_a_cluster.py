"""Paddock in a pod: the cluster around it is used, by the account of the pod."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from paddock import images, node
from paddock.namespaces import manifests
from paddock.specs import DEFAULT_UID, RunPlan
from paddock.workers import inpod_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster

NAMESPACE = "inside-a-cluster"
CHECKS = ("cluster", "version", "clock", "rights")


def command(tmp_path: Path) -> tuple[str, list[str]]:
    """Return the worker image of this environment, and Paddock's doctor in it."""
    access = node.access()
    assert access
    made, python = images.ensure(
        access.registry,
        crane=lambda: node.tool("crane"),
        inpod=inpod_files.files(),
        uid=DEFAULT_UID,
        report=print,
    )
    plan = RunPlan(
        run_id="k7x2mq", workers=(), root=tmp_path, working_directory=tmp_path, images=made, python=python
    )  # fmt: skip
    return made.worker, [manifests.supervisor_python(plan), "-m", "paddock", "doctor", "--json", *CHECKS]


def objects(image: str, argv: list[str]) -> list[dict[str, Any]]:
    """Return a namespace with an account that may do everything, and a pod of it."""
    place = {"name": "inside", "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    pod = {
        "serviceAccountName": "inside",
        "restartPolicy": "Never",
        "containers": [{"name": "inside", "image": image, "command": argv}],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAMESPACE},
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", **place}],
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": place, "spec": pod},
    ]


@pytest.fixture
def answer(embedded_node: EmbeddedNode, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the doctor says in the pod."""
    listed = {"apiVersion": "v1", "kind": "List", "items": objects(*command(tmp_path))}
    path = tmp_path / "objects.json"
    path.write_text(json.dumps(listed))
    embedded_node.kubectl("apply", f"--filename={path}")
    try:
        ended = "--for=jsonpath={.status.containerStatuses[0].state.terminated.reason}"
        embedded_node.kubectl("wait", "pod/inside", f"--namespace={NAMESPACE}", ended, "--timeout=60s")
        yield json.loads(embedded_node.kubectl("logs", "inside", f"--namespace={NAMESPACE}"))
    finally:
        embedded_node.kubectl("delete", "--wait", f"--filename={path}", "--grace-period=0", "--force")


def test_the_account_of_the_pod_is_enough(answer: dict[str, Any]) -> None:
    """No kubeconfig is there: address, authority and token are those that Kubernetes puts into every pod."""
    found = {check["check"]: check for check in answer["checks"]}
    assert {name: check["status"] for name, check in found.items()} == dict.fromkeys(CHECKS, "ok"), found
    assert found["cluster"]["message"].startswith("context in-cluster at https://")
