"""Chooses a node's layout from the machine's facts: free ports, networks that nobody routes to.

Decides; it changes nothing.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import fields
from typing import TYPE_CHECKING

from paddock.errors import NodeError
from paddock.node import machine, pause_image
from paddock.node.layout import NodeLayout, Ports
from paddock.node.places import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from paddock.node.layout import Binaries

POD_NETWORKS = ("10.244.0.0/16", "10.245.0.0/16", "172.30.0.0/16", "192.168.0.0/16")
"""A /16: a /24 runs dry as soon as a few hundred pods were made and addresses are slow to come back."""
SERVICE_NETWORKS = ("10.96.0.0/16", "10.97.0.0/16", "172.31.0.0/16")
_PORTS_TRIED = 50


def plan(binaries: Binaries, pause: Path) -> NodeLayout:
    """Return the layout of a new node on this machine.

    Raises:
        NodeError: the machine has no address, no free port or no free network.
    """
    ports = free_ports(Ports(), port_is_free)
    routed = machine.routed_networks()
    return NodeLayout(
        address=_address(),
        binaries=binaries,
        images=cache_folder() / "registry",
        pause_image=pause_image.reference(f"localhost:{ports.registry}", pause / "pause"),
        cgroup_version=machine.cgroup_version(),
        restrict_oom_score_adj=not machine.may_raise_limits(),
        name_servers=machine.name_servers(),
        ports=ports,
        pod_network=free_network(POD_NETWORKS, routed),
        service_network=free_network(SERVICE_NETWORKS, routed),
    )


def _address() -> str:
    address = machine.address()
    if address is None:
        raise NodeError(
            "The node needs an IPv4 address other than loopback, and no interface with a route here has one. "
            "Bring one up; a dummy will do: `ip link add paddock0 type dummy`, then give it an address and a route.",
        )
    return address


def free_ports(wanted: Ports, is_free: Callable[[int], bool]) -> Ports:
    """Return the wanted ports, each replaced by the next free one where it is in use.

    Raises:
        NodeError: none of the fifty ports from the wanted one on is free.
    """
    chosen: dict[str, int] = {}
    for each in fields(wanted):
        chosen[each.name] = _free_port(each.name, getattr(wanted, each.name), is_free, set(chosen.values()))
    return Ports(**chosen)


def _free_port(purpose: str, wanted: int, is_free: Callable[[int], bool], taken: set[int]) -> int:
    candidates = range(wanted, wanted + _PORTS_TRIED)
    found = next((port for port in candidates if port not in taken and is_free(port)), None)
    if found is None:
        raise NodeError(
            f"The node needs a port for its {purpose.replace('_', ' ')}, but {candidates[0]} to {candidates[-1]} "
            "are all in use. Stop a program that listens there (`ss -ltnp` lists them).",
        )
    return found


def port_is_free(port: int) -> bool:
    """Tell whether nobody listens on a TCP or UDP port of any address of this machine."""
    return all(_can_bind(port, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))


def _can_bind(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as endpoint:
        if kind is socket.SOCK_STREAM:  # else the last connections of a node just removed would count as in use
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            endpoint.bind(("", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_network(candidates: Sequence[str], routed: Sequence[ipaddress.IPv4Network]) -> str:
    """Return the first candidate that overlaps with no network that the machine routes to.

    Raises:
        NodeError: all of them do.
    """
    for candidate in candidates:
        if not any(ipaddress.IPv4Network(candidate).overlaps(network) for network in routed):
            return candidate
    raise NodeError(
        f"The node needs a network of its own, but this machine has routes into each of {', '.join(candidates)}. "
        "Remove one of these routes, for example by leaving a VPN.",
    )
