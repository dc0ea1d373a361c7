"""``[tool.paddock.services.NAME]``: services of the project's own in every worker's namespace.

Owns the keys of these tables. What becomes of them, ``namespaces.declared`` knows; whether Kubernetes takes a probe,
the API server is asked before anything is created.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from paddock.errors import UsageError
from paddock.settings.kinds import IMAGE, QUANTITY, VARIABLE, hint, shown
from paddock.settings.pods import PODS
from paddock.settings.table import TABLE
from paddock.specs import DeclaredService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paddock.settings.pyproject import Pyproject

KEY = "services"
_NAME = r"[a-z][a-z0-9]{0,30}"
_TAKEN = (*PODS, "run")
_LARGEST_PORT = 65535
_TCP = "tcp"
_PROBES = ("exec", "grpc", "httpGet", "tcpSocket")


def read(document: Pyproject) -> tuple[DeclaredService, ...]:
    """Return the declared services.

    Raises:
        UsageError: a name, a key or a value cannot be meant, or readiness is missing; it says on which line.
    """
    table = document.get(KEY, {})
    if not isinstance(table, dict):
        raise UsageError(f"{KEY!r} in [{TABLE}] of {document.place(KEY)} is {shown(table)}; expected a table.")
    return tuple(_service(document, name, value) for name, value in table.items())


def _service(document: Pyproject, name: str, table: object) -> DeclaredService:
    what = f"[{TABLE}.{KEY}.{name}] of {document.place(KEY, name)}"
    if not re.fullmatch(_NAME, name) or name in _TAKEN:
        raise UsageError(
            f"{what} cannot be a service's name; expected up to 31 lower-case letters and digits, "
            f"beginning with a letter, and none of {', '.join(_TAKEN)}."
        )
    if not isinstance(table, dict):
        raise UsageError(f"{what} is {shown(table)}; expected a table.")
    _check_keys(what, table)
    values = {key: _value(document, name, key, value) for key, value in table.items()}
    if values["readiness"] == _TCP:
        values["readiness"] = {"tcpSocket": {"port": values["port"]}}
    return DeclaredService(name=name, place=document.place(KEY, name), **values)


def _check_keys(what: str, table: Mapping[str, object]) -> None:
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"{what} has the unknown key {key!r}. {hint(key, _KEYS)}")
    for key, remedy in _NEEDED.items():
        if key not in table:
            raise UsageError(f"{what} has no {key!r}; {remedy}")
    if "image" not in table and "command" not in table:
        raise UsageError(f"{what} has neither image nor command; without an image the project's own environment runs.")


def _value(document: Pyproject, name: str, key: str, value: object) -> Any:  # noqa: ANN401 - as the field has it
    read_value, expected = _KEYS[key]
    try:
        return read_value(value)
    except ValueError:
        place = document.place(KEY, name, key)
        raise UsageError(
            f"{key!r} in [{TABLE}.{KEY}.{name}] of {place} is {shown(value)}; expected {expected}."
        ) from None


def _text(parse: Callable[[str], object]) -> Callable[[object], object]:
    def read_text(value: object) -> object:
        return parse(value if isinstance(value, str) else "")

    return read_text


def _port(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST_PORT:
        raise ValueError(value)
    return value


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError(value)
    return tuple(value)


def _environment(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(
        re.fullmatch(VARIABLE, name) and isinstance(one, str) for name, one in value.items()
    ):
        raise ValueError(value)
    return value


def _readiness(value: object) -> str | dict[str, Any]:
    if value == _TCP:
        return _TCP
    if not isinstance(value, dict) or sum(probe in value for probe in _PROBES) != 1:
        raise ValueError(value)
    try:
        json.dumps(value, allow_nan=False)
    except TypeError:  # TOML has dates, JSON has none
        raise ValueError(value) from None
    return value


_KEYS: Mapping[str, tuple[Callable[[object], Any], str]] = {
    "image": (_text(IMAGE.parse), IMAGE.expected),
    "port": (_port, f"a number from 1 to {_LARGEST_PORT}"),
    "readiness": (_readiness, f"{_TCP!r}, or a probe of Kubernetes with one of {', '.join(_PROBES)}"),
    "command": (_command, "a list of texts that is not empty"),
    "environment": (_environment, "a table of texts"),
    "memory": (_text(QUANTITY.parse), QUANTITY.expected),
    "cpu": (_text(QUANTITY.parse), QUANTITY.expected),
}
"""Key -> how it is read, and what is expected, in words."""

_NEEDED = {
    "port": "expected the one that it listens on.",
    "readiness": "tests would begin before it answers. "
    f'Expected readiness = "{_TCP}", or a probe of Kubernetes, such as {{httpGet = {{path = "/", port = 80}}}}.',
}
"""Key that every service must have -> why."""
