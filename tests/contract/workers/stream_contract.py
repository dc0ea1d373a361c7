"""What any ``WorkerStream`` must do, wherever its worker runs.

To run it over another implementation, inherit from ``StreamContract`` and give the module a fixture ``start_worker``: a
function that starts a Python program as worker, passes the worker's stderr lines on and returns its stream. The fixture
ends the streams it gave out.
"""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import pytest

from paddock.errors import StreamClosed, StreamError
from paddock.specs import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.engines.protocol import WorkerStream

PATIENCE = 60.0
"""Seconds after which a condition counts as never coming true; nothing waits so long when all is well."""

UNBOUNDED = 1.0
"""Seconds in which a stream without back-pressure would have taken far more than any window."""
LIMIT = 64 << 20
"""Bytes that no stream takes while the worker does not read."""

ECHO = """
import os
while data := os.read(0, 65536):
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest):]
"""
SLEEP = "import os, time; os.write(1, b'!'); time.sleep(600)"
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"!")
time.sleep(600)
"""
TEARDOWN = """
import os, time
try:
    os.write(1, b"!")
    time.sleep(600)
finally:
    os.write(1, b"torn down")
"""


class StartWorker(Protocol):
    """Starts ``program`` as a worker."""

    def __call__(self, program: str, on_stderr: Callable[[bytes], None] = ...) -> WorkerStream:
        """Return its stream."""


def read_exactly(stream: WorkerStream, count: int) -> bytes:
    """Return ``count`` bytes, or fewer at the end."""
    data = bytearray()
    while len(data) < count and (part := stream.read(count - len(data))):
        data += part
    return bytes(data)


def read_all(stream: WorkerStream) -> bytes:
    """Return everything up to the end."""
    return b"".join(iter(lambda: stream.read(1 << 16), b""))


def pattern(size: int) -> bytes:
    """Return bytes in which a missing or doubled part shows."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4))


class StreamContract:
    """The contract; see the module."""

    def test_what_is_written_comes_back_in_order(self, start_worker: StartWorker) -> None:
        """Twelve megabytes, more than any window, go through an echoing worker unchanged."""
        stream = start_worker(ECHO)
        data = pattern(12 << 20)

        def write() -> None:
            for start in range(0, len(data), 99_991):
                stream.write(data[start : start + 99_991])

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            assert read_exactly(stream, len(data)) == data
            writing.result(PATIENCE)

    def test_a_small_message_comes_back_alone(self, start_worker: StartWorker) -> None:
        """Nothing waits for more to come: request and answer, a hundred times."""
        stream = start_worker(ECHO)
        for number in range(100):
            message = number.to_bytes(4, "big")
            stream.write(message)
            assert read_exactly(stream, 4) == message

    def test_a_read_returns_at_most_what_was_asked_for(self, start_worker: StartWorker) -> None:
        """``read`` returns one byte to ``count`` bytes, and leaves the rest."""
        stream = start_worker("import os; os.write(1, b'abc')")
        assert stream.read(1) == b"a"
        assert read_all(stream) == b"bc"

    def test_the_end_is_read_again_and_again(self, start_worker: StartWorker) -> None:
        """After the worker's end ``read`` returns no bytes, as often as asked."""
        stream = start_worker("")
        assert [stream.read(10) for _ in range(3)] == [b"", b"", b""]

    @pytest.mark.parametrize("code", [0, 3, 255])
    def test_an_exit_code_is_told(self, start_worker: StartWorker, code: int) -> None:
        """``wait`` tells the code that the worker ended with."""
        stream = start_worker(f"import os; os._exit({code})")
        assert read_all(stream) == b""
        status = stream.wait(PATIENCE)
        assert status
        assert (status.code, status.signal) == (code, None)

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
    def test_a_fatal_signal_is_told(self, start_worker: StartWorker, number: signal.Signals) -> None:
        """``wait`` tells the signal that ended the worker, with words for it."""
        stream = start_worker(f"import os; os.kill(os.getpid(), {int(number)})")
        status = stream.wait(PATIENCE)
        assert status
        assert (status.code, status.signal) == (None, number)
        assert number.name in status.cause

    def test_waiting_has_a_limit(self, start_worker: StartWorker) -> None:
        """While the worker runs ``wait`` returns nothing after its time-out."""
        stream = start_worker(ECHO)
        assert stream.wait(0) is None
        assert stream.wait(0.01) is None

    def test_the_last_words_are_not_lost(self, start_worker: StartWorker) -> None:
        """All output is read, although the worker ended right after writing it."""
        data = pattern(2 << 20)
        program = f"import os; rest = b''.join(n.to_bytes(4, 'big') for n in range({len(data) // 4}))\n"
        stream = start_worker(program + "while rest: rest = rest[os.write(1, rest):]\nos._exit(7)")
        assert read_all(stream) == data
        assert stream.wait(PATIENCE) == ExitStatus(code=7)

    def test_closing_ends_the_workers_input(self, start_worker: StartWorker) -> None:
        """The worker reads the end of its stdin behind all that was written; closing twice is once."""
        stream = start_worker(ECHO)
        stream.write(b"last")
        stream.close_write()
        stream.close_write()
        assert read_all(stream) == b"last"
        status = stream.wait(PATIENCE)
        assert status
        assert status.code == 0

    def test_nothing_is_written_after_closing(self, start_worker: StartWorker) -> None:
        """A write after ``close_write`` is an error of the caller's."""
        stream = start_worker(ECHO)
        stream.close_write()
        with pytest.raises(StreamClosed):
            stream.write(b"late")

    def test_nothing_is_written_to_a_worker_that_has_ended(self, start_worker: StartWorker) -> None:
        """A write after the end says so instead of vanishing."""
        stream = start_worker("")
        assert stream.wait(PATIENCE)
        with pytest.raises(StreamError):
            stream.write(b"to nobody")

    def test_an_interrupt_lets_the_worker_tear_down(self, start_worker: StartWorker) -> None:
        """SIGINT reaches the worker as KeyboardInterrupt, and what its teardown writes is read."""
        stream = start_worker(TEARDOWN)
        assert stream.read(1) == b"!"
        stream.interrupt()
        assert read_all(stream) == b"torn down"
        assert stream.wait(PATIENCE)

    def test_a_kill_ends_a_stubborn_worker(self, start_worker: StartWorker) -> None:
        """A worker that ignores signals is ended as well; reading ends at once; killing twice is once."""
        stream = start_worker(STUBBORN)
        assert stream.read(1) == b"!"
        stream.kill()
        stream.kill()
        assert stream.read(1) == b""
        assert stream.wait(PATIENCE)
        with pytest.raises(StreamClosed):
            stream.write(b"late")

    def test_a_kill_frees_a_blocked_writer(self, start_worker: StartWorker) -> None:
        """A worker that does not read holds up its writer, but neither for ever nor the kill."""
        stream = start_worker(SLEEP)
        assert stream.read(1) == b"!"
        written: list[int] = []
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(_write_for_ever, stream, written)
            _await_standstill(written)
            assert not writing.done()
            stream.kill()
            assert isinstance(writing.exception(PATIENCE), StreamClosed)

    def test_an_interrupt_overtakes_what_the_worker_does_not_read(self, start_worker: StartWorker) -> None:
        """SIGINT arrives although megabytes wait in front of the worker's stdin."""
        stream = start_worker(TEARDOWN)
        assert stream.read(1) == b"!"
        with ThreadPoolExecutor(1) as pool:
            written: list[int] = []
            writing = pool.submit(_write_for_ever, stream, written)
            _await_standstill(written)
            stream.interrupt()
            assert read_all(stream) == b"torn down"
            assert isinstance(writing.exception(PATIENCE), StreamError)

    def test_output_that_nobody_reads_waits(self, start_worker: StartWorker) -> None:
        """More output than any window holds stops the worker and is complete when it is read later."""
        size = 24 << 20
        program = (
            f"import os\nleft = {size}\nwhile left: left -= os.write(1, bytes(min(left, 65536)))\nos.write(2, b'.')"
        )
        through = threading.Event()
        stream = start_worker(program, lambda _line: through.set())
        assert stream.read(1) == b"\0"
        assert not through.wait(UNBOUNDED), "all of it was taken although nobody reads"
        assert len(read_all(stream)) == size - 1
        assert stream.wait(PATIENCE) == ExitStatus(code=0)
        assert through.is_set()

    def test_messages_of_several_writers_stay_whole(self, start_worker: StartWorker) -> None:
        """Each write arrives in one piece, whoever else writes."""
        stream = start_worker(ECHO)
        size, count = 30_000, 20

        def write(letter: int) -> None:
            for _ in range(count):
                stream.write(bytes([letter]) * size)

        with ThreadPoolExecutor(3) as pool:
            writing = [pool.submit(write, letter) for letter in b"abc"]
            messages = [read_exactly(stream, size) for _ in range(3 * count)]
            for one in writing:
                one.result(PATIENCE)
        assert all(len(set(message)) == 1 for message in messages)

    def test_stderr_is_told_line_by_line(self, start_worker: StartWorker) -> None:
        """Each line comes once, whole and without its end, also the last one without a line end."""
        lines: list[bytes] = []
        stream = start_worker("import sys; sys.stderr.write('one\\ntwo\\n\\nlast')", lines.append)
        assert stream.wait(PATIENCE)
        assert read_all(stream) == b""
        assert lines == [b"one", b"two", b"", b"last"]

    def test_the_worker_begins_with_clean_signals(self, start_worker: StartWorker) -> None:
        """SIGINT is not ignored, nothing is blocked, and the worker leads a session of its own."""
        program = (
            "import os, signal\n"
            "print(signal.getsignal(2) is signal.default_int_handler, signal.getsignal(15) is signal.SIG_DFL,"
            " signal.pthread_sigmask(0, []), os.getsid(0) == os.getpid())"
        )
        assert read_all(start_worker(program)) == b"True True set() True\n"


def _write_for_ever(stream: WorkerStream, written: list[int]) -> None:
    while True:
        stream.write(bytes(1 << 20))
        written.append(1 << 20)


def _await_standstill(written: list[int]) -> None:
    """Wait until nothing more is written; a writer whom nobody holds up gets to the limit first."""
    before, pause = -1, threading.Event()
    while before != len(written) or not written:
        before = len(written)
        assert sum(written) < LIMIT, "the writer is not held up"
        pause.wait(UNBOUNDED / 4)
