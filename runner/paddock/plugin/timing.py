"""The worker's side of a test's time: how much of it is fixtures that other tests share.

They are set up within the first test that asks for them, and would make it look slow wherever it comes first. Told as
attributes of the report, which pytest carries along. It must not know what becomes of the figures.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from paddock.fixtures import waiting

if TYPE_CHECKING:
    from collections.abc import Generator

FILE_SECONDS = "paddock_file_seconds"
"""Attribute of a report: seconds of fixtures that the file's tests share."""
RUN_SECONDS = "paddock_run_seconds"
"""Attribute of a report: seconds of fixtures that all tests of the worker share."""
SERVICE_SECONDS = "paddock_service_seconds"
"""Attribute of a report: seconds in which fixtures waited for services to answer."""
_ATTRIBUTES = {"class": FILE_SECONDS, "module": FILE_SECONDS, "package": RUN_SECONDS, "session": RUN_SECONDS}


class SharedTime:
    """Measures the fixtures of wider scopes."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._within = 0
        self._leaves_file = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Measure a fixture that is set up; one that asks for another by name is measured with it."""
        attribute = _ATTRIBUTES.get(fixturedef.scope)
        if attribute is None or self._within:
            return (yield)
        self._within, begin = 1, time.perf_counter()
        try:
            return (yield)
        finally:
            self._within = 0
            self._seconds[attribute] = self._seconds.get(attribute, 0.0) + time.perf_counter() - begin

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Note that fixtures of the file are taken down after its last test here."""
        self._leaves_file = nextitem is None or nextitem.path != item.path

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the figures onto the report of the phase that they belong to."""
        report = yield
        if report.when == "teardown" and self._leaves_file:
            self._seconds[FILE_SECONDS] = report.duration
        if waited := waiting.taken():
            self._seconds[SERVICE_SECONDS] = waited
        vars(report).update(self._seconds)
        self._seconds = {}
        return report
