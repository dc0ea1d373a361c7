"""The reaper as a service: looks now and then for ever, says what it ended, and shows that it lives.

Owns the loop of ``paddock reap --watch``, as the embedded node's supervisor and the chart start it. Who leads a run
decides ``namespaces.reaper``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from paddock.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from paddock.namespaces.reaper import Reaper

LOOK_EVERY = 5.0
"""Seconds between two looks. One takes 1.5 ms of processor time (measured, with no runs), so that a watch would spare
nothing; and an answer now shows that clients could have renewed their records, which a silent stream does not."""

_OVERDUE = 60.0
"""Seconds after which namespaces that were asked to go have gone, a hundred of them too; then it is told what keeps
them, and asked again after as long."""

_NICENESS = 10
"""It never matters in which second it looks; the tests of whoever shares the machine do."""


def make_way() -> None:
    """Let all else on the machine go first, and end at once when told to: as a pod's first process nobody else does."""
    os.nice(_NICENESS)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))


def run(reaper: Reaper, say: Callable[[str], None], alive: Path | None) -> NoReturn:
    """Look for ever; ``alive`` is touched after each look, for a probe that asks whether there still are any."""
    service, pause = Service(reaper, say), threading.Event()
    while True:
        service.look()
        if alive:
            alive.touch()
        pause.wait(LOOK_EVERY)


@dataclass
class _Ended:
    """A run whose namespaces were asked to go."""

    asked: float
    """When it was last asked whether they have gone, by the service's clock."""
    told: set[str] = field(default_factory=set)


class Service:
    """Looks, and tells each thing once: an API server that is down for an hour gives a line and not a thousand."""

    def __init__(self, reaper: Reaper, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._reaper, self._say, self._clock = reaper, say, clock
        self._told: list[str] = []
        self._ended: dict[str, _Ended] = {}

    def look(self) -> None:
        """Sweep once; what fails is tried again by the next look."""
        lines = self._sweep()
        for line in lines:
            if line not in self._told:
                self._say(line)
        self._told = lines

    def _sweep(self) -> list[str]:
        try:
            ended = self._reaper.sweep(seconds=0)
            self._ended |= {run_id: _Ended(self._clock()) for run_id, account in ended.items() if account.created}
            self._ask_after_overdue()
        except ClusterError as error:
            return [f"{error} Trying again."]
        return [f"run {run_id}: {account.verified()}" for run_id, account in ended.items()]

    def _ask_after_overdue(self) -> None:
        now = self._clock()
        for run_id, ended in list(self._ended.items()):
            if now - ended.asked > _OVERDUE:
                ended.asked = now
                self._explain(run_id, ended)

    def _explain(self, run_id: str, ended: _Ended) -> None:
        obstacles = self._reaper.obstacles(run_id)
        lines = {f"run {run_id}: the namespace {name} does not go: {why}" for name, why in obstacles.items()}
        if not obstacles:
            del self._ended[run_id]
            lines = {f"run {run_id}: its namespaces are gone now"} if ended.told else set()
        for line in sorted(lines - ended.told):
            self._say(line)
        ended.told |= lines
