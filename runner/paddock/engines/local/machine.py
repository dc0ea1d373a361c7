"""What this machine has free for workers, for ``-n auto`` in the local engine. It must not know what they will do."""

from __future__ import annotations

import os
from pathlib import Path

from paddock.engines.room import Resources, Room

_MEMORY = Path("/proc/meminfo")
_MANY = 10_000
"""Workers that no other limit would allow: there is none on processes that is ours to know."""
_WORKER = 256 << 20
"""Bytes that a worker with a broker and a database is taken to need until a run has measured it."""


def free() -> Room:
    """Return the processors that this process may use, and the memory that the kernel says is available."""
    cores, memory = len(os.sched_getaffinity(0)), available(_MEMORY.read_text(encoding="ascii"))
    return Room(
        free=[Resources(cpu=float(cores), memory=float(memory), pods=_MANY)],
        worker=Resources(memory=float(_WORKER)),
        memory_limit=float(_WORKER),
    )


def available(meminfo: str) -> int:
    """Return the bytes that new processes can take without swapping, as proc(5) tells."""
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0
