"""What is handed out, as values: kinds of hardware, the devices of one kind that are there, and what a pod gets.

Pure. It must not know gRPC, files or clusters.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KUBELETS_FOLDER = "/var/lib/kubelet/device-plugins"
"""Where kubelet looks for plugins: compiled into it (``DevicePluginPath`` of its API v1beta1)."""

SIMULATED = "simulated"
"""Kind, and last part of the resource, of devices that are none."""


LINES_FOLDER = "/run/paddock-leases"
"""On a node: of the files by which those who share a device take turns. It goes with a reboot, as those do."""

LINE_SUFFIX = ".line"
"""Ends the names of those files, wherever they lie."""

MOST_SHARES = 1000
MOST_SIMULATED = 64
"""More than any test needs; the kernel makes loop devices as they are asked for."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or file of the node that goes into each pod that holds a device."""

    host: str
    container: str
    read_only: bool = True


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program that is run for one device; ``{path}`` and ``{id}`` in its arguments stand for the device's own."""

    arguments: tuple[str, ...]
    timeout: float
    """Seconds after which it is killed and counts as failed."""

    def for_device(self, device: Device) -> list[str]:
        """Return its argv for one device."""
        values = {"{path}": device.paths[0], "{id}": device.id}
        return [re.sub(r"\{(path|id)\}", lambda found: values[found[0]], argument) for argument in self.arguments]


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A kind of hardware, as configured."""

    kind: str
    """What tests call it: ``hardware("coral")``."""
    resource: str
    """What Kubernetes calls it, such as ``paddock.dev/coral``."""
    paths: tuple[str, ...] = ()
    """Patterns of its device nodes."""
    usb: tuple[str, ...] = ()
    """``vendor:product`` in hexadecimal digits; several, since a device may change its own with its firmware."""
    shares: int = 1
    """How many pods may hold one device at once."""
    in_turn: bool = True
    """Whether those who share one use it one test at a time."""
    lines: str = LINES_FOLDER
    """Folder of the files by which they take turns."""
    permissions: str = "rw"
    """Of read, write and mknod, as a cgroup of devices has them."""
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    health: Command | None = None
    health_period: float = 10.0
    """Seconds between two checks of one device: short beside a test run, long beside a check."""
    reset: Command | None = None
    """Run before a container that holds the device starts."""

    @property
    def is_ours(self) -> bool:
        """Whether our own plugin hands it out; else it is another one's and known by its resource alone."""
        return bool(self.paths or self.usb)

    @property
    def has_turns(self) -> bool:
        """Whether several may hold one device, and use it one test at a time."""
        return self.shares > 1 and self.in_turn

    def line_of(self, device: Device) -> str:
        """Return the file by which those who share a device on a node take turns; empty if they do not."""
        folder = f"{self.lines}/{self.resource.replace('/', '_')}"
        return f"{folder}/{device.id}{LINE_SUFFIX}" if self.has_turns else ""

    @property
    def variable(self) -> str:
        """Name of the environment variable that tells a pod which devices it holds."""
        return variable(self.kind)

    def environment_with(self, devices: Sequence[Device]) -> dict[str, str]:
        """Return the variables of who holds these devices of the kind."""
        told = {
            "devices": [one.told for one in devices],
            "variables": sorted(self.environment),
        }
        return {**self.environment, self.variable: json.dumps(told)}


def variable(kind: str) -> str:
    """Return the name of the environment variable that tells a pod which devices of a kind it holds."""
    return "PADDOCK_DEVICES_" + re.sub(r"[^A-Z0-9]", "_", kind.upper())


def own_resource(kind: str) -> str:
    """Return what Kubernetes calls a kind for which nothing else is configured."""
    return f"{names.PREFIX}/{kind}"


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device that is there."""

    id: str
    """The same after it was unplugged and plugged in again at the same place."""
    paths: tuple[str, ...]
    """Of its device nodes."""
    serial: str = ""
    numa: int | None = None
    """Number of the NUMA node that it is next to, where the machine has several."""
    line: str = ""
    """File by which those who hold it take turns, see ``devices.leases``; empty where they do not."""

    @property
    def told(self) -> Mapping[str, object]:
        """What who holds it is told of it."""
        told = {"id": self.id, "paths": list(self.paths), "serial": self.serial}
        return told | {"line": self.line} if self.line else told


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Hardware that every worker of a run holds."""

    kind: str
    count: int
    resource: str
    """What its pod asks for; the simulated devices' where they stand in for the kind."""


@dataclass(frozen=True)
class Listed:
    """One share of a device, as kubelet hears of it."""

    id: str
    is_healthy: bool
    numa: int | None = None


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """What one container gets."""

    devices: Sequence[Device]
    environment: Mapping[str, str]
    mounts: Sequence[Mount]
    permissions: str
