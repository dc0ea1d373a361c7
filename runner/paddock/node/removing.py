"""Takes a node off the machine, whatever state it is in: processes, mounts, networks, cgroups, settings, files.

Each step can be repeated and starts from what the kernel says, not from what we remember, so a removal that was
killed midway is carried on by the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock.errors import NodeError
from paddock.node import cgroups, firewall, handing, links, mounts, preparing
from paddock.node.layout import from_json
from paddock.node.places import LAYOUT_FILE, MACHINE_FILE, STATE
from paddock.node.processes import of_this_boot
from paddock.node.statuses import read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paddock.node.layout import NodeLayout

_PATIENCE = 20.0  # seconds for the kernel to let go of killed processes, their cgroups and network namespaces
_POLL = 0.01
_CNI_RESULTS = Path("/var/lib/cni/results")
_CONTAINER_LOGS = Path("/var/log/containers")


def remove(report: Callable[[str], None]) -> None:
    """Remove everything of the node; nothing there is no error.

    Raises:
        NodeError: something is left; the message names it.
    """
    if not STATE.exists():
        return
    report("removing the node")
    # Both are written before anything else is done to the machine, and removed after all of it was undone.
    if LAYOUT_FILE.exists() and MACHINE_FILE.exists():
        _remove_from_machine(from_json(LAYOUT_FILE.read_text()))
    handing.take_back()
    shutil.rmtree(STATE)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder and those inside it as far as no files are in them; a folder that is not there is no error."""
    for inner, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # not empty, and so not only ours
            Path(inner).rmdir()


def _remove_from_machine(layout: NodeLayout) -> None:
    ours = (layout.state, layout.runtime, layout.kubelet)
    _end_processes(layout)
    _until(lambda: mounts.detach_below(ours), lambda: f"mounts: {_sentence(mounts.below(ours))}")
    _until(lambda: cgroups.remove(layout.cgroup), lambda: f"cgroups called {layout.cgroup}")
    noted = json.loads(MACHINE_FILE.read_bytes())
    if of_this_boot(noted):  # a reboot took all this, and what is there now by the same name is somebody else's
        _take_from_kernel(layout, noted)
    _remove_files(layout, noted["absent"])


def _take_from_kernel(layout: NodeLayout, noted: dict[str, Any]) -> None:
    _until(lambda: not links.into(layout.pod_network), lambda: f"links: {_sentence(links.into(layout.pod_network))}")
    firewall.remove(layout.binaries.system / "nft")
    cgroups.take_back(noted.get("controllers", cgroups.delegated()))  # not noted by nodes of earlier versions
    _restore_settings(noted["settings"])


def _end_processes(layout: NodeLayout) -> None:
    """Kill the supervisor first, so that it restarts nothing; then all others until no new ones appear."""
    status = read_status()
    for process in [status.supervisor, *(each.process for each in status.components)]:
        if process is not None:
            process.kill()
    _until(lambda: cgroups.kill_all(layout.cgroup), lambda: f"processes: {_sentence(cgroups.processes(layout.cgroup))}")


def _restore_settings(settings: dict[str, str]) -> None:
    for name, value in settings.items():
        if preparing.read_setting(name) != value:
            preparing.write_setting(name, value)


def _remove_files(layout: NodeLayout, absent: Sequence[str]) -> None:
    if (layout.kubelet / preparing.MARKER).exists():
        _remove_marked(layout.kubelet)
    for result in _CNI_RESULTS.glob("paddock-*"):
        result.unlink(missing_ok=True)
    for link in _CONTAINER_LOGS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(layout.state):
            link.unlink()
    shutil.rmtree(layout.runtime, ignore_errors=not layout.runtime.exists())
    for folder in (*absent, str(layout.runtime.parent)):
        remove_if_empty(Path(folder))


def _remove_marked(folder: Path) -> None:
    """Remove a folder, the file that says it is ours last: whoever carries on must still see it."""
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        elif child.name != preparing.MARKER:
            child.unlink()
    shutil.rmtree(folder)


def _until(done: Callable[[], bool], left: Callable[[], str]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise NodeError(
                f"After {_PATIENCE:.0f} s the node still has {left()}. `paddock node down` again carries on."
            )
        time.sleep(_POLL)


def _sentence(items: object) -> str:
    return ", ".join(map(str, items)) if isinstance(items, (list, set, tuple)) else str(items)
