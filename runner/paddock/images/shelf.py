"""The finished images: which there are, of which layers, when they were last used, and taking away the old ones.

Owns their records in the cache and the tags of a registry's folder. It must not know how images are made.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import ImageError
from paddock.images.places import image_record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from paddock.images.layout import Image
    from paddock.images.store import Store

NAMES = ("worker", "broker", "database")
_SECONDS = 300
_REPOSITORIES = Path("docker/registry/v2/repositories/paddock")
_BLOBS = Path("docker/registry/v2/blobs")
"""Both as the registry's file system driver keeps them (distribution 3, storage/paths.go)."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A finished image."""

    name: str
    """``worker``, ``broker`` or ``database``."""
    tag: str
    layers: tuple[str, ...]
    """Digests, the first at the bottom."""
    size: int
    """Bytes of all layers; images share most of them."""
    made: float
    used: float
    """Seconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What was taken away."""

    images: int
    cache: int
    registry: int
    """Bytes."""


def note(cache: Path, name: str, tag: str, image: Image) -> None:
    """Remember a finished image."""
    path = image_record(cache, name, tag)
    path.parent.mkdir(exist_ok=True)
    layers = [layer.digest for layer in image.layers]
    record = {"layers": layers, "size": sum(layer.size for layer in image.layers), "made": time.time()}
    path.write_text(json.dumps(record), encoding="utf-8")


def stored(cache: Path) -> list[Stored]:
    """Return the images of a cache, the one used last first."""
    found = [_read(path) for path in (cache / "images").glob("*.json")]
    return sorted(found, key=lambda image: image.used, reverse=True)


def _read(path: Path) -> Stored:
    name, _, tag = path.stem.partition("-")
    record = json.loads(path.read_bytes())
    return Stored(
        name=name, tag=tag, layers=tuple(record["layers"]), size=record["size"], made=record["made"],
        used=path.stat().st_mtime,
    )  # fmt: skip


def layers_since(cache: Path, oldest: float) -> set[str]:
    """Return the digests of the layers of all images used since ``oldest``."""
    return {digest for image in stored(cache) if image.used >= oldest for digest in image.layers}


def prune(store: Store, registry: Path, program: Path, *, oldest: float, kept: Collection[tuple[str, str]]) -> Pruned:
    """Take away what nobody has used since ``oldest``, except the images ``kept`` (name, tag); the lock must be held.

    ``registry`` is the folder of the node's registry, ``program`` the registry itself, which collects its garbage. It
    may be running: only what no tag names is deleted, and images are only pushed under the same lock.

    Raises:
        ImageError: the registry's garbage could not be collected.
    """
    before = _size(store.path / "blobs"), _size(registry / _BLOBS)
    images = stored(store.path)
    stale = [image for image in images if image.used < oldest and (image.name, image.tag) not in kept]
    for image in stale:
        image_record(store.path, image.name, image.tag).unlink()
    left = {(image.name, image.tag) for image in images if image not in stale}
    store.prune(oldest, {digest for image in stored(store.path) for digest in image.layers})
    _prune_registry(registry, program, oldest, left)
    after = _size(store.path / "blobs"), _size(registry / _BLOBS)
    return Pruned(images=len(stale), cache=before[0] - after[0], registry=before[1] - after[1])


def _prune_registry(registry: Path, program: Path, oldest: float, kept: Collection[tuple[str, str]]) -> None:
    tags = [tag for name in NAMES for tag in (registry / _REPOSITORIES / name / "_manifests" / "tags").glob("*")]
    for tag in tags:
        if (tag.parents[2].name, tag.name) not in kept and tag.stat().st_mtime < oldest:
            shutil.rmtree(tag)
    if tags:
        _collect_garbage(registry, program)


def _collect_garbage(registry: Path, program: Path) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        storage = {"filesystem": {"rootdirectory": str(registry)}, "delete": {"enabled": True}}
        json.dump({"version": 0.1, "log": {"level": "error"}, "storage": storage}, file)  # JSON is YAML
        file.flush()
        command = [str(program), "garbage-collect", "--quiet", "--delete-untagged", file.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise ImageError(f"Collecting the garbage of the registry in {registry} failed: {done.stderr.strip()[-500:]}")


def _size(folder: Path) -> int:
    return sum(_bytes(folder.rglob("*"))) if folder.is_dir() else 0


def _bytes(paths: Iterable[Path]) -> Iterable[int]:
    for path in paths:
        if path.is_file():
            yield path.stat().st_size
