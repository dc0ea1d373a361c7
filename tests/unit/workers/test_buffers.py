"""Laws of what threads hand over to one another around a stream."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import StreamBroken, StreamClosed
from paddock.specs import ExitStatus
from paddock.workers.buffers import Lines, Outcome, ReadBuffer, WriteRoom


@given(parts=st.lists(st.binary(min_size=1)), counts=st.lists(st.integers(1, 30), min_size=1))
def test_reading_in_any_sizes_gives_the_same_bytes(parts: list[bytes], counts: list[int]) -> None:
    """However bytes came and are asked for, they are read in order, then the end for ever."""
    buffer = ReadBuffer(lambda _size: None)
    for part in parts:
        buffer.put(part)
    buffer.end()
    read, turn = b"", 0
    while data := buffer.take(counts[turn % len(counts)]):
        assert len(data) <= counts[turn % len(counts)]
        read, turn = read + data, turn + 1
    assert read == b"".join(parts)
    assert buffer.take(1) == b""


def test_what_was_read_is_reported_in_large_portions() -> None:
    """Each report wakes a thread, so small reads are summed up."""
    reported: list[int] = []
    buffer = ReadBuffer(reported.append)
    buffer.put(bytes(1 << 20))
    for _ in range(1 << 10):
        buffer.take(1 << 10)
    assert sum(reported) == 1 << 20
    assert len(reported) <= 4


def test_a_waiting_reader_looks_around() -> None:
    """A reader for whom nothing comes calls ``on_waiting``: it may find a stuck connection."""
    waited = threading.Event()
    buffer = ReadBuffer(lambda _size: None, waited.set, patience=0.001)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(buffer.take, 1)
        assert waited.wait(10)
        buffer.put(b"x")
        assert reading.result(10) == b"x"


def test_discarding_drops_what_is_there_and_what_still_comes() -> None:
    """After a kill nobody reads; the bytes count as taken, so that the other side is not held up."""
    reported: list[int] = []
    buffer = ReadBuffer(reported.append)
    buffer.put(b"old")
    buffer.end(discard=True)
    buffer.put(b"new!")
    assert buffer.take(10) == b""
    assert sum(reported) == 7


def test_writers_wait_for_room() -> None:
    """A write beyond the limit waits until earlier bytes are gone."""
    room = WriteRoom(10)
    room.reserve(8)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(room.reserve, 5)
        assert not waiting.done()
        room.release(8)
        waiting.result(10)


def test_a_write_larger_than_the_limit_passes_alone() -> None:
    """Otherwise it could never pass."""
    room = WriteRoom(10)
    room.reserve(100)


def test_closing_wakes_the_waiting_and_keeps_the_first_reason() -> None:
    """A waiting writer and all later ones hear the first reason, each as an error of its own."""
    room = WriteRoom(10)
    room.reserve(10)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(room.reserve, 5)
        room.close(StreamClosed("first"))
        room.close(StreamBroken("second"))
        with pytest.raises(StreamClosed, match="first") as early:
            waiting.result(10)
    with pytest.raises(StreamClosed, match="first") as late:
        room.reserve(1)
    assert early.value is not late.value


def test_the_first_outcome_stays() -> None:
    """What was told to one who waited is not taken back."""
    outcome = Outcome()
    assert outcome.wait_ended(0) is None
    outcome.ended(ExitStatus(code=0))
    outcome.ended(ExitStatus(code=1))
    assert outcome.wait_ended(0) == ExitStatus(code=0)


def test_waiting_for_a_start_ends_with_an_early_end() -> None:
    """A worker that ended before it started never will; nobody waits for the time-out."""
    outcome = Outcome()
    outcome.ended(ExitStatus(cause="no such file"))
    assert outcome.wait_started(60) is None


@given(text=st.lists(st.binary(max_size=20)), sizes=st.lists(st.integers(1, 9), min_size=1))
def test_lines_are_cut_the_same_whatever_the_portions(text: list[bytes], sizes: list[int]) -> None:
    """Lines come whole, in order and without their end; the last may lack one."""
    data, lines = b"\n".join(text), list[bytes]()
    cutter = Lines(lines.append)
    position, turn = 0, 0
    while position < len(data):
        cutter.put(data[position : position + sizes[turn % len(sizes)]])
        position, turn = position + sizes[turn % len(sizes)], turn + 1
    cutter.end()
    expected = data.split(b"\n")
    assert lines == (expected if expected[-1] else expected[:-1])


def test_an_endless_line_comes_in_parts() -> None:
    """Output without line ends does not gather for ever."""
    lines: list[bytes] = []
    Lines(lines.append).put(b"." * (1 << 17))
    assert b"".join(lines) == b"." * (1 << 17)
