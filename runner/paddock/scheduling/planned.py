"""The planner behind xdist's scheduler protocol (pytest-xdist 3.8): events in, commands out.

It owns the clock and which worker is which. It must not decide anything: that is the planner's.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from paddock.scheduling.beginning import harmless
from paddock.scheduling.commands import Close, Send
from paddock.scheduling.crew import left_of_hardware
from paddock.scheduling.elastic import STRAGGLERS, Front, Stage
from paddock.scheduling.sizing import Left

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xdist.workermanage import WorkerController

    from paddock.scheduling.commands import Command
    from paddock.scheduling.elastic import Outlook
    from paddock.scheduling.planner import Planner
    from paddock.scheduling.units import Unit

    Plan = Callable[[Sequence[str]], tuple[list[Unit], Callable[[int], Planner]]]
    """From the node ids of a collection to its units, and to their planner for a number of workers."""

TOGETHER = 0.1
"""Seconds within which workers are taken to have come at the same time: then no chance decides who gets what."""

NEVER_BEGUN = 3
"""How often a test goes to another worker because the one before went without having begun it. Who never says that a
test begins, as a plugin may bring about, would else have the tests that end its workers run for ever."""


class PlannedScheduling(Front):
    """xdist's ``Scheduling`` protocol in front of the planner."""

    def __init__(
        self,
        plan: Plan,
        outlook: Outlook,
        clock: Callable[[], float] = time.monotonic,
        *,
        config: object = None,
        capabilities: Callable[[str], Mapping[str, int]] = lambda _: {},
    ) -> None:
        super().__init__(outlook, clock)
        self.config = config
        """pytest's, where plugins that hear of a crash look for it, as on xdist's schedulers: pytest-rerunfailures."""
        self._capabilities = capabilities
        """Worker -> kind of hardware -> how many of it."""
        self._plan = plan
        self._units: list[Unit] = []
        self._make: Callable[[int], Planner] | None = None
        self._planner: Planner | None = None
        self._nodes: dict[str, WorkerController] = {}
        self._closed: set[str] = set()
        self._wake_at = float("inf")
        self._never_begun: Counter[str] = Counter()
        self._kept_back: list[Unit] = []
        """Tests that run again once another worker has come."""

    @property
    def _at_work(self) -> Planner:
        if self._planner is None:
            raise KeyError("nothing was planned yet")
        return self._planner

    @property
    def collection(self) -> list[str] | None:
        """The tests of the run, which plugins look up."""
        return self._official

    @property
    def _admitted(self) -> list[WorkerController]:
        return list(self._nodes.values())

    @property
    def _is_over(self) -> bool:
        return self._at_work.finished and not self._kept_back

    @property
    def has_pending(self) -> bool:
        """Whether tests are waiting or running."""
        return self._planner is not None and bool(self._planner.pending or self._planner.running)

    def left(self) -> float | None:
        """Return the expected seconds until the last test is over; ``None`` before the first is known."""
        return self._planner.left(self._clock()) if self._planner else None

    def left_of_hardware(self) -> float | None:
        """Return the expected seconds for which the run needs hardware, from now on or from when it has some."""
        return self._planner.left(self._clock(), left_of_hardware) if self._planner else None

    @property
    def has_waiting(self) -> bool:
        """Whether tests wait for a worker."""
        return self._planner is not None and bool(self._planner.pending or self._kept_back)

    def _left(self) -> Left:
        if self._planner is not None:
            found = self._planner.openings(self._clock())
            return replace(found, openings=found.openings + len(self._kept_back))
        alone = any(unit.demand.alone for unit in self._units)
        together = sum(not unit.demand.alone for unit in self._units)
        openings = max(together, int(alone)) - len(self._collected)
        needy = sum(bool(unit.demand.needs) for unit in self._units)
        return Left(max(0, openings), sum(unit.seconds for unit in self._units), for_hardware=needy)

    def _patience(self, tests: Sequence[str]) -> float:
        self._units, self._make = self._plan(tests)
        return patience(self._units, 1 + self._outlook.awaited())

    def _begin_with(self, nodes: list[WorkerController], tests: list[str]) -> None:
        if self._make is None:
            self._units, self._make = self._plan(tests)
        self._planner = self._make(len(nodes) + self._outlook.awaited())
        self._join(nodes)

    def _admit(self, node: WorkerController, tests: list[str]) -> None:  # noqa: ARG002 - all workers have the same
        self._join([node])

    def _join(self, nodes: Sequence[WorkerController]) -> None:
        self._nodes |= {node.gateway.id: node for node in nodes}
        more, self._kept_back = self._kept_back, []
        joining = {node.gateway.id: self._capabilities(node.gateway.id) for node in nodes}
        self._obey(self._at_work.join(joining, self._clock(), more))

    def _look_around(self) -> None:
        """Leave to whoever is there what was kept back for a worker that never came."""
        if self._kept_back and not self._outlook.awaited():
            for unit in [one for one in self._kept_back if self._at_work.takes(one.demand)]:
                self._kept_back.remove(unit)
                self._obey(self._at_work.again(unit, self._clock()))

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Note that a test is over, and send what comes next."""
        self._obey(self._at_work.complete(node.gateway.id, item_index, duration, self._clock()))

    def mark_test_pending(self, item: str) -> None:
        """Queue a test again, as plugins do after a crash."""
        self._obey(self._at_work.again(self._alone(item), self._clock()))

    def run_again(self, test: str, avoiding: str) -> bool:
        """Queue a test again; where nobody else could be sent it, it waits for the next worker, which is asked for.

        Not for a test that went with its worker (``avoiding`` is empty): xdist replaces that.
        """
        unit, planner = self._alone(test), self._at_work
        unit = replace(unit, demand=replace(unit.demand, avoids=avoiding))
        alone = not planner.takes(unit.demand, beside=avoiding)
        if avoiding and alone and self._another_comes(needed=not planner.takes(unit.demand)):
            self._kept_back.append(unit)
        else:
            self._obey(planner.again(unit, self._clock()))
        return True

    def _another_comes(self, *, needed: bool) -> bool:
        if self._outlook.awaited() or (needed and self._outlook.missing()):
            return True
        self._tell_by = float("inf")  # it is not one that tests have begun without
        return self._outlook.ask_worker(needed=needed)

    def _alone(self, test: str) -> Unit:
        position = (self._official or []).index(test)
        return next(unit for unit in self._units if position in unit.tests).reduced((position,))

    def remove_pending_tests_from_node(self, node: WorkerController | None, indices: Sequence[int]) -> None:
        """Take tests back from a worker; without one it is the wake-up call."""
        if self._planner is None:
            return
        if node is not None:
            self._obey(self._planner.give_back(node.gateway.id, indices, self._clock()))
        else:
            self._wake_at = float("inf")
            self._obey(self._planner.tick(self._clock()))

    def remove_node(self, node: WorkerController) -> str | None:
        """Forget a worker and return the test it was running, if it crashed; that test is not handed out again.

        One that it had not begun is; one that it had ended, but for its last word, is over.

        Raises:
            KeyError: the worker is unknown, which xdist expects.
        """
        if self._forget_early(node):
            return None
        del self._nodes[node.gateway.id]
        running, commands = self._at_work.leave(node.gateway.id, self._clock())
        self._obey(commands)
        return None if running is None or self._official is None else self._blamed(node, self._official[running])

    def _blamed(self, node: WorkerController, test: str) -> str | None:
        stage = self._outlook.stage(node.gateway.id, test)
        if stage is Stage.WAITING and self._never_begun[test] < NEVER_BEGUN:
            self._never_begun[test] += 1
            self.mark_test_pending(test)
            return None
        return None if stage is Stage.OVER else test

    def _obey(self, commands: Sequence[Command]) -> None:
        for command in commands:
            self._tell(self._nodes[command.worker], command)
        due = self._at_work.wake_at()
        if due is not None and due < self._wake_at:
            self._wake_at = due
            self._outlook.wake_after(max(0.0, due - self._clock()))

    def _tell(self, node: WorkerController, command: Command) -> None:
        if node.shutting_down and command.worker not in self._closed:  # by xdist itself, which ends the run
            return
        if isinstance(command, Send):
            node.send_runtest_some(list(command.tests))
        elif isinstance(command, Close):
            self._closed.add(command.worker)
            node.shutdown()
        else:
            node.send_steal(list(command.tests))


def patience(units: Sequence[Unit], workers: int) -> float:
    """Return how many seconds a run waits for its workers once the first is ready."""
    return TOGETHER if harmless(units, workers) else STRAGGLERS
