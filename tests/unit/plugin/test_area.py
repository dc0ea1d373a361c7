"""The lines below pytest's output, on the screen of an emulated terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.plugin.area import Area, column_after

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 20, 8


class Terminal(io.StringIO):
    """A terminal of 20 columns and 8 lines, as pytest's file."""

    encoding = "utf-8"

    def __init__(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(width, height)
        self._stream = pyte.Stream(self.screen)

    def write(self, text: str) -> int:
        """Show it, a line end as the kernel passes it on."""
        self._stream.feed(text.replace("\n", "\r\n"))
        return len(text)

    def all(self) -> list[str]:
        """Return what was scrolled away and what is on the screen, without empty lines at the end."""
        columns = range(self.screen.columns)
        above = ["".join(line[column].data for column in columns) for line in self.screen.history.top]
        lines = [line.rstrip() for line in [*above, *self.screen.display]]
        while lines and not lines[-1]:
            lines.pop()
        return lines


@pytest.fixture
def terminal() -> Terminal:
    """Return an empty terminal."""
    return Terminal()


@pytest.fixture
def area(terminal: Terminal) -> Area:
    """Return an area in that terminal."""
    return Area(terminal, lambda: terminal.screen.columns)


def test_lines_stand_below_a_half_line_that_goes_on(terminal: Terminal, area: Area) -> None:
    """Dots are written where they would be without the lines, and the lines stay where they are."""
    area.write("test_a.py ..")
    area.show(["gw0 test_b", "gw1 test_c"])
    area.write(".")
    area.write("F")
    assert terminal.all() == ["test_a.py ...F", "gw0 test_b", "gw1 test_c"]


def test_lines_move_down_with_the_ends_of_lines(terminal: Terminal, area: Area) -> None:
    """At the bottom of the screen what was above scrolls away, line by line, and nothing of it is lost."""
    area.show(["gw0", "gw1"])
    for number in range(20):
        area.write(f"line {number}\n")
        assert terminal.all()[-4:] == [f"line {number}", "", "gw0", "gw1"]
    area.show([])
    assert terminal.all() == [f"line {number}" for number in range(20)]


def test_a_line_that_fills_the_terminal_loses_no_character(terminal: Terminal, area: Area) -> None:
    """Behind the last column the cursor still stands on it: erasing there would take it away."""
    area.show(["gw0"])
    area.write("=" * WIDTH)
    area.show(["gw1"])
    area.write("\n")
    assert terminal.all() == ["=" * WIDTH, "", "gw1"]


def test_a_text_that_wraps_leaves_nothing_of_the_lines_in_it(terminal: Terminal, area: Area) -> None:
    """Node ids are longer than many a terminal is wide."""
    area.show(["gw0 " + "x" * 12])
    area.write("test_of_a_long_name[" + "1" * 5)
    area.write(" PASSED\n")
    assert terminal.all() == ["test_of_a_long_name[", "11111 PASSED", "", "gw0 " + "x" * 12]


def test_a_line_that_is_written_anew_stays_one_line(terminal: Terminal, area: Area) -> None:
    """Xdist counts the workers that have come in one line."""
    area.show(["gw0"])
    for count in range(3):
        area.write(f"\rcreated: {count}/2")
    assert terminal.all() == ["created: 2/2", "gw0"]


def test_fewer_lines_leave_none_behind(terminal: Terminal, area: Area) -> None:
    """What is not shown any more is gone, and so is all of it at the end."""
    area.write("..")
    area.show(["gw0", "gw1", "gw2"])
    area.show(["gw0"])
    assert terminal.all() == ["..", "gw0"]
    area.show([])
    area.write(".\n")
    assert terminal.all() == ["..."]


def test_other_writers_of_whole_lines_are_let_through(terminal: Terminal, area: Area) -> None:
    """What workers print goes to stderr, which is the same terminal."""
    area.show(["gw0"])
    with area.aside():
        terminal.write("[gw0] printed\n")
    assert terminal.all() == ["[gw0] printed", "", "gw0"]


def test_lines_survive_a_terminal_that_changes_its_size(terminal: Terminal, area: Area) -> None:
    """Whatever was below the cursor is taken away, however it looks by now."""
    area.write("....")
    area.show(["gw0 " + "x" * 12, "gw1"])
    terminal.screen.resize(HEIGHT, 10)
    area.show(["gw0", "gw1"])
    assert terminal.all() == ["....", "gw0", "gw1"]


def test_characters_the_terminal_cannot_show_do_no_harm(terminal: Terminal, area: Area) -> None:
    """A node id may hold any, and a terminal in the C locale takes few."""
    terminal.encoding = "ascii"
    area.show(["gw0 test_caf\N{LATIN SMALL LETTER E WITH ACUTE}"])
    assert terminal.all() == ["", "gw0 test_caf?"]


def test_a_terminal_that_has_gone_ends_nothing() -> None:
    """The run goes on without anybody to look."""
    gone = Terminal()
    gone.close()
    gone.write = io.StringIO.write.__get__(gone)  # type: ignore[method-assign] # as a closed file does
    Area(gone, lambda: WIDTH).show(["gw0"])


@given(
    st.lists(
        st.one_of(
            st.text(alphabet="ab. ", min_size=1, max_size=2 * WIDTH),
            st.text(alphabet="ab\n", max_size=5),
            st.lists(st.text(alphabet="xyz", min_size=1, max_size=WIDTH - 1), max_size=3),
        ),
        max_size=40,
    )
)
def test_pytest_s_output_is_what_it_would_be_without(steps: list[str | list[str]]) -> None:
    """Whatever is written and shown in whatever order: once the lines are gone, nobody sees that they were there."""
    with_lines, without = Terminal(), Terminal()
    area = Area(with_lines, lambda: WIDTH)
    for step in steps:
        if isinstance(step, list):
            area.show(step)
        else:
            area.write(step)
            without.write(step)
    area.show([])
    assert texts(with_lines) == texts(without)


def texts(terminal: Terminal) -> Sequence[str]:
    return [line for line in terminal.all() if line]


@pytest.mark.parametrize(
    ("text", "column"),
    [("ab", 7), ("a\nbc", 2), ("abc\rd", 1), ("\x1b[32m.\x1b[0m", 6), ("x" * 15, 20), ("x" * 16, 1), ("\n", 0)],
)
def test_the_column_follows_what_is_written(text: str, column: int) -> None:
    """From column 5 of 20, colours taking no room."""
    assert column_after(5, text, WIDTH) == column
