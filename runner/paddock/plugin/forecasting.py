"""How long this run needs its hardware, told to the engine from time to time: other runs may wait for it.

Runs on pytest's thread. It must not know how the engine passes it on, nor where the figures come from.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGIN = "paddock-forecasting"
PERIOD = 1.0
"""Seconds between two looks at the plan, which adds up what all workers have: nobody needs to know it sooner."""


class Forecasting:
    """Tells ``tell`` the seconds, ``None`` where nobody knows them any more."""

    def __init__(self, tell: Callable[[float | None], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.left: Callable[[], float | None] | None = None
        """Says for how long from now on; there is none before tests are planned, or where a user's hook plans them."""
        self._tell, self._clock = tell, clock
        self._looked = float("-inf")

    def pytest_runtest_logstart(self) -> None:
        """Look at the plan: a test has begun on a worker."""
        self._look()

    def pytest_runtest_logfinish(self) -> None:
        """Look at the plan: a test is over."""
        self._look()

    def _look(self) -> None:
        now = self._clock()
        if self.left is not None and now >= self._looked + PERIOD:
            self._looked = now
            self._tell(self.left())
