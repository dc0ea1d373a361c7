"""An execnet connection whose worker may come later, or never.

xdist makes its workers one after another and waits for each; over this it waits for none.
Owns the order of the first bytes: execnet's far side reads its first line through a buffer that swallows what
follows, so nothing may be sent after the boot line before its answer has come.
It must not know more of execnet than this order, nor xdist.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING

from paddock.deadlines import within
from paddock.errors import PaddockError, StreamBroken, StreamEnded
from paddock.specs import PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from execnet.gateway_base import ExecModel

    from paddock.engines.protocol import WorkerStream

ANSWER = b"1"
"""What execnet's far side says once it has run the boot line."""
_CHUNK = 65536


class _State(Enum):
    STARTING = auto()
    UP = auto()
    FAILED = auto()
    """The worker will never come; writes are swallowed and reads wait for the close, so that xdist can finish its
    set-up, which breaks on a connection that is already closed."""
    CLOSED = auto()


class LazyIO:
    """execnet's IO: ``read``, ``write``, ``close_read``, ``close_write``, ``wait`` and ``kill``, usable at once."""

    remoteaddress = "paddock"

    def __init__(self, worker: str, boot_line: bytes, execmodel: ExecModel) -> None:
        self.execmodel = execmodel
        self._worker, self._boot_line = worker, boot_line
        self._changed = threading.Condition()
        self._state = _State.STARTING
        self._stream: WorkerStream | None = None
        self._outgoing: list[bytes] = []
        self._incoming = bytearray()
        self._reason = "closed"

    def start(
        self,
        open_stream: Callable[[], WorkerStream],
        on_failure: Callable[[str], None],
        limit: float = PhaseLimits.start,
    ) -> None:
        """Open the stream and shake hands in a thread; ``on_failure(reason)`` is called there if that fails.

        ``limit`` is how many seconds the worker's process may take to its answer, once its stream is open.
        """
        threading.Thread(
            target=self._start,
            args=(open_stream, on_failure, limit),
            name=f"paddock-open-{self._worker}",
            daemon=True,
        ).start()

    def _start(self, open_stream: Callable[[], WorkerStream], on_failure: Callable[[str], None], limit: float) -> None:
        try:
            stream = open_stream()
            self._adopt(stream)
            stream.write(self._boot_line)
            self._check_answer(within(limit, lambda: stream.read(len(ANSWER)), lambda: self._silent(limit)))
            self._send_outgoing(stream)
        except PaddockError as error:
            self._fail(str(error), on_failure)
        except Exception as error:  # noqa: BLE001 - whatever an engine raises, the run must hear of it, or it waits for ever
            self._fail(f"{type(error).__name__}: {error}", on_failure)

    def _adopt(self, stream: WorkerStream) -> None:
        with self._changed:
            self._stream = stream
            closed = self._state is _State.CLOSED
        if closed:
            stream.kill()

    def _silent(self, seconds: float) -> StreamBroken:
        return StreamBroken(
            f"the worker process of {self._worker} gave no answer within {seconds:g} s: its start-up hangs. "
            "Look at what its interpreter runs at the start, or allow more with --paddock-start-limit."
        )

    def _check_answer(self, answer: bytes) -> None:
        if not answer:
            raise StreamEnded(f"the worker process of {self._worker} ended before it answered")
        if answer != ANSWER:
            raise StreamBroken(
                f"the worker process of {self._worker} began with {answer!r} where {ANSWER!r} was expected: "
                f"something in its start-up writes to stdout",
            )

    def _send_outgoing(self, stream: WorkerStream) -> None:
        # Sent outside the lock, since a stream may hold its sender back; what is written meanwhile queues up behind.
        while chunk := self._take_outgoing():
            stream.write(chunk)

    def _take_outgoing(self) -> bytes:
        with self._changed:
            chunk = b"".join(self._outgoing)
            self._outgoing.clear()
            if not chunk:
                self._move(_State.UP)
            return chunk

    def _fail(self, reason: str, on_failure: Callable[[str], None]) -> None:
        with self._changed:
            wanted = self._state is _State.STARTING
            self._reason = reason
            self._move(_State.FAILED)
        if self._stream is not None:
            self._stream.kill()
        if wanted:
            on_failure(reason)

    def _move(self, state: _State) -> None:
        if self._state is _State.STARTING or state is _State.CLOSED:
            self._state = state
        self._changed.notify_all()

    def write(self, data: bytes) -> None:
        """Send ``data``, now or once the worker is there; what is meant for one that never comes is swallowed.

        Raises:
            OSError: the connection is closed or broken, as execnet expects it.
        """
        with self._changed:
            if self._state is _State.CLOSED:
                raise OSError(f"the connection to {self._worker} is closed")
            if self._state is _State.STARTING:
                self._outgoing.append(data)
            stream = self._stream if self._state is _State.UP else None
        if stream is not None:
            self._write(stream, data)

    def _write(self, stream: WorkerStream, data: bytes) -> None:
        try:
            stream.write(data)
        except PaddockError as error:
            raise OSError(str(error)) from error

    def read(self, count: int) -> bytes:
        """Return exactly ``count`` bytes.

        Raises:
            EOFError: there are no more; it has an argument, since execnet takes it apart.
        """
        while len(self._incoming) < count:
            self._incoming += self._more()
        data = bytes(self._incoming[:count])
        del self._incoming[:count]
        return data

    def _more(self) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._state in {_State.UP, _State.CLOSED})
        more = self._stream.read(_CHUNK) if self._stream else b""
        if not more:
            raise EOFError(f"the worker {self._worker} is gone ({self._reason})")
        return more

    def close_read(self) -> None:
        """Do nothing: the stream ends by itself."""

    def close_write(self) -> None:
        """Close the worker's stdin; idempotent."""
        self._close(lambda stream: stream.close_write())

    def kill(self) -> None:
        """End the worker, also one that is still to come; returns at once."""
        self._close(lambda stream: stream.kill())

    def _close(self, end: Callable[[WorkerStream], None]) -> None:
        with self._changed:
            self._move(_State.CLOSED)
            stream = self._stream
        if stream is not None:
            end(stream)

    def interrupt(self) -> None:
        """Send SIGINT to the worker, if it is there."""
        if self._stream is not None:
            with suppress(PaddockError):  # a worker out of reach cannot be asked to end; it is killed later
                self._stream.interrupt()

    def ask_stacks(self) -> None:
        """Have the worker's stacks taken, if it is there."""
        if self._stream is not None:
            self._stream.ask_stacks()

    def wait_stacks(self, timeout: float) -> str:
        """Return the stacks that were taken last; see ``engines.protocol.WorkerStream``."""
        return self._stream.wait_stacks(timeout) if self._stream is not None else ""

    def wait(self) -> int | None:
        """Return the worker's exit code if it is known; returns at once."""
        status = self._stream.wait(0) if self._stream else None
        return status.code if status else None
