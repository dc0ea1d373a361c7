"""Which moment of a worker's ends which phase, and what a report adds."""

from __future__ import annotations

from paddock.fixtures import waiting
from paddock.plugin.closing import phases
from paddock.plugin.courses import Course
from paddock.reports.closing import IDLE, SERVICES, TESTS
from paddock.specs import ASKED, COLLECTING, ENDED, RUNNING, SCHEDULED, SENT, WAITING, ServiceFacts, Way

STEPS = {ASKED: 11.0, SCHEDULED: 11.5, RUNNING: 13.0, SENT: 13.2}
BEGAN = {COLLECTING: 14.0, WAITING: 15.0}


def test_phases_follow_one_another_and_what_is_left_is_idle() -> None:
    """From the run's beginning to its last report, each second once."""
    course = Course(since=0.0, began=BEGAN, way=Way(over=STEPS))
    found = phases(course, 10.0, 25.0, {TESTS: 6.0, SERVICES: 1.0})
    assert {name: round(seconds, 6) for name, seconds in found.items()} == {
        "images": 1.0,
        "scheduling": 0.5,
        "pods": 1.5,
        "sources": 0.2,
        "start": 0.8,
        "collection": 1.0,
        TESTS: 6.0,
        SERVICES: 1.0,
        IDLE: 3.0,
    }
    assert sum(found.values()) == 15.0


def test_a_worker_that_ended_is_idle_no_longer() -> None:
    """Its namespace may be given back."""
    course = Course(since=0.0, began={**BEGAN, ENDED: 22.0}, way=Way(over=STEPS))
    assert phases(course, 10.0, 25.0, {TESTS: 7.0})[IDLE] == 0.0


def test_an_engine_that_tells_no_steps_leaves_them_to_the_next_phase() -> None:
    """What is not known apart is told together, and moments out of order take no time."""
    found = phases(Course(since=0.0, began=BEGAN), 10.0, 25.0, {TESTS: 10.0})
    assert found == {"start": 4.0, "collection": 1.0, TESTS: 10.0, IDLE: 0.0}
    mixed = phases(Course(since=0.0, began=BEGAN, way=Way(over={SENT: 14.5})), 10.0, 15.0, {})
    assert mixed == {"sources": 4.5, "start": 0.0, "collection": 0.5, IDLE: 0.0}


def test_what_was_waited_for_services_is_taken_once() -> None:
    """Several answers add up, and a report has only those since the one before."""
    waiting.taken()
    for _ in range(2):
        waiting.await_answer(ServiceFacts(kind="broker", host="h", port=1), lambda _facts: None, "answer")
    assert waiting.taken() > 0
    assert waiting.taken() == 0
