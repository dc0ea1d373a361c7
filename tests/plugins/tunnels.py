"""A CONNECT proxy on the loopback address: the one way to a host whose name only it knows."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PORTION = 64 << 10


class Tunnels(socketserver.ThreadingTCPServer):
    """Leads every tunnel to ``target``, whatever it was asked for, and keeps what that was."""

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.target = target
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Tunnel(socketserver.BaseRequestHandler):
    server: Tunnels
    request: socket.socket

    def handle(self) -> None:
        """Open one tunnel and pass bytes both ways until an end of it closes."""
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(_PORTION)
            if not more:
                return
            head += more
        self.server.asked.append(head.decode().split()[1])
        with socket.create_connection(self.server.target) as inside:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            other = {self.request: inside, inside: self.request}
            with suppress(OSError):
                while all(_passed(end, other[end]) for end in select.select(list(other), [], [])[0]):
                    pass


def _passed(source: socket.socket, target: socket.socket) -> bool:
    data = source.recv(_PORTION)
    target.sendall(data)
    return bool(data)


@contextmanager
def tunnels_to(target: tuple[str, int]) -> Iterator[Tunnels]:
    """Run a proxy until the end of the block."""
    with Tunnels(target) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()
