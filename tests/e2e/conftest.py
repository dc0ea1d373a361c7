"""Runs nox as a user would, and watches the cluster while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.names import new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.plugins.cluster import EmbeddedNode

ROOT = Path(__file__).resolve().parents[2]

KEPT_FROM_OUTSIDE = ("PADDOCK_CACHE",)
"""The only settings of Paddock that reach a user's run: where built programs are."""


def user_environment(**more: str) -> dict[str, str]:
    """Return the environment of a user's shell: ours, without what the surrounding test run added to it."""
    foreign = ("PYTEST_", "NOX_", "COV_", "PADDOCK_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    kept = {name: os.environ[name] for name in KEPT_FROM_OUTSIDE if name in os.environ}
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "KUBECONFIG"):
        plain.pop(name, None)
    return {**plain, **kept, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **more}


@dataclass
class Run:
    """A user's nox run, line by line, with what the cluster held meanwhile."""

    run_id: str
    process: subprocess.Popen[str]
    started: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def read(self, until: Callable[[str], bool] = lambda _line: False) -> None:
        """Read on to the first line that ``until`` accepts, or to the end."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self.times.append(time.monotonic())
            if until(line):
                return

    def finish(self) -> int:
        """Read the rest and return the exit code."""
        self.read()
        return self.process.wait()

    def interrupt(self) -> None:
        """Do what Ctrl-C does: send SIGINT to the whole foreground process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)


def is_result(line: str) -> bool:
    """Tell a line that reports a test under xdist's ``-v``."""
    return line.startswith("[gw") and "PASSED" in line


@pytest.fixture
def start_nox() -> Iterator[Callable[..., Run]]:
    """Return a function that starts nox in a folder, under a run id of our own; kills it if the test fails midway."""
    started: list[Run] = []

    def start(*arguments: str, folder: Path = ROOT) -> Run:
        run_id = new_run_id()
        process = subprocess.Popen(
            [sys.executable, "-m", "nox", *arguments],
            cwd=folder,
            env=user_environment(PADDOCK_RUN_ID=run_id),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(Run(run_id, process))
        return started[-1]

    yield start
    for run in started:
        _end(run)


def _end(run: Run) -> None:
    if run.process.poll() is None:
        os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()
    assert run.process.stdout
    run.process.stdout.close()


@pytest.fixture
def nox_parallel(start_nox: Callable[..., Run], embedded_node: EmbeddedNode) -> Callable[..., Run]:
    """Return a function that starts ``nox -s parallel`` in this repository; the node is up."""
    assert embedded_node.kubeconfig.exists()
    return lambda *arguments: start_nox("-s", "parallel", "--", "-v", *arguments)
