"""The workers as the planner sees them: what each was sent, what of it may run by now, and for how long yet.

A worker of xdist's begins a test only when it knows what comes after it, or that nothing does: the last test it was
sent is *parked* until then. That is what constraints are kept by. It must not know what waits elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.scheduling.sizing import Left

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sized

    from paddock.scheduling.pool import Pool
    from paddock.scheduling.units import Demand, Unit

WORTH_MOVING = 0.1
"""Seconds of work below which taking it back from another worker costs about as much as it saves."""

DRAWN = 2
"""Tests that a worker has out of its queue: the one it runs, and the next, without which it does not begin."""


@dataclass
class Assigned:
    """A unit that a worker was sent, as far as it is not over."""

    unit: Unit
    seconds_each: float
    sent: deque[int]
    held: tuple[int, ...] = ()
    """Tests of it that follow once its first one may run: see ``planner``."""


@dataclass(eq=False)
class Worker:
    """One worker."""

    name: str
    capabilities: Mapping[str, int]
    units: deque[Assigned] = field(default_factory=deque)
    count: int = 0
    """Tests sent and not over."""
    ahead: float = 0.0
    """Their expected seconds."""
    home: str = ""
    began: float = 0.0
    """When the first of them could begin, on the caller's clock."""
    closed: bool = False
    constrained: int = 0
    """Units among them that other workers matter for."""
    asked_back: frozenset[int] = frozenset()
    """Tests that it was asked to give back and has not answered for."""

    @property
    def busy(self) -> bool:
        """Whether it may be running a test."""
        return self.count > (0 if self.closed else 1)

    @property
    def last(self) -> Assigned | None:
        """The unit that it was sent last, if any of it is left."""
        return self.units[-1] if self.units else None

    def remaining(self, now: float, pace: float) -> float:
        """Return the expected seconds until it has run everything."""
        if not self.units:
            return 0.0
        first = self.units[0].seconds_each * pace
        ran = min(now - self.began, first) if self.busy else 0.0
        return self.ahead * pace - max(0.0, ran)

    def overdue(self, now: float, pace: float) -> float:
        """Return the seconds that its running test takes longer than expected by now."""
        return max(0.0, now - self.began - self.units[0].seconds_each * pace) if self.busy else 0.0

    def runway(self, now: float, pace: float) -> float:
        """Return the expected seconds until it needs to be told what comes next."""
        last = self.last
        return self.remaining(now, pace) - (last.seconds_each * pace if last and not self.closed else 0.0)

    def send(self, unit: Unit, tests: tuple[int, ...], held: tuple[int, ...], now: float) -> None:
        """Note that it was sent tests of a unit, all but those ``held``."""
        if not self.busy:
            self.began = now
        each = unit.seconds / len(unit.tests)
        last = self.last
        if last is not None and last.unit is unit:
            last.sent.extend(tests)
            last.held = held
        else:
            self.units.append(Assigned(unit, each, deque(tests), held))
            self.constrained += unit.demand.constrained
        self.count += len(tests)
        self.ahead += each * len(tests)

    def finish(self, test: int, now: float) -> float | None:
        """Note that a test is over; returns what it was expected to take, or ``None`` if it is not one of its own."""
        for assigned in self.units:
            if test in assigned.sent:
                assigned.sent.remove(test)
                self._count_out(assigned)
                self.began = now
                return assigned.seconds_each
        return None

    def _count_out(self, assigned: Assigned, tests: int = 1) -> None:
        self.count -= tests
        self.ahead = self.ahead - assigned.seconds_each * tests if self.count else 0.0
        if not assigned.sent and not assigned.held:
            self.units.remove(assigned)
            self.constrained -= assigned.unit.demand.constrained

    def take_back(self, tests: frozenset[int]) -> list[Unit]:
        """Remove whole units that the worker gave back, and return them."""
        given = [assigned for assigned in self.units if tests.issuperset(assigned.sent) and not assigned.held]
        for assigned in given:
            count = len(assigned.sent)
            assigned.sent.clear()
            self._count_out(assigned, count)
        return [assigned.unit for assigned in given]

    def stealable(self, seconds: float) -> list[Assigned]:
        """Return whole units from the end that it cannot have begun yet, for one that has ``seconds`` less to do."""
        found: list[Assigned] = []
        spared, total = self.count, 0.0
        for assigned in reversed(self.units):
            spared -= len(assigned.sent)
            whole = len(assigned.sent) == len(assigned.unit.tests)
            total += assigned.unit.seconds
            fits = total < seconds / 2 or (not found and total < seconds)
            if spared < DRAWN or not whole or assigned.unit.demand.constrained or not fits:
                break
            found.append(assigned)
        return found

    def left(self) -> Iterator[Unit]:
        """Return what remains of its units, as units."""
        for assigned in self.units:
            rest = (*assigned.sent, *assigned.held)
            if rest:
                yield assigned.unit if len(rest) == len(assigned.unit.tests) else assigned.unit.reduced(rest)

    @property
    def has_alone(self) -> bool:
        """Whether it was sent a test that must run alone."""
        return bool(self.constrained) and any(one.unit.demand.alone for one in self.units)

    @property
    def heaviest(self) -> int:
        """The weight of the heaviest test that it was sent."""
        return max((one.unit.demand.weight for one in self.units), default=0) if self.constrained else 0

    @property
    def runs_alone(self) -> bool:
        """Whether a test that must run alone may be running."""
        return bool(self.constrained) and any(one.unit.demand.alone for one in self._active())

    @property
    def weight(self) -> int:
        """The weight of the heaviest test that may be running: its tests never run at the same time."""
        return max((one.unit.demand.weight for one in self._active()), default=0) if self.constrained else 0

    def _active(self) -> Iterator[Assigned]:
        parked = None if self.closed else self.last
        return (one for one in self.units if one is not parked or len(one.sent) > 1)


def fits(limit: int, worker: Worker, demand: Demand, others: Iterable[Worker], *, parked: bool) -> bool:
    """Return whether a unit of this demand may run on a worker beside the others, as to the sum of their weights.

    ``parked`` counts what they have been sent and cannot begin yet as well.
    """
    if not demand.weight:
        return True
    load = sum(min(limit, other.heaviest if parked else other.weight) for other in others)
    own = min(limit, max(worker.heaviest if parked else worker.weight, demand.weight))
    return load + own <= limit


def overdue(workers: Iterable[Worker], now: float, pace: float) -> float:
    """Return the seconds by which the latest of the running tests is late.

    What remains may be late by as much: expectations are all that is known of it, and a test that is not over has not
    taught the run's pace anything yet.
    """
    return max((worker.overdue(now, pace) for worker in workers), default=0.0)


def left_of_all(waiting: Mapping[Demand, Pool], workers: Collection[Worker], now: float, pace: float) -> float:
    """Return the expected seconds until everything is over on these workers, of which there is one at least."""
    remaining = [max(0.0, worker.remaining(now, pace)) for worker in workers]
    seconds = sum(pool.seconds for pool in waiting.values()) * pace + sum(remaining)
    return max(*remaining, seconds / len(remaining))


def left_of_hardware(waiting: Mapping[Demand, Pool], workers: Collection[Worker], now: float, pace: float) -> float:
    """Return the expected seconds until none of these holds hardware any more: until nothing is left for who does.

    Where nobody holds any, those for which the one that comes with it will.
    """
    needy = sum(pool.seconds for demand, pool in waiting.items() if demand.needs) * pace
    holders = [worker for worker in workers if worker.capabilities]
    if not holders:
        return needy
    own = sum(max(0.0, worker.remaining(now, pace)) for worker in holders)
    return max((needy + own) / len(holders), left_of_all(waiting, workers, now, pace))


def openings(waiting: Mapping[Demand, Sized], workers: Collection[Worker], seconds: float) -> Left:
    """Return what workers beside these would find to do, with ``seconds`` of work left in all.

    What waits is for those who have nothing first; of what a worker was sent, all but what it has drawn can be had.
    What runs alone is for those who are there, as long as one of them is not told to go.
    """
    free = sum(len(pool) for demand, pool in waiting.items() if not demand.alone)
    alone = any(len(pool) for demand, pool in waiting.items() if demand.alone) and all(one.closed for one in workers)
    queued = sum(max(0, worker.count - DRAWN) for worker in workers)
    idle = sum(not worker.count and not worker.closed for worker in workers)
    needy = sum(len(pool) for demand, pool in waiting.items() if demand.needs and not demand.alone)
    seconds = max(0.0, seconds)  # sums of floats end near nothing
    return Left(max(0, free + alone + queued - idle), seconds, for_hardware=needy)
