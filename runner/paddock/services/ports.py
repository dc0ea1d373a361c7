"""Which ports a worker has on this machine, and the reserving of them among runs.

Owns the documented scheme: a hundred ports for each worker, ``base`` to ``base + 99`` for gw0, the hundred above for
gw1 and so on, and the hundred below ``base`` for ``master``, the process of a run without workers. In its hundred a
service has the next port that is free. It must not know what listens.
"""

from __future__ import annotations

import re
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock.errors import LeaseError

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST = "127.0.0.1"
PER_WORKER = 100
_LAST = 65535
_CONNECT_SECONDS = 1.0
_LOWEST = 1024
"""Below it only root may listen, which servers do not run as."""


def block(worker: str, base: int) -> range:
    """Return the ports of a worker: ``gw3`` has the fourth hundred from ``base`` on, ``master`` the one below it."""
    found = re.fullmatch(r"gw(\d+)", worker)
    first = base + PER_WORKER * (int(found[1]) if found else -1)
    return range(max(first, _LOWEST), min(first + PER_WORKER, _LAST + 1))


class Ports:
    """Reserves ports for one run. Another run of Paddock, whoever's, is refused what is reserved here.

    ``flag`` is the option that says ``base``, the first of gw0's ports.
    """

    def __init__(self, base: int, flag: str = "--paddock-port-base") -> None:
        self._base, self._flag = base, flag
        self._held: dict[int, socket.socket] = {}

    def reserve(self, worker: str, services: Iterable[str]) -> dict[str, int]:
        """Return a port for each service, in their order, which is the same in every run unless one is taken.

        Raises:
            LeaseError: the worker's hundred has too few that are free.
        """
        free = (port for port in block(worker, self._base) if self._take(port))
        chosen: dict[str, int] = {}
        for service in services:
            port = next(free, None)
            if port is None:
                raise LeaseError(self._exhausted(worker, service))
            chosen[service] = port
        return chosen

    def take(self, port: int) -> bool:
        """Reserve this very port, unless somebody has it."""
        return self._take(port)

    def close(self) -> None:
        """Let others have the ports; idempotent."""
        for port in list(self._held):
            self.give_back(port)

    def give_back(self, port: int) -> None:
        """Let others have a port that was reserved here."""
        self._held.pop(port).close()

    def _take(self, port: int) -> bool:
        # A socket without a file: its name is the machine's (the network namespace's, like the port's), and goes with
        # the process. A lock file would be one user's, and a port bound ahead would be refused to its own server.
        mark = socket.socket(socket.AF_UNIX)
        try:
            if sys.platform == "linux":  # elsewhere there are no such names, and two runs may meet
                mark.bind(f"\0paddock-port-{port}")
        except OSError:
            mark.close()
            return False
        if not is_free(port):
            mark.close()
            return False
        self._held[port] = mark
        return True

    def _exhausted(self, worker: str, service: str) -> str:
        ports = block(worker, self._base)
        there = f"ports {ports[0]} to {ports[-1]} are all taken" if ports else f"no port is left above {_LAST}"
        return (
            f"The service {service} of worker {worker} has no port: {there}. End what listens there, or choose others "
            f"with {self._flag}, which is {self._base} now."
        )


def is_free(port: int) -> bool:
    """Whether a server could listen on the port; connections of one that has gone do not count."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        probe.listen(0)
        return True
    return False


def accepts(port: int) -> bool:
    """Whether somebody takes connections there; raises OSError where nobody does."""
    with socket.create_connection((HOST, port), _CONNECT_SECONDS):
        return True
