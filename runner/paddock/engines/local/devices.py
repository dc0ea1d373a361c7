"""This machine's devices, each held by as many workers' processes and services as may share it, over all its runs.

A device is leased by locks on files that stand for it, taken here and handed on to the worker's process: they end
with whoever of the two ends last, however that comes about, and nobody has to clean up. Owns who of a run holds what;
the files are ``device_locks``'. What devices there are, ``paddock.devices.discovery`` knows; that programs outside of
Paddock use one, nobody can see here.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paddock.deadlines import Deadline
from paddock.devices import leases
from paddock.devices.discovery import Machine
from paddock.devices.probe import sickness
from paddock.engines.local import device_locks
from paddock.engines.patience import await_turn
from paddock.errors import UsageError
from paddock.specs import EVERY_WORKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from paddock.devices.resources import Command, Device, Hardware
    from paddock.engines.local.device_locks import Locked
    from paddock.engines.request import RunRequest

_LOOK_EVERY = 0.1


@dataclass(frozen=True)
class Lease:
    """What a worker holds."""

    variables: Mapping[str, str]
    descriptors: tuple[int, ...] = ()
    """Of the locks; the worker's process is to inherit them."""
    services: Mapping[str, Lease] = field(default_factory=dict)
    """What services of the worker hold, by their names: their processes are to inherit that."""


NOTHING = Lease({})


class Devices:
    """Those that a run may hand out.

    Raises:
        UsageError: the run asks for what this machine has not, or cannot hand out.
    """

    def __init__(
        self,
        request: RunRequest,
        machine: Machine | None = None,
        folder: Path | None = None,
        probe: Callable[[Device, Command | None], str] = sickness,
    ) -> None:
        self._request, self._given_folder, self._probe = request, folder, probe
        self._probing = threading.Lock()
        self._sick: dict[str, tuple[str, Deadline]] = {}
        """Path of a device -> why nobody gets it, until it is looked at again."""
        self._busy: Sequence[Path] = ()
        """Locks that others held at the last look: a text in any other one names who held it before."""
        self._kinds = {one.kind: one for one in request.devices}
        self._found = {one.kind: _found(self._kinds.get(one.kind), one.count, machine) for one in request.hardware}
        self._wanted = {one.kind: one.count for one in request.hardware}
        self._services = [one for one in request.services if one.devices]
        self._lock = threading.Lock()
        self._leases: dict[str, Lease] = {}
        self._waiting: dict[str, None] = {}

    def __contains__(self, worker: str) -> bool:
        """Return whether a worker holds devices."""
        return worker in self._leases

    def words_for(self, worker: str) -> str:
        """Return what a worker waits for; empty for who does not."""
        if worker not in self._waiting:
            return ""
        holders = ", ".join(sorted(set(filter(None, map(device_locks.signed, self._busy)))))
        sick = ", ".join(reason for reason, _ in self._sick.values())
        held = f"its turn for {' and '.join(self._wanted)}; held by {holders or 'nobody any more'}"
        return f"{held}; sick are {sick}" if sick else held

    def take(self, worker: str, given_up: threading.Event) -> Mapping[str, str]:
        """Return the variables of what a worker holds from now on: none, if others of the run do and no more are free.

        Raises:
            LeaseError: it had to wait for so long that nobody waits on, or the run has ended.
        """
        with self._lock:
            if not self._wanted or not self._may_hold():
                return {}
            lease = self._locked(worker)
            if lease is None and not self._must_wait():
                return {}
            if lease is None:
                self._waiting[worker] = None
            else:
                self._leases[worker] = lease
        return (lease or self._awaited(worker, given_up)).variables

    def descriptors(self, worker: str) -> Sequence[int]:
        """Return what the process of a worker has to inherit so that it goes on holding what it was given."""
        return self._leases.get(worker, NOTHING).descriptors

    def services(self, worker: str) -> Mapping[str, Lease]:
        """Return what the services of a worker hold, by their names."""
        return self._leases.get(worker, NOTHING).services

    def leave(self, worker: str) -> None:
        """Let go what a worker held; its process, and those of its services, hold it on until they have ended."""
        with self._lock:
            lease = self._leases.pop(worker, NOTHING)
        for one in (lease, *lease.services.values()):
            _close(one.descriptors)

    def close(self) -> None:
        """Let everything go."""
        for worker in list(self._leases):
            self.leave(worker)

    def _may_hold(self) -> bool:
        most = self._request.hardware_workers
        return not isinstance(most, int) or len(self._leases) + len(self._waiting) < most

    def _must_wait(self) -> bool:
        return self._request.hardware_workers == EVERY_WORKER or not (self._leases or self._waiting)

    def _awaited(self, worker: str, given_up: threading.Event) -> Lease:
        try:
            lease = self._leases[worker] = await_turn(
                lambda: self._locked(worker),
                self._request.wait,
                _LOOK_EVERY,
                given_up,
                what=lambda: f" for {self.words_for(worker)}",
            )
        finally:
            del self._waiting[worker]
        return lease

    def _locked(self, worker: str) -> Lease | None:
        """Return a lease of all that a worker needs, or nothing."""
        held: dict[str, list[Locked]] = {}
        busy: list[Path] = []
        for kind, count in self._wanted.items():
            held[kind] = self._first_free(self._kinds[kind], count, busy)
            if len(held[kind]) < count:
                self._busy = busy
                device_locks.close(locked for each in held.values() for locked in each)
                return None
        for locked in (locked for each in held.values() for locked in each):
            device_locks.sign(locked, f"{self._request.run_id}/{worker}")
        services: dict[str, Lease] = {}
        for one in self._services:
            if one.hardware:
                kind, count = one.hardware.kind, one.hardware.count
                services[one.name] = self._lease({kind: held[kind][:count]})
                held[kind] = held[kind][count:]
        return replace(self._lease(held), services=services)

    def _lease(self, held: Mapping[str, Sequence[Locked]]) -> Lease:
        variables: dict[str, str] = {}
        for kind, locked in held.items():
            if locked:
                hardware = self._kinds[kind]
                lines = [(one.device, device_locks.line_of(one.device, hardware, self._folder)) for one in locked]
                variables |= hardware.environment_with([replace(device, line=line) for device, line in lines])
        every = (locked for each in held.values() for locked in each)
        return Lease(variables, tuple(descriptor for locked in every for descriptor in locked.descriptors))

    def _first_free(self, kind: Hardware, count: int, busy: list[Path]) -> list[Locked]:
        """Return so many devices, the least shared first; the files of those that others hold go to ``busy``."""
        chosen: dict[str, Locked] = {}
        for share, device in ((share, device) for share in range(kind.shares) for device in self._found[kind.kind]):
            if len(chosen) < count and device.id not in chosen:
                locked = device_locks.take(device, kind, share, self._folder)
                if locked is None:
                    busy.append(device_locks.file_of_share(device, kind, share, self._folder))
                elif self._is_well(device, kind):
                    chosen[device.id] = locked
                else:
                    device_locks.close([locked])
        return list(chosen.values())

    def _is_well(self, device: Device, kind: Hardware) -> bool:
        """Return whether a device is well; a sick one is looked at again after its kind's period.

        One that another worker's test uses now is not looked at: that worker does.
        """
        path = device.paths[0]
        if path in self._sick and not self._sick[path][1].passed:
            return False
        self._sick.pop(path, None)
        if reason := self._sickness(device, kind):
            self._sick[path] = f"{path} ({reason})", Deadline(kind.health_period)
        return path not in self._sick

    def _sickness(self, device: Device, kind: Hardware) -> str:
        line = device_locks.line_of(device, kind, self._folder)
        if not line:
            return self._probe(device, kind.health)
        claim = leases.Claim(
            device=device.id, run=self._request.run_id, worker="its engine", test="a look at its health"
        )
        with self._probing, leases.if_free(line, claim) as is_free:  # a process stands in a line once
            return self._probe(device, kind.health) if is_free else ""

    @property
    def _folder(self) -> Path:
        return self._given_folder or device_locks.shared_folder()


def _found(hardware: Hardware | None, count: int, machine: Machine | None) -> list[Device]:
    if hardware is None:
        raise UsageError(
            "--paddock-simulate-hardware makes devices for the embedded node's pods; the local engine hands out "
            "those of this machine: leave it out, and tests marked with hardware with -m 'not hardware'."
        )
    if not hardware.is_ours:
        raise UsageError(
            f"The hardware {hardware.kind!r} is handed out by a plugin of its vendor, to pods; the local engine needs "
            "its paths or usb."
        )
    devices = (machine or Machine()).devices(hardware)
    if len(devices) < count:
        raise UsageError(
            f"A worker is to hold {count} of {hardware.kind!r}, and this machine has {len(devices)} "
            f"({', '.join([*hardware.paths, *hardware.usb])}). Leave out tests that need it with -m 'not hardware'."
        )
    return devices


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
