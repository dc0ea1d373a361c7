"""How tests that ran more than once are shown: in the terminal, in its summary, and in JUnit's file.

It must not decide which tests run again: ``attempts`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paddock.plugin import junit
from paddock.plugin.attempts import RERUN

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from paddock.plugin.attempts import Attempts

PLUGIN = "paddock-reruns"
_NO_VERDICT = "no verdict: the run ended before"


class Reruns:
    """pytest's hooks around the attempts."""

    def __init__(self, config: pytest.Config, attempts: Attempts) -> None:
        self._config, self._attempts = config, attempts
        self._recorded: set[str] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """Give a verdict's entry in JUnit's file the attempts before it, and none of its own to each of those."""
        past = self._attempts.past.get(report.nodeid, ())
        if report.outcome != RERUN and past and report.nodeid not in self._recorded:
            self._recorded.add(report.nodeid)
            passed = self._verdict(report.nodeid).startswith("passed")
            junit.record_attempts(self._config, report, past, passed=passed)
        try:
            return (yield)
        finally:
            if report.outcome == RERUN and past:
                junit.forget(self._config, report)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, object] | None:
        """Show an attempt that is no verdict as pytest-rerunfailures shows it."""
        return (RERUN, "R", ("RERUN", {"yellow": True})) if report.outcome == RERUN else None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the tests that ran more than once, with why each attempt was not the last."""
        if not self._attempts.past:
            return
        terminalreporter.write_sep("=", "paddock: tests that ran again", yellow=True)
        for line in self._lines():
            terminalreporter.write_line(line)

    def _lines(self) -> Iterator[str]:
        for test, past in self._attempts.past.items():
            verdict = self._verdict(test)
            flaky = verdict.startswith("passed") and not all(attempt.lost for attempt in past)
            yield f"{'FLAKY ' if flaky else ''}{test}: {', '.join(one.words for one in past)}, {verdict}"
            for attempt in past:
                yield from (f"    {line}" for line in attempt.text.splitlines())

    def _verdict(self, test: str) -> str:
        return self._attempts.verdicts.get(test, _NO_VERDICT)
