"""The heart of a run: renews its record while the run lives, and learns when somebody else has taken it over.

Owns one thread. It must not end anything itself: whoever asks ``lost`` does.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from paddock.errors import ClusterError, NotFound
from paddock.namespaces import records

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.cluster.client import Cluster

_BEATS = 3
"""Renewals in the time that one counts: two may be lost."""

_PARTING_SECONDS = 0.1
"""For a thread that only sleeps to end; one that waits for an answer ends with the process."""


class Heart:
    """Beats from ``start`` to ``close``; an API server that does not answer is asked again at the next beat."""

    def __init__(self, cluster: Cluster, run_id: str, holder: str, duration: float = records.DURATION) -> None:
        self._cluster, self._run_id, self._holder = cluster, run_id, holder
        self._pause = duration / _BEATS
        self._closing = threading.Event()
        self._lost = ""
        self.beside: Callable[[], None] = lambda: None
        """Called after each beat: what else is to be written into the record now and then. It must not take long."""
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    @property
    def lost(self) -> str:
        """Why the run is not ours any more, as a sentence; empty while it is."""
        return self._lost

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def close(self) -> None:
        """Beat no more; a beat under way is not waited for long."""
        self._closing.set()
        self._thread.join(_PARTING_SECONDS)

    def ask(self) -> str:
        """Beat at once and return ``lost``: what was just deleted may have been deleted by who leads the run now."""
        self._renew()
        return self._lost

    def _beat(self) -> None:
        while not self._lost and not self._closing.wait(self._pause):
            if self._renew():
                self.beside()

    def _renew(self) -> bool:
        """Beat, and return whether anybody answered."""
        try:
            holder = records.beat(self._cluster, self._run_id)
        except NotFound:
            self._lost = self._lost or f"The run {self._run_id} is recorded no more: it was ended from elsewhere."
        except ClusterError:
            return False  # asked again at the next beat
        else:
            self._lost = self._lost or ("" if holder == self._holder else self._taken(holder))
        return True

    def _taken(self, holder: str) -> str:
        return f"The run {self._run_id} was taken over by {holder}, since its record had not been renewed in time."
