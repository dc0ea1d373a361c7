"""The wait of a run for hardware that others hold: its place, who holds it since when, and for how long at most.

Owns the waiting, in the thread of the worker that needs it; the run's other workers go on. Order and membership of the
queue are ``namespaces.turns``'s, what nodes have and pods hold is ``engines.hardware``'s.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from paddock.engines import equipment, expectation, hardware, patience
from paddock.errors import ClusterError, NotAllowed
from paddock.namespaces import causes, records
from paddock.namespaces.turns import Need, Turns, need_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from paddock.cluster.client import Cluster
    from paddock.cluster.requests import Manifest
    from paddock.devices.holders import Supply
    from paddock.engines.request import RunRequest
    from paddock.namespaces.forecast import Forecast
    from paddock.namespaces.turns import Queue
    from paddock.specs import Cause

_LOOK_EVERY = 2.0
"""Seconds between two looks, each of which lists nodes, pods and records: what is freed is soon taken, and a large
cluster's API server is not kept busy."""
_NAMED = 3
"""Holders that are named; the others are counted."""


class Turn:
    """The turn of one worker of a run, whose pod is asked for when it has come; ``words`` say what it waits for."""

    def __init__(
        self,
        cluster: Cluster,
        worker: str,
        request: RunRequest,
        has_gone: Callable[[str], bool],
        forecast: Forecast,
    ) -> None:
        self._cluster, self._worker, self._request = cluster, worker, request
        self._forecast = forecast
        self._wanted = equipment.resources(request.hardware)
        self._turns = Turns(cluster, request.run_id, self._wanted, has_gone)
        self._given_up = threading.Event()
        self._words = ""

    def enter(self, found: Sequence[Supply]) -> bool:
        """Begin to wait, if that is needed by what was ``found`` on nodes; who may not see records does not.

        Raises:
            ClusterError: nobody could be asked.
        """
        with suppress(NotAllowed):
            self._note(self._turns.look(), found)
            if self._words:
                self._turns.enter(self._forecast.seconds)
                self._forecast.wait_with(self._wanted)
        return bool(self._words)

    def words_for(self, worker: str) -> str:
        """Return what a worker waits for, or has waited for in vain; empty for the others."""
        return self._words if worker == self._worker else ""

    def cause_of(self, worker: str) -> Cause | None:
        """Return the same as a cause."""
        words = self.words_for(worker)
        return causes.tell(causes.Kind.TURN, words=words) if words else None

    @contextmanager
    def awaited_by(self, worker: str) -> Iterator[None]:
        """Begin when it is the worker's turn, and let the next run have its own at the end.

        In between this run stays the first, so that nobody counts on the device that its pod is about to get.

        Raises:
            LeaseError: the time is over, or the run.
        """
        if worker != self._worker:
            yield
            return
        try:
            self._wait()
            yield
            self._forecast.wait_no_more()
            self._forecast.tell(self._cluster, self._request.run_id)
        finally:
            with suppress(ClusterError):  # with the run's record its place goes too
                self._turns.leave()

    def give_up(self, worker: str) -> None:
        """Wait no more, if it is this worker that is not needed any more."""
        if worker == self._worker:
            self.close()

    def close(self) -> None:
        """Wait no more."""
        self._given_up.set()

    def _wait(self) -> None:
        # For what it waits is told as the cause.
        patience.await_turn(self._is_now, self._request.wait, _LOOK_EVERY, self._given_up, what=lambda: "")

    def _is_now(self) -> bool | None:
        with suppress(ClusterError):  # asked again: whoever waits has the time
            self._note(self._turns.look(), hardware.supplies(self._cluster))
        return None if self._words else True

    def _note(self, queue: Queue, found: Sequence[Supply]) -> None:
        """Note what there is to wait for: nothing, if nobody comes before this run and there is hardware for a pod."""
        if not queue.before and hardware.places_with(self._request, found):
            self._words = ""
            return
        resources = " and ".join(sorted(self._wanted))
        who = held_by([one for one in found if one.resource in self._wanted], queue.records)
        place = f"its turn for {resources}, place {len(queue.before) + 1}"
        self._words = "; ".join(filter(None, [place, f"held by {who}" if who else "", self._when(queue, found)]))

    def _when(self, queue: Queue, found: Sequence[Supply]) -> str:
        """Return when the turn comes, in words."""
        own = Need(self._request.run_id, self._wanted, None)
        needs = [*(need_of(queue.records[run]) for run in queue.before), own]
        *_, turn = expectation.turns_of(needs, found, queue.records, self._cluster.time())
        if not queue.before and self._would_do(found):
            return "no estimate: what is free is not together on a node"
        return turn.words

    def _would_do(self, found: Sequence[Supply]) -> bool:
        """Return whether so much is free, on whatever nodes."""
        free: Counter[str] = Counter()
        for one in found:
            free[one.resource] += one.free
        return all(free[resource] >= count for resource, count in self._wanted.items())


def held_by(found: Sequence[Supply], recorded: Mapping[str, Manifest]) -> str:
    """Return who holds what there is, in words: run and worker, whose run it is, and since when."""
    holders = list(dict.fromkeys(holder for one in found for holder in one.holders))
    named = [_named(one, recorded) for one in holders[:_NAMED]]
    more = [f"{len(holders) - _NAMED} more"] if len(holders) > _NAMED else []
    return ", ".join([*named, *more])


def _named(holder: str, recorded: Mapping[str, Manifest]) -> str:
    record = recorded.get(holder.partition("/")[0])
    return f"{holder} ({', '.join(_facts(record))})" if record else holder


def _facts(record: Manifest) -> Iterator[str]:
    yield records.owner(record)
    if since := record["metadata"].get("creationTimestamp"):
        yield f"since {since}"
