"""``[tool.paddock.env]``: the project's own names for what a worker is given.

Owns what may stand in that table. Which placeholders there are, ``services.placeholders`` knows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.services import placeholders
from paddock.settings.kinds import VARIABLE, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.settings.pyproject import Pyproject

KEY = "env"
_OURS = "PADDOCK"
_AT_THE_START = ("LD_", "PYTHON")
"""Read when the worker's process starts, which is before its services are known."""


def carried(document: Pyproject) -> str:
    """Return the names with the value ``true``, separated by commas: they travel with their value here."""
    return ",".join(name for name, value in _table(document).items() if value is True)


def read(document: Pyproject, known: Mapping[str, str] = placeholders.VARIABLES) -> dict[str, str]:
    """Return the variables with a value of their own; ``known`` are the placeholders that may stand in them.

    Raises:
        UsageError: a name or a value cannot be meant; it says on which line.
    """
    table = {name: value for name, value in _table(document).items() if value is not True}
    return {name: _checked(name, value, document, known) for name, value in table.items()}


def _table(document: Pyproject) -> dict[str, object]:
    table = document.get(KEY)
    return table if isinstance(table, dict) else {}


def _checked(name: str, value: object, document: Pyproject, known: Mapping[str, str]) -> str:
    def what() -> str:
        return f"{name!r} in [tool.paddock.env] of {document.place(KEY, name)}"

    if not re.fullmatch(VARIABLE, name) or name.startswith(_OURS):
        raise UsageError(f"{what()} cannot be set; expected the name of an environment variable that is not Paddock's.")
    if not isinstance(value, str) or "\0" in value:
        raise UsageError(f"{what()} is {shown(value)}; expected a text, or true for the value it has here.")
    if placeholders.used_in_template(value, what, known) and name.startswith(_AT_THE_START):
        raise UsageError(f"{what()} has a placeholder, but is read before services are known; expected a plain text.")
    return value
