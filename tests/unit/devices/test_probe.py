"""Which devices count as sick."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from paddock.devices import probe
from paddock.devices.resources import Command, Device, Hardware

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def terminal() -> Iterator[tuple[str, int]]:
    """A device node that is there as long as its other end is open."""
    ours, theirs = os.openpty()
    path = os.ttyname(theirs)
    os.close(theirs)
    yield path, ours
    os.close(ours)


def device(*paths: str) -> Device:
    return Device(id="d0", paths=paths)


def test_a_device_whose_nodes_can_be_opened_is_well(terminal: tuple[str, int]) -> None:
    """One that is gone, or leads nowhere, is not."""
    path, _ = terminal
    assert probe.sickness(device(path, "/dev/null"), None) == ""
    assert (
        probe.sickness(device("/dev/null", f"{path}9"), None) == f"{path}9 cannot be opened: No such file or directory"
    )


def test_a_device_that_is_in_use_is_not_sick_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that is for other users."""
    for error in (BlockingIOError(16, "busy"), PermissionError(13, "no")):

        def refuse(*_: object, error: OSError = error) -> int:
            raise error

        monkeypatch.setattr(os, "open", refuse)
        assert probe.sickness(device("/dev/x"), None) == ""


def test_a_driver_that_does_not_come_back_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its device is sick."""
    release = threading.Event()
    monkeypatch.setattr(probe, "_SECONDS", 0.01)
    monkeypatch.setattr(probe, "_open", lambda _: str(release.wait(60)))
    assert probe.sickness(device("/dev/x"), None) == "/dev/x could not be opened within 0.01 s"
    release.set()
    for thread in threading.enumerate():
        if thread.name == "probe-/dev/x":
            thread.join(60)


def test_the_command_of_its_kind_decides_where_there_is_one(tmp_path: Path) -> None:
    """It is asked about the device's path; in a pod that lacks it, whether the nodes can be opened."""
    check = tmp_path / "check"
    command = Command(arguments=(str(check), "{path}"), timeout=30)
    assert probe.sickness(device("/dev/null"), command) == ""
    check.write_text('#!/bin/sh\necho "$1 coughs"; exit 3\n')
    check.chmod(0o755)
    assert probe.sickness(device("/dev/null"), command).endswith("check ended with 3: /dev/null coughs")


def test_what_a_process_holds_stands_in_its_environment() -> None:
    """Simulated devices stand in for a kind that it has none of; of other kinds there is nothing."""
    kinds = {kind: Hardware(kind=kind, resource="r", paths=("/dev/x",)) for kind in ("coral", "simulated")}
    own = kinds["coral"].environment_with([device("/dev/a")])
    stand_in = kinds["simulated"].environment_with([device("/dev/loop0")])
    found = probe.held(["coral", "gpu"], {**own, **stand_in})
    assert [(kind, one.paths) for kind, one in found] == [("coral", ("/dev/a",)), ("gpu", ("/dev/loop0",))]
    assert probe.held(["gpu"], own) == []
