"""Refuses what cannot become a node, each reason in a sentence with the remedy, before anything is changed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from paddock.errors import NodeError
from paddock.node import cgroups, machine
from paddock.node.places import KUBELET, STATE
from paddock.node.preparing import MARKER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_FREE_BYTES_TO_RUN = 2 * 2**30  # a worker image unpacked is 0.5-1 GB


def check() -> None:
    """Refuse a machine that a new node cannot be started on.

    Raises:
        NodeError: the first reason found.
    """
    for one in CHECKS.values():
        one()


def _check_cgroups() -> None:
    if not machine.cgroup_version():
        raise NodeError(
            f"The node needs cgroups, and none are mounted at {machine.CGROUPS}. "
            "Mount them (`mount -t cgroup2 none /sys/fs/cgroup`), or give this container a writable cgroup tree.",
        )
    closed = [str(path) for path in machine.hierarchies() if not os.access(path, os.W_OK)]
    if closed or _read_only(machine.CGROUPS):
        raise NodeError(
            f"The node needs to make cgroups, and {', '.join(closed) or machine.CGROUPS} is read-only. "
            "In a container, start it privileged.",
        )


def _read_only(path: Path) -> bool:
    hierarchy = machine.hierarchies()[0] if machine.hierarchies() else path
    return bool(os.statvfs(hierarchy).f_flag & os.ST_RDONLY)


def _check_file_system() -> None:
    if "overlay" not in machine.file_systems():
        raise NodeError(
            "The node needs overlayfs for its images, and this kernel has none loaded. Load it: `modprobe overlay`.",
        )


def _check_foreign_kubelet(folder: Path) -> None:
    ours = cgroups.processes("paddock")
    foreign = [pid for pid in machine.processes_called("kubelet") if pid not in ours]
    if foreign:
        raise NodeError(
            f"Another kubelet runs on this machine (process {foreign[0]}), and two share folders that are compiled in. "
            "Use that cluster with --paddock-context, or stop its kubelet first.",
        )
    if folder.is_dir() and not (folder / MARKER).exists() and any(folder.iterdir()):
        raise NodeError(
            f"{folder} belongs to another kubelet: it has no {MARKER} file of ours. "
            "Use that cluster with --paddock-context; or, if it is gone for good, remove the folder.",
        )


def _check_space(path: Path) -> None:
    existing = next(each for each in (path, *path.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if free < _FREE_BYTES_TO_RUN:
        raise NodeError(
            f"The node needs {_FREE_BYTES_TO_RUN / 2**30:.0f} GiB of free disk, but the file system of {existing} has "
            f"{free / 2**30:.1f} GiB. Free some.",
        )


CHECKS: Mapping[str, Callable[[], None]] = {
    "cgroups": _check_cgroups,
    "overlayfs": _check_file_system,
    "kubelets": lambda: _check_foreign_kubelet(KUBELET),
    "disk": lambda: _check_space(STATE),
}
"""What a machine must pass, by name; each raises NodeError with reason and remedy."""
