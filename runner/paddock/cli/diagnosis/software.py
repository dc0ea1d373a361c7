"""Checks of what is installed here and of what was set."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING

from paddock.cli.diagnosis.findings import FAIL, OK, WARN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.cli.diagnosis.findings import Surroundings

_OLDEST = (3, 11)
_DISTRIBUTION = "paddock"


def python(_here: Surroundings) -> Finding:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST:  # reached where a wheel was forced in
        return Finding(FAIL, f"Python {version} is too old.", "Use Python 3.11 or newer.")
    return Finding(OK, f"Python {version} at {sys.executable}")


def packages(_here: Surroundings) -> Finding:
    """Paddock's own requirements, with their versions."""
    try:
        required = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Finding(WARN, "Paddock runs from its sources and is not installed.", "Install it: pip install paddock.")
    unmet = list(unmet_requirements(required))
    if unmet:
        return Finding(
            FAIL, f"Not as Paddock needs it: {', '.join(unmet)}.", "Install it anew: pip install -U paddock."
        )
    shown = [f"{name} {metadata.version(name)}" for name in ("pytest", "pytest-xdist", "execnet", "kubernetes")]
    return Finding(OK, ", ".join(shown))


def unmet_requirements(required: list[str]) -> Iterator[str]:
    """Yield what is missing or too old, with what there is."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - pytest's dependency; only this check needs it

    for requirement in map(Requirement, required):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            there = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{requirement} is missing"
            continue
        if not requirement.specifier.contains(there, prereleases=True):
            yield f"{requirement} is {there}"


def plugins(_here: Surroundings) -> Finding:
    """What makes pytest load Paddock and pytest-xdist by itself."""
    found = {entry.name for entry in metadata.entry_points(group="pytest11")}
    missing = {"paddock", "xdist"} - found
    if missing:
        remedy = "Install them into the environment that runs pytest: pip install paddock."
        return Finding(FAIL, f"pytest finds no plugin {' and no plugin '.join(sorted(missing))} here.", remedy)
    return Finding(OK, "pytest loads paddock and xdist")


def options(here: Surroundings) -> Finding:
    """The environment and pyproject.toml."""
    from paddock.settings.table import Source  # noqa: PLC0415 - not needed for --help

    chosen = [name for name, given in here.settings.given.items() if given.source > Source.DEFAULT]
    return Finding(OK, f"set here: {', '.join(chosen)}" if chosen else "all defaults")
