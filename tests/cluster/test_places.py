"""What a project says about its own names and its pods, in real namespaces on the embedded node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.on_the_node import project_folder, runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run
    from tests.plugins.cluster import EmbeddedNode

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]


@pytest.fixture
def project() -> Iterator[Path]:
    """An empty project folder, the same for every test."""
    with project_folder("paddock-places") as folder:
        yield folder


@pytest.fixture
def run(tmp_path: Path, project: Path) -> Run:
    """Runs pytest with Paddock on the embedded node, in the project folder."""
    return runner(project, tmp_path)


NAMES = """
    [tool.paddock.env]
    DATABASE_URL = "postgresql://{database.user}:{database.password}@{database.host}:{database.port}/{database.name}"
    WHERE = "{worker.namespace}"
"""
DSN = "host={database.host} port={database.port} user={database.user} password={database.password} dbname=postgres"
SUITE = """
    import os, psycopg, pytest
    from paho.mqtt import client as mqtt

    def test_their_variable(record_property):
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert os.environ["WHERE"].endswith("-" + os.environ["PADDOCK_WORKER"])

    def test_their_option(request):
        with psycopg.connect(request.config.option.dsn) as connection:
            assert connection.execute("SELECT 2").fetchone() == (2,)

    def test_their_broker(request):
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.connect(request.config.option.broker)
"""
CONFTEST = """
    def pytest_addoption(parser):
        parser.addoption("--dsn")
        parser.addoption("--broker")
    def pytest_report_header(config):
        return "dsn: " + config.option.dsn
"""


def test_services_answer_before_the_first_test_without_a_fixture(run: Run) -> None:
    """Facts under the project's own names are as good as our fixtures: the first try of the first test succeeds."""
    files = {"pyproject.toml": NAMES, "conftest.py": CONFTEST, "test_n.py": SUITE}
    result = run("-n1", f"--dsn={DSN}", "--broker={broker.host}", files=files)
    assert result.code == 0, result
    assert result.counts == {"passed": 3}
    assert f"dsn: {DSN}" in result.out  # where pytest was started nobody knows more than the names
    assert result.last_line == "paddock: namespaces: created 1, deleted 1, left 0"


GREEN = "def test_green(database_server, mqtt_broker): pass\n"
POD = """
    [tool.paddock.pod]
    node-selector = {"kubernetes.io/os" = "linux"}
    tolerations = [{key = "nobody", operator = "Exists"}]
    priority-class = "system-%s"
"""


@pytest.mark.parametrize(
    ("files", "arguments", "sentence"),
    [
        ({"pyproject.toml": POD % "nowhere"}, (), "no PriorityClass with name system-nowhere was found"),
        ({"p.yaml": "spec: {runtimeClassName: none}"}, ("--paddock-pod-patch=p.yaml",), '"none" not found'),
        ({"p.yaml": "spec: {nodeSelctor: {a: b}}"}, ("--paddock-pod-patch=p.yaml",), '"spec.nodeSelctor"'),
        (
            {"p.yaml": "spec: {volumes: [{name: root, hostPath: {path: /}}]}"},
            ("--paddock-pod-patch=p.yaml",),
            'violates PodSecurity "restricted',
        ),
        ({}, ("--paddock-worker-memory=1Mi",), "must be less than or equal to memory limit"),
    ],
    ids=["priority", "runtime", "unknown", "security", "memory"],
)  # fmt: skip
def test_what_the_api_server_refuses_is_a_mistake_and_creates_nothing(
    run: Run, embedded_node: EmbeddedNode, files: dict[str, str], arguments: tuple[str, ...], sentence: str
) -> None:
    """The user's part in a manifest is tried on the server first: one sentence, exit code 4, no namespace."""
    result = run("-n2", "--paddock-run-id=refused", *arguments, files={"test_g.py": GREEN, **files})
    assert result.code == 4, result
    (line,) = [line for line in result.err.splitlines() if line.startswith("ERROR")]
    assert sentence in line
    assert result.last_line == "paddock: namespaces: created 0, deleted 0, left 0"
    assert embedded_node.namespaces(run="refused") == set()


WHERE = """
    import os, json, pathlib
    def test_where(database_server, mqtt_broker):
        assert (os.getuid(), os.getgid()) == (%s)
        %s
"""


def test_a_platform_assigns_the_user(run: Run) -> None:
    """As on OpenShift: an arbitrary number with group 0 runs tests, broker and database of the usual images.

    Paddock names no user then, so a patch can stand in for the platform.
    """
    writing = "[(at / 'x').write_text('') for at in (pathlib.Path(), pathlib.Path.home())]"
    files = {
        "p.yaml": "spec: {securityContext: {runAsUser: 1000680000, fsGroup: 1000680000}}",
        "test_w.py": WHERE % ("1000680000, 0", writing),
    }
    result = run("-n1", "--paddock-uid=platform", "--paddock-pod-patch=p.yaml", files=files)
    assert result.code == 0, result


def test_tests_that_need_root_have_it_where_it_is_asked_for(run: Run) -> None:
    """The baseline level lets the worker's pod be root, with what root may do in a container."""
    files = {
        "test_w.py": WHERE % ("0, 0", "os.chown('test_w.py', 4711, 4711)"),
        "pyproject.toml": POD % "node-critical",
    }
    result = run("-n1", "--paddock-uid=0", "--paddock-security=baseline", files=files)
    assert result.code == 0, result
