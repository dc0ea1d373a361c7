"""One run under fire: started as a user starts it, watched by its output, judged by what it left.

Owns the run's process and its output. It must not know which faults there are.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from paddock import names
from tests.chaos.suite import GO_ON
from tests.contract.plugin.running import Child, clean_environment

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

    from tests.plugins.cluster import EmbeddedNode

PATIENCE = 240.0
"""Seconds for anything that a run is waited for: an outage of the API server and a new worker included."""

LEASE = 5
"""Seconds that the record of a run counts, chosen short: a killed client's things stay for that and the grace."""


@dataclass(frozen=True)
class Victim:
    """The worker that runs the victim, and its process there."""

    worker: str
    process: int


@dataclass
class Trial:
    """A run that has been started."""

    node: EmbeddedNode
    project: Path
    run_id: str
    child: Child
    junit: Path
    readers: list[threading.Thread] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What the fault has to tell of its own, for the message of a trial that goes wrong."""

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process of the client."""
        return self.child.process

    @property
    def output(self) -> str:
        """Everything that the run has printed by now."""
        return self.child.texts["out"] + self.child.texts["err"]

    def await_text(self, pattern: str) -> re.Match[str]:
        """Wait until the run has printed something."""
        return await_text(self.child, pattern)

    def await_victim(self) -> Victim:
        """Wait until the victim runs."""
        found = self.await_text(r"(gw\d+).*the victim waits as process (\d+)")
        return Victim(worker=found[1], process=int(found[2]))

    def namespace(self, worker: str) -> str:
        """Return the name of a worker's namespace."""
        return names.namespace_name(self.run_id, worker)

    def inside(self, worker: str, program: str) -> None:
        """Run a Python program in a worker's pod."""
        self.node.kubectl("exec", "-n", self.namespace(worker), "worker", "--", "python3", "-c", program)

    def let_go_on(self, worker: str) -> None:
        """Let the victim end."""
        self.inside(worker, f"open({GO_ON!r}, 'w')")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the client alone."""
        self.process.send_signal(number)

    def verdicts(self) -> dict[str, list[str]]:
        """Return what JUnit's file says of each test, an entry a report."""
        found = defaultdict(list)
        cases = ET.parse(self.junit).iter("testcase")  # noqa: S314 - pytest's own file
        for case in (one for one in cases if one.get("name")):  # pytest leaves one without for a test that is cut short
            kinds = {child.tag for child in case}
            verdict = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
            found[f"{case.get('classname')}.py::{case.get('name')}"].append(verdict)
        return dict(found)

    def namespaces(self) -> set[str]:
        """Return the names of the run's namespaces that are there."""
        return self.node.namespaces(run=self.run_id)

    def read(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        """Return an object of the cluster."""
        return dict(json.loads(self.node.kubectl("get", kind, name, "-n", namespace, "-o", "json")))

    def left(self) -> set[str]:
        """Return what there is of the run in the cluster; while nobody answers, that nobody does."""
        selector = names.selector({names.RUN: self.run_id})
        try:
            found = self.node.kubectl("get", "namespaces,leases,pods", "-A", "-l", selector, "-o", "name")
        except subprocess.CalledProcessError as error:
            return {f"unknown: {error.stderr}"}
        return set(found.split())

    def finish(self) -> int:
        """Wait for the run's end and return its exit code; what outlives its first process is waited for as well.

        A run that does not end by itself tells where it hangs; its exit code is right in no scenario.
        """
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGABRT)  # pytest then writes the stacks of all its threads
            code = self.process.wait()
        for reader in self.readers:
            reader.join(PATIENCE)
        return code


def begin(
    node: EmbeddedNode,
    project: Path,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    *,
    nox: bool = False,
) -> Trial:
    """Start a run with two workers, by pytest or by nox."""
    run_id = names.new_run_id()
    junit = project / f"{run_id}.xml"
    common = ["-s", f"--junitxml={junit}", f"--paddock-lease-duration={LEASE}", *arguments]
    argv = (
        [sys.executable, "-m", "nox", "-s", "parallel", "--no-venv", "--", *common]
        if nox
        else [sys.executable, "-m", "pytest", "--paddock", "-n2", *common]
    )
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    chosen = {**clean_environment(), "PATH": path, "PADDOCK_RUN_ID": run_id, **(environment or {})}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        argv, cwd=project, env=chosen, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )
    return Trial(node, project, run_id, Child(process), junit)


@contextlib.contextmanager
def ended(trial: Trial) -> Iterator[Trial]:
    """Read what the run prints, and see to it that nothing of it runs on this machine at the end."""
    assert trial.process.stdout
    assert trial.process.stderr
    trial.readers[:] = [
        trial.child.follow("out", trial.process.stdout),
        trial.child.follow("err", trial.process.stderr),
    ]
    try:
        yield trial
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(trial.process.pid, signal.SIGKILL)
        trial.process.wait()
        for reader in trial.readers:
            reader.join()
        trial.process.stdout.close()
        trial.process.stderr.close()


def paddock(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command of ours."""
    return subprocess.Popen(
        [sys.executable, "-m", "paddock", *arguments],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def await_text(child: Child, pattern: str) -> re.Match[str]:
    """Wait until a child has printed something that matches; fails at once when the child has ended without."""
    end = time.monotonic() + PATIENCE
    with child.grown:
        while not (found := re.search(pattern, child.texts["out"] + child.texts["err"])):
            assert child.process.poll() is None, f"{pattern!r} never came:\n{child.texts}"
            assert time.monotonic() < end, f"{pattern!r} did not come in {PATIENCE:.0f} s:\n{child.texts}"
            child.grown.wait(0.2)
    return found
