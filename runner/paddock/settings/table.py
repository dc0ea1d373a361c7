"""Every option of Paddock, declared once: name, flag, environment variable, pyproject key, default and help.

Pytest's options, the documentation and the arguments of child processes are derived from ``OPTIONS``.
Every pytest run imports this module, so it imports little. It must not know pytest, clusters or engines.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.settings.kinds import (
    FILE,
    FOLDER,
    IMAGE,
    MAJOR,
    PACKAGES,
    PATTERNS,
    QUANTITY,
    REPOSITORY,
    RUN_ID,
    SECONDS,
    SIZE,
    SWITCH,
    TEXT,
    UID,
    VARIABLES,
    WHOLE,
    Kind,
    choice,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Raw = str | list[str] | None
    """What a command line gives for one option: ``None`` when it was not there, a list when it may be repeated."""

TABLE = "tool.paddock"


class Source(IntEnum):
    """Where a value came from; the greater one wins."""

    DEFAULT = 0
    PYPROJECT = 1
    ENVIRONMENT = 2
    FLAG = 3


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
    "node": ("1800", "time limit of the embedded node's start; the first one builds Kubernetes"),
    "image": ("600", "time limit of building and pushing images; the first one downloads a distribution"),
    "namespace": ("30", "time limit of making a worker's namespace and its objects"),
    "scheduling": ("120", "time limit of a worker pod, from made to running"),
    "service": ("60", "time limit of a broker or a database, from its pod made to its first answer"),
    "sources": ("120", "time limit of sending and unpacking the sources"),
    "artifacts": ("60", "time limit of getting artifacts back, from the end of the tests"),
    "start": ("60", "time limit of a worker's process, from started to its first answer"),
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
        kind=choice("kubernetes", "local", "auto"),
        default="kubernetes",
        help="what carries the workers",
    ),
    Option(name="context", kind=TEXT, help="context of the kubeconfig to use, which allows this cluster by naming it"),
    Option(name="kubeconfig", kind=FILE, help="kubeconfig file to use in place of KUBECONFIG and ~/.kube/config"),
    Option(
        name="registry",
        kind=REPOSITORY,
        help="registry and path that images are pushed to for a cluster other than the embedded node, with the "
        "credentials of `docker login`; without one kind, k3d and minikube load images",
    ),
    Option(
        name="nodes-registry",
        kind=REPOSITORY,
        help="the same place under the name by which the cluster's nodes pull, where it is another",
    ),
    Option(
        name="pull-credentials",
        kind=FILE,
        help="file, from rootdir on, as `docker login` writes it: the cluster's nodes pull with the credentials in it",
    ),
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
    Option(
        name="plan",
        kind=choice("yaml", "json"),
        in_pyproject=False,  # a project whose runs only ever print would be a riddle
        help="print every object that the run would make, credentials masked, and make none",
    ),
    Option(name="worker-memory", kind=QUANTITY, default="1Gi", help="memory limit of a worker pod"),
    Option(name="worker-cpu", kind=QUANTITY, default="100m", help="processor share that a worker pod requests"),
    Option(
        name="uid",
        kind=UID,
        help="user that the pods run as; by default the one who runs pytest, and 1000 for root; "
        "0 needs --paddock-security=baseline and holds for the worker's pod only",
    ),
    Option(
        name="security",
        kind=choice("restricted", "baseline"),
        default="restricted",
        help="pod security level of the namespaces; baseline takes the limits off the worker's pod",
    ),
    Option(
        name="pod-patch",
        kind=FILE,
        in_pyproject=False,  # there it is `patch` in [tool.paddock.pod], beside what else is added to pods
        help="YAML file with fields that are added to pods ([tool.paddock.pod] adds others)",
    ),
    Option(
        name="env",
        kind=VARIABLES,
        default="",
        help="environment variable that travels to the workers with its value here; may be repeated "
        "([tool.paddock.env] sets others)",
    ),
    Option(
        name="include",
        kind=PATTERNS,
        default="",
        help="files that are sent although git ignores them, as paths or patterns; may be repeated",
    ),
    Option(name="exclude", kind=PATTERNS, default="", help="files that are not sent in any case; may be repeated"),
    Option(name="sources-size", kind=SIZE, default="200Mi", help="size of all sources, uncompressed; more is refused"),
    Option(
        name="artifacts",
        kind=PATTERNS,
        default="",
        help="files that come back from the workers if tests wrote them there; may be repeated",
    ),
    Option(
        name="artifacts-size", kind=SIZE, default="100Mi", help="size of one worker's artifacts; more is left there"
    ),
    Option(
        name="artifacts-folder",
        kind=FOLDER,
        default="paddock-artifacts",
        help="folder that gets the artifacts, one folder a worker in it",
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


def parse(option: Option, text: str, source: Source, place: Callable[[], str] = lambda: "pyproject.toml") -> object:
    """Return the value that ``text`` stands for; ``place`` is asked for file and line if there is something to tell.

    Raises:
        UsageError: it is not of the option's kind.
    """
    try:
        return option.kind.parse(text)
    except ValueError:
        raise UsageError(complaint(option, text, source, place())) from None


def complaint(option: Option, value: object, source: Source, place: str = "pyproject.toml") -> str:
    """Return the one sentence about a value that cannot be meant; ``place`` is file and line of a key."""
    return f"{origin(option, source, place)} is {shown(value)}; expected {option.kind.expected}."


def origin(option: Option, source: Source, place: str = "pyproject.toml") -> str:
    """Return where a value came from, as a person would look for it."""
    return {
        Source.FLAG: option.flag,
        Source.ENVIRONMENT: f"the environment variable {option.environment}",
        Source.PYPROJECT: f"{option.key!r} in [{TABLE}] of {place}",
        Source.DEFAULT: "default",
    }[source]
