"""The plugin as it runs: looks at devices, has them checked, keeps kubelet told, and registers again when it has to.

One thread owns all of it; checks run in others and put their results into its queue.
"""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from paddock.daemons import DaemonExecutor
from paddock.devices.bulletin import Bulletin
from paddock.devices.commands import failure
from paddock.devices.discovery import Machine, without_claimed
from paddock.devices.inventory import Inventory
from paddock.devices.serving import ResourceServer
from paddock.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from paddock.devices.inventory import Stock
    from paddock.devices.resources import Device, Hardware

PERIOD = 1.0
"""Seconds between two looks at devices and at kubelet's socket. One takes well below a millisecond, and kubelet is told
sooner than any pod of it could come."""
_CHECKERS = 4
"""Checks that run at once; one that hangs takes a place for as long as its time limit."""

Mark = tuple[int, int]
"""What tells one socket of kubelet's from the next: number of its file, and when that was made."""


class _Checked(NamedTuple):
    resource: str
    device: str
    failure: str


@dataclass
class _Handout:
    """One resource: its devices, its server, and what was told of it."""

    inventory: Inventory
    bulletin: Bulletin[Stock]
    server: ResourceServer
    registered: Mark | None = None
    refused: str = ""
    under_way: set[str] = field(default_factory=set)
    checked_at: dict[str, float] = field(default_factory=dict)


class Daemon:
    """Hands out hardware to kubelet until it is stopped; ``say`` gets a line for each thing that changes."""

    def __init__(
        self,
        kinds: Sequence[Hardware],
        folder: Path,
        say: Callable[[str], None],
        machine: Machine | None = None,
        period: float = PERIOD,
    ) -> None:
        self._machine, self._folder, self._say, self._period = machine or Machine(), folder, say, period
        self._events: queue.SimpleQueue[_Checked | None] = queue.SimpleQueue()
        self._handouts = {kind.resource: self._handout(kind) for kind in kinds}
        self._told: set[str] = set()
        self._checkers = DaemonExecutor(_CHECKERS, "paddock-device-check")

    def _handout(self, hardware: Hardware) -> _Handout:
        inventory = Inventory(hardware)
        bulletin = Bulletin(inventory.stock())
        return _Handout(inventory, bulletin, ResourceServer(hardware, bulletin, self._folder))

    def run(self) -> None:
        """Serve until ``stop``.

        Raises:
            InfrastructureError: a socket cannot be made in kubelet's folder.
        """
        try:
            self.look()
            while self._await(time.monotonic() + self._period):
                self.look()
        finally:
            for handout in self._handouts.values():
                handout.bulletin.close()
                handout.server.end()
            self._checkers.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """Have ``run`` return; from any thread, or a signal."""
        self._events.put(None)

    def _await(self, end: float) -> bool:
        """Take in results of checks until ``end``; return whether to go on."""
        while (left := end - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                return True
            if event is None:
                return False
            self._judge(event)
        return True

    def look(self) -> None:
        """Look at all devices and at kubelet's socket once."""
        found = {name: self._machine.devices(each.inventory.hardware) for name, each in self._handouts.items()}
        kept, overlaps = without_claimed(found)
        self._tell_once(overlaps)
        kubelet = self._kubelet()
        for name, handout in self._handouts.items():
            self._tell(handout.inventory.see(kept[name]))
            self._check(handout)
            handout.bulletin.publish(handout.inventory.stock())
            self._register(handout, kubelet)

    def _judge(self, event: _Checked) -> None:
        handout = self._handouts[event.resource]
        handout.under_way.discard(event.device)
        handout.checked_at[event.device] = time.monotonic()
        self._tell(handout.inventory.judge(event.device, event.failure))
        handout.bulletin.publish(handout.inventory.stock())

    # ---- checks

    def _check(self, handout: _Handout) -> None:
        """Begin the checks that are due."""
        hardware, now = handout.inventory.hardware, time.monotonic()
        if hardware.health is None:
            return
        for device in handout.inventory.present():
            last = handout.checked_at.get(device.id)
            if device.id not in handout.under_way and (last is None or now - last >= hardware.health_period):
                handout.under_way.add(device.id)
                self._checkers.submit(self._check_one, hardware, device)

    def _check_one(self, hardware: Hardware, device: Device) -> None:
        why = failure(hardware.health, device) if hardware.health else ""
        self._events.put(_Checked(hardware.resource, device.id, why))

    # ---- kubelet

    def _kubelet(self) -> Mark | None:
        path = self._folder / "kubelet.sock"
        try:
            status = path.stat()
        except FileNotFoundError:
            self._tell_once([f"kubelet does not listen at {path}; its plugins are registered when it does"])
            return None
        except OSError as error:
            raise InfrastructureError(
                f"{path} cannot be looked at: {error.strerror}; kubelet's folder is root's."
            ) from None
        return status.st_ino, status.st_ctime_ns

    def _register(self, handout: _Handout, kubelet: Mark | None) -> None:
        """Register with a kubelet that has not heard of the resource, or has removed its socket."""
        if kubelet is None or (kubelet == handout.registered and handout.server.socket.exists()):
            return
        handout.server.begin()
        handout.registered = None
        why = handout.server.register()
        if not why:
            handout.registered = kubelet
            self._say(f"{handout.inventory.hardware.resource} is registered with kubelet")
        elif why != handout.refused:
            self._say(f"{handout.inventory.hardware.resource} is not registered, which is tried again: {why}")
        handout.refused = why

    # ---- what is told

    def _tell(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._say(line)

    def _tell_once(self, lines: Sequence[str]) -> None:
        self._tell([line for line in lines if line not in self._told])
        self._told.update(lines)
