"""When to ask for a sign of life, and when to give a silent connection up.

Owns the two limits and the moment of the last sign. Pure: the time is handed in. It must not know sockets or frames.
"""

from __future__ import annotations

from paddock.workers.inpod.wire import WireError

INTERVAL = 5.0
"""Seconds of silence after which the other side is asked: cheap, and many a NAT forgets after 30 s."""
TIMEOUT = 20.0
"""Seconds of silence after which the connection is given up; a false alarm costs one reconnect and nothing else."""


class Keepalive:
    """Watches one connection at a time; begin each with ``connected``."""

    def __init__(self, interval: float = INTERVAL, timeout: float = TIMEOUT) -> None:
        self._interval, self._timeout = interval, timeout
        self._heard = self._asked = 0.0

    def connected(self, now: float) -> None:
        """Begin to watch a new connection."""
        self._heard = self._asked = now

    def heard(self, now: float) -> None:
        """Note that bytes of any kind have come."""
        self._heard = now

    def asks(self, now: float) -> bool:
        """Return whether the other side is to be asked now; at most once an interval.

        Raises:
            WireError: it has been silent for longer than the time-out.
        """
        if now - self._heard >= self._timeout:
            raise WireError(
                f"Nothing was heard from the other end for {self._timeout:g} s: "
                "the connection is half open or the node is stuck.",
            )
        asks = now - max(self._heard, self._asked) >= self._interval
        if asks:
            self._asked = now
        return asks

    def wait(self, now: float) -> float:
        """Return the seconds until ``asks`` is worth a call again."""
        soonest = min(self._heard + self._timeout, max(self._heard, self._asked) + self._interval)
        return max(0.0, soonest - now)
