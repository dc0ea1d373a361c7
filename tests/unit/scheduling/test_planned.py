"""The planner behind xdist's protocol, with nodes and an outlook that note what they hear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paddock.scheduling.beginning import ends, harmless
from paddock.scheduling.elastic import STRAGGLERS, Stage
from paddock.scheduling.planned import NEVER_BEGUN, TOGETHER, PlannedScheduling
from paddock.scheduling.planner import Planner
from paddock.scheduling.sizing import Left
from paddock.scheduling.units import FREE, Case, Demand, Unit, form
from tests.unit.scheduling.test_elastic import FakeNode, FakeOutlook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TESTS = [f"test_a.py::test_{number}" for number in range(6)]


class Session:
    """xdist's loop around the scheduler."""

    def __init__(self, workers: int, seconds: float = 1.0, tests: Sequence[str] = TESTS) -> None:
        self.outlook, self.now, self.tests = FakeOutlook(workers), 0.0, list(tests)
        self.seconds = seconds
        self.scheduler = PlannedScheduling(self.plan, self.outlook, lambda: self.now)

    def plan(self, node_ids: Sequence[str]) -> tuple[list[Unit], Callable[[int], Planner]]:
        units = form([Case(node_id=node_id, seconds=self.seconds) for node_id in node_ids], "load")
        return units, lambda _workers: Planner(units, known=True)

    def come(self, worker: str) -> Any:
        """Let a worker become ready and collect."""
        node: Any = FakeNode(worker)
        self.scheduler.add_node(node)
        self.outlook.coming -= 1
        self.scheduler.add_node_collection(node, self.tests)
        if self.scheduler.collection_is_completed:
            self.scheduler.schedule()
        assert self.scheduler.tests_finished in {True, False}
        return node

    def wake(self, now: float) -> None:
        """Let an alarm ring."""
        self.now = now
        self.scheduler.remove_pending_tests_from_node(None, ())
        assert self.scheduler.tests_finished in {True, False}


def test_the_first_worker_begins_after_a_moment() -> None:
    """With tests enough for all it waits only as long as workers take that come at the same time."""
    session = Session(3)
    first = session.come("gw0")
    assert first.sent == []
    assert ("wake", TOGETHER) in session.outlook.told
    session.wake(TOGETHER)
    assert len(first.sent) == 2
    assert session.come("gw1").sent


def test_the_first_worker_waits_where_two_tests_are_one_too_many() -> None:
    """As many tests as workers: a worker that takes two at once doubles the time of the run."""
    session = Session(6)
    first = session.come("gw0")
    session.wake(TOGETHER)
    assert first.sent == []
    session.wake(STRAGGLERS)
    assert len(first.sent) == 2
    assert ("without", 5) in session.outlook.told


def test_an_early_beginning_is_judged_by_what_it_costs() -> None:
    """It is harmless if the longest and the shortest test together end no later than the run would."""

    def units(*seconds: float) -> list[Unit]:
        return [Unit(tests=(number,), seconds=one, home="a") for number, one in enumerate(seconds)]

    assert ends([3, 3, 2, 2, 2], 2) == 7
    assert harmless(units(*[0.1] * 20, 5.0), 4)
    assert not harmless(units(5.0, 5.0, 5.0, 5.0), 4)
    assert harmless(units(5.0, 5.0), 1)
    assert harmless(units(5.0), 4)
    assert harmless([], 4)


def test_wakes_are_asked_for_when_they_are_due_first() -> None:
    """A worker with long tests is looked at again before the running one ends, and only one alarm is set for it."""
    session = Session(1, seconds=10.0)
    node = session.come("gw0")
    wakes = [told[1] for told in session.outlook.told if isinstance(told, tuple) and told[0] == "wake"]
    assert node.sent == [0, 1]
    assert [round(wake, 1) for wake in wakes] == [0.1, 2.0, 9.8]
    session.wake(9.8)
    assert node.sent == [0, 1, 2]


def test_what_a_lost_worker_had_goes_to_another() -> None:
    """Its running test is named and not handed out again; one that never was there is a KeyError, as xdist expects."""
    session = Session(1)
    node: Any = session.come("gw0")
    assert session.scheduler.has_pending
    assert session.scheduler.remove_node(node) == TESTS[node.sent[0]]
    with pytest.raises(KeyError):
        session.scheduler.remove_node(node)
    other = session.come("gw1")
    assert node.sent[1] in other.sent
    assert node.sent[0] not in other.sent


def test_a_plugin_may_have_a_crashed_test_run_again() -> None:
    """As pytest-rerunfailures does: the test goes to whoever comes next."""
    session = Session(1)
    node: Any = session.come("gw0")
    crashed = session.scheduler.remove_node(node)
    session.scheduler.mark_test_pending(str(crashed))
    other = session.come("gw1")
    for _ in range(20):
        if len(other.sent) < 2:
            break
        done = other.sent.pop(0)
        session.scheduler.mark_test_complete(other, done, 1.0)
        assert done != node.sent[0] or crashed == TESTS[done]
    assert session.scheduler.tests_finished


def test_a_test_that_had_not_begun_is_not_to_blame() -> None:
    """It goes to another worker, a few times; who never says that a test begins is believed then."""
    session = Session(1, tests=TESTS[:2])
    session.outlook.stages = {TESTS[0]: Stage.WAITING}
    for number in range(NEVER_BEGUN):
        node: Any = session.come(f"gw{number}")
        assert node.sent[0] == 0
        assert session.scheduler.remove_node(node) is None
    node = session.come("gw9")
    assert session.scheduler.remove_node(node) == TESTS[0]


def test_a_test_that_was_over_is_over() -> None:
    """Its worker has reported all of it, and went before it said that it was through."""
    session = Session(1)
    session.outlook.stages = {TESTS[0]: Stage.OVER}
    assert session.scheduler.remove_node(session.come("gw0")) is None
    assert 0 not in session.come("gw1").sent


def test_a_retried_test_waits_for_a_worker_that_is_asked_for() -> None:
    """Where nobody else could be sent it: not for its own worker, which may be sent more."""
    session = Session(1, seconds=1.0, tests=TESTS[:3])
    session.outlook.grants = True
    first: Any = session.come("gw0")
    assert session.scheduler.run_again(TESTS[0], "gw0")
    assert ("ask", False) in session.outlook.told
    session.scheduler.mark_test_complete(first, 0, 1.0)
    session.scheduler.mark_test_complete(first, 1, 1.0)
    session.scheduler.mark_test_complete(first, 2, 1.0)
    assert first.sent == [0, 1, 2]
    assert not session.scheduler.tests_finished
    assert session.scheduler.has_waiting
    assert session.come("gw1").sent == [0]


def test_a_retried_test_does_not_wait_for_a_worker_that_never_comes() -> None:
    """Its own worker runs it then."""
    session = Session(1, seconds=1.0, tests=TESTS[:3])
    session.outlook.grants = True
    first: Any = session.come("gw0")
    session.scheduler.mark_test_complete(first, 0, 1.0)
    session.scheduler.run_again(TESTS[0], "gw0")
    session.outlook.coming = 0
    assert not session.scheduler.tests_finished
    session.scheduler.mark_test_complete(first, 1, 1.0)
    assert first.sent == [0, 1, 2, 0]


def test_a_retried_test_has_a_worker_even_beyond_their_number() -> None:
    """All that are there have been told that nothing follows."""
    session = Session(1, tests=TESTS[:1])
    first: Any = session.come("gw0")
    assert first.shutting_down
    session.scheduler.run_again(TESTS[0], "gw0")
    assert ("ask", True) in session.outlook.told
    assert session.come("gw1").sent == [0]


def test_as_many_workers_as_there_may_be_are_not_added_to() -> None:
    """The only one runs it itself."""
    session = Session(1, seconds=1.0, tests=TESTS[:3])
    first: Any = session.come("gw0")
    session.scheduler.mark_test_complete(first, 0, 1.0)
    session.scheduler.run_again(TESTS[0], "gw0")
    session.scheduler.mark_test_complete(first, 1, 1.0)
    assert first.sent == [0, 1, 2, 0]


def test_a_worker_that_xdist_ends_is_sent_nothing_more() -> None:
    """After -x or --maxfail xdist has told every worker that nothing follows."""
    session = Session(1)
    node: Any = session.come("gw0")
    node.shutting_down = True
    before = list(node.sent)
    session.scheduler.mark_test_complete(node, node.sent[0], 1.0)
    assert node.sent == before


def test_what_is_asked_back_from_an_ended_worker_is_asked() -> None:
    """That we told it that nothing follows does not keep it from giving tests to one that comes later."""
    session = Session(2, seconds=0.0001)
    session.outlook.coming = 1
    node: Any = session.come("gw0")
    assert len(node.sent) == 6
    node.shutting_down = True
    session.scheduler._closed.add("gw0")
    session.now = 9.0
    session.come("gw1")
    assert node.stolen


def test_no_tests_end_at_once() -> None:
    """An empty collection is finished as soon as it is known."""
    session = Session(1, tests=())
    node = session.come("gw0")
    assert node.shutting_down
    assert session.scheduler.tests_finished
    assert session.scheduler.nodes == [node]


def test_what_is_left_is_known_from_the_first_collection_on() -> None:
    """As many openings as units, less those that have come; a run that is over asks for nobody."""
    session = Session(4)
    session.come("gw0")
    assert session.outlook.left == Left(5, 6.0)
    session.come("gw1")
    assert session.outlook.left == Left(4, 6.0)
    session.wake(STRAGGLERS)
    assert session.outlook.left.openings == 2
    assert session.outlook.left.seconds == 6.0


def test_workers_are_known_by_what_they_hold() -> None:
    """A test that needs hardware is sent to a worker whose pod holds it, and to no other."""
    outlook, sent = FakeOutlook(1), Demand(needs=frozenset({("coral", 1)}))

    def plan(node_ids: Sequence[str]) -> tuple[list[Unit], Callable[[int], Planner]]:
        units = form([Case(node_id=node_id, demand=sent) for node_id in node_ids], "load")
        return units, lambda _workers: Planner(units, known=True)

    def first_sent(capabilities: dict[str, int]) -> list[Any]:
        scheduler = PlannedScheduling(plan, outlook, lambda: 0.0, capabilities=lambda _: capabilities)
        node: Any = FakeNode("gw0")
        scheduler.add_node(node)
        outlook.coming = 0
        scheduler.add_node_collection(node, TESTS)
        scheduler.schedule()
        return list(node.sent)

    assert first_sent({"coral": 1})
    assert not first_sent({})


def test_workers_without_hardware_take_what_needs_none_and_no_more() -> None:
    """Who holds it begins with what needs it, though that is shorter, and helps the others afterwards."""
    outlook = FakeOutlook(2)
    coral = Demand(needs=frozenset({("coral", 1)}))

    def plan(node_ids: Sequence[str]) -> tuple[list[Unit], Callable[[int], Planner]]:
        cases = [
            Case(node_id=one, seconds=1.0 if one in TESTS[-2:] else 5.0, demand=coral if one in TESTS[-2:] else FREE)
            for one in node_ids
        ]
        return form(cases, "load"), lambda _workers: Planner(form(cases, "load"), known=True)

    held = {"gw0": {"coral": 1}, "gw1": dict[str, int]()}
    scheduler = PlannedScheduling(plan, outlook, lambda: 0.0, capabilities=held.__getitem__)
    nodes: dict[str, Any] = {name: FakeNode(name) for name in held}
    for node in nodes.values():
        scheduler.add_node(node)
    outlook.coming = 0
    for node in nodes.values():
        scheduler.add_node_collection(node, TESTS)
    assert scheduler._left().for_hardware == 2
    scheduler.schedule()
    last = [len(TESTS) - 2, len(TESTS) - 1]
    assert nodes["gw0"].sent[:2] == last
    assert nodes["gw1"].sent
    assert not set(nodes["gw1"].sent) & set(last)
    for test in last:
        scheduler.mark_test_complete(nodes["gw0"], test, 1.0)
    assert set(nodes["gw0"].sent) - set(last)
