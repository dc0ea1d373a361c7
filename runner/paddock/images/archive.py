"""Layer archives: deterministic tar files and what an image needs to know about them.

Owns the tar and compression format. It must not know which files belong where.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.images.layers import Content, Directory, Entry, File, Link

if TYPE_CHECKING:
    from collections.abc import Mapping
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


def write(entries: Mapping[str, Entry], target: Path) -> Blob:
    """Write ``entries`` to the tar file ``target`` in the order of their paths: equal entries give equal bytes."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path, entry in sorted(entries.items()):
            _add(archive, path, entry)
    with target.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return Blob(digest=f"sha256:{digest}", size=target.stat().st_size)


def _add(archive: tarfile.TarFile, path: str, entry: Entry) -> None:
    if isinstance(entry, File):
        with entry.source.open("rb") as source:
            archive.addfile(_member(path, tarfile.REGTYPE, entry.mode, size=entry.source.stat().st_size), source)
    elif isinstance(entry, Content):
        archive.addfile(_member(path, tarfile.REGTYPE, entry.mode, size=len(entry.data)), io.BytesIO(entry.data))
    elif isinstance(entry, Link):
        archive.addfile(_member(path, tarfile.SYMTYPE, 0o777, target=entry.target))
    elif isinstance(entry, Directory):
        archive.addfile(_member(path, tarfile.DIRTYPE, entry.mode))


def _member(path: str, kind: bytes, mode: int, *, size: int = 0, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size, member.linkname, member.mtime = kind, mode, size, target, EPOCH
    return member
