"""From what was given to what holds: flag > environment > pyproject > default, each value with its origin.

Pure: ``settings.pyproject`` reads the file. It must not know pytest, clusters or engines.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from paddock import names
from paddock.errors import UsageError
from paddock.services import placeholders
from paddock.services.choices import FixtureChoices
from paddock.settings import devices, pods, services, templates
from paddock.settings.kinds import hint
from paddock.settings.pyproject import Pyproject
from paddock.settings.pyproject import read as read_pyproject
from paddock.settings.table import BY_NAME, LIMITS, OPTIONS, TABLE, Source, complaint, origin, parse
from paddock.specs import ImageChoices, PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from paddock.declared_services import DeclaredService
    from paddock.devices.resources import Hardware, Wanted
    from paddock.settings.table import Option, Raw
    from paddock.specs import PodAddition

__all__ = ["Given", "Settings", "read_pyproject", "resolve"]

_TABLES_OF_OTHERS = ("sessions", devices.KEY, pods.KEY, services.KEY)
"""Tables below ``[tool.paddock]`` that are read elsewhere, by ``paddock.sessions`` and modules beside this one."""

VARIABLES_OF_OTHERS = frozenset(
    {
        "PADDOCK_BROKER_AUTHORITY",
        "PADDOCK_BROKER_LOGINS",
        "PADDOCK_CACHE",
        "PADDOCK_FACTS",
        "PADDOCK_KEEPER",
        "PADDOCK_NODE_MIRROR",
        "PADDOCK_NODE_SOURCE",
        "PADDOCK_STACKS",
        *placeholders.VARIABLES.values(),
    }
)
"""Variables of Paddock that are no options; a test finds them in the sources."""

_SLIP = 0.85
"""How near a variable must be to one of ours to be taken for a slip of the pen: a letter or two in ten."""


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
    registry: str | None
    """Registry and path that images are pushed to for a cluster other than the embedded node."""
    nodes_registry: str | None
    pull_credentials: Path | None
    """File with the credentials that the cluster's nodes pull with."""
    image: str | None
    image_packages: tuple[str, ...]
    broker_configuration: Path | None
    broker_accounts: Path | None
    """File with accounts of brokers beside Paddock's own."""
    broker_acl: Path | None
    broker_tls: bool
    broker_ca: Path | None
    broker_ca_key: Path | None
    broker_per_worker: bool
    broker_reset: str
    """``used``, ``always`` or ``never``: after which tests the broker is cleaned."""
    database_configuration: Path | None
    database_version: str | None
    deadline: int
    """Seconds after which the cluster ends every pod of the run."""
    lease_duration: int
    """Seconds without a sign of life after which others may end the run."""
    grace: float
    """Seconds from an interrupt to the kill; the default is as long as xdist waits for its own workers."""
    keep: str | None
    """``failed`` or ``all``: the namespaces that stay after the run to be looked into."""
    keep_ttl: int
    """Seconds that they stay."""
    reuse: bool
    """Whether namespaces wait for the next run of the project."""
    reuse_ttl: int
    """Seconds that they wait."""
    history: Path
    order: str
    """``scheduling.units.Order`` by value."""
    shard: tuple[int, int] | None
    """Which part of how many this run is for, counted from 1."""
    shard_by: str
    max_weight: int | None
    """Sum of the weights of tests that may run at once; ``None`` for half of the workers."""
    retry: int | None
    """How many times a test that failed runs again; ``None`` for not at all."""
    test_limit: float | None
    """Seconds of one test, set-up and tear-down included, after which its worker is ended."""
    hardware: tuple[Wanted, ...]
    """What the pods of workers hold."""
    hardware_workers: int | str
    """How many workers' pods; ``specs.FREE_DEVICES``, or ``specs.EVERY_WORKER``."""
    wait: float
    """Seconds to wait for hardware while others hold all of it."""
    devices: tuple[Hardware, ...]
    """The configured kinds of hardware."""
    simulate_hardware: int | None
    """How many simulated devices stand in for it."""
    run_id: str
    plan: str | None
    """``yaml`` or ``json``: the run is printed and not made."""
    port_base: int
    """First of gw0's hundred ports in the local engine."""
    worker_memory: str
    worker_cpu: str
    uid: int | str | None
    """User of the pods, ``specs.PLATFORM_UID``, or ``None`` for the one who runs pytest."""
    security: str
    additions: tuple[PodAddition, ...]
    """What the user adds to pods."""
    services: tuple[DeclaredService, ...]
    """Services of the user's own."""
    variables: tuple[str, ...]
    """Names of environment variables that travel to the workers, beside those that always do."""
    templates: Mapping[str, str]
    """Environment variable of the workers -> its value, with placeholders such as ``{database.host}``."""
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    sources_size: int
    """Most bytes of all sources together."""
    artifacts: tuple[str, ...]
    artifacts_size: int
    """Most bytes of artifacts from one worker."""
    artifacts_folder: Path
    evidence: str
    """``failed``, ``all`` or ``none``: of which workers evidence is kept."""
    report_size: int
    """Most bytes of the logs of one worker's namespace."""
    report_folder: Path
    require_clean: bool
    database_schema: str | None
    """``fixture_choices`` gathers these for the workers; there they are explained."""
    database_schema_files: tuple[str, ...]
    database_extensions: tuple[str, ...]
    database_variables: tuple[tuple[str, str], ...]
    sqlite_schema: str | None
    duckdb_schema: str | None
    worker_port_base: int
    safe_executors: bool
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
            registry=self.registry,
            nodes_registry=self.nodes_registry,
        )

    @property
    def service_names(self) -> tuple[str, ...]:
        """Names of the declared services."""
        return tuple(one.name for one in self.services)

    @property
    def hardware_services(self) -> tuple[tuple[str, str, int], ...]:
        """The declared services that hold hardware, see ``FixtureChoices``."""
        return devices.left_to_workers(self.services, self.hardware)

    def fixture_choices(self) -> FixtureChoices:
        """Return what the fixtures beside the tests are told."""
        return FixtureChoices(**{field.name: getattr(self, field.name) for field in fields(FixtureChoices)})

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
    document = _flat(table if isinstance(table, Pyproject) else Pyproject(table))
    _check_keys(document)
    _check_variables(environment)
    given = {option.name: _given(option, flags, environment, document) for option in OPTIONS}
    values = {name.replace("-", "_"): one.value for name, one in given.items()}
    limits = PhaseLimits(**{name: values.pop(f"{name}_limit") for name in LIMITS})  # type: ignore[arg-type] # the kinds of the table give floats
    del values["enabled"]
    values["variables"] = values.pop("env")
    where = origin(BY_NAME["hardware"], given["hardware"].source)
    values["devices"] = devices.read(document)
    values["hardware"] = devices.wanted(document, values["hardware"], values["simulate_hardware"], where)  # type: ignore[arg-type] # as their kinds give them
    declared = services.read(document)
    values["services"] = devices.with_resources(declared, values["hardware"], where)  # type: ignore[arg-type] # just read
    values["templates"] = templates.read(document, placeholders.variables(declared))
    values["additions"] = pods.read(document, values.pop("pod_patch"))  # type: ignore[arg-type] # its kind gives a path
    _check_together(values, given)
    _check_broker(values)
    values["run_id"] = values["run_id"] or names.new_run_id()
    return Settings(limits=limits, given=given, **values)  # type: ignore[arg-type] # each kind gives the field's type; a test compares them


def _given(
    option: Option,
    flags: Mapping[str, Raw],
    environment: Mapping[str, str],
    document: Pyproject,
) -> Given:
    for source, text in (
        (Source.FLAG, _joined(flags.get(option.name))),
        (Source.ENVIRONMENT, _variable(option, environment)),
        (Source.PYPROJECT, _toml_text(option, document)),
    ):
        if text is not None:
            return Given(parse(option, text, source, lambda: document.place(option.key)), text, source)
    default = None if option.default is None else option.kind.parse(option.default)
    return Given(default, option.default, Source.DEFAULT)


def _variable(option: Option, environment: Mapping[str, str]) -> str | None:
    names_set = (name for name in (option.environment, *option.aliases) if name in environment)
    return environment.get(next(names_set, ""))


def _joined(raw: Raw) -> str | None:
    return ",".join(raw) if isinstance(raw, list) else raw


def _toml_text(option: Option, document: Pyproject) -> str | None:
    if option.key not in document:
        return None
    value = document[option.key]
    if option.name == templates.KEY and isinstance(value, dict):
        return templates.carried(document) or None
    try:
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    except ValueError:
        text = None
    if type(value) not in option.kind.toml or text is None:
        raise UsageError(complaint(option, value, Source.PYPROJECT, document.place(option.key)))
    return text


def _flat(document: Pyproject) -> Pyproject:
    """Return the table with the keys of options' own tables in it, dotted."""
    inner = {option.table for option in OPTIONS if option.table}
    flat: dict[str, object] = {}
    for key, value in document.items():
        if key in inner and isinstance(value, dict):
            flat |= {f"{key}.{name}": one for name, one in value.items()}
        else:
            flat[key] = value
    return document.holding(flat)


def _check_keys(document: Pyproject) -> None:
    known = [option.key for option in OPTIONS if option.in_pyproject]
    for key in document:
        if key not in (*known, *_TABLES_OF_OTHERS):
            raise UsageError(f"[{TABLE}] of {document.place(key)} has the unknown key {key!r}. {hint(key, known)}")


def _check_together(values: Mapping[str, object], given: Mapping[str, Given]) -> None:
    if values["uid"] == 0 and values["security"] != "baseline":
        where, level = origin(BY_NAME["uid"], given["uid"].source), BY_NAME["security"]
        raise UsageError(
            f"{where} is 0, but the security level {values['security']} refuses root: add {level.flag}=baseline."
        )
    if values["hardware"] and values["reuse"]:
        raise UsageError(
            f"{origin(BY_NAME['reuse'], given['reuse'].source)} keeps pods between runs, and with them the hardware "
            f"that {origin(BY_NAME['hardware'], given['hardware'].source)} asks for: leave out one of them."
        )
    if values["nodes_registry"] and not values["registry"]:
        where = origin(BY_NAME["nodes-registry"], given["nodes-registry"].source)
        raise UsageError(
            f"{where} is another name of a place, and nothing says which: add {BY_NAME['registry'].flag}=REGISTRY/PATH."
        )


def _check_broker(values: Mapping[str, object]) -> None:
    if bool(values["broker_ca"]) != bool(values["broker_ca_key"]):
        raise UsageError("An authority of your own for brokers is two files: give --paddock-broker-ca and its key.")
    if values["broker_tls"] and values["reuse"]:
        raise UsageError(
            "--paddock-broker-tls and --paddock-reuse do not go together: every run has certificates of its own. "
            "Leave one of them out."
        )


def _check_variables(environment: Mapping[str, str]) -> None:
    """Refuse a variable that is nearly one of ours; others of our prefix may be anybody's."""
    known = [option.environment for option in OPTIONS]
    for name in environment:
        if name.startswith("PADDOCK_") and name not in (*known, *VARIABLES_OF_OTHERS):
            from difflib import get_close_matches  # noqa: PLC0415 - as below

            for near in get_close_matches(name, known, n=1, cutoff=_SLIP):
                raise UsageError(f"The environment variable {name} is unknown. Did you mean {near}?")
