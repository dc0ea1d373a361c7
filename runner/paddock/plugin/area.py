"""Lines that stay below what pytest writes, whatever it writes: the ends of lines, half lines, lines written anew.

Stands between pytest's terminal writer and its file. The lines are always behind the cursor: they are drawn below it,
the cursor returns, and "erase to the end of the screen" takes them away wherever it stands and however the terminal
was resized meanwhile. Nothing is scrolled but by whole lines, so that the terminal's memory holds what it held without
them, and a process that is killed leaves a terminal in its usual state. Rich's own live display redirects stdout and
keeps back half lines, which pytest's progress consists of. It must not know what the lines say.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

ERASE = "\x1b[J"
"""From the cursor to the end of the screen (ECMA-48 ED)."""
_DOWN_SCROLLING, _DOWN, _UP, _END_OF_LINE = "\x1bD", "\x1b[B", "\x1b[{}A", "\x1b[K"
_SAVE, _RESTORE = "\x1b7", "\x1b8"
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Area:
    """The file that a terminal writer is given in place of its own; any thread may call."""

    def __init__(self, file: TextIO, width: Callable[[], int]) -> None:
        self.file, self._width = file, width
        self._lock = threading.RLock()
        self._lines: list[str] = []
        self.column = 0
        """Where the cursor stands."""
        self._drawn = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a file has
        """Be the file, but for what is written."""
        return getattr(self.file, name)

    def write(self, text: str) -> int:
        """Write pytest's text; what would run into our lines moves them."""
        with self._lock:
            if self._lines:
                self.file.write(self._among(text))
            else:
                self.column = column_after(self.column, text, 0)
                self.file.write(text)
            return len(text)

    def _among(self, text: str) -> str:
        """Return the text with what keeps our lines below it."""
        width, before = max(1, self._width()), self.column
        line, end, rest = text.partition("\n")
        wraps = before + printed(line) > width
        column = self.column = column_after(before, text, width)
        if self._drawn and not (end or wraps or column >= width):
            return text
        first = ERASE if self._drawn and (wraps or not end) else ""
        then = ERASE if self._drawn and end else ""  # behind a line's end: on the last column it takes a character
        return f"{first}{line}{end}{then}{rest}{self._drawing(column, width)}"

    def _drawing(self, column: int, width: int) -> str:
        """Return what draws the lines, unless the cursor stands on the last column: its line is about to end."""
        self._drawn = bool(self._lines) and column < width
        return drawn(self._lines) if self._drawn else ""

    def show(self, lines: Sequence[str]) -> None:
        """Have these lines below from now on, none for nothing; each must be narrower than the terminal."""
        with self._lock:
            encoding = self.file.encoding or "ascii"
            self._lines = [line.encode(encoding, "replace").decode(encoding) for line in lines]
            text = ERASE if self._drawn else ""
            text += self._drawing(self.column, self._width())
            with suppress(OSError, ValueError):  # a terminal that has gone needs no lines, and closes its file
                self.file.write(text)
                self.file.flush()

    @contextmanager
    def aside(self) -> Generator[None]:
        """Take the lines away while something else is written to the same terminal, whole lines only."""
        with self._lock:
            lines = self._lines
            self.show([])
            try:
                yield
            finally:
                self.column = 0
                self.show(lines)


def drawn(lines: Sequence[str]) -> str:
    """Return what draws lines below the cursor and leaves the cursor where it is.

    Room is made first, by moving down as far as needed: at the bottom that scrolls, and only then is the cursor saved.
    """
    if not lines:
        return ""
    room = _DOWN_SCROLLING * len(lines) + _UP.format(len(lines))
    return room + _SAVE + "".join(f"{_DOWN}\r{line}{_END_OF_LINE}" for line in lines) + _RESTORE


def printed(text: str) -> int:
    """Return how many columns a text without line ends takes, at most: wide characters count two."""
    text = _SEQUENCE.sub("", text)
    return len(text) if text.isascii() else 2 * len(text)


def column_after(column: int, text: str, width: int) -> int:
    """Return the column that a text leaves the cursor in; ``width`` 0 for a terminal that does not wrap."""
    last = re.split(r"[\r\n]", text)
    end = printed(last[-1]) + (column if len(last) == 1 else 0)
    return (end - 1) % width + 1 if width and end > width else end
