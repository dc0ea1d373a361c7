"""The table of faults: what is done, how often, and what a run has to say of it.

Pure but for the functions it names. A scenario that is a race is tried fifty times, at another moment each time;
one whose moment is chosen by an event, five times; kills of workers that run short tests, forty times a mode; faults
of runs with devices, twenty times.
"""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos import devices, faults, kills, suite
from tests.chaos.suite import VICTIM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.chaos.faults import Fault
    from tests.chaos.trial import Trial

RACE, CERTAIN = 50, 5
"""Trials that a scenario needs before it counts as shown."""
KILLED = 40
"""Workers that are killed in each of the modes of --dist: two hundred in all."""
EQUIPPED = 20
"""Trials of each fault of a run with devices."""

WAITS, TORN_DOWN = "the victim waits", "fixture is torn down"
_OTHER_IMAGE = """
[tool.paddock.services.cache]
image = "127.0.0.1:1/nobody/has-this:1"
port = 6379
readiness = "tcp"
"""
_USES_SERVICE = """
def test_asks(paddock_service):
    paddock_service("cache")
"""
_DISK = """
metadata: {name: worker}
spec:
  containers:
    - name: worker
      resources: {limits: {ephemeral-storage: 50Mi}}
"""


def deed(name: str) -> Mapping[str, str]:
    """Return the environment that makes the victim do something."""
    return {"VICTIM": f"{name}.deed"}


def _one(_trial: Trial) -> int:
    return 1


def _nothing_beside(_project: Path) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A fault and what has to come of it."""

    name: str
    what: str
    """The fault in a few words, as the table of docs/reliability.md has it."""
    fault: Fault
    times: int = CERTAIN
    codes: frozenset[int] = frozenset({1})
    """Exit codes that are right; 1 without a fault, since one test fails as it should."""
    changed: Mapping[str, str] = field(default_factory=dict)
    """Verdicts that differ from those without a fault, and that of a victim that is lost."""
    complete: bool = True
    """Whether every test has to be reported; no test may be reported twice or wrongly in any case."""
    cause: str = ""
    """What has to stand in the terminal, as a pattern; in JUnit's file too where the victim is lost."""
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    pyproject: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], None] = suite.nothing_more
    """What else is put into the project's folder, before each trial."""
    beside: Callable[[Path], AbstractContextManager[None]] = _nothing_beside
    """What is there for as long as trials are made; gets the project's folder."""
    nox: bool = False
    before_left: Fault | None = None
    """What is done after the run's end before everything must be gone."""
    outage: bool = False
    """Whether the cluster answers nobody for a while: then the next trial waits until this one's things are gone."""
    quick: bool = False
    """Whether it is tried once in ``nox -s tests``."""
    judge: Callable[[Trial], Iterable[str]] | None = None
    """What finds fault with a run of another suite; in place of exit code, verdicts and cause above."""
    count: Callable[[Trial], int] = _one
    """How many trials a run was."""


@dataclass(frozen=True, kw_only=True)
class Lost(Scenario):
    """The victim is lost with its worker; every other test has the verdict that it always has."""

    changed: Mapping[str, str] = field(default_factory=lambda: {VICTIM: "failed"})


@dataclass(frozen=True, kw_only=True)
class Spared(Scenario):
    """The infrastructure loses the victim, which runs again elsewhere: it has the verdict that it always has."""

    changed: Mapping[str, str] = field(default_factory=lambda: {VICTIM: "passed"})


@dataclass(frozen=True, kw_only=True)
class Refused(Scenario):
    """No test can run at all."""

    fault: Fault = faults.await_end
    complete: bool = False
    codes: frozenset[int] = frozenset({3})


@dataclass(frozen=True, kw_only=True)
class Interrupted(Scenario):
    """The run ends early, by a signal at a certain moment."""

    complete: bool = False
    codes: frozenset[int] = frozenset({2})


@dataclass(frozen=True, kw_only=True)
class Raced(Scenario):
    """The fault strikes at any moment; the victim waits for nobody."""

    times: int = RACE
    environment: Mapping[str, str] = field(default_factory=lambda: deed("brief"))


@dataclass(frozen=True, kw_only=True)
class Equipped(Scenario):
    """The victim and others need a device, of which there is one for each worker."""

    times: int = EQUIPPED
    beside: Callable[[Path], AbstractContextManager[None]] = devices.present
    files: Mapping[str, str] = field(default_factory=lambda: devices.SUITE)
    changed: Mapping[str, str] = field(default_factory=lambda: devices.VERDICTS)
    arguments: Sequence[str] = ("--paddock-hardware=coral",)


COMPONENTS = ("kube-apiserver", "kubelet", "containerd")
SCENARIOS = (
    Scenario(name="nothing", what="nothing", fault=faults.nothing, quick=True),
    # ---- the client
    Raced(
        name="client",
        what="kill -9 of pytest at any moment",
        fault=faults.at_random(faults.kill_client),
        codes=frozenset({1, -9}),
        complete=False,
    ),
    Scenario(
        name="client-in-test",
        what="kill -9 of pytest while a test runs",
        fault=faults.kill_client_in_a_test,
        codes=frozenset({-9}),
        complete=False,
        quick=True,
    ),
    Scenario(
        name="nox",
        what="kill -9 of nox while a test runs: pytest goes on",
        fault=faults.kill_nox_in_a_test,
        codes=frozenset({-9}),
        nox=True,
    ),
    Scenario(
        name="pause",
        what="pytest stopped for longer than its record counts, then let go on",
        fault=faults.pause_client,
        arguments=("-n1",),  # another worker might be in the middle of a test, and would lose it as well
        codes=frozenset({1, 3}),
        complete=False,
        changed={VICTIM: "failed"},
        cause="was taken over by reaper/|was ended from elsewhere",
    ),
    Raced(
        name="interrupt",
        what="Ctrl-C at any moment",
        fault=faults.at_random(faults.interrupt),
        codes=frozenset({1, 2, -2}),
        complete=False,
    ),
    Interrupted(
        name="interrupt-start", what="Ctrl-C at the start", fault=faults.interrupt_after("test session starts")
    ),
    Interrupted(
        name="interrupt-images",
        what="Ctrl-C while images are made",
        fault=faults.interrupt_while_making,
        prepare=suite.forget_packages,
        pyproject=f'exclude = ["{suite.CACHE}"]\n',
        environment={"PADDOCK_CACHE": suite.CACHE},
    ),
    Interrupted(
        name="interrupt-sources",
        what="Ctrl-C while sources are sent",
        fault=faults.interrupt_while_sending,
        prepare=suite.add_ballast,
        arguments=(f"--paddock-sources-size={2 * suite.BALLAST}",),
    ),
    Interrupted(
        name="interrupt-making", what="Ctrl-C while pods are made", fault=faults.interrupt_after("created: 2/2")
    ),
    Interrupted(
        name="interrupt-collected",
        what="Ctrl-C when tests are collected",
        fault=faults.interrupt_after(f"scheduling tests via|{WAITS}"),
        arguments=("-v",),  # says so, unless tests have begun on one worker already
    ),
    Interrupted(
        name="interrupt-test",
        what="Ctrl-C in a test: its fixture is torn down",
        fault=faults.interrupt_after(WAITS),
        cause=TORN_DOWN,
        quick=True,
    ),
    Interrupted(
        name="interrupt-twice",
        what="Ctrl-C in a test whose fixture does not let go, and again",
        fault=faults.interrupt_after(WAITS, TORN_DOWN),
        cause="interrupted again",
        environment={"STUBBORN": "1"},
    ),
    Interrupted(name="terminate", what="SIGTERM in a test", fault=faults.interrupt_after(WAITS, number=signal.SIGTERM)),
    Interrupted(name="hang-up", what="SIGHUP in a test", fault=faults.interrupt_after(WAITS, number=signal.SIGHUP)),
    Interrupted(
        name="interrupt-release",
        what="Ctrl-C when the last test is over",
        fault=faults.interrupt_the_end,
        codes=frozenset({1, 2}),
    ),
    Interrupted(
        name="interrupt-artifacts",
        what="Ctrl-C while artifacts come back",
        fault=faults.interrupt_the_end,
        codes=frozenset({1, 2}),
        arguments=("--paddock-artifacts=artifact",),
        environment=deed("artifact"),
    ),
    # ---- the worker
    Lost(
        name="worker",
        what="kill -9 of a worker",
        fault=faults.kill_worker,
        cause="ended by SIGKILL",
        quick=True,
    ),
    Lost(
        name="signal",
        what="a test that ends its process by a fault of memory",
        fault=faults.await_victim_only,
        cause="SIGSEGV",
        environment=deed("segfault"),
    ),
    Spared(
        name="supervisor",
        what="kill -9 of the first process of a worker's pod",
        fault=faults.then_let_go_on(faults.kill_supervisor),
        cause="the supervisor",
    ),
    Spared(
        name="pod",
        what="a worker's pod deleted by hand",
        fault=faults.then_let_go_on(faults.delete_pod),
        cause="pod was deleted",
        quick=True,
    ),
    Spared(
        name="namespace",
        what="a worker's namespace deleted by hand",
        fault=faults.then_let_go_on(faults.delete_namespace),
        cause="deleted",
    ),
    Lost(
        name="memory",
        what="a test that takes more memory than its pod may",
        fault=faults.await_victim_only,
        cause="exceeding its memory limit.*128",
        arguments=("--paddock-worker-memory=128Mi",),
        environment=deed("memory"),
    ),
    Lost(
        name="disk",
        what="a test that fills more disk than its pod may: evicted",
        fault=faults.await_victim_only,
        cause="(?i)evicted|ephemeral",
        arguments=("--paddock-pod-patch=disk.yaml",),
        environment=deed("disk"),
        files={"disk.yaml": _DISK},
    ),
    *(
        Scenario(
            name=f"kills-{dist}",
            what=f"workers killed at random, several in a run, under `--dist={dist}`",
            fault=kills.kill_at_random,
            times=KILLED,
            arguments=(f"--dist={dist}", *kills.ARGUMENTS),
            files=kills.SUITE,
            judge=kills.judge,
            count=kills.count,
        )
        for dist in ("load", "loadscope", "loadfile", "loadgroup", "worksteal")
    ),
    # ---- the cluster
    Scenario(
        name="quota",
        what="a quota that leaves no room for a worker's services",
        fault=faults.exhaust_quota,
        changed={"test_steady.py::test_uses_its_services": "failed"},
        cause="(?i)quota .*exhausted",
    ),
    Refused(
        name="image",
        what="an image of the workers that is not there",
        cause="has-this",
        arguments=("--paddock-image=127.0.0.1:1/nobody/has-this:1",),
    ),
    Scenario(
        name="service-image",
        what="an image of a service that is not there",
        fault=faults.nothing,
        pyproject=_OTHER_IMAGE,
        files={"test_service.py": _USES_SERVICE},
        changed={"test_service.py::test_asks": "failed"},
        cause="ErrImagePull|ImagePullBackOff",
    ),
    Refused(
        name="unschedulable",
        what="workers that ask for more processors than there are",
        cause="(?i)insufficient cpu",
        arguments=("--paddock-worker-cpu=3", "--paddock-scheduling-limit=5"),
    ),
    Scenario(
        name="finalizer",
        what="an object that does not let its namespace go",
        fault=faults.hold_a_finalizer,
        before_left=faults.free_the_finalizer,
    ),
    Scenario(name="two-runs", what="two runs of one project at once", fault=faults.start_another_run),
    Scenario(
        name="two-reapers",
        what="two reapers at once, after kill -9 of pytest",
        fault=faults.two_reapers,
        codes=frozenset({-9}),
        complete=False,
    ),
    # ---- devices
    Equipped(
        name="device-plugin",
        what="the device plugin killed at any moment, and begun anew, under a run with devices",
        fault=faults.in_the_middle(faults.kill_plugin),
        environment=deed("brief"),
    ),
    Equipped(
        name="kubelet-devices",
        what="kubelet killed at any moment under a run with devices",
        fault=faults.in_the_middle(faults.component_killer("kubelet")),
        environment=deed("brief"),
        outage=True,
    ),
    Equipped(
        name="unplug",
        what="a device unplugged while a test holds it, and plugged in again",
        fault=faults.unplug_and_plug_in,
        cause=r"was sick after test_victim\.py::test_victim: \S+ ended with 1",
        outage=True,  # until the device is known to be back
    ),
    # ---- the node
    *(
        Scenario(name=name, what=f"{name} killed while a test runs", fault=faults.kill_component(name), outage=True)
        for name in COMPONENTS
    ),
    *(
        Raced(
            name=f"{name}-any",
            what=f"{name} killed at any moment",
            fault=faults.at_random(faults.component_killer(name)),
            outage=True,
        )
        for name in COMPONENTS
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
