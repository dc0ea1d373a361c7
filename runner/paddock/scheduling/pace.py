"""How fast this run is, against what was expected: one figure, learnt from every test that ends.

It must not know which test it was: a single odd one shall not move the rest.
"""

from __future__ import annotations

TRUSTED = 5.0
"""Seconds of measured history that count as much as as many seconds of this run."""
_BOUNDS = (1e-3, 1e3)


class Pace:
    """Measured seconds for each expected one; ``known`` says that expectations come from measurements."""

    def __init__(self, *, known: bool) -> None:
        self.known = known
        self._expected = self._measured = TRUSTED if known else 0.0

    def note(self, expected: float, measured: float) -> None:
        """Take in a test that is over; seconds both."""
        self._expected += expected
        self._measured += measured
        self.known = True

    @property
    def factor(self) -> float:
        """What expected seconds are multiplied by; within a thousand times either way."""
        if not self._expected:
            return 1.0
        low, high = _BOUNDS
        return min(max(self._measured / self._expected, low), high)
