"""What a person sees of a run: whole lines, from whichever thread they come.

Owns the order of lines among threads. It must not decide what is worth telling.
"""

from __future__ import annotations

import sys
import threading
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pytest

    from paddock.plugin.area import Area

SLOW = 1.0
"""Seconds after which a step is worth a line; shorter ones would only scroll by."""


class Terminal:
    """Writes our lines among pytest's."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self.area: Area | None = None
        """Lines of ours below everything, while there are any."""

    def line(self, text: str, *, red: bool = False, yellow: bool = False) -> None:
        """Write one line of ours to pytest's terminal, or to stdout before and after there is one.

        A terminal that was closed (SIGHUP) or a pipe that nobody reads takes no lines; the run's end goes on.
        """
        with self._lock, suppress(OSError):
            reporter = self.reporter
            if reporter is None:
                sys.stdout.write(f"paddock: {text}\n")
                sys.stdout.flush()
            else:
                reporter.ensure_newline()
                if (
                    self.area is not None and self.area.column
                ):  # xdist's count of workers, of which pytest knows nothing
                    reporter.line("")
                reporter.write_line(f"paddock: {text}", red=red, yellow=yellow)
                reporter.flush()  # into a file or a pipe, pytest's own lines wait until a buffer is full

    @property
    def reporter(self) -> pytest.TerminalReporter | None:
        """Pytest's own, unless ``-p no:terminal`` took it away."""
        found = self._config.pluginmanager.get_plugin("terminalreporter")
        return cast("pytest.TerminalReporter | None", found)

    def worker_line(self, worker: str, line: bytes) -> None:
        """Write a line of a worker's stderr to ours, with the worker's name before it."""
        text = line.decode(errors="replace").rstrip("\r\n")
        area = self.area
        with self._lock, area.aside() if area else nullcontext():
            sys.stderr.write(f"[{worker}] {text}\n")
            sys.stderr.flush()


class Progress:
    """Tells the step that the engine is at, if it takes over a second."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._ended = False
        self.current = ""
        """The step that is under way."""

    def step(self, text: str) -> None:
        """Note that ``text`` has begun, and with it that the step before has ended; any thread may call."""
        with self._lock:
            self._cancel()
            self.current = text
            if not self._ended:
                self._timer = threading.Timer(SLOW, self._terminal.line, [text])
                self._timer.daemon = True
                self._timer.start()

    def end(self) -> None:
        """Note that nobody waits any more."""
        with self._lock:
            self._ended, self.current = True, ""
            self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
