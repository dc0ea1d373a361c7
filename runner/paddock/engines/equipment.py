"""Which pods of a worker's place hold the hardware of a run, and which workers have such places.

Pure. What a node has, and what is free, ``engines.hardware`` asks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from paddock.services.environment import of_declared, to_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.declared_services import DeclaredService
    from paddock.devices.resources import Wanted
    from paddock.engines.request import RunRequest
    from paddock.specs import RunPlan


def resources(wanted: Sequence[Wanted]) -> dict[str, int]:
    """Return what the pods of one worker's place ask for together: several kinds may be the same resource."""
    found: Counter[str] = Counter()
    for one in wanted:
        found[one.resource] += one.count
    return dict(found)


def of_own_pod(request: RunRequest) -> dict[str, int]:
    """Return what the worker's own pod asks for: all that no service of it holds."""
    left = Counter(resources(request.hardware))
    for service in request.services:
        left.subtract(service.devices)
    return {resource: count for resource, count in left.items() if count > 0}


def of_pods(request: RunRequest) -> dict[str, dict[str, int]]:
    """Return who asks for what in the place of a worker with hardware, in words: each is one pod, so on one node."""
    services = {f"The service {one.name!r} of a worker": dict(one.devices) for one in request.services}
    return {who: asked for who, asked in {"A worker": of_own_pod(request), **services}.items() if asked}


def made(services: Sequence[DeclaredService]) -> tuple[DeclaredService, ...]:
    """Return the services that a run makes: those with hardware only if it gives workers such hardware."""
    return tuple(one for one in services if one.hardware is None or one.devices)


def without(plan: RunPlan) -> RunPlan:
    """Return the plan of a worker that holds no hardware: neither its pod nor a service has any."""
    return replace(plan, hardware={}, services=tuple(one for one in plan.services if one.hardware is None))


class Equipped:
    """Which workers' places hold the run's hardware: as many at a time as its plan says.

    Who comes while one of them is gone takes its place, so that what replaces a lost one can run the same tests.
    """

    def __init__(self, plan: RunPlan) -> None:
        self._plan, self._without = plan, without(plan)
        self._workers: set[str] = set()

    def __contains__(self, worker: str) -> bool:
        """Return whether the worker's place holds it."""
        return worker in self._workers

    def enter(self, worker: str) -> None:
        """Take in a worker whose pod is about to be asked for."""
        most = self._plan.hardware_workers
        if most is None or len(self._workers) < most:  # a second call changes nothing
            self._workers.add(worker)

    def leave(self, worker: str) -> None:
        """Forget a worker that was lost or given back."""
        self._workers.discard(worker)

    def plan_of(self, worker: str) -> RunPlan:
        """Return what is made for a worker."""
        return self._plan if worker in self._workers else self._without

    def services_of(self, worker: str) -> list[str]:
        """Return the services of a worker that hold hardware."""
        return [one.name for one in self.plan_of(worker).services if one.hardware]

    def facts_of(self, worker: str) -> dict[str, str]:
        """Return the variables that tell a worker where its declared services are."""
        facts = map(of_declared, self.plan_of(worker).services)
        return {name: value for one in facts for name, value in to_environment(one).items()}
