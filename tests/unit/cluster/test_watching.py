"""A watch goes on whatever happens to its stream, and its state is always that of the cluster."""

from __future__ import annotations

import itertools
import json
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.cluster import requests, watching
from paddock.cluster.watching import Watch
from paddock.deadlines import Deadline
from paddock.errors import NotAllowed
from tests.unit.cluster.scripted_server import PATIENCE, Answer, Asked, ScriptedServer, client, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paddock.cluster.client import Cluster

SILENT = Answer(events=(), end="silence")


def pod(name: str, version: int) -> dict[str, Any]:
    """Return a pod of that version."""
    return {"metadata": {"namespace": "ns", "name": name, "resourceVersion": str(version)}}


def event(what: str, name: str, version: int) -> dict[str, Any]:
    """Return what a watch says of a pod."""
    return {"type": what, "object": pod(name, version)}


EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}


@contextmanager
def watch(tmp_path: Path, server: ScriptedServer, **user: str) -> Iterator[Watch]:
    """Give a watch of a server's pods."""
    with serving(server):
        cluster = client(server.url, tmp_path, user or None)
        following = Watch(cluster, requests.POD, "a=b")
        try:
            yield following
        finally:
            following.close()
            cluster.close()


def await_pods(following: Watch, *names: str) -> None:
    """Wait until the state has exactly these pods."""
    wanted = {("ns", name) for name in names}
    assert following.wait(lambda found: set(found) == wanted or None, Deadline(PATIENCE)), following.objects


def versions(asked: list[Asked]) -> list[tuple[str, str]]:
    """Return for each request whether it was a list or a watch, and the version it began at."""
    return [
        ("watch" if "watch" in one.query else "list", one.query.get("resourceVersion", "anything")) for one in asked
    ]


@pytest.mark.parametrize("end", ["close", "cut"])
def test_a_stream_that_ends_is_gone_on_from(tmp_path: Path, end: str) -> None:
    """By the server's own limit or by a cut: the next begins at the last version, and nothing is listed."""
    first = Answer(events=[event("ADDED", "one", 4), event("ADDED", "two", 5)], end=end)
    second = Answer(events=[event("DELETED", "one", 7)], end="silence")
    server = ScriptedServer(first, second)
    with watch(tmp_path, server) as following:
        await_pods(following, "two")
    assert versions(server.asked) == [("watch", "anything"), ("watch", "5")]


CUT_LETTER = json.dumps(event("ADDED", "one", 4) | {"note": "caf%"}).encode().replace(b"%", b"\xc3")


def test_a_letter_that_was_cut_in_two_ends_no_watch(tmp_path: Path) -> None:
    """The kubelet cuts messages at a number of bytes; what else the object says is what counts."""
    server = ScriptedServer(Answer(events=[CUT_LETTER, event("ADDED", "two", 5)], end="silence"))
    with watch(tmp_path, server) as following:
        await_pods(following, "one", "two")


class Undeciphered:
    """A stream that gives out what it should not once it has been shut down, as a TLS socket does."""

    def __init__(self) -> None:
        self._down = threading.Event()

    def stream(self, _size: int) -> Iterator[bytes]:
        """Give an event, and at the end what nobody can read."""
        yield json.dumps(event("ADDED", "one", 4)).encode() + b"\n"
        assert self._down.wait(PATIENCE)
        yield b"\x17\x03\x03 not for you\n"

    def shutdown(self) -> None:
        """Wake the reader."""
        self._down.set()

    def close(self) -> None:
        """Nothing is held."""


def test_what_comes_after_the_end_is_not_read() -> None:
    """The reader ends without a word; its thread would else die of what it takes for an event."""
    cluster = SimpleNamespace(open=lambda _request, silence: Undeciphered() if silence else None)
    following = Watch(cast("Cluster", cluster), requests.POD, "a=b")
    await_pods(following, "one")
    following.close()
    assert following.error is None


def test_a_bookmark_is_where_the_next_stream_begins(tmp_path: Path) -> None:
    """Where nothing happens to our objects the version stays fresh all the same."""
    mark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "90"}}}
    server = ScriptedServer(Answer(events=[event("ADDED", "one", 4), mark]), SILENT)
    with watch(tmp_path, server) as following:
        assert versions(server.await_requests(2)) == [("watch", "anything"), ("watch", "90")]
        await_pods(following, "one")


@pytest.mark.parametrize(
    "expired",
    [Answer(events=[EXPIRED]), Answer(410, {"kind": "Status", "code": 410, "message": "too old"})],
    ids=["event", "answer"],
)
def test_an_expired_version_begins_with_a_list(tmp_path: Path, expired: Answer) -> None:
    """What vanished meanwhile is gone from the state, and the next stream begins at the list's version."""
    listed = Answer(body={"metadata": {"resourceVersion": "50"}, "items": [pod("new", 49)]})
    server = ScriptedServer(Answer(events=[event("ADDED", "old", 4)]), expired, listed, SILENT)
    with watch(tmp_path, server) as following:
        await_pods(following, "new")
        assert versions(server.await_requests(4)) == [
            ("watch", "anything"),
            ("watch", "4"),
            ("list", "anything"),
            ("watch", "50"),
        ]


def test_a_silent_stream_is_left_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose other end has vanished says nothing for ever: longer than the server's limit is too long."""
    monkeypatch.setattr(watching, "_SILENCE_SECONDS", 0.2)
    lost = Answer(events=[event("ADDED", "one", 4)], end="silence")
    server = ScriptedServer(lost, Answer(events=[event("ADDED", "two", 5)], end="silence"), SILENT)
    with watch(tmp_path, server) as following:
        await_pods(following, "one", "two")
        assert versions(server.await_requests(2)) == [("watch", "anything"), ("watch", "4")]


def test_the_server_is_asked_to_end_a_stream_before_its_silence_is_too_long(tmp_path: Path) -> None:
    """So that a quiet kind and a dead connection are told apart."""
    server = ScriptedServer(SILENT)
    with watch(tmp_path, server):
        (asked,) = server.await_requests(1)
    assert int(asked.query["timeoutSeconds"]) < watching._SILENCE_SECONDS
    assert asked.query["allowWatchBookmarks"] == "true"


def gaps(tmp_path: Path, *answers: Answer, count: int) -> list[float]:
    """Return the seconds between the first ``count`` requests."""
    times: list[float] = []

    def note(_asked: Asked) -> None:
        times.append(time.monotonic())

    server = ScriptedServer(*answers, before=note)
    with watch(tmp_path, server):
        server.await_requests(count)
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def test_a_busy_server_is_left_alone(tmp_path: Path) -> None:
    """For as long as it asks; then the watch goes on."""
    busy = Answer(429, {"kind": "Status"}, {"Retry-After": "1"})
    assert gaps(tmp_path, busy, SILENT, count=2)[0] >= 1


def test_a_server_that_ends_every_stream_at_once_is_not_pestered(tmp_path: Path) -> None:
    """The pauses grow, as those after errors do."""
    assert gaps(tmp_path, Answer(events=()), count=5)[3] >= 0.4


def test_an_expired_token_is_read_again(tmp_path: Path) -> None:
    """A watch outlives its first token."""
    file = tmp_path / "token"
    file.write_text("old")

    def refuse(asked: Asked) -> Answer | None:
        file.write_text("new")
        return Answer(401) if asked.token.endswith("old") else None

    server = ScriptedServer(Answer(events=[event("ADDED", "one", 4)], end="silence"), before=refuse)
    with watch(tmp_path, server, tokenFile=str(file)) as following:
        await_pods(following, "one")
    assert [one.token for one in server.asked] == ["Bearer old", "Bearer new"]


def test_a_missing_right_is_told_to_whoever_waits(tmp_path: Path) -> None:
    """It will not come by asking again."""
    server = ScriptedServer(Answer(403, {"kind": "Status", "message": "pods is forbidden"}))
    with watch(tmp_path, server) as following, pytest.raises(NotAllowed, match="pods is forbidden"):
        following.wait(lambda _: None, Deadline(PATIENCE))


def test_all_waits_for_one_thing_share_a_deadline(tmp_path: Path) -> None:
    """What the first wait used up the second has no more."""
    with watch(tmp_path, ScriptedServer(SILENT)) as following:
        deadline = Deadline(0.2)
        assert following.wait(lambda _: None, deadline) is None
        before = time.monotonic()
        assert following.wait(lambda _: None, deadline) is None
        assert time.monotonic() - before < 0.2
