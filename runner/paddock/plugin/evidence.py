"""Which workers' evidence is kept: of those that were lost, and of those that had a failing test.

Owns what is told beside what the engine finds: why a worker went, and which of its tests failed. It must not know
engines beyond their protocol, nor decide anything of the run.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from paddock.plugin.attempts import RERUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paddock.engines.protocol import Engine

PLUGIN = "paddock-evidence"
_PHASES = ("setup", "call", "teardown")
_TEXT = 64 << 10
"""Characters of one failing test's report; a comparison of large values can be of any length."""
_ALL = 1 << 20
"""Characters of all failing tests of a worker; what comes later is counted."""


class Evidence:
    """Hears of failures and has ``engine()`` keep what explains them; ``wanted`` is ``failed``, ``all`` or ``none``."""

    def __init__(self, engine: Callable[[], Engine | None], wanted: str) -> None:
        self._engine, self._wanted = engine, wanted
        self._failures: dict[str, Failures] = defaultdict(Failures)
        self._workers: list[str] = []
        self._more: dict[str, dict[str, str]] = {}

    def add(self, worker: str, files: Mapping[str, str]) -> None:
        """Keep these files too, once the worker is looked at: at its end or the run's; from any thread."""
        self._more[worker] = {**self._more.get(worker, {}), **files}

    def lost(self, worker: str, cause: str) -> None:
        """Keep at once what explains why a worker went: its place may be going as well."""
        self._preserve(worker, {"cause.txt": f"{cause or 'Nothing is known of why the worker went.'}\n"}, lost=True)

    def pytest_testnodeready(self, node: Any) -> None:  # noqa: ANN401 - xdist's type, of which only the name is used
        """Note a worker, whose evidence may be wanted in any case."""
        self._workers.append(node.gateway.id)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failing test with the worker that ran it."""
        node: Any = getattr(report, "node", None)
        if (report.failed or report.outcome == RERUN) and node is not None:
            self._failures[node.gateway.id].add(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Begin to keep evidence of workers with failing tests; the summary is printed meanwhile."""
        for worker in self._concerned():
            failures = self._failures.get(worker)
            self._preserve(worker, {"failures.txt": failures.text()} if failures else {})
        self._failures.clear()

    def concerns(self, worker: str) -> bool:
        """Whether a worker's place is to be looked at once more at the run's end."""
        return worker in self._concerned()

    def _concerned(self) -> Iterable[str]:
        return dict.fromkeys([*self._failures, *self._more, *(self._workers if self._wanted == "all" else [])])

    def _preserve(self, worker: str, told: dict[str, str], *, lost: bool = False) -> None:
        engine = self._engine()
        if engine is not None and self._wanted != "none":
            engine.preserve(worker, {**told, **self._more.pop(worker, {})}, lost=lost)


class Failures:
    """The failing tests of one worker as text, within bounds."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room, self._left_out = _ALL, 0

    def add(self, report: pytest.TestReport) -> None:
        """Take in a failing test, or a set-up or tear-down that failed."""
        part = _described(report)
        if self._room < len(part):
            self._left_out += 1
            return
        self._room -= len(part)
        self._parts.append(part)

    def text(self) -> str:
        """Return all of them, in the order in which they came."""
        more = [f"… and {self._left_out} more failures\n"] if self._left_out else []
        return "\n".join([*self._parts, *more])


def _described(report: pytest.TestReport) -> str:
    text = report.longreprtext
    cut = f"{text[:_TEXT]}\n… and {len(text) - _TEXT} characters more" if len(text) > _TEXT else text
    return f"{report.nodeid} ({report.when if report.when in _PHASES else 'its worker went'})\n{_time(report)}\n{cut}\n"


def _time(report: pytest.TestReport) -> str:
    begun: float = getattr(report, "start", 0)
    if not begun:  # a worker that went while it ran the test has not reported it: xdist has, in its place
        return ""
    moment = datetime.fromtimestamp(begun, UTC).isoformat(timespec="milliseconds")
    return f"begun {moment}, took {report.duration:.2f} s\n"
