"""What a run does between its leases and its streams, with both at hand."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.devices.resources import Wanted
from paddock.engines import hardware, kubernetes
from paddock.engines.kubernetes import KubernetesEngine
from paddock.engines.request import RunRequest
from paddock.engines.service_failures import ServiceFailures
from paddock.errors import LeaseError, StreamClosed, UsageError
from paddock.namespaces.leases import Failure
from paddock.namespaces.turns import holds_until
from paddock.specs import Cause, Doing, Fate
from tests.unit.namespaces.api_server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

PATIENCE = 10.0


class Leases:
    """Leases of a run whose services fail."""

    def __init__(self, **failures: str) -> None:
        self._failures = [
            Failure((f"paddock-k7x2mq-{worker}", "broker"), told(why)) for worker, why in failures.items()
        ]
        self.refusals: list[Failure] = []
        self.made_anew: list[tuple[tuple[str, str], float]] = []
        self.may_tell = threading.Event()

    def await_failure(self, told: Collection[tuple[str, str]]) -> Failure | None:
        """Return the next failure that was not told, as the watch of pods would."""
        assert self.may_tell.wait(PATIENCE)
        if self.refusals:
            return self.refusals.pop(0)
        return next((one for one in self._failures if one.key not in told), None)

    def make_anew(self, key: tuple[str, str], pause: float) -> None:
        """Note it."""
        self.made_anew.append((key, pause))


def told(why: str) -> Cause:
    return Cause(kind="fault", sentence=why, remedy="Mend it.", fate=Fate.PASSING)


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


def telling(leases: Leases) -> ServiceFailures:
    return ServiceFailures("k7x2mq", cast("Any", leases))


def test_a_worker_that_has_gone_does_not_keep_failures_from_others() -> None:
    """The service of a worker that was killed may well fail; nobody is left to be told, and the next one is."""
    leases = Leases(gw0="OOMKilled", gw1="evicted")
    failures = telling(leases)
    gone, there = Stream(closed=True), Stream()
    failures.add("gw0", gone)
    failures.add("gw1", there)
    leases.may_tell.set()
    failures._thread.join(PATIENCE)
    assert there.told == {"broker": {"failure": "evicted Mend it."}}


def test_what_all_workers_share_fails_for_all_also_for_those_that_come_later() -> None:
    """A broker that is made beside the workers' pods may have failed before the first of them is there."""
    leases = Leases(shared="ErrImagePull")
    failures, early, late = telling(leases), Stream(), Stream()
    failures.add("gw0", early)
    leases.may_tell.set()
    failures._thread.join(PATIENCE)
    failures.add("gw1", late)
    assert early.told == late.told == {"broker": {"failure": "ErrImagePull Mend it."}}


def test_a_refused_pod_is_told_in_the_terminal_and_no_worker() -> None:
    """Once, by one of those who use it, also if that comes later; the last refusal is told to both."""
    leases, lines = Leases(), list[str]()
    inference, shared = ("paddock-k7x2mq-gw0", "inference"), ("paddock-k7x2mq-shared", "broker")
    leases.refusals = [
        Failure(inference, told("It was full."), 1, is_followed=True),
        Failure(shared, told("It was full."), 2, is_followed=True),
        Failure(inference, told("It was full."), 3),
    ]
    failures, stream = telling(leases), Stream()
    failures.enter("gw1", lambda line: lines.append(f"gw1 {line.decode()}"))
    leases.may_tell.set()
    failures._thread.join(PATIENCE)
    full = "It was full. Mend it."
    assert lines == [f"gw1 The pod of the service 'broker' was refused, 2 of 3: {full} Another is made in 2 s."]
    failures.enter("gw0", lambda line: lines.append(f"gw0 {line.decode()}"))
    failures.enter("gw2", lambda line: lines.append(f"gw2 {line.decode()}"))
    failures.add("gw0", stream)
    assert lines[1:] == [
        f"gw0 The pod of the service 'inference' was refused, 1 of 3: {full} Another is made in 1 s.",
        f"gw0 The pod of the service 'inference' was refused, 3 of 3: {full} No other is made.",
    ]
    assert leases.made_anew == [(inference, 1.0), (shared, 2.0)]
    assert stream.told == {"inference": {"failure": full}}


@dataclass
class Plan:
    """As much of one as is looked at."""

    hardware_workers: int | None = None


def test_the_worker_pods_are_asked_for_before_pytest_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What pytest imports next would take turns with the thread that asks; failures are told where they are awaited."""
    asked: list[float] = []
    made = SimpleNamespace(add=lambda _: None, await_asked=asked.append)
    monkeypatch.setattr(kubernetes, "prepare", lambda *_: SimpleNamespace(cluster=None, plan=Plan()))
    monkeypatch.setattr(kubernetes, "begin", lambda *_: made)
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


def test_the_record_says_from_the_beginning_how_long_hardware_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By what earlier runs know, and then with each renewal by what the plan does."""
    server, heart = ApiServer(), SimpleNamespace(beside=None)
    server.record("k7x2mq", "me")
    made = SimpleNamespace(add=lambda _: None, await_asked=lambda _: None, heart=heart)
    monkeypatch.setattr(kubernetes, "prepare", lambda *_: SimpleNamespace(cluster=server, plan=Plan()))
    monkeypatch.setattr(kubernetes, "begin", lambda *_: made)
    monkeypatch.setattr(hardware, "survey", lambda *_: None)
    wanted = (Wanted(kind="coral", count=1, resource="paddock.dev/coral"),)
    request = RunRequest(run_id="k7x2mq", root=tmp_path, working_directory=tmp_path, context="paddock", hardware=wanted)
    engine = KubernetesEngine(request, print)
    engine.foretell(60.0)
    engine.begin(["gw0"])
    engine._run.result(PATIENCE)

    def left() -> float:
        until = holds_until(server.records["run-k7x2mq"])
        assert until is not None
        return (until - server.now).total_seconds()

    assert left() == pytest.approx(60.0, abs=2)
    engine.foretell(600.0)
    heart.beside()
    assert left() == pytest.approx(600.0, abs=2)


def test_a_run_that_ends_while_it_is_prepared_makes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Images take minutes: nobody waits for them, and what comes of them comes too late."""
    go_on, made = threading.Event(), threading.Event()

    def prepare(*_: object) -> SimpleNamespace:
        assert go_on.wait(PATIENCE)
        return SimpleNamespace(cluster=None, plan=Plan())

    monkeypatch.setattr(kubernetes, "prepare", prepare)
    monkeypatch.setattr(kubernetes, "begin", lambda *_: made.set())
    request = RunRequest(run_id="k7x2mq", root=tmp_path, working_directory=tmp_path, context="paddock")
    engine = KubernetesEngine(request, print)
    engine.begin(["gw0"])
    assert engine.release().sentence() == "namespaces: created 0, deleted 0, left 0"
    assert engine.so_far().sentence() == "namespaces: created 0, deleted 0, left 0"
    assert engine.afterwards() == ()
    go_on.set()
    with pytest.raises(LeaseError, match="ended before its namespaces were asked for"):
        engine.open("gw0", lambda *_: None)
    assert not made.is_set()


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
