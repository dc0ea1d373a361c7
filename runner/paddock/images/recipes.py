"""The recipes in ``k8s/images``: where they lie and what belongs to which image. It must not interpret them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock import resources

if TYPE_CHECKING:
    from pathlib import Path


def packages() -> Path:
    """Return the file that names the packages of all images."""
    return resources.k8s_folder() / "images" / "packages.yaml"


def service(name: str) -> dict[str, bytes]:
    """Return the files of the broker's or the database's recipe by name."""
    folder = resources.k8s_folder() / "images" / name
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
