"""``[tool.paddock]`` of a project's pyproject.toml, and the line on which a key of it stands.

Owns reading the file and finding lines. What keys mean it must not know.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ROOT = ("tool", "paddock")


class Pyproject(dict[str, object]):
    """The table's keys and values; ``place`` says where in the file each of them stands."""

    def __init__(self, table: Mapping[str, object], path: Path | None = None, text: str = "") -> None:
        super().__init__(table)
        self.path, self._text = path, text

    def place(self, *keys: str) -> str:
        """Return file and line of a key below the table, dotted or not, as a person would look for it."""
        if self.path is None:
            return "pyproject.toml"
        line = line_of(self._text, (*ROOT, *(part for key in keys for part in key.split("."))))
        return f"{self.path}:{line}" if line else str(self.path)

    def holding(self, table: Mapping[str, object]) -> Pyproject:
        """Return other content of the same file."""
        return Pyproject(table, self.path, self._text)


def read(folder: Path) -> Pyproject:
    """Return ``[tool.paddock]`` of the folder's pyproject.toml, empty where there is none.

    Raises:
        UsageError: the file cannot be read, or ``tool.paddock`` is no table.
    """
    path = folder / "pyproject.toml"
    try:
        text = path.read_text(encoding="utf-8")
        content: Any = tomllib.loads(text)
    except FileNotFoundError:
        return Pyproject({})
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # TOML's own errors, an encoding's, and numbers beyond Python's limit
        raise UsageError(f"{path} cannot be read as TOML: {error}.") from None
    for key in ROOT:
        content = content.get(key, {})
        if not isinstance(content, dict):
            raise UsageError(f"[tool.paddock] of {path} is no table; expected a table of options.")
    return Pyproject(content, path, text)


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """Return the line, counted from 1, of the statement that sets a key, or of the nearest table around it."""
    deepest, line = 0, None
    for begin, content in _statements(text):
        depth = _depth(content, keys)
        if depth > deepest:
            deepest, line = depth, begin
    return line


def _statements(text: str) -> Iterator[tuple[int, Any]]:
    """Yield the first line of each statement and its content below the table it stands in.

    The standard library's parser keeps no lines, but a statement is complete exactly when it can be parsed alone.
    """
    pending, begin, table = "", 1, ""
    for number, line in enumerate(text.split("\n"), start=1):
        begin = begin if pending else number
        pending += f"{line}\n"
        if _parsed(pending) is None:
            continue
        if pending.lstrip().startswith("["):
            table = pending
        yield begin, _parsed(table if table is pending else table + pending)
        pending = ""


def _parsed(text: str) -> Any:  # noqa: ANN401 - whatever TOML holds
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _depth(content: Any, keys: Sequence[str]) -> int:  # noqa: ANN401 - as above
    """Return how many of ``keys`` can be followed into ``content``."""
    for depth, key in enumerate(keys):
        content = content[-1] if isinstance(content, list) and content else content
        if not isinstance(content, dict) or key not in content:
            return depth
        content = content[key]
    return len(keys)
