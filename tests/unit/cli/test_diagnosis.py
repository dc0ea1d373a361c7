"""The single checks, each with what makes it complain."""

from __future__ import annotations

import os
from argparse import Namespace
from importlib import metadata
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from paddock import node
from paddock.cli import reaching
from paddock.cli.diagnosis import cluster, machine, software
from paddock.cli.diagnosis.findings import FAIL, OK, WARN, Surroundings, examine
from paddock.cluster.connect import EMBEDDED, Choice
from paddock.cluster.requests import LEASE, POD
from paddock.errors import ClusterUnreachable, NodeError, UsageError
from paddock.images import assembly
from paddock.namespaces import inventory
from paddock.node import building, planning, preflight
from paddock.settings.resolution import resolve
from tests.unit.cli.inspected import run

if TYPE_CHECKING:
    from paddock.cluster.requests import Request


def here(**facts: Any) -> Any:
    """Return the surroundings of an embedded node that is down, but for ``facts``."""
    return SimpleNamespace(**({"is_embedded": True, "cluster": None, "answering": facts.get("cluster")} | facts))


class Cluster:
    """Allows everything but what the test takes away."""

    server, context = "https://here:6443", "kind-here"
    told = "v1.36.4"

    def __init__(self, *denied: tuple[str, str], silent: bool = False) -> None:
        self.denied, self.silent = denied, silent
        self.asked: list[dict[str, str]] = []

    def send(self, request: Request, **_: object) -> dict[str, Any]:
        """Answer a question."""
        if self.silent:
            raise ClusterUnreachable("no answer")
        if request.path == "/version":
            return {"gitVersion": self.told}
        assert request.body
        asked = request.body["spec"]["resourceAttributes"]
        self.asked.append(asked)
        name = "/".join(filter(None, (asked["resource"], asked.get("subresource", ""))))
        return {"status": {"allowed": (asked["verb"], name) not in self.denied}}


def test_an_interpreter_that_is_too_old_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reached where pip was told to ignore what the wheel requires."""
    assert software.python(here()).status == OK
    monkeypatch.setattr(software, "_OLDEST", (99, 0))
    assert software.python(here()).status == FAIL


def test_requirements_are_compared_with_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing and too old are named with what there is; another platform's and an extra's are not asked."""
    there = {"pytest": "8.0", "rich": "13.7"}

    def version(name: str) -> str:
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(metadata, "version", version)
    required = ["pytest>=8.3", "rich>=13", "execnet>=2", "nox; extra == 'sessions'", "pywin32; sys_platform == 'win32'"]
    assert list(software.unmet_requirements(required)) == ["pytest>=8.3 is 8.0", "execnet>=2 is missing"]


def test_a_missing_plugin_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its entry point pytest does not load Paddock."""
    monkeypatch.setattr(metadata, "entry_points", lambda **_: [SimpleNamespace(name="xdist")])
    assert software.plugins(here()).message == "pytest finds no plugin paddock here."


@pytest.mark.parametrize(
    "check",
    [
        machine.privilege,
        machine.preflight("disk", "room"),
        machine.memory,
        machine.ports,
        machine.programs,
    ],
)
def test_the_machine_matters_to_the_embedded_node_only(check: Any) -> None:
    """Another cluster's nodes are other machines."""
    assert check(here(is_embedded=False)) is None


def test_other_users_than_root_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node says so itself, with the remedy."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="needs root"):
        machine.privilege(here())


def test_the_nodes_own_checks_are_the_doctors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would keep the node from starting is told beforehand, in the same words."""

    def refuse() -> None:
        raise NodeError("The disk is full. Free some.")

    monkeypatch.setattr(preflight, "CHECKS", {"disk": refuse, "cgroups": lambda: None})
    with pytest.raises(NodeError, match="full"):
        machine.preflight("disk", "room")(here())
    finding = machine.preflight("cgroups", "writable")(here())
    assert finding
    assert (finding.status, finding.message) == (OK, "writable")


def test_memory_is_counted_for_the_node_unless_it_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that runs has taken its share already."""
    assert machine.available_memory("MemTotal: 9 kB\nMemAvailable:    2097152 kB\n") == 2.0
    monkeypatch.setattr(machine, "available_memory", lambda _text: 2.0)
    down, up = machine.memory(here()), machine.memory(here(cluster=Cluster()))
    assert down
    assert up
    assert (down.status, up.status) == (WARN, OK)


def test_a_taken_port_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node takes another one."""
    monkeypatch.setattr(planning, "port_is_free", lambda port: port != 5055)
    finding = machine.ports(here())
    assert finding
    assert (finding.status, "registry 5055 -> 5056" in finding.message) == (WARN, True)


@pytest.mark.parametrize(("missing", "status"), [(["kubernetes"], WARN), ([], OK)])
def test_programs_that_are_not_built_are_a_warning(
    monkeypatch: pytest.MonkeyPatch, missing: list[str], status: str
) -> None:
    """The first start takes minutes: better known before."""
    monkeypatch.setattr(building, "missing_builds", lambda: missing)
    finding = machine.programs(here())
    assert finding
    assert finding.status == status


def test_a_node_that_is_down_is_well() -> None:
    """A run starts it, and what can only be asked of a cluster is left out."""
    assert cluster.answer(here()).status == OK
    assert [cluster.clock(here()), cluster.rights(here()), cluster.leftovers(here())] == [None, None, None]


def test_a_cluster_is_named_with_its_address() -> None:
    """Which one it is, is the first thing that a bug report needs."""
    told = cluster.answer(here(cluster=Cluster())).message
    assert told == "context kind-here at https://here:6443 answers"


@pytest.mark.parametrize(("seconds", "status"), [(0.4, OK), (-4, OK), (6, WARN), (-6, WARN), (61, FAIL), (-3600, FAIL)])
def test_clocks_may_differ_a_little(seconds: float, status: str) -> None:
    """From a minute on, certificates and tokens are refused."""
    assert cluster.skew(seconds).status == status
    assert ("ahead of" in cluster.skew(seconds).message) == (seconds > 5)


def test_missing_rights_are_named() -> None:
    """Each with verb and object; the same question that kubectl auth can-i asks."""
    answering = Cluster(("create", "pods/exec"), ("patch", "namespaces"))
    finding = cluster.rights(here(cluster=answering))
    assert finding
    assert (finding.status, finding.message) == (FAIL, "The account lacks: patch namespaces, create pods/exec.")
    assert {
        "verb": "delete",
        "resource": LEASE.plural,
        "group": "coordination.k8s.io",
        "namespace": "paddock-system",
    } in (answering.asked)
    assert {"verb": "watch", "resource": POD.plural, "group": ""} in answering.asked


@pytest.mark.parametrize(("absent", "status"), [(["r/paddock/worker:w"], WARN), ([], OK)])
def test_images_that_are_not_made_are_a_warning(
    monkeypatch: pytest.MonkeyPatch, absent: list[str], status: str
) -> None:
    """The next run makes them, and takes its time."""
    monkeypatch.setattr(node, "access", lambda: SimpleNamespace(registry="r"))
    monkeypatch.setattr(assembly, "missing", lambda *_, **__: absent)
    there = here(settings=resolve({}, {}, {}), choice=Choice(EMBEDDED), cluster=Cluster())
    finding = cluster.images(there)
    assert finding
    assert (finding.status, "worker" in finding.message) == (status, True)


def test_a_cluster_that_no_image_reaches_fails_as_a_run_would() -> None:
    """Before it is asked anything: the choice alone decides."""
    surroundings = here(is_embedded=False, settings=resolve({}, {}, {}), choice=Choice("production"))
    finding = examine(cluster.images, surroundings)
    assert finding
    assert finding.status == FAIL
    assert "--paddock-registry=REGISTRY/PATH" in finding.remedy


def test_a_registry_is_asked_once_the_image_client_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building it takes a minute, and nothing is changed by looking."""
    monkeypatch.setattr("paddock.node.building.missing_builds", lambda: ["registry"])
    monkeypatch.setattr(assembly, "missing", lambda *_, **__: pytest.fail("the image client is built"))
    settings = resolve({"registry": "registry.example.org/team"}, {}, {})
    choice = Choice("production")
    finding = cluster.images(here(is_embedded=False, settings=settings, choice=choice, cluster=Cluster()))
    assert finding
    assert (finding.status, "registry.example.org/team" in finding.message) == (OK, True)


def test_a_run_that_nobody_leads_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is the command that ends it."""
    monkeypatch.setattr(inventory, "read", lambda _cluster: [run("aaaaaa"), run("bbbbbb", holder="gone")])
    monkeypatch.setattr("paddock.engines.preparation.has_gone", lambda holder: holder == "gone")
    finding = cluster.leftovers(here(cluster=Cluster()))
    assert finding
    assert (finding.status, finding.message) == (WARN, "Runs that nobody leads any more: bbbbbb.")


@pytest.mark.parametrize(("told", "status"), [("v1.36.4", OK), ("v1.33.1", FAIL)])
def test_a_kubernetes_that_is_too_old_fails(monkeypatch: pytest.MonkeyPatch, told: str, status: str) -> None:
    """As a run there would, with the remedy."""
    monkeypatch.setattr(Cluster, "told", told)
    finding = examine(cluster.version, here(cluster=Cluster()))
    assert finding
    assert (finding.status, told in finding.message, bool(finding.remedy)) == (status, True, status == FAIL)


def test_a_cluster_that_does_not_answer_fails() -> None:
    """With the client's own words, which end in a remedy."""
    with pytest.raises(ClusterUnreachable):
        cluster.answer(here(cluster=Cluster(silent=True)))


@pytest.mark.parametrize("silent", [True, False])
def test_a_cluster_that_does_not_answer_is_asked_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
    silent: bool,  # noqa: FBT001 - a pytest parameter
) -> None:
    """Each question would take seconds, and say what the first has said."""
    there: Any = Cluster(silent=silent)
    monkeypatch.setattr(reaching, "reach", lambda _arguments: there)
    looked = Surroundings(Namespace())
    assert looked.answering is (None if silent else there)
    assert (cluster.rights(looked) is None) is silent
