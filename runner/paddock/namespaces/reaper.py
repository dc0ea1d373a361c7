"""Ends runs that nobody leads any more: their record has stopped changing, or their process is known to have gone.

Judged by state and not by age: an observer notes when it saw a record change last, by its own clock, and waits for the
record's own duration and ``GRACE``, as leader election in Kubernetes' client-go does
(tools/leaderelection/leaderelection.go, ``observedTime``): no two clocks are ever compared. A run is taken over with
the record's version as a condition before anything of it is deleted: of two reapers one wins, and a client that comes
back wins or learns that it has lost. What may be deleted decides ``namespaces.release``.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock import names
from paddock.errors import ClusterError
from paddock.namespaces import records
from paddock.namespaces.release import reap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.specs import Account

GRACE = 10.0
"""Seconds beyond a record's duration: a client that hangs on a slow disk or API server comes back within it."""
_LOOK_EVERY = 5.0
_OURS = "reaper/"
"""What a reaper puts before its own name in a record. It does not renew it: one that dies is followed by the next."""


@dataclass(frozen=True)
class _Pulse:
    state: tuple[str, str]
    """Whatever a renewal changes."""
    since: float


class Pulses:
    """What one observer has seen of the records; pure, ``now`` is its own clock in seconds."""

    def __init__(self, grace: float = GRACE) -> None:
        self._grace = grace
        self._seen: dict[str, _Pulse] = {}

    def stopped(self, found: Iterable[Manifest], now: float) -> list[Manifest]:
        """Take in the records as they are now, and return those that have not changed for too long."""
        there = {record["metadata"]["name"]: record for record in found}
        self._seen = {name: self._pulse(name, record, now) for name, record in there.items()}
        return [there[name] for name, pulse in self._seen.items() if now - pulse.since > self.patience(there[name])]

    def patience(self, record: Manifest) -> float:
        """Return the seconds after which an unchanged record is nobody's; endless for one that was never renewed."""
        duration = record["spec"].get("leaseDurationSeconds")
        return duration + self._grace if duration else float("inf")

    def _pulse(self, name: str, record: Manifest, now: float) -> _Pulse:
        spec = record["spec"]
        state = (str(spec.get("holderIdentity")), str(spec.get("renewTime")))
        before = self._seen.get(name)
        return before if before and before.state == state else _Pulse(state, now)


class Reaper:
    """One observer that ends what it finds without a leader; ``has_gone`` knows holders of this machine."""

    def __init__(self, cluster: Cluster, holder: str, has_gone: Callable[[str], bool]) -> None:
        self._cluster, self._holder, self._has_gone = cluster, holder, has_gone
        self._pulses = Pulses()

    def find(self) -> list[Manifest]:
        """Return the records of the runs that nobody leads, as far as is known by now."""
        found = records.recorded(self._cluster)
        stopped = self._pulses.stopped(found, time.monotonic())
        return [record for record in found if record in stopped or self._has_gone(_leader(record))]

    def patience(self) -> float:
        """Return the seconds after which ``find`` knows of every record that is there now."""
        known = [self._pulses.patience(record) for record in records.recorded(self._cluster)]
        return max((one for one in known if one < float("inf")), default=0.0)

    def end(self, record: Manifest, *, seconds: float) -> Account | None:
        """Take a run over and end it; ``None`` if somebody else did, or leads it after all."""
        if not records.take_over(self._cluster, record, f"{_OURS}{self._holder}"):
            return None
        return reap(self._cluster, run_of(record), seconds=seconds)

    def sweep(self, *, seconds: float) -> Mapping[str, Account]:
        """End every run that nobody leads; return the account of each."""
        ends = {run_of(record): self.end(record, seconds=seconds) for record in self.find()}
        return {run: account for run, account in ends.items() if account}


def run_of(record: Manifest) -> str:
    """Return the id of the run that a record is of."""
    return str(record["metadata"]["labels"][names.RUN])


def _leader(record: Manifest) -> str:
    return str(record["spec"].get("holderIdentity", ""))


class Sweeper:
    """Sweeps now and then beside a run, from a thread of its own; nothing of it ever reaches the run."""

    def __init__(self, reaper: Reaper, every: float = _LOOK_EVERY) -> None:
        self._reaper, self._every = reaper, every
        self._closing = threading.Event()
        self._ended: list[str] = []
        self._thread = threading.Thread(target=self._sweep, name="sweeper", daemon=True)
        self._thread.start()

    def close(self) -> list[str]:
        """Sweep no more, and return what is to be told, in sentences."""
        self._closing.set()
        self._thread.join()
        return [f"ended the run {run}, which nobody led any more" for run in self._ended]

    def _sweep(self) -> None:
        while not self._closing.wait(self._every):
            with suppress(ClusterError):  # no right to, or nobody there: whoever comes next will
                self._ended += self._reaper.sweep(seconds=0)
