"""Laws of the two state tables: the supervisor's phases and the client's states."""

from __future__ import annotations

import pytest

from paddock.workers import states
from paddock.workers.conversation import Conversation
from paddock.workers.inpod import phases
from paddock.workers.inpod.supervisor import Supervisor
from paddock.workers.states import Happening, State

PHASES = set(phases.TABLE)


@pytest.mark.parametrize(
    ("phase", "event", "following", "action"),
    [
        (phases.WAITING, phases.UNPACK, phases.UNPACKING, "unpack"),
        (phases.UNPACKING, phases.UNPACKED, phases.WAITING, "say_unpacked"),
        (phases.UNPACKING, phases.FAILED, phases.PARTING, "part"),
        (phases.WAITING, phases.START, phases.RUNNING, "start"),
        (phases.RUNNING, phases.START, phases.RUNNING, "ignore"),
        (phases.RUNNING, phases.ENDED, phases.DRAINING, "drain"),
        (phases.RUNNING, phases.TERMINATE, phases.TAKING, "take"),
        (phases.RUNNING, phases.ALONE, phases.TAKING, "take"),
        (phases.TAKING, phases.TAKEN, phases.STOPPING, "terminate"),
        (phases.TAKING, phases.KILL, phases.STOPPING, "kill"),
        (phases.TAKING, phases.ENDED, phases.DRAINING, "drain"),
        (phases.STOPPING, phases.TAKEN, phases.STOPPING, "ignore"),
        (phases.RUNNING, phases.KILL, phases.STOPPING, "kill"),
        (phases.STOPPING, phases.OVERDUE, phases.STOPPING, "kill"),
        (phases.STOPPING, phases.ALONE, phases.STOPPING, "ignore"),
        (phases.STOPPING, phases.ENDED, phases.DRAINING, "drain"),
        (phases.DRAINING, phases.DRAINED, phases.GATHERING, "gather"),
        (phases.DRAINING, phases.OVERDUE, phases.GATHERING, "gather"),
        (phases.GATHERING, phases.GATHERED, phases.PARTING, "part"),
        (phases.GATHERING, phases.KILL, phases.GATHERING, "ignore"),
        (phases.GATHERING, phases.TERMINATE, phases.PARTING, "part"),
        (phases.PARTING, phases.ACKNOWLEDGED, phases.OVER, "leave"),
        (phases.PARTING, phases.ALONE, phases.OVER, "leave"),
        (phases.PARTING, phases.KILL, phases.PARTING, "hurry"),
        (phases.OVER, phases.KILL, phases.OVER, "ignore"),
    ],
)
def test_the_supervisor_answers(phase: str, event: str, following: str, action: str) -> None:
    """Each row names the next phase and the action."""
    assert phases.next_step(phase, event) == (following, action)


@pytest.mark.parametrize("phase", sorted(PHASES - {phases.OVER}))
def test_a_supervisor_can_always_be_ended(phase: str) -> None:
    """From every phase a client that stays away, or a deleted pod, leads to the end: no pod stays for ever."""
    for stimulus in (phases.ALONE, phases.TERMINATE):
        here = phase
        for event in (stimulus, phases.OVERDUE, phases.ENDED, *3 * [phases.OVERDUE]):
            here = phases.next_step(here, event).phase
        assert here == phases.OVER


def test_every_action_of_the_supervisor_exists() -> None:
    """A table that names an action nobody has would fail in a pod only."""
    actions = {step.action for row in phases.TABLE.values() for step in row.values()}
    assert {step.phase for row in phases.TABLE.values() for step in row.values()} <= PHASES
    assert not [action for action in actions if not hasattr(Supervisor, f"_do_{action}")]


@pytest.mark.parametrize(
    ("state", "happening", "following", "action"),
    [
        (State.DIALLING, Happening.CONNECTED, State.GREETING, "greet"),
        (State.DIALLING, Happening.LOST, State.DIALLING, "redial"),
        (State.DIALLING, Happening.REFUSED, State.GONE, "refuse"),
        (State.GREETING, Happening.GREETED, State.OPEN, "settle"),
        (State.GREETING, Happening.LOST, State.DIALLING, "redial"),
        (State.OPEN, Happening.GREETED, State.OPEN, "ignore"),
        (State.OPEN, Happening.LOST, State.DIALLING, "redial"),
        (State.OPEN, Happening.ENDED, State.PARTING, "part"),
        (State.PARTING, Happening.LOST, State.GONE, "finish"),
        (State.PARTING, Happening.OVERDUE, State.GONE, "finish"),
        (State.GONE, Happening.CONNECTED, State.GONE, "ignore"),
    ],
)
def test_the_client_answers(state: State, happening: Happening, following: State, action: str) -> None:
    """Each row names the next state and the action."""
    assert states.next_step(state, happening) == (following, action)


@pytest.mark.parametrize("state", [state for state in State if state is not State.GONE])
def test_the_clients_patience_ends_in_every_state(state: State) -> None:
    """Whatever it waits for, a passed deadline ends the waiting."""
    assert states.next_step(state, Happening.OVERDUE).state is State.GONE


def test_every_action_of_the_client_exists() -> None:
    """A table that names an action nobody has would fail on a bad day only."""
    actions = {step.action for row in states.TABLE.values() for step in row.values()}
    assert not [action for action in actions if not hasattr(Conversation, f"_do_{action}")]
