"""A duplex byte stream to a process in a pod, over the API server's exec WebSocket.

Owns channel numbers, subprotocols and the TLS of the connection. It must not know what the bytes mean;
it never reconnects: whoever dials does.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import websocket

from paddock.cluster.guarded import GuardedSocket
from paddock.cluster.translation import refusal, unreachable
from paddock.errors import ClusterError, ClusterUnreachable, NotFound, StreamBroken

if TYPE_CHECKING:
    from paddock.cluster.client import Cluster

_SUBPROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]  # v5 since Kubernetes 1.30; v4 cannot half-close
_STDIN, _STDOUT, _STDERR, _STATUS = 0, 1, 2, 3
_CONNECT_SECONDS = 10.0
_STDERR_LIMIT = 2000  # characters kept of what the attaching process says when it fails


class ExecStream:
    """The stdin and stdout of one process in a pod, as a connection that may break at any time.

    Reading and writing may happen in different threads.
    """

    def __init__(self, cluster: Cluster, target: str) -> None:
        self._errors = ""
        self._sending = threading.Lock()
        self._socket: Any = _connect(cluster, target)  # the library is only partly annotated

    def send(self, data: bytes) -> None:
        """Send all of ``data`` to the process.

        Raises:
            StreamBroken: the connection is gone.
        """
        try:
            with self._sending:
                self._socket.send_binary(bytes([_STDIN]) + data)
        except (OSError, websocket.WebSocketException) as error:
            raise StreamBroken(f"The exec stream broke while writing: {error}.") from error

    def receive(self) -> bytes:
        """Return the next bytes of stdout, or ``b""`` when the process ended in an orderly way.

        Raises:
            StreamBroken: the connection is gone, or the process could not be started.
        """
        while True:
            channel, data = self._message()
            if channel == _STDOUT and data:
                return data
            if channel == _STDERR:
                self._errors = (self._errors + data.decode(errors="replace"))[-_STDERR_LIMIT:]
            if channel == _STATUS:
                return self._end(data)

    def outcome(self) -> tuple[int, bytes]:
        """Return the exit code of the process once it has ended, and all that it wrote, in order.

        Raises:
            StreamBroken: the connection is gone, or the process could not be started.
        """
        said = bytearray()
        while True:
            channel, data = self._message()
            if channel in {_STDOUT, _STDERR}:
                said += data
            if channel == _STATUS:
                return self._code(data), bytes(said)

    def _code(self, status: bytes) -> int:
        causes = json.loads(status).get("details", {}).get("causes", ())
        for cause in causes:
            if cause.get("reason") == "ExitCode":
                return int(cause["message"])
        self._end(status)
        return 0

    def close(self) -> None:
        """End the connection without a goodbye; a blocked ``receive`` or ``send`` ends. Returns at once, idempotent."""
        raw = self._socket.sock
        with contextlib.suppress(OSError, AttributeError):  # it was broken or closed already: nothing to wake
            raw.shutdown(socket.SHUT_RDWR)

    def __del__(self) -> None:
        """Give the descriptor back when nobody can use it any more.

        Closed under the hands of another thread, its number could already be somebody else's.
        """
        if hasattr(self, "_socket"):
            self._socket.shutdown()

    def _message(self) -> tuple[int, bytes]:
        try:
            opcode, data = self._socket.recv_data()
        except (OSError, ValueError, AttributeError, websocket.WebSocketException) as error:
            raise StreamBroken(f"The exec stream broke while reading: {error}.") from error
        if opcode != websocket.ABNF.OPCODE_BINARY or not data:
            raise StreamBroken("The API server closed the exec stream.")
        return data[0], bytes(data[1:])

    def _end(self, status: bytes) -> bytes:
        parsed: dict[str, Any] = json.loads(status)
        if parsed.get("status") == "Success":
            return b""
        raise StreamBroken(f"The process in the pod failed: {parsed.get('message', '')} {self._errors}".strip())


def _connect(cluster: Cluster, target: str) -> Any:  # noqa: ANN401 - see ExecStream
    configuration = cluster.configuration
    connection: Any = websocket.WebSocket(
        sslopt=_tls_options(configuration),
        sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # without it small frames wait 40 ms for an ack
        skip_utf8_validation=True,
    )
    connection.settimeout(_CONNECT_SECONDS)
    url = cluster.server.replace("http", "ws", 1) + target
    try:
        way = _proxy_options(cluster.proxy)
        connection.connect(url, subprotocols=_SUBPROTOCOLS, header=_headers(cluster), suppress_origin=True, **way)
    except websocket.WebSocketBadStatusException as error:
        raise _refused(error, cluster) from error
    except (OSError, websocket.WebSocketException) as error:
        raise unreachable("the exec stream", error, cluster.server) from error
    connection.sock = GuardedSocket(connection.sock)
    return connection


def _refused(error: websocket.WebSocketBadStatusException, cluster: Cluster) -> ClusterError:
    refused = refusal("the exec stream", error.status_code, error.resp_body or b"", cluster.server)
    if isinstance(refused, NotFound) and b'"Status"' not in (error.resp_body or b""):
        # Not the API server's word but the kubelet's: after a restart it does not know its pods yet.
        return ClusterUnreachable(str(refused), status=refused.status)
    return refused


def _headers(cluster: Cluster) -> list[str]:
    return [f"{name}: {value}" for name, value in cluster.headers().items() if name == "Authorization"]


def _proxy_options(proxy: Any) -> dict[str, Any]:  # noqa: ANN401 - urllib3's parsed address, or None
    """Return the library's words for the proxy that all other requests take, so that it does not choose by itself.

    It knows a list of hosts without a proxy only beside a proxy: where there is none, one is named that no host takes.
    """
    if proxy is None:
        return {"http_proxy_host": "none", "http_proxy_port": 1, "http_no_proxy": ["*"]}
    user, _, password = (proxy.auth or "").partition(":")
    account = {"http_proxy_auth": (unquote(user), unquote(password))} if proxy.auth else {}
    return {"http_proxy_host": proxy.host, "http_proxy_port": proxy.port, "http_no_proxy": ["-"], **account}


def _tls_options(configuration: Any) -> dict[str, Any]:  # noqa: ANN401 - the official client is untyped here
    import ssl  # noqa: PLC0415 - loaded by the client long before

    options = {
        "ca_certs": configuration.ssl_ca_cert,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "cert_reqs": ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE,
        "server_hostname": configuration.tls_server_name,
        "check_hostname": configuration.verify_ssl and configuration.assert_hostname is not False,
    }
    return {name: value for name, value in options.items() if value is not None}
