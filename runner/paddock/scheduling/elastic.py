"""Lets xdist's own schedulers begin without waiting for every worker, and go on without the ones that never come.

xdist's schedulers begin when a number of workers fixed beforehand have collected; one that never comes stops them
all. Here a scheduler meets a worker only once the worker has collected the same tests as the first one did, and the
number it waits for is set to those that are there.
It knows xdist's scheduler protocol (pytest-xdist 3.8); it must not know engines, pods or pytest's session.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from xdist.report import report_collection_diff

from paddock.scheduling import crashes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xdist.scheduler import Scheduling
    from xdist.workermanage import WorkerController

STRAGGLERS = 2.0
"""Seconds that the first collected worker waits for the others: workers of one cluster start within about a second of
one another, and tests shared out among all of them at once are shared out better than among the first alone."""


class Outlook(Protocol):
    """What the scheduler needs to know of the run around it."""

    def awaited(self) -> int:
        """Return how many workers may still come and collect."""

    def wake_after(self, seconds: float) -> None:
        """Have ``remove_pending_tests_from_node`` called without tests after some time, as an event like any other."""

    def after_event(self, *, finished: bool) -> None:
        """Look around after each event; ``finished`` says that nobody needs further workers."""

    def began_without(self, missing: int) -> None:
        """Hear that tests begin while some workers are still to come."""

    def deviates(self, worker: str, difference: str) -> None:
        """Hear that a worker collected other tests than the first one."""


class ElasticScheduling:
    """xdist's ``Scheduling`` protocol in front of one of xdist's schedulers."""

    def __init__(self, inner: Scheduling, outlook: Outlook, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner: Any = inner
        self._outlook, self._clock = outlook, clock
        self._collecting: list[WorkerController] = []
        self._collected: list[WorkerController] = []
        self._official: list[str] | None = None
        self._first = ""
        self._begin_by = 0.0
        self._begun = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what plugins look up on a scheduler is xdist's affair
        return getattr(self._inner, name)

    @property
    def nodes(self) -> list[WorkerController]:
        """All workers that are ready, whether or not they have collected."""
        return [*self._inner.nodes, *self._collected, *self._collecting]

    @property
    def collection_is_completed(self) -> bool:
        """Whether xdist may call ``schedule``."""
        return self._begun or self._is_time()

    @property
    def has_pending(self) -> bool:
        """Whether tests have been handed out and not come back."""
        return self._begun and bool(self._inner.has_pending)

    @property
    def tests_finished(self) -> bool:
        """Whether no further test needs a worker; xdist asks once after each event, which makes it our clock."""
        if not self._begun and self._is_time():
            self._begin()
        finished = self._begun and bool(self._inner.tests_finished)
        self._outlook.after_event(finished=finished)
        return finished

    def add_node(self, node: WorkerController) -> None:
        """Note a worker that is ready and collects."""
        self._collecting.append(node)

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Admit a worker that collected the same tests as the first one; end one that did not, and tell."""
        self._note_first(node, collection)
        difference = self._difference(node, collection)
        if difference:
            self._outlook.deviates(node.gateway.id, difference)
            node.shutdown()
            return
        self._collecting.remove(node)
        if self._begun:
            self._admit(node)
        else:
            self._collected.append(node)

    def _note_first(self, node: WorkerController, collection: Sequence[str]) -> None:
        if self._official is None:
            self._official, self._first = list(collection), node.gateway.id
            self._begin_by = self._clock() + STRAGGLERS
            self._outlook.wake_after(STRAGGLERS)

    def _difference(self, node: WorkerController, collection: Sequence[str]) -> str | None:
        difference: str | None = report_collection_diff(self._official or [], collection, self._first, node.gateway.id)
        return difference

    def schedule(self) -> None:
        """Hand out tests, to workers that came late as well."""
        if self._begun:
            crashes.schedule_late(self._inner)
        else:
            self._begin()

    def _is_time(self) -> bool:
        return bool(self._collected) and (not self._outlook.awaited() or self._clock() >= self._begin_by)

    def _begin(self) -> None:
        self._begun = True
        self._inner.numnodes = len(self._collected)
        missing = self._outlook.awaited()
        if missing and self._official:  # without tests nothing begins that anybody could miss
            self._outlook.began_without(missing)
        for node in sorted(self._collected, key=_number):  # who came first is chance, who gets which test is not
            self._admit(node)
        self._collected.clear()
        self._inner.schedule()

    def _admit(self, node: WorkerController) -> None:
        self._inner.add_node(node)
        self._inner.add_node_collection(node, self._official)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Note that a test is over."""
        self._inner.mark_test_complete(node, item_index, duration)

    def mark_test_pending(self, item: str) -> None:
        """Queue a test again, as plugins do after a crash."""
        self._inner.mark_test_pending(item)

    def remove_pending_tests_from_node(self, node: WorkerController | None, indices: Sequence[int]) -> None:
        """Take tests back from a worker; without one it is the wake-up call, and ``tests_finished`` does the rest."""
        if node is not None:
            self._inner.remove_pending_tests_from_node(node, indices)

    def remove_node(self, node: WorkerController) -> str | None:
        """Forget a worker and return the test it was running, if it crashed.

        Raises:
            KeyError: the worker is unknown, which xdist expects.
        """
        for early in (self._collecting, self._collected):
            if node in early:
                early.remove(node)
                return None
        return crashes.remove_node(self._inner, node)


def _number(node: WorkerController) -> tuple[int, str]:
    """Return what puts gw2 before gw10."""
    worker = str(node.gateway.id)
    return len(worker), worker
