"""One deadline over many waits.

Owns the conversion of a time limit into the remaining part of it. It must not know what is waited for.
"""

from __future__ import annotations

import time


class Deadline:
    """A point in time that several blocking calls share; each gets what the earlier ones left.

    ``seconds`` counts from the construction, on the monotonic clock.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.remaining() <= 0.0

    def at_most(self, seconds: float) -> float:
        """Return ``seconds``, or what is left where that is less."""
        return min(seconds, self.remaining())
