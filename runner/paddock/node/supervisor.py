"""The daemon that keeps the node's components running; outlives the shell that started it.

Run as ``python -m paddock.node.supervisor LAYOUT_FILE``. Owns the processes and the status file; what to do with them
decides :mod:`paddock.node.supervision`. If it is killed, the components live on and the next supervisor adopts them.
"""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.node import cgroups
from paddock.node.components import PYTHON, components
from paddock.node.layout import from_json
from paddock.node.places import STATUS_FILE
from paddock.node.processes import ProcessIdentity, boot, identify, myself
from paddock.node.readiness import Readiness
from paddock.node.states import Event
from paddock.node.statuses import read_record
from paddock.node.supervision import Happening, Supervision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.node.components import Component
    from paddock.node.layout import NodeLayout
    from paddock.node.supervision import Record

_CHECK_PERIOD = 30  # milliseconds between two readiness checks: one costs about 3 ms of processor time
_BASE_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_LARGEST_LOG = 64 * 2**20  # bytes; a component that is restarted with a larger log begins a new one


class ProcessLauncher:
    """Starts, watches and kills real processes."""

    def __init__(self, layout: NodeLayout, events: queue.SimpleQueue[Happening | None]) -> None:
        self._layout = layout
        self._events = events
        self._readiness = Readiness(layout)
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def spawn(self, component: Component) -> ProcessIdentity | None:
        """Start a component in a session of its own, its output appended to its log."""
        with _log(self._layout.logs / f"{component.name}.log").open("ab") as log, _nicer_by(component.niceness):
            try:
                child = subprocess.Popen(
                    _command(component),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=environment(self._layout, component),
                    start_new_session=True,
                )
            except OSError as error:
                log.write(f"{component.arguments[0]}: {error}\n".encode())
                return None
        self._children[child.pid] = child
        _place_session(child.pid)
        process = identify(child.pid)
        if process is not None:
            self.adopt(component, process)
        return process

    def adopt(self, component: Component, process: ProcessIdentity) -> None:
        """Watch a process from a thread that reports readiness once and the end."""
        threading.Thread(target=self._watch, args=(component, process), name=component.name, daemon=True).start()

    def kill(self, process: ProcessIdentity) -> None:
        """End a process at once; a throw-away node has nothing to flush."""
        process.kill()
        process.wait(seconds=5)

    def _watch(self, component: Component, process: ProcessIdentity) -> None:
        with suppress(ProcessLookupError):  # gone before it could be watched
            self._report_until_exit(component, process)
        if child := self._children.pop(process.pid, None):
            child.wait()
        self._events.put(Happening(component.name, Event.EXITED, process))

    def _report_until_exit(self, component: Component, process: ProcessIdentity) -> None:
        descriptor = os.pidfd_open(process.pid)
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        try:
            serves = False
            while process.alive() and not self._readiness.passed(component):
                if not serves and (serves := self._readiness.serves(component)):
                    self._events.put(Happening(component.name, Event.SERVES, process))
                poller.poll(_CHECK_PERIOD)
            if process.alive():
                self._events.put(Happening(component.name, Event.PASSED, process))
            poller.poll()
        finally:
            os.close(descriptor)


@contextmanager
def _nicer_by(difference: int) -> Iterator[None]:
    """Start processes with another niceness than this one's: on Linux it is a thread's, and inherited."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):  # root in a container may lack CAP_SYS_NICE; all are equal then
        os.setpriority(os.PRIO_PROCESS, 0, usual + difference)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, usual)


def _place_session(pid: int) -> None:
    """Have a process's session be as nice as it is: where the kernel groups by session, niceness counts only within."""
    with suppress(OSError):  # a kernel without autogroups, see sched(7), or a process that has ended
        niceness = os.getpriority(os.PRIO_PROCESS, pid)
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")


def environment(layout: NodeLayout, component: Component) -> dict[str, str]:
    """Return the whole environment of a component: the machine's proxies, but never for the node's own addresses."""
    proxies = {name: os.environ[name] for name in _PROXY_VARIABLES if name in os.environ}
    package = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])} if component.arguments[0] == PYTHON else {}
    own = f"localhost,127.0.0.1,{layout.address},{layout.pod_network},{layout.service_network}"
    return _BASE_ENVIRONMENT | proxies | {"NO_PROXY": own, "no_proxy": own} | package | dict(component.environment)


def _command(component: Component) -> list[str]:
    program, *arguments = component.arguments
    return [sys.executable if program == PYTHON else program, *arguments]


def _log(path: Path) -> Path:
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.replace(path.with_suffix(".log.old"))
    return path


def recorded_processes() -> dict[str, ProcessIdentity]:
    """Return the processes that the status file records: component -> identity, running or not."""
    recorded = read_record().get("components", {})
    return {name: ProcessIdentity(*each["process"]) for name, each in recorded.items() if each["process"]}


def _publish(supervision: Supervision) -> None:
    me = myself()
    status = {
        "boot": boot(),
        "supervisor": [me.pid, me.started],
        "components": {name: _published(record) for name, record in supervision.records.items()},
    }
    temporary = STATUS_FILE.with_suffix(".new")
    temporary.write_text(json.dumps(status))
    temporary.replace(STATUS_FILE)


def _published(record: Record) -> dict[str, object]:
    process = record.process
    return {
        "state": record.state.value,
        "process": [process.pid, process.started] if process else None,
        "restarts": record.restarts,
        "essential": record.component.essential,
    }


def _run(supervision: Supervision, events: queue.SimpleQueue[Happening | None]) -> None:
    """Handle events until ``None``, the order to stop, comes."""
    while True:
        _publish(supervision)
        resume_at = supervision.next_resume()
        try:
            happening = events.get(timeout=None if resume_at is None else max(0.0, resume_at - time.monotonic()))
        except queue.Empty:
            supervision.resume_due()
            continue
        if happening is None:
            return
        supervision.handle(happening)


def main(layout_file: str) -> None:
    """Supervise the node of a layout until SIGTERM."""
    os.chdir("/")  # no folder of the user's stays in use
    layout = from_json(Path(layout_file).read_text())
    cgroups.enter(layout.cgroup)
    events: queue.SimpleQueue[Happening | None] = queue.SimpleQueue()
    signal.signal(signal.SIGTERM, lambda _number, _frame: events.put(None))
    wanted = components(layout)
    supervision = Supervision(wanted, ProcessLauncher(layout, events), time.monotonic)
    names = {component.name for component in wanted}
    supervision.begin(
        {name: process for name, process in recorded_processes().items() if name in names and process.alive()}
    )
    _run(supervision, events)
    supervision.stop()
    _publish(supervision)


if __name__ == "__main__":
    if not os.fork():  # nobody's child: whoever called `up` may run for hours, and would have to bury it
        main(sys.argv[1])
