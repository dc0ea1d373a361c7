"""The objects of a worker's namespace as data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paddock import names
from paddock.namespaces import manifests
from paddock.namespaces.masking import masked
from paddock.specs import DeclaredService, Images, PythonEnvironment, RunPlan

SECRETS = {"broker": {"USERNAME": "u", "PASSWORD": "p"}, "database": {"USERNAME": "v", "PASSWORD": "q"}}
PLAN = RunPlan(
    run_id="k7x2mq",
    workers=("gw0",),
    root=Path("/srv/project"),
    working_directory=Path("/srv/project"),
    images=Images(worker="r/worker:1", broker="r/broker:1", database="r/database:1"),
    python=PythonEnvironment(
        executable=Path("/srv/project/.venv/bin/python"),
        links={"/srv/project/.venv": "/opt/paddock/venv"},
    ),
    uid=1234,
    deadline=99,
)


@pytest.fixture
def objects() -> list[dict[str, Any]]:
    """Every object of one namespace."""
    return manifests.build(PLAN, "gw0", SECRETS).all()


CACHE = DeclaredService(
    name="cache",
    image="r/redis:7",
    port=6379,
    readiness={"exec": {"command": ["redis-cli", "ping"]}, "periodSeconds": 5},
)
API = DeclaredService(
    name="api",
    port=8080,
    readiness={"tcpSocket": {"port": 8080}},
    command=("python", "-m", "api"),
    environment={"MODE": "test"},
    memory="1Gi",
    cpu="250m",
)


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a kind by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def test_every_object_carries_run_and_worker(objects: list[dict[str, Any]]) -> None:
    """Clean-up and inspection select by label, so nothing may lack one."""
    wanted = names.labels("k7x2mq", "gw0").items()
    assert all(wanted <= one["metadata"]["labels"].items() for one in objects)


def test_every_object_but_the_namespace_lies_in_it(objects: list[dict[str, Any]]) -> None:
    """What lies in the namespace goes away with it."""
    others = [one for one in objects if one["kind"] != "Namespace"]
    assert {one["metadata"]["namespace"] for one in others} == {"paddock-k7x2mq-gw0"}


def test_every_pod_ends_by_itself(objects: list[dict[str, Any]]) -> None:
    """The cluster ends a run whose client died, whatever else fails."""
    assert [pod["spec"]["activeDeadlineSeconds"] for pod in of_kind(objects, "Pod").values()] == [99, 99, 99]


def test_no_pod_holds_a_token(objects: list[dict[str, Any]]) -> None:
    """Tests get no rights in the cluster."""
    assert not any(pod["spec"]["automountServiceAccountToken"] for pod in of_kind(objects, "Pod").values())
    assert of_kind(objects, "ServiceAccount")["worker"]["automountServiceAccountToken"] is False


def test_every_pod_satisfies_the_restricted_level(objects: list[dict[str, Any]]) -> None:
    """The namespace enforces it; a pod that does not would be refused."""
    for pod in of_kind(objects, "Pod").values():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["securityContext"]["runAsUser"] == 1234
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_each_pod_runs_its_own_image(objects: list[dict[str, Any]]) -> None:
    """The placeholders of the YAML are all replaced."""
    images = {name: pod["spec"]["containers"][0]["image"] for name, pod in of_kind(objects, "Pod").items()}
    assert images == {"worker": "r/worker:1", "broker": "r/broker:1", "database": "r/database:1"}


def test_services_select_only_their_own_pod(objects: list[dict[str, Any]]) -> None:
    """A test's own pod of the same name elsewhere never answers."""
    selector = of_kind(objects, "Service")["broker"]["spec"]["selector"]
    assert selector == of_kind(objects, "Pod")["broker"]["metadata"]["labels"]


def test_the_first_process_is_started_by_an_interpreter_that_no_mount_hides(objects: list[dict[str, Any]]) -> None:
    """The sources' mount hides a virtual environment below the project."""
    command = of_kind(objects, "Pod")["worker"]["spec"]["containers"][0]["command"]
    assert command[0] == "/opt/paddock/venv/bin/python"


def test_the_worker_pod_has_no_volume(objects: list[dict[str, Any]]) -> None:
    """A pod with any volume starts 0.3 s later; what it writes lies in folders of its image."""
    assert "volumes" not in of_kind(objects, "Pod")["worker"]["spec"]


def test_the_worker_pod_is_asked_for_before_what_it_does_not_need() -> None:
    """The first test waits for the worker; services are waited for only by tests that use them."""
    made = [(one["kind"], one["metadata"]["name"]) for one in manifests.build(PLAN, "gw0", SECRETS).all()]
    assert made.index(("Pod", "worker")) < made.index(("Secret", "broker")) < made.index(("Pod", "broker"))


def test_credentials_to_pull_with_are_there_before_the_first_pod() -> None:
    """A kubelet that does not find them goes on without; where there are none, nobody looks for any."""
    given = '{"auths": {"r": {"auth": "bWU6c2VjcmV0"}}}'
    made = manifests.build(replace(PLAN, pull_credentials=given), "gw0", SECRETS)
    objects = made.all()
    secret = of_kind(objects, "Secret")["pull"]
    assert (secret["type"], secret["stringData"]) == ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": given})
    assert masked(secret)["stringData"] == {".dockerconfigjson": "***"}
    stages = [[(one["kind"], one["metadata"]["name"]) for one in stage] for stage in made.stages]
    place = {key: number for number, stage in enumerate(stages) for key in stage}
    assert place["Secret", "pull"] < place["Pod", "worker"]
    assert [pod["spec"]["imagePullSecrets"] for pod in of_kind(objects, "Pod").values()] == [[{"name": "pull"}]] * 3
    without = manifests.build(PLAN, "gw0", SECRETS).all()
    assert "pull" not in of_kind(without, "Secret")
    assert not [pod for pod in of_kind(without, "Pod").values() if "imagePullSecrets" in pod["spec"]]
    assert given not in repr(replace(PLAN, pull_credentials=given))


def test_loaded_images_are_not_pulled() -> None:
    """The policy of the images is the pods'."""
    loaded = replace(PLAN, images=replace(PLAN.images, pull="Never"))
    pods = of_kind(manifests.build(loaded, "gw0", SECRETS).all(), "Pod").values()
    assert {pod["spec"]["containers"][0]["imagePullPolicy"] for pod in pods} == {"Never"}


def test_building_twice_shares_nothing() -> None:
    """Completing one worker's objects never changes another's."""
    first = manifests.build(PLAN, "gw0", SECRETS)
    first.all()[0]["metadata"]["name"] = "changed"
    assert manifests.build(PLAN, "gw0", SECRETS).all()[0]["metadata"]["name"] == "paddock-k7x2mq-gw0"


def test_a_declared_service_is_a_pod_like_the_others_behind_a_service_that_waits_for_its_probe() -> None:
    """Labels, an end, no token, the restricted level; whoever can connect to it knows that it is ready."""
    built = manifests.build(replace(PLAN, services=(CACHE, API)), "gw0", SECRETS)
    pods, services = of_kind(built.all(), "Pod"), of_kind(built.all(), "Service")
    assert list(pods) == ["worker", "broker", "database", "cache", "api"]
    assert built.services == ["broker", "database", "cache", "api"]
    for name in ("cache", "api"):
        pod = pods[name]
        assert names.labels("k7x2mq", "gw0", name).items() <= pod["metadata"]["labels"].items()
        assert pod["spec"]["activeDeadlineSeconds"] == 99
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["securityContext"]["runAsUser"] == 1234
        assert (
            pod["spec"]["containers"][0]["securityContext"]
            == pods["broker"]["spec"]["containers"][0]["securityContext"]
        )
        assert services[name]["spec"]["selector"] == names.labels("k7x2mq", "gw0", name)
        assert "publishNotReadyAddresses" not in services[name]["spec"]
    assert [services[name]["spec"]["ports"][0]["port"] for name in ("cache", "api")] == [6379, 8080]


def test_a_declared_service_runs_what_was_declared() -> None:
    """The image with its own command, or a command in the project's environment; a probe is asked every second."""
    pods = of_kind(manifests.build(replace(PLAN, services=(CACHE, API)), "gw0", SECRETS).all(), "Pod")
    cache, api = (pods[name]["spec"]["containers"][0] for name in ("cache", "api"))
    assert cache["image"] == "r/redis:7"
    assert "command" not in cache
    assert cache["readinessProbe"] == {
        "exec": {"command": ["redis-cli", "ping"]}, "periodSeconds": 5, "failureThreshold": 3,
    }  # fmt: skip
    assert api["image"] == "r/worker:1"
    assert api["command"] == ["python", "-m", "api"]
    assert api["readinessProbe"]["periodSeconds"] == 1
    environment = {one["name"]: one["value"] for one in api["env"]}
    assert environment["PATH"].startswith("/opt/paddock/venv/bin:")
    assert environment["MODE"] == "test"
    assert api["resources"] == {"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"memory": "1Gi"}}
