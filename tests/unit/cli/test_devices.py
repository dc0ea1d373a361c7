"""What ``paddock devices`` prints."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names
from paddock.cli import devices, main, reaching
from paddock.cluster import requests

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


class Cluster:
    """Answers the two questions, by their kind."""

    def __init__(self, nodes: list[Any], pods: list[Any]) -> None:
        self._answers = {requests.NODE: nodes, requests.POD: pods, requests.LEASE: LEASES}

    def time(self) -> datetime:
        return datetime(2026, 11, 22, 10, tzinfo=UTC)

    def list_objects(self, kind: requests.Kind, **_: Any) -> list[Any]:
        return self._answers[kind]


@pytest.fixture(autouse=True)
def no_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def shown(monkeypatch: pytest.MonkeyPatch, cluster: Cluster | None, *arguments: str) -> None:
    monkeypatch.setattr(reaching, "reach", lambda _: cluster)
    assert main.main(["devices", *arguments]) == 0


def test_hardware_is_listed_with_who_holds_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Of all device plugins; what is configured and nowhere to be had is listed too, and over pods hold nothing.

    The runs that wait follow, the first of them first, and when their turns are expected.
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
    ]
    shown(monkeypatch, Cluster(NODES, PODS), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["devices"][1]["holders"] == {"k7x2mq/gw0": 1, "ns/other": 2}
    assert [(one["run"], one["expected"]) for one in told["waiting"]] == [
        ("yy", "2026-11-22T10:03:00+00:00"),
        ("zz", None),
    ]
    assert told["waiting"][1]["unknown"] == "ns/other is no run that is recorded"


def test_where_nobody_has_any_the_ways_out_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To hand it out, or to simulate it; a node that is down is another matter."""
    shown(monkeypatch, Cluster([{"metadata": {"name": "one"}, "status": {"capacity": {"cpu": "2"}}}], []))
    assert capsys.readouterr().err == f"{devices.NONE}\n"
    shown(monkeypatch, None)
    assert capsys.readouterr().err == "No hardware: the embedded node is down.\n"
