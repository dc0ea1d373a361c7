"""Images for clusters on this machine that pull from no registry: kind, k3d and minikube load them.

Owns which command a kube context means, and the archive that all of them read: that of ``docker save``, which names
its images. It must not know how images are made.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import ImageError, UsageError
from paddock.images import layout

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 300
"""Each node of the cluster gets a copy."""


def command(context: str, archive: Path) -> list[str]:
    """Return the command that brings the images of ``archive`` to the nodes of the cluster behind ``context``.

    Sources: the commands' own references, at kind.sigs.k8s.io, k3d.io/stable/usage/commands/k3d_image_import and
    minikube.sigs.k8s.io/docs/commands/image; kind and k3d put their names before the cluster's in a context's name.

    Raises:
        UsageError: the context is not of a kind that loads images.
    """
    kind, _, name = context.partition("-")
    if kind == "kind" and name:
        return ["kind", "load", "image-archive", str(archive), "--name", name]
    if kind == "k3d" and name:
        return ["k3d", "image", "import", str(archive), "--cluster", name]
    if context == "minikube":
        return ["minikube", "image", "load", str(archive), "--profile", context]
    raise UsageError(
        f"No image would reach the nodes of the context {context!r}: it is no cluster of kind, k3d or minikube, which "
        f"load images. Name a registry that its nodes pull from, --paddock-registry=REGISTRY/PATH, or say "
        f"--paddock-context=paddock for the embedded node."
    )


def require(context: str) -> None:
    """Refuse a context whose cluster cannot be given images from here.

    Raises:
        UsageError: it is not of a kind that loads images, or its program is not installed.
    """
    program = command(context, Path())[0]
    if shutil.which(program) is None:
        raise UsageError(
            f"Loading images into the cluster of the context {context!r} needs the program {program!r}, which is not "
            f"on PATH. Install it, or name a registry that its nodes pull from: --paddock-registry=REGISTRY/PATH."
        )


def load(images: Mapping[str, layout.Image], blobs: Path, context: str, work: Path) -> None:
    """Bring ``images``, by reference, to the nodes behind ``context``; the archive is written to the folder ``work``.

    Raises:
        UsageError: the context is not of a kind that loads images, or its program is not installed.
        ImageError: loading failed; the program's words are quoted.
    """
    require(context)
    argv = command(context, work / "images.tar")
    write_archive(images, blobs, work / "images.tar")
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"`{' '.join(argv)}` took longer than {_SECONDS} s and was ended.") from error
    if done.returncode:
        raise ImageError(f"`{' '.join(argv)}` failed: {done.stderr.strip()[-500:]}")


def write_archive(images: Mapping[str, layout.Image], blobs: Path, target: Path) -> None:
    """Write ``images``, by reference, with their layers from the store at ``blobs``, to the tar file ``target``."""
    documents = {reference: layout.configuration(image) for reference, image in images.items()}
    manifest = [
        {
            "Config": _name(layout.described(documents[reference]).digest),
            "RepoTags": [reference],
            "Layers": [_name(layer.digest) for layer in image.layers],
        }
        for reference, image in images.items()
    ]
    with tarfile.open(target, "w") as archive:
        for digest in dict.fromkeys(layer.digest for image in images.values() for layer in image.layers):
            archive.add(layout.blob_path(blobs, digest), _name(digest))
        for data in documents.values():
            _add(archive, _name(layout.described(data).digest), data)
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    archive.addfile(member, io.BytesIO(data))
