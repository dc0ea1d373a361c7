"""Facts about this machine that decide a node's layout: addresses, networks, cgroups, capabilities.

Reads only. It must not decide what is done with a fact, nor change anything.
"""

from __future__ import annotations

import fcntl
import ipaddress
import re
import socket
import struct
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
_ASK_ADDRESS = 0x8915  # SIOCGIFADDR, see netdevice(7)
_CAP_SYS_RESOURCE = 24  # see capabilities(7)


def address() -> str | None:
    """Return the IPv4 address of the interface with the default route, else of any other with a route, else None."""
    by_preference = sorted(routes(), key=lambda route: route[1] != ipaddress.ip_network("0.0.0.0/0"))
    addresses = (interface_address(interface) for interface, _ in by_preference)
    return next((found for found in addresses if found), None)


def interface_address(interface: str) -> str | None:
    """Return the IPv4 address of a network interface, None when it has none."""
    request = struct.pack("256s", interface.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint, suppress(OSError):
        return socket.inet_ntoa(fcntl.ioctl(endpoint, _ASK_ADDRESS, request)[20:24])
    return None


def routed_networks() -> list[ipaddress.IPv4Network]:
    """Return the networks that this machine has routes to, the default route aside."""
    return [network for _, network in routes() if network.prefixlen]


def routes() -> list[tuple[str, ipaddress.IPv4Network]]:
    """Return interface and destination of every IPv4 route."""
    rows = [line.split() for line in (PROC / "net/route").read_text().splitlines()[1:]]
    return [(row[0], ipaddress.IPv4Network((_from_hex(row[1]), str(_from_hex(row[7]))))) for row in rows]


def _from_hex(little_endian: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(bytes.fromhex(little_endian)[::-1])


def cgroup_version(root: Path = CGROUPS) -> int:
    """Return 2 for the unified hierarchy, 1 for controllers mounted one by one (hybrid too), 0 for neither."""
    if (root / "cgroup.controllers").is_file():
        return 2
    return 1 if (root / "memory" / "cgroup.procs").is_file() else 0


def hierarchies(root: Path = CGROUPS) -> list[Path]:
    """Return the root folder of each cgroup hierarchy: one for version 2, one per mounted set for version 1."""
    if cgroup_version(root) == 2:  # noqa: PLR2004 - the version's number, as everybody calls it
        return [root]
    return sorted(path for path in root.glob("*") if (path / "cgroup.procs").is_file() and not path.is_symlink())


def may_raise_limits() -> bool:
    """Tell whether this process has CAP_SYS_RESOURCE, without which an OOM score can only be made worse."""
    effective = re.search(r"^CapEff:\s*(\w+)", (PROC / "self/status").read_text(), re.MULTILINE)
    return bool(effective) and bool(int(effective[1], 16) >> _CAP_SYS_RESOURCE & 1) if effective else False


def name_servers(path: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """Return the machine's name servers; CoreDNS runs on the machine, so one on loopback will do."""
    with suppress(OSError):
        return tuple(re.findall(r"^nameserver\s+([0-9.]+)\s*$", path.read_text(), re.MULTILINE))[:3]
    return ()


def file_systems() -> set[str]:
    """Return the file systems that the kernel knows now."""
    return set((PROC / "filesystems").read_text().split())


_ENDED = ("Z", "X", "")
"""States of a process in ``/proc``: zombie, dead, gone."""


def processes_called(name: str) -> list[int]:
    """Return the ids of the processes whose program is called ``name``.

    Without those that have ended and only wait to be reaped: the first process of a container may take its time,
    and a node that was just removed would look like a foreign one.
    """
    called = (path.parent for path in PROC.glob("[0-9]*/comm") if _text(path).strip() == name)
    return [int(folder.name) for folder in called if _state(folder) not in _ENDED]


def _state(folder: Path) -> str:
    return _text(folder / "stat").rpartition(")")[2].strip()[:1]


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""
