"""``[tool.paddock.pod]`` and ``--paddock-pod-patch``: what the user adds to pods, read and checked.

Owns the keys of the table and the form of a patch file. How an addition is merged, ``namespaces.additions`` knows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paddock.errors import UsageError
from paddock.settings.kinds import hint, shown
from paddock.settings.table import TABLE
from paddock.specs import PodAddition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from paddock.settings.pyproject import Pyproject

KEY = "pod"
PODS = ("worker", "broker", "database")
_PATCH = "patch"

_SHAPES: Mapping[str, tuple[type, str, tuple[str, str]]] = {
    "node-selector": (dict, "a table of labels", ("spec", "nodeSelector")),
    "tolerations": (list, "a list of tables", ("spec", "tolerations")),
    "affinity": (dict, "a table", ("spec", "affinity")),
    "priority-class": (str, "the name of a PriorityClass", ("spec", "priorityClassName")),
    "runtime-class": (str, "the name of a RuntimeClass", ("spec", "runtimeClassName")),
    "labels": (dict, "a table of texts", ("metadata", "labels")),
    "annotations": (dict, "a table of texts", ("metadata", "annotations")),
    _PATCH: (str, "the path of a YAML file", ("", "")),
}
"""Key -> type in TOML, the same in words, and where it stands in a pod."""

_REMEDY = f"Name a file of YAML with --paddock-pod-patch, or as 'patch' in [{TABLE}.{KEY}]."
_TEXTS = frozenset({"node-selector", "labels", "annotations"})


def read(document: Pyproject, patch: Path | None) -> tuple[PodAddition, ...]:
    """Return the additions of the table and of the patch file that a flag or a variable names.

    Raises:
        UsageError: a key, a value or a file cannot be meant; it says on which line.
    """
    table = document.get(KEY, {})
    if not isinstance(table, dict):
        raise UsageError(f"{KEY!r} in [{TABLE}] of {document.place(KEY)} is {shown(table)}; expected a table.")
    given = [] if patch is None else patches(patch)
    return (*_additions(document, table, ""), *given)


def _additions(document: Pyproject, table: Mapping[str, Any], pod: str) -> Iterator[PodAddition]:
    for key, value in table.items():
        keys = tuple(filter(None, (KEY, pod, key)))
        if not pod and key in PODS and isinstance(value, dict):
            yield from _additions(document, value, key)
        elif key == _PATCH and isinstance(value, str) and value:
            folder = document.path.parent if document.path else None
            yield from patches(folder / value if folder else _path(value), pod)
        else:
            yield _addition(document, keys, value, pod)


def _path(text: str) -> Path:
    from pathlib import Path  # noqa: PLC0415 - a table that came from no file names one: tests only

    return Path(text)


def _addition(document: Pyproject, keys: tuple[str, ...], value: object, pod: str) -> PodAddition:
    if keys[-1] not in _SHAPES:
        raise UsageError(_unknown(document, keys, pod))
    kind, expected, (part, name) = _SHAPES[keys[-1]]
    if not (isinstance(value, kind) and value and _is_plain(value, texts=keys[-1] in _TEXTS)):
        raise UsageError(f"{_named(keys)} of {document.place(*keys)} is {shown(value)}; expected {expected}.")
    return PodAddition(manifest={part: {name: value}}, file=document.place(*keys), pod=pod)


def _named(keys: tuple[str, ...]) -> str:
    return f"{keys[-1]!r} in [{'.'.join((TABLE, *keys[:-1]))}]"


def _unknown(document: Pyproject, keys: tuple[str, ...], pod: str) -> str:
    known = [*_SHAPES, *(() if pod else PODS)]
    where = f"[{'.'.join((TABLE, *keys[:-1]))}] of {document.place(*keys)}"
    return f"{where} has the unknown key {keys[-1]!r}. {hint(keys[-1], known)}"


def _is_plain(value: object, *, texts: bool) -> bool:
    """Return whether the API can be told the value: TOML has dates and infinities, JSON has neither."""
    if texts and isinstance(value, dict):
        return all(isinstance(one, str) for one in value.values())
    if isinstance(value, list):
        return all(isinstance(one, dict) and _is_plain(one, texts=False) for one in value)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def patches(path: Path, pod: str = "") -> list[PodAddition]:
    """Return the additions of a patch file: YAML documents, each a partial Pod.

    ``metadata.name`` says which pod a document is for; without it, it is for ``pod``, or for all of them.

    Raises:
        UsageError: the file cannot be read, or a document is no partial Pod.
    """
    import yaml  # noqa: PLC0415 - only a project with a patch needs it

    try:
        text = path.read_text(encoding="utf-8")
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        documents = list(yaml.safe_load_all(text))
    except OSError as error:
        raise UsageError(f"The patch {path} cannot be read: {error.strerror}. {_REMEDY}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(
            f"The patch {path} cannot be read as YAML: {' '.join(str(error).split())}. {_REMEDY}"
        ) from None
    pairs = zip(documents, nodes, strict=True)
    return [_patch(document, dict(_lines(node)), str(path), pod) for document, node in pairs if document is not None]


def _patch(document: Any, lines: Mapping[tuple[str, ...], int], file: str, pod: str) -> PodAddition:  # noqa: ANN401 - whatever YAML holds
    where = PodAddition(manifest={}, file=file, lines=lines).where
    metadata = document.get("metadata", {}) if isinstance(document, dict) else None
    if not isinstance(metadata, dict) or not isinstance(document.get("spec", {}), dict):
        raise UsageError(f"The patch {where(())} is no partial Pod; expected the keys metadata and spec.")
    if not _is_plain(document, texts=False):
        raise UsageError(f"The patch {where(())} holds a date or an infinity; expected what JSON knows.")
    name = metadata.get("name", pod)
    if name not in {"", *PODS} or (pod and name != pod):
        wanted = pod or "one of " + ", ".join(PODS)
        raise UsageError(f"'metadata.name' in {where(('metadata', 'name'))} is {shown(name)}; expected {wanted}.")
    return PodAddition(manifest=document, file=file, pod=name, lines=lines)


def _lines(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:  # noqa: ANN401 - PyYAML's nodes have no types
    if node is None:
        return
    if not path:
        yield path, node.start_mark.line + 1
    if node.id == "mapping":
        for key, value in node.value:
            yield (*path, str(key.value)), key.start_mark.line + 1
            yield from _lines(value, (*path, str(key.value)))
    elif node.id == "sequence":
        for number, entry in enumerate(node.value):
            identities = {key.value: value.value for key, value in entry.value} if entry.id == "mapping" else {}
            for name in {str(number), str(identities.get("name", number)), str(identities.get("mountPath", number))}:
                yield (*path, name), entry.start_mark.line + 1
                yield from _lines(entry, (*path, name))
