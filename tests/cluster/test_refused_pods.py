"""Pods of services that the real kubelet refuses, or whose device goes before they start: others take their places."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.fixtures.conditions import wait_until
from tests.cluster.on_the_node import project_folder, runner
from tests.cluster.own_node import kubectl
from tests.contract.plugin.running import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

WITHIN = 60.0
RESOURCE = "paddock.dev/stubborn"
DEVICE = Path("/dev/paddock-stubborn-0")
PLUGIN = """
import os, sys, threading
import grpc
from paddock.cli.main import main
from paddock.devices import serving

way, left, config = sys.argv[1], int(sys.argv[2]), sys.argv[3]
allocate = serving.Servicer.Allocate

def stubborn(self, request, context):
    global left
    left -= 1
    if left < 0:
        return allocate(self, request, context)
    if way == "refuses":
        context.abort(grpc.StatusCode.UNAVAILABLE, "the plugin is not in the mood")
    answer = allocate(self, request, context)
    path, device = answer.container_responses[0].devices[0].host_path, os.makedev(1, 5)
    os.unlink(path)
    threading.Timer(5, os.mknod, (path, 0o020600, device)).start()
    return answer

serving.Servicer.Allocate = stubborn
sys.exit(main(["device-plugin", f"--config={config}", "--until-eof"]))
"""
"""The real plugin, but for its first answers to Allocate: it refuses, or the device is unplugged right behind them."""
TABLE = f"""
[tool.paddock.devices.stubborn]
paths = ["{DEVICE.with_name("paddock-stubborn-*")}"]

[tool.paddock.services.inference]
port = 8080
command = ["python", "-m", "http.server", "8080"]
readiness = "tcp"
hardware = "stubborn"
"""
TESTS = """
import pytest

@pytest.mark.hardware("stubborn")
def test_uses_it(accelerator_service): pass

def test_plain(): pass
"""
FILES = {"pyproject.toml": TABLE, "test_stubborn.py": TESTS}
ASKED = ("-n1", "-v", "--paddock-history=/dev/null", "--paddock-hardware=stubborn")
REFUSED = "[gw0] The pod of the service 'inference' was refused, {} of 3: "


def allocatable() -> int:
    (found,) = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    return int(found["status"]["allocatable"].get(RESOURCE, "0"))


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Callable[[str, int], None]]:
    """Begins a plugin that is stubborn in this way for so many times; its device is the kernel's endless zeros."""
    config, running = tmp_path / "devices.yaml", list[subprocess.Popen[bytes]]()
    config.write_text(f"devices: {{stubborn: {{paths: [{DEVICE.with_name('paddock-stubborn-*')}]}}}}\n")
    os.mknod(DEVICE, stat.S_IFCHR | 0o600, os.makedev(1, 5))

    def begin(way: str, times: int) -> None:
        command = (sys.executable, "-P", "-c", PLUGIN, way, str(times), str(config))
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=clean_environment()))
        wait_until(lambda: allocatable() == 1, WITHIN)

    yield begin
    for one in running:
        one.communicate(timeout=WITHIN)
    DEVICE.unlink(missing_ok=True)
    wait_until(lambda: allocatable() == 0, WITHIN)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with project_folder("paddock-refused-pods") as project:
        yield runner(project, tmp_path)


@pytest.mark.parametrize(
    ("way", "times", "words"),
    [("refuses", 1, "the plugin is not in the mood"), ("refuses", 2, "not in the mood"), ("unplugs", 1, str(DEVICE))],
)
def test_another_pod_takes_the_place_of_a_refused_one(
    way: str, times: int, words: str, run: Run, plugin: Callable[[str, int], None]
) -> None:
    """Each refusal is told once with its cause, and no test fails for it."""
    plugin(way, times)
    result = run(*ASKED, files=FILES)
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    said = result.out + result.err
    first, second, third = (said.count(REFUSED.format(number)) for number in (1, 2, 3))
    assert (first, third) == (1, 0), result
    # A device that is back may not have been told of when the second pod comes, a second after the first.
    assert second == int(times > 1) or way == "unplugs", result
    told = said.partition(REFUSED.format(1))[2].splitlines()[0]
    assert words in told
    assert told.endswith("Another is made in 1 s.")
    assert result.last_line == "paddock: namespaces: created 1, deleted 1, left 0"


def test_after_three_refusals_the_tests_say_why(run: Run, plugin: Callable[[str, int], None]) -> None:
    """The others pass; nobody waits any longer."""
    plugin("refuses", 99)
    result = run(*ASKED, files=FILES)
    assert (result.code, result.counts) == (1, {"passed": 1, "error": 1}), result
    said = result.out + result.err
    assert [said.count(REFUSED.format(number)) for number in (1, 2, 3)] == [1, 1, 1], result
    assert said.count("No other is made.") == 1
    assert "the plugin is not in the mood" in result.out.partition("ERROR at setup of test_uses_it")[2]
