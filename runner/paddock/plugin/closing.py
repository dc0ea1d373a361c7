"""Gathers what a run did with its workers' time, and tells it in the summary.

Owns which moment ends which phase. It must not know engines; what is told is ``reports.closing``'s.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from paddock.plugin.ledger import Exit
from paddock.plugin.timing import SERVICE_SECONDS
from paddock.reports import closing
from paddock.scheduling.units import KEYS, Case, form
from paddock.specs import ASKED, COLLECTING, ENDED, RUNNING, SCHEDULED, SENT, WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from paddock.plugin.courses import Course, Courses
    from paddock.plugin.terminal import Terminal
    from paddock.plugin.timekeeping import Timekeeper

PLUGIN = "paddock-closing"
STEPS = (
    ("images", ASKED),
    ("scheduling", SCHEDULED),
    ("pods", RUNNING),
    ("sources", SENT),
    ("start", COLLECTING),
    ("collection", WAITING),
)
"""Phase -> the step that ends it, in order; one that an engine does not tell is part of the next."""


class Closing:
    """Adds up reports by worker; ``group_of`` says which group a test is in."""

    def __init__(
        self,
        config: pytest.Config,
        terminal: Terminal,
        courses: Courses,
        timekeeper: Timekeeper,
        group_of: Callable[[str], str],
    ) -> None:
        self._config, self._terminal, self._courses, self._group_of = config, terminal, courses, group_of
        self._timekeeper = timekeeper
        self._began = self._last = courses.clock()
        self._workers: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._tests: dict[str, float] = defaultdict(float)
        self.asked = 0
        """Workers that the run was given."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a report's time to its worker."""
        node = getattr(report, "node", None)
        if node is None or type(report) is not pytest.TestReport:
            return
        self._last, seconds = self._courses.clock(), report.duration
        self._tests[report.nodeid] += seconds
        spent = self._workers[node.gateway.id]
        if services := min(seconds, vars(report).get(SERVICE_SECONDS, 0.0)):
            spent[closing.SERVICES] += services
        spent[closing.TEARDOWN if report.when == "teardown" else closing.TESTS] += seconds - services

    def pytest_terminal_summary(self, exitstatus: int) -> None:
        """Tell it, unless the run was cut short or nobody wants to read."""
        if exitstatus in {Exit.OK, Exit.TESTS_FAILED} and self._config.get_verbosity() >= 0:
            for line in closing.lines(self.past()):
                self._terminal.line(line)

    def past(self) -> closing.Past:
        """Return the run's figures."""
        courses = self._courses.all()
        spent = [
            closing.Spent(worker=worker, phases=phases(courses[worker], self._began, self._last, tests))
            for worker, tests in self._workers.items()
            if worker in courses
        ]
        seconds = self._last - self._began
        return closing.Past(
            serial=self._serial(), seconds=seconds, workers=spent, units=self._units(), asked=self.asked
        )

    def _serial(self) -> float:
        """Return what the tests take one after another, by the history and else by this run."""
        expected = self._timekeeper.expected
        known = {test: expected(test) for test in self._tests}
        files = {test.partition("::")[0] for test, seconds in known.items() if seconds is not None}
        shared = sum(expected(file) or 0.0 for file in files)
        return shared + sum(self._tests[test] if one is None else one for test, one in known.items())

    def _units(self) -> list[float]:
        if self._config.option.dist not in KEYS:
            return []
        cases = [Case(node_id=test, seconds=one, group=self._group_of(test)) for test, one in self._tests.items()]
        return [unit.seconds for unit in form(cases, self._config.option.dist)]


def phases(course: Course, began: float, last: float, tests: Mapping[str, float]) -> dict[str, float]:
    """Return a worker's seconds by phase, from the run's beginning to its last report or the worker's end."""
    moments = {**course.way.over, **course.began}
    steps = dict(_steps(moments, began))
    ready = moments.get(WAITING, began)
    present = max(0.0, min(last, moments.get(ENDED, last)) - ready)
    return {**steps, **tests, closing.IDLE: max(0.0, present - sum(tests.values()))}


def _steps(moments: Mapping[str, float], began: float) -> Iterator[tuple[str, float]]:
    known: Iterable[tuple[str, float]] = ((phase, moments[step]) for phase, step in STEPS if step in moments)
    for phase, moment in known:
        yield phase, max(0.0, moment - began)
        began = max(began, moment)
