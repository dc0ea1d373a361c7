"""A run that waits for somebody to let it go on, for tests that look at it or do something to it meanwhile."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paddock import names
from tests.cluster.on_the_node import project_folder
from tests.contract.plugin.running import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 60.0
LOOK_EVERY = 0.2
WORKERS = ("gw0", "gw1")

GO_ON = "/tmp/go-on"  # noqa: S108 - in the pod

SUITE = """\
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", range(2))
def test_quick(number, mqtt_broker, database_server):
    pass


def test_waits(mqtt_broker):
    print("waiting, with", mqtt_broker.password, file=sys.stderr)
    end = time.monotonic() + 120
    while not Path("/tmp/go-on").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
"""


@dataclass(frozen=True)
class Run:
    """A run that waits for somebody to let it go on."""

    run_id: str
    process: subprocess.Popen[str]
    folder: Path

    def paddock(self, *arguments: str, check: bool = True) -> str:
        """Return what a command of ours prints."""
        done = subprocess.run(
            [sys.executable, "-m", "paddock", *arguments],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done
        return done.stdout

    def workers(self) -> dict[str, dict[str, Any]]:
        """Return the run's workers as ``paddock ls --json`` shows them."""
        runs = json.loads(self.paddock("ls", "--json"))["runs"]
        return {one["worker"]: one for run in runs if run["run"] == self.run_id for one in run["workers"]}

    def await_workers(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, dict[str, Any]]:
        """Wait until the condition holds for both workers, and return them."""
        pause, end = threading.Event(), time.monotonic() + PATIENCE
        while not (len(found := self.workers()) == len(WORKERS) and all(map(condition, found.values()))):
            assert time.monotonic() < end, found
            pause.wait(LOOK_EVERY)
        return found

    def finish(self) -> tuple[int, str]:
        """Let the tests go on; return exit code and output."""
        for worker in WORKERS:
            self.paddock("shell", f"{self.run_id}/{worker}", "--", "touch", GO_ON)
        output, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output


@contextlib.contextmanager
def waiting_project() -> Iterator[Path]:
    """Give a folder with tests that wait."""
    with project_folder("paddock-waiting") as folder:
        for name in ("test_a.py", "test_b.py"):
            (folder / name).write_text(SUITE, encoding="utf-8")
        yield folder


@contextlib.contextmanager
def waiting_run(project: Path, *options: str) -> Iterator[Run]:
    """Give a run whose two workers will wait in a test; it is interrupted if it has not ended."""
    run_id = names.new_run_id()
    command = [sys.executable, "-m", "pytest", "--paddock", "-n2", "-p", "no:cacheprovider", "--dist=loadfile", "-s"]
    with subprocess.Popen(
        [*command, *options, f"--paddock-run-id={run_id}"],
        cwd=project,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Run(run_id, process, project)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=PATIENCE)


def is_waiting(worker: dict[str, Any]) -> bool:
    """Return whether a worker is in its last test, with all its services."""
    return "test_waits" in worker["running"] and all(pod["state"] == "running" for pod in worker["pods"])
