"""What a refused exec stream means for whoever dials."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import websocket

from paddock.cluster.streaming import _refused
from paddock.errors import ClusterUnreachable, NotFound

SERVER: Any = SimpleNamespace(server="https://server")


def refused(status: int, body: bytes) -> Exception:
    """Return the error for an answer to the WebSocket handshake."""
    return _refused(websocket.WebSocketBadStatusException("%s %s", status, None, {}, body), SERVER)


def test_a_pod_that_the_api_server_does_not_know_is_gone() -> None:
    """Dialling again cannot help."""
    assert type(refused(404, b'{"kind":"Status","message":"pods \\"worker\\" not found"}')) is NotFound


@pytest.mark.parametrize("body", [b"", b"404 page not found\n"])
def test_a_pod_that_the_kubelet_does_not_know_yet_may_come_back(body: bytes) -> None:
    """A restarted kubelet answers 404 until it has seen its pods again; the stream is dialled once more."""
    assert type(refused(404, body)) is ClusterUnreachable
