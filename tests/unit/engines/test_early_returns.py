"""Leases that are given back while a run goes on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from paddock.engines import early_returns
from paddock.engines.early_returns import EarlyReturns

if TYPE_CHECKING:
    import pytest

PATIENCE = 10.0


def test_a_lease_is_ended_once_its_worker_has() -> None:
    """Once, however often it is asked for; one whose worker does not end stays for the run's end."""
    ended: list[str] = []
    done = threading.Event()

    def end(worker: str) -> None:
        ended.append(worker)
        done.set()

    returns = EarlyReturns(lambda worker: worker != "gw1", end, pause=0.0)
    for worker in ("gw1", "gw0", "gw0"):
        returns.begin(worker)
    assert done.wait(PATIENCE)
    returns.close()
    assert ended == ["gw0"]


def test_the_runs_end_ends_all_others_itself() -> None:
    """Whoever is not being ended by then is left to the release of all; nothing begins any more."""
    ended: list[str] = []
    returns = EarlyReturns(lambda _: True, ended.append, pause=PATIENCE)
    returns.begin("gw0")
    returns.hold()
    returns.begin("gw1")
    returns.close()
    assert ended == []


def test_a_deletion_that_is_under_way_is_waited_for() -> None:
    """The account comes after it."""
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def end(worker: str) -> None:
        begun.set()
        assert may_end.wait(PATIENCE)
        ended.append(worker)

    returns = EarlyReturns(lambda _: True, end, pause=0.0)
    returns.begin("gw0")
    assert begun.wait(PATIENCE)
    threading.Timer(0.05, may_end.set).start()
    returns.close()
    assert ended == ["gw0"]


def test_the_runs_end_does_not_wait_for_a_worker_that_is_still_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its interpreter may take a second; its lease is left to the release of all."""
    monkeypatch.setattr(early_returns, "_PARTING", 2 * PATIENCE)
    awaited, has_ended, was_awaited, ended = threading.Event(), threading.Event(), threading.Event(), list[str]()

    def await_end(_worker: str) -> bool:
        awaited.set()
        has_ended.wait(PATIENCE)
        was_awaited.set()
        return True

    returns = EarlyReturns(await_end, ended.append, pause=0.0)
    returns.begin("gw0")
    assert awaited.wait(PATIENCE)
    returns.close()
    assert not was_awaited.is_set()
    has_ended.set()
    for thread in [one for one in threading.enumerate() if one.name == "give-back-gw0"]:
        thread.join(PATIENCE)
    assert ended == []
