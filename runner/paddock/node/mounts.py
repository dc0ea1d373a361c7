"""Mounts below given folders: found in the kernel's table, detached innermost first."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE = Path("/proc/self/mountinfo")
_MOUNT_POINT = 4  # field of a line of mountinfo, see proc(5)
_DETACH = 2  # MNT_DETACH, see umount(2): also where a process outside still stands in the mount
_NO_MOUNT = (errno.EINVAL, errno.ENOENT)


def points(table: str) -> list[str]:
    """Return the mount points of a mountinfo table; the kernel writes a space and the like as three octal digits."""
    fields = (line.split()[_MOUNT_POINT] for line in table.splitlines())
    return [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), field) for field in fields]


def below(folders: Sequence[Path], table: Path = TABLE) -> list[Path]:
    """Return the mount points inside (or at) the folders, those mounted last first."""
    found = [Path(point) for point in reversed(points(table.read_text(errors="surrogateescape")))]
    return [point for point in found if any(point.is_relative_to(folder.resolve()) for folder in folders)]


def detach_below(folders: Sequence[Path]) -> bool:
    """Detach every mount below the folders; tell whether there was none left that could be.

    A mount hidden under another one is listed, but no name leads to it: it cannot be and is none of ours.

    Raises:
        OSError: the kernel refused one.
    """
    return not [point for point in below(folders) if _detach(point)]


def _detach(point: Path) -> bool:
    library = ctypes.CDLL(None, use_errno=True)
    if library.umount2(os.fsencode(point), _DETACH) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_MOUNT:
        return False
    raise OSError(code, os.strerror(code), str(point))
