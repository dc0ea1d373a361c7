"""Pods of services that their nodes would not run, and whether another one follows in the same place.

Kubelet's refusal is final for a pod, and such a pod has no controller that would make another. Owns the count, for each
place; it must not make or delete anything.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from paddock.attempts import ATTEMPTS
from paddock.namespaces import diagnosis

if TYPE_CHECKING:
    from paddock.cluster.requests import Manifest
    from paddock.cluster.watching import Key


class Refusals:
    """The refused pods of one run; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pods: dict[Key, list[str]] = {}
        """Place -> the pods that were refused there, by their uids."""

    def follows(self, key: Key, pod: Manifest) -> bool:
        """Return whether another pod is to take the place of one that was refused; noted or not."""
        if not diagnosis.is_turned_away(pod):
            return False
        with self._lock:
            noted = self._pods.get(key, [])
            before = noted.index(_uid(pod)) if _uid(pod) in noted else len(noted)
        return before + 1 < ATTEMPTS

    def has(self, key: Key, pod: Manifest) -> bool:
        """Return whether a pod's refusal was noted."""
        with self._lock:
            return _uid(pod) in self._pods.get(key, ())

    def note(self, key: Key, pod: Manifest) -> int:
        """Note a refusal, and return how many there were in this place."""
        with self._lock:
            noted = self._pods.setdefault(key, [])
            noted.append(_uid(pod))
            return len(noted)


def _uid(pod: Manifest) -> str:
    return str(pod["metadata"].get("uid", ""))
