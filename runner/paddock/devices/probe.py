"""Whether a device that somebody holds is well: by the command of its kind, or because its nodes can be opened.

Owns what counts as sick, and that no look takes for ever. It must not know who holds the device, nor what follows.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from typing import TYPE_CHECKING

from paddock.devices import commands
from paddock.devices.resources import SIMULATED, Device, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from paddock.devices.resources import Command

_SECONDS = 15.0
"""For a node to be opened: a driver may never come back, and a busy machine may keep a thread waiting."""
_SAYS_NOTHING = {errno.EBUSY, errno.EACCES, errno.EPERM}
"""Of a device: somebody uses it, or it is not for this user."""


def sickness(device: Device, command: Command | None) -> str:
    """Return why a device is sick; empty if it is well.

    ``command`` is its kind's, which is asked where its program is there: what a node has, a pod may lack.
    """
    if command and shutil.which(command.arguments[0]):
        return commands.failure(command, device)
    return next(filter(None, map(_unopened, device.paths)), "")


def held(kinds: Iterable[str], environment: Mapping[str, str]) -> list[tuple[str, Device]]:
    """Return the devices of these kinds that a process with this environment holds, each with its kind.

    Where simulated ones stand in for a kind it is all of those: nothing tells them apart.
    """
    told = {kind: environment.get(variable(kind)) or environment.get(variable(SIMULATED), "{}") for kind in kinds}
    return [
        (kind, Device(id=one["id"], paths=tuple(one["paths"]), line=one.get("line", "")))
        for kind, text in told.items()
        for one in json.loads(text).get("devices", ())
    ]


def _unopened(path: str) -> str:
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(_open(path)), name=f"probe-{path}", daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return said[0] if said else f"{path} could not be opened within {_SECONDS:g} s"


def _open(path: str) -> str:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY))
    except OSError as error:
        return "" if error.errno in _SAYS_NOTHING else f"{path} cannot be opened: {error.strerror}"
    return ""
