"""Files that a worker wrote come back over its stream, however it ended and through every cut."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from paddock.specs import Artifacts
from paddock.workers.artifacts import Gathering
from paddock.workers.stream import PodStream
from tests.contract.workers.places import ENDING
from tests.contract.workers.stream_contract import PATIENCE, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.workers.places import Place

PYTHON = [sys.executable, "-I", "-S", "-u", "-c"]
WRITE = "import os, sys; os.makedirs('out'); open('out/a.bin', 'w').write('from there'); "
LARGE = "open('out/large.bin', 'wb').write(os.urandom(12 << 20)); "


@contextmanager
def running(place: Place, program: str, wanted: Artifacts) -> Iterator[tuple[PodStream, Gathering]]:
    """Start a program at ``place`` whose files are wanted back."""
    stream, gathering = PodStream(place.dial, give_up=PATIENCE), Gathering(wanted)
    try:
        gathering.begin("gw0", stream, str(place.root))
        folders = [str(place.root)]
        stream.start([*PYTHON, program], env={"PATH": os.environ["PATH"]}, cwd="/", folders=folders)
        yield stream, gathering
    finally:
        stream.drop_artifacts()
        stream.kill()
        stream.wait(ENDING)
        gathering.finish(ENDING)


@pytest.fixture
def wanted(tmp_path: Path) -> Artifacts:
    """Ask for what lies below ``out``."""
    return Artifacts(patterns=("out",), folder=tmp_path / "back", size=50 << 20)


@pytest.mark.parametrize(
    ("end", "words"), [("", "0"), ("os._exit(9)", "9"), ("os.kill(os.getpid(), 11)", signal.SIGSEGV.name)]
)
def test_what_was_written_comes_back_however_it_ends(place: Place, wanted: Artifacts, end: str, words: str) -> None:
    """By itself, by a crash, in every place and through connections that are cut all the time."""
    program = f"import os; os.chdir({str(place.root)!r}); {WRITE}{LARGE}{end}"
    with running(place, program, wanted) as (stream, gathering):
        assert gathering.finish(60) == [f"artifacts: 2 files, 12.0 MiB, in {wanted.folder}"]
        status = stream.wait(PATIENCE)
        assert status
        assert words in f"{status.code} {signal.Signals(status.signal).name if status.signal else ''}"
    assert (wanted.folder / "gw0" / "out" / "a.bin").read_text() == "from there"
    assert (wanted.folder / "gw0" / "out" / "large.bin").stat().st_size == 12 << 20


def test_the_end_is_told_before_the_files_come(here: Place, wanted: Artifacts) -> None:
    """Nobody who waits for the worker waits for its files: more of them than the window holds are not read here."""
    stream = PodStream(here.dial, give_up=PATIENCE)
    try:
        stream.want_artifacts(str(here.root), wanted.patterns, wanted.size)
        program = f"import os; os.chdir({str(here.root)!r}); {WRITE}{LARGE}print('done')"
        stream.start([*PYTHON, program], env={}, cwd="/", folders=[str(here.root)])
        assert read_all(stream) == b"done\n"
        status = stream.wait(PATIENCE)
        assert status
        assert status.code == 0
        assert stream.gathered() is None
        while stream.read_artifacts(1 << 20):
            pass
        gathered = stream.gathered()
        assert gathered
        assert gathered["files"] == 2
    finally:
        stream.kill()


def test_a_killed_workers_files_come_back(here: Place, wanted: Artifacts) -> None:
    """After Ctrl-C, a worker that does not end is killed; what it wrote is sent all the same."""
    program = f"import os, time; os.chdir({str(here.root)!r}); {WRITE}print('!', flush=True); time.sleep(600)"
    with running(here, program, wanted) as (stream, gathering):
        assert stream.read(1) == b"!"
        stream.kill()
        assert gathering.finish(PATIENCE) == [f"artifacts: 1 file, 0.0 MiB, in {wanted.folder}"]


def test_artifacts_that_nobody_waits_for_hold_up_no_end(here: Place, wanted: Artifacts) -> None:
    """A client that drops them and kills is gone at once."""
    program = f"import os; os.chdir({str(here.root)!r}); {WRITE}{LARGE}"
    stream = PodStream(here.dial, give_up=PATIENCE)
    stream.want_artifacts(str(here.root), wanted.patterns, wanted.size)
    stream.start([*PYTHON, program], env={}, cwd="/", folders=[str(here.root)])
    assert stream.wait(PATIENCE)
    stream.drop_artifacts()
    assert stream.read_artifacts(1) == b""
    stream.kill()
    assert here.supervisor.wait(ENDING) == 0


def test_the_log_tells_what_was_packed(here: Place, wanted: Artifacts) -> None:
    """A person who reads the pod's log sees that something was taken away."""
    with running(here, f"import os; os.chdir({str(here.root)!r}); {WRITE}", wanted) as (stream, gathering):
        gathering.finish(PATIENCE)
        assert stream.wait(PATIENCE)
        assert here.supervisor.wait(ENDING) == 0
    assert "artifacts 1 files 0.0 MB" in here.log()
