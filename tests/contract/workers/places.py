"""Places where a supervisor can run, and ways to reach it: what the contract suites are run over."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.workers import inpod_files
from paddock.workers.connection import ProcessConnection, SocketConnection, connect_unix
from tests.contract.workers.proxy import CuttingProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from paddock.workers.connection import Connection

CUT = 0.02
"""Seconds that a connection lives in the place with cuts: a dozen frames' time."""
ENDING = 10.0
"""Seconds for a supervisor to end by itself."""


@dataclass(frozen=True)
class Place:
    """A running supervisor and how to dial it."""

    supervisor: subprocess.Popen[bytes]
    folder: Path
    """Holds the socket, the facts and the log, and is visible from both sides."""
    root: Path
    """Where sources may be unpacked; in a local pod it is seen from inside only."""
    library: Path
    dial: Callable[[], Connection]

    @property
    def socket(self) -> str:
        """Path of the supervisor's socket."""
        return str(self.folder / "worker.sock")

    def log(self) -> str:
        """Return what ``kubectl logs`` would show."""
        return (self.folder / "log").read_text(errors="replace")


def install(library: Path) -> Path:
    """Lay the in-pod half out as in an image: without ``__init__`` above it."""
    for name, content in inpod_files.files().items():
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_bytes(content)
    return library


@contextmanager
def supervised(
    library: Path,
    folder: Path,
    *,
    options: Sequence[str] = (),
    wrapper: Sequence[str] = (),
    root: Path | None = None,
) -> Iterator[Place]:
    """Run a supervisor; if it has not ended at the end, it is killed by its process id."""
    socket = str(folder / "worker.sock")
    argv = [*wrapper, *inpod_files.command(sys.executable, "supervise", socket, library=str(library)), *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log, env={"PATH": os.environ["PATH"]})
    attach = inpod_files.command(sys.executable, "attach", socket, library=str(library))
    try:
        yield Place(process, folder, root or folder / "root", library, lambda: ProcessConnection(attach))
    finally:
        process.kill()
        process.wait()


@contextmanager
def by_socket(library: Path, folder: Path) -> Iterator[Place]:
    """Reach a supervisor on this machine by its unix socket."""
    with supervised(library, folder) as place:
        yield Place(place.supervisor, folder, place.root, library, lambda: connect_unix(place.socket))


@contextmanager
def by_attach(library: Path, folder: Path) -> Iterator[Place]:
    """Reach it as an exec stream does, by a process that attaches."""
    with supervised(library, folder) as place:
        yield place


@contextmanager
def by_cut_connections(library: Path, folder: Path, period: float = CUT) -> Iterator[Place]:
    """Reach it through a network that resets every connection after a moment."""
    with supervised(library, folder) as place:
        proxy = CuttingProxy(place.socket, period)
        try:
            yield Place(place.supervisor, folder, place.root, library, lambda: SocketConnection(proxy.connect()))
        finally:
            proxy.close()


@contextmanager
def in_local_pod(library: Path, folder: Path) -> Iterator[Place]:
    """Run it as the first process of own process, mount, host name and network namespaces, with a disk of its own."""
    root = folder / "root"
    root.mkdir()
    script = f'mount -t tmpfs none "{root}" && hostname pod && exec "$@"'
    wrapper = ["unshare", "-m", "-u", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "pod"]
    with supervised(library, folder, wrapper=wrapper, root=root) as place:
        yield place


def await_condition(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds."""
    end, pause = time.monotonic() + ENDING, threading.Event()
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        pause.wait(0.005)


PLACES = {
    "socket": by_socket,
    "attach": by_attach,
    "cuts": by_cut_connections,
    "pod": in_local_pod,
}
