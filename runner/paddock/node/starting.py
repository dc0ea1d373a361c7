"""Starts a node step by step, each step owned by another module; carries on where an earlier start was cut off."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import NodeError, UsageError
from paddock.node import objects, pause_image, pins, preflight, preparing, removing, upgrading
from paddock.node.api import NodeApi
from paddock.node.building import build_all, tool
from paddock.node.layout import CONTEXT, from_json
from paddock.node.places import ACCESS_FILE, ADMIN_KUBECONFIG, LAYOUT_FILE, STATE
from paddock.node.planning import plan
from paddock.node.processes import boot, inheritable_descriptors
from paddock.node.reaching import NodeAccess, access
from paddock.node.statuses import read_status
from paddock.node.upgrading import Course

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paddock.node.layout import NodeLayout
    from paddock.node.processes import ProcessIdentity
    from paddock.node.statuses import NodeStatus
    from paddock.node.supply import Supply

_TIME_LIMIT = 120.0  # seconds for all components to be ready; measured 4 s on two quiet cores
_POLL = 0.02
_REMAINS = (
    "Only remains of a node are here, for its processes were killed or the machine was started anew; "
    "it is made anew: its namespaces are gone, images are kept."
)
_FIRST_STATUS = 10.0  # seconds; measured 0.1 s on two quiet cores
_SLOW = 1.0  # a step that takes longer is worth a line


def start(report: Callable[[str], None], supply: Supply, *, upgrade: bool = False) -> NodeAccess:
    """Start the node and wait until all of it is ready; the caller holds the lock.

    With ``upgrade`` a node that lives becomes what is wanted now, and without, its supervisor is all that is replaced.

    Raises:
        UsageError: a node lives, and is of another Kubernetes than the one that is asked for.
        NodeError: a step failed; the message names its log or the remedy.
    """
    layout = _living_layout()
    if layout and supply.kubernetes:
        _require_version(supply.kubernetes)
    chosen = pins.settled(supply)
    if layout and upgrade:
        layout = _upgraded(layout, chosen, report)
        if found := access():
            return found  # as it was
    layout = layout or _new_layout(report, chosen)
    if read_status().supervisor is None:
        _await_supervisor(layout, _start_supervisor(layout))
    _wait_for(layout, ("kube-apiserver",), report)
    objects.create(NodeApi(layout), layout)
    _wait_for(layout, ("registry",), report)
    pause_image.push(layout, tool("pause"), tool("crane"))
    _wait_for(layout, (), report)
    return _grant_access(layout)


def _require_version(kubernetes: str) -> None:
    """Refuse to make a node another one because of an option: whoever made it so may be using it."""
    running = pins.read()
    if running and running.minor != kubernetes:
        raise UsageError(
            f"The node that is up was not started as Kubernetes {kubernetes} but as {running.minor}. "
            "Remove it first: paddock node down."
        )


def _living_layout() -> NodeLayout | None:
    """Return the layout of a node that is being started or has lost its supervisor, None if nothing is alive."""
    status = read_status()
    if LAYOUT_FILE.exists() and (status.supervisor or any(each.process for each in status.components)):
        return from_json(LAYOUT_FILE.read_text())
    return None


def _upgraded(layout: NodeLayout, supply: Supply, report: Callable[[str], None]) -> NodeLayout | None:
    """Return the layout to go on with: the same, an upgraded one, or none where the node must be made anew."""
    found = upgrading.of_running(layout, supply)
    if found.course is Course.KEEP:
        return layout
    if found.course is Course.UPGRADE:
        report(f"Upgrading the node: {found.why}. Its objects, keys and pods stay.")
        return upgrading.upgrade(layout, supply, report)
    report(f"The node is made anew: {found.why}. Its namespaces go, images are kept.")
    build_all(report, supply)  # what can fail comes before the removal
    removing.remove(report)
    return None


def _new_layout(report: Callable[[str], None], supply: Supply) -> NodeLayout:
    if STATE.exists():
        report(_REMAINS)
    removing.remove(report)
    preflight.check()
    layout = plan(build_all(report, supply), tool("pause").parent)
    preparing.prepare(layout)
    pins.note(pins.wanted(layout, supply))
    return layout


def _start_supervisor(layout: NodeLayout) -> int:
    package_root = str(Path(__file__).resolve().parents[2])
    log = os.open(layout.logs / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return os.posix_spawn(
            sys.executable,
            # -P: a file of the current folder called like a module of Python must not be run as root's
            [sys.executable, "-P", "-m", "paddock.node.supervisor", str(LAYOUT_FILE)],
            dict(os.environ) | {"PYTHONPATH": package_root},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
                # What a caller left open, such as the lock of `flock FILE paddock node up`, would stay open with it.
                *((os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in inheritable_descriptors()),
            ],
            setsid=True,  # it outlives the shell, and Ctrl-C there does not reach it
        )
    finally:
        os.close(log)


def _await_supervisor(layout: NodeLayout, pid: int) -> None:
    """Wait until the new supervisor, child of the process with this id, has written its first status."""
    failed = os.waitpid(pid, 0)[1] != 0
    deadline = time.monotonic() + _FIRST_STATUS
    while read_status().supervisor is None:
        if failed or time.monotonic() > deadline:
            raise NodeError(_supervisor_gone(layout))
        time.sleep(_POLL)


def _supervisor_gone(layout: NodeLayout) -> str:
    return f"The node's supervisor did not start, or ended by itself. See {layout.logs / 'supervisor.log'}"


def _wait_for(layout: NodeLayout, names: Sequence[str], report: Callable[[str], None]) -> None:
    """Wait until the named components (none named: all) are ready, with a line whenever what is waited for changes."""
    deadline = time.monotonic() + _TIME_LIMIT
    reported, since = "", time.monotonic()
    while missing := _not_ready(read_status(), names):
        _living_supervisor(layout)
        time.sleep(_POLL)
        waiting = f"waiting for {', '.join(missing)}"
        if waiting != reported and time.monotonic() - since > _SLOW:
            report(waiting)
            reported, since = waiting, time.monotonic()
        if time.monotonic() > deadline:
            logs = " ".join(str(layout.logs / f"{name}.log") for name in missing)
            raise NodeError(f"Not ready after {_TIME_LIMIT:.0f} s: {', '.join(missing)}. See {logs}")


def _living_supervisor(layout: NodeLayout) -> ProcessIdentity:
    supervisor = read_status().supervisor
    if supervisor is None:
        raise NodeError(_supervisor_gone(layout))
    return supervisor


def _not_ready(status: NodeStatus, names: Sequence[str]) -> list[str]:
    wanted = [each for each in status.components if (each.name in names if names else each.essential)]
    return [each.name for each in wanted if not each.ready]


def _grant_access(layout: NodeLayout) -> NodeAccess:
    facts = NodeAccess(kubeconfig=ADMIN_KUBECONFIG, context=CONTEXT, registry=layout.registry, server=layout.server)
    _write_access(asdict(facts) | {"boot": boot(), "supervisor": astuple(_living_supervisor(layout))})
    return facts


def _write_access(values: Mapping[str, object]) -> None:
    temporary = ACCESS_FILE.with_suffix(".new")
    temporary.write_text(json.dumps(values, default=str))
    temporary.replace(ACCESS_FILE)
