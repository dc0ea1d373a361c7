"""Which paths a pattern means, the same on both sides of a stream.

Owns the rule: as in Python's ``glob``, a pattern counts from the root, ``*`` and ``?`` stay within one folder and
``**`` stands for any number of folders; a pattern that matches a folder means everything below it. Pure.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_WILD = frozenset("*?[")


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Return whether one of ``patterns`` means ``path``, which is relative to the root."""
    parts = path.split("/")
    return any(_matches(parts, split(pattern)) for pattern in patterns)


def split(pattern: str) -> list[str]:
    """Return the parts of a pattern; empty ones and ``.`` mean nothing."""
    return [part for part in pattern.split("/") if part not in {"", "."}]


def fixed(pattern: str) -> str:
    """Return the part in front of the first wildcard: what matches lies there or below; empty for the root."""
    parts: list[str] = []
    for part in split(pattern):
        if _WILD & set(part):
            break
        parts.append(part)
    return "/".join(parts)


def _matches(parts: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return True  # the rest lies below a folder that matches
    if wanted[0] == "**":
        return any(_matches(parts[start:], wanted[1:]) for start in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])
