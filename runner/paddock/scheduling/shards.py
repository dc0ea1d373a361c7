"""Which part of a suite one of several CI jobs runs: complete and disjoint, and the same when a job is repeated. Pure.

By name nothing but a unit's own name decides: jobs that collect other tests, or know other times, still run every test
exactly once. By times the parts take equally long, as long as all jobs know the same times: ``fingerprint`` tells.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Shard:
    """One part; counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{self.number}/{self.of}"


def by_name(names: Mapping[str, float], of: int) -> dict[str, int]:
    """Return the shard of each unit, by its name alone; the seconds are of no account."""
    return {name: 1 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % of for name in names}


def by_times(names: Mapping[str, float], of: int) -> dict[str, int]:
    """Return the shard of each unit so that all take about as long (Graham's LPT, 1969)."""
    load = [(0.0, number) for number in range(1, of + 1)]
    heapify(load)
    shards = {}
    for name, seconds in sorted(names.items(), key=lambda one: (-one[1], one[0])):
        taken, number = load[0]
        shards[name] = number
        heapreplace(load, (taken + seconds, number))
    return shards


def fingerprint(shards: Mapping[str, int]) -> str:
    """Return what jobs have in common that share out the same tests in the same way."""
    text = "\n".join(f"{number} {name}" for name, number in sorted(shards.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:8]
