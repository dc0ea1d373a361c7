"""What a ``PodStream`` does about connections that fail, break, hang or belong to somebody else."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from paddock.errors import LeaseError, NotFound, StreamBroken
from paddock.workers.connection import SocketConnection, connect_unix
from paddock.workers.inpod.keepalive import Keepalive
from paddock.workers.stream import PodStream
from tests.contract.workers.places import ENDING, by_cut_connections, by_socket
from tests.contract.workers.proxy import CuttingProxy
from tests.contract.workers.stream_contract import ECHO, PATIENCE, pattern, read_all, read_exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from paddock.workers.connection import Connection


class FakeConnection:
    """A connection that receives what it is given, then waits to be closed."""

    def __init__(self, *received: bytes, stuck: bool = False) -> None:
        self._received, self._stuck = deque(received), stuck
        self._closed = threading.Event()

    def send(self, _data: bytes) -> None:
        """Take it, or never."""
        if self._stuck:
            self._closed.wait(PATIENCE)
            raise StreamBroken("It was closed.")

    def receive(self) -> bytes:
        """Return the next portion, then the end."""
        if self._received:
            return self._received.popleft()
        self._closed.wait(PATIENCE)
        return b""

    def close(self) -> None:
        """Let a waiting ``receive`` end."""
        self._closed.set()


@contextmanager
def streaming(dial: Callable[[], Connection], **options: float | Keepalive) -> Iterator[PodStream]:
    """Open a stream and end it."""
    stream = PodStream(dial, **options)  # type: ignore[arg-type] # either option has its own type
    try:
        yield stream
    finally:
        stream.kill()
        stream.wait(ENDING)


def start(stream: PodStream, program: str) -> None:
    """Start a Python program as the worker."""
    stream.start([sys.executable, "-I", "-S", "-u", "-c", program], env={"PATH": os.environ["PATH"]}, cwd="/")


def refuse() -> Connection:
    """Fail to dial for a reason that may pass."""
    raise ConnectionRefusedError("The API server is restarting.")


def test_a_worker_out_of_reach_is_given_up_with_a_sentence() -> None:
    """After ``give_up`` seconds without a connection, everybody who waits hears how long and why."""
    with streaming(refuse, give_up=0.1) as stream:
        assert stream.read(1) == b""
        status = stream.wait(PATIENCE)
        assert status
        assert status.cause == (
            "The stream to the worker was lost and did not come back within 0.1 s: The API server is restarting."
        )
        with pytest.raises(StreamBroken, match="API server is restarting"):
            stream.write(b"late")


@pytest.mark.parametrize("error", [LeaseError("The pod was evicted."), NotFound("There is no pod.", status=404)])
def test_a_permanent_error_ends_the_stream_at_once(error: Exception) -> None:
    """No time is lost on a pod that is gone."""

    def dial() -> Connection:
        raise error

    with streaming(dial, give_up=3600) as stream:
        status = stream.wait(PATIENCE)
        assert status
        assert str(error) in status.cause


def test_an_error_in_the_dial_itself_is_no_hang() -> None:
    """What nobody expected ends the stream, with what it was."""

    def dial() -> Connection:
        raise KeyError("typo")

    with streaming(dial, give_up=3600) as stream:
        status = stream.wait(PATIENCE)
        assert status
        assert "typo" in status.cause


def test_dialling_pauses_longer_and_longer() -> None:
    """A server in trouble is not flooded: within half a second there are few attempts."""
    attempts: list[int] = []

    def dial() -> Connection:
        attempts.append(1)
        return refuse()

    with streaming(dial, give_up=0.5) as stream:
        assert stream.wait(PATIENCE)
    assert 3 <= len(attempts) <= 10


def test_a_banner_is_named() -> None:
    """Foreign bytes where the greeting should be end the stream with the bytes in the cause."""
    with streaming(lambda: FakeConnection(b"Welcome to Ubuntu"), give_up=3600) as stream:
        status = stream.wait(PATIENCE)
        assert status
        assert "Welcome to Ubuntu" in status.cause


def test_a_silent_server_is_dialled_again() -> None:
    """A connection over which no greeting comes is given up and another one dialled, until the patience ends."""
    dialled: list[FakeConnection] = []

    def dial() -> Connection:
        dialled.append(FakeConnection())
        return dialled[-1]

    with streaming(dial, give_up=0.5, keepalive=Keepalive(0.02, 0.05)) as stream:
        status = stream.wait(PATIENCE)
        assert status
        assert "Nothing was heard from the other end for 0.05 s" in status.cause
    assert len(dialled) > 1


def test_a_stuck_send_is_noticed_by_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that takes no bytes holds the sending thread; whoever reads meanwhile closes it."""
    monkeypatch.setattr("paddock.workers.conversation.SEND_TIMEOUT", 0.01)
    with streaming(lambda: FakeConnection(stuck=True), give_up=0.3) as stream:
        stream._incoming._patience = 0.01
        assert stream.read(1) == b""
        status = stream.wait(PATIENCE)
        assert status
        assert "did not come back within" in status.cause


def test_a_failing_callback_ends_the_stream_with_its_error(library: Path, folder: Path) -> None:
    """A bug in ``on_stderr`` must not leave a reader waiting for ever."""

    def fail(line: bytes) -> None:
        raise ValueError(line)

    with by_socket(library, folder) as place:
        stream = PodStream(place.dial, fail)
        start(stream, "import os, time; os.write(2, b'boo\\n'); time.sleep(600)")
        assert stream.read(1) == b""
        status = stream.wait(PATIENCE)
        assert status
        assert "boo" in status.cause
        place.supervisor.send_signal(signal.SIGTERM)
        assert place.supervisor.wait(ENDING)


def test_killing_does_not_wait_for_a_dial() -> None:
    """``kill`` returns at once, readers are freed, and the thread ends when the dial does."""
    release = threading.Event()

    def dial() -> Connection:
        release.wait(PATIENCE)
        raise ConnectionAbortedError("too late")

    stream = PodStream(dial)
    stream.kill()
    assert stream.read(1) == b""
    release.set()
    status = stream.wait(PATIENCE)
    assert status
    assert status.cause == "This run ended it."


def test_a_connection_that_comes_after_the_end_is_closed() -> None:
    """A dial that succeeds when all is over leaves no connection open."""
    release, late = threading.Event(), FakeConnection()

    def dial() -> Connection:
        release.wait(PATIENCE)
        return late

    stream = PodStream(dial, give_up=0.01)
    assert stream.wait(PATIENCE)
    release.set()
    assert late._closed.wait(PATIENCE)


def test_cuts_lose_nothing_and_are_really_made(library: Path, folder: Path) -> None:
    """Bytes in both directions arrive once and in order over connections that live ten milliseconds."""
    data = pattern(32 << 20)
    with by_socket(library, folder) as place:
        proxy = CuttingProxy(place.socket, 0.01)
        with streaming(lambda: SocketConnection(proxy.connect())) as stream:
            start(stream, ECHO)
            writing = threading.Thread(target=lambda: stream.write(data))
            writing.start()
            assert read_exactly(stream, len(data)) == data
            writing.join()
            stream.close_write()
            assert read_all(stream) == b""
        proxy.close()
    assert proxy.cuts > 5  # a quiet machine moves 8 MiB in five connections; this is four times as much


def test_a_half_open_connection_is_noticed(library: Path, folder: Path) -> None:
    """A network that swallows everything without closing is found by silence, and the stream goes on."""
    with by_cut_connections(library, folder, float("inf")) as place:
        proxy = CuttingProxy(place.socket, float("inf"))
        with streaming(lambda: SocketConnection(proxy.connect()), keepalive=Keepalive(0.05, 0.2)) as stream:
            start(stream, ECHO)
            stream.write(b"before")
            assert read_exactly(stream, 6) == b"before"
            proxy.swallow()
            stream.write(b"after")
            assert read_exactly(stream, 5) == b"after"
        proxy.close()


def test_an_end_that_came_while_cut_off_is_told_later(library: Path, folder: Path) -> None:
    """A worker that ends without a client is not lost: its output and its status come with the next connection."""
    allowed = threading.Event()
    allowed.set()
    connections: list[Connection] = []

    with by_socket(library, folder) as place:

        def dial() -> Connection:
            if not allowed.is_set():
                return refuse()
            connections.append(connect_unix(place.socket))
            return connections[-1]

        with streaming(dial) as stream:
            start(stream, "import os, sys; sys.stdin.readline(); os.write(1, b'alone'); os._exit(5)")
            pid = stream.wait_started(PATIENCE)
            assert pid
            stream.write(b"go")
            allowed.clear()
            connections[0].close()
            os.kill(pid, signal.SIGCONT)
            allowed.set()
            stream.write(b"\n")
            assert read_all(stream) == b"alone"
            status = stream.wait(PATIENCE)
            assert status
            assert status.code == 5


def test_a_restarted_supervisor_is_told(library: Path, folder: Path) -> None:
    """A new supervisor at the old address knows nothing of the worker: that is an end, not a silent stall."""
    socket = str(folder / "worker.sock")
    with streaming(lambda: connect_unix(socket)) as stream:
        with by_socket(library, folder):
            start(stream, "import os; os.read(0, 1)")
            assert stream.wait_started(PATIENCE)
        with by_socket(library, folder):
            status = stream.wait(PATIENCE)
            assert status
            assert "container was restarted" in status.cause


def test_a_stream_has_two_threads_at_most(library: Path, folder: Path) -> None:
    """One that decides and sends, one that dials and receives; none when it is over."""
    before = set(threading.enumerate())
    with by_socket(library, folder) as place, streaming(place.dial) as stream:
        start(stream, ECHO)
        assert stream.wait_started(PATIENCE)
        started = set(threading.enumerate()) - before
        assert {thread.name for thread in started} == {"paddock-worker-stream", "paddock-worker-receive"}
        stream.close_write()
        assert stream.wait(PATIENCE)
        for thread in started:
            thread.join(ENDING)
            assert not thread.is_alive()
