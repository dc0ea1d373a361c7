"""Signals that end a run: SIGTERM and SIGHUP are treated as Ctrl-C, so that nothing is left behind.

Owns what the first and the second of them mean in each part of a run, as a table. It must not know what is given back.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from enum import Enum, auto
from typing import TYPE_CHECKING

from paddock.plugin.ledger import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType
    from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STDERR = 2


class State(Enum):
    """How far a run is, and how much of a hurry its user is in."""

    RUNNING = auto()
    INTERRUPTED = auto()
    """Fixtures are being torn down."""
    RETURNING = auto()
    """Namespaces are being given back after a run that nobody interrupted."""
    RETURNING_INTERRUPTED = auto()
    LEFT = auto()
    """Only what is left is still told; nothing waits for anything."""


class Action(Enum):
    """What a signal does."""

    RAISE = auto()
    """KeyboardInterrupt, in pytest's thread."""
    TELL = auto()
    """Only say that a second one is heard: what goes on now is better not cut short."""
    DROP = auto()


TABLE: Mapping[State, tuple[State, Action]] = {
    State.RUNNING: (State.INTERRUPTED, Action.RAISE),
    State.INTERRUPTED: (State.LEFT, Action.RAISE),
    State.RETURNING: (State.RETURNING_INTERRUPTED, Action.TELL),
    State.RETURNING_INTERRUPTED: (State.LEFT, Action.RAISE),
    State.LEFT: (State.LEFT, Action.DROP),
}
"""State -> (next state, action) at a signal, whichever it is."""

_RETURNING = {State.RUNNING: State.RETURNING, State.INTERRUPTED: State.RETURNING_INTERRUPTED}


@contextmanager
def before_the_run() -> Iterator[None]:
    """Make one line of a Ctrl-C, for which pytest has nothing but a traceback before its session begins.

    Raises:
        SystemExit: with pytest's code for it; a wrapper of a hook that has not come to its ``yield`` cannot return.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("paddock: interrupted before anything was made\n")
        raise SystemExit(Exit.INTERRUPTED) from None


class Interrupts:
    """Hears the signals from entering to leaving it; ``notice`` is what ``TELL`` says, a line."""

    def __init__(self, notice: str) -> None:
        self._notice = notice
        self._state = State.RUNNING
        self._earlier: dict[signal.Signals, object] = {}

    @property
    def twice(self) -> bool:
        """Whether the user wants to wait for nothing any more."""
        return self._state is State.LEFT

    def returning(self) -> None:
        """Note that from now on namespaces are given back, which one signal alone does not cut short."""
        self._state = _RETURNING.get(self._state, self._state)

    def __enter__(self) -> Self:
        """Hear the signals, but for those that the starter has ignored (nohup, a shell's background)."""
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            self._earlier = {one: found for one in SIGNALS if (found := signal.getsignal(one)) is not signal.SIG_IGN}
        for number in self._earlier:
            signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        """Put back what was there."""
        for number, previous in self._earlier.items():
            signal.signal(number, previous)  # type: ignore[arg-type] # as getsignal gave it

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._state, action = TABLE[self._state]
        if action is Action.TELL:
            # Past Python's own streams, which the interrupted code may be in the middle of writing to.
            with suppress(OSError):
                os.write(_STDERR, f"{self._notice}\n".encode())
        elif action is Action.RAISE:
            raise KeyboardInterrupt
