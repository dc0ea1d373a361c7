"""Which logs are printed, and how their lines are told apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from paddock.cli import logs, main, reaching
from paddock.cluster import logs as cluster_logs
from paddock.errors import NotFound, UsageError
from paddock.namespaces import inventory, masking
from tests.unit.cli.inspected import pod, run, worker

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITTEN = {"worker": ["worker started", "login with hunter22"], "database": ["ready"]}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A run of one worker whose pods have written something; returns how the logs were asked for."""
    calls: list[dict[str, Any]] = []

    def lines(_cluster: object, _namespace: str, name: str, **how: Any) -> Iterator[str]:
        calls.append(how)
        if name not in WRITTEN:
            raise NotFound(f"The pod {name} is gone.", status=404)
        yield from WRITTEN[name]

    monkeypatch.setattr(reaching, "reach", lambda _arguments: object())
    monkeypatch.setattr(inventory, "read", lambda _cluster: [run("k7x2mq", worker("gw0"))])
    monkeypatch.setattr(cluster_logs, "lines", lines)
    monkeypatch.setattr(masking, "secrets_of", lambda *_: {"hunter22"})
    return calls


def test_each_line_says_whose_it_is(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    """Passwords are masked, and a pod that cannot be read keeps nobody from reading the others."""
    assert main.main(["logs", "k7x2mq", "--tail", "5"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "[gw0 worker] worker started",
        "[gw0 worker] login with ***",
        "[gw0 database] ready",
    ]
    assert captured.err == "[gw0 broker] The pod broker is gone.\n"
    assert asked[0] == {"follow": False, "tail": 5}


def test_a_single_pod_needs_no_name_before_its_lines(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its text can be piped on as it is."""
    assert main.main(["logs", "gw0", "database", "-f"]) == 0
    assert capsys.readouterr().out == "ready\n"
    assert asked == [{"follow": True, "tail": None}]


@pytest.mark.usefixtures("asked")
def test_following_several_pods_follows_them_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines come as they are written, whole, each with its name."""
    assert main.main(["logs", "k7x2mq", "--follow"]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "[gw0 database] ready",
        "[gw0 worker] login with ***",
        "[gw0 worker] worker started",
    ]


@pytest.mark.usefixtures("asked")
def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line says its namespace and pod."""
    assert main.main(["logs", "gw0", "worker", "--json"]) == 0
    (_, second) = map(json.loads, capsys.readouterr().out.splitlines())
    assert second == {"namespace": "paddock-k7x2mq-gw0", "pod": "worker", "line": "login with ***"}


def test_pods_without_a_node_have_written_nothing() -> None:
    """What has not begun is not asked; if nothing has, that is said."""
    waiting = worker("gw0", pods=(pod("worker"), pod("broker", "its phase is Pending", "")))
    assert [source.pod for source in logs.sources([waiting], None)] == ["worker"]
    with pytest.raises(UsageError, match="No pod has been started yet"):
        logs.sources([waiting], "broker")


def test_a_component_that_workers_share_is_printed_once() -> None:
    """`paddock logs RUN broker` is the log of the one there is; what nobody has is told."""
    own = (pod("worker"), pod("database"))
    workers = [worker("gw0", pods=own), worker("gw1", pods=own), worker("shared", pods=(pod("broker"),))]
    found = [(one.namespace, one.pod) for one in logs.sources(workers, "broker")]
    assert found == [("paddock-k7x2mq-shared", "broker")]
    assert len(logs.sources(workers, "database")) == 2
    with pytest.raises(UsageError, match="no pod 'cache'; its pods: worker, database"):
        logs.sources(workers, "cache")
