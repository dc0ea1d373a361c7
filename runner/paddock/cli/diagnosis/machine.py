"""Checks of this machine, as far as the embedded node needs it; none applies where another cluster was chosen."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.cli.diagnosis.findings import OK, WARN, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.cli.diagnosis.findings import Surroundings

_MEMORY_OF_NODE, _MEMORY_OF_WORKER = 1.5, 0.5
"""GiB: the node's programs use about 1 GB; an idle worker with its services 0.2 GB, and a suite wants some as well."""


def privilege(here: Surroundings) -> Finding | None:
    """Linux and root."""
    if not here.is_embedded:
        return None
    from paddock.node.privilege import require_root  # noqa: PLC0415 - for the embedded node only

    require_root()
    return Finding(OK, f"root on Linux {os.uname().release}")


def preflight(name: str, well: str) -> Callable[[Surroundings], Finding | None]:
    """Return the check that the node itself makes under that name before it starts."""

    def check(here: Surroundings) -> Finding | None:
        if not here.is_embedded:
            return None
        from paddock.node.preflight import CHECKS  # noqa: PLC0415 - for the embedded node only

        CHECKS[name]()
        return Finding(OK, well)

    return check


def memory(here: Surroundings) -> Finding | None:
    """Room for the node and two workers."""
    if not here.is_embedded:
        return None
    free = available_memory(Path("/proc/meminfo").read_text(encoding="ascii"))
    needed = 2 * _MEMORY_OF_WORKER + (0 if here.cluster else _MEMORY_OF_NODE)
    if free < needed:
        return Finding(
            WARN, f"{free:.1f} GiB of memory are free, and two workers want {needed:.1f}.", "Free some, or use -n 1."
        )
    return Finding(OK, f"{free:.1f} GiB of memory free, {os.cpu_count()} processors")


def available_memory(meminfo: str) -> float:
    """Return the GiB that the kernel would give away without swapping."""
    line = next(line for line in meminfo.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) / 2**20


def ports(here: Surroundings) -> Finding | None:
    """The node's ports; a taken one is replaced, which whoever wrote down an address should know."""
    if not here.is_embedded:
        return None
    if here.cluster:
        return Finding(OK, f"the node answers at {here.cluster.server}")
    from paddock.node.layout import Ports  # noqa: PLC0415 - for the embedded node only
    from paddock.node.planning import free_ports, port_is_free  # noqa: PLC0415 - as above

    wanted, chosen = asdict(Ports()), asdict(free_ports(Ports(), port_is_free))
    moved = [f"{name} {wanted[name]} -> {chosen[name]}" for name in wanted if wanted[name] != chosen[name]]
    if moved:
        return Finding(WARN, f"Ports in use here are replaced: {', '.join(moved)}.", "Nothing, or free them.")
    return Finding(OK, f"{len(wanted)} ports from {min(wanted.values())} to {max(wanted.values())} are free")


def programs(here: Surroundings) -> Finding | None:
    """The node's programs, which are built once."""
    if not here.is_embedded:
        return None
    from paddock.node.building import missing_builds  # noqa: PLC0415 - for the embedded node only
    from paddock.node.places import cache_folder  # noqa: PLC0415 - as above

    missing = missing_builds()
    if missing:
        return Finding(
            WARN,
            f"Not built yet: {', '.join(missing)}. The first start does it, which takes minutes and a network.",
            "paddock node up",
        )
    return Finding(OK, f"the node's programs are built, in {cache_folder()}")
