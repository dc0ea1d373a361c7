"""One connection to a supervisor, whatever carries it: the seam between ``PodStream`` and transports.

Owns the protocol and the two transports that need no cluster. It must not know frames or redialling.
"""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

_PORTION = 256 << 10


class Connection(Protocol):
    """A duplex byte stream to the supervisor's socket; one connection is used until it breaks, then another is dialled.

    One thread calls ``send`` and another ``receive``; ``close`` may come from any thread.
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


class SocketConnection:
    """A connection over a connected socket, unix or TCP, which it takes over."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        connected.settimeout(None)
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        """Send all of ``data``; see ``Connection``."""
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """Return the next bytes; see ``Connection``."""
        return self._socket.recv(_PORTION)

    def close(self) -> None:
        """Shut both directions; see ``Connection``."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def __del__(self) -> None:
        # Closed when nobody can use it any more: under the hands of another thread the number could be somebody else's.
        self._socket.close()


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

    def send(self, data: bytes) -> None:
        """Write all of ``data``; see ``Connection``."""
        descriptor = self._pipe(self._process.stdin).fileno()
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def receive(self) -> bytes:
        """Return the next bytes; see ``Connection``. The child is reaped at the end."""
        data = os.read(self._pipe(self._process.stdout).fileno(), _PORTION)
        if not data:
            self.close()
            self._process.wait()
        return data

    def close(self) -> None:
        """Kill the child; see ``Connection``."""
        with suppress(OSError):
            self._process.kill()

    def __del__(self) -> None:
        process: subprocess.Popen[bytes] | None = getattr(self, "_process", None)
        if process is None:
            return
        process.kill()
        process.wait()
        self._pipe(process.stdin).close()
        self._pipe(process.stdout).close()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise AssertionError("Popen was asked for two pipes.")
        return pipe
