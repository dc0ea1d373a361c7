"""The files by which all users and runs of this machine hold its devices: locked as long as somebody holds one.

A device is locked by one, or by as many as may share it: these lock their share as well, and hold the device's own
lock in common, so that who wants it alone has to wait for all of them. Beside them lies the line of those who take
turns with it, see ``devices.leases``. Files stay: removing one that another run has open would make two locks of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from paddock.devices import leases
from paddock.devices.resources import LINE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paddock.devices.resources import Device, Hardware

_FOLDERS = (Path("/run/lock"), Path(tempfile.gettempdir()))
"""Where locks may lie: /run/lock is for that (FHS 3.0, 5.9), and not every system has it."""
_NAME = "paddock-devices"


class Locked(NamedTuple):
    """A device that is held."""

    device: Device
    descriptors: tuple[int, ...]
    """Those that hold the locks; the last one's file says who that is."""


def shared_folder() -> Path:
    """Return the folder in which all users of this machine lock devices, made if it is not there."""
    folder = next(one for one in _FOLDERS if os.access(one, os.W_OK)) / _NAME
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o1777)
    return folder


def known_folders() -> list[Path]:
    """Return where devices may have been locked."""
    return [folder / _NAME for folder in _FOLDERS]


def file_of(device: Device, folder: Path) -> Path:
    """Return the file that stands for a device."""
    return folder / device.paths[0].strip("/").replace("/", "-")


def line_of(device: Device, kind: Hardware, folder: Path) -> str:
    """Return the file by which those who share the device take turns, made if it is not there; empty if they do not."""
    return leases.make(f"{file_of(device, folder)}{LINE_SUFFIX}") if kind.has_turns else ""


def take(device: Device, kind: Hardware, share: int, folder: Path) -> Locked | None:
    """Return what holds a share of a device, or ``None`` if others hold that, or all of it."""
    file = file_of(device, folder)
    whole = lock(file, shared=kind.shares > 1)
    if whole is None or kind.shares == 1:
        return None if whole is None else Locked(device, (whole,))
    part = lock(file_of_share(device, kind, share, folder))
    if part is None:
        os.close(whole)
        return None
    return Locked(device, (whole, part))


def lock(path: Path, *, shared: bool = False) -> int | None:
    """Return a descriptor that holds the lock, whose file names nobody yet, or ``None`` if somebody else does."""
    descriptor = leases.opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_NB | (fcntl.LOCK_SH if shared else fcntl.LOCK_EX))
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not shared:
        os.ftruncate(descriptor, 0)  # who held it before may be named there
    return descriptor


def sign(locked: Locked, who: str) -> None:
    """Write who holds a device, for those who wait for it."""
    descriptor = locked.descriptors[-1]
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(who).encode(), 0)


def file_of_share(device: Device, kind: Hardware, share: int, folder: Path) -> Path:
    """Return the file in which whoever holds a share of a device is named."""
    file = file_of(device, folder)
    return file if kind.shares == 1 else file.with_name(f"{file.name}.{share}")


def signed(path: Path) -> str:
    """Return who holds a device by what a file of its locks says, empty for nobody.

    It may be read only where the lock was found to be held: the file of one that is free keeps the name.
    """
    try:
        return str(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return ""


def close(every: Iterable[Locked]) -> None:
    """Let devices go."""
    for descriptor in (descriptor for locked in every for descriptor in locked.descriptors):
        os.close(descriptor)
