"""The ends of pipes to and from the worker: written and read only as far as possible without waiting.

Owns descriptors and what waits for them. It must not know frames or processes.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

_PORTION = 64 << 10
_SMALL = _PORTION // 4
_REST, _LONGEST_REST = 0.01, 0.04
"""Seconds between two small portions. What is said meanwhile goes in one frame: xdist's worker says six things a test,
and a frame costs the five processes that it passes through more than the test. The first one goes at once; between
those of a writer that never pauses the rests grow, to a sixth of what xdist's workers have before them."""


class Outlet:
    """Bytes on their way into a pipe; ``on_written(count)`` is told of those that are through.

    Bytes may be put before the pipe exists. When its reader has gone the rest counts as through: nobody can want it.
    """

    def __init__(self, on_written: Callable[[int], None]) -> None:
        self._on_written = on_written
        self._pipe: IO[bytes] | None = None
        self._waiting: deque[memoryview] = deque()
        self._ended = self._broken = False

    def connect(self, pipe: IO[bytes]) -> None:
        """Give it its pipe."""
        os.set_blocking(pipe.fileno(), False)
        self._pipe = pipe
        self.ready()

    def put(self, data: bytes) -> None:
        """Write ``data`` behind all that was put before."""
        self._waiting.append(memoryview(data))
        self.ready()

    def end(self) -> None:
        """Close the pipe once everything is written."""
        self._ended = True
        self.ready()

    def fileno(self) -> int:
        """Return the pipe's descriptor, -1 without one."""
        return self._pipe.fileno() if self._pipe else -1

    def interest(self) -> int:
        """Ask for room while bytes wait."""
        return select.POLLOUT if self._pipe and self._waiting else 0

    def ready(self) -> None:
        """Write what the pipe takes now."""
        while (self._pipe or self._broken) and self._waiting and (count := self._write(self._waiting[0])):
            self._waiting[0] = self._waiting[0][count:]
            if not self._waiting[0]:
                self._waiting.popleft()
            self._on_written(count)
        if self._ended and not self._waiting:
            self._close()

    def _write(self, data: memoryview) -> int:
        if self._pipe is None:
            return len(data)
        try:
            return os.write(self._pipe.fileno(), data[:_PORTION])
        except BlockingIOError:
            return 0
        except OSError:
            self._broken = True
            self._close()
            return len(data)

    def _close(self) -> None:
        if self._pipe:
            self._pipe.close()
            self._pipe = None


class Inlet:
    """Bytes coming out of a pipe, read while ``has_room()``; ``on_data`` gets them and ``on_end`` the end, once."""

    def __init__(
        self,
        pipe: IO[bytes],
        *,
        has_room: Callable[[], bool],
        on_data: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._pipe, self._has_room, self._on_data, self._on_end = pipe, has_room, on_data, on_end
        self._rest, self._rests_until = 0.0, 0.0

    @property
    def ended(self) -> bool:
        """Whether the end was read or ``close`` was called."""
        return self._pipe.closed

    def fileno(self) -> int:
        """Return the pipe's descriptor, -1 after the end."""
        return -1 if self._pipe.closed else self._pipe.fileno()

    def interest(self) -> int:
        """Ask for input while there is room for it."""
        wanted = not self._pipe.closed and self._has_room() and not self.rest()
        return select.POLLIN if wanted else 0

    def rest(self) -> float:
        """Return the seconds until the next portion is read; 0 for at once."""
        return max(0.0, self._rests_until - time.monotonic())

    def ready(self) -> None:
        """Read one portion."""
        try:
            data = os.read(self._pipe.fileno(), _PORTION)
        except BlockingIOError:
            return
        if data:
            now = time.monotonic()
            self._rest = next_rest(self._rest, now - self._rests_until, len(data))
            self._rests_until = now + self._rest
            self._on_data(data)
        else:
            self.close()

    def close(self) -> None:
        """End it, read or not."""
        if not self._pipe.closed:
            self._pipe.close()
            self._on_end()


def next_rest(before: float, silence: float, size: int) -> float:
    """Return the seconds to rest after a portion that came ``silence`` seconds after the rest ``before`` was over."""
    if size >= _SMALL:
        return 0.0
    return min(2 * before, _LONGEST_REST) if before > 0 and silence < before else _REST
