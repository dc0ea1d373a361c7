"""Units that wait, of one demand, found in logarithmic time: the longest, the shortest, and the next of a file.

Heaps with entries that may be out of date: a unit that was taken is passed over when it comes up, and a file whose
figure has sunk is put back where it belongs. It must not know workers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from paddock.scheduling.units import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paddock.scheduling.units import Unit

    Allows = Callable[[str, float], bool]
    """Whether a worker may take a unit of this file that takes so many seconds."""

LOOKED_AT = 8
"""How many candidates are asked about at most before a worker gets none: bounds the cost of a decision."""


@dataclass
class File:
    """The waiting units of one file."""

    seconds: float = 0.0
    visitors: int = 0
    """Workers that are at it."""
    units: list[tuple[int, int]] = field(default_factory=list)
    """Heap of (rank, key)."""

    @property
    def attraction(self) -> float:
        """What is there for one more worker."""
        return self.seconds / (self.visitors + 1)


class Pool:
    """The waiting units of one demand."""

    def __init__(self, order: Order, shared: Mapping[str, float]) -> None:
        self._order, self._shared = order, shared
        self._waiting: dict[int, Unit] = {}
        self._added = 0
        self._longest: list[tuple[float, int, int]] = []
        self._shortest: list[tuple[float, int, int]] = []
        self._files: dict[str, File] = {}
        self._attractive: list[tuple[float, int, str]] = []
        self.seconds = 0.0

    def __len__(self) -> int:
        """Return how many units wait."""
        return len(self._waiting)

    def fill(self, units: Iterable[Unit]) -> None:
        """Add many units at once, before the first is taken."""
        for unit in units:
            self._enter(unit, list.append)
        for heap in (self._longest, self._shortest):
            heapify(heap)
        for file in self._files.values():
            heapify(file.units)
        for home, file in self._files.items():
            heappush(self._attractive, (-file.attraction, file.units[0][0], home))

    def add(self, unit: Unit) -> None:
        """Add a unit, one that comes back as well."""
        self._enter(unit, heappush)
        home = self.home(unit)
        heappush(self._attractive, (-self._files[home].attraction, unit.rank, home))

    def _enter(self, unit: Unit, push: Callable[..., None]) -> None:
        self._added += 1
        key = self._added
        self._waiting[key] = unit
        self.seconds += unit.seconds
        file = self._files.setdefault(self.home(unit), File())
        file.seconds += unit.seconds
        push(file.units, (unit.rank, key))
        if self._order is Order.LONGEST:
            push(self._longest, (-unit.seconds, unit.rank, key))
            push(self._shortest, (unit.seconds, unit.rank, key))

    def take(self, key: int) -> Unit:
        """Remove a unit that was found."""
        unit = self._waiting.pop(key)
        self.seconds = self.seconds - unit.seconds if self._waiting else 0.0
        self._files[self.home(unit)].seconds -= unit.seconds
        return unit

    def clear(self) -> list[Unit]:
        """Remove and return everything."""
        return [self.take(key) for key in list(self._waiting)]

    def seconds_of(self, key: int) -> float:
        """Return the expected seconds of a unit that was found."""
        return self._waiting[key].seconds

    def home(self, unit: Unit) -> str:
        """Return where a unit belongs; where the order is over all files there is one home for all."""
        return "" if self._order is Order.COLLECTED else unit.home

    def move(self, before: str, after: str) -> None:
        """Note that a worker went from one file to another; either may be unknown here."""
        left, entered = self._files.get(before), self._files.get(after)
        if left is not None and left.visitors:
            left.visitors -= 1
            if left.units:  # a figure that has risen is told at once; one that has sunk is seen when it comes up
                heappush(self._attractive, (-left.attraction, left.units[0][0], before))
        if entered is not None:
            entered.visitors += 1

    def longest(self, allows: Allows) -> int | None:
        """Return the longest unit that is allowed."""
        return self._first(self._longest, allows)

    def shortest(self, allows: Allows = lambda _home, _seconds: True) -> int | None:
        """Return the shortest unit that is allowed."""
        return self._first(self._shortest, allows)

    def next_of(self, home: str) -> int | None:
        """Return the next unit of a file."""
        file = self._files.get(home)
        while file is not None and file.units:
            if file.units[0][1] in self._waiting:
                return file.units[0][1]
            heappop(file.units)
        return None

    def next_elsewhere(self, allows: Allows) -> int | None:
        """Return the next unit of the file that has most to do for one more worker."""
        refused, found = list[tuple[float, int, str]](), None
        while found is None and self._attractive and len(refused) < LOOKED_AT:
            entry = heappop(self._attractive)
            key = self._current(entry)
            if key is not None:
                refused.append(entry)
                found = key if allows(entry[2], self._waiting[key].seconds) else None
        for entry in refused:
            heappush(self._attractive, entry)
        return found

    def _current(self, entry: tuple[float, int, str]) -> int | None:
        figure, rank, home = entry
        key, file = self.next_of(home), self._files[home]
        if key is not None and file.attraction < -figure * (1 - 1e-9) - 1e-9:
            heappush(self._attractive, (-file.attraction, rank, home))
            return None
        return key

    def stays_cheaper(self, home: str, seconds: float) -> bool:
        """Return whether those at a file do the rest of it sooner than another one gets its fixtures ready."""
        file, cost = self._files.get(home), self._shared.get(home, 0.0)
        return bool(cost and file and file.visitors and cost + seconds > file.seconds / file.visitors)

    def _first(self, heap: list[tuple[float, int, int]], allows: Allows) -> int | None:
        refused, found = list[tuple[float, int, int]](), None
        while found is None and heap and len(refused) < LOOKED_AT:
            entry = heappop(heap)
            unit = self._waiting.get(entry[2])
            if unit is not None:
                refused.append(entry)
                found = entry[2] if allows(self.home(unit), unit.seconds) else None
        for entry in refused:
            heappush(heap, entry)
        return found
