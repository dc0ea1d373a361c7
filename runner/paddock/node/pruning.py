"""What the cache holds, and the removal of what nobody has used for a while.

Owns the rules of what may go: old builds at any time, pushed and made images only while no node serves them.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.node.locking import locked
from paddock.node.places import LAYOUT_FILE, cache_folder
from paddock.node.reaching import access

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT_DAYS = 30.0
_DAY = 86400.0
_BUILD = re.compile(r"[a-z]+-[0-9a-f]{16}")
_IMAGES = ("images", "registry")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One part of the cache."""

    path: Path
    size: int
    """Bytes on the disk."""
    idle: float
    """Seconds since its last use."""
    needed: str
    """Why it stays; empty when it may go."""


def entries(*, days: float = KEPT_DAYS, images: bool = False) -> list[Entry]:
    """Return the parts of the cache, largest first; what was not used for ``days`` may go, and images if asked for."""
    cache = cache_folder()
    builds = [_build(folder, days) for folder in _folders(cache / "node") if _BUILD.fullmatch(folder.name)]
    kept = "" if images else "kept unless --images is given"
    stores = [_entry(folder, kept) for folder in _folders(cache) if folder.name in _IMAGES]
    return sorted([*builds, *stores], key=lambda entry: -entry.size)


def remove(chosen: list[Entry]) -> None:
    """Remove the entries that may go.

    Raises:
        UsageError: images are among them while a node is up, whose registry serves them.
    """
    going = [entry for entry in chosen if not entry.needed]
    if access() and any(entry.path.name in _IMAGES for entry in going):
        raise UsageError("The node is up and serves the images. Take it down first: `paddock node down`.")
    for entry in going:
        if entry.path.name == "images":
            _empty(entry.path)
        else:
            shutil.rmtree(entry.path, ignore_errors=True)


def _empty(images: Path) -> None:
    """Remove everything but the lock, which whoever makes images holds or waits for."""
    with locked(images / "lock"):
        for child in _folders(images):
            shutil.rmtree(child, ignore_errors=True)


def _build(folder: Path, days: float) -> Entry:
    if str(folder) in _running():
        return _entry(folder, "the node runs it")
    idle = time.time() - folder.stat().st_mtime
    return _entry(folder, "" if idle > days * _DAY else f"used within {days:g} days")


def _entry(folder: Path, needed: str) -> Entry:
    size = sum(_sizes(folder))
    return Entry(path=folder, size=size, idle=time.time() - folder.stat().st_mtime, needed=needed)


def _folders(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []


def _sizes(folder: Path) -> Iterator[int]:
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                yield os.lstat(os.path.join(place, name)).st_blocks * 512  # noqa: PTH118 - some hundred thousand files
            except FileNotFoundError:
                continue  # a run is at work in it


def _running() -> str:
    try:
        return LAYOUT_FILE.read_text()
    except OSError:
        return ""
