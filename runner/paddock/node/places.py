"""The fixed places of the embedded node on this machine, and nothing else.

Imported at the start of every pytest run, so it must stay free of other imports than the standard library's cheapest.
"""

from __future__ import annotations

import os
from pathlib import Path

STATE = Path("/var/lib/paddock/node")
"""Everything that ``down`` removes: keys, configuration, logs, etcd's and containerd's data."""

LOCK = Path("/var/lib/paddock/node.lock")
"""Held while ``up`` or ``down`` changes the node."""

RUNTIME = Path("/run/paddock/node")
"""Sockets, network namespaces, addresses of pods: what a reboot may take away."""

KUBELET = Path("/var/lib/kubelet")
"""Kubelet's root folder: parts of it, ``device-plugins`` among them, are compiled into kubelet."""

LAYOUT_FILE = STATE / "layout.json"
STATUS_FILE = STATE / "status.json"
ACCESS_FILE = STATE / "access.json"
MACHINE_FILE = STATE / "machine.json"
"""What ``up`` changed on the machine, for ``down`` to put back."""
ADMIN_KUBECONFIG = STATE / "admin.kubeconfig"


def cache_folder() -> Path:
    """Return the folder of built programs and images: ``PADDOCK_CACHE``, or ``/var/cache/paddock``.

    It outlives the node, so that the next ``up`` takes seconds; deleting it is always safe.
    """
    return Path(os.environ.get("PADDOCK_CACHE") or "/var/cache/paddock")
