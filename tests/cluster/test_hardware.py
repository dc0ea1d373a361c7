"""Tests that hold accelerators, through the real kubelet: the devices are simulated, everything else is not."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from paddock import names
from paddock.devices.simulation import FOLDER, RESOURCE, Simulation
from paddock.engines.hardware import SimulatedHardware
from paddock.fixtures.conditions import wait_until
from paddock.scheduling import history
from paddock.scheduling.foresight import name_of_needy
from tests.cluster.on_the_node import project_folder, runner
from tests.cluster.own_node import kubectl
from tests.contract.plugin.running import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from tests.contract.plugin.running import Result, Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

WITHIN = 60.0

TESTS = """
import os, time, pytest

def claim(accelerator):
    (path,) = accelerator.paths
    descriptor = os.open(path, os.O_RDWR | os.O_EXCL)  # the kernel lets one at a time
    time.sleep(0.02)
    os.pwrite(descriptor, accelerator.ids[0].encode(), 0)
    assert os.pread(descriptor, len(accelerator.ids[0]), 0).decode() == accelerator.ids[0]
    os.close(descriptor)
    return path

@pytest.mark.hardware("coral")
@pytest.mark.parametrize("n", range(24))
def test_detects(n, accelerator, record_property):
    assert os.getuid() != 0
    assert accelerator.is_simulated and accelerator.kind == "coral"
    record_property("device", f"{os.environ['PYTEST_XDIST_WORKER']} {claim(accelerator)}")

@pytest.mark.hardware("coral", count=2)
def test_needs_more(accelerator): pass

def test_plain(): pass

@pytest.mark.hardware("hailo")
def test_of_another_kind(): pass
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with project_folder("paddock-hardware") as project:
        (project / "test_coral.py").write_text(TESTS, encoding="utf-8")
        yield runner(project, tmp_path)


def allocatable() -> int:
    (found,) = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    return int(found["status"]["allocatable"].get(RESOURCE, "0"))


def loops(folder: Path = FOLDER) -> list[str]:
    """The simulated devices that are there, a line each."""
    listed = subprocess.run(["losetup", "--list"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if f"{folder}/" in line]


ASKED = ("-n3", "--paddock-history=/dev/null", "--paddock-hardware=coral", "--paddock-simulate-hardware=2")


def test_each_device_is_one_workers(run: Run) -> None:
    """Where all three workers are to hold one, two come; no test finds it in use, and what nobody has is an error.

    Afterwards neither devices nor pods are left.
    """
    result = run(*ASKED, "--paddock-hardware-workers=all", "-v", "--junitxml=junit.xml")
    assert (result.code, result.counts) == (1, {"passed": 25, "error": 2}), result
    used = set(re.findall(r'name="device" value="(gw\d) (/dev/loop\d+)"', (result.folder / "junit.xml").read_text()))
    assert len(used) == len({device for _, device in used}) == len({worker for worker, _ in used}) == 2, used
    assert "It needs hardware, 2 of 'coral', and workers of this run hold 1 of 'coral'" in result.out
    assert "It needs hardware, 1 of 'hailo', and workers of this run hold 1 of 'coral'" in result.out
    assert "on 2 of 3 workers" in result.out
    assert f"wait, holding up nobody: No node has room for its pod: it asks for {RESOURCE} 1." in result.out.replace(
        "waits", "wait"
    )
    assert result.last_line == "paddock: namespaces: created 3, deleted 3, left 0"
    end = time.monotonic() + WITHIN
    while (loops() or allocatable()) and time.monotonic() < end:
        threading.Event().wait(0.2)
    assert (loops(), allocatable(), FOLDER.exists()) == ([], 0, False)


MIXED = """
import os, time
import pytest

@pytest.mark.parametrize("n", range(40))  # enough for gw0 to help with, also where it comes last
def test_plain(n):
    time.sleep(0.2)

@pytest.mark.hardware("coral")
@pytest.mark.parametrize("n", range(8))
def test_detects(n, accelerator, record_property):
    assert accelerator.paths
    time.sleep(0.1)

def test_holds_none(request):
    if os.environ["PYTEST_XDIST_WORKER"] != "gw0":
        assert "PADDOCK_DEVICES_SIMULATED" not in os.environ
"""


def test_few_workers_hold_hardware_and_the_others_run_the_rest(run: Run) -> None:
    """One free device makes one such worker of three: tests that need it go there and nowhere else, and first."""
    asked = ("-n3", "--paddock-history=/dev/null", "--paddock-hardware=coral", "--paddock-simulate-hardware=1")
    result = run(*asked, "-v", files={"test_coral.py": MIXED})
    assert (result.code, result.counts) == (0, {"passed": 49}), result
    assert "1 of 3 workers hold hardware; the others run tests that need none" in result.out + result.err
    ran = re.findall(r"\[(gw\d)\] .*PASSED test_coral.py::(test_\w+)", result.out)
    assert {worker for worker, test in ran if test == "test_detects"} == {"gw0"}
    assert {worker for worker, test in ran if test == "test_plain"} == {"gw0", "gw1", "gw2"}
    of_its_own = [test for worker, test in ran if worker == "gw0"]
    assert of_its_own[:8] == ["test_detects"] * 8, "no plain test delays one that needs the device"


HOLDS = """
import pathlib, time
import pytest

@pytest.mark.hardware("coral")
def test_holds(accelerator):
    while not pathlib.Path("/tmp/go").exists():
        time.sleep(0.05)
"""
TABLE = f'[tool.paddock.devices.coral]\nresource = "{RESOURCE}"\n'


@pytest.fixture
def device() -> Iterator[None]:
    """One simulated device, whoever's runs come and go."""
    plugin = SimulatedHardware(1)
    try:
        wait_until(lambda: allocatable() == 1, WITHIN)
        yield
    finally:
        plugin.end()
        wait_until(lambda: allocatable() == 0, WITHIN)


def running(test: str) -> dict[str, str]:
    """Namespace in which the test runs -> whose run it is."""
    found = json.loads(kubectl("get", "namespaces", "--selector", names.RUN, "-o", "json"))["items"]
    runs = {
        one["metadata"]["name"]: one["metadata"]["labels"][names.RUN]
        for one in found
        if one["metadata"].get("annotations", {}).get(names.RUNNING, "").endswith(test)
    }
    holders = {one["metadata"]["labels"][names.RUN]: one["spec"]["holderIdentity"] for one in recorded()}
    return {namespace: holders[run] for namespace, run in runs.items()}


def recorded() -> list[Any]:
    listed = kubectl("get", "leases", f"--namespace={names.RUN_RECORDS_NAMESPACE}", "-o", "json")
    return list(json.loads(listed)["items"])


def waits() -> bool:
    return any(one["metadata"].get("annotations", {}).get(names.WAITS_FOR) == RESOURCE for one in recorded())


@contextmanager
def one_holds_and_one_waits(
    folder: Path, known: str, files: Mapping[str, str] | None = None
) -> Iterator[tuple[Future[Result], Future[Result]]]:
    """Two runs of two projects: the first one's test holds the device until /tmp/go is there, the second one waits."""
    for name in ("first", "second"):
        (folder / name).mkdir()
    asked, more = ("-v", known, "--paddock-hardware=coral"), {"pyproject.toml": TABLE, **(files or {})}
    with (
        project_folder("paddock-turn-first") as first,
        project_folder("paddock-turn-second") as second,
        ThreadPoolExecutor(2) as pool,
    ):
        holds = {**more, "test_coral.py": HOLDS}
        holding = pool.submit(runner(first, folder / "first"), "-n1", *asked, files=holds)
        wait_until(lambda: running("test_holds"), WITHIN)
        mixed = {"pyproject.toml": TABLE, "test_coral.py": MIXED}
        waiting = pool.submit(runner(second, folder / "second"), "-n2", *asked, files=mixed)
        wait_until(waits, WITHIN)
        yield holding, waiting


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("end", ["it is over", "it is killed"])
def test_a_run_waits_its_turn_for_what_another_holds(end: str, tmp_path: Path) -> None:
    """Its other tests run meanwhile; it says its place and who holds the device, and has it once that run is gone."""
    with one_holds_and_one_waits(tmp_path, "--paddock-history=/dev/null") as (holding, waiting):
        ((namespace, leader),) = running("test_holds").items()
        if end == "it is killed":
            os.kill(int(leader.split("/")[1]), signal.SIGKILL)
        else:
            kubectl("exec", f"--namespace={namespace}", "worker", "--", "touch", "/tmp/go")  # noqa: S108 - in the pod
        result, held = waiting.result(), holding.result()
    assert held.code == (0 if end == "it is over" else -signal.SIGKILL), held
    assert (result.code, result.counts) == (0, {"passed": 49}), result
    said = f"gw0 waits for its turn for {RESOURCE}, place 1; held by "
    assert said in result.out + result.err, result.out
    assert f"/gw0 ({leader.partition('/')[0]}, since 20" in result.out + result.err
    assert re.search(r"Z\); no estimate: the run \w+ has no recorded durations", result.out + result.err), result
    assert not waits()


@pytest.mark.usefixtures("device")
def test_who_waits_is_told_when_its_turn_is_expected(tmp_path: Path) -> None:
    """By what the run that holds the device knows of its tests from earlier runs; `paddock devices` says the same."""
    test = "test_coral.py::test_holds"
    known = history.measured(int(time.time()), {test: 200.0, name_of_needy(test, ["coral"]): 200.0}).text()
    files = {"known.jsonl": known}
    with one_holds_and_one_waits(tmp_path, "--paddock-history=known.jsonl", files) as (holding, waiting):
        ((namespace, _),) = running("test_holds").items()
        told = waiting_runs()
        kubectl("exec", f"--namespace={namespace}", "worker", "--", "touch", "/tmp/go")  # noqa: S108 - in the pod
        result, held = waiting.result(), holding.result()
    assert (held.code, result.code, result.counts) == (0, 0, {"passed": 49}), (held, result)
    assert "Z); expected in about 3 min" in result.out + result.err, result
    assert [one["unknown"] for one in told] == [""], told
    left = datetime.fromisoformat(told[0]["expected"]) - datetime.now(UTC)
    assert timedelta(0) < left < timedelta(seconds=200)


def waiting_runs() -> list[Any]:
    """Those that `paddock devices` lists."""
    command = [sys.executable, "-m", "paddock", "devices", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment())
    return list(json.loads(done.stdout)["waiting"])


def test_what_a_killed_plugin_has_left_is_used_again(tmp_path: Path) -> None:
    """Pods may hold it; one plugin has the simulated devices at a time, and an ended one leaves none."""
    folder = tmp_path / "simulated"
    first = Simulation(2, folder)
    assert first.acquire(lambda _: True)
    made = first.begin().paths
    assert len(made) == 2
    second = Simulation(1, folder)
    assert not second.acquire(lambda _: True)
    first._let_go()  # as its process ends
    assert second.acquire(lambda _: True)
    assert second.begin().paths == made[:1]
    assert [line.split()[0] for line in loops(folder)] == [made[0]]
    second.end()
    assert loops(folder) == []
    assert not folder.exists()


def test_hardware_that_no_node_has_is_refused_before_anything_is_made(run: Run) -> None:
    """With what there is instead, and how to get it."""
    table = '[tool.paddock.devices.coral]\npaths = ["/dev/apex_*"]'
    result = run("-n1", "--paddock-hardware=coral", files={"pyproject.toml": table})
    assert result.code == 4, result
    said = "A worker is to hold 1 of paddock.dev/coral, and no node has a healthy one (nodes: 1)."
    assert said in result.out + result.err
    assert "--paddock-simulate-hardware=N" in result.out + result.err
    assert result.last_line == "paddock: namespaces: created 0, deleted 0, left 0"
