"""The lines about a run's speed in pytest's summary."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from paddock.scheduling import history

if TYPE_CHECKING:
    from tests.contract.plugin.running import Result, Run

SUITE = """
    import time
    import pytest

    @pytest.mark.parametrize("number", range(8))
    def test_it(number):
        time.sleep(0.5)  # so that there is something left for a worker that comes late
        assert number != {failing}
"""
NAMES = [f"test_it.py::test_it[{number}]" for number in range(8)]


def ran(run: Run, *args: str, failing: int = -1, each: float = 30.0) -> tuple[Result, list[str]]:
    """Run tests that once took half a minute each; return what our lines in the summary say."""
    known = history.measured(int(time.time()), dict.fromkeys(NAMES, each)).text()
    files = {"test_it.py": SUITE.format(failing=failing), "known.jsonl": known}
    result = run("-n2", "--paddock-history=known.jsonl", *args, files=files)
    told = [line for line in result.out.splitlines() if "one after another" in line or "workers' time" in line]
    return result, told


def test_the_summary_tells_speed_and_time(run: Run) -> None:
    """Against what the history says; failures change nothing."""
    result, told = ran(run, failing=3)
    assert result.code == 1, result
    assert told[0].startswith("paddock: tests of 4:00 min one after another were over after "), told
    assert re.match(r"paddock: workers' time: [a-z ]+ \d+%.*; at work \d+% ", told[1]), told


def test_nobody_is_bothered_who_wants_it_quiet_or_short(run: Run) -> None:
    """With -q, with tests of a moment, and after a run that was cut short."""
    for args, options in ((("-q",), {}), ((), {"each": 0.1}), (("-x",), {"failing": 0})):
        result, told = ran(run, *args, **options)
        assert told == [], result
