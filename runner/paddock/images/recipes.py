"""The recipes in ``k8s/images``: where they lie and what belongs to which image. It must not interpret them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock import resources
from paddock.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def packages() -> Path:
    """Return the file that names the packages of all images."""
    return resources.k8s_folder() / "images" / "packages.yaml"


INITDB = (
    "--no-sync",
    "--no-instructions",
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--wal-segsize=1",  # megabytes; with the default of 16 most of a fresh directory would be an empty log
)
"""How a database's data directory is initialised."""
BROKER = "broker.conf"
"""Name of the file with Paddock's own settings of the broker."""
OWN = {"broker": "mosquitto.conf", "database": "own.conf"}
"""Name of the file with the user's settings among those of a service's recipe."""


def service(name: str, own: Path | None = None) -> dict[str, bytes]:
    """Return the files of the broker's or the database's recipe by name, with the user's settings in ``own``.

    Raises:
        UsageError: ``own`` cannot be read.
    """
    folder = resources.k8s_folder() / "images" / name
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    return files | ({OWN[name]: _read(own, name)} if own else {})


def _read(path: Path, service: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{str(path)!r}, the configuration of the {service}, cannot be read: {error.strerror}."
        ) from None
