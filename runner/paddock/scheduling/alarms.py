"""When to look at which worker again: at most one time for each, found in logarithmic time."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.scheduling.crew import Worker

_TICK = 1e-3  # an alarm comes surely after the moment it is for, whatever floating point makes of it


class Alarms:
    """The alarms of all workers; one that was set anew or taken back is passed over when it comes up."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Worker]] = []
        self._numbers: dict[Worker, int] = {}
        self._count = 0

    def set(self, worker: Worker, when: float | None) -> None:
        """Set a worker's only alarm, or none."""
        self._numbers.pop(worker, None)
        if when is not None:
            self._count += 1
            self._numbers[worker] = self._count
            heappush(self._heap, (when + _TICK, self._count, worker))

    def earliest(self) -> float | None:
        """Return the time of the next alarm."""
        while self._heap and self._numbers.get(self._heap[0][2]) != self._heap[0][1]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[Worker]:
        """Yield the workers whose time has come, their alarms gone."""
        while (earliest := self.earliest()) is not None and earliest <= now:
            worker = heappop(self._heap)[2]
            del self._numbers[worker]
            yield worker
