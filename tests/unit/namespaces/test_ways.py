"""How far a worker's place has come, off the pods."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from paddock.namespaces.ways import Ways
from paddock.specs import ASKED, RUNNING, SCHEDULED, SENT, Way

KEY = ("space", "worker")
UNPLACED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient memory."}
PLACED = {"type": "PodScheduled", "status": "True"}


def pod(*states: dict[str, Any], scheduled: dict[str, str] = PLACED) -> dict[str, Any]:
    """Return a pod whose containers are in these states."""
    statuses = [{"name": f"c{number}", "state": state} for number, state in enumerate(states)]
    return {"metadata": {}, "status": {"conditions": [scheduled], "containerStatuses": statuses}}


STARTING = pod({"waiting": {"reason": "ContainerCreating"}})
RUNS = pod({"running": {}})


@pytest.fixture
def ways() -> Ways:
    """Return the ways of a namespace that was asked for at 0; every look takes a second."""
    seconds = count()
    ways = Ways(lambda: float(next(seconds)))
    ways.note("space", ASKED)
    return ways


def test_each_step_is_over_when_it_is_first_seen(ways: Ways) -> None:
    """Later looks at the same state change nothing."""
    for seen in (pod(scheduled=UNPLACED), STARTING, STARTING, RUNS, RUNS):
        ways.look({KEY: seen, ("space", "broker"): RUNS})
    ways.note("space", SENT)
    assert ways.of("space", RUNS) == Way(over={ASKED: 0.0, SCHEDULED: 1.0, RUNNING: 2.0, SENT: 3.0})


def test_steps_that_nobody_saw_are_over_with_the_next(ways: Ways) -> None:
    """A pod may have begun to run between two looks."""
    ways.look({KEY: RUNS})
    assert set(ways.of("space", RUNS).over) == {ASKED, SCHEDULED, RUNNING}


@pytest.mark.parametrize(
    ("seen", "waits_for"),
    [
        (None, "the API server to make its namespace and pod"),
        (pod(scheduled=UNPLACED), f"a node: {UNPLACED['message']}"),
        (STARTING, "its pod to start: ContainerCreating"),
        (pod(), "its pod to start"),
        (RUNS, "its sources"),
    ],
)
def test_it_says_what_the_next_step_waits_for(ways: Ways, seen: dict[str, Any] | None, waits_for: str) -> None:
    """In the words of whoever lets it wait."""
    ways.look({KEY: seen} if seen else {})
    assert ways.of("space", seen).waits_for == waits_for


def test_a_place_that_nobody_asked_for_waits_for_its_turn(ways: Ways) -> None:
    """As one does that takes a lost one's place after a pause."""
    assert ways.of("another", None) == Way(waits_for="its turn")
