"""What is told of failing tests: whose they are, when they ran, and no more than anybody reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from paddock.plugin.evidence import Evidence, Failures

if TYPE_CHECKING:
    from collections.abc import Mapping


class Engine:
    """Keeps what it is asked to keep."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, str], bool]] = []

    def preserve(self, worker: str, told: Mapping[str, str], *, lost: bool = False) -> None:
        self.asked.append((worker, told, lost))


def report(text: str = "assert 1 == 2", when: str = "call", outcome: str = "failed", **fields: Any) -> Any:
    """Return a report of a test on gw0."""
    one = pytest.TestReport(
        "test_a.py::test_x",
        ("test_a.py", 1, "test_x"),
        {},
        outcome,  # type: ignore[arg-type]
        text,
        when,  # type: ignore[arg-type]
        duration=1.5,
        start=fields.pop("start", 1767323045.25),
    )
    one.node = SimpleNamespace(gateway=SimpleNamespace(id="gw0"), _workerinfocache="[gw0]")  # type: ignore[attr-defined]
    return one


@pytest.fixture
def engine() -> Engine:
    """An engine that keeps what it is asked to keep."""
    return Engine()


def evidence(engine: Engine | None, wanted: str = "failed") -> Evidence:
    """Return what hears of failures."""
    return Evidence(lambda: engine, wanted)  # type: ignore[arg-type, return-value]


def test_a_run_without_failures_asks_for_nothing(engine: Engine) -> None:
    """Tests that passed or were skipped are no reason."""
    heard = evidence(engine)
    heard.pytest_runtest_logreport(report(outcome="passed"))
    heard.pytest_runtest_logreport(report(outcome="skipped"))
    heard.pytest_sessionfinish()
    assert engine.asked == []


def test_a_worker_with_a_failing_test_is_kept_with_its_failures(engine: Engine) -> None:
    """Test, phase, time and text, so that it can be found in the logs."""
    heard = evidence(engine)
    heard.pytest_runtest_logreport(report())
    heard.pytest_runtest_logreport(report("boom", "teardown"))
    heard.pytest_sessionfinish()
    ((worker, told, lost),) = engine.asked
    assert (worker, lost) == ("gw0", False)
    assert told["failures.txt"] == (
        "test_a.py::test_x (call)\nbegun 2026-01-02T03:04:05.250+00:00, took 1.50 s\n\n[gw0]\nassert 1 == 2\n\n"
        "test_a.py::test_x (teardown)\nbegun 2026-01-02T03:04:05.250+00:00, took 1.50 s\n\n[gw0]\nboom\n"
    )


def test_a_lost_worker_is_kept_at_once(engine: Engine) -> None:
    """Its namespace may be going."""
    heard = evidence(engine)
    heard.lost("gw0", "evicted")
    heard.lost("gw1", "")
    assert engine.asked == [
        ("gw0", {"cause.txt": "evicted\n"}, True),
        ("gw1", {"cause.txt": "Nothing is known of why the worker went.\n"}, True),
    ]


def test_all_workers_are_kept_where_that_is_wanted_and_none_where_not(engine: Engine) -> None:
    """``--paddock-evidence`` says so."""
    for wanted in ("all", "none"):
        heard = evidence(engine, wanted)
        heard.pytest_testnodeready(report().node)
        heard.pytest_runtest_logreport(report()) if wanted == "none" else None
        heard.lost("gw1", "x") if wanted == "none" else None
        heard.pytest_sessionfinish()
    assert engine.asked == [("gw0", {}, False)]


def test_text_is_bounded_and_what_is_left_out_is_counted() -> None:
    """One comparison of large values must not fill a disk, nor ten thousand failing tests."""
    failures = Failures()
    for _ in range(20):
        failures.add(report("x" * 100_000))
    text = failures.text()
    assert len(text) < 1_100_000
    assert "… and 34470 characters more" in text
    assert text.endswith("… and 5 more failures\n")


def test_a_test_whose_worker_went_has_no_time_of_its_own() -> None:
    """Nobody reported it but xdist."""
    failures = Failures()
    failures.add(report("crashed", "???", start=0))
    assert failures.text() == "test_a.py::test_x (its worker went)\n\n[gw0]\ncrashed\n"
