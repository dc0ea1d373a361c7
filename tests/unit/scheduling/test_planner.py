"""The planner in virtual time: what it promises whatever comes, and how near it comes to the best there is."""

from __future__ import annotations

import math
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.scheduling.commands import Close, Send, TakeBack
from paddock.scheduling.crew import Worker, left_of_hardware, openings
from paddock.scheduling.planner import Planner
from paddock.scheduling.sizing import Left
from paddock.scheduling.units import FREE, KEYS, Case, Demand, Order, Unit, form
from tests.unit.scheduling.simulation import Simulation, ideal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paddock.scheduling.commands import Command
    from tests.unit.scheduling.simulation import Ran

SKEWED = [0.15] * 54 + [1.5] * 4 + [3.25] * 2
"""The suite of many short tests with its longest ones last."""
LIMIT = 3
CORAL: Mapping[str, int] = {"coral": 1}
DEMANDS = [
    Demand(),
    Demand(weight=1),
    Demand(weight=2),
    Demand(weight=9),
    Demand(alone=True),
    Demand(needs=frozenset(CORAL.items())),
    Demand(needs=frozenset(CORAL.items()), alone=True),
    Demand(needs=frozenset(CORAL.items()), weight=2),
]


def suite(seconds: Sequence[float], *, expected: Sequence[float] | None = None, files: int = 1) -> list[Case]:
    """Return tests that are expected to take so long."""
    return [
        Case(node_id=f"test_{number % files}.py::test_{number}", seconds=one)
        for number, one in enumerate(expected or seconds)
    ]


def simulated(seconds: Sequence[float], ready: Mapping[str, float], *, known: bool = True) -> Simulation:
    """Return a run of tests in one file; without history every one is expected to take the same."""
    tests = suite(seconds, expected=None if known else [0.1] * len(seconds))
    simulation = Simulation(Planner(form(tests, "load"), known=known), tests, seconds)
    for when in sorted(set(ready.values())):
        simulation.comes([name for name, one in ready.items() if one == when], when)
    return simulation


@pytest.mark.parametrize(
    "ready",
    [
        pytest.param({"gw0": 0, "gw1": 0, "gw2": 0, "gw3": 0}, id="at-once"),
        pytest.param({"gw0": 0, "gw1": 2, "gw2": 4, "gw3": 6}, id="staggered"),
        pytest.param({"gw0": 0, "gw1": 2, "gw2": 4}, id="one-never"),
    ],
)
def test_a_skewed_suite_is_near_the_ideal(ready: Mapping[str, float]) -> None:
    """With known times the run takes at most 1.05 of what LPT takes on the worker-seconds that exist."""
    simulation = simulated(SKEWED, ready)
    assert simulation.run() <= 1.05 * ideal(SKEWED, list(ready.values()))
    assert sorted(simulation.completed) == list(range(len(SKEWED)))


def test_what_is_left_is_what_the_run_will_take() -> None:
    """By the times that are known, on the workers there are; nothing is said before anything is known."""
    units = form(suite([1.0] * 8), "load")
    assert Planner(units, known=True).left(0.0) is None
    planner = Planner(units, known=True)
    planner.join({"gw0": {}, "gw1": {}}, 0.0)
    assert planner.left(0.0) == pytest.approx(4.0)
    assert planner.left(0.5) == pytest.approx(3.5)
    alone = Planner(form(suite([5.0]), "load"), known=True)
    alone.join({"gw0": {}, "gw1": {}}, 0.0)
    assert alone.left(1.0) == pytest.approx(4.0)
    unknown = Planner(units)
    unknown.join({"gw0": {}}, 0.0)
    assert unknown.left(0.0) is None


def test_hardware_is_needed_until_nothing_is_left_for_who_holds_it() -> None:
    """What needs it, shared by those who hold some, and then their part of the rest; nothing else before any does."""
    coral = Demand(needs=frozenset(CORAL.items()))
    cases = [Case(node_id=f"a::{n}", seconds=1.0, demand=coral if n < 6 else FREE) for n in range(12)]
    planner = Planner(form(cases, "load"), known=True)
    assert planner.left(0.0, left_of_hardware) is None
    planner.join({"gw0": {}, "gw1": {}}, 0.0)
    assert planner.left(0.0, left_of_hardware) == pytest.approx(6.0)
    planner.join({"gw2": CORAL}, 0.0)
    assert planner.left(0.0) == pytest.approx(4.0)
    assert planner.left(0.0, left_of_hardware) == pytest.approx(6.0)
    planner.join({"gw3": CORAL}, 0.0)
    assert planner.left(0.0, left_of_hardware) == pytest.approx(3.0)


def test_few_long_tests_are_shared_out() -> None:
    """As many tests as workers: one each, although a worker would like to know what comes next."""
    simulation = simulated([10.0] * 4, dict.fromkeys(["gw0", "gw1", "gw2", "gw3"], 0.0))
    assert simulation.run() == pytest.approx(10.0, abs=0.1)


def test_unknown_tests_that_take_long_are_not_hoarded() -> None:
    """Expected to be short, they turn out long: nobody has more than two when another worker comes."""
    simulation = simulated([5.0] * 8, {"gw0": 0.0, "gw1": 0.1, "gw2": 0.2, "gw3": 0.3}, known=False)
    assert simulation.run() == pytest.approx(10.0, abs=0.5)


def test_what_was_sent_by_mistake_comes_back() -> None:
    """Tests that were measured at milliseconds take seconds now: others get what one had too much of."""
    seconds = [2.0] * 12
    tests = suite(seconds, expected=[0.001] * 12)
    simulation = Simulation(Planner(form(tests, "load"), known=True), tests, seconds)
    simulation.comes(["gw0"])
    simulation.comes(["gw1"], 0.5)
    assert simulation.run() < 18.0
    assert sorted(simulation.completed) == list(range(12))


def test_short_tests_do_not_wait_for_word() -> None:
    """A worker has the next tests before it needs them: a slow line costs once, not once a test."""
    slow = simulated([0.02] * 400, {"gw0": 0.0})
    slow.latency = 0.05
    assert slow.run() <= 400 * 0.02 * 1.05


def test_no_worker_is_sent_more_than_a_short_time_needs() -> None:
    """What one worker has, another one that comes cannot get."""
    simulation = simulated([0.05] * 400, {"gw0": 0.0, "gw1": 0.0})
    simulation.run()
    assert simulation.most_ahead <= 0.5 / 0.05 + 2


def test_expensive_fixtures_are_made_once() -> None:
    """Tests of a file stay with one worker where its fixtures cost more than helping would save."""
    seconds = [0.05] * 80
    tests = suite(seconds, files=4)
    shared = {test.home: 2.0 for test in tests}
    simulation = Simulation(Planner(form(tests, "load"), shared=shared, known=True), tests, seconds, shared)
    simulation.comes(["gw0", "gw1", "gw2", "gw3"])
    assert simulation.run() < 2.0 + 20 * 0.05 + 0.5
    workers = {(tests[ran.test].home, ran.worker) for ran in simulation.ran}
    assert len(workers) == 4


def test_cheap_fixtures_do_not_hold_up() -> None:
    """One file with little to share is done by all workers."""
    seconds = [0.5] * 40
    tests = suite(seconds)
    shared = {"test_0.py": 0.1}
    simulation = Simulation(Planner(form(tests, "load"), shared=shared, known=True), tests, seconds, shared)
    simulation.comes(["gw0", "gw1", "gw2", "gw3"])
    assert simulation.run() < 6.5


def test_order_within_a_file_is_kept_when_asked() -> None:
    """By file, no worker runs an earlier test of a file after a later one, however long they are."""
    seconds = [0.3, 0.1, 2.0, 0.05] * 10
    tests = suite(seconds, files=3)
    simulation = Simulation(Planner(form(tests, "load"), order=Order.FILE, known=True), tests, seconds)
    simulation.comes(["gw0", "gw1"])
    simulation.run()
    by_file: dict[tuple[str, str], list[int]] = {}
    for ran in simulation.ran:
        by_file.setdefault((ran.worker, tests[ran.test].home), []).append(ran.test)
    assert all(order == sorted(order) for order in by_file.values())


def test_order_of_collection_is_kept_when_asked() -> None:
    """Tests begin in the order of their collection, over all files."""
    seconds = [0.3, 0.1, 2.0, 0.05] * 10
    tests = suite(seconds, files=3)
    simulation = Simulation(Planner(form(tests, "load"), order=Order.COLLECTED, known=True), tests, seconds)
    simulation.comes(["gw0"])
    simulation.run()
    assert [ran.test for ran in simulation.ran] == list(range(40))


def test_nobody_stays_for_a_test_that_must_run_alone() -> None:
    """One worker keeps it for the end; the others are told to go, so that they can be given back."""
    planner = Planner([Unit(tests=(0,), seconds=1, home="a", demand=Demand(alone=True))])
    assert planner.join({"gw0": {}, "gw1": {}}, 0.0) == [Send("gw0", (0,)), Close("gw0"), Close("gw1")]
    assert planner.finished


def test_a_crash_is_the_running_tests_and_nobody_elses() -> None:
    """The test that may have been running is named and over; what waited behind it goes to others."""
    planner = Planner(form(suite([1.0] * 4), "loadfile"))
    assert planner.join({"gw0": {}}, 0.0) == [Send("gw0", (0, 1, 2, 3))]
    planner.complete("gw0", 0, 1.0, 1.0)
    assert planner.leave("gw0", 1.5)[0] == 1
    assert planner.join({"gw1": {}}, 2.0) == [Send("gw1", (2, 3))]


def test_a_worker_that_could_not_begin_crashed_in_no_test() -> None:
    """It had one test and did not know the next: that test runs elsewhere."""
    units = [Unit(tests=(number,), seconds=1, home="a", demand=Demand(weight=1)) for number in range(3)]
    planner = Planner(units, limit=1)
    assert planner.join({"gw0": {}, "gw1": {}}, 0.0) == [Send("gw0", (0, 1)), Send("gw1", (2,))]
    assert planner.leave("gw1", 0.5)[0] is None
    assert planner.complete("gw0", 0, 1.0, 1.0) == [Send("gw0", (2,))]


def test_a_refusal_to_give_back_changes_nothing() -> None:
    """A worker that has begun what it is asked for keeps all of it; later it is asked for less."""
    planner = Planner(form(suite([0.01] * 5), "load"), known=True)
    assert planner.join({"gw0": {}}, 0.0) == [Send("gw0", (0, 1, 2, 3, 4))]
    assert planner.join({"gw1": {}}, 9.0) == [TakeBack("gw0", (4, 3, 2))]
    planner.complete("gw0", 0, 9.0, 9.0)
    assert planner.give_back("gw0", (), 9.1) == []
    assert planner.tick(20.0) == [TakeBack("gw0", (4, 3))]
    assert planner.give_back("gw0", (4, 3), 20.1)[0] == Send("gw1", (3, 4))


def test_a_test_that_failed_runs_again_on_another_worker() -> None:
    """Even where its own worker is free first, and the other has much to do."""
    seconds = [0.1, *[3.0] * 6]
    simulation = simulated(seconds, {"gw0": 0.0, "gw1": 0.0})
    simulation.flaky = {0}
    simulation.run()
    first, second = (one.worker for one in simulation.ran if one.test == 0)
    assert first != second


def test_a_test_that_failed_runs_again_where_there_is_no_other() -> None:
    """One worker is better than none."""
    simulation = simulated([0.1] * 5, {"gw0": 0.0})
    simulation.flaky = {0}
    simulation.run()
    assert [one.worker for one in simulation.ran if one.test == 0] == ["gw0", "gw0"]


# ---- whatever comes


@st.composite
def runs(draw: st.DrawFn) -> tuple[Simulation, str]:
    """Draw a suite, its true times, how much of them is known, workers that come and go, and a mode."""
    count = draw(st.integers(0, 30))
    dist = draw(st.sampled_from(sorted(KEYS)))
    seconds = draw(st.lists(st.floats(0.001, 20), min_size=count, max_size=count))
    tests = [
        Case(
            node_id=f"test_{draw(st.integers(0, 4))}.py::{draw(st.sampled_from(['', 'A::', 'B::']))}test_{number}",
            seconds=seconds[number] if draw(st.booleans()) else draw(st.floats(0, 20)),
            group=draw(st.sampled_from(["", "", "g", "h"])),
            demand=draw(st.sampled_from([Demand(), Demand(), *DEMANDS])),
        )
        for number in range(count)
    ]
    shared = {f"test_{number}.py": draw(st.sampled_from([0.0, 0.5, 5.0])) for number in range(5)}
    planner = Planner(
        form(tests, dist),
        order=draw(st.sampled_from(Order)),
        shared=shared,
        limit=LIMIT,
        chunk=draw(st.sampled_from([None, 1, 3])),
        known=draw(st.booleans()),
    )
    simulation = Simulation(planner, tests, seconds, shared, latency=draw(st.sampled_from([0.0, 0.01, 0.3])))
    for number in range(draw(st.integers(1, 5))):
        simulation.comes([f"gw{number}"], draw(st.sampled_from([0.0, 0.0, 1.0, 7.0])))
    for _ in range(draw(st.integers(0, 4))):
        worker = f"gw{draw(st.integers(0, 4))}{'+' * draw(st.integers(0, 2))}"
        simulation.goes(worker, draw(st.floats(0, 60)))
    simulation.flaky = draw(st.sets(st.integers(0, max(0, count - 1)), max_size=3)) if draw(st.booleans()) else set()
    simulation.capabilities = {f"gw0{'+' * losses}": CORAL for losses in range(5)}
    return simulation, dist


@settings(max_examples=300, deadline=None)
@given(runs())
def test_every_test_runs_once_under_all_constraints(drawn: tuple[Simulation, str]) -> None:
    """No test twice, none lost, units together and in order, constraints kept: whatever arrives in whatever order."""
    simulation, dist = drawn
    simulation.run()
    expected = Counter([*range(len(simulation.tests)), *(test for test, _ in simulation.again)])
    assert Counter([*simulation.completed, *simulation.blamed]) == expected
    assert simulation.planner.finished
    assert not simulation.planner.running
    assert Counter(ran.test for ran in simulation.ran) <= expected  # one that was blamed need not have begun
    assert_constraints_are_kept(simulation)
    if not simulation.blamed and not simulation.again:
        assert_units_stay_together(simulation, dist)


def assert_constraints_are_kept(simulation: Simulation) -> None:
    """Look at every pair of tests that ran at the same time."""
    for ran in simulation.ran:
        demand = simulation.tests[ran.test].demand
        meanwhile = [one for one in simulation.ran if overlap(ran, one)]
        assert not demand.needs or ran.worker.startswith("gw0")
        assert not demand.alone or meanwhile == [ran]
        weights = [simulation.tests[one.test].demand.weight for one in meanwhile if one.begin <= ran.begin]
        assert sum(weights) <= LIMIT or sum(map(bool, weights)) == 1


def overlap(one: Ran, other: Ran) -> bool:
    """Whether two tests ran at the same time; each does with itself."""
    return one is other or (one.begin < other.end and other.begin < one.end)


def assert_units_stay_together(simulation: Simulation, dist: str) -> None:
    """Tests of one unit run on one worker, one after another, as collected."""
    place = {ran.test: (ran.worker, position) for position, ran in enumerate(by_worker(simulation.ran))}
    for unit in form(simulation.tests, dist):
        workers, positions = zip(*(place[test] for test in unit.tests), strict=True)
        assert len(set(workers)) == 1
        assert list(positions) == list(range(positions[0], positions[0] + len(positions)))


def by_worker(ran: Sequence[Ran]) -> list[Ran]:
    """Return what ran, worker by worker, in order."""
    return sorted(ran, key=lambda one: (one.worker, one.begin, one.end))


# ---- what a decision costs


def calls_per_test(count: int, workers: int) -> float:
    """Return how many functions, Python's own ones too, the planner calls for each test of a run."""
    seconds = [0.05 + number % 97 / 100 for number in range(count)]
    tests = suite(seconds, files=max(1, count // 20))
    names = [f"gw{number}" for number in range(workers)]
    calls = 0

    def count_call(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count_call)
    try:
        run_in_turn(Planner(form(tests, "load"), known=True), seconds, names)
    finally:
        sys.setprofile(before)
    return calls / count


def run_in_turn(planner: Planner, seconds: Sequence[float], names: Sequence[str]) -> None:
    """Run everything, each worker one test in its turn: as little as possible beside the planner."""
    queues: dict[str, list[int]] = {name: [] for name in names}
    done, now = 0, 0.0
    commands = planner.join({name: {} for name in names}, now)
    while done < len(seconds):
        for name in names:
            for command in commands:
                if isinstance(command, Send):
                    queues[command.worker].extend(command.tests)
            if queues[name]:
                test = queues[name].pop(0)
                done, now = done + 1, now + seconds[test] / len(names)
                commands = planner.complete(name, test, seconds[test], now)


@pytest.mark.parametrize(("count", "workers"), [(50_000, 5), (5_000, 100)])
def test_a_decision_costs_no_more_than_its_logarithm(count: int, workers: int) -> None:
    """From 500 tests on 5 workers to 50,000, and to 100 workers, the work for a test grows as log n at most."""
    small = calls_per_test(500, 5)
    assert calls_per_test(count, workers) <= small * math.log(count) / math.log(500)


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.floats(0.01, 3), max_size=12),
    alone=st.integers(0, 2),
    workers=st.integers(0, 4),
    over=st.integers(0, 6),
    known=st.booleans(),
)
def test_who_would_find_nothing_is_not_counted_on(
    lengths: list[float], alone: int, workers: int, over: int, *, known: bool
) -> None:
    """No openings: whoever comes is sent nothing but what runs alone, which those who are there would run as well."""
    demands = [Demand(alone=position < alone) for position in range(len(lengths))]
    units = [
        Unit(tests=(position,), seconds=seconds, home="a.py", demand=demand)
        for position, (seconds, demand) in enumerate(zip(lengths, demands, strict=True))
    ]
    planner, sent = Planner(units, known=known), dict[str, list[int]]()

    def obey(commands: Sequence[Command]) -> None:
        for command in commands:
            if isinstance(command, Send):
                sent.setdefault(command.worker, []).extend(command.tests)

    obey(planner.join({f"gw{number}": {} for number in range(workers)}, 0.0))
    for step in range(over):
        name = next((name for name, tests in sent.items() if tests), None)
        if name is not None:
            obey(planner.complete(name, sent[name].pop(0), 0.1, 0.1 * step))
    left = planner.openings(0.1 * over)
    assert 0 <= left.openings <= len(units)
    assert left.seconds >= 0
    if not left.openings:
        told = planner.join({"late": {}}, 1.0)
        late = [command for command in told if isinstance(command, Send) and command.worker == "late"]
        assert all(demands[test].alone for command in late for test in command.tests)
        assert not [command for command in told if isinstance(command, TakeBack)]


def test_what_remains_may_be_as_late_as_what_runs() -> None:
    """A test that has gone on for longer than expected says that more workers may be of use, before it is over."""
    planner = Planner(form(suite([0.01] * 9), "load"), known=True)
    planner.join({"gw0": {}}, 0.0)
    assert planner.openings(0.0).seconds == pytest.approx(0.09)
    assert planner.openings(60.0).seconds == pytest.approx(60.08)


def test_what_waits_is_first_for_those_who_have_nothing() -> None:
    """Nobody is asked for beside a worker that is free; one that was told to go takes nothing."""
    one = Worker("gw0", {})
    assert openings({FREE: [1, 2]}, [one], 5.0) == Left(1, 5.0)
    assert openings({FREE: [1]}, [one], 5.0).openings == 0
    one.closed = True
    assert openings({FREE: [1]}, [one], 5.0).openings == 1
    alone = Demand(alone=True)
    assert openings({alone: [1]}, [one], 5.0).openings == 1
    one.closed, one.count = False, 5
    assert openings({alone: [1]}, [one], 5.0).openings == 3
