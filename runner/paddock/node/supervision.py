"""Keeps a node's components running: the states of all components, and what each event does to them.

One thread calls it, others only put events in its queue. It starts and kills through a :class:`Launcher`,
so that its laws are tested without processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from paddock.node import states
from paddock.node.states import Action, Event, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paddock.node.components import Component
    from paddock.node.processes import ProcessIdentity


_ANSWERING = (State.SERVING, State.READY)


@dataclass(frozen=True)
class Happening:
    """An event in the life of a component; ``process`` tells which of its processes it is about."""

    component: str
    event: Event
    process: ProcessIdentity | None = None


class Launcher(Protocol):
    """What the supervision needs from the operating system."""

    def spawn(self, component: Component) -> ProcessIdentity | None:
        """Start the component's process and watch it; None when it cannot be started."""

    def adopt(self, component: Component, process: ProcessIdentity) -> None:
        """Watch a process that an earlier supervisor started."""

    def kill(self, process: ProcessIdentity) -> None:
        """End a process at once."""


@dataclass
class Record:
    """What is known of one component."""

    component: Component
    state: State = State.WAITING
    process: ProcessIdentity | None = None
    started_at: float = 0.0
    restarts: int = 0
    deaths_in_series: int = 0
    resume_at: float | None = None


class Supervision:
    """The state machines of all components."""

    def __init__(self, components: Sequence[Component], launcher: Launcher, clock: Callable[[], float]) -> None:
        self.records: Mapping[str, Record] = {each.name: Record(each) for each in components}
        self._launcher = launcher
        self._clock = clock

    def begin(self, running: Mapping[str, ProcessIdentity]) -> None:
        """Adopt the processes that run already and start what waits for nothing."""
        for name, process in running.items():
            self._adopt(self.records[name], process)
        self._start_what_waits_no_more()

    def handle(self, happening: Happening) -> None:
        """Let one event take effect; events of a process that has been replaced are ignored."""
        record = self.records[happening.component]
        if happening.process is None or happening.process == record.process:
            self._apply(record, happening.event)
        self._start_what_waits_no_more()

    def resume_due(self) -> None:
        """Start the components whose pause is over."""
        for record in self.records.values():
            if record.resume_at is not None and record.resume_at <= self._clock():
                record.resume_at = None
                self._apply(record, Event.START)

    def next_resume(self) -> float | None:
        """Return the time of the next end of a pause."""
        return min((each.resume_at for each in self.records.values() if each.resume_at is not None), default=None)

    def stop(self) -> None:
        """Stop all components, those first that need others."""
        for record in reversed(list(self.records.values())):
            record.resume_at = None
            self._apply(record, Event.STOP)

    def _adopt(self, record: Record, process: ProcessIdentity) -> None:
        record.state, record.process, record.started_at = State.STARTING, process, self._clock()
        self._launcher.adopt(record.component, process)

    def _start_what_waits_no_more(self) -> None:
        for record in self.records.values():
            if record.state is State.WAITING and self._has_what_it_needs(record.component):
                self._apply(record, Event.START)

    def _has_what_it_needs(self, component: Component) -> bool:
        ready = all(self.records[name].state is State.READY for name in component.after)
        return ready and all(self.records[name].state in _ANSWERING for name in component.after_serving)

    def _apply(self, record: Record, event: Event) -> None:
        record.state, action = states.step(record.state, event)
        if action is Action.SPAWN:
            self._spawn(record)
        elif action is Action.PAUSE:
            self._pause(record)
        elif action is Action.KILL and record.process is not None:
            self._launcher.kill(record.process)

    def _spawn(self, record: Record) -> None:
        record.restarts += record.process is not None
        record.started_at = self._clock()
        record.process = self._launcher.spawn(record.component)
        if record.process is None:
            self._apply(record, Event.EXITED)

    def _pause(self, record: Record) -> None:
        lived = self._clock() - record.started_at
        record.deaths_in_series = 1 if lived >= states.FORGIVEN_AFTER else record.deaths_in_series + 1
        record.resume_at = self._clock() + states.pause(record.deaths_in_series)
