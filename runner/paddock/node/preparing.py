"""Makes the machine ready for a node, and notes first what ``down`` has to put back.

Owns the files of the state folder and the kernel settings. It must not start anything.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.node import cgroups, configuration, pki
from paddock.node.places import ADMIN_KUBECONFIG, LAYOUT_FILE, MACHINE_FILE
from paddock.node.processes import boot

if TYPE_CHECKING:
    from paddock.node.layout import NodeLayout

MARKER = ".paddock"
"""File in kubelet's root folder that says it is ours."""

SETTINGS = {
    "net/ipv4/ip_forward": "1",
    "fs/inotify/max_user_instances": "8192",
    "fs/inotify/max_user_watches": "524288",
}
"""Kernel settings raised for the node: pods are routed, and 128 inotify instances, the default, are soon used up."""

_CHANGED_BY_KUBELET = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")
_CHANGED_BY_KEYRINGS = ("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")
RECORDED = (*SETTINGS, *_CHANGED_BY_KUBELET, *_CHANGED_BY_KEYRINGS)
_RAISED_ONLY = ("fs/inotify/max_user_instances", "fs/inotify/max_user_watches")

OUTSIDE = (
    "/etc/cni",
    "/opt/cni",
    "/run/containerd",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
    "/var/run/kubernetes",
)
"""Folders outside the state folder that components make although nobody asked them; the paths are compiled in."""


def prepare(layout: NodeLayout) -> None:
    """Write everything that the components read and set the kernel up; the layout first, for ``down`` goes by it."""
    _note_the_machine(layout)
    _write(LAYOUT_FILE, layout.to_json(), durable=True)
    _make_folders(layout)
    wanted = pki.identities(node=layout.name, address=layout.address, service_address=layout.kubernetes_service)
    pki.write(layout.keys, wanted)
    _write_configuration(layout)
    cgroups.make(layout.cgroup)
    for setting, value in SETTINGS.items():
        _set(setting, value)


def rewrite(layout: NodeLayout) -> None:
    """Write layout and configuration over those that the node was started with; its keys stay."""
    _write(LAYOUT_FILE, layout.to_json(), durable=True)
    _write_configuration(layout)


def read_setting(name: str) -> str | None:
    """Return a kernel setting, None where this kernel has no such one."""
    with suppress(OSError):
        return Path("/proc/sys", name).read_text().strip()
    return None


def write_setting(name: str, value: str) -> None:
    """Change a kernel setting; one that is not there or may not be changed stays."""
    with suppress(OSError):
        Path("/proc/sys", name).write_text(value)


def _note_the_machine(layout: NodeLayout) -> None:
    layout.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    layout.state.chmod(0o700)
    facts = {
        "boot": boot(),
        "settings": {name: value for name in RECORDED if (value := read_setting(name)) is not None},
        "controllers": cgroups.delegated(),
        "absent": [path for path in OUTSIDE if not Path(path).exists()],
    }
    _write(MACHINE_FILE, json.dumps(facts), durable=True)


def _make_folders(layout: NodeLayout) -> None:
    for folder in (layout.configuration, layout.logs, layout.images, layout.kubelet, layout.runtime):
        folder.mkdir(parents=True, exist_ok=True)
    layout.runtime.chmod(0o700)
    (layout.kubelet / MARKER).touch()


def _write_configuration(layout: NodeLayout) -> None:
    shutil.rmtree(layout.configuration)
    for name, text in configuration.files(layout).items():
        _write(layout.configuration / name, text)
    _write(ADMIN_KUBECONFIG, configuration.admin_kubeconfig(layout))


def _write(path: Path, text: str, *, durable: bool = False) -> None:
    """Write a file whole or not at all; a ``durable`` one is whole after a power cut too, for a removal goes by it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    temporary.touch(mode=0o600)
    with temporary.open("w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)


def _set(setting: str, value: str) -> None:
    present = read_setting(setting) or "0"
    if setting in _RAISED_ONLY and int(present) >= int(value):
        return
    write_setting(setting, value)
