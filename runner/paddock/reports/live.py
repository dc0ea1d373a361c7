"""What a run is at, as lines: one for the run, one for each worker. Pure: values in, text out.

It must not know terminals, threads or where the figures come from.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.specs import COLLECTING, ENDED, TESTING, WAITING, Doing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMING = "coming"
"""The phase of a worker that has not said anything yet."""
LONG_WAIT = 10.0
"""Seconds after which a log is told what a worker waits for: well above what any place takes on a machine at work."""
_LEFT = 1 / 3
"""Part of the terminal's height that is ours at most: the rest is for what the tests say."""
_FEWEST = 4
"""Lines from which on there is room for anything."""
_MINUTE = 60
_ORDER = {TESTING: 0, COLLECTING: 1, COMING: 1, WAITING: 2, ENDED: 3}
"""Which phases are shown where there is no room for all."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One worker."""

    worker: str
    phase: str
    seconds: float
    """Since it has been at this."""
    doing: Doing = field(default_factory=Doing)
    expected: float | None = None
    """Seconds that its running test is expected to take; ``None`` where nobody knows."""
    waits_for: str = ""
    """What its place waits for, where it is coming."""

    @property
    def what(self) -> str:
        """What it is at, in words or as the running test's node id."""
        if self.phase == COMING:
            return f"waits for {self.waits_for}" if self.waits_for else "starts"
        if self.phase == TESTING:
            return self.doing.test or "between two tests"
        return {COLLECTING: "collects", WAITING: "waits for its first test"}.get(self.phase, self.phase)

    @property
    def time(self) -> str:
        """How long it has been at it, and of a running test for how long it will be."""
        if self.phase == ENDED:
            return ""
        if self.phase == TESTING and self.doing.running and self.expected:
            return f"{duration(self.seconds)} of {duration(self.expected)}"
        return duration(self.seconds)

    @property
    def counts(self) -> str:
        """What it has reported, without what there is none of."""
        figures = ("passed", "failed", "errors", "skipped")
        return ", ".join(f"{count} {name}" for name in figures if (count := getattr(self.doing, name)))

    @property
    def bad(self) -> bool:
        """Whether anything failed on it."""
        return bool(self.doing.failed or self.doing.errors)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The run as a whole."""

    seconds: float
    """Since it began."""
    reported: int = 0
    collected: int = 0
    left: float | None = None
    """Expected seconds until its last test is over; ``None`` where nobody knows."""
    step: str = ""
    """What is done before there are any places."""


def duration(seconds: float) -> str:
    """Return a duration as short as it can be read: tenths below ten seconds, minutes from one on."""
    if seconds < 10:  # noqa: PLR2004 - two digits are enough for anybody
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def heading(whole: Whole, rows: Sequence[Row]) -> str:
    """Return the line of the run: tests, workers, time, expected end."""
    phases = Counter(row.phase for row in rows)
    at_work = len(rows) - phases[COMING] - phases[ENDED]
    return ", ".join(
        filter(
            None,
            (
                f"{whole.reported} of {whole.collected} tests" if whole.collected else whole.step or "no tests yet",
                {0: "", 1: "1 worker"}.get(at_work, f"{at_work} workers"),
                f"{phases[COMING]} to come" if phases[COMING] else "",
                duration(whole.seconds),
                f"about {duration(whole.left)} left" if whole.left is not None else "",
            ),
        )
    )


def shown(rows: Sequence[Row], height: int) -> tuple[list[Row], str]:
    """Return the rows that a terminal of so many lines has room for, and a line about the others.

    Where there is no room for all: those whose test has run longest first, and of a phase those that are at it longest.
    """
    room = max(0, int(height * _LEFT) - 1)
    if height < 2 * _FEWEST:
        return [], ""
    if len(rows) <= room:
        return list(rows), ""
    chosen = sorted(rows, key=lambda row: (_ORDER.get(row.phase, 0), -row.seconds))[: room - 1]
    rest = Counter(row.phase for row in rows if row not in chosen)
    counts = ", ".join(f"{count} {phase}" for phase, count in sorted(rest.items()))
    return [row for row in rows if row in chosen], f"… and {len(rows) - len(chosen)} more: {counts}"


def late(rows: Sequence[Row]) -> list[str]:
    """Return what to tell of workers that were not ready when all tests were over: the same once, with all names."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row.what, []).append(row.worker)
    return [
        f"{', '.join(workers)} {'was' if len(workers) == 1 else 'were'} not ready when all tests were over: {what}"
        for what, workers in by_reason.items()
    ]


def overdue(rows: Sequence[Row], told: Mapping[str, str]) -> list[Row]:
    """Return the workers that have waited long for something that was not ``told`` yet (worker -> what for)."""
    return [
        row
        for row in rows
        if row.phase == COMING and row.seconds >= LONG_WAIT and told.get(row.worker) != row.waits_for
    ]
