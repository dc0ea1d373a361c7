"""What ``paddock devices`` prints."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock import names
from paddock.cli import devices, main, reaching
from paddock.cluster import requests
from paddock.devices import leases
from paddock.devices.leases import Claim
from paddock.namespaces.annotations import to_annotations
from paddock.specs import Awaited, Doing

if TYPE_CHECKING:
    from pathlib import Path

CORAL = "paddock.dev/coral"
NODES = [
    {
        "metadata": {"name": "one"},
        "status": {
            "capacity": {"cpu": "2", CORAL: "4", "hugepages-2Mi": "0", "x.kubernetes.io/y": "1"},
            "allocatable": {CORAL: "3"},
        },
    },
    {
        "metadata": {"name": "two"},
        "status": {"capacity": {"nvidia.com/gpu": "1"}, "allocatable": {"nvidia.com/gpu": "1"}},
    },
]


def pod(name: str, node: str, resource: str, count: int, phase: str = "Running", **labels: str) -> dict[str, Any]:
    keys = {names.RUN if key == "run" else names.WORKER: value for key, value in labels.items()}
    return {
        "metadata": {"name": name, "namespace": "ns", "labels": keys},
        "spec": {"nodeName": node, "containers": [{"resources": {"limits": {resource: str(count)}}}, {}]},
        "status": {"phase": phase},
    }


PODS = [
    pod("worker", "one", CORAL, 1, run="k7x2mq", worker="gw0"),
    pod("worker", "one", CORAL, 1, "Succeeded", run="k7x2mq", worker="gw1"),
    pod("other", "one", CORAL, 2),
    pod("broker", "one", "memory", 1),
]


LEASES = [
    {
        "metadata": {
            "name": f"run-{run}",
            "labels": {names.RUN: run},
            "creationTimestamp": since,
            "annotations": said,
        },
        "spec": {"holderIdentity": "ann@ci-3/12/ab/34"},
    }
    for run, since, said in (
        ("zz", "2026-11-22T10:00:02Z", {names.WAITS_FOR: CORAL}),
        ("k7x2mq", "2026-11-22T09:00:00Z", {names.HOLDS_UNTIL: "2026-11-22T10:03:00+00:00"}),
        ("yy", "2026-11-22T10:00:01Z", {names.WAITS_FOR: CORAL}),
    )
]


AWAITED = Awaited(
    device="apex_1 of 'coral'", test="t.py::b", holder="p4v9xz/gw0", held_for="t.py::a", since="2026-11-22T10:00:00Z"
)
NAMESPACES = [
    {"metadata": {"name": worker, "annotations": to_annotations("zz", worker, doing)}}
    for worker, doing in {"gw0": Doing(), "gw1": Doing(awaits=AWAITED), "gw2": Doing(awaits=AWAITED)}.items()
]


class Cluster:
    """Answers the two questions, by their kind."""

    def __init__(self, nodes: list[Any], pods: list[Any]) -> None:
        self._answers = {requests.NODE: nodes, requests.POD: pods, requests.LEASE: LEASES}
        self._answers[requests.NAMESPACE] = NAMESPACES

    def time(self) -> datetime:
        return datetime(2026, 11, 22, 10, tzinfo=UTC)

    def list_objects(self, kind: requests.Kind, **_: Any) -> list[Any]:
        return self._answers[kind]


@pytest.fixture(autouse=True)
def no_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "folders", lambda: [tmp_path / "lines", tmp_path / "none"])


def shown(monkeypatch: pytest.MonkeyPatch, cluster: Cluster | None, *arguments: str) -> None:
    monkeypatch.setattr(reaching, "reach", lambda _: cluster)
    assert main.main(["devices", *arguments]) == 0


def test_hardware_is_listed_with_who_holds_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Of all device plugins; what is configured and nowhere to be had is listed too, and over pods hold nothing.

    The runs that wait follow, the first of them first, with when their turns are expected; then the shared devices that
    tests of theirs wait for.
    """
    (tmp_path / "pyproject.toml").write_text(
        '[tool.paddock.devices.hailo]\npaths = ["/dev/hailo*"]\n', encoding="utf-8"
    )
    shown(monkeypatch, Cluster(NODES, PODS))
    assert capsys.readouterr().out.splitlines() == [
        "RESOURCE            NODE   CAPACITY   HEALTHY   FREE   HELD BY",
        "nvidia.com/gpu      two    1          1         1      -",
        "paddock.dev/coral   one    4          3         0      k7x2mq/gw0, ns/other (2)",
        "paddock.dev/hailo   one    0          0         0      -",
        "paddock.dev/hailo   two    0          0         0      -",
        "",
        "WAITS FOR           RUN   OWNER      SINCE                  EXPECTED",
        "paddock.dev/coral   yy    ann@ci-3   2026-11-22T10:00:01Z   in about 3 min",
        "paddock.dev/coral   zz    ann@ci-3   2026-11-22T10:00:02Z   unknown: ns/other is no run that is recorded",
        "",
        "IN TURN             NOW          SINCE                  TEST      THEN",
        "apex_1 of 'coral'   p4v9xz/gw0   2026-11-22T10:00:00Z   t.py::a   zz/gw1, zz/gw2",
    ]
    shown(monkeypatch, Cluster(NODES, PODS), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["devices"][1]["holders"] == {"k7x2mq/gw0": 1, "ns/other": 2}
    assert [(one["run"], one["expected"]) for one in told["waiting"]] == [
        ("yy", "2026-11-22T10:03:00+00:00"),
        ("zz", None),
    ]
    assert told["waiting"][1]["unknown"] == "ns/other is no run that is recorded"
    assert [(one["device"], one["then"]) for one in told["turns"]] == [("apex_1 of 'coral'", ["zz/gw1", "zz/gw2"])]


def test_lines_of_this_machine_are_read_where_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Also without a cluster; what its workers say of the same turn is put to it."""
    claim = Claim(device="apex_1 of 'coral'", run="p4v9xz", worker="gw0", test="t.py::a")
    with leases.turns({leases.make(f"{tmp_path}/lines/coral/apex_1.line"): claim}):
        shown(monkeypatch, None, "--json")
        (alone,) = json.loads(capsys.readouterr().out)["turns"]
        shown(monkeypatch, cast("Any", Cluster(NODES, PODS)), "--json")
        (both,) = json.loads(capsys.readouterr().out)["turns"]
    assert (alone["now"], alone["test"], alone["then"]) == ("p4v9xz/gw0", "t.py::a", [])
    assert both == {**alone, "then": ["zz/gw1", "zz/gw2"]}
    shown(monkeypatch, None, "--json")
    assert json.loads(capsys.readouterr().out)["turns"] == [], "nobody stands there any more"


def test_where_nobody_has_any_the_ways_out_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To hand it out, or to simulate it; a node that is down is another matter."""
    monkeypatch.setattr(sys.modules[__name__], "NAMESPACES", [])
    shown(monkeypatch, Cluster([{"metadata": {"name": "one"}, "status": {"capacity": {"cpu": "2"}}}], []))
    assert capsys.readouterr().err == f"{devices.NONE}\n"
    shown(monkeypatch, None)
    assert capsys.readouterr().err == "No hardware: the embedded node is down.\n"
