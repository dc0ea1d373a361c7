"""Every option of Paddock, declared once: name, flag, environment variable, pyproject key, default and help.

Pytest's options, the documentation and the arguments of child processes are derived from ``OPTIONS``.
Every pytest run imports this module, so it imports little. It must not know pytest, clusters or engines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.settings import broker_options, fixture_options
from paddock.settings.kinds import (
    COUNT,
    DEVICES,
    FILE,
    FOLDER,
    HARDWARE,
    HARDWARE_WORKERS,
    IMAGE,
    MAJOR,
    PACKAGES,
    PATTERNS,
    PORT,
    QUANTITY,
    REPOSITORY,
    RUN_ID,
    SECONDS,
    SHARD,
    SIZE,
    SWITCH,
    TEXT,
    UID,
    VARIABLES,
    WHOLE,
    choice,
    shown,
)
from paddock.settings.option import TABLE, Option, Source
from paddock.specs import FREE_DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Raw = str | list[str] | None
    """What a command line gives for one option: ``None`` when it was not there, a list when it may be repeated."""

__all__ = ["BY_NAME", "LIMITS", "OPTIONS", "TABLE", "Option", "Source", "complaint", "is_enabled", "origin", "parse"]

LIMITS = {
    "node": ("1800", "time limit of the embedded node's start; the first one builds Kubernetes"),
    "image": ("600", "time limit of building and pushing images; the first one downloads a distribution"),
    "namespace": ("30", "time limit of making a worker's namespace and its objects"),
    "scheduling": ("120", "time limit of a worker pod, from made to running"),
    "service": ("120", "time limit of a broker or a database, from its pod made to its first answer"),
    "sources": ("120", "time limit of sending and unpacking the sources"),
    "artifacts": ("60", "time limit of getting artifacts back, from the end of the tests"),
    "evidence": ("10", "time limit of keeping evidence of what failed, at the end of the run"),
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
        help="what carries the workers: pods, processes of this machine, or pods if a cluster answers",
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
    *broker_options.OPTIONS,
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
        name="lease-duration",
        kind=WHOLE,
        default="15",
        unit="s",
        help="time without a sign of life from this process after which, and another 10 s, others may end the run",
    ),
    Option(
        name="grace",
        kind=SECONDS,
        default="10",
        unit="s",
        help="time for fixtures to tear down after an interrupt, before workers are killed",
    ),
    Option(
        name="keep",
        kind=choice("failed", "all"),
        help="namespaces that stay after the run to be looked into: those of workers with a failed test or that were "
        "lost, or all; the commands to look inside are printed",
    ),
    Option(
        name="keep-ttl",
        kind=WHOLE,
        default="3600",  # long enough to look into a failure that ended a run during lunch, too short for a weekend
        unit="s",
        help="time that namespaces are kept, from the run's end; a reaper ends them then",
    ),
    Option(
        name="reuse",
        kind=SWITCH,
        default="false",
        help="hand namespaces on to the next run of the project, with new pods that are up before it begins; "
        "not together with --paddock-keep, nor after a run that has lost a worker",
    ),
    Option(
        name="reuse-ttl",
        kind=WHOLE,
        default="600",  # some edits later; each namespace takes a few hundred megabytes of memory meanwhile
        unit="s",
        help="time that namespaces wait for the next run; a reaper ends them then",
    ),
    Option(
        name="history",
        kind=FILE,
        default=".paddock/history.jsonl",
        help="file, from rootdir on, with the times of earlier runs, by which tests are planned; completed at the end "
        "(/dev/null for none)",
    ),
    Option(
        name="order",
        kind=choice("longest", "file", "collected"),
        default="longest",
        help="order in which tests are handed out: the longest first; by file, and within a file as collected; or all "
        "as collected",
    ),
    Option(
        name="max-weight",
        kind=COUNT,
        help="sum of the weights of tests (marks weight and resource_intensive) that may run at once, over all "
        "workers; half of the workers if not given",
    ),
    Option(
        name="shard",
        kind=SHARD,
        in_pyproject=False,  # every run of the project would leave out the same tests
        help="part of the tests that this run is for, as one of several CI jobs: 2/4 is the second of four",
    ),
    Option(
        name="shard-by",
        kind=choice("name", "times"),
        default="name",
        help="how tests are shared out among shards: by their names alone, or so that all take equally long, for which "
        "every job must have the same history",
    ),
    Option(
        name="retry",
        kind=COUNT,
        help="how many times a test that failed runs again, each time in another worker's namespace if there is one; "
        "its last verdict counts, the others are shown; not at all by default",
    ),
    Option(
        name="test-limit",
        kind=SECONDS,
        unit="s",
        help="time after which a test that is still running is reported as failed with the stacks of its threads, "
        "and its worker ended and replaced, whatever it is stuck in; none by default",
    ),
    Option(
        name="hardware",
        kind=HARDWARE,
        default="",
        help="hardware that workers' pods hold, for tests marked with it: as in [tool.paddock.devices], or all for "
        "everything there; may be repeated",
    ),
    Option(
        name="hardware-workers",
        kind=HARDWARE_WORKERS,
        default=FREE_DEVICES,
        help="how many workers hold the hardware, gw0 and those after it: a number, all, or free for as many as there "
        "are free devices for when the run begins, at least one; the others run the tests that need none",
    ),
    Option(
        name="wait",
        kind=SECONDS,
        default="600",
        unit="s",
        help="time that a run waits its turn for hardware while others hold all of it; its tests that need none run "
        "meanwhile, and runs that began earlier come first",
    ),
    Option(
        name="simulate-hardware",
        kind=DEVICES,
        in_pyproject=False,  # a suite must not be green for ever on devices that are none
        help="on the embedded node, make so many simulated devices (loop devices), which stand in for every kind of "
        "hardware that is asked for",
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
    Option(
        name="port-base",
        kind=PORT,
        default="20000",
        help="in the local engine: first of the hundred ports of gw0; gw1 has the next hundred, and a run without "
        "workers the hundred below",
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
    Option(name="artifacts-size", kind=SIZE, default="100Mi", help="size of a worker's artifacts; more is left there"),
    Option(
        name="artifacts-folder",
        kind=FOLDER,
        default="paddock-artifacts",
        help="folder that gets the artifacts, one folder a worker in it",
    ),
    Option(
        name="evidence",
        kind=choice("failed", "all", "none"),
        default="failed",
        help="whose logs, events and pod states are kept in the report when their namespaces go: those of workers "
        "that were lost or had a failing test, of all, or of none",
    ),
    Option(name="report-size", kind=SIZE, default="4Mi", help="size of the logs of one namespace in the report"),
    Option(
        name="report-folder",
        kind=FOLDER,
        default="paddock-report",
        help="folder, from rootdir on, that gets what explains a run afterwards, one folder a run in it",
    ),
    Option(
        name="require-clean",
        kind=SWITCH,
        default="false",
        help="wait at the end until all namespaces are gone; if any is left, 8 is added to the exit code",
    ),
    *fixture_options.OPTIONS,
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
