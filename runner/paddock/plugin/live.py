"""What a person sees of a run while it lasts: a line for each worker in a terminal, and elsewhere hardly anything.

Owns the thread that draws and when it draws. What the lines say is ``reports.live``'s, how they stay below pytest's
output ``plugin.area``'s. It must not know engines or xdist.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from paddock.plugin.area import Area
from paddock.reports.live import COMING, Row, Whole, duration, late, overdue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from paddock.plugin.courses import Course, Courses
    from paddock.plugin.terminal import Terminal

PLUGIN = "paddock-live"
PERIOD = 0.5
"""Seconds between two looks: a drawing takes 4 ms of a processor (measured), which is then under 1 %."""
FIRST = 1.0
"""Seconds until the first: a run that is over by then needs no lines."""
APART = 30.0
"""Seconds between two lines about workers that wait, where there is no terminal."""
LATE = 5.0
"""Seconds of a run from which on a worker that did not get ready within it is told: it is no chance any more."""
_DUMB = ("", "dumb", "unknown")


class Live:
    """Looks at all workers from time to time, from the start of the session to its end."""

    def __init__(self, config: pytest.Config, terminal: Terminal, courses: Courses) -> None:
        self._config, self._terminal, self._courses = config, terminal, courses
        self.expected: Callable[[str], float | None] = lambda _node_id: None
        """Says how long a test is expected to take."""
        self.left: Callable[[], float | None] = lambda: None
        """Says how long the run is expected to take from now on; asked on pytest's thread."""
        self.step: Callable[[], str] = str
        """Says what is done before there are any workers."""
        self._began = courses.clock()
        self._collected = self._reported = 0
        self._end: float | None = None
        self._looked = float("-inf")
        self._told: dict[str, str] = {}
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._area: Area | None = None

    # ---- pytest's thread

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Begin to look."""
        if fits(self._config):
            self._area = self._put_between()
        look = self._tell if self._area is None else self._draw
        self._thread = threading.Thread(target=self._repeat, args=(look,), name=PLUGIN, daemon=True)
        self._thread.start()

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note how many tests there are."""
        self._collected = self._collected or len(ids)

    def pytest_runtest_logfinish(self) -> None:
        """Note that a test is over, and how long the others will take."""
        self._reported += 1
        now = self._courses.clock()
        if self._area is not None and now >= self._looked + PERIOD:
            self._looked, left = now, self.left()
            self._end = None if left is None else now + left

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Leave the terminal to pytest's summary."""
        self.close()

    def over_without(self, workers: Sequence[str]) -> None:
        """Tell of workers that are not ready though no test is left, unless the run was a short one."""
        if self._courses.clock() >= self._began + LATE:
            for sentence in late([row for row in self._rows() if row.worker in workers]):
                self._terminal.line(sentence, yellow=True)

    def close(self) -> None:
        """End the thread and take the lines away; idempotent."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        area, self._area = self._area, None
        if area is not None:
            area.show([])
            self._writer()._file = area.file  # noqa: SLF001 - see _put_between
            self._terminal.area = None

    def _put_between(self) -> Area:
        # pytest has no other place for what every writer of its output passes through; the contract tests pin it.
        writer = self._writer()
        file = writer._file  # noqa: SLF001 - as said above
        area = self._terminal.area = Area(file, lambda: _size(file).columns)
        writer._file = area  # noqa: SLF001 - as said above
        return area

    def _writer(self) -> Any:  # noqa: ANN401 - its file has no public name
        return self._config.get_terminal_writer()

    # ---- the thread that looks

    def _repeat(self, look: Callable[[], None]) -> None:
        wait = FIRST
        while not self._over.wait(wait):
            wait = PERIOD
            look()

    def _draw(self) -> None:
        from paddock.reports import drawing  # noqa: PLC0415 - loads rich, which a short run does without

        area = self._area
        if area is None:
            return
        whole = self._whole(self._courses.all().values())
        size, colours = _size(area.file), self._writer().hasmarkup
        area.show(drawing.lines(whole, self._rows(), width=size.columns, height=size.lines, colours=colours))

    def _tell(self) -> None:
        """Tell of workers that wait long: each reason once, and not many lines in a short time."""
        waiting = overdue(self._rows(), self._told)
        if waiting and self._courses.clock() >= self._looked + APART:
            self._looked = self._courses.clock()
            self._told.update((row.worker, row.waits_for) for row in waiting)
            for reason in dict.fromkeys(row.waits_for for row in waiting):
                rows = [row for row in waiting if row.waits_for == reason]
                names = ", ".join(row.worker for row in rows)
                self._terminal.line(f"{names}: {duration(rows[0].seconds)} of waiting for {reason or 'the first word'}")

    def _whole(self, courses: Iterable[Course]) -> Whole:
        now, end = self._courses.clock(), self._end
        left = None if end is None else max(0.0, end - now)
        seconds = now - self._began
        step = "" if any(course.way.over or course.doing for course in courses) else self.step()
        return Whole(seconds=seconds, reported=self._reported, collected=self._collected, left=left, step=step)

    def _rows(self) -> list[Row]:
        now = self._courses.clock()
        return [self._row(worker, course, now) for worker, course in self._courses.all().items()]

    def _row(self, worker: str, course: Course, now: float) -> Row:
        seconds = now - course.since
        if course.doing is None:
            return Row(worker=worker, phase=COMING, seconds=seconds, waits_for=course.way.waits_for)
        running = course.doing.running
        expected = self.expected(running) if running else None
        return Row(worker=worker, phase=course.doing.phase, seconds=seconds, doing=course.doing, expected=expected)


def fits(config: pytest.Config) -> bool:
    """Whether there is a terminal that can show lines below pytest's, and somebody who wants to see more than dots."""
    if config.get_verbosity() < 0 or not config.pluginmanager.has_plugin("terminalreporter"):
        return False
    file = config.get_terminal_writer()._file  # noqa: SLF001 - see Live._put_between
    return file.isatty() and os.environ.get("TERM", "") not in _DUMB


def _size(file: Any) -> os.terminal_size:  # noqa: ANN401 - whatever pytest writes to
    try:
        return os.get_terminal_size(file.fileno())
    except (OSError, ValueError):  # it has gone
        return os.terminal_size((0, 0))
