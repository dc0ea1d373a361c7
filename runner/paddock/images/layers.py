"""Layers as values: which path of an image holds what.

Pure. It decides modes, parents and the way through symbolic links; sources are read and archives written elsewhere.
Paths are relative to the image's root, without a leading slash.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

DIRECTORY_MODE = 0o755
FILE_MODE = 0o644
EXECUTABLE_MODE = 0o755

_MAX_LINKS = 40  # as the kernel's limit: a loop of links must end


@dataclass(frozen=True, slots=True)
class Directory:
    """A folder."""

    mode: int = DIRECTORY_MODE


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True, slots=True)
class File:
    """A regular file whose content is read from ``source`` when the layer is written."""

    source: Path
    mode: int = FILE_MODE


@dataclass(frozen=True, slots=True)
class Content:
    """A regular file whose content is at hand."""

    data: bytes
    mode: int = FILE_MODE


@dataclass(frozen=True, slots=True)
class Slice:
    """A regular file whose content is a part of ``source``: of the archive of a layer that was made before."""

    source: Path
    offset: int
    """Bytes before it."""
    size: int
    """Bytes."""
    digest: str
    """SHA-256 of the content, hexadecimal."""
    mode: int = FILE_MODE


Entry = Directory | Link | File | Content | Slice


def readable_mode(mode: int) -> int:
    """Return the mode for the image of a file that has ``mode`` here: readable and, if so here, executable by everyone.

    Set-user-id and group-write bits are lost on purpose: pods run as one number without privileges.
    """
    return EXECUTABLE_MODE if mode & 0o111 else FILE_MODE


def canonical(path: str, links: Mapping[str, str]) -> str:
    """Return where ``path`` really lies when the folders above it may be ``links`` (path -> target), as ``lib`` is."""
    done, todo = "", path.strip("/").split("/")
    for _ in range(_MAX_LINKS):
        while todo and (len(todo) == 1 or posixpath.join(done, todo[0]) not in links):
            done = posixpath.join(done, todo.pop(0))
        if not todo:
            break
        target = posixpath.join("/", done, links[posixpath.join(done, todo.pop(0))])
        done, todo = "", posixpath.normpath(target).strip("/").split("/") + todo
    return posixpath.join(done, *todo)


def complete(entries: Mapping[str, Entry], below: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return ``entries`` with their parent folders, at canonical paths, as a layer on top of ``below``.

    A parent that ``below`` has keeps its mode but is opened to everyone (``/root`` is 0700 in a distribution).
    """
    links = {path: entry.target for path, entry in {**below, **entries}.items() if isinstance(entry, Link)}
    named = {path: posixpath.split(path) for path in entries}
    folders = {folder: _canonical_folder(folder, links) for folder, _ in named.values()}  # far fewer than files
    placed = {posixpath.join(folders[folder], name): entries[path] for path, (folder, name) in named.items()}
    parents = {parent for folder in set(folders.values()) for parent in parents_of(f"{folder}/")}
    return dict(sorted({**{parent: _opened(below.get(parent)) for parent in parents if parent}, **placed}.items()))


def _canonical_folder(folder: str, links: Mapping[str, str]) -> str:
    return posixpath.dirname(canonical(f"{folder}/_", links)) if folder else ""


def parents_of(path: str) -> Sequence[str]:
    """Return the folders above ``path``, outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def merged(layers: Iterable[Mapping[str, Entry]]) -> dict[str, Entry]:
    """Return what is seen when ``layers`` lie on top of one another, the first at the bottom."""
    return {path: entry for layer in layers for path, entry in layer.items()}


def _opened(entry: Entry | None) -> Directory:
    return Directory(entry.mode | DIRECTORY_MODE) if isinstance(entry, Directory) else Directory()
