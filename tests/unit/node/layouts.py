"""A layout for tests that never touch a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paddock.node.layout import Binaries, NodeLayout

PROGRAMS = Path("/cache/node")


def layout(**changes: Any) -> NodeLayout:
    """Return a layout of a cgroup v1 machine, with ``changes``."""
    binaries = Binaries(
        kubernetes=PROGRAMS / "kubernetes-1",
        containerd=PROGRAMS / "containerd-1",
        cni=PROGRAMS / "cni-1",
        registry=PROGRAMS / "registry-1",
        system=PROGRAMS / "system",
    )
    facts: dict[str, Any] = {
        "address": "192.0.2.2",
        "binaries": binaries,
        "images": Path("/cache/registry"),
        "pause_image": "localhost:5055/paddock/pause:1",
        "cgroup_version": 1,
        "restrict_oom_score_adj": True,
        "name_servers": ("192.0.2.53",),
    }
    return NodeLayout(**facts | changes)
