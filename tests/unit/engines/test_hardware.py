"""What of a run's hardware is refused, and when."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from paddock.cluster import connect, requests
from paddock.declared_services import DeclaredService, Holding
from paddock.devices.resources import Hardware, Wanted
from paddock.engines import hardware
from paddock.engines.request import RunRequest
from paddock.errors import InfrastructureError, NotAllowed, UsageError
from paddock.specs import EVERY_WORKER, FREE_DEVICES

CORAL = Wanted(kind="coral", count=2, resource="paddock.dev/coral")


def request(*wanted: Wanted, simulate: int | None = None) -> RunRequest:
    here = Path("/srv/project")
    return RunRequest(run_id="aa", root=here, working_directory=here, hardware=wanted, simulate=simulate)


class Cluster:
    """Nodes, as each question in turn finds them."""

    def __init__(self, *looks: list[dict[str, str]], capacity: dict[str, str] | None = None) -> None:
        self._looks, self.capacity = list(looks), capacity or {}

    def list_objects(self, *_: Any, **__: Any) -> Any:
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return [{"status": {"capacity": self.capacity, "allocatable": one}} for one in look]


def survey(cluster: object, asked: RunRequest, simulated: object = None) -> Any:
    return hardware.survey(cast("Any", cluster), asked, cast("Any", simulated))


def test_a_run_that_some_node_could_take_goes_on() -> None:
    """One that asks for no hardware asks nobody."""
    survey(Cluster([{}, {"paddock.dev/coral": "2"}]), request(CORAL))
    survey(None, request())


def test_devices_that_are_back_in_a_moment_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubelet knows of as many, whose plugin begins anew; those that are sick for long are refused after all."""
    monkeypatch.setattr(hardware, "_LOOK", 0.0)
    known = {"paddock.dev/coral": "2"}
    survey(Cluster([{}], [{"paddock.dev/coral": "0"}], [known], capacity=known), request(CORAL))
    survey(
        Cluster([{}], [known], capacity={"paddock.dev/coral": "0"}), request(CORAL)
    )  # to a new kubelet nobody came yet
    monkeypatch.setattr(hardware, "_APPEARS", 0.0)
    with pytest.raises(UsageError, match="no node has a healthy one"):
        survey(Cluster([{}], capacity=known), request(CORAL))
    with pytest.raises(UsageError, match="no node has a healthy one"):
        survey(Cluster([{}], [known]), request(CORAL))


def node(name: str, **resources: int) -> dict[str, Any]:
    held = {f"paddock.dev/{kind}": str(count) for kind, count in resources.items()}
    return {"metadata": {"name": name}, "status": {"capacity": held, "allocatable": held}}


def holder(place: str, kind: str, count: int) -> dict[str, Any]:
    limits = {"resources": {"limits": {f"paddock.dev/{kind}": str(count)}}}
    return {"metadata": {"namespace": "n", "name": "p"}, "spec": {"nodeName": place, "containers": [limits]}}


@pytest.mark.parametrize(
    ("asked", "holders", "expected"),
    [
        (FREE_DEVICES, [], 3),  # two on one node, one on another: there a single device is left over
        (FREE_DEVICES, [holder("one", "coral", 3)], 2),
        (FREE_DEVICES, [holder("one", "hailo", 2), holder("two", "coral", 3)], 1),  # at least one waits for its turn
        (EVERY_WORKER, [], None),
        (7, [], 7),
    ],
)
def test_as_many_workers_hold_hardware_as_there_is_for(
    asked: int | str, holders: list[Any], expected: int | None
) -> None:
    """By what no pod holds when the run begins, node by node, unless the user says how many."""
    has = {
        requests.NODE: [node("one", coral=5, hailo=2), node("two", coral=3, hailo=9), node("three")],
        requests.POD: holders,
    }
    cluster = SimpleNamespace(list_objects=lambda kind, **_: has[kind])
    hailo = Wanted(kind="hailo", count=1, resource="paddock.dev/hailo")
    assert possible(cluster, replace(request(CORAL, hailo), hardware_workers=asked)) == expected
    assert possible(cluster, replace(request(), hardware_workers=asked)) is None


def possible(cluster: object, asked: RunRequest) -> int | None:
    return hardware.workers_possible(asked, survey(cluster, asked))


def test_nodes_and_pods_are_listed_once() -> None:
    """For all questions at the beginning of a run: in a large cluster each list is megabytes."""
    asked: list[requests.Kind] = []

    def answer(kind: requests.Kind, **_: Any) -> list[Any]:
        asked.append(kind)
        return [node("one", coral=2)] if kind == requests.NODE else []

    cluster = SimpleNamespace(list_objects=answer)
    assert possible(cluster, replace(request(CORAL), hardware_workers=FREE_DEVICES)) == 1
    assert asked == [requests.NODE, requests.POD]
    assert survey(cluster, replace(request(CORAL), hardware_workers=EVERY_WORKER)) is None
    assert asked == [requests.NODE, requests.POD, requests.NODE], "where all hold some nobody counts"


def test_an_account_that_may_not_see_pods_gives_every_worker_hardware() -> None:
    """The scheduler has some wait then."""

    def refuse(kind: requests.Kind, **_: Any) -> list[Any]:
        if kind == requests.POD:
            raise NotAllowed("no")
        return [node("one", coral=2)]

    asked = replace(request(CORAL), hardware_workers=FREE_DEVICES)
    assert possible(SimpleNamespace(list_objects=refuse), asked) is None


def inference(count: int) -> DeclaredService:
    held = Holding(kind="coral", count=count, resource="paddock.dev/coral")
    return DeclaredService(name="inference", port=1, readiness={}, hardware=held)


@pytest.mark.parametrize(("held", "expected"), [(1, 4), (2, 3)])
def test_a_service_may_hold_its_part_on_another_node(held: int, expected: int) -> None:
    """Two devices for each worker: as one and one they fit where two at once do not."""
    has = {requests.NODE: [node("one", coral=5), node("two", coral=3)], requests.POD: []}
    cluster = SimpleNamespace(list_objects=lambda kind, **_: has[kind])
    asked = replace(request(CORAL), hardware_workers=FREE_DEVICES, services=(inference(held),))
    assert possible(cluster, asked) == expected


@pytest.mark.parametrize(
    ("nodes", "held", "words"),
    [
        ([{"paddock.dev/coral": "1"}] * 3, 2, "The service 'inference' of a worker is to hold 2 of paddock.dev/coral"),
        ([{"paddock.dev/coral": "1"}], 1, "A worker and its services are to hold 2 of .*, and all nodes have 1."),
        ([{"paddock.dev/coral": "1"}] * 2, 1, ""),
    ],
)
def test_what_a_service_holds_must_be_there_too(nodes: list[dict[str, str]], held: int, words: str) -> None:
    """Each pod needs a node that has it all, and all of them together so many devices."""
    asked = replace(request(CORAL), services=(inference(held),))
    if not words:
        survey(Cluster(nodes), asked)
        return
    with pytest.raises(UsageError, match=words):
        survey(Cluster(nodes), asked)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([{}, {}], "2 of paddock.dev/coral, and no node has a healthy one (nodes: 2)."),
        ([{"paddock.dev/coral": "1"}] * 3, "and there are at most 1 healthy ones on a node (nodes: 3)."),
    ],
)
def test_a_run_that_no_node_could_take_is_refused(nodes: list[dict[str, str]], words: str) -> None:
    """Devices of several nodes do not add up."""
    with pytest.raises(UsageError) as error:
        survey(Cluster(nodes), request(CORAL))
    assert words in str(error.value)
    assert "--paddock-simulate-hardware=N" in str(error.value)


def test_simulated_devices_are_waited_for_while_their_plugin_lives() -> None:
    """Kubelet and the API server hear of them a moment later."""
    plugin = SimpleNamespace(check=lambda: None)
    survey(Cluster([{}], [{"paddock.dev/coral": "2"}]), request(CORAL, simulate=2), plugin)

    def ended() -> None:
        raise InfrastructureError("it has ended")

    with pytest.raises(InfrastructureError, match="it has ended"):
        survey(Cluster([{}]), request(CORAL, simulate=2), SimpleNamespace(check=ended))


def test_an_account_that_may_not_see_nodes_leaves_it_to_the_scheduler() -> None:
    """Who says the same later, for each pod."""

    def refuse(*_: Any, **__: Any) -> None:
        raise NotAllowed("no")

    survey(SimpleNamespace(list_objects=refuse), request(CORAL))


@pytest.mark.parametrize(
    ("embedded", "uid", "library", "words"),
    [
        (False, 0, True, "for the embedded node; other clusters see none."),
        (True, 1000, True, "run as root."),
        (True, 0, False, r"pip install 'paddock\[device-plugin\]'"),
    ],
)
def test_devices_are_simulated_only_where_that_can_be(
    embedded: bool,  # noqa: FBT001 - a column of the table
    uid: int,
    library: bool,  # noqa: FBT001 - as above
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On this machine, by root, with the plugin's extra; without simulation nothing is asked."""
    monkeypatch.setattr(connect, "choose", lambda *_: SimpleNamespace(embedded=embedded))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: library or None)
    with pytest.raises(UsageError, match=words):
        hardware.check(request(CORAL, simulate=2))
    hardware.check(request(CORAL))


@pytest.mark.parametrize(
    ("shared", "words"),
    [
        ([], []),
        ([(1, True)], []),
        ([(2, True), (4, False), (1, True)], ["--simulate-shares=4"]),
        ([(3, False)], ["--simulate-shares=3", "--simulate-together"]),
    ],
)
def test_simulated_devices_are_shared_as_those_they_stand_in_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared: list[tuple[int, bool]], words: list[str]
) -> None:
    """As often as most of them, and in turn if some of them are."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n')
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    kinds = [
        Hardware(kind=f"k{number}", resource="r", paths=("/dev/x",), shares=shares, in_turn=in_turn)
        for number, (shares, in_turn) in enumerate(shared)
    ]
    plugin = hardware.SimulatedHardware(2, kinds)
    plugin.end()
    assert (tmp_path / "arguments").read_text().split()[6:] == words


def test_the_plugin_of_simulated_devices_says_why_it_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By its last line; it ends with its standard input."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nread line && exit 1\necho first\necho no loop devices here\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    plugin = hardware.SimulatedHardware(2)
    plugin.check()
    assert plugin._plugin.stdin
    plugin._plugin.stdin.close()
    plugin._plugin.wait(60)
    with pytest.raises(InfrastructureError, match="has ended: no loop devices here"):
        plugin.check()
    plugin.end()
