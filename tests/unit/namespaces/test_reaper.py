"""Laws of ending runs: one that beats never is, one that stops always is, and only what is recorded is touched."""

from __future__ import annotations

import copy
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock import names
from paddock.errors import NotAllowed
from paddock.namespaces import expiry, records
from paddock.namespaces.heart import Heart
from paddock.namespaces.reaper import GRACE, Pulses, Reaper, Sweeper, run_of
from tests.unit.namespaces.api_server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RUNS = ("aa", "bb", "cc")
YEARS = timedelta(days=5000)


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


@given(before=st.lists(st.floats(0.1, GRACE), max_size=5), gap=st.floats(GRACE + 0.1, 1e6))
def test_time_in_which_nobody_could_look_counts_for_nobody(before: list[float], gap: float) -> None:
    """While the API server is down nobody can renew either: afterwards each run has its whole time to come back."""
    record, pulses, now = records.manifest("aa", "x", 1), Pulses(), 0.0
    for pause in before[:1]:
        pulses.stopped([record], now)
        now += pause
    assert pulses.stopped([record], now + gap) == []
    assert pulses.stopped([record], now + gap + GRACE - 1) == []
    assert pulses.stopped([record], now + gap + GRACE + 1.5) == [record]


def reserved(server: ApiServer, run: str, data: st.DataObject) -> bool:
    """Reserve a run as keeping does, or with an expiry that somebody has spoilt; return whether its time is over."""
    left = data.draw(st.timedeltas(-YEARS, YEARS), label=f"{run} has left")
    spoilt = data.draw(st.sampled_from([None, {}, {names.EXPIRES: "tomorrow"}, {names.EXPIRES: "2026-01-01T00:00:00"}]))
    annotations = expiry.stamp(server.now + left) if spoilt is None else spoilt
    server.reserved(run, f"{data.draw(st.sampled_from([expiry.KEPT, expiry.WARM]))}me/{run}", annotations)
    return spoilt is not None or left < timedelta(seconds=1)  # what is written has whole seconds


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
    # However far this machine's clock, or any other, is from the server's: theirs decides.
    server.now = datetime(2026, 1, 1, tzinfo=UTC) + data.draw(st.timedeltas(-YEARS, YEARS), label="the server's clock")
    over = {run for run in sorted(recorded) if data.draw(st.booleans()) and reserved(server, run, data)}
    kept = {run_of(record) for record in server.records.values() if expiry.is_reserved(record)} - over
    before = copy.deepcopy(server.namespaces)
    accounts = reaper(server, gone).sweep(seconds=0)
    ended = {run for run in recorded if f"me/{run}" in gone} - kept | over
    assert set(accounts) == ended
    theirs = [names.labels(run).items() for run in ended]
    stay = {n: one for n, one in before.items() if not any(t <= one["metadata"]["labels"].items() for t in theirs)}
    assert server.namespaces == stay
    assert {run_of(record) for record in server.records.values()} == recorded - ended


def test_what_is_kept_is_ended_when_its_time_is_over_and_not_before() -> None:
    """To the second, and by whoever comes then."""
    server = ApiServer()
    server.namespace("aa", "gw0")
    server.reserved("aa", f"{expiry.KEPT}me", expiry.stamp(server.now + timedelta(seconds=60)))
    server.now += timedelta(seconds=59)
    assert reaper(server).find() == []
    server.now += timedelta(seconds=1)
    (found,) = reaper(server).find()
    assert reaper(server).end(found, seconds=0)
    assert not server.namespaces


def test_nobody_waits_for_what_is_kept() -> None:
    """A one-shot reaper looks as long as a heart may pause, not as long as something is kept."""
    server = ApiServer()
    server.reserved("aa", f"{expiry.KEPT}me", expiry.stamp(server.now + timedelta(days=1)))
    looks = reaper(server)
    looks.find()
    assert looks.patience() == 0
    assert Pulses().patience(server.records["run-aa"]) == float("inf")  # as reapers before this one judge


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


def test_a_client_need_not_wait_for_its_heart_to_learn_it() -> None:
    """It asks when its namespaces go, and is told who ends them; an answer that does not come changes nothing."""
    server = ApiServer()
    server.record("aa", "me")
    heart = Heart(cast("Any", server), "aa", "me", duration=3600)
    assert heart.ask() == ""
    server.broken = True
    assert heart.ask() == ""
    server.broken = False
    assert records.take_over(cast("Any", server), server.records["run-aa"], "reaper/other")
    assert "was taken over by reaper/other" in heart.ask()
    server.records.clear()
    assert "was taken over by reaper/other" in heart.ask(), "the first reason is the one that holds"


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


def test_what_else_is_written_follows_a_beat_that_was_heard() -> None:
    """Never before it, nor where nobody answers: the record must not be renewed too late for it."""
    server, followed, asked = ApiServer(), list[str](), list[None]()
    server.record("aa", "me")
    server.broken = True
    answer = server.send

    def note(request: Any, **options: Any) -> dict[str, Any]:
        asked.append(None)
        return answer(request, **options)

    server.send = note  # type: ignore[method-assign] # to see that it was asked
    heart = Heart(cast("Any", server), "aa", "me", duration=0.03)
    heart.beside = lambda: followed.append(server.records["run-aa"]["metadata"]["resourceVersion"])
    before = server.records["run-aa"]["metadata"]["resourceVersion"]
    heart.start()
    try:
        await_that(lambda: len(asked) > 1)
        assert followed == []
        server.broken = False
        await_that(lambda: bool(followed))
        assert followed[0] != before
    finally:
        heart.close()


def test_a_run_sweeps_beside_its_tests_and_tells_at_its_end() -> None:
    """What it has ended stands in the account of the run that found it."""
    server = ApiServer()
    server.record("aa", "gone")
    sweeper = Sweeper(reaper(server, ["gone"]), every=0.01)
    await_that(lambda: not server.records)
    assert sweeper.close() == ["ended the run aa, which nobody led any more"]


def test_what_fails_with_one_run_leaves_the_others_to_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal stands in that run's account; a run that sweeps beside its tests does not boast of it."""
    server = ApiServer()
    server.record("aa", "gone")
    server.record("bb", "gone")
    real = records.take_over

    def take_over(cluster: Any, record: Any, holder: str) -> bool:
        if run_of(record) == "aa":
            raise NotAllowed("leases is forbidden")
        return real(cluster, record, holder)

    monkeypatch.setattr(records, "take_over", take_over)
    sweeper = Sweeper(reaper(server, ["gone"]), every=0.01)
    await_that(lambda: "run-bb" not in server.records)
    assert sweeper.close() == ["ended the run bb, which nobody led any more"]
    assert reaper(server, ["gone"]).sweep(seconds=0)["aa"].left == {"run-aa": "leases is forbidden"}
