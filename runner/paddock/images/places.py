"""Where the cache of images lies. On the start path of every run, so it imports what is there anyway."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """Return the default folder: ``/var/cache/paddock/images``, for others than root below ``~/.cache``.

    The environment variable ``PADDOCK_CACHE`` replaces the part before ``images``.
    """
    default = "/var/cache/paddock" if os.geteuid() == 0 else Path("~/.cache/paddock").expanduser()
    return Path(os.environ.get("PADDOCK_CACHE") or default) / "images"


def image_record(cache: Path, name: str, tag: str) -> Path:
    """Return the file that tells of a finished image; its time is that of the last use."""
    return cache / "images" / f"{name}-{tag}.json"
