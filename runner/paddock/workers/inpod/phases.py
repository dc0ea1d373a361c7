"""The supervisor's states: which event is answered how in which phase, as a table.

Owns the table alone. Pure: actions are names that the supervisor knows. An event that a row lacks is ignored: every
such case is one that comes too late or twice.
"""

from __future__ import annotations

from typing import NamedTuple

WAITING = "waiting"
"""Nothing to do yet, or sources are unpacked and the worker is not started."""
UNPACKING = "unpacking"
RUNNING = "running"
TAKING = "taking"
"""The worker is to end, and its stacks are taken first: it may hang, and nobody can look into it afterwards."""
STOPPING = "stopping"
"""The worker was told to end and has not yet."""
DRAINING = "draining"
"""The worker has ended; what it wrote is being read."""
GATHERING = "gathering"
"""The client knows the worker's end; the files that it wants back are being sent."""
PARTING = "parting"
"""The client has been told the end; its acknowledgement is outstanding."""
OVER = "over"

UNPACK, UNPACKED, START, FAILED = "unpack", "unpacked", "start", "failed"
ENDED, DRAINED, GATHERED, ACKNOWLEDGED = "ended", "drained", "gathered", "acknowledged"
KILL, TERMINATE, ALONE, OVERDUE, TAKEN = "kill", "terminate", "alone", "overdue", "taken"


class Step(NamedTuple):
    """The next phase, and what to do on the way."""

    phase: str
    action: str


_BEFORE = {
    KILL: Step(PARTING, "part"),
    TERMINATE: Step(PARTING, "part"),
    ALONE: Step(OVER, "leave"),
    FAILED: Step(PARTING, "part"),
}
TABLE: dict[str, dict[str, Step]] = {
    WAITING: _BEFORE | {UNPACK: Step(UNPACKING, "unpack"), START: Step(RUNNING, "start")},
    UNPACKING: _BEFORE | {UNPACKED: Step(WAITING, "say_unpacked")},
    RUNNING: {
        KILL: Step(STOPPING, "kill"),
        TERMINATE: Step(TAKING, "take"),
        ALONE: Step(TAKING, "take"),
        ENDED: Step(DRAINING, "drain"),
        FAILED: Step(PARTING, "part"),
    },
    TAKING: {
        KILL: Step(STOPPING, "kill"),
        TAKEN: Step(STOPPING, "terminate"),
        OVERDUE: Step(STOPPING, "kill"),
        ENDED: Step(DRAINING, "drain"),
    },
    STOPPING: {
        KILL: Step(STOPPING, "kill"),
        OVERDUE: Step(STOPPING, "kill"),
        ENDED: Step(DRAINING, "drain"),
    },
    DRAINING: {DRAINED: Step(GATHERING, "gather"), OVERDUE: Step(GATHERING, "gather"), ALONE: Step(OVER, "leave")},
    # A client that kills its worker may still want what that wrote; the deletion of the pod ends this early.
    GATHERING: {
        GATHERED: Step(PARTING, "part"),
        TERMINATE: Step(PARTING, "part"),
        OVERDUE: Step(PARTING, "part"),
        ALONE: Step(OVER, "leave"),
    },
    PARTING: {
        ACKNOWLEDGED: Step(OVER, "leave"),
        OVERDUE: Step(OVER, "leave"),
        ALONE: Step(OVER, "leave"),
        KILL: Step(PARTING, "hurry"),
        TERMINATE: Step(PARTING, "hurry"),
    },
    OVER: {},
}
IGNORED = "ignore"


def next_step(phase: str, event: str) -> Step:
    """Return what follows from ``event`` in ``phase``; the same phase and the action ``ignore`` if nothing does."""
    return TABLE[phase].get(event, Step(phase, IGNORED))
