"""Laws of ending runs: one that beats never is, one that stops always is, and only what is recorded is touched."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock import names
from paddock.namespaces import records
from paddock.namespaces.heart import Heart
from paddock.namespaces.reaper import GRACE, Pulses, Reaper, Sweeper, run_of
from tests.unit.namespaces.api_server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RUNS = ("aa", "bb", "cc")


def reaper(server: ApiServer, gone: Iterable[str] = ()) -> Reaper:
    """Return a reaper that knows of some holders that they have gone."""
    return Reaper(cast("Any", server), "me", lambda holder: holder in gone)


def await_that(condition: Callable[[], bool]) -> None:
    """Wait until it holds, for ten seconds at most."""
    pause, left = threading.Event(), 1000
    while not condition():
        pause.wait(0.01)
        left -= 1
        assert left, "it never came true"


@settings(max_examples=300)
@given(
    beats=st.lists(st.floats(0.1, 14.9), min_size=1, max_size=30),
    looks=st.lists(st.floats(0.1, 20), min_size=1, max_size=30),
    skew=st.floats(-1e6, 1e6),
)
def test_a_record_that_is_renewed_in_time_is_never_taken_for_nobodys(
    beats: list[float], looks: list[float], skew: float
) -> None:
    """However the clocks differ and however seldom one looks."""
    times = [sum(beats[: n + 1]) for n in range(len(beats))]
    pulses, now = Pulses(), 0.0
    for look in looks:
        now += look
        if now > times[-1]:
            return
        beaten = sum(time <= now for time in times)
        record = records.manifest("aa", "x") | {"spec": {"leaseDurationSeconds": 15, "renewTime": f"{beaten}"}}
        assert pulses.stopped([record], now + skew) == []


@given(every=st.floats(0.1, 10), duration=st.integers(1, 60))
def test_a_record_that_is_renewed_no_more_is_found_in_time(every: float, duration: int) -> None:
    """Within its duration, the grace and two looks, and not before."""
    record = records.manifest("aa", "x", duration)
    pulses, now = Pulses(), 0.0
    while not pulses.stopped([record], now):
        now += every
        assert now <= duration + GRACE + 2 * every
    assert now > duration + GRACE


def test_a_record_that_its_writer_never_renews_is_not_judged_by_time() -> None:
    """Those of an earlier version have no duration."""
    record = records.manifest("aa", "x") | {"spec": {"holderIdentity": "x"}}
    pulses = Pulses()
    assert pulses.stopped([record], 0) == []
    assert pulses.stopped([record], 1e9) == []


@settings(max_examples=1000)
@given(data=st.data())
def test_only_what_is_ours_and_without_a_leader_is_deleted(data: st.DataObject) -> None:
    """In a thousand clusters: label and record and a leader that has gone, or it stays."""
    server = ApiServer()
    gone = {f"me/{run}" for run in RUNS if data.draw(st.booleans(), label=f"{run} has gone")}
    recorded = {run for run in RUNS if data.draw(st.booleans(), label=f"{run} is recorded")}
    for run in recorded:
        server.record(run, f"me/{run}", data.draw(st.sampled_from([None, 1, 15])))
    for run in RUNS:
        for worker in data.draw(st.sets(st.sampled_from(["gw0", "gw1", "gw2"]))):
            others = st.sampled_from([None, {}, {names.RUN: run}, {names.MANAGED_BY: names.MANAGED_BY_VALUE}])
            server.namespace(run, worker, data.draw(others))
    before = copy.deepcopy(server.namespaces)
    accounts = reaper(server, gone).sweep(seconds=0)
    ended = {run for run in recorded if f"me/{run}" in gone}
    assert set(accounts) == ended
    theirs = [names.labels(run).items() for run in ended]
    stay = {n: one for n, one in before.items() if not any(t <= one["metadata"]["labels"].items() for t in theirs)}
    assert server.namespaces == stay
    assert {run_of(record) for record in server.records.values()} == recorded - ended


def test_of_two_reapers_one_ends_a_run() -> None:
    """The second finds the record changed since it looked, and leaves the run alone."""
    server = ApiServer()
    server.record("aa", "gone")
    server.namespace("aa", "gw0")
    first, second = reaper(server, ["gone"]), reaper(server, ["gone"])
    (seen_by_first,), (seen_by_second,) = first.find(), second.find()
    assert first.end(seen_by_first, seconds=0)
    server.record("aa", "reaper/first")  # as it is while the first one is at work
    assert second.end(seen_by_second, seconds=0) is None


def test_a_client_that_comes_back_in_time_keeps_its_run() -> None:
    """A renewal between the reaper's look and its deed is a change of the record: it lives."""
    server = ApiServer()
    server.record("aa", "me")
    (seen,) = reaper(server, ["me"]).find()
    assert records.beat(cast("Any", server), "aa") == "me"
    assert reaper(server).end(seen, seconds=0) is None
    assert server.records


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (lambda server: server.record("aa", "reaper/other"), "was taken over by reaper/other"),
        (lambda server: server.records.clear(), "is recorded no more"),
    ],
)
def test_a_client_that_comes_back_too_late_learns_it(happens: Callable[[ApiServer], None], said: str) -> None:
    """Its heart stops, and it says what happened."""
    server = ApiServer()
    server.record("aa", "me")
    heart = Heart(cast("Any", server), "aa", "me", duration=0.03)
    heart.start()
    try:
        assert heart.lost == ""
        happens(server)
        await_that(lambda: said in heart.lost)
    finally:
        heart.close()


def test_a_heart_goes_on_when_the_server_comes_back() -> None:
    """A beat that nobody answers is followed by the next."""
    server = ApiServer()
    server.record("aa", "me")
    server.broken = True
    heart = Heart(cast("Any", server), "aa", "me", duration=0.03)
    heart.start()
    try:
        before = server.records["run-aa"]["metadata"]["resourceVersion"]
        server.broken = False
        await_that(lambda: server.records["run-aa"]["metadata"]["resourceVersion"] != before)
        assert heart.lost == ""
    finally:
        heart.close()


def test_a_run_sweeps_beside_its_tests_and_tells_at_its_end() -> None:
    """What it has ended stands in the account of the run that found it."""
    server = ApiServer()
    server.record("aa", "gone")
    sweeper = Sweeper(reaper(server, ["gone"]), every=0.01)
    await_that(lambda: not server.records)
    assert sweeper.close() == ["ended the run aa, which nobody led any more"]
