"""What a run's record says of how long it needs hardware, and how often that is written."""

from __future__ import annotations

from typing import Any, cast

import pytest

from paddock import names
from paddock.namespaces import records
from paddock.namespaces.forecast import Forecast
from paddock.namespaces.turns import holds_until, need_of
from tests.unit.namespaces.api_server import ApiServer


class Told:
    """A run's forecast, its record, and a clock that stands still."""

    def __init__(self) -> None:
        self.server, self.clock = ApiServer(), 1000.0
        self.server.record("aa", "me")
        self.forecast = Forecast(lambda: self.clock)
        self.changes = 0

    def tell(self) -> None:
        before = self.record["metadata"]["resourceVersion"]
        self.forecast.tell(cast("Any", self.server), "aa")
        self.changes += self.record["metadata"]["resourceVersion"] != before

    @property
    def record(self) -> dict[str, Any]:
        return self.server.records[records.record_name("aa")]

    @property
    def left(self) -> float | None:
        until = holds_until(self.record)
        return None if until is None else (until - self.server.now).total_seconds()


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_record_says_until_when_hardware_is_held(told: Told) -> None:
    """By the API server's clock; nothing as long as nobody knows, and nothing any more once nobody does."""
    told.tell()
    assert (told.left, told.changes) == (None, 0)
    told.forecast.note(90)
    told.clock += 30
    told.tell()
    assert told.left == 60
    told.forecast.note(None)
    told.tell()
    assert names.HOLDS_UNTIL not in told.record["metadata"]["annotations"]
    assert told.changes == 2


@pytest.mark.parametrize(("left", "changes"), [(84, 1), (97, 1), (80, 2), (104, 2), (500, 2)])
def test_only_what_is_notably_different_is_written(told: Told, left: float, changes: int) -> None:
    """Ten seconds have passed: as long as it is about what was said before the record says it well enough."""
    told.forecast.note(100)
    told.tell()
    told.clock += 10
    told.forecast.note(left)
    told.tell()
    told.tell()
    assert told.changes == changes


def test_what_nobody_took_in_is_written_with_the_next_renewal(told: Told) -> None:
    """The API server may be away for a while."""
    told.forecast.note(60)
    told.server.broken = True
    told.tell()
    assert told.changes == 0
    told.server.broken = False
    told.tell()
    assert told.left == 60


def test_a_run_that_waits_says_for_how_long_it_will_hold(told: Told) -> None:
    """However long it waits; from the moment that it has what it waited for it says until when."""
    told.record["metadata"]["annotations"] = {names.WAITS_FOR: "a.b/c"}
    told.forecast.note(60)
    told.forecast.wait_with({"a.b/c": 2})
    told.tell()
    assert told.changes == 0, "whoever enters the queue has said it"
    told.clock += 300
    told.forecast.note(200)
    told.tell()
    assert need_of(told.record) == ("aa", {"a.b/c": 2}, 200)
    assert told.left is None
    told.clock += 300
    told.forecast.wait_no_more()
    told.tell()
    assert told.left == 200
