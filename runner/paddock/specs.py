"""Frozen values that the layers hand to one another: what is to be run, never how.

Pure. It must not know clusters, files or pytest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from paddock.declared_services import DeclaredService

DEFAULT_UID = 1000
"""User of all pods when pytest runs as root; otherwise pods run as the invoking user."""


PLATFORM_UID = "platform"
"""Stands for a user number that the cluster assigns to each namespace, as OpenShift does."""

EVERY_WORKER, FREE_DEVICES = "all", "free"
"""Stand for how many workers of a run hold its hardware: all, or as many as there are free devices for at its start."""


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
class BrokerAccess:
    """Who may do what on a broker beside Paddock's own account, and with what it speaks TLS."""

    accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Name -> password."""
    acl: str = ""
    """As Mosquitto's ``acl_file`` has it; empty: every account may use every topic."""
    authority: str = ""
    """Certificate, as PEM, of the authority by which clients know the broker; empty: no TLS."""
    certificate: str = ""
    key: str = field(default="", repr=False)

    @property
    def port(self) -> int:
        """Where a broker in a cluster listens: the registered ports of MQTT, over TLS and without."""
        return 8883 if self.authority else 1883


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
    service: float = 120.0
    """Broker and database pod made to an answer (CONNACK, ``SELECT 1``); as long as ``scheduling``, which is in it:
    after an outage of the API server a scheduler may rest for 60 s (client-go: 30, up to doubled by jitter)."""
    sources: float = 120.0
    """Sources sent and unpacked."""
    artifacts: float = 60.0
    """Artifacts of all workers received, from the end of the tests."""
    evidence: float = 10.0
    """Evidence of failures collected, for each worker and for all that is left at the end."""
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
class Keep:
    """Which namespaces stay after the run, to be looked into, and for how long."""

    which: str
    """``failed``: those of workers with a failed test or that were lost; or ``all``."""
    ttl: int = 3600
    """Seconds from the run's end."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Where evidence of failures goes on this machine."""

    folder: Path
    """Of all runs' reports."""
    size: int = 4 << 20
    """Most bytes of all logs of one worker's namespace."""


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
    shares_broker: bool = False
    """Whether one broker, in a namespace of the run, serves all workers."""
    hardware: Mapping[str, int] = field(default_factory=dict)
    """Resource of device plugins -> how many of it a worker's pod holds."""
    hardware_workers: int | None = None
    """How many workers' pods do at the same time; ``None`` for all."""
    broker: BrokerAccess = field(default_factory=BrokerAccess)
    limits: PhaseLimits = field(default_factory=PhaseLimits)
    deadline: int = 7200
    """``activeDeadlineSeconds`` of every pod: the run is over by then, whatever happened to its client."""
    lease_duration: int = 15
    """Seconds without a sign of life from the run's client after which, and a grace, others may end the run."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of every worker process."""
    worker_memory: str = "1Gi"
    """Memory limit of a worker pod, as a Kubernetes quantity: a test suite of a usual size with room to spare."""
    worker_cpu: str = "100m"
    """Processor request of a worker pod; small, so that workers share a small machine instead of waiting for it."""
    artifacts: Artifacts | None = None
    """What is wanted back from the workers, if anything is."""
    report: Report | None = None
    """Where evidence goes, if it is wanted."""
    keep: Keep | None = None
    """What stays after the run, if anything does."""
    reuse: int | None = None
    """Seconds that namespaces wait for the next run of the project; ``None`` where they do not. Nor do they with
    ``keep``: what is to be looked into must be as the tests left it."""
    called: str = ""
    """The id that the run was given, where namespaces that it has taken over carry another."""

    @property
    def id_for_people(self) -> str:
        """The run's id as its user knows it."""
        return self.called or self.run_id

    @property
    def pod_deadline(self) -> int:
        """Seconds after which the cluster ends a pod: what is kept or waits must outlive the longest run."""
        return self.deadline + (self.keep.ttl if self.keep else 0) + (self.reuse or 0)


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
    url: str = ""
    """Of a declared service, as its declaration has it; those of broker and database are made of the rest."""
    authority: str = ""
    """Certificate of the authority by which a broker that speaks TLS is known, as PEM."""
    logins: str = field(default="", repr=False)
    """Further accounts of a broker, a line ``name:password`` each."""


@dataclass(frozen=True, kw_only=True)
class ExitStatus:
    """How a worker process ended: by itself with ``code``, or by ``signal``; ``cause`` in plain words where known."""

    code: int | None = None
    signal: int | None = None
    cause: str = ""
    # Evidence beside the end itself, and no part of what makes two ends the same.
    heard: bool = field(default=False, compare=False)
    """Whether the worker's own supervisor said so; else nobody heard of the worker any more."""
    stopped: bool = field(default=False, compare=False)
    """Whether the supervisor was told to stop, as when its pod is deleted: the worker's end was not its own."""
    wanted: bool = field(default=False, compare=False)
    """Whether this run itself asked for it."""
    memory_kills: int = field(default=0, compare=False)
    """Processes that the kernel killed for the container's memory while the worker ran."""
    memory_limit: int = field(default=0, compare=False)
    """Bytes; 0 where there is none, or it cannot be read."""
    memory_peak: int = field(default=0, compare=False)
    """The most bytes that the container ever held; 0 where the kernel does not tell."""


class Fate(Enum):
    """Whether another worker in the place of one that went would fare better."""

    OWN = "own"
    """The tests or the worker itself did it: another one goes on where it stopped, unless it never began."""
    PASSING = "passing"
    """The infrastructure did it, and may not do so again: a test that ran meanwhile runs once more."""
    LASTING = "lasting"
    """Another one would end the same way until somebody changes something."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why a worker went, in plain words; the words themselves stand in ``namespaces.causes``."""

    kind: str
    """For machines, such as ``evicted``: a row of the table in ``namespaces.causes``."""
    sentence: str
    remedy: str
    fate: Fate

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}"


COLLECTING, WAITING, TESTING, ENDED = "collecting", "waiting", "testing", "ended"
"""What a worker is at: waiting is between its collection and its first test."""


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """A shared device with which another worker's test has its turn, while one of this worker's waits for it."""

    device: str
    """As a person calls it."""
    test: str
    """Node id of the test that waits."""
    holder: str
    """Run and worker of the one that does not, with a slash between."""
    held_for: str
    """Node id of that one's test."""
    since: str
    """Since when it has its turn, as RFC 3339 writes it."""

    @property
    def sentence(self) -> str:
        """The wait in words, to follow the worker's name."""
        return (
            f"waits for its turn with {self.device}, to run {self.test}: {self.holder} has it since {self.since}, "
            f"for {self.held_for}"
        )


@dataclass(frozen=True, kw_only=True)
class Doing:
    """What a worker is at, and the figures of what it has reported, for whoever looks from outside."""

    phase: str = COLLECTING
    running: str = ""
    """Node id of the test that runs now; empty between two tests."""
    awaits: Awaited | None = None
    """What the next test has waited for so long that it was told."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    """Set-ups and tear-downs that failed."""
    skipped: int = 0

    @property
    def test(self) -> str:
        """The test that runs, or what the next one waits for; empty between two tests."""
        awaits = f"waits for {self.awaits.device}, which {self.awaits.holder} has" if self.awaits else ""
        return self.running or awaits


ASKED, SCHEDULED, RUNNING, SENT = "asked", "scheduled", "running", "sent"
"""Steps of a worker's place: it is asked for, has a node, runs, and has its sources and its process."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How far a worker's place has come."""

    over: Mapping[str, float] = field(default_factory=dict)
    """Step -> when it was over, in seconds on the clock of ``time.monotonic``; engines may lack some."""
    waits_for: str = ""
    """What the next step waits for, to follow "waits for"; empty where nothing is waited for."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The run's closing account of its namespaces."""

    created: Sequence[str]
    deleted: Sequence[str]
    left: Mapping[str, str] = field(default_factory=dict)
    """Namespace -> why it is still there."""
    reused: Sequence[str] = ()
    """Namespaces that were there already, waiting for this run."""
    kept: Sequence[str] = ()
    """Namespaces that stay on purpose, for a time."""
    notes: Sequence[str] = ()
    """What else is to be told of the run's end, in sentences, such as the artifacts that came back."""
    what: str = "namespaces"
    """What is accounted for."""

    def sentence(self) -> str:
        """Return the last line of a run."""
        kept = f", kept {len(self.kept)}" if self.kept else ""
        reused = f", reused {len(self.reused)}" if self.reused else ""
        created, deleted, left = len(self.created), len(self.deleted), len(self.left)
        line = f"{self.what}: created {created}{reused}, deleted {deleted}{kept}, left {left}"
        return line + self._obstacles()

    def verified(self) -> str:
        """Return the line of a reaper that has looked: what it found, and what is left of it."""
        return f"namespaces: found {len(self.created)}, left {len(self.left)}" + self._obstacles()

    def _obstacles(self) -> str:
        return "".join(f"; {name}: {reason}" for name, reason in self.left.items())
