"""How many workers a run has: who is made at once and who in reserve, who is awaited, and who is sent home.

Runs on pytest's thread, but for ``await_turn``. It must not know clusters, nor xdist's objects: obstacles come from the
engine, what is left to do from the scheduler.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from paddock.errors import LeaseError
from paddock.scheduling.sizing import is_worth_it

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from paddock.engines.protocol import Engine
    from paddock.plugin.roster import Roster
    from paddock.plugin.terminal import Terminal
    from paddock.scheduling.sizing import Left
    from paddock.specs import Cause

NAMED = 3
"""Workers that a line names one by one."""


class Staffing:
    """The run's workers as far as xdist has heard; ``roster`` is ahead of it by what lies in xdist's queue.

    By the roster alone, tests would begin on the first of several workers that have collected at the same time.
    ``cancel`` tells xdist that a worker which has not come is finished, ``let_go`` ends the process of one that has.
    """

    def __init__(
        self,
        roster: Roster,
        terminal: Terminal,
        cancel: Callable[[str], None],
        let_go: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine: Engine | None = None
        self.planned: Sequence[str] = ()
        """The workers that the run was given."""
        self._roster, self._terminal, self._clock = roster, terminal, clock
        self._cancel, self._let_go = cancel, let_go
        self._reserve: dict[str, threading.Event] = {}
        """Workers that nobody has asked for, and what lets them be."""
        self._asked_at: dict[str, float] = {}
        self._certain: set[str] = set()
        """Workers of the reserve that stay whatever is left to do."""
        self._coming = 0.0
        """Seconds that the slowest worker took to come."""
        self._heard: set[str] = set()
        self._settled = -1
        """The roster's changes when last everybody was there and nobody in reserve."""
        self._staffed = self._told = False
        self._in_vain: dict[str, Cause] = {}
        """Workers that the cluster had no room for as long as they were needed."""

    # ---- who is made

    def plan(self, workers: Sequence[str], known: int) -> list[str]:
        """Take in the run's workers; return those that are made at once, no more than the ``known`` units of tests."""
        self.planned = workers
        first = list(workers[: known or len(workers)])
        self._reserve = {worker: threading.Event() for worker in workers if worker not in first}
        self._asked_at = dict.fromkeys(first, self._clock())
        return first

    def line(self) -> str:
        """Return what to tell of a reserve, if there is one."""
        if not self._reserve:
            return ""
        first, all_of_them = len(self.planned) - len(self._reserve), len(self.planned)
        return (
            f"{first} of {all_of_them} workers are made: earlier runs know no more that could run at once; "
            "others follow if there is more"
        )

    def await_turn(self, worker: str) -> None:
        """Wait until a worker of the reserve is asked for; from the thread that would ask the engine.

        Raises:
            LeaseError: nobody needs it any more.
        """
        turn = self._reserve.get(worker)
        if turn is not None:
            turn.wait()
            if worker not in self._roster.awaited():
                raise LeaseError(f"Nobody needs {worker} any more.")

    def staff(self, left: Callable[[], Left]) -> bool:
        """Send home who comes for nothing, and ask for who is worth it; return whether some are still in reserve."""
        changes = self._roster.changes
        if changes == self._settled:
            return False
        missing = self.missing()
        reserve = self._to_be_asked()
        if not missing and not reserve:
            self._settled = changes
            return False
        found = left()
        for worker in self._too_many(missing, found):
            self._turn_away(worker)
        self._staffed = True
        working = len(self._heard & set(self._roster.alive()))
        for number, worker in enumerate(reserve[: max(0, found.openings - len(missing))], len(missing)):
            if not is_worth_it(found, working + number, self._coming):
                break
            self._ask(worker)
        return found.openings > 0 and bool(self._unasked())

    def _too_many(self, missing: Sequence[str], found: Left) -> list[str]:
        """Return those who would find nothing to do: the ones that something keeps from coming, then the last."""
        holds = self.engine.holds_hardware if self.engine and found.for_hardware else lambda _: False
        equipped = [one for one in missing if holds(one)]
        # Who replaces a lost worker, or is to run a test again, was asked for with a reason of its own; and for who
        # holds hardware tests wait that no other can run.
        kept = {*self._certain, *equipped[: found.for_hardware]}
        needless = [one for one in missing if one in self.planned and one not in kept]
        without_hardware = len(missing) - len(equipped) - max(0, found.openings - found.for_hardware)
        surplus = max(0, len(missing) - found.openings, without_hardware)
        last_first = sorted(needless, key=lambda one: (self._obstacle(one) is None, -needless.index(one)))
        return sorted(last_first[:surplus], key=needless.index)

    def ask_one(self) -> bool:
        """Ask for one worker of the reserve, whatever is left to do; return whether there was any."""
        found = next(iter(self._to_be_asked()), None)
        if found is not None:
            self._certain.add(found)
            self._ask(found)
        return found is not None

    def _ask(self, worker: str) -> None:
        self._asked_at[worker] = self._clock()
        self._reserve[worker].set()

    def _turn_away(self, worker: str) -> None:
        cause = self._obstacle(worker)
        if cause and self._staffed:  # there was work for it, and the others have done it meanwhile
            self._in_vain[worker] = cause
        self._cancel(worker)

    def finished(self, worker: str, *, wanted: bool) -> None:
        """Note that a worker has ended by itself or was sent home.

        Its lease is given back while others are at work, unless it is ``wanted`` at the end of the run.
        """
        if self.engine and not wanted and self._roster.alive() and worker not in self._unasked():
            self._let_go(worker)
            self.engine.give_back(worker)

    def close(self) -> None:
        """Let nobody wait any longer."""
        for turn in self._reserve.values():
            turn.set()

    def _to_be_asked(self) -> list[str]:
        """Return who of the reserve can still be asked for."""
        unasked = self._unasked()
        awaited = self._roster.awaited() if unasked else []  # asked after each event: most runs have no reserve
        return [worker for worker in unasked if worker in awaited]

    def _unasked(self) -> list[str]:
        return [worker for worker, turn in self._reserve.items() if not turn.is_set()]

    # ---- who is there

    def hear(self, worker: str) -> None:
        """Note that xdist knows what a worker has collected."""
        self._heard.add(worker)
        self._coming = max(self._coming, self._clock() - self._asked_at.get(worker, self._clock()))

    @property
    def has_heard(self) -> bool:
        """Whether xdist knows what any worker has collected."""
        return bool(self._heard)

    def lose(self, worker: str) -> None:
        """Note that a worker was lost at work: whoever replaces it counts in its place."""
        self._heard.discard(worker)

    def missing(self) -> list[str]:
        """Return the workers that were asked for and are to collect yet."""
        unasked = self._unasked()
        return [one for one in self._roster.alive() if one not in self._heard and one not in unasked]

    def awaited(self) -> list[str]:
        """Return those that may come any moment: not the ones that the cluster has no room for."""
        return [worker for worker in self.missing() if self._obstacle(worker) is None]

    @property
    def is_left_alone(self) -> bool:
        """Whether no worker is left that was asked for."""
        return set(self._roster.alive()) <= set(self._unasked())

    # ---- what is told

    def tell(self) -> None:
        """Tell on how many workers tests run, and what keeps the others; once."""
        self._say(f"tests run on {self._share} workers so far")

    def end(self) -> None:
        """Tell of workers that the cluster had no room for, in a run that was over before it would have told."""
        if not self._told and any(map(self._obstacle, [*self._in_vain, *self.missing()])):
            self._say(f"tests ran on {self._share} workers")

    @property
    def _share(self) -> str:
        return f"{len(self._heard)} of {len(self.planned)}"

    def _say(self, words: str) -> None:
        self._told = True
        self._terminal.line(f"{words}{self._reasons([*self._in_vain, *self.missing()])}")

    def _reasons(self, missing: Iterable[str]) -> str:
        held: dict[str, list[str]] = {}
        for worker in missing:
            if cause := self._obstacle(worker):
                held.setdefault(str(cause), []).append(worker)
        return "".join(f"; {_listed(workers)}, holding up nobody: {why}" for why, workers in held.items())

    def _obstacle(self, worker: str) -> Cause | None:
        return self._in_vain.get(worker) or (self.engine.obstacle(worker) if self.engine else None)


def _listed(workers: Sequence[str]) -> str:
    if len(workers) == 1:
        return f"{workers[0]} waits"
    if len(workers) > NAMED:
        return f"{workers[0]} and {len(workers) - 1} others wait"
    return f"{', '.join(workers[:-1])} and {workers[-1]} wait"
