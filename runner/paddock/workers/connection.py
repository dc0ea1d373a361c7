"""One connection to a supervisor, whatever carries it: the seam between ``PodStream`` and transports.

Owns the protocol and the two transports that need no cluster. It must not know frames or redialling.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Protocol

from paddock.errors import StreamBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PORTION = 256 << 10


class Connection(Protocol):
    """A duplex byte stream to the supervisor's socket; one connection is used until it breaks, then another is dialled.

    One thread calls ``send`` and another ``receive``; ``close`` may come from any thread. Each connection is closed in
    the end, also one that broke.
    """

    def send(self, data: bytes) -> None:
        """Send all of ``data``, waiting as long as it takes; ``close`` ends the waiting.

        Raises:
            OSError or StreamBroken: the connection broke.
        """

    def receive(self) -> bytes:
        """Return the next bytes, as many as there are, waiting for the first; ``b""`` at the end and after ``close``.

        Raises:
            OSError or StreamBroken: the connection broke.
        """

    def close(self) -> None:
        """End the connection and unblock ``send`` and ``receive``; returns at once, idempotent, never raises."""


class _Usage:
    """Counts who is inside ``send`` or ``receive``; after ``end`` the last one out calls ``dispose``.

    A descriptor closed under another thread's hands could be somebody else's a moment later.
    """

    def __init__(self, dispose: Callable[[], None]) -> None:
        self._lock, self._dispose = threading.Lock(), dispose
        self._users, self._ended = 0, False

    def __enter__(self) -> None:
        with self._lock:
            if self._ended:
                raise StreamBroken("This connection was closed before.")
            self._users += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._users -= 1
            if self._ended and not self._users:
                self._dispose()

    def end(self, unblock: Callable[[], object]) -> None:
        """Let nobody in any more; ``unblock`` those inside, so that they leave."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            with suppress(OSError):
                unblock()
            if not self._users:
                self._dispose()


class SocketConnection:
    """A connection over a connected socket, unix or TCP, which it takes over."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket, self._usage = connected, _Usage(connected.close)
        connected.settimeout(None)
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        """Send all of ``data``; see ``Connection``."""
        with self._usage:
            self._socket.sendall(data)

    def receive(self) -> bytes:
        """Return the next bytes; see ``Connection``."""
        with self._usage:
            return self._socket.recv(_PORTION)

    def close(self) -> None:
        """Shut both directions; see ``Connection``."""
        self._usage.end(lambda: self._socket.shutdown(socket.SHUT_RDWR))


def connect_unix(path: str) -> SocketConnection:
    """Connect to the unix socket at ``path``.

    Raises:
        OSError: nobody listens there.
    """
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return SocketConnection(connected)


class ProcessConnection:
    """A connection over the stdin and stdout of a child process, such as ``attach`` or a command-line client.

    Raises:
        OSError: the program cannot be started.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        # A session of its own: Ctrl-C in the terminal must not cut the stream over which the worker is interrupted.
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, bufsize=0, start_new_session=True)
        self._usage = _Usage(self._dispose)

    def send(self, data: bytes) -> None:
        """Write all of ``data``; see ``Connection``."""
        with self._usage:
            descriptor = _pipe(self._process.stdin).fileno()
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]

    def receive(self) -> bytes:
        """Return the next bytes; see ``Connection``."""
        with self._usage:
            return os.read(_pipe(self._process.stdout).fileno(), _PORTION)

    def close(self) -> None:
        """Kill the child; see ``Connection``."""
        self._usage.end(self._process.kill)

    def _dispose(self) -> None:
        self._process.wait()
        _pipe(self._process.stdin).close()
        _pipe(self._process.stdout).close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("Popen was asked for two pipes.")
    return pipe
