"""Evidence that the kernel killed something in this container for its memory.

Owns the reading of the control group's files, of both versions. It must not know processes. On version 1 only the
greedy process dies, the pod keeps running and Kubernetes shows no reason: without this nobody would know.
"""

from __future__ import annotations

from typing import NamedTuple

_UNLIMITED = 1 << 60  # version 1 writes a huge figure for "no limit", version 2 the word "max"


class Memory(NamedTuple):
    """Kills counted so far, the limit and the highest use in bytes; 0 where unknown or unlimited."""

    kills: int = 0
    limit: int = 0
    peak: int = 0


def read_memory(cgroup: str = "/sys/fs/cgroup") -> Memory:
    """Return the state of the container's own control group below ``cgroup``; zeros where there is none."""
    counters = _text(f"{cgroup}/memory.events") or _text(f"{cgroup}/memory/memory.oom_control")
    limit = _text(f"{cgroup}/memory.max") or _text(f"{cgroup}/memory/memory.limit_in_bytes")
    peak = _text(f"{cgroup}/memory.peak") or _text(f"{cgroup}/memory/memory.max_usage_in_bytes")
    return Memory(_counter(counters, "oom_kill"), _bytes(limit), _bytes(peak))


def cause_of(before: Memory, after: Memory, signal: int | None) -> str:
    """Return in plain words what memory has to do with a worker's end by ``signal``; empty for nothing."""
    if after.kills <= before.kills:
        return ""
    limit = f" ({after.limit >> 20} MiB)" if after.limit else ""
    if signal == 9:  # noqa: PLR2004 - SIGKILL, the kernel's only way
        return f"It was killed for exceeding its memory limit{limit}. Raise the limit or run fewer tests at once in it."
    return f"A process it had started was killed for exceeding the memory limit{limit}."


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 - pathlib takes 10 ms to import, at every start of a pod
            return file.read()
    except OSError:
        return ""


def _counter(text: str, name: str) -> int:
    values = dict(line.split()[:2] for line in text.splitlines() if len(line.split()) > 1)
    return int(values.get(name, 0))


def _bytes(text: str) -> int:
    value = text.strip()
    return int(value) if value.isdigit() and int(value) < _UNLIMITED else 0
