"""The pod's first process: owns the worker, keeps it through every cut of the client's connection, tells its end.

Owns the phases' actions and what a control message means. Frames, pipes, signals and processes are other modules'.
Everything happens in one thread, in turns of the loop; only unpacking has a thread of its own.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from paddock.workers.inpod import artifacts, phases, warm, wire
from paddock.workers.inpod.accelerators import handed_out
from paddock.workers.inpod.facts import write_facts
from paddock.workers.inpod.journal import Journal
from paddock.workers.inpod.keepalive import Keepalive
from paddock.workers.inpod.line import Door, Line
from paddock.workers.inpod.loop import Alarm, step
from paddock.workers.inpod.memory import Memory, cause_of, read_memory
from paddock.workers.inpod.pipes import Inlet, Outlet
from paddock.workers.inpod.process import End, StartError, Worker, make_folders, make_links, reap, signal_name
from paddock.workers.inpod.stacks import VARIABLE, Stacks
from paddock.workers.inpod.unpack import Unpacker

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.workers.inpod.loop import Watched
    from paddock.workers.inpod.options import Options

_DRAIN = 1.0
"""Seconds of silence after which an ended worker's output counts as read: a daemon it left may hold the pipe."""
_HURRY = 1.0
"""Seconds for the client's acknowledgement once the pod is being deleted or the client wants it gone."""
_GATHER = 3600.0
"""Seconds for the files that the client wants back; its own limit is shorter, and usually the pod is deleted then."""
_LOOK_EVERY = 3600.0
_NEVER = float("inf")


def supervise(options: Options, waiting: Worker | None = None) -> int:
    """Serve one worker at ``options.socket`` until it has ended and the client knows; return its exit status.

    ``waiting`` is a process that was started beforehand to become the worker, see ``warm``.
    """
    return Supervisor(options, waiting).run()


class Supervisor:
    """One worker's supervisor; see ``phases`` for its states."""

    def __init__(self, options: Options, waiting: Worker | None) -> None:
        self._options, self._journal = options, Journal()
        self._link = wire.Link(os.urandom(16))
        self._line = Line(self._link, Keepalive(), self._journal, self._on_event)
        self._door = Door(options.socket, self._line.take)
        self._alarm = Alarm(self._on_signal)
        self._stdin = Outlet(self._link.consumed)
        self._outputs: list[Inlet] = []
        self._sources = Outlet(self._link.consumed)
        self._unpacker: Unpacker | None = None
        self._worker: Worker | None = None
        self._waiting = waiting
        self._wanted: artifacts.Wanted | None = None
        self._written_since = 0
        self._packer: artifacts.Packer | None = None
        self._memory = Memory()
        self._stacks = Stacks(f"{self._folder}/stacks")
        self._phase, self._deadline = phases.WAITING, _NEVER
        self._linger = options.orphan
        self._end, self._cause = End(None, None), ""
        self._outputs_ended = False
        self._told: dict[str, Any] | None = None
        self._stopped = False
        self._later: list[wire.Event] = []
        self._orders: dict[str, Callable[[dict[str, Any]], None]] = {
            "unpack": lambda order: self._fire(phases.UNPACK, order),
            "start": lambda order: self._fire(phases.START, order),
            "signal": self._on_signal_order,
            "kill": self._on_kill_order,
            "facts": self._on_facts_order,
            "artifacts": self._on_artifacts_order,
            "stacks": self._on_stacks_order,
        }

    @property
    def _folder(self) -> str:
        return self._options.socket.rpartition("/")[0]

    @property
    def _orphan(self) -> float:
        return self._options.orphan if self._line.had_visitor else max(self._options.orphan, self._options.patience)

    def run(self) -> int:
        """Loop until the phase is over."""
        self._alarm.install()
        self._on_children()  # one that ended before somebody listened
        self._journal.line(f"waiting for the client at {self._options.socket}")
        while self._phase != phases.OVER:
            self._line.flush()
            step(self._watched(), self._patience())
            self._look_around()
        self._line.flush()
        self._door.close()
        if self._waiting:
            self._waiting.signal_group(signal.SIGKILL)
        self._stay()
        code, number = self._end
        return 128 + number if number else code if code is not None else 1

    def _stay(self) -> None:
        """Do nothing but reap, until the pod is stopped or the time is over."""
        end = time.monotonic() + self._options.stay
        while not self._stopped and (rest := end - time.monotonic()) > 0:
            step([self._alarm], min(rest, _LOOK_EVERY))  # poll takes no more than 24 days

    # --- one turn of the loop

    def _watched(self) -> list[Watched]:
        return [self._alarm, self._door, self._line, self._stdin, self._sources, *self._outputs]

    def _patience(self) -> float:
        orphaned_in = self._orphan - self._line.alone_for()
        rests = [rest for output in self._outputs if (rest := output.rest())]
        until = min(self._deadline - time.monotonic(), self._line.look_at_time(), self._stacks.wait(), *rests)
        return max(0.0, min(until, orphaned_in) if orphaned_in > 0 else until)

    def _look_around(self) -> None:
        """Fire what no descriptor tells."""
        stacks = self._stacks.look(time.monotonic())
        if stacks is not None:
            self._on_stacks(stacks)
        if self._phase == phases.PARTING and self._link.settled:
            self._fire(phases.ACKNOWLEDGED)
        if self._line.alone_for() >= self._orphan:
            self._cause = self._cause or f"No client was connected for {self._orphan:g} s."
            self._fire(phases.ALONE)
        if time.monotonic() >= self._deadline:
            self._on_overdue()

    def _on_overdue(self) -> None:
        self._deadline = _NEVER
        if self._phase == phases.DRAINING and self._link.room <= 0 and self._linger > _HURRY:
            self._deadline = time.monotonic() + _DRAIN  # not silence: the client has yet to take what was read before
        else:
            self._fire(phases.OVERDUE)

    def _fire(self, event: str, message: Any = None) -> None:  # noqa: ANN401 - what JSON holds
        self._phase, action = phases.next_step(self._phase, event)
        if action != phases.IGNORED:
            getattr(self, f"_do_{action}")(message)

    # --- what arrives

    def _on_event(self, event: wire.Event) -> None:
        """Pass a frame on; one that must wait for the unpacking to end waits, and those behind it."""
        if isinstance(event, wire.Broken):
            return
        order = json.loads(event.data) if event.channel == wire.CONTROL else None
        waits = order["do"] in {"unpack", "start"} if order else event.channel == wire.SOURCES
        busy = self._phase == phases.UNPACKING and (order or self._later)
        if waits and busy:
            self._later.append(event)
        elif order:
            self._orders[order["do"]](order)
        else:
            self._on_bytes(event)

    def _on_bytes(self, event: wire.Data | wire.Ended) -> None:
        outlet = self._stdin if event.channel == wire.STDIN else self._sources
        if isinstance(event, wire.Ended):
            outlet.end()
        else:
            outlet.put(event.data)

    def _on_signal_order(self, order: dict[str, Any]) -> None:
        if self._worker:
            self._journal.line(f"the client sends {signal_name(order['number'])}")
            self._worker.signal(order["number"])

    def _on_kill_order(self, _order: dict[str, Any]) -> None:
        self._cause = self._cause or "It was ended at the client's request."
        self._linger = _HURRY
        self._fire(phases.KILL)

    def _on_facts_order(self, order: dict[str, Any]) -> None:
        try:
            write_facts(f"{self._folder}/facts", order["name"], order["mapping"])
        except (OSError, ValueError) as error:
            self._journal.line(f"facts {order['name']!r} could not be written: {error}")

    def _on_artifacts_order(self, order: dict[str, Any]) -> None:
        self._wanted = artifacts.Wanted(order["root"], order["patterns"], order["size"])

    def _on_stacks_order(self, _order: dict[str, Any]) -> None:
        if not (self._worker and self._stacks.begin(self._worker, time.monotonic())):
            self._tell(did="stacks", text="")

    def _on_stacks(self, text: str) -> None:
        self._tell(did="stacks", text=text)
        if self._phase == phases.TAKING:
            self._journal.line(f"stacks of the worker, before it is ended:\n{text}")
            self._fire(phases.TAKEN)

    def _on_signal(self, number: int) -> None:
        if number == 0:
            self._on_unpacked()
        elif number == signal.SIGCHLD:
            self._on_children()
        else:
            self._stopped = True
            self._cause = f"The pod is being stopped: its first process received {signal_name(number)}."
            self._linger = _HURRY
            self._fire(phases.TERMINATE)

    def _on_unpacked(self) -> None:
        result = self._unpacker.result() if self._unpacker else "Nothing was to be unpacked."
        if isinstance(result, str):
            self._cause = self._cause or result
            self._fire(phases.FAILED)
        else:
            self._fire(phases.UNPACKED, result._asdict())

    def _on_children(self) -> None:
        for pid, status in reap():
            if self._worker and pid == self._worker.pid:
                self._end = self._worker.reaped(status)
                self._fire(phases.ENDED)
            if self._waiting and pid == self._waiting.pid:
                self._waiting = None  # it could not even begin; the usual way will tell why

    def _on_output(self, channel: int, data: bytes) -> None:
        self._link.send(channel, data)
        if channel == wire.STDERR:
            self._journal.echo(data)
        if self._phase == phases.DRAINING:
            self._deadline = time.monotonic() + _DRAIN

    def _on_output_end(self) -> None:
        if self._phase == phases.GATHERING and self._packer:
            self._on_gathered(self._packer)
        if self._phase == phases.DRAINING and all(output.ended for output in self._outputs):
            self._fire(phases.DRAINED)

    # --- the actions of the table

    def _do_unpack(self, message: dict[str, Any]) -> None:
        self._unpacker = Unpacker(message["root"], self._alarm.wake)
        self._sources = Outlet(self._link.consumed)
        self._sources.connect(self._unpacker.pipe)

    def _do_say_unpacked(self, report: dict[str, Any]) -> None:
        megabytes = report["size"] / 1e6
        self._journal.line(f"sources {report['files']} files {megabytes:.1f} MB in {report['seconds']:.2f} s")
        self._tell(did="unpacked", **report)
        later, self._later = self._later, []
        for event in later:
            self._on_event(event)

    def _do_start(self, message: dict[str, Any]) -> None:
        self._memory = read_memory(self._options.cgroup)
        try:
            make_links(message["links"])
            make_folders(message["folders"])
            self._written_since = artifacts.mark(self._folder) if self._wanted else 0
            self._worker = self._started(message)
        except StartError as error:
            self._cause = str(error)
            self._fire(phases.FAILED)
            return
        stdin, stdout, stderr = self._worker.pipes
        self._outputs = [self._inlet(stdout, wire.STDOUT), self._inlet(stderr, wire.STDERR)]
        self._stdin.connect(stdin)
        self._journal.line(f"worker started pid {self._worker.pid}")
        self._tell(did="started", pid=self._worker.pid)

    def _started(self, message: dict[str, Any]) -> Worker:
        waiting, self._waiting = self._waiting, None
        message = message | {"env": message["env"] | {VARIABLE: f"{self._folder}/stacks"} | handed_out(os.environ)}
        if waiting:
            return warm.assign(waiting, message)
        return Worker(message["argv"], message["env"], message["cwd"])

    def _inlet(self, pipe: Any, channel: int) -> Inlet:  # noqa: ANN401 - subprocess's IO[bytes]
        return Inlet(
            pipe,
            has_room=lambda: self._link.room > 0,
            on_data=lambda data: self._on_output(channel, data),
            on_end=self._on_output_end,
        )

    def _do_kill(self, _message: object) -> None:
        if self._worker:
            self._worker.signal_group(signal.SIGKILL)

    def _do_take(self, _message: object) -> None:
        if not (self._worker and self._stacks.begin(self._worker, time.monotonic())):
            self._fire(phases.TAKEN)

    def _do_terminate(self, _message: object) -> None:
        self._deadline = time.monotonic() + self._options.grace
        if self._worker:
            self._worker.signal_group(signal.SIGTERM)

    def _do_drain(self, _message: object) -> None:
        """End what the worker left in its group, as a container's end would, and read what is still in the pipes."""
        self._do_kill(None)
        self._deadline = time.monotonic() + _DRAIN
        self._on_output_end()

    def _do_gather(self, _message: object) -> None:
        self._deadline = time.monotonic() + _GATHER
        self._end_outputs()
        if not self._wanted:
            self._fire(phases.GATHERED)
            return
        self._linger = self._options.orphan  # whoever killed the worker stays for its files
        self._tell(did="ended", **self._status())
        self._packer = artifacts.Packer(self._wanted, self._written_since)
        self._outputs = [self._inlet(self._packer.pipe, wire.ARTIFACTS)]

    def _on_gathered(self, packer: artifacts.Packer) -> None:
        gathered = packer.result()
        self._journal.line(f"artifacts {gathered.files} files {gathered.size / 1e6:.1f} MB {gathered.error}".rstrip())
        self._link.end(wire.ARTIFACTS, json.dumps(gathered._asdict()).encode())
        self._fire(phases.GATHERED)

    def _do_part(self, _message: object) -> None:
        self._deadline = time.monotonic() + self._linger
        status = self._status()
        code, number = self._end
        self._journal.line(f"worker ended {signal_name(number) if number else code} {status['cause']}".rstrip())
        self._end_outputs()
        self._link.end(wire.CONTROL, json.dumps(status).encode())

    def _end_outputs(self) -> None:
        """Close what is still open and tell the ends of both outputs, once."""
        outputs, self._outputs = self._outputs, []
        for output in outputs:
            output.close()
        if not self._outputs_ended:
            self._outputs_ended = True
            for channel in (wire.STDOUT, wire.STDERR):
                self._link.end(channel)

    def _status(self) -> dict[str, Any]:
        """Return how the worker ended; the memory's state is the one of the first time this is asked."""
        if self._told is None:
            code, number = self._end
            now = read_memory(self._options.cgroup)
            memory = cause_of(self._memory, now, number)
            cause = memory or self._cause or (f"It ended by {signal_name(number)}." if number else "")
            kills = {"memory_kills": now.kills - self._memory.kills} if self._worker else {}
            figures = {**kills, "memory_limit": now.limit, "memory_peak": now.peak}
            self._told = {"code": code, "signal": number, "cause": cause, "stopped": self._stopped, **figures}
        return self._told

    def _do_hurry(self, _message: object) -> None:
        self._deadline = min(self._deadline, time.monotonic() + _HURRY)

    def _do_leave(self, _message: object) -> None:
        self._journal.line("over")

    def _tell(self, **message: object) -> None:
        self._link.send(wire.CONTROL, json.dumps(message).encode())
