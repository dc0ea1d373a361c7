"""What a worker's meter measures, and what the controller makes of several."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from paddock.plugin import usage
from paddock.plugin.usage import KEY, Gauge, Meter

if TYPE_CHECKING:
    from collections.abc import Callable


def measure(meter: Meter, work: Callable[[], object]) -> dict[str, float]:
    """Return the figures after one test that does this."""
    around = meter.pytest_runtest_protocol()
    next(around)
    work()
    with pytest.raises(StopIteration):
        next(around)
    return meter.figures()


def busy(seconds: float) -> None:
    """Use that much of a processor."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_busy_test_uses_a_core_however_busy_the_machine_is() -> None:
    """Time in the queue for a processor is not waiting of the test's own."""
    found = measure(Meter(), lambda: busy(0.7))
    assert 0.7 <= found["cores"] <= 1.3, found
    assert found["memory"] > 1


def test_a_waiting_test_uses_little() -> None:
    """Whoever waits leaves the processor to others."""
    assert measure(Meter(), lambda: threading.Event().wait(0.7))["cores"] < 0.3


def test_a_moment_says_nothing_of_cores() -> None:
    """Too short a time is no sample."""
    assert set(measure(Meter(), lambda: None)) == {"memory"}


def test_a_kernel_that_does_not_say_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the queue counts as waiting."""
    monkeypatch.setattr(usage, "_SCHEDULED", usage._SCHEDULED / "nowhere")
    assert usage.seconds_queued() == 0.0


def test_the_greediest_worker_counts() -> None:
    """Workers that said nothing, or only of memory, count for what they said."""
    gauge = Gauge()
    assert gauge.figures() == {}
    for output in (
        {KEY: {"cores": 0.2, "memory": 300.0}},
        {KEY: {"memory": 90.0}},
        {},
        {KEY: {"cores": 0.7, "memory": 80.0}},
    ):
        gauge.hear(output)
    assert gauge.figures() == {"cores": 0.7, "memory": 300.0}
