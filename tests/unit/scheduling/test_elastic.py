from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from xdist.remote import Producer
from xdist.scheduler import (
    LoadFileScheduling,
    LoadGroupScheduling,
    LoadScheduling,
    LoadScopeScheduling,
    WorkStealingScheduling,
)

from paddock.scheduling import crashes
from paddock.scheduling.elastic import LOOK_AGAIN, STRAGGLERS, ElasticScheduling, Stage
from paddock.scheduling.sizing import Left

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEDULERS = [LoadScheduling, WorkStealingScheduling, LoadScopeScheduling, LoadFileScheduling]
TESTS = [f"test_{name}.py::test_{number}" for name in "abc" for number in range(3)]


class FakeNode:
    """A worker that notes what it was sent, as xdist's own tests do it."""

    def __init__(self, worker: str) -> None:
        self.gateway = SimpleNamespace(id=worker, spec=worker)
        self.sent: list[int] = []
        self.stolen: list[int] = []
        self.shutting_down = False

    def __repr__(self) -> str:
        return str(self.gateway.id)

    def send_runtest_some(self, indices: list[int]) -> None:
        """Note the tests."""
        self.sent.extend(indices)

    def send_steal(self, indices: list[int]) -> None:
        """Note the request."""
        self.stolen.extend(indices)

    def shutdown(self) -> None:
        """Note the end."""
        self.shutting_down = True


class FakeOutlook:
    """The run around the scheduler."""

    def __init__(self, coming: int) -> None:
        self.coming = coming
        self.told: list[object] = []
        self.grants = False
        """Whether there are fewer workers than there may be."""
        self.stages: dict[str, Stage] = {}
        """Test -> how far it has come, where that is not begun."""
        self.left = Left(0, 0.0)
        self.in_reserve = False

    def awaited(self) -> int:
        """Return how many are still to come."""
        return self.coming

    def wake_after(self, seconds: float) -> None:
        """Note the request."""
        self.told.append(("wake", seconds))

    def stage(self, _worker: str, test: str) -> Stage:
        """Return what the test says."""
        return self.stages.get(test, Stage.BEGUN)

    def ask_worker(self, *, needed: bool) -> bool:
        """Note the request, and have it come."""
        self.told.append(("ask", needed))
        self.coming += needed or self.grants
        return needed or self.grants

    def after_event(self, *, finished: bool) -> None:
        """Note the look."""
        self.told.append(("event", finished))

    def missing(self) -> int:
        """Return how many are still to come."""
        return self.coming

    def staff(self, left: Callable[[], Left]) -> bool:
        """Note what is left."""
        self.left = left()
        return self.in_reserve

    def began_without(self) -> None:
        """Note the beginning."""
        self.told.append(("without", self.coming))

    def deviates(self, worker: str, difference: str) -> None:
        """Note the deviation."""
        self.told.append(("deviates", worker, difference.splitlines()[0]))


class Session:
    """xdist's loop around one scheduler, with workers that run what they are told at once."""

    def __init__(self, kind: Callable[..., Any], workers: int) -> None:
        options = SimpleNamespace(maxschedchunk=None, loadscopereorder=False)
        config = SimpleNamespace(
            option=options,
            getoption=lambda name: getattr(options, name),
            getvalue=lambda _name: ["popen"] * workers,
        )
        self.outlook = FakeOutlook(workers)
        self.now = 0.0
        self.ran: list[str] = []
        inner = kind(config, Producer("test", enabled=False))
        self.scheduler = ElasticScheduling(inner, self.outlook, lambda: self.now)

    def come(self, worker: str, tests: list[str] | None = None) -> FakeNode:
        """Let a worker become ready and collect."""
        node: Any = FakeNode(worker)
        self.scheduler.add_node(node)
        self.outlook.coming -= 1
        self.scheduler.add_node_collection(node, TESTS if tests is None else tests)
        if self.scheduler.collection_is_completed:
            self.scheduler.schedule()
        self.look()
        return cast("FakeNode", node)

    def look(self) -> bool:
        """Do what xdist's loop does after each event."""
        finished = self.scheduler.tests_finished
        if finished:
            for node in self.scheduler.nodes:
                node.shutdown()
        return finished

    def run(self, node: FakeNode, count: int = 1) -> None:
        """Let a worker run its next tests; like xdist's, it keeps the last one until it knows what follows."""
        for _ in range(count):
            if len(node.sent) < (1 if node.shutting_down else 2):
                return
            index = node.sent.pop(0)
            self.ran.append(TESTS[index])
            self.scheduler.mark_test_complete(node, index, 0)
            self.look()

    def crash(self, node: FakeNode) -> str | None:
        """Let a worker die."""
        crashed = self.scheduler.remove_node(node)
        self.ran.extend([crashed] if crashed else [])
        self.look()
        return crashed

    def give_back(self, node: FakeNode) -> None:
        """Let a worker answer a request to steal."""
        while node.stolen:
            stolen, node.stolen = node.stolen, []
            node.sent = [index for index in node.sent if index not in stolen]
            self.scheduler.remove_pending_tests_from_node(node, stolen)
            self.look()

    def finish(self, *nodes: FakeNode) -> None:
        """Let workers run, turn by turn, until nothing moves."""
        for _ in range(len(TESTS) * 3):
            for node in nodes:
                self.run(node)
                self.give_back(node)


@pytest.fixture(params=SCHEDULERS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Each of xdist's schedulers."""
    return request.param  # type: ignore[no-any-return] # a class


def test_tests_begin_when_all_have_come(kind: Callable[..., Any]) -> None:
    """As long as others may come at once, the first waits; then all begin, and every test runs once."""
    session = Session(kind, 2)
    first = session.come("gw0")
    assert first.sent == []
    second = session.come("gw1")
    assert first.sent
    assert second.sent
    session.finish(first, second)
    assert sorted(session.ran) == TESTS


def test_who_came_first_does_not_choose(kind: Callable[..., Any]) -> None:
    """The same workers get the same first tests, in whichever order they have collected."""
    shares = []
    for order in (["gw2", "gw10", "gw1"], ["gw10", "gw1", "gw2"]):
        session = Session(kind, 3)
        nodes = [session.come(worker) for worker in order]
        shares.append({node.gateway.id: node.sent for node in nodes})
    assert shares[0] == shares[1]
    assert shares[0]["gw1"][0] == 0


def test_an_event_without_news_is_answered_as_the_one_before(kind: Callable[..., Any]) -> None:
    """Two of a test's three events change nothing, and are not to cost a look around; the next one is looked at."""
    session = Session(kind, 1)
    node = session.come("gw0")
    looks = len(session.outlook.told)
    session.scheduler.nothing_new()
    assert not session.look()
    assert len(session.outlook.told) == looks
    session.finish(node)
    assert sorted(session.ran) == TESTS
    assert session.look()
    assert len(session.outlook.told) > looks


def test_tests_begin_without_stragglers(kind: Callable[..., Any]) -> None:
    """After a moment the first begins alone, and that is told."""
    session = Session(kind, 3)
    first = session.come("gw0")
    assert ("wake", STRAGGLERS) in session.outlook.told
    session.now += STRAGGLERS
    session.scheduler.remove_pending_tests_from_node(None, [])
    session.look()
    assert first.sent
    assert ("without", 2) in session.outlook.told
    session.finish(first)
    assert sorted(session.ran) == TESTS


def test_a_run_with_a_reserve_looks_around_while_nothing_happens() -> None:
    """A test that takes longer than expected brings no event: one alarm at a time, and none without a reserve."""
    session = Session(LoadScheduling, 1)
    session.come("gw0")
    assert ("wake", LOOK_AGAIN) not in session.outlook.told
    session.outlook.in_reserve = True
    session.look()
    session.look()
    assert session.outlook.told.count(("wake", LOOK_AGAIN)) == 1
    session.now += LOOK_AGAIN
    session.look()
    assert session.outlook.told.count(("wake", LOOK_AGAIN)) == 2


def test_no_beginning_is_told_where_there_is_nothing_to_begin(kind: Callable[..., Any]) -> None:
    """A first worker without any tests, as after an error in collecting, makes no line about the others."""
    session = Session(kind, 2)
    session.come("gw0", [])
    session.now = STRAGGLERS
    assert session.look()
    assert not [told for told in session.outlook.told if isinstance(told, tuple) and told[0] == "without"]


def test_tests_begin_when_the_others_are_lost(kind: Callable[..., Any]) -> None:
    """A worker that never comes is not waited for."""
    session = Session(kind, 2)
    first = session.come("gw0")
    session.outlook.coming = 0
    session.look()
    assert first.sent


def test_late_workers_get_tests(kind: Callable[..., Any]) -> None:
    """A worker that comes while tests run is given enough to begin at once."""
    session = Session(kind, 2)
    first = session.come("gw0")
    session.now += STRAGGLERS
    session.look()
    late = session.come("gw1")
    session.give_back(first)
    assert len(late.sent) >= 2
    session.finish(first, late)
    assert sorted(session.ran) == TESTS


def test_a_crash_loses_one_test(kind: Callable[..., Any]) -> None:
    """The test that ran is named once; a fresh worker runs the rest, and nothing twice."""
    session = Session(kind, 1)
    first = session.come("gw0")
    session.run(first, 4)
    running = TESTS[first.sent[0]]
    session.outlook.coming = 1
    assert session.crash(first) == running
    fresh = session.come("gw1")
    session.finish(fresh)
    assert sorted(session.ran) == TESTS


def test_every_test_can_crash(kind: Callable[..., Any]) -> None:
    """Each worker dies in its first test: as many workers as tests, each test named once."""
    session = Session(kind, 1)
    for number in range(len(TESTS)):
        node = session.come(f"gw{number}")
        session.outlook.coming = 1
        assert session.crash(node) is not None
    assert sorted(session.ran) == TESTS
    assert session.look()


def test_a_worker_with_other_tests_is_sent_home(kind: Callable[..., Any]) -> None:
    """It is told and gets nothing; the others run everything."""
    session = Session(kind, 2)
    first = session.come("gw0")
    other = session.come("gw1", [*TESTS[:-1], "test_c.py::test_other"])
    words = "Different tests were collected between gw0 and gw1. The difference is:"
    assert ("deviates", "gw1", words) in session.outlook.told
    assert other.shutting_down
    assert other.sent == []
    session.finish(first)
    assert sorted(session.ran) == TESTS
    assert session.crash(other) is None


def test_workers_that_only_collect_can_leave(kind: Callable[..., Any]) -> None:
    """A loss before any test was handed out names no test; an unknown worker is a KeyError, as xdist expects."""
    session = Session(kind, 2)
    first = session.come("gw0")
    assert session.crash(first) is None
    with pytest.raises(KeyError):
        session.scheduler.remove_node(first)


def test_nothing_is_finished_before_it_began(kind: Callable[..., Any]) -> None:
    """An empty scheduler looks finished; the run would end before it began."""
    session = Session(kind, 2)
    assert not session.look()
    session.come("gw0")
    assert not session.scheduler.has_pending
    assert session.outlook.told[-1] == ("event", False)


def test_no_tests_at_all_is_finished(kind: Callable[..., Any]) -> None:
    """Nothing collected ends the run."""
    session = Session(kind, 1)
    node = session.come("gw0", [])
    assert node.shutting_down
    assert session.outlook.told[-1] == ("event", True)


def test_groups_are_looked_up() -> None:
    """Tests of one group go to one worker, whatever their files; others stand alone."""
    groups = dict.fromkeys(TESTS[::3], "together")
    session = Session(LoadGroupScheduling, 2)
    crashes.tell_groups(session.scheduler._inner, lambda node_id: groups.get(node_id, ""))
    first, second = session.come("gw0"), session.come("gw1")
    assert {0, 3, 6} <= set(first.sent)
    session.finish(first, second)
    assert sorted(session.ran) == TESTS
