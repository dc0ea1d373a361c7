"""The course of every worker, from being asked for to its end: what it is at, since when, and when each step was over.

Words come from the workers' receiver threads, and others look: thread safe. It must not know pytest or engines.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paddock.specs import Doing, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, kw_only=True)
class Course:
    """How far one worker has come."""

    since: float
    """When what it is at began, on the clock of ``time.monotonic``."""
    doing: Doing | None = None
    """What it said last; ``None`` before it said anything."""
    began: Mapping[str, float] = field(default_factory=dict)
    """Phase -> when it began."""
    way: Way = field(default_factory=Way)


class Courses:
    """Those of all workers; ``way`` says how far a worker's place has come."""

    def __init__(self, way: Callable[[str], Way], clock: Callable[[], float] = time.monotonic) -> None:
        self._way, self.clock = way, clock
        self._lock = threading.Lock()
        self._courses: dict[str, Course] = {}

    def enter(self, worker: str) -> None:
        """Note a worker that is being made."""
        with self._lock:
            self._courses[worker] = Course(since=self.clock())

    def note(self, worker: str, doing: Doing) -> None:
        """Note what a worker is at from now on."""
        now = self.clock()
        with self._lock:
            before = self._courses.get(worker, Course(since=now))
            same = before.doing and (before.doing.phase, before.doing.test) == (doing.phase, doing.test)
            self._courses[worker] = Course(
                doing=doing,
                since=before.since if same else now,
                began=before.began if doing.phase in before.began else {**before.began, doing.phase: now},
            )

    def all(self) -> dict[str, Course]:
        """Return them as they are now, in the order in which workers were made."""
        with self._lock:
            courses = dict(self._courses)
        return {worker: replace(course, way=self._way(worker)) for worker, course in courses.items()}
