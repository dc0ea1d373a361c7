"""A few plain HTTPS calls to the node's own API server: enough to wait for it and to give it its first objects.

Upper layers use the official client; this layer must not, so that the supervisor stays small (measured: 17 MB).
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.node.layout import NodeLayout

_TIMEOUT = 5.0  # seconds per call; an API server under load answers in milliseconds


class NodeApi:
    """The API server as the administrator sees it."""

    def __init__(self, layout: NodeLayout) -> None:
        self._port = layout.ports.api_server
        self._context = ssl.create_default_context(cafile=layout.keys / "ca.crt")
        self._context.load_cert_chain(layout.keys / "admin.crt", layout.keys / "admin.key")

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a GET; OSError or HTTPException when there is no answer."""
        return self._call("GET", path, None)

    def create(self, path: str, body: Mapping[str, Any]) -> bool:
        """Create an object in the collection ``path``; one that exists already is as good. Tell whether it is there.

        It is looked for after a refusal: a Service with a fixed address that exists is not refused as a conflict.
        """
        status, _ = self._call("POST", path, json.dumps(body).encode())
        return status < http.client.BAD_REQUEST or self.get(f"{path}/{body['metadata']['name']}")[0] == http.client.OK

    def node_ready(self, name: str) -> bool:
        """Tell whether the Node object exists and its Ready condition is true."""
        status, body = self.get(f"/api/v1/nodes/{name}")
        conditions = json.loads(body)["status"].get("conditions", []) if status == http.client.OK else []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def _call(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._context, timeout=_TIMEOUT)
        with closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()


def answers(url: str) -> bool:
    """Tell whether a plain HTTP URL on this machine answers 200."""
    host, _, path = url.removeprefix("http://").partition("/")
    with closing(http.client.HTTPConnection(host, timeout=_TIMEOUT)) as connection:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status == http.client.OK


def connects(host: str, port: int) -> bool:
    """Tell whether somebody listens on a TCP port."""
    with socket.create_connection((host, port), timeout=_TIMEOUT):
        return True


def accepts(socket_path: str) -> bool:
    """Tell whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.settimeout(_TIMEOUT)
        endpoint.connect(socket_path)
        return True
