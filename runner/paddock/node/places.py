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
PIN_FILE = STATE / "pin.json"
"""What the node was made of, for the next `up` to compare."""
MACHINE_FILE = STATE / "machine.json"
"""What ``up`` changed on the machine, for ``down`` to put back."""
ADMIN_KUBECONFIG = STATE / "admin.kubeconfig"


def cache_folder() -> Path:
    """Return the folder of built programs and images: ``PADDOCK_CACHE``, else by user.

    That is ``/var/cache/paddock`` for root and ``paddock`` in the user's own cache folder for others, who cannot start
    a node but use its tools. It outlives the node, so that the next ``up`` takes seconds; without a node, deleting it
    is safe.
    """
    if chosen := os.environ.get("PADDOCK_CACHE"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/paddock")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paddock"
