"""The state of the node and of each component, as the supervisor last wrote it and the kernel confirms it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Any

from paddock.node.places import STATE, STATUS_FILE
from paddock.node.processes import ProcessIdentity, of_this_boot, proportional_memory
from paddock.node.reaching import access
from paddock.node.states import State

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class ComponentStatus:
    """One component as it is now."""

    name: str
    state: str
    process: ProcessIdentity | None
    """None when no process of it runs."""
    restarts: int
    essential: bool = True
    """Whether the node is not up without it."""

    @property
    def ready(self) -> bool:
        """True while it runs and has passed its readiness check."""
        return self.process is not None and self.state == State.READY.value

    @property
    def uptime(self) -> float:
        """Seconds since its process started, 0 when none runs."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.process.started / _TICKS if self.process else 0.0

    @property
    def memory(self) -> int:
        """Proportional set size of its process in bytes."""
        return proportional_memory(self.process.pid) if self.process else 0


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """The node as it is now."""

    state: str
    """``up``; ``starting``; ``unsupervised`` (components run but nothing restarts them: `up` mends it);
    ``broken`` (only remains lie there); ``down``."""
    supervisor: ProcessIdentity | None
    components: tuple[ComponentStatus, ...]


def status() -> NodeStatus:
    """Return the state of the node, component by component; never raises because a node is broken."""
    return read_status()


def read_status() -> NodeStatus:
    """Return the recorded state, every recorded process checked against the kernel."""
    recorded = read_record()
    components = tuple(_component(name, each) for name, each in recorded.get("components", {}).items())
    supervisor = _living(recorded.get("supervisor"))
    return NodeStatus(state=_state(supervisor, components), supervisor=supervisor, components=components)


def _state(supervisor: ProcessIdentity | None, components: tuple[ComponentStatus, ...]) -> str:
    if supervisor is not None:
        return "up" if access() and all(each.ready for each in components if each.essential) else "starting"
    if any(each.process for each in components):
        return "unsupervised"
    return "broken" if STATE.exists() else "down"


def _component(name: str, recorded: dict[str, Any]) -> ComponentStatus:
    process = _living(recorded["process"])
    state = recorded["state"] if process or recorded["state"] == State.WAITING.value else State.STOPPED.value
    return ComponentStatus(
        name=name,
        state=state,
        process=process,
        restarts=recorded["restarts"],
        essential=recorded.get("essential", True),  # an earlier version's supervisor knows no others
    )


def _living(recorded: list[int] | None) -> ProcessIdentity | None:
    process = ProcessIdentity(*recorded) if recorded else None
    return process if process and process.alive() else None


def read_record() -> dict[str, Any]:
    """Return what the supervisor last wrote; nothing when that is missing, broken or of another boot."""
    try:
        values: dict[str, Any] = json.loads(STATUS_FILE.read_bytes())
    except (OSError, ValueError):
        return {}
    return values if of_this_boot(values) else {}
