"""How often each fault is tried, and where what came of it is noted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.chaos import results
from tests.chaos.scenarios import BY_NAME, SCENARIOS, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    Note = Callable[[str, bool, float], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of ``nox -s chaos``."""
    group = parser.getgroup("chaos")
    group.addoption("--chaos", action="store_true", help="try every fault and keep the results (nox -s chaos)")
    group.addoption(
        "--fault", action="append", choices=list(BY_NAME), help="try this one; may be repeated; default all"
    )
    group.addoption("--times", type=int, default=0, help="trials of each fault; by default as many as are missing")
    group.addoption("--forget", action="store_true", help="forget earlier results: of these faults, else of all")


def pytest_configure(config: pytest.Config) -> None:
    """Forget what was asked to be forgotten."""
    if config.getoption("--forget", default=False):
        results.forget(config.getoption("--fault") or BY_NAME)


def wanted(config: pytest.Config) -> list[tuple[Scenario, int]]:
    """Return what is tried and how often: the quick faults once, unless all are asked for."""
    if not config.getoption("--chaos", default=False):
        return [(scenario, 1) for scenario in SCENARIOS if scenario.quick]
    chosen = [BY_NAME[name] for name in config.getoption("--fault") or BY_NAME]
    times = config.getoption("--times")
    return [(one, times) for one in chosen] if times else list(results.missing(chosen, results.read()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each fault."""
    if {"scenario", "times"} <= set(metafunc.fixturenames):
        found = wanted(metafunc.config)
        metafunc.parametrize(("scenario", "times"), found, ids=[scenario.name for scenario, _ in found])


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """What keeps a trial's result, where results are kept."""

    def keep(name: str, right: bool, seconds: float) -> None:  # noqa: FBT001 - what a trial has to say
        day = datetime.now(UTC).date().isoformat()
        results.note(name, right=right, seconds=seconds, day=day)

    return keep if request.config.getoption("--chaos") else lambda *_: None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Put the table into the page."""
    if session.config.getoption("--chaos", default=False):
        text = results.PAGE.read_text(encoding="utf-8")
        results.PAGE.write_text(results.page(text, SCENARIOS, results.read()), encoding="utf-8")
