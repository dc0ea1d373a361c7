"""A run in virtual time around the planner: workers that behave as xdist's, messages that take time, losses.

A worker begins a test once it knows the next one or that there is none, has drawn the next one by then, and gives
back all of what it is asked for or nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from paddock.scheduling.commands import Close, Send
from paddock.scheduling.units import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paddock.scheduling.commands import Command
    from paddock.scheduling.planner import Planner
    from paddock.scheduling.units import Case

END = -1


@dataclass(frozen=True)
class Ran:
    """One test that began on a worker."""

    worker: str
    test: int
    begin: float
    end: float


@dataclass
class SimulatedWorker:
    """xdist's worker loop."""

    name: str
    inbox: deque[int] = field(default_factory=deque)
    running: int | None = None
    home: str = ""
    gone: bool = False


@dataclass
class Simulation:
    """One run; ``seconds`` are the true times of the tests, ``shared`` the true times of a file's fixtures."""

    planner: Planner
    tests: Sequence[Case]
    seconds: Sequence[float]
    shared: Mapping[str, float] = field(default_factory=dict)
    latency: float = 0.01
    capabilities: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    replaced_after: float = 1.0
    now: float = 0.0
    ran: list[Ran] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)
    blamed: list[int] = field(default_factory=list)
    flaky: set[int] = field(default_factory=set)
    """Tests that run again when they are over, if a worker is left that could: each once."""
    again: list[tuple[int, str]] = field(default_factory=list)
    """Those that did, and the worker that each was not to run on."""
    most_ahead: int = 0
    """Tests that any worker had been sent and not run, at most."""
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0
    _workers: dict[str, SimulatedWorker] = field(default_factory=dict)
    _alarm: float | None = None

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something happen."""
        self._count += 1
        heappush(self._events, (when, self._count, what))

    def comes(self, names: Sequence[str], when: float = 0.0) -> None:
        """Have workers become ready, all at once."""
        self.at(when, lambda: self._join(names))

    def goes(self, name: str, when: float) -> None:
        """Have a worker die, and another one take its place some time later."""
        self.at(when, lambda: self._die(name))

    def run(self) -> float:
        """Run until nothing more happens; returns when the last test was over."""
        while self._events:
            self.now, _, what = heappop(self._events)
            what()
        return max((one.end for one in self.ran), default=0.0)

    # ---- the controller

    def _join(self, names: Sequence[str]) -> None:
        for name in names:
            self._workers[name] = SimulatedWorker(name)
        self._obey(self.planner.join({name: self.capabilities.get(name, {}) for name in names}, self.now))

    def _obey(self, commands: Sequence[Command]) -> None:
        for command in commands:
            worker = self._workers[command.worker]
            if isinstance(command, Send):
                assert command.tests
                self._tell(worker, command.tests)
            elif isinstance(command, Close):
                self._tell(worker, (END,))
            else:
                self._ask_back(worker, command.tests)
        due = self.planner.wake_at()
        if due is not None and (self._alarm is None or due < self._alarm):
            self._alarm = due
            self.at(max(due, self.now), self._tick)

    def _tick(self) -> None:
        self._alarm = None
        self._obey(self.planner.tick(self.now))

    def _heard(self, worker: SimulatedWorker, test: int, seconds: float) -> None:
        self.completed.append(test)
        if test in self.flaky and self.planner.takes(self.tests[test].demand):
            self.flaky.remove(test)
            self._again(worker, test)
        self._obey(self.planner.complete(worker.name, test, seconds, self.now))

    def _again(self, worker: SimulatedWorker, test: int) -> None:
        demand = self.tests[test].demand
        avoided = worker.name if self.planner.takes(demand, beside=worker.name) else ""
        demand = replace(demand, avoids=avoided)
        unit = Unit(tests=(test,), seconds=self.tests[test].seconds, home=self.tests[test].home, demand=demand)
        self.again.append((test, avoided))
        self._obey(self.planner.again(unit, self.now))

    def _lost(self, worker: SimulatedWorker) -> None:
        running, commands = self.planner.leave(worker.name, self.now)
        self.blamed.extend([] if running is None else [running])
        self._obey(commands)

    # ---- the workers

    def _tell(self, worker: SimulatedWorker, words: Sequence[int]) -> None:
        def arrive() -> None:
            worker.inbox.extend(words)
            self.most_ahead = max(self.most_ahead, len(worker.inbox))
            self._begin(worker)

        self.at(self.now + self.latency, arrive)

    def _ask_back(self, worker: SimulatedWorker, tests: Sequence[int]) -> None:
        def arrive() -> None:
            if worker.gone:
                return
            queued = list(worker.inbox)[1:]
            given = tests if set(tests) <= set(queued) else ()
            worker.inbox = deque(test for test in worker.inbox if test not in given)
            self.at(self.now + self.latency, lambda: self._given_back(worker, given))

        self.at(self.now + self.latency, arrive)

    def _given_back(self, worker: SimulatedWorker, tests: Sequence[int]) -> None:
        if worker.name in self.planner.workers:
            self._obey(self.planner.give_back(worker.name, tests, self.now))

    def _begin(self, worker: SimulatedWorker) -> None:
        if worker.gone or worker.running is not None:
            return
        if worker.inbox and worker.inbox[0] == END:
            worker.gone = True
            self.at(self.now + self.latency, lambda: self._lost(worker))
        elif len(worker.inbox) > 1:
            test = worker.running = worker.inbox.popleft()
            home = self.tests[test].home
            taken = self.seconds[test] + (0.0 if home == worker.home else self.shared.get(home, 0.0))
            worker.home = home
            self.ran.append(Ran(worker.name, test, self.now, self.now + taken))
            self.at(self.now + taken, lambda: self._end(worker, test, taken))

    def _end(self, worker: SimulatedWorker, test: int, taken: float) -> None:
        if worker.gone:
            return
        worker.running = None
        self.at(self.now + self.latency, lambda: self._heard(worker, test, taken))
        self._begin(worker)

    def _die(self, name: str) -> None:
        worker = self._workers.get(name)
        if worker is None or worker.gone:
            return
        worker.gone = True
        if worker.running is not None:
            self.ran[:] = [
                Ran(one.worker, one.test, one.begin, self.now) if one.worker == name and one.end > self.now else one
                for one in self.ran
            ]
        self.at(self.now + self.latency, lambda: self._lost(worker))
        self.comes([f"{name}+"], self.now + self.replaced_after)


def ideal(seconds: Sequence[float], ready: Sequence[float]) -> float:
    """Return when LPT is through with tests of these lengths on workers that are ready at these times."""
    free = list(ready)
    for length in sorted(seconds, reverse=True):
        soonest = min(range(len(free)), key=free.__getitem__)
        free[soonest] += length
    return max(end for end, begin in zip(free, ready, strict=True) if end > begin)
