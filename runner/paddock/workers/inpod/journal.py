"""The pod's log, as ``kubectl logs`` shows it: short lines of the supervisor and what the worker writes to stderr.

Owns the one descriptor both go to, and the bound. It must not know what the lines mean. A log that nobody takes away
must not stop the worker: what cannot be written at once is dropped.
"""

from __future__ import annotations

import os
import select

ECHO_LIMIT = 1 << 20
"""Bytes of the worker's stderr repeated in the log; the client receives all of it anyway."""
_PORTION = 4096  # PIPE_BUF: a pipe that polls writable takes so much without blocking


class Journal:
    """Writes to ``descriptor`` without ever waiting for a reader."""

    def __init__(self, descriptor: int = 2, *, echo_limit: int = ECHO_LIMIT) -> None:
        self._descriptor, self._echo_left = descriptor, echo_limit
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def line(self, text: str) -> None:
        """Write one line of the supervisor's own."""
        self._write(f"paddock: {text}\n".encode(errors="backslashreplace"))

    def echo(self, data: bytes) -> None:
        """Repeat what the worker wrote, up to the limit."""
        if self._echo_left <= 0:
            return
        self._echo_left -= len(data)
        self._write(data)
        if self._echo_left <= 0:
            self.line("the worker's further output is not repeated here; the client receives it")

    def _write(self, data: bytes) -> None:
        for start in range(0, len(data), _PORTION):
            try:
                if self._poll.poll(0) != [(self._descriptor, select.POLLOUT)]:
                    return
                os.write(self._descriptor, data[start : start + _PORTION])
            except OSError:
                return
