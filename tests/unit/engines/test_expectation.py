"""When a run's turn for hardware comes: arithmetic over what the runs in front of it say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock import names
from paddock.devices.holders import Supply
from paddock.engines.expectation import Expected, turns_of
from paddock.namespaces.turns import Need

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CORAL, GPU = "paddock.dev/coral", "nvidia.com/gpu"
RESOURCES = {"coral": CORAL, "gpu": GPU}
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SECONDS = st.integers(0, 10_000)


def record(seconds: float | None) -> dict[str, Any]:
    until = NOW + timedelta(seconds=seconds or 0)
    said = {} if seconds is None else {names.HOLDS_UNTIL: until.isoformat()}
    return {"metadata": {"annotations": said}}


def supply(held: Mapping[str, int], *, resource: str = CORAL, free: int = 0, sick: int = 0) -> Supply:
    count = sum(held.values()) + free
    return Supply(
        resource=resource,
        node="n",
        capacity=count,
        allocatable=count - sick,
        holders={f"{run}/gw0": devices for run, devices in held.items()},
    )


def need(run: str, seconds: float | None, **devices: int) -> Need:
    return Need(run, {RESOURCES[kind]: count for kind, count in devices.items()}, seconds)


def expected(queue: Sequence[Need], found: Sequence[Supply], ends: Mapping[str, float | None]) -> list[Expected]:
    return list(turns_of(queue, found, {run: record(seconds) for run, seconds in ends.items()}, NOW))


def test_who_waits_takes_what_is_free_first() -> None:
    """In the order of the queue, each for as long as it says."""
    queue = [need("x", 100, coral=1), need("y", 5, coral=1), need("z", None, coral=2), need("w", 1, coral=1)]
    found = expected(queue, [supply({"a": 1, "b": 1})], {"a": 60, "b": 30})
    assert [one.seconds for one in found[:3]] == [30, 60, 130]
    assert found[3].unknown == "the run z has no recorded durations"


def test_who_waits_for_something_else_is_in_nobodys_way() -> None:
    """But who waits for the same as another is not overtaken, whatever else it needs."""
    queue = [need("x", 100, gpu=1), need("y", 7, coral=1, gpu=1), need("z", 1, coral=1)]
    supplies = [supply({"a": 1}, resource=GPU), supply({"b": 2})]
    found = expected(queue, supplies, {"a": 50, "b": 10})
    assert [one.seconds for one in found] == [50, 150, 150]
    assert expected(queue[2:], supplies, {"a": 50, "b": 10})[0].seconds == 10


@pytest.mark.parametrize(
    ("found", "ends", "words"),
    [
        (supply({"a": 1}), {}, "a/gw0 is no run that is recorded"),
        (supply({"a": 1}), {"a": None}, "the run a has no recorded durations"),
        (supply({"a": 1}), {"a": -31}, "the run a takes longer than it expected"),
        (supply({"a": 1}, sick=1), {"a": 1}, f"it needs 1 of {CORAL}, and 0 are healthy"),
        (supply({}, resource=GPU), {}, f"it needs 1 of {CORAL}, and 0 are healthy"),
    ],
)
def test_what_nobody_knows_is_said(found: Supply, ends: Mapping[str, float | None], words: str) -> None:
    """In place of a figure; where one device's end is known it is enough for who needs one."""
    (one,) = expected([need("x", 1, coral=1)], [found], ends)
    assert (one.unknown, one.moment(NOW)) == (words, None)
    assert one.words == f"no estimate: {words}"
    (one,) = expected([need("x", 1, coral=1)], [found, supply({"known": 1})], {**ends, "known": 90})
    assert (one.unknown, one.seconds) == ("", 90)
    assert one.moment(NOW) == NOW + timedelta(seconds=90)


def test_of_sick_devices_the_last_are_counted_on() -> None:
    """Nobody here knows which of those that are held it is."""
    (one,) = expected([need("x", 1, coral=1)], [supply({"a": 1, "b": 1}, sick=1)], {"a": 10, "b": 20})
    assert one.seconds == 20


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "within a minute"),
        (59, "within a minute"),
        (60, "in about 1 min"),
        (170, "in about 3 min"),
        (11 * 60 + 50, "in about 10 min"),
        (13 * 60, "in about 15 min"),
        (59 * 60, "in about 1 h"),
        (64 * 60, "in about 1 h"),
        (124 * 60, "in about 2 h"),
        (136 * 60, "in about 2 h 20 min"),
    ],
)
def test_people_are_told_no_more_than_can_be_known(seconds: float, words: str) -> None:
    """And the longer it takes the less exactly, so that the same words hold for a while."""
    assert Expected(seconds).words == f"expected {words}"


def own_turn(ends: Sequence[int], waits: Sequence[int], count: int) -> float:
    """In how many seconds it is the turn of the last, after these that hold one each and these that wait for one."""
    holders = {f"h{number}": 1 for number in range(len(ends))}
    queue = [need(f"w{number}", seconds, coral=1) for number, seconds in enumerate(waits)]
    said = {f"h{number}": seconds for number, seconds in enumerate(ends)}
    every = [one.seconds for one in expected([*queue, need("own", None, coral=count)], [supply(holders)], said)]
    assert every[0] >= 0
    assert every == sorted(every)
    return every[-1]


@given(
    ends=st.lists(st.integers(-29, 10_000), min_size=1, max_size=6),
    waits=st.lists(SECONDS, max_size=6),
    count=st.integers(1, 3),
    more=SECONDS,
    which=st.integers(0, 11),
)
def test_what_takes_longer_in_front_never_brings_the_turn_nearer(
    ends: list[int], waits: list[int], count: int, more: int, which: int
) -> None:
    """Neither a holder that needs more time, nor one that waits, nor one more of them; and nothing is in the past."""
    before = own_turn(ends, waits, count)
    later = [end + more * (number == which % len(ends)) for number, end in enumerate(ends)]
    slower = [seconds + more * (number == which % len(waits)) for number, seconds in enumerate(waits)]
    assert own_turn(later, waits, count) >= before
    assert own_turn(ends, slower, count) >= before
    assert own_turn(ends, [*waits, more], count) >= before
    assert (before == float("inf")) == (count > len(ends))
