"""Who may use the embedded node, and where."""

from __future__ import annotations

import os
import sys

from paddock.errors import UsageError


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
