"""The API server's clock, read off its answers: the one clock that all machines of a cluster can agree on.

Owns the reading and how long it is good for. It must not send anything: ``cluster.client`` asks again.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

FRESH = 1.0
"""Seconds that a reading is good for: the header it comes from has whole seconds. A machine that sleeps meanwhile
stops its own clock, so a reading must not be used for long."""


class ServerClock:
    """The latest reading; ``now`` is ``None`` where there is none, or only an old one."""

    def __init__(self) -> None:
        self._reading: tuple[datetime, float] | None = None

    def note(self, date: str | None) -> None:
        """Take in the Date header of an answer (RFC 9110, 6.6.1), if it has one."""
        if date:
            self._reading = (parsedate_to_datetime(date), time.monotonic())

    def now(self) -> datetime | None:
        """Return the server's time, in UTC, to within a second."""
        if self._reading is None:
            return None
        read, at = self._reading
        passed = time.monotonic() - at
        return read + timedelta(seconds=passed) if passed <= FRESH else None
