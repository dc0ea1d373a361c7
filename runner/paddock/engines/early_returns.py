"""Leases that are given back while the run goes on: their workers have ended, and nobody comes in their place.

Owns when that is done, each in a thread of its own. It must not know streams' protocol, nor why a worker was let go.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 1.0
"""Seconds that a lease is kept beyond its worker: most workers go within the same second as the run's last one, whose
namespaces are all deleted together then; a deletion before would take its time from the tests that still run."""
_PARTING = 2.0
"""Seconds that the run's end waits for a deletion that is being asked for."""


class EarlyReturns:
    """Ends leases of workers, unless the run is over before: then they are ended with all others."""

    def __init__(self, await_end: Callable[[str], bool], end: Callable[[str], None], pause: float = PAUSE) -> None:
        """``await_end`` waits for a worker's process and says whether it has ended; ``end`` ends its lease."""
        self._await_end, self._end, self._pause = await_end, end, pause
        self._closing, self._lock = threading.Event(), threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._ending: list[threading.Thread] = []
        """Those that are past the last moment at which the run's end could keep them from it."""

    def begin(self, worker: str) -> None:
        """Have a worker's lease ended soon; a second call does nothing."""
        if worker in self._threads or self._closing.is_set():
            return
        thread = threading.Thread(target=self._return, args=(worker,), name=f"give-back-{worker}", daemon=True)
        self._threads[worker] = thread
        thread.start()

    def hold(self) -> None:
        """End no lease any more; one that is just being ended goes on."""
        with self._lock:
            self._closing.set()

    def close(self) -> None:
        """End no lease any more; one that is just being ended is waited for, but not long."""
        self.hold()
        for thread in self._ending:
            thread.join(_PARTING)

    def _return(self, worker: str) -> None:
        if not self._closing.wait(self._pause) and self._await_end(worker) and self._may_end():
            self._end(worker)

    def _may_end(self) -> bool:
        with self._lock:
            if self._closing.is_set():
                return False
            self._ending.append(threading.current_thread())
            return True
