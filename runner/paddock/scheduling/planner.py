"""Which test goes to which worker, and when: the one planner behind every ``--dist`` mode but ``each``.

Longest first, so that no long test begins last; short ones by file, so that fixtures are shared; never more ahead of a
worker than a short time needs, so that whoever comes later finds work. It is told what happens and answers with
commands; it has no clock, no thread and no input of its own. Each event costs logarithmic time, whatever the number
of tests; only events about constraints look at all workers.

The list scheduling is Graham's LPT (1969), at most 4/3 of the best; https://doi.org/10.1137/0117039.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.scheduling.alarms import Alarms
from paddock.scheduling.commands import Close, Send, TakeBack
from paddock.scheduling.crew import DRAWN, WORTH_MOVING, Worker, fits, left_of_all, openings, overdue
from paddock.scheduling.pace import Pace
from paddock.scheduling.pool import Pool
from paddock.scheduling.units import FREE, Demand, Order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from paddock.scheduling.commands import Command
    from paddock.scheduling.sizing import Left
    from paddock.scheduling.units import Unit

    Count = Callable[[Mapping[Demand, Pool], Collection[Worker], float, float], float]
    """Seconds of what waits and of what workers have, at a time and at a pace."""

HORIZON = 0.25
"""Seconds of work that a worker is kept supplied with: ten times the round trip to a pod, and little to be wrong by."""
FILL = 2 * HORIZON
"""Up to here it is filled: one message for many short tests."""
LONG = 1 / 8
"""Part of a worker's fair share from which on a unit is long: shorter ones even out whatever their order."""
CHEAP = 0.05
"""Part of the running test's time that a filler behind it may take, where the worker would else not be needed."""


class Planner:
    """The plan of one run, from its collection to its last test."""

    def __init__(
        self,
        units: Iterable[Unit],
        *,
        order: Order = Order.LONGEST,
        shared: Mapping[str, float] | None = None,
        limit: int = 1,
        chunk: int | None = None,
        known: bool = False,
    ) -> None:
        """Plan ``units``; ``shared`` has the seconds that a file's common fixtures take.

        ``limit`` bounds the sum of weights that run at once, ``chunk`` the tests of a message, and ``known`` says that
        the expected times were measured.
        """
        self._order, self._shared, self._limit, self._chunk = order, shared or {}, max(1, limit), chunk
        self._pace = Pace(known=known)
        self._pools: dict[Demand, Pool] = {}
        self._workers: dict[str, Worker] = {}
        self._open: dict[Worker, None] = {}
        self._idle: set[Worker] = set()
        self._busy: set[Worker] = set()
        self._waiting: dict[Worker, None] = {}
        """Workers that were told nothing because of the others: asked again when something changes."""
        self._ahead = 0.0
        self._alarms = Alarms()
        self._commands: list[Command] = []
        self._changed = False
        self._constrained = False
        """Whether any unit makes demands on what others do."""
        by_demand: dict[Demand, list[Unit]] = {}
        for unit in units:
            by_demand.setdefault(unit.demand, []).append(unit)
        for demand, alike in by_demand.items():
            self._pool(demand).fill(alike)

    # ---- what the caller asks

    @property
    def pending(self) -> int:
        """How many units wait for a worker."""
        return sum(map(len, self._pools.values()))

    @property
    def finished(self) -> bool:
        """Whether nothing waits and no worker is to hear of more."""
        return not self.pending and not self._open

    @property
    def running(self) -> bool:
        """Whether a worker has tests."""
        return any(worker.count for worker in self._workers.values())

    def left(self, now: float, count: Count = left_of_all) -> float | None:
        """Return the expected seconds until everything, or what is counted, is over; ``None`` while unknown."""
        if not self._pace.known or not self._workers:
            return None
        return count(self._pools, self._workers.values(), now, self._pace.factor)

    def takes(self, demand: Demand, *, beside: str = "") -> bool:
        """Return whether a worker is there that could be sent a unit of this demand, another one than ``beside``."""
        return any(worker.name != beside and demand.met_by(worker.capabilities) for worker in self._open)

    @property
    def workers(self) -> list[str]:
        """All workers that came and did not go."""
        return list(self._workers)

    def openings(self, now: float) -> Left:
        """Return what more workers would find to do now, and the expected seconds of all that is not over."""
        expected = (self._seconds + self._ahead) * self._pace.factor
        crew = self._workers.values()
        return openings(self._pools, crew, expected + overdue(crew, now, self._pace.factor))

    def wake_at(self) -> float | None:
        """Return when ``tick`` wants to be called, on the caller's clock."""
        return self._alarms.earliest()

    # ---- what the caller tells

    def join(
        self, capabilities: Mapping[str, Mapping[str, int]], now: float, more: Iterable[Unit] = ()
    ) -> list[Command]:
        """Take in workers that are ready for tests: name -> kind of hardware -> how many of it.

        They are there for the ``more`` units as well.
        """
        for name, has in capabilities.items():
            worker = self._workers[name] = Worker(name, has)
            self._open[worker] = None
            self._idle.add(worker)
        for unit in more:
            self._return(unit)
        for name in capabilities:
            self._feed(self._workers[name], now)
        return self._answer(now)

    def complete(self, name: str, test: int, seconds: float, now: float) -> list[Command]:
        """Note that a test is over and took ``seconds``."""
        worker = self._workers[name]
        before, constrained = worker.ahead, worker.constrained
        expected = worker.finish(test, now)
        if expected is not None:
            self._pace.note(expected, seconds)
        self._account(worker, before)
        self._changed = self._changed or bool(constrained)
        self._feed(worker, now)
        return self._answer(now)

    def leave(self, name: str, now: float) -> tuple[int | None, list[Command]]:
        """Take leave of a worker; returns the test that it may have been running, if any.

        That test counts as over. Everything else that it had waits again.

        Raises:
            KeyError: there is no such worker.
        """
        worker = self._workers.pop(name)
        before, running = worker.ahead, None
        if worker.busy:
            running = worker.units[0].sent[0]
            worker.finish(running, now)
        for unit in worker.left():
            self._return(unit)
        self._ahead -= before
        self._forget(worker)
        return running, self._answer(now)

    def give_back(self, name: str, tests: Sequence[int], now: float) -> list[Command]:
        """Take in a worker's answer to ``TakeBack``."""
        worker = self._workers[name]
        before = worker.ahead
        for unit in worker.take_back(frozenset(tests) & worker.asked_back):
            self._return(unit)
        worker.asked_back = frozenset()
        self._account(worker, before)
        self._changed = True
        return self._answer(now)

    def again(self, unit: Unit, now: float) -> list[Command]:
        """Take in a unit that is to run, once more or for the first time."""
        self._return(unit)
        return self._answer(now)

    def tick(self, now: float) -> list[Command]:
        """Supply the workers whose tests are about to run out."""
        for worker in self._alarms.due(now):
            self._feed(worker, now)
        return self._answer(now)

    # ---- books

    def _pool(self, demand: Demand) -> Pool:
        if demand not in self._pools:
            # Whoever is at a file already may not be able to run what makes demands: only the rest is left to them.
            self._pools[demand] = Pool(self._order, self._shared if demand == FREE else {})
            self._constrained = self._constrained or demand.constrained
            self._pools = dict(sorted(self._pools.items(), key=lambda one: one[0].preference))
        return self._pools[demand]

    def _return(self, unit: Unit) -> None:
        self._pool(unit.demand).add(unit)
        self._changed = True

    def _account(self, worker: Worker, ahead_before: float) -> None:
        self._ahead += worker.ahead - ahead_before
        if worker.busy:
            self._busy.add(worker)
        elif worker in self._busy:
            self._busy.discard(worker)
            self._changed = True
        (self._idle.discard if worker.count or worker.closed else self._idle.add)(worker)

    def _forget(self, worker: Worker) -> None:
        self._move(worker, "")
        self._alarms.set(worker, None)
        self._open.pop(worker, None)
        self._waiting.pop(worker, None)
        self._idle.discard(worker)
        self._busy.discard(worker)
        self._changed = True

    def _answer(self, now: float) -> list[Command]:
        while self._changed:
            self._changed, waiting = False, list(self._waiting)
            for worker in waiting:
                self._feed(worker, now)
        told, self._commands = self._commands, []
        return told

    # ---- feeding

    def _feed(self, worker: Worker, now: float) -> None:
        self._waiting.pop(worker, None)
        before, batch, found = worker.ahead, list[int](), True
        while found and self._wants(worker, now, len(batch)):
            more = self._next(worker, now)
            found, batch = bool(more), [*batch, *more]
        if batch:
            self._commands.append(Send(worker.name, tuple(batch)))
        if not found and worker.count <= DRAWN and worker not in self._waiting:
            self._without_work(worker, now)
        self._account(worker, before)
        self._alarms.set(worker, self._alarm(worker, now))

    def _wants(self, worker: Worker, now: float, sent: int) -> bool:
        if worker.closed:
            return False
        if worker.count < DRAWN:
            return True
        if not self._pace.known or (self._chunk and sent >= self._chunk):
            return False
        pace = self._pace.factor
        if worker.runway(now, pace) >= (FILL if sent else HORIZON):
            return False
        share = self._seconds / (2 * len(self._open))  # half of a fair one: others may still come
        return worker.count == DRAWN or worker.ahead < max(share, HORIZON / pace)

    @property
    def _seconds(self) -> float:
        return sum(pool.seconds for pool in self._pools.values())

    def _next(self, worker: Worker, now: float) -> tuple[int, ...]:
        """Return what the worker is to be sent next, noted as sent; nothing if it must wait or there is nothing."""
        last = worker.last
        if last is not None and not self._may_begin(worker, last.unit.demand):
            self._waiting[worker] = None
            return ()
        if last is not None and last.held:
            held = last.held
            worker.send(last.unit, held, (), now)
            return held
        found = None if self._outlasts_the_rest(worker, now) else self._choose(worker, now)
        return self._assign(worker, found[0].take(found[1]), now) if found else ()

    def _assign(self, worker: Worker, unit: Unit, now: float) -> tuple[int, ...]:
        self._move(worker, unit.home)
        # Where constraints are at stake only one test goes at first, so that it is parked: see ``crew``.
        tests, held = (unit.tests[:1], unit.tests[1:]) if self._constrained else (unit.tests, ())
        worker.send(unit, tests, held, now)
        return tests

    def _move(self, worker: Worker, home: str) -> None:
        if home != worker.home:
            for pool in self._pools.values():
                pool.move(worker.home, home)
            worker.home = home

    def _may_begin(self, worker: Worker, demand: Demand) -> bool:
        """Return whether the worker's last test may run beside what the others run."""
        if not self._constrained:
            return True
        others = self._busy - {worker}
        if demand.alone:
            return not others
        return not any(other.runs_alone for other in others) and fits(self._limit, worker, demand, others, parked=False)

    def _choose(self, worker: Worker, now: float) -> tuple[Pool, int] | None:
        wait, parked = worker.remaining(now, self._pace.factor), None
        for demand, pool in self._pools.items():
            key = self._pick(pool, worker, wait) if pool and self._is_for(worker, demand) else None
            if key is None:
                continue
            others = (other for other in self._workers.values() if other is not worker)
            if not demand.weight or fits(self._limit, worker, demand, others, parked=True):
                return pool, key
            parked = parked or (pool, key)
        if parked and worker.count >= DRAWN:  # what it has can begin, and by then there may be room
            self._waiting[worker], parked = None, None
        return parked

    def _is_for(self, worker: Worker, demand: Demand) -> bool:
        if not demand.met_by(worker.capabilities):
            return False
        if demand.avoids == worker.name and self.takes(demand, beside=worker.name):
            return False
        # What runs alone is left to one worker: the others need not stay for it.
        return not demand.alone or not any(
            other.has_alone and not other.closed and demand.met_by(other.capabilities)
            for other in self._open
            if other is not worker
        )

    def _pick(self, pool: Pool, worker: Worker, wait: float) -> int | None:
        home = worker.home if self._order is not Order.COLLECTED else ""

        def allows(where: str, seconds: float) -> bool:
            return where == home or not pool.stays_cheaper(where, seconds)

        near = pool.next_of(home)
        if self._order is Order.LONGEST:
            top, long = pool.longest(allows), LONG * self._seconds / len(self._open)
            length = pool.seconds_of(top) if top else 0.0
            if length > long and wait <= length * self._pace.factor / 2:
                return top
            if length > long:
                return near if near and pool.seconds_of(near) <= long else pool.shortest(allows)
        return near or pool.next_elsewhere(allows)

    # ---- the end

    def _outlasts_the_rest(self, worker: Worker, now: float) -> bool:
        """Return whether the others will have done all that waits before this worker's only test is over."""
        others = len(self._open) - 1
        if worker.count != 1 or not others or self._constrained or any(demand.is_choosy for demand in self._pools):
            return False
        if self.pending <= len(self._idle) - (worker in self._idle):
            return True
        pace = self._pace.factor
        rest, remaining = self._seconds + self._ahead - worker.ahead, worker.remaining(now, pace)
        return rest * pace <= remaining * others and self._shortest() * pace > CHEAP * remaining

    def _shortest(self) -> float:
        return min((pool.seconds_of(key) for pool in self._pools.values() if (key := pool.shortest())), default=0.0)

    def _without_work(self, worker: Worker, now: float) -> None:
        others = [other for other in self._workers.values() if other is not worker]
        if self._take_back_for(worker, others, now) or any(other.asked_back for other in others):
            self._waiting[worker] = None
        elif worker.count or not any(other.count > DRAWN for other in others):
            worker.closed = True
            self._open.pop(worker)
            self._move(worker, "")
            self._commands.append(Close(worker.name))

    def _take_back_for(self, worker: Worker, others: Iterable[Worker], now: float) -> bool:
        pace = self._pace.factor
        asked = [other for other in others if other.count > DRAWN and not other.asked_back]
        if not asked:
            return False
        slowest = max(asked, key=lambda other: other.remaining(now, pace) + other.overdue(now, pace))
        late = slowest.overdue(now, pace)
        difference = slowest.remaining(now, pace) + late - worker.remaining(now, pace)
        units = [one.unit for one in slowest.stealable(difference / pace) if self._is_for(worker, one.unit.demand)]
        if sum(unit.seconds for unit in units) * pace < WORTH_MOVING and (late < WORTH_MOVING or not units):
            return False
        tests = tuple(test for unit in units for test in unit.tests)
        slowest.asked_back = frozenset(tests)
        self._commands.append(TakeBack(slowest.name, tests))
        return True

    def _alarm(self, worker: Worker, now: float) -> float | None:
        if worker.closed or worker in self._waiting:
            return None
        if not worker.count:  # kept in reserve: perhaps others turn out to have too much
            return now + HORIZON
        # With two tests it would have to wait for word from here when the first is over; with more there is time.
        if worker.count != DRAWN or not self._pace.known:
            return None
        spare = worker.runway(now, self._pace.factor) - HORIZON
        return now + spare if spare > 0 else None
