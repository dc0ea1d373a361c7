"""Folders outside the project whose modules this environment imports in place: editable installs, lines in .pth files.

Owns the finding of these folders. It must not read what is in them. What the worker image holds anyway, because it lies
in the environment itself or in a folder of distributions, is no sibling.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SITES = frozenset({"site-packages", "dist-packages"})


def siblings(root: Path, search_path: Sequence[str] | None = None) -> list[Path]:
    """Return the folders outside ``root`` that must be sent as well, none of them inside another one.

    ``search_path`` is ``sys.path`` by default. Editable installs are found by ``direct_url.json`` (PEP 610), which
    installers leave; older ones, and folders that were added by hand, by the .pth files beside the distributions.
    """
    places = list(sys.path if search_path is None else search_path)
    found = {*_editable(places), *_added(places)}
    outside = {folder for folder in found if not folder.is_relative_to(root) and not _is_in_image(folder)}
    return sorted(folder for folder in outside if not outside & set(folder.parents))


def _editable(places: list[str]) -> Iterator[Path]:
    for distribution in distributions(path=places):
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            yield Path(unquote(urlsplit(origin["url"]).path))


def _added(places: list[str]) -> Iterator[Path]:
    for site in (Path(place) for place in places if Path(place).name in _SITES):
        for file in sorted(site.glob("*.pth")):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            # As ``site`` reads them: lines that begin with "import" are run, others are folders, if they are there.
            folders = (site / line.strip() for line in lines if line.strip() and not line.startswith(("#", "import")))
            yield from (Path(os.path.normpath(folder)) for folder in folders if folder.is_dir())


def _is_in_image(folder: Path) -> bool:
    environment = [Path(sys.prefix)] if sys.prefix != sys.base_prefix else []
    library = [Path(path) for name in ("stdlib", "platstdlib") if (path := sysconfig.get_path(name))]
    return (
        not folder.is_dir()
        or bool(_SITES & set(folder.parts))
        or any(map(folder.is_relative_to, (*environment, *library)))
    )
