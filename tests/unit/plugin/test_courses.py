"""The course of each worker, and what a log hears of those that wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from paddock.plugin.courses import Courses
from paddock.plugin.live import APART, LATE, Live
from paddock.specs import COLLECTING, TESTING, Doing, Way

if TYPE_CHECKING:
    from paddock.plugin.terminal import Terminal


class Clock:
    """Says what it is set to."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock at 0."""
    return Clock()


def test_a_phase_begins_once_and_a_test_anew_each_time(clock: Clock) -> None:
    """Counts that grow are no new beginning."""
    courses = Courses(lambda _: Way(waits_for="a node"), clock)
    courses.enter("gw0")
    for clock.now, doing in (
        (1.0, Doing(phase=COLLECTING)),
        (2.0, Doing(phase=TESTING, running="a")),
        (3.0, Doing(phase=TESTING, running="a", passed=1)),
    ):
        courses.note("gw0", doing)
    course = courses.all()["gw0"]
    assert (course.since, course.doing) == (2.0, doing)
    assert course.began == {COLLECTING: 1.0, TESTING: 2.0}
    assert course.way.waits_for == "a node"


def test_workers_that_never_got_ready_are_told_unless_the_run_was_short(clock: Clock) -> None:
    """With what they wait for; a run that is over in a moment has no time for a second worker."""
    told: list[str] = []

    def line(text: str, *, yellow: bool) -> None:
        assert yellow
        told.append(text)

    terminal = SimpleNamespace(line=line)
    courses = Courses(lambda worker: Way(waits_for="a node: none fits" if worker != "gw1" else ""), clock)
    live = Live(cast("pytest.Config", None), cast("Terminal", terminal), courses)
    for worker in ("gw0", "gw1", "gw2", "gw3"):
        courses.enter(worker)
    courses.note("gw1", Doing(phase=COLLECTING))
    clock.now = LATE - 0.1
    live.over_without(["gw1", "gw2", "gw3"])
    assert told == []
    clock.now = LATE
    live.over_without(["gw1", "gw2", "gw3"])
    assert told == [
        "gw1 was not ready when all tests were over: collects",
        "gw2, gw3 were not ready when all tests were over: waits for a node: none fits",
    ]


def test_a_log_hears_of_a_long_wait_once_and_not_often(clock: Clock) -> None:
    """Workers that wait for the same stand in one line; another reason comes after a pause."""
    told: list[str] = []
    reason = ["a node: none fits"]
    courses = Courses(lambda _: Way(waits_for=reason[0]), clock)
    live = Live(cast("pytest.Config", None), cast("Terminal", SimpleNamespace(line=told.append)), courses)
    courses.enter("gw0")
    courses.enter("gw1")
    for clock.now in (5.0, 12.0, 13.0, 12.0 + 2 * APART):
        live._tell()
    assert told == ["gw0, gw1: 12 s of waiting for a node: none fits"]
    reason[0] = "its sources"
    live._tell()
    reason[0] = "its pod to start"
    live._tell()
    assert told[1:] == ["gw0, gw1: 1:12 min of waiting for its sources"]
