"""``[tool.paddock.services.NAME]``: services of the project's own in every worker's namespace.

Owns the keys of these tables. What becomes of them, ``namespaces.declared`` knows; whether Kubernetes takes a probe,
the API server is asked before anything is created.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock.declared_services import DeclaredService, Holding
from paddock.errors import UsageError
from paddock.services import placeholders
from paddock.settings import objects
from paddock.settings.kinds import HARDWARE, IMAGE, QUANTITY, VARIABLE, hint, shown
from paddock.settings.pods import PODS
from paddock.settings.table import TABLE

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
    services = tuple(_service(document, name, value) for name, value in table.items())
    _check_apart(services)
    return services


def _check_apart(services: tuple[DeclaredService, ...]) -> None:
    owners = {(kind, one.name): one for one in services if not one.objects for kind in ("Pod", "Service")}
    for service in services:
        for key in [(one["kind"], one["metadata"]["name"]) for one in service.objects]:
            if owners.setdefault(key, service) is not service:
                kind, name = key
                raise UsageError(
                    f"The {kind} {name!r} of {service.place} is one of {owners[key].place} as well; expected names of "
                    "their own, since all services of a worker share its namespace."
                )


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
    values = {key.replace("-", "_"): _value(document, name, key, value) for key, value in table.items()}
    if "objects" in values:
        place = document.place(KEY, name, "objects")
        values["objects"] = objects.read(_beside(document, values["objects"]), name, place)
    values["readiness"] = _asked(values, what)
    _check_url(values, name, document)
    return DeclaredService(name=name, place=document.place(KEY, name), **values)


def _beside(document: Pyproject, path: str) -> Path:
    return document.path.parent / path if document.path else Path(path)


def _asked(values: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """Return the probe: as it is declared, or as the service's own Pod has it.

    Raises:
        UsageError: there is none.
    """
    declared = values.get("readiness") or _own_probe(values)
    if not declared:
        raise UsageError(f"{what} has no 'readiness'; {_NO_READINESS}")
    return {"tcpSocket": {"port": values["port"]}} if declared == _TCP else declared


def _own_probe(values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever YAML holds
    pods = [one for one in values.get("objects", ()) if one["kind"] == "Pod"]
    return next((probe for pod in pods if (probe := pod["spec"]["containers"][0].get("readinessProbe"))), None)


def _check_url(values: Mapping[str, Any], name: str, document: Pyproject) -> None:
    known = {f"{name}.{fact}": "" for fact in ("host", "port")}
    placeholders.used_in_template(
        values.get("url", ""), lambda: f"'url' in [{TABLE}.{KEY}.{name}] of {document.place(KEY, name, 'url')}", known
    )


def _check_keys(what: str, table: Mapping[str, object]) -> None:
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"{what} has the unknown key {key!r}. {hint(key, _KEYS)}")
    if "port" not in table:
        raise UsageError(f"{what} has no 'port'; expected the one that it listens on.")
    if not {"image", "objects", "command"} & table.keys():
        raise UsageError(
            f"{what} has neither image nor command nor objects; without an image the project's own environment runs."
        )
    for key in _OF_A_POD.intersection(table) if "objects" in table else ():
        raise UsageError(f"{what} has objects and {key!r}, which stands in them; expected one or the other.")


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


def _filled(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(value)
    return value


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError(value)
    return tuple(value)


def _hardware(value: object) -> Holding:
    found: Any = HARDWARE.parse(_filled(value))
    if len(found) != 1:
        raise ValueError(value)
    ((kind, count),) = found
    return Holding(kind=kind, count=count)


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
    "objects": (_filled, "the path of a YAML file with Kubernetes objects, from this file on"),
    "command": (_command, "a list of texts that is not empty"),
    "local-command": (_command, "a list of texts that is not empty"),
    "hardware": (_hardware, "a kind of hardware such as coral, or coral=2 for two of it"),
    "url": (_filled, "a text that is not empty"),
    "environment": (_environment, "a table of texts"),
    "memory": (_text(QUANTITY.parse), QUANTITY.expected),
    "cpu": (_text(QUANTITY.parse), QUANTITY.expected),
}
"""Key -> how it is read, and what is expected, in words."""

_OF_A_POD = frozenset({"image", "command", "memory", "cpu"})
"""Keys that say what a Pod would say itself; ``environment`` is that of ``local-command`` as well."""

_NO_READINESS = (
    "tests would begin before it answers. "
    f'Expected readiness = "{_TCP}", or a probe of Kubernetes, such as {{httpGet = {{path = "/", port = 80}}}}.'
)
