"""How the places of workers come, step by step: when each step was over, and what is waited for.

Read off the pods as the watch shows them, on this machine's clock: Kubernetes itself tells seconds only. It must not
ask the cluster, nor know what runs in the pods.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from paddock.namespaces import diagnosis
from paddock.specs import ASKED, RUNNING, SCHEDULED, SENT, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paddock.cluster.requests import Manifest
    from paddock.cluster.watching import Key

WORKER = "worker"


class Ways:
    """The steps of all worker pods; thread safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._over: dict[str, dict[str, float]] = {}

    def note(self, namespace: str, step: str) -> None:
        """Note that a step is over."""
        with self._lock:
            over = self._over.setdefault(namespace, {})
            if step not in over:
                over[step] = self._clock()

    def look(self, pods: Mapping[Key, Manifest]) -> None:
        """Note what the pods show; called with every change of theirs."""
        for (namespace, name), pod in pods.items():
            if name == WORKER and RUNNING not in self._over.get(namespace, ()):
                self._look_at(namespace, pod)

    def _look_at(self, namespace: str, pod: Manifest) -> None:
        if diagnosis.is_scheduled(pod):
            self.note(namespace, SCHEDULED)
        if diagnosis.is_running(pod):
            self.note(namespace, RUNNING)

    def of(self, namespace: str, pod: Manifest | None) -> Way:
        """Return the steps of one, whose pod as it was last seen is given."""
        with self._lock:
            over = dict(self._over.get(namespace, {}))
        return Way(over=over, waits_for=_waits_for(over, pod))


def _waits_for(over: Mapping[str, float], pod: Manifest | None) -> str:
    if ASKED not in over:
        return "its turn"
    if pod is None:
        return "the API server to make its namespace and pod"
    if RUNNING in over:
        return "" if SENT in over else "its sources"
    return diagnosis.waits_for(pod)
