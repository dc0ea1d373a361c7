"""From what was given to what holds: flag > environment > pyproject > default, each value with its origin.

Pure but for ``read_pyproject``. It must not know pytest, clusters or engines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock import names
from paddock.errors import UsageError
from paddock.settings.table import BY_NAME, LIMITS, OPTIONS, TABLE, Source, complaint, origin, parse
from paddock.specs import ImageChoices, PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from paddock.settings.table import Option, Raw

_TABLES_OF_OTHERS = ("sessions",)
"""Tables below ``[tool.paddock]`` that are read elsewhere: ``paddock.sessions`` checks its own."""


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
    image: str | None
    image_packages: tuple[str, ...]
    broker_configuration: Path | None
    database_configuration: Path | None
    database_version: str | None
    deadline: int
    """Seconds after which the cluster ends every pod of the run."""
    grace: float
    """Seconds from an interrupt to the kill; the default is as long as xdist waits for its own workers."""
    run_id: str
    worker_memory: str
    worker_cpu: str
    variables: tuple[str, ...]
    """Names of environment variables that travel to the workers, beside those that always do."""
    given: Mapping[str, Given] = field(repr=False, compare=False)
    """Option name -> value with its source, for ``explain`` and ``to_arguments``."""

    def image_choices(self, rootdir: Path) -> ImageChoices:
        """Return what is wanted of the images, with files counted from ``rootdir``, where pyproject.toml lies."""
        broker, database = self.broker_configuration, self.database_configuration
        return ImageChoices(
            worker=self.image,
            packages=self.image_packages,
            broker_configuration=rootdir / broker if broker else None,
            database_configuration=rootdir / database if database else None,
            database_version=self.database_version,
        )

    def to_arguments(self) -> list[str]:
        """Return the flags that give a child process these settings, defaults left out."""
        told = ((BY_NAME[name], one) for name, one in self.given.items() if one.source > Source.DEFAULT)
        return [argument for option, one in told for argument in _arguments(option, one)]

    def explain(self) -> list[str]:
        """Return a line for each option: its value and where it came from."""
        return [f"{name} = {one.text} ({origin(BY_NAME[name], one.source)})" for name, one in self.given.items()]


def _arguments(option: Option, given: Given) -> Iterator[str]:
    if option.kind.switch:
        yield from [option.flag] if given.value else []
    elif option.kind.repeated:
        yield from (f"{option.flag}={one}" for one in (given.text or "").split(",") if one)
    else:
        yield f"{option.flag}={given.text}"


def resolve(flags: Mapping[str, Raw], environment: Mapping[str, str], table: Mapping[str, object]) -> Settings:
    """Return the settings out of command line (by option name), environment and ``[tool.paddock]``.

    Raises:
        UsageError: a value or a key of the table cannot be meant; it says where it came from.
    """
    keys = _flat(table)
    _check_keys(keys)
    given = {option.name: _given(option, flags, environment, keys) for option in OPTIONS}
    values = {name.replace("-", "_"): one.value for name, one in given.items()}
    limits = PhaseLimits(**{name: values.pop(f"{name}_limit") for name in LIMITS})  # type: ignore[arg-type] # the kinds of the table give floats
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
            return Given(parse(option, text, source), text, source)
    default = None if option.default is None else option.kind.parse(option.default)
    return Given(default, option.default, Source.DEFAULT)


def _joined(raw: Raw) -> str | None:
    return ",".join(raw) if isinstance(raw, list) else raw


def _toml_text(option: Option, table: Mapping[str, object]) -> str | None:
    if option.key not in table:
        return None
    value = table[option.key]
    if type(value) not in option.kind.toml:
        raise UsageError(complaint(option, value, Source.PYPROJECT))
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _flat(table: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of ``table`` with those of options' own tables in it, dotted."""
    inner = {option.table for option in OPTIONS if option.table}
    flat: dict[str, object] = {}
    for key, value in table.items():
        if key in inner and isinstance(value, dict):
            flat |= {f"{key}.{name}": one for name, one in value.items()}
        else:
            flat[key] = value
    return flat


def _check_keys(table: Mapping[str, object]) -> None:
    known = [option.key for option in OPTIONS if option.in_pyproject]
    for key in table:
        if key not in (*known, *_TABLES_OF_OTHERS):
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
