"""What a run does between its leases and its streams, with both at hand."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from paddock.engines import kubernetes
from paddock.engines import run as run_module
from paddock.engines.kubernetes import KubernetesEngine
from paddock.engines.run import ClusterRun
from paddock.errors import LeaseError, StreamClosed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

PATIENCE = 10.0
PLAN = SimpleNamespace(run_id="k7x2mq", limits=None, artifacts=None)


class Leases:
    """Leases of a run whose services have failed for two workers."""

    def __init__(self, *_: object) -> None:
        self._failures = {("paddock-k7x2mq-gw0", "broker"): "OOMKilled", ("paddock-k7x2mq-gw1", "broker"): "evicted"}
        self.may_tell = threading.Event()

    def await_failure(self, told: Collection[tuple[str, str]]) -> tuple[tuple[str, str], str] | None:
        """Return the next failure that was not told, as the watch of pods would."""
        assert self.may_tell.wait(PATIENCE)
        return next(((key, why) for key, why in self._failures.items() if key not in told), None)


class Stream:
    """A worker's stream that keeps what it was told, or is closed."""

    def __init__(self, *, closed: bool = False) -> None:
        self.closed = closed
        self.told: dict[str, Mapping[str, object]] = {}

    def send_facts(self, name: str, mapping: Mapping[str, object]) -> None:
        """Keep facts; a worker that has gone takes none."""
        if self.closed:
            raise StreamClosed("the worker has gone")
        self.told[name] = mapping


def test_a_worker_that_has_gone_does_not_keep_failures_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service of a worker that was killed may well fail; nobody is left to be told, and the next one is."""
    monkeypatch.setattr(run_module, "Leases", Leases)
    monkeypatch.setattr("paddock.namespaces.records.write", lambda *_: None)
    run = ClusterRun(None, PLAN, "me")  # type: ignore[arg-type] # neither is asked
    gone, there = Stream(closed=True), Stream()
    run._streams = {"gw0": gone, "gw1": there}  # type: ignore[dict-item] # what connect would fill
    run._leases.may_tell.set()  # type: ignore[attr-defined] # of the class above
    run._teller.join(PATIENCE)
    assert there.told == {"broker": {"failure": "evicted"}}


def test_the_worker_pods_are_asked_for_before_pytest_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What pytest imports next would take turns with the thread that asks; failures are told where they are awaited."""
    asked: list[float] = []
    made = SimpleNamespace(add=lambda _: None, await_asked=asked.append)
    monkeypatch.setattr(kubernetes, "prepare", lambda *_: SimpleNamespace(cluster=None, plan=None))
    monkeypatch.setattr(kubernetes, "ClusterRun", lambda *_: made)
    request = SimpleNamespace(root=tmp_path, sources=())
    KubernetesEngine(request, print).begin(["gw0"])  # type: ignore[arg-type] # of the request only the sources are asked
    assert len(asked) == 1
    assert 0 <= asked[0] <= 1

    def refuse(*_: object) -> None:
        raise LeaseError("no cluster")

    monkeypatch.setattr(kubernetes, "prepare", refuse)
    engine = KubernetesEngine(request, print)  # type: ignore[arg-type] # as above
    engine.begin(["gw0"])
    with pytest.raises(LeaseError, match="no cluster"):
        engine.open("gw0", lambda *_: None)
