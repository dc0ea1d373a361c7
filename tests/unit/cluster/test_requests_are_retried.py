"""Requests to an API server that is busy, restarting or not there, over real connections."""

from __future__ import annotations

import socket
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from paddock.cluster import requests
from paddock.deadlines import Deadline
from paddock.errors import ClusterUnreachable, Rejected
from tests.unit.cluster.scripted_server import Answer, ScriptedServer, client, serving

if TYPE_CHECKING:
    from pathlib import Path

POD = requests.get(requests.POD, "p", "n")
FOUND = Answer(body={"kind": "Pod"})


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of which takes any time."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def busy(said: str) -> Answer:
    """Return the answer of a server that is asked too much."""
    return Answer(429, {"kind": "Status", "message": "too many requests"}, {"Retry-After": said})


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(tmp_path: Path, pauses: list[float]) -> None:
    """Its own word wins over our shorter pause, each time."""
    with serving(ScriptedServer(busy("3"), busy("2"), FOUND)) as server:
        assert client(server.url, tmp_path).send(POD) == {"kind": "Pod"}
    assert pauses == [3.0, 2.0]


def test_a_time_to_come_back_at_is_understood(tmp_path: Path, pauses: list[float]) -> None:
    """A proxy may say a date; one that has passed means now."""
    with serving(ScriptedServer(busy(formatdate(0, usegmt=True)), busy("soon"), FOUND)) as server:
        assert client(server.url, tmp_path).send(POD) == {"kind": "Pod"}
    assert pauses == [0.02, 0.04]


def test_nobody_waits_for_a_server_that_wants_longer_than_there_is(tmp_path: Path, pauses: list[float]) -> None:
    """The refusal is told at once, in the server's words."""
    with serving(ScriptedServer(busy("60"))) as server:
        with pytest.raises(ClusterUnreachable, match="429: too many requests"):
            client(server.url, tmp_path).send(POD, deadline=Deadline(5))
        assert len(server.asked) == 1
    assert pauses == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.usefixtures("pauses")
def test_a_server_that_cannot_answer_now_is_asked_again(tmp_path: Path, status: int) -> None:
    """Whatever kept it, or a proxy before it, from answering may be over in a moment."""
    with serving(ScriptedServer(Answer(status), Answer(status), FOUND)) as server:
        assert client(server.url, tmp_path).send(POD) == {"kind": "Pod"}
        assert len(server.asked) == 3


@pytest.mark.usefixtures("pauses")
def test_a_request_that_is_wrong_is_asked_once(tmp_path: Path) -> None:
    """The same question gets the same answer."""
    with serving(ScriptedServer(Answer(422), FOUND)) as server:
        with pytest.raises(Rejected):
            client(server.url, tmp_path).send(POD)
        assert len(server.asked) == 1


def test_a_server_that_is_being_started_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on its port yet: the connection is refused until somebody does."""
    server = ScriptedServer(FOUND)
    taken = server.socket
    server.socket = socket.socket()
    server.socket.bind(("127.0.0.1", 0))
    taken.close()
    server.server_port = server.socket.getsockname()[1]
    refusals: list[float] = []

    def sleep(pause: float) -> None:
        refusals.append(pause)
        if len(refusals) == 2:
            server.server_activate()

    monkeypatch.setattr(time, "sleep", sleep)
    with serving(server):
        assert client(server.url, tmp_path).send(POD) == {"kind": "Pod"}
    assert len(refusals) == 2


def test_a_silent_server_takes_no_longer_than_the_deadline(tmp_path: Path) -> None:
    """Connecting, waiting and trying again share one limit; the message says that nobody answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:  # it accepts, and never reads
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        limit = Deadline(0.3)
        with pytest.raises(ClusterUnreachable, match="no answer"):
            client(url, tmp_path).send(POD, deadline=limit)
        assert limit.remaining() < 0.1
