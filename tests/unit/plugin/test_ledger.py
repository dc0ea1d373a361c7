from __future__ import annotations

import pytest

from paddock.plugin.ledger import LISTED, Exit, Ledger


def ledger(collected: int, reported: int) -> Ledger:
    """Return a ledger of so many tests."""
    made = Ledger()
    made.collect([f"t::{number}" for number in range(collected)])
    for number in range(reported):
        made.report(f"t::{number}", "call", "passed")
    return made


@pytest.mark.parametrize("code", list(Exit))
def test_complete_books_change_no_exit_code(code: Exit) -> None:
    """Pytest's verdict stands if every test was reported."""
    assert ledger(3, 3).verdict(code) == code


@pytest.mark.parametrize("code", [Exit.OK, Exit.TESTS_FAILED, Exit.NO_TESTS])
def test_missing_tests_are_never_success(code: Exit) -> None:
    """Not 0 and not 1: the infrastructure failed."""
    assert ledger(3, 2).verdict(code) == Exit.INFRASTRUCTURE_FAILED


def test_stopping_on_purpose_leaves_tests_out() -> None:
    """After -x or Ctrl-C nobody expects all tests."""
    assert ledger(3, 1).verdict(Exit.INTERRUPTED) == Exit.INTERRUPTED
    assert ledger(3, 1).complaints(Exit.INTERRUPTED) == []


def test_a_fault_wins_over_an_interruption() -> None:
    """The run that ends itself for a fault is not one that the user ended."""
    made = ledger(3, 1)
    made.faults.append("No worker is left.")
    assert made.verdict(Exit.INTERRUPTED) == Exit.INFRASTRUCTURE_FAILED


@pytest.mark.parametrize(
    ("when", "outcome", "ran"),
    [("setup", "passed", False), ("setup", "failed", True), ("setup", "skipped", True), ("???", "failed", True)],
)
def test_a_passed_setup_is_no_test(when: str, outcome: str, ran: bool) -> None:  # noqa: FBT001 - a table of cases
    """A worker that died between setup and test has not run it; a crash report has told of it."""
    made = ledger(1, 0)
    made.report("t::0", when, outcome)
    assert (made.never_ran() == []) is ran


def test_the_first_collection_counts() -> None:
    """A later worker's list changes nothing."""
    made = ledger(2, 2)
    made.collect(["other::1"])
    assert made.never_ran() == []


def test_missing_tests_are_named_up_to_a_limit() -> None:
    """The list names tests, and says how many more there are."""
    lines = ledger(LISTED + 8, 1).complaints(Exit.INFRASTRUCTURE_FAILED)
    assert lines[0] == f"{LISTED + 7} of {LISTED + 8} collected tests never ran:"
    assert lines[1] == "  t::1"
    assert lines[-1] == "  … and 7 more"
    assert len(lines) == LISTED + 2


def test_the_same_reason_is_told_once() -> None:
    """Reasons that differ in the worker's name or an address are the same; gw1 is not part of gw10."""
    made = Ledger()
    made.lose("gw1", "gw1: <Pod at 0x7f>")
    made.lose("gw2", "gw2: <Pod at 0x8f>")
    made.lose("gw3", "gw30: <Pod at 0x7f>")
    assert made.untold() == [
        "workers gw1, gw2 never came: gw1: <Pod at 0x7f>",
        "worker gw3 never came: gw30: <Pod at 0x7f>",
    ]


def test_who_is_lost_later_for_a_reason_told_before_points_to_it() -> None:
    """Nothing is told twice, and nobody is left out."""
    made = Ledger()
    made.lose("gw1", "no room")
    assert made.untold() == ["worker gw1 never came: no room"]
    assert made.untold() == []
    made.lose("gw2", "no room")
    made.lose("gw4", "no room")
    assert made.untold() == ["workers gw2, gw4 never came: for the same reason as gw1"]


def test_a_reason_is_the_same_whichever_worker_it_names() -> None:
    """A path may hold the name of a worker by chance, and names one of them alone."""
    made = Ledger()
    for worker in ("gw0", "gw1"):
        made.lose(worker, "no file /tmp/of-gw0/conftest.py at 0x7f")
    assert made.untold() == ["workers gw0, gw1 never came: no file /tmp/of-gw0/conftest.py at 0x7f"]
