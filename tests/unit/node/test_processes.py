"""Processes by identity."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from paddock.node.processes import ProcessIdentity, identify, myself, proportional_memory

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing until it is ended."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def identity(child: subprocess.Popen[bytes]) -> ProcessIdentity:
    found = identify(child.pid)
    assert found is not None
    return found


def test_a_process_is_alive_until_it_ends(child: subprocess.Popen[bytes]) -> None:
    """Also when its parent has not collected it: a zombie is not alive."""
    process = identity(child)
    assert process.alive()
    assert not process.wait(0.0)
    process.kill(signal.SIGTERM)
    assert process.wait(5.0)
    assert not process.alive()
    child.wait()
    assert process.wait(0.0)


def test_a_reused_process_id_is_another_process(child: subprocess.Popen[bytes]) -> None:
    """Same id, other start: neither alive nor killed."""
    earlier = replace(identity(child), started=1)
    assert not earlier.alive()
    earlier.kill()
    assert child.poll() is None


def test_no_process_has_no_identity() -> None:
    """An id out of range is nobody, and killing nobody is no error."""
    assert identify(2**22 + 1) is None
    ProcessIdentity(2**22 + 1, 1).kill()
    assert proportional_memory(2**22 + 1) == 0


def test_this_process_knows_itself() -> None:
    """Identity and memory of the running interpreter are plausible."""
    assert myself().alive()
    assert 1_000_000 < proportional_memory(myself().pid) < 10**10
