"""Keeps the run's books from pytest's hooks and gives the verdict at the end.

It must not know engines, workers or xdist: node ids, reports and reasons are all it sees.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from paddock.plugin.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paddock.plugin.terminal import Terminal


TOGETHER = 1.0
"""Seconds that a worker's loss is kept back while others are awaited: what fails one at the start fails all of them
within the same second, and is told once, with all their names."""


class Books:
    """The hooks that feed the ledger, and the telling of what it says."""

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal, self._clock = terminal, clock
        self._tell_by: float | None = None
        self._asked = False
        self._ledger = Ledger()
        self._complaints: list[str] = []
        self._told = False

    def lose(self, worker: str, reason: str) -> None:
        """Note that a worker never came; ``tell_lost`` tells it."""
        self._ledger.lose(worker, reason)
        self._tell_by = self._tell_by or self._clock() + TOGETHER

    def tell_lost(self, awaited: int) -> float:
        """Tell of workers that never came, unless others of the ``awaited`` may follow for the same reason.

        Return after how many seconds to ask again, and 0 for not at all.
        """
        if self._tell_by is None:
            return 0
        rest = self._tell_by - self._clock()
        if awaited and rest > 0:
            asked, self._asked = self._asked, True
            return 0 if asked else rest
        self._tell_untold()
        return 0

    def _tell_untold(self) -> None:
        """Tell it, but not the user's mistake, which is told once at the end."""
        self._tell_by, self._asked = None, False
        for line in [] if self._ledger.mistake else self._ledger.untold():
            self._terminal.line(line, yellow=True)

    def mistake(self, sentence: str) -> None:
        """Note what the user asked for that cannot be; any thread may call."""
        self._ledger.mistake = sentence

    def fault(self, sentence: str) -> None:
        """Note why the run as a whole cannot be trusted."""
        self._ledger.faults.append(sentence)

    def leave_out(self, node_ids: Sequence[str]) -> None:
        """Note tests that another job runs."""
        self._ledger.left_out.update(node_ids)

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note the tests that are to be reported."""
        self._ledger.collect(ids)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test's report."""
        self._ledger.report(report.nodeid, report.when, report.outcome)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Give the verdict: never success with tests that did not run."""
        self._tell_untold()
        session.exitstatus = self._ledger.verdict(int(session.exitstatus))
        self._complaints = self._ledger.complaints(session.exitstatus)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self) -> None:
        """Tell what went wrong with the run itself, below everything else."""
        self.tell()

    def tell(self) -> None:
        """Tell it, unless it was told: runs that pytest gives no summary end here as well."""
        if self._ledger.mistake and not self._told:
            self._told = True
            sys.stderr.write(f"ERROR: {self._ledger.mistake}\n")
        lines, self._complaints = self._complaints, []
        if lines and self._terminal.reporter is not None:
            self._terminal.reporter.write_sep("=", "paddock: the infrastructure failed", red=True)
        for line in lines:
            self._terminal.line(line, red=True)
