"""Images as OCI documents: configuration, manifest and the layout folder that is pushed.

The documents are pure; only :func:`write` touches files. It must not know what layers hold or where they are pushed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.images import archive
from paddock.images.media_types import CONFIG, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image: layers, the first at the bottom, and how a container of it starts."""

    architecture: str
    layers: Sequence[archive.Blob]
    user: str
    """Number of the user, ``1000``: Kubernetes can tell that it is not root."""
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def configuration(image: Image) -> bytes:
    """Return the image's configuration document."""
    process = {
        "User": image.user,
        "Env": [f"{name}={value}" for name, value in image.environment.items()],
        "Cmd": list(image.command),
        "WorkingDir": "/",
        "Labels": dict(image.labels),
    }
    return _document(
        {
            "architecture": image.architecture,
            "os": "linux",
            "config": process,
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in image.layers]},
        },
    )


def manifest(image: Image) -> bytes:
    """Return the image's manifest document."""
    layers = [_descriptor(archive.MEDIA_TYPE, layer) for layer in image.layers]
    config = _descriptor(CONFIG, described(configuration(image)))
    return _document({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})


def described(data: bytes) -> archive.Blob:
    """Return digest and size of a document."""
    return archive.Blob(digest=f"sha256:{hashlib.sha256(data).hexdigest()}", size=len(data))


def blob_path(folder: Path, digest: str) -> Path:
    """Return where a layout at ``folder`` keeps the blob ``digest``."""
    return folder / "blobs" / digest.replace(":", "/")


def write(image: Image, folder: Path, blobs: Path) -> None:
    """Write a layout of ``image`` to the new ``folder``; its layers are hard links into the store at ``blobs``."""
    folder.joinpath("blobs", "sha256").mkdir(parents=True)
    for layer in image.layers:
        path = blob_path(folder, layer.digest)
        if not path.exists():  # two layers may be the same
            path.hardlink_to(blob_path(blobs, layer.digest))  # the client refuses symbolic links
    for document in (configuration(image), manifest(image)):
        blob_path(folder, described(document).digest).write_bytes(document)
    folder.joinpath("oci-layout").write_bytes(_document({"imageLayoutVersion": "1.0.0"}))
    index = {"schemaVersion": 2, "manifests": [_descriptor(MANIFEST, described(manifest(image)))]}
    folder.joinpath("index.json").write_bytes(_document(index))


def _descriptor(media_type: str, blob: archive.Blob) -> dict[str, object]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _document(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
