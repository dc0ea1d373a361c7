"""The kinds of values that options have: how each is read from text, and what is said when that fails.

Pure. It must not know which options there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.devices.resources import MOST_SIMULATED
from paddock.names import RUN_ID_EXPECTED, RUN_ID_PATTERN
from paddock.specs import EVERY_WORKER, FREE_DEVICES, PLATFORM_UID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}
_QUANTITY = r"[0-9]{1,15}(\.[0-9]{1,9})?(m|[kMGTPE]|[KMGTPE]i)?"
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
"""What the name of an environment variable looks like."""
_SHOWN = 200
LONGEST = 2**31 - 1
"""Seconds, 68 years: what Kubernetes takes for a deadline, and less than what a wait of Python's takes."""
_IMAGE = r"[A-Za-z0-9][A-Za-z0-9._:/@-]*"
_REPOSITORY = (
    r"(localhost(:[0-9]{1,5})?|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?|[A-Za-z0-9-]+:[0-9]{1,5})"
    r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
)
"""As images' references have it: the first part is a host if it has a dot or a port, or is localhost."""
_PACKAGE = r"[a-z0-9][a-z0-9+.-]+"
_HARDWARE = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_MOST_DEVICES = 1000
_SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of value: how it is read from text, and what TOML may hold for it."""

    expected: str
    """Completes "expected …" in an error message."""
    parse: Callable[[str], object]
    """Raises ValueError for text that is not of this kind."""
    toml: tuple[type, ...] = (str,)
    repeated: bool = False
    switch: bool = False
    """A flag without a value."""
    path: bool = False
    metavar: str = "TEXT"


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError(text)
    return text.lower() in _TRUE


def _stated(text: str) -> bool:
    return _boolean(_text(text))


def _positive(number: Callable[[str], float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = number(text)
        if not 0 < value <= LONGEST:
            raise ValueError(text)
        return value

    return parse


def _matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):  # compiled when needed: most runs of pytest give none of our options
            raise ValueError(text)
        return text

    return parse


def _names(pattern: str) -> Callable[[str], tuple[str, ...]]:
    one = _matching(pattern)
    return lambda text: tuple(one(name.strip()) for name in text.split(",") if name.strip())


def _size(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]*)([kKMG]?i?)", text)
    if found is None or found[2] not in _SIZES:
        raise ValueError(text)
    return int(found[1]) * _SIZES[found[2]]


def _patterns(text: str) -> tuple[str, ...]:
    found = tuple(pattern.strip() for pattern in text.split(",") if pattern.strip())
    if any(pattern.startswith("/") or ".." in pattern.split("/") for pattern in found):
        raise ValueError(text)
    return found


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text


def _path(text: str) -> Path:
    if "\0" in text:
        raise ValueError(text)
    return Path(_text(text))


def choice(*values: str) -> Kind:
    """Return the kind of a value that is one of ``values``."""

    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return Kind(expected="one of " + ", ".join(values), parse=parse, metavar="|".join(values))


def _uid(text: str) -> int | str:
    if text == PLATFORM_UID:
        return text
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > LONGEST:
        raise ValueError(text)
    return int(text)


def _hardware(text: str) -> tuple[tuple[str, int], ...]:
    pairs = [one.strip().partition("=") for one in text.split(",") if one.strip()]
    if not all(re.fullmatch(_HARDWARE, kind) and (count or not sep) for kind, sep, count in pairs):
        raise ValueError(text)
    found = {kind: int(count or 1) for kind, _, count in pairs}
    if not all(1 <= count <= _MOST_DEVICES for count in found.values()):
        raise ValueError(text)
    return tuple(found.items())


def _hardware_workers(text: str) -> int | str:
    if text in {EVERY_WORKER, FREE_DEVICES}:
        return text
    return int(_positive(int)(text))


def _devices(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]?", text) or int(text) > MOST_SIMULATED:
        raise ValueError(text)
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text)
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError(text)
    return int(found[1]), int(found[2])


def _port(text: str) -> int:
    port = int(text)
    if not LOWEST_PORT <= port <= LARGEST_PORT:
        raise ValueError(text)
    return port


LOWEST_PORT, LARGEST_PORT = 1024, 65535
SWITCH = Kind(expected="true or false", parse=_boolean, toml=(bool,), switch=True, metavar="")
BOOLEAN = Kind(expected="true or false", parse=_stated, toml=(bool,), metavar="true|false")
TEXT = Kind(expected="a text that is not empty", parse=_text)
FILE = Kind(expected="the path of a file", parse=_path, path=True, metavar="PATH")
FOLDER = Kind(expected="the path of a folder", parse=_path, path=True, metavar="PATH")
SECONDS = Kind(expected="seconds, a number above zero", parse=_positive(float), toml=(int, float), metavar="SECONDS")
WHOLE = Kind(expected="seconds, a whole number above zero", parse=_positive(int), toml=(int,), metavar="SECONDS")
COUNT = Kind(expected="a whole number above zero", parse=_positive(int), toml=(int,), metavar="NUMBER")
PORT = Kind(expected="a port from 1024 to 65535", parse=_port, toml=(int,), metavar="PORT")
HARDWARE = Kind(
    expected="a kind of hardware such as coral, or coral=2 for two of it in each worker",
    parse=_hardware,
    toml=(str, list),
    repeated=True,
    metavar="KIND[=N]",
)
HARDWARE_WORKERS = Kind(
    expected=f"a whole number above zero, {FREE_DEVICES} or {EVERY_WORKER}",
    parse=_hardware_workers,
    toml=(int, str),
    metavar=f"N|{FREE_DEVICES}|{EVERY_WORKER}",
)
DEVICES = Kind(expected=f"a number of devices from 1 to {MOST_SIMULATED}", parse=_devices, toml=(int,), metavar="N")
SHARD = Kind(expected="a shard such as 2/4, from 1/4 to 4/4", parse=_shard, metavar="I/N")
QUANTITY = Kind(
    expected="a Kubernetes quantity such as 512Mi, 1Gi, 100m or 2",
    parse=_matching(_QUANTITY),
    metavar="QUANTITY",
)
SIZE = Kind(expected="a size such as 500k, 200Mi or 1Gi", parse=_size, toml=(str, int), metavar="SIZE")
PATTERNS = Kind(
    expected="patterns of paths below the project's root, such as data/*.bin, separated by commas",
    parse=_patterns,
    toml=(list,),
    repeated=True,
    metavar="PATTERN",
)
UID = Kind(
    expected=f"the number of a user, or {PLATFORM_UID} where the cluster assigns one",
    parse=_uid,
    toml=(int, str),
    metavar=f"NUMBER|{PLATFORM_UID}",
)
RUN_ID = Kind(
    expected=RUN_ID_EXPECTED,
    parse=_matching(RUN_ID_PATTERN),
    metavar="ID",
)
VARIABLES = Kind(
    expected="names of environment variables, separated by commas",
    parse=_names(VARIABLE),
    toml=(list,),
    repeated=True,
    metavar="NAME",
)
PACKAGES = Kind(
    expected="names of Debian packages, separated by commas",
    parse=_names(_PACKAGE),
    toml=(list,),
    repeated=True,
    metavar="NAME",
)
REPOSITORY = Kind(
    expected="a registry and a path in it, such as registry.example.org/team/paddock",
    parse=_matching(_REPOSITORY),
    metavar="REGISTRY/PATH",
)
IMAGE = Kind(
    expected="a reference such as registry.example.org/team/tests:1",
    parse=_matching(_IMAGE),
    metavar="REFERENCE",
)
MAJOR = Kind(expected="a major version such as 15", parse=_matching(r"[1-9][0-9]"), toml=(str, int), metavar="VERSION")


def hint(key: str, known: Iterable[str]) -> str:
    """Return what to say of an unknown key: the nearest of ``known``, else all of them."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed for a mistake only

    choices = list(known)
    near = get_close_matches(key.replace("_", "-"), choices, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(choices)}."


def shown(value: object) -> str:
    """Return a value as a message names it: in one line, and not without end."""
    try:
        text = repr(value)
    except ValueError:  # TOML's hexadecimal numbers have no limit, Python's decimal ones have
        return "a number with thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
