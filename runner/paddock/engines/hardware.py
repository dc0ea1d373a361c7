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
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from paddock.cluster import connect, requests
from paddock.cluster.quantities import number
from paddock.deadlines import Deadline
from paddock.devices import holders
from paddock.engines import equipment
from paddock.errors import InfrastructureError, NotAllowed, UsageError
from paddock.specs import EVERY_WORKER, FREE_DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.devices.resources import Hardware
    from paddock.engines.request import RunRequest

_SECONDS = 5.0
"""For the question what nodes have."""
_APPEARS = 30.0
"""Seconds for devices to be known to the API server, simulated ones or those of a plugin that starts anew: plugin,
kubelet and node status need some two."""
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


def survey(
    cluster: Cluster, request: RunRequest, simulated: SimulatedHardware | None
) -> Sequence[holders.Supply] | None:
    """Return what nodes have of all hardware, and who holds it; ``None`` where that need not or may not be known.

    A run whose workers no node could ever take is refused; simulated devices are waited for. An account that may not
    see nodes leaves it to the scheduler, who says the same later.

    Raises:
        UsageError: no node has so many of a resource.
        InfrastructureError: the plugin of simulated devices has ended.
    """
    if not request.hardware:
        return None
    with suppress(NotAllowed):
        nodes = _nodes_that_do(cluster, request, simulated)
        if request.hardware_workers != EVERY_WORKER:
            return holders.supplies(nodes, _pods(cluster, _SECONDS))
    return None


def _nodes_that_do(cluster: Cluster, request: RunRequest, simulated: SimulatedHardware | None) -> list[Manifest]:
    deadline = Deadline(_APPEARS)
    while missing := _missing(nodes := _nodes(cluster, _SECONDS), request):
        if simulated:
            simulated.check()
        # Kubelet knows devices that are sick or whose plugin starts anew: the latter are back in a moment.
        may_come = request.simulate or not _missing(nodes, request, _known)
        if deadline.passed or not may_come:
            raise UsageError(missing)
        threading.Event().wait(_LOOK)
    return nodes


def workers_asked(request: RunRequest) -> int | None:
    """Return how many workers are to hold the hardware as far as the request says, ``None`` for all that it makes."""
    return request.hardware_workers if isinstance(request.hardware_workers, int) else None


def workers_possible(request: RunRequest, found: Sequence[holders.Supply] | None) -> int | None:
    """Return for how many workers there is hardware now, at least one; ``None`` where nobody asked for as many.

    None either where nobody may know: then the scheduler says who has to wait.
    """
    if not request.hardware:
        return None
    if request.hardware_workers != FREE_DEVICES:
        return workers_asked(request)
    return None if found is None else max(1, places_with(request, found))


def supplies(cluster: Cluster, wanted: Sequence[str] = (), seconds: float = _SECONDS) -> list[holders.Supply]:
    """Return what nodes have of all hardware, and of what is ``wanted`` also where there is none, and who holds it.

    Raises:
        ClusterError: nobody could be asked, or this account may not see nodes and pods.
    """
    return holders.supplies(_nodes(cluster, seconds), _pods(cluster, seconds), wanted)


def _nodes(cluster: Cluster, seconds: float) -> list[Manifest]:
    return cluster.list_objects(requests.NODE, deadline=Deadline(seconds))


def _pods(cluster: Cluster, seconds: float) -> list[Manifest]:
    return cluster.list_objects(requests.POD, deadline=Deadline(seconds))


def places_with(request: RunRequest, found: Sequence[holders.Supply]) -> int:
    """Return how many workers' places could get what their pods ask for by what no pod holds."""
    free: dict[str, dict[str, int]] = {}
    for one in found:
        free.setdefault(one.node, {})[one.resource] = one.free
    pods, places = list(equipment.of_pods(request).values()), 0
    while pods and all(_take(pod, free.values()) for pod in pods):
        places += 1
    return places


def _take(pod: Mapping[str, int], nodes: Iterable[dict[str, int]]) -> bool:
    """Take what a pod asks for from the first node that has it all; return whether one has."""
    for free in nodes:
        if all(free.get(resource, 0) >= count for resource, count in pod.items()):
            free.update({resource: free[resource] - count for resource, count in pod.items()})
            return True
    return False


def _allocatable(node: Mapping[str, Any], resource: str) -> int:
    return int(number(node["status"].get("allocatable", {}).get(resource, 0)))


def _known(node: Mapping[str, Any], resource: str) -> int:
    """Return how many kubelet has ever heard of; any number where its plugin has not come back to a new kubelet yet.

    Such a kubelet remembers the resource, with a capacity of 0.
    """
    capacity = node["status"].get("capacity", {})
    return (int(number(capacity[resource])) or sys.maxsize) if resource in capacity else 0


def _missing(
    nodes: Sequence[Manifest],
    request: RunRequest,
    count_on: Callable[[Mapping[str, Any], str], int] = _allocatable,
) -> str:
    for who, asked in equipment.of_pods(request).items():
        for resource, count in asked.items():
            most = max((count_on(node, resource) for node in nodes), default=0)
            if most < count:
                found = f"there are at most {most} healthy ones on a node" if most else "no node has a healthy one"
                return _sentence(f"{who} is to hold {count} of {resource}", f"{found} (nodes: {len(nodes)})")
    for resource, count in equipment.resources(request.hardware).items():
        every = sum(count_on(node, resource) for node in nodes)
        if every < count:
            return _sentence(f"A worker and its services are to hold {count} of {resource}", f"all nodes have {every}")
    return ""


def _sentence(wanted: str, found: str) -> str:
    return (
        f"{wanted}, and {found}. Run its device plugin there "
        "(`paddock device-plugin`, or the vendor's), or try the suite with --paddock-simulate-hardware=N."
    )


def _shared_as(kinds: Sequence[Hardware]) -> Iterator[str]:
    shared = [one for one in kinds if one.shares > 1]
    if shared:
        yield f"--simulate-shares={max(one.shares for one in shared)}"
        if not any(one.in_turn for one in shared):
            yield "--simulate-together"


class SimulatedHardware:
    """The plugin of simulated devices, as a process that ends with this one, however that comes about.

    They are shared as those of the ``kinds`` that they stand in for: as often as most, in turn if some of them are.
    """

    def __init__(self, count: int, kinds: Sequence[Hardware] = ()) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - read when it has ended
        command = (sys.executable, "-P", "-m", "paddock", "device-plugin", f"--simulate={count}", "--until-eof")
        self._plugin = subprocess.Popen(
            (*command, *_shared_as(kinds)),
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
