"""The table of a component's life, as a table."""

from __future__ import annotations

import itertools

import pytest

from paddock.node import states
from paddock.node.states import Action, Event, State

RUNNING = (State.STARTING, State.SERVING, State.READY)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_event_is_safe_in_every_state(state: State, event: Event) -> None:
    """No pair raises; a pair outside the table changes nothing and does nothing."""
    following, action = states.step(state, event)
    if (state, event) not in states.TRANSITIONS:
        assert (following, action) == (state, Action.NOTHING)


@pytest.mark.parametrize("state", list(State))
def test_stop_ends_every_life_for_good(state: State) -> None:
    """After STOP a component is stopped, and no event starts it again."""
    stopped, _ = states.step(state, Event.STOP)
    assert stopped is State.STOPPED
    assert {states.step(stopped, event) for event in Event} == {(State.STOPPED, Action.NOTHING)}


@pytest.mark.parametrize("state", RUNNING)
def test_a_running_component_that_dies_comes_back(state: State) -> None:
    """EXITED leads over a pause to a new process."""
    paused, action = states.step(state, Event.EXITED)
    assert action is Action.PAUSE
    assert states.step(paused, Event.START) == (State.STARTING, Action.SPAWN)


def test_only_running_components_are_killed_and_only_idle_ones_spawned() -> None:
    """A process is never started twice, and nothing is killed that does not run."""
    for (state, _), (following, action) in states.TRANSITIONS.items():
        assert (action is Action.KILL) == (state in RUNNING and following is State.STOPPED)
        assert (action is Action.SPAWN) == (state not in RUNNING and following is State.STARTING)


def test_pauses_double_up_to_a_limit() -> None:
    """A component that keeps dying is tried ever less often, but at least every five seconds."""
    pauses = [states.pause(deaths) for deaths in range(1, 200)]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses == sorted(pauses)
    assert pauses[-1] == states.LONGEST_PAUSE
