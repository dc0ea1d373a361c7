"""Who may use the embedded node, and where."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from paddock.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def require_readable(state: Path) -> None:
    """Refuse to tell about a node that this user may not look into.

    Raises:
        UsageError: the state folder is there and closed.
    """
    if state.exists() and not os.access(state, os.R_OK | os.X_OK):
        raise UsageError(
            f"The node belongs to root and this is user {os.geteuid()}, who may not read {state}. Use sudo."
        )


def require_root() -> None:
    """Refuse other systems than Linux, and other users than root.

    Raises:
        UsageError: the embedded node cannot be used here, or not by this user.
    """
    if sys.platform != "linux":
        raise UsageError(
            f"The embedded node runs on Linux only and this is {sys.platform}: name a cluster of your own, "
            "such as one made by kind or Docker Desktop, with --paddock-context.",
        )
    if os.geteuid() != 0:
        raise UsageError(
            f"The embedded node starts containers and so needs root; this is user {os.geteuid()}. "
            "Use sudo, or name a cluster of your own with --paddock-context.",
        )
