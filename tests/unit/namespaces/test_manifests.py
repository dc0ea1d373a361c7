"""The objects of a worker's namespace as data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paddock import names
from paddock.declared_services import DeclaredService
from paddock.namespaces import manifests
from paddock.namespaces.masking import masked
from paddock.specs import BrokerAccess, Images, PythonEnvironment, RunPlan

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
    """A service of the project's own has an image that nobody loaded, unless it runs in the worker's."""
    theirs = DeclaredService(name="cache", image="valkey/valkey:8", port=6379, readiness={"tcpSocket": {"port": 6379}})
    mine = replace(theirs, name="web", image=None, command=("web",))
    loaded = replace(PLAN, images=replace(PLAN.images, pull="Never"), services=(theirs, mine))
    pods = of_kind(manifests.build(loaded, "gw0", SECRETS).all(), "Pod")
    policies = {name: pod["spec"]["containers"][0]["imagePullPolicy"] for name, pod in pods.items()}
    assert policies == dict.fromkeys(("worker", "broker", "database", "web"), "Never") | {"cache": "IfNotPresent"}


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


def test_a_shared_broker_is_open_to_the_run_s_own_namespaces_and_to_no_others() -> None:
    """From both sides: who may come in, and where workers may go beside their own namespace."""
    plan = replace(PLAN, shares_broker=True)
    shared = of_kind(manifests.build(plan, names.SHARED, SECRETS).all(), "NetworkPolicy")
    own = of_kind(manifests.build(plan, "gw0", SECRETS).all(), "NetworkPolicy")
    (entering,) = shared["from-workers"]["spec"]["ingress"][0]["from"]
    (leaving,) = own["to-shared"]["spec"]["egress"][0]["to"]
    assert entering == {"namespaceSelector": {"matchLabels": names.labels("k7x2mq")}}
    assert leaving == {"namespaceSelector": {"matchLabels": names.labels("k7x2mq", names.SHARED)}}
    assert {"from-workers", "only-this-namespace"} == set(shared)


def test_what_workers_share_is_no_place_for_tests_or_services_of_the_project() -> None:
    """Its only pod is the broker, and it is a worker's no more."""
    plan = replace(PLAN, shares_broker=True, services=(CACHE,))
    shared, own = (manifests.build(plan, place, SECRETS) for place in (names.SHARED, "gw0"))
    assert shared.services == ["broker"] == list(of_kind(shared.all(), "Pod"))
    assert set(own.services) == {"database", "cache"}


OWN = DeclaredService(
    name="queue",
    port=6380,
    readiness={"tcpSocket": {"port": 6380}},
    objects=(
        {"kind": "ConfigMap", "metadata": {"name": "queue"}, "data": {"a": "b"}},
        {"kind": "Secret", "metadata": {"name": "theirs"}, "stringData": {"KEY": "of-theirs"}},
        {
            "kind": "Pod",
            "metadata": {"name": "queue", "labels": {"app": "queue"}},
            "spec": {
                "automountServiceAccountToken": True,
                "terminationGracePeriodSeconds": 3,
                "initContainers": [{"name": "before", "image": "r/before:1"}],
                "containers": [{"name": "queue", "env": [{"name": "A", "value": "1"}]}],
            },
        },
        {"kind": "Service", "metadata": {"name": "other"}, "spec": {"selector": {"app": "queue"}, "ports": []}},
    ),
)


def test_a_services_own_objects_are_made_as_they_are_and_completed() -> None:
    """What ends a run and confines its pods is always ours; what the user did not say is as for any service."""
    plan = replace(PLAN, services=(OWN,))
    built = manifests.build(plan, "gw0", SECRETS)
    made = built.all()
    pod = of_kind(made, "Pod")["queue"]
    spec, (container,), (before,) = pod["spec"], pod["spec"]["containers"], pod["spec"]["initContainers"]
    assert (spec["activeDeadlineSeconds"], spec["automountServiceAccountToken"]) == (99, False)
    assert (spec["terminationGracePeriodSeconds"], spec["restartPolicy"]) == (3, "OnFailure")
    assert (container["image"], before["image"]) == ("r/worker:1", "r/before:1")
    assert container["readinessProbe"] == {"tcpSocket": {"port": 6380}, "periodSeconds": 1, "failureThreshold": 3}
    assert container["env"][-1] == {"name": "A", "value": "1"}
    assert before["securityContext"] == container["securityContext"]
    assert names.labels("k7x2mq", "gw0", "queue").items() < pod["metadata"]["labels"].items()
    services = of_kind(made, "Service")
    assert services["other"]["spec"]["selector"] == {"app": "queue"}
    assert services["queue"]["spec"]["selector"] == names.labels("k7x2mq", "gw0", "queue")
    assert services["queue"]["spec"]["ports"][0] | {"name": ""} == {"name": "", "port": 6380, "targetPort": 6380}
    assert of_kind(made, "Secret")["theirs"]["stringData"] == {"KEY": "of-theirs"}
    order = [(one["kind"], one["metadata"]["name"]) for one in made]
    assert order.index(("ConfigMap", "queue")) < order.index(("Pod", "queue"))
    assert {one["metadata"]["namespace"] for one in made if one["kind"] != "Namespace"} == {"paddock-k7x2mq-gw0"}
    assert manifests.build(plan, "gw0", SECRETS).all() == made, "the declaration was changed"


def test_a_broker_that_speaks_tls_is_at_the_port_for_it() -> None:
    """Pod and Service both, and nothing else moves."""
    plan = replace(PLAN, broker=BrokerAccess(authority="A", certificate="C", key="K"))
    made = manifests.build(plan, "gw0", SECRETS).all()
    assert of_kind(made, "Pod")["broker"]["spec"]["containers"][0]["ports"] == [{"name": "mqtt", "containerPort": 8883}]
    assert of_kind(made, "Service")["broker"]["spec"]["ports"] == [{"name": "mqtt", "port": 8883, "targetPort": "mqtt"}]
    assert of_kind(made, "Service")["database"]["spec"]["ports"][0]["port"] == 5432
    assert plan.broker.port == 8883
