"""What trials came to adds up, and the page says what the results say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos import results
from tests.chaos.results import Tally
from tests.chaos.scenarios import CERTAIN, RACE, SCENARIOS
from tests.chaos.suite import VERDICTS

if TYPE_CHECKING:
    from pathlib import Path

DAY, LATER = "2026-11-01", "2026-11-02"


def test_trials_add_up_over_invocations(tmp_path: Path) -> None:
    """A wrong trial counts as tried, and what it took says nothing."""
    file = tmp_path / "results.json"
    results.note("pod", right=True, seconds=5.04, day=DAY, file=file)
    results.note("pod", right=False, seconds=99.0, day=LATER, file=file)
    results.note("memory", right=True, seconds=1.0, day=LATER, file=file)
    assert results.read(file) == {
        "memory": Tally(trials=1, right=1, slowest=1.0, since=LATER),
        "pod": Tally(trials=2, right=1, slowest=5.0, since=DAY),
    }


def test_only_what_is_named_is_forgotten(tmp_path: Path) -> None:
    """Whoever mends one thing does not lose what was found of the others."""
    file = tmp_path / "results.json"
    for name in ("pod", "memory"):
        results.note(name, right=False, seconds=1.0, day=DAY, file=file)
    results.forget(["pod", "never tried"], file=file)
    assert results.read(file).keys() == {"memory"}


def test_what_was_tried_too_rarely_is_missing() -> None:
    """A race wants fifty trials, kills of workers two hundred over all modes, everything else five."""
    tallies = {one.name: Tally(trials=one.times) for one in SCENARIOS[1:]}
    tallies["client"] = Tally(trials=RACE - 2)
    assert list(results.missing(SCENARIOS, tallies)) == [(SCENARIOS[0], CERTAIN), (SCENARIOS[1], 2)]
    assert sum(one.times for one in SCENARIOS if one.name.startswith("kills-")) == 200


def test_the_page_holds_the_results_there_are() -> None:
    """The table is generated; nobody edits it, and no result stays untold."""
    text = results.PAGE.read_text(encoding="utf-8")
    assert text == results.page(text, SCENARIOS, results.read())
    assert all(f"| {scenario.what} |" in text for scenario in SCENARIOS)


def test_every_fault_is_named_once_and_expects_what_the_suite_has() -> None:
    """A scenario changes the verdicts of tests that are there."""
    assert len({one.name for one in SCENARIOS}) == len({one.what for one in SCENARIOS}) == len(SCENARIOS)
    unknown = {name for one in SCENARIOS for name in one.changed if name.partition("::")[0] not in one.files}
    assert unknown <= VERDICTS.keys()
