"""Layer archives: deterministic tar files and what an image needs to know about them.

Owns the tar and compression format. It must not know which files belong where.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from paddock.images.layers import Content, Directory, Entry, File, Link, Slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar"
"""Not compressed: on a loopback registry compressing costs more than moving the bytes (decision 0043)."""

EPOCH = 0
"""Modification time of everything: it must not depend on when a layer is made."""


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A stored layer; its name in a registry is its digest."""

    digest: str
    """``sha256:`` and the hexadecimal hash of the bytes; the same for the archive, which is not compressed."""
    size: int
    """Bytes."""


class _Hashing(io.RawIOBase):
    """A file that is hashed while it is read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._state = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._state.update(data)
        return data

    def hexdigest(self) -> str:
        return self._state.hexdigest()


def write(entries: Mapping[str, Entry], target: Path) -> tuple[Blob, dict[str, Entry]]:
    """Write ``entries`` to the tar file ``target`` in the order of their paths: equal entries give equal bytes.

    Returns the layer, and the same entries with every regular file as a slice of ``target``.
    """
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        listing = {path: _add(archive, path, entry, target) for path, entry in sorted(entries.items())}
    with target.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return Blob(digest=f"sha256:{digest}", size=target.stat().st_size), listing


def _add(archive: tarfile.TarFile, path: str, entry: Entry, target: Path) -> Entry:
    if isinstance(entry, Link):
        archive.addfile(_member(path, tarfile.SYMTYPE, 0o777, target=entry.target))
        return entry
    if isinstance(entry, Directory):
        archive.addfile(_member(path, tarfile.DIRTYPE, entry.mode))
        return entry
    with opened(entry) as (source, size):
        hashing = _Hashing(source)
        archive.addfile(_member(path, tarfile.REGTYPE, entry.mode, size=size), hashing)
    offset = archive.offset - (size + tarfile.BLOCKSIZE - 1) // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
    return Slice(target, offset, size, hashing.hexdigest(), entry.mode)


@contextmanager
def opened(entry: File | Content | Slice) -> Iterator[tuple[IO[bytes], int]]:
    """Open the content of a regular file at its begin, and give its size in bytes."""
    if isinstance(entry, Content):
        yield io.BytesIO(entry.data), len(entry.data)
        return
    with entry.source.open("rb") as source:
        if isinstance(entry, Slice):
            source.seek(entry.offset)
        yield source, entry.size if isinstance(entry, Slice) else entry.source.stat().st_size


def _member(path: str, kind: bytes, mode: int, *, size: int = 0, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size, member.linkname, member.mtime = kind, mode, size, target, EPOCH
    return member
