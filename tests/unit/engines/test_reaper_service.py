"""The reaper as a service: what it says, and how it shows that it lives."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.engines import reaper_service
from paddock.errors import ClusterUnreachable
from paddock.specs import Account

if TYPE_CHECKING:
    from collections.abc import Mapping


class Reaper:
    """Finds what it is told, look by look."""

    def __init__(self, *finds: Mapping[str, Account] | ClusterUnreachable) -> None:
        self.finds = list(finds)
        self.kept: Mapping[str, str] = {}
        self.asked = 0

    def obstacles(self, run_id: str) -> Mapping[str, str]:
        """Return what keeps namespaces."""
        assert run_id == "k7x2mq"
        self.asked += 1
        return self.kept

    def sweep(self, *, seconds: float) -> Mapping[str, Account]:
        """Return the next find without waiting for anything."""
        assert seconds == 0
        if not self.finds:
            raise Enough
        found = self.finds.pop(0)
        if isinstance(found, ClusterUnreachable):
            raise found
        return found


class Enough(Exception):  # noqa: N818 - it ends a test
    """Ends a loop that has no end."""


def said(*finds: Mapping[str, Account] | ClusterUnreachable) -> list[str]:
    """Return what is said in as many looks."""
    lines: list[str] = []
    service = reaper_service.Service(cast("Any", Reaper(*finds)), lines.append)
    for _ in finds:
        service.look()
    return lines


def test_each_end_is_told() -> None:
    """With its account, as by the command that looks once."""
    ended = Account(created=["a", "b"], deleted=["a", "b"])
    assert said({}, {"k7x2mq": ended}, {}) == ["run k7x2mq: namespaces: found 2, left 0"]


def test_an_outage_is_told_once_and_the_next_one_again() -> None:
    """A log is read by somebody."""
    down = ClusterUnreachable("The API server gave no answer.")
    line = "The API server gave no answer. Trying again."
    assert said(down, down, down, {}, down) == [line, line]


def test_what_does_not_go_is_explained_once_and_told_when_it_has_gone() -> None:
    """A minute after it was asked for, and again when the reason has changed; what goes in time is not mentioned."""
    reaper, lines, now = Reaper({"k7x2mq": Account(created=["a"], deleted=["a"])}), list[str](), [0.0]
    service = reaper_service.Service(cast("Any", reaper), lines.append, lambda: now[0])

    def look(seconds: float, kept: Mapping[str, str]) -> list[str]:
        lines.clear()
        now[0] += seconds
        reaper.kept = kept
        reaper.finds = reaper.finds or [{}]
        service.look()
        return list(lines)

    held, down = {"a": "pods/x keeps the finalizer y"}, {"a": "the aggregated API z is down"}
    assert look(0, held) == ["run k7x2mq: namespaces: found 1, left 0"]
    assert look(59, held) == []
    assert look(2, held) == ["run k7x2mq: the namespace a does not go: pods/x keeps the finalizer y"]
    assert look(5, down) == []
    assert look(60, down) == ["run k7x2mq: the namespace a does not go: the aggregated API z is down"]
    assert look(61, {}) == ["run k7x2mq: its namespaces are gone now"]
    assert look(61, {}) == []
    assert reaper.asked == 3


def test_what_stays_refused_is_told_once() -> None:
    """Each look tries it again, and says nothing new."""
    refused = {"k7x2mq": Account(created=(), deleted=(), left={"run-k7x2mq": "forbidden"})}
    assert said(refused, refused) == ["run k7x2mq: namespaces: found 0, left 1; run-k7x2mq: forbidden"]


def test_every_look_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that failed: a probe asks whether the loop goes round, not whether the API server is there."""
    alive = tmp_path / "alive"
    touched: list[float] = []
    monkeypatch.setattr(reaper_service, "LOOK_EVERY", 0)
    monkeypatch.setattr(Path, "touch", lambda path: touched.append(path == alive))
    with pytest.raises(Enough):
        reaper_service.run(cast("Any", Reaper({}, ClusterUnreachable("gone"))), lambda _: None, alive)
    assert touched == [True, True]


def test_it_ends_at_once_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the first process of a pod it would otherwise never hear of it, and be killed after the grace."""
    monkeypatch.setattr("os.nice", lambda _: 0)
    before = signal.getsignal(signal.SIGTERM)
    try:
        reaper_service.make_way()
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 0
