"""Finds the files of ``k8s/``, from a checkout and from an installed wheel alike.

Owns the one function that knows both layouts. It must not read or interpret the files.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def k8s_folder() -> Path:
    """Return the folder of manifests, image recipes and node pins.

    In a wheel it lies inside the package as ``_k8s``; in a checkout beside ``runner/``.
    """
    installed = _PACKAGE / "_k8s"
    return installed if installed.is_dir() else _PACKAGE.parents[1] / "k8s"
