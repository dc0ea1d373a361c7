"""Frozen values that the layers hand to one another: what is to be run, never how.

Pure. It must not know clusters, files or pytest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DEFAULT_UID = 1000
"""User of all pods when pytest runs as root; otherwise pods run as the invoking user."""


PLATFORM_UID = "platform"
"""Stands for a user number that the cluster assigns to each namespace, as OpenShift does."""


@dataclass(frozen=True, kw_only=True)
class PodAddition:
    """Fields that the user adds to pods, as a partial Pod."""

    manifest: Mapping[str, Any]
    file: str
    pod: str = ""
    """``worker``, ``broker`` or ``database``; empty for all of them."""
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """Path of a field -> its line in ``file``, counted from 1; entries of lists are named or numbered."""

    def where(self, path: tuple[str, ...]) -> str:
        """Return file and line of a field, or of the nearest one around it."""
        known = (self.lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in self.lines)
        line = next(known, None)
        return f"{self.file}:{line}" if line else self.file


@dataclass(frozen=True, kw_only=True)
class DeclaredService:
    """A service of the user's own in every worker's namespace, beside broker and database."""

    name: str
    """Of pod and Service, so also its host name."""
    port: int
    readiness: Mapping[str, Any]
    """A probe of Kubernetes, as in a container's ``readinessProbe``."""
    image: str | None = None
    """Reference as nodes pull it; ``None`` for the worker's image, that is the project's own environment."""
    command: Sequence[str] = ()
    """Program and arguments; empty for the image's own."""
    environment: Mapping[str, str] = field(default_factory=dict)
    memory: str = ""
    """Limit as a Kubernetes quantity; empty for that of ``k8s/namespace/declared.yaml``."""
    cpu: str = ""
    """Request, likewise."""
    place: str = ""
    """File and line of its declaration."""


@dataclass(frozen=True, kw_only=True)
class PhaseLimits:
    """Time limits of a run's phases in seconds; when one passes, the message names object, cause and remedy."""

    node: float = 1800.0
    """The embedded node up; the first time it is built from its modules."""
    image: float = 600.0
    """Base and worker images; the first one downloads a distribution."""
    namespace: float = 30.0
    """Namespace and its objects accepted by the API server."""
    scheduling: float = 120.0
    """Worker pod made to worker pod running."""
    service: float = 60.0
    """Broker and database pod made to an answer (CONNACK, ``SELECT 1``)."""
    sources: float = 120.0
    """Sources sent and unpacked."""
    artifacts: float = 60.0
    """Artifacts of all workers received, from the end of the tests."""
    start: float = 60.0
    """Worker process started to its first answer."""
    release: float = 60.0
    """Namespaces gone after their deletion was asked for."""


@dataclass(frozen=True, kw_only=True)
class Images:
    """References of the three images of a worker's namespace, as the cluster's nodes pull them."""

    worker: str
    broker: str
    database: str
    pull: str = "IfNotPresent"
    """Kubernetes' pull policy: ``Never`` for images that were loaded and that no registry has."""


@dataclass(frozen=True, kw_only=True)
class ImageChoices:
    """What the user wants of the images beyond what is made by itself."""

    worker: str | None = None
    """Reference of the user's own worker image."""
    packages: tuple[str, ...] = ()
    """Debian packages that the worker image holds besides."""
    broker_configuration: Path | None = None
    """Settings of mosquitto.conf, added to Paddock's own."""
    database_configuration: Path | None = None
    """Settings of postgresql.conf, which win over Paddock's own."""
    database_version: str | None = None
    """Major version of PostgreSQL; ``None`` for the usual one of the distribution's release."""
    registry: str | None = None
    """Registry and path that images are pushed to for any cluster but the embedded node."""
    nodes_registry: str | None = None
    """The same place under the name by which that cluster's nodes pull, where it is another."""


@dataclass(frozen=True, kw_only=True)
class PythonEnvironment:
    """The environment that runs pytest, as the worker pod will find it."""

    executable: Path
    """Absolute path of the interpreter to start, such as ``<project>/.nox/parallel/bin/python``."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Symbolic links the in-pod supervisor makes after unpacking: path -> target inside the image."""


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """The files that are wanted back from workers, if tests wrote them there."""

    patterns: Sequence[str]
    """Of paths relative to the root of the sources."""
    folder: Path
    """Where they go on this machine, in a folder for each worker."""
    size: int = 100 << 20
    """Most bytes from one worker; files beyond it are left there, and that is told."""


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """Everything that decides a run, as plain data."""

    run_id: str
    workers: Sequence[str]
    """xdist's worker ids: ``gw0``, ``gw1``, …"""
    root: Path
    """Folder whose sources are sent; it has the same absolute path in the pods."""
    working_directory: Path
    """Where pytest was started; inside or equal to ``root``."""
    images: Images
    python: PythonEnvironment
    uid: int | None = DEFAULT_UID
    """User of the pods; ``None`` where the platform assigns it."""
    security: str = "restricted"
    """Pod security level of the namespaces: ``restricted``, or ``baseline`` as an opt-out for the worker's pod."""
    pull_credentials: str = field(default="", repr=False)
    """What the nodes pull images with, as ``docker login`` writes it; empty: whatever they have themselves."""
    additions: Sequence[PodAddition] = ()
    """What the user adds to the pods."""
    services: Sequence[DeclaredService] = ()
    """Services beside broker and database."""
    limits: PhaseLimits = field(default_factory=PhaseLimits)
    deadline: int = 7200
    """``activeDeadlineSeconds`` of every pod: the run is over by then, whatever happened to its client."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of every worker process."""
    worker_memory: str = "1Gi"
    """Memory limit of a worker pod, as a Kubernetes quantity: a test suite of a usual size with room to spare."""
    worker_cpu: str = "100m"
    """Processor request of a worker pod; small, so that workers share a small machine instead of waiting for it."""
    artifacts: Artifacts | None = None
    """What is wanted back from the workers, if anything is."""


@dataclass(frozen=True, kw_only=True)
class ServiceFacts:
    """How tests reach one service: what fixtures and environment variables are made of."""

    kind: str
    """``broker``, ``database``, or the name of a declared one."""
    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    database: str = ""


@dataclass(frozen=True, kw_only=True)
class ExitStatus:
    """How a worker process ended: by itself with ``code``, or by ``signal``; ``cause`` in plain words where known."""

    code: int | None = None
    signal: int | None = None
    cause: str = ""


COLLECTING, WAITING, TESTING, ENDED = "collecting", "waiting", "testing", "ended"
"""What a worker is at: waiting is between its collection and its first test."""


@dataclass(frozen=True, kw_only=True)
class Doing:
    """What a worker is at, and the figures of what it has reported, for whoever looks from outside."""

    phase: str = COLLECTING
    running: str = ""
    """Node id of the test that runs now; empty between two tests."""
    passed: int = 0
    failed: int = 0
    errors: int = 0
    """Set-ups and tear-downs that failed."""
    skipped: int = 0


@dataclass(frozen=True, kw_only=True)
class Account:
    """The run's closing account of its namespaces."""

    created: Sequence[str]
    deleted: Sequence[str]
    left: Mapping[str, str] = field(default_factory=dict)
    """Namespace -> why it is still there."""
    notes: Sequence[str] = ()
    """What else is to be told of the run's end, in sentences, such as the artifacts that came back."""

    def sentence(self) -> str:
        """Return the last line of a run."""
        line = f"namespaces: created {len(self.created)}, deleted {len(self.deleted)}, left {len(self.left)}"
        return line + self._obstacles()

    def verified(self) -> str:
        """Return the line of a reaper that has looked: what it found, and what is left of it."""
        return f"namespaces: found {len(self.created)}, left {len(self.left)}" + self._obstacles()

    def _obstacles(self) -> str:
        return "".join(f"; {name}: {reason}" for name, reason in self.left.items())
