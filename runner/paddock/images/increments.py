"""What a layer has to hold when most of it is in an earlier one already, which then lies below it.

Owns the comparison by content and the format of deletions. It must not know what the files are.
"""

from __future__ import annotations

import hashlib
import posixpath
from typing import TYPE_CHECKING

from paddock.images.layers import Content, Directory, Entry, File, Slice, parents_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_DELETED = ".wh."
"""Beginning of the name of an empty file that deletes its namesake below (OCI image specification 1.1, layer.md)."""


def taken_over(entries: Mapping[str, Entry], earlier: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return ``entries`` with each file that ``earlier`` has as well, with content and mode, as the slice there."""
    same = {path: earlier[path] for path, entry in entries.items() if path in earlier and _same(entry, earlier[path])}
    return {**entries, **same}


def _same(file: Entry, old: Entry) -> bool:
    if not (isinstance(file, File) and isinstance(old, Slice)):
        return False
    if old.mode != file.mode or old.size != file.source.stat().st_size:
        return False
    with file.source.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == old.digest


def on_top(entries: Mapping[str, Entry], earlier: Mapping[str, Entry], below: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the layer that turns ``earlier`` into ``entries`` when it lies on it; both are complete layers.

    What only ``earlier`` has is deleted; folders that also lie in the layers ``below`` both are never.
    """
    changed = {path: entry for path, entry in entries.items() if earlier.get(path) != entry}
    layer = changed | _deletions(entries, earlier, below)
    parents = {parent for path in layer for parent in parents_of(path)}
    folders = {path: entries.get(path) or earlier[path] for path in parents}  # in the latter alone: the base's as well
    return dict(sorted({**folders, **layer}.items()))


def _deletions(
    entries: Mapping[str, Entry], earlier: Mapping[str, Entry], below: Mapping[str, Entry]
) -> dict[str, Entry]:
    gone = {path for path in earlier if path not in entries and path not in below}
    # The outermost of a folder that has gone takes the rest along; what became a link or a file hides all by itself.
    tops = (path for path in gone if isinstance(entries.get(posixpath.dirname(path), Directory()), Directory))
    tops = (path for path in tops if posixpath.dirname(path) not in gone)
    return {posixpath.join(posixpath.dirname(path), _DELETED + posixpath.basename(path)): Content(b"") for path in tops}


def is_worth_it(entries: Mapping[str, Entry], earlier: Mapping[str, Entry]) -> bool:
    """Tell whether a small layer on ``earlier`` serves better than a new one.

    Not when half of ``earlier`` has been replaced (it is moved in vain), nor when there is more new than old (each
    later change would make all of the new again).
    """
    sizes = [(entry.size, earlier.get(path) == entry) for path, entry in entries.items() if isinstance(entry, Slice)]
    kept = sum(size for size, is_kept in sizes if is_kept)
    new = sum(entry.source.stat().st_size for entry in entries.values() if isinstance(entry, File))
    whole = sum(entry.size for entry in earlier.values() if isinstance(entry, Slice))
    return kept > 0 and 2 * kept >= whole and new <= kept
