"""The user's own additions to pods: merged as data, and only added.

Pure. What Paddock sets stays as it is, or the promises made of it (an end, an account without a token, a security
level) would not hold. It must not know where additions were written: they say so themselves.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from paddock.cluster.requests import Manifest
    from paddock.specs import PodAddition

    Path = tuple[str, ...]

_NAMED_BY: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
"""Lists whose entries have an identity, as in Kubernetes' own merging: an entry of the same identity is completed."""

_METADATA = frozenset({"name", "labels", "annotations"})
"""Anything else there, such as a finalizer, would change how pods end."""


def applied(manifest: Manifest, additions: Iterable[PodAddition]) -> Manifest:
    """Return a pod with what is added to it.

    Raises:
        UsageError: an addition would change or remove what is there; it names path, file and line.
    """
    name = manifest["metadata"]["name"]
    merged: Manifest = copy.deepcopy(manifest)
    for addition in additions:
        if addition.pod in {"", name}:
            _check_top(addition)
            merged = _Merge(addition).mapping(merged, addition.manifest, ())
    return merged


def _check_top(addition: PodAddition) -> None:
    metadata = addition.manifest.get("metadata", {})
    for path, known, given in (
        ((), frozenset({"apiVersion", "kind", "metadata", "spec"}), addition.manifest),
        (("metadata",), _METADATA, metadata if isinstance(metadata, dict) else {}),
    ):
        for key in given:
            if key not in known:
                raise UsageError(f"{_named((*path, key), addition)} cannot be added; known are: {', '.join(known)}.")


class _Merge:
    """One addition on its way into a pod."""

    def __init__(self, addition: PodAddition) -> None:
        self._addition = addition

    def mapping(self, ours: Mapping[str, Any], theirs: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Return ``ours`` with the keys of ``theirs``."""
        merged = dict(ours)
        for key, value in theirs.items():
            merged[key] = self._value(ours[key], value, (*path, key)) if key in ours else self._new(value, (*path, key))
        return merged

    def _value(self, ours: object, theirs: object, path: Path) -> object:
        if isinstance(ours, dict) and isinstance(theirs, dict):
            return self.mapping(ours, theirs, path)
        if isinstance(ours, list) and isinstance(theirs, list) and all(isinstance(one, dict) for one in ours + theirs):
            return self._entries(ours, theirs, path)
        if ours != theirs:
            raise UsageError(f"{_named(path, self._addition)} is set by Paddock; a pod can only be added to.")
        return ours

    def _entries(self, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], path: Path) -> list[object]:
        identity = _NAMED_BY.get(path[-1])
        merged: dict[object, object] = {_identity(one, identity, number): one for number, one in enumerate(ours)}
        for number, entry in enumerate(theirs):
            key = _identity(entry, identity, len(ours) + number)
            there = merged.get(key)
            place = (*path, str(key))
            merged[key] = self.mapping(there, entry, place) if isinstance(there, dict) else self._new(entry, place)
        return list(merged.values())

    def _new(self, value: object, path: Path) -> object:
        if value is None:
            raise UsageError(f"{_named(path, self._addition)} is empty; a pod can only be added to.")
        return copy.deepcopy(value)


def _identity(entry: Mapping[str, Any], identity: str | None, number: int) -> object:
    named = entry.get(identity) if identity else None
    return named if isinstance(named, (str, int)) else number  # any other name is the API server's to refuse


def _named(path: Path, addition: PodAddition) -> str:
    return f"{'.'.join(path)!r} in {addition.where(path)}"
