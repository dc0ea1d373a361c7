"""Which files a worker needs from here, and the one archive of them that all workers of a run share.

Owns the choice and the packing; ``inpod.unpack`` is its other half. It must not know where the archive goes.

One ``SourceSet`` has one root. Files outside it, such as an editable sibling's, are a set of their own with their own
root (see ``choice``): a stream takes any number of archives before it starts the worker.
"""

from __future__ import annotations

import os
import stat
import subprocess
import tarfile
import threading
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from paddock import own_folders
from paddock.errors import UsageError
from paddock.workers.inpod import patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NEVER_SENT = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        "__pycache__",
        ".nox",
        ".tox",
        "node_modules",
        ".mypy_cache",
        ".pytest_cache",
        ".hypothesis",
        ".ruff_cache",
    },
)
"""Folder names left out unless git tracks something in them, as are virtual environments, artifacts and reports."""
_SIGNS = ("pyvenv.cfg", own_folders.ARTIFACTS, own_folders.REPORT)  # of folders that are never sent, whatever called
_LEVEL = 1  # measured on Python sources: 53 MB/s; level 6 takes twice the time for a sixth less
_CHUNK = 256 << 10
_BLOCK = 512  # of the tar format
_NEW = "?"  # what git puts before a file that it does not track
_GIT_LOCAL = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file or symbolic link; ``path`` is relative to its set's root."""

    path: str
    size: int


@dataclass(frozen=True, kw_only=True)
class SourceSet:
    """The files to be sent from below ``root``, sorted by path."""

    root: Path
    files: tuple[SourceFile, ...]

    @cached_property
    def paths(self) -> frozenset[str]:
        """The files' paths."""
        return frozenset(file.path for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of all files, uncompressed."""
        return sum(file.size for file in self.files)

    def largest_folders(self, count: int = 3) -> list[tuple[str, int]]:
        """Return the ``count`` largest folders of the top two levels with their bytes: what an error may blame."""
        sizes: Counter[str] = Counter()
        for file in self.files:
            parts = PurePosixPath(file.path).parts[:-1]
            sizes["/".join(parts[:2]) or "."] += file.size
        return sizes.most_common(count)


def collect(root: Path, *, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> SourceSet:
    """Return the files below ``root`` that tests may need.

    In a git work tree: what is tracked or new and not ignored, with the files of submodules and nested repositories.
    Elsewhere, and below an ignored folder: all files but ``NEVER_SENT`` and virtual environments. What matches
    ``include`` is sent although it is ignored, such as generated modules; what matches ``exclude`` is not sent in any
    case. Both are patterns of paths relative to ``root``, see ``inpod.patterns``.

    Raises:
        UsageError: ``root`` is no folder.
    """
    if not root.is_dir():
        raise UsageError(f"Expected a folder of sources at {root} and found none. Start pytest inside the project.")
    chosen = set(_files_of(root)).union(*(_included(root, pattern) for pattern in include))
    left_out = tuple(exclude)
    files = (_looked_at(root, path) for path in sorted(chosen) if not patterns.matches(path, left_out))
    return SourceSet(root=root, files=tuple(file for file in files if file))


def _included(root: Path, pattern: str) -> Iterator[str]:
    """Yield what matches ``pattern``; the walk begins behind its fixed part, which may name a folder never sent."""
    start = patterns.fixed(pattern)
    if ".git" in patterns.split(pattern):
        return
    found = _walk(root / start) if (root / start).is_dir() and not (root / start).is_symlink() else ("",)
    paths = (f"{start}/{path}".strip("/") for path in found)
    yield from (path for path in paths if patterns.matches(path, (pattern,)))


def _looked_at(root: Path, path: str) -> SourceFile | None:
    """Return the file as it is now; ``None`` for one that was deleted, and for sockets and the like."""
    try:
        found = os.lstat(f"{root}/{path}")
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
        return None
    return SourceFile(path=path, size=found.st_size if stat.S_ISREG(found.st_mode) else 0)


def _files_of(folder: Path) -> Iterator[str]:
    """Yield the files of ``folder``, relative to it; folders that git lists are repositories in the repository."""
    tracked, new = _git(folder)
    for path in [*tracked, *_wanted(folder, new)] or _walk(folder):
        place = f"{folder}/{path}"
        if os.path.isdir(place) and not os.path.islink(place):  # noqa: PTH112, PTH114 - see _looked_at
            inner = path.rstrip("/")
            yield from (f"{inner}/{below}" for below in _files_of(folder / inner))
        else:
            yield path


def _git(folder: Path) -> tuple[list[str], list[str]]:
    """Return the files that git tracks, and the new ones that it does not ignore; none outside of a work tree."""
    # A repository of another user is read like any other, but no program that its configuration names is run.
    config = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false")
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_LOCAL}
    options = ("-z", "-t", "--cached", "--others", "--exclude-standard")  # one process for both: it takes 4 ms to start
    try:
        argv = ("git", *config, "-C", str(folder), "ls-files", *options)
        listed = subprocess.run(argv, capture_output=True, env=environment, check=False).stdout
    except OSError:
        return [], []
    names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    return [name[2:] for name in names if name[0] != _NEW], [name[2:] for name in names if name[0] == _NEW]


def _wanted(folder: Path, paths: Iterable[str]) -> Iterator[str]:
    """Yield those that lie in no folder which is never sent."""
    verdicts: dict[str, bool] = {"": True}

    def is_wanted(inner: str) -> bool:
        if inner not in verdicts:
            above, _, name = inner.rpartition("/")
            verdicts[inner] = is_wanted(above) and _may_be_sent(folder / inner, name)
        return verdicts[inner]

    return (path for path in paths if is_wanted(path.rpartition("/")[0]))


def _may_be_sent(folder: Path, name: str) -> bool:
    return name not in NEVER_SENT and not any((folder / sign).exists() for sign in _SIGNS)


def _walk(folder: Path) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        links = [name for name in folders if Path(here, name).is_symlink()]
        folders[:] = [name for name in folders if name not in links and _may_be_sent(Path(here, name), name)]
        names = (name for name in (*files, *links) if name != ".git")  # a file of that name leads to a repository
        yield from (str(Path(here, name).relative_to(folder)) for name in names)


def pack(sources: SourceSet) -> Iterator[bytes]:
    """Yield the archive of ``sources``: a gzip-compressed tar stream in chunks of about 256 KiB.

    Sorted by path and without owners; modification times are kept, as bytecode is valid for its source's time. A file
    that has gone since ``collect`` is left out.

    Raises:
        UsageError: a file cannot be read.
    """
    compressor = zlib.compressobj(_LEVEL, wbits=31)
    chunk = bytearray()
    for part in _tar(sources):
        chunk += compressor.compress(part)
        if len(chunk) >= _CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk + compressor.flush())


def _tar(sources: SourceSet) -> Iterator[bytes]:
    for file in sources.files:
        yield from _member(sources.root / file.path, file.path)
    yield bytes(2 * _BLOCK)


def _member(path: Path, name: str) -> Iterator[bytes]:
    try:
        if path.is_symlink():
            yield _header(name, path.lstat(), link=str(path.readlink()))
            return
        with path.open("rb") as file:
            yield from _content(file.fileno(), name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(
            f"The source file {path} cannot be read: {error}. Make it readable or have git ignore it."
        ) from error


def _content(descriptor: int, name: str) -> Iterator[bytes]:
    """Yield exactly as many bytes as the header says, also of a file that is being written to."""
    found = os.fstat(descriptor)
    yield _header(name, found)
    left = found.st_size
    while left:
        data = os.read(descriptor, min(left, _CHUNK)) or bytes(min(left, _CHUNK))
        left -= len(data)
        yield data
    yield bytes(-found.st_size % _BLOCK)


def _header(name: str, found: os.stat_result, link: str = "") -> bytes:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = stat.S_IMODE(found.st_mode), int(found.st_mtime)
    if link:
        member.type, member.linkname = tarfile.SYMTYPE, link
    else:
        member.size = found.st_size
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


class SharedArchive:
    """The archive of one source set, packed once while the first worker takes it and kept for the others."""

    def __init__(self, sources: SourceSet) -> None:
        self.root = sources.root
        self._lock = threading.Lock()
        self._packing = pack(sources)
        self._chunks: list[bytes] = []
        self._error: UsageError | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the archive from its beginning; from any number of threads at once.

        Raises:
            UsageError: see ``pack``; each taker is told.
        """
        position = 0
        while (chunk := self._chunk(position)) is not None:
            yield chunk
            position += 1

    def _chunk(self, position: int) -> bytes | None:
        with self._lock:
            if self._error:
                raise UsageError(*self._error.args)
            if position == len(self._chunks):
                self._pack_one()
            return self._chunks[position] if position < len(self._chunks) else None

    def _pack_one(self) -> None:
        try:
            self._chunks.extend(chunk for chunk in [next(self._packing, None)] if chunk is not None)
        except UsageError as error:
            self._error = error
            raise
