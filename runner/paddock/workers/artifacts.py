"""Files that tests wrote in their pods, on their way to this machine.

Owns the folder they come to, the threads that receive them and what is told of it. A pod is not trusted: what runs
there may send anything, so only plain files are made, below the worker's own folder, and no more than was asked for.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

from paddock import own_folders
from paddock.deadlines import Deadline
from paddock.workers.inpod.unpack import Unpacked, UnpackError, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from paddock.specs import Artifacts, ExitStatus

SLACK = 1 << 20
"""Bytes that an archive may be larger than the files in it were allowed to be."""
_PURPOSE = "what the last run's tests wrote. The next run removes it."
_WORKER = re.compile(r"gw\d+")
_MIB = 1 << 20


class Source(Protocol):
    """What is needed of a worker's stream, see ``PodStream``."""

    def want_artifacts(self, root: str, patterns: Sequence[str], size: int) -> None:
        """Ask for the artifacts."""

    def read_artifacts(self, count: int) -> bytes:
        """Return bytes of the archive."""

    def drop_artifacts(self) -> None:
        """Want no more of it."""

    def gathered(self) -> Mapping[str, Any] | None:
        """Return what the pod says of it."""

    def wait_started(self, timeout: float) -> int | None:
        """Return the worker's process id."""

    def wait(self, timeout: float) -> ExitStatus | None:
        """Return how the worker ended."""


def receive(read: Callable[[int], bytes], folder: Path, limit: int) -> Unpacked:
    """Unpack the archive that ``read`` gives below ``folder``, which is made if there is anything to unpack.

    Raises:
        UnpackError: it is damaged, larger than ``limit`` and ``SLACK`` bytes, or holds anything but plain files.
        OSError: the folder cannot be written.
    """
    begun = _Begun(read)
    if not begun.first:
        return Unpacked(0, 0, 0.0)
    return unpack(cast("IO[bytes]", begun), str(folder), limit=limit + SLACK, check=_check)


class _Begun:
    """A stream whose first bytes have been read already."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read, self.first = read, read(_MIB)

    def read(self, count: int = _MIB) -> bytes:
        if not self.first:
            return self._read(count)
        data, self.first = self.first[:count], self.first[count:]
        return data


def _check(member: tarfile.TarInfo, root: str) -> None:
    if not member.isreg():
        raise UnpackError(f"The archive holds {member.name!r}, which is no plain file.")
    if hasattr(tarfile, "data_filter"):  # of Python 3.11.4; ``unpack`` itself refuses what leads out of the folder
        tarfile.data_filter(member, root)


@dataclass(frozen=True)
class _Arrival:
    """What became of one worker's artifacts."""

    unpacked: Unpacked
    gathered: Mapping[str, Any]
    obstacle: str


class Gathering:
    """The artifacts of a run: ``begin`` for each worker before it starts, ``finish`` once."""

    def __init__(self, wanted: Artifacts) -> None:
        self._wanted = wanted
        self._arrivals: dict[str, _Arrival] = {}
        self._threads: dict[str, tuple[threading.Thread, Source]] = {}
        self._folder_lock = threading.Lock()
        clear(wanted.folder)

    def begin(self, worker: str, stream: Source, root: str) -> None:
        """Ask for the worker's artifacts and receive them whenever they come."""
        stream.want_artifacts(root, self._wanted.patterns, self._wanted.size)
        name = f"paddock-{worker}-artifacts"
        thread = threading.Thread(target=self._receive, args=(worker, stream), name=name, daemon=True)
        self._threads[worker] = thread, stream
        thread.start()

    def finish(self, seconds: float) -> list[str]:
        """Wait up to ``seconds`` for those still under way, and return what is to be told, in sentences."""
        deadline = Deadline(seconds)
        late = [worker for worker, under_way in self._threads.items() if not _joined(*under_way, deadline)]
        return [*self._summary(), *self._troubles(), *(_too_late(worker, seconds) for worker in sorted(late))]

    def _receive(self, worker: str, stream: Source) -> None:
        unpacked, obstacle = Unpacked(0, 0, 0.0), ""
        try:
            unpacked = receive(self._reading(stream), self._wanted.folder / worker, self._wanted.size)
        except (UnpackError, OSError) as error:
            obstacle = str(error)
            stream.drop_artifacts()
        gathered = stream.gathered()
        if gathered is None and not obstacle and stream.wait_started(0) is not None:
            status = stream.wait(0)
            obstacle = (status.cause if status else "") or "the stream to its pod ended first"
        self._arrivals[worker] = _Arrival(unpacked, gathered or {}, obstacle)

    def _reading(self, stream: Source) -> Callable[[int], bytes]:
        def read(count: int) -> bytes:
            data = stream.read_artifacts(count)
            if data:
                with self._folder_lock:
                    own_folders.make(self._wanted.folder, own_folders.ARTIFACTS, _PURPOSE)
            return data

        return read

    def _summary(self) -> Iterator[str]:
        arrived = self._arrivals.values()
        files, size = sum(one.unpacked.files for one in arrived), sum(one.unpacked.size for one in arrived)
        if files:
            yield f"artifacts: {_count(files)}, {size / _MIB:.1f} MiB, in {self._wanted.folder}"
        elif not any(one.obstacle or one.gathered.get("left_out") for one in arrived):
            yield f"artifacts: tests wrote no file that matches {', '.join(self._wanted.patterns)}"

    def _troubles(self) -> Iterator[str]:
        for worker, one in sorted(self._arrivals.items()):
            if one.gathered.get("left_out"):
                yield (
                    f"artifacts of {worker}: {_count(one.gathered['left_out'])}, "
                    f"{one.gathered['left_size'] / _MIB:.1f} MiB, did not come, such as "
                    f"{', '.join(one.gathered['names'])}: one worker may send {self._wanted.size / _MIB:.0f} MiB. "
                    "Allow more with --paddock-artifacts-size."
                )
            if obstacle := one.obstacle or one.gathered.get("error"):
                yield f"artifacts of {worker} did not all come: {obstacle}"


def _joined(thread: threading.Thread, stream: Source, deadline: Deadline) -> bool:
    """Wait for the thread, and end it at the deadline; return whether it ended by itself."""
    thread.join(deadline.remaining())
    if not thread.is_alive():
        return True
    stream.drop_artifacts()
    thread.join()
    return False


def _too_late(worker: str, seconds: float) -> str:
    return (
        f"artifacts of {worker} took longer than {seconds:g} s; those that came are there. "
        "Allow more with --paddock-artifacts-limit."
    )


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"


def clear(folder: Path) -> None:
    """Remove what an earlier run has put into ``folder``; a folder that Paddock did not make is left as it is."""
    if not own_folders.is_ours(folder, own_folders.ARTIFACTS):
        return
    for place in folder.iterdir():
        if _WORKER.fullmatch(place.name) and place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
