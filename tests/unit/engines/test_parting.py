"""How long a run waits for interpreters that end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

from paddock.engines.parting import Parting

if TYPE_CHECKING:
    from paddock.workers.stream import PodStream

LIMIT = 10.0


class Stream:
    """Of a process that has ended, or has not."""

    def __init__(self, *, ended: bool) -> None:
        self._ended, self.asked = ended, threading.Event()

    def leave(self) -> bool:
        """Return whether it was left."""
        self.asked.set()
        return not self._ended


def parting(*streams: Stream, patience: float) -> Parting:
    return Parting(lambda: cast("list[PodStream]", list(streams)), patience)


def test_who_has_not_ended_in_time_is_left() -> None:
    """And its pod is to stay for a moment; a pod whose process has ended may go at once."""
    for ended in (True, False):
        stream = Stream(ended=ended)
        made = parting(stream, patience=0.0)
        made.begin()
        assert stream.asked.wait(LIMIT)
        assert made.end() is not ended


def test_nobody_is_left_where_all_were_quick_or_something_is_wanted_of_them() -> None:
    """The run has gone on before the time was over, or has never begun it."""
    stream = Stream(ended=False)
    quick = parting(stream, patience=3600.0)
    quick.begin()
    assert not quick.end()
    assert not parting(stream, patience=0.0).end()
    assert not stream.asked.is_set()
