"""Simulated accelerators, for machines that have none: loop devices, which the real plugin hands out.

Owns making and removing them, with util-linux's losetup. Nothing of them computes; that they are exclusive the kernel
sees to, where they are opened with ``O_EXCL``. It must not know gRPC or clusters.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.devices.resources import SIMULATED, Command, Hardware, own_resource
from paddock.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path("/run/paddock-simulated")
"""Of the files behind the devices, and of the lock: one plugin has them at a time. Gone with the last of them, and not
below the node's own folders, which go without asking."""
RESOURCE = own_resource(SIMULATED)
_SIZE = 1 << 20
"""Bytes of each: a loop device has to have some."""
_LOCK, _LINES = "lock", "lines"
_LOOK = 1.0
_TIMEOUT = 10.0
_NO_LOSETUP = "Simulated hardware is made with losetup, which is not on PATH; it is part of util-linux."


class Simulation:
    """Up to ``count`` simulated devices on this machine; ``shares`` and ``in_turn`` are a kind's, see ``Hardware``."""

    def __init__(self, count: int, folder: Path = FOLDER, shares: int = 1, *, in_turn: bool = True) -> None:
        self._count, self._folder, self._shares, self._in_turn = count, folder, shares, in_turn
        self._lock: int | None = None

    def acquire(self, wait: Callable[[float], bool]) -> bool:
        """Wait until no other plugin has them; ``wait(seconds)`` says when to give up, which this returns as false.

        Raises:
            InfrastructureError: this user may not.
        """
        self._open()
        while not self._locked():
            if wait(_LOOK):
                self._let_go()
                return False
            self._open()  # who had it may have removed it
        return True

    def _open(self) -> None:
        self._let_go()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InfrastructureError(
                f"Simulated hardware needs the folder {self._folder}: {error.strerror}. Only root can make devices."
            ) from None

    def _locked(self) -> bool:
        if self._lock is None:
            return False
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(self._lock), (self._folder / _LOCK).stat())
        except (BlockingIOError, FileNotFoundError):
            return False

    def begin(self) -> Hardware:
        """Make what is not there yet, and return it as hardware; what a plugin that was killed has left is used.

        Raises:
            InfrastructureError: a device cannot be made.
        """
        attached = self._attached()
        paths = []
        for number in range(self._count):
            file = self._folder / f"{number}.img"
            paths.append(attached.pop(str(file), "") or self._attach(file))
        self._detach(attached)
        check = Command(arguments=(_losetup(), "{path}"), timeout=_TIMEOUT)  # fails for one that is detached
        return Hardware(
            kind=SIMULATED,
            resource=RESOURCE,
            paths=tuple(paths),
            health=check,
            health_period=_LOOK,
            permissions="rw",
            shares=self._shares,
            in_turn=self._in_turn,
            lines=str(self._folder / _LINES),
        )

    def end(self) -> None:
        """Remove all of them; one that a pod still holds goes when that lets go."""
        if self._lock is not None:
            if self._locked():
                self._detach(self._attached())
                for file in (*self._folder.glob("*.img"), self._folder / _LOCK):
                    file.unlink(missing_ok=True)
                shutil.rmtree(self._folder / _LINES, ignore_errors=True)
                with suppress(OSError):  # something else is in it, or another plugin has just begun
                    self._folder.rmdir()
            self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    def _attach(self, file: Path) -> str:
        with file.open("wb") as image:
            image.truncate(_SIZE)
        return _run("--find", "--show", str(file)).strip()

    def _attached(self) -> dict[str, str]:
        """Return file -> device of those that are there."""
        pairs = (
            line.split(maxsplit=1) for line in _run("--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines()
        )
        return {file.strip(): device for device, file in pairs if file.startswith(f"{self._folder}/")}

    def _detach(self, attached: dict[str, str]) -> None:
        for file, device in attached.items():
            if not file.endswith("(deleted)"):  # it goes by itself when whoever holds it lets go
                _run("--detach", device)


def _losetup() -> str:
    found = shutil.which("losetup", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise InfrastructureError(_NO_LOSETUP)
    return found


def _run(*arguments: str) -> str:
    try:
        done = subprocess.run([_losetup(), *arguments], capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise InfrastructureError(f"losetup {' '.join(arguments)} took longer than {_TIMEOUT:g} s.") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise InfrastructureError(
            f"A simulated device cannot be made or removed: {said}. Root can, on Linux with loop devices."
        )
    return done.stdout
