"""The life of a component as a table: which event leads from which state to which, and what is to be done then.

Pure. It must not know processes, threads or time.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Where a component stands."""

    WAITING = "waiting"
    """For the components that it needs."""
    STARTING = "starting"
    """Its process runs; its readiness check has not passed yet."""
    SERVING = "serving"
    """It answers, although it says itself that it is not ready yet; only for components with an early check."""
    READY = "ready"
    PAUSING = "pausing"
    """Its process died; it is started again after a pause."""
    STOPPED = "stopped"


class Event(Enum):
    """What can happen to a component."""

    START = "start"
    """What it waited for has come: its needs are ready, or its pause is over."""
    SERVES = "serves"
    """Its early check passed."""
    PASSED = "passed"
    """Its readiness check passed."""
    EXITED = "exited"
    """Its process ended."""
    STOP = "stop"
    """The node is stopped."""


class Action(Enum):
    """What the supervisor does on a transition."""

    NOTHING = "nothing"
    SPAWN = "spawn"
    PAUSE = "pause"
    """Set a timer that brings the next START."""
    KILL = "kill"


TRANSITIONS: dict[tuple[State, Event], tuple[State, Action]] = {
    (State.WAITING, Event.START): (State.STARTING, Action.SPAWN),
    (State.WAITING, Event.STOP): (State.STOPPED, Action.NOTHING),
    (State.STARTING, Event.SERVES): (State.SERVING, Action.NOTHING),
    (State.STARTING, Event.PASSED): (State.READY, Action.NOTHING),
    (State.STARTING, Event.EXITED): (State.PAUSING, Action.PAUSE),
    (State.STARTING, Event.STOP): (State.STOPPED, Action.KILL),
    (State.SERVING, Event.PASSED): (State.READY, Action.NOTHING),
    (State.SERVING, Event.EXITED): (State.PAUSING, Action.PAUSE),
    (State.SERVING, Event.STOP): (State.STOPPED, Action.KILL),
    (State.READY, Event.EXITED): (State.PAUSING, Action.PAUSE),
    (State.READY, Event.STOP): (State.STOPPED, Action.KILL),
    (State.PAUSING, Event.START): (State.STARTING, Action.SPAWN),
    (State.PAUSING, Event.STOP): (State.STOPPED, Action.NOTHING),
}
"""Every pair that is absent leaves the state as it is: such an event came late and means nothing any more."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
FORGIVEN_AFTER = 30.0
"""Seconds that a process must have lived for its death not to count as one of a series."""


def step(state: State, event: Event) -> tuple[State, Action]:
    """Return the next state and what is to be done."""
    return TRANSITIONS.get((state, event), (state, Action.NOTHING))


def pause(deaths_in_series: int) -> float:
    """Return the seconds to wait before the next start: doubled with each death of a series, at most five seconds."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(deaths_in_series - 1, 16))
