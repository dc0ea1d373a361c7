"""A worker that its run leaves to itself ends in its own time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from paddock.workers.stream import PodStream
from tests.contract.workers.places import ENDING
from tests.contract.workers.stream_contract import PATIENCE

if TYPE_CHECKING:
    from tests.contract.workers.places import Place

PYTHON = [sys.executable, "-I", "-S", "-u", "-c"]


def started(here: Place, program: str) -> PodStream:
    stream = PodStream(here.dial, give_up=PATIENCE)
    stream.start([*PYTHON, program], env={}, cwd="/", folders=[str(here.root)])
    assert stream.read(1) == b"!"
    return stream


def test_who_is_left_is_read_no_more_and_not_killed(here: Place) -> None:
    """Its reader has the end at once; a kill, as at every run's end, does nothing; it says its last word itself."""
    go = here.root / "go"
    program = (
        "import atexit, os, time; atexit.register(lambda: open('out', 'w').write('whole')); "
        f"os.chdir({str(here.root)!r}); print('!', flush=True)\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    )
    stream = started(here, program)
    assert stream.leave()
    assert stream.read(1) == b""
    stream.kill()
    go.touch()
    status = stream.wait(PATIENCE)
    assert status
    assert status.code == 0
    assert (here.root / "out").read_text() == "whole"
    assert here.supervisor.wait(ENDING) == 0


def test_who_has_ended_is_not_left(here: Place) -> None:
    """There is nothing to wait for: its pod may go at once."""
    stream = started(here, "print('!', flush=True)")
    assert stream.wait(PATIENCE)
    assert not stream.leave()
    stream.kill()
    assert here.supervisor.wait(ENDING) == 0
