"""One deadline over many waits, and a limit around work that knows none.

Owns the conversion of a time limit into the remaining part of it. It must not know what is waited for.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class Deadline:
    """A point in time that several blocking calls share; each gets what the earlier ones left.

    ``seconds`` counts from the construction, on the monotonic clock.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.remaining() <= 0.0

    def at_most(self, seconds: float) -> float:
        """Return ``seconds``, or what is left where that is less."""
        return min(seconds, self.remaining())


def within(seconds: float, work: Callable[[], Result], too_late: Callable[[], Exception]) -> Result:
    """Return what ``work`` returns, in a thread of its own; raise ``too_late()`` when it takes longer.

    What is late goes on behind, as a daemon, and ends with the process: builds and downloads cannot be stopped midway
    without leaving half of something.
    """
    done: Future[Result] = Future()

    def fill() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            done.set_exception(error)

    threading.Thread(target=fill, name="paddock-limited", daemon=True).start()
    try:
        return done.result(seconds)
    except FutureTimeoutError:
        if done.done():  # the work's own time-out, not ours
            raise
        raise too_late() from None
