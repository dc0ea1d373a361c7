"""Services that a test starts for itself, as pods of its worker's namespace; a run's answer to ``fixtures.orders``.

They carry the run's labels and end, count in the namespace's quota, and go with it. Any thread may call.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paddock import names
from paddock.cluster import logs
from paddock.errors import ClusterError, LeaseError, StreamError
from paddock.namespaces import manifests
from paddock.services import orders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paddock.cluster.client import Cluster
    from paddock.namespaces.leases import Leases
    from paddock.specs import RunPlan

_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - of a pod that only its own namespace reaches


class Containers:
    """Those of all workers of a run."""

    def __init__(self, cluster: Cluster, plan: RunPlan, leases: Leases) -> None:
        self._cluster, self._plan, self._leases = cluster, plan, leases
        self._numbers = itertools.count(1)

    def do(self, worker: str, order: Mapping[str, Any]) -> dict[str, Any]:
        """Follow an order and answer.

        Raises:
            PaddockError: it cannot be followed.
        """
        ways: dict[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]] = {
            orders.START: self._start,
            orders.STOP: self._stop,
            orders.LOGS: self._logs,
            orders.EXEC: self._exec,
        }
        return {"failure": "", **ways[order[orders.DO]](worker, order)}

    def _start(self, worker: str, order: Mapping[str, Any]) -> dict[str, Any]:
        service = orders.service(order)
        there = service.listening(_EVERY_ADDRESS, service.port)
        pod = manifests.extra_pod(self._plan, worker, replace(there, name=f"{service.name}-{next(self._numbers)}"))
        name = pod["metadata"]["name"]
        try:
            address = self._leases.start(pod, self._plan.limits.service)
        except LeaseError:
            with suppress(ClusterError):
                self._leases.end(self._namespace(worker), name)
            raise
        return {"name": name, "host": address, "port": there.port}

    def _stop(self, worker: str, order: Mapping[str, Any]) -> dict[str, Any]:
        self._leases.end(self._namespace(worker), order["name"])
        return {}

    def _logs(self, worker: str, order: Mapping[str, Any]) -> dict[str, Any]:
        lines = logs.lines(self._cluster, self._namespace(worker), order["name"], follow=False)
        return {"text": "".join(f"{line}\n" for line in lines)}

    def _exec(self, worker: str, order: Mapping[str, Any]) -> dict[str, Any]:
        name = order["name"]
        stream = self._cluster.execute(self._namespace(worker), name, name, order["command"])
        late = threading.Timer(order["seconds"], stream.close)
        late.daemon = True
        late.start()
        try:
            code, said = stream.outcome()
        except StreamError as error:
            raise LeaseError(orders.too_long(order) if not late.is_alive() else str(error)) from None
        finally:
            late.cancel()
            stream.close()
        return {"code": code, "text": said.decode(errors="replace")}

    def _namespace(self, worker: str) -> str:
        return names.namespace_name(self._plan.run_id, worker)
