"""What threads hand over to one another around a stream: bytes to read, room to write, the worker's end.

Owns three small monitors, each with one lock of its own. It must not know frames, connections or threads.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.errors import StreamError
    from paddock.specs import ExitStatus

_REPORT = 256 << 10  # taken bytes reported at once: each report wakes a thread, and the window is 32 times that
_LINE = 64 << 10  # a longer line is handed over in parts; progress bars without line ends must not fill the memory


class ReadBuffer:
    """Bytes between the thread that receives and the one that reads.

    ``on_taken(count)`` hears what was read, and ``on_waiting()`` every ``patience`` seconds that nothing comes.
    """

    def __init__(
        self,
        on_taken: Callable[[int], None],
        on_waiting: Callable[[], None] = lambda: None,
        *,
        patience: float = 5.0,
    ) -> None:
        self._on_taken, self._on_waiting, self._patience = on_taken, on_waiting, patience
        self._condition = threading.Condition()
        self._parts: deque[bytes | memoryview] = deque()
        self._ended = self._discarding = False
        self._unreported = 0

    def put(self, data: bytes) -> None:
        """Add ``data`` at the end."""
        with self._condition:
            self._parts.append(data)
            self._condition.notify()
            discarded = self._discard() if self._discarding else 0
        if discarded:
            self._on_taken(discarded)

    def end(self, *, discard: bool = False) -> None:
        """Let the reader see the end, behind what is there or instead of it and of all that may still come."""
        with self._condition:
            self._ended = True
            self._discarding = self._discarding or discard
            discarded = self._discard() if self._discarding else 0
            self._condition.notify_all()
        if discarded:
            self._on_taken(discarded)

    def _discard(self) -> int:
        size = sum(map(len, self._parts))
        self._parts.clear()
        return size

    def take(self, count: int) -> bytes:
        """Return 1 to ``count`` bytes, waiting for the first; ``b""`` at the end."""
        with self._condition:
            while not self._condition.wait_for(lambda: self._parts or self._ended, self._patience):
                self._on_waiting()
            data = self._pop(count)
        self._report(len(data))
        return data

    def _pop(self, count: int) -> bytes:
        if not self._parts:
            return b""
        part = self._parts.popleft()
        if len(part) > count:
            self._parts.appendleft(memoryview(part)[count:])
        return bytes(part[:count])

    def _report(self, count: int) -> None:
        self._unreported += count
        if self._unreported >= _REPORT:
            self._on_taken(self._unreported)
            self._unreported = 0


class WriteRoom:
    """Bounds what writers have handed over and the connection has not taken yet, to ``limit`` bytes.

    One write larger than the limit passes alone, for otherwise it never could.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._condition = threading.Condition()
        self._error: StreamError | None = None

    def reserve(self, count: int) -> None:
        """Wait until ``count`` bytes may be handed over.

        Raises:
            StreamError: the one given to ``close``, before or while waiting.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._error or not self._used or self._used + count <= self._limit)
            if self._error:
                raise type(self._error)(*self._error.args)  # raised in several threads: each gets its own traceback
            self._used += count

    def release(self, count: int) -> None:
        """Give ``count`` reserved bytes free again."""
        with self._condition:
            self._used -= count
            self._condition.notify_all()

    def close(self, error: StreamError) -> None:
        """Let nobody write from now on; the first reason stays."""
        with self._condition:
            self._error = self._error or error
            self._condition.notify_all()


class Outcome:
    """What becomes known about the worker, once each: its process id, and its end; and its stacks, when taken."""

    def __init__(self) -> None:
        self._known = threading.Condition()
        self._pid: int | None = None
        self._status: ExitStatus | None = None
        self._stacks, self._answered = "", True

    def started(self, pid: int) -> None:
        """Note the process id."""
        with self._known:
            self._pid = pid
            self._known.notify_all()

    def ask_stacks(self) -> None:
        """Note that stacks are asked for: those that were noted count no more once others come."""
        with self._known:
            self._answered = False

    def stacked(self, text: str) -> None:
        """Note the worker's stacks, or that it did not answer."""
        with self._known:
            self._stacks, self._answered = text or self._stacks, True
            self._known.notify_all()

    def wait_stacks(self, timeout: float) -> str:
        """Return the stacks that were noted last, waiting for those that are asked for; empty if none ever came."""
        with self._known:
            self._known.wait_for(lambda: self._answered or self._status, timeout)
            return self._stacks

    def ended(self, status: ExitStatus) -> None:
        """Note the end; the first one stays."""
        with self._known:
            self._status = self._status or status
            self._known.notify_all()

    def wait_started(self, timeout: float) -> int | None:
        """Return the process id, or ``None`` after ``timeout`` seconds or when the end came first."""
        with self._known:
            self._known.wait_for(lambda: self._pid is not None or self._status, timeout)
            return self._pid

    def wait_ended(self, timeout: float) -> ExitStatus | None:
        """Return the end, or ``None`` after ``timeout`` seconds."""
        with self._known:
            self._known.wait_for(lambda: self._status, timeout)
            return self._status


class Lines:
    """Cuts bytes into lines for ``on_line``, which gets them without their line end."""

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._begun = b""

    def put(self, data: bytes) -> None:
        """Hand over the lines that ``data`` completes."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > _LINE:
            lines, self._begun = [*lines, self._begun], b""
        for line in lines:
            self._on_line(line)

    def end(self) -> None:
        """Hand over what has no line end."""
        if self._begun:
            self._on_line(self._begun)
        self._begun = b""
