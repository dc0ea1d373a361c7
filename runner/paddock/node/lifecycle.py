"""Brings the node up and takes it down: the order of the steps, each of them owned by another module."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import NodeError
from paddock.node import objects, pause_image, preflight, preparing, removing
from paddock.node.api import NodeApi
from paddock.node.building import build_all, tool
from paddock.node.layout import CONTEXT, from_json
from paddock.node.locking import locked
from paddock.node.places import ACCESS_FILE, ADMIN_KUBECONFIG, LAYOUT_FILE, LOCK
from paddock.node.planning import plan
from paddock.node.reaching import NodeAccess, access
from paddock.node.statuses import read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paddock.node.layout import NodeLayout
    from paddock.node.statuses import NodeStatus

_TIME_LIMIT = 120.0  # seconds for all components to be ready; measured 4 s on two quiet cores
_POLL = 0.02
_SLOW = 1.0  # a step that takes longer is worth a line


def _silent(_line: str) -> None:
    """Report nothing."""


def up(*, report: Callable[[str], None] = _silent) -> NodeAccess:
    """Make sure that the node is up and return how to reach it; does nothing when it is.

    ``report`` gets a line about every step that takes longer than a second. Two at once are safe: one waits.

    Raises:
        UsageError: this is not Linux, or not root.
        NodeError: the machine is not fit, or a step failed; the message names the remedy or the log.
    """
    if found := access():
        return found
    preflight.require_root()
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with locked(LOCK, waiting=lambda: report("waiting for another process that starts or removes the node")):
        return access() or _bring_up(report)


def down(*, report: Callable[[str], None] = _silent) -> None:
    """Remove the node with everything it made on the machine; does nothing when there is none.

    Raises:
        UsageError: this is not Linux, or not root.
        NodeError: something could not be removed; the message names it. Calling again carries on.
    """
    preflight.require_root()
    if not LOCK.parent.exists():
        return
    with locked(LOCK, waiting=lambda: report("waiting for another process that starts or removes the node"), remove=True):
        removing.remove(report)
    removing.remove_if_empty(LOCK.parent)


def _bring_up(report: Callable[[str], None]) -> NodeAccess:
    layout = _living_layout() or _new_layout(report)
    if read_status().supervisor is None:
        _start_supervisor(layout)
    _wait_for(layout, ("kube-apiserver",), report)
    objects.create(NodeApi(layout), layout)
    _wait_for(layout, ("registry",), report)
    pause_image.push(layout, tool("pause"), tool("crane"))
    _wait_for(layout, (), report)
    return _grant_access(layout)


def _living_layout() -> NodeLayout | None:
    """Return the layout of a node that is being started or has lost its supervisor, None where there is nothing alive."""
    status = read_status()
    if LAYOUT_FILE.exists() and (status.supervisor or any(each.process for each in status.components)):
        return from_json(LAYOUT_FILE.read_text())
    return None


def _new_layout(report: Callable[[str], None]) -> NodeLayout:
    removing.remove(report)  # what a crash or a reboot left behind
    preflight.check()
    layout = plan(build_all(report), tool("pause").parent)
    preparing.prepare(layout)
    return layout


def _start_supervisor(layout: NodeLayout) -> None:
    package_root = str(Path(__file__).resolve().parents[2])
    log = os.open(layout.logs / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "paddock.node.supervisor", str(LAYOUT_FILE)],
            dict(os.environ) | {"PYTHONPATH": package_root},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,  # it outlives the shell, and Ctrl-C there does not reach it
        )
    finally:
        os.close(log)


def _wait_for(layout: NodeLayout, names: Sequence[str], report: Callable[[str], None]) -> None:
    """Wait until the named components (none named: all) are ready, with a line whenever what is waited for changes."""
    deadline = time.monotonic() + _TIME_LIMIT
    reported, since = "", time.monotonic()
    while missing := _not_ready(read_status(), names):
        time.sleep(_POLL)
        waiting = f"waiting for {', '.join(missing)}"
        if waiting != reported and time.monotonic() - since > _SLOW:
            report(waiting)
            reported, since = waiting, time.monotonic()
        if time.monotonic() > deadline:
            logs = " ".join(str(layout.logs / f"{name}.log") for name in missing)
            raise NodeError(f"Not ready after {_TIME_LIMIT:.0f} s: {', '.join(missing)}. See {logs}")


def _not_ready(status: NodeStatus, names: Sequence[str]) -> list[str]:
    if status.supervisor is None:
        return ["supervisor"]
    return [each.name for each in status.components if not each.ready and (not names or each.name in names)]


def _grant_access(layout: NodeLayout) -> NodeAccess:
    supervisor = read_status().supervisor
    if supervisor is None:
        raise NodeError(f"The node's supervisor has gone. See {layout.logs}/supervisor.log")
    facts = NodeAccess(kubeconfig=ADMIN_KUBECONFIG, context=CONTEXT, registry=layout.registry, server=layout.server)
    _write_access(asdict(facts) | {"supervisor": [supervisor.pid, supervisor.started]})
    return facts


def _write_access(values: Mapping[str, object]) -> None:
    temporary = ACCESS_FILE.with_suffix(".new")
    temporary.write_text(json.dumps(values, default=str))
    temporary.replace(ACCESS_FILE)
