"""How many workers a suite of measured times would have done best with. Pure.

By Graham's LPT (1969), which the planner comes to within a few hundredths of: what it says of another number of workers
holds as far as the machines beneath are no busier for it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.scheduling.beginning import ends

if TYPE_CHECKING:
    from collections.abc import Sequence

AS_GOOD = 1.05
"""How much longer may a run become that is still called as long."""
FURTHEST = 4
"""Up to so many times as many workers are thought of: a cluster that has more room is rare."""


@dataclass(frozen=True)
class Advice:
    """A number of workers, and the seconds that the tests take on them less those that they took."""

    workers: int
    difference: float


def advise(units: Sequence[float], workers: int) -> Advice:
    """Return the fewest workers that are as good as ``workers``, or else the fewest that are as good as any.

    ``units`` are the seconds of what stays together on one worker.
    """
    now = ends(units, workers)
    fewer = fewest(units, now, workers)
    if fewer < workers:
        return Advice(fewer, ends(units, fewer) - now)
    most = min(len(units), FURTHEST * workers)
    best = fewest(units, ends(units, most), most) if most > workers else workers
    return Advice(best, ends(units, best) - now)


def fewest(units: Sequence[float], seconds: float, most: int) -> int:
    """Return the fewest workers, ``most`` at most, on which the units take hardly more than ``seconds``."""
    return 1 + bisect_left(range(1, most), -AS_GOOD * seconds, key=lambda workers: -ends(units, workers))
