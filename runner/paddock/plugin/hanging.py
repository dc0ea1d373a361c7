"""Tests that hang: their stacks, taken before their worker is ended, and the limit after which that happens.

Owns which test each worker runs since when. Words of workers come from their receiver threads, everything else from
pytest's; the limit has a thread of its own. It must not know how stacks are taken.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from paddock.deadlines import Deadline
from paddock.workers.stacks import arranged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Hear = Callable[[str, str, Mapping[str, Any]], None]

PLUGIN = "paddock-hanging"
_MOMENT = 1.0
"""Seconds that an interrupt waits for stacks; they take a tenth of it."""
_PATIENCE = 2.0
"""Seconds for a worker's stacks to come: the supervisor gives it half a second, the rest is the network's."""


class Levers(Protocol):
    """What is needed of the workers; ``xdist_seam.Nodes``."""

    def ask_stacks(self, worker: str) -> None:
        """Have stacks taken."""

    def wait_stacks(self, worker: str, timeout: float) -> str:
        """Return them."""

    def end(self, worker: str) -> None:
        """End a worker, as if it had crashed."""


class Hanging:
    """Follows the running tests; ``keep(worker, stacks)`` takes the whole text, ``line`` writes to the terminal."""

    def __init__(
        self,
        levers: Callable[[], Levers],
        keep: Callable[[str, Mapping[str, str]], None],
        line: Callable[[str], None],
        limit: float | None,
    ) -> None:
        self._levers, self._keep, self._line, self._limit = levers, keep, line, limit
        self._changed = threading.Condition()
        self._running: dict[str, tuple[str, float]] = {}
        self._ended: dict[str, str] = {}
        self._closing = False
        self._thread: threading.Thread | None = None

    # ---- which test runs

    def beside(self, other: Hear) -> Hear:
        """Return what hears each word for both."""

        def hear(worker: str, word: str, content: Mapping[str, Any]) -> None:
            self.hear(worker, word, content)
            other(worker, word, content)

        return hear

    def hear(self, worker: str, word: str, content: Mapping[str, Any]) -> None:
        """Take in a worker's word."""
        with self._changed:
            if word == "logstart":
                self._running[worker] = content["nodeid"], time.monotonic()
                self._begin()
                self._changed.notify_all()
            elif word in {"logfinish", "workerfinished", "errordown"}:
                self._running.pop(worker, None)

    # ---- the limit of one test

    def _begin(self) -> None:
        if self._limit is not None and self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._guard, name="test-limit", daemon=True)
            self._thread.start()

    def _guard(self) -> None:
        while (worker := self._overdue()) is not None:
            self._end(worker)

    def _overdue(self) -> str | None:
        """Wait for a worker whose test has run for too long; ``None`` once this is closed."""
        with self._changed:
            while not self._closing:
                since = {worker: begun for worker, (_, begun) in self._running.items() if worker not in self._ended}
                first = min(since, key=lambda worker: since[worker], default=None)
                left = since[first] + (self._limit or 0) - time.monotonic() if first else None
                if first and left is not None and left <= 0:
                    self._ended[first] = self._running[first][0]
                    return first
                self._changed.wait(left)
        return None

    def _end(self, worker: str) -> None:
        self._levers().ask_stacks(worker)
        text = self._levers().wait_stacks(worker, _PATIENCE)
        with self._changed:
            still = self._running.get(worker, ("", 0.0))[0] == self._ended[worker]
            if not still:  # it has just ended by itself
                del self._ended[worker]
        if still:
            self._preserve(worker, text)
            self._levers().end(worker)

    # ---- an interrupt

    def interrupted(self) -> None:
        """Have the stacks of all running tests taken: where they are when somebody loses patience.

        They are waited for: of two signals at once the kernel hands one to another thread than the main one, and then
        SIGINT would not end what the test waits for.
        """
        deadline, workers = Deadline(_MOMENT), self._tests()
        for worker in workers:
            self._levers().ask_stacks(worker)
        for worker in workers:
            self._levers().wait_stacks(worker, deadline.remaining())

    def tell(self, workers: Iterable[str], *, anew: bool) -> None:
        """Tell where tests hang that did not end after an interrupt; ``anew`` if there is time to look again."""
        running = self._tests()
        hanging = [(worker, running[worker]) for worker in workers if worker in running]
        for worker, _ in hanging if anew else ():
            self._levers().ask_stacks(worker)
        for worker, test in hanging:
            text = self._levers().wait_stacks(worker, _PATIENCE if anew else 0)
            self._preserve(worker, text)
            self._line(f"{worker} does not end: it is still in {test}{_below(text)}")

    # ---- the end of a worker

    def has_ended(self, worker: str) -> bool:
        """Return whether the worker was ended here, for its test's limit."""
        return worker in self._ended

    @pytest.hookimpl(trylast=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Add to a crashed test's report where it was, if that is known."""
        node: Any = getattr(report, "node", None)
        if node is None:
            return
        worker = node.gateway.id
        text = self._levers().wait_stacks(worker, 0)
        if self._ended.get(worker) == report.nodeid:
            report.longrepr = (
                f"{report.longrepr}\nThe test took longer than {self._limit:g} s, the limit of --paddock-test-limit, "
                f"and its worker was ended{_below(text) or '; it gave no stacks'}"
            )
        elif text:
            report.longrepr = f"{report.longrepr}\nBefore its worker was ended, it was{_below(text)}"
            self._preserve(worker, text)

    def close(self) -> None:
        """Look no more; idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _tests(self) -> dict[str, str]:
        with self._changed:
            return {worker: test for worker, (test, _) in self._running.items()}

    def _preserve(self, worker: str, text: str) -> None:
        if text:
            self._keep(worker, {"stacks.txt": text})


def _below(text: str) -> str:
    return f" here:\n{arranged(text)}" if text else ""
