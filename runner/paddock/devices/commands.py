"""Runs the commands that are configured for devices, so that none of them holds anybody up.

It must not know what follows from a failure.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.devices.resources import Command, Device

_LONGEST_REASON = 200
_LET_GO = 1.0
"""Seconds for a killed process to be gone; one that the driver holds is left to the kernel."""


def failure(command: Command, device: Device) -> str:
    """Run a command for a device, and return why it failed; empty if it did not."""
    arguments = command.for_device(device)
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,  # it is killed with whatever it has started
            )
        except OSError as error:
            return f"{arguments[0]} cannot be run: {error.strerror}"
        try:
            code = process.wait(command.timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            return f"{arguments[0]} took longer than {command.timeout:g} s"
        output.seek(0)
        return "" if code == 0 else _reason(arguments[0], code, output.read())


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LET_GO)


def _reason(program: str, code: int, output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    said = f": {lines[-1].strip()[:_LONGEST_REASON]}" if lines else ""
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    return f"{program} {how}{said}"
