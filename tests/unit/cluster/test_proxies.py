"""The way to an API server behind a proxy, with a certificate authority of its own: requests and streams alike."""

from __future__ import annotations

import datetime as dt
import select
import socketserver
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websocket._url import get_proxy_info

from paddock.cluster import connect, official, requests
from paddock.cluster.client import Cluster
from paddock.cluster.credentials import is_loopback
from paddock.cluster.streaming import _proxy_options
from paddock.deadlines import Deadline
from paddock.errors import ClusterUnreachable, NotAllowed

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

HOST = "api.paddock.invalid"
"""A name that only the proxy knows."""
ANSWER = b'{"kind": "Pod"}'
REFUSAL = b'{"kind": "Status", "message": "not through here"}'


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "ca.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    return folder / "ca.pem", folder / "key.pem"


class Proxy(socketserver.ThreadingTCPServer):
    """A CONNECT proxy that is the API server's TLS end as well, and keeps what it was asked."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = context
        self.asked: list[str] = []


class Handler(socketserver.BaseRequestHandler):
    """One tunnel with one request in it."""

    server: Proxy
    request: socket.socket

    def handle(self) -> None:
        """Open the tunnel and answer: a stream is refused, everything else is a pod."""
        self.server.asked.append(_head(self.request))
        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            inner = self.server.context.wrap_socket(self.request, server_side=True)
        except (ssl.SSLError, ConnectionError):  # the client does not trust us
            return
        with inner:
            refused = "upgrade: websocket" in _head(inner).lower()
            status, body = (b"403 Forbidden", REFUSAL) if refused else (b"200 OK", ANSWER)
            inner.sendall(
                b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)
            )


def _head(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data and (select.select([connection], [], [], 5)[0] or data == b""):
        more = connection.recv(4096)
        if not more:
            break
        data += more
    return data.decode()


@contextmanager
def running(proxy: Proxy) -> Iterator[Proxy]:
    """Serve until the end of the block."""
    thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
    thread.start()
    with proxy:
        yield proxy
        proxy.shutdown()
    thread.join()


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy and an authority, both said by nothing but the usual variables."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    authority, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    with running(Proxy(context)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s%2Fcret@127.0.0.1:{proxy.server_address[1]}")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        yield proxy


def cluster(host: str = f"https://{HOST}:6443") -> Cluster:
    """Return a client as a kubeconfig without an authority of its own gives it."""
    configuration: Any = official.module("client.configuration").Configuration()
    configuration.host = host
    return Cluster(lambda: configuration, "foreign")


def test_requests_and_streams_take_the_proxy_and_trust_the_authority(proxy: Proxy) -> None:
    """HTTPS_PROXY with its account and SSL_CERT_FILE hold for both; what the API server answers arrives."""
    made = cluster()
    assert made.send(requests.get(requests.POD, "p", "n"), deadline=Deadline(5)) == {"kind": "Pod"}
    with pytest.raises(NotAllowed, match="not through here"):
        made.execute("n", "p", "c", ["true"])
    assert [line.split()[:2] for line in proxy.asked] == [["CONNECT", f"{HOST}:6443"]] * 2
    assert "proxy-authorization: basic" in proxy.asked[1].lower()
    made.close()


def test_an_authority_that_nobody_named_is_not_trusted(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SSL_CERT_FILE the same server is refused, with a sentence."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ClusterUnreachable, match=r"(?i)certificate.verify.failed"):
        cluster().send(requests.get(requests.POD, "p", "n"), deadline=Deadline(0.5))
    with pytest.raises(ClusterUnreachable, match=r"(?i)certificate.verify.failed"):
        cluster().execute("n", "p", "c", ["true"])
    assert proxy.asked


@pytest.mark.parametrize("host", ["https://127.0.0.1:6443", "https://localhost:6443", "https://[::1]:6443"])
@pytest.mark.usefixtures("proxy")
def test_this_machines_own_cluster_needs_no_exception(host: str) -> None:
    """A machine behind a proxy reaches the embedded node and other local clusters without NO_PROXY."""
    assert is_loopback(host)
    assert cluster(host).proxy is None


@pytest.mark.parametrize("host", [f"https://{HOST}:6443", "https://127.0.0.1:1"])
def test_the_proxy_of_a_kubeconfig_wins_over_the_variables(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Even to this machine's own address, as kubectl has it: whoever writes `proxy-url` there means it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", HOST)
    said = {"server": host, "proxy-url": f"http://127.0.0.1:{proxy.server_address[1]}", "tls-server-name": HOST}
    path = tmp_path / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "contexts": [{"name": "far", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": said | {"certificate-authority": str(tmp_path / "ca.pem")}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "current-context": "far",
            }
        )
    )
    made = connect.connect(connect.Choice("far", path))
    assert made.send(requests.get(requests.POD, "p", "n"), deadline=Deadline(5)) == {"kind": "Pod"}
    with pytest.raises(NotAllowed, match="not through here"):
        made.execute("n", "p", "c", ["true"])
    assert [line.split()[1] for line in proxy.asked] == [host.removeprefix("https://")] * 2
    made.close()


@pytest.mark.usefixtures("proxy")
def test_no_proxy_holds_for_requests_and_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream's library, which reads the variables in its own way, is told what the requests do."""
    monkeypatch.setenv("NO_PROXY", "other, .paddock.invalid")
    assert cluster().proxy is None
    options = _proxy_options(None)
    wanted = {name.removeprefix("http_"): value for name, value in options.items()}
    assert get_proxy_info(HOST, is_secure=True, **wanted) == (None, 0, None)
