"""Begins a run without waiting for every worker, and goes on without the ones that never come.

xdist's schedulers begin when a number of workers fixed beforehand have collected; one that never comes stops them
all. ``Front`` admits a worker once it has collected the same tests as the first one did. ``ElasticScheduling`` puts it
before a scheduler of the user's own, which is told the number of those that are there; ours is in ``planned``.
It knows xdist's scheduler protocol (pytest-xdist 3.8); it must not know engines, pods or pytest's session.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Protocol

from xdist.report import report_collection_diff

from paddock.scheduling import crashes
from paddock.scheduling.sizing import Left

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xdist.scheduler import Scheduling
    from xdist.workermanage import WorkerController

STRAGGLERS = 2.0
"""Seconds that the first collected worker waits for the others: workers of one cluster start within about a second of
one another, and tests shared out among all of them at once are shared out better than among the first alone."""
LOOK_AGAIN = 1.0
"""Seconds after which a run with workers in reserve looks around although nothing has happened: a fraction of what a
worker takes to come."""


class Stage(Enum):
    """How far a test has come on a worker, by the worker's own words."""

    WAITING = auto()
    """It has not said that the test has begun."""
    BEGUN = auto()
    OVER = auto()
    """It has reported all of the test, though xdist may not have heard that yet."""


class Outlook(Protocol):
    """What the scheduler needs to know of the run around it."""

    def awaited(self) -> int:
        """Return how many workers may come and collect any moment."""

    def missing(self) -> int:
        """Return how many workers have not collected, also those that nobody waits for."""

    def wake_after(self, seconds: float) -> None:
        """Have ``remove_pending_tests_from_node`` called without tests after some time, as an event like any other."""

    def stage(self, worker: str, test: str) -> Stage:
        """Return how far a test has come on a worker that was sent it."""

    def ask_worker(self, *, needed: bool) -> bool:
        """Have one more worker made, and return whether it will be; ``needed`` if no other can do the rest.

        If it is not, only where there are fewer than the run was given.
        """

    def after_event(self, *, finished: bool) -> None:
        """Look around after each event; ``finished`` says that nobody needs further workers."""

    def staff(self, left: Callable[[], Left]) -> bool:
        """Look, after each event, whether there are too few or too many workers; ``left`` says what for.

        Returns whether time alone may call for one more: tests that take longer than expected bring no event.
        """

    def began_without(self) -> None:
        """Hear that tests run while some workers are still to come."""

    def deviates(self, worker: str, difference: str) -> None:
        """Hear that a worker collected other tests than the first one."""


class Front(ABC):
    """The half of xdist's ``Scheduling`` protocol that is about who is there."""

    def __init__(self, outlook: Outlook, clock: Callable[[], float] = time.monotonic) -> None:
        self._outlook, self._clock = outlook, clock
        self._collecting: list[WorkerController] = []
        self._collected: list[WorkerController] = []
        self._official: list[str] | None = None
        self._first = ""
        self._begin_by = self._tell_by = float("inf")
        self._look_at = float("-inf")
        self._begun = self._finished = self._is_news_less = False

    # ---- what stands behind

    @property
    @abstractmethod
    def _admitted(self) -> list[WorkerController]:
        """The workers that were begun with or admitted, and have not gone."""

    @abstractmethod
    def _begin_with(self, nodes: list[WorkerController], tests: list[str]) -> None:
        """Begin the run."""

    @abstractmethod
    def _admit(self, node: WorkerController, tests: list[str]) -> None:
        """Take in a worker that came after the beginning."""

    @property
    @abstractmethod
    def _is_over(self) -> bool:
        """Whether no test needs a worker any more."""

    def _look_around(self) -> None:  # noqa: B027 - for those who have something to look for
        """Do what no event of its own tells to do."""

    def run_again(self, test: str, avoiding: str) -> bool:  # noqa: ARG002 - for those who can
        """Have a test run once more, on another worker than ``avoiding`` if there is one; return whether it will.

        A scheduler of the user's own is not asked: xdist's protocol has no way to.
        """
        return False

    def _patience(self, tests: Sequence[str]) -> float:  # noqa: ARG002 - for those who can judge by the tests
        """Return how many seconds the first worker waits for the others."""
        return STRAGGLERS

    def _left(self) -> Left:
        """Return what is left of the run: for a scheduler that does not say, enough for everybody."""
        return Left(len(self._official or ()), float("inf"))

    # ---- xdist's protocol

    @property
    def nodes(self) -> list[WorkerController]:
        """All workers that are ready, whether or not they have collected."""
        return [*self._admitted, *self._collected, *self._collecting]

    @property
    def collection_is_completed(self) -> bool:
        """Whether xdist may call ``schedule``."""
        return self._begun or self._is_time()

    @property
    def tests_finished(self) -> bool:
        """Whether no further test needs a worker; xdist asks once after each event, which makes it our clock."""
        if self._is_news_less:
            self._is_news_less = False
        else:
            self._finished = self._after_event()
        return self._finished

    def _after_event(self) -> bool:
        if not self._begun and self._is_time():
            self._begin()
        if self._begun:
            self._look_around()
        finished = self._begun and self._is_over
        self._outlook.after_event(finished=finished)
        if self._official is not None and not finished and self._outlook.staff(self._left):
            self._look_again()
        if self._begun and self._clock() >= self._tell_by:
            self._tell_missing()
        return finished

    def _look_again(self) -> None:
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN
            self._outlook.wake_after(LOOK_AGAIN)

    def nothing_new(self) -> None:
        """Hear that the event which xdist is about to ask after changes nothing here: two of three are such."""
        self._is_news_less = True

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
            self._admit(node, self._official or [])
        else:
            self._collected.append(node)

    def _note_first(self, node: WorkerController, collection: Sequence[str]) -> None:
        if self._official is None:
            self._official, self._first = list(collection), node.gateway.id
            patience = self._patience(collection)
            self._begin_by, self._tell_by = self._clock() + patience, self._clock() + STRAGGLERS
            for seconds in sorted({patience, STRAGGLERS}):
                self._outlook.wake_after(seconds)

    def _difference(self, node: WorkerController, collection: Sequence[str]) -> str | None:
        difference: str | None = report_collection_diff(self._official or [], collection, self._first, node.gateway.id)
        return difference

    def schedule(self) -> None:
        """Begin, if that is still to be done."""
        if not self._begun:
            self._begin()

    def _is_time(self) -> bool:
        return bool(self._collected) and (not self._outlook.awaited() or self._clock() >= self._begin_by)

    def _begin(self) -> None:
        self._begun = True
        nodes = sorted(self._collected, key=_number)  # who came first is chance, who gets which test is not
        self._collected.clear()
        self._begin_with(nodes, self._official or [])

    def _tell_missing(self) -> None:
        self._tell_by = float("inf")
        if self._outlook.missing() and not self._is_over:  # without tests nothing began that anybody could miss
            self._outlook.began_without()

    def _forget_early(self, node: WorkerController) -> bool:
        """Return whether a worker that leaves had not been admitted."""
        for early in (self._collecting, self._collected):
            if node in early:
                early.remove(node)
                return True
        return False


class ElasticScheduling(Front):
    """The front of a scheduler that is not ours."""

    def __init__(self, inner: Scheduling, outlook: Outlook, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(outlook, clock)
        self._inner: Any = inner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what plugins look up on a scheduler is xdist's affair
        return getattr(self._inner, name)

    @property
    def _admitted(self) -> list[WorkerController]:
        return list(self._inner.nodes)

    @property
    def _is_over(self) -> bool:
        return bool(self._inner.tests_finished)

    @property
    def has_pending(self) -> bool:
        """Whether tests have been handed out and not come back."""
        return self._begun and bool(self._inner.has_pending)

    def schedule(self) -> None:
        """Hand out tests, to workers that came late as well."""
        if self._begun:
            crashes.schedule_late(self._inner)
        else:
            self._begin()

    def _begin_with(self, nodes: list[WorkerController], tests: list[str]) -> None:
        self._inner.numnodes = len(nodes)
        for node in nodes:
            self._admit(node, tests)
        self._inner.schedule()

    def _admit(self, node: WorkerController, tests: list[str]) -> None:
        self._inner.add_node(node)
        self._inner.add_node_collection(node, tests)

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
        crashed = None if self._forget_early(node) else crashes.remove_node(self._inner, node)
        if crashed and self._outlook.stage(node.gateway.id, crashed) is Stage.OVER:
            return None
        return crashed


def _number(node: WorkerController) -> tuple[int, str]:
    """Return what puts gw2 before gw10."""
    worker = str(node.gateway.id)
    return len(worker), worker
