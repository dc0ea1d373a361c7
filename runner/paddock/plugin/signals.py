"""Signals that end a run: SIGTERM and SIGHUP are treated as Ctrl-C, so that nothing is left behind.

It must not know what is to be given back.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt for the signals that end a process, and put back what was there."""
    # Only the main thread may set handlers, and a signal that the starter ignores (nohup) stays ignored.
    ours = [
        number
        for number in ENDING
        if threading.current_thread() is threading.main_thread() and signal.getsignal(number) is not signal.SIG_IGN
    ]
    with _handling(ours, _interrupt):
        yield


@contextmanager
def held_back(on_first: Callable[[], None]) -> Iterator[None]:
    """Let the first signal only call ``on_first``, since what runs now must not be cut short; the next interrupts."""
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if seen:
            _interrupt(number, frame)
        seen.append(number)
        on_first()

    main = threading.current_thread() is threading.main_thread()
    with _handling([signal.SIGINT, *ENDING] if main else [], handle):
        yield


@contextmanager
def _handling(numbers: list[signal.Signals], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    earlier = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in earlier.items():
            signal.signal(number, previous)
