"""Commands for devices hold nobody up, and say why they failed."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from paddock.devices.commands import failure
from paddock.devices.resources import Command, Device

DEVICE = Device(id="apex_0", paths=("/dev/apex_0",))


def run(*arguments: str, timeout: float = 60.0) -> str:
    return failure(Command(arguments=arguments, timeout=timeout), DEVICE)


def is_alive(process: str) -> bool:
    """Whether it runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_that_passes_has_no_failure() -> None:
    """It is asked about the device."""
    assert run("/bin/sh", "-c", 'test "$0" = /dev/apex_0', "{path}") == ""


def test_a_command_that_fails_says_why() -> None:
    """With the last line that it wrote."""
    assert run("/bin/sh", "-c", "echo first; echo too hot >&2; exit 3") == "/bin/sh ended with 3: too hot"
    assert run("/bin/sh", "-c", "kill -9 $$") == "/bin/sh was ended by signal 9"
    assert run("/nowhere/check") == "/nowhere/check cannot be run: No such file or directory"


def test_a_command_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """It counts as failed after its time."""
    begun = time.monotonic()
    script = f"sleep 600 & echo $! > {tmp_path}/child; wait"
    assert run("/bin/sh", "-c", script, timeout=0.5) == "/bin/sh took longer than 0.5 s"
    assert time.monotonic() - begun < 300
    child, end = (tmp_path / "child").read_text().strip(), time.monotonic() + 60
    while is_alive(child) and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert not is_alive(child)
