"""Services that a project declares, in real namespaces: awaited, reached by name, their failures told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.on_the_node import project_folder, runner
from tests.contract.services.suite import FILES, TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

SLOW_SERVER = (
    "import http.server, time; time.sleep(2); "
    "http.server.ThreadingHTTPServer(('', 8080), http.server.SimpleHTTPRequestHandler).serve_forever()"
)
WEB = f"""
[tool.paddock.services.web]
port = 8080
readiness = {{httpGet = {{path = "/", port = 8080}}}}
command = ["python", "-c", "{SLOW_SERVER}"]

[tool.paddock.env]
SITE = "http://{{web.host}}:{{web.port}}"
"""
SUITE = """
import os
import urllib.request

import pytest


@pytest.mark.parametrize("number", range(2))
def test_the_declared_service_answers(number, paddock_service):
    web = paddock_service("web")
    assert os.environ["SITE"] == f"http://{web.host}:{web.port}" == "http://web:8080"
    with urllib.request.urlopen(os.environ["SITE"], timeout=10) as answer:
        assert answer.status == 200
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs pytest in a project that stands at the same path each time."""
    with project_folder("paddock-declared") as folder:
        yield runner(folder, tmp_path)


def test_a_declared_service_is_awaited_and_reached_by_its_name(run: Run) -> None:
    """It runs the project's own environment; no test begins before its probe passes."""
    result = run("-n2", files={"pyproject.toml": WEB, "test_web.py": SUITE})
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    assert "created 2, deleted 2, left 0" in result.last_line


def test_declared_services_are_the_same_as_without_a_cluster(run: Run) -> None:
    """By command and by objects of the project's own: the suite and the declaration of the local engine's test."""
    result = run("-n2", "--dist=loadfile", "--paddock-image-limit=1200", files=FILES)
    assert (result.code, result.counts) == (0, {"passed": TESTS}), result
    assert "created 2, deleted 2, left 0" in result.last_line


def test_a_service_that_cannot_run_is_the_error_of_the_tests_that_want_it(run: Run) -> None:
    """The sentence names the service and the cause; tests that do not ask for it run."""
    broken = '[tool.paddock.services.cache]\nimage = "127.0.0.1:1/no/such:1"\nport = 6379\nreadiness = "tcp"\n'
    files = {
        "pyproject.toml": broken,
        "test_cache.py": "def test_cache(paddock_service): paddock_service('cache')\ndef test_other(): pass\n",
    }
    result = run("-n1", "--paddock-service-limit=120", files=files)
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 1}), result
    assert "Service cache in namespace paddock-" in result.out
    assert "127.0.0.1:1/no/such:1" in result.out
    assert result.seconds < 100, "told when the image cannot be pulled, not at the limit"


def test_a_probe_that_kubernetes_refuses_is_told_before_anything_is_made(run: Run) -> None:
    """One sentence with file and line, the usage exit code, and no namespace."""
    wrong = WEB.replace('path = "/", port = 8080', 'path = "/", port = 99999999')
    result = run("-n1", files={"pyproject.toml": wrong, "test_web.py": SUITE})
    assert result.code == 4, result
    assert "pyproject.toml:2" in result.out + result.err
    assert "must be between 1 and 65535" in result.out + result.err
    assert "created 0, deleted 0, left 0" in result.last_line


def test_a_name_that_nobody_declared_is_told(run: Run) -> None:
    """The fixture's argument is checked against what this worker has."""
    result = run(
        "-n1",
        "--paddock-engine=auto",
        files={"pyproject.toml": "", "test_n.py": "def test_n(paddock_service): paddock_service('no')\n"},
    )
    assert (result.code, result.counts) == (1, {"failed": 1}), result
    assert "was given no service 'no'" in result.out
    assert "paddock: --paddock-engine=auto takes kubernetes, since a cluster answers\n" in result.err
