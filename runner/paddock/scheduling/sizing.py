"""How many workers a run is worth: by cores, by room, and by the tests that are known. Pure.

It must not know pytest, nor where the figures come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.engines.room import Room
    from paddock.scheduling.history import History

CORES, MEMORY = "::worker cores", "::worker MiB"
"""What stands in the history for what workers used; no node id begins like that."""
START = 1.0
"""Seconds of a processor that one more worker costs: three pods, an interpreter and its collection. A round figure: it
only keeps short suites from getting more namespaces than they have seconds to share out."""
LEAST = 0.05
"""Cores that a worker is taken to use at least: its namespace's services and their like are not measured."""
MOST = 1000
"""Workers beyond which nobody counts on: more than one API server looks after in comfort."""
MARGIN = 1.25
"""Times its measured peak that a worker is given room for: peaks are those of other tests, on other days."""
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a worker uses, as earlier runs measured it; ``None`` for what none has."""

    cores: float | None = None
    """Of one worker, while it runs tests."""
    memory: float | None = None
    """Bytes, at the highest peak that is known."""


@dataclass(frozen=True)
class Left:
    """What is left of a run."""

    openings: int
    """Workers that would find something to do, beside those that are there."""
    seconds: float
    """Expected, of all that is not over."""
    for_hardware: int = 0
    """Those of the openings that only workers with hardware can fill."""


def is_worth_it(left: Left, workers: int, coming: float) -> bool:
    """Return whether one more beside ``workers`` would still find work, if it takes ``coming`` seconds to come."""
    return left.openings > 0 and (not workers or left.seconds / workers > coming)


@dataclass(frozen=True)
class Advice:
    """A number of workers, and why it is this one."""

    count: int
    reason: str

    def sentence(self, given: int) -> str:
        """Return what to tell of it, where ``given`` workers are what the run gets."""
        if given < self.count:
            return f"-n auto: {given} of {self.count} workers, which --maxprocesses allows; {self.reason}"
        return f"-n auto: {_some(self.count, 'worker')}: {self.reason}"


def usage(history: History) -> Usage:
    """Return what the history knows of workers: usual cores, and the highest peak of memory."""
    peaks = [mebibytes for _, mebibytes in history.samples.get(MEMORY, ())]
    return Usage(cores=history.expected(CORES), memory=max(peaks) * _MIB if peaks else None)


def advise(room: Room, used: Usage, units: Sequence[float]) -> Advice:
    """Return how many workers a run does well to have; ``units`` are the expected seconds of what is known of it."""
    memory = used.memory * MARGIN if used.memory else room.memory_limit
    by_room = room.holds(memory, MOST)
    if not by_room:
        return Advice(1, "no node has room for any at the moment, and it waits until there is some")
    bounds = [
        _Bound(_by_cores(room.cores, used.cores), "cores", _of_cores(room.cores, used.cores)),
        _Bound(by_room, "room", f"no node has room for more, at {memory / _MIB:.0f} MiB a worker"),
    ]
    if units:
        told = f"more would not end sooner, by the {_some(len(units), 'unit')} of tests known so far"
        bounds.append(_Bound(worth(units, room.cores), "tests", told))
    least = min(bounds, key=lambda bound: bound.count)
    would = ", ".join(f"{one.what} for {one.count}" for one in bounds if one.count > least.count)
    return Advice(least.count, f"{least.reason}{f' (there would be {would})' if would else ''}")


def worth(units: Sequence[float], cores: float) -> int:
    """Return the number of workers with which a run of these units is over first.

    It ends no sooner than its longest unit nor than an equal share of all, and each worker takes processors from the
    others while it comes.
    """
    total, longest = sum(units), max(units)
    most = min(len(units), MOST)

    def end(workers: int) -> float:
        return max(longest, total / workers) + START * workers / max(cores, 1.0)

    return min(range(1, most + 1), key=end)


def _by_cores(free: float, used: float | None) -> int:
    return max(1, min(MOST, round(free / max(LEAST, used or 1.0))))


def _of_cores(free: float, used: float | None) -> str:
    have = f"{_figure(free)} cores are free"
    if used is None:
        return f"{have}, one for each until a run has measured what a worker uses"
    return f"{have}, of which a worker uses {_figure(max(LEAST, used))}"


def _figure(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class _Bound:
    count: int
    what: str
    reason: str


def _some(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
