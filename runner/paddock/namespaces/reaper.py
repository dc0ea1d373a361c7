"""Ends runs that nobody leads any more: their record has stopped changing, or their process is known to have gone.

What nobody leads on purpose, until a time, ends at that time by the API server's clock: see ``namespaces.expiry``.

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
from paddock.namespaces import expiry, records
from paddock.namespaces.release import await_gone, reap
from paddock.specs import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest

GRACE = 10.0
"""Seconds beyond a record's duration: a client that hangs on a slow disk or API server comes back within it."""
_LOOK_EVERY = 5.0
_PARTING_SECONDS = 0.1  # a sweep that ends with the process is taken up by the next reaper, as any other
_OURS = "reaper/"
"""What a reaper puts before its own name in a record. It does not renew it: one that dies is followed by the next."""


@dataclass(frozen=True)
class _Pulse:
    state: tuple[str, str]
    """Whatever a renewal changes."""
    since: float


class Pulses:
    """What one observer has seen of the records; pure, ``now`` is its own clock in seconds.

    Only time in which it looked counts: while an API server is down nobody can renew a record, and afterwards all have
    the same time to come back.
    """

    def __init__(self, grace: float = GRACE) -> None:
        self._grace = grace
        self._looked = float("-inf")
        self._seen: dict[str, _Pulse] = {}

    def stopped(self, found: Iterable[Manifest], now: float) -> list[Manifest]:
        """Take in the records as they are now, and return those that have not changed for too long."""
        if now - self._looked > self._grace:
            self._seen = {}
        self._looked = now
        there = {record["metadata"]["name"]: record for record in found}
        self._seen = {name: self._pulse(name, record, now) for name, record in there.items()}
        return [there[name] for name, pulse in self._seen.items() if now - pulse.since > self.patience(there[name])]

    def patience(self, record: Manifest) -> float:
        """Return the seconds after which an unchanged record is nobody's; endless for one that was never renewed."""
        duration = record["spec"].get("leaseDurationSeconds")
        return duration + self._grace if duration else float("inf")

    def _pulse(self, name: str, record: Manifest, now: float) -> _Pulse:
        state = (records.leader(record), str(record["spec"].get("renewTime")))
        before = self._seen.get(name)
        return before if before and before.state == state else _Pulse(state, now)


class Reaper:
    """One observer that ends what it finds without a leader; ``has_gone`` knows holders of this machine."""

    def __init__(self, cluster: Cluster, holder: str, has_gone: Callable[[str], bool]) -> None:
        self._cluster, self._holder, self._has_gone = cluster, holder, has_gone
        self._pulses = Pulses()
        self._seen: list[Manifest] = []

    def find(self) -> list[Manifest]:
        """Return the records of the runs that nobody leads, as far as is known by now."""
        found = self._seen = records.recorded(self._cluster)
        stopped = self._pulses.stopped(found, time.monotonic())
        now = self._cluster.time()
        led = [record for record in found if not expiry.is_reserved(record)]
        over = [record for record in found if expiry.is_reserved(record) and expiry.is_over(record, now)]
        return [*over, *(record for record in led if record in stopped or self._has_gone(records.leader(record)))]

    def patience(self) -> float:
        """Return the seconds after which ``find`` knows of every record that was led when it looked last."""
        led = [record for record in self._seen if not expiry.is_reserved(record)]
        known = [self._pulses.patience(record) for record in led]
        return max((one for one in known if one < float("inf")), default=0.0)

    def end(self, record: Manifest, *, seconds: float) -> Account | None:
        """Take a run over and end it; ``None`` if somebody else did, or leads it after all."""
        if not records.take_over(self._cluster, record, f"{_OURS}{self._holder}"):
            return None
        return reap(self._cluster, run_of(record), seconds=seconds)

    def sweep(self, *, seconds: float) -> Mapping[str, Account]:
        """End every run that nobody leads; return the account of each."""
        ends = {run_of(record): self._ended(record, seconds) for record in self.find()}
        return {run: account for run, account in ends.items() if account}

    def obstacles(self, run_id: str) -> Mapping[str, str]:
        """Return which namespaces of a run are still going away, and what keeps each."""
        return await_gone(self._cluster, run_id, 0)

    def _ended(self, record: Manifest, seconds: float) -> Account | None:
        """End a run; what fails with one leaves the others to be ended."""
        try:
            return self.end(record, seconds=seconds)
        except ClusterError as error:
            return Account(created=(), deleted=(), left={records.record_name(run_of(record)): str(error)})


def run_of(record: Manifest) -> str:
    """Return the id of the run that a record is of."""
    return str(record["metadata"]["labels"][names.RUN])


class Sweeper:
    """Sweeps now and then beside a run, from a thread of its own; nothing of it ever reaches the run."""

    def __init__(self, reaper: Reaper, every: float = _LOOK_EVERY) -> None:
        self._reaper, self._every = reaper, every
        self._closing = threading.Event()
        self._ended: list[str] = []
        self._thread = threading.Thread(target=self._sweep, name="sweeper", daemon=True)
        self._thread.start()

    def close(self) -> list[str]:
        """Sweep no more, and return what is to be told, in sentences; a sweep under way is not waited for long."""
        self._closing.set()
        self._thread.join(_PARTING_SECONDS)
        return [f"ended the run {run}, which nobody led any more" for run in self._ended]

    def _sweep(self) -> None:
        while not self._closing.wait(self._every):
            with suppress(ClusterError):  # no right to, or nobody there: whoever comes next will
                ended = self._reaper.sweep(seconds=0)
                self._ended += [run for run, account in ended.items() if not account.left]
