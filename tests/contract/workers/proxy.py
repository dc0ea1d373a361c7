"""An unreliable network: a TCP proxy that resets every connection after a while, or swallows what it is given."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)  # close with RST: what is under way is lost, in both directions
PORTION = 64 << 10


class CuttingProxy:
    """Passes bytes between TCP clients and the unix socket ``target``; each connection lives ``period`` seconds.

    A ``period`` of infinity cuts nothing; ``swallow`` makes all connections silent without closing them (half open).
    """

    def __init__(self, target: str, period: float) -> None:
        self._target, self._period = target, period
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._wake = socket.socketpair()
        self._pairs: dict[socket.socket, tuple[socket.socket, float]] = {}
        self._mute: list[socket.socket] = []
        self._swallowing = self._closing = False
        self.cuts = 0
        self._thread = threading.Thread(target=self._run, name="proxy")
        self._thread.start()

    def connect(self) -> socket.socket:
        """Return a new connection through the proxy."""
        connected = socket.create_connection(self._listening.getsockname())
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def swallow(self) -> None:
        """Let the present connections go silent; new ones work."""
        self._swallowing = True
        self._wake[0].send(b"x")

    def close(self) -> None:
        """End the proxy and all its connections."""
        self._closing = True
        self._wake[0].send(b"x")
        self._thread.join()
        for end in [*self._pairs, *self._mute, self._listening, *self._wake]:
            end.close()

    def _run(self) -> None:
        while not self._closing:
            sources = [self._listening, self._wake[1], *self._pairs]
            for source in select.select(sources, [], [], self._patience())[0]:
                self._ready(source)
            self._cut_the_old()

    def _patience(self) -> float | None:
        ends = [end for _, end in self._pairs.values() if end != float("inf")]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _ready(self, source: socket.socket) -> None:
        if source is self._listening:
            self._admit()
        elif source is self._wake[1]:
            source.recv(100)
            if self._swallowing and not self._closing:
                self._silence()
        elif source in self._pairs:
            self._pass_on(source, self._pairs[source][0])

    def _admit(self) -> None:
        client, _ = self._listening.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        inside = socket.socket(socket.AF_UNIX)
        try:
            inside.connect(self._target)
        except OSError:
            inside.close()
            client.close()
            return
        until = time.monotonic() + self._period
        self._pairs[client], self._pairs[inside] = (inside, until), (client, until)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = source.recv(PORTION)
            target.sendall(data)
        if not data:
            self._cut(source, target)

    def _cut_the_old(self) -> None:
        now = time.monotonic()
        for source, (target, until) in list(self._pairs.items()):
            if until <= now and source in self._pairs:
                self.cuts += 1
                self._cut(source, target)

    def _cut(self, *ends: socket.socket) -> None:
        for end in ends:
            self._pairs.pop(end, None)
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()

    def _silence(self) -> None:
        """Forget the pairs without closing them, as a dead router does; they are closed with the proxy."""
        self._swallowing = False
        self._mute += self._pairs
        self._pairs.clear()
