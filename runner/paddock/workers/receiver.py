"""The thread that dials and receives: everything about a connection that may block for long, except sending.

Owns the waiting. It must not know frames or decide anything: what happens goes into the inbox of the conversation, and
it dials when told to.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, NamedTuple

from paddock.errors import LeaseError, NotAllowed, NotFound, PaddockError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.workers.connection import Connection

_PERMANENT = (LeaseError, NotFound, NotAllowed, UsageError)


class Connected(NamedTuple):
    """A dial succeeded."""

    connection: Connection


class Received(NamedTuple):
    """Bytes came."""

    data: bytes


class Lost(NamedTuple):
    """A dial failed or a connection ended; ``permanent`` if another attempt cannot help."""

    reason: str
    permanent: bool = False


class Receiver:
    """Dials and receives in a thread of its own until ``stop``; ``report`` gets what happens, in order."""

    def __init__(self, dial: Callable[[], Connection], report: Callable[[Connected | Received | Lost], None]) -> None:
        self._dial, self._report = dial, report
        self._pauses: queue.SimpleQueue[float | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._stopped = False

    def start(self, name: str) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def dial_after(self, pause: float) -> None:
        """Dial in ``pause`` seconds."""
        self._pauses.put(pause)

    def stop(self) -> None:
        """End the connection and the thread, and return at once; the thread still waits for a dial under way."""
        with self._lock:
            self._stopped, connection = True, self._connection
        self._pauses.put(None)
        if connection:
            connection.close()

    def _run(self) -> None:
        while (pause := self._pauses.get()) is not None and not self._stopped_within(pause):
            try:
                connection = self._dial()
            except Exception as error:  # noqa: BLE001 - whatever a dial raises must end the waiting of somebody else
                self._report(Lost(str(error) or repr(error), _is_permanent(error)))
            else:
                self._serve(connection)

    def _stopped_within(self, pause: float) -> bool:
        try:
            self._pauses.get(timeout=pause)
        except queue.Empty:
            return False
        return True

    def _serve(self, connection: Connection) -> None:
        with self._lock:
            self._connection = connection
            if self._stopped:
                connection.close()
        self._report(Connected(connection))
        reason = "the other side closed the connection"
        try:
            while data := connection.receive():
                self._report(Received(data))
        except (OSError, PaddockError) as error:
            reason = str(error) or repr(error)
        self._connection = None
        connection.close()
        self._report(Lost(reason))


def _is_permanent(error: Exception) -> bool:
    return isinstance(error, _PERMANENT) or not isinstance(error, (OSError, PaddockError))
