"""Every option of Paddock, declared once: name, flag, environment variable, pyproject key, default and help.

Pytest's options, the documentation and the arguments of child processes are derived from ``OPTIONS``.
Every pytest run imports this module, so it imports little. It must not know pytest, clusters or engines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Raw = str | list[str] | None
    """What a command line gives for one option: ``None`` when it was not there, a list when it may be repeated."""

TABLE = "tool.paddock"
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}
_QUANTITY = r"[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_IMAGE = r"[A-Za-z0-9][A-Za-z0-9._:/@-]*"
_PACKAGE = r"[a-z0-9][a-z0-9+.-]+"
_RUN_ID = r"[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?"


class Source(IntEnum):
    """Where a value came from; the greater one wins."""

    DEFAULT = 0
    PYPROJECT = 1
    ENVIRONMENT = 2
    FLAG = 3


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


def _positive(number: Callable[[str], float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = number(text)
        if not 0 < value < float("inf"):
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


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text


def _choice(*values: str) -> Kind:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return Kind(expected="one of " + ", ".join(values), parse=parse, metavar="|".join(values))


SWITCH = Kind(expected="true or false", parse=_boolean, toml=(bool,), switch=True, metavar="")
TEXT = Kind(expected="a text that is not empty", parse=_text)
FILE = Kind(expected="the path of a file", parse=lambda text: Path(_text(text)), path=True, metavar="PATH")
SECONDS = Kind(expected="seconds, a number above zero", parse=_positive(float), toml=(int, float), metavar="SECONDS")
WHOLE = Kind(expected="seconds, a whole number above zero", parse=_positive(int), toml=(int,), metavar="SECONDS")
QUANTITY = Kind(
    expected="a Kubernetes quantity such as 512Mi, 1Gi, 100m or 2",
    parse=_matching(_QUANTITY),
    metavar="QUANTITY",
)
RUN_ID = Kind(
    expected="1 to 20 lower-case letters, digits and inner hyphens",
    parse=_matching(_RUN_ID),
    metavar="ID",
)
VARIABLES = Kind(
    expected="names of environment variables, separated by commas",
    parse=_names(_VARIABLE),
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
IMAGE = Kind(
    expected="a reference such as registry.example.org/team/tests:1",
    parse=_matching(_IMAGE),
    metavar="REFERENCE",
)
MAJOR = Kind(expected="a major version such as 15", parse=_matching(r"[1-9][0-9]"), toml=(str, int), metavar="VERSION")


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option, wherever it can be given."""

    name: str
    kind: Kind
    help: str
    default: str | None = None
    """As text, as if it had been typed; ``None`` stands for "not given"."""
    unit: str = ""
    variable: str | None = None
    """Environment variable, where it is not ``PADDOCK_<NAME>``."""
    in_pyproject: bool = True
    table: str = ""
    """The table below ``[tool.paddock]`` that holds the key, where it is not that itself."""

    @property
    def key(self) -> str:
        """The key in pyproject.toml, dotted where it stands in a table of its own."""
        return f"{self.table}.{self.name.removeprefix(f'{self.table}-')}" if self.table else self.name

    @property
    def flag(self) -> str:
        """The option on a command line."""
        return "--paddock" if self.name == "enabled" else f"--paddock-{self.name}"

    @property
    def environment(self) -> str:
        """Name of the environment variable."""
        return self.variable or f"PADDOCK_{self.name.upper().replace('-', '_')}"

    @property
    def destination(self) -> str:
        """The attribute's name among parsed arguments."""
        return self.flag.lstrip("-").replace("-", "_")


LIMITS = {
    "image": ("600", "time limit of building and pushing images; the first one downloads a distribution"),
    "namespace": ("30", "time limit of making a worker's namespace and its objects"),
    "scheduling": ("120", "time limit of a worker pod, from made to running"),
    "service": ("60", "time limit of a broker or a database, from its pod made to its first answer"),
    "sources": ("120", "time limit of sending and unpacking the sources"),
    "release": ("60", "time limit of the namespaces' deletion at the end"),
}
"""Field of ``specs.PhaseLimits`` -> default and help; a test holds the two together."""

OPTIONS = (
    Option(
        name="enabled",
        kind=SWITCH,
        default="false",
        variable="PADDOCK",
        in_pyproject=False,  # a run without Paddock must not have to read pyproject.toml; addopts can hold the flag
        help="give every pytest-xdist worker its own Kubernetes namespace and run it in a pod there (with -n)",
    ),
    Option(
        name="engine",
        kind=_choice("kubernetes", "local", "auto"),
        default="kubernetes",
        help="what carries the workers",
    ),
    Option(name="context", kind=TEXT, help="context of the kubeconfig to use, which allows this cluster by naming it"),
    Option(name="kubeconfig", kind=FILE, help="kubeconfig file to use in place of KUBECONFIG and ~/.kube/config"),
    Option(
        name="image",
        kind=IMAGE,
        help="image of your own for the workers, in place of the one made from the environment that runs pytest",
    ),
    Option(
        name="image-packages",
        kind=PACKAGES,
        default="",
        table="image",
        help="Debian package that the worker image holds besides, such as git; may be repeated",
    ),
    Option(
        name="broker-configuration",
        kind=FILE,
        table="broker",
        help="file, from rootdir on, with settings of mosquitto.conf that are added to Paddock's own",
    ),
    Option(
        name="database-configuration",
        kind=FILE,
        table="database",
        help="file, from rootdir on, with settings of postgresql.conf that win over Paddock's own",
    ),
    Option(
        name="database-version",
        kind=MAJOR,
        table="database",
        help="major version of PostgreSQL that the distribution's release has; its usual one if not given",
    ),
    *(
        Option(name=f"{name}-limit", kind=SECONDS, default=default, unit="s", help=text)
        for name, (default, text) in LIMITS.items()
    ),
    Option(
        name="deadline",
        kind=WHOLE,
        default="7200",
        unit="s",
        help="time after which the cluster itself ends every pod of the run, whatever became of its client",
    ),
    Option(
        name="grace",
        kind=SECONDS,
        default="10",
        unit="s",
        help="time for fixtures to tear down after an interrupt, before workers are killed",
    ),
    Option(
        name="run-id",
        kind=RUN_ID,
        in_pyproject=False,  # the same id for two runs would mix up their namespaces
        help="id of the run, part of its namespaces' names; drawn when not given",
    ),
    Option(name="worker-memory", kind=QUANTITY, default="1Gi", help="memory limit of a worker pod"),
    Option(name="worker-cpu", kind=QUANTITY, default="100m", help="processor share that a worker pod requests"),
    Option(
        name="env",
        kind=VARIABLES,
        default="",
        help="environment variable that travels to the workers with its value here; may be repeated",
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}


def is_enabled(flag: Raw, environment: Mapping[str, str]) -> bool:
    """Return whether Paddock is wanted at all; cheap, since every pytest run asks.

    Raises:
        UsageError: the environment variable is neither true nor false.
    """
    option = BY_NAME["enabled"]
    return bool(flag) or bool(parse(option, environment.get(option.environment, ""), Source.ENVIRONMENT))


def parse(option: Option, text: str, source: Source) -> object:
    """Return the value that ``text`` stands for.

    Raises:
        UsageError: it is not of the option's kind.
    """
    try:
        return option.kind.parse(text)
    except ValueError:
        raise UsageError(complaint(option, text, source)) from None


def complaint(option: Option, value: object, source: Source) -> str:
    """Return the one sentence about a value that cannot be meant."""
    return f"{origin(option, source)} is {value!r}; expected {option.kind.expected}."


def origin(option: Option, source: Source) -> str:
    """Return where a value came from, as a person would look for it."""
    return {
        Source.FLAG: option.flag,
        Source.ENVIRONMENT: f"the environment variable {option.environment}",
        Source.PYPROJECT: f"{option.key!r} in [{TABLE}] of pyproject.toml",
        Source.DEFAULT: "default",
    }[source]
