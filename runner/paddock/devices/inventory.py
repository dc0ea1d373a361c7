"""The devices of one kind over time: which were seen, how each is, and what kubelet is told of them.

Pure, and of one thread; what others read is a ``Stock``, a frozen value. What happens to a device is a table.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from paddock.devices.resources import Allocation, Device, Hardware, Listed, Mount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_BETWEEN = "::"
"""Between a device's id and the number of its share; ids never hold it."""


class State(Enum):
    """How a device is."""

    NEW = "not checked yet"
    HEALTHY = "healthy"
    SICK = "sick"
    GONE = "unplugged"


class Event(Enum):
    """What is found out about a device."""

    FOUND = "found"
    LOST = "lost"
    PASSED = "passed"
    FAILED = "failed"


TABLE: Mapping[tuple[State, Event], State] = {
    (State.NEW, Event.FOUND): State.NEW,
    (State.NEW, Event.LOST): State.GONE,
    (State.NEW, Event.PASSED): State.HEALTHY,
    (State.NEW, Event.FAILED): State.SICK,
    (State.HEALTHY, Event.FOUND): State.HEALTHY,
    (State.HEALTHY, Event.LOST): State.GONE,
    (State.HEALTHY, Event.PASSED): State.HEALTHY,
    (State.HEALTHY, Event.FAILED): State.SICK,
    (State.SICK, Event.FOUND): State.SICK,
    (State.SICK, Event.LOST): State.GONE,
    (State.SICK, Event.PASSED): State.HEALTHY,
    (State.SICK, Event.FAILED): State.SICK,
    # What was plugged in again may be another one of its kind: nothing that was known before counts.
    (State.GONE, Event.FOUND): State.NEW,
    (State.GONE, Event.LOST): State.GONE,
    (State.GONE, Event.PASSED): State.GONE,  # an answer that was under way when it went
    (State.GONE, Event.FAILED): State.GONE,
}


@dataclass
class _Entry:
    device: Device
    state: State = State.NEW


@dataclass(frozen=True)
class Stock:
    """What there is to hand out at one moment."""

    hardware: Hardware
    listed: tuple[Listed, ...] = ()
    devices: Mapping[str, Device] = field(default_factory=dict)

    def allocation(self, shares: Sequence[str]) -> Allocation:
        """Return what a container with these shares gets.

        Raises:
            LookupError: kubelet asks for a device that is not there or not healthy; the message says which.
        """
        healthy = {each.id for each in self.listed if each.is_healthy}
        if missing := [share for share in shares if share not in healthy]:
            raise LookupError(f"{self.hardware.resource} has no healthy device {', '.join(missing)} any more")
        found = [self.devices[one] for one in dict.fromkeys(map(_device_of, shares))]
        devices = [replace(one, line=self.hardware.line_of(one)) for one in found]
        lines = [Mount(host=one.line, container=one.line, read_only=False) for one in devices if one.line]
        return Allocation(
            devices=devices,
            environment=self.hardware.environment_with(devices),
            mounts=(*self.hardware.mounts, *lines),
            permissions=self.hardware.permissions,
        )

    def preferred(self, available: Sequence[str], needed: Sequence[str], size: int) -> list[str]:
        """Return ``size`` shares, the needed ones among them.

        Shares of as many devices as there are; the least shared device first, and among equals in order of their ids.
        """
        chosen = list(dict.fromkeys(needed))
        left = Counter(map(_device_of, available))
        while len(chosen) < size:
            taken = Counter(map(_device_of, chosen))
            rest = [share for share in available if share not in chosen]
            if not rest:
                break
            chosen.append(min(rest, key=lambda one: (taken[_device_of(one)], -left[_device_of(one)], one)))
        return chosen


class Inventory:
    """The devices of one kind."""

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        self._entries: dict[str, _Entry] = {}

    def see(self, devices: Iterable[Device]) -> list[str]:
        """Note what is there now, and return what is new about it, in words."""
        there = {device.id: device for device in devices}
        lines = [line for name in self._entries if name not in there for line in self._step(name, Event.LOST)]
        for name, device in there.items():
            entry = self._entries.setdefault(name, _Entry(device, State.GONE))
            entry.device = device  # its node may be another one: USB devices are numbered anew with new firmware
            lines += self._step(name, Event.FOUND)
            if self.hardware.health is None:
                lines += self._step(name, Event.PASSED)
        return lines

    def judge(self, name: str, failure: str) -> list[str]:
        """Note how a check of a device ended, without ``failure`` if it passed, and return what is new, in words."""
        return self._step(name, Event.FAILED if failure else Event.PASSED, failure)

    def present(self) -> list[Device]:
        """Return the devices that are there, healthy or not."""
        return [entry.device for entry in self._entries.values() if entry.state is not State.GONE]

    def state(self, name: str) -> State:
        """Return how a device is."""
        return self._entries[name].state

    def stock(self) -> Stock:
        """Return what there is to hand out now; what is gone stays listed, as unhealthy."""
        entries = sorted(self._entries.items())
        return Stock(
            self.hardware,
            tuple(Listed(share, *_condition(entry)) for name, entry in entries for share in self._shares(name)),
            {name: entry.device for name, entry in entries},
        )

    def _shares(self, name: str) -> list[str]:
        shares = self.hardware.shares
        return [name] if shares == 1 else [f"{name}{_BETWEEN}{number}" for number in range(shares)]

    def _step(self, name: str, event: Event, why: str = "") -> list[str]:
        entry = self._entries[name]
        before, entry.state = entry.state, TABLE[entry.state, event]
        if before is entry.state or entry.state is State.NEW:
            return []
        reason = f": {why}" if why else ""
        return [f"{self.hardware.resource}: {name} ({', '.join(entry.device.paths)}) is {entry.state.value}{reason}"]


def _condition(entry: _Entry) -> tuple[bool, int | None]:
    return entry.state is State.HEALTHY, entry.device.numa


def _device_of(share: str) -> str:
    return share.partition(_BETWEEN)[0]
