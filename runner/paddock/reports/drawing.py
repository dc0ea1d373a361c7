"""Lines for a terminal of some width, coloured where that is wanted, out of what ``live`` says. Pure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from paddock.reports.live import COMING, heading, shown
from paddock.specs import ENDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.reports.live import Row, Whole

_NARROW = 50
"""Columns below which the counts of each worker are left out: what it is at says more."""
_SHORTEST = 20


def lines(whole: Whole, rows: Sequence[Row], *, width: int, height: int, colours: bool) -> list[str]:
    """Return the lines, none of them wider than ``width`` - 1: one that is would wrap in some terminals."""
    chosen, rest = shown(rows, height)
    if width < _SHORTEST or not chosen:
        return []
    console = Console(
        file=io.StringIO(),
        width=width - 1,
        force_terminal=colours,
        color_system="standard" if colours else None,
        no_color=not colours,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as captured:
        for line in (_heading(whole, rows), _table(chosen, width), Text(rest, style="dim")):
            if line:
                console.print(line, no_wrap=True, overflow="ellipsis", crop=True, highlight=False)
    return captured.get().splitlines()


def _heading(whole: Whole, rows: Sequence[Row]) -> Text:
    return Text.assemble(("paddock: ", "dim"), heading(whole, rows))


def _table(rows: Sequence[Row], width: int) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(no_wrap=True, justify="right")
    for row in rows:
        what = Text(row.what, style={COMING: "yellow", ENDED: "dim"}.get(row.phase, ""))
        end = Text.assemble((row.time, "dim"))
        if width >= _NARROW and row.counts:
            end.append("  ").append(row.counts, style="red" if row.bad else "green")
        table.add_row(Text(row.worker, style="bold"), what, end)
    return table
