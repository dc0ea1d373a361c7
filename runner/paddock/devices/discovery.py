"""Looks which devices are there: nodes by pattern, USB devices by what they say they are.

Owns reading ``/dev`` and ``/sys``. It must not know what becomes of devices.
"""

from __future__ import annotations

import glob
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.devices.resources import Device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from paddock.devices.resources import Hardware


def is_device(path: str) -> bool:
    """Whether there is a character or block device at ``path``, or a link to one."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a path of another root is a text here
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


@dataclass(frozen=True)
class Machine:
    """The file systems that are looked at; ``root`` is where another machine's are mounted, as in a pod."""

    root: str = ""
    is_device: Callable[[str], bool] = is_device

    def devices(self, hardware: Hardware) -> list[Device]:
        """Return the devices of a kind that are there, each node once, in the order of their ids."""
        found = {device.id: device for device in (*self._usb(hardware.usb), *self._nodes(hardware.paths))}
        return [found[name] for name in sorted(found)]

    def _nodes(self, patterns: Sequence[str]) -> Iterator[Device]:
        seen: set[str] = set()
        for path in sorted({match for pattern in patterns for match in glob.glob(self.root + pattern)}):  # noqa: PTH207 - text, as above
            real = os.path.realpath(path)
            if self.is_device(path) and real not in seen:
                seen.add(real)
                name = path.removeprefix(self.root).removeprefix("/dev/")
                yield Device(id=_id(name), paths=(real.removeprefix(self.root),), numa=self._numa_of_node(path))

    def _numa_of_node(self, path: str) -> int | None:
        status = os.stat(path)  # noqa: PTH116 - as above
        kind = "block" if stat.S_ISBLK(status.st_mode) else "char"
        number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        return _numa(Path(f"{self.root}/sys/dev/{kind}/{number}/device"))

    def _usb(self, identities: Sequence[str]) -> Iterator[Device]:
        if not identities:
            return
        for folder in sorted(Path(f"{self.root}/sys/bus/usb/devices").glob("*")):
            device = self._usb_device(folder, identities)
            if device and self.is_device(self.root + device.paths[0]):
                yield device

    def _usb_device(self, folder: Path, identities: Sequence[str]) -> Device | None:
        if f"{_read(folder / 'idVendor')}:{_read(folder / 'idProduct')}" not in identities:
            return None
        bus, number = _read(folder / "busnum"), _read(folder / "devnum")
        if not (bus.isdigit() and number.isdigit()):  # it went while it was looked at
            return None
        path = f"/dev/bus/usb/{int(bus):03}/{int(number):03}"
        # By its port: number and product change when the device gets its firmware, and it has no serial before.
        return Device(id=_id(f"usb-{folder.name}"), paths=(path,), serial=_read(folder / "serial"), numa=_numa(folder))


def _id(name: str) -> str:
    return name.replace("/", "-").replace(":", "-")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _numa(folder: Path) -> int | None:
    number = _read(folder / "numa_node")
    return int(number) if number.isdigit() else None  # -1 where there is only one


def without_claimed(found: dict[str, list[Device]]) -> tuple[dict[str, list[Device]], list[str]]:
    """Return the devices of each resource without those that an earlier one has too, and a line for each of those."""
    owner: dict[str, str] = {}
    lines = []
    kept: dict[str, list[Device]] = {}
    for resource, devices in found.items():
        kept[resource] = []
        for device in devices:
            first = owner.setdefault(device.paths[0], resource)
            if first == resource:
                kept[resource].append(device)
            else:
                lines.append(f"{resource}: {device.paths[0]} is handed out as {first} already; two patterns overlap")
    return kept, lines
