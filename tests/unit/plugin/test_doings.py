"""What a worker is at, out of xdist's words."""

from __future__ import annotations

from typing import Any

import pytest

from paddock.plugin.doings import AWAITS, Doings
from paddock.specs import Awaited, Doing


def report(when: str, outcome: str, kind: type[pytest.TestReport] = pytest.TestReport) -> dict[str, Any]:
    told: dict[str, Any] = {
        "nodeid": "t.py::test_a",
        "location": ("t.py", 0, "test_a"),
        "when": when,
        "outcome": outcome,
    }
    return {"rep": kind(**told, keywords={}, longrepr=None)}


class Subtest(pytest.TestReport):
    """A report of a part of a test, as pytest's own subtests are."""


START: dict[str, Any] = {"nodeid": "t.py::test_a", "location": ("t.py", 0, "test_a")}


def told(*words: tuple[str, dict[str, Any]]) -> list[Doing]:
    """Return what one worker's words made known, in order."""
    seen: list[Doing] = []
    doings = Doings(lambda _worker, doing: seen.append(doing))
    for word, content in words:
        doings.hear("gw0", word, content)
    return seen


def test_a_worker_collects_waits_tests_and_ends() -> None:
    """Each phase follows from one word, and the running test is named while it runs."""
    seen = told(("workerready", {}), ("collectionfinish", {}), ("logstart", START), ("logfinish", START))
    assert [(one.phase, one.running) for one in seen] == [
        ("collecting", ""),
        ("waiting", ""),
        ("testing", "t.py::test_a"),
        ("testing", ""),
    ]
    assert told(("logstart", START), ("errordown", {}))[-1] == Doing(phase="ended")


@pytest.mark.parametrize("word", ["logstart", "workerfinished", "errordown"])
def test_a_test_that_waits_for_a_device_waits_until_the_next_word(word: str) -> None:
    """Which is that it begins, or that its worker ends."""
    awaited = {"device": "x0 of 'coral'", "test": "t.py::test_a", "holder": "k7/gw1", "held_for": "u", "since": "now"}
    waits, then = told((AWAITS, awaited), (word, START))
    assert (waits.phase, waits.awaits) == ("testing", Awaited(**awaited))
    assert waits.test == "waits for x0 of 'coral', which k7/gw1 has"
    assert then.awaits is None


@pytest.mark.parametrize(
    ("when", "outcome", "figures"),
    [
        ("call", "passed", Doing(passed=1)),
        ("call", "failed", Doing(failed=1)),
        ("call", "skipped", Doing(skipped=1)),
        ("setup", "skipped", Doing(skipped=1)),
        ("setup", "failed", Doing(errors=1)),
        ("teardown", "failed", Doing(errors=1)),
    ],
)
def test_each_report_adds_to_one_figure(when: str, outcome: str, figures: Doing) -> None:
    """As pytest's last line counts them."""
    assert told(("testreport", report(when, outcome))) == [figures]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(report("setup", "passed"), id="set-up"),
        pytest.param(report("teardown", "passed"), id="tear-down"),
        pytest.param(report("call", "rerun"), id="an outcome of a plugin"),
        pytest.param(report("call", "passed", Subtest), id="subtest"),
    ],
)
def test_what_is_no_result_counts_nothing(content: dict[str, Any]) -> None:
    """A test is counted once, and an outcome nobody knows does no harm to the thread that brings it."""
    assert told(("testreport", content)) == []


def test_words_that_say_nothing_are_not_passed_on() -> None:
    """The engine hears of changes only."""
    assert told(("runtest_protocol_complete", {}), ("warning_recorded", {})) == []


def test_each_worker_has_its_own_figures() -> None:
    """One worker's reports never show under another's name."""
    seen: list[tuple[str, int]] = []
    doings = Doings(lambda worker, doing: seen.append((worker, doing.passed)))
    for worker in ("gw0", "gw1", "gw0"):
        doings.hear(worker, "testreport", report("call", "passed"))
    assert seen == [("gw0", 1), ("gw1", 1), ("gw0", 2)]
