"""The latest of a value that one thread makes and others read, or wait for.

It must not know what the value is.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class Bulletin(Generic[Value]):
    """Holds the latest value; the one in it is never changed, but replaced."""

    def __init__(self, first: Value) -> None:
        self._latest = first
        self._news = threading.Condition()
        self._closed = False

    @property
    def latest(self) -> Value:
        """Return the value that was published last."""
        return self._latest

    def publish(self, value: Value) -> bool:
        """Replace the value and return whether it is another one; who waits hears of that."""
        with self._news:
            changed = value != self._latest
            self._latest = value
            if changed:
                self._news.notify_all()
        return changed

    def after(self, known: Value | None, is_wanted: Callable[[], bool]) -> Value | None:
        """Wait for a value other than ``known`` and return it; ``None`` once it is wanted no more.

        ``is_wanted`` is asked again after each ``wake``.
        """
        with self._news:
            self._news.wait_for(lambda: self._closed or not is_wanted() or self._latest != known)
            return self._latest if is_wanted() and not self._closed else None

    def wake(self) -> None:
        """Have everybody who waits look again."""
        with self._news:
            self._news.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._news:
            self._closed = True
            self._news.notify_all()
