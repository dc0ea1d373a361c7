"""The embedded node: the real Kubernetes on this machine, built once, up in seconds, removed without a trace.

What other layers use::

    access() -> NodeAccess | None    how to reach the node, None when it is not up; takes well under a millisecond
    up(report=…) -> NodeAccess       make sure that it is up; does nothing when it is
    down(report=…)                   remove it with everything it made on the machine
    status() -> NodeStatus           its state, component by component
    tool("crane") -> Path            a built program (``crane``, ``kubectl``), built now if needed

Everything but :func:`access` is imported when first used. This layer knows Kubernetes only as programs and HTTPS:
it must not import the ``kubernetes`` client, pytest or any layer above it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from paddock.node.reaching import NodeAccess, access

if TYPE_CHECKING:
    from paddock.node.building import tool
    from paddock.node.lifecycle import down, up
    from paddock.node.statuses import ComponentStatus, NodeStatus, status

__all__ = ["ComponentStatus", "NodeAccess", "NodeStatus", "access", "down", "status", "tool", "up"]

_HOMES = {
    "ComponentStatus": "paddock.node.statuses",
    "NodeStatus": "paddock.node.statuses",
    "down": "paddock.node.lifecycle",
    "status": "paddock.node.statuses",
    "tool": "paddock.node.building",
    "up": "paddock.node.lifecycle",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - module attributes are of any type
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
