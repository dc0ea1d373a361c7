"""The last moments of workers' processes, in a run that wants nothing more of them.

Each has said its last word to pytest by then; what is left is the end of its interpreter. Owns for how long the prompt
waits for that. It must not know namespaces, nor why nothing more is wanted.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from paddock.workers.stream import PodStream

PATIENCE = 0.1
"""Seconds: an interpreter ends in less, unless twenty of them share two processors, where it takes over a second. What
was registered with ``atexit`` has until the pod goes."""


class Parting:
    """Leaves the processes that have not ended in time to themselves."""

    def __init__(self, streams: Callable[[], Collection[PodStream]], patience: float = PATIENCE) -> None:
        self._streams, self._patience = streams, patience
        self._timer: threading.Timer | None = None
        self._over = threading.Event()

    def begin(self) -> None:
        """Wait from now on; a second call does nothing."""
        if self._timer is None:
            self._timer = threading.Timer(self._patience, self._leave)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> bool:
        """Wait no longer; return whether any process was left to itself, so that its pod is to stay for a moment."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        return self._over.is_set()

    def _leave(self) -> None:
        for stream in self._streams():
            if stream.leave():
                self._over.set()
