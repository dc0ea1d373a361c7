"""How long a run needs its hardware, as the engine is told from time to time."""

from __future__ import annotations

from paddock.plugin.forecasting import PERIOD, Forecasting


def test_the_engine_is_told_as_tests_begin_and_end() -> None:
    """No more often than once in a while; nothing before tests are planned, and that nobody knows it any more."""
    now, left, told = [0.0], [5.0, None], list[float | None]()
    forecasting = Forecasting(told.append, lambda: now[0])
    forecasting.pytest_runtest_logstart()
    assert told == []
    forecasting.left = lambda: left.pop(0)
    forecasting.pytest_runtest_logstart()
    forecasting.pytest_runtest_logfinish()
    assert told == [5.0]
    now[0] += PERIOD
    forecasting.pytest_runtest_logfinish()
    assert told == [5.0, None]
