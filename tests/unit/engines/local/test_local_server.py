"""A server's life, with programs that are quick to start."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.engines.local import device_locks, handover
from paddock.engines.local.places import Place
from paddock.engines.local.server import TABLE, Event, Server, State
from paddock.engines.local.wanted import Start, Wanted
from paddock.errors import LeaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAITS = "import time; time.sleep(600)"


@contextlib.contextmanager
def socketpair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a Unix socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The folder of a run."""
    return Place(tmp_path)


def make(place: Place, program: str, answers: Callable[[], bool] = lambda: True, limit: float = 30.0) -> Server:
    """Return a server that runs a Python program."""

    def prepare(_: Wanted, folder: Path) -> Start:
        folder.mkdir(exist_ok=True)
        argv = [sys.executable, "-S", "-c", program]
        return Start(argv=argv, directory=folder, environment=dict(os.environ), answers=answers)

    return Server(Wanted(name="some", port=1, limit=limit), "gw0", place, prepare)


def told(place: Place) -> str:
    """Return what the fixtures of the worker are told."""
    return str(json.loads((place.path / "gw0" / "facts" / "some.json").read_text(encoding="utf-8"))["failure"])


def test_the_table_of_states_is_whole() -> None:
    """Every state but the last can be left, every event means something, and an end is an end from anywhere."""
    assert {state for state, _ in TABLE} == set(State)
    assert {event for _, event in TABLE} == set(Event)
    assert all(TABLE[state, Event.ENDING] is State.ENDED for state in State)
    assert {after for (state, event), after in TABLE.items() if state is State.ENDED} == {State.ENDED}


def test_who_asks_at_the_same_time_gets_the_same_server(place: Place) -> None:
    """It is started once."""
    server = make(place, WAITS)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: server.ask(), range(4))) == [""] * 4
    assert len(place.noted()) == 1
    server.end()
    assert not any(process.alive() for _, process in place.noted())


def test_one_that_ends_before_it_answers_says_its_last_words(place: Place) -> None:
    """To who asks, and to the fixtures; it is not started again."""
    server = make(place, "raise SystemExit('the port is cursed')", lambda: False)
    sentence = server.ask()
    assert "Service some of worker gw0 does not run: It ended with exit code 1." in sentence
    assert "the port is cursed" in sentence
    assert (server.ask(), told(place), server.state) == (sentence, sentence, State.FAILED)
    assert len(place.noted()) == 1


def test_one_that_does_not_answer_in_time_is_ended(place: Place) -> None:
    """The sentence names the limit and its option."""
    server = make(place, WAITS, lambda: False, limit=0.2)
    assert "gave no answer at port 1 within 0.2 s; allow more with --paddock-service-limit" in server.ask()
    assert not any(process.alive() for _, process in place.noted())


def test_its_process_holds_what_it_was_given(place: Place, tmp_path: Path) -> None:
    """A lock stays as long as the server may be started again, and goes with its end."""
    lock = device_locks.lock(tmp_path / "lock")
    assert lock is not None
    with socketpair() as (giver, keeper):
        socket.send_fds(giver, [b'{"a": "b"}\n'], [lock])
        os.close(lock)
        question, descriptors = handover.receive(keeper)
    assert question == {"a": "b"}
    has = tmp_path / "has"
    server = make(place, f"import os; os.fstat({descriptors[0]}); open({str(has)!r}, 'x'); {WAITS}", has.exists)
    server.hold(descriptors)
    assert server.ask() == ""
    assert device_locks.lock(tmp_path / "lock") is None
    server.end()
    again = device_locks.lock(tmp_path / "lock")
    assert again is not None
    os.close(again)


def test_a_question_may_come_in_parts() -> None:
    """Its descriptors come with the first."""
    with socketpair() as (giver, keeper), ThreadPoolExecutor(1) as threads:
        giver.sendall(b'{"a"')
        received = threads.submit(handover.receive, keeper)
        giver.sendall(b': "b"}\n')
        assert received.result() == ({"a": "b"}, [])


def test_half_a_question_is_none() -> None:
    """Who asked has ended."""
    with socketpair() as (giver, keeper):
        giver.sendall(b'{"a"')
        giver.close()
        with pytest.raises(ValueError, match="delimiter"):
            handover.receive(keeper)


def test_one_that_cannot_be_prepared_is_a_sentence(place: Place) -> None:
    """As when its program is not installed."""

    def prepare(_wanted: Wanted, _folder: Path) -> Start:
        raise LeaseError("There is no such program.")

    server = Server(Wanted(name="some", port=1, limit=1), "gw0", place, prepare)
    assert server.ask() == "Service some of worker gw0 does not run: There is no such program."


def test_one_that_is_killed_is_started_again_but_not_for_ever(place: Place) -> None:
    """Five times; then the tests are told how it ends."""
    begun = threading.Semaphore(0)

    def answers() -> bool:
        begun.release()
        return True

    server = make(place, WAITS, answers)
    assert server.ask() == ""
    for number in range(1, 7):
        assert begun.acquire(timeout=30)
        while len(place.noted()) < number:
            threading.Event().wait(0.01)
        place.noted()[-1][1].kill(signal.SIGKILL)
    while server.state is not State.FAILED:
        threading.Event().wait(0.01)
    assert "was ended by SIGKILL" in server.ask()
    assert "has died 6 times" in told(place)


def test_what_a_server_has_started_ends_with_it(place: Place) -> None:
    """Its whole group, also who does not listen to SIGTERM."""
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {WAITS}"
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', {deaf!r}]); {WAITS}"
    server = make(place, program, lambda: "deaf" in (place.path / "gw0" / "some.log").read_text(encoding="utf-8"))
    assert server.ask() == ""
    ((_, process),) = place.noted()
    server.end()
    while members(process.pid):
        threading.Event().wait(0.01)


def members(group: int) -> list[str]:
    """Return the processes of a group, but for those that only wait to be buried."""
    stats = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats.append(path.read_text().rpartition(")")[2].split())
    return [fields[2] for fields in stats if int(fields[2]) == group and fields[0] not in "ZX"]
