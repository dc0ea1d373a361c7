"""A child process that leads a group of its own, which ends with it.

Owns the moment between its end and its burial: as long as it is not buried its number is nobody else's, so the group
can be ended without hitting a stranger. It must not know what the process does.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock.node import processes

if TYPE_CHECKING:
    import subprocess


class Child:
    """Any thread may call; ``process`` was started with ``start_new_session`` and is waited for by nobody else."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._descriptor = os.pidfd_open(process.pid)
        self._code: int | None = None

    @property
    def pid(self) -> int:
        """Its number, and that of its group."""
        return self._process.pid

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait up to ``seconds``, or for ever; return its exit code, a signal's number below zero, or ``None``.

        What it has left of its group is ended.
        """
        with self._lock:
            if self._code is not None:
                return self._code
            watched = os.dup(self._descriptor)
        try:
            ended = processes.is_readable(watched, seconds)
        finally:
            os.close(watched)
        return self._bury() if ended else None

    def signal(self, number: int) -> None:
        """Signal the process itself, if it has not ended."""
        with self._lock:
            if self._code is None:
                os.kill(self.pid, number)

    def signal_group(self, number: int) -> None:
        """Signal it and what it has started, unless that has a group of its own."""
        with self._lock:
            if self._code is None:
                _signal_group(self.pid, number)

    def end(self, politely: int, seconds: float) -> int:
        """End it ``politely``, and after ``seconds`` in any case; return its exit code."""
        self.signal_group(politely)
        code = self.wait(seconds)
        if code is None:
            self.signal_group(signal.SIGKILL)
            code = self.wait()
        return code or 0

    def _bury(self) -> int:
        with self._lock:
            if self._code is None:
                _signal_group(self.pid, signal.SIGKILL)
                self._code = self._process.wait()
                os.close(self._descriptor)
            return self._code


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody is left; or it has become somebody else's, as by sudo
        os.killpg(pid, number)
