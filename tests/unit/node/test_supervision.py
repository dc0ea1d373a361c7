"""The supervision of components, without processes and without a clock."""

from __future__ import annotations

import itertools

import pytest

from paddock.node.components import Component
from paddock.node.processes import ProcessIdentity
from paddock.node.states import FORGIVEN_AFTER, Event, State
from paddock.node.supervision import Happening, Supervision


class FakeMachine:
    """Counts what is started and killed; time passes when told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.spawned: list[str] = []
        self.adopted: list[ProcessIdentity] = []
        self.killed: list[ProcessIdentity] = []
        self.fail = False
        self._pids = itertools.count(100)

    def clock(self) -> float:
        return self.now

    def spawn(self, component: Component) -> ProcessIdentity | None:
        self.spawned.append(component.name)
        return None if self.fail else ProcessIdentity(next(self._pids), 1)

    def adopt(self, component: Component, process: ProcessIdentity) -> None:
        del component
        self.adopted.append(process)

    def kill(self, process: ProcessIdentity) -> None:
        self.killed.append(process)


STORE = Component(name="store", arguments=("store",))
SERVER = Component(name="server", arguments=("server",), after=("store",))
CLIENT = Component(name="client", arguments=("client",), after=("server",))


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


@pytest.fixture
def supervision(machine: FakeMachine) -> Supervision:
    return Supervision([STORE, SERVER, CLIENT], machine, machine.clock)


def happen(supervision: Supervision, name: str, event: Event) -> None:
    supervision.handle(Happening(name, event, supervision.records[name].process))


def test_a_component_starts_once_all_it_needs_is_ready(machine: FakeMachine, supervision: Supervision) -> None:
    """Started is not enough: readiness of the ones before releases the next."""
    supervision.begin({})
    assert machine.spawned == ["store"]
    happen(supervision, "store", Event.PASSED)
    assert machine.spawned == ["store", "server"]
    happen(supervision, "server", Event.PASSED)
    assert machine.spawned == ["store", "server", "client"]


def test_who_needs_no_more_than_an_answer_starts_earlier(machine: FakeMachine) -> None:
    """Serving releases those that wait for serving; those that wait for ready go on waiting."""
    early = Component(name="early", arguments=("early",), after_serving=("store",))
    supervision = Supervision([STORE, SERVER, early], machine, machine.clock)
    supervision.begin({})
    happen(supervision, "store", Event.SERVES)
    assert machine.spawned == ["store", "early"]
    happen(supervision, "store", Event.PASSED)
    assert machine.spawned == ["store", "early", "server"]


def test_a_dead_component_comes_back_after_a_pause(machine: FakeMachine, supervision: Supervision) -> None:
    """Not at once, not later than the pause says, and the restart is counted."""
    supervision.begin({})
    happen(supervision, "store", Event.EXITED)
    resume_at = supervision.next_resume()
    assert machine.spawned == ["store"]
    assert resume_at is not None
    assert resume_at == pytest.approx(0.1)
    machine.now = resume_at
    supervision.resume_due()
    assert machine.spawned == ["store", "store"]
    assert supervision.records["store"].restarts == 1
    assert supervision.next_resume() is None


def test_the_death_of_a_need_leaves_dependants_alone(machine: FakeMachine, supervision: Supervision) -> None:
    """Components reconnect by themselves; only the first start waits."""
    supervision.begin({})
    for name in ("store", "server", "client"):
        happen(supervision, name, Event.PASSED)
    happen(supervision, "store", Event.EXITED)
    assert supervision.records["client"].state is State.READY
    assert machine.killed == []


def test_deaths_of_a_series_are_punished_and_a_long_life_forgives(
    machine: FakeMachine, supervision: Supervision
) -> None:
    """The pause grows while lives are short and begins anew after a long one."""
    supervision.begin({})
    pauses = []
    for lived in (0, 0, FORGIVEN_AFTER):
        machine.now += lived
        happen(supervision, "store", Event.EXITED)
        resume_at = supervision.next_resume() or 0.0
        pauses.append(round(resume_at - machine.now, 3))
        machine.now = resume_at
        supervision.resume_due()
    assert pauses == [0.1, 0.2, 0.1]


def test_news_of_a_replaced_process_is_ignored(machine: FakeMachine, supervision: Supervision) -> None:
    """A late report about an old process says nothing about the new one."""
    supervision.begin({})
    supervision.handle(Happening("store", Event.EXITED, ProcessIdentity(1, 1)))
    assert supervision.records["store"].state is State.STARTING
    assert machine.spawned == ["store"]


def test_a_program_that_cannot_be_started_is_tried_again(machine: FakeMachine, supervision: Supervision) -> None:
    """A missing binary is a death like any other."""
    machine.fail = True
    supervision.begin({})
    assert supervision.records["store"].state is State.PAUSING
    assert supervision.next_resume() is not None


def test_running_processes_are_adopted_and_not_started_again(machine: FakeMachine, supervision: Supervision) -> None:
    """After a supervisor was killed, its successor carries on with what runs."""
    running = ProcessIdentity(7, 7)
    supervision.begin({"store": running})
    assert machine.spawned == []
    assert machine.adopted == [running]
    happen(supervision, "store", Event.PASSED)
    assert machine.spawned == ["server"]


def test_stop_kills_in_reverse_order_and_nothing_comes_back(machine: FakeMachine, supervision: Supervision) -> None:
    """Those that need others go first; a death after the stop starts nothing."""
    supervision.begin({})
    happen(supervision, "store", Event.PASSED)
    processes = [supervision.records[name].process for name in ("server", "store")]
    supervision.stop()
    assert machine.killed == processes
    happen(supervision, "store", Event.EXITED)
    assert machine.spawned == ["store", "server"]
    assert supervision.next_resume() is None
