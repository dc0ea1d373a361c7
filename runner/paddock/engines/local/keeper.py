"""The process that keeps the servers of one run, and ends everything of the run when its pytest has gone.

Pytest holds the other end of its standard input, and the kernel closes that however pytest ends. Down that pipe come
the workers and what they are given, a line of JSON each; over the socket of the run's folder come the questions of
fixtures that want a server. It must not know pytest or xdist.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from paddock.engines.local import broker, database, declared, handover
from paddock.engines.local.containers import Containers
from paddock.engines.local.places import Place
from paddock.engines.local.server import Server
from paddock.engines.local.wanted import Wanted
from paddock.node.processes import ProcessIdentity
from paddock.services import orders
from paddock.services.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PREPARE = {"broker": broker.prepare, "database": database.prepare}
"""The services that every worker may have; any other is a declared one."""
_ORDERS_SECONDS = 10.0


class Keeper:
    """The servers and workers of one run."""

    def __init__(self, place: Place, ports: Ports) -> None:
        self._place = place
        self._containers = Containers(place, ports)
        self._known = threading.Condition()
        self._servers: dict[tuple[str, str], Server] = {}
        self._shared: dict[str, Server] = {}
        self._workers: list[ProcessIdentity] = []

    def hear(self, orders: IO[str]) -> None:
        """Follow the orders until their end, which is that of pytest."""
        for line in orders:
            with suppress(ValueError, KeyError, TypeError):  # the last line of a pytest that was killed may be half
                self._follow(json.loads(line))

    def _follow(self, order: Mapping[str, Any]) -> None:
        worker = order["worker"]
        if "process" in order:
            self._workers.append(ProcessIdentity(**order["process"]))
        for name in order.get("stop", ()):
            server = self._servers[worker, name]
            threading.Thread(target=server.end, name=f"stop-{worker}-{name}", daemon=True).start()
        for fields in order.get("services", ()):
            wanted = Wanted(**fields)
            prepare = _PREPARE.get(wanted.name, declared.prepare)
            server = Server(wanted, worker, self._place, prepare)
            with self._known:
                known = self._shared.setdefault(wanted.name, server) if wanted.shared else server
                self._servers[worker, wanted.name] = known
                self._known.notify_all()

    def serve(self, listener: socket.socket) -> None:
        """Answer the questions of fixtures, each in a thread of its own: a start takes a moment."""
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._answer, args=(connection,), name="answer", daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError, KeyError), connection:
            question, descriptors = handover.receive(connection)
            connection.sendall(f"{json.dumps(self._answered(question, descriptors))}\n".encode())

    def _answered(self, question: Mapping[str, Any], descriptors: Sequence[int]) -> Mapping[str, Any]:
        if orders.DO in question:
            return self._containers.do(question)
        asked = question["worker"], question["service"]
        with self._known:  # a question may overtake the order that it is about: they come by different ways
            self._known.wait_for(lambda: asked in self._servers, _ORDERS_SECONDS)
            server = self._servers[asked]
        if handover.HOLD in question:
            server.hold(descriptors)
            return {}
        return {"failure": server.ask()}

    def end(self) -> None:
        """End the workers, the servers all at once, and remove the folder."""
        for worker in self._workers:
            if worker.alive():
                with suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
        servers = {*self._servers.values(), *self._containers.servers()}
        threads = [threading.Thread(target=server.end) for server in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._place.end()


def main() -> int:
    """Keep the servers of the run whose folder and listening socket are named on the command line."""
    folder, descriptor, port_base = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever ends the run ends pytest, and that is heard
    keeper = Keeper(Place(Path(folder)), Ports(int(port_base)))
    listener = socket.socket(fileno=int(descriptor))
    threading.Thread(target=keeper.serve, args=(listener,), name="questions", daemon=True).start()
    try:
        keeper.hear(sys.stdin)
    finally:
        keeper.end()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
