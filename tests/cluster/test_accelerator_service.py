"""Services that hold accelerators in the place of their worker, through the real kubelet; the devices are simulated."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.cluster.on_the_node import project_folder, runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

SERVES = """
import http.server, json, os
(path,) = json.loads(os.environ['PADDOCK_DEVICES_SIMULATED'])['devices'][0]['paths']
held = os.open(path, os.O_RDWR | os.O_EXCL)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(path.encode())
http.server.HTTPServer(('', 8080), Answer).serve_forever()
""".strip().replace("\n", "\\n")
"""It opens its device exclusively for as long as it lives: a second holder would find it busy."""
DECLARED = f"""
[tool.paddock.services.inference]
port = 8080
command = ["python", "-c", "{SERVES}"]
readiness = {{httpGet = {{path = "/", port = 8080}}}}
url = "http://{{inference.host}}:{{inference.port}}/"
hardware = "coral"
"""
TESTS = """
import os, pathlib, signal, time, urllib.request
import pytest

def device_of(service):
    with urllib.request.urlopen(service.url, timeout=10) as answer:
        return answer.read().decode()

@pytest.mark.hardware("coral")
@pytest.mark.parametrize("n", range(12))
def test_detects(n, accelerator_service, record_property):
    time.sleep(0.1)  # long enough for the other worker to have its share
    record_property("device", f"{os.environ['PYTEST_XDIST_WORKER']} {device_of(accelerator_service)}")

@pytest.mark.parametrize("n", range(12))
def test_plain(n):
    time.sleep(0.1)

def test_where_it_is():
    assert ("PADDOCK_INFERENCE_HOST" in os.environ) == (os.environ["PYTEST_XDIST_WORKER"] in EQUIPPED)
    assert "PADDOCK_DEVICES_SIMULATED" not in os.environ
"""
LOST = """
@pytest.mark.hardware("coral")
def test_goes(accelerator_service):
    assert device_of(accelerator_service)
    os.kill(os.getpid(), signal.SIGKILL)
"""
BOTH = """
@pytest.mark.hardware("coral", count=2)
def test_both(accelerator, accelerator_service):
    (own,) = accelerator.paths
    assert own != device_of(accelerator_service)
    os.close(os.open(own, os.O_RDWR | os.O_EXCL))
"""
ASKED = ("--paddock-history=/dev/null", "-v", "--junitxml=junit.xml")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with project_folder("paddock-accelerator-service") as project:
        yield runner(project, tmp_path)


def files(tests: str, *equipped: str) -> dict[str, str]:
    return {"pyproject.toml": DECLARED, "test_coral.py": tests.replace("EQUIPPED", repr(equipped))}


def used(folder: Path) -> set[tuple[str, str]]:
    """Worker and device of each test that used one."""
    report = (folder / "junit.xml").read_text(encoding="utf-8")
    return set(re.findall(r'name="device" value="(gw\d) (/dev/loop\d+)"', report))


def test_each_device_is_one_services(run: Run) -> None:
    """Two devices make two such services among four workers; their tests go to those two and nowhere else."""
    asked = ("-n4", *ASKED, "--paddock-hardware=coral", "--paddock-simulate-hardware=2")
    result = run(*asked, files=files(TESTS, "gw0", "gw1"))
    assert (result.code, result.counts) == (0, {"passed": 25}), result
    found = used(result.folder)
    assert len(found) == len({device for _, device in found}) == 2, found
    assert {worker for worker, _ in found} == {"gw0", "gw1"}
    assert "2 of 4 workers hold hardware; the others run tests that need none" in result.out + result.err
    assert result.last_line == "paddock: namespaces: created 4, deleted 4, left 0"


def test_a_worker_waits_for_its_services_device(run: Run) -> None:
    """Where all are to hold one and there is one, the other holds up nobody, and says for what it waits."""
    asked = ("-n2", *ASKED, "--paddock-hardware=coral", "--paddock-hardware-workers=all")
    result = run(*asked, "--paddock-simulate-hardware=1", files=files(TESTS, "gw0", "gw1"))
    assert (result.code, result.counts) == (0, {"passed": 25}), result
    assert len(used(result.folder)) == 1
    assert "holding up nobody: No node has room for its pod: it asks for paddock.dev/simulated 1." in result.out


def test_a_service_and_its_worker_hold_a_device_each(run: Run) -> None:
    """Of the two that the worker's place has."""
    asked = ("-n2", *ASKED, "--paddock-hardware=coral=2", "--paddock-simulate-hardware=2")
    plain = TESTS.replace('    assert "PADDOCK_DEVICES_SIMULATED" not in os.environ\n', "")
    result = run(*asked, files=files(plain + BOTH, "gw0"))
    assert (result.code, result.counts) == (0, {"passed": 26}), result


def test_who_replaces_a_lost_worker_has_its_services_device(run: Run) -> None:
    """The service of the one that was lost is deleted at once, and not at the end of the run."""
    asked = ("-n1", *ASKED, "--paddock-hardware=coral", "--paddock-simulate-hardware=1")
    began = time.monotonic()
    result = run(*asked, files=files(TESTS + LOST, "gw0", "gw1"))
    assert (result.code, result.counts) == (1, {"passed": 25, "failed": 1}), result
    assert time.monotonic() - began < 120, "its pod's limit is not waited for"


def test_a_service_that_no_node_could_take_is_refused(run: Run) -> None:
    """Before anything is made; services may not hold more than the run asks for either."""
    table = f'{DECLARED.replace("coral", "coral=2")}\n[tool.paddock.devices.coral]\npaths = ["/dev/apex_*"]'
    result = run("-n1", "--paddock-hardware=coral=2", files={"pyproject.toml": table, "test_a.py": "def test_a(): ..."})
    assert result.code == 4, result
    said = "The service 'inference' of a worker is to hold 2 of paddock.dev/coral, and no node has a healthy one"
    assert said in result.out + result.err
    result = run("-n1", "--paddock-hardware=coral")
    assert result.code == 4, result
    assert "and its services hold 2 of them ('inference' of " in result.out + result.err
