"""What the lines of a run say, and which of them there is room for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from paddock.reports.drawing import lines
from paddock.reports.live import COMING, Row, Whole, duration, heading, overdue, shown
from paddock.specs import COLLECTING, ENDED, TESTING, WAITING, Awaited, Doing

RUNNING = Doing(running="test_a.py::test_b[1]", passed=2, failed=1)
AWAITED = Awaited(device="x0", test="t", holder="k7/gw1", held_for="u", since="now")
WHOLE = Whole(seconds=12.0, reported=13, collected=60, left=75.4)


def row(number: int, phase: str = TESTING, seconds: float = 1.0) -> Row:
    """Return one worker's row."""
    return Row(worker=f"gw{number}", phase=phase, seconds=seconds, doing=RUNNING if phase == TESTING else Doing())


@pytest.mark.parametrize(
    ("one", "what", "time"),
    [
        (row(0), "test_a.py::test_b[1]", "1.0 s"),
        (replace(row(0), expected=75), "test_a.py::test_b[1]", "1.0 s of 1:15 min"),
        (Row(worker="gw0", phase=TESTING, seconds=0.2), "between two tests", "0.2 s"),
        (replace(row(0), doing=Doing(awaits=AWAITED)), "waits for x0, which k7/gw1 has", "1.0 s"),
        (row(0, COLLECTING), "collects", "1.0 s"),
        (row(0, WAITING), "waits for its first test", "1.0 s"),
        (row(0, ENDED), "ended", ""),
        (row(0, COMING, 12), "starts", "12 s"),
        (replace(row(0, COMING), waits_for="a node: none fits"), "waits for a node: none fits", "1.0 s"),
    ],
)
def test_a_row_says_what_its_worker_is_at(one: Row, what: str, time: str) -> None:
    """In words, or as the running test's node id, with the time that it has taken and will take."""
    assert (one.what, one.time) == (what, time)


def test_a_row_counts_what_there_is() -> None:
    """Figures that are nought would only take room."""
    assert (row(0).counts, row(0).bad) == ("2 passed, 1 failed", True)
    assert (row(0, WAITING).counts, row(0, WAITING).bad) == ("", False)


def test_the_heading_counts_tests_and_workers() -> None:
    """Those that are at work, those to come, and when it will be over."""
    rows = [row(0), row(1, COLLECTING), row(2, COMING), row(3, ENDED)]
    assert heading(WHOLE, rows) == "13 of 60 tests, 2 workers, 1 to come, 12 s, about 1:15 min left"
    assert heading(Whole(seconds=1, step="images"), [row(0, COMING)]) == "images, 1 to come, 1.0 s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (10.4, "10 s"), (59.6, "1:00 min"), (3_661, "61:01 min")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    """Nobody reads tenths of a minute."""
    assert duration(seconds) == text


def test_where_there_is_no_room_the_longest_at_work_are_shown() -> None:
    """The others are counted, so that none is forgotten; a third of the terminal is ours."""
    rows = [row(number, TESTING if number % 2 else ENDED, number) for number in range(100)]
    chosen, rest = shown(rows, 24)
    assert [one.worker for one in chosen] == ["gw89", "gw91", "gw93", "gw95", "gw97", "gw99"]
    assert rest == "… and 94 more: 50 ended, 44 testing"
    assert len(lines(WHOLE, rows, width=80, height=24, colours=False)) == 8


def test_a_terminal_that_is_too_small_is_left_alone() -> None:
    """With some lines only, or a few columns, pytest's own output has all of it."""
    assert lines(WHOLE, [row(0)], width=80, height=7, colours=False) == []
    assert lines(WHOLE, [row(0)], width=19, height=24, colours=False) == []


@pytest.mark.parametrize("width", [20, 30, 49, 50, 80, 200])
def test_no_line_reaches_the_last_column(width: int) -> None:
    """Behind it terminals wrap, each in its own way; wide characters take two columns."""
    wide = Row(
        worker="gw0",
        phase=TESTING,
        seconds=1,
        doing=Doing(running="test_\N{CJK UNIFIED IDEOGRAPH-6F22}" * 40, passed=7),
    )
    found = lines(WHOLE, [wide, row(1)], width=width, height=24, colours=False)
    assert len(found) == 3
    assert max(map(cell_len, found)) < width


def test_colours_are_there_only_where_they_are_wanted() -> None:
    """A failure is red."""
    plain, coloured = (lines(WHOLE, [row(0)], width=80, height=24, colours=colours) for colours in (False, True))
    assert "\x1b" not in "".join(plain)
    assert "\x1b[31m" in coloured[1]


def test_a_long_wait_is_told_once_for_each_reason() -> None:
    """A log grows with what is new, not with time."""
    waits = Row(worker="gw0", phase=COMING, seconds=11, waits_for="a node")
    assert overdue([waits, row(1, COMING, 9), row(2, TESTING, 99)], {}) == [waits]
    assert overdue([waits], {"gw0": "a node"}) == []
    assert overdue([waits], {"gw0": "its sources"}) == [waits]
