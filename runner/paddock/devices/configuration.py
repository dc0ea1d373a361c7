"""The table of hardware, ``[tool.paddock.devices]`` or the same as a YAML file: its keys, and what is wrong with it.

Pure but for :func:`read_file`. What becomes of it, others know.
"""

from __future__ import annotations

import fnmatch
import re
import tomllib
from typing import TYPE_CHECKING, Any

from paddock.devices.resources import MOST_SHARES, Command, Hardware, Mount, own_resource
from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    Place = Callable[..., str]

KEY = "devices"
_KIND = re.compile(r"[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?")
_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_RESOURCE = re.compile(rf"(?P<domain>{_DOMAIN})/[A-Za-z0-9]([-\w.]{{0,61}}[A-Za-z0-9])?")
_LONGEST_DOMAIN = 253 - len("requests.")  # kubelet checks the name with this word before it, as quotas write it
_USB = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PERMISSIONS = re.compile(r"[rwm]+")
_WILD = re.compile(r"[*?[]")
_UPWARDS = re.compile(r"\*\*|(^|/)\.\.(/|$)")
_HEALTH_TIMEOUT = 5.0
_RESET_TIMEOUT = 20.0
_LONGEST_RESET = 25.0  # kubelet gives up PreStartContainer after 30 s (KubeletPreStartContainerRPCTimeoutInSecs)
_LONGEST = 3600.0
_IN_TURN, _TOGETHER = "in-turn", "together"
_BELONGS = {
    "shared-use": "shares",
    "health-timeout": "health",
    "health-period": "health",
    "reset-timeout": "reset",
}
"""Key -> the one without which it means nothing."""


def parse(table: object, place: Place) -> tuple[Hardware, ...]:
    """Return the configured hardware; ``place(*keys)`` says where a key stands, as a person would look for it.

    Raises:
        UsageError: a name, a key or a value cannot be meant, or two kinds claim the same devices.
    """
    if not isinstance(table, dict):
        raise UsageError(
            f"{KEY!r} in {place()} is {table!r}; expected a table with an entry for each kind of hardware."
        )
    found = tuple(
        _hardware(str(kind), value, lambda *keys, kind=kind: place(kind, *keys)) for kind, value in table.items()
    )
    _check_overlap([each for each in found if each.is_ours], place)
    return found


def read_file(path: Path) -> tuple[Hardware, ...]:
    """Return the hardware of a YAML file with the key ``devices``, or of a pyproject.toml.

    Raises:
        UsageError: it cannot be read, or see ``parse``.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = _toml(text) if path.suffix == ".toml" else _yaml(text)
    except OSError as error:
        raise UsageError(f"The configuration {path} cannot be read: {error.strerror}. Name a file that can.") from None
    except ValueError as error:
        raise UsageError(f"The configuration {path} cannot be read: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict) or set(content) != {KEY}:
        raise UsageError(
            f"The configuration {path} has not the one key {KEY!r}; expected {KEY}: {{KIND: {{paths: …}}}}."
        )
    return parse(content[KEY], lambda *keys: ".".join((f"{path}: {KEY}", *keys)))


def _toml(text: str) -> Any:  # noqa: ANN401 - whatever the file holds
    content: Any = tomllib.loads(text)
    for key in ("tool", "paddock"):
        content = content.get(key) if isinstance(content, dict) else None
    return {KEY: content[KEY]} if isinstance(content, dict) and KEY in content else {}


def _yaml(text: str) -> Any:  # noqa: ANN401 - as above
    import yaml  # noqa: PLC0415 - a pyproject.toml needs it not

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _hardware(kind: str, table: object, place: Place) -> Hardware:
    if not _KIND.fullmatch(kind):
        raise UsageError(
            f"{kind!r} in {place()} cannot be a kind of hardware; "
            "expected up to 63 letters, digits and inner hyphens, dots and underscores."
        )
    if not isinstance(table, dict):
        raise UsageError(f"{place()} is {table!r}; expected a table with the keys {', '.join(KEYS)}.")
    for key in table:
        if key not in KEYS:
            raise UsageError(f"{place()} has the unknown key {key!r}; known are {', '.join(KEYS)}.")
    values = {key: _value(key, value, place) for key, value in table.items()}
    resource = values.get("resource") or own_resource(kind)
    _check_whole(values, place)
    return _made(kind, resource, values)


def _made(kind: str, resource: str, values: Mapping[str, Any]) -> Hardware:
    names = ("paths", "usb", "shares", "permissions", "environment", "mounts")
    given: dict[str, Any] = {name: values[name] for name in names if name in values}
    if "health-period" in values:
        given["health_period"] = values["health-period"]
    if "shared-use" in values:
        given["in_turn"] = values["shared-use"] == _IN_TURN
    health = _command(values, "health", _HEALTH_TIMEOUT)
    reset = _command(values, "reset", _RESET_TIMEOUT)
    return Hardware(kind=kind, resource=resource, health=health, reset=reset, **given)


def _command(values: Mapping[str, Any], name: str, usual: float) -> Command | None:
    if name not in values:
        return None
    return Command(arguments=values[name], timeout=values.get(f"{name}-timeout", usual))


def _check_whole(values: Mapping[str, Any], place: Place) -> None:
    if not values.get("paths") and not values.get("usb"):
        if others := [key for key in values if key != "resource"]:
            raise UsageError(f"{place()} has {others[0]!r} but neither paths nor usb; expected one of them.")
        if "resource" not in values:
            raise UsageError(
                f"{place()} has neither paths nor usb, nor a resource; "
                "expected where its devices are, or the resource of the plugin that hands them out."
            )
    for key, other in _BELONGS.items():
        if key in values and other not in values:
            raise UsageError(f"{place(key)} belongs to {other!r}, which is not there.")


def _check_overlap(kinds: list[Hardware], place: Place) -> None:
    for number, one in enumerate(kinds):
        for other in kinds[:number]:
            if one.resource == other.resource:
                raise UsageError(
                    f"{place(one.kind)} and {place(other.kind)} are both the resource {one.resource}; "
                    "expected one kind for a resource, with all paths of it."
                )
            if common := _common(one, other):
                raise UsageError(
                    f"{place(one.kind)} and {place(other.kind)} overlap: both claim {common}; "
                    "a device can be handed out as one kind only."
                )


def _common(one: Hardware, other: Hardware) -> str:
    """Return what both claim, as far as patterns tell by themselves; devices that are there tell the rest."""
    claims = [identity for identity in one.usb if identity in other.usb]
    claims += [a for a in one.paths for b in other.paths if fnmatch.fnmatch(a, b) or fnmatch.fnmatch(b, a)]
    return claims[0] if claims else ""


# ---- values: each returns what is meant, or raises ValueError


def _value(key: str, value: object, place: Place) -> Any:  # noqa: ANN401 - as the field has it
    read_value, expected = KEYS[key]
    try:
        return read_value(value)
    except ValueError:
        raise UsageError(f"{place(key)} is {value!r}; expected {expected}.") from None


def _resource(value: object) -> str:
    found = _RESOURCE.fullmatch(value) if isinstance(value, str) else None
    domain = found["domain"] if found else ""
    is_native = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")  # those are Kubernetes' own
    if not found or is_native or len(domain) > _LONGEST_DOMAIN:
        raise ValueError(value)
    return found[0]


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(value)
    if not all(isinstance(one, str) and one and "\0" not in one for one in value):
        raise ValueError(value)
    return tuple(value)


def _paths(value: object) -> tuple[str, ...]:
    if not all(map(_is_pattern, _texts(value))):
        raise ValueError(value)
    return _texts(value)


def _is_pattern(pattern: str) -> bool:
    beginning = _WILD.split(pattern)[0]
    is_closed = all("]" in part for part in pattern.split("[")[1:])
    return (
        beginning.startswith("/dev/") and len(beginning) > len("/dev/") and is_closed and not _UPWARDS.search(pattern)
    )


def _usb(value: object) -> tuple[str, ...]:
    texts = tuple(one.lower() for one in _texts(value))
    if not all(map(_USB.fullmatch, texts)):
        raise ValueError(value)
    return texts


def _shares(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_SHARES:
        raise ValueError(value)
    return value


def _shared_use(value: object) -> str:
    if value not in (_IN_TURN, _TOGETHER):
        raise ValueError(value)
    return str(value)


def _permissions(value: object) -> str:
    if not isinstance(value, str) or not _PERMISSIONS.fullmatch(value) or len(set(value)) < len(value):
        raise ValueError(value)
    return value


def _environment(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(value)  # noqa: TRY004 - as the callers of these functions expect it
    if not all(_VARIABLE.fullmatch(str(name)) and isinstance(one, str) for name, one in value.items()):
        raise ValueError(value)
    return value


def _mounts(value: object) -> tuple[Mount, ...]:
    if not isinstance(value, list):
        raise ValueError(value)  # noqa: TRY004 - as above
    return tuple(map(_mount, value))


def _mount(value: object) -> Mount:
    if not isinstance(value, dict) or not {"host"} <= set(value) <= {"host", "container", "read-only"}:
        raise ValueError(value)
    read_only = value.get("read-only", True)
    if not isinstance(read_only, bool):
        raise ValueError(value)  # noqa: TRY004 - as above
    host, container = map(_absolute, (value["host"], value.get("container", value["host"])))
    return Mount(host=host, container=container, read_only=read_only)


def _absolute(path: object) -> str:
    if not isinstance(path, str) or not path.startswith("/") or _UPWARDS.search(path):
        raise ValueError(path)
    return path


def _arguments(value: object) -> tuple[str, ...]:
    arguments = _texts(value)
    _absolute(arguments[0])
    return arguments


def _up_to(most: float) -> tuple[Callable[[object], float], str]:
    def read_seconds(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= most:
            raise ValueError(value)
        return float(value)

    return read_seconds, f"seconds, more than 0 and at most {most:g}"


_PROGRAM = 'a list such as ["/usr/bin/program", "{path}"] that begins with an absolute path'

KEYS: Mapping[str, tuple[Callable[[object], Any], str]] = {
    "resource": (_resource, "a name such as vendor.com/tpu: a domain that is not kubernetes.io, a slash and a name"),
    "paths": (_paths, "a list of patterns such as /dev/apex_* that are closed and begin below /dev with a letter"),
    "usb": (_usb, "a list of vendor:product such as 1a6e:089a"),
    "shares": (_shares, f"a whole number from 1 to {MOST_SHARES}"),
    "shared-use": (_shared_use, f"{_IN_TURN} or {_TOGETHER}"),
    "permissions": (_permissions, "some of r, w and m, each once"),
    "environment": (_environment, "a table of texts"),
    "mounts": (_mounts, "a list of tables with host and, if wanted, container (both absolute) and read-only"),
    "health": (_arguments, _PROGRAM),
    "health-timeout": _up_to(_LONGEST),
    "health-period": _up_to(_LONGEST),
    "reset": (_arguments, _PROGRAM),
    "reset-timeout": _up_to(_LONGEST_RESET),
}
"""Key -> how it is read, and what is expected, in words."""


def of_kind(kinds: Iterable[Hardware], kind: str) -> Hardware | None:
    """Return the configured hardware that tests call so."""
    return next((each for each in kinds if each.kind == kind), None)
