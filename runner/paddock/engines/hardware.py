"""The hardware of a run on a cluster: what can be refused, what nodes have, and the simulated devices' plugin.

Owns these questions. What a device is, ``paddock.devices`` knows.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock.cluster import connect, requests
from paddock.cluster.quantities import number
from paddock.deadlines import Deadline
from paddock.devices import holders
from paddock.errors import InfrastructureError, NotAllowed, UsageError
from paddock.specs import FREE_DEVICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paddock.cluster.client import Cluster
    from paddock.devices.resources import Wanted
    from paddock.engines.request import RunRequest

_SECONDS = 5.0
"""For the question what nodes have."""
_APPEARS = 30.0
"""Seconds for simulated devices to be known to the API server: plugin, kubelet and node status need some two."""
_ENDS = 10.0
_LOOK = 0.1


def check(request: RunRequest) -> None:
    """Refuse what can be refused without a cluster.

    Raises:
        UsageError: devices are to be simulated where that cannot be.
    """
    if request.simulate is None:
        return
    flag = "--paddock-simulate-hardware"
    if not connect.choose(request.context, request.kubeconfig).embedded:
        raise UsageError(f"{flag} makes devices on this machine, for the embedded node; other clusters see none.")
    if os.geteuid() != 0:
        raise UsageError(f"{flag} makes loop devices and hands them to kubelet, which is root's to do: run as root.")
    if importlib.util.find_spec("grpc") is None:
        raise UsageError(f"{flag} needs the device plugin: pip install 'paddock[device-plugin]'")


def resources(wanted: Sequence[Wanted]) -> dict[str, int]:
    """Return what a pod asks for: several kinds may be the same resource."""
    found: Counter[str] = Counter()
    for one in wanted:
        found[one.resource] += one.count
    return dict(found)


def require(cluster: Cluster, request: RunRequest, simulated: SimulatedHardware | None) -> None:
    """Refuse a run whose workers no node could ever take; simulated devices are waited for.

    An account that may not see nodes leaves it to the scheduler, who says the same later.

    Raises:
        UsageError: no node has so many of a resource.
        InfrastructureError: the plugin of simulated devices has ended.
    """
    deadline = Deadline(_APPEARS if request.simulate else 0.0)
    with suppress(NotAllowed):
        while missing := _missing(cluster, resources(request.hardware)):
            if simulated:
                simulated.check()
            if deadline.passed:
                raise UsageError(missing)
            threading.Event().wait(_LOOK)


def workers_asked(request: RunRequest) -> int | None:
    """Return how many workers are to hold the hardware as far as the request says, ``None`` for all that it makes."""
    return request.hardware_workers if isinstance(request.hardware_workers, int) else None


def workers_possible(cluster: Cluster, request: RunRequest) -> int | None:
    """Return for how many workers there is hardware now, at least one; ``None`` where nobody asked for as many.

    None either for an account that may not see nodes and pods: then the scheduler says who has to wait.
    """
    if not request.hardware:
        return None
    if request.hardware_workers != FREE_DEVICES:
        return workers_asked(request)
    try:
        return max(1, pods_with(resources(request.hardware), supplies(cluster)))
    except NotAllowed:
        return None


def supplies(cluster: Cluster, wanted: Sequence[str] = (), seconds: float = _SECONDS) -> list[holders.Supply]:
    """Return what nodes have of all hardware, and of what is ``wanted`` also where there is none, and who holds it.

    Raises:
        ClusterError: nobody could be asked, or this account may not see nodes and pods.
    """
    nodes = cluster.list_objects(requests.NODE, deadline=Deadline(seconds))
    pods = cluster.list_objects(requests.POD, deadline=Deadline(seconds))
    return holders.supplies(nodes, pods, wanted)


def pods_with(wanted: Mapping[str, int], found: Sequence[holders.Supply]) -> int:
    """Return how many pods could get what is ``wanted`` by what no pod holds."""
    free = {(one.node, one.resource): one.free for one in found}
    return sum(
        min(free.get((node, resource), 0) // count for resource, count in wanted.items())
        for node in {one.node for one in found}
    )


def _missing(cluster: Cluster, wanted: Mapping[str, int]) -> str:
    if not wanted:
        return ""
    nodes = cluster.list_objects(requests.NODE, deadline=Deadline(_SECONDS))
    for resource, count in wanted.items():
        most = max((int(number(node["status"].get("allocatable", {}).get(resource, 0))) for node in nodes), default=0)
        if most < count:
            return _sentence(resource, count, most, len(nodes))
    return ""


def _sentence(resource: str, count: int, most: int, nodes: int) -> str:
    found = f"there are at most {most} healthy ones on a node" if most else "no node has a healthy one"
    return (
        f"A worker is to hold {count} of {resource}, and {found} (nodes: {nodes}). Run its device plugin there "
        "(`paddock device-plugin`, or the vendor's), or try the suite with --paddock-simulate-hardware=N."
    )


class Equipped:
    """Which workers' pods hold the run's hardware: at most so many at a time, ``None`` for all that come.

    Who comes while one of them is gone takes its place, so that what replaces a lost one can run the same tests.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._workers: set[str] = set()

    def __contains__(self, worker: str) -> bool:
        """Return whether the worker's pod holds it."""
        return worker in self._workers

    def enter(self, worker: str) -> None:
        """Take in a worker whose pod is about to be asked for."""
        if self._most is None or len(self._workers) < self._most:  # a second call changes nothing
            self._workers.add(worker)

    def leave(self, worker: str) -> None:
        """Forget a worker that was lost or given back."""
        self._workers.discard(worker)


class SimulatedHardware:
    """The plugin of simulated devices, as a process that ends with this one, however that comes about."""

    def __init__(self, count: int) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - read when it has ended
        command = (sys.executable, "-P", "-m", "paddock", "device-plugin", f"--simulate={count}", "--until-eof")
        self._plugin = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=self._said,
            stderr=self._said,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the run, whose workers still hold devices
        )

    def check(self) -> None:
        """Tell why it has ended, if it has.

        Raises:
            InfrastructureError: it has ended; its last line is in the message.
        """
        if self._plugin.poll() is not None:
            self._said.seek(0)
            lines = self._said.read().decode(errors="replace").strip().splitlines()
            last = lines[-1] if lines else "it said nothing"
            raise InfrastructureError(f"The plugin of simulated hardware has ended: {last}")

    def end(self) -> None:
        """Have it remove its devices and end."""
        if self._plugin.stdin:
            self._plugin.stdin.close()
        try:
            self._plugin.wait(_ENDS)
        except subprocess.TimeoutExpired:
            self._plugin.kill()
            self._plugin.wait()
        self._said.close()
