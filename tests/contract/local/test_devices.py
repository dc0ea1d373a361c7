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


def test_what_this_machine_has_not_is_refused(run: Run) -> None:
    """In a line, before anything is made."""
    result = run(
        "-n1", ASKED, files={"pyproject.toml": '[tool.paddock.devices.tester]\npaths = ["/dev/paddock-none-*"]\n'}
    )
    assert result.code == 4, result
    assert "A worker is to hold 1 of 'tester', and this machine has 0 (/dev/paddock-none-*)." in result.out + result.err
