"""Which files a worker needs from here, and the one archive of them that all workers of a run share.

Owns the choice and the packing; ``inpod.unpack`` is its other half. It must not know where the archive goes.

One ``SourceSet`` has one root. Files outside it, such as an editable sibling's, are a set of their own with their own
root: a stream takes any number of archives before it starts the worker.
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
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIMIT = 200 << 20
"""Most compressed bytes of a source set: every worker receives them, and they are kept in memory for late ones."""
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
        ".ruff_cache",
    },
)
"""Folder names left out unless git tracks something in them, as are virtual environments (``pyvenv.cfg``)."""
_LEVEL = 1  # measured on Python sources: 53 MB/s; level 6 takes twice the time for a sixth less
_CHUNK = 256 << 10
_BLOCK = 512  # of the tar format
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


def collect(root: Path, *, include: Iterable[str] = ()) -> SourceSet:
    """Return the files below ``root`` that tests may need.

    In a git work tree: what is tracked or new and not ignored, with the files of submodules and nested repositories.
    Elsewhere, and below an ignored folder: all files but ``NEVER_SENT`` and virtual environments. ``include`` names
    files and folders relative to ``root`` that are sent although they are ignored, such as generated modules.

    Raises:
        UsageError: ``root`` is no folder, or ``include`` names something that is not there.
    """
    if not root.is_dir():
        raise UsageError(f"Expected a folder of sources at {root} and found none. Start pytest inside the project.")
    chosen = set(_files_of(root))
    for name in include:
        chosen |= _included(root, name)
    files = (_looked_at(root, path) for path in sorted(chosen))
    return SourceSet(root=root, files=tuple(file for file in files if file))


def _included(root: Path, name: str) -> set[str]:
    path = root / name
    if not path.exists():
        raise UsageError(
            f"The sources to include name {name!r}, but there is no {path}. Make it or take it off the list."
        )
    if path.is_dir():
        return {f"{Path(name)}/{below}" for below in _walk(path)}
    return {str(Path(name))}


def _looked_at(root: Path, path: str) -> SourceFile | None:
    """Return the file as it is now; ``None`` for one that was deleted, and for sockets and the like."""
    try:
        found = (root / path).lstat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
        return None
    return SourceFile(path=path, size=found.st_size if stat.S_ISREG(found.st_mode) else 0)


def _files_of(folder: Path) -> Iterator[str]:
    """Yield the files of ``folder``, relative to it; folders that git lists are repositories in the repository."""
    listed = [*(_git(folder, "--cached") or ()), *_wanted(folder, _git(folder, "--others", "--exclude-standard") or ())]
    for path in listed or _walk(folder):
        if (folder / path).is_dir() and not (folder / path).is_symlink():
            inner = path.rstrip("/")
            yield from (f"{inner}/{below}" for below in _files_of(folder / inner))
        else:
            yield path


def _git(folder: Path, *options: str) -> list[str] | None:
    """Return what ``git ls-files`` lists; ``None`` without git or outside of a work tree."""
    # A repository of another user is read like any other, but no program that its configuration names is run.
    config = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false")
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_LOCAL}
    argv = ("git", *config, "-C", str(folder), "ls-files", "-z", *options)
    try:
        listed = subprocess.run(argv, capture_output=True, env=environment, check=False)
    except OSError:
        return None
    return [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name] if listed.returncode == 0 else None


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
    return name not in NEVER_SENT and not (folder / "pyvenv.cfg").exists()


def _walk(folder: Path) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        links = [name for name in folders if Path(here, name).is_symlink()]
        folders[:] = [name for name in folders if name not in links and _may_be_sent(Path(here, name), name)]
        yield from (str(Path(here, name).relative_to(folder)) for name in (*files, *links))


def pack(sources: SourceSet, *, limit: int = LIMIT) -> Iterator[bytes]:
    """Yield the archive of ``sources``: a gzip-compressed tar stream in chunks of about 256 KiB.

    Sorted by path and without owners; modification times are kept, as bytecode is valid for its source's time. A file
    that has gone since ``collect`` is left out.

    Raises:
        UsageError: a file cannot be read, or the archive grows beyond ``limit`` bytes.
    """
    compressor = zlib.compressobj(_LEVEL, wbits=31)
    total, chunk = 0, bytearray()
    for part in _tar(sources):
        chunk += compressor.compress(part)
        if total + len(chunk) > limit:
            raise UsageError(_too_large(sources, limit))
        if len(chunk) >= _CHUNK:
            total += len(chunk)
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk + compressor.flush())


def _too_large(sources: SourceSet, limit: int) -> str:
    blamed = ", ".join(f"{name} ({size >> 20} MiB)" for name, size in sources.largest_folders())
    return (
        f"The sources below {sources.root} are more than {limit >> 20} MiB compressed ({sources.size >> 20} MiB in "
        f"{len(sources.files)} files), which every worker would have to receive. The largest folders are {blamed}: "
        "have git ignore what tests do not need, or start pytest in a smaller project."
    )


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

    def __init__(self, sources: SourceSet, *, limit: int = LIMIT) -> None:
        self._lock = threading.Lock()
        self._packing = pack(sources, limit=limit)
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
