"""Which workers that went are replaced, how soon, and for how long: a table, and the books of who followed whom.

xdist replaces every worker that crashed at work, at once; it never hears of those that were lost before. Here each of
the others gets its answer as well. Pure; one thread, pytest's, owns it. It must not know xdist's objects or engines.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from paddock.attempts import ATTEMPTS, pause_after
from paddock.specs import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.specs import Cause


class Answer(Enum):
    """What becomes of the place of a worker that went."""

    AT_ONCE = auto()
    LATER = auto()
    NEVER = auto()


TABLE: Mapping[tuple[Fate | None, bool], Answer] = {
    (Fate.OWN, True): Answer.AT_ONCE,  # as xdist does: the test that crashed it is not run again
    (Fate.OWN, False): Answer.NEVER,  # what ends a worker before its first test ends the next one too
    (Fate.PASSING, True): Answer.LATER,
    (Fate.PASSING, False): Answer.LATER,
    (Fate.LASTING, True): Answer.NEVER,
    (Fate.LASTING, False): Answer.NEVER,
    (None, True): Answer.AT_ONCE,
    (None, False): Answer.NEVER,
}
"""(fate of its cause, whether it had come to its tests) -> the answer; ``None`` for a cause that nobody knows."""


@dataclass(frozen=True)
class Place:
    """What the worker that takes another one's place is given."""

    of: str
    pause: float = 0.0
    refusal: str = ""
    """Why nobody is to take it; empty where somebody is."""


@dataclass(frozen=True)
class _Past:
    """What happened to those who had a worker's place before, and to itself."""

    in_a_row: int = 0
    """Workers that never came to their tests, since the last that did."""
    failed: int = 0
    """Workers that the infrastructure failed."""


class Replacements:
    """Answers for each worker that went; ``limit`` is pytest's ``--max-worker-restart``, if it is given."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._pasts: dict[str, _Past] = {}
        self._count = 0

    def lost(self, worker: str, cause: Cause | None, *, worked: bool) -> Place:
        """Note that a worker went, ``worked`` if it had come to its tests; return what becomes of its place."""
        answer = TABLE[cause.fate if cause else None, worked]
        before = self._pasts.get(worker, _Past())
        past = self._pasts[worker] = _Past(
            0 if worked else before.in_a_row + 1, before.failed + (answer is Answer.LATER)
        )
        refusal = self._refusal(answer, past)
        self._count += not refusal
        pause = pause_after(past.failed) if answer is Answer.LATER else 0.0
        return Place(worker, pause, refusal)

    def taken(self, worker: str, place: Place) -> None:
        """Note who takes the place of a worker that went: it inherits what happened to that one."""
        self._pasts[worker] = self._pasts[place.of]

    def _refusal(self, answer: Answer, past: _Past) -> str:
        if answer is Answer.NEVER:
            return "its cause does not pass by itself"
        if past.in_a_row >= ATTEMPTS:
            return f"{past.in_a_row} workers in a row never came in its place"
        if self._limit is not None and self._count >= self._limit:
            return f"--max-worker-restart={self._limit} allows no more"
        return ""
