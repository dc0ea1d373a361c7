"""A pod's log, cut into lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from urllib3.exceptions import ProtocolError

from paddock.cluster.logs import last_part, lines
from paddock.deadlines import Deadline
from paddock.errors import ClusterUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.cluster.requests import Request


class Response:
    """Brings chunks, and breaks where one is ``None``."""

    def __init__(self, chunks: tuple[bytes | None, ...]) -> None:
        self.chunks, self.closed = chunks, False

    def stream(self, _amount: int) -> Iterator[bytes]:
        """Yield the chunks."""
        for chunk in self.chunks:
            if chunk is None:
                raise ProtocolError("cut")
            yield chunk

    def close(self) -> None:
        """Note it."""
        self.closed = True


class Cluster:
    """Answers with one response."""

    server = "https://here"

    def __init__(self, *chunks: bytes | None) -> None:
        self.response = Response(chunks)

    def open(self, _request: Request, *, silence: float) -> Any:
        """Return it."""
        assert silence > 0
        return self.response


def test_lines_are_whole_however_they_come() -> None:
    """A chunk may end in the middle of a line, or of a character; the last line may lack its end."""
    cluster = Cluster(b"one\ntw", b"o\n\xc3", b"\xa4\nlast")
    assert list(lines(cluster, "ns", "worker", follow=False)) == ["one", "two", "ä", "last"]  # type: ignore[arg-type]
    assert cluster.response.closed


def test_a_connection_that_is_cut_is_told() -> None:
    """After the lines that came; and the response is given back."""
    cluster = Cluster(b"one\n", None)
    seen: list[str] = []
    with pytest.raises(ClusterUnreachable, match="cut"):
        seen.extend(lines(cluster, "ns", "worker", follow=True))  # type: ignore[arg-type]
    assert seen == ["one"]
    assert cluster.response.closed


def last(cluster: Cluster, size: int, seconds: float = 10) -> str:
    """Return the last part of the log."""
    limit = Deadline(seconds)
    return last_part(cluster, "ns", "pod", "c", previous=True, size=size, deadline=limit)  # type: ignore[arg-type]


def test_the_last_part_begins_with_a_whole_line() -> None:
    """Half a line could be half a secret, which nothing would mask."""
    assert last(Cluster(b"secret=hun", b"ter2\none\ntwo\n"), 13) == "one\ntwo\n"
    assert last(Cluster(b"one\n", b"two"), 7) == "one\ntwo"
    assert last(Cluster(b"x" * 100), 13) == ""


def test_a_log_that_does_not_end_is_left_at_the_deadline() -> None:
    """What has come by then is what there is."""
    cluster = Cluster(b"one\n", None)
    assert last(cluster, 100, seconds=0) == "one\n"
    assert cluster.response.closed
