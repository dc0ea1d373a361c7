"""The wire protocol between client and supervisor, without input or output.

Owns frames, numbers, acknowledgements, replay and the window. It must not know sockets, threads, clocks or what the
channels mean; the same file runs in the pod and in the client, so it imports the standard library only.

A frame is ``type, channel, number, length`` (``!BBQI``) and its payload. Both directions number their DATA and END
frames from 0 and keep each until the other side has acknowledged it. The first frame of every connection, both ways, is
HELLO with the next number expected: the other side goes on from there, so a cut loses nothing and repeats nothing.

======  ==================  =============================  =============================================
type    channel             number                         payload
======  ==================  =============================  =============================================
HELLO   protocol version    next number expected           magic, identity of the sender, credit
DATA    of the bytes        its own                        1 to FRAME bytes
END     that has ended      its own                        a last word, such as the worker's exit status
ACK     0                   next number expected           credit
PING    0                   0                              none; answered by PONG
PONG    0                   0                              none
======  ==================  =============================  =============================================

Credit is the count of payload bytes, from the beginning and without channel CONTROL, that its sender is ready to hold:
what its application has taken plus the window. It bounds memory on both sides; CONTROL is exempt, so that "kill"
overtakes a worker that does not read.

An ACK goes with the next frames the other way, and alone only for an END, for much received and for much credit: each
frame passes through five processes, and a worker's reports would all be answered by one.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 2
FRAME = 64 << 10
"""Most payload bytes in a DATA frame: a pipe's usual capacity, and small against the window."""
WINDOW = 8 << 20
"""Bytes a side may have on the way, in all channels together: 80 MB/s at a round trip of 100 ms."""

CONTROL, STDIN, STDOUT, STDERR, SOURCES, ARTIFACTS = range(6)

_HEADER = struct.Struct("!BBQI")
_GREETING = struct.Struct("!7s16sQ")
_CREDIT = struct.Struct("!Q")
_MAGIC = b"paddock"
_BATCH = 256 << 10  # bytes handed out at once: few system calls, and an ack is never stuck behind more than this
_ACK_AFTER = 256 << 10  # bytes of frames received: what the other side keeps meanwhile, and repeats after a cut at most
_LONGEST = 1 << 20  # no frame of ours is longer; a larger length is garbage that would make us wait for ever
_SHOWN = 60  # bytes of foreign input quoted in an error

# HELLO is no ASCII and no UTF-8: the first byte of a login banner or an error page already gives it away.
_HELLO, _DATA, _END, _ACK, _PING, _PONG = 0xAD, 1, 2, 3, 4, 5


class WireError(Exception):
    """The connection carries something unusable, or nothing; another connection may do better."""


class WrongPeer(WireError):  # noqa: N818 - named for the state, as the tree in paddock.errors; that cannot be imported in a pod
    """The other end is not the one this link belongs to; no other connection can help."""


class Data(NamedTuple):
    """Bytes of a channel, in order and exactly once."""

    channel: int
    data: bytes


class Ended(NamedTuple):
    """A channel's end, with the sender's last word."""

    channel: int
    data: bytes


class Broken(NamedTuple):
    """The connection is of no more use; always the last event of a connection."""

    error: WireError


Event = Data | Ended | Broken
Numbered = tuple[int, bytes]


class Link:
    """One end of a numbered, acknowledged, resumable stream of channels; survives any number of connections.

    ``identity`` are 16 bytes unlike those of any other link: they tell a restarted peer from one that was cut off.
    ``window`` bounds the bytes received and not yet reported by ``consumed``.
    """

    def __init__(self, identity: bytes, *, window: int = WINDOW) -> None:
        self._identity, self._window = identity, window
        self._peer: bytes | None = None
        self._unsent: deque[Numbered] = deque()  # not yet put on this connection
        self._unacknowledged: deque[Numbered] = deque()  # put on it, and kept for a replay
        self._next_out = self._next_in = 0
        self._sent_bytes, self._credit = 0, window
        self._consumed = self._announced = 0
        self._unanswered = 0  # bytes of numbered frames received since the last acknowledgement
        self._open = self._ack_due = False
        self._urgent: list[bytes] = []
        self._input = bytearray()
        self._accepts: dict[int, Callable[[int, int, bytes], Event | None]] = {
            _HELLO: self._on_hello,
            _DATA: self._on_data,
            _END: self._on_end,
            _ACK: self._on_ack,
            _PING: self._on_ping,
            _PONG: self._on_pong,
        }

    # --- the application's side

    def send(self, channel: int, data: bytes) -> None:
        """Queue ``data``; the caller looks at ``room`` first. A CONTROL message stays whole, up to 1 MiB."""
        size = FRAME if channel != CONTROL else max(1, len(data))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._queue(_DATA, channel, piece)
            self._sent_bytes += len(piece) if channel != CONTROL else 0

    def end(self, channel: int, data: bytes = b"") -> None:
        """Queue the channel's end with a last word of at most 1 MiB."""
        self._queue(_END, channel, data)

    def consumed(self, count: int) -> None:
        """Give the other side credit for ``count`` bytes that the application has passed on, CONTROL apart."""
        self._consumed += count
        if self._consumed - self._announced >= self._window // 4:
            self._ack_due = True

    @property
    def room(self) -> int:
        """Bytes that may be sent now; 0 or less: wait for credit."""
        return self._credit - self._sent_bytes

    @property
    def settled(self) -> bool:
        """Whether everything ever sent has been acknowledged."""
        return not self._unsent and not self._unacknowledged

    @property
    def open(self) -> bool:
        """Whether both greetings of this connection have passed."""
        return self._open

    # --- the connection's side

    def reconnected(self) -> None:
        """Begin a new connection: greet, and forget what was half received on the last one."""
        self._input.clear()
        self._unsent.extendleft(reversed(self._unacknowledged))
        self._unacknowledged.clear()
        self._open = self._ack_due = False
        self._unanswered = 0
        greeting = _GREETING.pack(_MAGIC, self._identity, self._grant())
        self._urgent = [_frame(_HELLO, VERSION, self._next_in, greeting)]

    def receive_bytes(self, data: bytes) -> list[Event]:
        """Take bytes in any portions and return what they completed; never raises."""
        self._input += data
        events: list[Event] = []
        position = 0
        try:
            while (frame := self._frame_at(position)) is not None:
                kind, channel, number, payload = frame
                self._accept(kind, channel, number, payload, events)
                position += _HEADER.size + len(payload)
        except WireError as error:
            events.append(Broken(error))
        del self._input[:position]
        return events

    def bytes_to_send(self) -> bytes:
        """Return the next portion for the connection, ``b""`` when there is none; call again until then."""
        parts, self._urgent = self._urgent, []
        if not self._open:
            return b"".join(parts)
        if self._ack_due or (self._unanswered and self._unsent):
            self._ack_due, self._unanswered = False, 0
            parts.append(_frame(_ACK, 0, self._next_in, _CREDIT.pack(self._grant())))
        size = 0
        while self._unsent and size < _BATCH:
            numbered = self._unsent.popleft()
            self._unacknowledged.append(numbered)
            parts.append(numbered[1])
            size += len(numbered[1])
        return b"".join(parts)

    def ping(self) -> None:
        """Ask the other side for a sign of life, once the greetings have passed."""
        if self._open:
            self._urgent.append(_frame(_PING, 0, 0, b""))

    # --- inside

    def _queue(self, kind: int, channel: int, payload: bytes) -> None:
        self._unsent.append((self._next_out, _frame(kind, channel, self._next_out, payload)))
        self._next_out += 1

    def _grant(self) -> int:
        self._announced = self._consumed
        return self._consumed + self._window

    def _frame_at(self, position: int) -> tuple[int, int, int, bytes] | None:
        self._refuse_foreign(position)
        if len(self._input) < position + _HEADER.size:
            return None
        kind, channel, number, length = _HEADER.unpack_from(self._input, position)
        self._refuse_impossible(kind, channel, length)
        start = position + _HEADER.size
        if len(self._input) < start + length:
            return None
        return kind, channel, number, bytes(self._input[start : start + length])

    def _refuse_foreign(self, position: int) -> None:
        """Look at the very first byte, for a banner may be shorter than a header and would leave us waiting."""
        if self._open or len(self._input) == position or self._input[position] == _HELLO:
            return
        error = WireError if self._peer else WrongPeer
        raise error(
            f"Expected Paddock's greeting and received {bytes(self._input[position : position + _SHOWN])!r}: something "
            "else writes to this stream. Look for a login script or a banner in the worker image.",
        )

    def _refuse_impossible(self, kind: int, channel: int, length: int) -> None:
        if kind == _HELLO and channel != VERSION:
            raise WrongPeer(
                f"The other end speaks version {channel} of the wire protocol and this end version {VERSION}. "
                "Rebuild the worker image with the Paddock that runs pytest.",
            )
        if kind not in self._accepts or length > _LONGEST:
            raise WireError(f"Received a frame of type {kind} with {length} bytes, which Paddock never sends: damaged.")

    def _accept(self, kind: int, channel: int, number: int, payload: bytes, events: list[Event]) -> None:
        if self._open == (kind == _HELLO):
            raise WireError(f"Received a frame of type {kind} out of turn: a greeting comes first, and once.")
        event = self._accepts[kind](channel, number, payload)
        if event is not None:
            events.append(event)

    def _on_hello(self, _channel: int, number: int, payload: bytes) -> None:
        if len(payload) != _GREETING.size:
            raise WireError(f"Expected a greeting of {_GREETING.size} bytes and received {len(payload)}.")
        magic, identity, credit = _GREETING.unpack(payload)
        self._refuse_stranger(magic, identity, number)
        self._peer, self._credit, self._open = identity, credit, True
        self._forget(self._unsent, number)

    def _refuse_stranger(self, magic: bytes, identity: bytes, number: int) -> None:
        if magic != _MAGIC or identity == self._identity:
            raise WrongPeer(
                "Our own greeting or a foreign one came back: the other end of this stream is no supervisor."
            )
        if self._peer not in {None, identity}:
            raise WrongPeer(
                "The other end has been replaced by a new process since the last connection, and what it knew is lost: "
                "the worker's container was restarted.",
            )
        first = self._unsent[0][0] if self._unsent else self._next_out
        if not first <= number <= self._next_out:
            raise WrongPeer(
                f"The other end asks for frame {number}, but frames {first} to {self._next_out} are kept here."
            )

    def _on_numbered(self, event: Data | Ended, number: int) -> Event | None:
        if number > self._next_in:
            raise WireError(f"Expected frame {self._next_in} and received {number}: bytes are missing in between.")
        if number < self._next_in:
            return None
        self._next_in += 1
        self._unanswered += _HEADER.size + len(event.data)
        self._ack_due = self._ack_due or isinstance(event, Ended) or self._unanswered >= _ACK_AFTER
        return event

    def _on_data(self, channel: int, number: int, payload: bytes) -> Event | None:
        return self._on_numbered(Data(channel, payload), number)

    def _on_end(self, channel: int, number: int, payload: bytes) -> Event | None:
        return self._on_numbered(Ended(channel, payload), number)

    def _on_ack(self, _channel: int, number: int, payload: bytes) -> None:
        if len(payload) != _CREDIT.size or number > self._next_out - len(self._unsent):
            raise WireError(f"Received an acknowledgement up to frame {number}, which was never sent: damaged.")
        self._credit = max(self._credit, _CREDIT.unpack(payload)[0])
        self._forget(self._unacknowledged, number)

    def _on_ping(self, _channel: int, _number: int, _payload: bytes) -> None:
        self._urgent.append(_frame(_PONG, 0, 0, b""))

    def _on_pong(self, _channel: int, _number: int, _payload: bytes) -> None:
        """Have been heard; whoever keeps the time has noticed the bytes themselves."""

    @staticmethod
    def _forget(frames: deque[Numbered], number: int) -> None:
        while frames and frames[0][0] < number:
            frames.popleft()


def _frame(kind: int, channel: int, number: int, payload: bytes) -> bytes:
    return _HEADER.pack(kind, channel, number, len(payload)) + payload
