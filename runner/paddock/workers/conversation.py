"""The client's side of the conversation with one supervisor, through any number of connections.

Owns the link, the keepalive and the state; one thread runs it, all others put messages into its inbox. It must not know
what carries a connection, and never waits for anything but its inbox and ``send``.
"""

from __future__ import annotations

import json
import os
import queue
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from paddock.errors import PaddockError, StreamBroken
from paddock.specs import ExitStatus
from paddock.workers.buffers import ReadBuffer
from paddock.workers.inpod import wire
from paddock.workers.receiver import Connected, Lost, Received, Receiver
from paddock.workers.states import IGNORED, Happening, State, next_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.workers.buffers import Lines, Outcome, WriteRoom
    from paddock.workers.connection import Connection
    from paddock.workers.inpod.keepalive import Keepalive

_PAUSES = (0.01, 1.0)  # the first pause before dialling again, doubled up to the second, in seconds
_FAREWELL = 1.0  # for the supervisor to hear that its last word has arrived; it ends then and takes no harm otherwise
_KILL = 2.0  # for the supervisor to answer a kill; afterwards the pod's deletion has the same effect


SEND_TIMEOUT = 20.0
"""Seconds after which a ``send`` is stuck: the supervisor reads at all times, so some hop on the way has died."""


class Send(NamedTuple):
    """Bytes for a channel, in order with all other messages."""

    channel: int
    data: bytes


class End(NamedTuple):
    """A channel's end."""

    channel: int


class Urgent(NamedTuple):
    """An order that overtakes what waits for room."""

    order: dict[str, Any]


class Taken(NamedTuple):
    """So many bytes were read."""

    size: int


class Kill(NamedTuple):
    """End the worker at once."""

    patience: float = _KILL
    """Seconds to wait for an answer, and between portions of the artifacts."""


Message = Connected | Received | Lost | Send | End | Urgent | Taken | Kill


class Conversation:
    """Keeps one supervisor company until the worker has ended or is out of reach; ``run`` is its thread."""

    def __init__(
        self,
        dial: Callable[[], Connection],
        *,
        stderr: Lines,
        room: WriteRoom,
        outcome: Outcome,
        keepalive: Keepalive,
        give_up: float,
    ) -> None:
        self.incoming = ReadBuffer(lambda size: self.put(Taken(size)), self.break_if_stuck)
        self.artifacts = ReadBuffer(lambda size: self.put(Taken(size)))
        self.gathered: dict[str, Any] | None = None
        self._stderr, self._room, self._outcome = stderr, room, outcome
        self._keepalive, self._give_up = keepalive, give_up
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.receiver = Receiver(dial, self._inbox.put)
        self._link = wire.Link(os.urandom(16))
        self._state, self._connection = State.DIALLING, None
        self._deadline = time.monotonic() + give_up
        self._kill_deadline = float("inf")
        self._pause, self._outgoing = 0.0, deque()
        self._reason, self._cause = "it never answered", ""
        self._told: dict[str, Any] | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            Connected: self._on_connected,
            Received: self._on_received,
            Lost: self._on_lost,
            Send: self._outgoing.append,
            End: self._outgoing.append,
            Urgent: lambda urgent: self._order(urgent.order),
            Taken: lambda taken: self._link.consumed(taken.size),
            Kill: self._on_kill,
        }

    _connection: Connection | None
    _outgoing: deque[Send | End]
    _sending: tuple[float, Connection] | None = None
    _kill_patience = _KILL
    _greeted = False

    def put(self, message: Message) -> None:
        """Hand ``message`` over; from any thread, never waits, and nobody minds when all is over."""
        self._inbox.put(message)

    def run(self) -> None:
        """Talk until it is over; whatever happens, nobody is left waiting."""
        self.receiver.dial_after(0)
        try:
            while self._state is not State.GONE:
                self._turn()
        except Exception as error:  # noqa: BLE001 - those who read and wait must hear of it, or they wait for ever
            self._cause = f"An error in Paddock itself, please report it: {error!r}"
            self._do_finish()

    def _turn(self) -> None:
        try:
            self._handle(self._inbox.get(timeout=self._patience()))
            while not self._inbox.empty():
                self._handle(self._inbox.get_nowait())
        except queue.Empty:
            pass  # only time has passed
        self._look_at_time()
        self._hand_over()
        self._flush()

    def _handle(self, message: Message) -> None:
        self._handlers[type(message)](message)

    def _happen(self, happening: Happening) -> None:
        self._state, action = next_step(self._state, happening)
        if action != IGNORED:
            getattr(self, f"_do_{action}")()

    # --- time

    def _patience(self) -> float:
        now = time.monotonic()
        until = min(self._deadline, self._kill_deadline) - now
        if self._connection:
            until = min(until, self._keepalive.wait(now))
        return min(max(0.0, until), 3600.0)

    def _look_at_time(self) -> None:
        now = time.monotonic()
        if now >= min(self._deadline, self._kill_deadline):
            self._happen(Happening.OVERDUE)
        try:
            if self._connection and self._keepalive.asks(now):
                self._link.ping()
        except wire.WireError as error:
            self._break(str(error))

    # --- what arrives from the receiver

    def _on_connected(self, message: Connected) -> None:
        self._connection = message.connection
        self._happen(Happening.CONNECTED)

    def _on_received(self, message: Received) -> None:
        if self._connection is None:
            return  # broken off already; its last bytes are sent again over the next one
        self._keepalive.heard(time.monotonic())
        events = self._link.receive_bytes(message.data)
        if self._link.open:
            self._happen(Happening.GREETED)
        for event in events:
            self._on_event(event)

    def _on_lost(self, message: Lost) -> None:
        if self._connection or self._state is State.DIALLING:
            self._reason = message.reason  # else we broke it off ourselves, and know why
        self._connection = None
        self._happen(Happening.REFUSED if message.permanent else Happening.LOST)

    def _on_event(self, event: wire.Event) -> None:
        if isinstance(event, wire.Broken):
            self._break(str(event.error))
            if isinstance(event.error, wire.WrongPeer):
                self._happen(Happening.REFUSED)
        elif event.channel == wire.CONTROL:
            self._on_told(event)
        elif isinstance(event, wire.Data):
            self._on_output(event)
        elif event.channel == wire.ARTIFACTS:
            self.gathered = json.loads(event.data)
            self.artifacts.end()

    def _on_output(self, event: wire.Data) -> None:
        if event.channel == wire.STDOUT:
            self.incoming.put(event.data)
        elif event.channel == wire.ARTIFACTS:
            self.artifacts.put(event.data)
            self._await_more()
        else:
            self._stderr.put(event.data)
            self._link.consumed(len(event.data))

    def _on_told(self, event: wire.Data | wire.Ended) -> None:
        told = json.loads(event.data)
        if isinstance(event, wire.Ended):
            self._told = told
            self._happen(Happening.ENDED)
        elif told["did"] == "started":
            self._outcome.started(told["pid"])
        elif told["did"] == "stacks":
            self._outcome.stacked(told["text"])
        elif told["did"] == "ended":  # what it left to be fetched comes next
            self._told = {name: value for name, value in told.items() if name != "did"}
            self._conclude()
            self._await_more()

    def _await_more(self) -> None:
        """Give a supervisor that was told to kill more time, for as long as it sends what is wanted."""
        if self._kill_deadline < float("inf"):
            self._kill_deadline = time.monotonic() + self._kill_patience

    # --- what others want

    def _on_kill(self, message: Kill) -> None:
        self._kill_patience = message.patience
        self._cause = "This run ended it."
        # A worker nobody started needs no kill.
        self._kill_deadline = time.monotonic() + (self._kill_patience if self._greeted else 0)
        self._order({"do": "kill"})

    def _order(self, order: dict[str, Any]) -> None:
        self._link.send(wire.CONTROL, json.dumps(order).encode())

    def _hand_over(self) -> None:
        """Give the link what it has room for; messages keep their order."""
        while self._outgoing and self._link.room > 0:
            message = self._outgoing.popleft()
            if isinstance(message, End):
                self._link.end(message.channel)
            else:
                self._link.send(message.channel, message.data)
                self._room.release(len(message.data))

    def _flush(self) -> None:
        """Send what there is; what came meanwhile is looked at first, as it may be the reason not to."""
        try:
            while self._connection and self._inbox.empty() and (data := self._link.bytes_to_send()):
                self._sending = (time.monotonic(), self._connection)
                self._connection.send(data)
        except (OSError, PaddockError) as error:
            self._break(str(error) or repr(error))
        self._sending = None

    def break_if_stuck(self) -> None:
        """Close a connection that does not take what is sent; from other threads, as this one's own waits inside."""
        sending = self._sending
        if sending and time.monotonic() - sending[0] > SEND_TIMEOUT:
            sending[1].close()

    # --- the actions of the table

    def _break(self, reason: str) -> None:
        """Be done with the connection; the receiver reports it lost, and only then is another one dialled."""
        self._reason = reason
        if self._connection:
            self._connection.close()
            self._connection = None
            self._deadline = min(self._deadline, time.monotonic() + self._give_up)

    def _do_greet(self) -> None:
        self._link.reconnected()
        self._keepalive.connected(time.monotonic())

    def _do_settle(self) -> None:
        self._deadline, self._pause, self._greeted = float("inf"), 0.0, True

    def _do_redial(self) -> None:
        self._deadline = min(self._deadline, time.monotonic() + self._give_up)
        self.receiver.dial_after(self._pause)
        self._pause = min(max(_PAUSES[0], 2 * self._pause), _PAUSES[1])

    def _do_part(self) -> None:
        self._conclude()
        self._deadline = time.monotonic() + _FAREWELL

    def _do_refuse(self) -> None:
        self._cause = self._cause or f"The worker cannot be reached: {self._reason}"
        self._do_finish()

    def _do_give_up(self) -> None:
        lost = f"The stream to the worker was lost and did not come back within {self._give_up:g} s: {self._reason}"
        self._cause = self._cause or lost
        self._do_finish()

    def _do_finish(self) -> None:
        self._state, self._connection = State.GONE, None
        self._conclude()
        self.artifacts.end()
        self.receiver.stop()

    def _conclude(self) -> None:
        wanted = self._kill_deadline < float("inf")
        told = {**self._told, "heard": True} if self._told else {"cause": self._cause}
        status = ExitStatus(**told, wanted=wanted)
        self._outcome.ended(status)
        self._room.close(StreamBroken(f"The worker has ended and can be sent nothing more. {status.cause}".rstrip()))
        self._stderr.end()
        self.incoming.end()
