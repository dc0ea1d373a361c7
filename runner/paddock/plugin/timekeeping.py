"""The controller's side of tests' times: taken from the reports of a run, kept in the project's history at its end.

It must not know engines, nor how the plan uses the times.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from paddock.plugin.attempts import RERUN
from paddock.plugin.timing import FILE_SECONDS, RUN_SECONDS
from paddock.plugin.usage import Gauge
from paddock.scheduling import history, history_file
from paddock.scheduling.foresight import name_of_needy
from paddock.scheduling.sizing import CORES, MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from paddock.plugin.terminal import Terminal

WORTH_SHARING = 0.01
"""Seconds of common fixtures from which on a file's are kept: less is no reason to keep tests together."""
_PHASES = ("setup", "call", "teardown")
_OF_WORKERS = {"cores": CORES, "memory": MEMORY}


class Timekeeper:
    """Reads the history at ``path`` when the session starts, and completes it when the session is over."""

    def __init__(self, path: Path, terminal: Terminal) -> None:
        self._path, self._terminal = path, terminal
        self._began = int(time.time())
        self._own: dict[str, float] = defaultdict(float)
        self._shared: dict[str, float] = defaultdict(float)
        self._visits: dict[str, int] = defaultdict(int)
        self._failed: set[str] = set()
        self.history = history.History()
        self._loaded: history_file.Loaded | None = None
        self.used = Gauge()
        """What the workers used."""
        self.kinds: Callable[[str], Collection[str]] = lambda _node_id: ()
        """Says which kinds of hardware a test needs."""

    def pytest_sessionstart(self) -> None:
        """Read the history, and tell what is wrong with it."""
        self._loaded = history_file.load(self._path)
        self.history = self._loaded.history
        self._tell(self._loaded.complaint)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a report's time to its test, and what is shared to its file."""
        if type(report) is not pytest.TestReport or report.when not in _PHASES or report.outcome == RERUN:
            return
        extra, test = vars(report), report.nodeid
        shared, run = extra.get(FILE_SECONDS, 0.0), extra.get(RUN_SECONDS, 0.0)
        self._own[test] += max(0.0, report.duration - shared - run)
        if FILE_SECONDS in extra:
            file = test.partition("::")[0]
            self._shared[file] += shared
            self._visits[file] += report.when == "teardown"
        if report.failed:
            self._failed.add(test)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Keep the times."""
        seconds = self.measured()
        if seconds:
            used = self.used.figures()
            workers = {name: used[key] for key, name in _OF_WORKERS.items() if key in used}
            new = history.measured(self._began, seconds | workers | self._of_needy(seconds))
            self._tell(history_file.save(self._path, new, known=self._loaded))

    def measured(self) -> dict[str, float]:
        """Return this run's times, as the machines of the history would have measured them.

        A test that failed took as long as its failure: its time counts only where there is no other.
        """
        known = self.history.samples
        own = {test: one for test, one in self._own.items() if test not in self._failed or test not in known}
        slower = history.speed(self.history, own)
        shared = {file: total / max(1, self._visits[file]) for file, total in self._shared.items()}
        shared = {file: each for file, each in shared.items() if each >= WORTH_SHARING}
        return {name: one / slower for name, one in (own | shared).items()}

    def _of_needy(self, seconds: Mapping[str, float]) -> dict[str, float]:
        passed = {test: one for test, one in seconds.items() if test not in self._failed}  # one that is refused fails
        return {name_of_needy(test, kinds): one for test, one in passed.items() if (kinds := self.kinds(test))}

    def expected(self, node_id: str) -> float | None:
        """Return the seconds that a test is expected to take; ``None`` for one that was never measured."""
        return self.history.expected(node_id)

    def _tell(self, complaint: str) -> None:
        if complaint:
            self._terminal.line(complaint, yellow=True)
