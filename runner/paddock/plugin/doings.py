"""What each worker is at, out of its own words, for whoever looks at the run from outside.

Pure: words in, values out. A worker's words come from one thread, its receiver's, and so its value has one owner.
It must not know engines or clusters.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from paddock.specs import COLLECTING, ENDED, TESTING, WAITING, Awaited, Doing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PHASES = {
    "workerready": COLLECTING,
    "collectionfinish": WAITING,
    "logstart": TESTING,
    "workerfinished": ENDED,
    "errordown": ENDED,
}
"""xdist's word -> what the worker is at from then on."""
AWAITS = "paddock_awaits"
"""Our own word: the next test waits for a device, see ``specs.Awaited``, until one of xdist's follows."""

_FIGURES = {
    ("setup", "failed"): "errors",
    ("setup", "skipped"): "skipped",
    ("call", "passed"): "passed",
    ("call", "failed"): "failed",
    ("call", "skipped"): "skipped",
    ("teardown", "failed"): "errors",
}
"""(phase of a test, outcome) -> the figure it adds to; plugins bring outcomes of their own, which add to none."""


class Doings:
    """Follows all workers and passes on each change."""

    def __init__(self, tell: Callable[[str, Doing], None]) -> None:
        self._tell = tell
        self._workers: dict[str, Doing] = defaultdict(Doing)
        self.last_tests: dict[str, str] = {}
        """Worker that went without a word -> the test that it was running."""

    def hear(self, worker: str, word: str, content: Mapping[str, Any]) -> None:
        """Take in a worker's word."""
        before = self._workers[worker]
        after = self._workers[worker] = advanced(before, word, content)
        if word == "errordown" and before.running:
            self.last_tests[worker] = before.running
        if after is not before:
            self._tell(worker, after)


def advanced(doing: Doing, word: str, content: Mapping[str, Any]) -> Doing:
    """Return what the worker is at after a word; the same object where the word says nothing about it."""
    if word == "testreport":
        field = counted(content["rep"])
        return replace(doing, **{field: getattr(doing, field) + 1}) if field else doing
    if word == "logfinish":
        return replace(doing, running="")
    if word == AWAITS:
        return replace(doing, phase=TESTING, awaits=Awaited(**content))
    if word in _PHASES:
        running = content["nodeid"] if word == "logstart" else ""
        return replace(doing, phase=_PHASES[word], running=running, awaits=None)
    return doing


def counted(report: pytest.TestReport) -> str:
    """Return the figure that a report adds to; empty for a set-up or tear-down that passed, and for a subtest."""
    return _FIGURES.get((report.when, report.outcome), "") if type(report) is pytest.TestReport else ""
