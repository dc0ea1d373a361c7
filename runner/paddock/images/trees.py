"""Folders of this machine as entries of a layer: what is taken, what is left out, and links that leave the folder.

It must not know what an interpreter is; the rules of what to leave out are given to it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.images.layers import Directory, Entry, File, Link, readable_mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def entries(root: Path, place: str, skip: Callable[[str], bool], kept: Sequence[Path]) -> dict[str, Entry]:
    """Return the entries for the folder ``root`` when it lies at ``place`` in the image.

    Args:
        root: Folder on this machine.
        place: Its path in the image.
        skip: Says by path what is left out, ``/`` being ``root``; what lies below a folder goes with it.
        kept: Folders that are in the image at their own path: a link into one of them stays a link, a link to any other
            file becomes the file (as installers leave that link into their cache).
    """
    found: dict[str, Entry] = {place.strip("/"): Directory()}
    for below, item in _walk(root, "/", skip):
        made = _entry(item, (root, *kept))
        if made is not None:
            found[f"{place}{below}".strip("/")] = made
    return found


def entry(path: Path, kept: Sequence[Path]) -> Entry:
    """Return the entry of one file or link; see :func:`entries` for ``kept``."""
    return _link(path, kept) if path.is_symlink() else _file(path)


def _walk(folder: Path, below: str, skip: Callable[[str], bool]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    for item in sorted(os.scandir(folder), key=lambda item: item.name):
        path = f"{below}{item.name}"
        if skip(path):
            continue
        yield path, item
        if item.is_dir(follow_symlinks=False):
            yield from _walk(Path(item.path), f"{path}/", skip)


def _entry(item: os.DirEntry[str], kept: Sequence[Path]) -> Entry | None:
    if item.is_symlink():
        return _link(Path(item.path), kept)
    if item.is_dir():
        return Directory()
    # Sockets and pipes that a program left behind are no part of an environment.
    return _file(Path(item.path)) if item.is_file() else None


def _file(path: Path) -> Entry:
    return File(path, readable_mode(path.stat().st_mode))


def _link(path: Path, kept: Sequence[Path]) -> Entry:
    real = path.resolve()
    if real.is_file() and not any(real.is_relative_to(tree.resolve()) for tree in kept):
        return _file(real)
    return Link(str(path.readlink()))


def links_on_the_way(path: Path) -> dict[str, Entry]:
    """Return the symbolic links that are passed from the root to what ``path`` really names, as entries."""
    found: dict[str, Entry] = {}
    todo = [path]
    while todo:
        current = todo.pop()
        for step in (*reversed(current.parents), current):
            if step.is_symlink() and str(step).strip("/") not in found:
                found[str(step).strip("/")] = Link(str(step.readlink()))
                todo.append(Path(os.path.normpath(step.parent / step.readlink() / current.relative_to(step))))
                break
    return found
