"""Answers of the API server become Paddock's own errors."""

from __future__ import annotations

import json

import pytest

from paddock.cluster.translation import refusal, unreachable
from paddock.errors import ClusterError, ClusterUnreachable, Conflict, NotAllowed, NotFound, Rejected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, NotAllowed),
        (403, NotAllowed),
        (404, NotFound),
        (409, Conflict),
        (422, Rejected),
        (400, Rejected),
        (429, ClusterUnreachable),
        (500, ClusterUnreachable),
        (503, ClusterUnreachable),
    ],
)
def test_the_status_decides_what_the_caller_can_do(status: int, expected: type[ClusterError]) -> None:
    """Retry, give up or take it as done follow from the class alone."""
    error = refusal("GET /x", status, b"{}", "https://server")
    assert type(error) is expected
    assert error.status == status


def test_the_message_of_a_status_object_is_quoted() -> None:
    """The server's own words are the best explanation."""
    body = json.dumps({"kind": "Status", "message": "pods is forbidden"}).encode()
    assert "pods is forbidden" in str(refusal("GET /x", 403, body, "https://server"))


def test_an_unknown_body_is_not_quoted() -> None:
    """A proxy's page or an object with secrets never reaches a log."""
    assert "secret" not in str(refusal("GET /x", 500, b"<html>secret</html>", "https://server"))


def test_no_answer_names_server_request_and_remedy() -> None:
    """The sentence says whom to look at."""
    text = str(unreachable("GET /x", ConnectionRefusedError("refused"), "https://server"))
    assert "https://server" in text
    assert "GET /x" in text
    assert "paddock node status" in text
