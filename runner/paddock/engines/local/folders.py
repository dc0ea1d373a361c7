"""The folder of one server: made, handed over to the user that it runs as, and the environment that goes with it.

It must not know which server it is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from paddock.engines.local.programs import User


def make(folder: Path, user: User | None) -> None:
    """Make the folder for ``user`` alone; one that is there from an earlier start is kept."""
    folder.mkdir(mode=0o700, exist_ok=True)
    hand_over(folder, user)


def hand_over(folder: Path, user: User | None) -> None:
    """Have what lies in the folder belong to ``user``, where that is not the invoking one."""
    if user is None:
        return
    os.chown(folder, user.uid, user.gid)
    for path in folder.iterdir():
        os.chown(path, user.uid, user.gid, follow_symlinks=False)


def environment(folder: Path) -> Mapping[str, str]:
    """Return what a server of ours needs of the environment, and nothing that could change what it is."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
