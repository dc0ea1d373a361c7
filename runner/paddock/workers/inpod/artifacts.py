"""Packs the files that a worker wrote and that somebody wants back, as a gzip-compressed tar stream.

Owns the choice (pattern, written since the start, size limit) and the packing. It must not know where the bytes go.
"""

from __future__ import annotations

import gzip
import os
import queue
import tarfile
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING, NamedTuple

from paddock.workers.inpod import patterns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OVERHEAD = 2048
"""Bytes of the archive for each file beside its content, at most: headers and padding."""
_PORTION = 256 << 10
_SHOWN = 3  # names of files left out


class Wanted(NamedTuple):
    """What is wanted back."""

    root: str
    patterns: Sequence[str]
    """Of paths relative to ``root``."""
    size: int
    """Most bytes of all files together, each with ``OVERHEAD``."""


class Gathered(NamedTuple):
    """What was packed, and what was left out."""

    files: int = 0
    size: int = 0
    left_out: int = 0
    """Files beyond the limit."""
    left_size: int = 0
    names: Sequence[str] = ()
    """Of some that were left out."""
    error: str = ""
    """Why it ended early, as a sentence."""


class _Found(NamedTuple):
    path: str
    size: int


def mark(folder: str) -> int:
    """Return now, in nanoseconds, as the file system's clock has it: it ticks slower than the system's."""
    path = f"{folder}/started"
    with open(path, "wb"):  # noqa: PTH123 - pathlib takes 10 ms to import, at every start of a pod
        pass
    return os.lstat(path).st_ctime_ns


def pack(wanted: Wanted, since: int, stream: IO[bytes]) -> Gathered:
    """Write to ``stream`` the wanted files that were written after ``since``, see ``mark``; small ones first.

    Only files travel: a link to a file becomes that file, and linked folders are not looked into. With nothing to pack
    nothing is written.

    Raises:
        OSError: ``stream`` cannot be written.
    """
    taken: list[_Found] = []
    left: list[_Found] = []
    room = wanted.size
    for found in sorted(_written(wanted, since), key=lambda found: (found.size, found.path)):
        room -= found.size + OVERHEAD
        (taken if room >= 0 else left).append(found)
    if taken:
        _write(wanted.root, taken, stream)
    names = [found.path for found in left[:_SHOWN]]
    return Gathered(len(taken), sum(one.size for one in taken), len(left), sum(one.size for one in left), names)


def _written(wanted: Wanted, since: int) -> Iterator[_Found]:
    """Yield what changed after ``since``: nobody can set that time back, unlike a file's modification time."""
    for here, _, files in os.walk(wanted.root):
        for name in files:
            path = f"{here}/{name}"
            inside = path[len(wanted.root) :].lstrip("/")
            try:
                is_new = os.lstat(path).st_ctime_ns > since and patterns.matches(inside, wanted.patterns)
                if is_new and os.path.isfile(path):  # noqa: PTH113 - see mark
                    yield _Found(inside, os.path.getsize(path))  # noqa: PTH202 - see mark
            except OSError:
                continue  # gone meanwhile: something the worker left behind is still busy


def _write(root: str, taken: Sequence[_Found], stream: IO[bytes]) -> None:
    with (
        gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as content,
        tarfile.open(fileobj=content, mode="w|", bufsize=_PORTION, format=tarfile.GNU_FORMAT) as tar,
    ):
        for found in taken:
            _add(tar, root, found)


def _add(tar: tarfile.TarFile, root: str, found: _Found) -> None:
    try:
        file = open(f"{root}/{found.path}", "rb")  # noqa: PTH123, SIM115 - see mark; closed below
    except OSError:
        return
    with file:
        tar.addfile(_header(found, file), _Exactly(file))  # type: ignore[arg-type] # only its ``read`` is used


def _header(found: _Found, file: IO[bytes]) -> tarfile.TarInfo:
    status = os.fstat(file.fileno())
    member = tarfile.TarInfo(found.path)
    member.size, member.mtime, member.mode = found.size, int(status.st_mtime), status.st_mode & 0o777
    return member


class _Exactly:
    """A file that always has as many bytes as are asked for, since it may shrink while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, count: int) -> bytes:
        return self._file.read(count).ljust(count, b"\0")


class Packer:
    """Packs in its own thread into a pipe: ``pipe`` is read by whoever passes it on, ``result`` is ready at its end."""

    def __init__(self, wanted: Wanted, since: int) -> None:
        reading, writing = os.pipe()
        self.pipe: IO[bytes] = os.fdopen(reading, "rb", buffering=0)  # closed by whoever reads it
        self._results: queue.SimpleQueue[Gathered] = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(wanted, since, writing), name="artifacts", daemon=True).start()

    def result(self) -> Gathered:
        """Return what was packed."""
        return self._results.get()

    def _work(self, wanted: Wanted, since: int, writing: int) -> None:
        with suppress(OSError), os.fdopen(writing, "wb") as stream:  # the reader may have gone: nobody wants the rest
            try:
                result = pack(wanted, since, stream)
                stream.flush()
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for the result
                result = Gathered(error=f"The artifacts could not be packed: {error}.")
            self._results.put(result)  # before the pipe's end, at which somebody asks for it
