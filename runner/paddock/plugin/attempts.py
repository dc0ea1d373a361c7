"""Tests that run more than once: what each attempt came to, and whether another one follows.

A test's reports are held back until the test is over: only then it is known whether they are its verdict. One thread,
pytest's, owns it. It must not know xdist, engines, nor how a verdict is shown.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from paddock.scheduling.elastic import Stage
from paddock.specs import Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    import pytest

    from paddock.specs import Cause

    Again = Callable[[str, str], bool]
    """Has a test run once more, not on this worker if there is another (empty: it is gone); returns whether it will."""

RERUN = "rerun"
"""The outcome of an attempt that is no verdict, as pytest-rerunfailures calls it: other plugins know it by that."""
LOSSES = 1
"""How often the infrastructure may lose a test before that is its failure: one that brings its pod to an end itself,
in a way that looks like the infrastructure's, would else do so for as long as there are workers."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One that was not the last."""

    worker: str
    lost: bool
    """Whether its worker was lost; else it failed."""
    phase: str
    """``setup``, ``call`` or ``teardown``; ``???`` for one that was lost, as xdist has it."""
    message: str
    """In a line."""
    text: str

    @property
    def words(self) -> str:
        """What became of it, for people."""
        return f"lost with {self.worker}" if self.lost else f"failed on {self.worker}"


class Attempts:
    """Follows every test; one that failed may run ``retries`` times more."""

    def __init__(self, retries: int, again: Again) -> None:
        self._retries, self._again = retries, again
        self._running: dict[str, str] = {}
        self._over: dict[str, str] = {}
        self._held: dict[str, list[pytest.TestReport]] = defaultdict(list)
        self.past: dict[str, list[Attempt]] = {}
        """Test -> its attempts so far, where another one followed."""
        self.verdicts: dict[str, str] = {}
        """Test that ran more than once -> what it came to in the end, in words."""

    # ---- what workers say

    def begin(self, worker: str, test: str) -> None:
        """Note that a test begins."""
        self._running[worker] = test
        self._over.pop(worker, None)

    def hold(self, worker: str, report: pytest.TestReport) -> bool:
        """Return whether the report is held back: not one of a test that has never begun."""
        held = self._running.get(worker) == report.nodeid
        if held:
            self._held[worker].append(report)
        return held

    def finish(self, worker: str, *, whole: bool) -> Sequence[pytest.TestReport]:
        """Return what is to be heard of a test that is over; ``whole`` if it has ended by itself."""
        reports, test = self._held.pop(worker, []), self._running.pop(worker, "")
        if whole and test:
            self._over[worker] = test
        failed = next((report for report in reports if report.failed), None)
        if whole and failed and self._retried(test, worker, failed):
            return [_as_rerun(failed)]
        if test in self.past and reports:
            self.verdicts[test] = f"{_verdict(reports)} on {worker}"
        return reports

    def stage(self, worker: str, test: str) -> Stage:
        """Return how far a test has come on a worker."""
        if self._over.get(worker) == test:
            return Stage.OVER
        return Stage.BEGUN if self._running.get(worker) == test else Stage.WAITING

    # ---- what follows

    def _retried(self, test: str, worker: str, report: pytest.TestReport) -> bool:
        failures = sum(not attempt.lost for attempt in self.past.get(test, ()))
        if failures >= self._retries or not self._again(test, worker):
            return False
        text = report.longreprtext
        crash = getattr(report.longrepr, "reprcrash", None)
        message = str(crash.message if crash else text)
        self._note(test, Attempt(worker=worker, lost=False, phase=report.when, message=_line(message), text=text))
        return True

    def crashed(self, report: pytest.TestReport, worker: str, cause: Cause | None) -> bool:
        """Judge a test whose worker went while it ran; return whether it runs again, and is told so in ``report``.

        Only what the infrastructure did: a test that ends its own worker is never run again.
        """
        held, test = self._held.pop(worker, []), report.nodeid
        self._running.pop(worker, None)
        if report.outcome == "failed" and self._spared(test, cause) and self._again(test, ""):
            message = cause.sentence if cause else ""
            text = report.longreprtext
            self._note(test, Attempt(worker=worker, lost=True, phase=str(report.when), message=message, text=text))
            report.outcome = cast("Literal['failed']", RERUN)
            return True
        for before in (one for one in held if one.failed):
            report.longrepr = f"{report.longrepr}\nBefore that, its {before.when} had failed:\n{before.longreprtext}"
        if test in self.past:
            self.verdicts[test] = f"lost with {worker}"
        return False

    def _spared(self, test: str, cause: Cause | None) -> bool:
        losses = sum(attempt.lost for attempt in self.past.get(test, ()))
        return cause is not None and cause.fate is Fate.PASSING and losses < LOSSES

    def _note(self, test: str, attempt: Attempt) -> None:
        self.past.setdefault(test, []).append(attempt)


def _as_rerun(report: pytest.TestReport) -> pytest.TestReport:
    report.outcome = cast("Literal['failed']", RERUN)
    if report.when == "teardown":  # pytest's JUnit closes a test's entry there, and the test is not over
        report.when = "call"
    return report


def _verdict(reports: Sequence[pytest.TestReport]) -> str:
    outcomes = {report.outcome for report in reports}
    return next(one for one in ("failed", "skipped", "passed") if one in outcomes or one == "passed")


def _line(text: str) -> str:
    return text.strip().partition("\n")[0]
