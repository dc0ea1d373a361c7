"""Every option of Paddock, declared once: name, flag, environment variable, pyproject key, default and help.

Owns reading and checking values, and where each one came from (flag > environment > pyproject > default).
Pure but for ``read_pyproject``. It must not know pytest, clusters or engines; pytest's options, the documentation
and the arguments of child processes are derived from ``OPTIONS``.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, fields
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from paddock import names
from paddock.errors import UsageError
from paddock.specs import PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Raw = str | list[str] | None
    """What a command line gives for one option: ``None`` when it was not there, a list when it may be repeated."""

TABLE = "tool.paddock"
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RUN_ID = re.compile(r"[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?")


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


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return parse


def _names(text: str) -> tuple[str, ...]:
    one = _matching(_VARIABLE)
    return tuple(one(name.strip()) for name in text.split(",") if name.strip())


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
    parse=_names,
    toml=(list,),
    repeated=True,
    metavar="NAME",
)


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


_LIMITS_HELP = {
    "image": "time limit of building and pushing images; the first one downloads a distribution",
    "namespace": "time limit of making a worker's namespace and its objects",
    "scheduling": "time limit of a worker pod, from made to running",
    "service": "time limit of a broker or a database, from its pod made to its first answer",
    "sources": "time limit of sending and unpacking the sources",
    "release": "time limit of the namespaces' deletion at the end",
}
LIMIT_OPTIONS = tuple(
    Option(
        name=f"{limit.name}-limit", kind=SECONDS, default=f"{limit.default:g}", unit="s", help=_LIMITS_HELP[limit.name]
    )
    for limit in fields(PhaseLimits)
)
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
    *LIMIT_OPTIONS,
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
        name="security",
        kind=_choice("restricted", "baseline"),
        default="restricted",
        help="pod security level of the workers' namespaces",
    ),
    Option(
        name="env",
        kind=VARIABLES,
        default="",
        help="environment variable that travels to the workers with its value here; may be repeated",
    ),
)
_BY_NAME = {option.name: option for option in OPTIONS}


@dataclass(frozen=True)
class Given:
    """A checked value, its text and where it came from."""

    value: object
    text: str | None
    source: Source


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user asked for, checked; the defaults stand in ``OPTIONS``."""

    engine: str
    context: str | None
    kubeconfig: Path | None
    limits: PhaseLimits
    deadline: int
    """Seconds after which the cluster ends every pod of the run."""
    grace: float
    """Seconds from an interrupt to the kill; the default is as long as xdist waits for its own workers."""
    run_id: str
    worker_memory: str
    worker_cpu: str
    security: str
    variables: tuple[str, ...]
    """Names of environment variables that travel to the workers, beside those that always do."""
    given: Mapping[str, Given] = field(repr=False, compare=False)
    """Option name -> value with its source, for ``explain`` and ``to_arguments``."""

    def to_arguments(self) -> list[str]:
        """Return the flags that give a child process these settings, defaults left out."""
        told = ((_BY_NAME[name], one) for name, one in self.given.items() if one.source > Source.DEFAULT)
        return [argument for option, one in told for argument in _arguments(option, one)]

    def explain(self) -> list[str]:
        """Return a line for each option: its value and where it came from."""
        return [f"{name} = {one.text} ({_origin(_BY_NAME[name], one.source)})" for name, one in self.given.items()]


def _arguments(option: Option, given: Given) -> Iterator[str]:
    if option.kind.switch:
        yield from [option.flag] if given.value else []
    elif option.kind.repeated:
        yield from (f"{option.flag}={one}" for one in (given.text or "").split(",") if one)
    else:
        yield f"{option.flag}={given.text}"


def is_enabled(flag: Raw, environment: Mapping[str, str]) -> bool:
    """Return whether Paddock is wanted at all; cheap, since every pytest run asks.

    Raises:
        UsageError: the environment variable is neither true nor false.
    """
    option = _BY_NAME["enabled"]
    return bool(flag) or bool(_parse(option, environment.get(option.environment, ""), Source.ENVIRONMENT))


def resolve(flags: Mapping[str, Raw], environment: Mapping[str, str], table: Mapping[str, object]) -> Settings:
    """Return the settings out of command line (by option name), environment and ``[tool.paddock]``.

    Raises:
        UsageError: a value or a key of the table cannot be meant; it says where it came from.
    """
    _check_keys(table)
    given = {option.name: _given(option, flags, environment, table) for option in OPTIONS}
    values = {name.replace("-", "_"): one.value for name, one in given.items()}
    limits = PhaseLimits(**{limit.name: values.pop(f"{limit.name}_limit") for limit in fields(PhaseLimits)})  # type: ignore[arg-type] # the kinds of LIMIT_OPTIONS give floats
    del values["enabled"]
    values["variables"] = values.pop("env")
    values["run_id"] = values["run_id"] or names.new_run_id()
    return Settings(limits=limits, given=given, **values)  # type: ignore[arg-type] # each kind gives the field's type; a test compares them


def _given(
    option: Option,
    flags: Mapping[str, Raw],
    environment: Mapping[str, str],
    table: Mapping[str, object],
) -> Given:
    for source, text in (
        (Source.FLAG, _joined(flags.get(option.name))),
        (Source.ENVIRONMENT, environment.get(option.environment)),
        (Source.PYPROJECT, _toml_text(option, table)),
    ):
        if text is not None:
            return Given(_parse(option, text, source), text, source)
    default = None if option.default is None else option.kind.parse(option.default)
    return Given(default, option.default, Source.DEFAULT)


def _joined(raw: Raw) -> str | None:
    return ",".join(raw) if isinstance(raw, list) else raw


def _toml_text(option: Option, table: Mapping[str, object]) -> str | None:
    if option.name not in table:
        return None
    value = table[option.name]
    if type(value) not in option.kind.toml:
        raise UsageError(_complaint(option, value, Source.PYPROJECT))
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _parse(option: Option, text: str, source: Source) -> object:
    try:
        return option.kind.parse(text)
    except ValueError:
        raise UsageError(_complaint(option, text, source)) from None


def _complaint(option: Option, value: object, source: Source) -> str:
    return f"{_origin(option, source)} is {value!r}; expected {option.kind.expected}."


def _origin(option: Option, source: Source) -> str:
    return {
        Source.FLAG: option.flag,
        Source.ENVIRONMENT: f"the environment variable {option.environment}",
        Source.PYPROJECT: f"{option.name!r} in [{TABLE}] of pyproject.toml",
        Source.DEFAULT: "default",
    }[source]


def _check_keys(table: Mapping[str, object]) -> None:
    known = [option.name for option in OPTIONS if option.in_pyproject]
    for key in table:
        if key not in known:
            raise UsageError(f"[{TABLE}] of pyproject.toml has the unknown key {key!r}.{_hint(key, known)}")


def _hint(key: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - needed for a mistake only

    near = get_close_matches(key.replace("_", "-"), list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else f" Known keys: {', '.join(known)}."


def read_pyproject(folder: Path) -> Mapping[str, object]:
    """Return ``[tool.paddock]`` of the folder's pyproject.toml, empty where there is none.

    Raises:
        UsageError: the file is no TOML, or ``tool.paddock`` is no table.
    """
    import tomllib  # noqa: PLC0415 - a run without Paddock does not need it

    path = folder / "pyproject.toml"
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}.") from None
    table = tool.get("paddock", {})
    if not isinstance(table, dict):
        raise UsageError(f"[{TABLE}] of {path} is {table!r}; expected a table of options.")
    return table


_HEAD = """\
# Options

Made from `runner/paddock/settings.py` by `python -m paddock.settings`; a unit test keeps it fresh.
A flag wins over the environment, the environment over `[tool.paddock]` in pyproject.toml.
Write `--paddock-kubeconfig=PATH` in one word: pytest takes a path that stands alone for a place of tests.

| Flag | Environment | pyproject key | Default | Meaning |
| --- | --- | --- | --- | --- |"""


def documentation() -> str:
    """Return docs/options.md, made from the table."""
    return "\n".join([_HEAD, *map(_row, OPTIONS), ""])


def _row(option: Option) -> str:
    value = f"={option.kind.metavar}" if option.kind.metavar else ""
    flag = f"{option.flag}{value}".replace("|", "\\|")
    key = f"`{option.name}`" if option.in_pyproject else ""
    default = f"`{option.default}`" if option.default else ""
    return f"| `{flag}` | `{option.environment}` | {key} | {default}{' s' if option.unit else ''} | {option.help} |"


if __name__ == "__main__":
    sys.stdout.write(documentation())
