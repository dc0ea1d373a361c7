"""What the planner wants done; tests are told as their positions in the collection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Send:
    """Send these tests."""

    worker: str
    tests: tuple[int, ...]


@dataclass(frozen=True)
class Close:
    """Tell the worker that nothing follows what it has."""

    worker: str


@dataclass(frozen=True)
class TakeBack:
    """Ask for these tests back; the worker answers with all of them or none."""

    worker: str
    tests: tuple[int, ...]


Command = Send | Close | TakeBack
