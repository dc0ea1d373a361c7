"""The supervisor's event loop: who is watched is asked anew at every step, so no registration can go stale.

Owns the call of ``poll`` and the waking up from signal handlers and threads. It must not know what its members do.
"""

from __future__ import annotations

import math
import os
import select
import signal
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

_HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Watched(Protocol):
    """Something with a descriptor that the loop looks at."""

    def fileno(self) -> int:
        """Return the descriptor; -1 once closed."""

    def interest(self) -> int:
        """Return the ``POLLIN``/``POLLOUT`` mask of interest; 0 for not now."""

    def ready(self) -> None:
        """Do what is possible now without waiting."""


def step(watched: Iterable[Watched], timeout: float) -> None:
    """Wait at most ``timeout`` seconds for one of ``watched`` and let those act that are ready."""
    poll = select.poll()
    by_descriptor = {one.fileno(): one for one in watched if one.interest()}
    for descriptor, one in by_descriptor.items():
        poll.register(descriptor, one.interest())
    for descriptor, _ in poll.poll(math.ceil(timeout * 1000)):
        # An earlier one in this step may have closed it, and even opened another one of the same number.
        if by_descriptor[descriptor].fileno() == descriptor:
            by_descriptor[descriptor].ready()


class Alarm:
    """Wakes the loop for signals and finished threads: ``on_signal(number)``, with 0 for a thread."""

    def __init__(self, on_signal: Callable[[int], None]) -> None:
        self._on_signal = on_signal
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)

    def install(self) -> None:
        """Take the signals over, and undo what a parent left: ignored and blocked signals would be inherited."""
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for number in _HANDLED:
            signal.signal(number, _noted)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def wake(self) -> None:
        """Wake the loop; to be called from other threads."""
        os.write(self._writing, b"\0")

    def fileno(self) -> int:
        """Return the descriptor to be watched."""
        return self._reading

    def interest(self) -> int:
        """Ask for input, always."""
        return select.POLLIN

    def ready(self) -> None:
        """Report the signals that came."""
        for number in os.read(self._reading, 4096):
            self._on_signal(number)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Let the interpreter write the number into the pipe; the loop does the rest."""
