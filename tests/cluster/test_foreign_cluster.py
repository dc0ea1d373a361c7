"""A cluster of somebody else's: the embedded node under another name, with a registry that nothing here knows."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import subprocess
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml

from paddock import node
from tests.cluster.on_the_node import project_folder, runner
from tests.contract.plugin.cases import GREEN
from tests.plugins.tunnels import tunnels_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.contract.plugin.running import Run
    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster

SERVICES = "def test_both(mqtt_broker, database_server): assert mqtt_broker and database_server"
"""Needs all three images."""
UNKNOWN_HERE = "kubernetes.default.svc"
"""A name in the API server's certificate that means something in pods only."""
AUTH = base64.b64encode(b"tester:of this test").decode()
PASSED = ("Content-Length", "Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version")
"""Headers that a puller needs."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs pytest with Paddock in an empty project folder."""
    with project_folder("paddock-foreign") as folder:
        yield runner(folder, tmp_path)


@pytest.fixture
def stranger(embedded_node: EmbeddedNode, tmp_path: Path) -> list[str]:
    """The options that choose the cluster: a copied kubeconfig whose context is called otherwise."""
    loaded = yaml.safe_load(embedded_node.kubeconfig.read_text())
    loaded["contexts"][0]["name"] = loaded["current-context"] = "stranger"
    path = tmp_path / "stranger.kubeconfig"
    path.write_text(yaml.safe_dump(loaded))
    return [f"--paddock-kubeconfig={path}", "--paddock-context=stranger"]


def test_a_cluster_with_a_registry_runs_tests(run: Run, stranger: list[str], registry: str) -> None:
    """Images are pushed under one name and pulled under another; the second run finds them there."""
    pushed = registry.replace("localhost", "127.0.0.1")
    places = [f"--paddock-registry={pushed}/strangers/ci", f"--paddock-nodes-registry={registry}/strangers/ci"]
    first = run("-n2", *stranger, *places, files={**GREEN, "test_services.py": SERVICES})
    assert (first.code, first.counts) == (0, {"passed": 7}), first
    assert first.last_line == "paddock: namespaces: created 2, deleted 2, left 0"
    tags = [str(node.tool("crane")), "ls", f"{pushed}/strangers/ci/worker"]
    (worker,) = subprocess.run(tags, capture_output=True, text=True, check=True).stdout.split()
    planned = run("-n1", *stranger, *places, "--paddock-plan=json")
    assert f'"image": "{registry}/strangers/ci/worker:{worker}"' in planned.out
    assert "localhost:5055" not in planned.out
    second = run("-n2", *stranger, *places)
    assert second.code == 0, second
    assert "images:" not in second.err


class Guard(BaseHTTPRequestHandler):
    """A registry that is only read from, and only with a name and a password."""

    default_request_version = "HTTP/1.0"
    """A puller tries TLS first, and must be able to tell that this is HTTP."""
    behind = ""
    """Host of the registry behind it."""

    def do_GET(self) -> None:
        """Pass a request on, or ask for credentials."""
        if self.headers["Authorization"] != f"Basic {AUTH}":
            self._answer(HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": 'Basic realm="guarded"', "Content-Length": "0"})
            return
        connection = http.client.HTTPConnection(self.behind)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, headers={"Accept": self.headers["Accept"] or "*/*"})
            found = connection.getresponse()
            self._answer(found.status, {name: value for name, value in found.getheaders() if name in PASSED})
            shutil.copyfileobj(found, self.wfile)

    do_HEAD = do_GET  # noqa: N815 - the server looks for this name

    def _answer(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Waits for its threads when it is closed."""

    daemon_threads = False


@pytest.fixture
def guarded(registry: str) -> Iterator[str]:
    """The registry under another address, where nobody may pull without credentials."""
    handler = type("Guarded", (Guard,), {"behind": registry})
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_nodes_pull_with_credentials_that_are_given(
    run: Run, stranger: list[str], registry: str, guarded: str, tmp_path: Path
) -> None:
    """Without them the run says what failed and which option helps; with them the tests run."""
    places = [f"--paddock-registry={registry}/guarded", f"--paddock-nodes-registry={guarded}/guarded"]
    without = run("-n1", *stranger, *places, files=GREEN)
    assert without.code == 3, without
    assert "no basic auth credentials" in without.out
    assert "--paddock-pull-credentials" in without.out
    (tmp_path / "config.json").write_text(json.dumps({"auths": {guarded: {"auth": AUTH}}}))
    given = run("-n1", *stranger, *places, f"--paddock-pull-credentials={tmp_path}/config.json")
    assert (given.code, given.counts) == (0, {"passed": 6}), given
    planned = run(
        "-n1", *stranger, *places, f"--paddock-pull-credentials={tmp_path}/config.json", "--paddock-plan=yaml"
    )
    assert "imagePullSecrets" in planned.out
    assert AUTH not in planned.out


def test_a_cluster_behind_a_proxy_runs_tests(
    run: Run, embedded_node: EmbeddedNode, registry: str, tmp_path: Path
) -> None:
    """Every request and every stream takes the kubeconfig's `proxy-url`: the server's name means nothing here."""
    loaded = yaml.safe_load(embedded_node.kubeconfig.read_text())
    there = urlsplit(loaded["clusters"][0]["cluster"]["server"])
    with tunnels_to(("127.0.0.1", there.port or 443)) as proxy:
        behind = {"server": f"https://{UNKNOWN_HERE}:{there.port}", "proxy-url": proxy.url}
        loaded["clusters"][0]["cluster"] |= behind
        path = tmp_path / "behind.kubeconfig"
        path.write_text(yaml.safe_dump(loaded))
        chosen = [f"--paddock-kubeconfig={path}", "--paddock-context=paddock", f"--paddock-registry={registry}/behind"]
        result = run("-n1", *chosen, files=GREEN)
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert result.last_line == "paddock: namespaces: created 1, deleted 1, left 0"
    assert set(proxy.asked) == {f"{UNKNOWN_HERE}:{there.port}"}


def test_a_cluster_that_no_image_would_reach_is_a_mistake(
    run: Run, stranger: list[str], embedded_node: EmbeddedNode
) -> None:
    """One line, exit code 4, and no object is made: not even the record of a run."""
    before = embedded_node.namespaces()
    result = run("-n2", *stranger, files=GREEN)
    assert result.code == 4, result
    (line,) = [line for line in result.err.splitlines() if line]
    assert "'stranger'" in line
    assert "--paddock-registry=REGISTRY/PATH" in line
    assert embedded_node.namespaces() <= before  # those of other tests may go meanwhile


def test_a_registry_that_nobody_answers_at_ends_the_run(
    run: Run, stranger: list[str], embedded_node: EmbeddedNode
) -> None:
    """The infrastructure failed, told once with the client's words, and no namespace was made for it."""
    before = embedded_node.namespaces()
    result = run("-n2", *stranger, "--paddock-registry=127.0.0.1:9/nobody", files=GREEN)
    assert result.code == 3, result
    assert "connection refused" in result.out + result.err
    assert embedded_node.namespaces() <= before  # those of other tests may go meanwhile
