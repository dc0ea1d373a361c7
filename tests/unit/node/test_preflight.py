"""What cannot become a node is refused in a sentence with the remedy."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from paddock.errors import NodeError, UsageError
from paddock.node import machine, preflight, privilege
from paddock.node.preparing import MARKER

if TYPE_CHECKING:
    from pathlib import Path


class Usage(NamedTuple):
    """As shutil.disk_usage returns it."""

    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def fit_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that nothing is wrong with."""
    cgroups = tmp_path / "cgroup"
    cgroups.mkdir()
    (cgroups / "cgroup.controllers").touch()
    (cgroups / "cgroup.procs").touch()
    monkeypatch.setattr(machine, "CGROUPS", cgroups)
    monkeypatch.setattr(machine.cgroup_version, "__defaults__", (cgroups,))
    monkeypatch.setattr(machine.hierarchies, "__defaults__", (cgroups,))
    monkeypatch.setattr(machine, "file_systems", lambda: {"overlay"})
    monkeypatch.setattr(machine, "processes_called", lambda _name: [])
    monkeypatch.setattr(preflight, "KUBELET", tmp_path / "kubelet")
    monkeypatch.setattr(preflight, "STATE", tmp_path / "state" / "node")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(2**40, 0, 2**40))


def test_a_fit_machine_is_accepted() -> None:
    """The refusals below are not the answer to everything."""
    preflight.check()


def test_other_systems_are_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on Linux: a usage error that names the system and a cluster that works there."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError, match=r"Linux only and this is darwin: .*kind.*--paddock-context"):
        privilege.require_root()


def test_other_users_are_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not root: a usage error that names the user and both ways on."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match=r"needs root; this is user 1000\. Use sudo, or .*--paddock-context"):
        privilege.require_root()


def test_users_who_may_not_look_into_a_node_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They must not hear that it is broken; where there is no node, there is nothing to refuse."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    privilege.require_readable(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"belongs to root.*Use sudo"):
        privilege.require_readable(tmp_path)


def test_no_cgroups_are_refused() -> None:
    """The message says how to mount them."""
    (machine.CGROUPS / "cgroup.controllers").unlink()
    with pytest.raises(NodeError, match="mount -t cgroup2"):
        preflight.check()


def test_read_only_cgroups_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an ordinary container: the message says so."""
    monkeypatch.setattr(preflight, "_read_only", lambda _path: True)
    with pytest.raises(NodeError, match=r"read-only\. In a container, start it privileged"):
        preflight.check()


def test_a_kernel_without_overlayfs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the module to load."""
    monkeypatch.setattr(machine, "file_systems", lambda: {"ext4"})
    with pytest.raises(NodeError, match="modprobe overlay"):
        preflight.check()


def test_a_foreign_kubelet_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another kubelet's process is named, never touched."""
    monkeypatch.setattr(machine, "processes_called", lambda name: [4711] if name == "kubelet" else [])
    with pytest.raises(NodeError, match=r"Another kubelet runs .*4711.*--paddock-context"):
        preflight.check()


def test_a_folder_of_another_kubelet_is_left_alone(tmp_path: Path) -> None:
    """A filled folder without our marker is somebody's; with the marker, or empty, it is not in the way."""
    (tmp_path / "kubelet" / "pods").mkdir(parents=True)
    with pytest.raises(NodeError, match=r"belongs to another kubelet.*remove the folder"):
        preflight.check()
    (tmp_path / "kubelet" / MARKER).touch()
    preflight.check()


def test_a_full_disk_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both figures and the file system are named; the state folder need not exist yet."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(2**40, 2**40, 2**29))
    with pytest.raises(NodeError, match=r"needs 2 GiB of free disk.*has 0\.5 GiB"):
        preflight.check()
