"""The node's cgroups, in version 1 and 2 alike: made by ``up``, all processes in them, removed by ``down``.

Owns the folders called after the node in every hierarchy. Being in there is what marks a process as the node's,
whoever started it: it is inherited and cannot be lost as a process id can.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock.errors import NodeError
from paddock.node.machine import CGROUPS, hierarchies
from paddock.node.processes import identify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_COMPONENTS = "node"  # below the node's cgroup, beside kubelet's `kubepods`
_TRACKING = ("pids", "memory", "systemd")  # version 1: the hierarchies that need no set-up before a process may enter
_DELEGATED = "cgroup.subtree_control"  # version 2: what children have, see cgroups(7)
_KUBELETS_CONTROLLERS = {"cpu", "cpuset", "hugetlb", "memory", "pids"}
_PRESETS = ("cpuset.cpus", "cpuset.mems")


def make(name: str, root: Path = CGROUPS) -> None:
    """Make the node's cgroup in every hierarchy.

    Raises:
        NodeError: version 2, and a controller cannot be handed to cgroups below the root.
    """
    _delegate(root)
    for hierarchy in hierarchies(root):
        (hierarchy / name / _COMPONENTS).mkdir(parents=True, exist_ok=True)
        for preset in _PRESETS:  # version 1: empty in a new cgroup, and then no process may enter
            with suppress(OSError):
                (hierarchy / name / preset).write_text((hierarchy / preset).read_text())


def delegated(root: Path = CGROUPS) -> list[str]:
    """Return the controllers that cgroups below the root have; version 1 knows no such thing."""
    return _read(root / _DELEGATED).split()


def take_back(before: Sequence[str], root: Path = CGROUPS) -> None:
    """Leave only the controllers of ``before`` to cgroups below the root; those in use by others stay."""
    for controller in set(delegated(root)) - set(before):
        with suppress(OSError):
            (root / _DELEGATED).write_text(f"-{controller}")


def _delegate(root: Path) -> None:
    """Version 2: hand kubelet's controllers down, for it refuses a cgroup without any of those that the kernel has."""
    available = set(_read(root / "cgroup.controllers").split())
    wanted = sorted(available & _KUBELETS_CONTROLLERS - set(delegated(root)))
    try:
        if wanted:
            (root / _DELEGATED).write_text(" ".join(f"+{controller}" for controller in wanted))
    except OSError as error:
        raise NodeError(
            f"The cgroup controllers {', '.join(wanted)} cannot be used below {root} ({error.strerror}). "
            "In a container, start it privileged and with the host's cgroup namespace (`--cgroupns=host`).",
        ) from error


def enter(name: str, root: Path = CGROUPS) -> None:
    """Move the calling process into the components' cgroup; its children are born there."""
    (_tracking_hierarchy(root) / name / _COMPONENTS / "cgroup.procs").write_text(str(os.getpid()))


def processes(name: str, root: Path = CGROUPS) -> set[int]:
    """Return the ids of all processes of the node: components, shims and what runs in pods."""
    files = [file for folder in _folders(name, root) for file in [folder / "cgroup.procs"]]
    return {int(pid) for file in files for pid in _read(file).split()}


def kill_all(name: str, root: Path = CGROUPS) -> bool:
    """Kill every process of the node that is there now; tell whether there was none."""
    found = [process for pid in processes(name, root) if (process := identify(pid)) and process.alive()]
    for process in found:
        process.kill(signal.SIGKILL)
    return not found


def remove(name: str, root: Path = CGROUPS) -> bool:
    """Remove the node's empty cgroups, innermost first; tell whether none is left."""
    for folder in reversed(list(_folders(name, root))):
        with suppress(OSError):  # busy until its last process is quite gone
            folder.rmdir()
    return not any(True for _ in _folders(name, root))


def _folders(name: str, root: Path) -> Iterator[Path]:
    for hierarchy in hierarchies(root):
        for folder, _, _ in os.walk(hierarchy / name):
            yield hierarchy / os.path.relpath(folder, hierarchy)


def _tracking_hierarchy(root: Path) -> Path:
    known = {path.name: path for path in hierarchies(root)}
    return next((known[each] for each in _TRACKING if each in known), hierarchies(root)[0])


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""
