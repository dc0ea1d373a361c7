"""The cache folder of images: layers by digest, and which digest belongs to which key.

Owns the folder's layout, its lock and its atomic writes. Everything in it can be deleted at any time while no run is
making images; it is made again. It must not know what layers hold.

::

    lock                 held while images are made
    blobs/sha256/<hash>  layers
    layers/<key>.json    digest, size and listing of the layer that was made for a key
    latest/<name>        key of the layer that was made last under a name
    images/, own/        of finished images, see ``shelf`` and ``own``
    work/                of a build under way; what is found there by the next one is left from a killed one
"""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock.errors import ImageError
from paddock.images import archive, layout
from paddock.images.layers import Content, Directory, Entry, Link, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer that is in the store."""

    blob: archive.Blob
    listing: Mapping[str, Entry] = field(repr=False)
    """What lies where, files being slices of the layer's archive."""
    below: str | None = None
    """Key of the layer that this one only holds the differences to."""


class Store:
    """The cache folder; one process at a time works in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self, report: Callable[[str], None]) -> Iterator[None]:
        """Hold the folder's lock; waits for another run that makes images, and says so."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report("images: waiting for another run that is making them")
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._clear()
            yield

    @contextmanager
    def work(self) -> Iterator[Path]:
        """Give an empty folder that is gone afterwards; the lock must be held."""
        work = self.path / "work"
        work.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=work))
        try:
            folder.chmod(0o755)  # a build's own users look inside
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def find(self, key: str) -> Layer | None:
        """Return the layer made for ``key``, or None if there is none or its blob has been deleted."""
        try:
            record = json.loads(self._record(key).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ImageError(f"{self._record(key)} is damaged ({error}). Delete it: it is made again.") from error
        self._record(key).touch()  # see prune()
        blob = archive.Blob(digest=record["digest"], size=record["size"])
        path = layout.blob_path(self.path, blob.digest)
        return Layer(blob=blob, listing=_listing(record, path), below=record.get("below")) if path.is_file() else None

    def add(self, key: str, entries: Mapping[str, Entry], below: str | None = None) -> Layer:
        """Write a layer of ``entries`` and remember it for ``key``, and that it lies on the layer of ``below``."""
        with self.work() as work:
            blob, written = archive.write(entries, work / "layer.tar")
            target = layout.blob_path(self.path, blob.digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            (work / "layer.tar").replace(target)
            record = {"digest": blob.digest, "size": blob.size, "below": below, **_recorded(written)}
            (work / "record.json").write_text(json.dumps(record), encoding="utf-8")
            self._record(key).parent.mkdir(exist_ok=True)
            (work / "record.json").replace(self._record(key))
        return Layer(blob=blob, listing=_listing(record, target), below=below)

    def note(self, name: str, key: str) -> None:
        """Remember ``key`` as what was made last under ``name``, a word without a slash."""
        path = self.path / "latest" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(key, encoding="ascii")

    def noted(self, family: str) -> dict[str, str]:
        """Return the keys noted under names that begin with ``family``, the latest first: name -> key."""
        found = sorted((self.path / "latest").glob(f"{family}*"), key=lambda path: path.stat().st_mtime, reverse=True)
        return {path.name: path.read_text(encoding="ascii") for path in found}

    def prune(self, oldest: float, kept: Collection[str] = ()) -> None:
        """Delete layers that nobody has asked for since ``oldest``, but those ``kept``; the lock must be held."""
        records = list((self.path / "layers").glob("*.json"))
        digests = {record: json.loads(record.read_bytes())["digest"] for record in records}
        stale = {record for record in records if record.stat().st_mtime < oldest and digests[record] not in kept}
        used = {digests[record] for record in records if record not in stale}
        for record in stale:
            record.unlink()
        for blob in (self.path / "blobs" / "sha256").glob("*"):
            if f"sha256:{blob.name}" not in used:
                blob.unlink()
        for name, key in self.noted("").items():
            if not self._record(key).exists():
                (self.path / "latest" / name).unlink()

    def _record(self, key: str) -> Path:
        return self.path / "layers" / f"{key}.json"

    def _clear(self) -> None:
        shutil.rmtree(self.path / "work", ignore_errors=True)


def _recorded(entries: Mapping[str, Entry]) -> dict[str, object]:
    files = {path: entry for path, entry in entries.items() if isinstance(entry, Slice)}
    return {
        "listing": {path: _listed(entry) for path, entry in entries.items()},
        "contents": {path: (file.offset, file.size, file.digest) for path, file in files.items()},
    }


def _listed(entry: Entry) -> tuple[str, str | int]:
    if isinstance(entry, Link):
        return "l", entry.target
    return ("d" if isinstance(entry, Directory) else "f"), entry.mode


def _listing(record: Mapping[str, Any], archive: Path) -> dict[str, Entry]:
    contents = record.get("contents", {})  # records of earlier versions have none
    return {path: _entry(archive, *listed, *contents.get(path, ())) for path, listed in record["listing"].items()}


def _entry(archive: Path, kind: str, value: str | int, *content: Any) -> Entry:  # noqa: ANN401 - as JSON gives it
    if kind == "l":
        return Link(str(value))
    if kind == "d":
        return Directory(int(value))
    if not content:
        return Content(b"", int(value))
    offset, size, digest = content
    return Slice(archive, offset, size, digest, int(value))
