"""Services that a test starts for itself, as processes of this machine; the keeper's answer to ``fixtures.orders``.

Any thread may call. It must not know who asks.
"""

from __future__ import annotations

import itertools
import subprocess
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from paddock.engines.local import declared
from paddock.engines.local.server import Server
from paddock.errors import LeaseError
from paddock.services import orders
from paddock.services.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from paddock.declared_services import DeclaredService
    from paddock.engines.local.places import Place
    from paddock.engines.local.wanted import Wanted
    from paddock.services.ports import Ports


@dataclass(frozen=True)
class _Started:
    server: Server
    wanted: Wanted
    worker: str


class Containers:
    """Those of all workers of a run."""

    def __init__(self, place: Place, ports: Ports) -> None:
        self._place, self._ports = place, ports
        self._started: dict[str, _Started] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def servers(self) -> Collection[Server]:
        """Return what runs now."""
        with self._lock:
            return [one.server for one in self._started.values()]

    def do(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Follow an order and answer."""
        ways: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            orders.START: self._start,
            orders.STOP: self._stop,
            orders.LOGS: self._logs,
            orders.EXEC: self._exec,
        }
        try:
            return {"failure": "", **ways[order[orders.DO]](order)}
        except (LeaseError, OSError) as error:
            return {"failure": str(error)}

    def _start(self, order: Mapping[str, Any]) -> dict[str, Any]:
        service, worker = orders.service(order), order["worker"]
        if not service.own_command:
            raise LeaseError(
                f"The container {service.name} runs the image {service.image}, for which there is no cluster here: say "
                "with local_command= what runs without one, or run with --paddock-engine=kubernetes."
            )
        with self._lock:
            name = f"{service.name}-{next(self._numbers)}"
            port = self._port(service, worker, name)
            meant = declared.meant(service, port, self._place.worker(worker) / name)
            wanted = replace(meant, name=name, limit=order["limit"])
            server = Server(wanted, worker, self._place, declared.prepare)
            self._started[name] = _Started(server, wanted, worker)
        if failure := server.ask():
            self._forget(name)
            raise LeaseError(failure)
        return {"name": name, "host": HOST, "port": port}

    def _port(self, service: DeclaredService, worker: str, name: str) -> int:
        if service.is_movable:
            return self._ports.reserve(worker, [name])[name]
        if self._ports.take(service.port):
            return service.port
        raise LeaseError(
            f"The command of the container {service.name} listens at port {service.port}, which is taken on this "
            f"machine: write {{{service.name}.port}} there."
        )

    def _stop(self, order: Mapping[str, Any]) -> dict[str, Any]:
        self._forget(order["name"])
        return {}

    def _forget(self, name: str) -> None:
        with self._lock:
            started = self._started.pop(name)
        started.server.end()
        self._ports.give_back(started.wanted.port)

    def _logs(self, order: Mapping[str, Any]) -> dict[str, Any]:
        return {"text": self._started[order["name"]].server.log.read_text(encoding="utf-8", errors="replace")}

    def _exec(self, order: Mapping[str, Any]) -> dict[str, Any]:
        started = self._started[order["name"]]
        folder = self._place.worker(started.worker) / order["name"]
        try:
            done = subprocess.run(
                order["command"],
                cwd=folder,
                env=declared.environment(started.wanted),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=order["seconds"],
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LeaseError(orders.too_long(order)) from None
        return {"code": done.returncode, "text": done.stdout.decode(errors="replace")}
