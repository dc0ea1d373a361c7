"""What a test can leave behind on this machine, and how to see it: one function a kind, each well under a millisecond.

It must not know pytest; ``leaks.py`` decides when to look and what to do about it.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Seen = Mapping[object, str]
    """Identity of a thing -> the words that describe it."""

NODE_MOUNTS = ("/run", "/var/lib/kubelet", "/var/lib/paddock", "/var/cache/paddock", "/sys/fs/cgroup")
"""The embedded node mounts and unmounts here for its pods all the time, whatever test runs meanwhile."""

CNI_NAMESPACES = "cni-"
"""containerd names the network namespaces of pods so; they come and go with the node's pods."""

PYTEST_OWN = {"PYTEST_CURRENT_TEST", "PYTEST_VERSION"}
"""Variables that pytest sets itself, between our two looks."""

HARMLESS_FILES = ("/dev/null", "/dev/urandom")
"""The interpreter and libraries open these once and keep them."""


@dataclass(frozen=True)
class Kind:
    """One kind of trace: how to see what there is, and how to compare two looks."""

    look: Callable[[], Seen]
    compare: Callable[[Seen, Seen], list[str]]


def appeared(before: Seen, after: Seen) -> list[str]:
    """Describe what is there now and was not before."""
    return [words for identity, words in after.items() if identity not in before]


def changed(before: Seen, after: Seen) -> list[str]:
    """Describe every difference: these are values to be restored, not things to be closed."""
    names = sorted(before.keys() | after.keys(), key=str)
    return [
        f"{name}: {before.get(name, 'unset')} -> {after.get(name, 'unset')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def threads() -> Seen:
    """See the running threads, daemons too."""
    return {id(thread): f"{thread.name} ({type(thread).__name__})" for thread in threading.enumerate()}


def processes() -> Seen:
    """See the children of this process, the dead but unread ones too."""
    children = (_children(path) for path in _proc("task/*/children"))
    return {pid: f"pid {pid} ({_command(pid)})" for pids in children for pid in pids}


def _children(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []  # the thread has ended since it was listed; its children are another thread's by now


def _proc(pattern: str) -> Iterator[Path]:
    return Path("/proc/self").glob(pattern)


def _command(pid: str) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip() or "ended"
        )
    except OSError:
        return "gone"


def files() -> Seen:
    """See the open files, pipes and sockets."""
    targets = {number: _target(number) for number in _numbers()}
    return {
        (number, target): f"{number} -> {target}"
        for number, target in targets.items()
        if target and target not in HARMLESS_FILES
    }


def _numbers() -> list[str]:
    return os.listdir("/proc/self/fd") if Path("/proc/self/fd").is_dir() else []  # noqa: PTH208 - names, not paths, and fast


def _target(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - the target of a socket is no path
    except OSError:
        return ""  # the folder listing's own descriptor, closed by now


def mounts() -> Seen:
    """See the mounts, but for the node's own."""
    lines = [line.split() for path in _proc("mounts") for line in path.read_text(encoding="utf-8").splitlines()]
    inside = tuple(f"{place}/" for place in NODE_MOUNTS)
    return {(line[0], line[1]): f"{line[0]} on {line[1]}" for line in lines if not f"{line[1]}/".startswith(inside)}


def network_namespaces() -> Seen:
    """See the named network namespaces, but for those of pods."""
    folder = Path("/run/netns")
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return {name: name for name in names if not name.startswith(CNI_NAMESPACES)}


def environment() -> Seen:
    """See the environment variables."""
    return {name: value for name, value in os.environ.items() if name not in PYTEST_OWN}


def folder() -> Seen:
    """See the current folder."""
    try:
        return {"current folder": str(Path.cwd())}
    except FileNotFoundError:
        return {"current folder": "deleted"}


KINDS: Mapping[str, Kind] = {
    "thread": Kind(threads, appeared),
    "process": Kind(processes, appeared),
    "file": Kind(files, appeared),
    "mount": Kind(mounts, appeared),
    "network namespace": Kind(network_namespaces, appeared),
    "environment": Kind(environment, changed),
    "folder": Kind(folder, changed),
}
