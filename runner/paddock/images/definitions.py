"""The three images as values: which layers, and how a container of each starts.

Pure. It must not know how layers are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.images.layers import EXECUTABLE_MODE, Content, Directory
from paddock.images.layout import Image
from paddock.images.recipes import BROKER, OWN
from paddock.specs import DEFAULT_UID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paddock.images.archive import Blob
    from paddock.images.environment import Environment
    from paddock.images.layers import Entry

HOME = "/home/paddock"
PROGRAMS = "opt/paddock/bin"
START = f"/{PROGRAMS}/start"
"""Start script of broker and database: the command of both."""
INPOD = "opt/paddock/lib"
"""Folder of the in-pod half in the worker image."""
RUN = "run/paddock"
"""Where pods keep sockets and settings of their own: a folder of the image and no volume, see ``supervisor``."""
WRITABLE_MODE = 0o1777  # whatever number a pod runs as

DATA = "opt/paddock/postgresql"
"""Initialised data directory in the database image."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COMMON = {"LANG": "C.UTF-8", "HOME": HOME}


def worker(layers: Sequence[Blob], *, architecture: str, environment: Environment, uid: int) -> Image:
    """Return the worker image; its command is the interpreter, which pods replace by the in-pod half."""
    user_base = {"PYTHONUSERBASE": str(environment.user_base)} if environment.user_base else {}
    return Image(
        architecture=architecture,
        layers=layers,
        user=str(uid),
        command=(str(environment.executable),),
        environment={"PATH": f"{environment.executable.parent}:{_PATH}", **_COMMON, **user_base},
        labels=_labels("worker"),
    )


def broker(layers: Sequence[Blob], *, architecture: str) -> Image:
    """Return the broker image."""
    return _service("broker", layers, architecture)


def database(layers: Sequence[Blob], *, architecture: str) -> Image:
    """Return the database image."""
    return _service("database", layers, architecture)


def recipe_files(files: Mapping[str, bytes]) -> dict[str, Entry]:
    """Return the entries for the files of a service's recipe: its start script, and settings for its data directory."""
    placed: dict[str, Entry] = {_recipe_place(name): _recipe_file(name, data) for name, data in files.items()}
    return {**placed, RUN: Directory(WRITABLE_MODE)}


def _recipe_place(name: str) -> str:
    if name in {BROKER, OWN["broker"]}:
        return f"opt/paddock/etc/{name}"
    return f"{DATA}/{name}" if name.endswith(".conf") else f"{PROGRAMS}/{name}"


def _recipe_file(name: str, data: bytes) -> Content:
    return Content(data) if name.endswith(".conf") else Content(data, EXECUTABLE_MODE)


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
