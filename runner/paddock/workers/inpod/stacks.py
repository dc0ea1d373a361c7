"""The stacks of a worker that hangs, taken by a signal that its interpreter answers in C, whatever it is stuck in.

Owns the file that the worker writes to (``plugin.remote`` has it written there), and when it counts as written. Pure
but for that file and the signal: the time is handed in. It must not know why stacks are wanted.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.workers.inpod.process import Worker

SIGNAL = int(signal.SIGRTMAX) - 3
"""No test's own: real-time signals have no meaning, C libraries take the first of them and valgrind the last."""
VARIABLE = "PADDOCK_STACKS"
"""Where the worker is told the file; it is there once the worker answers the signal, which would end it before."""
LIMIT = 64 << 10
"""Bytes of one answer: a hundred threads of a usual depth."""
PATIENCE = 0.5
"""Seconds for the answer: writing takes milliseconds, and a pod that is being stopped has two seconds."""
_QUIET = 0.05
"""Seconds without another byte after which the answer is whole: it is written in one go, and has no end mark."""


class Stacks:
    """Takes one worker's stacks at a time: ``begin``, then ``look`` until it returns a text."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._begun = 0  # bytes of earlier answers
        self._seen = 0
        self._until = self._quiet_at = float("inf")

    @property
    def under_way(self) -> bool:
        """Whether an answer is waited for."""
        return self._until < float("inf")

    def begin(self, worker: Worker, now: float) -> bool:
        """Ask the worker, unless it was asked already; return whether it can answer."""
        size = self._size()
        if size is None:
            return False
        if not self.under_way:
            self._begun = self._seen = size
            self._until, self._quiet_at = now + PATIENCE, float("inf")
            worker.signal(SIGNAL)
        return True

    def look(self, now: float) -> str | None:
        """Return the answer once it is whole, empty if none came; ``None`` while there is nothing to return."""
        if not self.under_way:
            return None
        size = self._size() or 0
        if size > self._seen:
            self._seen, self._quiet_at = size, now + _QUIET
        if now < min(self._quiet_at, self._until):
            return None
        self._until = float("inf")
        return self._read()

    def wait(self) -> float:
        """Return the seconds until ``look`` is worth a call."""
        return _QUIET / 5 if self.under_way else float("inf")

    def _size(self) -> int | None:
        try:
            return os.stat(self._path).st_size  # noqa: PTH116 - pathlib takes 10 ms to import, at every start of a pod
        except OSError:
            return None

    def _read(self) -> str:
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123 - see above
                file.seek(self._begun)
                return file.read(LIMIT).decode(errors="replace")
        except OSError:
            return ""
