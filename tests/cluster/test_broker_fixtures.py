"""R0 and R2 in namespaces: the broker's fixtures with the broker that every worker has there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.cluster.on_the_node import project_folder, runner
from tests.contract.brokers.suite import GUARDED, HEALTH, SAME_EVERYWHERE, TOGETHER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs pytest in a project that stands at the same path each time."""
    with project_folder("paddock-brokers") as folder:
        yield runner(folder, tmp_path)


TOLD = """
def test_where(mqtt_broker, parallel_test_context):
    import os
    assert parallel_test_context.get_service_env("camera")["MQTT_HOST"] == mqtt_broker.host
    print(f"at {mqtt_broker.host} from {os.environ['PADDOCK_WORKER']}")
"""


@pytest.mark.parametrize(("per_worker", "namespaces"), [("true", 2), ("false", 3)])
def test_the_suite_that_is_the_same_everywhere(run: Run, per_worker: str, namespaces: int) -> None:
    """Clients, cleaning, wills and kept sessions behave as on this machine; a shared broker has its namespace."""
    files = {"pyproject.toml": "", "test_brokers.py": SAME_EVERYWHERE, "test_1.py": TOLD, "test_2.py": TOLD}
    options = ["-n2", "--dist=loadfile", "-rP", "--paddock-run-id=brokers"]
    result = run(*options, f"--paddock-broker-per-worker={per_worker}", files=files)
    assert (result.code, result.counts) == (0, {"passed": 14}), result
    hosts = {host for host, _ in re.findall(r"^at (\S+) from (gw\d)", result.out, re.MULTILINE)}
    assert hosts == ({"broker"} if per_worker == "true" else {"broker.paddock-brokers-shared"})
    assert f"created {namespaces}, deleted {namespaces}, left 0" in result.last_line


def test_a_broker_with_tls_accounts_and_rights_is_entered_by_fixtures_and_by_nobody_else(run: Run) -> None:
    """The suite of the local engine; on a shared broker, whose name is the longer one in its certificate."""
    result = run("-n2", "--paddock-broker-per-worker=false", files=GUARDED)
    assert (result.code, result.counts) == (0, {"passed": 5}), result
    assert "c-secret" not in result.out


def test_workers_at_once_on_one_broker_hear_all_of_their_own_and_nothing_else(run: Run) -> None:
    """R0's show, made small: a thousand messages in each test, while the other workers say as many."""
    files = {
        "pyproject.toml": '[tool.paddock.env]\nWORKERS = "3"\n',
        "conftest.py": TOGETHER,
        "test_health.py": HEALTH,
    }
    result = run("-n3", "-rP", "--paddock-broker-per-worker=false", files=files)
    assert (result.code, result.counts) == (0, {"passed": 9}), result
    assert set(re.findall(r'^health \["(gw\d)"', result.out, re.MULTILINE)) == {"gw0", "gw1", "gw2"}


def test_a_shared_broker_that_cannot_run_fails_the_tests_that_need_it_and_no_others(run: Run) -> None:
    """With its cause in one sentence, in every worker; what explains it is kept beside what the workers left."""
    files = {
        "pyproject.toml": '[tool.paddock.broker]\nper-worker = false\nconfiguration = "own.conf"\n',
        "own.conf": "no_such_setting true\n",
        "test_1.py": "def test_broker(mqtt_broker): pass\ndef test_other(): pass\n",
        "test_2.py": "def test_broker(mqtt_client): pass\ndef test_other(): pass\n",
    }
    result = run("-n2", "--dist=loadfile", "--paddock-run-id=broken", "--paddock-service-limit=600", files=files)
    assert (result.code, result.counts) == (1, {"passed": 2, "error": 2}), result
    told = re.findall(r"Service broker in namespace paddock-broken-shared gave no CONNACK at (\S+): ", result.out)
    assert set(told) == {"broker.paddock-broken-shared:1883"}
    assert result.seconds < 600, "told when it has failed, not at the limit"
    logs = result.folder / "paddock-report" / "broken" / "shared" / "logs"
    assert "no_such_setting" in "".join(one.read_text() for one in logs.glob("broker*.txt"))
    assert "created 3, deleted 3, left 0" in result.last_line
