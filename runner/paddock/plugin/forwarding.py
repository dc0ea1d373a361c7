"""The controller's end of connections that a worker's plugins make to the controller's loopback address.

A plugin that shares state among xdist's workers listens on a port of the controller and puts its number into
``workerinput``. In a pod nobody listens there; ``remote`` listens instead and each connection comes through execnet.
Owns the relay from channel to socket. It must not know which plugin talks, nor what.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING

from paddock.plugin.remote import pump

if TYPE_CHECKING:
    import execnet

PORTS = ("sock_port",)
"""Entries of ``workerinput`` that are ports of the controller: pytest-rerunfailures 11 to 16."""


def offer(gateway: execnet.Gateway, port: int) -> execnet.Channel:
    """Return a channel for the worker, on which it sends a channel for each connection to ``port``."""
    requests = gateway.newchannel()
    requests.setcallback(partial(_connect, port))
    return requests


def _connect(port: int, channel: execnet.Channel) -> None:
    try:
        connection = socket.create_connection(("127.0.0.1", port))
    except OSError:
        channel.close()  # its user sees a connection that ends at once, as with a server that has gone
        return
    channel.setcallback(partial(_pass_on, connection), endmarker=b"")
    threading.Thread(target=pump, args=(connection, channel), name=f"forward-{port}", daemon=True).start()


def _pass_on(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # the plugin's server closed it; the worker's end is told by the channel
        if data:
            connection.sendall(data)
        else:
            connection.shutdown(socket.SHUT_RDWR)
