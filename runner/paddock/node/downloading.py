"""Fetches release archives and takes programs out of them, after the pinned digest has been found in every byte.

Nothing of an archive is read, unpacked or made executable before that. It must not know which programs a node needs.
"""

from __future__ import annotations

import fnmatch
import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from paddock.errors import NodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from paddock.node.releases import Archive
    from paddock.node.supply import Supply

_PIECE = 2**20
_SILENCE = 30.0  # seconds without a byte after which a server counts as gone
_REMEDY = "Try again, name another server with --mirror, or build the programs instead: --source=modules."


def unpack_all(archives: Sequence[Archive], supply: Supply, folder: Path, report: Callable[[str], None]) -> None:
    """Fetch the archives one after the other and put their programs into ``folder``, which nobody else sees yet.

    Raises:
        NodeError: one did not come whole or is another than pinned; the message names URL and both digests.
    """
    folder.mkdir()
    for archive in archives:
        report(f"fetching {', '.join(program for program, _ in archive.programs)} from {supply.place(archive.url)}")
        file = folder / "archive"
        fetch(archive, supply, file)
        _unpack(archive, file, folder)
        file.unlink()


def fetch(archive: Archive, supply: Supply, file: Path) -> None:
    """Fetch an archive into ``file``; after an error the caller removes what came.

    Raises:
        NodeError: as for :func:`unpack_all`.
    """
    url = supply.place(archive.url)
    try:
        _require_pinned(archive, _stream(url, archive.algorithm, file))
    except (NodeError, OSError, http.client.HTTPException) as error:
        expected = f"expected {archive.algorithm} {archive.digest}"
        raise NodeError(f"{url} could not be used ({expected}): {_words(error)}. {_REMEDY}") from error


def _require_pinned(archive: Archive, found: str) -> None:
    if found != archive.digest:
        raise NodeError(f"it is another file, whose {archive.algorithm} is {found}")


def _stream(url: str, algorithm: str, file: Path) -> str:
    """Write what the URL gives to the file and return its digest."""
    state = hashlib.new(algorithm)
    with urllib.request.urlopen(url, timeout=_SILENCE) as answer, file.open("xb") as output:  # noqa: S310 - http and https, see Supply
        for piece in _pieces(answer):
            state.update(piece)
            output.write(piece)
        _require_whole(answer.headers.get("Content-Length"), output.tell(), state.hexdigest(), algorithm)
    return state.hexdigest()


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := answer.read(_PIECE):
        yield piece


def _require_whole(announced: str | None, size: int, found: str, algorithm: str) -> None:
    if announced is not None and size != int(announced):
        raise NodeError(f"only {size} of {announced} bytes came, whose {algorithm} is {found}")


def _words(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"the server answered {error.code} ({error.reason}), so that there is no digest"
    if isinstance(error, NodeError):
        return str(error)
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return f"fetching it failed ({str(reason) or type(reason).__name__}), so that there is no digest"


def _unpack(archive: Archive, file: Path, folder: Path) -> None:
    with tarfile.open(file) as tar:
        files = {member.name.removeprefix("./"): member for member in tar if member.isreg()}
        for program, pattern in archive.programs:
            name = next((name for name in files if _lies_at(name, pattern)), None)
            content = tar.extractfile(files[name]) if name else None
            if content is None:
                raise NodeError(f"{archive.url} holds no {pattern}, where {program} was expected. {_REMEDY}")
            with content, (folder / program).open("xb") as output:
                shutil.copyfileobj(content, output)
            (folder / program).chmod(0o755)


def _lies_at(name: str, pattern: str) -> bool:
    """Tell whether a path fits a pattern; a star stands for no more than one folder."""
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)
