from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import pytest

from paddock.errors import LeaseError, StreamBroken
from paddock.plugin.lazy_io import LazyIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from execnet.gateway_base import ExecModel

    from paddock.specs import ExitStatus

LIMIT = 10.0


class FakeStream:
    """A stream whose far side is the test."""

    def __init__(self, incoming: bytes = b"1") -> None:
        self.sent: list[bytes] = []
        self.calls: list[str] = []
        self._incoming = incoming
        self._changed = threading.Condition()
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Let the worker say something."""
        with self._changed:
            self._incoming += data
            self._changed.notify_all()

    def end(self) -> None:
        """Let the worker end."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def write(self, data: bytes) -> None:
        """Note what was sent."""
        if self._ended:
            raise StreamBroken("the worker is out of reach")
        self.sent.append(data)

    def read(self, count: int) -> bytes:
        """Return one byte at a time, the least a stream may do."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._incoming or self._ended, LIMIT)
            data, self._incoming = self._incoming[: min(count, 1)], self._incoming[min(count, 1) :]
            return data

    def close_write(self) -> None:
        """Note the call."""
        self.calls.append("close_write")

    def interrupt(self) -> None:
        """Note the call."""
        self.calls.append("interrupt")

    def ask_stacks(self) -> None:
        """Nobody asks."""

    def wait_stacks(self, _timeout: float) -> str:
        """Have none."""
        return ""

    def kill(self) -> None:
        """Note the call; the worker's output ends."""
        self.calls.append("kill")
        self.end()

    def wait(self, timeout: float) -> ExitStatus | None:
        """Return that nothing is known."""
        assert timeout == 0
        return None


class Harness:
    """A LazyIO, the stream it will get, and the gate before it."""

    def __init__(self, stream: FakeStream | Exception, limit: float = LIMIT) -> None:
        self.stream, self._gate = stream, threading.Event()
        self.failures: list[str] = []
        self.failed = threading.Event()
        self.io = LazyIO("gw0", b"boot\n", cast("ExecModel", None))
        self.io.start(self._open, self._note, limit)

    def _open(self) -> FakeStream:
        assert self._gate.wait(LIMIT)
        if isinstance(self.stream, Exception):
            raise self.stream
        return self.stream

    def _note(self, reason: str) -> None:
        self.failures.append(reason)
        self.failed.set()

    def open_gate(self) -> None:
        """Let the worker come, or fail to."""
        self._gate.set()


def joined() -> None:
    """Wait for the threads that open streams."""
    for thread in threading.enumerate():
        if thread.name.startswith("paddock-open-"):
            thread.join(LIMIT)


def in_thread(call: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run a call that may block; its outcome, value or exception, goes to the list."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(call())
        except (OSError, EOFError) as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def test_nothing_is_sent_between_boot_line_and_answer() -> None:
    """The far side's first readline would swallow it."""
    stream = FakeStream(incoming=b"")
    harness = Harness(stream)
    harness.io.write(b"early")
    harness.open_gate()
    assert_eventually(lambda: stream.sent == [b"boot\n"])
    harness.io.write(b" and later")
    assert stream.sent == [b"boot\n"]
    stream.feed(b"1")
    joined()
    assert b"".join(stream.sent) == b"boot\nearly and later"
    harness.io.write(b"!")
    assert stream.sent[-1] == b"!"


def assert_eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition, with a deadline."""
    waiting = threading.Event()
    for _ in range(int(LIMIT / 0.01)):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("the condition never held")


def test_reads_are_exact() -> None:
    """Execnet asks for a number of bytes and gets that number, however they come."""
    stream = FakeStream(b"1abcdef")
    harness = Harness(stream)
    harness.open_gate()
    assert [harness.io.read(4), harness.io.read(2)] == [b"abcd", b"ef"]
    joined()


def test_the_end_is_an_eof_with_a_reason() -> None:
    """Execnet takes the exception's argument apart; without one it fails itself."""
    stream = FakeStream(b"1ab")
    harness = Harness(stream)
    harness.open_gate()
    joined()
    stream.end()
    with pytest.raises(EOFError, match="gw0 is gone"):
        harness.io.read(9)


def test_a_broken_stream_is_an_oserror() -> None:
    """Execnet handles no other exception of ``write``."""
    stream = FakeStream()
    harness = Harness(stream)
    harness.open_gate()
    joined()
    stream.end()
    with pytest.raises(OSError, match="out of reach"):
        harness.io.write(b"x")


def test_a_worker_that_never_comes_is_told_once_and_swallows() -> None:
    """Xdist's set-up goes on; the reader hears nothing until the connection is closed."""
    harness = Harness(LeaseError("no node has room"))
    thread, outcome = in_thread(lambda: harness.io.read(9))
    harness.open_gate()
    assert harness.failed.wait(LIMIT)
    harness.io.write(b"swallowed")
    assert (harness.failures, outcome) == (["no node has room"], [])
    harness.io.close_write()
    thread.join(LIMIT)
    assert isinstance(outcome[0], EOFError)
    assert "no node has room" in str(outcome[0])
    joined()


def test_an_unexpected_error_is_told_as_well() -> None:
    """Whatever an engine raises, nobody waits for ever."""
    harness = Harness(RuntimeError("a mistake of ours"))
    harness.open_gate()
    assert harness.failed.wait(LIMIT)
    assert harness.failures == ["RuntimeError: a mistake of ours"]
    joined()


@pytest.mark.parametrize(("incoming", "words"), [(b"W", "began with b'W'"), (b"", "ended before it answered")])
def test_a_wrong_answer_is_a_failure_and_the_worker_is_killed(incoming: bytes, words: str) -> None:
    """A banner on stdout, or an end before the answer, is told in a sentence."""
    stream = FakeStream(incoming)
    if not incoming:
        stream.read = lambda count: b""[:count]  # type: ignore[method-assign] # an end without a word
    harness = Harness(stream)
    harness.open_gate()
    assert harness.failed.wait(LIMIT)
    joined()
    assert words in harness.failures[0]
    assert "kill" in stream.calls


def test_a_worker_that_starts_and_says_nothing_is_ended() -> None:
    """A start-up that hangs does not hang the run: it is told with the option that allows more."""
    stream = FakeStream(incoming=b"")
    harness = Harness(stream, limit=0.05)
    harness.open_gate()
    assert harness.failed.wait(LIMIT)
    assert "no answer within 0.05 s" in harness.failures[0]
    assert "--paddock-start-limit" in harness.failures[0]
    assert "kill" in stream.calls
    stream.end()
    for thread in threading.enumerate():
        if thread.name == "paddock-limited":
            thread.join(LIMIT)


def test_a_worker_that_comes_too_late_is_killed_silently() -> None:
    """Killed while it was being made: it ends when it arrives, and is no failure."""
    stream = FakeStream()
    harness = Harness(stream)
    harness.io.kill()
    with pytest.raises(OSError, match="closed"):
        harness.io.write(b"x")
    harness.open_gate()
    joined()
    assert "kill" in stream.calls
    assert harness.failures == []


def test_control_before_the_worker_is_there_returns_at_once() -> None:
    """``interrupt``, ``wait`` and ``close_read`` need no worker."""
    harness = Harness(FakeStream())
    harness.io.interrupt()
    harness.io.close_read()
    assert harness.io.wait() is None
    harness.open_gate()
    joined()
