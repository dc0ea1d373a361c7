"""Unpacks sources while they arrive.

Owns the reading of a gzip-compressed tar stream and what may be written: below its root only, without owners or
devices. It must not know where the bytes come from. Nothing of an archive is trusted: its names are a repository's.
"""

from __future__ import annotations

import gzip
import os
import queue
import tarfile
import threading
import time
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PORTION = 256 << 10
_STEP = 16 << 10  # what tarfile reads at once, and copies the rest of for each header


class UnpackError(Exception):
    """The archive is damaged or wants something it may not have; the text is a sentence."""


class Unpacked(NamedTuple):
    """What was unpacked, and how long it took in seconds."""

    files: int
    size: int
    seconds: float


def unpack(
    stream: IO[bytes],
    root: str,
    *,
    limit: int | None = None,
    check: Callable[[tarfile.TarInfo, str], None] = lambda _member, _root: None,
) -> Unpacked:
    """Unpack the archive in ``stream`` below ``root``, which is made if absent.

    Files there already are replaced. Symbolic links are made as they are, broken and absolute ones as well; nothing is
    ever written through one that leads out of ``root``. ``limit`` is the most bytes of the archive, uncompressed.
    ``check(member, root)`` may refuse a member by raising ``UnpackError``.

    Raises:
        UnpackError: the archive is damaged or too large, or a member is no file, folder or link below ``root``.
        OSError: the disk is full or ``root`` cannot be written.
    """
    began, files, size = time.monotonic(), 0, 0
    os.makedirs(root, exist_ok=True)  # noqa: PTH103 - pathlib takes 10 ms to import, at every start of a pod
    placing = _Placing(root)
    try:
        with _opened(stream, limit) as archive:
            for member in archive:
                check(member, root)
                placing.place(member, archive)
                files, size = files + member.isfile(), size + member.size
                # tarfile remembers all of them, for a seek that a stream cannot do
                archive.members.clear()  # type: ignore[attr-defined] # public, but not in typeshed
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UnpackError(f"The archive for {root} is damaged: {error}.") from error
    return Unpacked(files, size, time.monotonic() - began)


@contextmanager
def _opened(stream: IO[bytes], limit: int | None) -> Iterator[tarfile.TarFile]:
    # Not tarfile's own "r|gz": with each header it copies all that is decompressed, and 5000 small files take 9 s.
    with gzip.GzipFile(fileobj=stream, mode="rb") as content:
        source: Any = content if limit is None else _Bounded(content, limit)
        with tarfile.open(fileobj=source, mode="r|", bufsize=_STEP) as archive:
            yield archive


class _Bounded:
    """A stream that refuses to be longer than ``limit``: few bytes can be a huge archive once they are unpacked."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, count: int) -> bytes:
        data = self._stream.read(count)
        self._left -= len(data)
        if self._left < 0:
            raise UnpackError("The archive is larger than the files that were asked for may be.")
        return data


class _Placing:
    """Puts members at their places below one root."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._folders = {self._root}  # known to exist inside the root; a link put in place of one is refused by open()

    def place(self, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        path = self._path(member.name)
        if member.isdir():
            self._enter(path)
            return
        self._enter(os.path.dirname(path))  # noqa: PTH120 - see unpack
        if os.path.lexists(path):
            os.unlink(path)  # noqa: PTH108 - see unpack
        if member.issym():
            os.symlink(member.linkname, path)  # noqa: PTH211 - see unpack
        elif member.isreg():
            _write_file(path, member, archive)
        else:
            raise UnpackError(f"The sources hold {member.name!r}, which is neither file, folder nor symbolic link.")

    def _path(self, name: str) -> str:
        path = os.path.normpath(f"{self._root}/{name}")
        if not path.startswith(f"{self._root.rstrip('/')}/") or name.startswith("/"):
            raise UnpackError(f"The sources hold {name!r}, which lies outside {self._root}.")
        return path

    def _enter(self, folder: str) -> None:
        if folder in self._folders:
            return
        if os.path.realpath(folder) != folder:
            raise UnpackError(f"The sources lead through a symbolic link at {folder}, where nothing may be written.")
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - see unpack
        self._folders.add(folder)


def _write_file(path: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    content = archive.extractfile(member)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o644 | (member.mode & 0o111))  # of the archive's mode only "executable" counts
    with os.fdopen(descriptor, "wb") as file:
        while content and (data := content.read(_PORTION)):
            file.write(data)
        os.utime(file.fileno(), (member.mtime, member.mtime))  # bytecode is valid for its source's time


class Unpacker:
    """Unpacks in its own thread what is written to ``pipe``; ``on_done`` is called there when ``result`` is ready."""

    def __init__(self, root: str, on_done: Callable[[], None]) -> None:
        reading, writing = os.pipe()
        self.pipe: IO[bytes] = os.fdopen(writing, "wb", buffering=0)  # closed by whoever writes to it
        self._results: queue.SimpleQueue[Unpacked | str] = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(reading, root, on_done), name="unpack", daemon=True).start()

    def result(self) -> Unpacked | str:
        """Return what was unpacked, or a sentence why not."""
        return self._results.get()

    def _work(self, reading: int, root: str, on_done: Callable[[], None]) -> None:
        with os.fdopen(reading, "rb", buffering=_PORTION) as stream:
            try:
                result: Unpacked | str = unpack(stream, root)
                while stream.read(_PORTION):
                    pass  # the archive's padding
            except (UnpackError, OSError) as error:
                result = f"The sources could not be unpacked at {root}: {error}"
        self._results.put(result)
        on_done()
