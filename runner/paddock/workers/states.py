"""The client's states towards one supervisor: which event is answered how, as a table.

Owns the table alone. Pure: actions are names that the conversation knows. What a row lacks is ignored: it is too late.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class State(Enum):
    """Where the client stands."""

    DIALLING = "dialling"
    GREETING = "greeting"
    """Connected; the supervisor's greeting is outstanding."""
    OPEN = "open"
    PARTING = "parting"
    """The worker's end is known; the supervisor is given the time to take note of that."""
    GONE = "gone"


class Happening(Enum):
    """What can happen."""

    CONNECTED = "connected"
    GREETED = "greeted"
    LOST = "lost"
    """The connection, or the attempt at one."""
    REFUSED = "refused"
    """For a reason that no other attempt can change."""
    ENDED = "ended"
    """The supervisor told the worker's end."""
    OVERDUE = "overdue"
    """The time for what is going on has passed."""


class Step(NamedTuple):
    """The next state, and what to do on the way."""

    state: State
    action: str


_FINAL = {
    Happening.REFUSED: Step(State.GONE, "refuse"),
    Happening.OVERDUE: Step(State.GONE, "give_up"),
}
_REDIAL = {Happening.LOST: Step(State.DIALLING, "redial")}
TABLE: dict[State, dict[Happening, Step]] = {
    State.DIALLING: _FINAL | _REDIAL | {Happening.CONNECTED: Step(State.GREETING, "greet")},
    State.GREETING: _FINAL | _REDIAL | {Happening.GREETED: Step(State.OPEN, "settle")},
    State.OPEN: _FINAL | _REDIAL | {Happening.ENDED: Step(State.PARTING, "part")},
    State.PARTING: {Happening.LOST: Step(State.GONE, "finish"), Happening.OVERDUE: Step(State.GONE, "finish")},
    State.GONE: {},
}
IGNORED = "ignore"


def next_step(state: State, happening: Happening) -> Step:
    """Return what follows from ``happening`` in ``state``; the same state and the action ``ignore`` if nothing does."""
    return TABLE[state].get(happening, Step(state, IGNORED))
