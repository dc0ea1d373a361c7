"""``paddock image`` with real registries: one that wants credentials, and one whose garbage is collected."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from paddock import node
from paddock.images import layout, loading, places, shelf
from paddock.images.layers import Content
from paddock.images.store import Store
from tests.plugins.images import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="base images are installed as root"),
]

ACCOUNT = base64.b64encode(b"tester:right").decode()
RUNNER = Path(__file__).resolve().parents[2] / "runner"
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "authorization"}


class Guard(BaseHTTPRequestHandler):
    """Hands requests with the right credentials on to a registry, as the gate before a team's registry does."""

    protocol_version = "HTTP/1.1"
    upstream: ClassVar[str] = ""

    def serve(self) -> None:
        if self.headers.get("Authorization") != f"Basic {ACCOUNT}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="tests"')
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            return
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        connection.request(self.command, self.path, body=self.body(), headers=headers)
        self.answer(connection.getresponse())
        connection.close()

    def body(self) -> Iterator[bytes] | None:
        """Return what the client sends, in pieces: a layer is a few hundred megabytes."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            return self.chunks()
        length = int(self.headers.get("Content-Length") or 0)
        return self.pieces(length) if length else None

    def pieces(self, length: int) -> Iterator[bytes]:
        while length and (data := self.rfile.read(min(length, 1 << 20))):
            length -= len(data)
            yield data

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self.pieces(size)
            self.rfile.readline()
        self.rfile.readline()

    def answer(self, response: http.client.HTTPResponse) -> None:
        data = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in {*_HOP_BY_HOP, "content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", response.headers.get("Content-Length") or str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = serve  # noqa: N815 - the names are http.server's

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def guarded(upstream: str) -> Iterator[str]:
    """Put the guard before a registry."""
    handler = type("GuardOfOne", (Guard,), {"upstream": upstream})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def paddock(*arguments: str, docker: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DOCKER_CONFIG": str(docker), "PYTHONPATH": str(RUNNER)}
    command = [sys.executable, "-m", "paddock", "image", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_images_are_pushed_with_the_credentials_of_docker(scratch: Path, tmp_path: Path) -> None:
    """Without them the push fails, and the sentence says how to log in; with them all three images are there."""
    with serving(scratch / "team-registry") as registry, guarded(registry) as guard:
        refused = paddock("push", f"{guard}/team/paddock", docker=tmp_path)
        (tmp_path / "config.json").write_text(json.dumps({"auths": {guard: {"auth": ACCOUNT}}}))
        pushed = paddock("push", f"{guard}/team/paddock", docker=tmp_path)
        assert pushed.returncode == 0, pushed.stderr
        references = pushed.stdout.split()
        for reference in references:
            crane = [str(node.tool("crane")), "validate", "--fast", "--remote", reference.replace(guard, registry)]
            subprocess.run(crane, check=True, capture_output=True)
    assert [reference.rsplit(":", 1)[0] for reference in references] == [
        f"{guard}/team/paddock/{name}" for name in ("worker", "broker", "database")
    ]
    assert refused.returncode == 3
    assert "wants other credentials. Log in with `docker login`" in refused.stderr


def test_built_images_are_listed_as_this_environments(tmp_path: Path) -> None:
    """Building needs no registry and no node."""
    built = paddock("build", docker=tmp_path)
    assert built.returncode == 0, built.stderr
    rows = json.loads(paddock("ls", "--json", docker=tmp_path).stdout)
    current = {f"{row['name']}:{row['tag']}" for row in rows if row["current"]}
    assert current == set(built.stdout.split())
    assert len(current) == 3


def test_the_archive_for_local_clusters_is_one_that_others_read(registry: str, tmp_path: Path) -> None:
    """The image client takes it for what ``docker save`` writes, and finds every layer and digest right."""
    store, crane = Store(tmp_path / "images"), node.tool("crane")
    with store.locked(print):
        layers = [store.add(name, {name: Content(name.encode())}).blob for name in ("one", "two")]
        image = layout.Image(architecture="amd64", layers=layers, user="1000")
        loading.write_archive({"paddock/worker:1": image}, store.path, tmp_path / "images.tar")
    reference = f"{registry}/loaded/worker:1"
    subprocess.run([crane, "push", tmp_path / "images.tar", reference], check=True, capture_output=True)
    subprocess.run([crane, "export", reference, tmp_path / "loaded.tar"], check=True, capture_output=True)
    with tarfile.open(tmp_path / "loaded.tar") as loaded:
        assert sorted(loaded.getnames()) == ["one", "two"]


def test_pruning_leaves_a_running_registry_whole(scratch: Path, tmp_path: Path) -> None:
    """What no image in use names is gone from its disk, and every other image can still be pulled."""
    store, folder, crane = Store(tmp_path / "images"), scratch / "pruned", node.tool("crane")
    with store.locked(print), serving(folder) as registry:
        shared = store.add("base-1", {"a": Content(b"shared" * 1000)})
        for tag in ("stale", "used"):
            own = store.add(f"supervisor-{tag}", {"b": Content(tag.encode() * 1000)})
            image = layout.Image(architecture="amd64", layers=[shared.blob, own.blob], user="1000")
            layout.write(image, tmp_path / tag, store.path)
            reference = f"{registry}/paddock/worker:{tag}"
            subprocess.run([crane, "push", tmp_path / tag, reference], check=True, capture_output=True)
            shelf.note(store.path, "worker", tag, image)
        stale = places.image_record(store.path, "worker", "stale")
        tags = folder / "docker/registry/v2/repositories/paddock/worker/_manifests/tags"
        for path in (stale, tags / "stale", store.path / "layers" / "supervisor-stale.json"):
            os.utime(path, (1, 1))
        done = shelf.prune(store, folder, node.tool("registry"), oldest=time.time() - 60, kept=())
        pull = [str(crane), "export", f"{registry}/paddock/worker:used", str(tmp_path / "pulled.tar")]
        subprocess.run(pull, check=True, capture_output=True)
        lost = subprocess.run([crane, "digest", f"{registry}/paddock/worker:stale"], check=False, capture_output=True)
    with tarfile.open(tmp_path / "pulled.tar") as pulled:
        assert sorted(pulled.getnames()) == ["a", "b"]
    assert done.images == 1
    assert done.cache > 5000
    assert done.registry > 5000
    assert lost.returncode != 0
