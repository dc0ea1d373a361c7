"""Requests to the registry."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from paddock.errors import ImageError
from paddock.images import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Registry(http.server.BaseHTTPRequestHandler):
    """Has what ``known`` names and remembers what it was asked."""

    protocol_version = "HTTP/1.1"
    known: frozenset[str] = frozenset()
    asked: list[str] = []  # noqa: RUF012 - one list for the handler of every request

    def do_HEAD(self) -> None:
        self._answer(200 if self.path in self.known else 404)

    def do_POST(self) -> None:
        self._answer(201)

    def _answer(self, status: int) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    """A registry that has one image and one layer."""
    Registry.known = frozenset({"/v2/paddock/worker/manifests/abc", "/v2/paddock/broker/blobs/sha256:1"})
    Registry.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_only_what_the_registry_lacks_is_missing(host: str) -> None:
    """What it has is not made again."""
    here, gone = f"{host}/paddock/worker:abc", f"{host}/paddock/worker:def"
    assert registry.missing(host, [here, gone]) == [gone]


def test_layers_of_another_image_are_shared_instead_of_sent(host: str) -> None:
    """The base is in three images: it is sent once."""
    registry.share(host, ["sha256:1", "sha256:2"], repository="paddock/worker", others=["paddock/broker"])
    posted = [line for line in Registry.asked if line.startswith("POST")]
    assert posted == ["POST /v2/paddock/worker/blobs/uploads/?mount=sha256:1&from=paddock/broker"]


def test_a_registry_that_does_not_answer_is_named() -> None:
    """The sentence names host and remedy."""
    with pytest.raises(ImageError, match=r"registry at '127\.0\.0\.1:9'.*node"):
        registry.missing("127.0.0.1:9", ["127.0.0.1:9/paddock/worker:abc"])


def test_a_client_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path that was given is in the sentence."""
    with pytest.raises(ImageError, match="no-client"):
        registry.push(tmp_path / "no-client", tmp_path, "host/paddock/worker:abc")


def test_a_failed_push_quotes_the_client(tmp_path: Path) -> None:
    """Reference and the client's words are in the sentence."""
    client = tmp_path / "client"
    client.write_text("#!/bin/sh\necho denied >&2\nexit 1\n")
    client.chmod(0o755)
    with pytest.raises(ImageError, match=r"host/paddock/worker:abc failed: denied"):
        registry.push(client, tmp_path, "host/paddock/worker:abc")


@pytest.mark.parametrize("said", ["UNAUTHORIZED: authentication required", "unexpected status code 403 Forbidden"])
def test_missing_credentials_come_with_the_remedy(said: str) -> None:
    """The client only says what the registry answered."""
    assert registry.reason(said) == (
        f"the registry wants other credentials. Log in with `docker login` or `crane auth login`. It said: {said}"
    )


def test_any_other_failure_is_told_in_the_clients_words() -> None:
    """As they are."""
    assert registry.reason("no such host\n") == "no such host"
