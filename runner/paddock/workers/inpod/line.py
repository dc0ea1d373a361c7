"""The supervisor's line to its client: one socket at a time under a link that outlives them all.

Owns the listening socket, the current connection and its keepalive. It must not know what the channels mean.
"""

from __future__ import annotations

import os
import select
import socket
import time
from typing import TYPE_CHECKING

from paddock.workers.inpod.wire import Broken, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.workers.inpod.journal import Journal
    from paddock.workers.inpod.keepalive import Keepalive
    from paddock.workers.inpod.wire import Event, Link

_PORTION = 256 << 10


class Door:
    """The listening socket at ``path``; whoever may write to it is the client, so only this user may."""

    def __init__(self, path: str, on_visitor: Callable[[socket.socket], None]) -> None:
        self._on_visitor, self._path = on_visitor, path
        self._socket = socket.socket(socket.AF_UNIX)
        if os.path.lexists(path):
            os.unlink(path)  # noqa: PTH108 - pathlib takes 10 ms to import, at every start of a pod
        before = os.umask(0o177)
        self._socket.bind(path)
        os.umask(before)
        self._socket.listen()
        self._socket.settimeout(0)

    def fileno(self) -> int:
        """Return the listening descriptor."""
        return self._socket.fileno()

    def interest(self) -> int:
        """Ask for visitors, always."""
        return select.POLLIN

    def ready(self) -> None:
        """Let one visitor in."""
        try:
            visitor, _ = self._socket.accept()
        except OSError:
            return  # gone again before we opened
        self._on_visitor(visitor)

    def close(self) -> None:
        """Listen no more, and leave no file behind."""
        self._socket.close()
        os.unlink(self._path)  # noqa: PTH108 - see above


class Line:
    """Carries ``link`` over the newest connection; ``on_event`` gets what arrives."""

    def __init__(self, link: Link, keepalive: Keepalive, journal: Journal, on_event: Callable[[Event], None]) -> None:
        self._link, self._keepalive, self._journal, self._on_event = link, keepalive, journal, on_event
        self._socket: socket.socket | None = None
        self._out = memoryview(b"")
        self._alone_since = time.monotonic()
        self.had_visitor = False
        """Whether anybody ever came."""

    def take(self, visitor: socket.socket) -> None:
        """Go on over a new connection: who dials again knows the old one to be dead, however it looks from here."""
        self.drop("a newer one takes its place")
        visitor.settimeout(0)
        self.had_visitor = True
        self._socket, self._out = visitor, memoryview(b"")
        self._link.reconnected()
        self._keepalive.connected(time.monotonic())
        self._journal.line("connected")

    def drop(self, reason: str) -> None:
        """Close the current connection, if any."""
        if self._socket is None:
            return
        self._socket.close()
        self._socket, self._alone_since = None, time.monotonic()
        self._journal.line(f"connection closed: {reason}")

    def alone_for(self) -> float:
        """Return the seconds without a connection; 0 with one."""
        return 0.0 if self._socket else time.monotonic() - self._alone_since

    def look_at_time(self) -> float:
        """Ask a silent client, give up a dead connection; return the seconds until this is worth a call again."""
        if self._socket is None:
            return 1.0
        now = time.monotonic()
        try:
            if self._keepalive.asks(now):
                self._link.ping()
        except WireError as error:
            self.drop(str(error))
        return self._keepalive.wait(now)

    def flush(self) -> None:
        """Send what the connection takes now."""
        while self._socket:
            self._out = self._out or memoryview(self._link.bytes_to_send())
            if not self._out:
                return
            try:
                self._out = self._out[self._socket.send(self._out) :]
            except BlockingIOError:
                return
            except OSError as error:
                self.drop(str(error))

    def fileno(self) -> int:
        """Return the connection's descriptor, -1 without one."""
        return self._socket.fileno() if self._socket else -1

    def interest(self) -> int:
        """Ask for input, and for room while output is stuck."""
        if self._socket is None:
            return 0
        return select.POLLIN | (select.POLLOUT if self._out else 0)

    def ready(self) -> None:
        """Receive one portion."""
        data = self._receive()
        if data is None:
            return
        self._keepalive.heard(time.monotonic())
        if not data:
            self.drop("the client closed it")
        for event in self._link.receive_bytes(data):
            if isinstance(event, Broken):
                self.drop(str(event.error))
            else:
                self._on_event(event)

    def _receive(self) -> bytes | None:
        """Return what has come, ``b""`` at the end and ``None`` for nothing yet."""
        try:
            return self._socket.recv(_PORTION) if self._socket else None
        except BlockingIOError:
            return None
        except OSError:
            return b""
