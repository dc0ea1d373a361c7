"""Processes named so that a reused process id is never mistaken for the old process.

Owns reading ``/proc`` and sending signals by identity. It must not know what the processes are for.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE_FIELD = 0  # fields of /proc/PID/stat behind the command's closing parenthesis, see proc(5)
_START_FIELD = 19


@dataclass(frozen=True)
class ProcessIdentity:
    """A process id together with its start time in clock ticks since boot: unique until the next boot."""

    pid: int
    started: int

    def alive(self) -> bool:
        """Tell whether this very process still runs; a zombie does not."""
        fields = _stat_fields(self.pid)
        return bool(fields) and int(fields[_START_FIELD]) == self.started and fields[_STATE_FIELD] not in "ZX"

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal if the process still runs; a process that is gone already is no error."""
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if self.alive():  # checked while the descriptor pins the identity, so no other process can be hit
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for the end of the process, child or not; tell whether it ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            return not self.alive() or is_readable(descriptor, seconds)
        finally:
            os.close(descriptor)


def boot() -> str:
    """Return the id of this boot: what was noted before another boot is about processes and mounts long gone."""
    return BOOT_ID.read_text().strip()


def of_this_boot(noted: Mapping[str, object]) -> bool:
    """Tell whether a record with the key ``boot`` was written since this boot; one without is of an earlier version."""
    return noted.get("boot", boot()) == boot()


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a running process, or None when there is none with that id."""
    fields = _stat_fields(pid)
    return ProcessIdentity(pid, int(fields[_START_FIELD])) if fields else None


def myself() -> ProcessIdentity:
    """Return the identity of the calling process."""
    return ProcessIdentity(os.getpid(), int(_stat_fields(os.getpid())[_START_FIELD]))


def inheritable_descriptors() -> list[int]:
    """Return the open files, beyond the standard three, that a program started by this process would inherit."""
    numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return [number for number in numbers if number > 2 and _is_inheritable(number)]  # noqa: PLR2004 - stdin, stdout, stderr


def _is_inheritable(descriptor: int) -> bool:
    with suppress(OSError):  # the one that listed them is closed by now
        return os.get_inheritable(descriptor)
    return False


def proportional_memory(pid: int) -> int:
    """Return a process' proportional set size in bytes (shared pages divided among their users), 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def is_readable(descriptor: int, seconds: float | None) -> bool:
    """Wait up to ``seconds``, or for ever, until there is something to read: for a process, that it has ended."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(None if seconds is None else seconds * 1000))


def _stat_fields(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []
