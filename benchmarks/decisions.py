"""What the planner's decisions cost, from 500 to 50,000 tests and from 5 to 100 workers, in virtual time: no node.

Only the processor time within the planner counts, its making included: the least of several runs, since whatever else
the machine does only adds to it. A plain suite, and one with heavy and serial tests.
Growth in one direction is held against n log n, for n tests and for n workers alike; the worst of all is the ratio,
and at most 1 says that nothing grows faster.
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from typing import TYPE_CHECKING, Any

from paddock.scheduling.planner import Planner
from paddock.scheduling.units import FREE, Case, Demand, form
from tests.unit.scheduling.simulation import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS, WORKERS = (500, 5_000, 50_000), (5, 100)
HEAVY, ALONE = 10, 500
"""In the suite with constraints every so many tests one is heavy, and one is serial."""


def main() -> None:
    """Measure, print the figures and end with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(
        f"ratio: {max(worst(kind, demand, rounds) for kind, demand in (('plain', plain), ('constrained', mixed))):.2f}"
    )


def worst(kind: str, demand: Callable[[int], Demand], rounds: int) -> float:
    """Print what one kind of suite costs and return its fastest growth by n log n."""
    cost = {(n, w): min(seconds(n, w, demand) for _ in range(rounds)) for n in TESTS for w in WORKERS}
    for (tests, workers), taken in cost.items():
        print(f"{kind}: {tests} tests on {workers} workers: {taken:.3f} s, {1e6 * taken / tests:.0f} us a test")
    few, _, many = TESTS
    ratios = {
        **{f"tests, on {w} workers": growth(cost[few, w], cost[many, w], few, many) for w in WORKERS},
        **{f"workers, with {n} tests": growth(cost[n, WORKERS[0]], cost[n, WORKERS[1]], *WORKERS) for n in TESTS},
    }
    for what, ratio in ratios.items():
        print(f"{kind}: growth with the number of {what}, by n log n: {ratio:.2f}")
    return max(ratios.values())


def growth(little: float, much: float, few: int, many: int) -> float:
    """Return how much faster than n log n a cost grows from ``few`` to ``many``."""
    return (much / little) / (many * math.log(many) / (few * math.log(few)))


def plain(_number: int) -> Demand:
    """Return what every test of a suite without constraints asks."""
    return FREE


def mixed(number: int) -> Demand:
    """Return what a test of a suite with constraints asks."""
    return Demand(weight=number % HEAVY == 0, alone=number % ALONE == ALONE // 2)


def seconds(count: int, workers: int, demand: Callable[[int], Demand]) -> float:
    """Return the seconds that the planner takes for a run of ``count`` tests."""
    lengths = [0.05 + number % 97 / 100 for number in range(count)]
    tests = [
        Case(node_id=f"test_{number // 20}.py::t{number}", seconds=one, demand=demand(number))
        for number, one in enumerate(lengths)
    ]
    units = form(tests, "load")
    gc.collect()
    watched = Watched(lambda: Planner(units, known=True, limit=max(1, workers // 2)))
    simulation = Simulation(watched, tests, lengths)  # type: ignore[arg-type] # it answers as the planner does
    simulation.comes([f"gw{number}" for number in range(workers)])
    simulation.run()
    assert len(simulation.completed) == count  # noqa: S101 - a run that lost tests measured nothing
    return watched.seconds


class Watched:
    """A planner, and the seconds spent within it."""

    def __init__(self, make: Callable[[], Planner]) -> None:
        self.seconds = 0.0
        self._planner: Any = self._timed(make)()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the planner has
        found = getattr(self._planner, name)
        return self._timed(found) if callable(found) else found

    def _timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object) -> Any:  # noqa: ANN401 - as above
            began = time.thread_time()
            try:
                return work(*arguments)
            finally:
                self.seconds += time.thread_time() - began

        return call


if __name__ == "__main__":
    main()
