"""Laws of the wire protocol, without input or output: what is sent arrives exactly once and in order, or it is said."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.workers.inpod import wire
from paddock.workers.inpod.wire import Broken, Data, Ended, Link, WireError, WrongPeer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HELLO_LENGTH = len(wire._frame(0xAD, 1, 0, b"")) + 31
messages = st.lists(st.tuples(st.sampled_from([1, 2, 3, 4]), st.binary(min_size=1, max_size=40)), max_size=12)


def link(number: int, **options: int) -> Link:
    """Return a link with an identity of its own."""
    return Link(bytes([number]) * 16, **options)


def connect(one: Link, other: Link) -> None:
    """Begin a connection and pass both greetings."""
    one.reconnected()
    other.reconnected()
    greeting = one.bytes_to_send()
    assert one.receive_bytes(other.bytes_to_send()) == []
    assert other.receive_bytes(greeting) == []


def drain(sender: Link) -> bytes:
    """Return all that the link wants to send now."""
    return b"".join(iter(sender.bytes_to_send, b""))


def joined(events: Iterable[wire.Event]) -> dict[int, bytes]:
    """Return the bytes of each channel."""
    result: dict[int, bytes] = {}
    for event in events:
        assert isinstance(event, Data)
        result[event.channel] = result.get(event.channel, b"") + event.data
    return result


def portions(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut ``data`` into portions of ``sizes``, over and over."""
    result: list[bytes] = []
    rest = data
    for size in itertools.cycle(sizes or [1]):
        if not rest:
            return result
        result.append(rest[:size])
        rest = rest[size:]
    return result


class Pair:
    """Two links and a connection between them that can be cut at any byte."""

    def __init__(self) -> None:
        self.ends = (link(1), link(2))
        self.arrived: tuple[list[wire.Event], list[wire.Event]] = ([], [])

    def exchange(self, cuts: tuple[int, int], sizes: Sequence[int]) -> None:
        """Connect anew; each direction carries as many bytes as ``cuts`` says, then everything on the way is lost."""
        for end in self.ends:
            end.reconnected()
        budget = list(cuts)
        moving = True
        while moving:
            moving = any([self._carry(0, budget, sizes), self._carry(1, budget, sizes)])

    def _carry(self, sender: int, budget: list[int], sizes: Sequence[int]) -> bool:
        data = drain(self.ends[sender])[: budget[sender]]
        budget[sender] -= len(data)
        for portion in portions(data, sizes):
            self.arrived[1 - sender].extend(self.ends[1 - sender].receive_bytes(portion))
        return bool(data)


@settings(max_examples=300)
@given(
    sent=st.tuples(messages, messages),
    cuts=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=8),
    sizes=st.lists(st.integers(1, 90), max_size=5),
)
def test_bytes_arrive_once_and_in_order_whatever_is_cut(
    sent: tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]],
    cuts: list[tuple[int, int]],
    sizes: list[int],
) -> None:
    """However often and wherever the connection is cut, each side receives what the other sent, once and in order."""
    pair = Pair()
    for end, side in zip(pair.ends, sent, strict=True):
        for channel, data in side:
            end.send(channel, data)
        end.end(wire.CONTROL)
    for cut in cuts:
        pair.exchange(cut, sizes)
    pair.exchange((10**6, 10**6), sizes)
    for side, arrived in zip(sent, reversed(pair.arrived), strict=True):
        assert arrived == [*(Data(channel, data) for channel, data in side), Ended(wire.CONTROL, b"")]
    assert all(end.settled for end in pair.ends)


@given(data=st.binary(max_size=300), sizes=st.lists(st.integers(1, 20), max_size=4))
def test_any_bytes_end_in_events_or_in_a_sentence(data: bytes, sizes: list[int]) -> None:
    """Whatever arrives, ``receive_bytes`` returns; nothing after a ``Broken`` is believed."""
    one, other = link(1), link(2)
    connect(one, other)
    for portion in portions(data, sizes):
        events = one.receive_bytes(portion)
        if events and isinstance(events[-1], Broken):
            assert str(events[-1].error).endswith(".")
            return


def test_a_large_message_is_cut_into_frames_and_put_together() -> None:
    """A message longer than a frame arrives whole, in several portions."""
    one, other = link(1), link(2)
    connect(one, other)
    data = bytes(range(256)) * 1024
    one.send(wire.STDOUT, data)
    events = other.receive_bytes(drain(one))
    assert len(events) == len(data) / wire.FRAME
    assert joined(events) == {wire.STDOUT: data}


def test_a_control_message_stays_whole() -> None:
    """A CONTROL message is one event however long it is, since it is parsed as one."""
    one, other = link(1), link(2)
    connect(one, other)
    one.send(wire.CONTROL, b"x" * 200_000)
    assert other.receive_bytes(drain(one)) == [Data(wire.CONTROL, b"x" * 200_000)]


def test_the_end_of_a_channel_survives_a_cut() -> None:
    """An END that was lost on the way is sent again over the next connection."""
    one, other = link(1), link(2)
    connect(one, other)
    one.end(wire.CONTROL, b"status")
    drain(one)
    connect(one, other)
    assert other.receive_bytes(drain(one)) == [Ended(wire.CONTROL, b"status")]
    one.receive_bytes(drain(other))
    assert one.settled


def test_what_has_arrived_is_not_sent_again() -> None:
    """The greeting tells what has come through although its acknowledgement was lost; only the rest is replayed."""
    one, other = link(1), link(2)
    connect(one, other)
    one.send(wire.STDIN, b"arrived")
    other.receive_bytes(drain(one))
    one.send(wire.STDIN, b"missing")
    drain(one)
    connect(one, other)
    replayed = drain(one)
    assert b"missing" in replayed
    assert b"arrived" not in replayed


def test_frames_received_twice_count_once() -> None:
    """A frame with a number that was received before is dropped."""
    one, other = link(1), link(2)
    connect(one, other)
    one.send(wire.STDIN, b"once")
    data = drain(one)
    assert other.receive_bytes(data + data) == [Data(wire.STDIN, b"once")]


def test_events_before_the_damage_are_not_lost() -> None:
    """Good frames in the same portion as damaged bytes are delivered, and the damage is the last event."""
    one, other = link(1), link(2)
    connect(one, other)
    one.send(wire.STDIN, b"good")
    good, damage = other.receive_bytes(drain(one) + b"\x7f" * 14)
    assert good == Data(wire.STDIN, b"good")
    assert isinstance(damage, Broken)


def test_a_gap_is_told() -> None:
    """A frame that does not follow the last one breaks the connection, and the next one replays."""
    one, other = link(1), link(2)
    connect(one, other)
    one.send(wire.STDIN, b"first")
    drain(one)
    one.send(wire.STDIN, b"second")
    (event,) = other.receive_bytes(drain(one))
    assert isinstance(event, Broken)
    assert "Expected frame 0 and received 1" in str(event.error)
    connect(one, other)
    assert joined(other.receive_bytes(drain(one))) == {wire.STDIN: b"firstsecond"}


@pytest.mark.parametrize("banner", [b"W", b"Welcome to Debian\n", b"\x00", b"HTTP/1.1 403 Forbidden\r\n\r\n"])
def test_a_banner_is_told_from_its_first_byte(banner: bytes) -> None:
    """Foreign bytes before the greeting are named at once, also fewer than a frame's header."""
    one = link(1)
    one.reconnected()
    (event,) = one.receive_bytes(banner)
    assert isinstance(event, Broken)
    assert isinstance(event.error, WrongPeer)
    assert repr(banner[:60]) in str(event.error)


def test_a_banner_on_a_later_connection_is_worth_another_try() -> None:
    """Once the peer has been heard, foreign bytes break the connection only."""
    one, other = link(1), link(2)
    connect(one, other)
    one.reconnected()
    (event,) = one.receive_bytes(b"oops")
    assert isinstance(event, Broken)
    assert not isinstance(event.error, WrongPeer)


def test_another_version_is_told() -> None:
    """A greeting of another protocol version is refused for good, and both versions are named."""
    one = link(1)
    one.reconnected()
    (event,) = one.receive_bytes(wire._frame(0xAD, 9, 0, b""))
    assert isinstance(event, Broken)
    assert isinstance(event.error, WrongPeer)
    assert "version 9" in str(event.error)
    assert f"version {wire.VERSION}" in str(event.error)


def test_a_restarted_peer_is_told() -> None:
    """A peer with a new identity has lost what it knew; no replay could be right."""
    one, other = link(1), link(2)
    connect(one, other)
    one.reconnected()
    reborn = link(3)
    reborn.reconnected()
    (event,) = one.receive_bytes(reborn.bytes_to_send())
    assert isinstance(event, Broken)
    assert isinstance(event.error, WrongPeer)
    assert "container was restarted" in str(event.error)


def test_our_own_greeting_coming_back_is_told() -> None:
    """A stream that echoes is no supervisor."""
    one = link(1)
    one.reconnected()
    (event,) = one.receive_bytes(one.bytes_to_send())
    assert isinstance(event, Broken)
    assert isinstance(event.error, WrongPeer)


@pytest.mark.parametrize(
    "frame",
    [
        wire._frame(99, 0, 0, b""),
        wire._HEADER.pack(1, 1, 0, 1 << 30),
        wire._frame(3, 0, 7, bytes(8)),
        wire._frame(3, 0, 0, b"short"),
        wire._frame(0xAD, 1, 0, bytes(31)),
    ],
    ids=["unknown type", "absurd length", "ack of nothing sent", "ack without credit", "second greeting"],
)
def test_impossible_frames_are_told(frame: bytes) -> None:
    """What Paddock never sends breaks the connection at once instead of being waited for."""
    one, other = link(1), link(2)
    connect(one, other)
    (event,) = one.receive_bytes(frame)
    assert isinstance(event, Broken)
    assert isinstance(event.error, WireError)


def test_a_greeting_that_asks_for_forgotten_frames_is_refused() -> None:
    """What was acknowledged is forgotten; a peer that asks for it again cannot be helped."""
    one, other = link(1), link(2)
    connect(one, other)
    one.end(wire.STDIN, b"gone")
    other.receive_bytes(drain(one))
    one.receive_bytes(drain(other))
    one.reconnected()
    forgetful = link(2)
    forgetful.reconnected()
    (event,) = one.receive_bytes(forgetful.bytes_to_send())
    assert isinstance(event, Broken)
    assert isinstance(event.error, WrongPeer)


def test_the_window_closes_and_opens_with_consumption() -> None:
    """Room shrinks by what is sent and grows only when the other application has taken it; CONTROL needs none."""
    one, other = link(1, window=1000), link(2, window=1000)
    connect(one, other)
    one.send(wire.STDOUT, bytes(1000))
    one.send(wire.CONTROL, bytes(500))
    assert one.room == 0
    other.receive_bytes(drain(one))
    one.receive_bytes(drain(other))
    assert one.room == 0, "acknowledged, but nobody has taken it"
    other.consumed(400)
    one.receive_bytes(drain(other))
    assert one.room == 400


def test_small_frames_are_not_answered_each_for_itself() -> None:
    """A worker's reports cost no traffic the other way; what the sender keeps is bounded all the same."""
    one, other = link(1), link(2)
    connect(one, other)
    answers, kept = 0, 0
    for _ in range(10_000):
        one.send(wire.STDOUT, bytes(100))
        other.receive_bytes(drain(one))
        answer = drain(other)
        answers += bool(answer)
        one.receive_bytes(answer)
        kept = max(kept, sum(len(frame) for _, frame in one._unacknowledged))
    assert 1 <= answers <= 5
    assert kept <= wire._ACK_AFTER


def test_an_acknowledgement_goes_with_what_is_sent_anyway() -> None:
    """Where both sides talk, nothing is kept for long."""
    one, other = link(1), link(2)
    connect(one, other)
    one.send(wire.STDOUT, b"question")
    other.receive_bytes(drain(one))
    other.send(wire.STDIN, b"answer")
    one.receive_bytes(drain(other))
    assert one.settled


def test_credit_survives_a_cut() -> None:
    """Credit given while disconnected arrives with the next greeting."""
    one, other = link(1, window=1000), link(2, window=1000)
    connect(one, other)
    one.send(wire.STDOUT, bytes(1000))
    other.receive_bytes(drain(one))
    other.consumed(100)
    connect(one, other)
    assert one.room == 100


def test_a_ping_is_answered() -> None:
    """PING brings PONG, and neither is an event."""
    one, other = link(1), link(2)
    connect(one, other)
    one.ping()
    assert other.receive_bytes(drain(one)) == []
    pong = drain(other)
    assert pong
    assert one.receive_bytes(pong) == []


def test_nothing_but_the_greeting_goes_out_before_the_peer_has_greeted() -> None:
    """Before the peer's greeting nobody knows where to go on."""
    one = link(1)
    one.send(wire.STDIN, b"early")
    one.reconnected()
    one.ping()
    assert len(drain(one)) == HELLO_LENGTH
