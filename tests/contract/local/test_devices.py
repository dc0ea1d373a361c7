"""Tests that need devices in the local engine: this machine's, each one worker's at a time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from paddock.engines.local import devices
from paddock.fixtures.conditions import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run

WITHIN = 60.0
NODES = {"-n3": ["/dev/full", "/dev/zero"], "-n2": ["/dev/random", "/dev/urandom"], "-n0": ["/dev/null"]}
NODES |= {"-n4": ["/dev/ptmx", "/dev/tty"], "-n1": ["/dev/kmsg"]}
"""Devices that every machine has and nobody hands out: they stand in for accelerators, each test's for its own."""
TESTS = """
    import os, pathlib, time
    import pytest

    WORKER = os.environ["PADDOCK_WORKER"]

    @pytest.mark.parametrize("n", range(8))
    def test_plain(n):
        pathlib.Path(f"plain-{WORKER}").touch()
        time.sleep(0.05)

    @pytest.mark.hardware("tester")
    @pytest.mark.parametrize("n", range(8))
    def test_uses_one(n, accelerator):
        (path,) = accelerator.paths
        os.close(os.open(path, os.O_RDWR))
        pathlib.Path(f"used-{WORKER}-{path[5:]}").touch()
        time.sleep(0.05)
"""
ASKED = "--paddock-hardware=tester"


def lock_of(node: str) -> Path:
    return devices._shared_folder() / node.strip("/").replace("/", "-")


@pytest.fixture
def workers(request: pytest.FixtureRequest) -> Iterator[str]:
    """How many there are; the locks of their devices are removed, which Paddock leaves for runs that may wait."""
    yield request.param
    for node in NODES[request.param]:
        lock_of(node).unlink(missing_ok=True)


def files(workers: str) -> dict[str, str]:
    return {"pyproject.toml": f"[tool.paddock.devices.tester]\npaths = {NODES[workers]}\n", "test_devices.py": TESTS}


@pytest.mark.parametrize(
    ("workers", "holders"), [("-n3", {"gw0", "gw1", "gw2"}), ("-n0", {"master"})], indirect=["workers"]
)
def test_each_device_is_one_workers(run: Run, tmp_path: Path, workers: str, holders: set[str]) -> None:
    """Of three workers two hold one each, the third runs what needs none; without workers the process holds one."""
    result = run(workers, ASKED, files=files(workers))
    assert (result.code, result.counts) == (0, {"passed": 16}), result
    used = [tuple(path.name.split("-")[1:]) for path in (tmp_path / "project").glob("used-*")]
    assert len(used) == len({device for _, device in used}) == len({worker for worker, _ in used}), used
    assert len(used) == min(2, len(holders))
    assert {worker for worker, _ in used} <= holders


@pytest.mark.parametrize("workers", ["-n2"], indirect=True)
def test_a_run_waits_its_turn_for_what_another_process_holds(run: Run, tmp_path: Path, workers: str) -> None:
    """Its other tests run meanwhile."""
    locks = [devices._lock(lock_of(node)) for node in NODES[workers]]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, workers, ASKED, files=files(workers))
        wait_until(lambda: list((tmp_path / "project").glob("plain-*")), WITHIN)
        assert not list((tmp_path / "project").glob("used-*"))
        for lock in locks:
            assert lock is not None
            os.close(lock)
        result = running.result()
    assert (result.code, result.counts) == (0, {"passed": 16}), result
    assert list((tmp_path / "project").glob("used-*"))


SERVICE = """
import http.server, json, os, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(json.loads(os.environ["PADDOCK_DEVICES_TESTER"])["devices"][0]["paths"]).encode())

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
DECLARED = """
[tool.paddock.services.inference]
port = 8080
command = ["python", "{{here}}/service.py", "{{inference.port}}"]
readiness = {{httpGet = {{path = "/", port = 8080}}}}
hardware = "tester"
url = "http://{{inference.host}}:{{inference.port}}/"

[tool.paddock.devices.tester]
paths = {nodes}
environment = {{EDGE = "1"}}
"""
ASKING = """
import json, os, pathlib, urllib.request
import pytest
from paddock.fixtures.conditions import wait_until

WORKER = os.environ["PADDOCK_WORKER"]

@pytest.mark.hardware("tester")
@pytest.mark.parametrize("n", range(8))
def test_uses_it(n, accelerator_service, inference_service):
    assert accelerator_service.url == inference_service.url
    with urllib.request.urlopen(accelerator_service.url, timeout=10) as answer:
        path, = json.load(answer)
    assert path not in os.environ.get("PADDOCK_DEVICES_TESTER", "")
    pathlib.Path(f"used-{WORKER}-{path[5:]}").touch()
    wait_until(lambda: len(list(pathlib.Path().glob("used-*"))) >= HOLDERS, 30)
    if n == 0 and CRASH and not pathlib.Path("crashed").exists():
        pathlib.Path("crashed").touch()
        os.kill(os.getpid(), 9)

@pytest.mark.hardware("tester", count=COUNT)
def test_uses_both(accelerator_service, request):
    path = [*request.getfixturevalue("accelerator").paths, "none"][0] if COUNT > 1 else "none"
    pathlib.Path(f"own-{WORKER}-{path[5:]}").touch()

@pytest.mark.parametrize("n", range(8))
def test_plain(n): pass
"""


def serving(project: Path, workers: str, count: int, *, holders: int = 1, crash: bool = False) -> dict[str, str]:
    declared = DECLARED.format(nodes=NODES[workers]).replace("{here}", str(project))
    tests = ASKING.replace("COUNT", str(count)).replace("CRASH", str(crash)).replace("HOLDERS", str(holders))
    return {"pyproject.toml": declared, "service.py": SERVICE, "test_devices.py": tests}


def used(project: Path, what: str = "used") -> set[tuple[str, str]]:
    return {(worker, device) for _, worker, device in (one.name.split("-", 2) for one in project.glob(f"{what}-*"))}


@pytest.mark.parametrize("workers", ["-n4"], indirect=True)
def test_a_service_holds_its_workers_device(run: Run, tmp_path: Path, workers: str) -> None:
    """Two of four workers have such a service, each with a device of its own, and nobody else runs its tests."""
    project = tmp_path / "project"
    result = run(workers, ASKED, files=serving(project, workers, 1, holders=2))
    assert (result.code, result.counts) == (0, {"passed": 17}), result
    assert len({device for _, device in used(project)}) == len({worker for worker, _ in used(project)}) == 2


@pytest.mark.parametrize("workers", ["-n4"], indirect=True)
def test_a_service_holds_one_device_and_its_worker_another(run: Run, tmp_path: Path, workers: str) -> None:
    """Of the two that the worker's place has."""
    project = tmp_path / "project"
    result = run(workers, f"{ASKED}=2", files=serving(project, workers, 2))
    assert (result.code, result.counts) == (0, {"passed": 17}), result
    ((worker, theirs),), ((same, own),) = used(project), used(project, "own")
    assert (worker, {theirs, own}) == (same, {node[5:] for node in NODES[workers]})


@pytest.mark.parametrize("workers", ["-n1"], indirect=True)
def test_who_replaces_a_lost_worker_has_its_services_device(run: Run, tmp_path: Path, workers: str) -> None:
    """The service of the one that was lost ends, and lets the device go."""
    project = tmp_path / "project"
    result = run(workers, ASKED, "--paddock-wait=20", files=serving(project, workers, 1, crash=True))
    assert (result.code, result.counts) == (1, {"passed": 16, "failed": 1}), result
    assert used(project) == {("gw0", NODES[workers][0][5:]), ("gw1", NODES[workers][0][5:])}


@pytest.mark.parametrize("workers", ["-n0"], indirect=True)
def test_without_workers_the_process_has_such_a_service(run: Run, tmp_path: Path, workers: str) -> None:
    """As it has devices."""
    project = tmp_path / "project"
    result = run(workers, ASKED, files=serving(project, workers, 1))
    assert (result.code, result.counts) == (0, {"passed": 17}), result
    assert {worker for worker, _ in used(project)} == {"master"}


def test_what_this_machine_has_not_is_refused(run: Run) -> None:
    """In a line, before anything is made."""
    result = run(
        "-n1", ASKED, files={"pyproject.toml": '[tool.paddock.devices.tester]\npaths = ["/dev/paddock-none-*"]\n'}
    )
    assert result.code == 4, result
    assert "A worker is to hold 1 of 'tester', and this machine has 0 (/dev/paddock-none-*)." in result.out + result.err
