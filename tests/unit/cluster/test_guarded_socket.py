"""One TLS connection, used by two threads at the same time."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from paddock.cluster.guarded import GuardedSocket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 8 << 20
LIMIT = 30.0


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Write a certificate and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    signed = built.not_valid_before(now).not_valid_after(now + dt.timedelta(hours=1)).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "pair.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(params=["tls", "plain"])
def pair(request: pytest.FixtureRequest, certificate: Path) -> Iterator[tuple[GuardedSocket, GuardedSocket]]:
    """Connect two guarded sockets."""
    near, far = socket.socketpair()
    if request.param == "tls":
        near, far = _handshaken(near, far, certificate)
    ends = GuardedSocket(near), GuardedSocket(far)
    yield ends
    for end in ends:
        end.close()


def _handshaken(near: socket.socket, far: socket.socket, certificate: Path) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    serving.load_cert_chain(certificate)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    served: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: served.append(serving.wrap_socket(far, server_side=True)))
    thread.start()
    asked = asking.wrap_socket(near)
    thread.join(LIMIT)
    return asked, served[0]


def pour(end: GuardedSocket, data: bytes) -> None:
    """Send all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[end.send(bytes(view[:65536])) :]


def drink(end: GuardedSocket, into: bytearray) -> None:
    """Receive until as much has come as was sent."""
    while len(into) < SIZE:
        into += end.recv(65536)


def test_both_directions_flow_at_once_and_whole(pair: tuple[GuardedSocket, GuardedSocket]) -> None:
    """Four threads on one connection lose and mix nothing."""
    texts = bytes(range(256)) * (SIZE // 256), bytes(reversed(range(256))) * (SIZE // 256)
    heard = bytearray(), bytearray()
    threads = [
        *(threading.Thread(target=pour, args=(end, text)) for end, text in zip(pair, texts, strict=True)),
        *(threading.Thread(target=drink, args=(end, into)) for end, into in zip(pair, reversed(heard), strict=True)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert (bytes(heard[0]), bytes(heard[1])) == texts


def test_a_shutdown_wakes_a_waiting_reader(pair: tuple[GuardedSocket, GuardedSocket]) -> None:
    """Whoever ends a stream need not wait for its reader."""
    ended = threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError):  # TLS calls an end without a goodbye an error
            pair[0].recv(1)
        ended.set()

    thread = threading.Thread(target=read)
    thread.start()
    pair[0].shutdown(socket.SHUT_RDWR)
    assert ended.wait(LIMIT)
    thread.join()
