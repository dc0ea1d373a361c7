"""Whether a run does well to begin on the workers that are there, while others are still to come. Pure."""

from __future__ import annotations

from heapq import heapify, heapreplace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.scheduling.units import Unit

TOLERATED = 1.05
"""How much longer the run may become by an early beginning: as much as the planner as a whole is allowed."""


def ends(seconds: Sequence[float], workers: int) -> float:
    """Return when units of these lengths are through on workers that are all there (Graham's LPT, 1969)."""
    free = [0.0] * max(1, workers)
    heapify(free)
    for length in sorted(seconds, reverse=True):
        heapreplace(free, free[0] + length)
    return max(free)


def harmless(units: Sequence[Unit], workers: int) -> bool:
    """Return whether the first worker may take its tests before the others are there.

    It needs two to begin: its second one may be what another worker could have run at once.
    """
    lengths = [unit.seconds for unit in units]
    if min(len(lengths), workers) < 2:  # noqa: PLR2004 - nothing that two could share
        return True
    return max(lengths) + min(lengths) <= TOLERATED * ends(lengths, workers)
