"""Network links of pods, recognised by the routes that lead into the pod network."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from paddock.node import machine

if TYPE_CHECKING:
    from collections.abc import Sequence


def into(network: str, routes: Sequence[tuple[str, ipaddress.IPv4Network]] | None = None) -> list[str]:
    """Return the interfaces that routes into ``network`` lead to: one per pod.

    A pod's link goes away by itself with the pod's network namespace, a moment after its last process and mount.
    """
    pods = ipaddress.IPv4Network(network)
    known = machine.routes() if routes is None else routes
    return sorted({interface for interface, target in known if target.prefixlen and target.subnet_of(pods)})
