"""How far each worker has come, as a table: which of its words reach xdist, and which are told differently.

xdist counts every lost worker against its restarts and puts a new one in its place, even one that never began:
a worker that is lost before it has collected is therefore reported to xdist as one that finished without work.
Thread safe: words come from the workers' receiver threads. It must not know xdist's objects.
"""

from __future__ import annotations

import threading
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(Enum):
    """How far a worker has come."""

    AWAITED = auto()
    """Its place or its process is still being made, or it is collecting."""
    AT_WORK = auto()
    """It has said which tests it knows."""
    GONE = auto()
    """Nothing it says counts any more."""


class Action(Enum):
    """What to do with a worker's word."""

    PASS = auto()
    """Hand it to xdist."""
    DROP = auto()
    """Keep it from xdist, which has taken leave of this worker."""
    FAIL = auto()
    """Tell xdist that the worker finished, and the user that it never came."""
    FINISH = auto()
    """Tell xdist that the worker finished; nobody needs it any more."""


OPEN_FAILED = "paddock_open_failed"
CANCELLED = "paddock_cancelled"
_PASSED_ON = {
    State.AWAITED: (State.AWAITED, Action.PASS),
    State.AT_WORK: (State.AT_WORK, Action.PASS),
    State.GONE: (State.GONE, Action.DROP),
}
TABLE: Mapping[tuple[State, str], tuple[State, Action]] = {
    (State.AWAITED, "collectionfinish"): (State.AT_WORK, Action.PASS),
    (State.AWAITED, "workerfinished"): (State.GONE, Action.PASS),
    (State.AWAITED, "errordown"): (State.GONE, Action.FAIL),
    (State.AWAITED, "internal_error"): (State.GONE, Action.FAIL),
    (State.AWAITED, OPEN_FAILED): (State.GONE, Action.FAIL),
    (State.AWAITED, CANCELLED): (State.GONE, Action.FINISH),
    (State.AT_WORK, "workerfinished"): (State.GONE, Action.PASS),
    (State.AT_WORK, "errordown"): (State.GONE, Action.PASS),
    (State.AT_WORK, "internal_error"): (State.GONE, Action.PASS),
    (State.AT_WORK, OPEN_FAILED): (State.AT_WORK, Action.DROP),
    (State.AT_WORK, CANCELLED): (State.AT_WORK, Action.DROP),
}
"""(state, word) -> (next state, action); a word that is not here leaves the state as it is."""


class Roster:
    """The states of all workers of a run."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._states: dict[str, State] = {}
        self.changes = 0
        """How often a state has changed: who has looked need not look again before the next time."""

    def enter(self, worker: str) -> None:
        """Note a worker that is being made."""
        with self._changed:
            self._states[worker] = State.AWAITED
            self.changes += 1

    def advance(self, worker: str, word: str) -> Action:
        """Note a worker's word and return what to do with it."""
        with self._changed:
            state = self._states[worker]
            self._states[worker], action = TABLE.get((state, word), _PASSED_ON[state])
            if self._states[worker] is not state:
                self.changes += 1
                self._changed.notify_all()
        return action

    def awaited(self) -> list[str]:
        """Return the workers that have not said yet which tests they know."""
        return self._those(State.AWAITED)

    def alive(self) -> list[str]:
        """Return the workers that are not gone."""
        return self._those(State.AWAITED, State.AT_WORK)

    def wait_until_gone(self, timeout: float) -> bool:
        """Return whether all workers went within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: set(self._states.values()) <= {State.GONE}, timeout)

    def _those(self, *states: State) -> list[str]:
        with self._changed:
            return [worker for worker, state in self._states.items() if state in states]
