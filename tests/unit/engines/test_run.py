"""What a run does between its leases and its streams, with both at hand."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from paddock.engines import kubernetes
from paddock.engines import run as run_module
from paddock.engines.kubernetes import KubernetesEngine
from paddock.engines.request import RunRequest
from paddock.engines.run import ClusterRun
from paddock.errors import LeaseError, StreamClosed, UsageError
from paddock.specs import Doing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

PATIENCE = 10.0
PLAN = SimpleNamespace(run_id="k7x2mq", limits=None, artifacts=None, lease_duration=15)


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
    monkeypatch.setattr(run_module, "Heart", lambda *_: SimpleNamespace(start=lambda: None))
    monkeypatch.setattr(run_module, "Sweeper", lambda *_: None)
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
    request = RunRequest(run_id="k7x2mq", root=tmp_path, working_directory=tmp_path, context="paddock")
    KubernetesEngine(request, print).begin(["gw0"])
    assert len(asked) == 1
    assert 0 <= asked[0] <= 1

    def refuse(*_: object) -> None:
        raise LeaseError("no cluster")

    monkeypatch.setattr(kubernetes, "prepare", refuse)
    engine = KubernetesEngine(request, print)
    engine.begin(["gw0"])
    with pytest.raises(LeaseError, match="no cluster"):
        engine.open("gw0", lambda *_: None)


@pytest.mark.parametrize(
    ("context", "content", "sentence"),
    [
        (
            None,
            "contexts: [{name: prod}]\ncurrent-context: prod",
            "context 'prod' is not a local cluster",
        ),
        ("stage", "contexts: [{name: prod}]", "The kube context 'stage' does not exist; the kubeconfig has: prod"),
        (None, "contexts: [{name: kind-a}]", "has no current context; it has: kind-a"),
        (None, "contexts: 3", "cannot be used"),
    ],
)
def test_a_cluster_that_may_not_be_used_is_refused_at_once(
    tmp_path: Path, context: str | None, content: str, sentence: str
) -> None:
    """In the thread that can still end the run with one line: before anything is prepared or asked for."""
    file = tmp_path / "config"
    file.write_text(content, encoding="utf-8")
    request = RunRequest(run_id="r", root=tmp_path, working_directory=tmp_path, context=context, kubeconfig=file)
    with pytest.raises(UsageError, match=sentence):
        KubernetesEngine(request, print)


def test_a_note_reaches_the_run_as_soon_as_there_is_one(tmp_path: Path) -> None:
    """Before it is made there is nothing to write on, and nobody is told."""
    noted: list[tuple[str, Doing]] = []
    request = RunRequest(run_id="k7x2mq", root=tmp_path, working_directory=tmp_path, context="paddock")
    engine = KubernetesEngine(request, print)
    engine.note("gw0", Doing())
    engine._made = SimpleNamespace(note=lambda worker, doing: noted.append((worker, doing)))  # type: ignore[assignment]
    engine.note("gw0", Doing(passed=1))
    assert noted == [("gw0", Doing(passed=1))]
