"""Time as a value that is handed in: a window of ten minutes is then tested in no time."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Whatever tells the time in seconds since the epoch."""

    def now(self) -> float:
        """Return the present moment."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return the machine's time."""
        return time.time()


class ManualClock:
    """A clock that moves only when told to, for drills and tests."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the moment last set."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass; it never runs backwards."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds!r} s")
        with self._lock:
            self._now += seconds


SYSTEM_CLOCK = SystemClock()
