"""What a run says in its record of how long it needs hardware, so that others know when their turn comes.

Owns what was said last, and when it is worth saying anew. It must not know where the figures come from, nor who reads
them.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from paddock import names
from paddock.deadlines import Deadline
from paddock.errors import ClusterError
from paddock.namespaces import turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paddock.cluster.client import Cluster

_SECONDS = 5.0
"""For saying it: the renewal of the record, which comes after it, must not be late."""
_NOTABLE = 5.0
"""Seconds by which an expectation must change to be said anew, or else a tenth of what is left: people hear minutes."""
_PART = 0.1


class _Word(NamedTuple):
    """What is said: for how long the run will hold hardware, or until when on this machine's clock it does."""

    waits: bool
    seconds: float | None


class Forecast:
    """One run's; ``note`` and ``tell`` may be called from different threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: float | None = None
        self._noted = 0.0
        self._said = _Word(waits=False, seconds=None)
        self._waits_with: Mapping[str, int] = {}
        """Resource -> how many of it the run waits for; empty where it does not wait."""

    @property
    def seconds(self) -> float | None:
        """For how long the run needs hardware, as it said last; ``None`` if it does not know."""
        return self._seconds

    def note(self, seconds: float | None) -> None:
        """Take in for how long the run needs hardware: from now on, or from when it has some."""
        with self._lock:
            self._seconds, self._noted = seconds, self._clock()

    def wait_with(self, devices: Mapping[str, int]) -> None:
        """Note that the run waits for these, and that its record says so."""
        with self._lock:
            self._waits_with, self._said = devices, _Word(waits=True, seconds=self._seconds)

    def wait_no_more(self) -> None:
        """Note that the run has what it waited for, from now on."""
        with self._lock:
            self._waits_with, self._noted = {}, self._clock()

    def tell(self, cluster: Cluster, run_id: str) -> None:
        """Write it into the run's record if that says something notably different; tried anew at the next call."""
        word = self._word()
        if self._is_notable(word):
            with suppress(ClusterError):
                turns.say(cluster, run_id, self._annotations(word, cluster), Deadline(_SECONDS))
                self._said = word

    def _word(self) -> _Word:
        with self._lock:
            if self._seconds is None or self._waits_with:
                return _Word(bool(self._waits_with), self._seconds)
            return _Word(waits=False, seconds=self._noted + self._seconds)

    def _is_notable(self, word: _Word) -> bool:
        before, now = self._said.seconds, word.seconds
        if word.waits != self._said.waits or before is None or now is None:
            return word != self._said
        left = now if word.waits else now - self._clock()
        return abs(now - before) > max(_NOTABLE, _PART * left)

    def _annotations(self, word: _Word, cluster: Cluster) -> Mapping[str, str | None]:
        if word.waits:
            return {names.NEEDS: turns.need(self._waits_with, word.seconds)}
        if word.seconds is None:
            return {names.HOLDS_UNTIL: None}
        until = cluster.time() + timedelta(seconds=round(word.seconds - self._clock()))
        return {names.HOLDS_UNTIL: until.isoformat(timespec="seconds")}
