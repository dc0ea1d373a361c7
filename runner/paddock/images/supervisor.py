"""The worker image's uppermost layer: the in-pod half, the folders it writes, and the account that pods run as.

It must not know what the in-pod half does: it is files that are given to it.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from paddock.errors import ImageError
from paddock.images.definitions import HOME, INPOD, RUN, WRITABLE_MODE
from paddock.images.layers import Content, Directory, Entry
from paddock.specs import DEFAULT_UID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path, PurePath


def entries(inpod: Mapping[str, bytes], uid: int, base: Path, roots: Sequence[PurePath] = ()) -> dict[str, Entry]:
    """Return the entries of the layer; ``base`` is the archive of the base layer, whose account files are amended.

    ``roots`` are where sources will be unpacked: folders of the image, since a pod with any volume starts 0.3 s later
    (the kubelet looks every 300 ms whether volumes are mounted).

    Raises:
        ImageError: a path of ``inpod`` leads out of its folder.
    """
    found: dict[str, Entry] = {_place(path): Content(data) for path, data in inpod.items()}
    for folder in (RUN, *(str(folder).lstrip("/") for folder in _writable(roots))):
        found[folder] = Directory(WRITABLE_MODE)
    return found if uid == DEFAULT_UID else found | _account_files(uid, base)


def _writable(roots: Sequence[PurePath]) -> set[PurePath]:
    """Return ``roots`` and the folders between one and another above it, which both unpack into."""
    every = set(roots)
    return every | {folder for root in roots for folder in root.parents if every & {folder, *folder.parents}}


def accounts(uid: int) -> dict[str, str]:
    """Return the line of each account file that gives ``uid`` a name and a home."""
    return {
        "etc/passwd": f"paddock:x:{uid}:{uid}:Paddock worker:{HOME}:/bin/sh\n",
        "etc/group": f"paddock:x:{uid}:\n",
    }


def _account_files(uid: int, base: Path) -> dict[str, Entry]:
    usual = accounts(DEFAULT_UID)
    with tarfile.open(base) as archive:
        texts = {path: _read(archive, path).replace(usual[path], line) for path, line in accounts(uid).items()}
    return {path: Content(text.encode()) for path, text in texts.items()}


def _read(archive: tarfile.TarFile, path: str) -> str:
    member = archive.extractfile(path)
    return member.read().decode() if member else ""


def _place(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ImageError(f"The file {path!r} of the in-pod half must be named by a path below /{INPOD}.")
    return f"{INPOD}/{path}"
