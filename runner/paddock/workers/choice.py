"""Everything a run sends to its workers: the project's files and those of its siblings, within a limit.

Owns the limit and what is said about size. It must not know how files are packed or sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.workers.inpod import patterns
from paddock.workers.siblings import siblings
from paddock.workers.sources import SourceSet, collect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOTABLE_FILES, NOTABLE_SIZE = 2000, 20 << 20
"""Files and bytes from which the size is worth a line: below, packing and sending take a fraction of a second."""
_MIB = 1 << 20


def choose(
    root: Path,
    *,
    include: Sequence[str] = (),
    also: Sequence[str] = (),
    exclude: Sequence[str] = (),
    limit: int,
    others: Sequence[Path] | None = None,
) -> tuple[SourceSet, ...]:
    """Return the files below ``root``, and those of each of its siblings; no file is in two of the sets.

    ``include`` and ``exclude`` hold for each set, relative to its own root; ``also`` is ``include`` for ``root`` alone,
    of what may be there or not. ``others`` are the siblings, found in the
    running environment by default.

    Raises:
        UsageError: ``root`` is no folder, a pattern of ``include`` matches nothing, or all files together are more
            than ``limit`` bytes.
    """
    roots = (root, *(siblings(root) if others is None else others))
    own = {root: (*include, *also)}
    sets = [_without(collect(one, include=own.get(one, include), exclude=exclude), roots) for one in roots]
    for pattern in include:
        if not any(patterns.matches(file.path, (pattern,)) for one in sets for file in one.files):
            raise UsageError(
                f"The sources to include name {pattern!r}, but nothing below {root} matches that can be sent. "
                "Make the file, or take the pattern off --paddock-include.",
            )
    if sum(one.size for one in sets) > limit:
        raise UsageError(_too_large(sets, limit))
    return tuple(sets)


def _without(one: SourceSet, roots: Sequence[Path]) -> SourceSet:
    """Return the set without what lies in another set's root further down: pytest may run below a sibling."""
    inner = tuple(f"{root.relative_to(one.root)}/" for root in roots if one.root in root.parents)
    if not inner:
        return one
    return SourceSet(root=one.root, files=tuple(file for file in one.files if not file.path.startswith(inner)))


def summary(sets: Sequence[SourceSet]) -> str:
    """Return what is sent in a few words; empty where it is not worth a line."""
    files, size = sum(len(one.files) for one in sets), sum(one.size for one in sets)
    if len(sets) <= 1 and files < NOTABLE_FILES and size < NOTABLE_SIZE:
        return ""
    beside = ", ".join(str(one.root) for one in sets[1:])
    return f"{files} files, {size / _MIB:.1f} MiB" + (f"; with {beside}" if beside else "")


def _too_large(sets: Sequence[SourceSet], limit: int) -> str:
    size, files = sum(one.size for one in sets), sum(len(one.files) for one in sets)
    return (
        f"The sources are {size / _MIB:.0f} MiB in {files} files, more than the {limit / _MIB:.0f} MiB allowed, and "
        f"every worker would have to receive them. The largest folders are {_blamed(sets)}: have git ignore what "
        "tests do not need, leave it out with --paddock-exclude, or allow more with --paddock-sources-size."
    )


def _blamed(sets: Sequence[SourceSet]) -> str:
    folders = [(one.root / name, size) for one in sets for name, size in one.largest_folders()]
    largest = sorted(folders, key=lambda folder: -folder[1])[:3]
    return ", ".join(f"{folder} ({size / _MIB:.0f} MiB)" for folder, size in largest)
