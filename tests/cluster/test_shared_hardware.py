"""Tests that share an accelerator, through the real kubelet: the device is simulated, everything else is not."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from paddock.cli import main
from paddock.devices import leases, simulation
from paddock.fixtures.conditions import wait_until
from tests.cluster.on_the_node import project_folder, runner
from tests.cluster.own_node import kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paddock.devices.leases import Claim
    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

WITHIN = 60.0
TABLE = '[tool.paddock.devices.coral]\npaths = ["/dev/apex_*"]\nshares = 3\n'
TESTS = """
import json, os, pathlib, signal, time
import pytest
from paddock.devices import leases
from paddock.fixtures.conditions import wait_until

WORKER = os.environ["PADDOCK_WORKER"]

def line():
    (device,) = json.loads(os.environ["PADDOCK_DEVICES_SIMULATED"])["devices"]
    return [one.worker for each in leases.standing([pathlib.Path(device["line"]).parent]) for one in each]

@pytest.fixture
def claimed(accelerator):
    assert os.getuid() != 0
    (path,) = accelerator.paths
    descriptor = os.open(path, os.O_RDWR | os.O_EXCL)  # the kernel lets one at a time
    yield path
    os.close(descriptor)

@pytest.mark.hardware("coral")
@pytest.mark.parametrize("n", range(18))
def test_detects(n, claimed, record_property):
    record_property("device", f"{WORKER} {claimed}")
    time.sleep(0.05)
    if WORKER == "gw0" and DIES:
        wait_until(lambda: set(line()) == {"gw0", "gw1", "gw2"}, 60)
        os.kill(os.getpid(), signal.SIGKILL)

def test_plain(): pass
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with project_folder("paddock-shared") as project:
        yield runner(project, tmp_path)


def files(tests: str) -> dict[str, str]:
    return {"pyproject.toml": TABLE, "test_coral.py": tests}


ASKED = ("-n3", "-v", "--paddock-history=/dev/null", "--paddock-hardware=coral", "--paddock-simulate-hardware=1")


def lines() -> list[list[Claim]]:
    """Who stands in the lines of the simulated devices, as the node sees it."""
    return [list(one) for one in leases.standing([simulation.FOLDER])]


def test_three_workers_use_one_device_in_turn(run: Run) -> None:
    """Each has it alone as long as its test runs, set-up and tear-down with it; afterwards nothing is left of it."""
    result = run(*ASKED, "--junitxml=junit.xml", files=files(TESTS.replace("DIES", "False")))
    assert (result.code, result.counts) == (0, {"passed": 19}), result
    used = re.findall(r'name="device" value="(gw\d) (/dev/loop\d+)"', (result.folder / "junit.xml").read_text())
    assert ({worker for worker, _ in used}, len({device for _, device in used})) == ({"gw0", "gw1", "gw2"}, 1)
    wait_until(lambda: not simulation.FOLDER.exists(), WITHIN)


def test_the_next_has_the_device_when_its_holder_is_killed(run: Run) -> None:
    """While the other two wait for their turn; who replaces it comes behind them."""
    result = run(*ASKED, files=files(TESTS.replace("DIES", "True")))
    assert (result.code, result.counts) == (1, {"passed": 18, "failed": 1}), result
    assert re.search(r"worker 'gw0' crashed while running .*test_detects", result.out), result
    assert {worker for worker, test in result.ran if "test_detects" in test} >= {"gw1", "gw2"}


HOLDS = """
import pathlib, time
import pytest

@pytest.mark.hardware("coral")
@pytest.mark.parametrize("n", range(12))
def test_holds(n, accelerator):
    while not pathlib.Path("/tmp/go").exists():
        time.sleep(0.05)
"""


def test_whose_turn_it_is_can_be_seen(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """On the node, in the cluster, and in the run's terminal, where somebody waits for long."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, *ASKED, files=files(HOLDS))
        wait_until(lambda: [len(one) for one in lines()] == [3], WITHIN)
        ((now, *then),) = lines()
        wait_until(lambda: turns(capsys) == [(f"{now.run}/{now.worker}", sorted(told(then)))], WITHIN, pause=0.5)
        for one in (now, *then):  # not gw0 to gw2 in any case: a pod that kubelet refused was replaced
            kubectl("exec", f"--namespace=paddock-{now.run}-{one.worker}", "worker", "--", "touch", "/tmp/go")  # noqa: S108 - in the pod
        result = running.result()
    assert (result.code, result.counts) == (0, {"passed": 12}), result
    said = (
        rf"{then[0].worker} waits for its turn with loop\d+ of 'coral', to run .*: {now.run}/{now.worker} has it since"
    )
    assert re.search(said, result.out), result


def told(then: list[Claim]) -> list[str]:
    return [f"{one.run}/{one.worker}" for one in then]


def turns(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, list[str]]]:
    """What the command lists as it would on another machine: by what the workers say alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paddock.cli.devices.folders", list)
        assert main.main(["devices", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["turns"]
    return [(one["now"], sorted(one["then"])) for one in found]
