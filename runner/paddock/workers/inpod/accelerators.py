"""What device plugins tell a container of its devices, for the worker: its environment is else the controller's.

Runs in the pod with the standard library alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEVICES = "PADDOCK_DEVICES_"
"""Beginning of the variables in which our own plugin tells which devices a container holds, a variable a kind."""
_VENDORS = "_VISIBLE_DEVICES"
"""End of those of vendors' plugins: CUDA's, ROCm's, NVIDIA's container toolkit's and others'."""


def handed_out(container: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the container's environment that are about its devices."""
    found: dict[str, str] = {}
    for name, value in container.items():
        if name.startswith(DEVICES):
            found |= {name: value} | {other: container[other] for other in _variables(value) if other in container}
        elif name.endswith(_VENDORS):
            found[name] = value
    return found


def _variables(value: str) -> list[str]:
    """Return the names of the variables that are configured for a kind."""
    try:
        return [str(name) for name in json.loads(value)["variables"]]
    except (ValueError, KeyError, TypeError):
        return []  # an older plugin's, or somebody else's
