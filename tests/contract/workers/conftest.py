from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.workers.stream import PodStream
from tests.contract.workers.places import PLACES, install, supervised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paddock.engines.protocol import WorkerStream
    from tests.contract.workers.places import Place
    from tests.contract.workers.stream_contract import StartWorker


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay the in-pod half out as in an image."""
    return install(tmp_path_factory.mktemp("lib"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder with a short name: a unix socket's path has at most 107 characters."""
    path = Path(tempfile.mkdtemp(prefix="paddock-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def here(library: Path, folder: Path) -> Iterator[Place]:
    """Run a supervisor on this machine, with the limits shortened."""
    with supervised(library, folder, options=["--orphan", "5", "--grace", "0.2"]) as made:
        yield made


def _may_unshare() -> bool:
    return (
        os.geteuid() == 0 and subprocess.run(["unshare", "-m", "-u", "-n", "-p", "true"], check=False).returncode == 0
    )


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, library: Path, folder: Path) -> Iterator[Place]:
    """Run a supervisor in each of the places."""
    if request.param == "pod" and not _may_unshare():
        pytest.skip("namespaces of one's own need root")
    with PLACES[request.param](library, folder) as made:
        yield made


@pytest.fixture
def pod(library: Path, folder: Path) -> Iterator[Place]:
    """Run a supervisor as the first process of namespaces of its own."""
    if not _may_unshare():
        pytest.skip("namespaces of one's own need root")
    with PLACES["pod"](library, folder) as made:
        yield made


@pytest.fixture
def start_worker(place: Place) -> Iterator[StartWorker]:
    """Start workers at ``place`` (one a supervisor) and end their streams."""
    with ExitStack() as streams:

        def start(program: str, on_stderr: Callable[[bytes], None] = lambda _line: None) -> WorkerStream:
            stream = PodStream(place.dial, on_stderr)
            streams.callback(stream.wait, 10)
            streams.callback(stream.kill)
            argv = [sys.executable, "-I", "-S", "-u", "-c", program]
            stream.start(argv, env={"PATH": os.environ["PATH"]}, cwd="/")
            return stream

        yield start
