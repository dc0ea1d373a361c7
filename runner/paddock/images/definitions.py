"""The three images as values: which layers, and how a container of each starts.

Pure. It must not know how layers are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.images.layout import Image
from paddock.specs import DEFAULT_UID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.images.archive import Blob
    from paddock.images.environment import Environment

HOME = "/home/paddock"
START = "/opt/paddock/bin/start"
INPOD = "opt/paddock/lib"
"""Folder of the in-pod half in the worker image."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COMMON = {"LANG": "C.UTF-8", "HOME": HOME}


def worker(layers: Sequence[Blob], *, architecture: str, environment: Environment, uid: int) -> Image:
    """Return the worker image; its command is the interpreter, which pods replace by the in-pod half."""
    return Image(
        architecture=architecture,
        layers=layers,
        user=str(uid),
        command=(str(environment.executable),),
        environment={"PATH": f"{environment.executable.parent}:{_PATH}", **_COMMON},
        labels=_labels("worker"),
    )


def broker(layers: Sequence[Blob], *, architecture: str) -> Image:
    """Return the broker image."""
    return _service("broker", layers, architecture)


def database(layers: Sequence[Blob], *, architecture: str) -> Image:
    """Return the database image."""
    return _service("database", layers, architecture)


def _service(name: str, layers: Sequence[Blob], architecture: str) -> Image:
    return Image(
        architecture=architecture,
        layers=layers,
        user=str(DEFAULT_UID),
        command=(START,),
        environment={"PATH": _PATH, **_COMMON},
        labels=_labels(name),
    )


def _labels(name: str) -> dict[str, str]:
    return {"org.opencontainers.image.title": f"paddock/{name}"}
