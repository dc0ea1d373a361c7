"""Runs pytest in a terminal of its own, emulated, and tells what a person sees there from moment to moment."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyte

from tests.contract.plugin.running import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

EXTRA = 2000
"""Lines that the terminal remembers."""


@dataclass
class Seen:
    """What the terminal showed."""

    screen: pyte.HistoryScreen
    code: int = -1
    moments: list[list[str]] = field(default_factory=list)
    """The screen after each piece of output."""

    def end(self) -> list[str]:
        """Return what is there at the end, with what was scrolled away, but for empty lines."""
        columns = range(self.screen.columns)
        above = ["".join(line[column].data for column in columns) for line in self.screen.history.top]
        return [line.rstrip() for line in [*above, *self.screen.display] if line.strip()]

    def had(self, *texts: str) -> bool:
        """Whether all the texts stood on the screen at the same time, each on a line of its own and in this order."""
        return any(_in_order(texts, moment) for moment in self.moments)


def _in_order(texts: Sequence[str], lines: Sequence[str]) -> bool:
    left = iter(lines)
    return all(any(text in line for line in left) for text in texts)


def run_in_terminal(
    args: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    size: tuple[int, int] = (24, 80),
    then: Callable[[Seen, subprocess.Popen[bytes], int], None] = lambda *_: None,
) -> Seen:
    """Run ``python -m pytest`` in a terminal of so many lines and columns; ``then`` is called after each piece.

    It is given what was seen, the process, and the terminal's descriptor.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    seen = Seen(pyte.HistoryScreen(size[1], size[0], history=EXTRA))
    stream = pyte.ByteStream(seen.screen)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *args],
        cwd=folder,
        env={"TERM": "xterm", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    end = time.monotonic() + LIMIT
    try:
        while (piece := _read(ours)) and time.monotonic() < end:
            stream.feed(piece)
            seen.moments.append([line.rstrip() for line in seen.screen.display])
            then(seen, process, ours)
        seen.code = process.wait(LIMIT)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return seen


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the last one who had the terminal open has gone
        return b""
