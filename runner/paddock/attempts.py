"""How often, and after which pauses, a place is taken again that the infrastructure has failed.

Pure. It must not know what takes the place: a worker, or the pod of a service.
"""

from __future__ import annotations

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a place is taken again after the infrastructure failed it, doubled each time: what evicts, preempts or
restarts needs about that long to be done, and a test run has nothing to gain from asking for a pod more often."""

ATTEMPTS = 3
"""Workers, or pods of a service, that take one place in a row without ever coming to work: by then the cause is not
passing."""


def pause_after(failures: int) -> float:
    """Return how long a place stays empty that the infrastructure has failed so often, at least once."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 16), LONGEST_PAUSE)
