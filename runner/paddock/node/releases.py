"""Official release archives as pure values: which hold the programs of a recipe, and the digest each must have.

Reads ``k8s/node/releases.toml``. It must not fetch anything; :mod:`paddock.node.downloading` does.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock.resources import k8s_folder

if TYPE_CHECKING:
    from pathlib import Path

    from paddock.node.recipes import Recipe

_ALGORITHMS = ("sha256", "sha512")


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One release archive for one architecture."""

    version: str
    url: str
    algorithm: str
    """Name of the digest's algorithm, as hashlib knows it."""
    digest: str
    programs: tuple[tuple[str, str], ...]
    """Program and the path of it inside the archive, where ``*`` stands for one folder of any name."""


def archives(recipe: Recipe, architecture: str) -> tuple[Archive, ...]:
    """Return the archives that together hold every program of the recipe; none if a program is in no archive."""
    found = [_archive(each, architecture) for each in _pinned(_file()).get(recipe.module, ()) if architecture in each]
    held = {program for archive in found for program, _ in archive.programs}
    return tuple(found) if held and held >= called(recipe) else ()


def called(recipe: Recipe) -> set[str]:
    """Return the programs that are called by name: a program that is only called by its links is not."""
    return {*recipe.links, *recipe.programs[1 if recipe.links else 0 :]}


def digest(found: tuple[Archive, ...]) -> str:
    """Return the name of what is unpacked from the archives: a hash of all that is pinned."""
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]


def _archive(pinned: dict[str, Any], architecture: str) -> Archive:
    entry = pinned[architecture]
    algorithm = next(name for name in _ALGORITHMS if name in entry)
    programs = tuple(sorted(pinned["programs"].items()))
    return Archive(
        version=pinned["version"], url=entry["url"], algorithm=algorithm, digest=entry[algorithm], programs=programs
    )


def _file() -> Path:
    return k8s_folder() / "node" / "releases.toml"


@functools.cache
def _pinned(file: Path) -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(file.read_text())
