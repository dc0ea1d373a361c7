"""A connected socket that two threads may use at the same time, also with TLS.

OpenSSL's connection object must not be used by two threads at once, and Python lets go of its own lock inside of it.
Here every call into it is short and made under a lock; waiting for the network happens outside of it.
Owns nothing but that; it must not know what is sent.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

_AHEAD = 64 << 10
"""Bytes read at once: websocket-client asks for two, for two more and for the rest of each frame."""


class GuardedSocket:
    """Takes over ``connected``; offers the part of a socket's interface that websocket-client uses once connected."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket, self._lock = connected, threading.Lock()
        self._ahead = memoryview(b"")
        connected.settimeout(0)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def gettimeout(self) -> None:
        """Say that calls wait for as long as it takes."""

    def settimeout(self, seconds: float | None) -> None:
        """Ignore a time limit: silence is noticed by the keepalive of those who talk, not here."""

    def recv(self, count: int) -> bytes:
        """Return 1 to ``count`` bytes, waiting for the first; ``b""`` at the end. One thread reads."""
        if not self._ahead:
            self._ahead = memoryview(self._whenever_possible(lambda: self._socket.recv(_AHEAD), select.POLLIN))
        data, self._ahead = self._ahead[:count], self._ahead[count:]
        return bytes(data)

    def send(self, data: bytes) -> int:
        """Send some of ``data`` and return how much."""
        return self._whenever_possible(lambda: self._socket.send(data), select.POLLOUT)

    def shutdown(self, how: int) -> None:
        """End the connection for both threads; the TLS layer is left out, since it would drop its state under them."""
        socket.socket.shutdown(self._socket, how)

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    def _whenever_possible(self, call: Callable[[], Result], usual: int) -> Result:
        wanted = usual
        while True:
            try:
                with self._lock:
                    return call()
            except ssl.SSLWantReadError:
                wanted = select.POLLIN
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            except BlockingIOError:
                wanted = usual
            self._wait(wanted)

    def _wait(self, wanted: int) -> None:
        poll = select.poll()
        poll.register(self._socket, wanted)
        poll.poll()
